"""`python -m engine compare FILE --target COL --list-methods`: all methods with a guess of their seconds on a table."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from engine.spec.choices import Choice, list_choices
from engine.spec.comparison import CompareSpec
from engine.spec.contest import find_installed, list_rows
from engine.spec.row_seconds import Guess, Size, count_width, guess_seconds, round_range
from engine.text import one_line


def list_methods(profile: Mapping[str, Any], spec: CompareSpec) -> str:
    """The methods by family, a line each; a star marks those that are compared as asked. profile: of the table."""
    from engine.methods import FAMILIES, describe_methods  # torch, which no other command needs at its start

    counts = [one["rows"] for one in profile["classes"]]
    left_out = [name for name in (spec.time, spec.group) if name not in spec.keep]
    size = Size.of(counts, count_width(profile, [*left_out, spec.score_column]))
    catalog, installed = {"methods": describe_methods()}, find_installed()
    choices, images = list_choices(catalog, counts, installed)
    chosen = {row.name for row in list_rows(spec, catalog, installed=installed)}
    out = []
    for family, members in groupby(sorted(choices, key=lambda one: FAMILIES.index(one.family)), key=lambda one: one.family):
        out += ["", family]
        for one in members:
            guess = guess_seconds(one.name, size)
            mark = "*" if one.name in chosen else " "
            out.append(f" {mark} {one.name:<20} {one.why or describe_guess(guess):<16} {_shorten(one)}")
    head = (
        f"Seconds are a guess for a first score: {profile['folds'] or 1} folds on {size.rows:,} rows, on one free core. "
        "Plain training counts once."
    )
    feet = ["", "*: compared as asked.", f"Left out: {images} methods that take images alone."]
    return "\n".join([head, *out, *feet])


def describe_guess(guess: Guess | None) -> str:
    """'2 to 9 s', 'below 1 s', 'unknown'."""
    found = None if guess is None else round_range(guess)
    return "unknown" if guess is None else "below 1 s" if found is None else f"{found[0]} to {found[1]} {found[2]}"


def _shorten(choice: Choice) -> str:
    """Title and first sentence, without what follows a colon in it."""
    return one_line(f"{choice.title}: {choice.summary.partition('. ')[0].partition(': ')[0].rstrip('.')}.", 140)
