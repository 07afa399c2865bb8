"""Neighbours of every kind of odd table: what stands in one column, and the numbers, days or levels that it is."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from engine.data.tables.profile import list_notes, profile_table
from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import build_labels, describe_target, match_class, to_dataset
from engine.errors import BadData

N = 130
DRAW = random.Random(20)
SCORES = [f"{DRAW.uniform(-3, 3):.3f}" for _ in range(N)]
ANSWERS = ["yes" if i % 5 == 0 else "no" for i in range(N)]
AMOUNTS = [round(DRAW.uniform(1, 90000), 2) for _ in range(N)]
COUNTS = [DRAW.randrange(1, 900) for _ in range(N)]
DAYS = [datetime.date(2019, 1, 1) + datetime.timedelta(days=DRAW.randrange(1200)) for _ in range(N)]


def written(columns: dict[str, Sequence[Any]], delimiter: str = ",") -> bytes:
    """Columns of texts as CSV."""
    out = io.StringIO()
    write = csv.writer(out, delimiter=delimiter).writerow
    write(columns)
    for row in zip(*columns.values(), strict=True):
        write(row)
    return out.getvalue().encode()


def read(texts: Sequence[str], name: str = "x", delimiter: str = ",", decimal: str = ".", **options: Any) -> Sheet:
    """A table whose column `name` holds these texts; the sheet is the same when its reading is applied again."""
    scores = [score.replace(".", decimal) for score in SCORES]
    data = written({"score": scores, name: texts, "left": ANSWERS}, delimiter)
    sheet = read_sheet(data, "a.csv", options)
    again = read_sheet(data, "a.csv", reading=describe_target(sheet, "left"))
    for a, b in zip(sheet.columns, again.columns, strict=True):
        assert (a.name, a.kind, a.levels) == (b.name, b.kind, b.levels) and np.array_equal(a.values, b.values, equal_nan=True)
    assert [sheet.columns[0].kind, sheet.columns[2].kind] == ["numeric", "boolean"]
    return sheet


def is_numeric(sheet: Sheet, values: Sequence[float | None]) -> None:
    column = sheet.columns[1]
    assert column.kind == "numeric", (column.kind, column.examples)
    expected = [np.nan if v is None else v for v in values]
    assert np.allclose(column.values, expected, rtol=1e-12, atol=0, equal_nan=True), column.values[:5]


def says(sheet: Sheet, *words: str) -> None:
    text = " ".join(sheet.notes)
    assert all(word in text for word in words), text


# ---- numbers


def grouped(x: float, group: str, decimal: str, places: int = 2) -> str:
    return f"{x:,.{places}f}".replace(",", "T").replace(".", decimal).replace("T", group)


def indian(x: float) -> str:
    whole, _, rest = f"{x:.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    parts = []
    while head:
        parts.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*parts, tail]) + "." + rest


MINUS, NARROW, WIDE = "\u2212", "\u202f", "\u00a0"
SIGNED = [-x if i % 4 == 0 else x for i, x in enumerate(AMOUNTS)]
MONEY: dict[str, Callable[[float], str]] = {
    "dollars in brackets": lambda x: f"(${grouped(-x, ',', '.')})" if x < 0 else f"${grouped(x, ',', '.')}",
    "brackets behind the sign": lambda x: f"$({grouped(-x, ',', '.')})" if x < 0 else f"${grouped(x, ',', '.')}",
    "a minus before the sign": lambda x: f"{'-' if x < 0 else ''}£{grouped(abs(x), ',', '.')}",
    "a minus behind the sign": lambda x: f"€{'-' if x < 0 else ''}{grouped(abs(x), ',', '.')}",
    "a minus behind": lambda x: grouped(abs(x), ",", ".") + ("-" if x < 0 else ""),
    "a true minus": lambda x: f"{MINUS if x < 0 else ''}{grouped(abs(x), ',', '.')}",
    "rupees in lakhs": lambda x: f"{'-' if x < 0 else ''}₹{indian(abs(x))}",
    "lakhs alone": lambda x: f"{'-' if x < 0 else ''}{indian(abs(x))}",
    "a code before": lambda x: f"{'-' if x < 0 else ''}USD {grouped(abs(x), ',', '.')}",
    "a code behind": lambda x: f"{grouped(x, ',', '.')} CHF",
    "Swiss": lambda x: "CHF " + grouped(x, "'", "."),
    "reais": lambda x: f"R$ {grouped(x, '.', ',')}",
    "kronor": lambda x: f"{grouped(x, WIDE, ',')} kr",
    "kroner before": lambda x: f"kr {grouped(x, '.', ',')}",
    "euros behind": lambda x: f"{grouped(x, '.', ',')} €",
    "złoty": lambda x: f"{grouped(x, NARROW, ',')} zł",
    "yen": lambda x: f"¥{x:.2f}",
    "won, whole": lambda x: f"₩{grouped(x, ',', '.', 0)}",
    "brackets without a sign": lambda x: f"({-x:.2f})" if x < 0 else f"{x:.2f}",
    "Canadian dollars": lambda x: f"C${grouped(x, ',', '.')}",
}


@pytest.mark.parametrize("way", MONEY)
def test_money(way):
    write = MONEY[way]
    places = 0 if "whole" in way else 2
    for delimiter, decimal in ((",", "."), (";", ",")):
        if not places and decimal == ",":
            continue  # 49,237 is then a number of three decimals
        sheet = read([write(x) for x in SIGNED], delimiter=delimiter, decimal=decimal)
        is_numeric(sheet, [round(x, places) if places else float(f"{x:.0f}") for x in SIGNED])


@pytest.mark.parametrize(
    "unit", ["kg", " kg", " mg/dl", "%", " %", " °C", "µm", " km/h", " m²", " m3", " years", "ms", " Wh", "‰", " Stk."]
)
def test_one_unit_behind_all_numbers(unit):
    sheet = read([f"{x:.1f}{unit}" for x in AMOUNTS])
    is_numeric(sheet, [round(x, 1) for x in AMOUNTS])
    says(sheet, repr(unit.strip()))
    assert sheet.reading.column("x").number.after == unit
    # whole numbers, decimal comma, and a few gaps
    is_numeric(
        read([f"{x}{unit}" if i % 9 else "" for i, x in enumerate(COUNTS)]),
        [x if i % 9 else None for i, x in enumerate(COUNTS)],
    )
    commas = [f"{x:.1f}{unit}".replace(".", ",", 1) for x in AMOUNTS]
    is_numeric(read(commas, delimiter=";", decimal=","), [round(x, 1) for x in AMOUNTS])


@pytest.mark.parametrize(
    ("one", "two"), [("kg", "lb"), (" mg/dl", " mmol/l"), (" cm", " m"), ("$", "€"), ("EUR ", "USD "), (" mW", " MW")]
)
def test_two_units_are_no_numbers_and_are_named(one, two):
    before = one.strip() in ("$", "EUR")
    texts = [
        (f"{one if i % 3 else two}{x:.2f}" if before else f"{x:.2f}{one if i % 3 else two}") for i, x in enumerate(AMOUNTS)
    ]
    sheet = read(texts)
    assert sheet.columns[1].kind in ("text", "id", "categorical")
    says(sheet, repr(one.strip()), repr(two.strip()))


@pytest.mark.parametrize("low", ["<", "< ", "<=", "≤", "<= "])
@pytest.mark.parametrize("high", [">", "> ", ">=", "≥"])
def test_bounds_are_the_number_behind_the_sign(low, high):
    texts = [f"{low}5" if x < 10000 else f"{high}80000" if x > 80000 else f"{x}" for x in AMOUNTS]
    values = [5 if x < 10000 else 80000 if x > 80000 else x for x in AMOUNTS]
    sheet = read(texts)
    is_numeric(sheet, values)
    says(sheet, f"{sum(x < 10000 or x > 80000 for x in AMOUNTS)} values", "bound")


def test_bounds_with_units_commas_and_groups():
    is_numeric(
        read(["<0.5 mg/l" if i % 6 == 0 else f"{x:.1f} mg/l" for i, x in enumerate(AMOUNTS)]),
        [0.5 if i % 6 == 0 else round(x, 1) for i, x in enumerate(AMOUNTS)],
    )
    commas = ["< 0,5" if i % 6 == 0 else grouped(x, ".", ",") for i, x in enumerate(AMOUNTS)]
    is_numeric(read(commas, delimiter=";", decimal=","), [0.5 if i % 6 == 0 else x for i, x in enumerate(AMOUNTS)])


@pytest.mark.parametrize(
    "texts", [["<18", ">=18"], ["<18", "18-65", ">65"], ["<50", "50+"], ["1/2", "2/2", "3/2"], ["0-9", "10-19", "20-29"]]
)
def test_ranges_stay_levels(texts):
    sheet = read([texts[i % len(texts)] for i in range(N)])
    assert sheet.columns[1].kind == "categorical" and set(sheet.columns[1].levels) == set(texts)


@pytest.mark.parametrize("words", [["not done"], ["pending", "haemolysed", "lost"], ["a", "b", "c", "d", "e"]])
@pytest.mark.parametrize("share", [0.1, 0.45])
def test_a_few_words_among_numbers_are_missing_and_named(words, share):
    bare = [i < share * N for i in range(N)]
    texts = [words[i % len(words)] if gone else f"{AMOUNTS[i]}" for i, gone in enumerate(bare)]
    sheet = read(texts)
    is_numeric(sheet, [None if gone else AMOUNTS[i] for i, gone in enumerate(bare)])
    for word in words:
        says(sheet, f"{word!r} ({texts.count(word)} row")
    assert set(sheet.reading.column("x").words) == set(words)


def test_more_words_or_few_numbers_are_levels_or_text():
    many = [f"word {i % 7}" if i % 3 == 0 else f"{x}" for i, x in enumerate(AMOUNTS)]
    assert read(many).columns[1].kind != "numeric"
    few = ["low" if i % 4 == 0 else str(i % 15) for i in range(N)]
    assert read(few).columns[1].kind == "categorical"


def test_per_cent_and_signs():
    is_numeric(read([f"{MINUS if x < 0 else '+'}{abs(x):.1f} %" for x in SIGNED]), [round(x, 1) for x in SIGNED])
    is_numeric(read([f"{x:.1f}".replace("-", "\u2013") for x in SIGNED]), [round(x, 1) for x in SIGNED])
    is_numeric(read([f"{x:.1f}%" if i % 3 else f"{x:.1f}" for i, x in enumerate(SIGNED)]), [round(x, 1) for x in SIGNED])


def test_small_and_huge_numbers():
    small = [f"{x}e-200" for x in AMOUNTS]
    is_numeric(read(small), [float(text) for text in small])
    sheet = read([*small[:-2], "1e308", "-1e200"])
    is_numeric(sheet, [*map(float, small[:-2]), None, None])
    says(sheet, "too large")


# ---- marks


@pytest.mark.parametrize(
    ("mark", "texts"),
    [
        ("-999", ["-999", "-999.0", "-9.99e2", "-999.00"]),
        ("-1", ["-1", "-1.0", "\u22121"]),
        ("9999", ["9999", "9,999", "9999.0"]),
        ("-9.0", ["-9", "-9.0"]),
    ],
)
def test_a_mark_that_is_a_number_is_every_writing_of_it(mark, texts):
    gone = [i % 7 == 0 for i in range(N)]
    cells = [texts[i % len(texts)] if gone[i] else "NA" if i % 11 == 0 else grouped(AMOUNTS[i], ",", ".") for i in range(N)]
    sheet = read(cells, missing=[mark])
    is_numeric(sheet, [None if gone[i] or i % 11 == 0 else AMOUNTS[i] for i in range(N)])


def test_a_mark_in_the_files_decimal_mark_and_marks_of_words():
    gone = [i % 7 == 0 for i in range(N)]
    cells = ["-99,50" if gone[i] else f"{AMOUNTS[i]}".replace(".", ",") for i in range(N)]
    for mark in ("-99,5", "-99.5"):
        is_numeric(read(cells, delimiter=";", decimal=",", missing=[mark]), [None if gone[i] else AMOUNTS[i] for i in range(N)])
    words = ["Unknown" if gone[i] else "n/a" if i % 11 == 0 else "rgb"[i % 3] for i in range(N)]
    column = read(words, missing=["unknown"]).columns[1]
    assert set(column.levels) == set("rgb") and column.missing == sum(gone[i] or i % 11 == 0 for i in range(N))


@pytest.mark.parametrize("mark", ["None", "NA", "-", "null", "?", "n/a", "NaN", "."])
@pytest.mark.parametrize("others", [["Mild", "Severe"], ["a"], ["1", "2"]])
def test_a_usual_mark_is_a_class_of_the_target_unless_a_person_says_so(mark, others):
    answers = ["" if i % 26 == 0 else mark if i % 5 == 0 else others[i % len(others)] for i in range(N)]
    data = written({"score": SCORES, "grade": answers})
    sheet = read_sheet(data, "a.csv")
    labels = build_labels(sheet, "grade")
    counts = dict(zip(labels.classes, labels.counts.tolist(), strict=True))
    assert counts == {name: answers.count(name) for name in (*others, mark)} and (labels.y < 0).sum() == answers.count("")
    assert describe_target(sheet, "grade").target.marks == (mark,)
    # told: no answer
    if len(others) > 1:
        told = read_sheet(data, "a.csv", {"target_missing": [mark.upper()]})
        labels = build_labels(told, "grade")
        assert mark not in labels.classes and (labels.y < 0).sum() == answers.count("") + answers.count(mark)
    # as a feature it is missing
    other = read_sheet(written({"score": SCORES, "grade": answers, "left": ANSWERS}), "a.csv")
    assert other.column("grade").missing == answers.count("") + answers.count(mark)


def test_a_target_of_levels_as_told_keeps_its_marks():
    answers = [("None", "Mild", "Severe", "1")[i % 4] for i in range(N)]
    sheet = read_sheet(written({"score": SCORES, "grade": answers}), "a.csv", {"types": {"grade": "categorical"}})
    assert set(build_labels(sheet, "grade").classes) == set(answers)
    found = profile_table(sheet, "GRADE", " mild ")
    assert (found["positive"], found["target"]["name"]) == ("Mild", "grade")


def test_marks_named_for_columns_do_not_apply_to_the_target():
    answers = ["-999" if i % 5 == 0 else "0" for i in range(N)]
    sheet = read_sheet(written({"score": SCORES, "fault": answers}), "a.csv", {"missing": ["-999"]})
    assert build_labels(sheet, "fault").classes == ("0", "-999")
    told = {"missing": ["-999"], "target_missing": ["-999.0"]}
    with pytest.raises(BadData, match="single answer"):
        build_labels(read_sheet(written({"score": SCORES, "fault": answers}), "a.csv", told), "fault")


# ---- dates

SINCE = datetime.date(1970, 1, 1)
CLOCKS = [datetime.time(DRAW.randrange(24), DRAW.randrange(60), DRAW.randrange(60)) for _ in range(N)]
MOMENTS = [datetime.datetime.combine(day, clock) for day, clock in zip(DAYS, CLOCKS, strict=True)]
DAY_FORMS = [
    *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"),
    *("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d%b%Y", "%Y-%b-%d", "%d. %B %Y"),
    *("%a, %d %b %Y", "%A, %B %d, %Y", "%d/%b/%Y", "%Y.%m.%d"),
]
CLOCK_FORMS = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M:%S%p", "T%H:%M:%S", ", %H:%M", " %H:%M:%S.%f"]


@pytest.mark.parametrize("clock", CLOCK_FORMS)
def test_days_and_clocks_in_every_writing(clock):
    for form in DAY_FORMS:
        texts = [f"{moment:{form + clock}}" for moment in MOMENTS]
        back = [datetime.datetime.strptime(text, form + clock) for text in texts]
        sheet = read(texts)
        column = sheet.columns[1]
        assert column.kind == "date", (form + clock, column.kind, column.examples)
        expected = [(when - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for when in back]
        assert np.allclose(column.values, expected, rtol=0, atol=1e-9), (form + clock, column.examples)
        again = [f"{moment:{sheet.reading.column('x').date.format}}" for moment in MOMENTS]
        if "%A" not in form and "%a" not in form and form != "%d. %B %Y":
            assert again == texts, (form + clock, again[0], texts[0])


@pytest.mark.parametrize("zone", ["Z", " Z", " UTC", " GMT", "+02:00", "-0530", "+01", " +0000", " CET", " EST", " UTC+2"])
def test_zones_are_kept_as_utc(zone):
    hours = {"+02:00": 2, "-0530": -5.5, "+01": 1, " CET": 1, " EST": -5, " UTC+2": 2}.get(zone, 0)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%d.%m.%Y %H:%M:%S", "%d %b %Y %H:%M:%S"):
        texts = [f"{moment:{form}}{zone}" for moment in MOMENTS]
        column = read(texts).columns[1]
        assert column.kind == "date", (form, zone, column.examples)
        back = [datetime.datetime.strptime(f"{m:{form}}", form) - datetime.timedelta(hours=hours) for m in MOMENTS]
        assert np.allclose(
            column.values, [(b - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for b in back], atol=1e-9
        )


def test_the_column_decides_whether_the_day_is_first():
    early = [day.replace(day=1 + day.day % 12) for day in DAYS]  # any order
    for day_first, form in ((True, "%d/%m/%Y"), (False, "%m/%d/%Y")):
        texts = [f"{day:{form}}" for day in early]
        texts[-1] = f"{datetime.date(2020, 5, 31):{form}}"  # the last row decides
        days = [*early[:-1], datetime.date(2020, 5, 31)]
        sheet = read(texts)
        assert sheet.columns[1].values.tolist() == [float((day - SINCE).days) for day in days]
        says(sheet, "day before month" if day_first else "month before day")
        # nothing decides: the month with a point, the day with a comma
        for delimiter, decimal, first in ((",", ".", False), (";", ",", True)):
            texts = [f"{day:%d/%m/%Y}" for day in early]
            sheet = read(texts, delimiter=delimiter, decimal=decimal)
            form = "%d/%m/%Y" if first else "%m/%d/%Y"
            back = [(datetime.datetime.strptime(text, form).date() - SINCE).days for text in texts]
            assert sheet.columns[1].values.tolist() == back
            says(sheet, "no date decides")


def test_a_few_words_among_dates_are_missing_and_named():
    texts = [f"{day:%d %b %Y}" if i % 4 else ("pending", "unknown date")[i % 8 == 0] for i, day in enumerate(DAYS)]
    sheet = read(texts)
    expected = [np.nan if i % 4 == 0 else float((day - SINCE).days) for i, day in enumerate(DAYS)]
    assert sheet.columns[1].kind == "date" and np.array_equal(sheet.columns[1].values, expected, equal_nan=True)
    says(sheet, f"'pending' ({texts.count('pending')} rows)", "'unknown date'")


def test_years_of_two_digits_and_short_days():
    texts = [f"{day.day}-{day:%b}-{y:02}" for day, y in zip(DAYS, range(10, 10 + N), strict=False) if y < 100]
    assert len(texts) == 90
    texts = texts + texts[: N - 90]
    back = []
    for text in texts:
        day, month, year = text.split("-")
        when = datetime.datetime.strptime(
            f"{day}-{month}-{1900 + int(year) if int(year) >= 69 else 2000 + int(year)}", "%d-%b-%Y"
        )
        back.append(float((when.date() - SINCE).days))
    assert read(texts).columns[1].values.tolist() == back
    months = [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ]
    german = [f"{day.day}. {months[day.month - 1]} {day.year}" for day in DAYS]
    assert read(german).columns[1].values.tolist() == [float((day - SINCE).days) for day in DAYS]


# ---- IDs and levels


def test_ids_and_what_is_none():
    cards = [str(4 * 10**15 + DRAW.randrange(10**15)) for _ in range(N)]
    assert read(cards).columns[1].kind == "id"
    phones = [str(10**11 + i * 7919 + DRAW.randrange(7000)) for i in range(N)]
    assert read(phones).columns[1].kind == "id"
    assert read([f"{c}.0" for c in phones]).columns[1].kind == "numeric"
    assert read([f"{int(c):.10e}" for c in phones]).columns[1].kind == "numeric"
    assert read([*phones[:-1], phones[0]]).columns[1].kind == "numeric"  # one comes twice
    assert read([f"{i}.0" for i in range(N)]).columns[1].kind == "numeric"
    assert read([str(i) for i in range(N)]).columns[1].kind == "id"
    lots = [f"LOT{x}" for x in DRAW.sample(range(1000, 9999), N)]
    assert read(lots).columns[1].kind == "id"


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__"])
def test_a_saved_index_is_left_out(name):
    index = [str(x) for x in DRAW.sample(range(5000), N)]
    sheet = read(index, name)
    assert sheet.columns[1].kind == "id" and sheet.columns[1].name == (name or "Unnamed: 1")
    assert sheet.columns[1].name in " ".join(list_notes(sheet, "left"))
    assert read([f"{x}.5" for x in index], name).columns[1].kind == "numeric"


def test_leading_zeros_are_levels():
    codes = read([("01067", "02110", "99084")[i % 3] for i in range(N)])
    assert codes.columns[1].kind == "categorical" and codes.reading.column("x").pad == 5
    mixed = read([("007", "12", "0045")[i % 3] for i in range(N)])
    assert mixed.columns[1].kind == "categorical" and mixed.reading.column("x").pad == 0
    assert read([f"0.{x}" for x in COUNTS]).columns[1].kind == "numeric"


# ---- headers


BODY = [[str(DRAW.randrange(30, 99)) for _ in range(3)] + [ANSWERS[i]] for i in range(N)]
HEADERS: dict[str, tuple[list[str], bool]] = {
    "years": (["2019", "2020", "2021", "left"], True),
    "years first": (["2019", "2020", "2021", "churn"], True),
    "months": (["2024-01", "2024-02", "2024-03", "left"], True),
    "days": (["01/31/2024", "02/29/2024", "03/31/2024", "left"], True),
    "times": (["08:00", "12:00", "16:00", "left"], True),
    "numbers": (["1", "2", "3", "left"], True),
    "a row": (["50", "61", "72", "no"], False),
    "a row with a known word": (["2019", "2020", "2021", "yes"], False),
    "the same twice": (["50", "50", "72", "left"], False),
    "words": (["a", "b", "c", "left"], True),
}


@pytest.mark.parametrize("way", HEADERS)
def test_a_header_of_numbers_and_dates(way):
    cells, headed = HEADERS[way]
    for delimiter in (",", ";", "\t"):
        data = "\n".join(delimiter.join(row) for row in [cells, *BODY]).encode()
        sheet = read_sheet(data, "a.csv")
        assert [c.name for c in sheet.columns] == (cells if headed else [f"column {i}" for i in range(1, 5)]), way
        assert sheet.rows == N + (not headed)
    # the target that a person named
    named = read_sheet("\n".join(",".join(row) for row in [cells, *BODY]).encode(), "a.csv", target=f" {cells[3].upper()} ")
    assert [c.name for c in named.columns][3] == cells[3] and named.rows == N
    told = read_sheet("\n".join(",".join(row) for row in [cells, *BODY]).encode(), "a.csv", {"header": False}, target=cells[3])
    assert told.rows == N + 1


@pytest.mark.parametrize("times", [1, 4])
def test_a_header_that_comes_again_is_no_row(times):
    lines = ["score, age ,left", *(f"{s},{30 + i},{a}" for i, (s, a) in enumerate(zip(SCORES, ANSWERS, strict=True)))]
    for k in range(times):
        lines.insert(20 * (k + 1), "score,age,left" if k % 2 else "score, age ,left")
    sheet = read_sheet("\n".join(lines).encode(), "a.csv")
    assert sheet.rows == N and build_labels(sheet, "left").classes == ("no", "yes") and sheet.reading.repeated == times
    says(sheet, "repeat" if times > 1 else "repeats")


# ---- spelling


@pytest.mark.parametrize(
    ("asked", "classes", "right"),
    [
        ("1", ("0", "1"), "1"),
        ("1.0", ("0", "1"), "1"),
        ("1,0", ("0", "1"), "1"),
        ("True", ("0", "1"), "1"),
        ("no", ("0", "1"), "0"),
        ("True", ("No", "Yes"), "Yes"),
        ("1", ("nein", "ja"), "ja"),
        ("0", ("False", "True"), "False"),
        (" yes ", ("no", "yes"), "yes"),
        ("MILD", ("Mild", "Severe"), "Mild"),
        ("YES", ("yes", "no", "Yes"), None),
        ("true", ("a", "b"), None),
        ("1", ("yes", "no", "maybe"), None),
        ("0", ("1", "2"), None),
    ],
)
def test_a_class_as_a_person_types_it(asked, classes, right):
    if right is None:
        with pytest.raises(BadData) as caught:
            match_class(asked, classes, "y")
        assert all(
            repr(name) in str(caught.value) for name in classes if name.casefold() != "no" or "there are" in str(caught.value)
        )
    else:
        assert match_class(asked, classes, "y") == right


def test_a_column_as_a_person_types_it():
    data = written({"Default Payment ": SCORES, "default payment 2": COUNTS, "Left": ANSWERS})
    sheet = read_sheet(data, "a.csv")
    assert sheet.resolve("default payment") == "Default Payment" and sheet.resolve(" LEFT") == "Left"
    assert profile_table(sheet, "left", "YES")["target"]["name"] == "Left"
    assert to_dataset(sheet, "left", "True").classes == ("no", "yes")
    with pytest.raises(BadData, match="there are: 'Default Payment', 'default payment 2', 'Left'"):
        sheet.resolve("churn")
    twice = read_sheet(written({"a": SCORES, "A": COUNTS, "y": ANSWERS}), "a.csv")
    assert twice.resolve("A") == "A"
    types = read_sheet(data, "a.csv", {"types": {" LEFT ": "categorical"}})
    assert types.column("Left").kind == "categorical"
    wide = read_sheet(written({f"c{i}": SCORES for i in range(15)} | {"y": ANSWERS}), "a.csv")
    with pytest.raises(BadData, match="'c9' and 6 more"):
        wide.resolve("churn")
