"""The three-phase framework (cards A3, A4, B14): what each phase changes, what it leaves alone, on tables and on images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.analysis.gap import compute_gap
from engine.data.dataset import Rows, Task
from engine.errors import BadInput
from engine.events import Epoch, Frame, Note, Phase, Scene, finish
from engine.losses import cross_entropy
from engine.methods.ce import CE
from engine.methods.eos import EOS, LOSSES, SAMPLERS, Sampled
from engine.models.mlp import MLP
from engine.training.fitted import Fitted
from engine.training.heads import embedded
from engine.training.loop import Meter
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20}
SEEN: dict[str, Any] = {"model": "small-resnet", "epochs": 2, "batch": 16}


def last_layer(net: MLP) -> int:
    return (net.sizes[-2] + 1) * net.sizes[-1]


def sampled(method: EOS, rows: Rows, on: Task) -> Sampled:
    return finish(method._sampled(rows, on, Meter(1)))


def plain(on: Task) -> Fitted:
    return fit(CE(**SMALL), on)[1]


def images(folds: int = 2, seeds: int = 1) -> Task:
    return task(pictures(), ratio=None, folds=folds, seeds=seeds, numbers=[0])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_extractor_stays_bit_for_bit(sampler: str) -> None:
    on = task()
    first, whole = plain(on).net, fit(EOS(**SMALL, sampler=sampler), on)[1].net
    n = last_layer(first)
    assert torch.equal(first.flat[:, :-n], whole.flat[:, :-n]) and not torch.equal(first.flat[:, -n:], whole.flat[:, -n:])


def test_without_sampling_a_warm_start_at_rate_zero_is_the_first_phase() -> None:
    on = task()
    whole = fit(EOS(**SMALL, sampler="none", warm_start=True, head_rate=0.0), on)[1]
    assert torch.equal(whole.net.flat, plain(on).net.flat) and bool((whole.epoch == 1).all())


def test_the_head_is_trained_as_torch_would() -> None:
    on = task(folds=2, seeds=1, numbers=[0])
    method = EOS(hidden=(6,), epochs=4, batch=4096, sampler="none", warm_start=True, head_epochs=7)
    events, whole = fit(method, on)
    first = fit(CE(hidden=(6,), epochs=4, batch=4096), on)[1].net
    z, y = first.embed(on.train.x)[0][on.train.mask[0]], on.train.y[0][on.train.mask[0]]
    head = torch.nn.Linear(6, 2, dtype=torch.float64)
    weight, bias = first.views(first.flat)[-2:]
    head.weight.data, head.bias.data = weight[0].T.clone(), bias[0, 0].clone()
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
    for epoch in range(1, int(whole.epoch[0]) + 1):
        optimiser.param_groups[0]["lr"] = 0.1 * min(1, epoch / 5)
        optimiser.zero_grad()
        cross_entropy(head(z), y).mean().backward()
        optimiser.step()
    assert torch.allclose(whole.net.head_weights()[0].T, head.weight.data, rtol=0, atol=1e-12)
    assert [e.phase for e in events if isinstance(e, Epoch)] == ["training"] * 4 + ["head"] * 7


OPTIONS: list[dict[str, Any]] = [
    {},
    {"sampler": "smote"},
    {"sampler": "borderline-smote"},
    {"sampler": "borderline-smote", "danger_min": 1},
    {"direction": "away"},
    {"variant": "released"},
]


@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
@pytest.mark.parametrize("options", OPTIONS)
def test_every_class_becomes_as_large_as_the_largest(counts: tuple[int, ...], options: dict[str, Any]) -> None:
    on = task(blobs(counts), ratio=None)
    net = plain(on).net
    rows = sampled(EOS(**SMALL, **options), embedded(net, on.train), on).rows
    before, after = on.train.counts(len(counts)), rows.counts(len(counts))
    assert torch.equal(after, before.amax(1, keepdim=True).expand_as(after))
    for r in range(len(on.replicates)):
        n = int(on.train.sizes[r])
        assert torch.equal(rows.x[r, :n], net.embed(on.train.x)[r, :n]) and torch.equal(rows.y[r, :n], on.train.y[r, :n])


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_the_first_phase(loss: str) -> None:
    on = task()
    whole = fit(EOS(**SMALL, loss=loss), on)[1].net
    n = last_layer(whole)
    assert bool(torch.isfinite(whole.flat).all())
    assert torch.equal(whole.flat[:, :-n], plain(on).net.flat[:, :-n]) == (loss == "ce")


def test_the_two_class_loss_is_refused_for_three() -> None:
    with pytest.raises(BadInput, match="two classes"):
        fit(EOS(**SMALL, loss="asl-binary"), task(blobs((61, 34, 23))))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "embedding with another class near it"),
        (
            {"sampler": "borderline-smote", "space": "pixel"},
            "row in danger, that is with enough rows of other classes near it but not only those",
        ),
    ],
)
def test_a_class_apart_is_made_by_smote_and_said_so(options: dict[str, Any], what: str) -> None:
    data = blobs((60, 24))
    data.numeric[60:] += 1000
    events, _ = fit(EOS(**SMALL, k_neighbors=1, **options), task(data, ratio=None))
    assert [e.text for e in events if isinstance(e, Note)] == [f"A class has no {what}, so its new rows were made by SMOTE."]
    phases = ["sampling", "training"] if options else ["training", "sampling", "head"]
    assert [e.name for e in events if isinstance(e, Phase)] == phases


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("space", ["feature", "pixel"])
def test_alone_equals_stacked_whatever_the_sampler(sampler: str, space: str) -> None:
    method = EOS(**SMALL, sampler=sampler, space=space, head_epochs=3)
    stacked = fit(method, task())[1].net.flat
    for r in (0, 4):
        alone = fit(method, task(numbers=[r]))[1].net.flat
        assert torch.allclose(alone[0], stacked[r], rtol=0, atol=1e-9)


# ---- what the new rows are


@pytest.mark.parametrize("options", [*OPTIONS, {"sampler": "balanced-svm"}])
def test_the_gap_stays_under_smote_and_never_grows(options: dict[str, Any]) -> None:
    on = task(blobs((90, 40, 22), features=4), ratio=None, folds=2, seeds=1)
    whole = fit(EOS(**SMALL, **options), on)[1]
    assert whole.embedded is not None
    train, test = (embedded(whole.net, rows) for rows in (on.train, on.test))
    for r in range(2):
        real, own = train.x[r][train.mask[r]].numpy(), train.y[r][train.mask[r]].numpy()
        new, to = test.x[r][test.mask[r]].numpy(), test.y[r][test.mask[r]].numpy()
        made, labels = (t[r][whole.embedded.mask[r]].numpy() for t in (whole.embedded.x, whole.embedded.y))
        before = compute_gap(real, own, new, to, 3).features
        after = compute_gap(np.concatenate([real, made]), np.concatenate([own, labels]), new, to, 3).features
        assert (after <= before).all() and before.max() > 0
        if "smote" in options.get("sampler", ""):
            assert np.allclose(after, before, rtol=0, atol=1e-12)  # x + 1 (z - x) may miss z by a rounding
        elif options.get("sampler") is None:
            assert (after < before).any() or options.get("variant") == "released"


def test_new_rows_lie_on_the_lines_that_are_kept() -> None:
    on = task(blobs((90, 40, 22), features=4), ratio=None, folds=2, seeds=1)
    for sampler in ("eos", "smote"):
        whole = fit(EOS(**SMALL, sampler=sampler), on)[1]
        assert whole.embedded is not None and whole.lines is not None
        assert whole.lines.shape == (*whole.embedded.y.shape, 3)
        real = embedded(whole.net, on.train)
        for r in range(2):
            made, labels, mask = whole.embedded.x[r], whole.embedded.y[r], whole.embedded.mask[r]
            assert bool((whole.lines[r][~mask] == -1).all())
            lines = whole.lines[r][mask]
            base, partner, step = lines[:, 0].long(), lines[:, 1].long(), lines[:, 2:].to(made.dtype)
            one, other = real.x[r][base], real.x[r][partner]
            assert torch.allclose(one + step * (other - one), made[mask])
            assert bool((real.y[r][base] == labels[mask]).all())
            assert bool(((real.y[r][partner] == labels[mask]) == (sampler == "smote")).all())
    none = fit(EOS(**SMALL, sampler="none"), on)[1]
    assert none.embedded is None and none.lines is None


def test_the_net_before_the_last_layer_was_trained_anew_is_kept() -> None:
    on = task()
    whole = fit(EOS(**SMALL), on)[1]
    assert whole.earlier is not None and torch.equal(whole.earlier.flat, plain(on).net.flat)


def test_labels_of_the_machine_and_what_is_said_of_them() -> None:
    on = task(ratio=4.0)
    events, whole = fit(EOS(**SMALL, sampler="balanced-svm"), on)
    assert whole.embedded is not None and whole.embedded.y[whole.embedded.mask].unique().tolist() == [0, 1]
    said = [e.text for e in events if isinstance(e, Note)]
    real = torch.bincount(on.train.y[0][on.train.mask[0]])
    new = torch.bincount(whole.embedded.y[0][whole.embedded.mask[0]])
    both = " classes of the first replicate have {}, {} training rows.".format(*(real + new).tolist())
    assert len(said) == 1 and said[0].endswith(both)
    rows = sampled(EOS(**SMALL, sampler="balanced-svm", relabel="all"), on.train, on).rows
    n = int(on.train.sizes[0])
    assert torch.equal(rows.x[0, :n], on.train.x[0, :n]) and not torch.equal(rows.y[0, :n], on.train.y[0, :n])


# ---- pixel space


def test_without_sampling_pixel_space_is_plain_training() -> None:
    on = task()
    whole = fit(EOS(**SMALL, space="pixel", sampler="none"), on)[1]
    assert torch.equal(whole.net.flat, plain(on).net.flat) and whole.synthetic is None and whole.earlier is None


@pytest.mark.parametrize("on", [task(ratio=4.0), images()], ids=["table", "images"])
def test_pixel_space_trains_once_on_input_rows(on: Task) -> None:
    options = SMALL if on.shape is None else SEEN
    events, whole = fit(EOS(**options, space="pixel"), on)
    assert [e.name for e in events if isinstance(e, Phase)] == ["sampling", "training"]
    assert {e.phase for e in events if isinstance(e, Epoch)} == {"training"}
    made = whole.synthetic
    assert made is not None and made.x.shape[2] == on.train.x.shape[2] and made.start is made.x
    counts = on.train.counts(len(on.classes))
    assert torch.equal(Rows(made.x, made.y, made.mask).counts(len(on.classes)), counts.amax(1, keepdim=True) - counts)
    same = sampled(EOS(**options), on.train, on).new
    assert same is not None and torch.equal(same.x, made.x)  # one path for both spaces
    assert [e for e in events if isinstance(e, Scene)][-1].parents.shape[0] > 0


# ---- LDAM


def test_ldam_has_cosines_first_and_a_plain_layer_then() -> None:
    on = task()
    whole = fit(EOS(**SMALL, loss="ldam"), on)[1]
    assert whole.earlier is not None and whole.earlier.cosine and not whole.net.cosine
    assert bool((whole.earlier(on.test.x).abs() <= 1 + 1e-12).all()) and bool((whole.net(on.test.x).abs() > 1).any())
    assert torch.equal(whole.earlier.embed(on.test.x), whole.net.embed(on.test.x))
    assert fit(EOS(**SMALL, loss="ldam", space="pixel"), on)[1].net.cosine


def test_deferred_weights_come_in_the_last_fifth() -> None:
    on = task(seeds=1)
    five = {"hidden": (6,), "batch": 20, "loss": "ldam", "sampler": "none", "head_rate": 0.0, "warm_start": True}
    losses = []
    for deferred in (True, False):
        events, _ = fit(EOS(**five, epochs=10, deferred=deferred), on)
        losses.append([e.values["train_loss"] for e in events if isinstance(e, Epoch) and e.phase == "training"])
    assert losses[0][:8] == losses[1][:8] and losses[0][8] != losses[1][8]


# ---- images


def test_on_images_the_extractor_stays_with_its_statistics() -> None:
    on = images()
    first = fit(CE(**SEEN), on)[1].net
    whole = fit(EOS(**SEEN, head_epochs=3), on)[1].net
    n = (first.width + 1) * first.classes
    assert torch.equal(first.flat[:, :-n], whole.flat[:, :-n]) and torch.equal(first.state()[0], whole.state()[0])
    assert not torch.equal(first.flat[:, -n:], whole.flat[:, -n:])


def test_on_images_a_warm_start_at_rate_zero_predicts_as_the_first_phase() -> None:
    on = images()
    whole = fit(EOS(**SEEN, sampler="none", warm_start=True, head_rate=0.0), on)[1]
    assert torch.equal(whole.net(on.test.x), fit(CE(**SEEN), on)[1].net(on.test.x))


def test_the_picture_of_images_begins_with_their_features_and_shows_new_rows() -> None:
    on = images()
    events, whole = fit(EOS(**SEEN), on)
    assert [e.phase for e in events if isinstance(e, Frame)][:1] == ["head"]
    scenes = [e for e in events if isinstance(e, Scene)]
    assert len(scenes) == 1 and scenes[0].axes[0].startswith("feature") and whole.embedded is not None
    frame = [e for e in events if isinstance(e, Frame)][-1]
    assert len(frame.points) == len(scenes[0].parents) == int(whole.embedded.mask.sum()) and not frame.moved.any()


def test_the_picture_of_a_table_stays_the_plane_of_its_rows() -> None:
    events, _ = fit(EOS(**SMALL), task(seeds=1))
    scenes = [e for e in events if isinstance(e, Scene) and e.replicate == 0]
    assert len(scenes) == 1 and not scenes[0].axes[0].startswith("feature") and not len(scenes[0].parents)
    assert {e.phase for e in events if isinstance(e, Frame)} == {"training", "head", "chosen"}


def test_presets_say_what_the_paper_and_the_code_do() -> None:
    assert EOS(**EOS.presets["released"]).variant == "released" and EOS(**EOS.presets["eos-paper"]).variant == "paper"
    for name in ("released", "eos-paper"):
        method = EOS(**EOS.presets[name])
        assert (method.model, method.optimiser, method.learning_rate, method.epochs, method.batch) == (
            "resnet32",
            "sgd",
            0.1,
            200,
            128,
        )
        assert (method.momentum, method.weight_decay, method.head_epochs, method.head_rate, method.warm_start) == (
            0.9,
            2e-4,
            10,
            0.1,
            False,
        )
        assert method.k_neighbors == 10 and method.augment and EOS.deviations[name]
    with pytest.raises(BadInput, match="needs images"):
        fit(EOS(**EOS.presets["released"]), task())
