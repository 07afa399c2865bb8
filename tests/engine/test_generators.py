"""Generators: what they share, and what every method with one keeps to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engine.data.dataset import Rows, Task
from engine.data.rows import append, take
from engine.errors import BadInput
from engine.events import Epoch, Note, Phase, Running, finish
from engine.methods import methods
from engine.methods.generator import GeneratorMethod, find_nearest
from engine.models.generators import kept
from engine.models.generators.adversarial import Pixels, Shuffled, build, check_side, draw_classes, initialise, new_adam
from engine.runner.generated import make_generated_artifact
from engine.seeds import torch_stream
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.tasks import pictures, task
from tests.engine.test_methods import small

F64 = torch.float64
METHODS = [m for m in methods().values() if issubclass(m, GeneratorMethod)]
ALL = pytest.mark.parametrize("cls", METHODS, ids=[m.name for m in METHODS])


@pytest.fixture(autouse=True)
def nothing_kept():
    network_cache.clear()
    yield
    network_cache.clear()


def fit(cls: type[GeneratorMethod], on: Task, **changes: Any) -> tuple[list[Any], Fitted]:
    events: list[Any] = []
    return events, finish(small(cls, model="mlp", epochs=2, **changes).fit(on, camera=Camera(on, 0)), events.append)


def images(**options: Any) -> Task:
    return task(pictures((40, 14, 8)), folds=1, seeds=1, **options)


@ALL
def test_what_is_not_training_changes_no_generated_row(cls: type[GeneratorMethod]) -> None:
    on = images()

    def constant(part: Rows) -> Rows:
        return replace(part, x=torch.full_like(part.x, 7.0) * part.mask.unsqueeze(2), y=torch.zeros_like(part.y))

    names = ("valid", "test", "withheld", "withheld_elsewhere")
    other = replace(on, **{name: constant(getattr(on, name)) for name in names})
    _, one = fit(cls, on)
    network_cache.clear()
    _, two = fit(cls, other)
    assert one.synthetic is not None and two.synthetic is not None and bool(one.synthetic.mask.any())
    assert torch.equal(one.synthetic.x, two.synthetic.x) and torch.equal(one.synthetic.y, two.synthetic.y)


@ALL
def test_every_class_becomes_as_large_as_the_largest_and_that_one_is_not_generated(cls: type[GeneratorMethod]) -> None:
    on = images()
    counts = on.train.counts(3)[0]
    for share in (1.0, 0.5):
        _, fitted = fit(cls, on, share=share)
        assert fitted.synthetic is not None
        made = torch.bincount(fitted.synthetic.y[0][fitted.synthetic.mask[0]], minlength=3)
        assert made.tolist() == [round(share * int(counts.max() - n)) for n in counts]
        assert bool(fitted.synthetic.x.isfinite().all())


@ALL
def test_four_losses_cost_one_generator(cls: type[GeneratorMethod], monkeypatch: pytest.MonkeyPatch) -> None:
    on = images()
    seen = []
    own = cls.make_generator
    monkeypatch.setattr(cls, "make_generator", lambda self, *args: seen.append(1) or own(self, *args))
    every = [fit(cls, on, loss=loss) for loss in ("ce", "focal", "asl", "ldam")]
    assert len(seen) == 1
    assert all(torch.equal(every[0][1].synthetic.x, fitted.synthetic.x) for _, fitted in every)
    assert len({tuple(fitted.net.flat[0].tolist()) for _, fitted in every}) == 4
    assert [fitted.net.cosine for _, fitted in every] == [False, False, False, True]
    told = [
        [e for e in events if isinstance(e, Phase) or (isinstance(e, Epoch) and e.phase != "training")] for events, _ in every
    ]
    assert told[0] == told[1] == told[3] and len(told[0]) > 3
    network_cache.clear()
    _, anew = fit(cls, on)
    assert torch.equal(anew.synthetic.x, every[0][1].synthetic.x) and torch.equal(anew.net.flat, every[0][1].net.flat)


@ALL
def test_at_most_a_hundred_events(cls: type[GeneratorMethod]) -> None:
    running = Running(small(cls, model="mlp", epochs=1, steps=103, batch=80).fit(images(), camera=Camera(images(), 0)))
    seen = [e for e in running if isinstance(e, Epoch) and e.phase == "generator"]
    assert len(seen) == 100 and [e.epoch for e in seen] == list(range(1, 101))
    assert all(v == v for e in seen for v in e.values.values() for v in v)


@ALL
def test_a_class_of_one_row_is_repeated_and_said_to_be(cls: type[GeneratorMethod]) -> None:
    on = images()
    few = on.train.y[0] == 2
    keep = ~few | (few.cumsum(0) == 1)
    mask = on.train.mask & keep.unsqueeze(0)
    order = torch.argsort(~mask[0], stable=True)
    train = Rows(on.train.x[:, order] * mask[:, order].unsqueeze(2), on.train.y[:, order] * mask[:, order], mask[:, order])
    events, fitted = fit(cls, replace(on, train=train, source=(on.source[0][order.numpy()],)))
    assert any(isinstance(e, Note) and "repeated instead" in e.text for e in events) or cls.name == "cgan"
    assert fitted.synthetic is not None and bool((fitted.synthetic.y == 2).any())


@ALL
def test_equal_classes_of_images_get_no_row(cls: type[GeneratorMethod]) -> None:
    on = task(pictures((20, 20, 20)), folds=1, seeds=1, ratio=None)
    own = on.train.counts(3)
    keep = on.train.mask.clone()
    for c in range(3):  # as many training rows of every class
        keep &= ~(on.train.y == c) | ((on.train.y == c) & on.train.mask).cumsum(1).le(int(own.min()))
    events, fitted = fit(cls, replace(on, train=take(on.train, keep)))
    assert fitted.synthetic is not None and not bool(fitted.synthetic.mask.any())
    assert any(isinstance(e, Epoch) and e.phase == "training" for e in events)
    assert make_generated_artifact(on, fitted, 0)["count"].tolist() == [0, 0, 0]


@ALL
def test_the_picture_shows_where_new_rows_come_from(cls: type[GeneratorMethod]) -> None:
    on = images(numbers=[0])
    camera = Camera(on, 2)
    fitted = finish(small(cls, model="mlp", epochs=2).fit(on, camera=camera))
    scene, shown = camera.scenes[0], make_generated_artifact(on, fitted, 0)
    assert fitted.generated is not None and fitted.synthetic is not None and camera.rows is not None
    how = {name: each[0] for name, each in fitted.generated.how.items()}
    numbers = torch.from_numpy(on.source[0])
    if scene.kind == "nearest":
        made = Rows(fitted.synthetic.x, fitted.synthetic.y, fitted.synthetic.mask)
        seeds = find_nearest(append(on.train, made), made, 0)
        for c in (1, 2):
            near = numbers[seeds[made.y[0] == c]][:24].tolist()
            assert near == shown["near"][c, : len(near)].tolist() and near
        assert not len(scene.sources) and shown["code"].shape == (3, 24, how["code"].shape[1]) and shown["code"][1, 0].any()
    elif scene.kind == "codes":
        seeds, (base, other, step) = how["base"], (how[name] for name in ("base", "other", "step"))
        places = camera.views[0].to_int16(camera.rows.x[0].numpy())
        assert (scene.sources == places[torch.stack([base, other], 1)]).all()
        assert (scene.weights == (255 * torch.stack([1 - step, step], 1)).round().numpy()).all() and scene.weights.max() > 0
    else:
        assert scene.kind == "generated"
        seeds = how["top"][:, 0]
    assert (scene.seeds == camera.views[0].to_int16(camera.rows.x[0][seeds].numpy())).all() and len(scene.seeds)


def test_pixels_go_to_the_range_of_tanh_and_back() -> None:
    on = images()
    scale = Pixels(*(torch.from_numpy(part) for part in on.greys[0]))
    x = on.train.x[0][on.train.mask[0]]
    inside = scale.enter(x)
    assert inside.min() >= -1 and inside.max() <= 1
    assert torch.allclose(
        inside * 127.5 + 127.5, torch.from_numpy(pictures((40, 14, 8)).images[on.source[0]].reshape(len(x), -1)).double()
    )
    assert torch.allclose(scale.leave(inside), x, rtol=0, atol=1e-12)
    assert torch.equal(scale.leave(torch.full((1, 64), 3.0, dtype=F64)), scale.leave(torch.ones(1, 64, dtype=F64)))


def test_batches_shuffle_each_pass_and_leave_out_a_rest() -> None:
    batches = Shuffled(9, 4, torch_stream(0, "gen-batch"))
    passes = [[batches.take() for _ in range(3)] for _ in range(2)]
    assert [[len(b) for b in one] for one in passes] == [[4, 4, 1]] * 2
    assert all(torch.cat(one).sort().values.tolist() == list(range(9)) for one in passes)
    assert torch.cat(passes[0]).tolist() != torch.cat(passes[1]).tolist()
    short = Shuffled(9, 4, torch_stream(0, "gen-batch"), least=2)
    assert [len(short.take()) for _ in range(4)] == [4, 4, 4, 4]
    assert len(Shuffled(1, 4, torch_stream(0, "gen-batch"), least=2).take()) == 1


def test_new_layers_are_the_streams_in_every_precision() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Conv2d(2, 3, 3), nn.Embedding(4, 2))

    before = torch.get_rng_state()
    for law in ("uniform", "glorot", "normal"):
        one = build(make, torch_stream(0, "gen-init"), law=law, device=torch.device("cpu"), dtype=F64)
        two = build(make, torch_stream(0, "gen-init"), law=law, device=torch.device("cpu"), dtype=torch.float32)
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.equal(a.float(), b)
        assert one[1].weight.eq(1).all() and one[1].bias.eq(0).all() and one[1].running_var.eq(1).all()
        assert bool(one[0].bias.eq(0).all()) == (law != "uniform")
        bound = {"uniform": 5**-0.5, "glorot": (6 / 12) ** 0.5, "normal": 0.2}[law]
        assert one[0].weight.abs().max() <= bound and one[0].weight.std() > bound / 20
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(initialise(make().double(), torch_stream(0, "gen-init"), law="normal"), nn.Module)


def test_one_adam_per_player() -> None:
    """The first step of a player is its step size, however many steps another one has taken."""
    players = [nn.Parameter(torch.zeros(1, dtype=F64)) for _ in range(2)]
    adams = [new_adam([p], 0.1) for p in players]
    for _ in range(5):
        players[0].grad = torch.ones(1, dtype=F64)
        adams[0].step()
    players[1].grad = torch.full((1,), 3.0, dtype=F64)
    adams[1].step()
    assert players[1].item() == pytest.approx(-0.1, abs=1e-8)


def test_classes_are_drawn_by_their_law() -> None:
    drawn = draw_classes(torch.tensor([0.0, 0.4, 0.6]), 4000, torch_stream(0, "gen-noise"))
    assert torch.bincount(drawn).tolist()[0] == 0 and 1500 < int((drawn == 1).sum()) < 1700


def test_sides_that_cannot_be_halved_twice_are_refused() -> None:
    assert check_side((1, 28, 28), "bagan") == 28
    for shape in ((1, 10, 10), (3, 8, 12), (1, 4, 4)):
        with pytest.raises(BadInput, match="square images"):
            check_side(shape, "bagan")
    with pytest.raises(BadInput, match="needs images"):
        check_side(None, "bagan")


def test_the_cache_has_bounds() -> None:
    kept.clear()
    network_cache.clear()
    for n in range(kept.MOST + 3):
        kept.put(str(n), kept.Kept(_Empty(), [], []))
    assert kept.get("0") is None and kept.get(str(kept.MOST + 2)) is not None
    network_cache.clear()
    assert kept.get(str(kept.MOST + 2)) is None


class _Empty(kept.RowGenerator):
    def draw(self, wanted: Any, rng: Any) -> Any: ...
    def tensors(self) -> list[torch.Tensor]:
        return []
