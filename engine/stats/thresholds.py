"""Chooses thresholds from the tables of a comparison. NumPy alone and fast, since nothing is computed from rows.

`engine.analysis.threshold_tables.build_table` makes a table. `grid` [G]: thresholds; a row counts as positive where its score
is at least the threshold. `tp`, `fp`, `fn`, `tn` [V, G]: rows of one pass over the tested rows (mean over `passes` passes), for
each of the V variants of the probabilities in VARIANTS. `mean`, `observed`, `count` [V, B]: reliability in bins. `brier`, `ece`
[V].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import BadParameter

VARIANTS = ("as trained", "prior corrected", "isotonic")
"""Probabilities as the method gives them; corrected from the class shares of training to those of the data; by isotonic
regression on validation rows.
"""

Table = Mapping[str, np.ndarray]


def variant_index(name: str) -> int:
    """The variant's place in VARIANTS. Raises BadParameter."""
    if name not in VARIANTS:
        raise BadParameter(f"probabilities {name!r} are not in the table; it has: {', '.join(VARIANTS)}.")
    return VARIANTS.index(name)


def counts_at(table: Table, threshold: float, kind: str = VARIANTS[0]) -> dict[str, float]:
    """Counts at the grid's threshold nearest to this one: threshold, tp, fp, fn, tn, precision, recall, f1, false_alarms (share
    of the negative rows) and flagged (share of all rows). Precision is NaN where nothing is flagged.
    """
    return _describe(table, int(np.abs(table["grid"] - threshold).argmin()), variant_index(kind))


def cost_per_row(table: Table, miss: float, alarm: float, kind: str = VARIANTS[0]) -> np.ndarray:
    """Cost per tested row at every threshold [G]: miss for each positive row not flagged, alarm for each negative row flagged.

    Raises BadParameter for negative costs, or where both are 0.
    """
    if not (np.isfinite([miss, alarm]).all() and miss >= 0 and alarm >= 0 and miss + alarm > 0):
        raise BadParameter(
            f"costs must be at least 0, one of them above; got {miss:g} for a miss and {alarm:g} for a false alarm."
        )
    v = variant_index(kind)
    total: np.ndarray = (miss * table["fn"][v] + alarm * table["fp"][v]) / _count_rows(table, v)
    return total


def threshold_for_cost(table: Table, miss: float, alarm: float, kind: str = VARIANTS[0]) -> dict[str, float]:
    """The threshold of lowest cost, as in `counts_at`, with cost (per row) and expected: the best threshold if the
    probabilities were right, alarm / (miss + alarm). Ties go to the threshold nearest to that one.
    """
    costs = cost_per_row(table, miss, alarm, kind)
    expected = alarm / (miss + alarm)
    equal = np.flatnonzero(costs <= costs.min() + 1e-12)
    i = int(equal[np.abs(table["grid"][equal] - expected).argmin()])
    return _describe(table, i, variant_index(kind)) | {"cost": float(costs[i]), "expected": expected}


def threshold_for_recall(table: Table, recall: float, kind: str = VARIANTS[0]) -> dict[str, float] | None:
    """The threshold of highest precision among those that find at least this share of the positive rows; None where none does."""
    v = _check_target(table, recall, "recall", kind)
    precision, found = precision_and_recall(table, kind)
    fits = np.flatnonzero(found >= recall - 1e-12)
    return _describe(table, _highest(precision, found, fits), v) if len(fits) else None


def threshold_for_precision(table: Table, precision: float, kind: str = VARIANTS[0]) -> dict[str, float] | None:
    """The threshold of highest recall among those with at least this precision; None where none has it."""
    v = _check_target(table, precision, "precision", kind)
    exact, found = precision_and_recall(table, kind)
    fits = np.flatnonzero(np.nan_to_num(exact, nan=-1.0) >= precision - 1e-12)
    return _describe(table, _highest(found, exact, fits), v) if len(fits) else None


def precision_and_recall(table: Table, kind: str = VARIANTS[0]) -> tuple[np.ndarray, np.ndarray]:
    """(precision [G], NaN where nothing is flagged, recall [G]) at every threshold."""
    v = variant_index(kind)
    tp, flagged = table["tp"][v], table["tp"][v] + table["fp"][v]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flagged > 0, tp / flagged, np.nan), tp / (tp + table["fn"][v])


def describe_calibration(table: Table, kind: str = VARIANTS[0]) -> dict[str, Any]:
    """Reliability of the probabilities, JSON-plain: non-empty bins (mean predicted, observed share, rows of one pass), brier,
    ece.
    """
    v = variant_index(kind)
    held = table["count"][v] > 0
    return {
        "bins": [
            {"predicted": float(p), "observed": float(o), "rows": float(n)}
            for p, o, n in zip(table["mean"][v][held], table["observed"][v][held], table["count"][v][held], strict=True)
        ],
        "brier": float(table["brier"][v]),
        "ece": float(table["ece"][v]),
    }


def _check_target(table: Table, value: float, what: str, kind: str) -> int:
    if not 0 < value <= 1:
        raise BadParameter(f"{what} must be above 0 and at most 1; got {value:g}.")
    return variant_index(kind)


def _highest(values: np.ndarray, then: np.ndarray, fits: np.ndarray) -> int:
    """The place among `fits` with the highest of `values`; ties go to the highest of `then`."""
    by = np.lexsort((np.nan_to_num(then[fits], nan=-1.0), np.nan_to_num(values[fits], nan=-1.0)))
    return int(fits[by[-1]])


def _count_rows(table: Table, v: int) -> float:
    return float(sum(table[name][v, 0] for name in ("tp", "fp", "fn", "tn")))


def _describe(table: Table, i: int, v: int) -> dict[str, float]:
    tp, fp, fn, tn = (float(table[name][v, i]) for name in ("tp", "fp", "fn", "tn"))
    nan = float("nan")
    return {
        "threshold": float(min(table["grid"][i], 1.0)),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
        "precision": tp / (tp + fp) if tp + fp else nan,
        "recall": tp / (tp + fn) if tp + fn else nan,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else nan,
        "false_alarms": fp / (fp + tn) if fp + tn else nan,
        "flagged": (tp + fp) / (tp + fp + fn + tn),
    }
