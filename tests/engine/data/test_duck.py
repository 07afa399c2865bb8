"""DuckDB reads a text from memory alone: nothing else is opened, nothing is written, and nothing stays."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from engine.data.tables import duck
from engine.data.tables.reading import read_sheet
from engine.errors import BadData

CANARY = "kanar13nv0gel"
DIALECT = duck.Dialect(",", '"', '"', 0)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of all that a process may write: working folder, home, temporary files."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def connection():
    with duck.Duck() as reader:
        yield reader._connection


def table(rows: int, last: str = "") -> bytes:
    lines = (f"{i}.5,{CANARY} {i % 7},{'no' if i % 5 else 'yes'}" for i in range(rows))
    return ("score,note,left\n" + "\n".join(lines) + last).encode()


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (table(200_000), {}),
        (table(300, f"\n1,{CANARY}\n1,2,3,4\n"), {}),
        (table(300, f'\n1,"{CANARY}'), {}),
        (table(300), {"delimiter": "x"}),
        (table(300), {"types": {"note": "numeric"}}),
    ],
)
def test_a_table_leaves_nothing_on_the_disk_and_in_memory_files(folder, data, options):
    before = set(os.listdir("/proc/self/fd"))
    try:
        sheet = read_sheet(data, f"{CANARY}.csv", options)
    except BadData:
        sheet = None
    del sheet
    assert list(folder.rglob("*")) == []
    assert duck.TextStore.store == {} and CANARY not in repr(MemoryFileSystem.store)
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1


def test_the_stores_of_others_are_apart():
    assert duck.TextStore.store is not MemoryFileSystem.store
    MemoryFileSystem().pipe("/other", b"x")
    try:
        with duck.Duck() as reader, pytest.raises(duckdb.Error):
            reader._connection.execute("SELECT * FROM read_csv('memory:///other')").fetchall()
    finally:
        MemoryFileSystem().rm("/other")


@pytest.mark.parametrize("where", ["sniff_dialect", "read_columns"])
def test_a_failure_leaves_nothing_either(monkeypatch, where):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("broken")

    with duck.Duck() as reader:
        whole, reader._connection = reader._connection, Broken()
        arguments = (b"a,b\n1,2\n",) if where == "sniff_dialect" else (b"a,b\n1,2\n", DIALECT, 2, 10)
        with pytest.raises(RuntimeError):
            getattr(reader, where)(*arguments)
        assert duck.TextStore.store == {}
        reader._connection = whole


def test_too_little_memory_is_a_sentence(monkeypatch):
    class Full:
        def sql(self, *_, **__):
            raise duckdb.OutOfMemoryException("no")

        def close(self):
            pass

    with duck.Duck() as reader:
        reader._connection = Full()
        with pytest.raises(BadData, match="needs more memory than there is"):
            reader.read_columns(b"a,b\n1,2\n", DIALECT, 2, 10)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{folder}/mine.csv')",
        "SELECT * FROM '{folder}/mine.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/out.db'",
        "EXPORT DATABASE '{folder}/out'",
        "SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access=true",
        "SET temp_directory='{folder}'",
        "SET memory_limit='1TB'",
        "RESET lock_configuration",
        "SET allowed_directories=['/']",
        "PRAGMA enable_profiling",
    ],
)
def test_nothing_but_the_text_can_be_read_or_changed(connection, folder, query):
    (folder / "mine.csv").write_text(f"a,b\n{CANARY},1\n", encoding="utf-8")
    with pytest.raises(duckdb.Error):
        connection.execute(query.format(folder=folder)).fetchall()
    assert [path.name for path in folder.rglob("*")] == ["mine.csv"]


def test_nothing_is_cached_of_what_was_read(connection):
    read_sheet(table(5000), "a.csv")
    assert connection.execute("SELECT count(*) FROM duckdb_external_file_cache()").fetchall() == [(0,)]
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("text", "delimiter", "quote", "skipped"),
    [
        ("a,b\n" + "1,x\n" * 30, ",", "", 0),
        ("a;b\n" + "1;x\n" * 30, ";", "", 0),
        ('a,b\n"1,5",x\n' * 30, ",", '"', 0),
        ("Report\n\na;b;c\n" + "1;2;3\n" * 30, ";", "", 2),
    ],
)
def test_what_duckdb_says_of_a_text(text, delimiter, quote, skipped):
    with duck.Duck() as reader:
        assert reader.sniff_dialect(text.encode()) == duck.Dialect(delimiter, quote, "", skipped)
        assert reader.sniff_dialect(b"a\n1\n2\n") is None


def test_columns_are_texts_as_written():
    with duck.Duck() as reader:
        columns = reader.read_columns(b'a,b\n"x\ny",007\n"z ""w""",\n', DIALECT, 2, 10)
        assert columns is not None and [column.to_pylist() for column in columns] == [["a", "x\ny", 'z "w"'], ["b", "007", ""]]
        assert reader.read_columns(b"a,b\n1\n", DIALECT, 2, 10) is None
        long = b"a,b\n" + b"x" * 3_000_000 + b",1\n"
        columns = reader.read_columns(long, DIALECT, 2, 10)
        assert columns is not None and len(columns[0][1].as_py()) == 3_000_000
