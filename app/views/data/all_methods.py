"""All methods for tables behind one press: by family, searched, each with what it does and about how long it takes on this table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.form.fields import draw_menu
from app.session import jobs
from app.session.store import read_catalog
from app.words import data as words
from app.words import lab
from app.words.text import format_count
from engine.spec.choices import list_choices
from engine.spec.contest import ContestRow, find_installed
from engine.spec.row_seconds import Guess, Pace, Size, count_width, guess_seconds, learn_pace, round_range

LATEST = 8
"""Comparisons, and runs, whose seconds are read, the newest ones."""


@dataclass(frozen=True)
class Table:
    """The table that is compared on. size: of its rows with an answer. counts: of each class."""

    size: Size
    folds: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, profile: Mapping[str, Any], left_out: Sequence[str | None] = ()) -> Table:
        """By a profile. left_out: columns that answers make no features."""
        counts = [int(one["rows"]) for one in profile["classes"]]
        return cls(Size.of(counts, count_width(profile, left_out)), int(profile["folds"] or 1), tuple(counts))


def draw_all(table: Table, budget: float, list_rows: Callable[[], Sequence[ContestRow]], take: Callable[[str], object]) -> None:
    """Draw the press that opens the list in a drawer; the page follows when that is closed.

    list_rows(): what is compared as it stands. take(name) is called where a method is pressed.
    """
    if st.button(lab.ALL_METHODS, key="data.all", icon=":material/list:"):
        st.dialog(lab.ALL_METHODS, position="right", width="medium", on_dismiss="rerun")(draw_list)(
            table, budget, list_rows, take
        )


def draw_list(
    table: Table, budget: float, list_rows: Callable[[], Sequence[ContestRow]], take: Callable[[str], object]
) -> None:
    """Draw the list, what its seconds are, and those of all chosen rows."""
    pace, rows = learn_pace(jobs.read_timings(LATEST)), list_rows()
    choices, left_out = list_choices(read_catalog(), table.counts, find_installed())
    draw_menu(
        [dataclasses.asdict(choice) for choice in choices],
        lambda method: describe_guess(guess_seconds(method["name"], table.size, pace)),
        {row.name for row in rows if "+" not in row.name},
        take,
        "data-all-list",
        closed={choice.name: choice.why for choice in choices},
        note=_write_note(table, pace),
        tall=True,
    )
    st.caption(" ".join(filter(None, (_sum_chosen(table, budget, rows, pace), _count_left_out(left_out)))))


def describe_guess(guess: Guess | None) -> str:
    """Return '2 to 9 s', 'below 1 s', 'seconds unknown'."""
    if guess is None:
        return words.SECONDS_UNKNOWN
    found = round_range(guess)
    return words.SECONDS_BELOW if found is None else words.SECONDS_FROM.format(low=found[0], high=found[1], unit=found[2])


def _write_note(table: Table, pace: Pace) -> str:
    note = words.MENU_NOTE.format(folds=format_count(table.folds, "fold"), rows=format_count(table.size.rows, "row"))
    return f"{note} {words.MENU_HERE}" if pace.methods or pace.own or pace.run else note


def sum_guesses(methods: Collection[str], guesses: Mapping[str, Guess | None]) -> tuple[Guess | None, int]:
    """Return (the seconds of all, how many of them are unknown). Guesses err alike, so the ends of their ranges are added."""
    known = [one for name in methods if (one := guesses[name]) is not None]
    total = Guess(*(sum(getattr(one, end) for one in known) for end in ("low", "middle", "high"))) if known else None
    return total, len(methods) - len(known)


def _sum_chosen(table: Table, budget: float, rows: Sequence[ContestRow], pace: Pace) -> str:
    """Return the seconds of the first score of every row; one with a remedy counts as its model."""
    methods = [row.method for row in rows]
    guesses = {name: guess_seconds(name, table.size, pace) for name in set(methods)}
    total, unknown = sum_guesses(methods, guesses)
    if total is None:
        return ""
    parts = [words.MENU_ALL.format(rows=format_count(len(rows), "row"), seconds=describe_guess(total))]
    if unknown:
        parts.append(words.MENU_UNKNOWN.format(count=unknown))
    if total.middle > budget:
        parts.append(words.MENU_LATE)
    return " ".join(parts)


def _count_left_out(count: int) -> str:
    return words.MENU_LEFT_OUT.format(count=format_count(count, "method")) if count else ""
