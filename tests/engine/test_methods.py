"""The conformance suite: every method of the package, found by scanning, passes all of this."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from engine.data.dataset import Task
from engine.errors import BadInput, BadParameter
from engine.events import Epoch, Event, Frame, Phase, Progress, Running, Scene, decode, encode
from engine.methods import methods
from engine.methods.base import Method
from engine.spec import fields
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.tasks import blobs, pictures, task

SMALL = {"hidden": (6,), "epochs": 7, "meta_epochs": 6, "patience": 3, "rounds": 3}
SMALL |= {"batch": 20, "batch_points": 3, "batch_outer": 7, "trees": 4, "members": 3, "head_epochs": 3, "steps": 4}
SMALL |= {"maps": 2, "trunk_maps": 2, "latent": 4, "generator_batch": 16}
ALL = pytest.mark.parametrize("cls", methods().values(), ids=methods())
CLASSES = pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)], ids=["two classes", "three classes"])


def small(cls: type[Method], **changes: Any) -> Method:
    named = {f.name for f in dataclasses.fields(cls)}
    network = {"model": "mlp"} if takes_images_alone(cls) else {}  # test_images has convolutional ones
    return cls(**{k: v for k, v in (SMALL | network | changes).items() if k in named})


def takes_images_alone(cls: type[Method]) -> bool:
    return cls.kinds == ("images",)


def task_for(cls: type[Method], counts: tuple[int, ...] = (101, 21), **options: Any) -> Task:
    """Rows that the method takes, of these classes."""
    return task((pictures if takes_images_alone(cls) else blobs)(counts), **options)


def fit(method: Method, on: Task, frames: int = 8) -> tuple[list[Event], Fitted]:
    fitting = Running(method.fit(on, camera=Camera(on, frames)))
    return list(fitting), fitting.value


class Kept(NamedTuple):
    """A task, what training gave on it, and whether torch's own random state was the same afterwards."""

    on: Task
    events: list[Event]
    fitted: Fitted
    untouched: bool


@cache
def keep_fit(cls: type[Method], counts: tuple[int, ...] = (101, 21), seeds: int = 2, frames: int = 8) -> Kept:
    """One training that several tests look at and none changes; seeds: of three splits each."""
    before = torch.random.get_rng_state()
    on = task_for(cls, counts, seeds=seeds)
    events, fitted = fit(small(cls), on, frames)
    return Kept(on, events, fitted, torch.equal(before, torch.random.get_rng_state()))


def takes(cls: type[Method], counts: tuple[int, ...]) -> bool:
    """Whether the method takes so many classes; one that does not says so."""
    if cls.most_classes is None or len(counts) <= cls.most_classes:
        return True
    with pytest.raises(BadInput, match=f"Only binary classification is supported by {cls.name}: these data have 3 classes."):
        fit(small(cls), task(blobs(counts)))
    return False


def learned(fitted: Fitted, on: Task) -> torch.Tensor:
    """All that was learnt, [R, P]: a network's parameters; of estimators, which have none, their answers on rows they may see."""
    if fitted.net.flat.shape[1]:
        return fitted.net.flat
    width = min(int(part.mask.sum(1).min()) for part in (on.train, on.valid))
    return torch.cat([fitted.net(part.x[:, :width]).softmax(-1).flatten(1) for part in (on.train, on.valid)], 1)


@ALL
def test_the_same_seed_gives_the_same_bits(cls: type[Method]) -> None:
    on, events, one, _ = keep_fit(cls)
    again, two = fit(small(cls), task_for(cls))
    assert torch.equal(learned(one, on), learned(two, on)) and torch.equal(one.epoch, two.epoch)
    if one.synthetic is not None and two.synthetic is not None:
        assert torch.equal(one.synthetic.x, two.synthetic.x)
    kept = [[encode(e)[:2] for e in es if not isinstance(e, Progress)] for es in (events, again)]
    assert kept[0] == kept[1]


@ALL
def test_another_seed_gives_another_net(cls: type[Method]) -> None:
    on, _, one, _ = keep_fit(cls)
    _, two = fit(small(cls), task_for(cls, seed=1))
    assert not torch.allclose(learned(one, on), learned(two, on))


@ALL
@CLASSES
def test_alone_equals_stacked_with_unequal_sizes(cls: type[Method], counts: tuple[int, ...]) -> None:
    if not takes(cls, counts):
        return
    together, _, stacked, _ = keep_fit(cls, counts)
    sizes, steps = together.train.sizes, -(-together.train.sizes // SMALL["batch"])  # type: ignore[operator]
    assert len(set(sizes.tolist())) > 1, "the case must have replicates of unequal size"
    assert len(set(steps.tolist())) > 1, "and of unequal numbers of batches"
    for r in sorted({0, len(sizes) - 1, int(sizes.argmin()), int(sizes.argmax())}):
        one = task_for(cls, counts, numbers=[r])
        _, alone = fit(small(cls), one)
        assert torch.allclose(learned(alone, one)[0], learned(stacked, together)[r], rtol=0, atol=1e-9)
        assert alone.epoch[0] == stacked.epoch[r]
        if alone.synthetic is not None and stacked.synthetic is not None:
            own = alone.synthetic.x[0][alone.synthetic.mask[0]]
            assert torch.allclose(own, stacked.synthetic.x[r][stacked.synthetic.mask[r]], rtol=0, atol=1e-9)


@ALL
def test_alone_equals_stacked_in_float32_for_five_steps(cls: type[Method]) -> None:
    five = (
        {"batch": 4096, "epochs": 5} if "meta_epochs" not in fields_of(cls) else {"batch": 4096, "epochs": 3, "meta_epochs": 2}
    )
    together = task_for(cls, dtype=torch.float32)
    _, stacked = fit(small(cls, **five), together)
    for r in (0, 5):
        one = task_for(cls, numbers=[r], dtype=torch.float32)
        _, alone = fit(small(cls, **five), one)
        assert torch.allclose(learned(alone, one)[0], learned(stacked, together)[r], rtol=0, atol=1e-5)


@ALL
@CLASSES
def test_probabilities(cls: type[Method], counts: tuple[int, ...]) -> None:
    if not takes(cls, counts):
        return
    on, _, fitted, _ = keep_fit(cls, counts)
    p = fitted.net(on.test.x).softmax(-1)
    assert p.shape == (*on.test.y.shape, len(counts))
    assert bool((p >= 0).all()) and torch.allclose(p.sum(-1), torch.ones_like(p[..., 0]))
    assert torch.equal(fitted.net.head(fitted.net.embed(on.test.x)), fitted.net(on.test.x))


@ALL
def test_order_of_events(cls: type[Method]) -> None:
    on, events, fitted, _ = keep_fit(cls)
    assert isinstance(events[0], Phase)
    opened: set[int] = set()
    epochs: dict[str, int] = {}
    step = done = 0
    for event in events:
        if isinstance(event, Scene):
            opened.add(event.replicate)
        elif isinstance(event, Frame):
            assert event.replicate in opened and event.step >= step * (event.replicate == 0)
            step = max(step, event.step)
        elif isinstance(event, Epoch):
            assert event.epoch == epochs.get(event.phase, 0) + 1
            own = {
                "ae_loss",
                "d_loss",
                "reward",
            }  # one of them in each phase of a generator or a policy, which has no classifier yet
            assert {"train_loss", "valid_loss", "valid_ap"} <= set(event.values) or own & set(event.values)
            assert all(len(values) == len(on.replicates) for values in event.values.values())
            epochs[event.phase] = event.epoch
        elif isinstance(event, Progress):
            assert done <= event.done <= event.total
            done = event.done
    last = [e for e in events if isinstance(e, Frame) and e.replicate == 0][-1]
    assert last.phase == "chosen" and last.epoch == int(fitted.epoch[0])
    assert bool((fitted.epoch >= 1).all()) and int(fitted.epoch.max()) <= max(epochs.values())


@ALL
def test_events_survive_the_store(cls: type[Method]) -> None:
    for event in keep_fit(cls, seeds=1, frames=50).events:
        back = decode(*encode(event))
        assert encode(back)[:2] == encode(event)[:2]
        for name in getattr(event, "arrays", ()):
            assert (getattr(back, name) == getattr(event, name)).all()


@ALL
def test_it_can_be_closed_at_any_event(cls: type[Method]) -> None:
    on, events, whole, _ = keep_fit(cls, seeds=1, frames=50)
    for stop in sorted({len(events) - 1, *range(1, len(events), max(1, len(events) // 6))}):
        fitting = small(cls).fit(on, camera=Camera(on, 50))
        for _ in range(stop):
            next(fitting, None)  # a slow machine gives more Progress events one time than another
        fitting.close()
        with pytest.raises(StopIteration):
            next(fitting)
    assert torch.equal(learned(fit(small(cls), on)[1], on), learned(whole, on))  # nothing stopped has left a trace


@ALL
def test_the_callers_random_state_is_untouched(cls: type[Method]) -> None:
    assert keep_fit(cls).untouched and keep_fit(cls, seeds=1, frames=50).untouched


@ALL
def test_pictures_do_not_change_what_is_learnt(cls: type[Method]) -> None:
    on, _, pictured, _ = keep_fit(cls, seeds=1, frames=50)
    assert torch.equal(learned(fit(small(cls), on, frames=0)[1], on), learned(pictured, on))


@ALL
def test_test_rows_change_nothing(cls: type[Method]) -> None:
    on, _, fitted, _ = keep_fit(cls, seeds=1, frames=50)
    other = dataclasses.replace(on, test=dataclasses.replace(on.test, x=on.test.x * 7 + 3, y=1 - on.test.y))
    assert torch.equal(learned(fit(small(cls), other, frames=0)[1], on), learned(fitted, on))


@ALL
def test_bad_parameters_are_refused(cls: type[Method]) -> None:
    for d in fields.describe(cls):
        for bad in bad_values(d):
            with pytest.raises(BadParameter, match=d["name"]):
                cls(**{d["name"]: bad})


def bad_values(d: dict[str, Any]) -> list[Any]:
    bad: list[Any] = [None, "no such thing"]
    if d["kind"] in ("int", "float"):
        bad += [float("nan"), float("inf"), True]
        bad += [] if d["low"] is None else [d["low"] - 1]
        bad += [] if d["high"] is None else [d["high"] + 1]
    if d["kind"] == "int":
        bad.append(d["low"] + 0.5)
    return bad + ([(0.5,), (d["low"] - 1,)] if d["kind"] == "ints" else []) + ([1, "true"] if d["kind"] == "bool" else [])


@ALL
def test_presets_and_controls_are_valid(cls: type[Method]) -> None:
    for changes in (*cls.presets.values(), *cls.controls.values()):
        cls(**changes)
    assert set(cls.suited.values()) <= set(cls.presets) and set(cls.deviations) <= set(cls.presets)


@ALL
def test_the_catalog_entry_is_complete(cls: type[Method]) -> None:
    entry = cls.describe()
    assert entry["title"] and entry["source"] and len(entry["summary"]) > 20
    assert all(d["help"].endswith(".") for d in entry["fields"])


def fields_of(cls: type) -> set[str]:
    return {f.name for f in dataclasses.fields(cls)}
