"""Verdicts follow from the values alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.papers.cards import list_cards
from engine.papers.verdicts import judge, judge_cell

TWENTY = np.linspace(0.60, 0.79, 20)


def row(**changes: Any) -> dict[str, Any]:
    """A measured row on a fixed test part."""
    start = {"published": 0.7, "values": TWENTY.tolist(), "absent": "", "incomparable": "", "test_share": 0.0}
    return start | {"metric": "balanced_accuracy"} | changes


def claim(left: Any, right: Any, **changes: Any) -> dict[str, Any]:
    """A claim that left > right."""
    start = {"kind": "more", "factor": 1.0, "left": list(left), "right": list(right), "absent": "", "test_share": 0.0}
    return start | {"table": "II", "dataset": "digits"} | changes


@pytest.mark.parametrize(
    ("published", "word"), [(0.7, "inside"), (0.61, "inside"), (0.6, "below"), (0.59, "below"), (0.79, "above"), (0.9, "above")]
)
def test_where_a_published_number_lies(published, word):
    low, high = np.quantile(TWENTY, [0.025, 0.975])
    assert 0.6 < low < 0.61 and 0.78 < high < 0.79
    assert judge_cell(published, TWENTY)[0] == word


def test_few_values_say_nothing():
    assert judge_cell(0.7, TWENTY[:19]) == ("too few", "19 values; a range needs 20")
    assert judge_cell(0.7, [*TWENTY[:19], float("nan")])[0] == "too few"


def test_reasons_go_before_numbers():
    assert judge_cell(0.7, TWENTY, incomparable="reduced protocol") == ("not comparable", "reduced protocol")
    assert judge_cell(None, TWENTY, incomparable="reduced protocol")[0] == "not published"
    assert judge_cell(0.7, [], absent="no data")[:2] == ("not measured here yet", "no data")
    assert judge_cell(0.7, [], incomparable="reduced protocol")[0] == "not measured here yet"


def test_a_row_carries_its_mean_and_which_interval():
    (fixed, drawn, absent), _ = judge([row(), row(test_share=1 / 3), row(values=[], absent="why")], [])
    assert fixed["ours"]["mean"] == pytest.approx(TWENTY.mean()) and fixed["ours"]["n"] == 20
    assert "same for every seed" in fixed["ours"]["interval"] and "Nadeau" in drawn["ours"]["interval"]
    assert drawn["ours"]["high"] - drawn["ours"]["low"] > 2 * (fixed["ours"]["high"] - fixed["ours"]["low"])
    assert absent["ours"] is None and (absent["verdict"], absent["reason"]) == ("not measured here yet", "why")
    (clipped,), _ = judge([row(values=[0.99, 1.0, 0.9])], [])
    assert clipped["ours"]["high"] == 1.0


def test_claims_hold_fail_or_stay_open():
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.02, 20)
    noise = rng.normal(0, 0.005, 20)
    _, (up, down, level) = judge(
        [], [claim(base + 0.02 + noise, base), claim(base - 0.02 + noise, base), claim(base + noise - noise.mean(), base)]
    )
    assert [c["verdict"] for c in (up, down, level)] == ["holds", "does not hold", "undecided"]
    assert up["difference"]["mean"] == pytest.approx(0.02 + noise.mean()) and up["n"] == 20
    assert up["p_holm"] >= up["p"]


def test_holm_runs_within_a_table_and_dataset():
    rng = np.random.default_rng(1)
    right = np.zeros(20)
    weak = rng.normal(size=20)
    weak = (weak - weak.mean()) / weak.std(ddof=1) + 2.2 / np.sqrt(20)  # t = 2.2, p = 0.04 alone
    alone = claim(weak, right)
    _, (only,) = judge([], [alone])
    assert only["verdict"] == "holds"
    others = [claim(rng.permutation(weak) - 0.5, right) for _ in range(5)]
    _, judged = judge([], [alone, *others])
    assert judged[0]["verdict"] == "undecided" and judged[0]["p_holm"] == pytest.approx(6 * only["p"])
    elsewhere = [c | {"dataset": "CIFAR-10"} for c in others] + [c | {"table": "I"} for c in others]
    _, judged = judge([], [alone, *elsewhere])
    assert judged[0] == only


def test_equal_by_mathematics_is_not_a_matter_of_tests():
    same = np.random.default_rng(2).random(3)
    _, (yes, no) = judge([], [claim(same, same + 1e-7, kind="same"), claim(same, same + 1e-3, kind="same")])
    assert (yes["verdict"], no["verdict"]) == ("holds", "does not hold")
    assert yes["p"] is None and yes["p_holm"] is None


def test_a_factor():
    left, right = np.full(20, 2.5) + np.arange(20) / 100, np.full(20, 1.0)
    _, (twice, thrice) = judge([], [claim(left, right, factor=2.0), claim(left, right, factor=3.0)])
    assert (twice["verdict"], thrice["verdict"]) == ("holds", "does not hold")


def test_claims_without_runs_or_with_one():
    _, (none, one) = judge([], [claim([], [], absent="no data"), claim([1.0], [0.5])])
    assert (none["verdict"], none["reason"], none["n"]) == ("not measured here yet", "no data", 0)
    assert one["verdict"] == "undecided" and "two" in one["reason"]


def test_judging_again_changes_nothing():
    rng = np.random.default_rng(3)
    claims = [claim(rng.random(20), rng.random(20)) for _ in range(4)] + [claim([], [], absent="x")]
    once = judge([row(), row(values=[])], claims)
    assert judge(*once) == once


def test_near_is_two_one_sided_tests() -> None:
    """n = 4, sd 1/sqrt(3) of -.5, .5 twice: the 90% half-width is 2.3534 x .28868 = .67937, the 95% one 3.1824 x .28868 = .91870."""
    base = np.array([-0.5, 0.5, -0.5, 0.5])
    zero = np.zeros(4)

    def verdict(centre: float, margin: float) -> str:
        return str(judge([], [claim(base + centre, zero, kind="near", margin=margin)])[1][0]["verdict"])

    assert verdict(0.0, 0.680) == "holds" and verdict(0.0, 0.679) == "undecided"
    assert verdict(1.0, 0.082) == "undecided" and verdict(1.0, 0.081) == "does not hold"
    (one,) = judge([], [claim([0.1], [0.1], kind="near", margin=0.02)])[1]
    assert one["verdict"] == "undecided" and one["p"] is None


def test_a_claim_on_fewer_sets_than_the_rest_waits_for_them():
    def claim(text: str, dataset: int, mean: float | None):
        difference = None if mean is None else {"mean": mean, "low": None, "high": None}
        return {"text": text, "dataset": str(dataset), "difference": difference, "n": 4, "p": None, "verdict": "", "reason": ""}

    whole = [claim("a", d, 0.1 + 0.01 * d) for d in range(6)]
    part = [claim("b", d, 0.1 if d < 2 else None) for d in range(6)]
    (card,) = list_cards(whole + part, {})
    assert (card.text, card.sets, card.verdict) == ("a", 6, "holds")
    assert len(list_cards(whole + part[:2], {})) == 8, "a claim that is made of two sets is judged by itself"
