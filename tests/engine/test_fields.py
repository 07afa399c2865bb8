"""Parameters: described, checked and parsed in one place."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameter, UnknownName
from engine.spec import fields
from engine.spec.fields import param
from engine.text import quote


@dataclass(frozen=True)
class Example:
    """One parameter of every kind."""

    plain: int = 3  # not a parameter
    count: int = param(4, low=1, high=9, help="How many.", unit="rows")
    rate: float = param(0.5, low=0.0, high=1e6, log=True, help="How fast.", label="step of it")
    free: float = param(-1.5, help="Anything.")
    least: int = param(2, low=2, help="No upper end.")
    flag: bool = param(False, help="Whether.", advanced=True)
    mode: str = param("a", choices=("a", "b c"), help="Which.")
    hidden: tuple[int, ...] = param((64, 32), low=1, high=1024, longest=8, product=8 << 20, help="Widths.")
    costs: tuple[tuple[float, ...], ...] = param((), low=0.0, high=1e6, longest=4, matrix=True, help="Costs.")


ALL = fields.describe(Example)
BY_NAME = {d["name"]: d for d in ALL}
DEFAULTS = {d["name"]: d["default"] for d in ALL}


def test_a_description_is_plain_and_in_order() -> None:
    assert [d["name"] for d in ALL] == ["count", "rate", "free", "least", "flag", "mode", "hidden", "costs"]
    assert [d["kind"] for d in ALL] == ["int", "float", "float", "int", "bool", "choice", "ints", "matrix"]
    assert json.loads(json.dumps(ALL)) == ALL
    keys = {"name", "label", "kind", "default", "low", "high", "choices", "log", "help", "unit", "advanced"}
    assert all(set(d) == keys | ({"longest", "product"} if d["kind"] in ("ints", "matrix") else set()) for d in ALL)
    assert BY_NAME["rate"]["label"] == "step of it" and BY_NAME["count"]["label"] == "count"
    assert BY_NAME["mode"]["choices"] == ["a", "b c"] and BY_NAME["hidden"]["default"] == [64, 32]
    assert (BY_NAME["count"]["unit"], BY_NAME["flag"]["advanced"], BY_NAME["rate"]["log"]) == ("rows", True, True)


def test_a_text_parameter_needs_its_choices() -> None:
    with pytest.raises(TypeError, match="choices"):
        param("a", help="Which.")


def test_a_list_has_a_length_and_a_size() -> None:
    short = [BY_NAME["hidden"] | {"longest": 5, "product": 10_000}]
    for value in ((1,) * 5, (100, 100), (1024, 9)):
        assert fields.check(short, {"hidden": value}, "x")["hidden"] == list(value)
    for value, why in (
        ((1,) * 6, "has 6 numbers; at most 5"),
        ((101, 100), "10,100 when multiplied"),
        ((70, 70, 75), "10,150"),
    ):
        with pytest.raises(BadParameter, match=why):
            fields.check(short, {"hidden": value}, "x")
    for wrong in ({"default": (1,)}, {"default": 1, "longest": 3}):
        with pytest.raises(TypeError, match="greatest length"):
            param(wrong.pop("default"), help="Widths.", **wrong)
    older = [
        {key: value for key, value in d.items() if key not in ("longest", "product")} for d in ALL if d["kind"] != "matrix"
    ]
    assert fields.check(older, {"hidden": (1024,) * 9}, "x")["hidden"] == [1024] * 9, (
        "a catalog of an older engine has no bounds"
    )


def test_a_refusal_quotes_little() -> None:
    for values in (
        {"hidden": "1" * 10**6},
        {"mode": "q" * 10**6},
        {"count": "x" * 10**6},
        {"count": 10**5000},
        {"hidden": [2000] * 10**5},
        {"y" * 10**6: 1},
    ):
        with pytest.raises((BadParameter, UnknownName)) as refused:
            fields.check(ALL, values, "x")
        assert len(str(refused.value)) < 350
    with pytest.raises(BadParameter) as refused:
        fields.parse(BY_NAME["count"], "9" * 4000 + "x", "x")
    assert len(str(refused.value)) < 350


def test_defaults_are_filled_in_in_order() -> None:
    assert list(fields.check(ALL, {}, "x").items()) == list(DEFAULTS.items())
    assert list(fields.check(ALL, {"hidden": (7,), "count": 9}, "x")) == list(DEFAULTS)
    assert fields.check(ALL, {"hidden": (7,)}, "x")["hidden"] == [7]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName) as error:
        fields.check(ALL, {"counts": 3}, "smote")
    assert str(error.value) == "smote has no parameter 'counts'; it has: costs, count, flag, free, hidden, least, mode, rate."
    with pytest.raises(UnknownName, match="ce has no parameter 'x'; it has: none"):
        fields.check([], {"x": 1}, "ce")


@pytest.mark.parametrize(
    ("name", "bad", "allowed"),
    [
        ("count", 0, "a whole number in [1, 9]"),
        ("count", 10, "a whole number in [1, 9]"),
        ("count", 2.5, "a whole number in [1, 9]"),
        ("count", True, "a whole number in [1, 9]"),
        ("count", "3", "a whole number in [1, 9]"),
        ("count", None, "a whole number in [1, 9]"),
        ("count", 10**400, "a whole number in [1, 9]"),
        ("least", 1, "a whole number of at least 2"),
        ("rate", -1e-9, "a number in [0, 1e+06]"),
        ("rate", float("nan"), "a number in [0, 1e+06]"),
        ("rate", [1.0], "a number in [0, 1e+06]"),
        ("free", float("inf"), "a number"),
        ("free", -(10**400), "a number"),
        ("flag", 1, "true or false"),
        ("flag", "true", "true or false"),
        ("mode", "c", "one of a, b c"),
        ("mode", ["a"], "one of a, b c"),
        ("hidden", 64, "whole numbers with commas between, each in [1, 1024]"),
        ("hidden", [64, 0], "whole numbers with commas between, each in [1, 1024]"),
        ("hidden", [64.0], "whole numbers with commas between, each in [1, 1024]"),
        ("hidden", [True], "whole numbers with commas between, each in [1, 1024]"),
        ("hidden", "64", "whole numbers with commas between, each in [1, 1024]"),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_right(name: str, bad: Any, allowed: str) -> None:
    with pytest.raises(BadParameter) as error:
        fields.check(ALL, {name: bad}, "smote")
    assert str(error.value) == f"smote({name}={quote(bad)}): must be {allowed}."


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none(), st.lists(st.integers())))
def test_what_is_accepted_is_of_its_kind_and_inside(value: Any) -> None:
    for d in ALL:
        try:
            kept = fields.check_value(d, value, "x")
        except BadParameter:
            continue
        assert kept == (list(value) if isinstance(value, list) else type(kept)(value))  # a float rounds a large whole number
        assert type(kept) is {"int": int, "float": float, "bool": bool, "choice": str, "ints": list, "matrix": list}[d["kind"]]
        for number in kept if isinstance(kept, list) else [kept] if d["kind"] in ("int", "float") else []:
            assert math.isfinite(number)
            assert (d["low"] is None or number >= d["low"]) and (d["high"] is None or number <= d["high"])
        assert json.dumps(fields.check_value(d, kept, "x")) == json.dumps(kept)


def test_equal_numbers_are_kept_as_one() -> None:
    """A run's id is a hash of text, so 2 and 2.0, and 0 and -0.0, must be written alike."""
    for name, values in {"count": (2, 2.0), "rate": (2, 2.0), "free": (0, 0.0, -0.0)}.items():
        assert len({json.dumps(fields.check_value(BY_NAME[name], v, "x")) for v in values}) == 1


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("count", "7.0", 7),
        ("count", "1e0", 1),
        ("rate", "1e3", 1000.0),
        ("rate", " 2 ", 2.0),
        ("free", "-3", -3.0),
        ("flag", "True", True),
        ("flag", "no", False),
        ("flag", "0", False),
        ("mode", "b c", "b c"),
        ("hidden", "128,16", [128, 16]),
        ("hidden", "128-16", [128, 16]),
        ("hidden", "128, 16", [128, 16]),
        ("hidden", "8", [8]),
        ("hidden", "", []),
    ],
)
def test_typed_text_becomes_a_value(name: str, text: str, value: Any) -> None:
    found = fields.parse(BY_NAME[name], text, "x")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", ""),
        ("count", "seven"),
        ("count", "nan"),
        ("count", "2.5"),
        ("count", "1e999"),
        ("rate", "inf"),
        ("rate", "-1"),
        ("flag", "maybe"),
        ("flag", ""),
        ("mode", "A"),
        ("hidden", "64,"),
        ("hidden", "64,,8"),
        ("hidden", "64,x"),
        ("hidden", "64.5"),
        ("hidden", "-5"),  # not 5
        ("hidden", "64,-5"),
        ("hidden", "64--5"),
        ("hidden", "5000"),
    ],
)
def test_text_that_is_no_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadParameter, match=rf"x\({name}=.*must be"):
        fields.parse(BY_NAME[name], text, "x")


@given(st.lists(st.integers(1, 1024), min_size=1, max_size=8), st.sampled_from([",", "-", ", "]))
def test_whole_numbers_are_read_back(values: list[int], between: str) -> None:
    assert fields.parse(BY_NAME["hidden"], between.join(map(str, values)), "x") == values


def test_the_example_is_a_dataclass_like_any_other() -> None:
    assert dataclasses.asdict(Example(count=5)) == {"plain": 3} | DEFAULTS | {"count": 5, "hidden": (64, 32), "costs": ()}


@pytest.mark.parametrize("text", ["0 1; 5 0", "0,1;5,0", " 0  1 ;5 , 0 "])
def test_a_matrix_is_typed_row_by_row(text: str) -> None:
    found = fields.parse(BY_NAME["costs"], text, "x")
    assert found == [[0.0, 1.0], [5.0, 0.0]] and fields.format_value(found) == "0 1; 5 0"
    assert fields.parse(BY_NAME["costs"], fields.format_value(found), "x") == found
    assert fields.check(ALL, {"costs": ((0, 1), (5, 0))}, "x")["costs"] == found
    assert fields.parse(BY_NAME["costs"], "", "x") == [] and fields.format_value([]) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([[0, 1], [5]], "a square of 2 to 4 rows"),
        ([[0]], "a square of 2 to 4 rows"),
        ([[0] * 5] * 5, "a square of 2 to 4 rows"),
        ([[0, -1], [1, 0]], r"row 1, column 2 must be a number in \[0, 1e\+06\]; got -1"),
        ([[0, math.nan], [1, 0]], "row 1, column 2 must be a number"),
        ([[0, math.inf], [1, 0]], "row 1, column 2 must be a number"),
        ([[0, True], [1, 0]], "row 1, column 2 must be a number"),
        ([[0, 1], [1, 2]], "row 2, column 2 must be 0, as calling a row right costs nothing; got 2"),
        ([[0, 1], [0, 0]], "row 2 needs a cost above 0"),
        ("0 1; 5 0", "must be a square"),
        ([0, 1], "must be a square"),
    ],
)
def test_a_matrix_that_is_none_is_refused(value: Any, said: str) -> None:
    with pytest.raises(BadParameter, match=rf"^x\(costs.*{said}"):
        fields.check(ALL, {"costs": value}, "x")
    with pytest.raises(BadParameter, match=r"x\(costs='0 a; 1 0'\): must be a square"):
        fields.parse(BY_NAME["costs"], "0 a; 1 0", "x")
