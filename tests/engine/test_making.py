"""How synthetic rows were made, as the picture shows it: seeds, spheres, walks, and rows that were moved."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from engine.data.dataset import Task
from engine.events import UNIT, Running, Scene, decode, encode, finish, pack_film, unpack_film
from engine.methods.ccr import CCR
from engine.samplers.ccr import ccr
from engine.samplers.rbo import rbo
from engine.training.camera import MOST_MADE, Camera
from engine.training.loop import Meter
from engine.training.oversampling import Sampled, oversample
from tests.engine.tasks import blobs, pictures, task


def made_of(on: Task, sampled: Sampled) -> list[Scene]:
    camera = Camera(on, 8)
    camera.describe_points(sampled)
    assert sampled.new is not None
    rows = sampled.new
    camera.track_points(rows, lambda: rows.x)
    return camera.scenes


def test_spheres_and_moved_rows_are_in_the_scene() -> None:
    on = task(blobs(features=2), numbers=[0, 1])
    sampled = finish(oversample(on.train, on, [ccr, partial(ccr, p=1)], meter=Meter(1)))
    two = made_of(on, sampled)
    assert sampled.moved is not None and sampled.spheres is not None and sampled.lines is not None
    for r, scene in enumerate(two):
        count = int(sampled.new.mask[r].sum())  # type: ignore[union-attr]
        assert scene.kind == "sphere" and len(scene.seeds) == count and not len(scene.walks)
        numbers = sampled.spheres[0][r][sampled.spheres[0][r] >= 0]
        half = np.array(scene.half)
        centre = np.array(scene.centre)
        x = on.train.x[r].numpy()
        np.testing.assert_allclose(scene.spheres[:, :2] / UNIT * half + centre, x[numbers], atol=1e-3)
        radius = sampled.spheres[1][r][: len(numbers)].numpy()
        np.testing.assert_allclose(scene.spheres[:, 2:] / UNIT * half, np.stack([radius, radius], 1), atol=1e-3)
        rows = sampled.moved.rows[r][sampled.moved.rows[r] >= 0]
        np.testing.assert_allclose(scene.moves[:, :2] / UNIT * half + centre, x[rows], atol=1e-3)
        np.testing.assert_allclose(scene.moves[:, 2:] / UNIT * half + centre, sampled.moved.to[r][: len(rows)], atol=1e-3)
        base = sampled.lines[r][:count, 0].long()
        np.testing.assert_allclose(scene.seeds / UNIT * half + centre, x[base], atol=1e-3)


def test_walks_are_in_the_scene_and_stand_after_their_end() -> None:
    on = task(blobs(features=2), numbers=[0])
    sampled = finish(oversample(on.train, on, [partial(rbo, steps=20)], meter=Meter(1)))
    scene = made_of(on, sampled)[0]
    assert sampled.path is not None and scene.walks.shape == (*sampled.path.shape[1:3], 2) and scene.kind == "walk"
    assert np.array_equal(scene.walks[:, 0], scene.seeds) and np.array_equal(scene.walks[:, -1], scene.parents)
    assert not len(scene.spheres) and not len(scene.moves)


def test_spheres_of_sums_are_left_out_of_a_slice() -> None:
    on = task(numbers=[0])
    for p, there in ((1, False), (2, True)):
        scene = made_of(on, finish(oversample(on.train, on, [partial(ccr, p=p)], meter=Meter(1))))[0]
        assert bool(len(scene.spheres)) == there and scene.norm == p and len(scene.moves)


def test_features_of_images_show_how_they_were_made() -> None:
    on = task(pictures(), ratio=None, seeds=1, numbers=[0], dtype=torch.float32)
    method = CCR(model="mlp", hidden=(6,), epochs=2, head_epochs=1)
    scenes = [e for e in Running(method.fit(on, camera=Camera(on, 8))) if isinstance(e, Scene)]
    assert len(scenes[-1].spheres) and len(scenes[-1].moves) and scenes[-1].axes[0].startswith("feature")


def test_a_scene_comes_back_with_how_rows_were_made() -> None:
    on = task(blobs(features=2), numbers=[0])
    for draw in (ccr, partial(rbo, steps=20)):
        scene = made_of(on, finish(oversample(on.train, on, [draw], meter=Meter(1))))[0]
        for back in (decode(*encode(scene)), unpack_film(pack_film(scene, []))[0]):
            assert isinstance(back, Scene) and back.kind == scene.kind
            for name in Scene.arrays:
                one, other = getattr(back, name), getattr(scene, name)
                assert one.shape == other.shape and np.array_equal(one, other)


def test_many_spheres_and_moves_are_thinned() -> None:
    on = task(blobs((900, 700), features=2), ratio=None, seeds=1, numbers=[0])
    scene = made_of(on, finish(oversample(on.train, on, [ccr], meter=Meter(1))))[0]
    assert len(scene.spheres) == MOST_MADE and len(scene.moves) <= MOST_MADE
