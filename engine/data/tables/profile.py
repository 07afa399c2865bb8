"""The profile of a table: classes, missing values, suspicious columns, expected precision. Trains nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data.tables import suspects
from engine.data.tables.questions import guess_questions
from engine.data.tables.sheet import Column, Sheet, count_of, list_names, shorten
from engine.data.tables.target import (
    Labels,
    build_labels,
    describe_too_few,
    list_candidates,
    list_target_marks,
    match_class,
    select_features,
    to_dataset,
)
from engine.spec.limits import count_validation_rows

__all__ = ["half_width", "list_notes", "profile_table", "propose_folds", "to_dataset"]

ENOUGH = 25
"""With fewer minority rows the profile warns."""

FOLDS = 5
"""Folds proposed where there are enough rows."""

IN_FOLD = 4
"""Minority rows that each test fold should have."""

SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 9999.0, 99999.0, 999999.0)
"""Numbers that often stand for a missing value."""

RECALL = 0.8
"""The recall whose interval the profile estimates."""


LEFT_OUT = {
    "text": "free text, other in nearly every row",
    "id": "a new value in each row",
    "constant": "the same in every row",
    "empty": "no value in any row",
    "ignored": "as asked",
}
"""Kinds of columns that nothing is learnt from -> why."""

MARK_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks", ".": "points", "'": "apostrophes"}

NAMED = 50
"""Most columns named in the sentence that lists those left out."""


def half_width(rows: int) -> float:
    """Half of the 95% interval of a recall of 0.8 measured on this many minority rows: 1.96 sqrt(0.8 * 0.2 / rows)."""
    return 1.96 * math.sqrt(RECALL * (1 - RECALL) / rows)


def propose_folds(rows: int) -> int:
    """Folds, 2 to 5, so that each test fold has at least 4 rows of the smallest class after a fifth is taken for validation."""
    return max(2, min(FOLDS, (rows - count_validation_rows(rows)) // IN_FOLD))


def profile_table(sheet: Sheet, target: str | None = None, positive: str | None = None) -> dict[str, Any]:
    """The profile of a table, JSON-plain.

    target: the column to predict, by default the likeliest one. positive: of two classes the class of interest. Keys: rows;
    used (rows with a target value); columns [{name, kind, why, missing, distinct, guessed, examples, levels, low, high}] (why: it
    is left out, "" for a feature; low, high: of numbers and dates, in days); guesses, notes (as in the Sheet); candidates [{name,
    classes, why}]; target {name, guessed} or None; target_marks [{text, rows}] (usual marks of missing values that are classes);
    classes [{name, rows, share}], largest first except a `positive`, which is second; positive; dropped (rows without a target
    value); ratio (largest / smallest class); folds; precision {rows, half_width, formula, text} or None; suspicious [{name, why:
    alone | copy | id, score, text}]; duplicates {rows, across}; features (columns to learn from); left_out [{name, kind}]; questions
    (`engine.data.tables.questions.guess_questions`; None without a target); warnings [{level: info | warning | refuse, text}], worst
    first. With a warning of level refuse nothing can be compared. Raises BadData for a requested target or class that cannot be used.
    """
    found = list_candidates(sheet)
    guessed = target is None
    target = None if target is None else sheet.resolve(target)
    if target is None and found:
        target = str(found[0]["name"])
    out: dict[str, Any] = {
        "rows": sheet.rows,
        "used": 0,
        "columns": [_describe_column(c) for c in sheet.columns],
        "guesses": dict(sheet.guesses),
        "notes": list(sheet.notes),
        "candidates": found,
        "target": None,
        "target_marks": [],
        "classes": [],
        "positive": None,
        "dropped": 0,
        "ratio": None,
        "folds": None,
        "precision": None,
        "suspicious": [],
        "duplicates": {"rows": 0, "across": 0},
        "features": 0,
        "left_out": [],
        "questions": None,
        "warnings": [],
    }
    if target is None:
        out["warnings"] = [_warn("refuse", "No column can be the target: it needs two or more classes, each in several rows.")]
        return out
    return out | _describe_target(sheet, target, positive, guessed, out)


def list_notes(sheet: Sheet, target: str, positive: str | None = None) -> list[str]:
    """Everything that is said of a table before anything is trained: how it was read, what was guessed, rows and columns left out
    and why, classes with their rows, warnings. Sentences. Raises BadData.
    """
    found = profile_table(sheet, target, positive)
    counts = ", ".join(f"{shorten(c['name'])!r} {c['rows']:,}" for c in found["classes"][:10])
    classes = f"{count_of(found['used'], 'row')} with an answer in {shorten(found['target']['name'])!r}: {counts}."
    asked = [
        f"{count_of(mark['rows'], 'row')} {'says' if mark['rows'] == 1 else 'say'} {shorten(mark['text'])!r} in "
        f"{shorten(found['target']['name'])!r}: a class, or no answer? It counts as a class unless it is named as a missing mark of the "
        "target."
        for mark in found["target_marks"]
    ]
    left = [f"{shorten(c['name'])!r} ({LEFT_OUT[c['kind']]})" for c in found["left_out"]]
    more = f" and {len(left) - NAMED:,} more" if len(left) > NAMED else ""
    why = [f"Left out: {', '.join(left[:NAMED])}{more}."] if left else []
    return [_describe_format(sheet), *sheet.notes, classes, *asked, *why, *(w["text"] for w in found["warnings"])]


def _describe_format(sheet: Sheet) -> str:
    """How many rows and columns there are, and the format of the file, as guessed or given."""
    form = sheet.guesses
    parts = [f"text in {form['encoding']}"] if form.get("encoding") else []
    if form.get("delimiter") is not None:
        mark = form["delimiter"]
        parts.append(f"columns parted by {MARK_NAMES.get(mark) or repr(shorten(mark))}" if mark else "a single column")
    if form.get("decimal"):
        parts.append(f"decimal {'comma' if form['decimal'] == ',' else 'point'}")
    if form.get("thousands"):
        parts.append(f"digits grouped by {MARK_NAMES.get(form['thousands']) or repr(form['thousands'])}")
    if form.get("header") is not None:
        parts.append("names in the first row" if form["header"] else "no row of names")
    if form.get("sheet"):
        parts.append(f"sheet {shorten(form['sheet'])!r}")
    if marks := list(form.get("missing") or ()):
        parts.append(f"missing where it says {list_names(marks, 5)}")
    size = f"{count_of(sheet.rows, 'row')} and {count_of(len(sheet.columns), 'column')}"
    return f"{size}: {', '.join(parts)}." if parts else f"{size}."


def _describe_target(sheet: Sheet, target: str, positive: str | None, guessed: bool, out: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a profile that depends on the target. out: the profile so far."""
    answers = build_labels(sheet, target, positive)
    marks = [{"text": text, "rows": rows} for text, rows in list_target_marks(sheet, target).items()]
    rows = np.flatnonzero(answers.y >= 0)
    counts = answers.counts
    use, left = select_features(sheet, target)
    y = answers.y[rows]
    across = suspects.count_duplicates([c.values[rows] for c in use], y)
    two = len(counts) == 2
    about = {
        "used": len(rows),
        "target": {"name": target, "guessed": guessed},
        "target_marks": marks,
        "classes": [
            {"name": name, "rows": int(n), "share": float(n / len(rows))}
            for name, n in zip(answers.classes, counts, strict=True)
        ],
        "positive": answers.classes[1] if two else positive and match_class(positive, answers.classes, target),
        "dropped": sheet.rows - len(rows),
        "ratio": float(counts.max() / counts.min()),
        "folds": propose_folds(int(counts.min())),
        "precision": _describe_precision(int(counts.min())),
        "suspicious": _list_suspicious(sheet, target, use, answers, rows),
        "duplicates": {"rows": across[0], "across": across[1]},
        "features": len(use),
        "left_out": [{"name": c.name, "kind": c.kind} for c in left],
        "questions": guess_questions(sheet, target, positive, propose_folds(int(counts.min()))),
    }
    return about | {"warnings": _list_warnings({**out, **about}, sheet, answers, use, left)}


def _warn(level: str, text: str) -> dict[str, str]:
    return {"level": level, "text": text}


def _describe_column(column: Column) -> dict[str, Any]:
    values = column.values[~np.isnan(column.values)] if column.kind in ("numeric", "date") else np.zeros(0)
    return {
        "name": column.name,
        "kind": column.kind,
        "why": LEFT_OUT.get(column.kind, ""),
        "missing": column.missing,
        "distinct": column.distinct,
        "guessed": column.guessed,
        "examples": list(column.examples),
        "levels": len(column.levels),
        "low": float(values.min()) if len(values) else None,
        "high": float(values.max()) if len(values) else None,
    }


def _describe_precision(rows: int) -> dict[str, Any]:
    half = half_width(rows)
    shown = f"{half:.1f}" if half >= 0.1 else f"{half:.2g}"
    return {
        "rows": rows,
        "half_width": half,
        "formula": f"1.96 · sqrt(0.8 · 0.2 / {rows}), half of the 95% interval of a recall of 0.8 on {count_of(rows, 'row')}",
        "text": f"{count_of(rows, 'minority row')}: differences below {shown} cannot be shown.",
    }


def _list_suspicious(sheet: Sheet, target: str, use: list[Column], answers: Labels, rows: np.ndarray) -> list[dict[str, Any]]:
    """Columns that may leak the target, the most suspicious first."""
    out: list[dict[str, Any]] = []
    y = answers.y[rows]
    part = suspects.sample(y, len(use))
    classes = len(answers.classes)
    for column in use:
        numeric = column.kind != "categorical"
        values = column.values[rows]
        score = suspects.score_alone(values[part], y[part], classes, numeric)
        if score < suspects.ALMOST:
            continue
        codes = np.unique(values, return_inverse=True)[1] if numeric else values
        copy = suspects.is_copy(codes, y)
        text = (
            f"{shorten(column.name)!r} says the same as the target in every row: it is a copy of it; leave it out."
            if copy
            else f"{shorten(column.name)!r} alone tells the classes apart almost perfectly ({_format_score(score)}): "
            "is it known before the answer is?"
        )
        out.append({"name": column.name, "why": "copy" if copy else "alone", "score": score, "text": text})
    for column in sheet.columns:
        if column.kind == "id" and column.name != target:
            text = f"{shorten(column.name)!r} numbers the rows and is left out."
            out.append({"name": column.name, "why": "id", "score": None, "text": text})
    return sorted(out, key=lambda s: ("copy", "alone", "id").index(s["why"]))


def _format_score(score: float) -> str:
    """Three decimals, but never 1.000 for less than 1."""
    return "1" if score == 1 else f"{math.floor(score * 1000) / 1000:.3f}"


def _list_warnings(
    out: dict[str, Any], sheet: Sheet, answers: Labels, use: list[Column], left: list[Column]
) -> list[dict[str, str]]:
    refuse, warning, info = [], [], []
    smallest = int(answers.counts.min())
    if few := describe_too_few(answers):
        refuse.append(few)
    elif smallest < ENOUGH:
        folds = out["folds"]
        fewer = f"; {folds} folds are proposed instead of {FOLDS}" if folds < FOLDS else ""
        warning.append(f"{out['precision']['text'].rstrip('.')}{fewer}.")
    if not use:
        refuse.append("No column is left to learn from: all others are texts, IDs, constant, empty or left out.")
    tight = [s for s in out["suspicious"] if s["why"] != "id"]
    warning += [s["text"] for s in tight[:5]]
    if len(tight) > 5:
        warning.append(f"{len(tight) - 5:,} more columns tell the classes apart almost perfectly by themselves.")
    if across := out["duplicates"]["across"]:
        warning.append(
            f"{count_of(across, 'row')} agree in all features with a row of another class: no method can tell them apart."
        )
    if same := out["duplicates"]["rows"]:
        info.append(
            f"{count_of(same, 'row')} {'repeats' if same == 1 else 'repeat'} an earlier one in all features: such rows can stand in "
            "training and test at once."
        )
    if out["dropped"]:
        info.append(f"{count_of(out['dropped'], 'row')} without an answer in {shorten(out['target']['name'])!r} left out.")
    folded = Counter(name.casefold() for name in answers.classes)
    if alike := [name for name in answers.classes if folded[name.casefold()] > 1]:
        warning.append(f"Classes {list_names(alike)} differ in capital letters only: are they the same?")
    if hollow := [c.name for c in use if 2 * c.missing > sheet.rows]:
        info.append(f"{list_names(hollow)}: more than half of the values are missing.")
    if marks := [c.name for c in use if c.kind == "numeric" and _has_sentinel(c)]:
        info.append(
            f"{list_names(marks)}: a number such as -999 may stand for a missing value; name it as a missing mark if it does."
        )
    if left:
        kinds = Counter(c.kind for c in left)
        what = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        info.append(f"{count_of(len(left), 'column')} left out ({what}): {list_names([c.name for c in left])}.")
    return [_warn(level, text) for level, texts in (("refuse", refuse), ("warning", warning), ("info", info)) for text in texts]


def _has_sentinel(column: Column) -> bool:
    """Whether the lowest or highest number is one of SENTINELS, frequent, and far from all others."""
    known = column.values[~np.isnan(column.values)]
    for mark in SENTINELS:
        at = known == mark
        if not 0.005 * len(known) <= at.sum() < len(known):
            continue
        rest = known[~at]
        low, high = float(rest.min()), float(rest.max())
        reach = max(high - low, 1.0)
        if mark < low - reach or mark > high + reach:
            return True
    return False
