"""What is said of a table before anything is trained: by hand, class by class, and for whatever hypothesis can think of."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.split import split
from engine.data.table import Dataset
from engine.data.tables.profile import ENOUGH, FOLDS, half_width, profile_table, propose_folds
from engine.data.tables.reading import Sheet, read_sheet
from engine.data.tables.target import FEWEST
from engine.errors import BadData
from engine.spec import RunSpec
from tests.engine.data.sound import is_sentence, is_sound_profile


def sheet(**columns: list[Any]) -> Sheet:
    """A table of these columns, by way of a CSV; None where missing."""
    out = io.StringIO()
    rows = zip(*([("" if v is None else v) for v in values] for values in columns.values()), strict=True)
    csv.writer(out).writerows([list(columns), *rows])
    return read_sheet(out.getvalue().encode(), "a.csv", {"delimiter": ",", "header": True})


def noise(n: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(size=n).round(6).tolist()


def classes(**rows: int) -> list[str]:
    """So many rows of each."""
    return [name for name, n in rows.items() for _ in range(n)]


def said(found: dict[str, Any], level: str) -> list[str]:
    return [w["text"] for w in found["warnings"] if w["level"] == level]


# ---- classes


def test_classes_are_counted_where_there_is_an_answer():
    answers = [*classes(no=30, yes=10), None, None]
    found = profile_table(sheet(x=noise(42), answer=answers))
    assert (found["rows"], found["used"], found["dropped"], found["ratio"]) == (42, 40, 2, 3.0)
    assert found["target"] == {"name": "answer", "guessed": True} and found["positive"] == "yes"
    assert found["classes"] == [{"name": "no", "rows": 30, "share": 0.75}, {"name": "yes", "rows": 10, "share": 0.25}]
    assert "2 rows without an answer in 'answer' left out." in said(found, "info")


def test_the_class_looked_for_is_chosen():
    table = sheet(x=noise(40), answer=classes(no=30, yes=10))
    found = profile_table(table, "answer", "no")
    assert [c["name"] for c in found["classes"]] == ["yes", "no"] and found["positive"] == "no"
    assert (found["ratio"], found["target"]["guessed"]) == (3.0, False)
    with pytest.raises(BadData, match="no class called 'maybe'; there are: 'no', 'yes'"):
        profile_table(table, "answer", "maybe")


def test_many_classes():
    table = sheet(x=noise(160), kind=classes(b=30, a=100, c=20, d=10))
    found = profile_table(table, "kind", "c")
    assert [(c["name"], c["rows"]) for c in found["classes"]] == [("a", 100), ("b", 30), ("c", 20), ("d", 10)]
    assert (found["ratio"], found["positive"], found["precision"]["rows"]) == (10.0, "c", 10)
    assert profile_table(table, "kind")["positive"] is None


def test_numbers_can_be_classes_in_their_order():
    found = profile_table(sheet(x=noise(60), grade=[1, 2, 3] * 20), "grade")
    assert [(c["name"], c["rows"]) for c in found["classes"]] == [("1", 20), ("2", 20), ("3", 20)]


def test_classes_that_differ_in_capital_letters_are_said():
    found = profile_table(sheet(x=noise(60), answer=classes(Cat=30, cat=20, dog=10)), "answer")
    assert any("differ in capital letters only" in text for text in said(found, "warning"))


# ---- what can be said from so few rows


def test_the_precision_is_computed():
    assert half_width(12) == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / 12)) == pytest.approx(0.2263, abs=1e-4)
    found = profile_table(sheet(x=noise(112), answer=classes(no=100, yes=12)))["precision"]
    assert found["text"] == "12 minority rows: differences below 0.2 cannot be shown."
    assert found["rows"] == 12 and found["half_width"] == half_width(12) and "0.8 · 0.2 / 12" in found["formula"]
    many = profile_table(sheet(x=noise(800), answer=classes(no=400, yes=400)))["precision"]
    assert many["text"] == "400 minority rows: differences below 0.039 cannot be shown."


@pytest.mark.parametrize("n", [12, 30, 200])
def test_the_precision_is_what_repeated_measuring_shows(n):
    """19 of 20 recalls measured on so many rows, where 0.8 is true, lie within it, but for what whole rows allow."""
    recalls = np.random.default_rng(0).binomial(n, 0.8, 20_000) / n
    assert (np.abs(recalls - 0.8) <= half_width(n) + 0.5 / n).mean() == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize(
    ("minority", "level"), [(2, "refuse"), (4, "refuse"), (5, "warning"), (24, "warning"), (25, None), (40, None)]
)
def test_few_rows_are_refused_or_warned_of(minority, level):
    found = profile_table(sheet(x=noise(100 + minority), answer=classes(no=100, yes=minority)), "answer")
    assert {w["level"] for w in found["warnings"]} == ({level} if level else set())
    if level == "refuse":
        assert said(found, "refuse") == [
            f"Class 'yes' has {minority} rows; at least 5 of every class are needed to say anything."
        ]
    elif level == "warning":
        (text,) = said(found, "warning")
        assert text.startswith(f"{minority} minority rows: differences below ")
        assert f"{found['folds']} folds are proposed instead of 5" in text and found["folds"] < FOLDS
    else:
        assert found["folds"] == FOLDS


def test_the_limits_meet():
    assert [FEWEST, ENOUGH] == [5, 25] and propose_folds(ENOUGH) == FOLDS and propose_folds(ENOUGH - 1) < FOLDS
    folds = [propose_folds(n) for n in range(FEWEST, 60)]
    assert folds == sorted(folds) and folds[0] == 2


def test_several_small_classes_are_refused_in_one_sentence():
    found = profile_table(sheet(x=noise(57), kind=classes(a=50, b=4, c=3)), "kind")
    assert said(found, "refuse") == [
        "2 classes have fewer than 5 rows ('b', 'c'): join them with others, or leave their rows out."
    ]


@pytest.mark.parametrize("n", [*range(FEWEST, 31), 60])
def test_no_part_is_empty_with_the_folds_proposed(n):
    """Training, validation and every test fold hold rows of every class."""
    y = np.r_[np.zeros(90, int), np.ones(n, int), np.full(n + 1, 2)]
    x = np.arange(len(y), dtype=float)[:, None]
    data = Dataset("a", "tabular", x, np.zeros((len(y), 0), int), (), ("x",), (), y, ("a", "b", "c"))
    for parts in split(data, RunSpec("a", "ce", folds=propose_folds(n)), 0):
        for part in (parts.train, parts.valid, parts.test):
            assert set(data.y[part]) == {0, 1, 2}


def test_nothing_to_learn_from_is_refused():
    found = profile_table(sheet(same=["x"] * 40, number=list(range(40)), answer=classes(no=30, yes=10)), "answer")
    assert said(found, "refuse") == ["No column is left to learn from: all others are texts, IDs, constant, empty or left out."]
    assert found["features"] == 0 and found["left_out"] == [
        {"name": "same", "kind": "constant"},
        {"name": "number", "kind": "id"},
    ]


def test_no_target_is_refused():
    found = profile_table(sheet(x=noise(40), z=noise(40, 1)))
    assert found["target"] is None and found["candidates"] == [] and found["classes"] == []
    assert said(found, "refuse") == ["No column can be the target: it needs two or more classes, each in several rows."]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nobody", "no column called 'nobody'"),
        ("same", "holds a single answer"),
        ("x", "different numbers: that is an amount, no class"),
        ("when", "holds dates, which are no classes"),
        ("name", "different texts, more than the 50 classes"),
        ("void", "is empty"),
    ],
)
def test_a_target_that_cannot_be_ends_in_a_sentence(target, says):
    days = [f"2021-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
    table = sheet(
        x=noise(60), same=["x"] * 60, when=days, name=[f"n{i * 7919:x}" for i in range(60)], void=[None] * 60, y=[0, 1] * 30
    )
    with pytest.raises(BadData, match=says):
        profile_table(table, target)


# ---- the target is guessed


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"x": noise(40), "y": [0, 1] * 20, "z": noise(40, 1)}, "y"),
        ({"Class": ["a", "b"] * 20, "x": noise(40), "colour": ["r", "g", "g", "b"] * 10}, "Class"),
        ({"x": noise(40), "colour": ["r", "g", "g", "b"] * 10, "ill": ["no", "yes"] * 20}, "ill"),
        ({"id": list(range(40)), "isFraud": [0] * 30 + [1] * 10, "amount": noise(40)}, "isFraud"),
        ({"Outcome": [0, 1] * 20, "town": ["x", "y", "z", "z"] * 10}, "Outcome"),
        ({"a": ["u", "v"] * 20, "b": ["x", "y", "z", "z"] * 10}, "b"),
    ],
)
def test_the_target_is_guessed(columns, target):
    found = profile_table(sheet(**columns))
    assert found["target"] == {"name": target, "guessed": True}
    assert found["candidates"][0]["name"] == target and found["candidates"][0]["why"].endswith("classes")
    names = [c["name"] for c in found["candidates"]]
    assert len(set(names)) == len(names) and "id" not in names and "x" not in names
    for other in names:  # whatever is proposed can be taken
        assert profile_table(sheet(**columns), other)["target"] == {"name": other, "guessed": False}


# ---- columns that know too much


def test_columns_that_know_the_answer():
    y = classes(no=180, yes=20)
    truth = np.array([a == "yes" for a in y])
    rng = np.random.default_rng(0)
    gap = np.where(truth, 3.0, 0.0) + rng.uniform(0, 1, 200)  # classes do not overlap
    hint = truth + rng.normal(0, 0.7, 200)  # and here they do
    found = profile_table(
        sheet(
            honest=noise(200),
            hint=hint.round(4).tolist(),
            copy=np.where(truth, "sick", "well").tolist(),
            minus=(-gap).round(4).tolist(),
            code=np.where(truth, 7, 3).tolist(),
            number=list(range(200)),
            y=y,
        ),
        "y",
    )
    assert [(s["name"], s["why"]) for s in found["suspicious"]] == [
        ("copy", "copy"),
        ("code", "copy"),
        ("minus", "alone"),
        ("number", "id"),
    ]
    assert [s["score"] for s in found["suspicious"]] == [1.0, 1.0, 1.0, None]
    assert [w.split("'")[1] for w in said(found, "warning") if "'" in w] == ["copy", "code", "minus"]
    assert "almost perfectly (1)" in found["suspicious"][2]["text"]


def test_almost_perfect_is_not_called_perfect():
    y = [0] * 900 + [1] * 100
    leak = [*np.linspace(0, 1, 900).round(6), *np.linspace(2, 3, 100).round(6)]
    leak[-1] = -1.0  # one row in the wrong place: 99 of 100 above all others
    found = profile_table(sheet(leak=leak, x=noise(1000), y=y), "y")
    assert found["suspicious"] == []  # 0.99 is below
    leak[-1] = 0.7
    (one,) = profile_table(sheet(leak=leak, x=noise(1000), y=y), "y")["suspicious"]
    assert one["score"] == pytest.approx(0.99 + 0.01 * 0.7, abs=2e-4) and "(0.997)" in one["text"]


def test_a_copy_among_many_classes():
    y = ["a", "b", "c", "d"] * 30
    found = profile_table(sheet(x=noise(120), code=[{"a": 4, "b": 3, "c": 9, "d": 1}[v] for v in y], y=y), "y")
    assert [(s["name"], s["why"]) for s in found["suspicious"]] == [("code", "copy")]


def test_a_column_that_is_missing_where_the_answer_is_yes():
    y = classes(no=180, yes=20)
    text = [v if a == "no" else None for v, a in zip(["r", "g", "b"] * 60 + ["r"] * 20, y, strict=True)]
    found = profile_table(sheet(x=noise(200), reason=text, y=y), "y")
    assert [(s["name"], s["why"]) for s in found["suspicious"]] == [("reason", "alone")]


def test_many_such_columns_make_no_long_list():
    y = [0, 1] * 50
    rng = np.random.default_rng(0)
    found = profile_table(
        sheet(**{f"c{i}": (np.array(y) * 3 + rng.uniform(0, 1, 100)).round(4).tolist() for i in range(8)}, y=y), "y"
    )
    assert len(found["suspicious"]) == 8
    assert said(found, "warning")[-1] == "3 more columns tell the classes apart almost perfectly by themselves."


# ---- rows that contradict each other


def test_duplicates_within_and_across_classes():
    table = sheet(
        x=[1.5, 1.5, 2.5, 2.5, 2.5, None, None, *noise(20)],
        c=["r", "r", "g", "g", "g", "b", "b", *["r", "g"] * 10],
        y=[0, 0, 0, 1, 1, 0, 1, *[0, 1] * 10],
    )
    found = profile_table(table, "y")
    # 1.5 r once again; 2.5 g twice again, in both classes; nothing known and b once again, in both
    assert found["duplicates"] == {"rows": 4, "across": 5}
    assert any(t.startswith("5 rows agree in all features with a row of another class") for t in said(found, "warning"))
    assert any(t.startswith("4 rows repeat an earlier one") for t in said(found, "info"))


# ---- columns


def test_columns_are_described():
    table = sheet(
        x=[*noise(38), None, 2.5],
        when=["2021-03-14", "2021-03-15"] * 20,
        c=["r", "g", None, "b"] * 10,
        y=classes(no=30, yes=10),
    )
    found = {c["name"]: c for c in profile_table(table)["columns"]}
    assert {name: (c["kind"], c["missing"]) for name, c in found.items()} == {
        "x": ("numeric", 1),
        "when": ("date", 0),
        "c": ("categorical", 10),
        "y": ("boolean", 0),
    }
    assert found["x"]["low"] == min([*noise(38), 2.5]) and found["when"]["high"] == 18701.0
    assert found["c"]["levels"] == 3 and found["c"]["low"] is None and set(found["c"]["examples"]) == {"r", "g", "b"}
    assert all(c["guessed"] for c in found.values())


def test_a_type_that_was_told_is_no_guess():
    got = read_sheet(b"a,b,y\n1,2,0\n2,3,1\n" * 10, "a.csv", {"types": {"a": "categorical"}})
    found = profile_table(got, "y")
    assert [c["guessed"] for c in found["columns"]] == [False, True, True] and found["columns"][0]["kind"] == "categorical"


def test_hollow_columns_and_numbers_that_stand_for_nothing_are_said():
    x = [-999.0 if i % 10 == 0 else v for i, v in enumerate(noise(100))]
    found = profile_table(sheet(age=x, rare=[v if i % 3 == 0 else None for i, v in enumerate(noise(100))], y=[0, 1] * 50), "y")
    assert any(t.startswith("'age': a number such as -999") for t in said(found, "info"))
    assert any(t.startswith("'rare': more than half") for t in said(found, "info"))
    plain = profile_table(sheet(age=noise(100), y=[0, 1] * 50), "y")
    assert plain["warnings"] == []


# ---- always


VALUES = st.one_of(
    st.sampled_from(["", "NA", "a", "b", "A", "yes", "no", "0", "1", "-999", "1,5", "2021-03-14"]),
    st.integers(-3, 3).map(str),
    st.floats(-1e3, 1e3).map(lambda x: f"{x:.3f}"),
)


@settings(max_examples=60)
@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=60))
)
def test_any_table_and_any_target(rows):
    """With the target guessed always a profile; with any column as the target a profile or one sentence."""
    names = [f"c{i}" for i in range(len(rows[0]))]
    try:
        table = sheet(**{name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)})
    except BadData:
        return
    is_sound_profile(profile_table(table))
    for column in table.columns:
        try:
            found = profile_table(table, column.name)
        except BadData as error:
            assert is_sentence(str(error))
        else:
            is_sound_profile(found)
            assert found["target"] == {"name": column.name, "guessed": False}
