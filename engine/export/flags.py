"""Which rows a model flags within a budget of alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data.tables.sheet import Sheet
from engine.errors import BadData, BadParameter
from engine.spec.table_reading import TableReading
from engine.text import quote

UNDECIDED = 0.5
"""The cut of a model that holds none."""
ORDER = "order"
"""Why a column that says when a row happens is no feature."""


def check_budget(alerts: Any, per: Any) -> None:
    """Raises BadParameter for a budget that is none."""
    if alerts is not None and (isinstance(alerts, bool) or not isinstance(alerts, (int, float)) or not (0 < alerts < math.inf)):
        raise BadParameter(f"alerts={quote(alerts)}: must be a number above 0.")
    if per not in ("1000", "day"):
        raise BadParameter(f"per={quote(per)}: must be 1000 or day.")
    if per == "1000" and alerts is not None and alerts > 1000:
        raise BadParameter(f"alerts={alerts:g}: at most 1,000 rows of 1,000 can be flagged.")


def flag_most(p: np.ndarray, alerts: float) -> np.ndarray:
    """The most likely `alerts` of 1,000 rows [n] bool, of equal ones the first."""
    flagged = np.zeros(len(p), bool)
    flagged[np.argsort(-p, kind="stable")[: int(alerts * len(p) / 1000 + 1e-9)]] = True
    return flagged


def flag_days(p: np.ndarray, alerts: float, days: np.ndarray) -> np.ndarray:
    """The most likely `alerts` rows of each day [n] bool. days [n]: NaN where a row has no time; those rows share one day."""
    day = np.unique(np.floor(days), return_inverse=True, equal_nan=True)[1]
    order = np.lexsort((-p, day))  # stable: of equal ones the first in the table
    first = np.searchsorted(day[order], day[order], side="left")
    flagged = np.zeros(len(p), bool)
    flagged[order[np.arange(len(p)) - first < int(alerts + 1e-9)]] = True
    return flagged


def find_time(reading: TableReading | None) -> str | None:
    """The column that says when a row happens, where it is no feature; None without one."""
    return None if reading is None else next((c.name for c in reading.columns if c.dropped == ORDER), None)


def read_days(given: Any, name: str | None) -> np.ndarray:
    """Days [n] of the rows of an opened table. name: of the model's time column. Raises BadData without one."""
    columns: Mapping[str, Any] = {column.name: column for column in given.columns} if isinstance(given, Sheet) else {}
    if name is None or name not in columns:
        lacks = "the model knows no time column" if name is None else "the table lacks the model's time column"
        raise BadData(f"A budget per day needs the time of each row, and {lacks}: give the budget per 1000 rows.")
    values: np.ndarray = columns[name].values
    return values
