"""How far the columns of a new table have moved from the rows a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.export.model_facts import ColumnFacts
from engine.spec.score import DRIFT, STATES

CHANCE = 0.001
"""Share of columns that did not move whose index lies above what is usual, by chance alone, in a small table."""


def stability_index(then: np.ndarray, now: np.ndarray) -> float:
    """Population stability index of counts in the same bins [B]: the sum of (q - p) ln(q / p), p and q the shares then and now.

    Half a row is added to every bin, so that an empty one has a logarithm.
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (np.asarray(then), np.asarray(now)))
    return float(((q - p) * np.log(q / p)).sum())


def find_usual(bins: int, then: float, now: float) -> float:
    """The largest index that is still usual: DRIFT[0], or what 1 - CHANCE of tables of `now` rows from the same source stay below.

    then, now: rows in all bins together. Without a move the index is near (1/then + 1/now) times a chi-squared of bins - 1.
    """
    from scipy.special import chdtri

    if bins < 2 or not (then and now):
        return DRIFT[0]
    return max(DRIFT[0], float(chdtri(bins - 1, CHANCE)) * (1 / then + 1 / now))


def describe_column(facts: ColumnFacts, values: np.ndarray, missing: np.ndarray, rows: int) -> dict[str, Any]:
    """A row of the drift table (`engine.spec.score`).

    values [n]: as `ColumnFacts.place` takes them. missing [n] bool: which rows have no value. rows: of training. Missing values and
    unknown levels are bins of their own.
    """
    gone = int(missing.sum())
    counts = facts.count(values[~missing])
    unknown = len(values) - gone - int(counts.sum())
    then_known = rows * (1 - facts.missing)
    then = np.array([*(np.asarray(facts.shares) * then_known), rows * facts.missing, 0.0])
    now = np.array([*counts, gone, unknown], np.float64)
    held = (then + now) > 0
    psi = stability_index(then[held], now[held]) if held.sum() > 1 and len(values) else 0.0
    usual = find_usual(int(held.sum()), then.sum(), now.sum())
    return {
        "column": facts.name,
        "kind": facts.kind,
        "psi": psi,
        "usual": usual,
        "state": judge(psi, usual),
        "missing": {"then": facts.missing, "now": gone / len(values) if len(values) else 0.0},
        "range": _describe_range(facts, values[~missing]) if facts.parted else None,
        "unknown": unknown,
    }


def judge(psi: float, usual: float) -> str:
    """One of STATES."""
    return STATES[0] if psi <= usual else STATES[2] if psi > max(DRIFT[1], usual) else STATES[1]


def describe_absent(name: str, kind: str, facts: ColumnFacts | None) -> dict[str, Any]:
    """A row of the drift table for a column that cannot be compared: the file lacks it, or the model holds no facts of it."""
    missing = {"then": None if facts is None else facts.missing, "now": None if facts is None else 1.0}
    return {
        **{"column": name, "kind": kind, "psi": None, "usual": None, "state": STATES[3]},
        **{"missing": missing, "range": None, "unknown": 0},
    }


def summarise_drift(rows: Sequence[dict[str, Any]], then: float | None, now: float) -> dict[str, Any]:
    """The drift table, those that moved most first. then, now: share of rows flagged at the model's cut."""
    order = sorted(rows, key=lambda row: -1.0 if row["psi"] is None else row["psi"] / row["usual"], reverse=True)
    return {
        "columns": order,
        "flagged": {"then": then, "now": now},
        "usual": DRIFT[0],
        "drifted": DRIFT[1],
        "counts": {state: sum(row["state"] == state for row in rows) for state in STATES},
    }


def _describe_range(facts: ColumnFacts, values: np.ndarray) -> dict[str, Any] | None:
    if facts.low is None or facts.high is None or not len(values):
        return None
    outside = float(((values < facts.low) | (values > facts.high)).mean())
    return {
        "then": [facts.low, facts.high],
        "now": [float(values.min()), float(values.max())],
        "outside": outside,
    }
