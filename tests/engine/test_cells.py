"""Augmented rows are written as the file writes its cells."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data.prepare import encode, fit_scale
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target, to_dataset
from engine.export.cells import Cells, count_places
from engine.export.pipeline import Pipeline
from engine.export.rows import encode_text, write_augmented_csv
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat
from engine.text import csv_cell
from engine.training.fitted import Fitted, Synthetic


def number(values: list[float] | None = None, **form: object) -> Cells:
    typed = not form
    reading = ColumnReading("a", 0, "numeric", typed=typed, number=NumberFormat(**form))  # type: ignore[arg-type]
    return Cells.of("numeric", (), reading, np.array(values if values is not None else [0.0]))


def date(form: str, **more: object) -> Cells:
    reading = ColumnReading("a", 0, "date", date=DateFormat(form, **more))  # type: ignore[arg-type]
    return Cells.of("date", (), reading, np.array([0.5]))


NUMBERS = [
    # (how the column is written, a value, the cell of an old value, the cell of a new one)
    ({"places": 0}, 8.0, "8", "8"),
    ({"places": 0}, 21.80404, "21.80404", "22"),
    ({"places": 0}, -0.2, "-0.2", "0"),
    ({"places": 2}, 846.6, "846.60", "846.60"),
    ({"places": 2, "before": "$", "negative": "()", "thousands": ","}, -1960.694, "($1,960.694)", "($1,960.69)"),
    ({"places": 2, "before": "EUR ", "thousands": ".", "decimal": ","}, 8085.96, "EUR 8.085,96", "EUR 8.085,96"),
    ({"places": 1, "after": " kg", "decimal": ","}, 75.1499, "75,1499 kg", "75,1 kg"),
    ({"places": 1, "after": "%", "negative": "-"}, -15.0, "-15.0%", "-15.0%"),
    ({"places": 0, "after": " EUR", "negative": "- behind"}, -3.0, "3 EUR-", "3 EUR-"),
    ({"places": 2}, 123456789012.25, "123456789012.25", "123456789012.25"),
    ({"places": 200}, 1.16325e-197, "1.16325e-197", "1.16325e-197"),
    ({"places": 3}, 0.0, "0.000", "0.000"),
]


@pytest.mark.parametrize(("form", "value", "old", "new"), NUMBERS)
def test_numbers_have_the_format_of_their_column(form: dict[str, object], value: float, old: str, new: str) -> None:
    cells = number(**form)
    assert (cells.write(value), cells.write(value, new=True)) == (old, new)
    assert cells.write(math.nan) is None and cells.write(None, new=True) is None
    assert csv_cell(cells.write(value)) == old  # a negative amount is no formula


def test_numbers_of_a_workbook_stay_numbers() -> None:
    whole, two, long = number([1.0, 2.0, np.nan]), number([0.5, 0.25]), number([1 / 3, 1.0])
    assert (whole.write(8.0), whole.write(21.804, new=True)) == (8, 22) and isinstance(whole.write(8.0), int)
    assert (two.write(0.5), two.write(0.4567, new=True)) == (0.5, 0.46)
    assert (long.write(1 / 3), long.write(0.123456789, new=True)) == (1 / 3, 0.1234568)
    assert [count_places(v) for v in ([], [1.0, np.nan], [1.25, 3.5], [1e-20])] == [0, 0, 2, 16]


def test_dates_have_the_format_of_their_column() -> None:
    days = 18972.75  # 2021-12-11 18:00
    for form, text in [
        ("%d/%m/%Y", "12/12/2021"),
        ("%d/%m/%Y %H:%M", "11/12/2021 18:00"),
        ("%m/%d/%Y %I:%M %p", "12/11/2021 06:00 PM"),
        ("%d-%b-%y", "12-Dec-21"),
        ("%Y-%m-%dT%H:%M:%S%z", "2021-12-11T18:00:00+00:00"),
        ("ISO8601", "2021-12-11 18:00:00"),
    ]:
        assert date(form).write(days, new=True) == text, form
    assert date("%d.%m.%Y %H:%M").write(18972.0) == "11.12.2021 00:00"
    assert date("%d.%m.%Y %H:%M").write(18972.0 + 59.9 / 1440, new=True) == "11.12.2021 01:00"
    assert date("%Y-%m-%d").write(-1e9, new=True) == "0001-01-01" and date("%Y-%m-%d").write(1e9, new=True) == "9999-12-31"
    whole = Cells.of("date", (), ColumnReading("a", 0, "date", date=DateFormat("ISO8601")), np.array([18972.0, np.nan]))
    assert whole.write(18972.0) == "2021-12-11" and whole.write(18972.4, new=True) == "2021-12-11"  # days stay days


def test_without_a_reading_nothing_is_known_of_the_format() -> None:
    plain = Cells.of("numeric", (), None, np.array([1.0]))
    assert plain.write(21.804041234) == 21.804041234 and plain.write(21.804041234, new=True) == 21.80404
    assert Cells.of("date", (), None, np.zeros(1)).write(18972.75) == "2021-12-11 18:00:00"
    assert Cells.of("boolean", ("no", "yes"), None, np.zeros(1)).write(0.7, new=True) == "yes"


def test_augmented_rows_are_read_back_as_the_table_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["count;amount;share;since;member;town;left"]
    for i in range(60):
        amount = f"{rng.normal(2000, 900):,.2f}".replace(",", "#").replace(".", ",").replace("#", ".")
        since = f"{1 + i % 28:02d}/{1 + i % 12:02d}/2021"
        share = "" if i % 9 == 0 else f"{rng.normal(0, 9):.1f}%".replace(".", ",")
        lines.append(
            f"{i % 23};{amount} €;{share};{since};{('no', 'yes')[i % 2]};{('Ulm', 'Köln', '')[i % 3]};{('a', 'b')[i % 4 == 0]}"
        )
    sheet = read_sheet(("\n".join(lines) + "\n").encode("cp1252"), "t.csv")
    dataset = to_dataset(sheet, "left")
    train = np.arange(40)
    scale = fit_scale(encode(dataset)[0], len(dataset.numeric_names), train)
    pipeline = Pipeline.of(dataset, scale, describe_target(sheet, "left"))
    x = torch.from_numpy(scale(encode(dataset)[0][train][:10]) * 0.9).unsqueeze(0)
    ones = torch.ones(1, 10, dtype=torch.int64)
    made = Fitted(None, torch.zeros(1, dtype=torch.int64), Synthetic(x, x, ones, ones.bool()))  # type: ignore[arg-type]
    text = write_augmented_csv(dataset, pipeline, train, made, target="left")
    head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    assert head == ["count", "amount", "share", "since", "member", "town", "left", "synthetic"]
    original = [line.split(";") for line in lines[1:41]]
    assert [row[:7] for row in rows[:40]] == original and {row[7] for row in rows[:40]} == {"0"}
    assert {row[7] for row in rows[40:]} == {"1"} and len(rows) == 50
    for row in rows[40:]:
        assert row[0].lstrip("-").isdigit() and row[1].endswith(" €") and len(row[1].split(",")[1]) == 4
        assert row[2] == "" or (row[2].endswith("%") and len(row[2].split(",")[1]) == 2)
        assert len(row[3]) == 10 and row[3].count("/") == 2 and row[4] in ("no", "yes") and row[5] in ("Ulm", "Köln", "")
    file = tmp_path / "augmented.csv"
    file.write_bytes(encode_text(text, pipeline.reading))
    again = pipeline(file)[0]  # the model takes its own augmented rows
    np.testing.assert_allclose(again[:40], scale(encode(dataset)[0][train]), rtol=0, atol=1e-9)
