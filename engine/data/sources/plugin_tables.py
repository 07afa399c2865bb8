"""Tables of a person's plugin folder: each line of `tables/tables.txt` names a CSV beside it and its target column."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from engine import plugins
from engine.damage import refuse_damage
from engine.data import places
from engine.data.facts import Facts
from engine.data.table import Dataset
from engine.errors import BadData, UnknownName
from engine.text import one_line, quote

ORDER = 910
OWN_FOLDER = True
"""Its sets need no data folder."""
FOLDER, LIST = "tables", "tables.txt"
READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""
MOST_CLASSES = 50


@dataclass(frozen=True)
class Listed:
    """A line of the list. target: a column. positive: the class that becomes class 1 of two, '' for the smaller one."""

    path: Path
    target: str
    positive: str


def _read_list() -> tuple[dict[str, Listed], list[str]]:
    """Sets by name, and a sentence for each line that names none."""
    folder = plugins.find_folder()
    if folder is None or not (folder / FOLDER / LIST).is_file():
        return {}, []
    with refuse_damage(f"{folder / FOLDER / LIST} cannot be read"):
        text = (folder / FOLDER / LIST).read_text(encoding="utf-8-sig")
    found: dict[str, Listed] = {}
    wrong = []
    for number, cells in enumerate(csv.reader(io.StringIO(text), skipinitialspace=True), 1):
        parts = [cell.strip() for cell in cells]
        if not any(parts) or parts[0].startswith("#"):
            continue
        if len(parts) not in (2, 3) or not all(parts[:2]):
            wrong.append(
                f"{LIST}, line {number}: write the name of a CSV, its target and, where it matters, the class to find."
            )
            continue
        stem = parts[0].removesuffix(".csv")
        if not stem.isprintable() or {"/", "\\"} & set(stem) or stem.startswith("."):
            wrong.append(f"{LIST}, line {number}: {quote(parts[0])} is not the name of a file beside it.")
            continue
        found.setdefault(f"{FOLDER}/{stem}", Listed(folder / FOLDER / f"{stem}.csv", parts[1], (*parts, "")[2]))
    return found, wrong


def find_sets() -> dict[str, Path]:
    """Names of the sets with their files, unreadable ones included."""
    with suppress(BadData):
        return {name: listed.path for name, listed in _read_list()[0].items()}
    return {}


def facts() -> list[Facts]:
    """The sets that can be read, as the catalog shows them."""
    out = []
    for name in find_sets():
        with suppress(BadData):  # `unreadable` gives the reason
            out.append(facts_of(name))
    return out


def unreadable() -> list[str]:
    """For each table that cannot be read, a sentence with the reason."""
    try:
        listed, out = _read_list()
    except BadData as error:
        return [str(error)]
    for name in listed:
        try:
            facts_of(name)
        except BadData as error:
            out.append(str(error))
    return out


def facts_of(name: str) -> Facts:
    """One set as the catalog shows it. Raises UnknownName, BadData."""
    listed, identity = _find(name)
    data = _read(name, listed, identity)
    counts = np.bincount(data.y, minlength=len(data.classes))
    return Facts(
        name=name,
        title=name.removeprefix(f"{FOLDER}/"),
        kind="tabular",
        source="your tables",
        classes=data.classes,
        counts=tuple(int(n) for n in counts),
        features=len(data.numeric_names) + len(data.categorical_names),
        columns=len(data.numeric_names) + sum(map(len, data.categories)),
        licence="not stated",
        citation="Your own table.",
        url="",
        fingerprint=f"plugin table {READER} sha256 {_digest(listed.path, identity)} {listed.target} {listed.positive}".rstrip(),
        how_to_get=f"It lies in the folder {FOLDER} of {plugins.SETTING}.",
        summary=f"Your table {one_line(listed.path.name, 80)}: {one_line(listed.target, 80)} from its other columns.",
    )


def available(name: str) -> bool:
    """Whether its file is there."""
    path = find_sets().get(name)
    return path is not None and path.is_file()


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The rows. Raises UnknownName, BadData."""
    return _read(name, *_find(name))


def _find(name: str) -> tuple[Listed, str]:
    """A set's line and what changes whenever its file does."""
    listed = _read_list()[0].get(name)
    if listed is None:
        raise UnknownName(f"{LIST} has no table for {quote(name)}.")
    with refuse_damage(f"{listed.path} cannot be read"):
        told = listed.path.stat()
    return listed, f"{told.st_size} {told.st_mtime_ns}"


@cache
def _digest(path: Path, identity: str) -> str:
    return places.digest(path)


@cache
def _read(name: str, listed: Listed, identity: str) -> Dataset:
    """The table. A column whose cells are all numbers is one of numbers, any other one of categories."""
    file = listed.path.name
    with refuse_damage(f"{listed.path} cannot be read"):
        if listed.path.exists() and not listed.path.is_file():  # reading a pipe would wait for ever
            raise OSError("it is no file")
        text = listed.path.read_text(encoding="utf-8-sig")
    try:
        lines = [cells for cells in csv.reader(io.StringIO(text, newline=""), strict=True) if cells]
    except csv.Error as error:
        raise BadData(f"{file} is no CSV: {one_line(str(error), 200)}.") from None
    if len(lines) < 2:
        raise BadData(f"{file} has no rows below a line of column names.")
    names = [cell.strip() for cell in lines[0]]
    if len(set(names)) < len(names) or not all(names):
        raise BadData(f"{file}: every column needs a name of its own.")
    if listed.target not in names:
        raise BadData(f"{file} has no column {quote(listed.target)}; it has: {one_line(', '.join(names), 200)}.")
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(names):
            raise BadData(f"{file}, row {number}: {len(cells)} values in a table of {len(names)} columns.")
    columns = {column: [cells[i].strip() for cells in lines[1:]] for i, column in enumerate(names)}
    if bad := next((column for column, cells in columns.items() if not all(cells)), None):
        raise BadData(f"{file}: column {quote(bad)} has empty cells; a table of this folder is complete.")
    classes = _order_classes(columns.pop(listed.target), listed, file)
    if not columns:
        raise BadData(f"{file} has no column beside its target.")
    numeric = {column: numbers for column, cells in columns.items() if (numbers := _read_numbers(cells)) is not None}
    texts = {column: cells for column, cells in columns.items() if column not in numeric}
    levels = {column: tuple(sorted(set(cells))) for column, cells in texts.items()}
    place = {column: {level: i for i, level in enumerate(own)} for column, own in levels.items()}
    rows = len(lines) - 1
    return Dataset(
        name=name,
        kind="tabular",
        numeric=np.array(list(numeric.values()), np.float64).reshape(len(numeric), rows).T.copy(),
        categorical=np.array([[place[c][v] for v in cells] for c, cells in texts.items()], np.int64)
        .reshape(len(texts), rows)
        .T.copy(),
        categories=tuple(levels.values()),
        numeric_names=tuple(numeric),
        categorical_names=tuple(texts),
        y=np.array([classes.index(cells[names.index(listed.target)].strip()) for cells in lines[1:]], np.int64),
        classes=classes,
    )


def _order_classes(cells: list[str], listed: Listed, file: str) -> tuple[str, ...]:
    """The classes, the largest first; of two, the one to find is the second."""
    counts = Counter(cells)
    order = sorted(counts, key=lambda c: (-counts[c], c))
    if not 2 <= len(order) <= MOST_CLASSES:
        raise BadData(
            f"{file}: {quote(listed.target)} has {len(order)} values, but 2 to {MOST_CLASSES} classes can be told apart."
        )
    if listed.positive:
        if listed.positive not in order or len(order) > 2:
            raise BadData(f"{file}: {quote(listed.positive)} is not one of two values of {quote(listed.target)}.")
        order.sort(key=lambda c: c == listed.positive)
    return tuple(order)


def _read_numbers(cells: list[str]) -> list[float] | None:
    """The cells as numbers; None where one is none."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if all(map(isfinite, numbers)) else None
