"""What a table read must hold, as cases/expected.json says it: rows, classes, columns, values, sentences."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.tables.profile import list_notes
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import build_labels, select_features

CASES = Path(__file__).parent / "cases"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))

NEAR = 1e-9


def ask(case: dict[str, Any]) -> tuple[str, str | None]:
    """The target and the class of interest as a person types them."""
    return case["given_target"] or case["target"], case["positive"][0] if case["positive"] else None


def list_differences(sheet: Sheet, case: dict[str, Any]) -> list[str]:
    """What the sheet holds otherwise than the case says; empty where all is right."""
    target, positive = ask(case)
    labels = build_labels(sheet, target, positive)
    use, left = select_features(sheet, target)
    answered = labels.y >= 0
    found = {
        "rows": sheet.rows,
        "used": int(answered.sum()),
        "classes": {name: int(n) for name, n in zip(labels.classes, labels.counts, strict=True)},
        "columns": {column.name: column.kind for column in use},
        "left_out": {column.name: column.kind for column in left},
    }
    out = [f"{key}: {value!r}, not {case[key]!r}" for key, value in found.items() if value != case[key]]
    for column in use:
        if (known := case["values"].get(column.name)) is not None:
            out += [f"{column.name}: {text}" for text in _list_values(column.values, column.levels, known, answered)]
    said = " ".join(list_notes(sheet, target, positive))
    return out + [f"does not say {text!r}" for text in case["says"] if text not in said]


def _list_values(values: np.ndarray, levels: tuple[str, ...], known: dict[str, Any], answered: np.ndarray) -> list[str]:
    rows = values[answered]
    if known["kind"] == "categorical":
        counts = {levels[code]: int((rows == code).sum()) for code in set(rows.tolist()) if code >= 0}
        first = [levels[code] if code >= 0 else None for code in values[:12].tolist()]
        wrong = [counts != known["levels"], first != known["first"], int((rows < 0).sum()) != known["missing"]]
        return [f"{counts} {first}"] if any(wrong) else []
    first = [None if value != value else value for value in values[:12].tolist()]
    near = all(
        (a is None) == (b is None) and (a is None or math.isclose(a, b, rel_tol=NEAR, abs_tol=1e-250))
        for a, b in zip(first, known["first"], strict=True)
    )
    total, missing = float(np.nansum(rows)), int(np.isnan(rows).sum())
    if near and missing == known["missing"] and math.isclose(total, known["sum"], rel_tol=NEAR, abs_tol=1e-250):
        return []
    return [f"{missing} missing, sum {total}, first {first}"]
