"""LMLE: its quintuplets and decision by hand, its clusters, and what it does to a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import BadParameter
from engine.events import Note, finish
from engine.losses import cross_entropy
from engine.methods.ce import CE
from engine.methods.lmle import LMLE
from engine.models.centres import Centres
from engine.models.net import WithHead
from engine.seeds import numpy_stream
from engine.training.batches import Balanced
from engine.training.camera import Camera
from engine.training.quintuplets import (
    QuintupletObjective,
    Quintuplets,
    cluster_classes,
    count_clusters,
    draw_candidates,
    find_clusters,
    list_features,
    make_table,
    quintuplet_losses,
)
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task

SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 6, "batch": 20, "head_epochs": 4, "refresh": 2, "cluster_rows": 8}
DOUBLE = {"dtype": torch.float64}


def unit(degrees: list[float]) -> Tensor:
    """Unit vectors [n, 2] at these angles."""
    return torch.tensor([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], **DOUBLE)


@pytest.mark.parametrize("case", read_cases("lmle", "distances", "hinges", "chord"))
def test_a_quintuplet(case: dict[str, Any]) -> None:
    """The rows are twice as long as unit vectors. A hinge alone: with margins of -9 the others are 0."""
    if case["what"] == "chord":  # between neighbours of as many centres on a circle; margins are compared with its square
        apart = unit([0, 360 / case["input"]["classes"]])
        z = torch.cat([apart[:1], apart[1:], apart[:1], apart[:1], -apart[:1]])[None, None]
        squared = quintuplet_losses(z, torch.tensor([[[0, 0, 0, 0, 1]]]), [0.0, -9.0, -9.0])[0, 0]
        assert_close(squared.sqrt(), case["value"])
        return
    z, y = 2 * unit(case["input"]["angles"])[None, None], torch.tensor([[[0, 0, 0, 0, 1]]])
    if case["what"] == "distances":
        rows = torch.nn.functional.normalize(z[0, 0], dim=1)
        assert_close((rows[:1] - rows[1:]).square().sum(1), case["value"])
        return
    alone = [[case["input"]["margin"] if k == which else -9.0 for k in range(3)] for which in range(3)]
    assert_close([quintuplet_losses(z, y, margins)[0, 0] for margins in alone], case["value"])
    assert_close(quintuplet_losses(z, y, [0.1] * 3)[0, 0], sum(case["value"]))


@pytest.mark.parametrize("case", read_cases("lmle", "to centres", "margins", "winner"))
def test_the_decision(case: dict[str, Any]) -> None:
    given = case["input"]
    centres, labels, z = (
        torch.tensor(given["centres"], **DOUBLE),
        torch.tensor(given["labels"]),
        3 * unit([given["angle"]])[None],
    )
    if case["what"] == "to centres":
        assert_close((unit([given["angle"]]) - centres).square().sum(1), case["value"])
        return
    margins = Centres(((centres, labels),), (given["k"],), 2)(z)[0, 0]
    assert_close(margins if case["what"] == "margins" else margins.argmax(), case["value"])


def test_one_centre_per_class_and_all_of_them_is_the_nearest_centre() -> None:
    chance = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(4, 3, generator=chance, **DOUBLE), dim=1)
    z = torch.nn.functional.normalize(torch.randn(1, 60, 3, generator=chance, **DOUBLE), dim=2)
    margins = Centres(((centres, torch.arange(4)),), (4,), 4)(z)
    assert torch.equal(margins.argmax(2)[0], torch.cdist(z[0], centres).argmin(1))
    absent = Centres(((centres, torch.tensor([0, 1, 1, 0])),), (4,), 3)(z)
    assert torch.isfinite(absent).all() and bool((absent.argmax(2) != 2).all())  # a class without a centre loses


def test_the_losss_gradient_and_a_class_of_one_cluster() -> None:
    chance = torch.Generator().manual_seed(0)
    z = torch.randn(2, 6, 5, 3, generator=chance, **DOUBLE, requires_grad=True)
    y = torch.tensor([0, 0, 0, 0, 1]).repeat(2, 6, 1)
    y[:, 4:, 2] = 1  # these have a row of another class for p-
    margins = [torch.tensor([[0.1], [0.3]], **DOUBLE), 0.2, 0.4]
    rows = z / z.norm(dim=3, keepdim=True)
    d = (rows[:, :, :1] - rows[:, :, 1:]).square().sum(3)
    one, two, three = (d[..., 0] - d[..., 1], d[..., 1] - d[..., 2], d[..., 2] - d[..., 3])
    whole = [
        (m + part).clamp(min=0) for m, part in zip((torch.tensor([[0.1], [0.3]]), 0.2, 0.4), (one, two, three), strict=True)
    ]
    right = torch.cat([sum(whole)[:, :4], whole[2][:, 4:]], 1)  # type: ignore[index]
    found = quintuplet_losses(z, y, margins)
    assert torch.allclose(found, right, rtol=0, atol=1e-7)
    gradients = [torch.autograd.grad(value.sum(), z, retain_graph=True)[0] for value in (found, right)]
    assert torch.allclose(*gradients, rtol=0, atol=1e-7) and not gradients[0][:, 4:, 2].any()


def test_numbers_of_clusters() -> None:
    assert [count_clusters(n, 20) for n in (1, 9, 29, 31, 400, 5000)] == [1, 1, 1, 2, 20, 20]


def test_k_means_finds_what_is_apart_and_ends_with_equal_rows() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], (30, 20, 10))
    z = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 9.0]])[truth] + 0.1 * rng.normal(size=(60, 2))
    own, centres = find_clusters(z, 3, np.random.default_rng(1))
    assert len({(a, b) for a, b in zip(truth, own, strict=True)}) == 3 and len(centres) == 3
    for k in range(3):
        assert_close(centres[k], z[own == k].mean(0))
    own, centres = find_clusters(np.ones((7, 2)), 4, rng)
    assert own.tolist() == [0] * 7 and centres.tolist() == [[1.0, 1.0]]
    number, centres, labels = cluster_classes(z, np.minimum(truth, 1), 3, 20, rng)
    assert labels.tolist() == [0, 0, 1, 1] and (labels[number] == np.minimum(truth, 1)).all() and len(centres) == 4


def test_the_table_of_quintuplets_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], (14, 8, 1))
    z = rng.normal(size=(23, 3))
    clusters, _, _ = cluster_classes(z, y, 3, 5, rng)
    candidates = np.sort(np.concatenate([rng.permutation(14)[:7], 14 + rng.permutation(8)[:4], [22]]))
    table = make_table(z, y, clusters, candidates)
    apart = np.square(z[:, None] - z).sum(2)
    for i in range(23):
        same = [j for j in candidates if y[j] == y[i]]
        inside, beside = ([j for j in same if (clusters[j] == clusters[i]) == own] for own in (True, False))
        other = min((j for j in candidates if y[j] != y[i]), key=lambda j: apart[i, j])
        far, own = (max(group, key=lambda j: apart[i, j], default=i) for group in (same, inside))
        near = min(beside, key=lambda j: apart[i, j], default=other)
        assert table[i].tolist() == [i, own, near, far, other]
    assert table[22, 1] == table[22, 3] == 22 and y[table[22, 2]] != 2  # alone in its class


def test_candidates_are_half_of_every_class() -> None:
    y = np.repeat([0, 1, 2], (200, 20, 1))
    some = draw_candidates(y, 0.5, np.random.default_rng(0))
    assert np.bincount(y[some]).tolist() == [100, 10, 1]
    assert len(draw_candidates(y[:199], 0.5, np.random.default_rng(0))) == 199
    assert len(draw_candidates(np.zeros(50_000, np.int64), 0.5, np.random.default_rng(0))) == 2000


def test_batches_are_quintuplets_and_narrow_with_the_stack() -> None:
    on = task(blobs((101, 41)))
    method = LMLE(**SMALL)

    def begin() -> Quintuplets:
        net = method.create(on)
        draws = [numpy_stream(0, "clusters", r.seed, r.fold) for r in on.replicates]
        anchors: Balanced = method.anchors(on)
        return Quintuplets(anchors, method.step(net, on, cross_entropy), on.train, 2, draws, size=8, share=0.5, every=2)

    batches = begin()
    wanted = batches.per_pass()
    plan = batches.take(wanted, torch.device("cpu"))
    r = 3
    five = on.train.y[r][plan.index[r][plan.mask[r]]].view(-1, 5)
    assert bool((five[:, 0] == five[:, 1]).all() and (five[:, 0] == five[:, 3]).all() and (five[:, 0] != five[:, 4]).all())
    assert batches.fewest == 5 * 20 and plan.widths == [100] * max(wanted)
    first = batches.tables
    batches.take(wanted, torch.device("cpu"))
    assert all(a is b for a, b in zip(first, batches.tables, strict=True))
    later = batches.take(wanted, torch.device("cpu"))
    assert not any(a is b for a, b in zip(first, batches.tables, strict=True))  # made anew
    again = begin()
    for _ in range(2):
        again.take(wanted, torch.device("cpu"))
    index = torch.tensor([3, 1])
    again.select(index)
    again.step.net = again.step.net.select(index)
    part = again.take([wanted[3], wanted[1]], torch.device("cpu"))
    for place, r in enumerate((3, 1)):
        assert torch.equal(part.index[place][part.mask[place]], later.index[r][later.mask[r]])
    objective = QuintupletObjective(None, [torch.arange(6.0).unsqueeze(1), 0.1, 0.1])
    objective.select(index)
    assert objective.margins[0].tolist() == [[3.0], [1.0]] and objective.margins[1:] == [0.1, 0.1]  # type: ignore[union-attr]


@pytest.mark.parametrize("counts", [(90, 40), (70, 40, 20)])
def test_training_brings_the_loss_down_and_the_head_is_the_final_features_centres(counts: tuple[int, ...]) -> None:
    on, notes = task(blobs(counts), seeds=1, ratio=None), []
    method = LMLE(**SMALL | {"head_epochs": 12, "refresh": 6})
    fitted = finish(method.fit(on, camera=Camera(on, 0)), notes.append)
    assert any(isinstance(e, Note) and "no probabilities" in e.text for e in notes)
    assert isinstance(fitted.net, WithHead) and isinstance(fitted.net.classify, Centres) and fitted.earlier is not None
    plain = {k: SMALL[k] for k in ("hidden", "epochs", "batch")}
    assert torch.equal(fitted.earlier.flat, finish(CE(**plain).fit(on, camera=Camera(on, 0))).net.flat)

    def loss(net: Any) -> float:
        total = 0.0
        for z, y in list_features(net, on.train):
            clusters, _, _ = cluster_classes(z, y, len(counts), 8, np.random.default_rng(0))
            five = torch.from_numpy(make_table(z, y, clusters, np.arange(len(y))))
            total += float(
                quintuplet_losses(torch.from_numpy(z)[five][None], torch.from_numpy(y)[five][None], [0.1] * 3).mean()
            )
        return total

    assert loss(fitted.net) < loss(fitted.earlier)
    centres, labels = fitted.net.classify.kept[1]
    assert fitted.net.classify.k[1] == max(1, len(centres) // 3) and sorted(set(labels.tolist())) == list(range(len(counts)))


def test_images_and_what_needs_a_hidden_layer() -> None:
    on = task(pictures(), folds=2, seeds=1, ratio=None, dtype=torch.float32)
    fitted = finish(LMLE(epochs=1, batch=16, head_epochs=1, augment=True).fit(on, camera=Camera(on, 0)))
    assert torch.isfinite(fitted.net(on.test.x)).all()
    with pytest.raises(BadParameter, match="needs a hidden layer"):
        LMLE(hidden=()).create(task())
