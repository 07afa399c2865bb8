"""Manifold over-sampling (card C10): cases by hand, where rows come to lie, the auto-encoder, and imbalanced-learn's own suite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks

from engine.events import finish
from engine.methods.manifold import Manifold as Method
from engine.samplers import Manifold
from engine.samplers import manifold as module
from engine.samplers.lines import Drawn
from engine.samplers.manifold import find_plane, manifold, step_in_plane, train_auto_encoders
from engine.training.loop import Meter
from engine.training.oversampling import oversample
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

suite = parametrize_with_checks([Manifold(random_state=0), Manifold(surface="auto-encoder", steps=20, random_state=0)])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


class Told:
    """A generator that gives the normals it is told."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, dtype=np.float64)

    def standard_normal(self, size: tuple[int, ...]) -> np.ndarray:
        return self.values.reshape(size)


def doubles(rows: Any) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("case", read_cases("manifold"))
def test_cases_by_hand(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    rows = doubles(given["rows"])
    mean, directions = find_plane(rows, given["components"])
    turn = torch.sign(directions[:1]) if directions.shape[1] == 1 else 1.0  # a direction has no sign of its own
    placed = (rows - mean) @ (directions * turn)
    if what == "direction":
        found: Any = (directions * turn)[:, 0]
    elif what == "places":
        found = placed[:, 0]
    elif what == "sd":
        found = placed.std(0, correction=0)[0]
    else:
        rng = Told(doubles(given["normals"]) * turn)
        found = step_in_plane(
            rows, doubles([given["seed"]]), rng, components=given["components"], residual=given["residual"], spread=given["spread"]
        )[0]  # fmt: skip
    assert_close(found, case["value"])


def table(counts: tuple[int, ...] = (90, 30), columns: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The last classes lie near a plane of two directions."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    flat = rng.normal(size=(len(y), 2)) @ rng.normal(size=(2, columns)) + 0.05 * rng.normal(size=(len(y), columns))
    return np.where(y[:, None] == 0, rng.normal(size=(len(y), columns)), flat), y


def draw(x: np.ndarray, y: np.ndarray, asked: dict[int, int], seed: int = 0, **options: Any) -> Drawn:
    return manifold(torch.from_numpy(x), torch.from_numpy(y), asked, np.random.default_rng(seed), **options)


def test_rows_lie_in_the_plane_that_holds_most_of_the_variance() -> None:
    x, y = table()
    made = draw(x, y, {1: 60})
    own = torch.from_numpy(x[y == 1])
    mean, directions = find_plane(own)
    assert directions.shape[1] == 2 and made.kind == "plane"
    outside = (made.x - mean) - (made.x - mean) @ directions @ directions.T
    assert float(outside.abs().max()) < 1e-12
    held = float(((own - mean) @ directions).var(0).sum() / own.var(0).sum())
    less = float(((own - mean) @ directions[:, :1]).var(0).sum() / own.var(0).sum())
    assert less < 0.95 <= held


def test_with_the_residual_rows_keep_their_seeds_distance_from_the_plane() -> None:
    x, y = table()
    made = draw(x, y, {1: 60}, residual=True)
    mean, directions = find_plane(torch.from_numpy(x[y == 1]))

    def outside(rows: torch.Tensor) -> torch.Tensor:
        return (rows - mean) - (rows - mean) @ directions @ directions.T

    assert_close(outside(made.x), outside(torch.from_numpy(x)[made.base]))


def test_the_variance_grows_by_that_of_the_steps() -> None:
    x, y = table()
    made = draw(x, y, {1: 40000})
    own = torch.from_numpy(x[y == 1])
    mean, directions = find_plane(own)
    before, after = (((rows - mean) @ directions).var(0, correction=0) for rows in (own, made.x))
    assert torch.allclose(after / before, torch.full((2,), 1 + 0.25**2, dtype=torch.float64), atol=0.03)


def test_without_steps_all_directions_give_back_the_seeds() -> None:
    x, y = table()
    made = draw(x, y, {1: 60}, components=6, spread=0.0)
    assert float((made.x - torch.from_numpy(x)[made.base]).abs().max()) < 1e-12


def test_few_rows_have_few_directions() -> None:
    x, y = table((30, 4, 1), columns=10)
    made = draw(x, y, {1: 26, 2: 29}, components=10)
    assert made.instead == {2: "copies"} and not made.said
    assert np.linalg.matrix_rank((made.x[made.y == 1] - made.x[made.y == 1].mean(0)).numpy(), tol=1e-9) == 3
    by_network = draw(x, y, {1: 26, 2: 29}, surface="auto-encoder", components=10)
    assert "fewer than 5 training rows" in by_network.said[0] and torch.equal(by_network.x, made.x)
    with pytest.warns(UserWarning, match="class 2 has a single row: copies"):
        Manifold(random_state=0).fit_resample(x, y)


def test_rows_all_alike_stay() -> None:
    x, y = table((30, 6))
    x[y == 1] = 2.0
    for surface in ("pca", "auto-encoder"):
        assert torch.allclose(draw(x, y, {1: 24}, surface=surface, steps=5).x, torch.tensor(2.0).double())


def train_one(rows: np.ndarray, seed: int, steps: int) -> tuple[Any, np.ndarray]:
    """An auto-encoder alone, from one stream."""
    rng = np.random.default_rng(seed)
    (rebuild,), losses = train_auto_encoders(rows[None], [(rng, rng)], steps)
    return rebuild, losses[:, 0]


@pytest.mark.parametrize("shape", [(5, 1), (7, 5), (20, 9), (33, 16), (12, 40)], ids=str)
def test_an_auto_encoder_alone_equals_the_one_of_a_stack_to_the_bit(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=(4, *shape)) * np.arange(1, 5)[:, None, None]

    def chances(keys: list[int]) -> list[Any]:
        return [(np.random.default_rng([k, 0]), np.random.default_rng([k, 1])) for k in keys]

    stacked, losses = train_auto_encoders(rows, chances([0, 1, 2, 3]), 12)
    for k in range(4):
        (alone,), own = train_auto_encoders(rows[k : k + 1], chances([k]), 12)
        assert np.array_equal(alone(rows[0]), stacked[k](rows[0]))
        np.testing.assert_allclose(own[:, 0], losses[:, k], rtol=1e-12)  # a mean over all rows, in another order
    assert len({one(rows[0]).tobytes() for one in stacked}) == 4


def test_the_method_stacks_replicates_and_draws_from_streams_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    on = task(blobs((61, 21, 12)), folds=3, seeds=1, ratio=None)
    heights: list[int] = []

    def spy(rows: np.ndarray, *given: Any) -> Any:
        heights.append(len(rows))
        return train_auto_encoders(rows, *given)

    monkeypatch.setattr(module, "train_auto_encoders", spy)

    def made(numbers: list[int] | None, **options: Any) -> Any:
        part = task(blobs((61, 21, 12)), folds=3, seeds=1, ratio=None, numbers=numbers)
        sampler = Method(surface="auto-encoder", steps=4, **options)
        return finish(oversample(part.train, part, sampler.draws_on(part.train, part), meter=Meter(1))).new

    whole, again = made(None), made(None)
    assert torch.equal(whole.x, again.x) and max(heights) > 1, "classes of equally many rows are a stack"
    for r in range(3):
        alone = made([r])
        assert torch.equal(whole.x[r][whole.mask[r]], alone.x[0][alone.mask[0]])
    seeds = [finish(oversample(on.train, on, Method().draws(on), meter=Meter(1))).lines[..., 0] for _ in range(2)]
    sampler = Method(surface="auto-encoder", steps=4)
    lines = finish(oversample(on.train, on, sampler.draws_on(on.train, on), meter=Meter(1))).lines
    first = on.train.counts(3)[0]
    few = int((first.max() - first)[1])
    assert torch.equal(lines[0, :few, 0], seeds[0][0, :few]), "the stream points gives the seeds, whatever the surface"
    assert not torch.equal(whole.x, made(None, spread=0.0).x)


def test_the_auto_encoder_learns_where_the_class_lies() -> None:
    x, y = table((60, 40))
    own = x[y == 1]
    rebuild, losses = train_one(own, 0, 300)
    assert np.mean(losses[-20:]) < 0.2 * losses[0]
    rng = np.random.default_rng(1)
    off = own + 0.3 * own.std(0) * rng.normal(size=own.shape)
    mean, directions = (part.numpy() for part in find_plane(torch.from_numpy(own), 2))

    def away(rows: np.ndarray) -> float:
        centred = rows - mean
        return float(np.square(centred - centred @ directions @ directions.T).sum())

    assert away(rebuild(off)) < 0.5 * away(off)
    made = draw(x, y, {1: 100}, surface="auto-encoder")
    assert made.kind == "plane" and bool(torch.isfinite(made.x).all())
    assert not torch.equal(made.x, draw(x, y, {1: 100}, surface="auto-encoder", steps=1).x)


def test_its_gradient_is_autograds() -> None:
    """Four steps: Adam's first is the sign of the gradient, the later ones depend on its size."""
    rows = np.random.default_rng(0).normal(size=(7, 5)) * [1, 2, 3, 4, 0]
    found, losses = train_one(rows, 3, 4)
    rng = np.random.default_rng(3)
    sd = rows.std(0)
    unit = np.where(sd > 0, sd, 1.0)
    target = torch.from_numpy((rows - rows.mean(0)) / unit)
    flat = 2 * rng.random(5 * 2 + 2 + 2 * 5 + 5) - 1
    parts = []
    for size, fan, shape in ((10, 5, (5, 2)), (2, 5, (2,)), (10, 2, (2, 5)), (5, 2, (5,))):
        parts.append(torch.from_numpy(flat[:size].reshape(shape) / fan**0.5).requires_grad_())
        flat = flat[size:]
    moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in parts]

    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ parts[0] + parts[1]) @ parts[2] + parts[3]

    for t, loss in enumerate(losses, 1):
        noisy = target + torch.from_numpy(0.1 * (sd > 0) * rng.standard_normal((7, 5)))
        own = (forward(noisy) - target).square().mean()
        assert float(own.detach()) == pytest.approx(loss, abs=1e-9)
        slopes = torch.autograd.grad(own, parts)
        moments = [(0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2) for (m, v), g in zip(moments, slopes, strict=True)]
        with torch.no_grad():
            for part, (m, v) in zip(parts, moments, strict=True):
                part -= 1e-2 * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    ours = found(rows)
    assert np.allclose(ours, rows.mean(0) + sd * forward(target).detach().numpy(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("bad", [{"surface": "sphere"}, {"components": -1}, {"residual": 2}, {"spread": -1.0}, {"steps": 0}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Manifold(**bad).fit_resample(*table())
