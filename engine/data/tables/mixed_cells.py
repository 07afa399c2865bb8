"""Columns of a workbook in which some cells are numbers or dates and others are texts of such: all are written alike."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence

from engine.data.tables import dates, numerals, texts

ISO = re.compile(r"\d{4}-\d\d-\d\d( |$)")


class Typed(str):
    """A number, date or truth value of a workbook as text. A text of the workbook is a plain str."""

    __slots__ = ()


def unify_cells(column: Sequence[str | None]) -> Sequence[str | None]:
    """The cells, with texts such as 1.234,5 and 31/12/2020 written as the typed cells among them are."""
    import pyarrow as pa

    typed = next((cell for cell in column if type(cell) is Typed), None)
    written = list(dict.fromkeys(cell for cell in column if cell and type(cell) is not Typed))
    if typed is None or not written:
        return column
    one = texts.encode_texts("", pa.array(written, pa.string()))
    one = one.without(texts.find_marks(one, texts.MARKS))
    same = _unify_dates(one) if ISO.match(typed) else _unify_numbers(one)
    return [same.get(cell.strip(), cell) if cell and type(cell) is not Typed else cell for cell in column] if same else column


def _unify_numbers(one: texts.Encoded) -> dict[str, str]:
    """Text -> number, where the texts have another decimal mark than a point, or groups."""
    style = numerals.find_style([numerals.take_apart(one)], None, None, None)
    if style == numerals.PLAIN:
        return {}
    values = numerals.take_apart(one).parse_bare(style)
    return {text: repr(float(value)) for text, value in zip(one.list_texts(), values, strict=True) if math.isfinite(value)}


def _unify_dates(one: texts.Encoded) -> dict[str, str]:
    known = dates.parse_dates(one, ".", forced=True)
    if known is None:
        return {}
    since = datetime.datetime(1970, 1, 1)
    out = {}
    for text, days in zip(one.list_texts(), known.days.tolist(), strict=True):
        if math.isfinite(days):
            when = since + datetime.timedelta(seconds=round(days * 86400))
            out[text] = when.isoformat(" ", "seconds")
    return out
