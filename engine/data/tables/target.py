"""The target column of a table, and the table as a Dataset. Imports neither torch nor pandas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.data.table import Dataset
from engine.data.tables.kinds import PAIRS, as_number
from engine.data.tables.named import Named, code_owners, find_named
from engine.data.tables.sheet import FEATURES, SHOWN, Column, Sheet, count_of, list_names, shorten
from engine.errors import BadData
from engine.spec import table_limits
from engine.spec.table_reading import TableReading, TargetReading

MAX_CLASSES = 50
"""With more distinct values a column is no target."""

FEWEST = 5
"""Least rows of the smallest class."""

MISSING = "(missing)"
"""The level of a categorical column for missing values."""

NAMES = re.compile(
    r"(^|[\s_.\-])(target|class|klasse|label|labels|y|outcome|output|result|response|answer|ziel|diagnosis|diagnose|churn|churned|exited|"
    r"fraud|isfraud|is_fraud|default|defaulted|survived|attrition|status|category|type|income|success|converted|purchased|clicked|failure|"
    r"anomaly|outlier|positive|event|death|died|readmitted|species|quality|approved|stroke|disease)$",
    re.I,
)
"""Usual names of target columns."""


@dataclass(frozen=True)
class Labels:
    """y int64 [n] into `classes`, -1 where missing. Largest class first, ties in file order (numbers: in ascending order). With
    two classes and `positive` given, that one is 1.
    """

    y: np.ndarray
    classes: tuple[str, ...]

    @property
    def counts(self) -> np.ndarray:
        """Rows per class [C]."""
        return np.bincount(self.y[self.y >= 0], minlength=len(self.classes))


def build_labels(sheet: Sheet, target: str, positive: str | None = None) -> Labels:
    """The labels in a column. positive: which of two classes is the class of interest, the smaller one by default.

    target and positive mean what `match_name` and `match_class` make of them. Where the sheet's reading has this target, its
    classes are used. Raises BadData: no such column or class, a single class, or values that are no classes.
    """
    column = sheet.column(target)
    known = sheet.reading.target
    if known is not None and known.name == column.name and sheet.sources is not None:
        classes = known.classes
        if positive is not None and len(classes) == 2 and match_class(positive, classes, column.name) == classes[0]:
            classes = classes[::-1]
        return Labels(sheet.sources.code_answers(column.name, replace(known, classes=classes)), classes)
    codes, names = _build_classes(read_answers(sheet, column.name))
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    if len(order) < 2:
        raise BadData(
            f"Column {shorten(column.name)!r} holds a single answer, so there is nothing to tell apart: choose another column."
        )
    if positive is not None:
        positive = match_class(positive, [names[int(i)] for i in order], column.name)
        if len(order) == 2 and names[int(order[0])] == positive:
            order = order[::-1]
    new = np.full(len(names) + 1, -1)
    new[order] = np.arange(len(order))
    return Labels(new[codes], tuple(names[int(i)] for i in order))


def read_answers(sheet: Sheet, target: str) -> Column:
    """The column of a target: only the empty cell, and marks that a person named for it, are no answer. Raises BadData."""
    column = sheet.column(target)
    answers: Column = column if sheet.sources is None else sheet.sources.read_answers(column)
    return answers


def list_target_marks(sheet: Sheet, target: str) -> dict[str, int]:
    """Usual marks of missing values that are classes of a target, as written, with their rows: a person may mean no answer."""
    column = sheet.column(target)
    return {} if sheet.sources is None else dict(sheet.sources.list_marks(column))


NO, YES = frozenset(no for no, _ in PAIRS) - {"-"}, frozenset(yes for _, yes in PAIRS) - {"+"}


def match_class(asked: str, classes: Sequence[str], target: str) -> str:
    """The class that `asked` means: exact, else trimmed, else the same number, else in any case, else, of a yes-no pair or of 0
    and 1, by its truth. Raises BadData where none is meant or several are.
    """
    folds: tuple[Callable[[str], object], ...] = (
        str,
        str.strip,
        lambda name: as_number(name.strip().replace(",", ".")),
        lambda name: name.strip().casefold(),
        lambda name: _read_truth(name, classes),
    )
    for fold in folds:
        wanted = fold(asked)
        fits = [name for name in classes if fold(name) == wanted] if wanted is not None else []
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise BadData(
                f"{shorten(asked)!r} can mean several classes of {shorten(target)!r}: {list_names(fits, SHOWN)}; "
                "write one as it stands there."
            )
    raise BadData(
        f"Column {shorten(target)!r} has no class called {shorten(asked)!r}; there are: {list_names(list(classes), SHOWN)}."
    )


def _read_truth(text: str, classes: Sequence[str]) -> bool | None:
    """Yes or no, where the classes are such a pair."""
    pair = {_plain_truth(name) for name in classes}
    if len(classes) != 2 or not any(pair == set(known) for known in PAIRS):
        return None
    word = _plain_truth(text)
    return True if word in YES - NO else False if word in NO - YES else None


def _plain_truth(text: str) -> str:
    word = text.strip().casefold()
    number = as_number(word)
    return str(int(number)) if number in (0.0, 1.0) else word


def describe_target(sheet: Sheet, target: str, positive: str | None = None, named: Named | None = None) -> TableReading:
    """The sheet's reading with its target. positive: see `build_labels`. named: columns whose meaning keeps them from being
    features. Raises BadData.
    """
    found = build_labels(sheet, target, positive)
    name = sheet.resolve(target)
    if len(found.classes) == 2:
        positive = found.classes[1]
    elif positive is not None:
        positive = match_class(positive, found.classes, name)
    missing = () if sheet.sources is None else sheet.sources.missing
    roles = named.roles if named is not None else {}
    columns = tuple(replace(c, dropped=roles[c.name]) if c.name in roles else c for c in sheet.reading.columns)
    return replace(
        sheet.reading,
        columns=columns,
        target=TargetReading(name, found.classes, positive, missing, tuple(list_target_marks(sheet, name))),
    )


def _build_classes(column: Column) -> tuple[np.ndarray, list[str]]:
    """(codes with -1 where missing, names)."""
    who = f"Column {shorten(column.name)!r}"
    if column.kind in ("categorical", "constant"):
        if len(column.levels) > MAX_CLASSES:
            raise BadData(_describe_too_many(who, column.distinct))
        return column.values, list(column.levels)
    if column.kind == "boolean":
        return np.where(np.isnan(column.values), -1, column.values).astype(np.int64), list(column.levels)
    if column.kind == "numeric":
        known = ~np.isnan(column.values)
        values, codes = np.unique(column.values[known], return_inverse=True)
        whole = bool((values == np.floor(values)).all())
        if len(values) > MAX_CLASSES or (not whole and len(values) > 20 and 10 * len(values) > known.sum()):
            raise BadData(
                f"{who} holds {len(values):,} different numbers: that is an amount, no class; choose a column of classes, or cut it into "
                "ranges before."
            )
        out = np.full(len(column.values), -1)
        out[known] = codes
        return out, [_name_number(value) for value in values.tolist()]
    if column.kind in ("text", "id"):
        raise BadData(_describe_too_many(who, column.distinct))
    what = {"date": "holds dates, which are no classes", "empty": "is empty", "ignored": "is left out"}[column.kind]
    raise BadData(f"{who} {what}: choose another column as the target.")


def _name_number(value: float) -> str:
    """A number as a class: 15 digits, or as many as it takes to tell it from its neighbours."""
    text = f"{value:.15g}"
    return text if float(text) == value else repr(value)


def _describe_too_many(who: str, n: int) -> str:
    return (
        f"{who} holds {n:,} different texts, more than the {MAX_CLASSES} classes compared here: choose another column, or join rare "
        "classes."
    )


def list_candidates(sheet: Sheet) -> list[dict[str, object]]:
    """Columns that can be the target, best first: name, classes, and the reason (a few words)."""
    out: list[tuple[float, dict[str, object]]] = []
    for i, column in enumerate(sheet.columns):
        if column.kind not in ("boolean", "categorical", "numeric") or (
            column.kind == "numeric" and column.distinct > 4 * MAX_CLASSES
        ):
            continue
        try:
            found = build_labels(sheet, column.name)
        except BadData:
            continue
        n, rows = len(found.classes), int(found.counts.sum())
        if int(found.counts[1]) < 2 and n > 2:
            continue
        called = NAMES.search(re.sub(r"([a-z])([A-Z])", r"\1 \2", column.name)) is not None
        last = i == len(sheet.columns) - 1
        score = 4.0 * called + 2.0 * last + 0.5 * (i == 0) + (n == 2) + 0.5 * (n <= 10) + 0.5 * (column.kind != "numeric")
        score -= 3.0 * column.missing / max(1, rows + column.missing) + (column.kind == "numeric" and n > 10) + 2.0 * n / rows
        score -= int(found.counts.min()) < 2
        why = [*(["its name"] if called else []), *(["the last column"] if last else []), f"{n} classes"]
        out.append((score, {"name": column.name, "classes": n, "why": ", ".join(why)}))
    return [entry for _, entry in sorted(out, key=lambda pair: -pair[0])]


def select_features(sheet: Sheet, target: str, named: Named | None = None) -> tuple[list[Column], list[Column]]:
    """(columns to learn from, other columns), both without the target. named: columns with a meaning of their own."""
    target = sheet.resolve(target)
    out = named.roles if named is not None else {}
    rest = [column for column in sheet.columns if column.name != target]
    use = [c for c in rest if c.kind in FEATURES and c.name not in out]
    return use, [c for c in rest if c.kind not in FEATURES or c.name in out]


def to_dataset(
    sheet: Sheet,
    target: str,
    positive: str | None = None,
    *,
    name: str = "table",
    time: str | None = None,
    group: str | None = None,
    cost: str | None = None,
    score: str | None = None,
    keep: Sequence[str] = (),
) -> Dataset:
    """The table as a Dataset for `prepare`, without rows whose target is missing.

    Numeric, boolean (0, 1) and date (days) columns become numeric, NaN where missing. Categorical ones get a level `(missing)`
    where values are missing. Text, id, constant, empty and ignored columns are left out. Classes are ordered as in
    `build_labels`. time, group, cost, score, keep: see `find_named`; the first two are features only where `keep` names them, a
    score never is, a cost stays one. Raises BadData: no such column or class, no features, a class of fewer than 5 rows, more than
    MAX_CELLS features times rows.
    """
    named = find_named(sheet, target, time=time, group=group, cost=cost, score=score, keep=keep)
    found = build_labels(sheet, target, positive)
    rows = np.flatnonzero(found.y >= 0)
    if refused := describe_too_few(found):
        raise BadData(refused)
    use, _ = select_features(sheet, target, named)
    if not use:
        raise BadData("No column is left to learn from: all others are texts, IDs, constant, empty or left out.")
    numeric = [c for c in use if c.kind != "categorical"]
    levelled = [_encode_levels(c, rows) for c in use if c.kind == "categorical"]
    width = sum(1 + bool(np.isnan(c.values[rows]).any()) for c in numeric) + sum(len(levels) for _, levels in levelled)
    if width * len(rows) > table_limits.MAX_CELLS * 5:
        widest = sorted((c for c in use if c.kind == "categorical"), key=lambda c: -len(c.levels))
        raise BadData(
            f"The table makes {width:,} features for {count_of(len(rows), 'row')}, more than can be trained on here: leave out columns"
            + (f", such as {list_names([c.name for c in widest])}." if widest else ".")
        )
    return Dataset(
        name=name,
        kind="tabular",
        numeric=_stack((c.values[rows] for c in numeric), (len(rows), len(numeric)), np.float64),
        categorical=_stack((codes for codes, _ in levelled), (len(rows), len(levelled)), np.int64),
        categories=tuple(levels for _, levels in levelled),
        numeric_names=tuple(c.name for c in numeric),
        categorical_names=tuple(c.name for c in use if c.kind == "categorical"),
        y=found.y[rows],
        classes=found.classes,
        order=None if named.time is None else named.time.values[rows].astype(np.float64),
        is_date=named.time is not None and named.time.kind == "date",
        owner=None if named.group is None else code_owners(sheet, named.group)[rows],
        cost=None if named.cost is None else named.cost.values[rows].astype(np.float64),
        score=None if named.score is None else named.score.values[rows].astype(np.float64),
        number=rows,
    )


def describe_too_few(labels: Labels) -> str:
    """Why the classes are too small for a comparison; "" where they are not."""
    counts = labels.counts
    small = [name for name, n in zip(labels.classes, counts, strict=True) if n < FEWEST]
    if not small:
        return ""
    if len(small) == 1:
        has = count_of(int(counts.min()), "row")
        return f"Class {shorten(small[0])!r} has {has}; at least {FEWEST} of every class are needed to say anything."
    return f"{len(small)} classes have fewer than {FEWEST} rows ({list_names(small)}): join them with others, or leave their rows out."


def _encode_levels(column: Column, rows: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes and levels of a categorical column, with a separate level for missing values."""
    codes = column.values[rows]
    if not (codes < 0).any():
        return codes, column.levels
    level = MISSING
    while level in column.levels:
        level = f"({level})"
    return np.where(codes < 0, len(column.levels), codes), (*column.levels, level)


def _stack(columns: Iterable[np.ndarray], shape: tuple[int, int], kind: type) -> np.ndarray:
    """The columns side by side. Only one of them is kept beside the result, whatever the size of the table."""
    out: np.ndarray = np.empty(shape, kind)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out
