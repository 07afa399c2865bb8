"""The loop: Adam against torch's, choosing the epoch, patience, balanced batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.events import Epoch, Progress, Running
from engine.losses import cross_entropy, mean_weights
from engine.methods.ce import CE
from engine.methods.explicit_gradient import ExplicitGradient
from engine.training.batches import Balanced, Passes
from engine.training.camera import Camera
from engine.training.loop import TICK, Batch, Meter, evaluate, new_net, streams, train
from engine.training.optimisers import Adam
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_adam_is_torchs_adam(decay: float) -> None:
    on = task(seeds=1)
    net = new_net(on, (5,))
    step = Adam(net, cross_entropy, rate=0.02, decay=decay)
    leaf = net.flat.clone().requires_grad_()
    theirs = torch.optim.Adam([leaf], lr=0.02, betas=(0.5, 0.999), weight_decay=decay)
    batch = Batch(on.train.x, on.train.y, on.train.mask, torch.ones(3, dtype=torch.bool), 0)
    for _ in range(25):
        step.begin([1] * 3)
        step(batch)
        theirs.zero_grad()
        (cross_entropy(net(on.train.x, net.views(leaf)), on.train.y) * mean_weights(on.train.mask, on.dtype)).sum().backward()
        theirs.step()
    assert torch.allclose(net.flat, leaf.detach(), rtol=0, atol=1e-11)


def test_a_paused_replicate_is_as_if_nothing_had_happened() -> None:
    on = task(seeds=1)
    both, alone = (new_net(on, (5,)) for _ in range(2))
    steps = [Adam(net, cross_entropy, rate=0.02) for net in (both, alone)]
    every = Batch(on.train.x, on.train.y, on.train.mask, torch.tensor([True, True, True]), 0)
    some = replace(every, mask=on.train.mask & torch.tensor([[True], [False], [True]]), alive=torch.tensor([True, False, True]))
    for batch in (every, some, some, every):
        steps[0].begin(batch.alive.int().tolist())
        steps[0](batch)
    steps[1].begin([2] * 3)
    for k in range(2):
        steps[1](replace(every, k=k))
    assert torch.equal(both.flat[1], alone.flat[1])
    assert not torch.equal(both.flat[0], alone.flat[0])


def losses_and_scores(**options: Any) -> tuple[list[Epoch], torch.Tensor, Any]:
    on = task(blobs((101, 31)))
    events, fitted = fit(CE(hidden=(6,), epochs=12, batch=20, learning_rate=0.02, **options), on)
    return [e for e in events if isinstance(e, Epoch)], fitted.epoch, (on, fitted)


def test_the_epoch_with_the_best_validation_score_is_chosen() -> None:
    epochs, chosen, (on, fitted) = losses_and_scores()
    for r, best in enumerate(chosen.tolist()):
        ranked = [(e.values["valid_ap"][r], -e.values["valid_loss"][r]) for e in epochs]
        assert best - 1 == max(range(len(ranked)), key=ranked.__getitem__)
    score, loss = evaluate(fitted.net, on.valid)
    for r, best in enumerate(chosen.tolist()):
        assert float(score[r]) == epochs[best - 1].values["valid_ap"][r]
        assert float(loss[r]) == epochs[best - 1].values["valid_loss"][r]
    assert len(set(chosen.tolist())) > 1, "the case must choose different epochs"


def test_patience_stops_replicates_one_by_one() -> None:
    on = task(blobs((101, 31)))
    net = new_net(on, (6,))
    step, meter = Adam(net, cross_entropy, rate=0.05), Meter(40 * 4)
    batches = Passes(on.train.sizes.tolist(), 20, streams(on, "batch"))
    running = Running(
        train(net, on, step, batches, rows=on.train, epochs=40, patience=3, phase="training", meter=meter, camera=Camera(on, 0))
    )
    epochs = [event.values["valid_ap"] for event in running if isinstance(event, Epoch)]
    chosen = running.value.epoch
    ran = [sum(v[r] == v[r] for v in epochs) for r in range(6)]
    assert ran == [min(40, int(e) + 3) for e in chosen] and len(set(ran)) > 1
    assert meter.done == meter.total >= meter.step


def test_a_tasks_patience_is_that_of_every_phase_without_its_own() -> None:
    on = task(blobs((101, 31)))
    method = ExplicitGradient(hidden=(6,), epochs=60, meta_epochs=60, batch=20, learning_rate=0.05, eta_model=0.1, patience=9)
    ran: list[dict[str, list[float]]] = []
    for how in (on, replace(on, patience=3)):
        events, _ = fit(method, how)
        ran.append({})
        for e in events:
            if isinstance(e, Epoch):
                ran[-1].setdefault(e.phase, []).append(e.epoch)
    assert len(ran[0]["training"]) == 60 > len(ran[1]["training"]) and min(len(r["points"]) for r in ran) > 9
    short, _ = fit(CE(hidden=(6,), epochs=60, batch=20, learning_rate=0.05), replace(on, patience=3))
    scores = [e.values["valid_ap"] for e in short if isinstance(e, Epoch)]
    assert {sum(s[r] == s[r] for s in scores) for r in range(6)} != {60}


def test_without_validation_rows_the_last_epoch_is_taken() -> None:
    on = task(blobs((101, 31)))
    alone = replace(on, valid=on.train, held_out=False, patience=2)
    _, fitted = fit(CE(hidden=(6,), epochs=12, batch=20, learning_rate=0.3), alone)
    assert fitted.epoch.tolist() == [12] * 6
    _, best = fit(CE(hidden=(6,), epochs=12, batch=20, learning_rate=0.3), replace(alone, held_out=True, patience=0))
    assert best.epoch.tolist() != [12] * 6 and not torch.equal(best.net.flat, fitted.net.flat)


@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
def test_balanced_batches_hold_every_class_alike(counts: tuple[int, ...]) -> None:
    on = task(blobs(counts), ratio=None)
    batches = Balanced(on.train, len(counts), 12, streams(on, "batch"))
    wanted = batches.per_pass()
    plan = batches.take(wanted, on.device)
    for r, count in enumerate(wanted):
        for k in range(plan.length):
            assert bool(plan.mask[r, k].all()) == (k < count) and bool(plan.mask[r, k].any()) == (k < count)
            if k < count:
                labels = on.train.y[r][plan.index[r, k]]
                assert torch.bincount(labels, minlength=len(counts)).tolist() == [12 // len(counts)] * len(counts)
        drawn = plan.index[r][plan.mask[r]]
        assert bool(on.train.mask[r][drawn].all())
        largest = drawn[on.train.y[r][drawn] == 0]
        assert set(largest.tolist()) == set(torch.nonzero(on.train.mask[r] & (on.train.y[r] == 0)).squeeze(1).tolist())


def test_balanced_batches_of_balanced_data_draw_every_row_alike() -> None:
    on = task(blobs((40, 40)), ratio=None, folds=2, seeds=1)
    batches = Balanced(on.train, 2, 8, streams(on, "batch"))
    drawn = torch.zeros(2, on.train.x.shape[1])
    for _ in range(400):
        plan = batches.take(batches.per_pass(), on.device)
        for r in range(2):
            drawn[r] += torch.bincount(plan.index[r][plan.mask[r]], minlength=drawn.shape[1])
    for r in range(2):
        counts = drawn[r][on.train.mask[r]]
        assert float(counts.std() / counts.mean()) < 0.08  # 400 draws of each: Poisson says 0.05


def test_progress_comes_with_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    meter, now = Meter(10), [0.0]
    monkeypatch.setattr("engine.training.loop.time.monotonic", lambda: now[0])
    meter.last = 0.0
    said = []
    for _ in range(10):
        now[0] += 0.4 * TICK
        said.append(meter.tick())
    assert [p for p in said if p] == [Progress(3, 10), Progress(6, 10), Progress(9, 10)]
