"""More neighbours of odd tables: notations of numbers, clocks, marks, headers, remarks and letters."""

from __future__ import annotations

import datetime
import io

import numpy as np
import openpyxl
import pytest

from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target, match_class
from tests.engine.data.test_kinds_near import AMOUNTS, ANSWERS, BODY, MOMENTS, SCORES, N, is_numeric, read, says, written


@pytest.mark.parametrize("dash", ["-", "\u2013", "\u2212"])
def test_a_dash_in_place_of_decimals_is_no_minus(dash):
    whole = [float(int(x)) for x in AMOUNTS]
    for write, delimiter, decimal in (
        (lambda x: f"CHF {int(x)}.{dash}", ",", "."),
        (lambda x: f"{int(x)},{dash} €", ";", ","),
        (lambda x: f"{int(x)},{dash}", ";", ","),
    ):
        is_numeric(read([write(x) for x in AMOUNTS], delimiter=delimiter, decimal=decimal), whole)
    # a minus behind other numbers stays one
    is_numeric(
        read([f"{x}{dash}" if i % 3 else f"{x}" for i, x in enumerate(AMOUNTS)]),
        [-x if i % 3 else x for i, x in enumerate(AMOUNTS)],
    )


@pytest.mark.parametrize("hyphen", ["\u2010", "\u2011", "\u2012", "\u2013", "\u2212", "\ufe63", "\uff0d"])
def test_every_sign_of_minus(hyphen):
    is_numeric(read([score.replace("-", hyphen) for score in SCORES]), [float(score) for score in SCORES])
    gone = [i % 7 == 0 for i in range(N)]
    texts = [f"{hyphen}999" if lost else f"{x}" for lost, x in zip(gone, AMOUNTS, strict=True)]
    for mark in ("-999", f"{hyphen}999"):
        is_numeric(read(texts, missing=[mark]), [None if lost else x for lost, x in zip(gone, AMOUNTS, strict=True)])


@pytest.mark.parametrize(
    "unit",
    [" 10^9/L", " x10^3/uL", " ×10^12/L", " 10*3/uL", " 10⁹/L", " mL/min/1.73m2", " ml/min/1,73 m²", "℃", " ℉", " \u2126"],
)
def test_units_of_laboratories(unit):
    sheet = read([f"{x:.1f}{unit}" for x in AMOUNTS])
    is_numeric(sheet, [round(x, 1) for x in AMOUNTS])
    says(sheet, repr(unit.strip()))
    is_numeric(read([f"{int(x)}{unit}" for x in AMOUNTS]), [int(x) for x in AMOUNTS])


@pytest.mark.parametrize("spellings", [(" kg", " KG", " Kg"), (" mg/dl", " mg/dL", " MG/DL"), (" ml", " mL"), (" EUR", " eur")])
def test_a_unit_in_capital_and_small_letters_is_one_unit(spellings):
    for commoner in spellings:
        texts = [f"{x:.1f}{spellings[i // 3 % len(spellings)] if i % 3 == 0 else commoner}" for i, x in enumerate(AMOUNTS)]
        sheet = read(texts)
        is_numeric(sheet, [round(x, 1) for x in AMOUNTS])
        says(sheet, f"numbers are written with {commoner.strip()!r}")
        assert sheet.reading.column("x").number.after == commoner
        # a file of another spelling, and a mark with the unit
        other = written({"score": SCORES, "x": [f"2.5{spellings[0]}"] * N, "left": ANSWERS})
        assert (read_sheet(other, "b.csv", reading=sheet.reading).columns[1].values == 2.5).all()
        gone = [f"-999{spellings[-1]}" if i % 9 == 0 else text for i, text in enumerate(texts)]
        is_numeric(read(gone, missing=["-999"]), [round(x, 1) if i % 9 else None for i, x in enumerate(AMOUNTS)])


def test_a_mark_that_is_a_number_with_the_columns_unit_or_currency():
    gone = [i % 7 == 0 for i in range(N)]
    right = [None if lost else x for lost, x in zip(gone, AMOUNTS, strict=True)]
    for before, after in (("$", ""), ("", " kg"), ("EUR ", ""), ("", "%")):
        texts = [f"{before}{-999 if lost else x}{after}" for lost, x in zip(gone, AMOUNTS, strict=True)]
        is_numeric(read(texts, missing=["-999.0"]), right)
    # bounds, and numbers that are parts of names, are no marks
    is_numeric(read(["<5" if lost else f"{x}" for lost, x in zip(gone, AMOUNTS, strict=True)], missing=["5"]),
               [5 if lost else x for lost, x in zip(gone, AMOUNTS, strict=True)])  # fmt: skip
    floors = [("1st", "2nd", "3rd")[i % 3] for i in range(N)]
    assert set(read(floors, missing=["1"]).columns[1].levels) == {"1st", "2nd", "3rd"}


@pytest.mark.parametrize(
    ("form", "zone", "hours"),
    [
        ("%Y%m%dT%H%M%S", "", 0),
        ("%Y%m%dT%H%M%S", "Z", 0),
        ("%Y%m%dT%H%M", "+0200", 2),
        ("%Y-%m-%dT%H%M%S", "", 0),
        ("%a %b %d %H:%M:%S %Y", "", 0),
        ("%d-%m-%Y %H:%M", " IST", 5.5),
        ("%Y-%m-%d %H:%M:%S", " NZDT", 13),
    ],
)
def test_clocks_without_colons_and_days_around_a_clock(form, zone, hours):
    texts = [f"{moment:{form}}{zone}" for moment in MOMENTS]
    back = [datetime.datetime.strptime(f"{m:{form}}", form) - datetime.timedelta(hours=hours) for m in MOMENTS]
    sheet = read(texts)
    column = sheet.columns[1]
    assert column.kind == "date", (form, column.kind, column.examples)
    days = [(when - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for when in back]
    assert np.allclose(column.values, days, rtol=0, atol=1e-9)
    if not zone:
        assert [f"{moment:{sheet.reading.column('x').date.format}}" for moment in MOMENTS] == texts


def test_a_clock_between_the_day_and_the_year():
    for zone, hours in (("UTC", 0), ("+0200", 2), ("CEST", 2)):
        texts = [f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S} {zone} {moment:%Y}" for moment in MOMENTS]
        column = read(texts).columns[1]
        assert column.kind == "date", column.examples
        since = datetime.datetime(1970, 1, 1) + datetime.timedelta(hours=hours)
        days = [(moment.replace(microsecond=0) - since) / datetime.timedelta(days=1) for moment in MOMENTS]
        assert np.allclose(column.values, days, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "names", [["0.5", "1.0", "1.5"], ["-1", "0", "1"], ["10%", "20%", "30%"], ["400.5", "401.0", "402.25"]]
)
def test_ascending_numbers_are_names_beside_a_word_above_few_values(names):
    lines = [",".join(row) for row in BODY]
    sheet = read_sheet("\n".join([",".join([*names, "churn"]), *lines]).encode(), "a.csv")
    assert [column.name for column in sheet.columns] == [*names, "churn"] and sheet.rows == N
    # in another order, beside a known word or above many values they are a row
    down = read_sheet("\n".join([",".join([*names[::-1], "churn"]), *lines]).encode(), "a.csv")
    assert down.rows == N + (names[0] != "-1")  # one number alone has no order
    known = read_sheet("\n".join([",".join([*names, "yes"]), *lines]).encode(), "a.csv")
    assert known.rows == N + 1
    cars = [",".join([*row[:3], f"car {i // 2}"]) for i, row in enumerate(BODY)]
    assert read_sheet("\n".join([",".join([*names, "ford pinto"]), *cars]).encode(), "a.csv").rows == N + 1


def test_remarks_within_a_table_that_hold_delimiters_are_no_rows():
    lines = written({"score": SCORES, "left": ANSWERS}).decode().splitlines()
    for k in (30, 60, 90):
        lines.insert(k, "# checked, by hand")
    data = "\n".join(["# made by plant 7", *lines]).encode()
    sheet = read_sheet(data, "a.csv")
    assert sheet.rows == N and [column.kind for column in sheet.columns] == ["numeric", "boolean"]
    says(sheet, "3 comment lines")
    assert read_sheet(data, "a.csv", reading=describe_target(sheet, "left")).rows == N


def test_bounds_and_units_among_the_numbers_of_a_workbook_in_its_own_decimal_mark():
    for bound, value in (("< 0,6", 0.6), ("≤1.234,5", 1234.5), ("> 900,25", 900.25)):
        book = openpyxl.Workbook()
        book.active.append(["score", "crp", "left"])
        for i, x in enumerate(AMOUNTS):
            book.active.append([float(SCORES[i]), bound if i % 8 == 0 else x, ANSWERS[i]])
        out = io.BytesIO()
        book.save(out)
        sheet = read_sheet(out.getvalue(), "a.xlsx")
        is_numeric(sheet, [value if i % 8 == 0 else x for i, x in enumerate(AMOUNTS)])
        says(sheet, "bounds")


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        ("hayır", "evet"),
        ("ne", "ano"),
        ("nem", "igen"),
        ("ei", "kyllä"),
        ("όχι", "ναι"),
        ("いいえ", "はい"),
        ("否", "是"),
        ("아니요", "예"),
    ],
)
def test_yes_and_no_in_more_languages(no, yes):
    texts = [yes if i % 3 else no for i in range(N)]
    column = read(texts).columns[1]
    assert (column.kind, column.levels) == ("boolean", (no, yes)) and column.values.tolist() == [
        float(i % 3 > 0) for i in range(N)
    ]
    assert match_class("True", (no, yes), "y") == yes and match_class("0", (no, yes), "y") == no


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1254", ["İzmir", "Muğla", "Şırnak", "Çorum"]),
        ("cp1254", ["Iğdır", "Muş", "Kütahya"]),
        ("cp850", ["Köln", "München", "Düsseldorf"]),
        ("cp850", ["Orléans", "Besançon", "Liège"]),
        ("cp1252", ["Þórshöfn", "Seyðisfjörður", "Ísafjörður"]),
        ("cp1252", ["“quoted”", "it’s", "Köln"]),
        ("cp1252", ["Besançon", "Orléans", "Nîmes"]),
    ],
)
def test_letters_tell_code_pages_apart(encoding, words):
    texts = [words[i % len(words)] for i in range(N)]
    sheet = read_sheet(written({"score": SCORES, "place": texts, "left": ANSWERS}).decode().encode(encoding), "a.csv")
    assert sheet.guesses["encoding"] == encoding and set(sheet.columns[1].levels) == set(words)


def test_numbers_that_are_all_too_large_are_left_out():
    column = read([f"{x}e200" for x in AMOUNTS]).columns[1]
    assert column.kind not in ("numeric", "categorical")
