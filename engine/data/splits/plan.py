"""How a comparison splits its table: the kind, the folds or origins of a seed index, their rows, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.data.split import Parts, split
from engine.data.splits.group import choose_folds, split_groups
from engine.data.splits.kept import split_owners
from engine.data.splits.time import TimeSplit
from engine.data.splits.time_group import TimeGroupSplit
from engine.data.table import Dataset
from engine.errors import BadParameter
from engine.plain import to_plain
from engine.spec import RunSpec
from engine.stats.split_plan import describe_notes, name_time
from engine.stats.time_cuts import PARTS

Cut = Callable[[Dataset, RunSpec, int], list[Parts]]
"""(dataset, spec, seed index) -> the parts of each fold or origin."""


@dataclass(frozen=True)
class SplitPlan:
    """kind: random, group, time or time-group. folds: folds of a seed index, or origins. delay: in days, or in the unit of a number
    that orders the rows. cut: makes the parts. blocks: for a split by time, the block of each row of the dataset [n] from which test
    rows are drawn for an interval (owners where there are some, else days); None for splits whose seeds redraw the test rows. dropped:
    rows without a time; rows that a delay and owners seen in several parts cost, a mean over origins.
    """

    kind: str = "random"
    folds: int = 5
    delay: float = 0.0
    cut: Cut = split
    blocks: np.ndarray | None = None
    dropped: dict[str, int] = field(default_factory=lambda: {"time": 0, "delay": 0, "owner": 0})

    @property
    def by_time(self) -> bool:
        return self.kind.startswith("time")


def plan_split(dataset: Dataset, spec: RunSpec, kind: str = "random", delay: float = 0.0) -> SplitPlan:
    """The plan for a dataset. spec: its folds are the most that a random split or one by owner takes. Raises BadData where every part
    cannot keep enough rows of each class, BadParameter where the dataset has no times or owners.
    """
    if kind == "random":
        return SplitPlan(kind, spec.folds)
    if "time" in kind and dataset.order is None:
        raise BadParameter("a split by time needs a column that says when a row happens.")
    if "group" in kind and dataset.owner is None:
        raise BadParameter("a split by owner needs a column that says whom a row belongs to.")
    if kind == "group":
        return SplitPlan(kind, choose_folds(dataset, spec), 0.0, split_groups)
    found = (TimeSplit if kind == "time" else TimeGroupSplit)(dataset, spec, delay)

    def cut(_: Dataset, spec: RunSpec, index: int) -> list[Parts]:
        return found.split(spec, index)

    return SplitPlan(kind, found.origins, delay, cut, _find_blocks(dataset, found), found.count_dropped(spec))


def _find_blocks(dataset: Dataset, found: TimeSplit) -> np.ndarray:
    """int64 [n], from 0: owners where there are some, else times; rows without a time are one block, which is in no part."""
    if dataset.owner is not None:
        return split_owners(dataset.owner)
    blocks = np.full(len(dataset.y), len(found.at))
    blocks[found.rows] = found.when
    return blocks


def describe_split(plan: SplitPlan, dataset: Dataset, spec: RunSpec, time: str | None, group: str | None) -> dict[str, Any]:
    """The result's `split`, JSON-plain: kind, time, group (names of columns), delay, parts of the first seed's folds or origins
    [{train, valid, test: {rows, counts [C], from, to}}] (from, to: dates as 2024-05-31, or numbers; None without a time), dropped {time,
    delay, owner} (see `SplitPlan`), notes (sentences).
    """
    cut = plan.cut(dataset, replace(spec, folds=plan.folds), 0)
    out: dict[str, Any] = {
        "kind": plan.kind,
        "time": time,
        "group": group,
        "delay": plan.delay,
        "unit": "days" if dataset.is_date else "units",
        "parts": [{name: _describe_part(dataset, getattr(one, name)) for name in PARTS} for one in cut],
        "dropped": dict(plan.dropped),
    }
    alone = 0 if dataset.owner is None or "group" not in plan.kind else int((dataset.owner < 0).sum())
    plain: dict[str, Any] = to_plain(out | {"notes": describe_notes(out, alone)})
    return plain


def _describe_part(dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    out: dict[str, Any] = {
        "rows": len(rows),
        "counts": np.bincount(dataset.y[rows], minlength=len(dataset.classes)).tolist(),
        "from": None,
        "to": None,
    }
    known = None if dataset.order is None else dataset.order[rows][np.isfinite(dataset.order[rows])]
    if known is None or not len(known):
        return out
    return out | {"from": name_time(float(known.min()), dataset.is_date), "to": name_time(float(known.max()), dataset.is_date)}
