"""Odd words and values that fuzzers met: each is one short sentence, and exit status 2 at a terminal."""

from __future__ import annotations

import pytest

from engine.commands.main import main
from engine.errors import BadParameter
from engine.spec.comparison import CompareSpec

LONG = "x" * 10**5
WORDS = [
    ["run", "--dataset", "\ud800", "--method", "ce"],
    ["run", "--dataset", LONG, "--method", "ce"],
    ["run", "--dataset", "moons", "--method", "a\nb"],
    ["run", "--dataset", "moons", "--method", "ce", "--set", LONG],
    ["run", "--dataset", "moons", "--method", "ce", "--set", f"epochs={LONG}"],
    ["run", "--dataset", "moons", "--method", "ce", "--set", "hidden=" + "1," * 500 + "1"],
    ["run", "--dataset", "moons", "--method", "ce", "--set", "hidden=1024,1024,1024,1024,1024,1024,1024"],
    ["run", "--dataset", "moons", "--method", "ce", "--folds", LONG],
    ["run", "--dataset", "moons", "--method", "ce", f"--{LONG}"],
    ["run", "--dataset", "moons", "--method", "ce", "--seed", "9" * 5000],
    ["embed", LONG, "--technique", LONG],
    [LONG],
    [],
]


@pytest.mark.parametrize("number", range(len(WORDS)))
def test_the_terminal_says_it_in_a_sentence(number, capsys):
    assert main(WORDS[number]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.endswith(".\n") and len(said.err) < 2500
    assert "x" * 201 not in said.err and "9" * 201 not in said.err


@pytest.mark.parametrize("value", [{}, [], {"a": [[1]]}, 7, None, "no such metric"])
def test_a_metric_is_a_name(value):
    with pytest.raises(BadParameter, match="metric="):
        CompareSpec.from_json({"source": {"dataset": "moons"}, "metric": value})


def test_a_comparison_lists_so_many_methods():
    with pytest.raises(BadParameter, match="has 201 names; at most 200"):
        CompareSpec({"dataset": "moons"}, methods=tuple(f"m{n}" for n in range(201)))
