"""What every sheet and every profile promises, whatever the file was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from engine.data.tables.profile import FOLDS
from engine.data.tables.reading import KINDS, Sheet
from engine.data.tables.target import FEWEST
from engine.spec.table_limits import MAX_CELLS


def is_sound(sheet: Sheet) -> None:
    """What every sheet promises."""
    assert sheet.rows > 0 and sheet.columns and sheet.rows * len(sheet.columns) <= MAX_CELLS
    names = [c.name for c in sheet.columns]
    assert len(set(names)) == len(names) and all(names)
    for c in sheet.columns:
        assert c.kind in KINDS and c.values.shape == (sheet.rows,)
        assert all(isinstance(text, str) for text in (*c.levels, *c.examples))
        if c.kind in ("numeric", "boolean", "date"):
            assert c.values.dtype == np.float64 and not np.isinf(c.values).any()
            assert c.missing == np.isnan(c.values).sum() < sheet.rows
        else:
            assert c.values.dtype == np.int64 and c.values.min() >= -1 and c.missing == (c.values < 0).sum()
        if c.kind in ("categorical", "constant"):
            assert c.levels and c.values.max() < len(c.levels) and len(set(c.levels)) == len(c.levels)
        if c.kind == "boolean":
            assert len(c.levels) == 2 and set(c.values[~np.isnan(c.values)]) <= {0.0, 1.0}
    assert all(is_sentence(note) for note in sheet.notes)


def is_sentence(text: str) -> bool:
    return text.endswith(".") and len(text) < 400 and "\n" not in text and "Traceback" not in text


KEYS = {
    *(
        "rows",
        "used",
        "columns",
        "guesses",
        "notes",
        "candidates",
        "target",
        "target_marks",
        "classes",
        "positive",
        "dropped",
        "questions",
        "ratio",
        "folds",
    ),
    *("precision", "suspicious", "duplicates", "features", "left_out", "warnings"),
}


def is_sound_profile(found: dict[str, Any]) -> None:
    """What every profile promises."""
    assert set(found) == KEYS and json.loads(json.dumps(found, allow_nan=False)) == found
    assert sum(c["rows"] for c in found["classes"]) == found["used"] == found["rows"] * bool(found["target"]) - found["dropped"]
    levels = [w["level"] for w in found["warnings"]]
    assert levels == sorted(levels, key=("refuse", "warning", "info").index)
    assert all(is_sentence(w["text"]) or w["text"].endswith("?") for w in found["warnings"])
    if found["target"]:
        rows = [c["rows"] for c in found["classes"]]
        assert len(rows) >= 2 and min(rows) > 0 and found["ratio"] == max(rows) / min(rows)
        assert ("refuse" in levels) == (min(rows) < FEWEST or found["features"] == 0)
        assert 2 <= found["folds"] <= FOLDS and found["precision"]["rows"] == min(rows)
