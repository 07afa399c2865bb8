"""What a model file keeps of the rows its model was trained on: facts of every column, without any row.

JSON of a model's `facts` (in model.json), made by `build_facts`, read by `ModelFacts.from_json`:

    {"rows": 1200, "columns": [
      {"name": "amount", "kind": "numeric", "missing": 0.1, "edges": [2.0, 5.5, ...], "shares": [0.1, ...],
       "quantiles": [0.0, ..., 99.5], "levels": [], "mode": null, "median": 5.5},
      {"name": "colour", "kind": "categorical", "missing": 0.0, "edges": [], "shares": [0.7, 0.3, 0.0],
       "quantiles": [], "levels": ["red", "blue", "(other)"], "mode": "red", "median": null}]}

Columns stand in the order of the model's pipeline. rows: training rows. missing: share of them whose value is missing. shares sum to 1
over the rows whose value is known, and are all 0 where none is. Of numeric and date columns: `shares[b]` is the share of bin b of
`edges` (`ColumnFacts.place`), `quantiles` are the values at QUANTILES, the first the lowest and the last the highest, `median` is the
middle one; lists are empty and the median is null where no value is known. Dates are days since 1970-01-01, UTC. Of boolean columns
(`levels`: how 0 and 1 were written) and of categorical ones (the levels but the missing one; "(other)" holds the rare ones):
`shares[k]` is that of level k, `mode` the most frequent level, null where no value is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.table import Dataset
from engine.export.pipeline import Column, Pipeline

BINS = 10
"""Bins of a numeric column: its tenths; fewer where values repeat."""
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
MIDDLE = QUANTILES.index(0.5)


@dataclass(frozen=True)
class ColumnFacts:
    """One column of the training rows; see the module for each field."""

    name: str
    kind: str
    missing: float
    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    mode: str | None = None

    @property
    def median(self) -> float | None:
        """The middle value of a numeric or date column."""
        return self.quantiles[MIDDLE] if self.quantiles else None

    @property
    def low(self) -> float | None:
        """The lowest value."""
        return self.quantiles[0] if self.quantiles else None

    @property
    def high(self) -> float | None:
        """The highest value."""
        return self.quantiles[-1] if self.quantiles else None

    @property
    def parted(self) -> bool:
        """Whether its values are numbers in bins, not levels."""
        return self.kind in ("numeric", "date")

    def place(self, values: np.ndarray) -> np.ndarray:
        """Index into `shares` of each value [n] int64; -1 where it is missing, or of no level.

        values: numbers, NaN where missing, of a numeric, date or boolean column; of a categorical one indices of the levels of the
        pipeline's column, -1 where unknown. Bin b holds the values above `edges[b - 1]` and up to `edges[b]`.
        """
        if self.kind == "categorical":
            codes = np.asarray(values, np.int64)
            return np.where(codes < len(self.levels), codes, -1)  # the missing level is the last one
        numbers = np.asarray(values, np.float64)
        of = np.searchsorted(self.edges, numbers, side="left") if self.parted else numbers > 0.5
        return np.where(np.isnan(numbers), -1, of).astype(np.int64)

    def count(self, values: np.ndarray) -> np.ndarray:
        """Values in each bin or of each level, as many as `shares`. values: as `place` takes them."""
        where = self.place(values)
        return np.bincount(where[where >= 0], minlength=len(self.shares))

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        return {
            "name": self.name,
            "kind": self.kind,
            "missing": self.missing,
            "edges": list(self.edges),
            "shares": list(self.shares),
            "quantiles": list(self.quantiles),
            "levels": list(self.levels),
            "mode": self.mode,
            "median": self.median,
        }


@dataclass(frozen=True)
class ModelFacts:
    """The training rows of a model. columns: in the order of its pipeline."""

    rows: int
    columns: tuple[ColumnFacts, ...]

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        return {"rows": self.rows, "columns": [column.to_json() for column in self.columns]}

    @classmethod
    def from_json(cls, value: Any, pipeline: Pipeline) -> ModelFacts:
        """The facts of this JSON value, checked against the columns. Raises ValueError, KeyError or TypeError for any other value."""
        rows, given = value["rows"], value["columns"]
        if type(rows) is not int or rows < 1 or not isinstance(given, list) or len(given) != len(pipeline.columns):
            raise ValueError("the facts of its columns do not fit its columns")
        return cls(rows, tuple(_read_column(words, c) for words, c in zip(given, pipeline.columns, strict=True)))


def build_facts(dataset: Dataset, which: np.ndarray, pipeline: Pipeline) -> ModelFacts:
    """The facts of the rows `which` of a dataset. pipeline: of the model, `Pipeline.of(dataset, ...)`."""
    numbers, codes = dataset.numeric[which], dataset.categorical[which]
    wide = len(pipeline.numeric)
    columns = [
        _of_numbers(c, numbers[:, i]) if i < wide else _of_levels(c, codes[:, i - wide]) for i, c in enumerate(pipeline.columns)
    ]
    return ModelFacts(len(which), tuple(columns))


def list_replacements(pipeline: Pipeline, facts: ModelFacts) -> list[tuple[np.ndarray, np.ndarray]]:
    """(indices, values) among the features of the pipeline for every column: what they are where it has its median or mode.

    A column without a known value has no feature that counts: what its missing value gives. Not for principal components.
    """
    if pipeline.scale.components is not None:
        raise ValueError("principal components have no feature of a single column")
    scale, wide = pipeline.scale, len(pipeline.numeric)
    marked = [c.indicator for c in pipeline.numeric]
    at = wide + sum(marked)
    out = []
    for i, (c, own) in enumerate(zip(pipeline.columns, facts.columns, strict=True)):
        if i < wide:
            usual = own.median if own.parted else None if own.mode is None else float(own.levels.index(own.mode))
            indices = [i, *([wide + sum(marked[:i])] if marked[i] else [])]
            raw = [scale.mean[i] if usual is None else usual, float(usual is None)][: len(indices)]
        else:
            indices = list(range(at, at + len(c.levels)))
            at += len(c.levels)
            usual_level = c.gap if own.mode is None else own.mode
            raw = [float(level == usual_level) for level in c.levels]
        row = np.zeros((1, len(scale.mean)))
        row[0, indices] = raw
        out.append((np.array(indices, np.int64), scale(row)[0, indices]))
    return out


def _of_numbers(c: Column, values: np.ndarray) -> ColumnFacts:
    known = values[~np.isnan(values)]
    missing = 1 - len(known) / len(values)
    if c.kind == "boolean":
        counts = np.bincount((known > 0.5).astype(np.int64), minlength=2)
        levels = c.levels if len(c.levels) == 2 else ("0", "1")
        mode = levels[int(counts.argmax())] if len(known) else None
        return ColumnFacts(c.name, c.kind, missing, _share(counts), levels=levels, mode=mode)
    if not len(known):
        return ColumnFacts(c.name, c.kind, missing, (0.0,))
    inner = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    edges = tuple(inner[inner < known.max()].tolist())
    quantiles = tuple(np.quantile(known, QUANTILES, method="inverted_cdf").tolist())
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return ColumnFacts(c.name, c.kind, missing, _share(counts), edges, quantiles)


def _of_levels(c: Column, codes: np.ndarray) -> ColumnFacts:
    levels = tuple(level for level in c.levels if level != c.gap)  # the missing one is the last
    known = codes[(codes >= 0) & (codes < len(levels))]
    counts = np.bincount(known, minlength=len(levels))
    mode = levels[int(counts.argmax())] if len(known) else None
    return ColumnFacts(c.name, c.kind, 1 - len(known) / len(codes), _share(counts), levels=levels, mode=mode)


def _share(counts: np.ndarray) -> tuple[float, ...]:
    return tuple((counts / max(1, counts.sum())).tolist())


def _read_column(words: Mapping[str, Any], c: Column) -> ColumnFacts:
    """The facts of one column, checked. Raises as `ModelFacts.from_json`."""
    if words["name"] != c.name or words["kind"] != c.kind:
        raise ValueError("the facts of its columns are of other columns")
    missing, edges, shares, quantiles = (_numbers(words[k]) for k in ("missing", "edges", "shares", "quantiles"))
    levels, mode = words["levels"], words["mode"]
    own = tuple(level for level in c.levels if level != c.gap) if c.kind == "categorical" else c.levels or ("0", "1")
    parted = c.kind in ("numeric", "date")
    fit = (
        len(missing) == 1
        and 0 <= missing[0] <= 1
        and list(levels) == ([] if parted else list(own))
        and len(shares) == (len(edges) + 1 if parted else len(own))
        and len(quantiles) in ((0, len(QUANTILES)) if parted else (0,))
        and not (edges and not parted)
        and len(edges) < BINS
        and list(edges) == sorted(set(edges))
        and list(quantiles) == sorted(quantiles)
        and all(0 <= s <= 1 for s in shares)
        and (mode is None or (not parted and mode in own))
    )
    if not fit or not (abs(sum(shares) - 1) < 1e-6 or not any(shares)):
        raise ValueError("the facts of its columns do not fit each other")
    return ColumnFacts(c.name, c.kind, missing[0], shares, edges, quantiles, tuple(levels), mode)


def _numbers(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, list) else [value]
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not math.isfinite(v) for v in values):
        raise ValueError("the facts of its columns are no numbers")
    return tuple(map(float, values))
