"""Deep over-sampling's mathematics (card A7): closed forms, autograd, and neighbours from scikit-learn."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from engine.losses import cross_entropy
from engine.samplers.overloading import Overloading, copies, in_class, overloaded, simplex, spread


def item(targets: list[float], weights: list[float], f: float = 0.0) -> dict[str, Tensor]:
    """One item of one replicate with one feature; two classes."""
    return {
        "z": torch.tensor([[[f]]], dtype=torch.float64),
        "y": torch.zeros(1, 1, dtype=torch.int64),
        "targets": torch.tensor(targets, dtype=torch.float64).view(1, 1, -1, 1),
        "weights": torch.tensor(weights, dtype=torch.float64).view(1, 1, -1),
        "mask": torch.ones(1, 1, len(targets), dtype=torch.bool),
    }


def head(z: Tensor) -> Tensor:
    return torch.cat([2 * z[..., :1] + 1, -z[..., :1]], -1)


def test_the_cards_unweighted_example() -> None:
    loss_f, loss_g, rho = Overloading()(head, **item([0, 1], [1, 1]))
    assert rho.flatten().tolist() == pytest.approx([0.7311, 0.2689], abs=5e-5)
    assert float(loss_f) == pytest.approx(1)
    losses = [np.log1p(np.exp(-1.0)), np.log1p(np.exp(-4.0))]  # differences of logits 1 and 4
    assert float(loss_g) == pytest.approx(float(rho[0, 0, 0]) * losses[0] + float(rho[0, 0, 1]) * losses[1])


def test_the_cards_weighted_example() -> None:
    given = item([0, 1], [0.25, 0.75])
    z = given.pop("z").requires_grad_()
    loss_f, _, rho = Overloading()(head, z, **given)
    assert rho.flatten().tolist() == pytest.approx([0.6792, 0.3208], abs=5e-5)
    assert float(loss_f.detach()) == pytest.approx(0.75)
    (slope,) = torch.autograd.grad(loss_f.sum(), z)
    assert float(slope) == pytest.approx(-1.5)


def test_the_other_reading_of_rho() -> None:
    _, _, rho = Overloading(rho="w*exp(-d2)")(head, **item([0, 1], [0.25, 0.75]))
    expected = np.array([0.25, 0.75 * np.exp(-1)])
    assert rho.flatten().tolist() == pytest.approx((expected / expected.sum()).tolist())


def test_equal_distances_leave_a_large_weight_little_in_the_literal_reading_alone() -> None:
    for rho, first_is_larger in (("literal", True), ("w*exp(-d2)", False)):
        shares = Overloading(self_g="stored", rho=rho)(head, **item([1, -1], [0.2, 0.8]))[2].flatten()
        assert (shares[0] > shares[1]) == first_is_larger


def drawn(seed: int = 0, rows: int = 7, places: int = 4, width: int = 3) -> dict[str, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    rand: Any = lambda *s: torch.rand(*s, generator=stream, dtype=torch.float64)  # noqa: E731
    mask = torch.ones(2, rows, places, dtype=torch.bool)
    mask[0, 0, 2:] = mask[1, 3, 1:] = False
    weights = simplex(rand(2 * rows, places), mask.flatten(0, 1)).view_as(mask)
    z, targets = rand(2, rows, width), rand(2, rows, places, width)
    targets[:, :, 0] = z + 0.1 * rand(2, rows, width)
    return {"z": z, "y": (rand(2, rows) > 0.5).long(), "targets": targets, "weights": weights, "mask": mask}


def wide_head(z: Tensor) -> Tensor:
    return torch.stack([z.sum(-1), (z * torch.tensor([1.0, -2.0, 0.5])).sum(-1)], -1)


def test_the_losses_are_the_sums_of_the_paper() -> None:
    given = drawn()
    loss_f, loss_g, rho = Overloading(self_g="stored")(wide_head, **given)
    for r, b in itertools.product(range(2), range(7)):
        there = given["mask"][r, b]
        v, w = given["targets"][r, b][there].numpy(), given["weights"][r, b][there].numpy()
        distance = ((given["z"][r, b].numpy() - v) ** 2).sum(1)
        shares = np.exp(-w * distance) / np.exp(-w * distance).sum()
        logits = wide_head(torch.from_numpy(v)).numpy()
        losses = np.log(np.exp(logits).sum(1)) - logits[:, int(given["y"][r, b])]
        assert float(loss_f[r, b]) == pytest.approx(w @ distance)
        assert float(loss_g[r, b]) == pytest.approx(shares @ losses)
        assert rho[r, b][there].tolist() == pytest.approx(shares.tolist()) and bool((rho[r, b][~there] == 0).all())


def test_the_features_loss_pulls_to_the_weighted_mean_of_the_targets() -> None:
    given = drawn()
    z = given.pop("z").requires_grad_()
    (slope,) = torch.autograd.grad(Overloading()(wide_head, z, **given)[0].sum(), z)
    mean = (given["weights"].unsqueeze(3) * given["targets"]).sum(2)
    torch.testing.assert_close(slope, 2 * (z - mean).detach(), rtol=0, atol=1e-12)


def test_the_gradient_through_rho() -> None:
    """-2 sum_i rho_i (H_i - mean H) w_i (f - v_i); of eq. (3) 2 sum_v rho_v (H_v - mean H) (v - mean v)."""
    for law in ("simplex", "ones"):
        given = drawn(3)
        if law == "ones":
            given["weights"] = given["mask"].double()
        z, w, v, mask = given.pop("z").requires_grad_(), given["weights"], given["targets"], given["mask"]
        _, loss_g, rho = Overloading(self_g="stored", rho_grad=True)(wide_head, z, **given)
        (slope,) = torch.autograd.grad(loss_g.sum(), z)
        rho, f = rho.detach(), z.detach().unsqueeze(2)
        losses = cross_entropy(wide_head(v), given["y"].unsqueeze(2).expand_as(mask))
        over = (rho * (losses - (rho * losses).sum(2, keepdim=True))).unsqueeze(3)
        expected = -2 * (over * w.unsqueeze(3) * (f - v)).sum(2)
        torch.testing.assert_close(slope, expected, rtol=0, atol=1e-12)
        if law == "ones":
            mean = (rho.unsqueeze(3) * v).sum(2, keepdim=True)
            torch.testing.assert_close(slope, 2 * (over * (v - mean)).sum(2), rtol=0, atol=1e-12)


def test_what_is_live_carries_the_gradient() -> None:
    """Stored and detached: f learns from the features' loss alone. Live: also by rho_self times its own cross-entropy."""
    given = drawn()
    z = given.pop("z").requires_grad_()
    stored = Overloading(self_g="stored")(wide_head, z, **given)[1]
    assert not stored.requires_grad  # neither targets nor rho hang on f, and this head has no parameters
    _, live, rho = Overloading()(wide_head, z, **given)
    (slope,) = torch.autograd.grad(live.sum(), z)
    (plain,) = torch.autograd.grad((rho[:, :, 0] * cross_entropy(wide_head(z), given["y"])).sum(), z)
    torch.testing.assert_close(slope, plain, rtol=0, atol=1e-12)
    held, free = (Overloading(self_f=which)(wide_head, z, **given)[0] for which in ("stored", "live"))
    own = given["weights"][:, :, 0] * (z - given["targets"][:, :, 0]).square().sum(2)
    torch.testing.assert_close(held - free, own, rtol=0, atol=1e-12)


def test_scaled_distances_forget_the_scale() -> None:
    given = drawn()
    one = Overloading()(wide_head, **given, scale=torch.full((2, 7), 1.5, dtype=torch.float64))
    larger = given | {"z": 10 * given["z"], "targets": 10 * given["targets"]}
    two = Overloading()(wide_head, **larger, scale=torch.full((2, 7), 150.0, dtype=torch.float64))
    torch.testing.assert_close(one[0], two[0])
    torch.testing.assert_close(one[2], two[2])


def test_far_targets_do_not_overflow() -> None:
    loss_f, loss_g, rho = Overloading()(head, **item([0, 1e6], [0.5, 0.5]))
    assert rho.flatten().tolist() == [1, 0] and bool(torch.isfinite(loss_f + loss_g))


def test_neighbours_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3], [40, 15, 3, 1])
    rng.shuffle(y)
    z = rng.normal(size=(len(y), 5))
    k = [0, 4, 4, 4]
    rows, mask = in_class(torch.from_numpy(z), torch.from_numpy(y), k)
    assert rows.shape == (len(y), 5) and torch.equal(rows[:, 0], torch.arange(len(y))) and bool(mask[:, 0].all())
    for c in range(4):
        members = np.flatnonzero(y == c)
        wanted = min(k[c], len(members) - 1)
        assert mask[members].sum(1).tolist() == [wanted + 1] * len(members)
        if wanted:
            near = NearestNeighbors(n_neighbors=wanted + 1).fit(z[members])
            distance, found = near.kneighbors(z[members])
            assert (rows[members, : wanted + 1].numpy() == members[found]).all()
            assert (np.diff(distance, axis=1) >= 0).all()
    assert (y[rows.numpy()] == y[:, None]).all()


@pytest.mark.parametrize("law", ["dirichlet", "uniform"])
@pytest.mark.parametrize("k", [0, 1, 5])
def test_weights_lie_on_the_simplex_and_are_alike_in_the_mean(law: str, k: int) -> None:
    draws = torch.rand(40_000, 6, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    mask = (torch.arange(6) <= k).expand(len(draws), -1)
    w = simplex(draws, mask, law)
    assert bool((w >= 0).all()) and torch.allclose(w.sum(1), torch.ones(len(w), dtype=torch.float64))
    assert bool((w[:, k + 1 :] == 0).all())
    assert torch.allclose(w.mean(0)[: k + 1], torch.full((k + 1,), 1 / (k + 1), dtype=torch.float64), atol=0.005)
    if law == "dirichlet":  # variance of one coordinate of Dirichlet(1, ..., 1) over k + 1
        assert float(w[:, 0].var()) == pytest.approx(k / ((k + 1) ** 2 * (k + 2)), abs=0.002)
    over = simplex(draws, mask, law, "neighbours")
    assert torch.allclose(over.sum(1), torch.ones(len(w), dtype=torch.float64)) and bool((over[:, 0] == (k == 0)).all())


def test_spread_is_the_within_class_variance() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(1, 30, 4)), rng.integers(0, 2, (1, 30))
    mask = np.arange(30)[None] < 25
    found = spread(torch.from_numpy(z), torch.from_numpy(y), torch.from_numpy(mask), 3)[0]
    for c in range(2):
        own = z[0, :25][y[0, :25] == c]
        assert float(found[c]) == pytest.approx(own.var(0).sum())
        apart = ((own[:, None] - own[None]) ** 2).sum(2).mean()
        assert float(2 * found[c]) == pytest.approx(apart)
    assert bool(found[2].isnan())


def test_a_class_a_little_smaller_is_not_a_minority() -> None:
    counts = torch.tensor([[6742, 5421, 600, 67, 0], [10, 7, 6, 4, 10]])
    assert copies(counts).tolist() == [[1, 1, 11, 101, 0], [1, 1, 2, 3, 1]]
    assert overloaded(counts).tolist() == [[False, False, True, True, False], [False, False, True, True, False]]


def test_rounds_of_the_features_loss_draw_a_class_together() -> None:
    """A linear f that can reach its targets maps every row to its local mean in each round: the variance falls."""
    rng = torch.Generator().manual_seed(0)
    x = torch.eye(30, dtype=torch.float64)
    w = torch.randn(30, 4, generator=rng, dtype=torch.float64)
    y = (torch.arange(30) < 12).long()
    variance = [spread((x @ w)[None], y[None], torch.ones(1, 30, dtype=torch.bool), 2)[0]]
    for _ in range(4):
        stored = x @ w
        rows, mask = in_class(stored, y, [0, 5])
        weights = mask.double() / mask.sum(1, keepdim=True)
        leaf = w.clone().requires_grad_()
        for _ in range(200):
            loss, _, _ = Overloading()(
                lambda z: z[..., :2], (x @ leaf)[None], y[None], stored[rows][None], weights[None], mask[None]
            )
            (slope,) = torch.autograd.grad(loss.sum(), leaf)
            leaf = (leaf - 0.1 * slope).detach().requires_grad_()
        w = leaf.detach()
        torch.testing.assert_close(x @ w, (weights.unsqueeze(2) * stored[rows]).sum(1), rtol=0, atol=1e-9)
        variance.append(spread((x @ w)[None], y[None], torch.ones(1, 30, dtype=torch.bool), 2)[0])
    falling = torch.stack(variance)
    assert bool((falling.diff(dim=0)[:, 1] < 0).all()) and torch.allclose(falling[:, 0], falling[0, 0])
