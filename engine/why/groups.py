"""For whom a row of a comparison works: its numbers on the test rows of each level of columns with few levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.analysis.metrics import Ranking, safe_ratio
from engine.data.dataset import Dataset
from engine.stats.intervals import Interval
from engine.why.importance import stack_draws

MOST_LEVELS, MOST_NUMBERS, MOST_GROUPS = 12, 6, 120
"""Levels of a categorical column, values of a numeric one, and groups in all, at most."""

FEW = 20
"""A group with fewer test rows of the class looked for, or of the others, is small."""

BLOCK = 16
"""Groups that are measured at once."""

MISSING = "(missing)"


@dataclass(frozen=True)
class Tested:
    """The test rows of one replicate. rows [t]: numbers in the table. truth, flagged [t] bool: of the class looked for, and above the cut.
    score [t]: what ranks them. seed: of the replicate; the replicates of one seed test every row once at most. draws [B, t]: weights of
    the rows in draws of them; None where every seed redraws the test rows.
    """

    seed: int
    rows: np.ndarray
    truth: np.ndarray
    score: np.ndarray
    flagged: np.ndarray
    draws: np.ndarray | None = None


@dataclass(frozen=True)
class Group:
    """The rows of the table whose column has one value. values [n]: of the column; value: NaN for the rows where it is missing."""

    column: str
    level: str
    values: np.ndarray
    value: float

    def find(self, rows: np.ndarray) -> np.ndarray:
        """Which of these rows are in the group, bool."""
        own = self.values[rows]
        found: np.ndarray = np.isnan(own) if self.value != self.value else own == self.value
        return found


def list_groups(dataset: Dataset) -> list[Group]:
    """The groups of the columns with few levels, in the order of the table, MOST_GROUPS at most."""
    out: list[Group] = []
    for j, name in enumerate(dataset.numeric_names):
        column = dataset.numeric[:, j]
        gaps = np.isnan(column)
        values = np.unique(column[~gaps][: 50 * MOST_NUMBERS])
        if len(values) > MOST_NUMBERS:
            continue
        values = np.unique(column[~gaps])
        if len(values) + gaps.any() >= 2 and len(values) <= MOST_NUMBERS:
            out += [Group(name, f"{value:.15g}", column, float(value)) for value in values]
            out += [Group(name, MISSING, column, np.nan)] if gaps.any() else []
    for j, (name, levels) in enumerate(zip(dataset.categorical_names, dataset.categories, strict=True)):
        codes = dataset.categorical[:, j]
        there = np.flatnonzero(np.bincount(codes, minlength=len(levels)))
        if 2 <= len(there) <= MOST_LEVELS:
            out += [Group(name, levels[c], codes, c) for c in there.tolist()]
    return out[:MOST_GROUPS]


def build_group_table(
    groups: Sequence[Group],
    tested: Sequence[Tested],
    summarise: Callable[[np.ndarray], Interval],
) -> list[dict[str, Any]]:
    """One record a group: column, level, n (test rows of one pass over the table), share (of the class looked for among them), ap, recall
    and precision at the cut ({mean, low, high} over replicates), small.

    summarise: values of the replicates and their draws [R, 1 + B] -> the interval.
    A replicate counts where the measure exists: ap and recall need a row of the class looked for, precision a flagged row.
    """
    if not groups or not tested:
        return []
    measured: list[dict[str, np.ndarray]] = []
    for one in tested:
        ranking = Ranking.of(one.score, one.truth)
        size = BLOCK if one.draws is None else 1
        blocks = [_measure(groups[g : g + size], one, ranking) for g in range(0, len(groups), size)]
        measured.append({name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]})
    found = {name: stack_draws([one[name] for one in measured]) for name in measured[0]}  # [R, G, 1 + B]
    passes = len({one.seed for one in tested})
    n, hits = found["n"][:, :, 0].sum(0) / passes, found["hits"][:, :, 0].sum(0) / passes
    out = []
    for g, group in enumerate(groups):
        values = {name: summarise(found[name][:, g]) for name in ("ap", "recall", "precision")}
        out.append(
            {
                "column": group.column,
                "level": group.level,
                "n": int(round(n[g])),
                "share": float(hits[g] / n[g]) if n[g] else None,
                **{name: describe_interval(one) for name, one in values.items()},
                "small": bool(min(hits[g], n[g] - hits[g]) < FEW),
            }
        )
    return out


def _measure(groups: Sequence[Group], one: Tested, ranking: Ranking) -> dict[str, np.ndarray]:
    """Rows, rows of the class looked for, and the measures of some groups in one replicate and its draws, each [G, 1 + B]; NaN where a
    measure has no rows. With draws: of one group.
    """
    drawn = np.stack([group.find(one.rows) for group in groups], 1).astype(float)  # [t, G]
    if one.draws is not None:
        drawn = drawn * np.concatenate([np.ones((1, len(one.rows))), one.draws]).T  # [t, 1 + B]
    n, hits = drawn.sum(0), drawn[one.truth].sum(0)
    flagged, right = drawn[one.flagged].sum(0), drawn[one.flagged & one.truth].sum(0)
    found = {
        "n": n,
        "hits": hits,
        "ap": ranking.scores(drawn)["average_precision"],
        "recall": safe_ratio(right, hits, np.nan),
        "precision": safe_ratio(right, flagged, np.nan),
    }
    return {name: values.reshape(len(groups), -1) for name, values in found.items()}


def describe_interval(one: Interval) -> Mapping[str, float]:
    """{mean, low, high}."""
    return {"mean": one.mean, "low": one.low, "high": one.high}
