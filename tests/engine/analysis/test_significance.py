"""Paired tests and Holm's correction, against SciPy's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.errors import BadInput, UnknownName
from engine.stats.intervals import corrected_t
from engine.stats.significance import (
    TTest,
    compare_over_sets,
    count_wins,
    critical_difference,
    find_cliques,
    friedman,
    holm,
    split_share,
    t_test,
    wilcoxon,
)


def test_plain_is_scipys_paired_t():
    rng = np.random.default_rng(0)
    for n in (2, 5, 20):
        a, b = rng.normal(size=n), rng.normal(0.4, 1, size=n)
        mine, theirs = t_test(a - b), stats.ttest_rel(a, b)
        assert mine.p == pytest.approx(theirs.pvalue, rel=1e-10)
        interval = theirs.confidence_interval(0.95)
        assert (mine.low, mine.high, mine.n) == pytest.approx((interval.low, interval.high, n), rel=1e-10)


def test_corrected_is_the_houses_interval():
    values = np.array([0.1, 0.15, 0.08, 0.2, 0.11])
    mine, house = t_test(values, 1 / 3), corrected_t(values, 1 / 3, bounds=None)
    assert (mine.mean, mine.low, mine.high) == pytest.approx((house.mean, house.low, house.high), rel=1e-12)
    # the p that goes with it: 0.05 where the interval just touches 0
    shift = values - mine.low
    assert t_test(shift, 1 / 3).p == pytest.approx(0.05, rel=1e-9)
    assert t_test(values, 1 / 3).p > t_test(values).p


def test_edges():
    assert t_test([0.0, 0.0, 0.0]) == TTest(0.0, 0.0, 0.0, 1.0, 3)
    assert t_test([0.5, 0.5]).p == 0.0
    assert np.isnan(t_test([0.5]).p) and t_test([0.5]).mean == 0.5
    assert np.isnan(t_test([]).mean) and t_test([]).n == 0
    assert t_test([1.0, np.nan, 3.0]).n == 2


def test_it_errs_as_often_as_it_says():
    """Independent differences around 0: a plain test at 0.05 rejects in 5% of cases."""
    rng = np.random.default_rng(1)
    wrong = np.mean([t_test(row).p < 0.05 for row in rng.normal(size=(2000, 20))])
    assert 0.035 < wrong < 0.065


def test_correction_makes_up_for_shared_test_rows():
    """Values that share a part rho of their variance, as splits that share test rows do: corrected 5%, plain far more."""
    rng = np.random.default_rng(2)
    share = split_share(1)
    rho = share / (1 + share)
    common = rng.normal(size=(2000, 1)) * np.sqrt(rho)
    draws = common + rng.normal(size=(2000, 20)) * np.sqrt(1 - rho)
    assert 0.035 < np.mean([t_test(row, share).p < 0.05 for row in draws]) < 0.065
    assert np.mean([t_test(row).p < 0.05 for row in draws]) > 0.3


@pytest.mark.parametrize(("folds", "share"), [(1, 1 / 3), (4, 1 / 3), (2, 1.0), (5, 0.25)])
def test_share_of_a_split(folds, share):
    assert split_share(folds) == pytest.approx(share)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    adjusted = holm([0.04, float("nan"), 0.03])
    assert np.isnan(adjusted[1]) and adjusted[0] == adjusted[2] == pytest.approx(0.06)
    assert holm([]) == []


# ---- over data sets

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967], [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931], [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875], [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip
"""Four versions of C4.5 on 14 data sets (table 6 of Demsar 2006; 0.9751 is ranked above 0.975 there)."""


def test_friedman_is_that_of_demsars_example():
    found = friedman(DEMSAR)
    assert found.ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert found.p == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).pvalue)
    # he leaves the correction for ties out, which SciPy has: 9.28 and 3.69
    plain = 12 * 14 / (4 * 5) * (np.square(found.ranks).sum() - 4 * 5**2 / 4)
    assert plain == pytest.approx(9.28, abs=0.005) and 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=0.005)
    sizes = np.concatenate([np.unique(row, return_counts=True)[1] for row in DEMSAR])
    assert found.chi2 == pytest.approx(plain / (1 - (sizes**3 - sizes).sum() / (14 * 4 * (4**2 - 1))))
    assert found.f == pytest.approx(13 * found.chi2 / (14 * 3 - found.chi2))
    assert found.p_f == pytest.approx(stats.f.sf(found.f, 3, 39)) and found.p_f < found.p < 0.05


def test_the_critical_difference_is_nemenyis():
    # q of Demsar's table 5 (a), 2 to 10 classifiers
    for k, q in zip(range(2, 11), (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164), strict=True):
        assert critical_difference(k, 30) == pytest.approx(q * np.sqrt(k * (k + 1) / 180), abs=1e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.1) == pytest.approx(2.291 * np.sqrt(20 / 84), abs=1e-3)


def test_friedman_of_nothing():
    found = friedman(np.ones((4, 3)))
    assert (found.chi2, found.p, found.p_f, found.ranks) == (0.0, 1.0, 1.0, (2.0, 2.0, 2.0))
    perfect = friedman(np.tile([3.0, 2.0, 1.0], (6, 1)))
    assert perfect.ranks == (1.0, 2.0, 3.0) and perfect.f == np.inf and perfect.p_f == 0.0
    for wrong in (np.ones((1, 3)), np.ones((4, 2)), np.full((4, 3), np.nan)):
        with pytest.raises(BadInput, match="at least 3 methods on at least 2 data sets"):
            friedman(wrong)


def test_wilcoxon_is_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=12), rng.normal(0.7, 1, size=12)
    assert wilcoxon(a, b) == stats.wilcoxon(a, b, method="exact").pvalue == wilcoxon(b, a)
    # C4.5 against C4.5+m on Demsar's sets (his section 3.1.3): R+ = 93, R- = 12 with the tie split, z = -2.54
    plain = np.array([0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957])
    tuned = np.array([0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978])
    assert wilcoxon(plain, tuned) == pytest.approx(2 * stats.norm.sf(2.54), abs=2e-3)
    assert wilcoxon([0.5, 0.5], [0.5, 0.5]) == 1.0 and np.isnan(wilcoxon([1.0], [0.0]))
    assert wilcoxon([1, 2, 3, np.nan], [0, 0, 0, 0]) == 0.25


def test_wins_ties_and_losses():
    assert count_wins([0.94, 0.50, 0.30, 0.2, np.nan], [0.93, 0.48, 0.32, 0.2, 0.5], 0.01) == (1, 2, 1)
    assert count_wins([1.0, 2.0], [0.0, 2.0], 0.0) == (1, 1, 0)


def test_bars_of_a_diagram():
    assert find_cliques([3.143, 2.0, 2.893, 1.964], 1.25) == [[3, 1, 2, 0]]
    assert find_cliques([3.143, 2.0, 2.893, 1.964], 1.0) == [[3, 1, 2], [2, 0]]
    assert find_cliques([1.0, 2.0, 3.0, 4.0], 1.0) == [[0, 1], [1, 2], [2, 3]]
    assert find_cliques([1.0, 2.0, 3.0], 0.5) == [] and find_cliques([1.0, 1.1, 1.2], 0.3) == [[0, 1, 2]]


def test_what_the_papers_own_table_says():
    """Table 3 of Yasinnik et al., as counted by hand from its print."""
    from engine.papers.published import KEEL_METHODS, read_cells

    scores = {m: [c.value for c in read_cells("keel", "3") if c.labels["method"] == m] for m in KEEL_METHODS}
    found = compare_over_sets(scores, "ExplicitGradient", 0.0)
    means = {"CE": 0.6746, "RS": 0.7153, "Focal": 0.6458, "SMOTE": 0.7133, "ExplicitGradient": 0.7071}
    assert found["sets"] == 22 and found["means"] == pytest.approx(means, abs=5e-5)
    ranks = {"RS": 2.41, "SMOTE": 2.66, "ExplicitGradient": 2.86, "CE": 3.09, "Focal": 3.98}
    assert found["ranks"] == pytest.approx(ranks, abs=5e-3)
    pairs = {p["right"]: (p["wins"], p["ties"], p["losses"]) for p in found["pairs"]}
    assert pairs == {"CE": (9, 5, 8), "RS": (7, 7, 8), "Focal": (11, 5, 6), "SMOTE": (8, 7, 7)}
    assert found["ahead"] == {"ExplicitGradient": 5, "RS": 4, "SMOTE": 3, "CE": 2, "Focal": 0}
    assert found["best"] == {"ExplicitGradient": 13, "RS": 11, "SMOTE": 10, "CE": 7, "Focal": 5}
    assert [p["p_holm"] for p in found["pairs"]] == pytest.approx(holm([p["p"] for p in found["pairs"]]))
    assert found["critical_difference"] == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 22)), abs=1e-3)


def test_over_few_sets_or_methods():
    found = compare_over_sets({"a": [0.5, None], "b": [0.4, 0.3]}, "a", 0.01)
    assert (found["sets"], found["ranks"], found["friedman"], found["cliques"]) == (1, None, None, None)
    assert found["pairs"][0]["p"] is None and found["pairs"][0]["wins"] == 1
    assert compare_over_sets({"a": [None], "b": [0.4]}, "a", 0.01)["sets"] == 0
    with pytest.raises(UnknownName, match="no scores of 'c'; there are: a, b"):
        compare_over_sets({"a": [1.0], "b": [1.0]}, "c", 0.0)
