"""Differences to plain training, Holm over all methods, and the sentence that says what came of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.stats.compared import compute_differences, find_best, hold_together
from engine.stats.intervals import LEVEL, Interval
from engine.stats.significance import holm, holm_levels, split_share
from engine.stats.verdict import Cut, State, judge_board, judge_methods, verdict

TITLES = {"ce": "Plain training", "a": "Method A", "b": "Method B", "c": "Method C"}
SHARE = split_share(5)


def runs(mean: float, spread: float, n: int = 10, seed: int = 0) -> dict[int, float]:
    """Values with exactly this mean and standard deviation."""
    drawn = np.random.default_rng(seed).normal(size=n)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return dict(enumerate(mean + spread * drawn))


def on(base: dict[int, float], mean: float, spread: float, n: int | None = None, seed: int = 1) -> dict[int, float]:
    """Values that differ from `base` by so much on average, on its first n replicates."""
    return {r: base[r] + d for r, d in runs(mean, spread, n or len(base), seed).items()}


def test_a_difference_is_the_corrected_paired_t_by_hand():
    base = runs(0.5, 0.1)
    found = compute_differences({"ce": base, "a": on(base, 0.04, 0.02)}, "ce", SHARE)["a"]
    error = np.sqrt((1 / 10 + 1 / 4) * 0.02**2)
    assert found.test.mean == pytest.approx(0.04)
    assert found.test.p == pytest.approx(2 * stats.t.sf(0.04 / error, 9))
    half = stats.t.ppf(0.975, 9) * error
    assert (found.test.low, found.test.high) == pytest.approx((0.04 - half, 0.04 + half))
    assert found.p_holm == found.test.p and found.better and not found.worse


def test_only_common_replicates_are_paired():
    base = runs(0.5, 0.1, 20)
    found = compute_differences({"ce": base, "a": on(base, 0.04, 0.02, 5), "b": {100: 0.9, 101: 0.8}}, "ce", SHARE)
    assert found["a"].test.n == 5 and found["a"].test.mean == pytest.approx(0.04)
    assert found["b"].test.n == 0 and np.isnan(found["b"].p_holm) and not found["b"].better
    gone = compute_differences({"ce": base | {0: float("nan")}, "a": on(base, 0.04, 0.02, 5)}, "ce", SHARE)
    assert gone["a"].test.n == 4


def test_holm_is_over_all_methods():
    base = runs(0.5, 0.1)
    values = {
        "ce": base,
        "a": on(base, 0.03, 0.02, seed=2),
        "b": on(base, 0.01, 0.02, seed=3),
        "c": on(base, 0.02, 0.02, seed=4),
    }
    found = compute_differences(values, "ce", SHARE)
    names = ["a", "b", "c"]
    raw = [found[n].test.p for n in names]
    assert [found[n].p_holm for n in names] == holm(raw)
    assert found["a"].p_holm == pytest.approx(3 * found["a"].test.p)
    # better by itself, no longer among three
    alone = compute_differences({"ce": base, "c": values["c"]}, "ce", SHARE)["c"]
    assert alone.better == (alone.test.p < 0.05)
    assert found["c"].p_holm >= 2 * alone.test.p - 1e-12


def test_the_best_is_the_largest_of_those_that_are_better():
    base = runs(0.5, 0.1)
    values = {"ce": base, "a": on(base, 0.05, 0.01), "b": on(base, 0.04, 0.005, seed=5), "c": on(base, 0.2, 0.6, seed=6)}
    found = compute_differences(values, "ce", SHARE)
    assert find_best(found) == "a"  # c gains more on average, and nobody can say whether it does
    said = judge_methods(found, TITLES, "ce", "Average precision")
    assert said.text == "Method A beats plain training." and said.dot.look == "filled" and said.dot.better
    assert said.more[0].startswith("Difference in average precision: +.050, ") and said.more[0].endswith("10 replicates.")
    assert "Also better than plain training: Method B." in said.more and "Method C" not in " ".join(said.more)
    assert any(text.startswith("p = ") and text.endswith("by Holm over 3 methods.") for text in said.more)


def test_no_method_is_better_is_an_answer():
    base = runs(0.5, 0.1)
    values = {"ce": base, "a": on(base, 0.01, 0.05), "b": on(base, -0.05, 0.01, seed=7)}
    found = compute_differences(values, "ce", SHARE)
    assert find_best(found) is None
    said = judge_methods(found, TITLES, "ce", "Average precision")
    assert said.text == "No difference found between method A and plain training." and said.dot.look == "hollow"
    assert said.more[-1] == "Worse than plain training: Method B."


def test_equal_values_are_no_difference():
    base = runs(0.5, 0.1)
    found = compute_differences({"ce": base, "a": dict(base)}, "ce", SHARE)
    assert found["a"].p_holm == 1 and found["a"].test.mean == 0 and find_best(found) is None
    said = judge_methods(found, TITLES, "ce", "Average precision")
    assert said.text.startswith("No difference found") and said.more[0].startswith("Difference in average precision: .000")


def test_too_little_to_compare():
    base = runs(0.5, 0.1)
    alone = judge_methods(compute_differences({"ce": base}, "ce", SHARE), TITLES, "ce", "MCC")
    assert alone.text == "Nothing to compare plain training with." and alone.dot.look == "none"
    one = compute_differences({"ce": base, "a": {0: 0.9}}, "ce", SHARE)
    said = judge_methods(one, TITLES, "ce", "MCC")
    assert find_best(one) is None and said.text.startswith("One split: method A +.") and "turn" in said.text
    assert said.more[0].startswith("Difference in MCC: +.") and "interval" not in said.more[0]


def test_a_board_answers_who_leads_and_whether_a_remedy_helps_apart():
    base = runs(0.5, 0.1)
    found = compute_differences({"ce": base, "a": on(base, 0.05, 0.01), "b": on(base, -0.05, 0.01, seed=7)}, "ce", SHARE)
    ahead, level = Interval(0.03, 0.01, 0.05, 10, "t"), Interval(0.03, -0.01, 0.07, 10, "t")
    said = judge_board("random forest (all rows)", ahead, found, TITLES, "MCC")
    assert said.text == "Random forest leads. 1 of 2 remedies beats the same model plain." and said.dot.look == "none"
    assert said.more[0].startswith("Difference in MCC: +.030") and "Worse than the same model plain: Method B." in said.more
    none = {name: d for name, d in found.items() if name == "b"}
    assert judge_board("X", level, none, TITLES).text == "X reads highest. No remedy beats the same model plain."
    assert judge_board("X", None, {}, TITLES).text == "X reads highest."
    assert judge_board("X", Interval(0.03, 0.01, 0.05, 1, "one"), {}, TITLES).text == "X reads highest."  # one split


def test_an_interval_leaves_out_0_exactly_where_holm_finds_a_difference():
    rng = np.random.default_rng(2)
    outside = inside = 0
    for _ in range(300):
        base, many = runs(0.5, 0.1, seed=3), int(rng.integers(1, 9))
        values = {"ce": base} | {
            str(k): on(base, float(rng.normal(0, 0.03)), 0.03, seed=int(rng.integers(1e6))) for k in range(many)
        }
        for found in compute_differences(values, "ce", SHARE).values():
            assert found.interval.above_zero == found.better and found.interval.below_zero == found.worse
            assert found.interval.low <= found.test.low + 1e-12 and found.interval.high >= found.test.high - 1e-12
            outside, inside = outside + (found.better or found.worse), inside + (not found.better and not found.worse)
        held = hold_together([d.interval for d in compute_differences({"ce": base, "0": values["0"]}, "ce", SHARE).values()])
        assert held[0][1] == LEVEL
    assert outside > 50 and inside > 50
    levels = holm_levels([0.001, float("nan"), 0.2, 0.004, 0.9])
    assert levels == pytest.approx([1 - 0.05 / 4, 0.95, 1 - 0.05 / 2, 1 - 0.05 / 3, 1 - 0.05 / 2])


def test_names_are_few_false_alarms():
    """Under no difference at all, some method is named best in about 5% of comparisons or less: Holm, not eight chances of 5%."""
    rng = np.random.default_rng(0)
    named = 0
    for _ in range(400):
        base = dict(enumerate(rng.normal(0.5, 0.1, 10)))
        values = {"ce": base} | {f"m{k}": {r: v + rng.normal(0, 0.05) for r, v in base.items()} for k in range(8)}
        named += find_best(compute_differences(values, "ce", 0.0)) is not None
    assert named / 400 < 0.06


def test_a_cut_that_flags_everything_is_said_in_whole_alerts():
    said = verdict("", "", None, 0, State(cut=Cut(1000.0, 17.0, 100.0, "frauds")))
    assert said.text == "At 1,000 alerts per 1,000, 17 of 100 alerts are right and 100 of 100 frauds are found."
