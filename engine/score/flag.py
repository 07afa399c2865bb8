"""Which rows are flagged: above a cut, or within a budget of alerts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.errors import BadData
from engine.export.flags import flag_days, flag_most


@dataclass(frozen=True)
class Flags:
    """flagged [n] bool. cut: the least probability that is flagged, None where no row is. notes: sentences."""

    flagged: np.ndarray
    cut: float | None
    notes: tuple[str, ...] = ()


def flag_above(p: np.ndarray, cut: float) -> Flags:
    """Rows of at least this probability."""
    flagged = p >= cut
    return Flags(flagged, float(p[flagged].min()) if flagged.any() else None)


def flag_within(p: np.ndarray, alerts: float, days: np.ndarray | None = None) -> Flags:
    """The most likely rows, `alerts` of 1,000, or of each day where days [n] are given (NaN: rows without a time share one day).

    The budget is never exceeded: of rows with the same probability the first in the file are flagged.
    """
    flagged = flag_most(p, alerts) if days is None else flag_days(p, alerts, days)
    cut = float(p[flagged].min()) if flagged.any() else None
    notes = []
    if not flagged.any() and len(p):
        notes.append("The budget is less than one row here, so none is flagged.")
    left = 0 if cut is None or days is not None else int((p[~flagged] == cut).sum())
    if left:
        notes.append(
            f"{left:,} more rows have the same probability as the last one flagged; the first in the file are flagged."
        )
    if days is not None and np.isnan(days).any():
        notes.append(f"{int(np.isnan(days).sum()):,} rows have no time; they share the budget of one day.")
    return Flags(flagged, cut, tuple(notes))


def require_days(order: np.ndarray | None, column: str | None) -> np.ndarray:
    """Days [n] of the rows. Raises BadData where the model or the table has none."""
    if order is None:
        lacks = "the model knows no time column" if column is None else "the table lacks the model's time column"
        raise BadData(f"A budget per day needs the time of each row, and {lacks}: give the budget per 1000 rows.")
    return order
