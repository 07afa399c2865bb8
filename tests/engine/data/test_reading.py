"""Reading a person's table: real ones, large ones, hostile names, caps, and whatever hypothesis can think of."""

from __future__ import annotations

import csv
import io
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from engine.data import places, sources
from engine.data.sources import keel
from engine.data.tables import unpack
from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.data.tables.texts import MARKS
from engine.errors import BadData
from engine.spec import table_limits
from tests.engine import hostile
from tests.engine.data.odd_files import grid, parquet, zipped
from tests.engine.data.sound import is_sentence, is_sound

# ---- real ones


def test_adult_with_its_question_marks(adult_here):
    got = read_sheet(places.find_files("adult.csv.gz")[0].read_bytes(), "adult.csv.gz")
    assert (got.rows, len(got.columns), got.guesses["missing"], got.notes) == (48_842, 15, ["?"], ())
    assert {c.name: c.missing for c in got.columns if c.missing} == {
        "workclass": 2799,
        "occupation": 2809,
        "native-country": 857,
    }
    known = sources.load("adult")
    assert tuple(c.name for c in got.columns if c.kind == "numeric") == known.numeric_names
    mine = to_dataset(got, "income")
    assert mine.classes == known.classes and mine.categorical_names == known.categorical_names
    # rows without a missing value are those of our own reader, in the file's order
    whole = np.ones(len(mine.y), bool)
    for codes, levels in zip(mine.categorical.T, mine.categories, strict=True):
        if "(missing)" in levels:
            whole &= codes != levels.index("(missing)")
    assert np.bincount(mine.y[whole]).tolist() == known.counts.tolist()
    assert np.array_equal(np.sort(mine.numeric[whole], 0), np.sort(known.numeric, 0))


def european(name: str) -> tuple[bytes, object]:
    """A KEEL set as Excel in most of Europe writes it, and the set."""
    data = sources.load(name)
    out = io.StringIO()
    write = csv.writer(out, delimiter=";", lineterminator="\r\n").writerow
    write([*data.numeric_names, *data.categorical_names, "Klasse"])
    for numbers, codes, y in zip(data.numeric, data.categorical, data.y, strict=True):
        levels = [names[c] for names, c in zip(data.categories, codes, strict=True)]
        write([*(repr(float(x)).removesuffix(".0").replace(".", ",") for x in numbers), *levels, data.classes[y]])
    return out.getvalue().encode("cp1252"), data


@pytest.mark.network
@pytest.mark.parametrize("name", keel.SETS)
def test_keel_sets_as_european_csv_are_the_originals(name):
    text, known = european(name)
    got = read_sheet(text, f"{name}.csv")
    assert got.guesses["delimiter"] == ";" and not got.notes
    mine = to_dataset(got, "Klasse")
    assert mine.classes == known.classes and np.array_equal(mine.y, known.y)
    kinds = {c.name: c.kind for c in got.columns}
    constant = [j for j, column in enumerate(known.numeric.T) if column.min() == column.max()]
    assert [known.numeric_names[j] for j in constant] == [n for n, kind in kinds.items() if kind == "constant"]
    kept = [j for j in range(known.numeric.shape[1]) if j not in constant]
    assert mine.numeric_names == tuple(known.numeric_names[j] for j in kept)
    assert np.array_equal(mine.numeric, known.numeric[:, kept])
    assert mine.categorical_names == known.categorical_names
    for mine_codes, mine_levels, codes, levels in zip(
        mine.categorical.T, mine.categories, known.categorical.T, known.categories, strict=True
    ):
        assert [mine_levels[c] for c in mine_codes] == [levels[c] for c in codes]


@pytest.mark.parametrize("ragged", [False, True])
def test_a_hundred_thousand_rows(ragged):
    """100,000 x 15 in less than 3 s of processor time; it takes about 1 s."""
    rng = np.random.default_rng(0)
    n = 100_000
    numbers = rng.normal(size=(n, 12)).round(6)
    words = np.array(["red", "green", "blue"])[rng.integers(0, 3, n)]
    lines = [
        f"{','.join(map(str, row))},{w},{k},{int(y)}"
        for row, w, k, y in zip(numbers.tolist(), words, range(7, n + 7), rng.random(n) < 0.02, strict=True)
    ]
    if ragged:
        lines[500] += ",x"
    text = "\n".join([",".join([*(f"x{i}" for i in range(12)), "colour", "number", "y"]), *lines]).encode()
    start = time.process_time()
    got = read_sheet(text, "large.csv")
    assert time.process_time() - start < 3
    assert got.rows == n - ragged and [c.kind for c in got.columns[12:]] == [
        "categorical",
        "numeric" if ragged else "id",
        "boolean",
    ]
    keep = np.arange(n) != (500 if ragged else -1)
    assert np.array_equal(np.column_stack([c.values for c in got.columns[:12]]), numbers[keep])


# ---- hostile names

HOSTILE = list(dict.fromkeys(name.strip()[: table_limits.MAX_NAME] for name in hostile.WRITABLE if name.strip()))
"""As columns are called: without the spaces around."""


def written(rows: list[list[str]], format: str) -> bytes:
    """Rows of texts as a file, all of them as texts."""
    out = io.BytesIO()
    if format == "parquet":
        columns = [pa.array(column) for column in zip(*rows[1:], strict=True)]
        pq.write_table(pa.table(columns, names=rows[0]), out)
    elif format == "xlsx":
        book = Workbook(write_only=True)
        page = book.create_sheet("<b>")
        for row in rows:
            cells = [WriteOnlyCell(page, text) for text in row]
            for cell in cells:
                cell.data_type = "s"  # else one that begins with = is a formula
            page.append(cells)
        book.save(out)
    else:
        lines = io.StringIO()
        csv.writer(lines, delimiter="," if format == "csv" else ";", quoting=csv.QUOTE_ALL).writerows(rows)
        out.write(lines.getvalue().encode())
    return out.getvalue()


@pytest.mark.parametrize("format", ["csv", "semicolons", "xlsx", "parquet"])
def test_hostile_names_survive_as_text(format):
    """As column names, levels and classes."""
    names = HOSTILE
    if format == "xlsx":  # what XML cannot hold, and what it holds as another line break
        names = [name for name in HOSTILE if not (ILLEGAL_CHARACTERS_RE.search(name) or set("\r\ufffe") & set(name))]
    assert len(names) >= 50
    parts = names[: len(names) // 2], names[len(names) // 2 :]
    header = [*names, "levels", "others", "class"]
    body = [
        [*(str(i * j % 7 + 0.5) for j in range(len(names))), *(part[i % len(part)] for part in parts), names[i % 5]]
        for i in range(2 * len(names))
    ]
    got = read_sheet(written([header, *body], format), "<b>.csv")
    is_sound(got)
    assert [c.name for c in got.columns] == header
    for column, part in zip(("levels", "others"), parts, strict=True):
        assert set(got.column(column).levels) == {name for name in part if name.lower() not in MARKS}
    dataset = to_dataset(got, "class", name="<b>.csv")
    assert set(dataset.classes) == set(names[:5]) and dataset.name == "<b>.csv"
    shown = profile_table(got, "class")
    assert [c["name"] for c in shown["columns"]] == header
    assert {c["name"] for c in shown["classes"]} == set(names[:5])
    assert all(warning["text"].isprintable() for warning in shown["warnings"])


@pytest.mark.parametrize("name", HOSTILE)
def test_sentences_hold_no_name_that_could_turn_or_end_a_line(name):
    data = written([[name, "b"], ["x", "1"], ["y", "2"]], "csv")
    for options in ({"types": {name + "?": "date"}}, {"types": {name: "date"}}):
        with pytest.raises(BadData) as caught:
            read_sheet(data, "x", options)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 200


# ---- caps

CAPS = [
    ("MAX_BYTES", 100, b"a,b\n" + b"1,2\n" * 99, "more than 0 MiB"),
    ("MAX_ROWS", 50, b"a,b\n" + b"1,2\n" * 99, "more than 50 rows"),
    ("MAX_COLUMNS", 3, b"a,b,c,d\n1,2,3,4\n", "4 columns; at most 3"),
    ("MAX_CELLS", 100, b"a,b,c\n" + b"1,2,3\n" * 60, "cells"),
]


@pytest.mark.parametrize(("cap", "value", "data", "says"), CAPS, ids=[c[0] for c in CAPS])
def test_caps_have_their_sentence(monkeypatch, cap, value, data, says):
    read_sheet(data, "a.csv")
    monkeypatch.setattr(table_limits, cap, value)
    with pytest.raises(BadData, match=says):
        read_sheet(data, "a.csv")


def test_caps_hold_for_excel_and_parquet(monkeypatch):
    book, file = grid(("a", "b"), *((i, 2) for i in range(99))), parquet(a=list(range(99)), b=list(range(99)))
    monkeypatch.setattr(table_limits, "MAX_ROWS", 50)
    for data in (book, file):
        with pytest.raises(BadData, match="more than 50 rows"):
            read_sheet(data, "a")
    monkeypatch.undo()
    monkeypatch.setattr("engine.data.tables.workbook.MAX_CELLS", 100)
    with pytest.raises(BadData, match="more than 100 cells"):
        read_sheet(book, "a")


def test_inflating_stops_at_the_cap(monkeypatch):
    """Not after it: what is kept never grows beyond the cap by more than one step."""
    import gzip
    import tracemalloc

    bomb = gzip.compress(b"\x00" * (64 << 20))
    monkeypatch.setattr(table_limits, "MAX_INFLATED", 4 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(BadData, match="inflates to more than 4 MiB"):
            unpack.unpack_file(bomb, "a.gz")
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_a_title_is_the_files_name():
    assert unpack.strip_ending("C:\\data\\my table.csv.gz") == "my table"
    assert unpack.strip_ending("../.csv") == ".csv" and unpack.strip_ending("") == "table"
    assert "\n" not in unpack.strip_ending("a\nb.csv")


# ---- whatever hypothesis can think of

FUZZ = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from(["utf-8", "cp1252", "utf-16", "latin-1", "cp932", "klingon"]),
        "delimiter": st.sampled_from([",", ";", "\t", "|", " ", "", "x", "§"]),
        "decimal": st.sampled_from([".", ","]),
        "thousands": st.sampled_from(["", ",", ".", " ", "'"]),
        "header": st.booleans(),
        "missing": st.lists(st.text(max_size=3), max_size=3),
    },
)


def ends_well(data: bytes, options: dict | None = None) -> None:
    start = time.process_time()
    try:
        got = read_sheet(data, "fuzz", options)
    except BadData as error:
        assert is_sentence(str(error)), error
    else:
        is_sound(got)
    assert time.process_time() - start < 5


@FUZZ
@given(st.binary(max_size=400), OPTIONS)
@example(b"PK\x05\x06" + b"\x00" * 18, {})
@example(b"\x1f\x8b", {})
def test_any_bytes(data, options):
    ends_well(data, options)


@FUZZ
@given(st.text(alphabet="abc019.,;:|\t \n\r\"'#-+%eE/?$\u00e9\u2212\x00\x1f\ufeff", max_size=300), OPTIONS)
@example('"', {})
@example(",\n,", {"header": True})
@example("0\n0\r", {"delimiter": " "})
def test_any_text_that_is_almost_a_table(text, options):
    ends_well(text.encode(), options)


@FUZZ
@given(
    st.sampled_from(
        [
            b"PK\x03\x04",
            b"\x1f\x8b\x08\x00",
            b"PAR1",
            b"\xff\xfe",
            b"\xfe\xff",
            b"\xef\xbb\xbf",
            b"@attribute a b\n@data\n",
            b"#\n%",
        ]
    ),
    st.binary(max_size=300),
)
def test_any_bytes_after_a_known_beginning(magic, data):
    ends_well(magic + data)


@pytest.mark.parametrize("format", ["xlsx", "parquet", "gz", "zip"])
def test_any_wrong_bytes_in_a_real_file(format):
    import gzip
    import random

    text = b"a,b\n" + b"1,x\n2,y\n" * 20
    whole = {
        "xlsx": lambda: grid(("a", "b"), (1, "x"), (2, "y")),
        "parquet": lambda: parquet(a=[1, 2, 3] * 9, b=["x", "y", None] * 9),
        "gz": lambda: gzip.compress(text, mtime=0),
        "zip": lambda: zipped({"a.csv": text}),
    }[format]()
    draw = random.Random(1)
    for _ in range(120):
        broken = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 5, 20))):
            broken[draw.randrange(len(whole))] = draw.randrange(256)
        ends_well(bytes(broken[: draw.choice((len(whole), len(whole), draw.randrange(1, len(whole))))]))


@FUZZ
@given(st.text(alphabet="abc019.,;|\t \n\r\"'-/?\u00e9\u2212", max_size=200).map(str.encode) | st.binary(max_size=60))
def test_any_guesses_given_back_say_the_same(data):
    try:
        first = read_sheet(data, "a")
    except BadData:
        return
    again = read_sheet(data, "a", {key: value for key, value in first.guesses.items() if key != "format"})
    assert [(c.name, c.kind, c.levels) for c in again.columns] == [(c.name, c.kind, c.levels) for c in first.columns]
    assert all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in zip(first.columns, again.columns, strict=True))


CELL = st.one_of(
    st.text(max_size=6),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["", "NA", "?", "-", "yes", "no", "01.02.2020", "2020-02-30", "1,5", "1.234,5", "1e999", "00123", '"', "=1+1", "#N/A"]
    ),
)


@FUZZ
@given(st.data(), st.integers(1, 5), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_that_is_written_properly_keeps_its_shape(data, width, delimiter, end):
    """Told its delimiter and header, every row of a proper CSV with any value at all is there."""
    names = data.draw(st.lists(st.text(min_size=1, max_size=8), min_size=width, max_size=width))
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=end).writerows([names, *rows])
    bare = [[cell.strip() for cell in row] for row in rows]
    kept = [row for row in bare if row != [name.strip() for name in names]]  # a header that comes again is no row
    known = [any(cell and cell.lower() not in MARKS for cell in row) for row in kept]
    try:
        got = read_sheet(
            out.getvalue().encode("utf-8", "replace"),
            "a.csv",
            {"delimiter": delimiter, "header": True, "encoding": "utf-8"},
        )
    except BadData as error:
        assert is_sentence(str(error))
        assert not any(known) or any(c in "#%/\x00" for n in names for c in n[:1]) or _odd(names)
        return
    is_sound(got)
    if not _odd(names) and all(known):
        assert got.rows == len(kept)


def _odd(names: list[str]) -> bool:
    """Names that may be taken for a title above the table or for no text at all."""
    return any(not n.strip() or any(ord(c) < 32 or c in '"#' for c in n) for n in names)


@FUZZ
@given(
    st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 4)), min_size=3, max_size=30),
    st.sampled_from([(",", "."), (";", ","), ("\t", ","), ("\t", "."), ("|", ","), (";", ".")]),
    st.sampled_from(["", " ", ".", ","]),
)
def test_numbers_are_read_as_they_were_written(numbers, how, thousands):
    """To the last bit, in every style, once the style is told; and guessed right where it can be told at all."""
    delimiter, decimal = how
    if thousands in (decimal, delimiter):
        thousands = ""

    def write(x: float) -> str:
        text = f"{x:,.4f}"
        return text.replace(",", "T").replace(".", decimal).replace("T", thousands)

    text = f"a{delimiter}b\n" + "".join(f"{write(x)}{delimiter}x{i % 2}\n" for i, x in enumerate(numbers))
    for options in ({"decimal": decimal, "thousands": thousands, "types": {"a": "numeric"}}, {"types": {"a": "numeric"}}):
        got = read_sheet(text.encode(), "a.csv", options | {"delimiter": delimiter})
        assert got.columns[0].values.tolist() == numbers


def test_too_little_memory_is_no_fault_of_a_workbook(monkeypatch):
    """Who runs the job has a sentence for it. Parquet can ask for any amount where bytes are wrong, so that both are one there."""

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("engine.data.tables.workbook._read_grid", full)
    monkeypatch.setattr("engine.data.tables.parquet._read_columns", full)
    with pytest.raises(MemoryError):
        read_sheet(grid(("a", "b"), (1, 2)), "a")
    with pytest.raises(BadData, match="more memory than there is"):
        read_sheet(parquet(a=[1], b=[2]), "a")
