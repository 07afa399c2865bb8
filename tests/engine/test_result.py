"""What a run leaves: words and arrays apart, intervals, paired differences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.plain import to_plain
from engine.spec.result import METRICS, Result
from engine.stats.intervals import BOOTSTRAP, CORRECTED_T, NONE

NAN = float("nan")


def result(values: list[float], draws: Any = None, share: float = 0.25, **more: Any) -> Result:
    mean, low, high = (NAN, NAN, NAN) if any(v != v for v in values) else (float(np.mean(values)), 0.1, 0.9)
    one = {"mean": mean, "low": low, "high": high, "values": values}
    arrays = {"pr_recall": np.linspace(0, 1, 3)} | ({} if draws is None else {"bootstrap/average_precision": draws})
    facts: dict[str, Any] = {
        "run_id": "0" * 16,
        "spec": {"dataset": "glass2", "folds": 5},
        "metrics": dict.fromkeys(METRICS, one),
        "per_class": {"positive": {"support": 3.0, "recall": one}},
        "class_counts": {"train": {"positive": np.float64(3.0)}},
        "interval": CORRECTED_T if len(values) > 1 else BOOTSTRAP,
        "n": len(values),
        "test_share": share,
        "positive": "positive",
        "prevalence": 0.1,
        "seconds": 1.5,
        "provenance": {"device": "cpu", "commit": None},
    }
    return Result(**facts | more, arrays=arrays)


def test_words_and_arrays_there_and_back() -> None:
    whole = result([0.5, 0.25], moves={"median": 0.3, "largest": 1.0, "values": [0.3, 0.4]}, notes=["A note."])
    words = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    assert "arrays" not in words
    back = Result.from_json(words, whole.arrays)
    assert back == whole and back.arrays is whole.arrays


def test_words_of_a_later_engine_are_left_out() -> None:
    whole = result([0.5, 0.25])
    assert Result.from_json(whole.to_json() | {"colour": 1}, {}) == whole


def test_nan_becomes_none_and_comes_back_as_nan() -> None:
    whole = result([NAN], moves={"median": NAN, "values": [NAN, 0.5]})
    words = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    assert words["metrics"]["f1"] == {"mean": None, "low": None, "high": None, "values": [None]}
    assert words["moves"] == {"median": None, "values": [None, 0.5]}
    metric = Result.from_json(words, {}).metric("f1")
    assert all(np.isnan(v) for v in (metric.mean, metric.low, metric.high))


def test_plain_leaves_no_numpy_and_no_infinity() -> None:
    rich = {1: np.int64(2), "a": (np.float32(0.5), [np.array([1.0, NAN])]), "b": float("inf"), "c": np.bool_(True), "d": None}
    assert to_plain(rich) == {"1": 2, "a": [0.5, [[1.0, None]]], "b": None, "c": True, "d": None}
    assert json.loads(json.dumps(to_plain(rich), allow_nan=False)) == to_plain(rich)


def test_a_metric_says_its_interval_and_n() -> None:
    metric = result([0.5, 0.25, 0.75]).metric("average_precision")
    assert (metric.mean, metric.low, metric.high, metric.n, metric.kind) == (0.5, 0.1, 0.9, 3, CORRECTED_T)


def test_a_paired_difference_over_replicates_is_a_corrected_t() -> None:
    mine, theirs = [0.5, 0.6, 0.8, 0.7], [0.4, 0.55, 0.6, 0.75]
    found = result(mine, share=0.25).difference(result(theirs, share=0.25))
    delta = np.array([0.1, 0.05, 0.2, -0.05])
    half = stats.t.ppf(0.975, 3) * np.sqrt((1 / 4 + 0.25) * delta.var(ddof=1))
    assert (found.n, found.kind) == (4, CORRECTED_T)
    assert np.allclose([found.mean, found.low, found.high], [delta.mean(), delta.mean() - half, delta.mean() + half])
    back = result(theirs, share=0.25).difference(result(mine, share=0.25))
    assert np.allclose([back.mean, back.low, back.high], [-found.mean, -found.high, -found.low])


def test_a_difference_is_not_clipped() -> None:
    found = result([1.0, 0.0]).difference(result([0.0, 1.0]))
    assert found.low < -1 and found.high > 1 and not found.above_zero and not found.below_zero


def test_a_paired_difference_of_one_replicate_uses_the_draws() -> None:
    """Both methods are drawn on the same rows, so what they share cancels: the difference is narrower than either."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(0.5, 0.2, 1000), rng.normal(0, 0.01, 1000)
    one, other = result([0.55], draws=common + 0.05 + own), result([0.5], draws=common)
    found = one.difference(other)
    assert (found.mean, found.n, found.kind) == (pytest.approx(0.05), 1, BOOTSTRAP)
    assert np.allclose([found.low, found.high], np.quantile(0.05 + own, [0.025, 0.975]), atol=1e-12)
    assert found.above_zero and found.high - found.low < 0.1 < np.ptp(np.quantile(common, [0.025, 0.975]))


def test_one_replicate_without_draws_has_no_interval() -> None:
    found = result([0.55]).difference(result([0.5]))
    assert (found.mean, found.kind) == (pytest.approx(0.05), NONE) and np.isnan(found.low) and not found.above_zero


def test_replicates_without_a_value_are_left_out_in_pairs() -> None:
    words = result([0.5, NAN, 0.9]).to_json()
    found = Result.from_json(words, {}).difference(result([0.4, 0.5, 0.7]))
    assert found.n == 2 and found.mean == pytest.approx(0.15)


def test_metrics_have_a_label_a_range_and_a_sentence() -> None:
    for label, (low, high), help in METRICS.values():
        assert label and low < high == 1 and help.endswith(".")
