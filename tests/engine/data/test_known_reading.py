"""A reading applied to another file of the same kind, and to frames: clear rules, no guess."""

from __future__ import annotations

import copy
import io
import json
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.data.tables.frame import read_frame
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import build_labels, describe_target
from engine.errors import BadData
from engine.spec import table_reading
from engine.spec.table_reading import ColumnReading, NumberFormat, TableReading, TargetReading

N = 130
CODES = ("01067", "02110", "99084")
TABLE = "score;weight;opened;plz;channel;member;left\n" + "".join(
    f"{i % 9},5;{i % 50},5 kg;{1 + i % 28:02}/0{1 + i % 9}/2021;{CODES[i % 3]};{'rgb'[i % 3]};"
    f"{('no', 'yes')[i % 2]};{('no', 'yes')[i % 5 == 0]}\n"
    for i in range(N)
)


@pytest.fixture(scope="module")
def reading() -> TableReading:
    return describe_target(read_sheet(TABLE.encode(), "a.csv"), "left")


def apply(text: str, reading: TableReading) -> Any:
    return read_sheet(text.encode(), "b.csv", reading=reading)


HEAD = TABLE.partition("\n")[0] + "\n"


def test_formats_are_those_of_the_reading_whatever_the_file_suggests(reading):
    sheet = apply(HEAD + "1,5;2,5 kg;03/04/2021;01067;r;yes;no\n", reading)  # alone it is month first, and 1067 a number
    values = {c.name: c.values.tolist()[0] for c in sheet.columns}
    assert values == {"score": 1.5, "weight": 2.5, "opened": 18720.0, "plz": 0, "channel": 0, "member": 1.0, "left": 0.0}
    assert [c.kind for c in sheet.columns] == [c.kind for c in reading.columns]
    assert sheet.column("plz").levels[0] == "01067" and build_labels(sheet, "left").y.tolist() == [0]


def test_what_is_unknown_is_missing(reading):
    sheet = apply(HEAD + "x;2,5 lb;2021-04-03;12345;violet;perhaps;unknown\n1,5;1,0 kg;03/04/2021;01067;g;no;yes\n", reading)
    assert [c.missing for c in sheet.columns] == [1] * 7
    assert build_labels(sheet, "left").y.tolist() == [-1, 1]
    assert any("no numbers or dates" in note or "they count as missing" in note for note in sheet.notes)


def test_an_unknown_level_is_the_other_one_where_there_is_one():
    rows = "".join(f"town {i % 150},{i}.5,{'no' if i % 5 else 'yes'}\n" for i in range(3000))
    first = read_sheet(f"town,x,left\n{rows}".encode(), "a.csv")
    reading = describe_target(first, "left")
    assert reading.column("town").other == "(other)" and len(reading.column("town").levels) == 100
    sheet = read_sheet(b"town,x,left\ntown 3,1.5,no\nnowhere,2.5,no\ntown 149,3.5,no\n,4.5,yes\n", "b", reading=reading)
    assert [sheet.columns[0].levels[i] if i >= 0 else None for i in sheet.columns[0].values.tolist()] == [
        *("town 3", "(other)", "(other)", None)
    ]


def test_columns_are_found_by_name_and_the_header_below_a_title(reading):
    lines = TABLE.splitlines()
    moved = "\n".join(";".join(reversed(line.split(";"))) for line in lines)
    for text in (moved, "Report;;;;;;\nof plant 7;;;;;;\n" + TABLE, "a\n\n" + TABLE, TABLE + HEAD):
        sheet = apply(text, reading)
        assert sheet.rows == N
        for a, b in zip(apply(TABLE, reading).columns, sheet.columns, strict=True):
            assert a.name == b.name and np.array_equal(a.values, b.values, equal_nan=True)
    more = "\n".join(f"{line};{i}" if i else f"{line};extra" for i, line in enumerate(lines))
    assert [c.name for c in apply(more, reading).columns] == [c.name for c in reading.columns]
    without = "\n".join(line.rpartition(";")[0] for line in lines)
    assert apply(without, reading).rows == N  # the target may lack
    with pytest.raises(BadData, match="no column called 'score'"):
        apply("\n".join(line.partition(";")[2] for line in lines), reading)
    with pytest.raises(BadData, match="must be text"):
        read_sheet(pd.DataFrame({"a": [1]}).to_parquet(), "b", reading=reading)


def test_without_a_header_columns_have_their_places():
    text = "".join(f"{i}.5,{'rgb'[i % 3]},{'no' if i % 5 else 'yes'}\n" for i in range(N))
    reading = describe_target(read_sheet(text.encode(), "a.csv"), "column 3")
    assert not reading.header
    sheet = read_sheet(b"7.5,g,yes\n", "b.csv", reading=reading)
    assert [c.values.tolist() for c in sheet.columns[:1]] == [[7.5]] and build_labels(sheet, "column 3").y.tolist() == [1]


def test_the_class_of_interest_can_be_another(reading):
    sheet = apply(TABLE, reading)
    assert build_labels(sheet, "left").classes == ("no", "yes") and build_labels(sheet, "LEFT", "No").classes == ("yes", "no")
    assert np.array_equal(build_labels(sheet, "left").y, 1 - build_labels(sheet, "left", "no").y)


# ---- frames


def test_a_frame_has_the_files_values_or_is_refused():
    text = "plz,amount,left\n" + "".join(f"{CODES[i % 3]},{i}.5,{'no' if i % 5 else 'yes'}\n" for i in range(N))
    sheet = read_sheet(text.encode(), "a.csv")
    reading = describe_target(sheet, "left")
    frame = pd.read_csv(io.StringIO(text))
    assert frame["plz"].dtype == "int64"
    got = read_frame(frame, reading)
    assert np.array_equal(got.column("plz").values, sheet.column("plz").values)
    with_gaps = read_frame(frame.assign(plz=frame["plz"].where(frame.index % 7 > 0)), reading)
    assert (with_gaps.column("plz").values[1:7] == sheet.column("plz").values[1:7]).all() and with_gaps.column("plz").values[
        0
    ] == -1
    padded = frame["plz"].astype(str).str.zfill(5).astype("category")
    typed = read_frame(frame.assign(plz=padded, amount=frame["amount"].astype("float32")), reading)
    assert np.array_equal(typed.column("plz").values, sheet.column("plz").values)
    spaces = read_frame(frame.rename(columns={"plz": " plz "}), reading)
    assert spaces.rows == N and read_frame(frame.drop(columns="left").head(1), reading).rows == 1
    for wrong, says in (
        (frame.drop(columns="plz"), "no column called 'plz'"),
        (frame.assign(amount="12,5 kg"), "Row 0 .from 0. has no number in the column 'amount'"),
        (frame.assign(amount=[[1]] * N), "no plain values"),
    ):
        with pytest.raises(BadData, match=says) as caught:
            read_frame(wrong, reading)
        assert "path of the file" in str(caught.value)


def test_digits_of_several_lengths_cannot_come_from_numbers():
    text = "code,x,left\n" + "".join(f"{('007', '12', '0045')[i % 3]},{i}.5,{'no' if i % 5 else 'yes'}\n" for i in range(N))
    reading = describe_target(read_sheet(text.encode(), "a.csv"), "left")
    with pytest.raises(BadData, match="leading zeros"):
        read_frame(pd.read_csv(io.StringIO(text)), reading)
    assert read_frame(pd.read_csv(io.StringIO(text), dtype={"code": str}), reading).column("code").missing == 0


def test_groups_of_points_cannot_come_from_numbers():
    text = "x\tleft\n" + "".join(f"{1 + i % 9}.{100 + i}\t{'no' if i % 5 else 'yes'}\n" for i in range(N))
    reading = describe_target(read_sheet(text.encode(), "a.csv", {"decimal": ",", "thousands": "."}), "left")
    with pytest.raises(BadData, match="another"):
        read_frame(pd.read_csv(io.StringIO(text), sep="\t"), reading)


# ---- as JSON


def test_a_reading_is_plain_json_and_comes_back_equal(reading):
    text = json.dumps(reading.to_json(), allow_nan=False)
    assert TableReading.from_json(json.loads(text)) == reading
    assert [c.name for c in reading.features] == ["score", "weight", "opened", "plz", "channel", "member"]


def test_a_reading_of_another_reader_is_refused(reading, monkeypatch):
    value = reading.to_json()
    monkeypatch.setattr(table_reading, "READER", table_reading.READER + 1)
    with pytest.raises(BadData, match="another version"):
        TableReading.from_json(value)


def test_a_damaged_reading_is_one_sentence(reading):
    draw = random.Random(4)
    odd = [None, 3, -1, "x", [], {}, [1], True, 1.5, {"name": 3}, ["a", 2]]
    for _ in range(400):
        value = copy.deepcopy(reading.to_json())
        place: Any = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and draw.random() < 0.7:
                place = place[key]
                continue
            if isinstance(place, dict) and draw.random() < 0.2:
                del place[key]
            elif isinstance(place, dict) and draw.random() < 0.2:
                place["extra"] = 1
            else:
                place[key] = draw.choice(odd)
            break
        try:
            TableReading.from_json(value)
        except BadData as error:
            assert str(error).endswith(".")
    for value in (None, 3, [], {}, {"format": "text", "columns": 3}, {"format": "pdf"}):
        with pytest.raises(BadData):
            TableReading.from_json(value)


def test_a_reading_names_its_columns_and_features():
    columns = (
        ColumnReading("a", 0, "numeric", number=NumberFormat()),
        ColumnReading("b", 1, "id", dropped="id"),
        ColumnReading("y", 2, "boolean", levels=("n", "y")),
    )
    reading = TableReading("text", columns=columns, target=TargetReading("y", ("n", "y")))
    assert reading.column("b") is columns[1] and reading.features == columns[:1]
    with pytest.raises(BadData):
        reading.column("c")
