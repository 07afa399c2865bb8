"""Small tables made after public reports, and what is right about each: as read, as read by a reading, as a frame of pandas."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pandas as pd
import pytest

from engine.data.tables.frame import read_frame
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target
from engine.errors import BadData
from engine.spec.table_reading import TableReading
from tests.engine.data.held_values import CASES, EXPECTED, ask, list_differences


@pytest.mark.parametrize("file", EXPECTED)
def test_a_table_is_read_right(file):
    case = EXPECTED[file]
    target, positive = ask(case)
    data = (CASES / file).read_bytes()
    for named in (target, None):  # at the terminal; at the page, where a person chooses it afterwards
        sheet = read_sheet(data, file, case["options"], target=named)
        assert not list_differences(sheet, case)
        reading = describe_target(sheet, target, positive)
        assert reading.target is not None and reading.target.name == case["target"]
        if case["positive"]:
            assert reading.target.positive == case["positive"][1]


@pytest.mark.parametrize("file", EXPECTED)
def test_a_reading_gives_the_same_without_a_guess(file, monkeypatch):
    case = EXPECTED[file]
    target, positive = ask(case)
    data = (CASES / file).read_bytes()
    first = read_sheet(data, file, case["options"], target=target)
    text = json.dumps(describe_target(first, target, positive).to_json(), allow_nan=False)
    guesses = ["kinds.read_column", "headers.looks_headed", "numerals.guess_format"]
    if not file.endswith(".xlsx"):  # where texts of numbers and dates are first written as the typed cells beside them
        guesses += ["numerals.find_style", "dates.parse_dates"]
    with monkeypatch.context() as patch:
        for guess in guesses:
            patch.setattr(f"engine.data.tables.{guess}", None)
        again = read_sheet(data, file, reading=TableReading.from_json(json.loads(text)))
    assert not list_differences(again, case)
    for a, b in zip(first.columns, again.columns, strict=True):
        assert (a.name, a.kind, a.levels) == (b.name, b.kind, b.levels)
        assert np.array_equal(a.values, b.values, equal_nan=True)


@pytest.mark.parametrize("file", EXPECTED)
def test_a_frame_of_pandas_gives_the_same_or_one_sentence(file):
    case = EXPECTED[file]
    target, positive = ask(case)
    data = (CASES / file).read_bytes()
    sheet = read_sheet(data, file, case["options"], target=target)
    reading = describe_target(sheet, target, positive)
    readers = {"xlsx": pd.read_excel, "parquet": pd.read_parquet}
    try:
        frame = readers.get(file.rpartition(".")[2], pd.read_csv)(io.BytesIO(data))
    except (ValueError, UnicodeDecodeError):  # pandas cannot
        assert not case["frame"]
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            got = read_frame(frame, reading)
        except BadData as error:
            assert not case["frame"] and str(error).count(". ") == 1 and "path of the file" in str(error)
            return
    for column in reading.features:
        a, b = sheet.column(column.name).values, got.column(column.name).values
        assert np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True), column.name
