"""Converts between a table's original columns and the features a network was trained on. Plain values, stored as JSON."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.prepare import Scale, encode
from engine.data.table import Dataset
from engine.data.tables.sheet import Sheet
from engine.errors import BadData, BadInput
from engine.export.cells import Cells
from engine.export.inputs import columns_of, describe_absent, open_table
from engine.spec.table_reading import READER, TableReading
from engine.text import one_line

KINDS = ("numeric", "boolean", "date", "categorical")
OTHER = "(other)"
"""The level that rare levels were merged into. Unknown levels are assigned to it if it exists."""
MISSING = "(missing)"
"""The level of missing values, the last one; in more brackets if the data have a level of this name."""
MISSING_MARKS = ("", "?", "na", "n/a", "nan", "null", "none", "nat", "<na>", "#n/a")
"""Texts that stand for a missing value, in lower case, unless a level has this name."""

MAX_MAGNITUDE = 1e30
"""Largest standard deviation that single precision can compute with."""


@dataclass(frozen=True)
class Column:
    """One input column of a model.

    kind: numeric; boolean (levels: how 0 and 1 were written); date (days since 1970-01-01, UTC); categorical, one 0/1 feature
    per level. indicator: whether a 0/1 feature marks missing numbers. gap: the level that stands for a missing value, or None.
    """

    name: str
    kind: str = "numeric"
    levels: tuple[str, ...] = ()
    indicator: bool = False
    gap: str | None = None

    def numbers(self, values: Sequence[Any] | np.ndarray, marks: frozenset[str] = frozenset(MISSING_MARKS)) -> np.ndarray:
        """Values of a column that is not categorical as float64 [n], NaN if missing. Raises BadData."""
        if self.kind != "date" and getattr(getattr(values, "dtype", None), "kind", "") in ("f", "i", "u", "b"):
            plain = values.to_numpy(np.float64, na_value=np.nan) if hasattr(values, "to_numpy") else values
            out = np.asarray(plain, np.float64)
        else:
            out = np.array([self._number(value, row, marks) for row, value in enumerate(values)], np.float64)
        if np.isinf(out).any():
            self._refuse("inf", int(np.isinf(out).argmax()))
        return out

    def codes(self, values: Sequence[Any] | np.ndarray, marks: frozenset[str] = frozenset(MISSING_MARKS)) -> np.ndarray:
        """Values of a categorical column as indices of its levels [n]; -1 for an unknown one."""
        place = {level: i for i, level in enumerate(self.levels)}
        missing = place.get(self.gap, -1) if self.gap is not None else -1
        unknown = place.get(OTHER, -1)
        out = []
        for value in values:
            text = _text(value)
            if text in place:
                out.append(place[text])
            else:
                out.append(missing if text.casefold() in marks else unknown)
        return np.array(out, np.int64)

    def _number(self, value: Any, row: int, marks: frozenset[str]) -> float:
        text = _text(value)
        if self.kind == "boolean" and text.casefold() in (folded := [level.casefold() for level in self.levels]):
            return float(folded.index(text.casefold()))
        if self.kind == "boolean" and text in ("False", "True"):
            return float(text == "True")
        if text.casefold() in marks:
            return math.nan
        try:
            return _days(value) if self.kind == "date" else float(value)
        except (TypeError, ValueError, OverflowError):
            self._refuse(text, row)
            raise AssertionError from None  # not reached

    def _refuse(self, text: str, row: int) -> None:
        what = {"date": "a date such as 2024-05-31", "boolean": " or ".join(map(repr, self.levels))}.get(self.kind, "a number")
        raise BadData(
            f"Row {row} (from 0) has {one_line(text, 40)!r} in the column {one_line(self.name, 40)!r}, where the model takes {what}."
        ) from None


def _missing_level(levels: Sequence[str]) -> str | None:
    last = levels[-1] if levels else ""
    return last if last.startswith("(") and f"({last.strip('()')})" == MISSING else None


def _text(value: Any) -> str:
    """Text of a value as a level is written: whole numbers without a point, stripped; '' for None, NaN, NaT and pandas' NA."""
    if value is None or type(value).__name__ == "NAType" or value != value:
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _days(value: Any) -> float:
    """Days since 1970-01-01, UTC, of a date, a time or their ISO text."""
    if isinstance(value, np.datetime64):
        when = float(value.astype("datetime64[us]").astype(np.int64))
        return when / 86_400e6
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.strip())
    if not isinstance(value, datetime.datetime):
        if not isinstance(value, datetime.date):
            raise TypeError
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return float(value.timestamp()) / 86400


@dataclass(frozen=True)
class Pipeline:
    """Rows of a table -> a network's input, fitted on one replicate's training rows.

    columns: numeric, boolean and date ones first, then categorical ones, as in a Dataset. scale: of the D encoded columns,
    which are the numbers, then the missing indicators, then every level of every categorical column. reading: how the file of the
    table was read, None where it was no file.
    """

    columns: tuple[Column, ...]
    scale: Scale
    marks: tuple[str, ...] = MISSING_MARKS
    reading: TableReading | None = None

    @classmethod
    def of(cls, dataset: Dataset, scale: Scale, reading: TableReading | None = None) -> Pipeline:
        """The pipeline that repeats what `prepare` does with this dataset under this scale.

        reading: how its file was read, which says what columns are dates or yes and no. Raises BadInput for images.
        """
        if dataset.images is not None:
            raise BadInput("A model for images cannot be exported: what is exported takes the rows of a table.")
        columns = []
        for name, values in zip(dataset.numeric_names, dataset.numeric.T, strict=True):
            kind, levels = ("numeric", ()) if reading is None else (reading.column(name).kind, reading.column(name).levels)
            kind = kind if kind in ("boolean", "date") else "numeric"
            own = tuple(levels) if kind == "boolean" else ()
            columns.append(Column(name, kind, own, indicator=bool(np.isnan(values).any())))
        for name, levels in zip(dataset.categorical_names, dataset.categories, strict=True):
            columns.append(Column(name, "categorical", tuple(levels), gap=_missing_level(levels)))
        made = cls(tuple(columns), scale, reading=reading)
        if made.encoded_names != encode(dataset)[1]:
            raise ValueError("the columns of a pipeline are not those that prepare encodes")
        return made

    @property
    def numeric(self) -> tuple[Column, ...]:
        """Columns that hold one number each."""
        return tuple(c for c in self.columns if c.kind != "categorical")

    @property
    def categorical(self) -> tuple[Column, ...]:
        """Columns with levels."""
        return tuple(c for c in self.columns if c.kind == "categorical")

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the D encoded columns."""
        return (
            *(c.name for c in self.numeric),
            *(f"{c.name} is missing" for c in self.numeric if c.indicator),
            *(f"{c.name} = {level}" for c in self.categorical for level in c.levels),
        )

    @property
    def width(self) -> int:
        """Number of features a network takes: D, or the number of principal components."""
        return len(self.scale.mean) if self.scale.components is None else len(self.scale.components[1])

    def __call__(self, table: Any) -> tuple[np.ndarray, dict[str, int]]:
        """(features [n, width] float64, column -> number of rows with an unknown level).

        table: the path of a file, a data frame, a list of one mapping per row, or a mapping of columns. Columns may come in any order;
        others are ignored. With a `reading` all of them are read by it (`engine.export.inputs.open_table`); without one there is no
        path, and cells are numbers, levels, yes and no as in training, and ISO dates. Raises BadData for a missing column and for
        values that are not what the column takes.
        """
        given = open_table(table, self.reading)
        number, codes, n, unknown = self.read_sheet(given) if isinstance(given, Sheet) else self._read_values(given)
        return self.encode_values(number, codes, n), unknown

    def encode_values(self, number: Sequence[np.ndarray], codes: Sequence[np.ndarray], n: int) -> np.ndarray:
        """Features [n, width] float64 of the numbers of every numeric column and the codes of every categorical one, [n] each.

        Raises BadData for numbers too large to compute with.
        """
        parts = [np.stack(number, 1) if number else np.zeros((n, 0))]
        parts += [np.isnan(v)[:, None].astype(np.float64) for c, v in zip(self.numeric, number, strict=True) if c.indicator]
        parts += [
            (own[:, None] == np.arange(len(c.levels))).astype(np.float64)
            for c, own in zip(self.categorical, codes, strict=True)
        ]
        rows = np.concatenate(parts, axis=1)
        # a missing number is the training mean, which is 0 once scaled
        rows = np.where(np.isnan(rows), self.scale.mean, rows)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self.scale(rows)
        lost = ~(np.abs(scaled) <= MAX_MAGNITUDE).all(1)
        if lost.any():
            raise BadData(f"Row {int(lost.argmax())} (from 0) holds a number too large to compute with.")
        return scaled

    def _read_values(self, table: Any) -> tuple[list[np.ndarray], list[np.ndarray], int, dict[str, int]]:
        """(numbers of every numeric column, codes of every categorical one, rows, column -> rows with an unknown level)."""
        values, n = columns_of(table, [c.name for c in self.columns])
        marks = frozenset(self.marks)
        number = [c.numbers(values[c.name], marks) for c in self.numeric]
        codes = [c.codes(values[c.name], marks) for c in self.categorical]
        lost = {c.name: int((own < 0).sum()) for c, own in zip(self.categorical, codes, strict=True)}
        return number, codes, n, {name: count for name, count in lost.items() if count}

    def read_sheet(self, sheet: Sheet) -> tuple[list[np.ndarray], list[np.ndarray], int, dict[str, int]]:
        """As `_read_values`, of a file that was read by the reading."""
        here = {column.name: column for column in sheet.columns}
        if absent := [c.name for c in self.columns if c.name not in here]:
            raise BadData(describe_absent(absent, len(self.columns)))
        number = [here[c.name].values for c in self.numeric]
        codes, unknown = [], {}
        for c in self.categorical:
            place = {level: i for i, level in enumerate(c.levels)}
            gap = place.get(c.gap, -1) if c.gap is not None else -1
            other = place.get(OTHER, -1)
            of_level = np.array(
                [*(place.get(level, other) for level in here[c.name].levels), other, gap], np.int64
            )  # -2, -1: the last two
            own = of_level[here[c.name].values.astype(np.int64)]
            codes.append(own)
            if lost := int((own < 0).sum()):
                unknown[c.name] = lost
        return number, codes, sheet.rows, unknown

    def back(self, x: np.ndarray, constants: np.ndarray, values: np.ndarray | None = None) -> list[list[Any]]:
        """Scaled rows x [n, D] as rows of cells, one for each of `columns`: numbers, levels, None if missing.

        The inverse of the scaling. A categorical column gets its most likely level, the largest of its features. A number is
        missing if its indicator is above one half. Numbers have the decimals of their column, dates its format; without a reading
        numbers are rounded to seven digits, the precision of float32. constants [D]: values of the columns that are constant in
        training. values [n, p]: the table's numbers, for decimals that the file does not say. Raises BadInput for principal
        components, which do not hold all of a row.
        """
        if self.scale.components is not None:
            raise BadInput("Rows made among principal components cannot be turned back into columns.")
        rows = np.where(self.scale.constant, constants, np.asarray(x, np.float64) * self.scale.sd + self.scale.mean)
        out: list[list[Any]] = []
        at = len(self.numeric)
        for i, (c, cells) in enumerate(zip(self.numeric, self._cells(values), strict=True)):
            gone = rows[:, at] > 0.5 if c.indicator else np.zeros(len(rows), bool)
            at += c.indicator
            out.append([None if lost else cells.write(float(v), new=True) for v, lost in zip(rows[:, i], gone, strict=True)])
        for c in self.categorical:
            best = rows[:, at : at + len(c.levels)].argmax(1) if c.levels else []
            at += len(c.levels)
            out.append([None if c.levels[i] == c.gap else c.levels[i] for i in best])
        return [list(row) for row in zip(*out, strict=True)]

    def original(self, dataset: Dataset, which: np.ndarray) -> list[list[Any]]:
        """Rows `which` of the dataset as rows of cells, one for each of `columns`."""
        out: list[list[Any]] = [
            [cells.write(float(v)) for v in dataset.numeric[which, i]] for i, cells in enumerate(self._cells(dataset.numeric))
        ]
        for i, c in enumerate(self.categorical):
            levels = [None if level == c.gap else level for level in c.levels]
            out.append([levels[k] for k in dataset.categorical[which, i]])
        return [list(row) for row in zip(*out, strict=True)]

    def _cells(self, values: np.ndarray | None) -> list[Cells]:
        """How the numbers of every numeric column are written. values [n, p]: the table's own."""
        out = []
        for i, c in enumerate(self.numeric):
            reading = None if self.reading is None else self.reading.column(c.name)
            own = np.zeros(0) if values is None else values[:, i]
            out.append(Cells.of(c.kind, c.levels, reading, own))
        return out

    def to_json(self) -> dict[str, Any]:
        """JSON-plain."""
        s = self.scale
        return {
            "columns": [
                {
                    "name": c.name,
                    "kind": c.kind,
                    "levels": list(c.levels),
                    "missing_indicator": c.indicator,
                    "missing_level": c.gap,
                }
                for c in self.columns
            ],
            "missing": list(self.marks),
            "encoded": [
                {"name": name, "mean": float(m), "sd": float(d), "constant": bool(k)}
                for name, m, d, k in zip(self.encoded_names, s.mean, s.sd, s.constant, strict=True)
            ],
            "components": None
            if s.components is None
            else {"mean": s.components[0].tolist(), "axes": s.components[1].tolist()},
            "reading": None if self.reading is None else self.reading.to_json(),
        }

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> Pipeline:
        """The pipeline of `to_json`. Raises ValueError, KeyError or TypeError for any other value."""
        columns = tuple(
            Column(
                _check_text(c["name"]), _check_text(c["kind"]), tuple(map(_check_text, c["levels"])),
                indicator=c["missing_indicator"] is True,
                gap=None if c["missing_level"] is None else _check_text(c["missing_level"]),
            )
            for c in words["columns"]
        )  # fmt: skip
        if any(c.kind not in KINDS for c in columns) or [c.kind == "categorical" for c in columns] != sorted(
            c.kind == "categorical" for c in columns
        ):
            raise ValueError("the kinds of its columns are not known, or not in order")
        encoded = words["encoded"]
        mean, sd = (np.array([float(e[k]) for e in encoded], np.float64) for k in ("mean", "sd"))
        constant = np.array([e["constant"] is True for e in encoded], bool)
        components = None
        if words["components"] is not None:
            centre, axes = (np.array(words["components"][k], np.float64) for k in ("mean", "axes"))
            components = (centre, axes)
            if centre.shape != mean.shape or axes.ndim != 2 or axes.shape[1:] != mean.shape:
                raise ValueError("its principal components do not fit its columns")
        marks = tuple(map(_check_text, words["missing"]))
        made = cls(columns, Scale(mean, sd, constant, components), marks, _check_reading(words.get("reading"), columns))
        if list(made.encoded_names) != [e["name"] for e in encoded]:
            raise ValueError("its encoded columns are not those of its columns")
        if not (np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0).all()):
            raise ValueError("its means and standard deviations are not numbers above 0")
        return made


def _check_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _check_reading(value: Any, columns: Sequence[Column]) -> TableReading | None:
    """The reading of a model file. None where it has none, as files of earlier versions, or where another version of the reader made
    it: the model then takes frames alone. Raises ValueError where it does not fit the columns.
    """
    if value is None or (isinstance(value, Mapping) and value.get("reader") != READER):
        return None
    reading = TableReading.from_json(value)
    kinds = {c.name: c.kind for c in reading.columns}
    if any(kinds.get(c.name) != c.kind for c in columns):
        raise ValueError("how its table was read does not fit its columns")
    return reading
