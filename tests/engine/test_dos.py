"""DOS as a method (card A7): what a round stores and counts, and what it is without neighbours."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.data.dataset import Task
from engine.events import Epoch, Frame, Note, Phase, Running, Scene
from engine.losses import cross_entropy
from engine.methods.ce import CE
from engine.methods.cnn_cl import CNNCL
from engine.methods.dos import DOS, Rounds
from engine.models.net import WithHead
from engine.samplers.overloading import overloaded
from engine.training.batches import Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batch, Meter, streams, train
from engine.training.probes import with_probe
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20, "rounds": 4}
THREE = (61, 34, 23)


def rounds_of(method: DOS, on: Task) -> Rounds:
    """The second phase on a freshly trained net, before its first round."""
    step = Rounds(method, on, overloaded(on.train.counts(len(on.classes))))
    step.start(fit(CE(hidden=(6,), epochs=2), on)[1].net)
    return step


def drain(going: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    running = Running(going)
    return list(running), running.value


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("others", [{"self_f": "live"}, {"lambda_f": 0.0}], ids=["live", "no features' loss"])
def test_without_neighbours_it_is_plain_training(optimiser: str, others: dict[str, Any]) -> None:
    """Every epoch's validation loss and score, and the final parameters, of DOS at k = 0 and of cross-entropy from the same net."""
    on = task()
    method = DOS(**SMALL, k=0, r=1, optimiser=optimiser, weight_decay=1e-3, **others)
    events, fitted = fit(method, on)
    assert fitted.earlier is not None
    net = fitted.earlier.copy()
    step = replace(method, epochs=4).step(net, on, cross_entropy)
    batches = Passes(on.train.sizes.tolist(), 20, streams(on, "round-batch"))
    plain, chosen = drain(
        train(net, on, step, batches, rows=on.train, epochs=4, phase="rounds", meter=Meter(1), camera=Camera(on, 0))
    )
    ours, theirs = ([e for e in es if isinstance(e, Epoch) and e.phase == "rounds"] for es in (events, plain))
    assert len(ours) == len(theirs) == 4
    for a, b in zip(ours, theirs, strict=True):
        for name in ("train_loss", "valid_loss", "valid_ap"):
            assert a.values[name] == pytest.approx(b.values[name], rel=0, abs=1e-12)
        assert a.values["rho_self"] == [1.0] * len(on.replicates)
    assert torch.allclose(net.flat, fitted.net.flat, rtol=0, atol=1e-12) and torch.equal(chosen.epoch, fitted.epoch)


def test_the_first_phase_is_plain_training() -> None:
    on = task()
    earlier = fit(DOS(**SMALL), on)[1].earlier
    assert earlier is not None and torch.equal(earlier.flat, fit(CE(hidden=(6,), epochs=4, batch=20), on)[1].net.flat)


def test_the_controls_are_what_they_say() -> None:
    on = task()
    epochs, steps = (fit(DOS(**SMALL, **change), on, frames=0) for change in DOS.controls.values())
    dos = fit(DOS(**SMALL), on, frames=0)

    def taken(run: tuple[list[Any], Fitted]) -> int:
        return [e for e in run[0] if isinstance(e, Epoch)][-1].step

    per_pass = max(Passes(on.train.sizes.tolist(), 20, []).per_pass())
    assert taken(epochs) == 8 * per_pass and taken(steps) == taken(dos) > taken(epochs)


@pytest.mark.parametrize("r", [0, 1, 3])
def test_items_are_rows_times_copies(r: int) -> None:
    on = task(blobs(THREE), ratio=None)
    step = Rounds(DOS(r=r), on, overloaded(on.train.counts(3)))
    counts = on.train.counts(3)
    minority = 3 * counts <= 2 * counts.amax(1, keepdim=True)
    assert bool(minority.any()) and not bool(minority.all())
    times = torch.where(minority, r or (counts.amax(1, keepdim=True) / counts + 0.5).floor().long(), 1)
    assert torch.equal(step.items.counts(3), times * counts)
    for n in range(len(on.replicates)):
        own = step.row[n][step.items.mask[n]]
        assert torch.equal(on.train.y[n][own], step.items.y[n][step.items.mask[n]])
        assert torch.equal(torch.bincount(own), times[n][on.train.y[n][on.train.mask[n]]])


def test_targets_do_not_change_within_a_round() -> None:
    on = task()
    step = rounds_of(DOS(**SMALL, learning_rate=0.1), on)
    wanted = [1] * len(on.replicates)
    step.begin(wanted)
    assert step.stored is not None
    stored, near, weights = step.stored.clone(), step.near.clone(), step.weights.clone()
    assert torch.equal(stored, step.net.embed(on.train.x))
    items = step.items
    for _ in range(3):
        step(Batch(items.x, items.y, items.mask, torch.ones(len(wanted), dtype=torch.bool), 0))
    assert torch.equal(step.stored, stored) and torch.equal(step.near, near) and torch.equal(step.weights, weights)
    assert not torch.equal(step.net.embed(on.train.x), stored)
    step.values()
    step.begin(wanted)
    assert torch.equal(step.stored, step.net.embed(on.train.x)) and not torch.equal(step.weights, weights)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_is_a_step_on_the_mean_loss_of_its_items(scaled: bool) -> None:
    """Item by item in plain torch, one replicate, SGD: the parameters after the step."""
    on = task(blobs(THREE), ratio=None, folds=2, seeds=1, numbers=[0])
    method = DOS(hidden=(6,), k=3, optimiser="sgd", momentum=0.0, learning_rate=0.05, lambda_f=0.7, r=2, scaled=scaled)
    step = rounds_of(method, on)
    step.begin([1])
    net, items, y = step.net, step.items, on.train.y[0]
    leaf = net.flat.clone().requires_grad_()
    w1, b1, w2, b2 = net.views(leaf)  # type: ignore[attr-defined]
    assert step.stored is not None
    total = torch.zeros((), dtype=torch.float64)
    for number in range(int(items.mask.sum())):
        row = int(step.row[0, number])
        f = torch.relu(on.train.x[0, row] @ w1[0] + b1[0, 0])
        own = torch.nonzero(y == y[row]).squeeze(1)
        small = bool(step.minority[0, y[row]])
        order = (step.stored[0, own] - step.stored[0, row]).square().sum(1).argsort(stable=True)
        near = [n for n in own[order].tolist() if n != row][: 3 if small else 0]
        targets = step.stored[0, [row, *near]]
        w = step.weights[0, number, : len(targets)]
        assert float(w.sum()) == pytest.approx(1)
        distance = (f - targets).square().sum(1)
        if scaled:
            distance = distance / torch.pdist(step.stored[0, own]).square().sum() * len(own) ** 2 / 2
        seen = torch.cat([f[None], targets[1:]])
        exponent = (-w * torch.cat([distance.new_zeros(1), distance[1:]])).detach()
        losses = torch.nn.functional.cross_entropy(seen @ w2[0] + b2[0, 0], y[row].expand(len(seen)), reduction="none")
        total = total + (torch.softmax(exponent, 0) * losses).sum() + 0.7 * (w * distance).sum()
    mean = total / int(items.mask.sum())
    (slope,) = torch.autograd.grad(mean, leaf)
    before = net.flat.clone()
    loss = step(Batch(items.x, items.y, items.mask, torch.ones(1, dtype=torch.bool), 0))
    assert float(loss) == pytest.approx(float(mean.detach()))
    torch.testing.assert_close(net.flat, before - 0.05 * slope, rtol=0, atol=1e-12)


def test_few_rows_have_all_the_others_for_neighbours() -> None:
    on = task(ratio=20.0)
    step = rounds_of(DOS(**SMALL, k=50), on)
    step.begin([1] * len(on.replicates))
    counts = on.train.counts(2)
    assert int(counts[:, 1].max()) < 50
    for r in range(len(on.replicates)):
        rare = on.train.mask[r] & (on.train.y[r] == 1)
        assert step.there[r][rare].sum(1).tolist() == [int(counts[r, 1])] * int(counts[r, 1])
        assert bool((step.there[r][on.train.mask[r] & ~rare].sum(1) == 1).all())


def test_the_features_loss_draws_the_minority_together() -> None:
    on = task(blobs((150, 60)), ratio=4.0)
    strong, none = (
        [
            e.values
            for e in fit(DOS(**SMALL | {"epochs": 20, "rounds": 15}, lambda_f=f), on, frames=0)[0]
            if isinstance(e, Epoch) and e.phase == "rounds"
        ]
        for f in (20.0, 0.0)
    )
    for name, falls in (("variance_minority", True), ("variance_majority", False)):
        first, last = (torch.tensor(strong[i][name]) for i in (0, -1))
        free = torch.tensor(none[-1][name])
        assert bool((last < free).all())
        assert not falls or bool((last < 0.75 * first).all())
    assert all(0 < share <= 1 for values in strong for share in values["rho_self"])


OPTIONS: dict[str, dict[str, Any]] = {
    "own target stored": {"self_g": "stored"},
    "own target live": {"self_f": "live"},
    "rho": {"rho": "w*exp(-d2)"},
    "gradient through rho": {"rho_grad": True},
    "uniform weights": {"law": "uniform"},
    "over neighbours": {"weights_over": "neighbours"},
    "distances as they are": {"scaled": False},
    "balanced": dict(DOS.presets["balanced"]),
    "fewer copies": {"r": 2},
    "no features' loss": {"lambda_f": 0.0},
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_every_option_changes_what_is_learnt(changes: dict[str, Any]) -> None:
    on = task()
    usual, changed = (fit(DOS(**SMALL, **c), on, frames=0)[1].net for c in ({}, changes))
    assert bool(torch.isfinite(changed.flat).all())
    assert not bool(torch.isclose(usual.flat, changed.flat, rtol=0, atol=1e-6).all(1).any())


@pytest.mark.parametrize("probe", ["knn", "lr"])
def test_another_classifier_on_the_same_features(probe: str) -> None:
    on = task(blobs(THREE))
    plain, probed = (fit(DOS(**SMALL, classifier=c), on)[1] for c in ("softmax", probe))
    assert isinstance(probed.net, WithHead) and torch.equal(plain.net.flat, probed.net.flat)
    expected, _ = with_probe(plain.net, on.train, probe)
    assert torch.equal(probed.net(on.test.x), expected(on.test.x))
    without = fit(CNNCL(hidden=(6,), epochs=4, batch=20, classifier=probe), on)[1]
    assert without.earlier is not None and plain.earlier is not None
    assert torch.equal(without.net.flat, plain.earlier.flat)  # neither has seen a round


def test_the_picture_begins_with_the_rounds() -> None:
    on = task()
    events, fitted = fit(DOS(**SMALL, learning_rate=0.05), on, frames=12)
    assert [e.name for e in events if isinstance(e, Phase)] == ["training", "rounds"]
    begun = next(i for i, e in enumerate(events) if isinstance(e, Phase) and e.name == "rounds")
    assert not any(isinstance(e, (Frame, Scene)) for e in events[:begun])
    scene = next(e for e in events if isinstance(e, Scene))
    frames = [e for e in events if isinstance(e, Frame) and e.replicate == 0]
    rare = int(on.train.counts(2)[0, 1])
    assert scene.axes[0].startswith("feature") and len(scene.parents) == rare
    assert (frames[0].points == scene.parents).all() and not frames[0].moved.any()
    assert frames[-1].moved.max() > 0 and {f.phase for f in frames} == {"rounds", "chosen"}
    few = on.train.y[0][on.train.mask[0]] == 1
    assert fitted.earlier is not None
    moved = (fitted.net.embed(on.train.x)[0] - fitted.earlier.embed(on.train.x)[0])[on.train.mask[0]][few].norm(dim=1)
    assert frames[-1].moved.tolist() == pytest.approx((1000 * moved).round().tolist(), abs=1)


def test_balanced_classes_are_said_to_have_no_minority() -> None:
    on = task(blobs((50, 45)), ratio=None)
    events, fitted = fit(DOS(**SMALL), on)
    assert [e.level for e in events if isinstance(e, Note)] == ["warning"]
    assert bool(torch.isfinite(fitted.net.flat).all())
    last = [e for e in events if isinstance(e, Epoch)][-1]
    assert all(v != v for v in last.values["variance_minority"]) and all(v > 0 for v in last.values["variance_majority"])


@pytest.mark.parametrize("lambda_f", [1.0, 10.0, 100.0])
def test_features_that_run_off_are_said_to(lambda_f: float) -> None:
    on = task()
    wild = {"epochs": 1, "scaled": False, "lambda_f": lambda_f, "optimiser": "sgd", "learning_rate": 1.0}
    events, fitted = fit(DOS(**SMALL | wild), on)
    assert [e.level for e in events if isinstance(e, Note)] == ["warning"] * (lambda_f > 1)
    assert bool(torch.isfinite(fitted.net(on.test.x)).all())
