"""A column as the target: its classes are its texts, and only the empty cell (or a mark a person named for it) is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.data.tables import dates, kinds, numerals, texts
from engine.data.tables.sheet import Column
from engine.data.tables.texts import Encoded
from engine.spec.table_reading import ColumnReading, TargetReading


@dataclass
class Sources:
    """Texts of the columns that hold other values as the target than as a feature. style: the file's. missing: marks that are no
    answer.
    """

    style: numerals.Style
    missing: tuple[str, ...] = ()
    columns: dict[str, Encoded] = field(default_factory=dict)

    def keep(self, column: Encoded, reading: ColumnReading, values: Column, always: bool = False) -> None:
        """Keeps the texts of a column where they may be needed."""
        form = reading.number
        affixed = form is not None and bool(form.before or form.after or form.bounds or form.negative != "-")
        lost = values.missing > int((column.codes < 0).sum())
        if (
            always
            or reading.other
            or column.whole is not None
            or affixed
            or lost
            or (self.missing and self._find_missing(column).any())
        ):
            self.columns[reading.name] = column

    def _find_missing(self, column: Encoded) -> np.ndarray:
        marks = {mark.strip().lower() for mark in self.missing} - {""}
        gone = texts.find_marks(column, marks)
        if numbers := numerals.parse_marks(self.missing, self.style):
            values = numerals.take_apart(column).parse_bare(self.style)
            gone = gone | np.isin(values, list(numbers))
        return gone

    def read_answers(self, column: Column) -> Column:
        """The column as the target. Its levels are its texts, those that elsewhere mean a missing value among them."""
        source = self.columns.get(column.name)
        if source is None or not (column.guessed or column.kind == "categorical"):
            return column
        whole = source.whole or source
        whole = whole.without(self._find_missing(whole), keep_whole=False)
        return kinds.apply_column(whole, _guess_answers(whole, self.style, levels=not column.guessed))

    def list_marks(self, column: Column) -> dict[str, int]:
        """Usual marks of missing values that are classes of the column, as written, with their rows."""
        source = self.columns.get(column.name)
        if source is None or source.whole is None or not (column.guessed or column.kind == "categorical"):
            return {}
        whole = source.whole.without(self._find_missing(source.whole), keep_whole=False)
        usual = np.flatnonzero(texts.find_marks(whole, texts.MARKS))
        return {whole.texts[int(i)].as_py(): int(whole.counts[i]) for i in usual}

    def code_answers(self, name: str, target: TargetReading) -> np.ndarray:
        """int64 [n]: codes into the classes of a reading, -1 for no answer and for unknown classes."""
        source = self.columns[name]
        whole = source.whole or source
        gone = self._find_missing(whole)
        exact = {name: i for i, name in enumerate(target.classes)}
        numbers = _index(target.classes, lambda text: kinds.as_number(text))
        folded = _index(target.classes, str.casefold)
        values = numerals.take_apart(whole).parse_bare(self.style)
        codes = []
        for text, lost, value in zip(whole.list_texts(), gone, values, strict=True):
            code = exact.get(text, numbers.get(value, folded.get(text.casefold(), -1)))
            codes.append(-1 if lost else code)
        out: np.ndarray = np.array([*codes, -1], np.int64)[whole.codes]
        return out


def _index(classes: tuple[str, ...], fold: object) -> Mapping[object, int]:
    """Folded class -> its number, where no two fold alike."""
    assert callable(fold)
    keys = [fold(name) for name in classes]
    return {key: i for i, key in enumerate(keys) if key is not None and keys.count(key) == 1}


def _guess_answers(column: Encoded, style: numerals.Style, levels: bool) -> ColumnReading:
    """Levels where a person says so (`levels`), else numbers where all texts are bare numbers, else levels. Dates, and more texts
    than can be classes, are no answers.
    """
    name = column.name
    if not len(column.texts):
        return ColumnReading(name, 0, "empty")
    if len(column.texts) <= kinds.MANY_LEVELS and (levels or column.levelled or len(column.texts) == 1):
        return ColumnReading(name, 0, "categorical", levels=tuple(column.list_texts()))
    if pair := kinds.find_pair(column):
        return ColumnReading(name, 0, "boolean", levels=pair)
    if (when := dates.parse_dates(column, style.decimal, forced=False)) is not None:
        return ColumnReading(name, 0, "date", date=when.form)
    parts = numerals.take_apart(column)
    bare = numerals.Style(".", "") if column.typed else style
    if not np.isnan(parts.parse_bare(bare)).any() and not kinds.are_codes(column):
        return ColumnReading(name, 0, "numeric", number=numerals.bare_format(bare))
    if len(column.texts) > kinds.MANY_LEVELS:
        return ColumnReading(name, 0, "text")
    return ColumnReading(name, 0, "categorical", levels=tuple(column.list_texts()))
