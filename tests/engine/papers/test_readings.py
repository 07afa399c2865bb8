"""What is read off a result is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import UnknownName
from engine.papers.protocol import Arm, Reading
from engine.papers.readings import read_values
from engine.papers.tables import Answers
from engine.spec import Imbalance

NAN = None  # as JSON has it

RESULT = {
    "seconds": 12.5,
    "metrics": {"balanced_accuracy": {"values": [0.5, 0.75]}, "g_mean": {"values": [0.7, NAN]}},
    "averages": {"minority": {"f1": {"values": [0.1, 0.2]}}, "majority": {"recall": {"values": [0.9, 0.8]}}},
    "per_class": {
        "a": {"support": 5, "precision": {"values": [0.2, 0.4]}},
        "b": {"support": 5, "precision": {"values": [0.4, NAN]}},
        "c": {"support": 5, "precision": {"values": [0.9, 0.8]}},
    },
    "class_counts": {"train": {"a": 100.0, "b": 10.0, "c": 2.0}},
    "gap": {
        "classes": ["a", "b", "c"],
        "before": [[0.1, 0.2, 0.6], [0.2, 0.3, 0.7]],
        "after": [[0.1, 0.1, 0.1], [0.2, 0.2, NAN]],
        "correct": [[1.0, 2.0, NAN], [1.0, 1.0, 1.0]],
        "errors": [[3.0, 4.0, 9.0], [2.0, NAN, 4.0]],
    },
    "weight_norms": {"before": [[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]], "after": [[2.0, 2.0, 5.0], [1.0, 1.0, 1.0]]},
}


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("balanced_accuracy", [0.5, 0.75]),
        ("seconds", [12.5, 12.5]),
        ("g_mean", [0.7, np.nan]),
        ("minority/f1", [0.1, 0.2]),
        ("majority/recall", [0.9, 0.8]),
        ("all/precision", [0.5, 0.6]),
        ("classes/b/precision", [0.4, np.nan]),
        ("classes/a,c/precision", [0.55, 0.6]),
        ("gap/before", [0.3, 0.4]),
        ("gap/after", [0.1, 0.2]),
        ("gap/rarest", [0.6, 0.7]),
        ("gap/commonest", [0.1, 0.2]),
        ("gap/correct", [1.5, 1.0]),  # classes that have both kinds of rows, no other
        ("gap/errors", [3.5, 3.0]),
        ("norms/before", [0.0, np.std([1, 2, 3]) / 2]),
        ("norms/after", [np.std([2, 2, 5]) / 3, 0.0]),
    ],
)
def test_readings(what, values):
    assert read_values(RESULT, what) == pytest.approx(values, nan_ok=True)


@pytest.mark.parametrize("what", ["accuracy", "minority/speed", "classes/a,z/precision", "gap/sideways", "norms/", "all/"])
def test_strange_readings_are_refused(what):
    with pytest.raises(UnknownName, match="no reading"):
        read_values(RESULT, what)


def test_a_reading_less_another_is_their_difference_seed_by_seed() -> None:
    whole, few = (Arm("digits", "ce", imbalance) for imbalance in (Imbalance(), Imbalance("exponential", 10.0)))
    answers = Answers()
    for n, (before, after) in enumerate([(0.75, 0.5), (0.5, 0.25), (0.5, 0.75)]):
        for arm, value in ((whole, before), (few, after)):
            answers.results[arm.key][n] = {"metrics": {"balanced_accuracy": {"values": [value]}}}
    del answers.results[few.key][1]
    reading = Reading(whole, "balanced_accuracy", less=few)
    assert answers.numbers(reading) == [0, 2] and answers.list_values(reading, [0, 2]) == [0.25, -0.25]
