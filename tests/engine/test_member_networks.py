"""Members of picked ensembles as networks: stacked on tables, last layers or trees on a network's features on images."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.data.dataset import Replicate, Task
from engine.errors import BadInput
from engine.events import SEEN, Epoch, Frame, Phase, Progress, Running, Scene, pack_film, unpack_film
from engine.export.write import save_model
from engine.methods import method, methods
from engine.methods.picked_base import PickedMethod
from engine.models.committee import Committee, Networks
from engine.models.mlp import MLP
from engine.seeds import torch_stream
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.loop import streams
from engine.training.refit import refit
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit

NAMES = [name for name, cls in methods().items() if issubclass(cls, PickedMethod)]
ALL = pytest.mark.parametrize("name", NAMES)
SMALL: dict[str, Any] = {"members": 3, "hidden": (6,), "epochs": 4, "batch": 20, "head_epochs": 3, "model": "lenet"}


def make(name: str, learner: str = "network", **changes: Any) -> PickedMethod:
    made = method(name)(learner=learner, **(SMALL | changes))
    assert isinstance(made, PickedMethod)
    return made


def networks(net: Any, r: int) -> Networks:
    assert isinstance(net, Committee) and isinstance(net.members[r].estimator, Networks)
    return net.members[r].estimator


@pytest.fixture(autouse=True)
def nothing_kept():
    network_cache.clear()
    yield
    network_cache.clear()


# ---- streams


def test_the_first_member_has_the_streams_of_the_replicate():
    on = task(folds=2, seeds=1)
    named = replace(on, replicates=tuple(replace(one, member=t) for t, one in enumerate(on.replicates)))
    first, other = (stream.initial_seed() for stream in streams(named, "init"))
    assert first == torch_stream(0, "init", 0, 0).initial_seed() == streams(on, "init")[0].initial_seed()
    assert other == torch_stream(0, "init", 0, 1, 1).initial_seed() != streams(on, "init")[1].initial_seed()
    assert Replicate(0, 0, 0).member == 0


# ---- on tables


@ALL
@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
def test_alone_equals_stacked(name, counts):
    together = task(blobs(counts), folds=2, seeds=1)
    _, both = fit(make(name), together)
    for r in range(2):
        alone = task(blobs(counts), folds=2, seeds=1, numbers=[r])
        _, one = fit(make(name), alone)
        assert torch.allclose(networks(one.net, 0).net.flat, networks(both.net, r).net.flat, rtol=0, atol=1e-9)
        assert torch.equal(one.chosen["member"][0], both.chosen["member"][r]) and both.chosen["member"].shape == (2, 3)
        assert torch.equal(one.picked[0][one.picked[0] >= 0], both.picked[r][both.picked[r] >= 0])


@ALL
def test_a_member_is_the_network_trained_alone_on_its_rows(name, monkeypatch):
    """The second member of the first replicate, built again from its rows and its own streams."""
    seen: list[Any] = []
    real = PickedMethod.draw

    def draw(self, *given):
        seen.append((given[0].r, given[3], real(self, *given)))
        return seen[-1][2]

    monkeypatch.setattr(PickedMethod, "draw", draw)
    on = task(blobs((101, 21)), folds=2, seeds=1)
    made = make(name)
    _, fitted = fit(made, on)
    rows = next(picked for r, t, picked in seen if (r, t) == (0, 1))
    one = task(blobs((101, 21)), folds=2, seeds=1, numbers=[0])
    x, y = torch.from_numpy(rows.x).unsqueeze(0), torch.from_numpy(rows.y).unsqueeze(0)
    train = replace(one.train, x=x, y=y, mask=torch.ones_like(y, dtype=torch.bool))
    alone = replace(one, train=train, replicates=(replace(one.replicates[0], member=1),))
    plain = method("ce")(hidden=(6,), epochs=4, batch=20)
    _, theirs = fit(plain, alone, frames=0)
    assert torch.allclose(networks(fitted.net, 0).net.flat[1], theirs.net.flat[0], rtol=0, atol=1e-9)
    assert int(fitted.chosen["member"][0, 1]) == int(theirs.epoch[0])


@ALL
def test_the_answer_is_the_mean_of_the_members(name):
    on = task(blobs((101, 21)), folds=1, seeds=1)
    _, fitted = fit(make(name), on)
    own = networks(fitted.net, 0)
    p = torch.stack([MLP(own.net.sizes, "relu", own.net.flat[t : t + 1])(on.test.x).softmax(-1) for t in range(3)]).mean(0)
    assert torch.allclose(fitted.net(on.test.x).softmax(-1), p, rtol=0, atol=1e-12)
    assert fitted.epoch.tolist() == [3] and not torch.equal(own.net.flat[0], own.net.flat[1])


@pytest.mark.parametrize("name", ["self-paced", "balance-cascade"])
def test_hardness_is_that_of_the_networks_before(monkeypatch, name):
    given: list[Any] = []
    real = PickedMethod.draw

    def draw(self, sample, y, pick, t, hardness):
        given.append(hardness)
        return real(self, sample, y, pick, t, hardness)

    monkeypatch.setattr(PickedMethod, "draw", draw)
    on = task(blobs((101, 34)), folds=1, seeds=1)
    _, fitted = fit(make(name), on)
    x, y = on.train.x[0][on.train.mask[0]].numpy(), on.train.y[0][on.train.mask[0]].numpy()
    for t, p in enumerate(fitted.net.members[0].stages(x), 1):
        if t < 3:
            np.testing.assert_allclose(given[t], 1 - p[np.arange(len(y)), y], rtol=0, atol=1e-15)
    assert given[0] is None


def test_rows_count_by_their_weights():
    on = task(blobs((101, 21)), folds=1, seeds=1)
    weight = torch.where(on.train.y == 1, 30.0, 1.0).to(on.train.x) * on.train.mask
    heavy = replace(on, train=replace(on.train, weight=weight))
    for name in NAMES:
        light, strong = (
            fit(make(name, epochs=30), given)[1].net(on.test.x).softmax(-1)[..., 1].mean() for given in (on, heavy)
        )
        assert float(strong) > float(light) + 0.01, name


def test_every_choice_is_taken_over():
    on = task(blobs((101, 34)), folds=2, seeds=1)
    _, first = fit(make("self-paced", epochs=7), on)
    running = Running(refit(make("self-paced", epochs=7), replace(on, held_out=False), first))
    list(running)
    again = running.value
    assert torch.equal(again.chosen["member"], first.chosen["member"])
    assert torch.allclose(networks(again.net, 0).net.flat, networks(first.net, 0).net.flat, rtol=0, atol=1e-9)


# ---- on images


def images(numbers: list[int] | None = None, folds: int = 2) -> Task:
    return task(pictures(), folds=folds, seeds=1, numbers=numbers)


@pytest.mark.parametrize("learner", ["trees", "network"])
@ALL
def test_images_are_seen_by_their_features(name, learner):
    on = images()
    events, both = fit(make(name, learner), on, frames=4)
    phases = [e.name for e in events if isinstance(e, Phase)]
    assert phases == ["training", "members"]
    assert {e.phase for e in events if isinstance(e, Epoch)} == set(phases)
    done = [e.done / e.total for e in events if isinstance(e, Progress)]
    assert done == sorted(done) and done[-1] <= 1
    frames, scenes = ([e for e in events if isinstance(e, kind)] for kind in (Frame, Scene))
    assert frames[-1].phase == "chosen" and scenes[-1].axes[0].startswith("feature PC 1")
    net = both.net
    assert isinstance(net, Committee) and net.base is not None and net.learns_features
    _, plain = fit(method("ce")(model="lenet", epochs=4, batch=20), on, frames=0)
    assert torch.equal(net.base.flat, plain.net.flat) and torch.equal(both.chosen["training"], plain.epoch)
    assert torch.equal(net.embed(on.test.x), plain.net.embed(on.test.x))
    network_cache.clear()
    _, alone = fit(make(name, learner), images([1]), frames=0)
    assert torch.allclose(alone.net(on.test.x[1:]), net(on.test.x)[1:], rtol=0, atol=1e-9)
    other = replace(on, test=replace(on.test, x=on.test.x * 7 + 3, y=1 - on.test.y.clamp(max=1)))
    network_cache.clear()
    _, again = fit(make(name, learner), other, frames=0)
    assert torch.equal(again.net(on.test.x), net(on.test.x))


def test_a_committee_on_features_can_be_cut_and_copied():
    on = images()
    _, fitted = fit(make("under-bagging"), on, frames=0)
    net = fitted.net
    whole = net(on.test.x)
    assert torch.equal(net.first(1)(on.test.x[:1]), whole[:1])
    assert torch.equal(net.select(torch.tensor([1]))(on.test.x[1:]), whole[1:]) and torch.equal(net.copy()(on.test.x), whole)
    with pytest.raises(BadInput, match="takes the rows of a table"):
        save_model(io.BytesIO(), net, None, classes=("a", "b", "c"))  # type: ignore[arg-type]


# ---- pictures


@pytest.mark.parametrize("learner", ["trees", "network"])
def test_the_film_shows_the_ensemble_grow(learner):
    on = task(blobs((101, 34), features=2), folds=1, seeds=1)
    events, fitted = fit(make("self-paced", learner), on, frames=20)
    frames = [e for e in events if isinstance(e, Frame)]
    assert [(f.phase, f.epoch) for f in frames] == [("training", 1), ("training", 2), ("training", 3), ("chosen", 3)]
    assert np.array_equal(frames[2].surface, frames[3].surface) and not np.array_equal(frames[0].surface, frames[1].surface)
    camera = Camera(on, 1)
    reached = fitted.net.reach(1)
    first = next(e for e in camera.record_final_frame(reached, "x", 1, 1, torch.zeros(1)) if isinstance(e, Frame))
    assert np.array_equal(first.surface, frames[0].surface)


def test_frames_tell_which_rows_the_member_saw_and_how_hard_they_were():
    on = task(blobs((101, 34), features=2), folds=1, seeds=1)
    events, fitted = fit(method("self-paced")(members=3), on, frames=20)
    frames = [e for e in events if isinstance(e, Frame)]
    assert [len(f.seen) for f in frames] == [int(on.train.mask[0].sum())] * 3 + [0]
    x, y = on.train.x[0][on.train.mask[0]].numpy(), on.train.y[0][on.train.mask[0]].numpy()
    stages = list(fitted.net.members[0].stages(x))
    for t, frame in enumerate(frames[:3]):
        assert np.flatnonzero(frame.seen >= SEEN).tolist() == fitted.picked[0, t].tolist()
        hardness = (frame.seen % SEEN) / (SEEN - 1)
        expected = np.zeros(len(y)) if t == 0 else 1 - stages[t - 1][np.arange(len(y)), y]
        assert np.abs(hardness - expected).max() <= 0.5 / (SEEN - 1) + 1e-12
    scene = next(e for e in events if isinstance(e, Scene))
    back = unpack_film(pack_film(scene, frames))[1]
    assert all(np.array_equal(one.seen, two.seen) for one, two in zip(back, frames, strict=True))


@ALL
def test_the_picked_rows_are_kept(name):
    on = task(blobs((101, 34)), folds=2, seeds=1)
    _, fitted = fit(method(name)(members=4), on)
    assert fitted.picked is not None and fitted.picked.shape[:2] == (2, 4)
    for r in range(2):
        y = on.train.y[r][on.train.mask[r]]
        for rows in fitted.picked[r]:
            own = rows[rows >= 0]
            sizes = torch.bincount(y[own], minlength=2)
            assert bool((own < len(y)).all()) and (name == "smote-bagging" or sizes[0] == sizes[1] == (y == 1).sum())
