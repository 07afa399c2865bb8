"""Reads the table in an uploaded file: CSV and similar, Excel, Parquet, alone or in a zip or gz. Imports no torch.

Properties that the file does not state (encoding, delimiter, decimal mark, header, types ...) are guessed. The Sheet holds
every guess, which can be passed back as an option. For any bytes `read_sheet` returns a Sheet or raises BadData.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.data.tables import kinds, numerals, parquet, sheet, sniff, texts, unpack, workbook
from engine.data.tables.sheet import KINDS, Column, Sheet, count_of, list_names, shorten
from engine.errors import BadData
from engine.spec import table_limits
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat, TableReading

__all__ = [
    "KINDS",
    "OPTIONS",
    "Column",
    "Sheet",
    "read_sheet",
]

OPTIONS = ("encoding", "delimiter", "decimal", "thousands", "header", "sheet", "types", "missing", "target_missing")
"""Options of a file; None counts as not given."""

THOUSANDS = ("", ",", ".", " ", "'", "\u00a0", "\u202f", "\u2019")

ADRIFT = 0.5
"""Share of rows with more cells than the table has columns above which the text is no table."""

HEADER_ROWS, HEADER_COLUMNS = 200, 200
"""Rows and columns inspected to tell a header from a row."""


@dataclass
class Raw:
    """Columns of texts, with the header as first row or separate (names). narrow: the first row has one cell less than the
    others.
    """

    columns: list[Any]
    typed: list[bool]
    names: list[str] | None
    guesses: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    narrow: bool = False


def read_sheet(
    data: bytes,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    target: str | None = None,
    reading: TableReading | None = None,
) -> Sheet:
    """The table in the bytes of one file. name: the file's; its ending has no effect.

    target: the column with the classes, where a person named it; the header is looked for by it. reading: how the table was
    read before; it is applied as it stands, and `options` and `target` must not be given then. Columns are looked for by their
    names; levels that it does not have are the level `other` where there is one, else missing.

    options, all optional: encoding (one of sniff.ENCODINGS), delimiter (one character, "" for a single column, " " for any run
    of spaces), decimal ("." or ","), thousands (one character or ""), header (bool), sheet (of a workbook), types {column:
    numeric | categorical | boolean | date | ignore}, missing (texts that mean a missing value besides the usual ones, in any
    case; an empty cell always does), target_missing (texts of the target that are no answer; else only the empty cell is
    none). Raises BadData for a file or an option that cannot be used, or more than the limits above allow.
    """
    if reading is not None:
        options = {
            "encoding": reading.encoding,
            "delimiter": reading.delimiter,
            "header": reading.header if not reading.names else None,
            "sheet": reading.sheet,
            "missing": list(reading.missing) or None,
        }
        if numbers := [c.number for c in reading.columns if c.number and not c.typed]:
            options |= {"decimal": numbers[0].decimal, "thousands": numbers[0].thousands}
    given = _check_options(options or {})
    inner, _, form = unpack.unpack_file(bytes(data), name)
    raw = {"text": _read_text, "excel": _read_workbook, "parquet": _read_parquet}[form](inner, given)
    names, columns = _split_header(raw, given.get("header"))
    unknown = [column for column in given.get("types", {}) if column not in names]
    if unknown:
        raise BadData(f"The table has no column called {shorten(unknown[0])!r}; types can be given for its own columns.")
    return _build_sheet(raw, names, columns, given)


def _check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options. Raises BadData for an invalid name or value."""
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if key not in OPTIONS:
            raise BadData(f"There is no option called {shorten(str(key))!r}; there are: {', '.join(OPTIONS)}.")
    right: dict[str, tuple[bool, str]] = {
        "encoding": (isinstance(given.get("encoding", ""), str), "the name of one"),
        "delimiter": (isinstance(given.get("delimiter", ""), str), "one character"),
        "decimal": (given.get("decimal", ".") in (".", ","), "a point or a comma"),
        "thousands": (given.get("thousands", "") in THOUSANDS, "a point, comma, space, apostrophe or nothing"),
        "header": (isinstance(given.get("header", True), bool), "true or false"),
        "sheet": (isinstance(given.get("sheet", ""), str), "the name of one"),
        "missing": (_are_texts(given.get("missing", [])), "a list of texts"),
        "target_missing": (_are_texts(given.get("target_missing", [])), "a list of texts"),
        "types": (
            isinstance(given.get("types", {}), Mapping) and all(t in kinds.TYPES for t in given.get("types", {}).values()),
            f"one of {', '.join(kinds.TYPES)} for each column that is named",
        ),
    }
    for key, (fits, what) in right.items():
        if not fits:
            raise BadData(f"The option {key} must be {what}.")
    if given.get("decimal") is not None and given.get("decimal") == given.get("thousands"):
        raise BadData("The decimal mark and the thousands separator must differ.")
    return given


def _are_texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(isinstance(v, str) for v in value)


# ---- the three kinds of file


def _read_text(data: bytes, given: Mapping[str, Any]) -> Raw:
    text, encoding, notes = sniff.decode_text(data, given.get("encoding"))
    _refuse_binary(text, given.get("delimiter") or "")
    told = sniff.parse_arff(text)
    if told is not None:
        text = told[1]
    layout = sniff.find_layout(text, "," if told is not None and given.get("delimiter") is None else given.get("delimiter"))
    sheet.check_size(0, layout.width)
    breaks = text.count("\n") or text.count("\r")
    if layout.delimiter and text.count(layout.delimiter) + breaks > 2 * table_limits.MAX_CELLS:
        raise BadData(
            f"The table has more than {table_limits.MAX_CELLS:,} cells, and no more are read: send fewer rows or columns."
        )
    if breaks > 4 * table_limits.MAX_ROWS:
        sheet.check_size(breaks, 1)
    columns, narrow, said = _parse(text, layout)
    if not len(columns[0]):  # a byte order mark alone can look like a row
        raise BadData("The file holds no rows: send a table with a header and rows.")
    notes += said
    if layout.skipped:
        notes.append(f"{count_of(layout.skipped, 'line')} above the table {'is' if layout.skipped == 1 else 'are'} left out.")
    if not layout.quoted:
        notes.append("A quote is opened and never closed: quotes are read as plain characters.")
    guesses = {"format": "text", "encoding": encoding, "delimiter": layout.delimiter}
    raw = Raw(columns, [False] * len(columns), None, guesses, notes, narrow)
    if told is not None:
        if len(told[0]) != len(columns):
            raise BadData(
                f"The file names {count_of(len(told[0]), 'column')} and has {len(columns):,} in most rows: they must be as many."
            )
        raw.names = told[0]
        notes.append("The names of the columns are those of the @attribute lines.")
    elif (
        layout.heading is not None
        and given.get("header") is None
        and len(layout.heading) == len(columns)
        and not _looks_headed(columns)
    ):
        raw.names = list(layout.heading)
    return raw


def _refuse_binary(text: str, delimiter: str) -> None:
    head = text[: 1 << 16]
    odd = sum(c < " " and c not in "\t\n\r\x0b\x0c\x1a" and c != delimiter for c in head)
    if odd > max((0.3 if len(head) < 256 else 0.03) * len(head), 2):
        raise BadData(f"The file is no text and no table that can be read; read are {unpack.READ}.")


def _parse(text: str, layout: sniff.Layout) -> tuple[list[Any], bool, list[str]]:
    """(columns, whether the first row is one cell short, notes). Fast where all rows have equally many cells; else rows are
    evened first.
    """
    import pyarrow as pa

    if layout.delimiter != " " and not layout.spaced:
        try:
            columns = _parse_arrow(text[layout.start :].encode(), layout.delimiter or "\x1f", layout.quoted, layout.width)
        except pa.ArrowInvalid:
            columns = None
        if columns is not None:
            return columns, False, []
    even, narrow, notes = _even_rows(text, layout)
    try:
        columns = _parse_arrow(even, ",", True, layout.width)
    except pa.ArrowInvalid:
        columns = None
    if columns is None:
        raise BadData("The rows cannot be told apart: choose the delimiter, or write the file anew as CSV.")
    return columns, narrow, notes


def _parse_arrow(data: bytes, delimiter: str, quoted: bool, width: int) -> list[Any] | None:
    """The columns; None where a row does not have `width` cells. Raises ArrowInvalid."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    odd = False

    def stop(row: Any) -> str:
        nonlocal odd
        odd = True
        return "error"

    names = [str(i) for i in range(width)]
    try:
        table = arrow.read_csv(
            pa.BufferReader(data),
            read_options=arrow.ReadOptions(use_threads=False, block_size=min(len(data) + 64, 2**31 - 1), column_names=names),
            parse_options=arrow.ParseOptions(
                delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted, invalid_row_handler=stop
            ),
            convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        if odd:
            return None
        raise
    sheet.check_size(table.num_rows, width)
    return [column.combine_chunks() for column in table.columns]


def _even_rows(text: str, layout: sniff.Layout) -> tuple[bytes, bool, list[str]]:
    """The text as plain CSV whose rows all have `width` cells. Raises BadData where most rows have more."""
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow
    width, rows, short_, long, alone, first, comments = layout.width, 0, 0, 0, 0, 0, 0
    first_long = 0
    for number, row in enumerate(sniff.read_rows(text[layout.start :], layout.delimiter, layout.quoted, layout.spaced), 1):
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
    columns = [pa.array([_clean(cell) for cell in column], pa.string()) for column in zip(*grid.rows[first:], strict=True)]
    return Raw(columns, list(grid.typed), None, {"format": "excel", "sheet": grid.name}, notes)


def _clean(text: str | None) -> str:
    """The text without lone surrogates, which no file can hold."""
    return "" if text is None else text if text.isascii() else text.encode("utf-8", "replace").decode()


def _read_parquet(data: bytes, given: Mapping[str, Any]) -> Raw:
    names, columns, typed, notes = parquet.read_parquet(data)
    return Raw(columns, typed, names, {"format": "parquet"}, notes)


# ---- header and names


def _split_header(raw: Raw, header: bool | None) -> tuple[list[str], list[Any]]:
    """(names, columns without the header), with guessed values filled in. Raises BadData where nothing is left."""
    cells: list[str | None] = list(raw.names or [])
    columns = raw.columns
    if raw.names is None:
        if header is None:
            header = _looks_headed(columns)
        raw.guesses["header"] = header
        if header:
            cells = [column[0].as_py() or "" for column in columns]
            columns = [column.slice(1) for column in columns]
            # R writes no name above its row names
            if raw.narrow and not cells[-1] and any(text.strip() for text in columns[-1].slice(0, HEADER_ROWS).to_pylist()):
                cells = ["row", *cells[:-1]]
        else:
            cells = [None] * len(columns)
    if not columns or not len(columns[0]):
        raise BadData("The table has a header and no rows: send it with its rows.")
    blank = [i for i, cell in enumerate(cells) if raw.names is None and not (cell or "").strip() and _is_blank(columns[i])]
    if blank:
        if len(blank) == len(columns):
            raise BadData("The table holds no values: all its cells are empty.")
        raw.notes.append(f"{count_of(len(blank), 'column')} without name and values left out.")
        keep = [i for i in range(len(columns)) if i not in set(blank)]
        cells, columns = [cells[i] for i in keep], [columns[i] for i in keep]
        raw.typed = [raw.typed[i] for i in keep]
    return _name_columns(cells, raw.notes), columns


def _is_blank(column: Any) -> bool:
    import pyarrow.compute as pc

    if column.slice(0, 1).to_pylist() not in ([""], [None], []) and not (column[0].as_py() or "").isspace():
        return False
    return not pc.any(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)).as_py()


def _looks_headed(columns: Sequence[Any]) -> bool:
    """Whether the first row is a header: its cells differ in kind from those below, and do not occur there again."""
    votes = 0
    first = [(column[0].as_py() or "").strip() for column in columns]
    if len(columns[0]) < 2:
        return not any(_is_value(cell) for cell in first)
    if len(first) > 2 and first in ([str(i) for i in range(len(first))], [str(i + 1) for i in range(len(first))]):
        return True  # numbered columns
    for column, cell in zip(columns[:HEADER_COLUMNS], first, strict=False):
        body = [
            text.strip()
            for text in column.slice(1, HEADER_ROWS).to_pylist()
            if text and text.strip().lower() not in texts.MARKS
        ]
        if not body:
            continue
        numbers = 2 * sum(_is_value(text) for text in body) > len(body)
        if not cell or cell.lower() in texts.MARKS:
            votes -= bool(cell) and numbers
        elif _is_value(cell):
            votes -= 1
        elif numbers:
            votes += 1
        elif cell in body:
            votes -= 1
    names = [cell for cell in first if cell]
    return votes > 0 or (votes == 0 and len(set(names)) == len(names) and 2 * len(names) > len(first))


def _is_value(text: str) -> bool:
    """Whether the text is a number, or begins like a date."""
    return sniff.NUMBER.fullmatch(text) is not None or sniff.DATE.match(text) is not None


def _name_columns(cells: Sequence[str | None], notes: list[str]) -> list[str]:
    """Unique names of the columns. cells: as written; None where there is no header."""
    names: list[str] = []
    used: set[str] = set()
    tried: Counter[str] = Counter()
    twice: list[str] = []
    nameless = 0
    cut = 0
    for i, cell in enumerate(cells, 1):
        name = (cell or "").strip()
        cut += len(name) > table_limits.MAX_NAME
        name = name[: table_limits.MAX_NAME]
        nameless += not name and cell is not None
        base = name or f"column {i}"
        name = base
        if name in used:
            twice.append(base)
        while name in used:
            tried[base] += 1
            name = f"{base} ({tried[base] + 1})"
        used.add(name)
        names.append(name)
    if nameless:
        notes.append(f"{count_of(nameless, 'column')} without a name: called by {'its' if nameless == 1 else 'their'} number.")
    if twice:
        notes.append(f"{list_names(list(dict.fromkeys(twice)))}: several columns of this name are told apart by a number.")
    if cut:
        notes.append(f"{count_of(cut, 'column name')} cut to {table_limits.MAX_NAME:,} characters.")
    return names


# ---- kinds


def _build_sheet(raw: Raw, names: list[str], columns: list[Any], given: Mapping[str, Any]) -> Sheet:
    rows = len(columns[0])
    sheet.check_size(rows, len(columns))
    marks = (
        tuple(dict.fromkeys(["", *(mark.strip().lower() for mark in given["missing"])])) if "missing" in given else texts.MARKS
    )
    encoded = [texts.encode_texts(n, c, marks, t) for n, c, t in zip(names, columns, raw.typed, strict=True)]
    columns.clear()
    some = np.zeros(rows, bool)
    for one in encoded:
        some |= one.codes >= 0
    if not some.any():
        raise BadData("The table holds no values: all its cells are empty or stand for a missing value.")
    if not some.all():
        raw.notes.append(f"{count_of(int((~some).sum()), 'row')} without any value left out.")
        for one in encoded:
            one.drop(some)
    style = numerals.find_style(encoded, raw.guesses.get("delimiter"), given.get("decimal"), given.get("thousands"))
    said = kinds.Notes()
    types = given.get("types", {})
    made = tuple(kinds.build_column(one, style, types.get(one.name), said) for one in encoded)
    found: Counter[str] = Counter()
    for one in encoded:
        found.update(one.marks)
    guesses: dict[str, Any] = dict.fromkeys(("format", "encoding", "delimiter", "decimal", "thousands", "header", "sheet"))
    guesses |= raw.guesses | {"missing": sorted(mark for mark in found if mark)}
    if not all(raw.typed):
        guesses |= {"decimal": style.decimal, "thousands": style.thousands}
    notes = [*raw.notes, *said.sentences()]
    if len(made) == 1 and guesses["format"] == "text":
        notes.append("The table has a single column: if it should have more, choose the delimiter.")
    reading = TableReading(
        format=guesses["format"],
        encoding=guesses["encoding"],
        delimiter=guesses["delimiter"],
        header=bool(guesses["header"]),
        sheet=guesses["sheet"],
        missing=tuple(given.get("missing", ())),
        columns=tuple(
            ColumnReading(
                c.name,
                i,
                c.kind,
                c.guessed,
                one.typed,
                marks,
                number=NumberFormat(style.decimal, style.thousands) if c.kind == "numeric" else None,
                date=DateFormat(said.dates.get(c.name, "ISO8601")) if c.kind == "date" else None,
                levels=c.levels,
                dropped="" if c.kind in sheet.FEATURES else c.kind,
            )
            for i, (c, one) in enumerate(zip(made, encoded, strict=True))
        ),
    )
    return Sheet(made, int(some.sum()), guesses, tuple(key for key in OPTIONS if key in given), tuple(notes), reading)
