"""Reads the table in an uploaded file: CSV and similar, Excel, Parquet, alone or in a zip or gz. Imports no torch.

Properties that the file does not state (encoding, delimiter, decimal mark, header, types ...) are guessed. The Sheet holds
every guess, which can be passed back as an option, and the reading, which is applied without a guess. For any bytes
`read_sheet` returns a Sheet or raises BadData.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.data.tables import answers, headers, kinds, numerals, sheet, texts
from engine.data.tables.mixed_cells import unify_cells, unify_known
from engine.data.tables.raw import Raw, read_raw
from engine.data.tables.sheet import KINDS, Column, Sheet, count_of, list_names, match_name, shorten
from engine.errors import BadData
from engine.spec.table_reading import ColumnReading, TableReading

__all__ = ["KINDS", "OPTIONS", "Column", "Sheet", "WholeTable", "read_sheet", "read_whole"]

OPTIONS = ("encoding", "delimiter", "decimal", "thousands", "header", "sheet", "types", "missing", "target_missing")
"""Options of a file; None counts as not given."""

THOUSANDS = ("", ",", ".", " ", "'", "\u00a0", "\u202f", "\u2019")

HEAD_BYTES = 20 << 20
"""Bytes of a file's cells from which the writing of its numbers is guessed. Each column is then read whole."""
HEAD_ROWS = 1_000
"""Least rows of these."""

HEADER_AT = 50
"""Rows among which the header of a known reading is looked for."""


def read_sheet(
    data: bytes,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    target: str | None = None,
    reading: TableReading | None = None,
) -> Sheet:
    """The table in the bytes of one file. name: the file's; its ending has no effect.

    options, all optional: encoding (one of sniff.ENCODINGS), delimiter (one character, "" for a single column, " " for any run
    of spaces), decimal ("." or ","), thousands (one character or ""), header (bool), sheet (of a workbook), types {column:
    numeric | categorical | boolean | date | ignore}, missing (texts that mean a missing value besides the usual ones, in any
    case; one that is a number means every writing of that number), target_missing (texts of the target that are no answer; else
    only the empty cell is none). target: the column with the classes, where a person named it; the header is looked for by it.

    reading: how the table was read before. It is applied without a guess, and `options` and `target` are not looked at. Columns
    are found by their names, without a header by their places; the header is the first row that holds the names of all
    features. Of columns that are no features, and of the target, those that the file has are read. Unknown levels are the
    level `other` where there is one, else missing; what is no number or date of a column's format is missing; unknown classes
    are no answers.

    Raises BadData for a file or an option that cannot be used, more than `table_limits` allow, or a feature that lacks.
    """
    if reading is not None:
        return _apply_reading(data, name, reading)
    given = _check_options(options or {})
    raw = read_raw(bytes(data), name, given, target)
    first, repeated = _find_header(raw, given.get("header"), target)
    names, places = _name_columns(raw, first)
    for i, cells in enumerate(raw.typed):
        raw.columns[i], form = unify_cells(raw.columns[i], cells)
        if form is not None:
            raw.traits[i] = {"typed": True, "form": form}
    given["types"] = {match_name(asked, names): kind for asked, kind in given.get("types", {}).items()}
    return _build_sheet(raw, names, places, repeated, given)


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


# ---- header and names


def _find_header(raw: Raw, header: bool | None, target: str | None) -> tuple[list[str] | None, int]:
    """(cells of the header, None where there is none; rows left out that repeat it), with the guess filled in. The rows lose it."""
    if raw.names is not None:
        return list(raw.names), 0
    first = headers.read_row(raw.columns, 0)
    if header is None:
        header = headers.names_target(first, target) or headers.looks_headed(raw.columns)
    raw.guesses["header"] = header
    return _drop_header(raw, 0) if header else (None, 0)


def _drop_header(raw: Raw, row: int) -> tuple[list[str], int]:
    """(cells of the header in this row, rows left out that repeat it). Rows above it go too."""
    import pyarrow as pa

    cells = [column[row].as_py() or "" for column in raw.columns]
    raw.drop_rows(row + 1)
    repeats = (
        headers.find_repeats(raw.columns, [cell.strip() for cell in cells]) if any(map(str.strip, cells)) else np.zeros(0, bool)
    )
    repeated = int(repeats.sum())
    if repeated:
        raw.keep_rows(pa.array(~repeats))
        what = "row that repeats" if repeated == 1 else "rows that repeat"
        raw.notes.append(f"{repeated:,} {what} the header left out.")
    # R writes no name above its row names
    last = raw.columns[-1].slice(0, headers.HEADER_ROWS).to_pylist()
    if raw.narrow and not cells[-1] and any(text.strip() for text in last):
        cells = ["row", *cells[:-1]]
    return cells, repeated


def _name_columns(raw: Raw, first: list[str] | None) -> tuple[list[str], list[int]]:
    """(names, their columns' places in the file). Columns without name and values go. Raises BadData where nothing is left."""
    if not raw.columns or not len(raw.columns[0]):
        raise BadData("The table has a header and no rows: send it with its rows.")
    cells: list[str | None] = list(first) if first is not None else [None] * len(raw.columns)
    places = list(range(len(cells)))
    blank = {i for i in places if raw.names is None and not (cells[i] or "").strip() and _is_blank(raw.columns[i])}
    if blank:
        if len(blank) == len(cells):
            raise BadData("The table holds no values: all its cells are empty.")
        raw.notes.append(f"{count_of(len(blank), 'column')} without name and values left out.")
        places = [i for i in places if i not in blank]
        raw.select_columns(places)
    return headers.name_columns([cells[i] for i in places], places, raw.notes), places


def _is_blank(column: Any) -> bool:
    import pyarrow.compute as pc

    if column.slice(0, 1).to_pylist() not in ([""], [None], []) and not (column[0].as_py() or "").isspace():
        return False
    return not pc.any(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)).as_py()


# ---- kinds


class _Cells:
    """The columns of a file with marks of missing values told apart, encoded one after the other, so that a large file's are never
    kept together. raw: loses its columns. missing: marks that a person named. some [n]: which rows hold a value.
    """

    def __init__(self, raw: Raw, names: Sequence[str], missing: Sequence[str]) -> None:
        self.names = names
        self._columns, raw.columns = raw.columns, []
        self._traits = raw.traits
        self._marks = {*texts.MARKS, *(mark.strip().lower() for mark in missing)} - {""}
        self._encoded: dict[int, texts.Encoded] = {}
        self.some = np.zeros(len(self._columns[0]), bool)
        for i in range(len(names)):
            self.some |= self._keep(i).codes >= 0
            if self.some.all():
                break
        if not self.some.any():
            raise BadData("The table holds no values: all its cells are empty or stand for a missing value.")
        if not self.some.all():
            raw.notes.append(f"{count_of(int((~self.some).sum()), 'row')} without any value left out.")
            for one in self._encoded.values():
                one.keep_rows(self.some)

    def _encode(self, i: int, values: Any) -> texts.Encoded:
        one = texts.encode_texts(self.names[i], values, **self._traits[i])
        return one.without(texts.find_marks(one, self._marks))

    def _keep(self, i: int) -> texts.Encoded:
        if i not in self._encoded:
            self._encoded[i] = self._encode(i, self._columns[i])
            self._columns[i] = None
        return self._encoded[i]

    def peek(self) -> list[texts.Encoded]:
        """All columns: of a large file their first HEAD_BYTES."""
        size = sum(column.nbytes for column in self._columns if column is not None)
        if size <= HEAD_BYTES:
            return [self._keep(i) for i in range(len(self.names))]
        rows = max(HEAD_ROWS, int(len(self.some) * HEAD_BYTES / size))
        heads = (None if column is None else column.slice(0, rows) for column in self._columns)
        return [self._encoded[i] if head is None else self._encode(i, head) for i, head in enumerate(heads)]

    def take(self) -> Iterator[texts.Encoded]:
        """The columns in their order; each is let go when the next one is asked for."""
        for i in range(len(self.names)):
            self._keep(i)
            yield self._encoded.pop(i)


def _build_sheet(raw: Raw, names: list[str], places: Sequence[int], repeated: int, given: Mapping[str, Any]) -> Sheet:
    sheet.check_size(len(raw.columns[0]), len(names))
    missing = given.get("missing", ())
    cells = _Cells(raw, names, missing)
    parts = [numerals.take_apart(one) for one in cells.peek()]
    style = numerals.find_style(parts, raw.guesses.get("delimiter"), given.get("decimal"), given.get("thousands"))
    del parts
    notes = kinds.Notes()
    columns: list[Column] = []
    readings: list[ColumnReading] = []
    sources = answers.Sources(style, tuple(given.get("target_missing", ())))
    marks: set[str] = set()
    typed = True
    for one, place in zip(cells.take(), places, strict=True):
        one = numerals.drop_marked_numbers(one, missing, style)
        how, column = kinds.read_column(one, place, style, given["types"].get(one.name), notes)
        columns.append(column)
        readings.append(how)
        sources.keep(one, how, column)
        one.numerals = None
        marks |= set(one.marks)
        typed &= one.typed
    guesses: dict[str, Any] = dict.fromkeys(("format", "encoding", "delimiter", "decimal", "thousands", "header", "sheet"))
    guesses |= raw.guesses | {"missing": sorted(marks)}
    if not typed:
        guesses |= {"decimal": style.decimal, "thousands": style.thousands}
    sentences = [*raw.notes, *notes.sentences()]
    if len(columns) == 1 and guesses["format"] == "text":
        sentences.append("The table has a single column: if it should have more, choose the delimiter.")
    reading = _describe(raw, guesses, repeated, missing, readings)
    asked = tuple(key for key in OPTIONS if given.get(key))
    return Sheet(tuple(columns), int(cells.some.sum()), guesses, asked, tuple(sentences), reading, sources)


def _describe(
    raw: Raw, guesses: Mapping[str, Any], repeated: int, missing: Sequence[str], columns: Sequence[ColumnReading]
) -> TableReading:
    return TableReading(
        format=guesses["format"],
        encoding=guesses["encoding"],
        delimiter=guesses["delimiter"],
        decimal=guesses["decimal"] or ".",
        thousands=guesses["thousands"] or "",
        quote=raw.quote,
        escape=raw.escape,
        header=raw.names is None and bool(guesses["header"]) or guesses["format"] == "parquet",
        names=raw.origin,
        sheet=guesses["sheet"],
        skipped=raw.skipped,
        repeated=repeated,
        missing=tuple(missing),
        columns=tuple(columns),
    )


# ---- a known reading


@dataclass(frozen=True)
class WholeTable:
    """A file read by a known reading, with all that it holds.

    sheet: the columns of the reading that the file has. names: of all columns of the file. texts: of each a pyarrow array [sheet.rows]
    of its cells as written, null or "" where empty.
    """

    sheet: Sheet
    names: tuple[str, ...]
    texts: tuple[Any, ...]


def read_whole(data: bytes, name: str, reading: TableReading) -> WholeTable:
    """As `read_sheet` with a reading, but features may lack, and the cells of all columns are kept.

    Raises BadData for a file that cannot be read, and where it has none of the features.
    """
    kept = _Kept()
    sheet = _apply_reading(data, name, reading, kept)
    return WholeTable(sheet, tuple(kept.names), tuple(kept.texts))


@dataclass
class _Kept:
    names: list[str] = field(default_factory=list)
    texts: list[Any] = field(default_factory=list)


def _apply_reading(data: bytes, name: str, reading: TableReading, kept: _Kept | None = None) -> Sheet:
    """kept: is given the cells of all columns; features may then lack."""
    given = {"encoding": reading.encoding, "delimiter": reading.delimiter, "quote": reading.quote, "escape": reading.escape}
    if reading.format != "text":
        given = {}
    given = {key: value for key, value in (given | {"sheet": reading.sheet}).items() if value is not None}
    raw = read_raw(bytes(data), name, given, None)
    if raw.guesses["format"] != reading.format:
        raise BadData(f"The file's format is {raw.guesses['format']}; it must be {reading.format}, as the table's was.")
    first, repeated = _find_known_header(raw, reading)
    names, places = _name_columns(raw, first)
    at = _find_columns(names, places, reading, some=kept is not None)
    if kept is not None:
        kept.names, kept.texts = names, list(raw.columns)
    wanted = [column for column in reading.columns if column.name in at]
    raw.select_columns([at[column.name] for column in wanted])
    for i, cells in enumerate(raw.typed):
        column = wanted[i]
        raw.columns[i], wanted[i] = unify_known(raw.columns[i], cells, column)
        if wanted[i] is not column:
            raw.traits[i] = {"typed": True}
    cells = _Cells(raw, [column.name for column in wanted], reading.missing)
    rows = int(cells.some.sum())
    if kept is not None and rows < len(cells.some):
        kept.texts = [column.filter(cells.some) for column in kept.texts]
    return apply_columns(cells.take(), wanted, reading, rows, raw.notes, raw.guesses | {"repeated": repeated})


def _find_known_header(raw: Raw, reading: TableReading) -> tuple[list[str] | None, int]:
    """As `_find_header`, by the names that a reading knows."""
    if raw.names is not None:
        return list(raw.names), 0
    if not reading.header:
        return (None, 0)
    wanted = {column.name for column in reading.features}
    found = []
    for row in range(min(HEADER_AT, len(raw.columns[0]))):
        cells = headers.read_row(raw.columns, row)
        if raw.narrow and not cells[-1]:
            cells = ["row", *cells[:-1]]
        found.append(len(wanted & set(headers.name_columns(cells, range(len(cells)), []))))
        if found[-1] == len(wanted):
            break
    row = found.index(max(found)) if found else 0
    raw.skipped += row
    return _drop_header(raw, row)


def _find_columns(names: Sequence[str], places: Sequence[int], reading: TableReading, some: bool = False) -> dict[str, int]:
    """Column of the reading -> number of the file's. Raises BadData where a feature lacks; with `some` only where all do."""
    if reading.header or reading.names:
        at = {name: i for i, name in enumerate(names)}
    else:
        known = {column.place: column.name for column in reading.columns}
        at = {known[place]: i for i, place in enumerate(places) if place in known}
    lacking = [column.name for column in reading.features if column.name not in at]
    if some and lacking and len(lacking) == len(reading.features):
        raise BadData(f"The file has none of the columns that the model takes, such as {list_names(lacking)}.")
    if lacking and not some:
        raise BadData(f"The file has no column called {shorten(lacking[0])!r}, from which the reading has its values.")
    return at


def apply_columns(
    encoded: Iterable[texts.Encoded],
    wanted: Sequence[ColumnReading],
    reading: TableReading,
    rows: int,
    notes: Sequence[str],
    guesses: Mapping[str, Any],
) -> Sheet:
    """The sheet of columns of texts by a reading. encoded: one for each of `wanted`, usual and named marks told apart."""
    style = numerals.Style(reading.decimal, reading.thousands)
    said = kinds.Notes()
    target = reading.target
    sources = answers.Sources(style, target.missing if target else ())
    columns: list[Column] = []
    for one, column in zip(encoded, wanted, strict=True):
        one = numerals.drop_marked_numbers(one, reading.missing, style)
        columns.append(kinds.apply_column(one, column, said))
        sources.keep(one, column, columns[-1], always=target is not None and column.name == target.name)
        one.numerals = None
    return Sheet(tuple(columns), rows, dict(guesses), (), (*notes, *said.sentences()), replace(reading), sources)
