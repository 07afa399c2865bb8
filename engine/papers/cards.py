"""A table's claims for a glance: one card a claim, with the printed difference, ours, and the verdict. No torch here.

Where a claim is made of many data sets, its card is about their mean: the data sets are the units, so the interval is the t interval of
their mean differences, and Holm's correction runs over the claims of the table. Elsewhere a card is one claim on one data set, as
`engine.papers.verdicts` judges it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.papers.protocol import Reading, Table
from engine.papers.verdicts import FAILS, HOLDS, NOT_MEASURED, UNDECIDED
from engine.stats.compared import change_level
from engine.stats.intervals import Interval
from engine.stats.significance import holm_levels, t_test

MANY = 5
"""Data sets from which a claim is judged over all of them."""
KIND = "95% t over data sets"


@dataclass(frozen=True)
class Card:
    """One claim. dataset: '' where it is over all. interval: of our difference, at the level of its step of Holm's correction; None where
    nothing was measured. printed: the paper's difference, None where it prints none. n: replicates, or data sets where sets > 0.
    """

    text: str
    dataset: str
    verdict: str
    interval: Interval | None
    level: float
    printed: float | None
    n: int
    sets: int = 0
    reason: str = ""


def list_cards(claims: Sequence[Mapping[str, Any]], printed: Mapping[tuple[str, str], float]) -> list[Card]:
    """Return the cards of a table, in the order of its claims. claims: as `engine.papers.verdicts.judge` gives them; printed: of
    `find_printed`.
    """
    asked = Counter(str(claim["text"]) for claim in claims)
    claims = [
        claim for claim in claims if claim["difference"]
    ] or claims  # a part of a table is judged by what is measured of it
    by_text: dict[str, list[Mapping[str, Any]]] = {}
    for claim in claims:
        by_text.setdefault(str(claim["text"]), []).append(claim)
    most = max(map(len, by_text.values()), default=0)
    if most >= MANY and min(asked.values()) >= MANY:  # what is measured on fewer sets than the rest waits for them
        return _judge_over_sets({text: same for text, same in by_text.items() if len(same) == most}, printed)
    return _list_single(claims, printed)


def find_printed(table: Table) -> dict[tuple[str, str], float]:
    """Return (data set, text) -> the difference that the paper prints, of the claims whose two numbers it prints."""
    cells: dict[tuple[str, ...], float] = {}
    for row in table.rows:
        if row.reading is not None and row.cell is not None and row.cell.value is not None:
            cells.setdefault(_name_reading(row.reading), row.cell.value)
    out = {}
    for claim in table.claims if cells else ():
        left, right = cells.get(_name_reading(claim.left)), cells.get(_name_reading(claim.right))
        if left is not None and right is not None:
            out[claim.dataset, claim.text] = left - claim.factor * right
    return out


def _name_reading(reading: Reading) -> tuple[str, ...]:
    """What is equal for equal readings."""
    return (reading.what, *(arm.key for arm in reading.arms))


def _judge_over_sets(
    by_text: Mapping[str, Sequence[Mapping[str, Any]]], printed: Mapping[tuple[str, str], float]
) -> list[Card]:
    tests = {}
    for text, same in by_text.items():
        means = [c["difference"]["mean"] for c in same if c["difference"] and c["difference"]["mean"] is not None]
        tests[text] = t_test(np.array(means, dtype=float))
    levels = holm_levels([test.p for test in tests.values()])
    out = []
    for (text, test), level in zip(tests.items(), levels, strict=True):
        theirs = [printed[c["dataset"], text] for c in by_text[text] if (c["dataset"], text) in printed]
        mean = float(np.mean(theirs)) if theirs else None
        if test.n < 2:
            out.append(Card(text, "", NOT_MEASURED, None, level, mean, 0))
            continue
        interval = change_level(Interval(test.mean, test.low, test.high, test.n, KIND), level)
        verdict = HOLDS if interval.above_zero else FAILS if interval.below_zero else UNDECIDED
        out.append(Card(text, "", verdict, interval, level, mean, test.n, test.n))
    return out


def _list_single(claims: Sequence[Mapping[str, Any]], printed: Mapping[tuple[str, str], float]) -> list[Card]:
    """A card a claim; its interval is at the level of its step among the claims of its data set, as its verdict is."""
    families: dict[str, list[int]] = {}
    for i, claim in enumerate(claims):
        families.setdefault(str(claim["dataset"]), []).append(i)
    levels = [0.95] * len(claims)
    for members in families.values():
        p = [float("nan") if claims[i]["p"] is None else float(claims[i]["p"]) for i in members]
        for i, level in zip(members, holm_levels(p), strict=True):
            levels[i] = level
    out = []
    for claim, level in zip(claims, levels, strict=True):
        found, n = claim["difference"], int(claim["n"] or 0)
        interval = None
        if found and found["mean"] is not None:
            mean, low, high = (float("nan") if found[name] is None else float(found[name]) for name in ("mean", "low", "high"))
            interval = change_level(Interval(mean, low, high, n, KIND), level)
        theirs = printed.get((claim["dataset"], claim["text"]))
        out.append(
            Card(claim["text"], claim["dataset"], claim["verdict"], interval, level, theirs, n, reason=claim["reason"] or "")
        )
    return out
