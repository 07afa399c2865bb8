"""OLTR's memory head: its numbers by hand, its gradients as released and right, and what it does to a network."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.analysis.sample import TEST, make_features_artifact
from engine.data.prepare import encode, fit_scale
from engine.errors import BadInput
from engine.events import finish
from engine.export import load_model
from engine.export.onnx import to_onnx
from engine.export.pipeline import Pipeline
from engine.export.write import model_bytes
from engine.losses import cross_entropy
from engine.methods.ce import CE
from engine.methods.oltr import OLTR, MemorySGD, begin_memory
from engine.models.memory import Memory, MemoryHead, attract_gradient, attract_loss, repel_loss
from engine.models.net import WithHead
from engine.runner.features import extract_features
from engine.training.camera import Camera
from engine.training.heads import embedded
from engine.training.loop import Batch
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 6, "batch": 20, "head_epochs": 4}
DOUBLE = {"dtype": torch.float64}


def tensor(values: Any) -> Tensor:
    return torch.tensor(values, **DOUBLE).unsqueeze(0)


@pytest.mark.parametrize(
    "case",
    read_cases(
        "oltr", "attract", "repel", "features", "row", "mean", "released mean", "released features", "gradient of features"
    ),
)
def test_feature_losses(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    v, y, means = tensor(given["v"]).requires_grad_(), torch.tensor([given["y"]]), tensor(given["means"]).requires_grad_()
    weights = torch.full(y.shape, 1 / y.shape[1], **DOUBLE)
    attract, repel = attract_loss(v, y, means, weights), repel_loss(v, y, means, weights)
    if what in ("attract", "repel", "features"):
        assert_close({"attract": attract, "repel": repel, "features": attract + 0.01 * repel}[what].item(), case["value"])
        return
    at_rows, at_means = attract_gradient(v, y, means, weights, released="released" in what)
    if "features" in what:
        at_means = at_means + 0.01 * torch.autograd.grad(repel.sum(), means)[0]
    found = at_means if "features" in what else at_rows[:, given["of"]] if what == "row" else at_means[:, given["of"]]
    assert_close(found[0].detach(), case["value"])


def test_the_gradient_that_attracts_is_autograds() -> None:
    chance = torch.Generator().manual_seed(0)
    v, means = (torch.randn(2, n, 3, generator=chance, **DOUBLE, requires_grad=True) for n in (7, 4))
    y, mask = torch.randint(4, (2, 7), generator=chance), torch.arange(7) < torch.tensor([[7], [5]])
    weights = mask.double() / mask.sum(1, keepdim=True)
    right = torch.autograd.grad(attract_loss(v, y, means, weights).sum(), (v, means))
    for one, other in zip(attract_gradient(v, y, means, weights), right, strict=True):
        assert_close(one.detach(), other)


def make_head(given: dict[str, Any]) -> MemoryHead:
    parts = {name: tensor(given[name]) for name in ("attend", "select", "means", "weights")}
    biases = {name: tensor([given[name]]) for name in ("attend_bias", "select_bias")}
    return MemoryHead(**parts, **biases, floor=tensor([[given["floor"]]]), there=torch.ones(1, 3, dtype=torch.bool))


@pytest.mark.parametrize(
    "case", read_cases("oltr", "attention", "memory", "taken", "gamma", "enriched", "logits", "loss", "gradient")
)
def test_the_head(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    head, v = make_head(given), tensor([given["v"]]).requires_grad_()
    memory, taken = head.attention(v) @ head.means, torch.tanh(v @ head.select + head.select_bias)
    if what in ("loss", "gradient"):
        loss = cross_entropy(head(v), torch.tensor([[given["y"]]]))
        found = loss[0, 0] if what == "loss" else torch.autograd.grad(loss.sum(), v)[0][0, 0]
    elif what == "gamma":
        found = (head.enrich(v) / (v + taken * memory))[0, 0, 0]
    else:
        found = {
            "attention": head.attention(v),
            "memory": memory,
            "taken": taken,
            "enriched": head.enrich(v),
            "logits": head(v),
        }[what][0, 0]
    assert_close(found.detach(), case["value"])


def test_all_attention_on_one_class_returns_its_mean_and_logits_stay_below_16() -> None:
    (case,) = (param.values[0] for param in read_cases("oltr", "attention"))
    head = make_head({**case["input"], "attend_bias": [0.0, 1e4, 0.0]})
    v = 100 * torch.randn(1, 50, 2, generator=torch.Generator().manual_seed(0), **DOUBLE)
    assert_close((head.attention(v) @ head.means)[0, 0], case["input"]["means"][1])
    assert float(head(v).abs().max()) < 16


def test_a_class_without_rows_has_no_place_in_the_memory() -> None:
    (case,) = (param.values[0] for param in read_cases("oltr", "attention"))
    whole = make_head(case["input"])
    head = MemoryHead(**{**vars(whole), "there": torch.tensor([[True, True, False]])})
    v = tensor([case["input"]["v"], [-1.0, -1.0]])  # the second is the absent class's mean
    assert bool((head.attention(v)[..., 2] == 0).all()) and bool(torch.isfinite(head(v)).all())
    assert head.enrich(v)[0, 1].norm() < whole.enrich(v)[0, 1].norm() / 100


def begun(**how: Any) -> tuple[Memory, Any, Any]:
    on = task(blobs((61, 34, 23)), ratio=None)
    net = finish(CE(**{k: v for k, v in SMALL.items() if k != "head_epochs"}).fit(on, camera=Camera(on, 0))).net
    rows = embedded(net, on.train)
    return begin_memory(net, rows, on), rows, on


@pytest.mark.parametrize("learn", ["no", "yes", "as released"])
def test_a_steps_gradient(learn: str) -> None:
    memory, rows, _ = begun()
    step = MemorySGD(memory, rate=0.1, decay=0.0, learn=learn)
    batch = Batch(rows.x, rows.y, rows.mask, torch.ones(len(rows.y), dtype=torch.bool), 0)
    _, gradient = step.gradient(batch)
    weights = rows.mask.double() / rows.mask.sum(1, keepdim=True)

    def whole(net: Any) -> Tensor:
        means = net.make_head().means
        features = attract_loss(rows.x, rows.y, means, weights) + 0.01 * repel_loss(rows.x, rows.y, means, weights)
        return (cross_entropy(net.head(rows.x), rows.y) * weights).sum(1) + 0.01 * features

    right, at = memory.derive(whole)[1], memory.places
    if learn == "as released":
        pair = [attract_gradient(rows.x, rows.y, memory.make_head().means, weights, released=how)[1] for how in (True, False)]
        right[:, at] += 0.01 * (pair[0] - pair[1]).flatten(1)
    right[:, at] *= 0.0 if learn == "no" else 0.1
    assert torch.allclose(gradient, right, rtol=0, atol=1e-12) and bool(gradient.any())


def test_it_begins_with_the_means_and_the_last_layer_of_plain_training() -> None:
    memory, rows, on = begun()
    head = memory.make_head()
    for r in range(len(on.replicates)):
        for c in range(3):
            own = rows.x[r][rows.mask[r] & (rows.y[r] == c)]
            assert_close(head.means[r, c], own.mean(0))
        assert_close((rows.x[r] @ head.attend[r] + head.attend_bias[r]).softmax(-1), memory.base.head(rows.x)[r].softmax(-1))
    one = memory.select(torch.tensor([2]))
    assert torch.equal(one(on.test.x[2:3])[0], memory(on.test.x)[2]) and torch.equal(memory.first(2).flat, memory.flat[:2])


def test_training_changes_the_head_alone_and_lowers_the_loss() -> None:
    on = task(blobs((61, 34, 23)), ratio=None)
    fitted = finish(OLTR(**SMALL).fit(on, camera=Camera(on, 0)))
    memory, rows, _ = begun()
    assert isinstance(fitted.net, WithHead) and fitted.earlier is not None
    assert torch.equal(fitted.net.flat, fitted.earlier.flat)
    head = fitted.net.classify
    assert isinstance(head, MemoryHead) and torch.equal(head.means, memory.make_head().means)

    def loss(net: Any) -> Tensor:
        return (cross_entropy(net.head(rows.x), rows.y) * rows.mask).sum() / rows.mask.sum()

    assert loss(fitted.net) < loss(memory)


def test_a_model_file_keeps_the_memory() -> None:
    data = blobs((90, 40, 20))
    on = task(data, seeds=1, ratio=None, dtype=torch.float32)
    fitted = finish(OLTR(**SMALL).fit(on, camera=Camera(on, 0)))
    scale = fit_scale(encode(data)[0], len(data.numeric_names), on.source[1])
    model = load_model(io.BytesIO(model_bytes(fitted.net, Pipeline.of(data, scale), classes=data.classes, replicate=1)))
    now = model.predict_proba({name: data.numeric[on.test_source[1], i] for i, name in enumerate(data.numeric_names)})
    assert_close(now, fitted.net(on.test.x)[1][on.test.mask[1]].double().softmax(-1), 1e-6)
    with pytest.raises(BadInput, match="memory of class means has no ONNX file"):
        to_onnx(model)


@pytest.mark.parametrize("balanced", [True, False])
def test_its_class_shares_are_those_of_its_batches(balanced: bool) -> None:
    on = task(blobs((61, 34, 23)), seeds=1, ratio=None)
    method = OLTR(**SMALL, balanced=balanced)
    shares = method.class_shares(on, finish(method.fit(on, camera=Camera(on, 0))))
    assert_close(shares, torch.ones(3, 3) if balanced else on.train.counts(3))


def test_features_keep_what_every_row_takes_of_the_memory() -> None:
    on = task(blobs((61, 34, 23)), ratio=None)
    fitted = finish(OLTR(**SMALL).fit(on, camera=Camera(on, 0)))
    assert isinstance(fitted.net, WithHead) and isinstance(fitted.net.classify, MemoryHead)
    shares = fitted.net.classify.attention(fitted.net.embed(on.test.x))
    for r, one in enumerate(extract_features(on, fitted)):
        assert one.test.attention is not None
        assert_close(one.test.attention, shares[r][on.test.mask[r]])
        kept = make_features_artifact(one.train, one.test, None, classes=3, rng=np.random.default_rng(0), most=(30, 15, 0))
        assert kept["attention"].shape == (45, 3) and kept["attention"].dtype == np.float32
        assert_close(kept["attention"].sum(1), np.ones(45), 1e-6)
        known = dict(zip(on.test_source[r].tolist(), one.test.attention, strict=True))
        at = kept["part"] == TEST
        assert_close(kept["attention"][at], [known[row] for row in kept["row"][at].tolist()], 1e-6)
    plain = finish(CE(hidden=(16,), epochs=2, batch=20).fit(on, camera=Camera(on, 0)))
    assert all(one.train.attention is None for one in extract_features(on, plain))
