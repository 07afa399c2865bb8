"""Reads Excel workbooks (.xlsx) as rows of texts. Formulas are never evaluated: a cell has the value that Excel saved last."""

from __future__ import annotations

import datetime
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.data.tables import sheet, unpack
from engine.data.tables.sheet import shorten
from engine.errors import BadData
from engine.spec import table_limits

MAX_CELLS = 3_000_000
"""Most cells of a workbook; reading takes some ten microseconds per cell."""

EXCEL_ROWS = 1_048_576
"""Most rows of an Excel sheet."""


class Typed(str):
    """A number, date or truth value of a workbook as text. A text of the workbook is a plain str."""

    __slots__ = ()


@dataclass(frozen=True)
class Grid:
    """One sheet: rows of texts (None where a cell is empty), all of one width, without blank rows. typed: columns whose cells
    are mostly numbers, dates or truth values in Excel. name: the sheet's. notes: sentences for display.
    """

    rows: list[list[str | None]]
    typed: tuple[bool, ...]
    name: str
    notes: tuple[str, ...]


def read_workbook(data: bytes, wanted: str | None = None) -> Grid:
    """The sheet of that name, else the first one that is neither empty nor hidden. Raises BadData."""
    formulas = _check_zip(data)
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about ignored parts: charts, validation, conditional colours
        try:
            return _read_grid(openpyxl, data, wanted, formulas)
        except (BadData, MemoryError):
            raise
        except Exception:  # a damaged workbook can raise almost anything
            raise BadData("The workbook is broken or unusual: save it anew as .xlsx, or as CSV.") from None


def _check_zip(data: bytes) -> bool:
    """Checks the zip's limits before anything is parsed. Returns whether there are formulas. Raises BadData."""
    found: set[bytes] = set()
    with unpack.open_members(data) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as file:
                    found |= _find_marks(file, (*FORMULAS, *ODD) if info.filename.startswith("xl/worksheets/") else ODD)
            except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
                raise BadData("The workbook is broken: save it anew as .xlsx, or as CSV.") from None
    if found & {*ODD}:
        raise BadData("The workbook holds XML that Excel does not write: save it anew as .xlsx, or as CSV.")
    return bool(found)


FORMULAS = (b"<f>", b"<f ", b"<f/", b":f>", b":f ")
"""How a formula begins in a sheet's XML."""

ODD = (b"<!DOCTYPE", b"<!ENTITY", b"\x00")
"""Marks of entity expansion, and of encodings other than UTF-8, in which these marks would be other bytes."""


def _find_marks(file: Any, marks: tuple[bytes, ...]) -> set[bytes]:
    """Which of these short marks occur in an XML member; none for any other member."""
    piece = file.read(unpack.CHUNK)
    if not piece.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        return set()
    found: set[bytes] = set()
    while piece:
        found |= {mark for mark in marks if mark in piece}
        more = file.read(unpack.CHUNK)
        piece = piece[-8:] + more if more else b""
    return found


def _read_grid(openpyxl: Any, data: bytes, wanted: str | None, formulas: bool) -> Grid:
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        sheets = list(book.worksheets)
        if not sheets:
            raise BadData("The workbook holds no sheet with cells.")
        if wanted is not None:
            sheets = [s for s in sheets if s.title == wanted]
            if not sheets:
                raise BadData(f"The workbook has no sheet called {shorten(wanted)!r}; choose one of its sheets.")
        else:
            sheets.sort(key=lambda s: s.sheet_state != "visible")
        chosen, rows, typed = _choose_sheet(sheets)
        others = [s.title for s in book.worksheets if s.title != chosen.title]
        notes = []
        if others:
            notes.append(
                f"Sheet {shorten(chosen.title)!r} is read; the workbook has {sheet.count_of(len(others), 'other sheet')}."
            )
    finally:
        book.close()
    if formulas and (lacking := _count_uncached(openpyxl, data, chosen.title)):
        notes.append(
            f"{sheet.count_of(lacking, 'cell')} hold a formula without a saved value and count as missing: open and save the file in Excel."
            if lacking > 1
            else "One cell holds a formula without a saved value and counts as missing: open and save the file in Excel."
        )
    return Grid(rows, typed, chosen.title, tuple(notes))


def _choose_sheet(sheets: list[Any]) -> tuple[Any, list[list[str | None]], tuple[bool, ...]]:
    """The first sheet that has rows of several cells, else the first with a cell, and its rows. Raises BadData."""
    first: tuple[Any, list[list[str | None]], tuple[bool, ...]] | None = None
    for chosen in sheets:
        rows, typed = _read_rows(chosen)
        if len(rows) > 1 and len(typed) > 1:
            return chosen, rows, typed
        if rows and first is None:
            first = chosen, rows, typed
    if first is None:
        raise BadData("The workbook's sheet is empty: send one with a header and rows.")
    return first


def _read_rows(chosen: Any) -> tuple[list[list[str | None]], tuple[bool, ...]]:
    chosen.reset_dimensions()  # the stated dimensions can be wrong
    rows: list[list[str | None]] = []
    known: list[int] = []
    filled: list[int] = []
    cells = 0
    for number, values in enumerate(chosen.iter_rows(values_only=True), 1):
        if number > EXCEL_ROWS:
            raise BadData(f"The sheet says it has more than {EXCEL_ROWS:,} rows: save it as CSV.")
        last = next((i for i in range(len(values), 0, -1) if values[i - 1] not in (None, "")), 0)
        if not last:
            continue
        cells += last
        if last > table_limits.MAX_COLUMNS or len(rows) >= table_limits.MAX_ROWS:
            sheet.check_size(len(rows) + 1, last)
        if cells > MAX_CELLS:
            raise BadData(f"The sheet has more than {MAX_CELLS:,} cells, and no more are read from Excel: save it as CSV.")
        known += [0] * (last - len(known))
        filled += [0] * (last - len(filled))
        row: list[str | None] = []
        for i, value in enumerate(values[:last]):
            if value is None or isinstance(value, str):
                row.append(value)
                filled[i] += value is not None
            else:
                row.append(Typed(to_text(value)))
                filled[i] += 1
                known[i] += 1
        rows.append(row)
    if len(rows) * len(known) > max(MAX_CELLS, 2 * cells + 10_000):
        raise BadData("The sheet's rows differ too much in length to be a table: keep the table alone in it.")
    for row in rows:
        row += [None] * (len(known) - len(row))
    return rows, tuple(2 * k > f for k, f in zip(known, filled, strict=True))


def to_text(value: Any) -> str:
    """An Excel value as text that parses back to the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return (
            value.date().isoformat() if midnight else value.isoformat(" ", "microseconds" if value.microsecond else "seconds")
        )
    if isinstance(value, datetime.timedelta):
        return repr(value.total_seconds())
    return repr(value) if isinstance(value, float) else str(value)


def _count_uncached(openpyxl: Any, data: bytes, title: str) -> int:
    """Cells of a sheet with a formula and no saved value. Formulas are read as text."""
    books = [openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=d, keep_links=False) for d in (True, False)]
    try:
        both = [book[title] for book in books]
        for one in both:
            one.reset_dimensions()
        lacking = 0
        for values, written in zip(*map(_iterate_cells, both), strict=False):
            for i, (kind, _) in enumerate(written):
                lacking += kind == "f" and (i >= len(values) or values[i][1] is None)
        return lacking
    finally:
        for book in books:
            book.close()


def _iterate_cells(one: Any) -> Iterator[list[tuple[str, Any]]]:
    for number, row in enumerate(one.iter_rows()):
        if number >= EXCEL_ROWS:
            return
        yield [(getattr(cell, "data_type", "n"), cell.value) for cell in row]
