"""Columns that say more of a row than a feature does: when it happens, whom it belongs to, what it costs, the score in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.data.tables.sheet import Column, Sheet, shorten
from engine.errors import BadData

ORDER, OWNER, SCORE = "order", "owner", "score"
"""Why such a column is no feature, in the place of its kind."""


@dataclass(frozen=True)
class Named:
    """The columns, None where none is named. roles: name -> ORDER, OWNER or SCORE of those that are no features."""

    time: Column | None
    group: Column | None
    cost: Column | None
    score: Column | None
    roles: dict[str, str]


def find_named(
    sheet: Sheet,
    target: str,
    *,
    time: str | None = None,
    group: str | None = None,
    cost: str | None = None,
    score: str | None = None,
    keep: Sequence[str] = (),
) -> Named:
    """The columns that a person named. time: of dates, or of numbers that order the rows. group: whom a row belongs to. cost, score:
    of numbers, or of yes and no. keep: those of time and group that stay features.

    Raises BadData for a column that is not there or cannot be what it is named for, and for one that is named twice or is the target.
    """
    asked = {"time": time, "group": group, "score column": score, "cost column": cost}
    found = {what: None if name is None else sheet.column(name) for what, name in asked.items()}
    goal = sheet.resolve(target)
    seen: dict[str, str] = {}
    for what, column in found.items():
        if column is None:
            continue
        if column.name == goal:
            raise BadData(f"{shorten(column.name)!r} is the target, so it cannot be the {what} too: name another column.")
        if what != "cost column" and column.name in seen:
            raise BadData(f"{shorten(column.name)!r} is named as {seen[column.name]} and as {what}: name two columns.")
        seen[column.name] = what
        _check_kind(what, column)
    kept = {sheet.resolve(name) for name in keep}
    parts = ((found["time"], ORDER), (found["group"], OWNER), (found["score column"], SCORE))
    roles = {c.name: role for c, role in parts if c is not None and (role == SCORE or c.name not in kept)}
    return Named(found["time"], found["group"], found["cost column"], found["score column"], roles)


MEANS = {ORDER: "says when a row happens", OWNER: "says whom a row belongs to", SCORE: "is the score in use"}
"""Role -> what a column of it is for."""


def describe_named(named: Named) -> list[str]:
    """Sentences about the columns that are no features for what they mean."""
    return [f"{shorten(name)!r} {MEANS[role]}: nothing is learnt from it." for name, role in named.roles.items()]


def _check_kind(what: str, column: Column) -> None:
    """Raises BadData where a column cannot be what it is named for."""
    who = f"Column {shorten(column.name)!r}"
    if column.kind == "empty":
        raise BadData(f"{who} is empty, so it cannot be the {what}: name another column.")
    if what == "time" and column.kind not in ("date", "numeric"):
        raise BadData(f"{who} holds neither dates nor numbers, so it gives no order: name another column, or set its type.")
    if what in ("cost column", "score column") and column.kind not in ("numeric", "boolean"):
        raise BadData(f"{who} holds no numbers, so it cannot be the {what}: name another column, or set its type.")


def code_owners(sheet: Sheet, column: Column) -> np.ndarray:
    """int64 [n]: one code for all rows of an owner, -1 where none is named."""
    source = None if sheet.sources is None else sheet.sources.columns.get(column.name)
    if column.kind == "categorical" and source is not None and len(source.texts) > len(column.levels):
        return np.asarray(source.codes, np.int64)  # rare levels were merged; owners are not
    if column.values.dtype != np.float64:
        codes: np.ndarray = np.maximum(column.values, -1).astype(np.int64)
        return codes
    known = ~np.isnan(column.values)
    out = np.full(len(known), -1, np.int64)
    out[known] = np.unique(column.values[known], return_inverse=True)[1]
    return out
