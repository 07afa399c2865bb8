"""What the profile of a table guesses of the three questions (`engine.data.tables.questions`): columns that can say when a row happens,
whom it belongs to, what a score in use or a cost is. A profile of before holds no guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BARS = 36
"""Bars of the picture of rows over time."""


@dataclass(frozen=True)
class When:
    """A column that can order the rows. at: its distinct times, ascending, in days where it holds dates; rows: at each of them."""

    name: str
    is_date: bool
    at: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def days(self) -> float | None:
        """The days from its first to its last row, None where it holds no dates."""
        return self.at[-1] - self.at[0] if self.is_date and self.at else None

    @property
    def bars(self) -> list[int]:
        """Rows in BARS equal stretches of the time."""
        if not self.at:
            return []
        counts = np.histogram(self.at, BARS, (self.at[0], max(self.at[-1], self.at[0] + 1)), weights=self.rows)[0]
        return [int(n) for n in counts]


@dataclass(frozen=True)
class Whose:
    """A column whose values repeat. values: how many differ; repeats: of 100 of them, those in two rows or more.

    sizes: how many values stand in 1, 2, ... rows, the last place for all more; () where that is not known.
    """

    name: str
    values: int
    repeats: float
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Guesses:
    """Columns that can be chosen, likeliest first. time, group: the guesses, None where none is; why: of each, one plain sentence.

    tables: the profile's own, for `engine.stats.split_plan.plan_split`; {} where the profile has none.
    """

    times: tuple[When, ...] = ()
    owners: tuple[Whose, ...] = ()
    scores: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    time: str | None = None
    time_why: str = ""
    group: str | None = None
    group_why: str = ""
    tables: Mapping[str, Any] | None = None

    def find_time(self, name: str | None) -> When | None:
        """Return the column of that name."""
        return next((one for one in self.times if one.name == name), None)

    def find_owner(self, name: str | None) -> Whose | None:
        """Return the column of that name."""
        return next((one for one in self.owners if one.name == name), None)


def read_guesses(profile: Mapping[str, Any]) -> Guesses:
    """Return the guesses of a profile."""
    found = profile.get("questions")
    if not found:
        return Guesses()
    time, group = found["time"], found["group"]
    return Guesses(
        tuple(_read_when(name, time["tables"][name]) for name in time["columns"] if name in time["tables"]),
        tuple(_read_whose(name, group["tables"][name]) for name in group["columns"] if name in group["tables"]),
        tuple(found["score"]["columns"]),
        tuple(found["cost"]["columns"]),
        time["column"],
        str(time["reason"]),
        group["column"],
        str(group["reason"]),
        found,
    )


def _read_when(name: str, table: Mapping[str, Any]) -> When:
    rows = tuple(int(sum(counts)) for counts in table["counts"])
    return When(name, bool(table["is_date"]), tuple(float(t) for t in table["at"]), rows)


def _read_whose(name: str, table: Mapping[str, Any]) -> Whose:
    return Whose(name, int(table["distinct"]), float(table["repeats"]), tuple(int(n) for n in table.get("sizes") or ()))
