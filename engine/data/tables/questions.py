"""Guesses for what a table does not say of its rows: when one happens, whom it belongs to, what it costs, which score is in use.

    profile["questions"] = guess_questions(sheet, "left")
    {
        "time": {"column": "day", "reason": "Guessed: a date in every row.", "columns": ["day"], "tables": {"day": {...}}},
        "group": {"column": "card", "reason": "Guessed: 9,120 values, 38 of 100 repeat.", "columns": [...], "tables": {...}},
        "cost": {"column": None, "reason": "", "columns": [names]}, "score": {the same},
        "classes": [names], "counts": [rows], "folds": 5,
        "pairs": {time: {group: {"owner": [...], "place": [...]}}},
    }

`engine.stats.split_plan.plan_split(questions, ...)` draws the split from the tables. A time's table: at (distinct times, ascending; days
where is_date), counts [at, classes], missing (rows without one), is_date. An owner's: distinct, repeats (of 100 values), sizes (owners
with 1, 2, ... 6, and with 7 or more rows), missing. A pair: the rows of some owners, owner [k] and place [k], an index into `at`.
columns: what can be chosen, the likeliest first. Imports neither torch nor pandas.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from engine.data.tables.named import code_owners
from engine.data.tables.sheet import Column, Sheet
from engine.data.tables.target import build_labels

MOST_TIMES = 400
"""Most distinct times in a table of counts; more are joined to as many, of about the same number of rows."""

MOST_COLUMNS = 6
"""Most columns with a table of counts, for each question."""

MOST_PAIRED = 2_000
"""Most rows in the table of a pair of columns."""

MOST_SIZES = 7
"""Owners with as many rows, or more, are counted together."""

MOST_DAYS = 1_000_000
"""Days between the first and the last date that are counted in a table."""

HEAD = 1_000
"""First rows that are looked at before all of them are."""

FEW_OWNERS = 10
"""With fewer values a column is a level, no owner."""

TIME_NAME = re.compile(
    r"(?:^|[_\W])(date|datum|day|tag|time|timestamp|zeit|when|month|monat|year|jahr|week|step|period|epoch|created|updated|ts|dt)"
    r"(?:$|[_\W\d])|(date|time|datum|timestamp)$",
    re.I,
)
BIRTH_NAME = re.compile(r"birth|born|dob|expir|valid_?until|geburt|ablauf", re.I)
"""Dates that are no time at which a row happens."""
OWNER_NAME = re.compile(
    r"(?:^|[_\W])(card|customer|client|patient|subject|person|user|member|account|acct|owner|holder|machine|device|unit|asset|engine|"
    r"vehicle|vin|serial|merchant|company|firm|store|shop|site|plant|sensor|household|employee|student|kunde|karte|konto|patientin|"
    r"maschine|nameorig|namedest)(?:$|[_\W\d]|id|no|nr|number|code|key)",
    re.I,
)
COST_NAME = re.compile(r"amount|amt|cost|loss|price|value|sum|betrag|kosten|schaden|montant|importe", re.I)
SCORE_NAME = re.compile(r"score|rule|risk|prob|pred|flag|rating|alert", re.I)

NO_TIME = "No date column found: rows count as unordered."
NO_OWNER = "No column of repeating owners found: each row stands alone."


def guess_questions(sheet: Sheet, target: str, positive: str | None = None, folds: int = 5) -> dict[str, Any]:
    """See the module. JSON-plain. folds: of a random split. Raises BadData for a target or class that cannot be used."""
    labels = build_labels(sheet, target, positive)
    goal = sheet.resolve(target)
    rows = np.flatnonzero(labels.y >= 0)
    y, classes = labels.y[rows], len(labels.classes)
    rest = [column for column in sheet.columns if column.name != goal]
    times = sorted(((c, n) for c in rest if (n := _rate_time(c, rows)) > 0), key=lambda pair: -pair[1])[:MOST_COLUMNS]
    owners = sorted(((c, n) for c in rest if (n := _rate_owner(c)) > 0), key=lambda pair: -pair[1])[:MOST_COLUMNS]
    time_tables, places = {}, {}
    for column, _ in times:
        time_tables[column.name], places[column.name] = _count_times(column, rows, y, classes)
    owner_tables, codes = {}, {}
    for column, _ in owners:
        codes[column.name] = code_owners(sheet, column)[rows]
        owner_tables[column.name] = _count_owners(codes[column.name])
    time = next((c for c, n in times if n >= 1 and len(time_tables[c.name]["at"]) >= 3), None)
    group = next((c for c, n in owners if n >= 1 and owner_tables[c.name]["repeats"] > 0 and c is not time), None)
    numbers = [c for c in rest if c.kind in ("numeric", "boolean")]
    pairs = {t.name: {g.name: _pair(places[t.name], codes[g.name]) for g, _ in owners[:2] if g is not t} for t, _ in times[:2]}
    return {
        "time": {
            "column": None if time is None else time.name,
            "reason": NO_TIME if time is None else _explain_time(time, time_tables[time.name], len(rows)),
            "columns": [c.name for c, _ in times],
            "tables": time_tables,
        },
        "group": {
            "column": None if group is None else group.name,
            "reason": NO_OWNER if group is None else _explain_owner(owner_tables[group.name]),
            "columns": [c.name for c, _ in owners],
            "tables": owner_tables,
        },
        "cost": {"column": None, "reason": "", "columns": _put_first(numbers, COST_NAME)},
        "score": {"column": None, "reason": "", "columns": _put_first(numbers, SCORE_NAME)},
        "classes": list(labels.classes),
        "counts": labels.counts.tolist(),
        "folds": folds,
        "pairs": pairs,
    }


def _put_first(columns: list[Column], name: re.Pattern[str]) -> list[str]:
    """Names, those that match first."""
    return [c.name for c in sorted(columns, key=lambda c: name.search(c.name) is None)]


def _rate_time(column: Column, rows: np.ndarray) -> float:
    """How likely a column says when a row happens: 0 where it cannot be offered, from 1 on where it is guessed."""
    if column.kind not in ("date", "numeric") or column.distinct < 3:
        return 0.0
    called = TIME_NAME.search(_part_words(column.name)) is not None
    if column.kind == "numeric" and not called and not _is_sorted(column.values[rows[:HEAD]]):
        return 0.0
    values = column.values[rows]
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(rows) or not len(known):
        return 0.0
    sorted_rows = _is_sorted(known)
    if column.kind == "date":
        born = BIRTH_NAME.search(column.name) is not None
        return 0.5 if born else 2.0 + called + sorted_rows + len(known) / len(rows)
    if not (called or sorted_rows):
        return 0.0
    return 1.0 + len(known) / len(rows) if called and sorted_rows else 0.5


def _is_sorted(values: np.ndarray) -> bool:
    """Whether known values only rise, or only fall."""
    steps = np.diff(values[~np.isnan(values)])
    return bool((steps >= 0).all() or (steps <= 0).all())


def _part_words(name: str) -> str:
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name)


def _rate_owner(column: Column) -> float:
    """As `_rate_time`, for whom a row belongs to."""
    if column.kind not in ("numeric", "categorical", "text", "id") or column.distinct < FEW_OWNERS:
        return 0.0
    if column.distinct >= len(column.values) - column.missing:
        return 0.0
    if column.kind == "numeric" and not all(_are_whole(column.values[part]) for part in (slice(HEAD), slice(None))):
        return 0.0
    called = OWNER_NAME.search(_part_words(column.name)) is not None
    if called:
        return 2.0 + (column.distinct > FEW_OWNERS * 5)
    coded = column.kind in ("text", "id") and not any(" " in text for text in column.examples)
    return 1.0 if coded else 0.3 if column.kind == "text" else 0.5


def _are_whole(values: np.ndarray) -> bool:
    return bool((np.isnan(values) | (np.floor(values) == values)).all())


def _count_times(column: Column, rows: np.ndarray, y: np.ndarray, classes: int) -> tuple[dict[str, Any], np.ndarray]:
    """(a time's table, the place of each row [n] in its `at`, -1 without a time)."""
    values = column.values[rows]
    known = np.isfinite(values)
    if column.kind == "date":
        days = np.floor(values[known]).astype(np.int64)
        first_day = int(days.min())
        there = np.bincount(days - first_day) > 0 if np.ptp(days) < MOST_DAYS else None
    if column.kind == "date" and there is not None:  # faster than sorting
        at, when = np.flatnonzero(there) + float(first_day), (np.cumsum(there) - 1)[days - first_day]
    else:
        at, when = np.unique(np.floor(values[known]) if column.kind == "date" else values[known], return_inverse=True)
    if len(at) > MOST_TIMES:
        upto = np.cumsum(np.bincount(when))
        bins = np.minimum((upto - 1) * MOST_TIMES // upto[-1], MOST_TIMES - 1)
        first = np.unique(bins, return_index=True)[1]
        when = np.searchsorted(first, when, "right") - 1
        at = at[first]
    counts = np.zeros((len(at), classes), np.int64)
    np.add.at(counts, (when, y[known]), 1)
    place = np.full(len(values), -1, np.int64)
    place[known] = when
    table = {
        "at": at.tolist(),
        "counts": counts.tolist(),
        "missing": int((~known).sum()),
        "is_date": column.kind == "date",
    }
    return table, place


def _count_owners(codes: np.ndarray) -> dict[str, Any]:
    """An owner's table. codes [n]: -1 without one."""
    sizes = np.bincount(codes[codes >= 0])
    sizes = sizes[sizes > 0]
    return {
        "distinct": len(sizes),
        "repeats": round(100 * float((sizes > 1).mean())) if len(sizes) else 0,
        "missing": int((codes < 0).sum()),
        "sizes": np.bincount(np.minimum(sizes, MOST_SIZES), minlength=MOST_SIZES + 1)[1:].tolist(),
    }


def _pair(place: np.ndarray, codes: np.ndarray) -> dict[str, list[int]]:
    """The rows of as many owners as make MOST_PAIRED rows: evenly over their codes, nothing is drawn."""
    known = np.flatnonzero((place >= 0) & (codes >= 0))
    step = max(1, -(-len(known) // MOST_PAIRED))
    taken = known[codes[known] % step == 0][: 2 * MOST_PAIRED]
    return {"owner": np.unique(codes[taken], return_inverse=True)[1].tolist(), "place": place[taken].tolist()}


def _explain_time(column: Column, table: dict[str, Any], rows: int) -> str:
    if column.kind == "date":
        missing = table["missing"]
        return "Guessed: a date in every row." if not missing else f"Guessed: a date in {rows - missing:,} of {rows:,} rows."
    return "Guessed: its name, and numbers that follow the order of the rows."


def _explain_owner(table: dict[str, Any]) -> str:
    return f"Guessed: {table['distinct']:,} values, {table['repeats']} of 100 repeat."
