"""Verdicts on published numbers and claims from measured values. Pure: plain values in, plain values out. No torch here.

A row is a published cell with what was measured for it, a claim two readings that the paper says differ. Both are JSON-plain,
so that stored measurements can be judged again: `judge(rows, claims)` depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.plain import to_plain
from engine.spec.result import METRICS
from engine.stats.intervals import FIXED
from engine.stats.significance import LEVEL, REDRAWN, holm, t_test

ENOUGH = 20
"""Fewest single-split values whose central 95% says anything."""
ALPHA = 0.05
SAME = 1e-5
"""Two numbers that mathematics says are equal may differ by this much, relative to the larger one or to 1: float32 sums."""

SHARES = ("precision", "recall")
"""Readings that are at most 1 and are not in METRICS; all others but those (errors, distances) have no upper bound."""

INSIDE, ABOVE, BELOW, TOO_FEW = "inside", "above", "below", "too few"
NOT_COMPARABLE, NOT_MEASURED, NOT_PUBLISHED = "not comparable", "not measured here yet", "not published"
HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"


def judge(rows: Iterable[Mapping[str, Any]], claims: Iterable[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Rows and claims with their verdicts; what verdicts they had is replaced.

    Row, read: published (number or None), values (per replicate), absent (why nothing was measured, or ''), incomparable (why
    it does not bear on the published number, or ''), test_share. Added: ours {mean, low, high, n, interval}, verdict, reason.
    Claim, read: kind ('more': left > factor x right; 'same': left = right; 'near': at most margin apart), factor, margin, left and
    right (values, paired), absent, test_share, table, dataset. Added: n, difference {mean, low, high} of left - factor x right, p, p_holm,
    verdict, reason.
    Holm's correction runs over the tested claims of one table on one dataset, so that no answer depends on which other
    tables or datasets were asked for.
    """
    judged = [_judge_row(row) for row in rows]
    tested = [_judge_claim(claim) for claim in claims]
    families: dict[tuple[Any, Any], list[int]] = {}
    for i, claim in enumerate(tested):
        families.setdefault((claim.get("table"), claim.get("dataset")), []).append(i)
    for members in families.values():
        adjusted = holm([float("nan") if tested[i]["p"] is None else tested[i]["p"] for i in members])
        for i, p in zip(members, adjusted, strict=True):
            tested[i] = to_plain(tested[i] | {"p_holm": p})
            if tested[i]["kind"] == "more" and not tested[i]["absent"]:
                tested[i]["verdict"], tested[i]["reason"] = _decide(tested[i])
    return judged, tested


def judge_cell(
    published: float | None, values: Sequence[float] | np.ndarray, incomparable: str = "", absent: str = ""
) -> tuple[str, str]:
    """(verdict, reason) of one published number against our single-split values.

    inside, above, below: where the *published* number lies relative to the central 95% (quantiles 0.025 and 0.975) of ours;
    'too few' below 20 values. 'not comparable' and 'not measured here yet' carry their reason, and go first.
    """
    if absent or not len(values):
        return NOT_MEASURED, absent or "nothing was run"
    if published is None:
        return NOT_PUBLISHED, incomparable or "the paper has no such number"
    if incomparable:
        return NOT_COMPARABLE, incomparable
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    if len(kept) < ENOUGH:
        return TOO_FEW, f"{len(kept)} values; a range needs {ENOUGH}"
    low, high = np.quantile(kept, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    where = BELOW if published < low else ABOVE if published > high else INSIDE
    return where, f"the central 95% of ours is {low:.4f} to {high:.4f}"


def _judge_row(row: Mapping[str, Any]) -> dict[str, Any]:
    values = _to_array(row["values"])
    verdict, reason = judge_cell(row["published"], values, row["incomparable"], row["absent"])
    test = t_test(values, row["test_share"])
    low, high = METRICS[row["metric"]][1] if row["metric"] in METRICS else (0.0, 1.0 if row["metric"] in SHARES else np.inf)
    ours = {
        "mean": test.mean,
        "low": max(test.low, low),
        "high": min(test.high, high),
        "n": test.n,
        "interval": REDRAWN if row["test_share"] else FIXED,
    }
    judged: dict[str, Any] = to_plain(dict(row) | {"ours": ours if test.n else None, "verdict": verdict, "reason": reason})
    return judged


def _judge_claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    left, right = _to_array(claim["left"]), _to_array(claim["right"])
    difference = left - claim["factor"] * right
    test = t_test(difference, claim["test_share"])
    out = dict(claim) | {
        "n": test.n,
        "difference": {"mean": test.mean, "low": test.low, "high": test.high},
        "p": test.p,
        "verdict": UNDECIDED,
        "reason": "",
    }
    if claim["absent"] or not test.n:
        out |= {"verdict": NOT_MEASURED, "reason": claim["absent"] or "nothing was run", "p": float("nan"), "difference": None}
    elif claim["kind"] == "same":
        off = np.abs(difference) / np.maximum(1, np.maximum(np.abs(left), np.abs(right)))
        worst = float(np.nanmax(off))
        holds = worst <= SAME
        reason = f"largest difference in {test.n} runs: {worst:.2g}"
        out |= {"verdict": HOLDS if holds else FAILS, "reason": reason, "p": float("nan")}
    elif claim["kind"] == "near":
        out |= _judge_near(difference, claim["margin"], claim["test_share"]) | {"p": float("nan")}
    judged: dict[str, Any] = to_plain(out)
    return judged


def _judge_near(difference: np.ndarray, margin: float, test_share: float) -> dict[str, str]:
    """Two one-sided tests at ALPHA: the 90% interval of the difference inside the margin. Outside: the 95% interval."""
    wide, narrow = t_test(difference, test_share), t_test(difference, test_share, level=1 - 2 * ALPHA)
    if not np.isfinite(wide.low):
        return {"verdict": UNDECIDED, "reason": "a test needs two replicates"}
    reason = f"the 90% interval of the difference is {narrow.low:.4f} to {narrow.high:.4f}, the margin {margin:g}"
    if -margin < narrow.low and narrow.high < margin:
        return {"verdict": HOLDS, "reason": reason}
    outside = wide.low > margin or wide.high < -margin
    return {"verdict": FAILS if outside else UNDECIDED, "reason": reason}


def _decide(claim: Mapping[str, Any]) -> tuple[str, str]:
    """A tested claim's verdict: significant after Holm's correction one way or the other, or undecided."""
    if claim["n"] == 0:
        return claim["verdict"], claim["reason"]
    if claim["p_holm"] is None:
        return UNDECIDED, "a test needs two replicates"
    if claim["p_holm"] > ALPHA:
        return UNDECIDED, ""
    return (HOLDS if claim["difference"]["mean"] > 0 else FAILS), ""


def _to_array(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
