"""How a table was read: one frozen, JSON-plain description that page, terminal, model file and code share.

    sheet = read_sheet(data, "churn.csv")                   # guesses
    sheet = read_sheet(data, "churn.csv", reading=sheet.reading)  # the same columns and values, without a guess
    text = json.dumps(sheet.reading.to_json())
    assert TableReading.from_json(json.loads(text)) == sheet.reading

`engine.data.tables.target.describe_target(sheet, target, positive)` gives the reading with its target. Imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.errors import BadData

READER = 2
"""Raise by hand when the same file and options would be read otherwise. It is part of a table's fingerprint."""

FORMATS = ("text", "excel", "parquet")

KINDS = ("numeric", "categorical", "boolean", "date", "text", "id", "constant", "empty", "ignored")
"""Kinds of columns. The first four can be features."""

NEGATIVE = ("-", "()", "- behind")
"""How numbers below 0 are written: a minus before, brackets around, a minus behind."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    decimal: "." or ",". thousands: the separator, "" for none. before, after: what most numbers have before or behind them, with
    its blanks: "$", "EUR ", " kg", "%". negative: one of NEGATIVE. bounds: whether some are bounds such as <0.6, which count as
    the number behind the sign. places: most decimals of a number.
    """

    decimal: str = "."
    thousands: str = ""
    before: str = ""
    after: str = ""
    negative: str = "-"
    bounds: bool = False
    places: int = 0


@dataclass(frozen=True)
class DateFormat:
    """How the dates of a column are written.

    format: as for strptime, of most of them: "%d/%m/%Y %H:%M". day_first: whether the day stands before the month; None where the
    format allows no other order. decided: False where the values allow both orders. zone: "" where no time has one (they count
    as UTC), "offset" where they have offsets or words such as UTC; values are UTC in either case.
    """

    format: str
    day_first: bool | None = None
    decided: bool = True
    zone: str = ""


@dataclass(frozen=True)
class ColumnReading:
    """How one column was read.

    name: as shown. place: its number in the file, from 0. kind: one of KINDS. guessed: False where a person set the type. typed:
    whether the file format tells numbers and dates from text. missing: marks that count as missing besides the empty cell, in
    lower case; those that are numbers match every writing of the number. words: texts among numbers or dates that count as
    missing, as written. number: of a numeric column. date: of a date column. levels: of a categorical, constant or boolean
    column, in the order of its codes (a boolean's: 0, 1). other: the last level where it took in the rarest ones and takes in
    unknown ones, else "". pad: digits of every value where they have leading zeros, else 0. dropped: why nothing is learnt from
    the column, "" for a feature. text_number, text_date: of a column of a workbook in which some cells are numbers or dates and
    others are texts, how the texts are written; None where no text differs from the typed cells.
    """

    name: str
    place: int
    kind: str
    guessed: bool = True
    typed: bool = False
    missing: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    number: NumberFormat | None = None
    date: DateFormat | None = None
    levels: tuple[str, ...] = ()
    other: str = ""
    pad: int = 0
    dropped: str = ""
    text_number: NumberFormat | None = None
    text_date: DateFormat | None = None


@dataclass(frozen=True)
class TargetReading:
    """name: the column's. classes: in the order of y. positive: the class of interest, None where there is none. missing: marks
    that are no answer, besides the empty cell. marks: usual marks of missing values that stand in the column and are classes.
    """

    name: str
    classes: tuple[str, ...]
    positive: str | None = None
    missing: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableReading:
    """How a file was read. See the module.

    format: one of FORMATS. encoding, delimiter, quote, escape: of a text; delimiter "" for a single column and " " for runs of
    spaces, quote "" where quotes are plain characters, escape the character before a quote within quotes (the quote itself where
    it is doubled). decimal, thousands: of most columns, where the format does not tell numbers from text. header: whether the
    file names the columns; names: from where, if not from a row ("attributes" of ARFF, "comment"; else ""). sheet: of a
    workbook. skipped: lines, or rows of a workbook, above the table. repeated: rows left out that repeat the header. missing:
    marks a person named. columns: all of the table's. target: None until one is chosen. reader: READER when it was made.
    """

    format: str
    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    escape: str = '"'
    decimal: str = "."
    thousands: str = ""
    header: bool = True
    names: str = ""
    sheet: str | None = None
    skipped: int = 0
    repeated: int = 0
    missing: tuple[str, ...] = ()
    columns: tuple[ColumnReading, ...] = ()
    target: TargetReading | None = None
    reader: int = READER

    def column(self, name: str) -> ColumnReading:
        """The column of that name. Raises BadData."""
        for column in self.columns:
            if column.name == name:
                return column
        raise BadData("The reading has no column of that name.")

    @property
    def features(self) -> tuple[ColumnReading, ...]:
        """The columns to learn from: those of a usable kind but the target."""
        target = self.target.name if self.target else None
        return tuple(c for c in self.columns if not c.dropped and c.name != target)

    def to_json(self) -> dict[str, Any]:
        """JSON-plain; `from_json` returns an equal reading."""
        out: dict[str, Any] = _plain(dataclasses.asdict(self))
        return out

    @classmethod
    def from_json(cls, value: Any) -> TableReading:
        """The reading of this JSON value. Raises BadData where it is none, or of another READER."""
        if isinstance(value, Mapping) and value.get("reader", READER) != READER:
            raise BadData("The table was read by another version of this program: read the file anew.")
        top = _fields(cls, value)
        top["columns"] = tuple(_column(c) for c in _list(top.get("columns", ())))
        if top.get("target") is not None:
            top["target"] = _build(TargetReading, top["target"])
        out = _build(cls, top)
        names = [c.name for c in out.columns]
        if out.format not in FORMATS or len(set(names)) != len(names):
            raise BadData(BROKEN)
        return out


BROKEN = "The description of how the table was read is damaged: read the file anew."


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise BadData(BROKEN)
    return list(value)


def _fields(cls: type, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.keys() - {f.name for f in dataclasses.fields(cls)}:
        raise BadData(BROKEN)
    return dict(value)


def _column(value: Any) -> ColumnReading:
    fields = _fields(ColumnReading, value)
    for key, cls in (("number", NumberFormat), ("date", DateFormat), ("text_number", NumberFormat), ("text_date", DateFormat)):
        if fields.get(key) is not None:
            fields[key] = _build(cls, fields[key])
    out = _build(ColumnReading, fields)
    lacks = (out.kind == "numeric" and out.number is None) or (out.kind == "date" and out.date is None)
    if out.kind not in KINDS or lacks or (out.other and out.other not in out.levels):
        raise BadData(BROKEN)
    return out


TYPES: dict[str, Any] = {
    "str": str,
    "bool": bool,
    "int": int,
    "str | None": (str, type(None)),
    "bool | None": (bool, type(None)),
    "NumberFormat | None": (NumberFormat, type(None)),
    "DateFormat | None": (DateFormat, type(None)),
    "TargetReading | None": (TargetReading, type(None)),
}
"""What `isinstance` takes for the annotation of a field."""


T = TypeVar("T")


def _build(cls: type[T], value: Any) -> T:
    """An instance with every field of its annotated type. Raises BadData."""
    given = _fields(cls, value)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name not in given:
            continue
        v = given[field.name]
        if field.type == "tuple[str, ...]":
            v = given[field.name] = tuple(_list(v))
            fits = all(isinstance(text, str) for text in v)
        elif field.type == "tuple[ColumnReading, ...]":
            fits = all(isinstance(c, ColumnReading) for c in v)
        else:
            fits = isinstance(v, TYPES[str(field.type)]) and not (field.type == "int" and (isinstance(v, bool) or v < 0))
        if not fits:
            raise BadData(BROKEN)
    try:
        return cls(**given)
    except TypeError:
        raise BadData(BROKEN) from None
