"""Every method on images with a convolutional network: what the conformance suite asks of rows, asked of pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.events import Epoch, Event, Frame, Running, Scene
from engine.methods import methods
from engine.methods.base import DeepMethod, Method
from engine.runner.chunks import chunk_size
from engine.spec import Imbalance, RunSpec
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.tasks import pictures, task

F64 = torch.float64
SMALL = {"model": "lenet", "epochs": 2, "head_epochs": 2, "rounds": 2, "batch": 16, "k_neighbors": 3, "steps": 3}
SMALL |= {"maps": 2, "trunk_maps": 2, "latent": 4}
TAKING = [m for m in methods().values() if "images" in m.kinds and issubclass(m, DeepMethod)]
ALL = pytest.mark.parametrize("cls", TAKING, ids=[m.name for m in TAKING])


def small(cls: type[Method], **changes: object) -> Method:
    named = {f.name for f in dataclasses.fields(cls)}
    return cls(**{k: v for k, v in (SMALL | changes).items() if k in named})


def fit(method: Method, on: Task, frames: int = 4) -> tuple[list[Event], Fitted]:
    fitting = Running(method.fit(on, camera=Camera(on, frames)))
    return list(fitting), fitting.value


@pytest.fixture(autouse=True)
def nothing_kept():
    """Otherwise a second training would be the first one remembered."""
    network_cache.clear()
    yield
    network_cache.clear()


@ALL
def test_alone_equals_stacked_and_the_bits_are_the_seeds(cls):
    on = task(pictures(), folds=2, seeds=1)
    _, both = fit(small(cls), on)
    for r in range(2):
        network_cache.clear()
        _, alone = fit(small(cls), task(pictures(), folds=2, seeds=1, numbers=[r]))
        assert torch.allclose(alone.net.flat[0], both.net.flat[r], rtol=0, atol=1e-9)
        assert torch.allclose(alone.net(on.test.x[r : r + 1]), both.net(on.test.x)[r : r + 1], rtol=0, atol=1e-9)
    network_cache.clear()
    _, again = fit(small(cls), on)
    assert torch.equal(again.net.flat, both.net.flat) and torch.equal(again.epoch, both.epoch)


@ALL
def test_it_ends_with_a_picture_in_the_plane_of_the_features(cls):
    on = task(pictures(), folds=1, seeds=1)
    events, fitted = fit(small(cls), on)
    frames = [e for e in events if isinstance(e, Frame)]
    scenes = [e for e in events if isinstance(e, Scene)]
    assert frames and frames[-1].phase == "chosen" and frames[-1].epoch == int(fitted.epoch[0])
    assert scenes and scenes[-1].axes[0].startswith("feature PC 1") and not scenes[-1].exact
    assert any(isinstance(e, Epoch) for e in events)


@ALL
def test_a_network_kept_from_before_changes_nothing(cls):
    on = task(pictures(), folds=1, seeds=1)
    _, one = fit(small(cls), on)
    _, two = fit(small(cls), on)
    assert torch.equal(one.net.flat, two.net.flat) and torch.equal(one.epoch, two.epoch)
    assert torch.equal(one.net(on.test.x), two.net(on.test.x))


@ALL
def test_test_rows_change_nothing(cls):
    on = task(pictures(), folds=1, seeds=1)
    other = dataclasses.replace(on, test=dataclasses.replace(on.test, x=on.test.x * 7 + 3, y=1 - on.test.y.clamp(max=1)))
    _, one = fit(small(cls), on)
    network_cache.clear()
    _, two = fit(small(cls), other)
    assert torch.equal(one.net.flat, two.net.flat)


def test_pixels_are_normalised_by_the_training_rows_of_each_channel():
    rng = np.random.default_rng(0)
    colour = dataclasses.replace(pictures(), images=rng.integers(0, 256, (106, 3, 8, 8)).astype(np.uint8))
    on = prepare(colour, RunSpec("pictures", "ce", Imbalance("ratio", 2.0)), dtype=F64)
    assert on.shape == (3, 8, 8)
    x = on.train.x[0][on.train.mask[0]].view(-1, 3, 64)
    assert torch.allclose(x.mean((0, 2)), torch.zeros(3, dtype=F64), atol=1e-12)
    assert torch.allclose((x**2).mean((0, 2)), torch.ones(3, dtype=F64), atol=1e-12)
    own = colour.images[on.source[0]].reshape(len(x), 3, 64) / 255
    expected = (own - own.mean((0, 2), keepdims=True)) / own.std((0, 2), keepdims=True)
    assert np.allclose(x.numpy(), expected, rtol=0, atol=1e-12)
    tested = colour.images[on.test_source[0]].reshape(-1, 3, 64) / 255
    given = on.test.x[0][on.test.mask[0]].view(-1, 3, 64).numpy()
    assert np.allclose(given, (tested - own.mean((0, 2), keepdims=True)) / own.std((0, 2), keepdims=True), rtol=0, atol=1e-12)


def test_a_chunk_holds_fewer_replicates_of_larger_images():
    few = pictures()
    many = dataclasses.replace(few, images=np.zeros((106, 3, 400, 400), np.uint8))
    assert chunk_size(few) == 20 and chunk_size(many) == 1


def test_images_in_the_mlp_are_rows_of_pixels():
    on = task(pictures(), folds=1, seeds=1)
    _, fitted = fit(methods()["ce"](model="mlp", hidden=(5,), epochs=2), on)
    assert fitted.net.flat.shape[1] == 64 * 5 + 5 + 5 * 3 + 3
