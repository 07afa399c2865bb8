"""The triplet loss: its numbers by hand, its choice of positives and negatives, and what it does to a network."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.data.prepare import encode, fit_scale
from engine.errors import BadData, BadParameter
from engine.events import Note, finish
from engine.export import load_model
from engine.export.pipeline import Pipeline
from engine.export.write import model_bytes
from engine.methods.triplet import Triplet
from engine.models.feature_classifiers import Normalised
from engine.models.net import WithHead
from engine.training.camera import Camera
from engine.training.class_means import write_means
from engine.training.loop import Batch
from engine.training.triplets import TripletObjective, choose_triplets, rarity_weights, squared_distances, triplet_loss
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task

SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 6, "batch": 20}
DOUBLE = {"dtype": torch.float64}


def read(case: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """(raw rows [1, B, 2], labels, mask)."""
    z, y = torch.tensor([case["input"]["z"]], **DOUBLE), torch.tensor([case["input"]["y"]])
    return z, y, torch.ones_like(y, dtype=torch.bool)


@pytest.mark.parametrize("case", read_cases("triplet", "distances", "loss", "gradients", "unsquared", "squared"))
def test_one_triplet(case: dict[str, Any]) -> None:
    """Rows 0, 1, 2 are the anchor, its positive, its negative; the anchor alone has a weight."""
    z, y, mask = read(case)
    z.requires_grad_()
    unit = torch.nn.functional.normalize(z, dim=2)[0]
    loss = triplet_loss(z, y, mask, torch.zeros_like(z[..., 0]), margin=0.2, weights=torch.tensor([[1.0, 0.0, 0.0]], **DOUBLE))
    if case["what"] == "distances":
        found: Any = squared_distances(unit[None])[0, 0, 1:]
    elif case["what"] == "gradients":
        (found,) = torch.autograd.grad(loss.sum(), z)
        found = found[0]
    elif case["what"] == "unsquared":  # torch's own takes distances, not their squares
        found = torch.nn.functional.triplet_margin_loss(*unit.split(1), margin=0.2, eps=0)
    elif case["what"] == "squared":
        squared = torch.nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).square().sum(1), margin=0.2)
        found = squared(*unit.split(1))
        assert_close(found.detach(), loss[0].detach())
    else:
        found = loss[0]
    assert_close(found.detach(), case["value"])


@pytest.mark.parametrize("case", read_cases("triplet", "chosen", "mean"))
def test_all_pairs_of_a_batch(case: dict[str, Any]) -> None:
    """Chances of a quarter and of three quarters reach both positives of a class of three; one of two has one, reached twice."""
    z, y, mask = read(case)
    unit = torch.nn.functional.normalize(z, dim=2)
    found = set()
    for chance in (0.25, 0.75):
        positive, negative, valid = choose_triplets(unit, y, mask, torch.full_like(z[..., 0], chance))
        assert bool(valid.all())
        found |= {(a, int(positive[0, a]), int(negative[0, a])) for a in range(5)}
    if case["what"] == "chosen":
        assert found == {tuple(three) for three in case["value"]}
        return
    weights = torch.tensor(case["input"]["weights"], **DOUBLE)[y[0]]
    total = weight = 0.0
    for a, p, n in found:
        hinge = (0.2 + (unit[0, a] - unit[0, p]).square().sum() - (unit[0, a] - unit[0, n]).square().sum()).clamp(min=0)
        total, weight = total + weights[a] * hinge, weight + weights[a]
    assert_close(total / weight, case["value"])


@pytest.mark.parametrize("case", read_cases("triplet", "weights"))
def test_weights_of_classes(case: dict[str, Any]) -> None:
    assert_close(rarity_weights(torch.tensor(case["input"])), case["value"])
    assert rarity_weights(torch.tensor([[8, 0, 2]])).tolist() == [[0.4, 0.0, 1.6]]


def test_the_loss_and_its_gradient_are_those_of_the_formula_in_a_loop() -> None:
    chance = torch.Generator().manual_seed(0)
    z = torch.randn(2, 9, 4, generator=chance, **DOUBLE, requires_grad=True)
    y, mask = torch.randint(3, (2, 9), generator=chance), torch.arange(9) < torch.tensor([[9], [7]])
    draws, weights = torch.rand(2, 9, generator=chance, **DOUBLE), torch.rand(2, 9, generator=chance, **DOUBLE)
    found = triplet_loss(z, y, mask, draws, margin=torch.tensor([[0.2], [0.5]], **DOUBLE), weights=weights)
    right = []
    for r, (n, margin) in enumerate(((9, 0.2), (7, 0.5))):
        unit = [z[r, i] / z[r, i].norm() for i in range(n)]
        top, below = torch.zeros((), **DOUBLE), 0.0
        for a in range(n):
            same = [i for i in range(n) if i != a and y[r, i] == y[r, a]]
            other = [i for i in range(n) if y[r, i] != y[r, a]]
            if not same or not other:
                continue
            apart = [(unit[a] - unit[i]).square().sum() for i in range(n)]
            p = same[int(draws[r, a] * len(same))]
            semi = [i for i in other if apart[i] > apart[p]]
            chosen = min(semi, key=lambda i: apart[i]) if semi else max(other, key=lambda i: apart[i])
            top = top + weights[r, a] * (margin + apart[p] - apart[chosen]).clamp(min=0)
            below += float(weights[r, a])
        right.append(top / below)
    both = torch.stack(right)
    assert torch.allclose(found, both, rtol=0, atol=1e-12)
    one, other_way = (torch.autograd.grad(value.sum(), z, retain_graph=True)[0] for value in (found, both))
    assert torch.allclose(one, other_way, rtol=0, atol=1e-12) and not one[1, 7:].any()


def test_rows_without_a_partner_drop_out_and_a_row_of_zeros_is_finite() -> None:
    z = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.5, 0.5], [0.0, 1.0]]], **DOUBLE, requires_grad=True)
    y, mask = torch.tensor([[0, 0, 0, 1]]), torch.ones(1, 4, dtype=torch.bool)
    *_, valid = choose_triplets(z.detach(), y, mask, torch.zeros(1, 4))
    assert valid.tolist() == [[True, True, True, False]]  # the one row of class 1 is a negative alone
    loss = triplet_loss(z, y, mask, torch.zeros(1, 4), margin=0.2)
    assert torch.isfinite(torch.autograd.grad(loss.sum(), z)[0]).all()
    alone = triplet_loss(z, torch.zeros_like(y), mask, torch.zeros(1, 4), margin=0.2)
    assert alone.tolist() == [0.0] and not torch.autograd.grad(alone.sum(), z)[0].any()


def test_features_after_relu_lie_within_2_of_each_other() -> None:
    z = torch.nn.functional.normalize(torch.rand(1, 40, 5, generator=torch.Generator().manual_seed(0)), dim=2)
    assert float(squared_distances(z).min()) >= 0 and float(squared_distances(z).max()) <= 2 + 1e-6


def test_the_last_layer_is_the_class_means_of_the_replicates_that_ended() -> None:
    on = task(blobs((61, 34, 23)))
    net = Triplet(**SMALL).create(on)
    before, ended = net.flat.clone(), torch.arange(len(net.flat)) % 2 == 0
    write_means(net, on.train, ended)
    assert torch.equal(net.flat[~ended], before[~ended])
    z = torch.nn.functional.normalize(net.embed(on.train.x), dim=2)
    for r in torch.nonzero(ended).squeeze(1).tolist():
        for c in range(3):
            own = z[r][on.train.mask[r] & (on.train.y[r] == c)]
            assert_close(net.head_weights()[r, :, c], own.mean(0))
    scores = net(on.test.x)
    assert float(scores.abs().max()) <= 1 + 1e-9  # cosines


def test_positives_are_drawn_per_replicate_from_its_own_stream() -> None:
    on = task(blobs((61, 34, 23)))
    both = [torch.Generator().manual_seed(r) for r in range(2)]
    mask = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    batch = Batch(on.train.x[:2, :4], on.train.y[:2, :4], mask, torch.ones(2, dtype=torch.bool), 0)
    objective = TripletObjective(None, both, margin=0.2, weights=None)
    objective(batch)
    first = objective.drawn
    assert (
        not first[1, 2:].any()
        and first[0].tolist() == torch.rand(4, generator=torch.Generator().manual_seed(0), **DOUBLE).tolist()
    )
    objective.select(torch.tensor([1]))
    objective(Batch(batch.x[1:], batch.y[1:], mask[1:], batch.alive[1:], 1))
    again = torch.Generator().manual_seed(1)
    torch.rand(2, generator=again, **DOUBLE)
    assert objective.drawn[0, :2].tolist() == torch.rand(2, generator=again, **DOUBLE).tolist()


def test_it_brings_rows_of_a_class_together() -> None:
    on = replace(task(blobs((90, 60, 30)), ratio=None), held_out=False)  # the last epoch
    method = Triplet(**SMALL | {"epochs": 30, "learning_rate": 0.02})
    fitted = finish(method.fit(on, camera=Camera(on, 0)))
    assert isinstance(fitted.net, WithHead) and isinstance(fitted.net.classify, Normalised) and fitted.earlier is not None

    def spread(net: Any) -> float:
        """Mean distance within classes over that between them, of training rows."""
        rows = on.train
        z = torch.nn.functional.normalize(net.embed(rows.x), dim=2)
        apart, same = squared_distances(z), rows.y.unsqueeze(2) == rows.y.unsqueeze(1)
        there = rows.mask.unsqueeze(2) & rows.mask.unsqueeze(1)
        return float(apart[same & there].mean() / apart[~same & there].mean())

    assert spread(fitted.net) < 0.9 * spread(method.create(on))
    means = finish(Triplet(**SMALL, classifier="means").fit(on, camera=Camera(on, 0))).net
    assert means.cosine and torch.isfinite(means(on.test.x)).all()


def test_a_model_file_with_features_of_an_unknown_kind_is_refused() -> None:
    data = blobs((90, 40))
    on = task(data, seeds=1, ratio=None, dtype=torch.float32)
    net = finish(Triplet(**SMALL).fit(on, camera=Camera(on, 0))).net
    scale = fit_scale(encode(data)[0], len(data.numeric_names), on.source[0])
    saved = io.BytesIO(model_bytes(net, Pipeline.of(data, scale), classes=data.classes))
    load_model(saved)
    other = io.BytesIO()
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(other, "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, whole.read(name).replace(b'"normalised": true', b'"normalised": 1'))
    with pytest.raises(BadData, match="features are unknown"):
        load_model(other)


def test_a_batch_has_two_rows_of_every_class_and_at_most_512() -> None:
    on, notes = task(blobs((61, 34, 23)), seeds=1), []
    assert [Triplet(batch=n).batch_rows(on) for n in (2, 100, 512, 4096)] == [6, 100, 512, 512]
    finish(Triplet(**SMALL | {"epochs": 1, "batch": 600}).fit(on, camera=Camera(on, 0)), notes.append)
    assert [e.text for e in notes if isinstance(e, Note)] == [
        "A batch has 512 rows, not 600: the triplet loss compares all of them."
    ]


def test_its_options_on_images_and_what_needs_a_hidden_layer() -> None:
    on = task(pictures(), folds=2, seeds=1, ratio=None, dtype=torch.float32)
    for how in ({"augment": True}, {"resample": False, "costs": False}):
        fitted = finish(Triplet(epochs=1, batch=32, **how).fit(on, camera=Camera(on, 0)))
        assert torch.allclose(fitted.net(on.test.x).softmax(-1).sum(2), torch.ones(on.test.y.shape))
    with pytest.raises(BadParameter, match="needs a hidden layer"):
        Triplet(hidden=()).create(task())
