"""The three kinds of file (text, workbook, Parquet) as columns of texts, before header, names and kinds are known."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.damage import refuse_damage
from engine.data.tables import duck, encodings, headers, parquet, sheet, sniff, unpack, workbook
from engine.data.tables.sheet import count_of
from engine.errors import BadData
from engine.spec import table_limits

ADRIFT = 0.5
"""Share of rows with more cells than the table has columns above which the text is no table."""


REMARK = re.compile(r"[\r\n][ \t]*#")
"""A comment line within a table."""


@dataclass
class Raw:
    """Columns of texts, with the header as first row or separate (names, from `origin`). traits: what the file format says of each
    column, as arguments of `texts.encode_texts`. narrow: the first row has one cell less than the others. typed: for each column
    of a workbook, which cells are numbers, dates or truth values there (pyarrow booleans); empty for other formats.
    """

    columns: list[Any]
    traits: list[dict[str, Any]]
    names: list[str] | None
    guesses: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    narrow: bool = False
    origin: str = ""
    quote: str = '"'
    escape: str = '"'
    skipped: int = 0
    typed: list[Any] = field(default_factory=list)

    def select_columns(self, places: Sequence[int]) -> None:
        """Keeps these columns, in this order."""
        self.columns, self.traits = [self.columns[i] for i in places], [self.traits[i] for i in places]
        self.typed = [self.typed[i] for i in places] if self.typed else []

    def drop_rows(self, first: int) -> None:
        """Drops the rows before this one."""
        self.columns = [column.slice(first) for column in self.columns]
        self.typed = [typed.slice(first) for typed in self.typed]

    def keep_rows(self, keep: Any) -> None:
        """Keeps the rows where keep (pyarrow booleans [n]) is true."""
        self.columns = [column.filter(keep) for column in self.columns]
        self.typed = [typed.filter(keep) for typed in self.typed]


@refuse_damage("The file is damaged, so that it cannot be read as a table", but=(MemoryError,))
def read_raw(data: bytes, name: str, given: Mapping[str, Any], target: str | None) -> Raw:
    """The table in a file, alone or in a zip or gz. given: checked options, and perhaps quote and escape. Raises BadData."""
    inner, _, form = unpack.unpack_file(data, name)
    if form == "text":
        return _read_text(inner, given, target)
    return _read_workbook(inner, given) if form == "excel" else _read_parquet(inner)


def _read_text(data: bytes, given: Mapping[str, Any], target: str | None) -> Raw:
    text, encoding, notes = encodings.decode_text(data, given.get("encoding"))
    _refuse_binary(text, given.get("delimiter") or "")
    declared = sniff.parse_arff(text)
    if declared is not None:
        text = declared[1]
    asked = "," if declared is not None and given.get("delimiter") is None else given.get("delimiter")
    with duck.Duck() as reader:
        quoting = (given["quote"], given["escape"]) if "quote" in given else None
        layout = sniff.find_layout(text, reader, asked, quoting)
        _check_amount(text, layout)
        has_remarks = layout.comments and REMARK.search(text, layout.start) is not None
        body = _cut_body(text, layout.start, data if encoding == "utf-8" and not notes and declared is None else None)
        del text
        columns, narrow, said = _parse(body, layout, reader, has_remarks)
    if not len(columns[0]):  # a byte order mark alone can look like a row
        raise BadData("The file holds no rows: send a table with a header and rows.")
    notes += said
    if layout.skipped:
        notes.append(f"{count_of(layout.skipped, 'line')} above the table {'is' if layout.skipped == 1 else 'are'} left out.")
    if not layout.quote:
        notes.append("A quote is opened and never closed: quotes are read as plain characters.")
    guesses = {"format": "text", "encoding": encoding, "delimiter": layout.delimiter}
    raw = Raw(columns, [{}] * len(columns), None, guesses, notes, narrow)
    raw.quote, raw.escape, raw.skipped = layout.quote, layout.escape, layout.skipped
    if declared is not None:
        if len(declared[0]) != len(columns):
            raise BadData(
                f"The file names {count_of(len(declared[0]), 'column')} and has {len(columns):,} in most rows: they must be as many."
            )
        raw.names, raw.origin = declared[0], "attributes"
        notes.append("The names of the columns are those of the @attribute lines.")
    elif (
        layout.heading is not None
        and given.get("header") is None
        and len(layout.heading) == len(columns)
        and (headers.names_target(layout.heading, target) or not headers.looks_headed(columns))
    ):
        raw.names, raw.origin = list(layout.heading), "comment"
    return raw


def _cut_body(text: str, start: int, data: bytes | None) -> bytes:
    """The text from `start` on as UTF-8. data: the file, where the text is its plain decoding; nothing is then encoded again."""
    if data is None:
        return text[start:].encode("utf-8", "replace")
    at = len(codecs.BOM_UTF8) * data.startswith(codecs.BOM_UTF8) + len(text[:start].encode())
    return data[at:] if at else data


def _check_amount(text: str, layout: sniff.Layout) -> None:
    """Refuses a text of too many cells before they are told apart."""
    sheet.check_size(0, layout.width)
    breaks = text.count("\n") or text.count("\r")
    if layout.delimiter and text.count(layout.delimiter) + breaks > 2 * table_limits.MAX_CELLS:
        raise BadData(
            f"The table has more than {table_limits.MAX_CELLS:,} cells, and no more are read: send fewer rows or columns."
        )
    if breaks > 4 * table_limits.MAX_ROWS:
        sheet.check_size(breaks, 1)


def _refuse_binary(text: str, delimiter: str) -> None:
    head = text[: 1 << 16]
    odd = sum(c < " " and c not in "\t\n\r\x0b\x0c\x1a" and c != delimiter for c in head)
    if odd > max((0.3 if len(head) < 256 else 0.03) * len(head), 2):
        raise BadData(f"The file is no text and no table that can be read; read are {unpack.READ}.")


def _parse(body: bytes, layout: sniff.Layout, reader: duck.Duck, has_remarks: bool) -> tuple[list[Any], bool, list[str]]:
    """(columns, whether the first row is one cell short, notes). Fast where all rows have equally many cells; else rows are
    evened first. body: the rows in UTF-8, from `layout.start` on.
    """
    columns = None
    if layout.delimiter != " " and not layout.spaced and not has_remarks:
        columns = _read_columns(reader, body, layout.dialect, layout.width)
    if columns is not None:
        return columns, False, []
    even, narrow, notes = _even_rows(body.decode(), layout)
    columns = _read_columns(reader, even, duck.Dialect(",", '"', '"', 0), layout.width)
    if columns is None:
        raise BadData("The rows cannot be separated: choose the delimiter, or save the file as CSV again.")
    return columns, narrow, notes


def _read_columns(reader: duck.Duck, data: bytes, dialect: duck.Dialect, width: int) -> list[Any] | None:
    """The columns; None where a row does not have `width` cells."""
    columns = reader.read_columns(data, dialect, width, table_limits.MAX_ROWS + 1)
    if columns is not None:
        sheet.check_size(len(columns[0]), width)
    return columns


def _even_rows(text: str, layout: sniff.Layout) -> tuple[bytes, bool, list[str]]:
    """The rows of a text as plain CSV whose rows all have `width` cells. Raises BadData where most rows have more."""
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow
    width, rows, short_, long, alone, first, comments = layout.width, 0, 0, 0, 0, 0, 0
    first_long = 0
    for number, row in enumerate(sniff.read_rows(text, layout), 1):
        if number == 1:
            first = len(row)
        if layout.comments and row[0].lstrip().startswith("#"):
            comments += 1
            continue
        if len(row) == 1 and width > 2:
            alone += 1
            continue
        if len(row) > width:
            if any(cell.strip() for cell in row[width:]):
                long += 1
                first_long = first_long or number
                continue
            row = row[:width]
        elif len(row) < width:
            short_ += number > 1
            row += [""] * (width - len(row))
        write(row)
        rows += 1
        if rows > table_limits.MAX_ROWS + 1:
            sheet.check_size(rows, width)
    if long > ADRIFT * (rows + long):
        raise BadData(f"Most rows have more than {count_of(width, 'cell')}, so they are no table: choose another delimiter.")
    if not rows:
        raise BadData("The file holds no rows: send a table with a header and rows.")
    notes = []
    if long:
        notes.append(f"{count_of(long, 'row')} with more cells than columns left out; the first is row {first_long:,}.")
    if short_:
        notes.append(f"{count_of(short_, 'row')} with fewer cells than columns: the last ones count as missing.")
    if alone:
        notes.append(
            f"{count_of(alone, 'line')} of a single cell left out, as no {'row' if alone == 1 else 'rows'} of the table."
        )
    if comments:
        notes.append(f"{count_of(comments, 'comment line')} within the table left out.")
    return out.getvalue().encode(), first == width - 1, notes


def _read_workbook(data: bytes, given: Mapping[str, Any]) -> Raw:
    import pyarrow as pa

    grid = workbook.read_workbook(data, given.get("sheet"))
    widths = [sum(cell not in (None, "") for cell in row) for row in grid.rows[: sniff.RECORDS]]
    first = sniff.count_preamble(widths, sniff.typical_width(widths))
    notes = list(grid.notes)
    if first:
        notes.append(f"{count_of(first, 'row')} above the table {'is' if first == 1 else 'are'} left out.")
    raw = Raw(
        [], [{"typed": typed} for typed in grid.typed], None, {"format": "excel", "sheet": grid.name}, notes, skipped=first
    )
    for column in zip(*grid.rows[first:], strict=True):
        raw.columns.append(pa.array([_clean(cell) for cell in column], pa.string()))
        raw.typed.append(pa.array([type(cell) is workbook.Typed for cell in column], pa.bool_()))
    return raw


def _clean(text: str | None) -> str:
    """The text without lone surrogates, which no file can hold."""
    return "" if text is None else text if text.isascii() else text.encode("utf-8", "replace").decode()


def _read_parquet(data: bytes) -> Raw:
    names, columns, traits, notes = parquet.read_parquet(data)
    return Raw(columns, traits, names, {"format": "parquet"}, notes)
