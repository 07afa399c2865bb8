"""The cut that a rule chooses on validation cases, and what it reads on test cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix_at_thresholds, fbeta_score, metric_at_thresholds

from engine.errors import BadParameter
from engine.events import pack, unpack
from engine.stats.decide import AS_TRAINED, Rule, choose_place, read_cases, read_decide
from engine.stats.decide_curves import choose_classes, read_curves, step_cut
from tests.engine.decide.made import build, draw, pair, rows

Y = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
SCORE = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]
"""Ten cases by hand: three of the class looked for, found at places 1, 2 and 4."""


def read(arrays, rule, **more):
    found = read_decide(arrays, rule=rule, calibration=AS_TRAINED, **more)
    return found, {k: v["mean"] for k, v in (found["readings"] or {}).items()}


@pytest.mark.parametrize(
    ("rule", "cut", "tp", "fp"),
    [
        (Rule("alerts", 200), 0.8, 2, 0),
        (Rule("alerts", 299), 0.8, 2, 0),
        (Rule("alerts", 300), 0.7, 2, 1),
        (Rule("recall", 0.5), 0.8, 2, 0),
        (Rule("recall", 1.0), 0.6, 3, 1),
        (Rule("precision", 0.7), 0.6, 3, 1),
        (Rule("precision", 0.8), 0.8, 2, 0),
        (Rule("cost", miss=10, alarm=1), 0.6, 3, 1),
        (Rule("cost", miss=1, alarm=3), 0.8, 2, 0),
        (Rule("f-beta", 1.0), 0.6, 3, 1),
        (Rule("f-beta", 0.25), 0.8, 2, 0),
        (Rule("hand", 0.55), 0.6, 3, 1),
    ],
)
def test_rules_by_hand(rule, cut, tp, fp):
    found, at = read(build([pair(rows(Y, SCORE))] * 2), rule)
    assert found["cuts"] == [pytest.approx(cut, abs=1e-6)] * 2
    assert (at["tp"], at["fp"]) == (pytest.approx(100 * tp), pytest.approx(100 * fp))
    assert at["alerts"] == pytest.approx(100 * (tp + fp)) and at["precision"] == pytest.approx(tp / (tp + fp))
    assert at["recall"] == pytest.approx(tp / 3) and at["lift"] == pytest.approx(tp / (tp + fp) / 0.3)
    assert at["cost"] == pytest.approx(100 * (rule.miss * (3 - tp) + rule.alarm * fp))
    odds = at["cut"] / (1 - at["cut"])
    assert at["net_benefit"] == pytest.approx(1000 * (tp / 10 - fp / 10 * odds), abs=1e-12)


def test_a_goal_out_of_reach_has_no_counts():
    arrays = build([pair(rows([0, 1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1, 0.1]))] * 2)
    assert read_decide(arrays, rule=Rule("precision", 0.9))["readings"] is None
    assert read_decide(arrays, rule=Rule("recall", 0.9))["readings"] is None  # all cases flagged would be no decision
    assert read_decide(arrays, rule=Rule("recall", 0.5))["readings"] is not None


def test_a_budget_flags_no_tie_that_does_not_fit_and_other_cuts_flag_all():
    tied = build([pair(rows([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0.9, 0.5, 0.5, 0.5, *[0.1] * 6]))] * 2)
    found, at = read(tied, Rule("alerts", 300))
    assert at["alerts"] == pytest.approx(100) and found["ties"] == {"cases": 3.0, "flagged": "none"}
    assert read(tied, Rule("alerts", 400))[1]["alerts"] == pytest.approx(400)
    found, at = read(tied, Rule("recall", 1.0))
    assert at["alerts"] == pytest.approx(400) and found["ties"] == {"cases": 3.0, "flagged": "all"}
    assert read(tied, Rule("alerts", 50))[1]["alerts"] == 0.0


def test_a_budget_is_kept_on_test_cases_whatever_their_scores():
    """A model trained again may give other scores: the cut alone would then flag more or fewer than the budget allows."""
    rng = np.random.default_rng(9)
    valid, test = draw(rng, 500, 0.1), draw(rng, 800, 0.1)
    higher = rows(test.y, np.sqrt(test.score))
    for part in (test, higher):
        found, at = read(build([pair(valid, part)] * 2), Rule("alerts", 50))
        order = np.argsort(-part.score)[:40]
        assert at["alerts"] == pytest.approx(50) and at["precision"] == pytest.approx(part.y[order].mean())
        assert at["recall"] == pytest.approx(part.y[order].sum() / part.y.sum())
        fixed = part.score >= found["cuts"][0]
        assert found["at_cut"]["alerts"]["mean"] == pytest.approx(1000 * fixed.mean())
        assert found["at_cut"]["precision"]["mean"] == pytest.approx(part.y[fixed].mean())
        assert found["cuts"][0] == np.sort(valid.score)[-25]
    assert read_decide(build([pair(valid)] * 2), rule=Rule())["at_cut"] is None


def test_counts_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    valid, test = draw(rng, 400, 0.2), draw(rng, 500, 0.2)
    case = read_cases(build([pair(valid, test)] * 2))[0]
    for part, tpr, fpr in ((valid, case.valid_tpr, case.valid_fpr), (test, case.test_tpr, case.test_fpr)):
        _, fps, _, tps, cuts = confusion_matrix_at_thresholds(part.y, part.score)
        at = np.searchsorted(-case.cut, -cuts) + 1
        np.testing.assert_allclose(tpr[at], tps / part.y.sum(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(fpr[at], fps / (~part.y).sum(), rtol=0, atol=1e-12)


def test_best_f_beta_and_lowest_cost_are_those_of_scikit_learn():
    rng = np.random.default_rng(4)
    valid = draw(rng, 120, 0.15, signal=1.5)
    arrays = build([pair(valid)] * 2)
    for beta in (0.5, 1.0, 3.0):
        values, cuts = metric_at_thresholds(
            valid.y, valid.score, fbeta_score, metric_params={"beta": beta, "zero_division": 0.0}
        )
        best = cuts[np.argmax(values >= values.max() - 1e-12)]  # of equal ones the highest
        assert read_decide(arrays, rule=Rule("f-beta", beta))["cuts"][0] == pytest.approx(best, abs=1e-12)
    cost, cuts = metric_at_thresholds(valid.y, valid.score, lambda y, flag: 7 * (y & ~flag).sum() + 2 * (~y & flag).sum())
    assert read_decide(arrays, rule=Rule("cost", miss=7, alarm=2))["cuts"][0] == pytest.approx(cuts[cost.argmin()], abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_cuts_are_those_of_a_search_over_all_of_them(seed):
    """Random scores with many ties, weights and a share in use, against plain loops over every score."""
    rng = np.random.default_rng(seed)
    y, score, weight = rng.random(40) < 0.3, np.round(rng.random(40), 1), rng.uniform(0.5, 3, 40)
    y[:2] = [True, False]
    share = (None, 0.05)[seed % 2]
    pi = float(np.average(y, weights=weight)) if share is None else share
    part = rows(y, score)
    part = type(part)(part.y, part.score, weight)
    case = read_cases(build([pair(part)] * 2))[0]
    found = {}
    for cut in sorted(set(part.score), reverse=True):
        flagged = part.score >= cut
        tpr = sum(w for w, t, f in zip(weight, y, flagged, strict=True) if t and f) / weight[y].sum()
        fpr = sum(w for w, t, f in zip(weight, y, flagged, strict=True) if not t and f) / weight[~y].sum()
        found[cut] = (pi * tpr, (1 - pi) * fpr, tpr)

    def best(value, fits=lambda hit, alarm, tpr: True):
        kept = [(value(*v), cut) for cut, v in found.items() if fits(*v)]
        top = max((v for v, _ in kept), default=None)
        return None if top is None else max(cut for v, cut in kept if v >= top - 1e-12)

    def precise(hit, alarm, tpr):
        return hit / (hit + alarm)

    def open_end(hit, alarm, tpr):
        return hit + alarm < 1 - 1e-12

    expected = {
        Rule("f-beta", 2.0): best(lambda hit, alarm, tpr: 5 * hit / (4 * pi + hit + alarm)),
        Rule("recall", 0.5): best(precise, lambda *v: v[2] >= 0.5 and open_end(*v)),
        Rule("precision", 1.2 * pi): best(lambda hit, alarm, tpr: tpr, lambda *v: precise(*v) >= 1.2 * pi and open_end(*v)),
        Rule("alerts", 300): best(lambda hit, alarm, tpr: hit + alarm, lambda *v: v[0] + v[1] <= 0.3),
    }
    for rule, cut in expected.items():
        place = choose_place(case, rule, case.cut, share)
        assert (None if place in (None, 0) else case.cut[place - 1]) == (None if cut is None else pytest.approx(cut)), rule
    costs = {cut: 3 * (pi - v[0]) + 2 * v[1] for cut, v in found.items()} | {np.inf: 3 * pi}
    place = choose_place(case, Rule("cost", miss=3, alarm=2), case.cut, share)
    own = case.cut[place - 1] if place else np.inf
    assert costs[own] == pytest.approx(min(costs.values()), abs=1e-12)


def test_a_cost_column_is_summed_over_the_missed():
    arrays = build([pair(rows(Y, SCORE, cost=[100, 10, 5, 1, *[5] * 6]))] * 2)
    rule = Rule("cost", miss=None, alarm=2)
    found, at = read(arrays, rule)
    assert found["cuts"][0] == pytest.approx(0.8, abs=1e-6)  # finding the third would cost 2 and save 1
    assert at["cost"] == pytest.approx(100 * 1) and at["cost_none"] == pytest.approx(100 * 111)
    assert at["cost_all"] == pytest.approx(100 * 14)
    with pytest.raises(BadParameter, match="no cost column"):
        read_decide(build([pair(rows(Y, SCORE))] * 2), rule=rule)


def test_a_budget_a_day_is_k_of_that_day():
    day = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    y = [1, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    score = [0.9, 0.8, 0.2, 0.1, 0.5, 0.4, 0.4, 0.3, 0.05, 0.01]
    arrays = build([pair(rows(y, score, day=day))] * 2)
    _, at = read(arrays, Rule("alerts", 1, "day"))
    assert (at["tp"], at["fp"], at["alerts_per_day"]) == (pytest.approx(200), pytest.approx(100), pytest.approx(1.0))
    _, at = read(arrays, Rule("alerts", 2, "day"))  # on day 1 two cases tie for the second place: none is flagged
    assert (at["tp"], at["fp"]) == (pytest.approx(300), pytest.approx(200))
    _, at = read(arrays, Rule("alerts", 1000, "day"))
    assert at["recall"] == 1.0
    with pytest.raises(BadParameter, match="time column"):
        read_decide(build([pair(rows(Y, SCORE))] * 2), rule=Rule("alerts", 1, "day"))


def test_budgets_a_day_are_those_of_a_plain_count():
    rng = np.random.default_rng(5)
    day = rng.integers(0, 12, 600)
    test = draw(rng, 600, 0.1, day=day)
    test = rows(test.y, np.round(test.score, 2), day=day)  # with ties
    arrays = build([pair(test)] * 2)
    for k in (1, 3, 7, 20, 40):
        tp = fp = 0
        for d in range(12):
            here = np.flatnonzero(day == d)
            flagged = [i for i in here if (test.score[here] >= test.score[i]).sum() <= k]
            tp, fp = tp + test.y[flagged].sum(), fp + (~test.y[flagged]).sum()
        _, at = read(arrays, Rule("alerts", k, "day"))
        assert (at["tp"], at["fp"]) == (pytest.approx(tp / 0.6), pytest.approx(fp / 0.6))


def test_an_owner_counts_once():
    owner = [0, 0, 0, 1, 1, 2, 3, 3, 4, 4]
    part = rows(Y, SCORE, owner=owner, cost=[1] * 10)
    arrays = build([pair(part)] * 2, owners_first=True)
    found, at = read(arrays, Rule("alerts", 400))
    assert found["unit"] == "owner" and at["alerts"] == pytest.approx(400)  # two of five owners
    assert at["tp"] == pytest.approx(400)  # owners 0 (.9, with cost of two rows) and 1 (.6)
    assert read(arrays, Rule("alerts", 200), unit="owner")[1]["cost"] == pytest.approx(200.0)
    assert read(arrays, Rule("cost", miss=None, alarm=0.1), unit="owner")[1]["cost_none"] == pytest.approx(1000 * 3 / 5)
    assert read(arrays, Rule("alerts", 400), unit="row")[1]["tp"] == pytest.approx(300)
    with pytest.raises(BadParameter, match="named no owner"):
        read_decide(build([pair(rows(Y, SCORE))] * 2), unit="owner")


def test_an_owner_counts_once_a_day():
    part = rows([1, 0, 1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], owner=[0, 0, 0, 1, 1, 0], day=[0, 0, 1, 1, 1, 1])
    _, at = read(build([pair(part)] * 2), Rule("alerts", 1, "day"), unit="owner")  # cases: 0 on day 0, 0 and 1 on day 1
    assert at["tp"] == pytest.approx(1000 * 2 / 3) and at["fp"] == 0.0 and at["alerts_per_day"] == pytest.approx(1.0)


def test_the_file_is_small_and_its_readings_exact_with_many_rows():
    rng = np.random.default_rng(6)
    scored = [pair(draw(rng, 9000, 0.02), draw(rng, 30_000, 0.02)) for _ in range(5)]
    kept = pack(build(scored))
    assert len(kept) < 500_000
    for rule in (Rule("f-beta", 1), Rule("recall", 0.6), Rule("cost", miss=20, alarm=1)):
        found = read_decide(unpack(kept), rule=rule)
        tp = [(s.test.y & (s.test.score >= cut)).sum() for s, cut in zip(scored, found["cuts"], strict=True)]
        fp = [(~s.test.y & (s.test.score >= cut)).sum() for s, cut in zip(scored, found["cuts"], strict=True)]
        assert found["readings"]["tp"]["mean"] == pytest.approx(np.mean(tp) / 30, rel=1e-12)
        assert found["readings"]["fp"]["mean"] == pytest.approx(np.mean(fp) / 30, rel=1e-12)
    found = read_decide(unpack(kept), rule=Rule("alerts", 5))
    fixed = [(s.test.score >= cut).sum() / 30 for s, cut in zip(scored, found["cuts"], strict=True)]
    assert found["at_cut"]["alerts"]["mean"] == pytest.approx(np.mean(fixed), rel=1e-12)
    assert 4.8 < found["readings"]["alerts"]["mean"] <= 5
    for one, cut in zip(scored, found["cuts"], strict=True):
        assert cut == np.sort(one.valid.score)[-45]  # exactly 5 in 1,000 of 9,000 validation rows


def test_one_replicate_is_read_with_a_bootstrap_of_blocks():
    rng = np.random.default_rng(7)
    block = np.repeat(np.arange(40), 50)
    hot = rng.random(40) < 0.3  # whole blocks are easy or hard
    y = rng.random(2000) < 0.2
    score = np.where(hot[block], rng.random(2000), np.clip(0.5 * y + 0.5 * rng.random(2000), 0, 1))
    wide = read_decide(build([pair(rows(y, score, block=block))]), rule=Rule("alerts", 100))
    narrow = read_decide(build([pair(rows(y, score))]), rule=Rule("alerts", 100))
    width = [one["readings"]["precision"]["high"] - one["readings"]["precision"]["low"] for one in (wide, narrow)]
    assert 0 < width[1] < width[0]
    day = build([pair(rows(y, score, block=block, day=block))])
    at = read_decide(day, rule=Rule("alerts", 5, "day"))["readings"]["recall"]
    assert at["low"] < at["mean"] < at["high"]
    curves = read_curves(build([pair(rows(y, score, block=block))]))
    assert np.isfinite(curves["gains"]["low"][1:]).all()


def test_intervals_stay_within_what_can_be():
    rng = np.random.default_rng(10)
    parts = [pair(draw(rng, 60, 0.3), draw(rng, 40, 0.3)) for _ in range(3)]
    for rule in (Rule("cost", miss=50, alarm=1), Rule("recall", 0.9), Rule("alerts", 20)):
        found = read_decide(build(parts), rule=rule)["readings"]
        for name, one in found.items():
            if name in ("alerts", "tp", "fp", "fn", "tn", "precision", "recall", "false_alarms", "f1", "cut"):
                top = 1 if name in ("precision", "recall", "false_alarms", "f1", "cut") else 1000
                assert all(0 <= one[k] <= top for k in one if np.isfinite(one[k])), (name, one)


def test_a_step_moves_the_cut_by_one_row():
    arrays = build([pair(rows(Y, SCORE))] * 2)
    cut, seen = 0.65, []
    for _ in range(3):
        cut = step_cut(arrays, cut, 1, calibration=AS_TRAINED)
        seen.append(read(arrays, Rule("hand", cut))[1]["alerts"])
    assert seen == [pytest.approx(a) for a in (400, 500, 600)]
    assert read(arrays, Rule("hand", step_cut(arrays, cut, -1, calibration=AS_TRAINED)))[1]["alerts"] == pytest.approx(500)


def test_a_cost_matrix_chooses_the_class_of_lowest_expected_cost():
    p = np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.4, 0.35, 0.25]])
    y = np.array([0, 1, 2])
    one = pair(rows(y == 2, p[:, 2]))
    one = type(one)(one.valid, one.test, one.given, one.natural, p, y)
    arrays = build([one] * 2, classes=("a", "b", "c"))
    matrix = np.array([[0, 1, 1], [1, 0, 1], [9, 9, 0]])
    found = choose_classes(arrays, matrix)
    assert found["cost"]["mean"] == pytest.approx(1000 * 1 / 3)  # rows: c (costs 1), b, c
    assert found["cost_likeliest"]["mean"] == pytest.approx(1000 * 9 / 3)
    np.testing.assert_allclose(found["table"], 1000 / 3 * np.array([[0, 0, 1], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(BadParameter, match="3 rows of 3 numbers"):
        choose_classes(arrays, np.eye(2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "best"}, "must be one of"),
        ({"kind": "alerts", "value": 0.5, "per": "day"}, "at least 1"),
        ({"kind": "alerts", "value": -1.0}, "above 0"),
        ({"kind": "recall", "value": 1.5}, "at most 1"),
        ({"kind": "hand", "value": float("nan")}, "a number"),
        ({"kind": "hand", "value": "0.5"}, "got str"),
        ({"kind": "cost", "alarm": None}, "got NoneType"),
        ({"kind": "cost", "miss": True}, "got bool"),
        ({"kind": "cost", "miss": 0.0, "alarm": 0.0}, "one of them above"),
        ({"kind": "cost", "miss": -1.0}, "at least 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(arguments, said):
    with pytest.raises(BadParameter, match=said):
        Rule(**arguments)


def test_a_cut_chosen_on_validation_has_no_optimism_on_noise():
    """Scores that say nothing: on test rows, the mean precision at the chosen cut is the base rate. On the same rows it is above."""
    rng = np.random.default_rng(8)
    rules = (Rule("f-beta", 1.0), Rule("precision", 0.3), Rule("alerts", 50), Rule("cost", miss=5, alarm=1))
    clean, same = {r: [] for r in rules}, {r: [] for r in rules}
    for _ in range(200):
        valid, test = draw(rng, 200, 0.2, signal=0.0), draw(rng, 400, 0.2, signal=0.0)
        one, other = build([pair(valid, test)] * 2), build([pair(valid)] * 2)
        for rule in rules:
            for kept, arrays in ((clean, one), (same, other)):
                found = read_decide(arrays, rule=rule)["readings"]
                kept[rule].append(np.nan if found is None else found["precision"]["mean"])
    for rule in rules:
        values = np.array(clean[rule])
        values = values[np.isfinite(values)]
        half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - 0.2) < half, (rule, values.mean(), half)
        if rule.kind != "alerts":
            assert np.nanmean(same[rule]) > values.mean() + half
