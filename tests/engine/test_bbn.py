"""BBN: the weight of its branches, the reversed law, its loss by hand, and two branches in every network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.errors import BadParameter
from engine.events import finish
from engine.losses import cross_entropy
from engine.methods.bbn import BBN, mix_branches, third_and_drops, weigh_first
from engine.models.cnn import BRANCHED, CNN, TRUNKS, build_trunk
from engine.models.mlp import MLP
from engine.models.two_branch import TwoBranch, split
from engine.training.camera import Camera
from engine.training.loop import Batch
from engine.training.two_laws import TwoLaws, reversed_law
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 6, "batch": 20}
DOUBLE = {"dtype": torch.float64}
ALIVE = torch.ones(1, dtype=torch.bool)


@pytest.mark.parametrize("case", read_cases("bbn", "share", "law"))
def test_the_weight_and_the_law(case: dict[str, Any]) -> None:
    found: Any = reversed_law(torch.tensor(case["input"])) if case["what"] == "law" else weigh_first(**case["input"])
    assert_close(found, case["value"])


@pytest.mark.parametrize("case", read_cases("bbn", "logits", "loss", "test"))
def test_two_branches_by_hand(case: dict[str, Any]) -> None:
    """A network without hidden layers, whose two halves of features are the branches; 9 stands where the other branch looks."""
    given = case["input"]
    first, second = given["first"], given["second"]
    flat = torch.tensor([[*sum(given["weights"], []), *given["bias"]]], **DOUBLE)
    net = MLP((4, 2), "relu", flat)
    if case["what"] == "test":
        assert_close(net(torch.tensor([[[*first, *second]]], **DOUBLE))[0, 0], case["value"])
        return
    x = torch.tensor([[[*first, 9, 9], [9, 9, *second]]], **DOUBLE)
    batch = Batch(x, torch.tensor([given["y"]]), torch.ones(1, 2, dtype=torch.bool), ALIVE, 0)
    seen: list[Tensor] = []

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        seen.append(logits)
        return cross_entropy(logits, y)

    value = mix_branches(net, batch, loss, given["share"])  # type: ignore[arg-type]
    assert_close((seen[0][0, 0] if case["what"] == "logits" else value[0]), case["value"])


def draws(batch: int = 10, **how: Any) -> tuple[TwoLaws, Rows]:
    on = task(blobs((61, 34, 23)))
    chances = [[torch.Generator().manual_seed(10 * k + r) for r in range(len(on.replicates))] for k in (0, 1)]
    return TwoLaws(on.train, 3, batch, *chances, **how), on.train


def test_rows_of_both_laws_stand_in_turn_and_first() -> None:
    batches, rows = draws()
    wanted = batches.per_pass()
    plan = batches.take(wanted, torch.device("cpu"))
    for r, size in enumerate(rows.sizes.tolist()):
        assert sorted(plan.index[r, :, 0::2][plan.mask[r, :, 0::2]].tolist()) == list(range(size))  # a pass over all rows
        assert torch.equal(plan.mask[r, :, 0::2], plan.mask[r, :, 1::2])
        assert bool((plan.mask[r].int().diff(dim=1) <= 0).all())
        assert int(plan.index[r].max()) < size
    assert batches.fewest == 2 * min(n % 10 or 10 for n in rows.sizes.tolist())


@pytest.mark.parametrize("reverse", [True, False])
def test_the_second_law_draws_classes_as_it_says(reverse: bool) -> None:
    batches, rows = draws(reverse=reverse)
    counts = rows.counts(3)[0]
    drawn = batches._draw(0, 20_000)
    shares = torch.bincount(rows.y[0][drawn], minlength=3) / 20_000
    assert_close(shares, reversed_law(counts) if reverse else counts / counts.sum(), 0.015)
    of_rarest = torch.bincount(drawn, minlength=int(rows.sizes[0]))[rows.y[0][: int(rows.sizes[0])] == 2]
    assert float(of_rarest.min()) > 0.8 * float(of_rarest.float().mean())  # all rows of a class alike


def test_a_replicate_draws_the_same_alone_and_after_others_left() -> None:
    batches, rows = draws()
    whole = batches.take([2] * len(rows.y), torch.device("cpu"))
    later = batches.take([1] * len(rows.y), torch.device("cpu"))
    again, _ = draws()
    again.take([2] * len(rows.y), torch.device("cpu"))
    again.select(torch.tensor([4, 1]))
    part = again.take([1, 1], torch.device("cpu"))
    for place, r in enumerate((4, 1)):
        assert torch.equal(part.index[place][part.mask[place]], later.index[r][later.mask[r]])
    assert not torch.equal(whole.index[0, 0], whole.index[0, 1])


def test_at_a_weight_of_1_the_reversed_rows_teach_nothing() -> None:
    on = task(blobs((61, 34, 23)))
    net = BBN(**SMALL).create(on)
    x, y = on.train.x[:, :12], on.train.y[:, :12]
    mask, alive = torch.ones(y.shape, dtype=torch.bool), torch.ones(len(y), dtype=torch.bool)
    moved = x.clone()
    moved[:, 1::2] += 5.0

    def gradient(x: Tensor, share: float) -> Tensor:
        return net.derive(lambda net: mix_branches(net, Batch(x, y, mask, alive, 0), cross_entropy, share))[1]

    assert torch.equal(gradient(x, 1.0), gradient(moved, 1.0)) and not torch.equal(gradient(x, 0.7), gradient(moved, 0.7))
    weights, biases, head, _ = net.views(gradient(x, 1.0))  # type: ignore[attr-defined]
    assert not weights[:, :, 6:].any() and not biases[:, :, 6:].any() and not head[:, 6:].any()
    assert bool(weights[:, :, :6].any()) and bool(head[:, :6].any())


def test_the_gradient_is_that_of_the_formula() -> None:
    on = task(blobs((61, 34, 23)))
    net = BBN(**SMALL).create(on)
    x, y = on.train.x[:, :12], on.train.y[:, :12]
    batch = Batch(x, y, torch.ones(y.shape, dtype=torch.bool), torch.ones(len(y), dtype=torch.bool), 0)

    def by_formula(other: Any) -> Tensor:
        z = other.embed(x)
        logits = other.head(2 * torch.cat([0.7 * z[:, 0::2, :6], 0.3 * z[:, 1::2, 6:]], 2))
        return 0.7 * cross_entropy(logits, y[:, 0::2]).mean(1) + 0.3 * cross_entropy(logits, y[:, 1::2]).mean(1)

    found, right = net.derive(lambda net: mix_branches(net, batch, cross_entropy, 0.7)), net.derive(by_formula)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(found, right, strict=True))


@pytest.mark.parametrize("name", TRUNKS)
def test_two_branches_compute_what_the_network_does_twice(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 1, 8, 8)
    trunk = TRUNKS[name]((1, 8, 8)).eval()
    shared, last = split(trunk)
    both = TwoBranch(trunk).eval()
    with torch.no_grad():
        right = trunk(x.clone())
        assert torch.allclose(last(shared(x.clone())), right, atol=1e-6)
        assert torch.allclose(both(x.clone()), torch.cat([right, right], 1), atol=1e-6)
    own, twice = (sum(p.numel() for p in module.parameters()) for module in (trunk, both))
    assert twice - own == sum(p.numel() for p in last.parameters()) > 0


def test_the_branches_of_an_image_network_begin_apart_and_the_last_epoch_is_taken() -> None:
    on = task(pictures(), folds=2, seeds=1, ratio=None, dtype=torch.float32)
    for name in ("small-resnet", "lenet"):
        net = BBN(model=name).create(on)
        assert isinstance(net, CNN) and net.width == 2 * int(build_trunk(name, (1, 8, 8)).width)  # type: ignore[arg-type]
        z = net.embed(on.train.x)
        assert net.model == BRANCHED + name and not torch.allclose(z[..., : net.width // 2], z[..., net.width // 2 :])
    fitted = finish(BBN(epochs=2, batch=32).fit(on, camera=Camera(on, 0)))
    assert fitted.epoch.tolist() == [2, 2] and torch.isfinite(fitted.net(on.test.x)).all()


def test_the_epoch_and_what_needs_a_hidden_layer() -> None:
    on = task(blobs((61, 34, 23)))
    last, best = (finish(BBN(**SMALL, last_epoch=last).fit(on, camera=Camera(on, 0))) for last in (True, False))
    assert last.epoch.tolist() == [6] * len(on.replicates) and min(best.epoch.tolist()) < 6
    with pytest.raises(BadParameter, match="needs a hidden layer"):
        BBN(hidden=()).create(on)


def test_the_authors_step_size() -> None:
    at = third_and_drops(0.3, 200)
    found = [at(epoch) for epoch in (1, 2, 6, 120, 121, 160, 161, 200)]
    assert_close(found, [0.1, 0.14, 0.3, 0.3, 0.003, 0.003, 0.00003, 0.00003])


def test_its_class_shares_are_those_of_both_laws() -> None:
    on = task(blobs((61, 34, 23)), seeds=1, ratio=None)
    for reverse in (True, False):
        method = BBN(**SMALL, reverse=reverse)
        shares = method.class_shares(on, finish(method.fit(on, camera=Camera(on, 0))))
        first = sum(1 - ((t - 1) / 6) ** 2 for t in range(1, 7)) / 6
        for found, counts in zip(shares, on.train.counts(3), strict=True):
            natural = counts / counts.sum()
            assert_close(found, first * natural + (1 - first) * reversed_law(counts) if reverse else natural, 1e-6)
