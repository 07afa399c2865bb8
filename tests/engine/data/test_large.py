"""A table as large as the best known fraud table: it is read and compared within 4 GiB, and its numbers are right."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.data.tables import reading
from engine.data.tables.reading import read_sheet
from tests.engine.data.large import write_cards

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_table_of_150_mb_is_compared_within_4_gib(tmp_path):
    file = write_cards(tmp_path / "cards.csv")
    assert file.stat().st_size > 140e6
    command = [sys.executable, "-m", "engine", "compare", str(file), "--target", "Class", "--budget", "45", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["data"]["rows"] == 285_000 or "285,000" in " ".join(found["shortened"])
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert most < 4096, f"{most:.0f} MiB"


def test_a_long_table_is_read_as_its_beginning_and_each_cell_is_its_own(monkeypatch, tmp_path):
    """The writing of numbers is guessed from the first bytes; every column is then read whole."""
    rng = np.random.default_rng(1)
    x = np.round(rng.normal(0, 1e4, (5_000, 3)), 2)
    texts = [[f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in row] for row in x]
    lines = ["a;b;c;y", *(";".join([*row, "yes" if i % 7 == 0 else "no"]) for i, row in enumerate(texts))]
    data = "\n".join(lines).encode()
    whole = read_sheet(data, "a.csv", target="y")
    monkeypatch.setattr(reading, "HEAD_BYTES", 20_000)
    short = read_sheet(data, "a.csv", target="y")
    for one, other in zip(whole.columns, short.columns, strict=True):
        assert one.kind == other.kind and np.array_equal(one.values, other.values)
    assert np.array_equal(np.column_stack([c.values for c in short.columns[:3]]), x)
    assert whole.reading == short.reading and whole.notes == short.notes


def test_rows_without_a_value_go_however_the_columns_are_read(monkeypatch):
    lines = [f"{i},{i % 3},{'' if i % 2 else 'x'}" for i in range(400)]
    lines[10::50] = [",,"] * len(lines[10::50])
    data = "\n".join(["a,b,y", *lines]).encode()
    whole = read_sheet(data, "a.csv")
    monkeypatch.setattr(reading, "HEAD_BYTES", 500)
    monkeypatch.setattr(reading, "HEAD_ROWS", 20)
    short = read_sheet(data, "a.csv")
    assert whole.rows == short.rows == 392
    for one, other in zip(whole.columns, short.columns, strict=True):
        assert np.array_equal(one.values, other.values, equal_nan=one.values.dtype == np.float64)
