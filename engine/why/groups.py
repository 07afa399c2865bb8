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

MISSING = "(missing)"


@dataclass(frozen=True)
class Tested:
    """The test rows of one replicate.

    rows [t]: numbers in the table. truth, flagged [t] bool: of the class looked for, and above the cut. score [t]: what ranks them. seed,
    fold: of the replicate; the replicates of one seed test every row once at most. draws [B, t]: weights of the rows in draws of them;
    None where every seed redraws the test rows.
    """

    seed: int
    fold: int
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
    measured = [[_measure(group, one) for group in groups] for one in tested]
    found = {
        name: stack_draws([np.stack([g[name] for g in one]) for one in measured]) for name in measured[0][0]
    }  # [R, G, 1 + B]
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


def _measure(group: Group, one: Tested) -> dict[str, np.ndarray]:
    """Rows, rows of the class looked for, and the measures of a group in one replicate and its draws, each [1 + B]; NaN where a measure
    has no rows.
    """
    inside = np.flatnonzero(group.find(one.rows))
    weight = np.ones((len(inside), 1))
    if one.draws is not None:
        weight = np.concatenate([weight, one.draws[:, inside].T], axis=1)  # [t, 1 + B]
    truth, flagged = one.truth[inside], one.flagged[inside]
    n, hits, alerts = weight.sum(0), weight[truth].sum(0), weight[flagged].sum(0)
    right = weight[flagged & truth].sum(0)
    none = np.full(weight.shape[1], np.nan)
    ranked = Ranking.of(one.score[inside], truth).scores(weight)["average_precision"] if len(inside) else none
    return {
        "n": n,
        "hits": hits,
        "ap": ranked,
        "recall": safe_ratio(right, hits, np.nan),
        "precision": safe_ratio(right, alerts, np.nan),
    }


def describe_interval(one: Interval) -> Mapping[str, float]:
    """{mean, low, high}."""
    return {"mean": one.mean, "low": one.low, "high": one.high}
