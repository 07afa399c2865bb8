"""Every odd file that is a table holds the same values in model and code, and in a frame of pandas or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.data.prepare import encode, fit_scale
from engine.data.table import Dataset
from engine.data.tables import target as targets
from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import build_labels, describe_target, list_candidates, to_dataset
from engine.errors import BadData
from engine.export.pipeline import Pipeline
from engine.spec import table_limits
from engine.spec.table_reading import TableReading
from tests.engine.data.odd_files import INFLATED, Odd, corpus
from tests.engine.test_four_ways import open_frame

NEAR = 1e-9

SHIFTED = "a trailing delimiter in rows alone"
"""pandas takes the first column of this file for the index, so its columns hold the values of their neighbours."""


def choose(sheet: Sheet) -> tuple[str, Dataset] | None:
    """A column that can be the target, and the dataset with it."""
    for name in [str(c["name"]) for c in list_candidates(sheet)] or [c.name for c in sheet.columns]:
        try:
            return name, to_dataset(sheet, name)
        except BadData:
            continue
    return None


def check(odd: Odd, folder: Path) -> str:
    """What became of the file: no table, no target, equal, or refused as a frame."""
    try:
        sheet = read_sheet(odd.data, "t.csv", odd.options)
    except BadData:
        return "no table"
    if (chosen := choose(sheet)) is None:
        return "no target"
    name, data = chosen
    reading = TableReading.from_json(json.loads(json.dumps(describe_target(sheet, name).to_json())))
    assert reading.target is not None
    again = to_dataset(read_sheet(odd.data, "t.csv", reading=reading), reading.target.name, reading.target.positive)
    (x, columns), (y, others) = encode(data), encode(again)
    assert columns == others and data.classes == again.classes and np.array_equal(data.y, again.y)
    assert np.array_equal(x, y, equal_nan=True)
    scale = fit_scale(x, len(data.numeric_names), np.arange(len(data.y)))
    pipeline = Pipeline.from_json(json.loads(json.dumps(Pipeline.of(data, scale, reading).to_json())))
    file = folder / "t.csv"
    file.write_bytes(odd.data)
    rows = np.flatnonzero(build_labels(sheet, name).y >= 0)
    assert np.abs(pipeline(file)[0][rows] - scale(x)).max(initial=0) <= NEAR
    frame = open_frame(odd.data)
    if frame is None or odd.id == SHIFTED:
        return "equal"
    try:
        given = pipeline(frame)[0]
    except BadData as error:
        assert "path" in str(error) and "\n" not in str(error)
        return "refused as a frame"
    if len(given) == sheet.rows:  # pandas keeps empty rows and sums below the table, and starts at other headers
        assert np.abs(given[rows] - scale(x)).max(initial=0) <= NEAR
    return "equal"


def test_every_odd_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_limits, "MAX_INFLATED", INFLATED)
    monkeypatch.setattr(targets, "FEWEST", 1)
    seen: dict[str, int] = {}
    wrong = []
    for odd in corpus():
        try:
            what = check(odd, tmp_path)
        except Exception as error:
            wrong.append(f"{odd.id}: {type(error).__name__}: {error}")
        else:
            seen[what] = seen.get(what, 0) + 1
    assert not wrong, "\n".join(wrong)
    assert seen["equal"] > 80, seen
