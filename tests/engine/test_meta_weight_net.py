"""Meta-Weight-Net (card C7): its gradient by finite differences and in closed form, and what it is without weights to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.events import Epoch
from engine.losses import cross_entropy
from engine.methods.ce import CE
from engine.methods.meta_weight_net import MetaWeightNet, Weighing
from engine.models.mlp import MLP
from engine.training.loop import Batch
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, small

ON = task(blobs((61, 34, 23)), seeds=1, ratio=None)
OPTIONS = pytest.mark.parametrize(
    "options", [{}, {"normalise": False}, {"balanced_outer": False}, {"activation": "tanh", "hidden": (5, 4)}]
)


def made(rows: int = 17, **options: object) -> tuple[Weighing, Batch]:
    """A step about to be taken, its classifier not at rest, its weights far from equal; the last replicate has fewer rows."""
    method = MetaWeightNet(**{"hidden": (6,), "units": 8, "batch_outer": 13, **options})  # type: ignore[arg-type]
    net = method.create(ON)
    assert isinstance(net, MLP)
    step = Weighing(method, net, ON)
    step.weigher.flat = step.weigher.flat * 3
    step.begin([1] * len(ON.replicates))
    mask = ON.train.mask[:, :rows].clone()
    mask[-1, -4:] = False
    pick = torch.from_numpy(np.random.default_rng(0).permutation(int(ON.train.sizes.min()))[:rows])
    return step, Batch(ON.train.x[:, pick], ON.train.y[:, pick], mask, torch.ones(len(mask), dtype=torch.bool), 0)


def after_the_virtual_step(step: Weighing, batch: Batch, flat: torch.Tensor) -> torch.Tensor:
    """M(theta'(V)) of each replicate by autograd through nothing: every replicate and row written out."""
    out = []
    for r in range(len(flat)):
        weigher = MLP(step.weigher.sizes, "relu", flat[r : r + 1])
        net = MLP(step.net.sizes, step.net.activation, step.net.flat[r : r + 1].clone().requires_grad_())
        x, y = batch.x[r][batch.mask[r]][None], batch.y[r][batch.mask[r]][None]
        losses = cross_entropy(net(x), y)
        weights = weigher(losses.detach()[..., None])[..., 0].sigmoid()
        weights = weights / (weights.sum() if step.method.normalise else weights.shape[1])
        (gradient,) = torch.autograd.grad((weights.detach() * losses).sum(), net.flat)
        net.flat = (net.flat - step.method.eta_virtual * gradient).detach()
        ox, oy, om = (part[r : r + 1] for part in step.others.at(0)[:3])
        ox, oy = ox[om][None], oy[om][None]
        share = torch.ones(oy.shape[1], dtype=ox.dtype)
        if step.method.balanced_outer:
            share = 1 / torch.bincount(ON.valid.y[r][ON.valid.mask[r]], minlength=3).to(ox.dtype)[oy[0]]
        out.append((share * cross_entropy(net(ox), oy)[0]).sum() / share.sum())
    return torch.stack(out)


@OPTIONS
def test_the_meta_gradient_by_finite_differences(options: dict[str, object]) -> None:
    step, batch = made(**options)
    losses = cross_entropy(step.net(batch.x), batch.y)
    judged, gradient = step.meta_gradient(batch, losses)
    flat = step.weigher.flat
    assert torch.allclose(judged, after_the_virtual_step(step, batch, flat), rtol=1e-12, atol=0)
    rng = np.random.default_rng(1)
    for _ in range(4):
        way = torch.from_numpy(rng.normal(size=flat.shape))
        way /= way.norm(dim=1, keepdim=True)
        h = 1e-5
        there, back = (after_the_virtual_step(step, batch, flat + s * h * way) for s in (1, -1))
        found, expected = (there - back) / (2 * h), (gradient * way).sum(1)
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-12) and bool((expected.abs() > 1e-9).all())


def test_influence_of_a_linear_classifier_is_its_closed_form() -> None:
    """dM/dw_i of each row, and so the gradient of a V that is its bias alone, by hand."""
    net = MLP((2, 2), "relu", torch.tensor([[0.3, -0.2, 0.1, 0.4, 0.05, -0.1]], dtype=torch.float64))
    x, y = torch.tensor([[[1.0, 2.0], [-1.0, 0.5]]], dtype=torch.float64), torch.tensor([[1, 0]])
    v = torch.tensor([[0.7, -0.3, 0.2, 0.9, -0.4, 0.6]], dtype=torch.float64)
    off = net(x).softmax(-1) - torch.nn.functional.one_hot(y, 2)
    by_hand = (off[0] * (x[0] @ v[0, :4].view(2, 2) + v[0, 4:])).sum(1)
    assert torch.allclose(net.along(x, y, cross_entropy, v)[0], by_hand, rtol=1e-14, atol=0)


@pytest.mark.parametrize("normalise", [True, False])
def test_equal_weights_are_plain_training(monkeypatch: pytest.MonkeyPatch, normalise: bool) -> None:
    plain = fit(small(CE), ON)[1]
    kept = MLP.create

    def create(sizes: tuple[int, ...], *args: object, **options: object) -> MLP:
        net = kept(sizes, *args, **options)  # type: ignore[arg-type]
        if sizes[-1] == 1:
            net.flat = torch.zeros_like(net.flat)
            net.flat[:, -1] = 40.0  # the sigmoid is 1 to the last bit
        return net

    monkeypatch.setattr(MLP, "create", staticmethod(create))
    _, fitted = fit(small(MetaWeightNet, eta_weights=0.0, normalise=normalise), ON)
    assert torch.allclose(fitted.net.flat, plain.net.flat, rtol=0, atol=1e-9) and torch.equal(fitted.epoch, plain.epoch)


def test_a_step_lowers_the_loss_it_looks_at() -> None:
    step, batch = made()
    losses = cross_entropy(step.net(batch.x), batch.y)
    before, gradient = step.meta_gradient(batch, losses)
    step.weigher.flat = step.weigher.flat - 0.5 * gradient
    assert bool((step.meta_gradient(batch, losses)[0] < before).all())


def test_rows_that_mislead_come_to_weigh_less() -> None:
    """A quarter of the labels is wrong. Those rows have the large losses, and validation rows, which are right, speak against them."""
    on = task(blobs((90, 90), features=2, seed=1), ratio=None, seeds=1, folds=3)
    y = on.train.y.clone()
    y[:, ::4] = 1 - y[:, ::4]
    on = replace(on, train=replace(on.train, y=y * on.train.mask))
    method = MetaWeightNet(hidden=(8,), eta_weights=0.003, learning_rate=0.01)
    net = method.create(on)
    assert isinstance(net, MLP)
    step = Weighing(method, net, on)
    step.begin([60] * len(on.replicates))
    for k in range(60):
        step(Batch(on.train.x, on.train.y, on.train.mask, torch.ones(len(y), dtype=torch.bool), k))
    losses = torch.tensor([[0.05, 3.0]], dtype=torch.float64).expand(len(y), 2)
    weights = step.weigh(step.weigher, losses, torch.ones_like(losses, dtype=torch.bool))
    assert bool((weights[:, 0] > 2 * weights[:, 1]).all()), weights


def test_it_says_what_the_weights_do() -> None:
    events, _ = fit(small(MetaWeightNet), ON)
    told = [e.values for e in events if isinstance(e, Epoch)]
    assert all(0 < share < 1 for values in told for share in values["minority_weight"])
    assert all(loss > 0 for values in told for loss in values["meta_loss"])


def test_a_replicate_that_pauses_is_untouched() -> None:
    step, batch = made()
    alive = batch.alive.clone()
    alive[0] = False
    mask = batch.mask.clone()
    mask[0] = False
    step.begin([0, *[1] * (len(alive) - 1)])
    before = step.net.flat.clone(), step.weigher.flat.clone()
    step(replace(batch, mask=mask, alive=alive))
    for old, new in zip(before, (step.net.flat, step.weigher.flat), strict=True):
        assert torch.equal(old[0], new[0]) and not torch.equal(old[1], new[1])
    assert float(step.values()["meta_loss"][0]) == 0.0
