"""Two hundred tables drawn from a seed are read as they were drawn. (`benchmarks/reading.py` draws two thousand.)"""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest

from engine.data.tables.frame import read_frame
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target
from engine.errors import BadData
from engine.spec.table_reading import TableReading
from tests.engine.data.tables_made import compare_sheet, draw_table

TABLES, FILES = 200, 4
SEED = 20_000


@pytest.mark.parametrize("part", range(FILES))
def test_tables_are_read_as_they_were_drawn(part):
    """Guessed, and again by the reading alone, which has been JSON."""
    for seed in range(SEED + part, SEED + TABLES, FILES):
        drawn = draw_table(seed)
        sheet = read_sheet(drawn.data, "a", drawn.options, target=drawn.target if drawn.named else None)
        assert not compare_sheet(sheet, drawn), (seed, drawn.what)
        reading = TableReading.from_json(json.loads(json.dumps(describe_target(sheet, drawn.target).to_json())))
        again = read_sheet(drawn.data, "a", reading=reading)
        assert not compare_sheet(again, drawn), (seed, drawn.what)
        for a, b in zip(sheet.columns, again.columns, strict=True):
            assert np.array_equal(a.values, b.values, equal_nan=True) and a.levels == b.levels, (seed, a.name)


def test_frames_hold_the_drawn_values_or_are_refused():
    """What pandas reads by default is taken where it has the table's values; no other value is taken without a word."""
    taken = 0
    for seed in range(SEED, SEED + TABLES // 2):
        drawn = draw_table(seed)
        sheet = read_sheet(drawn.data, "a", drawn.options, target=drawn.target)
        reading = describe_target(sheet, drawn.target)
        readers = {"excel": pd.read_excel, "parquet": pd.read_parquet, "text": pd.read_csv}
        try:
            frame = readers[reading.format](io.BytesIO(drawn.data))
        except (ValueError, UnicodeError):  # pandas cannot
            continue
        try:
            got = read_frame(frame, reading)
        except BadData as error:
            assert "path of the file" in str(error)
            continue
        taken += 1
        for column in reading.features:
            a, b = sheet.column(column.name).values, got.column(column.name).values
            assert np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True), (seed, column.name)
    assert taken > TABLES // 20
