"""A split by time: train on the past, choose on the next part, test on the last. Several origins where the rows allow."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.data.split import Parts
from engine.data.splits.kept import build_parts, keep_rows
from engine.data.table import Dataset
from engine.errors import BadData
from engine.spec import RunSpec
from engine.stats.time_cuts import PARTS, SHARES, Cuts, cut_times


class TimeSplit:
    """The cuts of a dataset's times; `origins` of them. Raises BadData where the rows allow none.

    rows: numbers of the rows that have a time and that the spec's imbalance keeps; most: origins.
    when [rows]: index of each one's time in `at`.
    """

    def __init__(self, dataset: Dataset, spec: RunSpec, delay: float, *, most: int = SHARES[0][0]) -> None:
        assert dataset.order is not None
        self.dataset, self.delay = dataset, delay
        kept = keep_rows(dataset, spec)
        self.rows = kept[np.isfinite(dataset.order[kept])]
        self.missing = len(kept) - len(self.rows)
        self.at, self.when = np.unique(find_times(dataset)[self.rows], return_inverse=True)
        self.cuts: Cuts = cut_times(self.at, self.counts, delay, list(dataset.classes), most=most)
        if self.cuts.refusal:
            raise BadData(self.cuts.refusal)

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each class at each time [T, C]."""
        out = np.zeros((len(self.at), len(self.dataset.classes)), np.int64)
        np.add.at(out, (self.when, self.dataset.y[self.rows]), 1)
        return out

    @property
    def origins(self) -> int:
        return len(self.cuts.origins)

    def count_dropped(self, spec: RunSpec) -> dict[str, int]:
        """Rows without a time; rows that the delay leaves out between the parts, a mean over origins."""
        gaps = [
            self.counts[: one.test[1]].sum() - sum(self.counts[slice(*getattr(one, part))].sum() for part in PARTS)
            for one in self.cuts.origins
        ]
        return {"time": self.missing, "delay": round(float(np.mean(gaps))), "owner": 0}

    def split(self, spec: RunSpec, index: int) -> list[Parts]:
        """The parts of every origin; they are the same for every seed index."""
        return [build_parts(*(self.rows[self._between(*getattr(one, part))] for part in PARTS)) for one in self.cuts.origins]

    def _between(self, first: int, last: int) -> np.ndarray:
        return (self.when >= first) & (self.when < last)


def find_times(dataset: Dataset) -> np.ndarray:
    """float64 [n]: the time of each row as splits see it: the day of a date, else the number itself."""
    assert dataset.order is not None
    times: np.ndarray = np.floor(dataset.order) if dataset.is_date else dataset.order
    return times
