"""Columns of a workbook in which some cells are numbers or dates and others are texts of such: all are written alike."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np

from engine.data.tables import dates, numerals, texts
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat

ISO = re.compile(r"\d{4}-\d\d-\d\d( |$)")
GROUPED = numerals.Style(",", ".")
"""Where a comma is the decimal mark, a point groups digits, also where few numbers are grouped."""


def unify_cells(
    column: Any, typed: Any, form: NumberFormat | DateFormat | None = None
) -> tuple[Any, NumberFormat | DateFormat | None]:
    """(the cells with texts such as 1.234,5 and 31/12/2020 written as typed cells are: 1234.5, 2020-12-31; the form of the texts).

    column: pyarrow strings [n]. typed: pyarrow booleans [n], whether a cell is a number, date or truth value. form: how the texts
    are written where that is known; else it is guessed, and None where no text is written otherwise than the typed cells.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    first = pc.index(typed, True).as_py()
    if form is None and first < 0:
        return column, None
    one = texts.encode_texts("", column.filter(pc.invert(typed)).unique())
    one = one.without(texts.find_marks(one, texts.MARKS))
    if not len(one.texts):
        return column, form
    if form is None:
        form = _guess_dates(one) if ISO.match(column[first].as_py()) else _guess_numbers(one)
    if form is None:
        return column, None
    same = _rewrite_dates(one, form) if isinstance(form, DateFormat) else _rewrite_numbers(one, form)
    if same:
        at = pc.index_in(pc.utf8_trim_whitespace(column), value_set=pa.array(list(same), pa.string()))
        new = pa.array(list(same.values()), pa.string()).take(at)
        column = pc.if_else(pc.and_(pc.invert(typed), at.is_valid()), new, column)
    return column, form


def unify_known(column: Any, typed: Any, reading: ColumnReading) -> tuple[Any, ColumnReading]:
    """(the cells as `unify_cells` writes them by a reading, the reading of cells written so). The same reading where it holds for
    the cells as they are.
    """
    import pyarrow.compute as pc

    form = reading.text_number or reading.text_date
    if form is None and pc.any(typed).as_py():
        form = reading.number or reading.date  # all cells were texts
    if form is None or (isinstance(form, NumberFormat) and numerals.Style(form.decimal, form.thousands) == numerals.PLAIN):
        return column, reading
    column, _ = unify_cells(column, typed, form)
    return column, replace(
        reading,
        typed=True,
        number=reading.number and replace(reading.number, decimal=".", thousands=""),
        date=reading.date and DateFormat("%Y-%m-%d"),
        text_date=form if isinstance(form, DateFormat) else None,
    )


def _guess_numbers(one: texts.Encoded) -> NumberFormat | None:
    """The form of texts that have another decimal mark than a point, or groups."""
    style = numerals.find_style([numerals.take_apart(one)], None, None, None)
    return None if style == numerals.PLAIN else numerals.bare_format(style)


def _rewrite_numbers(one: texts.Encoded, form: NumberFormat) -> dict[str, str]:
    """Text -> number. A bound, unit or currency stays."""
    parts, written = numerals.take_apart(one), one.list_texts()
    style = numerals.Style(form.decimal, form.thousands)
    bare, values = parts.parse_bare(style), parts.parse_bodies(style)
    if style.decimal == ",":
        bare = np.where(np.isnan(bare), parts.parse_bare(GROUPED), bare)
        values = np.where(np.isnan(values), parts.parse_bodies(GROUPED), values)
    out = {}
    for i, body, value in zip(parts.index.tolist(), parts.bodies.to_pylist(), values, strict=True):
        if math.isfinite(bare[i]):
            out[written[i]] = repr(float(value))
        elif math.isfinite(value):
            out[written[i]] = written[i].replace(body, repr(abs(float(value))))
    return out


def _guess_dates(one: texts.Encoded) -> DateFormat | None:
    known = dates.parse_dates(one, ".", forced=True)
    return None if known is None else known.form


def _rewrite_dates(one: texts.Encoded, form: DateFormat) -> dict[str, str]:
    """Text -> date as ISO 8601 has it, in UTC."""
    since = datetime.datetime(1970, 1, 1)
    out = {}
    for text, days in zip(one.list_texts(), dates.apply_dates(one, form).tolist(), strict=True):
        if math.isfinite(days):
            when = since + datetime.timedelta(seconds=round(days * 86400))
            out[text] = when.isoformat(" ", "seconds")
    return out
