"""How a table's cell or a claim is read off a result: a short name for one number per replicate. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import UnknownName


def read_values(result: Mapping[str, Any], what: str) -> list[float]:
    """The values [R] of one reading of a result's JSON, NaN where it has none.

    what: a metric's name · `all/M`, `minority/M`, `majority/M`, `classes/a,b/M`: the mean over those classes of M = precision,
    recall, f1 or average_precision · `gap/before`, `gap/after`: the generalisation gap's mean over the classes ·
    `gap/rarest`, `gap/commonest`: of the class with fewest or most training rows, before · `gap/correct`, `gap/errors`: of
    test rows classified correctly or wrongly, over the classes that have both · `norms/before`, `norms/after`: how unequal
    the classes' weight norms are (standard deviation / mean) · `seconds`: that the run took, for each of its replicates. Raises
    UnknownName.
    """
    kind, _, rest = what.partition("/")
    if what in result["metrics"]:
        return _floats(result["metrics"][what]["values"])
    if what == "seconds":
        replicates = len(next(iter(result["metrics"].values()))["values"])
        return [float(result["seconds"])] * replicates
    if kind in ("minority", "majority") and rest in _OF_A_CLASS:
        return _floats(result["averages"][kind][rest]["values"])
    if kind in ("all", "classes"):
        names, _, metric = rest.rpartition("/") if kind == "classes" else ("", "", rest)
        chosen = names.split(",") if names else list(result["per_class"])
        if metric in _OF_A_CLASS and set(chosen) <= set(result["per_class"]):
            return _mean(np.array([_floats(result["per_class"][c][metric]["values"]) for c in chosen]).T)
    if kind == "gap" and rest in ("before", "after"):
        return _mean(_table(result["gap"][rest]))
    if kind == "gap" and rest in ("rarest", "commonest"):
        gap = result["gap"]
        counts = [result["class_counts"]["train"][c] for c in gap["classes"]]
        which = int(np.argmin(counts) if rest == "rarest" else np.argmax(counts))
        return [float(v) for v in _table(gap["before"])[:, which]]
    if kind == "gap" and rest in ("correct", "errors"):
        pair = {name: _table(result["gap"][name]) for name in ("correct", "errors")}
        both = np.isfinite(pair["correct"]) & np.isfinite(pair["errors"])
        return _mean(np.where(both, pair[rest], np.nan))
    if kind == "norms" and rest in ("before", "after"):
        norms = _table(result["weight_norms"][rest])
        return [float(v) for v in norms.std(1) / norms.mean(1)]
    raise UnknownName(f"a result has no reading {what!r}.")


_OF_A_CLASS = ("precision", "recall", "f1", "average_precision")


def _floats(values: list[float | None]) -> list[float]:
    return [float("nan") if v is None else float(v) for v in values]


def _table(values: list[list[float | None]]) -> np.ndarray:
    return np.array([_floats(row) for row in values], dtype=float)


def _mean(values: np.ndarray) -> list[float]:
    """Row means over what is finite, NaN where nothing is."""
    finite = np.isfinite(values)
    count = finite.sum(1)
    total = np.where(finite, values, 0.0).sum(1)
    return [float(t / n) if n else float("nan") for t, n in zip(total, count, strict=True)]
