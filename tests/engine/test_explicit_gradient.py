"""Card A1: closed forms, finite differences in float64, the published double-backward form, and the invariants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_ce

from engine.data.dataset import Rows, Task
from engine.errors import BadParameter
from engine.losses import Loss, cross_entropy, mean_weights
from engine.methods import explicit_gradient
from engine.methods.explicit_gradient import ExplicitGradient, MetaStep, Numbered
from engine.models.mlp import MLP
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.training.batches import Passes
from engine.training.loop import Batch, Meter, new_net, streams
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SMALL: dict[str, Any] = {"hidden": (5,), "activation": "tanh", "batch": 4096, "batch_points": 4096, "batch_outer": 4096}


class Squared(Loss):
    """(logit - y)^2 / 2."""

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return (logits.squeeze(-1) - y) ** 2 / 2


class Flat(Loss):
    """A loss without a slope."""

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return (logits**2).sum(-1) * 0


def everything(rows: Rows) -> Batch:
    """One batch with all rows in order."""
    return Batch(rows.x, rows.y, rows.mask, rows.mask.any(1), 0)


def meta(on: Task, **changes: Any) -> tuple[MetaStep, MLP, Rows]:
    method = ExplicitGradient(**(SMALL | changes))
    net = new_net(on, method.hidden, method.activation)
    points = method._copies(net, Numbered.of(on.train), on)
    return MetaStep(method, net, on, on.valid, points), net, points


def adapted_loss(net: MLP, theta: Tensor, z: Tensor, points: Rows, on: Task, rate: float, steps: int, inner: str) -> Tensor:
    """L(X2; theta'(Z)) by the definition, through `create_graph`: the form the paper's authors publish. Sum over replicates."""
    layers = [layer.clone().requires_grad_() for layer in net.views(theta)]
    for _ in range(steps):
        x, y, mask = z, points.y, points.mask
        if inner == "both":
            x, y = torch.cat([on.train.x, z], 1), torch.cat([on.train.y, points.y], 1)
            mask = torch.cat([on.train.mask, points.mask], 1)
        loss = (cross_entropy(net(x, layers), y) * mean_weights(mask, x.dtype)).sum()
        gradients = torch.autograd.grad(loss, layers, create_graph=True)
        layers = [layer - rate * g for layer, g in zip(layers, gradients, strict=True)]
    return (cross_entropy(net(on.valid.x, layers), on.valid.y) * mean_weights(on.valid.mask, z.dtype)).sum()


def test_scalar_case_by_hand() -> None:
    # l = (theta z - 2)^2 / 2 at theta = .5, z = 3: g = -1.5, theta' = .65; outer point (1, 1): v = .65 - 1 = -.35;
    # d/dz <g, v> = (2 theta z - 2) v = (3 - 2)(-.35), times -eta1 = -.1 gives .035
    net = MLP((1, 1), "tanh", torch.tensor([[0.5, 0.0]], dtype=torch.float64))
    z, y = torch.tensor([[[3.0]]], dtype=torch.float64), torch.tensor([[2]])
    one, v = torch.ones(1, 1, dtype=torch.float64), torch.tensor([[-0.35, 0.0]], dtype=torch.float64)
    at_z, _ = net.mixed(z, y, one, Squared(), net.flat, v)
    assert -0.1 * at_z.item() == pytest.approx(0.035, abs=1e-12)


def test_linear_logistic_closed_form() -> None:
    # one logit theta.z is two logits (0, theta.z): grad_z = -(eta1 / N) [s (1 - s)(z.v) theta - (1 - s) v], s = sigmoid(theta.z)
    rng = torch.Generator().manual_seed(1)
    theta, v, z = (torch.randn(4, generator=rng, dtype=torch.float64) for _ in range(3))
    zero = torch.zeros(4, dtype=torch.float64)

    def flat(t: Tensor) -> Tensor:
        return torch.cat([torch.stack([zero, t], 1).flatten(), zero[:2]]).unsqueeze(0)

    net = MLP((4, 2), "relu", flat(theta))
    weight = torch.tensor([[1 / 17]], dtype=torch.float64)  # N = 17
    at_z, _ = net.mixed(z.view(1, 1, 4), torch.tensor([[1]]), weight, cross_entropy, flat(theta), flat(v))
    s = torch.sigmoid(theta @ z)
    expected = -(0.01 / 17) * (s * (1 - s) * (z @ v) * theta - (1 - s) * v)
    assert torch.allclose(-0.01 * at_z[0, 0], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("inner", ["both", "synthetic"])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("counts", [(61, 19), (40, 21, 17)], ids=["two classes", "three classes"])
def test_move_against_finite_differences_and_double_backward(inner: str, steps: int, counts: tuple[int, ...]) -> None:
    on = task(blobs(counts), ratio=5)
    step, net, points = meta(on, inner=inner, inner_steps=steps, eta_points=1.0, eta_model=0.3)
    theta, z = net.flat.clone(), step.points.clone()
    step.begin([steps] * len(on.replicates))
    # whole-part batches in a shuffled order: the order does not matter to a mean
    for k in range(steps):
        step(replace(everything(on.train), k=k))
    moved = z - step.points  # eta2 = 1: the gradient itself

    leaf = z.clone().requires_grad_()
    (published,) = torch.autograd.grad(adapted_loss(net, theta, leaf, points, on, 0.3, steps, inner), leaf)
    assert torch.allclose(moved, published, rtol=0, atol=1e-13)

    h, checked = 1e-5, 0
    for r, i, d in ((0, 0, 0), (2, 1, 2), (5, 2, 1)):
        up, down = z.clone(), z.clone()
        up[r, i, d] += h
        down[r, i, d] -= h
        slope = (
            adapted_loss(net, theta, up, points, on, 0.3, steps, inner)
            - adapted_loss(net, theta, down, points, on, 0.3, steps, inner)
        ) / (2 * h)
        if points.mask[r, i]:
            checked += 1
            assert moved[r, i, d].item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-12)
    assert checked >= 2


def test_relu_away_from_kinks_equals_double_backward() -> None:
    on = task(ratio=5)
    step, net, points = meta(on, activation="relu", eta_points=1.0, eta_model=0.1, hidden=(7, 5))
    theta, z = net.flat.clone(), step.points.clone()
    step.begin([1] * len(on.replicates))
    step(everything(on.train))
    leaf = z.clone().requires_grad_()
    (published,) = torch.autograd.grad(adapted_loss(net, theta, leaf, points, on, 0.1, 1, "both"), leaf)
    assert torch.allclose(z - step.points, published, rtol=0, atol=1e-13)


def test_the_step_per_row_is_n_times_the_step() -> None:
    on = task(ratio=5)
    moved = []
    for per_row in (False, True):
        step, _, points = meta(on, per_row=per_row, eta_points=1.0)
        start = step.points.clone()
        step.begin([1] * len(on.replicates))
        step(everything(on.train))
        moved.append(start - step.points)
    n = (on.train.sizes + points.sizes).view(-1, 1, 1)
    assert torch.allclose(moved[1], moved[0] * n, rtol=1e-12)


def test_frozen_points_equal_plain_gradient_descent_bit_for_bit() -> None:
    on = task(seeds=1, folds=2)
    step, net, points = meta(on, eta_points=0.0, eta_model=0.2)
    leaf = net.flat.clone().requires_grad_()
    descent = torch.optim.SGD([leaf], lr=0.2)
    x, y = torch.cat([on.train.x, points.x], 1), torch.cat([on.train.y, points.y], 1)
    mask = torch.cat([on.train.mask, points.mask], 1)
    step.begin([4] * 2)
    for k in range(4):
        order = step.index[k]
        assert step.mask[k].sum() == points.mask.sum()
        z = points.x.gather(1, order.unsqueeze(2).expand(-1, -1, points.x.shape[2]))
        both = torch.cat([on.train.x, z], 1)
        leaf.grad = net.gradient(both, y, mean_weights(mask, x.dtype), cross_entropy, leaf.detach())[1]
        descent.step()
        step(replace(everything(on.train), k=k))
    assert torch.equal(net.flat, leaf.detach())
    assert torch.equal(step.points, points.x)
    # and what that is, is gradient descent on the mean over X1 and Z
    plain = torch_ce(net(x)[0][mask[0]], y[0][mask[0]])
    assert float(plain) == pytest.approx(float((cross_entropy(net(x), y) * mean_weights(mask, x.dtype)).sum(1)[0]), abs=1e-12)


def test_no_step_of_the_model_leaves_the_points() -> None:
    on = task(seeds=1)
    step, _, points = meta(on, eta_points=1e6)
    step.rate = 0.0
    step.begin([1] * 3)
    step(everything(on.train))
    assert torch.equal(step.points, points.x)


def test_no_outer_gradient_leaves_the_points() -> None:
    on = task(seeds=1)
    step, _, points = meta(on, eta_points=1e6)
    step.loss = Flat()
    step.begin([1] * 3)
    step(everything(on.train))
    assert torch.equal(step.points, points.x)


def test_rows_outside_the_batch_do_not_move_and_labels_never_change() -> None:
    on = task(seeds=1)
    step, _, points = meta(on, eta_points=1e3, batch_points=2)
    labels, count = points.y.clone(), points.mask.sum()
    step.begin([3] * 3)
    for k in range(3):
        before = step.points.clone()
        step(replace(everything(on.train), k=k))
        changed = (step.points != before).any(2)
        inside = torch.zeros_like(changed)
        for r in range(3):
            inside[r, step.index[k, r][step.mask[k, r]]] = True
        assert torch.equal(changed, inside)
    assert torch.equal(step.start.y, labels) and step.start.mask.sum() == count


def test_which_rows_are_copied() -> None:
    on = task(blobs((60, 30, 31)), ratio=None, seeds=1)
    net = new_net(on, (5,))
    p = net(on.train.x).softmax(-1).gather(2, on.train.y.unsqueeze(2)).squeeze(2)
    minority = on.train.mask & (on.train.y != 0)
    assert on.largest == 0
    every = ExplicitGradient(hidden=(5,))._copies(net, Numbered.of(on.train), on)
    assert torch.equal(every.mask.sum(1), minority.sum(1))
    bound = float(p[minority].median())
    some = ExplicitGradient(hidden=(5,), confidence=bound)._copies(net, Numbered.of(on.train), on)
    assert torch.equal(some.mask.sum(1), (minority & (p <= bound)).sum(1)) and 0 < some.mask.sum() < every.mask.sum()
    half = ExplicitGradient(hidden=(5,), lowest=0.5)._copies(net, Numbered.of(on.train), on)
    for r in range(3):
        for c in (1, 2):
            own = p[r][minority[r] & (on.train.y[r] == c)].sort().values
            kept = half.x[r][half.mask[r] & (half.y[r] == c)]
            chance = net(half.x)[r].softmax(-1)[half.mask[r] & (half.y[r] == c), c].sort().values
            assert len(kept) == -(-len(own) // 2) and torch.allclose(chance, own[: len(kept)])
    twice = ExplicitGradient(hidden=(5,), copies=2)._copies(net, Numbered.of(on.train), on)
    for r, own in enumerate(twice.mask):
        assert torch.equal(on.train.x[r, twice.number[r, own]], twice.x[r, own])
    assert torch.equal(twice.mask.sum(1), 2 * minority.sum(1))
    assert not ExplicitGradient(hidden=(5,), copies=0)._copies(net, Numbered.of(on.train), on).mask.any()


def test_the_holdout_is_a_third_of_training_and_disjoint() -> None:
    on = task(blobs((90, 45)), ratio=None, seeds=1)
    inner, outer = ExplicitGradient(outer="holdout")._parts(on)
    for r, own in enumerate(inner.mask):
        assert torch.equal(on.train.x[r, inner.number[r, own]], inner.x[r, own])
    for r in range(3):
        whole = {tuple(row) for row in on.train.x[r][on.train.mask[r]].tolist()}
        a, b = ({tuple(row) for row in part.x[r][part.mask[r]].tolist()} for part in (inner, outer))
        assert a | b == whole and not a & b
    counts = on.train.counts(2)
    assert torch.equal(outer.counts(2), counts // 3)


def test_resetting_each_pass_never_accumulates() -> None:
    """The released loader's bug as an option: at a new pass a row is where it began before it takes its one step."""
    on = task(seeds=1)
    step, net, points = meta(on, eta_points=1e3, reset_each_pass=True)
    theta = net.flat.clone()
    step.begin([2] * 3)
    step(everything(on.train))
    first = step.points.clone()
    net.flat = theta  # the same classifier again: the same single step
    step(replace(everything(on.train), k=1))
    assert torch.allclose(step.points, first, rtol=0, atol=1e-12) and not torch.equal(first, points.x)


def test_the_released_preset_is_frozen_to_the_bit() -> None:
    """It takes each point once in a pass, from where it began, so no step of the classifier sees a moved point."""
    released = ExplicitGradient.presets["released"] | {
        "hidden": (5,),
        "epochs": 3,
        "meta_epochs": 5,
        "batch": 32,
        "batch_outer": 16,
    }
    on = task(seeds=1)
    (_, moving), (_, frozen) = (
        fit(ExplicitGradient(**released | change), on, frames=0) for change in ({}, {"eta_points": 0.0})
    )
    assert torch.equal(moving.net.flat, frozen.net.flat) and torch.equal(moving.epoch, frozen.epoch)
    assert moving.synthetic is not None and not torch.equal(moving.synthetic.x, moving.synthetic.start)
    _, walking = fit(ExplicitGradient(**released | {"reset_each_pass": False}), on, frames=0)
    assert not torch.equal(walking.net.flat, frozen.net.flat), "without the reset the classifier trains on moved points"
    assert any("frozen" in note for note in ExplicitGradient.deviations["released"])


def test_clamp_keeps_the_training_range() -> None:
    on = task(seeds=1)
    free, _, _ = meta(on, eta_points=1e6, eta_model=1.0)
    kept, _, points = meta(on, eta_points=1e6, eta_model=1.0, clamp=True)
    for step in (free, kept):
        step.begin([1] * 3)
        step(everything(on.train))
    for r in range(3):
        rows = on.train.x[r][on.train.mask[r]]
        inside = kept.points[r][points.mask[r]]
        assert bool((inside >= rows.amin(0)).all() and (inside <= rows.amax(0)).all())
        outside = free.points[r][points.mask[r]]
        assert not bool((outside >= rows.amin(0)).all() and (outside <= rows.amax(0)).all())


def test_alpha_shortens_the_classifiers_step() -> None:
    on = task(seeds=1)
    moved = []
    for alpha in (0.0, 0.75):
        step, net, _ = meta(on, eta_points=0.0, alpha=alpha)
        start = net.flat.clone()
        step.begin([1] * 3)
        step(everything(on.train))
        moved.append(net.flat - start)
    assert torch.allclose(moved[1], 0.25 * moved[0], rtol=1e-9)


def test_noise_has_its_standard_deviation() -> None:
    on = task(blobs((900, 400)), ratio=None, seeds=1, folds=2)
    net = new_net(on, (5,))
    plain, noisy = (ExplicitGradient(hidden=(5,), noise=noise)._copies(net, Numbered.of(on.train), on) for noise in (0.0, 0.5))
    delta = (noisy.x - plain.x)[plain.mask]
    assert float(delta.std()) == pytest.approx(0.5, rel=0.1)
    assert not (noisy.x - plain.x)[~plain.mask].any()


def test_passes_visit_every_row_once() -> None:
    on = task(seeds=1)
    passes = Passes(on.train.sizes.tolist(), 20, streams(on, "batch"))
    plan = passes.take(passes.per_pass(), on.device)
    for r, n in enumerate(on.train.sizes.tolist()):
        seen = plan.index[r][plan.mask[r]]
        assert sorted(seen.tolist()) == list(range(n))
        assert plan.fresh[r].tolist() == [True] + [False] * (plan.length - 1)


def test_a_replicate_without_points_goes_on_alone() -> None:
    """Those with points have stopped: the batch of points is empty, and nothing moves."""
    on = task(seeds=1)
    step, net, points = meta(on, eta_points=1e3)
    only = torch.tensor([True, False, False])
    none = points.mask & ~only.unsqueeze(1)
    step = MetaStep(step.method, net, on, on.valid, Rows(points.x, points.y, none))
    before = net.flat.clone()
    step.begin([1, 0, 0])
    step(Batch(on.train.x, on.train.y, on.train.mask & only.unsqueeze(1), only, 0))
    assert torch.equal(step.points, points.x)
    assert not torch.equal(net.flat[0], before[0]) and torch.equal(net.flat[1:], before[1:])


def test_inner_steps_beyond_an_epoch_are_refused() -> None:
    on = task(blobs((101, 31)))
    with pytest.raises(BadParameter, match="an epoch has 3 steps"):
        fit(ExplicitGradient(hidden=(6,), epochs=2, meta_epochs=3, inner_steps=5, batch=20), on)


def test_noisy_copies_are_clamped_where_they_begin() -> None:
    on = task(seeds=1)
    _, net, points = meta(on, noise=2.0, clamp=True)
    for r in range(3):
        rows, own = on.train.x[r][on.train.mask[r]], points.x[r][points.mask[r]]
        assert bool((own >= rows.amin(0)).all() and (own <= rows.amax(0)).all())


@pytest.mark.parametrize("name", ["moons", "rings", "checkerboard", "clusters"])
@pytest.mark.parametrize("ratio", [20.0, 50.0])
def test_points_sets_start_from_steps_that_can_be_seen(name: str, ratio: float) -> None:
    _, result, _ = drive(run(RunSpec(name, "explicit-gradient", Imbalance("ratio", ratio)), device="cpu", frames=0))
    assert result.moves is not None and result.moves["median"] >= 0.3


def test_classes_as_large_as_the_largest_are_no_minority() -> None:
    on = task(blobs((60, 60, 30)), ratio=None, seeds=1, folds=2)
    points = ExplicitGradient(hidden=(5,))._copies(new_net(on, (5,)), Numbered.of(on.train), on)
    assert on.minority.tolist() == [False, False, True]
    assert set(points.y[points.mask].tolist()) == {2}
    alike = task(blobs((60, 60)), ratio=None, seeds=1, folds=2)
    assert not ExplicitGradient(hidden=(5,))._copies(new_net(alike, (5,)), Numbered.of(alike.train), alike).mask.any()


def test_balanced_inner_batches_draw_every_class_alike() -> None:
    """As many real rows of each class in every step, copies beside them; the progress that is foreseen is what is done."""
    on = task(blobs((90, 12)), ratio=None, seeds=1)
    method = ExplicitGradient(hidden=(5,), epochs=2, meta_epochs=3, patience=3, batch=16, inner="balanced")
    batches = method._batches(Numbered.of(on.train), on)
    wanted = batches.per_pass()
    plan = batches.take(wanted, on.device)
    for r, steps in enumerate(wanted):
        for k in range(steps):
            assert torch.bincount(on.train.y[r][plan.index[r, k]], minlength=2).tolist() == [8, 8]
    seen: list[int] = []

    def both(step: MetaStep, batch: Batch) -> Tensor:
        seen.append(int(batch.mask.sum(1).max()))
        return called(step, batch)

    called, meters = MetaStep.__call__, []

    def noted(total: int) -> Meter:
        meters.append(Meter(total))
        return meters[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetaStep, "__call__", both)
        patch.setattr(explicit_gradient, "Meter", noted)
        _, fitted = fit(method, on)
    assert set(seen) == {16} and len(seen) == 3 * max(wanted)
    (meter,) = meters
    assert meter.done == meter.total == 2 * max(Passes(on.train.sizes.tolist(), 16, []).per_pass()) + len(seen)
    assert fitted.synthetic is not None and not torch.equal(fitted.synthetic.x, fitted.synthetic.start)
