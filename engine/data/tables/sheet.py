"""A table as read: columns with their kinds, guesses, notes for display. Imports neither torch nor pandas."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import BadData
from engine.spec import table_limits
from engine.spec.table_reading import KINDS, TableReading

__all__ = ["FEATURES", "KINDS", "Column", "Sheet", "check_size", "count_of", "list_names", "match_name", "shorten"]

FEATURES = KINDS[:4]


@dataclass(frozen=True)
class Column:
    """One column of n rows.

    values [n]: for numeric, boolean (0, 1) and date (days since 1970-01-01, UTC) float64 with NaN where missing; for all others
    int64 codes into `levels`, -1 where missing, -2 for a level that the reading it was read by does not have. levels: the texts,
    most frequent first; for a boolean those of 0 and 1. Empty for numeric, date, text, id and ignored columns, whose codes only
    show which rows are equal. missing: number of missing rows. guessed: False where a person set the type. examples: up to three
    of its texts as written, most frequent first.
    distinct: number of different texts.
    """

    name: str
    kind: str
    values: np.ndarray
    levels: tuple[str, ...]
    missing: int
    guessed: bool
    examples: tuple[str, ...]
    distinct: int


@dataclass(frozen=True)
class Sheet:
    """The result of `read_sheet`.

    guesses: format, encoding, delimiter, decimal, thousands, header, sheet, missing (the marks that occur); None where it does
    not apply. All but format can be passed back as options. given: the options that were given. notes: sentences for display.
    reading: how the table was read, with a target where the reading was given with one. sources: texts of columns that hold
    other values as the target (`engine.data.tables.answers`).
    """

    columns: tuple[Column, ...]
    rows: int
    guesses: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reading: TableReading = field(default_factory=lambda: TableReading("text"))
    sources: Any = field(default=None, repr=False, compare=False)

    def resolve(self, asked: str) -> str:
        """The name of the column that a person means by `asked`: exact, else trimmed, else in any case. Raises BadData."""
        return match_name(asked, [column.name for column in self.columns])

    def column(self, name: str) -> Column:
        """The column that `name` means, see `resolve`. Raises BadData."""
        name = self.resolve(name)
        return next(column for column in self.columns if column.name == name)


SHOWN = 10
"""Most names in a sentence that lists what there is."""


def match_name(asked: str, names: Sequence[str]) -> str:
    """The one of the columns' names that `asked` means: exact, else trimmed, else in any case. Raises BadData."""
    for fold in (str, str.strip, lambda name: name.strip().casefold()):
        found = [name for name in names if fold(name) == fold(asked)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadData(
                f"{shorten(asked)!r} can mean several columns: {list_names(found, SHOWN)}; write one as it stands there."
            )
    raise BadData(f"The table has no column called {shorten(asked)!r}; there are: {list_names(list(names), SHOWN)}.")


def shorten(name: str, limit: int = 40) -> str:
    """A name for a sentence: one line, without characters that hide or reverse letters, at most `limit` characters."""
    seen = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] in "CZ" and c != " " else c for c in name[:limit])
    return seen if len(name) <= limit else f"{seen[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def list_names(names: list[str], limit: int = 3) -> str:
    """Some names for a sentence: 'a', 'b', 'c' and 4 more."""
    shown = ", ".join(repr(shorten(name)) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def count_of(n: int, noun: str) -> str:
    """A number with its noun: 1 row, 2,000 rows."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def check_size(rows: int, columns: int) -> None:
    """Raises BadData where a table is too large."""
    if columns > table_limits.MAX_COLUMNS:
        raise BadData(f"The table has {columns:,} columns; at most {table_limits.MAX_COLUMNS:,} are read: leave some out.")
    if rows > table_limits.MAX_ROWS:
        raise BadData(f"The table has more than {table_limits.MAX_ROWS:,} rows, and no more are read: send a sample of them.")
    if rows * columns > table_limits.MAX_CELLS:
        raise BadData(
            f"The table has {rows * columns:,} cells; at most {table_limits.MAX_CELLS:,} are read: send fewer rows or columns."
        )
