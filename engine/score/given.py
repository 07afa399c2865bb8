"""A table to score, as its model takes it: read by the model's own reading, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.data.tables.reading import WholeTable, read_sheet, read_whole
from engine.data.tables.sheet import Column, list_names
from engine.data.tables.target import build_labels
from engine.data.tables.texts import MARKS
from engine.errors import BadData
from engine.export.pipeline import Pipeline
from engine.spec.table_reading import TableReading, TargetReading
from engine.text import one_line

SHOWN = 5
"""Unknown levels that are listed of a column."""

MOST_LACKING = 0.5
"""Share of its columns that a table may lack."""


@dataclass(frozen=True)
class Given:
    """A table to score.

    whole: the file. numbers, codes: of every numeric and categorical column of the pipeline, [n] each, missing where the file lacks it.
    missing: of every column which rows have no value, [n] bool; None where the file lacks it. unknown, lacking: see
    `engine.spec.score`. y: classes [n], -1 without an answer; None without a target. target: its name in the file.
    """

    whole: WholeTable
    numbers: tuple[np.ndarray, ...]
    codes: tuple[np.ndarray, ...]
    missing: tuple[np.ndarray | None, ...]
    unknown: tuple[dict[str, Any], ...]
    lacking: tuple[dict[str, Any], ...]
    y: np.ndarray | None = None
    target: str | None = None

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.whole.sheet.rows

    def values(self, place: int) -> np.ndarray:
        """Values [n] of the pipeline's column at this place, as `ColumnFacts.place` takes them."""
        return [*self.numbers, *self.codes][place]

    def slice(self, start: int, end: int) -> tuple[list[np.ndarray], list[np.ndarray], int]:
        """Arguments of `Pipeline.encode_values` for these rows."""
        numbers, codes = ([v[start:end] for v in parts] for parts in (self.numbers, self.codes))
        return numbers, codes, min(end, self.rows) - start


def read_given(data: bytes, name: str, pipeline: Pipeline, classes: Sequence[str], target: str | None) -> Given:
    """The table in the bytes of a file, read as the model's table was.

    target: the column with the answers; None: the one named as the model's target, where it is there and holds answers. The file of a
    model whose table was none, such as a public dataset, is read by a guess, with the model's kinds and levels. Raises BadData
    for a file that cannot be read, one that lacks more than half of the columns, and a target that it does not have.
    """
    known = _guess_reading(data, name, pipeline, classes, target) if pipeline.reading is None else pipeline.reading
    reading = _rename_target(known, target)
    whole = read_whole(data, name, reading)
    sheet = whole.sheet
    here = {column.name for column in sheet.columns}
    absent = [c.name for c in pipeline.columns if c.name not in here]
    if len(absent) > MOST_LACKING * len(pipeline.columns):
        raise BadData(
            f"The file lacks {len(absent):,} of the {len(pipeline.columns):,} columns that the model takes, more than half: "
            f"{list_names(absent)}."
        )
    filled = [_without_values(c.name, c.kind, sheet.rows) for c in pipeline.columns if c.name in set(absent)]
    numbers, codes, _, _ = pipeline.read_sheet(replace(sheet, columns=(*sheet.columns, *filled)))
    columns = {column.name: column for column in sheet.columns}
    missing = tuple(_find_missing(columns[c.name]) if c.name in columns else None for c in pipeline.columns)
    said = [_describe_unknown(whole, columns[c.name], c.kind) for c in pipeline.columns if c.name in columns]
    lacking = [{"column": c.name, "counted_as": _counted_as(c)} for c in pipeline.columns if c.name in set(absent)]
    y, named = _read_answers(whole, reading, classes, target)
    return Given(
        whole, tuple(numbers), tuple(codes), missing, tuple(one for one in said if one is not None), tuple(lacking), y, named
    )


def _guess_reading(data: bytes, name: str, pipeline: Pipeline, classes: Sequence[str], target: str | None) -> TableReading:
    """How to read a file for a model whose table was none: format guessed, kinds and levels the model's."""
    named = {column.name for column in read_sheet(data, name).columns}
    kinds = {c.name: c.kind for c in pipeline.columns if c.name in named}
    guessed = read_sheet(data, name, {"types": kinds}).reading
    levels = {c.name: tuple(level for level in c.levels if level != c.gap) for c in pipeline.categorical}
    columns = tuple(replace(c, levels=levels[c.name]) if c.name in levels else c for c in guessed.columns)
    goal = None if target is None else TargetReading(target, tuple(classes))
    return replace(guessed, columns=columns, target=goal)


def _rename_target(reading: TableReading, target: str | None) -> TableReading:
    """The reading with its target under the name that a person gave."""
    known = reading.target
    if known is None or target is None or target == known.name:
        return reading
    columns = tuple(replace(c, name=target) if c.name == known.name else c for c in reading.columns if c.name != target)
    return replace(reading, columns=columns, target=replace(known, name=target))


def _read_answers(
    whole: WholeTable, reading: TableReading, classes: Sequence[str], target: str | None
) -> tuple[np.ndarray | None, str | None]:
    """(classes [n], -1 without an answer; the target's name). (None, None) without answers. Raises BadData."""
    known = reading.target
    name = target if target is not None else None if known is None else known.name
    if name is None or not any(column.name == name for column in whole.sheet.columns):
        if target is None:
            return None, None
        if known is None:
            raise BadData(
                "The model does not hold how its target was read, so its promise is not checked: leave the target out."
            )
        raise BadData(
            f"The file has no column called {one_line(target, 40)!r} for the answers; there are: {list_names(list(whole.names), 10)}."
        )
    found = build_labels(whole.sheet, name)
    place = {text: i for i, text in enumerate(classes)}
    y = np.array([*(place.get(text, -1) for text in found.classes), -1], np.int64)[found.y]
    if (y < 0).all():
        if target is None:
            return None, None
        raise BadData(f"The column {one_line(name, 40)!r} holds none of the model's classes: {list_names(list(classes), 10)}.")
    return y, name


def _without_values(name: str, kind: str, rows: int) -> Column:
    """A column of missing values."""
    values = np.full(rows, -1, np.int64) if kind == "categorical" else np.full(rows, np.nan)
    return Column(name, kind, values, (), rows, True, (), 0)


def _find_missing(column: Column) -> np.ndarray:
    out: np.ndarray = np.isnan(column.values) if column.values.dtype.kind == "f" else column.values == -1
    return out


def _counted_as(column: Any) -> str:
    """What stands in for the values of a column that a file lacks."""
    if column.kind == "categorical":
        return "missing" if column.gap is not None else "no level"
    return "missing" if column.indicator else "its training mean"


def _describe_unknown(whole: WholeTable, column: Column, kind: str) -> dict[str, Any] | None:
    """Which levels of a column no training row had, None without one; of a boolean column what is neither of its two values."""
    if kind not in ("categorical", "boolean"):
        return None
    lost = column.values == -2 if kind == "categorical" else np.isnan(column.values)
    if not lost.any():
        return None
    texts = _count_texts(whole.texts[whole.names.index(column.name)], lost)
    if kind == "boolean":
        texts = {text: n for text, n in texts.items() if text.casefold() not in ("", *MARKS)}
    if not texts:
        return None
    levels = sorted(texts, key=lambda text: -texts[text])[:SHOWN]
    counted_as = "no level" if kind == "categorical" else "missing"
    return {
        "column": column.name,
        "rows": sum(texts.values()),
        "levels": [one_line(t, 60) for t in levels],
        "counted_as": counted_as,
    }


def _count_texts(cells: Any, which: np.ndarray) -> dict[str, int]:
    """How often each trimmed text stands in these rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    some = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(cells, pa.string()).filter(pa.array(which)), ""))
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(some).to_pylist()}
