"""The memorising check: hand case, the laws of its statistics, intervals, words and few held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.analysis import memorise
from engine.analysis.memorise import check_memorising, measure_distances
from engine.seeds import numpy_stream
from tests.engine.cards import assert_close, read_cases


def _column(values: list[float]) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def _check_one(train: np.ndarray, held: np.ndarray, made: np.ndarray, draws: int = 20) -> memorise.Memorised:
    """The check of a single class."""
    labels = (np.zeros(len(rows), int) for rows in (train, held, made))
    y, held_y, made_y = labels
    return check_memorising(train, y, held, held_y, made, made_y, 1, numpy_stream(0, "memorise"), draws=draws)[0]


@pytest.mark.parametrize("case", read_cases("memorise", "first", "gaps"))
def test_distances_are_those_of_the_card(case: dict[str, Any]) -> None:
    found = measure_distances(_column(case["input"]["rows"]), _column(case["input"]["train"]))
    assert_close(found.first if case["what"] == "first" else found.gap, case["value"])


@pytest.mark.parametrize("case", read_cases("memorise", "distance_ratio", "closer_chance", "gap", "held_gap"))
def test_statistics_are_those_of_the_card(case: dict[str, Any]) -> None:
    found = _check_one(*(_column(case["input"][name]) for name in ("train", "held", "made")))
    assert_close(found.intervals[case["what"]].mean, case["value"])


def _make(kind: str, train: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """100 generated rows of a kind, [100, d]."""
    fresh = rng.normal(size=(100, train.shape[1]))
    copied = train[rng.integers(len(train), size=100)]
    if kind == "smote":
        squared = np.square(copied[:, None] - train).sum(2)
        near = np.argsort(squared, 1)[:, 1:6]
        other = train[near[np.arange(100), rng.integers(5, size=100)]]
        return np.asarray(copied + rng.random((100, 1)) * (other - copied))
    made: dict[str, np.ndarray] = {
        "fresh": fresh,
        "copies": copied,
        "noisy copies": copied + 0.3 * fresh,
        "mean": np.repeat(train.mean(0)[None], 100, 0),
        "half-way": (fresh + train.mean(0)) / 2,
    }
    return made[kind]


@pytest.mark.parametrize("case", read_cases("memorise", "law"))
def test_statistics_of_known_kinds_of_rows_follow_the_law(case: dict[str, Any]) -> None:
    names = ("distance_ratio", "closer_chance", "too_close", "gap", "spread")
    rng = np.random.default_rng(1)
    found = []
    for _ in range(30):
        train, held = rng.normal(size=(40, 50)), rng.normal(size=(100, 50))
        found.append(
            [
                v.mean
                for v in map(_check_one(train, held, _make(case["input"]["kind"], train, rng), 2).intervals.get, names)
                if v
            ]
        )
    assert_close(np.mean(found, 0), case["value"], tolerance=0.025)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("fresh", memorise.OWN), ("copies", memorise.COPIES), ("smote", memorise.CLOSE), ("mean", memorise.AVERAGES),
     ("half-way", memorise.AVERAGES), ("noisy copies", memorise.CLOSE)],
)  # fmt: skip
def test_words_name_the_kind_of_rows(kind: str, word: str) -> None:
    rng = np.random.default_rng(2)
    train, held = rng.normal(size=(40, 50)), rng.normal(size=(100, 50))
    found = _check_one(train, held, _make(kind, train, rng), 200)
    assert found.word == word
    assert (found.generated, found.held_out, found.together, found.reason) == (100, 100, (), "")
    assert all(v.low <= v.mean <= v.high for v in found.intervals.values())


def test_a_copy_among_long_rows_has_distance_zero() -> None:
    train = np.random.default_rng(3).normal(size=(30, 784)) * 1e3
    found = measure_distances(train[[7, 7, 3]], train)
    assert found.nearest.tolist() == [7, 7, 3] and not found.first.any() and (found.second > 0).all()


def test_distances_equal_those_of_all_pairs() -> None:
    rng = np.random.default_rng(4)
    train, rows = rng.normal(size=(25, 6)), rng.normal(size=(40, 6))
    every = np.sort(np.sqrt(np.square(rows[:, None] - train).sum(2)), 1)
    found = measure_distances(rows, train)
    np.testing.assert_allclose(np.stack([found.first, found.second], 1), every[:, :2], rtol=1e-12)


def test_classes_of_few_held_out_rows_are_measured_together() -> None:
    rng = np.random.default_rng(5)
    sizes = ((20, 12, 30), (15, 5, 30), (12, 4, 30), (10, 2, 30), (1, 12, 30), (9, 12, 0))
    parts = [[rng.normal(size=(n, 4)) * (10**c) for n in own] for c, own in enumerate(sizes)]
    labels = [np.repeat(np.arange(6), [own[k] for own in sizes]) for k in range(3)]
    rows = [np.concatenate([own[k] for own in parts]) for k in range(3)]
    arguments = (rows[0], labels[0], rows[1], labels[1], rows[2], labels[2], 6)
    found = check_memorising(*arguments, numpy_stream(0, "memorise"), draws=50)
    assert [one.together for one in found] == [(), (1, 2), (1, 2), (), (), ()]
    assert found[1].intervals == found[2].intervals and found[1].held_out == 5
    assert [bool(one.reason) for one in found] == [False, False, False, True, True, True]
    assert (
        "2 are held out" in found[3].reason and "fewer than two training" in found[4].reason and "generated" in found[5].reason
    )
    assert all(not one.intervals and not one.word for one in found[3:])
    again = check_memorising(*arguments, numpy_stream(0, "memorise"), draws=50)
    assert again == found


def test_a_class_measured_together_with_itself_alone_does_not_change_with_its_scale() -> None:
    rng = np.random.default_rng(6)
    train, held, made = rng.normal(size=(20, 4)), rng.normal(size=(8, 4)), rng.normal(size=(30, 4))

    def both(scale: float) -> list[float]:
        stacked = [np.concatenate([rows, rows * scale]) for rows in (train, held, made)]
        y = [np.repeat([0, 1], len(rows)) for rows in (train, held, made)]
        found = check_memorising(stacked[0], y[0], stacked[1], y[1], stacked[2], y[2], 2, numpy_stream(0, "m"), draws=5)[0]
        return [found.intervals[name].mean for name in memorise.STATISTICS]

    np.testing.assert_allclose(both(1.0), both(100.0), rtol=1e-9)


def test_at_most_500_generated_rows_are_measured() -> None:
    rng = np.random.default_rng(7)
    train, held, made = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), rng.normal(size=(600, 3))
    assert _check_one(train, held, made, 3).generated == 500
