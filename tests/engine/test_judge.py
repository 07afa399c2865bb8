"""Another classifier for generated images: the rows it may see, when there is none, what is kept, and what the artifact says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.analysis import memorise
from engine.data.dataset import Dataset, Rows, Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.events import Running, finish, unpack
from engine.methods.deep_smote import DeepSMOTE
from engine.runner import drive, judge, run
from engine.runner.generated import BESIDE, SHOWN, check_generated, make_generated_artifact, summarise_checks
from engine.runner.judge import Judge, read_outside, train_judge
from engine.spec import Imbalance, RunSpec
from engine.stats.intervals import corrected_t, wilson_interval
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted, Generated, Synthetic
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import pictures

SPEC = RunSpec("pictures", "deep-smote", Imbalance("ratio", 8.0, where="train"), folds=1)


@pytest.fixture(autouse=True)
def nothing_kept():
    judge.clear()
    network_cache.clear()
    yield
    judge.clear()
    network_cache.clear()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge of 12 rows a class and 25 steps."""
    monkeypatch.setattr(judge, "LEAST_ROWS", 12)
    monkeypatch.setattr(judge, "STEPS", 25)


def _cut(counts: tuple[int, ...] = (120, 110, 100)) -> tuple[Dataset, Task]:
    dataset = pictures(counts)
    return dataset, prepare(dataset, SPEC, dtype=torch.float64)


def _bits(one: Judge) -> torch.Tensor:
    assert one.net is not None
    return torch.cat([p.detach().flatten() for p in one.net.parameters()])


@pytest.mark.parametrize("case", read_cases("judge", "wilson"))
def test_intervals_of_shares_are_wilsons(case: dict[str, Any]) -> None:
    found = wilson_interval(case["input"]["hits"], case["input"]["rows"])
    assert_close([found.mean, found.low, found.high], case["value"])


def test_a_share_of_no_rows_has_no_interval() -> None:
    assert all(np.isnan([wilson_interval(0, 0).mean, wilson_interval(0, 0).low, wilson_interval(0, 0).high]))


@pytest.mark.usefixtures("short")
def test_it_never_sees_rows_of_training_validation_or_test() -> None:
    """All of them are replaced by a constant, but the validation rows that the largest class lends."""
    dataset, task = _cut()
    one = finish(train_judge(task, 0, dataset, SPEC))
    lends = task.valid.y == task.largest

    def constant(rows: Rows, kept: torch.Tensor | None = None) -> Rows:
        x = torch.full_like(rows.x, 9.0)
        return replace(rows, x=x if kept is None else torch.where(kept.unsqueeze(2), rows.x, x))

    other = replace(task, train=constant(task.train), test=constant(task.test), valid=constant(task.valid, lends))
    two = finish(train_judge(other, 0, dataset, SPEC))
    assert one is not two and torch.equal(_bits(one), _bits(two))
    assert not bool((one.valid & ~lends[0]).any()) and bool(one.withheld.any())


@pytest.mark.usefixtures("short")
def test_it_is_kept_and_can_be_stopped() -> None:
    dataset, task = _cut()
    stopped = Running(train_judge(task, 0, dataset, SPEC))
    assert stopped.pull() is None and not judge._kept
    stopped.close()
    one = finish(train_judge(task, 0, dataset, SPEC))
    again = finish(train_judge(task, 0, dataset, SPEC))
    assert again is one
    judge.clear()
    assert torch.equal(_bits(finish(train_judge(task, 0, dataset, SPEC))), _bits(one))
    judge.clear()
    assert not torch.equal(_bits(finish(train_judge(replace(task, seed=5), 0, dataset, SPEC))), _bits(one))


def test_few_rows_are_no_judge() -> None:
    dataset, task = _cut()
    one = finish(train_judge(task, 0, dataset, SPEC))
    assert one.net is None and one.reason.startswith(f"A class has {one.rows} rows outside training, validation and test;")
    assert not bool(one.withheld.any() | one.valid.any())


def test_rows_outside_the_choice_of_a_set_are_new_ones() -> None:
    data = {"per_class": 60}
    dataset = load("digits", data)
    images, y = read_outside(dataset, replace(SPEC, dataset="digits", data=data))
    known = {image.tobytes() for image in dataset.images}
    assert len(images) == len(y) == len(load("digits", {"per_class": 0}).y) - len(dataset.y)
    assert not any(image.tobytes() in known for image in images)
    assert not len(read_outside(dataset, SPEC)[1])


@pytest.mark.usefixtures("short")
def test_copies_are_called_copies_and_taken_for_their_class() -> None:
    dataset, task = _cut()
    own = task.train.mask[0] & (task.train.y[0] != task.largest)
    x, y = task.train.x[:, own], task.train.y[:, own]
    everywhere = torch.ones_like(y, dtype=torch.bool)
    fitted = Fitted(
        net=None,  # type: ignore[arg-type]
        epoch=torch.ones(1),
        synthetic=Synthetic(x, x, y, everywhere),
        generated=Generated({}, ({},)),
    )
    shown = make_generated_artifact(task, fitted, 0)
    smaller = [c for c in range(3) if c != task.largest]
    assert shown["near_x"].shape == (3, BESIDE, 8, 8, 1)
    for c in smaller:
        count = min(BESIDE, int(shown["count"][c]))
        assert np.array_equal(shown["near_x"][c, :count], shown["x"][c, :count]) and not shown["near_distance"][c, :count].any()
    checks, judged = check_generated(task, fitted, 0, finish(train_judge(task, 0, dataset, SPEC)))
    json.dumps(checks, allow_nan=False)
    assert [checks["memorised"][c]["word"] for c in smaller] == [memorise.COPIES] * 2
    assert checks["memorised"][task.largest]["reason"] == "No row of it was generated."
    assert all(checks["judge"]["classes"][c]["rows"] == int((y == c).sum()) for c in smaller)
    assert judged.shape == (3, SHOWN) and (judged[task.largest] == -1).all() and (judged[smaller[0], :2] >= 0).all()
    used = finish(train_judge(task, 0, dataset, SPEC))
    held = int(task.valid.mask.sum() + task.withheld.mask.sum()) - int(used.valid.sum() + used.withheld.sum())
    assert sum(one["held_out"] for one in checks["judge"]["classes"]) == held


def test_replicates_are_joined_with_an_interval() -> None:
    """Of class 0 nothing was made, of class 1 one replicate was measured, of class 2 all three."""

    def check(gap: float, recall: float, second: bool) -> dict[str, Any]:
        of = {"distance_ratio": [2 * gap, 0.0, 9.0], "gap_ratio": [gap, 0.0, 9.0], "spread": [0.2, 0.0, 9.0]}
        none = {"intervals": {}, "word": "", "reason": "No row of it was generated."}
        one = {"recall": [recall, 0.0, 1.0], "rows": 8, "ceiling": [0.9, 0.0, 1.0], "held_out": 9}
        nothing = {"recall": [None, None, None], "rows": 0, "ceiling": [0.1, 0.0, 1.0], "held_out": 9}
        memorised = [none, {"intervals": of} if second else none, {"intervals": of}]
        return {"memorised": memorised, "judge": {"reason": "", "rows": 60, "classes": [nothing, one, one]}}

    found = summarise_checks([check(0.7, 0.5, True), check(0.8, 0.7, False), check(0.9, 0.6, False)], 0.25)
    json.dumps(found, allow_nan=False)
    expected = corrected_t(np.array([0.7, 0.8, 0.9]), 0.25, (0.0, np.inf))
    assert found["replicates"] == 3 and found["classes"][2]["word"] == memorise.AVERAGES
    assert found["classes"][2]["gap_ratio"] == pytest.approx([0.8, expected.low, expected.high])
    assert found["classes"][2]["distance_ratio"][0] == pytest.approx(1.6)
    assert found["classes"][1]["gap_ratio"] is None and found["classes"][1]["word"] == ""
    assert found["classes"][0]["recall"] is None and found["classes"][1]["recall"][0] == pytest.approx(0.6)
    recall = corrected_t(np.array([0.5, 0.7, 0.6]), 0.25)
    assert found["recall"] == pytest.approx([0.6, recall.low, recall.high]) and found["ceiling"][0] == pytest.approx(0.9)


@pytest.mark.usefixtures("short")
def test_five_weighted_rows_are_kept_as_pictures() -> None:
    _, task = _cut()
    small = int(torch.nonzero((task.train.y[0] != task.largest) & task.train.mask[0])[0])
    label = task.train.y[:, small : small + 1]
    x = task.train.x[:, small : small + 1]
    how = {"top": torch.tensor([[[small, 0, -1, -1, -1]]]), "alpha": torch.tensor([[[0.75, 0.25, 0.0, 0.0, 0.0]]])}
    fitted = Fitted(None, torch.ones(1), Synthetic(x, x, label, label >= 0), generated=Generated(how, ({},)))  # type: ignore[arg-type]
    shown = make_generated_artifact(task, fitted, 0)
    c = int(label)
    assert shown["top_x"].shape == (3, BESIDE, 5, 8, 8, 1)
    assert np.array_equal(shown["top_x"][c, 0, 0], shown["x"][c, 0]) and not shown["top_x"][c, 0, 2:].any()
    assert shown["top"][c, 0, 2:].tolist() == [-1] * 3


@pytest.mark.usefixtures("short")
def test_a_run_keeps_both_checks() -> None:
    small = {"model": "mlp", "hidden": [4], "epochs": 1, "steps": 2, "width": 2, "latent": 2}
    on: dict[str, Any] = {"imbalance": Imbalance("ratio", 10.0, where="train"), "data": {"per_class": 60}, "params": small}
    _, result, artifacts = drive(run(RunSpec("digits", DeepSMOTE.name, seeds=2, **on), device="cpu", frames=0))
    arrays = unpack(artifacts["generated/0"])
    checks = json.loads(str(arrays["checks"]))
    over, (_, _, alone) = checks.pop("over"), drive(run(RunSpec("digits", DeepSMOTE.name, **on), device="cpu", frames=0))
    assert checks == json.loads(str(unpack(alone["generated/0"])["checks"])), "of the first replicate, with others or alone"
    assert over["replicates"] == result.n == 2 and len(over["classes"]) == 10
    low, mean, high = (over["recall"][k] for k in (1, 0, 2))
    assert 0 <= low <= mean <= high <= 1 and over["classes"][0]["recall"] is None
    assert checks["judge"]["reason"] == "" and len(checks["memorised"]) == len(checks["judge"]["classes"]) == 10
    assert (arrays["judged"][0] == -1).all() and (arrays["judged"][9, :2] >= 0).all()
    assert "checks" not in make_generated_artifact(*_fitted(), 0)


def _fitted() -> tuple[Task, Fitted]:
    _, task = _cut((40, 30, 20))
    method = DeepSMOTE(model="mlp", hidden=(4,), epochs=1, steps=2, width=2, latent=2)
    return task, finish(method.fit(task, camera=Camera(task, 0)))


def test_mixtures_among_features_are_told_by_their_rows() -> None:
    small = {"model": "mlp", "hidden": [4], "epochs": 1, "steps": 2, "space": "feature", "head_epochs": 1}
    spec = RunSpec("digits", "gamo", Imbalance("ratio", 10.0, where="train"), seeds=2, data={"per_class": 40}, params=small)
    _, _, artifacts = drive(run(spec, device="cpu", frames=0))
    arrays = unpack(artifacts["generated/0"])
    checks = json.loads(str(arrays["checks"]))
    over = checks["over"]
    joined = [one["gap_ratio"] for one in over["classes"]]
    first = [one["intervals"].get("gap_ratio") for one in checks["memorised"]]
    assert over["replicates"] == 2 and over["recall"] is None and joined[0] is None and joined[9] is not None and first[9]
    assert joined[9][1] < joined[9][0] < joined[9][2] and joined[9][0] != first[9][0]
    assert "x" not in arrays and "no images" in checks["judge"]["reason"] and len(checks["memorised"]) == 10
    assert arrays["count"][0] == 0 and arrays["count"][9] > 0 and arrays["top_x"].shape == (10, BESIDE, 5, 8, 8, 1)
    labels, images = load("digits", {"per_class": 40}).y, load("digits", {"per_class": 40}).images
    assert images is not None and (labels[arrays["top"][9, 0][arrays["top"][9, 0] >= 0]] == 9).all()
    assert np.array_equal(arrays["top_x"][9, 0, 0, ..., 0], images[arrays["top"][9, 0, 0], 0])
    assert np.isfinite(arrays["near_distance"][9, 0]) and 0 < arrays["alpha"][9, 0].sum() <= 1 + 1e-6
