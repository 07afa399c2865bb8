"""The header of a table: whether a row is one, where it comes again, and the names of the columns as pandas has them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.data.tables import sniff, texts
from engine.data.tables.sheet import count_of, list_names
from engine.spec import table_limits

FEW = 10
"""Rows of each value, on average, in a column of few values."""

HEADER_ROWS, HEADER_COLUMNS = 200, 200
"""Rows and columns inspected to tell a header from a row."""


def read_row(columns: Sequence[Any], row: int) -> list[str]:
    """The trimmed cells of one row."""
    return [(column[row].as_py() or "").strip() for column in columns]


def names_target(first: Sequence[str], target: str | None) -> bool:
    """Whether the target that a person named stands in the first row, trimmed and in any case."""
    return target is not None and bool(target.strip()) and target.strip().casefold() in {cell.casefold() for cell in first}


def looks_headed(columns: Sequence[Any]) -> bool:
    """Whether the first row is a header: its cells differ in kind from those below, and do not occur there again.

    Whole numbers, dates and times are names where all cells differ and one is a word that does not occur below and stands above
    numbers or values that repeat; so are other numbers, in ascending order, beside a word above few values. Rows that repeat the
    first one in every cell do not count.
    """
    first = read_row(columns, 0)
    if len(columns[0]) < 2:
        return not any(_is_value(cell) for cell in first)
    if len(first) > 2 and first in ([str(i) for i in range(len(first))], [str(i + 1) for i in range(len(first))]):
        return True  # numbered columns
    same = find_repeats(columns, first)
    bodies = [_read_body(column, same) for column in columns[:HEADER_COLUMNS]]
    if _names_by_word(first, bodies):
        return True
    votes = 0
    for body, cell in zip(bodies, first, strict=False):
        if not body:
            continue
        numbers = 2 * sum(_is_value(text) for text in body) > len(body)
        if not cell or cell.lower() in texts.MARKS:
            votes -= bool(cell) and numbers
        elif _is_value(cell):
            votes -= 1
        elif numbers:
            votes += 1
        elif cell in body:
            votes -= 1
    names = [cell for cell in first if cell]
    return votes > 0 or (votes == 0 and len(set(names)) == len(names) and 2 * len(names) > len(first))


def _read_body(column: Any, same: np.ndarray) -> list[str]:
    """The first values below the first row, without rows that repeat it and without marks of missing values."""
    cells = column.slice(1, HEADER_ROWS).to_pylist()
    trimmed = [(text or "").strip() for text, repeats in zip(cells, same[1:], strict=False) if not repeats]
    return [text for text in trimmed if text and text.lower() not in texts.MARKS]


def _names_by_word(first: Sequence[str], bodies: Sequence[Sequence[str]]) -> bool:
    """Whether years, dates, times or whole numbers are names, since a word among them is one."""
    names = [cell for cell in first if cell]
    if len(set(names)) < len(names) or not any(_is_value(cell) for cell in names):
        return False
    word = few = False
    others: list[float] = []
    for cell, body in zip(first, bodies, strict=False):
        if not cell:
            continue
        if _is_value(cell):
            if not (cell.isdigit() or sniff.DATE.match(cell)):
                if not (bare := re.fullmatch(r"([+\-\u2212]?[0-9]+(?:[.,][0-9]+)?) ?%?", cell)):
                    return False
                others.append(float(bare[1].replace(",", ".").replace("\u2212", "-")))
            continue
        if cell in body:
            return False
        numbers = 2 * sum(_is_value(text) for text in body) > len(body)
        word |= bool(body) and (numbers or len(set(body)) < len(body))
        few |= 1 < len(set(body)) <= len(body) / FEW
    return word and (not others or (few and others == sorted(set(others))))


def _is_value(text: str) -> bool:
    """Whether the text is a number, or begins like a date."""
    return sniff.NUMBER.fullmatch(text) is not None or sniff.DATE.match(text) is not None


def find_repeats(columns: Sequence[Any], first: Sequence[str]) -> np.ndarray:
    """Which rows equal `first` in every cell, trimmed; bool [n]."""
    import pyarrow.compute as pc

    same = np.ones(len(columns[0]), bool)
    for column, cell in zip(columns, first, strict=True):
        at = np.flatnonzero(same)
        if not len(at):
            break
        part = column if len(at) == len(same) else column.take(at)
        trimmed = pc.fill_null(pc.utf8_trim_whitespace(part), "")
        same[at] = pc.equal(trimmed, cell).to_numpy(zero_copy_only=False)
    return same


def name_columns(cells: Sequence[str | None], places: Sequence[int], notes: list[str]) -> list[str]:
    """Unique names of the columns, as pandas makes them, with blanks around them gone. cells: as written; None where there is no
    header. places: number of each column in the file, from 0.
    """
    cut = sum(len((cell or "").strip()) > table_limits.MAX_NAME for cell in cells)
    bare = [(cell or "").strip()[: table_limits.MAX_NAME] for cell in cells]
    headless = all(cell is None for cell in cells)
    nameless = [i for i, name in enumerate(bare) if not name]
    for i in nameless:
        bare[i] = f"column {places[i] + 1}" if headless else f"Unnamed: {places[i]}"
    names = mangle_names(bare, nameless)
    if nameless and not headless:
        called = list_names([names[i] for i in nameless])
        notes.append(f"{count_of(len(nameless), 'column')} without a name: called {called}.")
    if twice := [bare[i] for i in range(len(bare)) if names[i] != bare[i]]:
        notes.append(f"{list_names(list(dict.fromkeys(twice)))}: several columns of this name are told apart by a number.")
    if cut:
        notes.append(f"{count_of(cut, 'column name')} cut to {table_limits.MAX_NAME:,} characters.")
    return names


def mangle_names(names: Sequence[str], last: Sequence[int] = ()) -> list[str]:
    """The names with .1, .2 ... behind those that come again: the next number that makes a name nobody has. last: places of
    columns that give way to the others.
    """
    out = list(names)
    counts: dict[str, int] = defaultdict(int)
    later = set(last)
    for i in [*(i for i in range(len(out)) if i not in later), *last]:
        base = name = out[i]
        count = counts[base]
        while count > 0:
            counts[base] = count + 1
            name = f"{base}.{count}"
            count = count + 1 if name in out else counts[name]
        out[i] = name
        counts[name] += 1
    return out
