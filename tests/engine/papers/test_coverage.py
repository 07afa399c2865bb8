"""The simulated coverage of one-split intervals: what is shipped, how it is read, and that the one in use is the best of those compared."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import BadData
from engine.papers import coverage
from engine.reproduce.coverage import POSITIVES, SEPARATIONS, SHARE, WAYS, bca_interval, measure_coverage, true_precision


def test_the_shipped_table_says_where_it_is_from_and_has_every_cell():
    table = coverage.read_coverage()
    assert table is not None and table["provenance"]["n"] >= 100
    assert {"command", "machine", "date", "n", "draws", "share", "metric"} == set(table["provenance"])
    cells = [(row["way"], row["truth"], row["positives"]) for row in table["rows"]]
    assert len(cells) == len(set(cells)) == len(WAYS) * len(SEPARATIONS) * len(POSITIVES)
    assert all(0 <= row["covered"] <= 1 and row["width"] > 0 for row in table["rows"])


def test_the_interval_in_use_is_nearest_to_95_percent_of_those_compared():
    table = coverage.read_coverage()
    assert table is not None

    def distance(way: str) -> float:
        return float(np.mean([abs(share - 0.95) for share in coverage.find_covered(table, way).values()]))

    assert min(table["ways"], key=distance) == table["used"] == "prior"


def test_a_missing_table_is_none_and_a_broken_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(coverage, "FILE", tmp_path / "coverage.json")
    assert coverage.read_coverage() is None
    (tmp_path / "coverage.json").write_text("{")
    with pytest.raises(BadData, match=r"coverage\.json cannot be read"):
        coverage.read_coverage()


def test_a_small_simulation_has_the_shape_of_the_shipped_one(monkeypatch):
    monkeypatch.setattr("engine.reproduce.coverage.POSITIVES", (3,))
    monkeypatch.setattr("engine.reproduce.coverage.SEPARATIONS", (2.0,))
    said = []
    table = measure_coverage(3, said.append)
    shipped = coverage.read_coverage()
    assert shipped is not None and table.keys() == shipped.keys() and len(table["rows"]) == len(WAYS) and len(said) == 1
    assert table["rows"] == measure_coverage(3, said.append)["rows"]


def test_the_true_value_is_that_of_a_large_test_set():
    rng = np.random.default_rng(0)
    y = rng.random(400_000) < SHARE
    score = rng.standard_normal(len(y)) + 2.0 * y
    hits = y[np.argsort(-score)]
    found = (hits.cumsum() / np.arange(1, len(y) + 1))[hits].mean()
    assert true_precision(2.0, SHARE) == pytest.approx(found, abs=0.01)


def test_bca_of_a_mean_is_near_its_bootstrap_where_nothing_is_skewed():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(200)
    draws = np.array([x[rng.integers(200, size=200)].mean() for _ in range(2000)])
    without = (x.sum() - x) / 199
    got = bca_interval(float(x.mean()), draws, np.tile(without, 2), np.repeat([0, 1], 200))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (got.low, got.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))
