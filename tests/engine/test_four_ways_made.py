"""Tables drawn from a seed hold the same values in model, code, a frame of pandas (or it is refused) and their own augmented rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.data.prepare import encode
from engine.data.table import Dataset
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import build_labels, to_dataset
from engine.errors import BadData
from engine.export.pipeline import Pipeline
from engine.export.rows import choose_delimiter, encode_text
from engine.text import csv_table
from tests.engine.data.tables_made import draw_table
from tests.engine.test_four_ways import NEAR, make_model, open_frame, run_code

TABLES, FILES = 100, 4
SEED = 50_000


def write_rows(data: Dataset, pipeline: Pipeline, target: str) -> bytes:
    """The table's rows as those of an augmented training set."""
    cells = pipeline.original(data, np.arange(len(data.y)))
    rows = [[*row, data.classes[y]] for row, y in zip(cells, data.y, strict=True)]
    head = [*(c.name for c in pipeline.columns), target]
    return encode_text(csv_table([head, *rows], choose_delimiter(pipeline.reading)), pipeline.reading)


@pytest.mark.parametrize("part", range(FILES))
def test_tables_hold_the_same_values_every_way(part: int, tmp_path: Path) -> None:
    frames = 0
    for seed in range(SEED + part, SEED + TABLES, FILES):
        drawn = draw_table(seed)
        sheet = read_sheet(drawn.data, "t", drawn.options, target=drawn.target if drawn.named else None)
        data = to_dataset(sheet, drawn.target)
        pipeline = make_model(sheet, data, drawn.target, None)
        encoded = encode(data)[0]
        wanted, rows = pipeline.scale(encoded), np.flatnonzero(build_labels(sheet, drawn.target).y >= 0)
        file = tmp_path / "t"
        file.write_bytes(drawn.data)
        assert np.abs(pipeline(file)[0][rows] - wanted).max(initial=0) <= NEAR, (seed, drawn.what)
        names = run_code(file, sheet, data, drawn.target, None)
        assert np.array_equal(names["X"], encoded, equal_nan=True) and np.array_equal(names["y"], data.y), (seed, drawn.what)
        reading = pipeline.reading
        assert reading is not None
        if reading.format == "text" and reading.header:
            file.write_bytes(write_rows(data, pipeline, drawn.target))
            assert np.abs(pipeline(file)[0] - wanted).max(initial=0) <= NEAR, (seed, drawn.what)
        if (frame := open_frame(drawn.data)) is None:
            continue
        try:
            given = pipeline(frame)[0]
        except BadData as error:
            assert "path" in str(error) and "\n" not in str(error), seed
            continue
        frames += 1
        assert len(given) == sheet.rows and np.abs(given[rows] - wanted).max(initial=0) <= NEAR, (seed, drawn.what)
    assert frames > 2
