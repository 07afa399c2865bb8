"""What the profile of a table guesses of the three questions: columns that can say when a row happens, whom it belongs to, what a score
in use or a cost is. A profile of before holds no guesses; then they follow from its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class When:
    """A column that can order the rows. bars: rows per equal stretch of it; low, high: its ends, in days where it holds dates."""

    name: str
    is_date: bool
    bars: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def days(self) -> float | None:
        """The days from its first to its last row, None where it holds no dates."""
        return self.high - self.low if self.is_date and self.high is not None and self.low is not None else None


@dataclass(frozen=True)
class Whose:
    """A column whose values repeat. values: how many differ; repeats: the share of them in two rows or more, None where not known.

    sizes: how many values stand in 1, 2, ... rows, the last place for all more.
    """

    name: str
    values: int
    repeats: float | None = None
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Guesses:
    """Columns that come into question, likeliest first. time, group: the guesses, None where none is; why: of each, as plain text."""

    times: tuple[When, ...] = ()
    owners: tuple[Whose, ...] = ()
    scores: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    time: str | None = None
    time_why: str = ""
    group: str | None = None
    group_why: str = ""

    def find_time(self, name: str | None) -> When | None:
        """Return the column of that name."""
        return next((one for one in self.times if one.name == name), None)

    def find_owner(self, name: str | None) -> Whose | None:
        """Return the column of that name."""
        return next((one for one in self.owners if one.name == name), None)


def read_guesses(profile: Mapping[str, Any]) -> Guesses:
    """Return the guesses of a profile."""
    asked = profile.get("questions") or {}
    time, group = asked.get("time") or {}, asked.get("group") or {}
    target = (profile.get("target") or {}).get("name")
    columns = [c for c in profile["columns"] if c["name"] != target]
    numeric = tuple(str(c["name"]) for c in columns if c["kind"] == "numeric")
    return Guesses(
        tuple(_read_when(one) for one in time.get("columns") or ()) or tuple(_list_dates(columns)),
        tuple(_read_whose(one) for one in group.get("columns") or ()) or tuple(_list_repeating(columns, profile)),
        _list_names(asked.get("score"), numeric),
        _list_names(asked.get("cost"), numeric),
        time.get("guess"),
        str(time.get("why") or ""),
        group.get("guess"),
        str(group.get("why") or ""),
    )


def _list_names(found: Any, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a list of names or of columns; otherwise where the profile says nothing."""
    listed: Sequence[Any] = (found.get("columns") or ()) if isinstance(found, Mapping) else (found or ())
    names = tuple(str(one["name"]) if isinstance(one, Mapping) else str(one) for one in listed)
    return names or otherwise


def _read_when(one: Mapping[str, Any]) -> When:
    return When(
        str(one["name"]),
        bool(one.get("is_date", True)),
        tuple(int(n) for n in one.get("bars") or ()),
        one.get("low"),
        one.get("high"),
    )


def _read_whose(one: Mapping[str, Any]) -> Whose:
    repeats = one.get("repeat")
    return Whose(
        str(one["name"]),
        int(one.get("values") or 0),
        None if repeats is None else float(repeats),
        tuple(int(n) for n in one.get("sizes") or ()),
    )


def _list_dates(columns: Sequence[Mapping[str, Any]]) -> list[When]:
    return [When(str(c["name"]), True, (), c.get("low"), c.get("high")) for c in columns if c["kind"] == "date"]


def _list_repeating(columns: Sequence[Mapping[str, Any]], profile: Mapping[str, Any]) -> list[Whose]:
    """Columns with many values, fewer than there are rows."""
    most = int(profile["rows"]) * 0.9
    return [
        Whose(str(c["name"]), int(c["distinct"])) for c in columns if 20 <= int(c["distinct"]) <= most and c["kind"] != "date"
    ]
