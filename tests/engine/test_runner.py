"""One run, end to end: what it says, what it measures, what it leaves, and what happens where it cannot go on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.metrics import geometric_mean_score
from scipy import stats
from sklearn import metrics as sk

from engine.catalog import build_catalog
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.data.split import split
from engine.errors import BadData, BadInput, BadParameter, OutOfMemory, UnknownName
from engine.events import UNIT, Epoch, Event, Frame, Note, Phase, Progress, Running, Scene, finish, unpack, unpack_film
from engine.methods import method, methods
from engine.methods.base import Method
from engine.runner import chunks, drive, execute, run
from engine.runner.provenance import read_commit
from engine.spec import Imbalance, RunSpec
from engine.spec.result import METRICS, PROBABILITY_METRICS, Result
from engine.spec.run import find_entry
from engine.stats.intervals import BAYESIAN, BOOTSTRAP, CORRECTED_T, draw_interval
from engine.stats.significance import find_test_share
from engine.training import loop, network_cache
from engine.training.camera import Camera

CATALOG = build_catalog()
SMALL: dict[str, Any] = {"hidden": [8], "epochs": 4, "batch": 32, "meta_epochs": 4, "batch_points": 8, "learning_rate": 0.01}
SMALL |= {"steps": 4}
MOONS: dict[str, Any] = {"dataset": "moons", "data": {"rows": 400}, "imbalance": Imbalance("ratio", 5)}
WINE: dict[str, Any] = {"dataset": "wine", "imbalance": Imbalance("exponential", 4)}
GLASS: dict[str, Any] = {"dataset": "glass2", "imbalance": Imbalance("ratio", 15)}
SETS = pytest.mark.parametrize(
    "on", [MOONS, WINE, pytest.param(GLASS, marks=pytest.mark.network)], ids=["moons", "wine", "glass2"]
)
F64 = torch.float64
Done = tuple[list[Event], Result, dict[str, bytes]]


def asked(
    name: str = "ce", *, on: dict[str, Any] = MOONS, folds: int = 1, seeds: int = 1, seed: int = 0, **params: Any
) -> RunSpec:
    """A completed spec of a method with small parameters."""
    known = {d["name"] for d in find_entry(CATALOG, "methods", name)["fields"]}
    values = {k: v for k, v in (SMALL | params).items() if k in known}
    return RunSpec(method=name, params=values, folds=folds, seeds=seeds, seed=seed, **on).complete(CATALOG)


def done(spec: RunSpec, **options: Any) -> Done:
    return drive(run(spec, **{"device": "cpu", "frames": 12} | options))


def test_a_result_has_the_factors_of_a_head_that_was_scaled() -> None:
    _, found, _ = done(asked("lws", seeds=2))
    before, after = (np.array(found.weight_norms[name]) for name in ("before", "after"))
    factors = found.arrays["factors"]
    assert factors.shape == before.shape == (2, 2) and not np.allclose(factors, 1)
    np.testing.assert_allclose(np.abs(factors) * before, after, rtol=1e-5)
    assert "factors" not in done(asked())[1].arrays


def same(one: Result, other: Result, atol: float = 0.0) -> None:
    """Equal numbers, in words and arrays."""
    for name in METRICS:
        for key in ("mean", "low", "high", "values"):
            a, b = one.metrics[name][key], other.metrics[name][key]
            assert np.allclose(a, b, rtol=0, atol=atol, equal_nan=True), (name, key)
    assert one.class_counts == other.class_counts and one.arrays.keys() == other.arrays.keys()
    for name, values in one.arrays.items():
        assert np.allclose(values, other.arrays[name], rtol=0, atol=atol, equal_nan=True), name


# ---- end to end


TELLING = (
    "lws",
    "balanced-svm",
    "balanced-bagging",
    "borderline-smote",
    "smotenc",
    "smote-enn",
    "smote-tomek",
    "cmtnn",
    "gamo",
    "ccr",
    "mc-ccr",
    "rb-ccr",
    "lmle",
)
"""Methods that may have something to say about the rows they found."""


@SETS
@pytest.mark.parametrize("name", methods())
def test_every_method_from_its_spec_to_its_result(name: str, on: dict[str, Any]) -> None:
    entry = find_entry(CATALOG, "datasets", on["dataset"])
    if entry["kind"] not in find_entry(CATALOG, "methods", name)["kinds"]:
        with pytest.raises(BadParameter, match=f"{name} takes (tabular|images) data"):
            asked(name, on=on)
        return
    spec = asked(name, on=on, folds=2)
    if methods()[name].most_classes == 2 and on is WINE:
        with pytest.raises(BadInput, match=f"supported by {name}: these data have 3 classes"):
            done(spec)
        return
    events, result, artifacts = done(spec)
    assert result.run_id == spec.run_id(find_entry(CATALOG, "datasets", spec.dataset)["fingerprint"])
    assert result.spec == spec.to_json() and RunSpec.from_json(result.spec) == spec
    assert list(result.metrics) == [*METRICS, *PROBABILITY_METRICS] and result.n == 2
    for metric, (_, (low, high), _) in (METRICS | PROBABILITY_METRICS).items():
        one = result.metrics[metric]
        assert len(one["values"]) == 2 and low <= one["low"] <= one["mean"] <= one["high"] <= high
        assert one["mean"] == pytest.approx(np.mean(one["values"]))
    classes = load(spec.dataset, spec.data).classes
    assert tuple(result.per_class) == classes
    assert all(set(c) == {"support", "precision", "recall", "f1", "average_precision"} for c in result.per_class.values())
    assert set(result.class_counts) == {"train", "validation", "test", "withheld"}
    assert result.positive == ("macro" if len(classes) == 3 else classes[1])
    points = {"contributions/0", "contributions/1"} if result.contributions else set()
    assert set(artifacts) == {"frames/0", "frames/1", "features/0"} | points
    assert points or name not in ("explicit-gradient", "smote")
    for key in points:  # in the order of the film's frames, of the chosen epoch
        one, last = unpack(artifacts[key]), unpack_film(artifacts[key.replace("contributions", "frames")])[1][-1]
        assert np.allclose(1000 * one["moved"][one["drawn"]], last.moved, rtol=0, atol=0.6)
        assert len(one["arrow"]) == len(one["drawn"]) == len(last.points) and np.isfinite(one["arrow"]).all()
    assert (result.moves is not None) == (name == "explicit-gradient")
    arrays = result.arrays
    assert arrays["pr_precision"].shape == (2, 101) and arrays["weight_norms"].shape == (2, len(classes))
    assert arrays["epoch"].shape == (2,) and (arrays["epoch"] >= 1).all()
    for phase in {e.phase for e in events if isinstance(e, Epoch)}:
        steps = arrays[f"history/{phase}/step"]
        assert (
            steps.shape == (len([e for e in events if isinstance(e, Epoch) and e.phase == phase]),)
            and (np.diff(steps) > 0).all()
        )
        own = {e.phase for e in events if isinstance(e, Epoch) and "train_loss" not in e.values}  # a generator's phases
        for value in () if phase in own else ("train_loss", "valid_loss", "valid_ap"):
            assert arrays[f"history/{phase}/{value}"].shape == (2, len(steps))
    assert result.seconds > 0 and (result.notes == [] or name in TELLING)
    # the order of what is said
    assert isinstance(events[0], Phase) and events[0].name == "data"
    assert isinstance(events[-1], Phase) and events[-1].name == "measuring"
    pictures = [e for e in events if isinstance(e, (Scene, Frame))]
    assert isinstance(pictures[0], Scene) and {e.replicate for e in pictures} == {0}
    assert isinstance(pictures[-1], Frame) and pictures[-1].phase == "chosen" and pictures[-1].epoch == arrays["epoch"][0]
    phases = [e.name for e in events if isinstance(e, Phase)]
    assert len(set(phases)) == len(phases) and "training" in phases
    after = {"policy", "members"} if name == "mesa" else set()  # what its policy did, told once all members are grown
    assert {e.phase for e in events if isinstance(e, Epoch)} - after <= set(phases)


def test_the_films_are_what_was_shown() -> None:
    events, result, artifacts = done(asked("explicit-gradient", folds=2, seeds=2))
    scene, frames = unpack_film(artifacts["frames/0"])
    shown = [e for e in events if isinstance(e, Frame)]
    assert [(f.phase, f.epoch, f.step) for f in frames] == [(f.phase, f.epoch, f.step) for f in shown]
    assert all(
        np.array_equal(a.surface, b.surface) and np.array_equal(a.points, b.points) for a, b in zip(frames, shown, strict=True)
    )
    last = [e for e in events if isinstance(e, Scene)][-1]
    assert np.array_equal(scene.parents, last.parents) and len(last.parents) == result.class_counts["train"]["minority"]
    for r in range(1, 4):
        scene, frames = unpack_film(artifacts[f"frames/{r}"])
        assert scene.replicate == r and {f.replicate for f in frames} == {r} and frames[-1].phase == "chosen"
        assert 2 < len(frames) < len(shown)


def test_without_frames_there_are_no_pictures_and_the_same_numbers() -> None:
    spec = asked("explicit-gradient", folds=2)
    events, result, artifacts = done(spec, frames=0)
    assert not any(name.startswith("frames/") for name in artifacts) and "features/0" in artifacts
    assert not any(isinstance(e, (Scene, Frame)) for e in events)
    same(result, done(spec)[1])


# ---- what is counted and measured


@SETS
@pytest.mark.parametrize("folds", [1, 3])
def test_class_counts_are_those_of_the_split(on: dict[str, Any], folds: int) -> None:
    spec = asked("smote", on=on, folds=folds, seeds=2)
    data, (_, result, _) = load(spec.dataset, spec.data), done(spec)
    parts = [p for index in range(2) for p in split(data, spec, index)]
    for name, part in {"train": "train", "validation": "valid", "test": "test", "withheld": "withheld"}.items():
        counts = [np.bincount(data.y[getattr(p, part)], minlength=len(data.classes)) for p in parts]
        assert list(result.class_counts[name].values()) == pytest.approx(np.mean(counts, axis=0))
    assert result.test_share == find_test_share(folds)
    shares = [np.bincount(data.y[p.test]) / len(p.test) for p in parts]
    assert result.prevalence == pytest.approx(np.mean(shares, axis=0)[1] if len(data.classes) == 2 else 1 / 3)
    for c, label in enumerate(data.classes):
        assert result.per_class[label]["support"] == pytest.approx(result.class_counts["test"][label]), c


def probabilities(spec: RunSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(probability [T, C], truth [T], output weights [H, C]) of a spec's one replicate, without the runner."""
    on = prepare(load(spec.dataset, spec.data), spec)
    fitting = method(spec.method)(**spec.params).fit(on, camera=Camera(on, 0))
    net = finish(fitting).net
    return net(on.test.x)[0].double().softmax(-1).numpy(), on.test.y[0].numpy(), net.head_weights()[0].numpy()


@SETS
@pytest.mark.parametrize("name", ["rs", "explicit-gradient"])
def test_metrics_are_scikit_learn_s_on_the_same_probabilities(on: dict[str, Any], name: str) -> None:
    spec = asked(name, on=on, epochs=12)
    _, result, _ = done(spec)
    p, y, weights = probabilities(spec)
    label, two = p.argmax(1), p.shape[1] == 2
    score = p[:, 1] if two else p
    one_hot = y if two else np.eye(p.shape[1])[y]
    expected = {
        "average_precision": sk.average_precision_score(one_hot, score, average="macro"),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "g_mean": geometric_mean_score(y, label, average="macro"),
        "f1": sk.f1_score(y, label, average="binary" if two else "macro", zero_division=0),
        "mcc": sk.matthews_corrcoef(y, label),
        "kappa": sk.cohen_kappa_score(y, label),
        "roc_auc": sk.roc_auc_score(one_hot, score, average="macro"),
    }
    for at in (0.25, 0.5, 0.75):
        found = []
        for c in (1,) if two else range(p.shape[1]):
            precision, recall, _ = sk.precision_recall_curve(y == c, p[:, c])
            found.append(precision[recall == recall[recall >= at].min()].max())
        expected[f"precision_at_recall_{at:g}"] = np.mean(found)
    assert set(expected) == set(METRICS)
    for metric, value in expected.items():
        assert result.metrics[metric]["values"] == pytest.approx([value], abs=1e-12), metric
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, label, zero_division=0)
    for c, found_of in enumerate(result.per_class.values()):
        assert found_of["support"] == support[c]
        for metric, value in {"precision": precision[c], "recall": recall[c], "f1": f1[c]}.items():
            assert found_of[metric]["values"] == pytest.approx([value]), metric
        assert found_of["average_precision"]["values"] == pytest.approx([sk.average_precision_score(y == c, p[:, c])])
    assert result.arrays["weight_norms"][0] == pytest.approx(np.linalg.norm(weights, axis=0))


def test_one_replicate_has_a_bootstrap_interval() -> None:
    _, result, _ = done(asked(epochs=10))
    assert (result.n, result.interval) == (1, BAYESIAN) and result.metric("f1").kind == BAYESIAN
    for name, (_, bounds, _) in (METRICS | PROBABILITY_METRICS).items():
        drawn, one = result.arrays[f"bootstrap/{name}"], result.metrics[name]
        assert drawn.shape == (1000,)
        found = draw_interval(one["values"][0], drawn, bounds)
        assert (one["low"], one["high"]) == pytest.approx((found.low, found.high), abs=1e-6, nan_ok=True)
        assert np.isnan(one["low"]) or one["low"] < one["mean"] < one["high"] or one["mean"] in bounds
    assert result.gap["interval"] == BOOTSTRAP  # of the rows that span the gap


def test_log_loss_and_calibration_are_kept_beside_the_metrics() -> None:
    _, result, _ = done(asked(epochs=3, seeds=2))
    assert list(result.metrics) == [*METRICS, *PROBABILITY_METRICS] and result.n == 2
    assert all(0 < v < 5 for v in result.metrics["log_loss"]["values"])
    assert all(0 <= v <= 1 for v in result.metrics["calibration_error"]["values"])


OLDER = {
    "average_precision": (
        (0.33848434765400426, 0.5173287418247023, 0.3355012622818661, 0.3990896556336451), 0.09507252537337346, 0.7001294783237355,
    ),
    "f1": ((0.36103896103896105, 0.34905066356679265, 0.10714285714285715, 0.17990074441687343), 0.0, 0.6968136943322321),
    "kappa": ((0.146129541864139, 0.1331306990881459, 0.0, 0.049240121580547115), -0.1654460303705888, 0.32969621163700485),
}  # fmt: skip
"""Values and interval of a run, as the engine gave them whose one-split interval was the percentile bootstrap's."""


def test_a_new_interval_of_one_split_changes_no_value_and_no_interval_of_several() -> None:
    spec = RunSpec("wine", "ce", Imbalance("ratio", 3.0), params={"hidden": [4], "epochs": 3}, folds=2, seeds=2)
    _, result, _ = done(spec, dtype=F64, frames=0)
    for name, (values, low, high) in OLDER.items():
        found = result.metrics[name]
        assert found["values"] == pytest.approx(values, abs=1e-9)
        assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-9)
    moons = RunSpec("moons", "ce", Imbalance("ratio", 10.0), data={"rows": 400}, params={"hidden": [4], "epochs": 5})
    _, one, _ = done(moons, dtype=F64, frames=0)
    assert one.metrics["average_precision"]["values"] == pytest.approx([0.15679271708683473], abs=1e-9)
    assert one.metrics["f1"]["values"] == [0.0] and np.isnan(one.metrics["f1"]["low"])  # no draw finds a row: nothing is known


def test_methods_are_drawn_on_the_same_test_rows() -> None:
    """Two runs that predict alike have alike draws, so that their paired difference is nothing, and no draw says more."""
    _, one, _ = done(asked("ce"))
    _, other, _ = done(asked("focal", gamma=0.0))
    found = one.difference(other)
    assert abs(found.mean) < 1e-3 and (np.isnan(found.low) or found.high - found.low < 1e-3)
    draws = one.arrays["bootstrap/average_precision"] - other.arrays["bootstrap/average_precision"]
    assert np.abs(draws).max() < 1e-3
    assert one.metrics["average_precision"]["high"] - one.metrics["average_precision"]["low"] > 0.01


def test_more_replicates_have_a_corrected_t_interval() -> None:
    _, result, _ = done(asked(on=WINE, folds=3, seeds=2, epochs=1))
    assert (result.n, result.interval) == (6, CORRECTED_T)
    assert not any(name.startswith("bootstrap") for name in result.arrays)
    one = result.metrics["f1"]
    values = np.array(one["values"])
    half = stats.t.ppf(0.975, 5) * np.sqrt((1 / 6 + result.test_share) * values.var(ddof=1))
    assert (one["low"], one["high"]) == pytest.approx((max(0, values.mean() - half), min(1, values.mean() + half)))
    recall = result.per_class["class_2"]["recall"]
    assert len(recall["values"]) == 6 and 0 <= recall["low"] <= recall["mean"] <= recall["high"] <= 1


def test_moves() -> None:
    _, moved, _ = done(asked("explicit-gradient", folds=2))
    assert moved.moves is not None and 0 < moved.moves["median"] <= moved.moves["largest"] and len(moved.moves["values"]) == 2
    _, frozen, _ = done(asked("explicit-gradient", folds=2, eta_points=0.0))
    assert frozen.moves == {"median": 0.0, "largest": 0.0, "values": [0.0, 0.0]}
    _, none, _ = done(asked("explicit-gradient", folds=2, copies=0))
    assert none.moves is None and none.notes == []


def test_replicates_without_points_keep_their_place_and_their_film() -> None:
    """A confidence bound may leave one replicate without synthetic points, or all of them."""
    spec = asked("explicit-gradient", folds=2, seeds=3, confidence=0.15, epochs=20)
    events, result, artifacts = done(spec)
    per_replicate = [len(unpack_film(artifacts[f"frames/{r}"])[0].parents) for r in range(6)]
    assert 0 in per_replicate and max(per_replicate) > 0, "the case must have both"
    assert result.moves is not None and [v is None for v in result.to_json()["moves"]["values"]] == [
        n == 0 for n in per_replicate
    ]
    for r, count in enumerate(per_replicate):
        _, frames = unpack_film(artifacts[f"frames/{r}"])
        assert {f.phase for f in frames} == {"training", "points", "chosen"}
        assert {len(f.points) for f in frames if f.phase != "training"} == {count}
    _, result, _ = done(asked("explicit-gradient", folds=2, confidence=0.0))
    assert result.moves is None
    assert result.notes == ["No minority row is below the confidence bound, so there are no synthetic points."]


def test_history_is_nan_where_a_replicate_had_stopped() -> None:
    spec = asked("explicit-gradient", folds=4, seeds=2, patience=2, meta_epochs=20)
    events, result, _ = done(spec)
    scores, losses = result.arrays["history/points/valid_ap"], result.arrays["history/points/valid_loss"]
    heard = [e for e in events if isinstance(e, Epoch) and e.phase == "points"]
    assert scores.shape == (8, len(heard)) and np.isnan(scores).any()
    ran = (~np.isnan(scores)).sum(1)
    assert len(set(ran.tolist())) > 1
    assert ran.tolist() == [min(len(heard), int(e) + 2) for e in result.arrays["epoch"]]
    for r, n in enumerate(ran):
        best = np.lexsort((-losses[r, :n], scores[r, :n]))[-1]  # the highest score, among equals the lowest loss
        assert result.arrays["epoch"][r] - 1 == best
    assert result.arrays["history/points/step"].tolist() == [e.step for e in heard]


# ---- the potential


def test_the_potential_needs_withheld_rows() -> None:
    for imbalance in (Imbalance(), Imbalance("ratio", 1)):
        running = run(asked("potential", on=MOONS | {"imbalance": imbalance}), device="cpu")
        assert isinstance(next(running), Phase)
        with pytest.raises(BadInput, match="nothing was withheld here, so there is no potential"):
            list(running)


def test_the_potential_trains_on_more_rows() -> None:
    _, plain, _ = done(asked("ce"))
    _, ceiling, _ = done(asked("potential"))
    assert ceiling.class_counts == plain.class_counts and plain.class_counts["withheld"] == {"majority": 0, "minority": 96}
    train = sum(plain.class_counts["train"].values())
    for result, rows in ((plain, train), (ceiling, train + 96)):
        assert result.arrays["history/training/step"][0] == -(-rows // 32)
    assert ceiling.test_share == plain.test_share, "the interval is about the rows both share"


# ---- alone, in chunks, with more threads


@pytest.mark.parametrize("name", ["ce", "smote", "explicit-gradient"])
def test_the_quick_look_is_the_careful_answer_s_first_replicate(name: str) -> None:
    """folds=1 seeds=1 is replicate 0 of folds=4 seeds=5: to 1e-9 in float64, and in float32 to 1e-5 while it has taken few steps."""
    quick, careful = asked(name), asked(name, folds=4, seeds=5)
    (_, one, films), (_, twenty, all_films) = (done(spec, dtype=F64) for spec in (quick, careful))
    for metric in METRICS:
        assert one.metrics[metric]["values"][0] == pytest.approx(twenty.metrics[metric]["values"][0], abs=1e-9)
    shared = [k for k in one.arrays if not k.startswith("bootstrap") and not k.endswith("step") and k != "pr_recall"]
    for key in shared:
        assert np.allclose(one.arrays[key][0], twenty.arrays[key][0], rtol=0, atol=1e-6 if "history" in key else 1e-9), key
    assert np.array_equal(unpack_film(films["frames/0"])[1][-1].surface, unpack_film(all_films["frames/0"])[1][-1].surface)
    few = {"epochs": 1, "meta_epochs": 1, "batch": 4096, "batch_points": 4096}
    one, twenty = (done(asked(name, folds=f, seeds=s, **few))[1] for f, s in ((1, 1), (4, 5)))
    assert np.allclose(one.arrays["weight_norms"][0], twenty.arrays["weight_norms"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ce", "smote", "explicit-gradient"])
def test_more_replicates_than_a_chunk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = asked(name, folds=4, seeds=2)
    monkeypatch.setattr(loop, "TICK", 0.0)
    _, whole, films = done(spec, dtype=F64)
    monkeypatch.setattr(chunks, "CHUNK", 3)
    network_cache.clear()  # plain training's first phase is that of explicit gradient
    events, parts, part_films = done(spec, dtype=F64)
    for key, values in whole.arrays.items():
        if not key.endswith("step"):  # the last chunk's: its longest replicate may have fewer batches
            assert np.allclose(values, parts.arrays[key], rtol=0, atol=1e-6, equal_nan=True), key
    for metric in METRICS:
        assert parts.metrics[metric]["values"] == pytest.approx(whole.metrics[metric]["values"], abs=1e-9)
    assert parts.class_counts == whole.class_counts
    if whole.moves is not None:
        assert parts.moves is not None and parts.moves["values"] == pytest.approx(whole.moves["values"], abs=1e-9)
    kept = ("frames", "contributions") if whole.contributions else ("frames",)
    assert set(part_films) == set(films) == {"features/0", *(f"{kind}/{r}" for kind in kept for r in range(8))}
    for values in part_films.keys() - {"features/0", *(f"frames/{r}" for r in range(8))}:
        one, two = unpack(films[values]), unpack(part_films[values])
        assert np.allclose(one["value"], two["value"], rtol=0, atol=1e-6) and np.array_equal(one["row"], two["row"])
    first = [e.first for e in events if isinstance(e, Epoch)]
    assert sorted(set(first)) == [0, 3, 6]
    progress = [e for e in events if isinstance(e, Progress)]
    assert len({p.total for p in progress}) == 1 and [p.done for p in progress] == sorted(p.done for p in progress)
    assert 0 < progress[0].done < progress[0].total / 8 and 0.9 < progress[-1].done / progress[-1].total <= 1


def test_progress_of_one_chunk_counts_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TICK", 0.0)
    events, result, _ = done(asked(folds=3))
    steps = int(result.arrays["history/training/step"][-1])
    assert [e for e in events if isinstance(e, Progress)] == [Progress(k, steps) for k in range(1, steps + 1)]


def test_the_same_spec_gives_the_same_bits() -> None:
    spec = asked("explicit-gradient", folds=2)
    (_, one, films), (_, two, again) = done(spec), done(spec)
    same(one, two)
    assert films["features/0"] == again["features/0"]
    assert films["contributions/1"] == again["contributions/1"]
    pictures = [k for k in films if k.startswith("frames/")]
    assert [unpack_film(films[k])[1][-1].surface.tolist() for k in pictures] == [
        unpack_film(again[k])[1][-1].surface.tolist() for k in pictures
    ]
    assert one.metrics != done(asked("explicit-gradient", folds=2, seed=1))[1].metrics


def test_a_second_thread_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On matrices large enough for torch to share them out. Convolutions are left out: theirs change in the last bits."""
    spec = asked(
        on={"dataset": "digits", "imbalance": Imbalance("ratio", 3)},
        folds=2,
        model="mlp",
        hidden=[256, 128],
        batch=512,
        epochs=2,
    )
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LAB_THREADS", threads)
        results.append(done(spec)[1])
        assert results[-1].provenance["threads"] == int(threads)
    same(*results)


@pytest.fixture(autouse=True)
def one_thread() -> Generator[None]:
    yield
    torch.set_num_threads(1)


# ---- where it cannot go on


def test_what_is_not_known_is_refused_before_anything_is_said() -> None:
    for spec, error in (
        (RunSpec("glas2", "ce"), UnknownName),
        (RunSpec("moons", "cee"), UnknownName),
        (RunSpec("moons", "ce", params={"eta_points": 1}), UnknownName),
        (RunSpec("moons", "ce", params={"epochs": 0}), BadParameter),
    ):
        with pytest.raises(error):
            next(run(spec))
    with pytest.raises(BadParameter, match="device 'tpu' is not on this machine; it has: cpu"):
        next(run(asked(), device="tpu"))


def test_a_setting_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("0", "two", "-1"):
        monkeypatch.setenv("LAB_THREADS", text)
        with pytest.raises(BadInput, match=f"LAB_THREADS='{text}': must be a whole number of at least 1"):
            next(run(asked()))


def test_too_few_rows_are_said() -> None:
    running = run(asked(on=MOONS | {"imbalance": Imbalance("ratio", 100)}), device="cpu")
    next(running)
    with pytest.raises(BadData, match="use a ratio of at most 40 instead of 100"):
        next(running)


def test_it_can_be_closed_at_any_event() -> None:
    spec = asked("explicit-gradient")
    count = len(done(spec)[0])
    for stop in (1, 2, count // 2, count):
        running = run(spec, device="cpu", frames=12)
        for _ in range(stop):
            next(running, None)  # how often progress is told depends on the clock
        running.close()
        with pytest.raises(StopIteration):
            next(running)


class Scarce:
    """Methods on a device whose memory is not enough for more than `room` replicates. Fails after some pictures."""

    def __init__(self, room: int, patch: pytest.MonkeyPatch) -> None:
        self.room = room
        self.asked: list[int] = []
        real = execute.method

        def scarce(name: str) -> Any:
            cls: type[Method] = real(name)

            def made(**params: Any) -> Any:
                one = cls(**params)
                whole = one.fit

                def fit(task: Any, *, camera: Camera) -> Any:
                    self.asked.append(len(task.replicates))
                    fitting, said = Running(whole(task, camera=camera)), 0
                    for event in fitting:
                        yield event
                        said += isinstance(event, Frame)
                        if said == 9 and len(task.replicates) > self.room:
                            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
                    return fitting.value

                object.__setattr__(one, "fit", fit)
                return one

            made.plugin = cls.plugin  # type: ignore[attr-defined]
            return made

        patch.setattr(execute, "method", scarce)


@pytest.mark.parametrize("name", ["ce", "smote", "explicit-gradient"])
def test_too_little_device_memory_halves_the_chunk_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = asked(name, folds=5)
    _, whole, films = done(spec, dtype=F64)
    scarce = Scarce(3, monkeypatch)
    events, halves, again = done(spec, dtype=F64)
    assert scarce.asked == [5, 2, 3]
    notes = [e for e in events if isinstance(e, Note)]
    sentence = "The GPU's memory is not enough for 5 replicates at once: trying half of them at a time."
    assert [(n.text, n.level) for n in notes] == [(sentence, "warning")] and halves.notes == [sentence]
    for metric in METRICS:
        assert halves.metrics[metric]["values"] == pytest.approx(whole.metrics[metric]["values"], abs=1e-9)
    for key, values in whole.arrays.items():
        if not key.endswith("step"):
            assert np.allclose(values, halves.arrays[key], rtol=0, atol=1e-6, equal_nan=True), key
    assert halves.class_counts == whole.class_counts
    for key in [k for k in films if k.startswith("frames/")]:  # nothing of the first attempt is left in a film
        (_, one), (_, two) = unpack_film(films[key]), unpack_film(again[key])
        assert len({(f.phase, f.step) for f in two}) == len(two)
        if int(key.split("/")[1]) < 2:  # the half with the first replicate, whose points say when frames are recorded
            assert {f.step for f in two} <= {f.step for f in one}


def test_too_little_memory_for_half_a_chunk_fails_with_that_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    scarce = Scarce(1, monkeypatch)
    with pytest.raises(
        OutOfMemory, match="is not enough for 2 replicates at once; use the CPU, a smaller network or a smaller"
    ):
        done(asked(folds=5))
    assert scarce.asked == [5, 2]


def test_too_little_memory_for_one_replicate_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scarce = Scarce(0, monkeypatch)
    with pytest.raises(OutOfMemory, match="is not enough for one replicate; use the CPU"):
        done(asked())
    assert scarce.asked == [1]


def test_points_that_run_off_do_not_end_the_run() -> None:
    """Steps far too large: points leave every picture, and the best epoch is the answer all the same."""
    spec = asked("explicit-gradient", eta_points=1e6, eta_model=1.0, meta_epochs=30, batch=16, clamp=False)
    _, result, films = done(spec)
    assert result.moves is not None and result.moves["median"] > 65 and 0 < result.metrics["average_precision"]["mean"] <= 1
    last = unpack_film(films["frames/0"])[1][-1]
    assert last.moved.max() == 65535 and np.abs(last.points.astype(int)).max() == 4 * UNIT


# ---- where and with what


def test_provenance() -> None:
    _, result, _ = done(asked())
    keys = {
        "device",
        "device_name",
        "precision",
        "machine",
        "cpu",
        "threads",
        "python",
        "torch",
        "numpy",
        "numerics",
        "commit",
        "date",
    }
    found = result.provenance
    assert set(found) == keys and found["device"] == "cpu" and found["precision"] == "float32" and found["device_name"]
    assert found["torch"] == torch.__version__ and str(os.cpu_count()) in found["machine"] and found["threads"] == 1
    assert done(asked(), dtype=F64)[1].provenance["precision"] == "float64"


def test_the_commit_is_git_s() -> None:
    root = Path(__file__).resolve().parents[2]
    asked_git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    assert read_commit() == (asked_git.stdout.strip() or None)
