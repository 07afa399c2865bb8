"""Whatever a file is, reading it ends in a sheet or in one clear sentence, and soon."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.errors import BadData
from engine.spec import table_limits
from tests.engine.data.odd_files import INFLATED, Odd, corpus, is_table
from tests.engine.data.sound import is_sentence, is_sound, is_sound_profile

SECONDS = 10.0
"""Of processor time that a file may take; the longest takes about one."""

CORPUS = corpus()


@pytest.fixture(autouse=True)
def smaller_bombs(monkeypatch):
    monkeypatch.setattr(table_limits, "MAX_INFLATED", INFLATED)


def test_the_corpus_is_large_and_its_names_differ():
    assert len(CORPUS) >= 200
    assert len({odd.id for odd in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("odd", CORPUS, ids=[odd.id for odd in CORPUS])
def test_an_odd_file(odd: Odd):
    start = time.process_time()
    try:
        sheet = read_sheet(odd.data, f"{odd.id}.csv", odd.options)
    except BadData as error:
        assert is_sentence(str(error))
        assert odd.check is None, error
        assert odd.says is None or odd.says in str(error), error
    else:
        assert odd.says is None, sheet
        is_sound(sheet)
        is_sound_profile(profile_table(sheet))
        if odd.check is not None:
            assert odd.check(sheet) in (None, True), sheet
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("odd", [o for o in CORPUS if o.check], ids=[o.id for o in CORPUS if o.check])
def test_guesses_given_back_say_the_same(odd: Odd):
    first = read_sheet(odd.data, "a", odd.options)
    said = {key: value for key, value in first.guesses.items() if key != "format"}
    again = read_sheet(odd.data, "a", (odd.options or {}) | said)
    assert (again.rows, [c.name for c in again.columns]) == (first.rows, [c.name for c in first.columns])
    for a, b in zip(first.columns, again.columns, strict=True):
        assert (a.kind, a.levels, a.missing) == (b.kind, b.levels, b.missing)
        assert np.array_equal(a.values, b.values, equal_nan=True)


@pytest.mark.parametrize("name", ["", "a", "a.csv", "a.xlsx", "a.parquet", "a.zip", "a.csv.gz", "../a.exe", "<b>.CSV"])
@pytest.mark.parametrize("file", ["utf-8 ',' '.'", "xlsx", "parquet", "zip ',' '.'", "gz ',' '.'"])
def test_a_files_name_decides_nothing(file, name):
    is_table(read_sheet(next(odd.data for odd in CORPUS if odd.id == file), name))


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
        read_sheet(text.encode(), f"{CANARY}.csv", options)
    assert CANARY not in str(caught.value)
