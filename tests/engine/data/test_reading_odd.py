"""Whatever a file is, reading it ends in a sheet or in one clear sentence, and soon."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.data import sheet as sheets
from engine.data.reading import KINDS, Sheet, read
from engine.data.sheet import MAX_CELLS
from engine.errors import BadData
from tests.engine.data.odd_files import INFLATED, Odd, corpus, is_table

SECONDS = 10.0
"""A file may take; the longest takes about one on an idle machine."""

CORPUS = corpus()


@pytest.fixture(autouse=True)
def smaller_bombs(monkeypatch):
    monkeypatch.setattr(sheets, "MAX_INFLATED", INFLATED)


def is_sound(sheet: Sheet) -> None:
    """What every sheet promises."""
    assert sheet.rows > 0 and sheet.columns and sheet.rows * len(sheet.columns) <= MAX_CELLS
    names = [c.name for c in sheet.columns]
    assert len(set(names)) == len(names) and all(names)
    for c in sheet.columns:
        assert c.kind in KINDS and c.values.shape == (sheet.rows,)
        assert all(isinstance(text, str) for text in (*c.levels, *c.examples))
        if c.kind in ("numeric", "boolean", "date"):
            assert c.values.dtype == np.float64 and not np.isinf(c.values).any()
            assert c.missing == np.isnan(c.values).sum() < sheet.rows
        else:
            assert c.values.dtype == np.int64 and c.values.min() >= -1 and c.missing == (c.values < 0).sum()
        if c.kind in ("categorical", "constant"):
            assert c.levels and c.values.max() < len(c.levels) and len(set(c.levels)) == len(c.levels)
        if c.kind == "boolean":
            assert len(c.levels) == 2 and set(c.values[~np.isnan(c.values)]) <= {0.0, 1.0}
    assert all(is_sentence(note) for note in sheet.notes)


def is_sentence(text: str) -> bool:
    return text.endswith(".") and len(text) < 400 and "\n" not in text and "Traceback" not in text


def test_the_corpus_is_large_and_its_names_differ():
    assert len(CORPUS) >= 200
    assert len({odd.id for odd in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("odd", CORPUS, ids=[odd.id for odd in CORPUS])
def test_an_odd_file(odd: Odd):
    start = time.perf_counter()
    try:
        sheet = read(odd.data, f"{odd.id}.csv", odd.options)
    except BadData as error:
        assert is_sentence(str(error))
        assert odd.check is None, error
        assert odd.says is None or odd.says in str(error), error
    else:
        assert odd.says is None, sheet
        is_sound(sheet)
        if odd.check is not None:
            assert odd.check(sheet) in (None, True), sheet
    assert time.perf_counter() - start < SECONDS


@pytest.mark.parametrize("odd", [o for o in CORPUS if o.check], ids=[o.id for o in CORPUS if o.check])
def test_guesses_given_back_say_the_same(odd: Odd):
    first = read(odd.data, "a", odd.options)
    said = {key: value for key, value in first.guesses.items() if key != "format"}
    again = read(odd.data, "a", (odd.options or {}) | said)
    assert (again.rows, [c.name for c in again.columns]) == (first.rows, [c.name for c in first.columns])
    for a, b in zip(first.columns, again.columns, strict=True):
        assert (a.kind, a.levels, a.missing) == (b.kind, b.levels, b.missing)
        assert np.array_equal(a.values, b.values, equal_nan=True)


@pytest.mark.parametrize("name", ["", "a", "a.csv", "a.xlsx", "a.parquet", "a.zip", "a.csv.gz", "../a.exe", "<b>.CSV"])
@pytest.mark.parametrize("file", ["utf-8 ',' '.'", "xlsx", "parquet", "zip ',' '.'", "gz ',' '.'"])
def test_a_files_name_decides_nothing(file, name):
    is_table(read(next(odd.data for odd in CORPUS if odd.id == file), name))


CANARY = "canary-4711"
REFUSED = {
    "a type that cannot be": (f"a,b\n{CANARY},1\nx,2\n", {"types": {"a": "numeric"}}),
    "dates that are none": (f"a,b\n{CANARY},1\nx,2\n", {"types": {"a": "date"}}),
    "truth that is none": (f"a,b\n{CANARY},1\nx,2\ny,3\n", {"types": {"a": "boolean"}}),
    "a type for nobody": (f"a,b\n{CANARY},1\n", {"types": {"c": "date"}}),
    "rows too long": (
        "a,b\n" + f"{CANARY},1,2,{CANARY},4,5,6,7,8,9\n" * 3 + "1,2\n" * 4,
        {"delimiter": ";", "encoding": "utf-16"},
    ),
    "not in this encoding": (f"é{CANARY},1\n", {"encoding": "utf-16"}),
    "a header alone": (f"{CANARY},{CANARY}2\n", {}),
    "JSON": (f'{{"a": "{CANARY}"}}', {}),
    "binary": (CANARY + "\x01\x02\x03" * 200, {}),
}


@pytest.mark.parametrize("why", REFUSED)
def test_sentences_hold_no_values_of_the_data(why):
    text, options = REFUSED[why]
    with pytest.raises(BadData) as caught:
        read(text.encode(), f"{CANARY}.csv", options)
    assert CANARY not in str(caught.value)
