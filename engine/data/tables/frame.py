"""Reads a pandas DataFrame as a table of a known reading: for models that are given what pandas read from the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from engine.data.tables import dates, mixed_cells, numerals, parquet, texts, workbook
from engine.data.tables.headers import mangle_names
from engine.data.tables.reading import apply_columns
from engine.data.tables.sheet import Sheet, shorten
from engine.data.tables.texts import Encoded
from engine.errors import BadData
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat, TableReading

ASK = "Give the path of the file instead of a frame, so that it is read as the table was."

LOST = 0.05
"""Share of a column's values that may be no numbers or dates; with more of them the frame does not hold the file's values."""


def read_frame(frame: Any, reading: TableReading) -> Sheet:
    """The features of `reading`, and its target where it is there, from a frame as `pandas.read_csv`, `read_excel` or
    `read_parquet` has it by default. All rows of the frame are kept, also those without a value.

    Names agree after trimming. Digits that lost their leading zeros get them again where all had the same length. Raises BadData
    where a column lacks, or its values are not those of the file; the sentence then says to give the file's path.
    """
    if {str(name).strip() for name in frame.index.names} & {column.name for column in reading.features}:
        frame = frame.reset_index()  # a Parquet file's column that was the index
    names = mangle_names([str(name).strip() for name in frame.columns])
    at = {name: i for i, name in enumerate(names)}
    target = reading.target.name if reading.target else None
    if lacking := [column.name for column in reading.features if column.name not in at]:
        raise BadData(f"The frame has no column called {shorten(lacking[0])!r}. {ASK}")
    wanted = [column for column in reading.columns if column.name in at and (not column.dropped or column.name == target)]
    encoded, known = [], []
    for column in wanted:
        one, how = _encode_column(frame.iloc[:, at[column.name]], column, reading.format == "excel")
        encoded.append(_drop_marks(one, how, reading))
        known.append(how)
    if reading.repeated:
        _refuse_headers(encoded, known)
    for one, how in zip(encoded, known, strict=True):
        if how.name != target:
            _check_values(one, how)
    return apply_columns(encoded, known, reading, len(frame), (), {"format": "frame"})


def _encode_column(series: Any, column: ColumnReading, excel: bool) -> tuple[Encoded, ColumnReading]:
    """The column's texts, and its reading with the formats that they have in the frame. excel: the frame is of a workbook, with
    the types of its cells.
    """
    import pyarrow as pa

    typed = [False] * len(series)
    try:
        values = pa.array(series, from_pandas=True)
        cells = parquet.to_texts(pa.chunked_array([values]))
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        values = pa.array([_to_text(value) for value in series], pa.string())  # values of several kinds, as Excel has them
        cells = pa.chunked_array([values])
        typed = [not isinstance(value, str) for value in series]
    if cells is None:
        raise BadData(f"Column {shorten(column.name)!r} of the frame holds no plain values. {ASK}")
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = _as_numbers(column, whole=pa.types.is_integer(kind))
    elif (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and column.date is not None:
        column = replace(column, date=DateFormat("%Y-%m-%d"), typed=True)
    elif pa.types.is_boolean(kind) and column.kind == "numeric":
        raise BadData(f"Column {shorten(column.name)!r} of the frame holds truth values, and numbers in the file. {ASK}")
    elif excel and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        cells = cells.combine_chunks().cast(pa.string())
        cells, column = mixed_cells.unify_known(cells, pa.array(typed, pa.bool_()), column)
    return texts.encode_texts(column.name, cells, typed=column.typed), column


def _as_numbers(column: ColumnReading, whole: bool) -> ColumnReading:
    """The reading of a column that pandas has as numbers. Raises BadData where these may be others than the file's."""
    form = column.number
    if form is not None:
        if not column.typed and not whole and form.thousands == ".":  # 1.234 of the file is 1234
            raise BadData(f"Column {shorten(column.name)!r} has its numbers in a format that pandas takes for another. {ASK}")
        return replace(column, number=NumberFormat(places=form.places), typed=True)
    zeros = any(level[:1] == "0" and level[1:].isdigit() for level in column.levels)
    if zeros and not column.pad and column.kind == "categorical":
        raise BadData(f"Column {shorten(column.name)!r} has leading zeros in the file, which the frame lacks. {ASK}")
    return column


def _to_text(value: Any) -> str | None:
    """A value of a frame as text that parses back to the same value; None where it is missing."""
    import pandas as pd

    if value is None or isinstance(value, str):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return workbook.to_text(value)


def _drop_marks(one: Encoded, column: ColumnReading, reading: TableReading) -> Encoded:
    marks = {*texts.MARKS, *(mark.strip().lower() for mark in reading.missing)} - {""}
    return one.without(texts.find_marks(one, marks))


def _refuse_headers(encoded: list[Encoded], columns: list[ColumnReading]) -> None:
    """Refuses a frame with the rows that repeat the header and are left out of the file's table."""
    same = np.ones(len(encoded[0].codes), bool)
    for one, column in zip(encoded, columns, strict=True):
        code = one.list_texts().index(column.name) if column.name in one.list_texts() else -2
        same &= one.codes == code
    if same.any():
        raise BadData(f"The frame has a row that repeats the header. {ASK}")


def _check_values(one: Encoded, column: ColumnReading) -> None:
    """Refuses a column of numbers or dates of which too many texts are none."""
    if not len(one.texts) or column.kind not in ("numeric", "date"):
        return
    if column.number is not None:
        lost = np.isnan(numerals.take_apart(one).parse(column.number))
    else:
        assert column.date is not None
        lost = np.isnan(dates.apply_dates(one, column.date))
    for i in np.flatnonzero(lost):
        lost[i] = one.texts[int(i)].as_py() not in column.words
    if one.counts[lost].sum() > LOST * one.present:
        what = "number" if column.kind == "numeric" else "date"
        row = int(np.flatnonzero(np.isin(one.codes, np.flatnonzero(lost)))[0])
        raise BadData(
            f"Row {row:,} (from 0) has no {what} in the column {shorten(column.name)!r}, as the file writes it. {ASK}"
        )
