"""Workbooks in which some cells of a column are typed and others are texts: another workbook is read as the first one was."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import engine
from engine.data.prepare import encode, fit_scale
from engine.data.tables.frame import read_frame
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target, to_dataset
from engine.export.pipeline import Pipeline
from engine.export.write import model_bytes
from engine.spec.table_reading import DateFormat, NumberFormat, TableReading
from tests.engine.data.odd_files import grid

N = 120
FIRST = datetime.date(2020, 1, 1)
DAY = (FIRST - datetime.date(1970, 1, 1)).days


def table(
    number: Callable[[int], Any], day: Callable[[int], Any], rows: int = N, names: tuple[str, ...] = ("x", "day")
) -> bytes:
    """A workbook of numbers, days and an answer; every third number and day are what the functions make of the row."""
    cells = [
        (number(i) if i % 3 == 0 else i + 0.5, day(i) if i % 3 == 0 else FIRST + datetime.timedelta(i), "ny"[i % 5 == 0])
        for i in range(rows)
    ]
    return grid((*names, "left"), *cells)


def comma(i: int) -> str:
    return f"{i},5"


def day_first(i: int) -> str:
    return f"{FIRST + datetime.timedelta(i):%d/%m/%Y}"


EXPECTED = np.arange(N) + 0.5


@pytest.fixture(scope="module")
def reading() -> TableReading:
    """Of decimal commas and days before months, as JSON has it."""
    sheet = read_sheet(table(comma, day_first), "a.xlsx")
    assert np.array_equal(sheet.columns[0].values, EXPECTED)
    assert np.array_equal(sheet.columns[1].values, DAY + np.arange(N))
    reading = describe_target(sheet, "left")
    return TableReading.from_json(json.loads(json.dumps(reading.to_json())))


def values(data: bytes, reading: TableReading) -> list[list[float]]:
    return [c.values.tolist() for c in read_sheet(data, "b.xlsx", reading=reading).columns[:2]]


def test_a_reading_holds_how_the_texts_are_written(reading):
    x, day, left = reading.columns
    assert (x.kind, day.kind, x.typed, day.typed) == ("numeric", "date", True, True)
    assert x.text_number == NumberFormat(",") and x.text_date is None
    assert day.text_date == DateFormat("%d/%m/%Y", True) and day.text_number is None
    assert left.text_number is left.text_date is None
    again = read_sheet(table(comma, day_first), "a.xlsx", reading=reading)
    assert np.array_equal(again.columns[0].values, EXPECTED) and np.array_equal(again.columns[1].values, DAY + np.arange(N))
    assert any("'day': dates are read with the day before month" in note for note in again.notes)


def test_another_workbook_is_read_without_a_guess(reading):
    # alone 1,234 is grouped and 05/06/2020 has the month first
    x, day = values(table(lambda i: "1,234", lambda i: "05/06/2020", rows=7), reading)
    assert x == [1.234, 1.5, 2.5, 1.234, 4.5, 5.5, 1.234]
    june = float((datetime.date(2020, 6, 5) - datetime.date(1970, 1, 1)).days)
    assert day == [june, DAY + 1, DAY + 2, june, DAY + 4, DAY + 5, june]
    # texts alone, typed cells alone
    assert values(grid(("x", "day"), ("1,234", "05/06/2020"), ("7", "06/06/2020")), reading) == [[1.234, 7], [june, june + 1]]
    assert values(grid(("x", "day"), (1.234, datetime.date(2020, 6, 5))), reading) == [[1.234], [june]]
    # what is no number or date of the format is missing, and said
    sheet = read_sheet(grid(("x", "day"), (1, FIRST), ("1 234,5", "06.05.2020")), "b.xlsx", reading=reading)
    assert [np.isnan(c.values).tolist() for c in sheet.columns] == [[False, True], [False, True]]
    assert any("'1 234,5'" in note for note in sheet.notes) and any("'06.05.2020'" in note for note in sheet.notes)


@pytest.mark.parametrize(
    ("write", "new", "right"),
    [
        (lambda i: f"{1000 + i:,}.50", "1,234", 1234.0),
        (lambda i: f"1.{i:03},50", "1.234", 1234.0),
        (lambda i: f"1.{i:03},50", "1,234", 1.234),
        (lambda i: f"{i},5", "1.234", 1234.0),
        (lambda i: f"1 {i:03},50", "1.234", 1234.0),
        (lambda i: f"{i},5 €", "1,234 €", 1.234),
        (lambda i: f"{i}.5", "1,234", None),
        (lambda i: i, "1,234", None),
        (lambda i: i, "1.234", 1.234),
    ],
)
def test_texts_of_every_style(write, new, right):
    first = read_sheet(table(write, day_first), "a.xlsx")
    reading = describe_target(first, "left")
    assert first.columns[0].missing == 0
    again = read_sheet(table(write, day_first), "a.xlsx", reading=reading)
    assert np.array_equal(first.columns[0].values, again.columns[0].values)
    x, _ = values(table(lambda i: new, day_first, rows=7), reading)
    expected = np.nan if right is None else right
    assert np.array_equal(x, [expected, 1.5, 2.5, expected, 4.5, 5.5, expected], equal_nan=True)


def test_a_column_of_texts_alone_takes_typed_cells():
    rows = [(f"1.{i:03},5", day_first(i), "ny"[i % 5 == 0]) for i in range(N)]
    reading = describe_target(read_sheet(grid(("x", "day", "left"), *rows), "a.xlsx"), "left")
    assert reading.column("x").number == NumberFormat(",", ".", places=1) and reading.column("x").text_number is None
    x, day = values(grid(("x", "day"), (1.234, FIRST), ("1.234,5", "02/01/2020"), ("1,234", "03/01/2020")), reading)
    assert x == [1.234, 1234.5, 1.234] and day == [DAY, DAY + 1, DAY + 2]


def test_names_that_look_like_numbers_stay():
    data = table(comma, day_first, names=("0,5", "31/12/2019"))
    sheet = read_sheet(data, "a.xlsx", {"header": True})
    assert [c.name for c in sheet.columns] == ["0,5", "31/12/2019", "left"]
    assert values(data, describe_target(sheet, "left"))[0] == EXPECTED.tolist()


def test_other_columns_do_not_decide_how_rewritten_texts_are_read():
    """A column mostly of texts beside one with groups of points."""
    rows = [(f"{i % 9},{100 + i}" if i % 3 else i % 9 + 0.125, f"{i}.000,5", "ny"[i % 5 == 0]) for i in range(N)]
    rows = [("0,5", *row[1:]) if i == 1 else row for i, row in enumerate(rows)]
    sheet = read_sheet(grid(("x", "z", "left"), *rows), "a.xlsx")
    expected = [float(str(row[0]).replace(",", ".")) for row in rows]
    assert sheet.columns[0].values.tolist() == expected
    again = read_sheet(grid(("x", "z", "left"), *rows), "a.xlsx", reading=describe_target(sheet, "left"))
    assert again.columns[0].values.tolist() == expected


def test_readings_without_the_forms_are_still_read(reading):
    old = reading.to_json()
    for column in old["columns"]:
        del column["text_number"], column["text_date"]
    known = TableReading.from_json(old)
    assert known.column("x").text_number is None
    x, _ = values(table(lambda i: "1,234", lambda i: "05/06/2020", rows=4), known)
    assert np.array_equal(x, [np.nan, 1.5, 2.5, np.nan], equal_nan=True)  # no guess: missing


def test_a_frame_of_a_workbook_has_the_files_values(reading):
    for data in (
        table(comma, day_first),
        table(lambda i: "1,234", lambda i: "05/06/2020", rows=7),
        grid(("x", "day"), ("1,234", "05/06/2020"), ("7", "06/06/2020")),
        grid(("x", "day"), (1.234, datetime.date(2020, 6, 5))),
    ):
        got = read_frame(pd.read_excel(io.BytesIO(data)), reading)
        assert [c.values.tolist() for c in got.columns[:2]] == values(data, reading)


def test_a_model_reads_another_workbook_by_its_path(tmp_path: Path):
    sheet = read_sheet(table(comma, day_first), "a.xlsx")
    data = to_dataset(sheet, "left")
    x = encode(data)[0]
    scale = fit_scale(x, len(data.numeric_names), np.arange(N))
    fitted = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(scale(x).astype(np.float32), data.y)
    content = model_bytes(fitted, Pipeline.of(data, scale, describe_target(sheet, "left")), classes=data.classes)
    model = engine.load_model(io.BytesIO(content))
    texts, typed = tmp_path / "texts.xlsx", tmp_path / "typed.xlsx"
    texts.write_bytes(table(lambda i: "1,234", lambda i: "05/06/2020", rows=7))
    typed.write_bytes(table(lambda i: 1.234, lambda i: datetime.date(2020, 6, 5), rows=7))
    np.testing.assert_array_equal(model.predict_proba(texts), model.predict_proba(typed))
    np.testing.assert_array_equal(model.pipeline(texts)[0], model.pipeline(typed)[0])
    typed.write_bytes(table(lambda i: 1234, lambda i: datetime.date(2020, 5, 6), rows=7))
    assert (model.pipeline(texts)[0][0] != model.pipeline(typed)[0][0]).all()
