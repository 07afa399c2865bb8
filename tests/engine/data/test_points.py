"""The sets made for looking at: where their points lie, and that nothing but their options moves them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data import sources
from engine.data.sources import points
from engine.errors import BadParameter, UnknownName

PINNED = {
    "moons": [-0.999874, 0.4798, -0.177654, 0.155692],
    "rings": [0.766409, -1.736463, 0.633127, -0.551317],
    "checkerboard": [-0.799386, 1.261209, -1.582244, 1.085624],
    "clusters": [-0.641534, 1.131521, -0.299682, 1.696788],
}
"""First and last row of each set: a default may change, but the same options give the same points."""


@pytest.mark.parametrize("name", points.SETS)
def test_rows_follow_from_the_options_alone(name):
    first, again = sources.load(name, {"rows": 301}), sources.load(name, {"rows": 301})
    np.random.seed(0)
    third = sources.load(name, {"rows": 301})
    other = sources.load(name, {"rows": 301, "draw": 1})
    assert first.numeric.tobytes() == again.numeric.tobytes() == third.numeric.tobytes()
    assert first.numeric.shape == (301, 2) and first.counts.tolist() == [151, 150]
    assert not np.allclose(first.numeric, other.numeric)


@pytest.mark.parametrize("name", points.SETS)
@pytest.mark.parametrize("options", [{"rows": 100, "noise": 0}, {"rows": 20000, "noise": 1}])
def test_the_ends_of_the_range_give_finite_points(name, options):
    dataset = sources.load(name, options)
    assert np.isfinite(dataset.numeric).all() and len(dataset.y) == options["rows"]


def test_moons_without_noise_are_half_circles():
    d = sources.load("moons", {"noise": 0})
    upper, lower = d.numeric[d.y == 0], d.numeric[d.y == 1]
    assert np.allclose(np.linalg.norm(upper, axis=1), 1) and (upper[:, 1] >= 0).all()
    assert np.allclose(np.linalg.norm(lower - [1, 0.5], axis=1), 1) and (lower[:, 1] <= 0.5).all()


@pytest.mark.parametrize(("rings", "majority"), [(2, {2}), (3, {1, 3}), (4, {2, 4})])
def test_rings_alternate_from_the_outermost(rings, majority):
    d = sources.load("rings", {"noise": 0, "rings": rings})
    radius = np.linalg.norm(d.numeric, axis=1).round(9)
    assert set(radius[d.y == 0]) == majority
    assert set(radius[d.y == 1]) == set(range(1, rings + 1)) - majority


def test_checkerboard_without_noise_alternates():
    d = sources.load("checkerboard", {"noise": 0, "cells": 5})
    cell = np.floor(d.numeric + 2.5).astype(int)
    assert (cell.sum(1) % 2 == d.y).all() and cell.min() == 0 and cell.max() == 4


def test_the_majority_is_thinned_inside_clusters():
    def near(noise: float) -> float:
        d = sources.load("clusters", {"noise": noise, "rows": 6000})
        majority, minority = d.numeric[d.y == 0], d.numeric[d.y == 1]
        beside = (np.linalg.norm(majority[:, None] - minority[::10], axis=2) < 0.15).sum(1)
        return float((beside >= 5).mean())  # deep inside a cluster

    assert near(0.0) < 0.3 * near(1.0) and near(1.0) > 0.03
    d = sources.load("clusters")
    assert np.linalg.norm(d.numeric[d.y == 0], axis=1).max() <= 3


def test_a_few_coordinates_are_pinned():
    # raise points.GENERATOR when these change on purpose: stored answers were about other points
    assert points.GENERATOR == 1
    for name, pinned in PINNED.items():
        options = {"rows": 2000, "noise": 0.05 if name == "checkerboard" else 0.2}
        assert sources.load(name, options).numeric[[0, -1]].ravel() == pytest.approx(pinned, abs=1e-6)


def test_options_are_checked():
    with pytest.raises(BadParameter, match="rows=99"):
        sources.load("moons", {"rows": 99})
    with pytest.raises(UnknownName, match="no parameter 'cells'"):
        sources.load("moons", {"cells": 3})
