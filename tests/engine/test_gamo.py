"""GAMO: its numbers by hand, its rows as means of real ones, its classifier, and its door to imbalanced-learn."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks
from scipy.optimize import nnls
from torch import Tensor, nn

from engine.analysis.gap import compute_gap
from engine.events import Epoch, Frame, Note, Scene, finish
from engine.losses import cross_entropy
from engine.methods.gamo import GAMO
from engine.models.generators import gamo
from engine.models.generators.adversarial import Pixels, Standardised, Streams, Unscaled, new_adam
from engine.models.mlp import MLP
from engine.models.net import WithHead
from engine.runner.generated import make_generated_artifact
from engine.samplers import GAMO as Resampled
from engine.seeds import numpy_stream, torch_stream
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task

F64 = torch.float64
SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 3, "batch": 20, "steps": 5, "head_epochs": 2}


@pytest.fixture(autouse=True)
def nothing_kept():
    network_cache.clear()
    yield
    network_cache.clear()


def new(counts: tuple[int, ...] = (40, 12, 4), **changes: Any) -> gamo.GAMO:
    data = blobs(counts)
    own = Streams(*(torch_stream(0, name) for name in ("gen-init", "gen-batch", "gen-noise")))
    return gamo.GAMO(
        torch.from_numpy(data.numeric), torch.from_numpy(data.y), len(counts), gamo.Options(**{"steps": 4} | changes), own
    )


def train(one: gamo.GAMO) -> list[dict[str, float]]:
    (stage,) = one.stages
    values = [{name: float(v) for name, v in stage.step().items()} for _ in range(stage.steps)]
    stage.end()
    return values


def fit(on: Any, frames: int = 0, **changes: Any) -> tuple[list[Any], Fitted]:
    events: list[Any] = []
    return events, finish(GAMO(**SMALL | changes).fit(on, camera=Camera(on, frames)), events.append)


# ---- the card's numbers


def slope(loss: Any, z: Tensor) -> list[float]:
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z), z)
    return gradient.flatten().tolist()


def weigh(logits: Tensor, rows: list[list[float]]) -> tuple[Tensor, Tensor]:
    """Weights and row of a generator whose shared part says nothing and whose unit's biases are the logits."""
    one = gamo.GAMO(
        torch.tensor([*rows, *[[9.0, 9.0]] * 4], dtype=F64), torch.tensor([1, 1, 1, 0, 0, 0, 0]), 2, gamo.Options(), streams()
    )
    one.generator.eval()
    unit = one.generator.units["1"]
    h = torch.zeros(1, unit.in_features, dtype=F64)
    weights = (nn.functional.linear(h, unit.weight, logits)).softmax(1)
    with torch.no_grad():
        unit.bias.copy_(logits)
        for p in one.generator.shared.parameters():
            p.zero_()
        unit.weight.zero_()
        x, (own,) = one.make_rows(torch.zeros(1, 100, dtype=F64), torch.tensor([1]))
    assert torch.equal(own, weights.detach())
    return own[0], x[0]


def streams(seed: int = 0) -> Streams:
    return Streams(*(torch_stream(seed, name) for name in ("gen-init", "gen-batch", "gen-noise")))


def slope_of_row(given: dict[str, Any]) -> list[float]:
    """d x_1 / d logit through the class's own unit, by autograd."""
    one = gamo.GAMO(
        torch.tensor([*given["rows"], *[[9.0, 9.0]] * 4], dtype=F64),
        torch.tensor([1, 1, 1, 0, 0, 0, 0]),
        2,
        gamo.Options(),
        streams(),
    )
    one.generator.eval()
    unit = one.generator.units["1"]
    with torch.no_grad():
        unit.weight.zero_()
        unit.bias.copy_(torch.tensor(given["logits"], dtype=F64))
    x, _ = one.make_rows(torch.zeros(1, 100, dtype=F64), torch.tensor([1]))
    (gradient,) = torch.autograd.grad(x[0, 0], unit.bias)
    return gradient.tolist()


def enlarge(shared: int, ks: list[int]) -> list[float]:
    """The k-th step of an Adam whose count of steps advances `shared` times as fast, over that of one player's own Adam."""
    out = []
    parameters = [nn.Parameter(torch.zeros(1, dtype=F64)) for _ in range(2)]
    own, other = (new_adam([p], 1.0) for p in parameters)
    for k in range(1, max(ks) + 1):
        before = [p.item() for p in parameters]
        for p in parameters:
            p.grad = torch.ones(1, dtype=F64)
        if k > 1:
            other.state[parameters[1]]["step"].fill_(shared * k - 1)
        own.step()
        other.step()
        moved = [p.item() - b for p, b in zip(parameters, before, strict=True)]
        if k == 1:  # the state is there only after the first step, whose size the count alone decides
            moved[1] = moved[0] * ((1 - 0.999**shared) / (1 - 0.999)) ** 0.5 * (1 - 0.5) / (1 - 0.5**shared)
        if k in ks:
            out.append(round(moved[1] / moved[0], 2))
    return out


def ask(what: str, given: dict[str, Any]) -> Any:
    y = torch.zeros(1, dtype=torch.int64)
    if what in ("weights", "row"):
        return weigh(torch.tensor(given["logits"], dtype=F64), given["rows"])[what == "row"].tolist()
    if what == "fitted weights":
        rows = torch.tensor(given["rows"], dtype=F64)
        target = torch.cat([weigh(torch.tensor(given["logits"], dtype=F64), given["rows"])[1], torch.ones(1, dtype=F64)])
        weights, residual = nnls(torch.cat([rows, torch.ones(len(rows), 1, dtype=F64)], 1).T.numpy(), target.numpy())
        assert residual < 1e-12
        return weights
    if what == "slope":
        return slope_of_row(given)
    if what == "fool slope":
        return slope(lambda z: gamo.fool(z, y, given["loss"], given["against"]), torch.zeros(1, given["classes"], dtype=F64))
    if what == "judge slope":
        return slope(lambda z: gamo.judge(z, y, given["loss"]), torch.zeros(1, given["classes"], dtype=F64))
    if what == "tell slope":
        return slope(lambda z: gamo.tell(z, torch.tensor([given["target"]], dtype=F64), "ls"), torch.zeros(1, dtype=F64))[0]
    if what == "smoothed":  # Simpson's rule is exact for a square
        off = torch.tensor([0.0, gamo.SMOOTH / 2, gamo.SMOOTH], dtype=F64)
        each = [gamo.tell(torch.zeros(1, dtype=F64), (1 - u if given["real"] else u).view(1), "ls") for u in off]
        return float(each[0] + 4 * each[1] + each[2]) / 6
    if what == "fool":
        p = torch.tensor([given["p"]], dtype=F64)
        return float(gamo.fool((p / p.sum()).clamp(min=1e-30).log(), y, "ls", "complement"))
    if what == "law":
        return gamo.find_label_law(torch.tensor(given["counts"])).tolist()
    return enlarge(given["shared"], given["k"])


@pytest.mark.parametrize("case", read_cases("gamo"))
def test_the_cards_numbers(case: dict[str, Any]) -> None:
    assert_close(ask(case["what"], case["input"]), case["value"])


def test_the_other_losses() -> None:
    z, y = torch.tensor([[0.3, -1.0, 0.5]], dtype=F64), torch.tensor([2])
    p = z.softmax(1)[0]
    for loss, against in (("ls", "log"), ("ce", "complement")):
        assert gamo.fool(z, y, loss, against).item() == pytest.approx(-torch.log(1 - p[2]).item(), abs=1e-12)
    assert gamo.judge(z, y, "ce").item() == pytest.approx(-p[2].log().item(), abs=1e-12)
    assert gamo.tell(torch.tensor([0.4], dtype=F64), torch.ones(1, dtype=F64), "ce").item() == pytest.approx(
        np.log1p(np.exp(-0.4))
    )
    sure = torch.tensor([[0.0, 0.0, 90.0]], dtype=F64)  # the log of 1 - p stays finite
    assert gamo.fool(sure, y, "ls", "log").item() == pytest.approx(90 - np.log(2), abs=1e-9)


# ---- rows


def test_new_rows_leave_the_gap_as_it_was() -> None:
    one = new()
    train(one)
    made = one.draw({1: 20, 2: 30}, numpy_stream(0, "points"))
    x, y, rng = one.x.numpy(), one.y.numpy(), np.random.default_rng(0)
    fresh, fresh_y = rng.normal(size=(60, x.shape[1])), np.repeat([0, 1, 2], 20)
    before = compute_gap(x, y, fresh, fresh_y, 3)
    after = compute_gap(np.concatenate([x, made.x.numpy()]), np.concatenate([y, made.y.numpy()]), fresh, fresh_y, 3)
    assert bool((before.features.sum(1) > 0).all())
    np.testing.assert_allclose(after.features, before.features, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_new_rows_are_means_of_their_own_class(dtype: torch.dtype) -> None:
    one = new()
    one.x = one.x.to(dtype)
    for net in (one.generator, one.classifier, one.discriminator):
        net.to(dtype)
    train(one)
    made = one.draw({1: 20, 2: 30}, numpy_stream(0, "points"))
    assert made.y.tolist() == [1] * 20 + [2] * 30 and set(made.how) == {"alpha", "top"}
    alpha, top = made.how["alpha"], made.how["top"]
    assert bool((alpha >= 0).all()) and bool((alpha.diff(dim=1) <= 0).all())
    whole = made.y == 2  # of four rows all weights are kept
    assert torch.allclose(alpha[whole].sum(1), torch.ones(30, dtype=dtype), rtol=0, atol=1e-6)
    assert (
        bool((top[whole][:, :4] >= 52).all()) and bool((top[whole][:, 4] == -1).all()) and bool((alpha[whole][:, 4] == 0).all())
    )
    mean = (alpha[whole][:, :4].unsqueeze(2) * one.x[top[whole][:, :4]]).sum(1)
    assert torch.allclose(mean, made.x[whole], rtol=0, atol=1e-6)
    for c in (1, 2):
        weights = one.weigh(c, torch.randn(50, 100, generator=torch_stream(1, "noise"), dtype=F64).to(dtype))
        assert bool((weights >= 0).all()) and bool(((weights.sum(1) - 1).abs() < 1e-6).all())
        box = one.x[one.y == c]
        inside = (made.x[made.y == c] >= box.amin(0) - 1e-6) & (made.x[made.y == c] <= box.amax(0) + 1e-6)
        assert bool(inside.all())


@pytest.mark.parametrize("order", gamo.ORDERS)
@pytest.mark.parametrize("loss", gamo.LOSSES)
def test_the_same_streams_give_the_same_rows_and_the_largest_class_is_never_generated(order: str, loss: str) -> None:
    one, two = new(order=order, loss=loss), new(order=order, loss=loss)
    values = train(one)
    assert values == train(two) and all(np.isfinite(list(v.values())).all() for v in values)
    assert set(one.members) == {1, 2} and set(one.generator.units) == {"1", "2"}
    a, b = (g.draw({1: 5}, numpy_stream(0, "points")) for g in (one, two))
    assert torch.equal(a.x, b.x) and torch.equal(a.how["alpha"], b.how["alpha"])
    for v in values:
        assert 1 / 12 <= v["top_weight"] <= 1 and 1 <= v["effective_rows"] <= 12


def test_steps_of_the_players() -> None:
    """A joint step is one of the generator; released, two for each class. The other two step on real and on made rows."""
    for order, wanted in (("joint", 1), ("released", 4)):
        one = new(order=order)
        one.stages[0].step()
        counts = [next(iter(player.state.values()))["step"].item() for player in one.players]
        assert counts[1:] == [2.0, 2.0] and counts[0] == wanted
    two = new((40, 12))
    assert two.per_class == 16 and new((40, 12), batch=4).per_class == gamo.SINGLE
    assert new().per_class == 11


def test_nothing_of_a_generators_step_reaches_the_other_players() -> None:
    one = new()
    train(one)
    before = [p.clone() for net in (one.classifier, one.discriminator) for p in net.parameters()]
    for net in (one.classifier, one.discriminator):
        net.requires_grad_(False)
    one.generator.train()
    held = [p.clone() for p in one.generator.parameters()]
    one._step_together()
    after = [p for net in (one.classifier, one.discriminator) for p in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(held, one.generator.parameters(), strict=True))


def test_a_class_of_one_row_is_repeated() -> None:
    one = new((30, 5, 1))
    train(one)
    made = one.draw({2: 3}, numpy_stream(0, "points"))
    assert made.instead == {2: "copies"} and torch.equal(made.x, one.x[35:].expand(3, -1))
    assert made.how["alpha"].tolist() == [[1, 0, 0, 0, 0]] * 3 and made.how["top"].tolist() == [[35, -1, -1, -1, -1]] * 3


def test_equal_classes_have_nothing_to_generate() -> None:
    one = new((12, 12))
    assert one.stages[0].steps == 0 and len(one.draw({}, numpy_stream(0, "points")).y) == 0
    answering = new((12, 12), answers=True)
    assert [set(v) for v in train(answering)] == [{"m_loss", "d_loss", "g_loss"}] * 4


# ---- the method


@pytest.mark.parametrize("make", [Unscaled, lambda: Standardised(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))])
def test_scales_are_straight_lines(make: Any) -> None:
    scale, x = make(), torch.tensor([[0.3, 0.7], [1.0, 2.0]])
    slope, shift = scale.line(x)
    assert torch.allclose(scale.enter(x), x * slope + shift) and torch.allclose(scale.leave(scale.enter(x)), x)
    grey = Pixels(torch.tensor([0.4]), torch.tensor([0.2]))
    slope, shift = grey.line(x)
    assert torch.allclose(grey.enter(x), x * slope + shift)


@pytest.mark.parametrize("data", [blobs((61, 34, 23)), pictures()], ids=["table", "images"])
def test_its_own_classifier_is_the_answer(data: Any) -> None:
    on = task(data, folds=2, seeds=1, ratio=4.0)
    events, fitted = fit(on, frames=4, role="classifier")
    assert isinstance(fitted.net, MLP) and fitted.net.activation == "leaky" and fitted.net.sizes[1:] == (256, 128, 3)
    assert {e.phase for e in events if isinstance(e, Epoch)} == {"generator"} and fitted.epoch.tolist() == [5, 5]
    assert [e.phase for e in events if isinstance(e, Frame)][-1] == "chosen"
    method = GAMO(**SMALL, role="classifier")
    scale, own = (
        method.scale_rows(on, 1, on.train),
        [torch_stream(on.seed, f"gen-{n}", 0, 1) for n in ("init", "batch", "noise")],
    )
    x, y = on.train.x[1][on.train.mask[1]], on.train.y[1][on.train.mask[1]]
    alone = method.make_generator(scale.enter(x), y, on, Streams(*own))
    train(alone)
    assert torch.allclose(alone.classifier(scale.enter(x)), fitted.net(on.train.x)[1][on.train.mask[1]], rtol=0, atol=1e-9)
    assert fitted.synthetic is not None and bool(fitted.synthetic.mask.any())
    shares = method.class_shares(on, fitted)
    assert bool((shares.argsort(1) == torch.tensor([0, 1, 2])).any()) and torch.allclose(
        shares.sum(1), torch.full((2,), 2.0, dtype=F64)
    )


def test_a_leaky_network_has_the_slopes_of_autograd() -> None:
    net = MLP.create(
        (3, 7, 5, 3), "leaky", [torch_stream(0, "init"), torch_stream(1, "init")], device=torch.device("cpu"), dtype=F64
    )
    x = torch.randn(2, 9, 3, generator=torch_stream(0, "x"), dtype=F64)
    y, weights = torch.arange(18).view(2, 9) % 3, torch.full((2, 9), 1 / 9, dtype=F64)
    loss, gradient = net.gradient(x, y, weights, cross_entropy)
    again, by_autograd = super(MLP, net).gradient(x, y, weights, cross_entropy)
    assert torch.allclose(loss, again, rtol=0, atol=1e-12) and torch.allclose(gradient, by_autograd, rtol=0, atol=1e-12)
    hidden = net.embed(x)
    assert bool((hidden < 0).any())


@pytest.mark.parametrize("data", [blobs((61, 34, 23)), pictures()], ids=["table", "images"])
@pytest.mark.parametrize("role", ["sampler", "classifier"])
def test_among_features(data: Any, role: str) -> None:
    on = task(data, folds=2, seeds=1, ratio=4.0)
    events, both = fit(on, frames=4, space="feature", role=role, model="mlp")
    assert both.embedded is not None and both.earlier is not None and both.synthetic is None
    phases = list(dict.fromkeys(e.phase for e in events if isinstance(e, Epoch)))
    assert phases == ["training", "generator", *(["head"] if role == "sampler" else [])]
    assert isinstance(both.net, WithHead) == (role == "classifier")
    z = both.earlier.embed(on.train.x)
    for r in range(2):
        for c in range(3):
            box, made = (
                z[r][on.train.mask[r] & (on.train.y[r] == c)],
                both.embedded.x[r][both.embedded.mask[r] & (both.embedded.y[r] == c)],
            )
            assert bool((made >= box.amin(0) - 1e-9).all()) and bool((made <= box.amax(0) + 1e-9).all())
        network_cache.clear()
        _, alone = fit(task(data, folds=2, seeds=1, ratio=4.0, numbers=[r]), space="feature", role=role, model="mlp")
        assert torch.allclose(alone.net(on.test.x[r : r + 1]), both.net(on.test.x)[r : r + 1], rtol=0, atol=1e-9)


def test_weights_among_the_events_and_rows_on_the_page() -> None:
    on = task(pictures(), folds=2, seeds=1)
    events, fitted = fit(on, model="mlp")
    said = [e.text for e in events if isinstance(e, Note)]
    assert fitted.generated is not None and fitted.synthetic is not None
    largest = fitted.generated.how["alpha"][0][fitted.synthetic.mask[0], 0]
    assert len(said) == 1 and f"is {float(largest.mean()):.2f} on average" in said[0] and "near-copy" in said[0]
    told = [e.values for e in events if isinstance(e, Epoch) and e.phase == "generator"]
    assert len(told) == 5 and all({"d_loss", "g_loss", "m_loss", "top_weight", "effective_rows"} == set(v) for v in told)
    shown = make_generated_artifact(on, fitted, 0)
    labels, count = pictures().y, int(shown["count"][2])
    assert shown["top"].shape == shown["alpha"].shape == (3, 24, 5) and count > 0
    there = shown["top"][2, :count]
    assert (labels[there[there >= 0]] == 2).all() and (there[:, 0] >= 0).all()
    assert (shown["alpha"][2, :count] >= 0).all() and (shown["alpha"][2, :count].sum(1) <= 1 + 1e-6).all()


@pytest.mark.parametrize("way", [{}, {"role": "classifier"}])
def test_the_picture_shows_the_rows_of_a_mean_and_their_weights(way: dict[str, str]) -> None:
    on = task(blobs((61, 34, 5)), ratio=None, numbers=[0])
    events, fitted = fit(on, frames=2, **way)
    scene = [e for e in events if isinstance(e, Scene)][-1]
    assert fitted.generated is not None and scene.kind == "generated"
    n = len(scene.parents)
    assert scene.sources.shape == (n, 5, 2) and scene.weights.shape == (n, 5) and scene.seeds.shape == (n, 2)
    places = {tuple(place) for place in scene.points.tolist()}
    assert {tuple(place) for place in scene.sources[scene.weights > 0].tolist()} <= places
    assert bool((np.diff(scene.weights.astype(int), axis=1) <= 0).all()) and int(scene.weights.sum(1).max()) <= 258
    few = int(on.train.counts(3)[0, 2])
    assert few < 5 and bool((scene.weights[scene.parent_labels == 2][:, few:] == 0).all()), "as many weights as rows"


# ---- imbalanced-learn's door

suite = parametrize_with_checks([Resampled(steps=2, random_state=0)])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


def test_fit_resample_gives_the_old_rows_and_then_means_of_them() -> None:
    data = blobs((40, 12, 5))
    x = data.numeric * (1, 1e6, 1) + (0, 3e6, 0)
    sampler = Resampled(steps=10, random_state=3)
    made, y = sampler.fit_resample(x, data.y)
    assert np.array_equal(made[:57], x) and np.bincount(y).tolist() == [40, 40, 40]
    for c in (1, 2):
        own, new_rows = x[data.y == c], made[57:][y[57:] == c]
        width = own.max(0) - own.min(0)
        assert (new_rows >= own.min(0) - 1e-9 * width).all() and (new_rows <= own.max(0) + 1e-9 * width).all()
    assert 0 < sampler.top_weight_ <= 1
    again, _ = Resampled(steps=10, random_state=3).fit_resample(x, data.y)
    other, _ = Resampled(steps=10, random_state=4).fit_resample(x, data.y)
    assert np.array_equal(made, again) and not np.array_equal(made, other)
    more, y = Resampled(steps=2, random_state=0, sampling_strategy={0: 44, 2: 9}).fit_resample(x, data.y)
    assert np.bincount(y).tolist() == [44, 12, 9]
    with pytest.warns(UserWarning, match="class 1 has a single row: copies of its only row"):
        made, _ = Resampled(steps=2, random_state=0).fit_resample(x[[*range(6), 45]], [0] * 6 + [1])
    assert np.allclose(made[7:], x[45])


def test_presets_and_controls_train() -> None:
    on = task(blobs((41, 11)), folds=2, seeds=1, ratio=3.0)
    _, untrained = fit(on, **GAMO.controls["untrained generator"])
    _, trained = fit(on)
    assert untrained.synthetic is not None and trained.synthetic is not None
    assert untrained.synthetic.x.shape == trained.synthetic.x.shape and not torch.equal(
        untrained.synthetic.x, trained.synthetic.x
    )
    _, released = fit(on, **GAMO.presets["released"] | {"steps": 2})
    assert isinstance(released.net, MLP) and isinstance(replace(released), Fitted)
