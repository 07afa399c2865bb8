"""Values of a table's columns as cells, written as the file writes them."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat

DAY_RANGE = (-719_162, 2_932_896)
"""Days of 0001-01-01 and 9999-12-31."""

EXACT = 15
"""Decimal digits that a double holds for certain."""

MAX_PLACES = 15
"""Most decimals that are written; numbers with more get seven digits."""


@dataclass(frozen=True)
class Cells:
    """Writes the values of one column.

    kind: numeric, boolean or date. levels: of a boolean, of 0 and 1. number, date: how the file writes them; None: numbers as
    numbers of at most seven digits where they are new, dates in ISO form. places: decimals of the column's numbers, None where
    they are not known. days: whether all dates are days without a clock.
    """

    kind: str
    levels: tuple[str, ...] = ()
    number: NumberFormat | None = None
    date: DateFormat | None = None
    places: int | None = None
    days: bool = False

    @classmethod
    def of(cls, kind: str, levels: tuple[str, ...], reading: ColumnReading | None, values: np.ndarray) -> Cells:
        """The cells of a column. reading: how it was read, None where it was no file. values: the table's own, NaN where missing."""
        if reading is None:
            return cls(kind, levels)
        typed = reading.typed or reading.number is None
        places = count_places(values) if typed else max(reading.number.places if reading.number else 0, 0)
        number = None if typed else reading.number
        days = kind == "date" and bool((np.floor(values) == values)[~np.isnan(values)].all())
        return cls(kind, levels, number, reading.date, places if kind == "numeric" else None, days)

    def write(self, value: float | None, *, new: bool = False) -> Any:
        """The cell of a value, None where it is missing. new: the value was made, so it is rounded to the column's decimals."""
        if value is None or value != value:
            return None
        if self.kind == "boolean":
            return self.levels[int(value > 0.5)] if self.levels else value
        if self.kind == "date":
            return self._write_date(float(value))
        if self.places is None:
            return float(f"{value:.7g}") if new else value
        text = self._digits(float(value), new=new)
        if self.number is None:
            return float(text) if "." in text or "e" in text else int(text)
        return self._dress(text)

    def _digits(self, value: float, *, new: bool) -> str:
        """The number with a point. A new one has the column's decimals; an old one all that it needs."""
        assert self.places is not None
        size = math.floor(math.log10(abs(value))) + 1 if value else 1
        if size > EXACT or self.places > MAX_PLACES or (value and abs(value) < 10.0 ** -(self.places + 1) / 2 and not new):
            return f"{value:.7g}" if new else repr(value)
        places = min(self.places, max(0, EXACT - size))
        text = f"{value:.{places}f}"
        if not new and abs(float(text) - value) > 1e-12 * abs(value):
            text = np.format_float_positional(value, trim="-")
        return text.removeprefix("-") if float(text) == 0 else text

    def _dress(self, text: str) -> str:
        """The digits with the marks, unit and sign of the column."""
        form = self.number
        assert form is not None
        below = text.startswith("-")
        whole, point, part = text.removeprefix("-").partition(".")
        if form.thousands and "e" not in whole and len(whole) > 3:
            whole = f"{int(whole):,}".replace(",", form.thousands)
        number = whole + (form.decimal + part if point else "")
        out = f"{form.before}{number}{form.after}"
        if not below:
            return out
        if form.negative == "()":
            return f"({out})"
        return f"{out}-" if form.negative == "- behind" else f"-{out}"

    def _write_date(self, days: float) -> str:
        days = min(max(days, DAY_RANGE[0]), DAY_RANGE[1])
        form = self.date.format if self.date is not None else "ISO8601"
        unit = 1.0 if self.days else _unit_of(form)
        if unit is not None:
            days = round(days * unit) / unit
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(days=days)
        if unit is not None and unit < 86_400e6:  # fractions of a day are not exact
            when = (when + datetime.timedelta(microseconds=500)).replace(microsecond=0)
        zone = "+00:00" if self.date is not None and self.date.zone else ""
        if form == "ISO8601":
            text = when.date().isoformat() if float(days).is_integer() else when.isoformat(sep=" ", timespec="seconds")
            return text + (zone if " " in text else "")
        # years below 1000 have four digits on every system
        text = when.strftime(form.replace("%Y", f"{when.year:04d}").replace("%z", zone or "+00:00"))
        return text + (zone if zone and "%z" not in form and unit != 1 else "")


def _unit_of(form: str) -> float | None:
    """Parts of a day that a format of strptime tells apart: 1 for days. None for ISO8601, which has days and times."""
    if form == "ISO8601":
        return None
    if re.search(r"%f", form):
        return 86_400e6
    if re.search(r"%S|%T|%X|%s|%c|%r", form):
        return 86_400.0
    if re.search(r"%M|%R", form):
        return 1440.0
    return 24.0 if re.search(r"%H|%I", form) else 1.0


def count_places(values: Sequence[float] | np.ndarray) -> int:
    """Most decimals of the numbers, 0 where all are whole; more than MAX_PLACES for numbers with exponents."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known) or bool((known == np.floor(known)).all()):
        return 0
    most = 0
    for value in np.unique(known).tolist():
        text = repr(value)
        most = max(most, MAX_PLACES + 1 if "e-" in text else len(text.partition(".")[2]))
        if most > MAX_PLACES:
            break
    return most
