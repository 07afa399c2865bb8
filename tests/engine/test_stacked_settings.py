"""A stack whose members differ in parameters: each member is what its setting gives alone, and equal first phases are trained once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import select_task
from engine.errors import BadParameter, UnknownName
from engine.methods import methods
from engine.methods.base import Method, TableMethod
from engine.methods.ce import CE
from engine.methods.dos import DOS
from engine.methods.eos import EOS
from engine.methods.explicit_gradient import ExplicitGradient
from engine.methods.forest import Forest
from engine.models.mlp import MLP
from engine.spec import fields
from engine.spec.fields import FIRST, LATER
from engine.training import loop, network_cache
from engine.training.fitted import Fitted
from engine.training.loop import evaluate
from engine.training.settings import repeat_task
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit

METHODS = methods()
SHORT: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20}
LENGTHS = {"meta_epochs": 4, "patience": 2, "head_epochs": 3, "rounds": 3, "units": 5, "steps": 3}
TABLE = sorted((m for m in METHODS.values() if issubclass(m, TableMethod) and "tabular" in m.kinds), key=lambda m: m.name)
WAYS: list[tuple[str, dict[str, Any]]] = [
    *((m.name, {}) for m in TABLE),
    ("ce", {"optimiser": "sgd", "schedule": "warm-up and drops"}),
    ("asl", {"form": "one label"}),
    ("class-balanced", {"loss": "focal"}),
    ("tau", {"choose": False}),
    ("eos", {"sampler": "smote"}),
    ("eos", {"sampler": "borderline-smote", "space": "pixel"}),
    ("eos", {"sampler": "balanced-svm", "loss": "ldam"}),
    ("explicit-gradient", {"inner_steps": 2, "outer": "holdout", "clamp": True}),
    ("explicit-gradient", {"inner": "balanced", "per_row": True}),
    ("explicit-gradient", {"reset_each_pass": True, "batch_points": 3}),
    ("meta-weight-net", {"normalise": False, "balanced_outer": False}),
    ("logit-adjustment", {"posthoc": True}),
    ("cdt", {"deferred": True}),
    ("cosen", {"costs": "prior"}),
    ("dos", {"optimiser": "sgd", "rho": "w*exp(-d2)", "rho_grad": True}),
]


def make(name: str, change: Mapping[str, Any]) -> TableMethod:
    """A short method of this name."""
    own = METHODS[name]
    known = {d["name"] for d in fields.describe(own)}
    made = own(**{k: v for k, v in {**SHORT, **LENGTHS, **change}.items() if k in known})
    assert isinstance(made, TableMethod)
    return made


def stacked_fields(method: type[Method]) -> list[dict[str, Any]]:
    """Descriptions of the parameters in which members may differ."""
    return [d for d in fields.describe(method) if "stacks" in d]


def three_settings(method: type[Method]) -> list[dict[str, Any]]:
    """Three settings that differ in every parameter in which they can."""
    out: list[dict[str, Any]] = [{}, {}, {}]
    for d in stacked_fields(method):
        name, default = d["name"], d["default"]
        for s, setting in enumerate(out):
            if d["kind"] == "choice":
                setting[name] = d["choices"][s % len(d["choices"])]
            elif d["kind"] == "int":
                setting[name] = min(max(default + (0, 2, -1)[s], d["low"]), d["high"])
            else:
                value = default * (1, 0.5, 1.7)[s] if default else (0.0, 0.2, 0.1)[s]
                setting[name] = min(max(value, d["low"]), d["high"])
    return out


def later_settings(method: type[Method]) -> list[dict[str, Any]]:
    """The same, without what a first phase depends on."""
    later = [d["name"] for d in stacked_fields(method) if d["stacks"] == LATER]
    return [{name: setting[name] for name in later} for setting in three_settings(method)]


def check_members(method: TableMethod, settings: list[dict[str, Any]], on: Task) -> list[Fitted]:
    """Trains the settings stacked and alone, and compares all that a fit returns. Returns the fits alone."""
    stack = method.stack(on, settings)
    together = fit(method, stack, frames=0)[1]
    shares = method.class_shares(stack, together)
    size, alone = len(on.replicates), []
    for s, setting in enumerate(settings):
        network_cache.clear()
        fitted = fit(replace(method, **setting), on, frames=0)[1]
        own = slice(s * size, (s + 1) * size)
        assert torch.equal(together.epoch[own], fitted.epoch)
        assert together.chosen.keys() == fitted.chosen.keys()
        pairs = [(together.net.flat, fitted.net.flat), *((v, fitted.chosen[k]) for k, v in together.chosen.items())]
        pairs += zip(evaluate(together.net, stack.test), evaluate(fitted.net, on.test), strict=True)
        pairs.append((shares, replace(method, **setting).class_shares(on, fitted)))
        if fitted.earlier is not None:
            assert together.earlier is not None
            pairs.append((together.earlier.flat, fitted.earlier.flat))
        for a, b in pairs:
            assert torch.allclose(a[own].double(), b.double(), rtol=0, atol=1e-9, equal_nan=True)
        for ours, theirs in ((together.synthetic, fitted.synthetic), (together.embedded, fitted.embedded)):
            if theirs is not None:
                assert ours is not None
                same_points(ours.x[own], ours.mask[own], theirs.x, theirs.mask)
        if fitted.lines is not None:
            assert together.lines is not None
            width = min(together.lines.shape[1], fitted.lines.shape[1])
            assert torch.allclose(together.lines[own][:, :width], fitted.lines[:, :width], rtol=0, atol=1e-9)
        alone.append(fitted)
    return alone


def same_points(x: Tensor, mask: Tensor, alone: Tensor, alone_mask: Tensor) -> None:
    """Both are the same points, apart from padding."""
    assert mask.sum(1).tolist() == alone_mask.sum(1).tolist()
    assert torch.allclose(x[mask], alone[alone_mask], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "change"), WAYS, ids=[f"{n} {' '.join(map(str, c.values()))}".strip() for n, c in WAYS])
def test_members_equal_their_settings_alone(name: str, change: dict[str, Any]) -> None:
    """Every parameter of every network method in which members may differ, on replicates of unequal size that stop by patience."""
    method = make(name, change)
    on = replace(task(blobs((61, 31)), ratio=4.0, seeds=1), patience=2)
    settings = three_settings(type(method))
    assert all(setting.keys() == {d["name"] for d in stacked_fields(type(method))} for setting in settings)
    alone = check_members(method, settings, on)
    assert not torch.equal(alone[0].net.flat, alone[1].net.flat) or name in ("threshold", "cnn-cl", "ncm")


@pytest.mark.parametrize("name", ["focal", "asl", "ldam", "class-weights", "eos", "dos", "explicit-gradient", "smote"])
def test_members_equal_their_settings_alone_with_three_classes(name: str) -> None:
    method = make(name, {})
    check_members(method, three_settings(type(method)), task(blobs((61, 34, 13)), ratio=None, seeds=1))


def test_networks_of_images_are_stacked_too() -> None:
    method = CE(epochs=2, batch=40, optimiser="sgd", augment=True)
    on = task(pictures(), ratio=None, folds=2, seeds=1)
    check_members(method, [{"learning_rate": 0.1}, {"learning_rate": 0.02, "momentum": 0.5}], on)


def test_rows_with_weights_keep_them() -> None:
    on = task()
    weight = (1.0 + torch.arange(on.train.mask.shape[1]) % 3) * on.train.mask
    on = replace(on, train=replace(on.train, weight=weight))
    check_members(make("explicit-gradient", {}), [{"eta_points": 10.0}, {"eta_points": 500.0, "copies": 2}], on)


def test_without_settings_numbers_are_python_s() -> None:
    on = task()
    assert CE(**SHORT).number(on, "learning_rate") == 1e-3
    assert CE(**SHORT).list_members(on)[0] == CE(**SHORT)


def test_a_choice_is_a_place_and_comes_back() -> None:
    on = task(numbers=[0, 1])
    method = EOS(**SHORT)
    stack = method.stack(on, [{"direction": "away", "k_neighbors": 3}, {}])
    assert stack.settings["k_neighbors"].tolist() == [3, 3, 10, 10]
    assert [(one.direction, one.k_neighbors) for one in method.list_members(stack)] == [("away", 3)] * 2 + [("toward", 10)] * 2
    assert [r.number for r in stack.replicates] == [0, 1, 0, 1]


def test_what_cannot_be_stacked_is_refused_in_a_sentence() -> None:
    on = task(numbers=[0])
    with pytest.raises(
        BadParameter, match=r"^ce\(hidden\): members of one stack cannot differ in it; they can in learning_rate, weight"
    ):
        CE(**SHORT).stack(on, [{"hidden": (4,)}])
    with pytest.raises(
        BadParameter, match=r"^forest\(trees\): members of one stack cannot differ in it; they can in no parameter\.$"
    ):
        Forest().stack(on, [{"trees": 4}])
    with pytest.raises(BadParameter, match="learning_rate=7"):
        CE(**SHORT).stack(on, [{"learning_rate": 7}])
    with pytest.raises(UnknownName):
        CE(**SHORT).stack(on, [{"speed": 7}])
    with pytest.raises(ValueError, match="same parameters"):
        repeat_task(on, [{"a": 1.0}, {"b": 1.0}])


def test_marks_say_first_or_later_and_methods_have_them() -> None:
    marks = {d["stacks"] for m in METHODS.values() for d in stacked_fields(m)}
    assert marks == {FIRST, LATER}
    assert all({"learning_rate", "weight_decay"} <= {d["name"] for d in stacked_fields(m)} for m in TABLE)
    assert {d["name"] for d in stacked_fields(ExplicitGradient) if d["stacks"] == LATER} >= {
        "eta_points",
        "eta_model",
        "confidence",
    }
    assert {d["name"] for d in stacked_fields(DOS)} >= {"k", "r", "lambda_f"}


@pytest.mark.parametrize("name", ["explicit-gradient", "eos", "dos", "crt", "tau"])
def test_members_that_differ_later_share_one_first_phase(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first phase is trained at the height of the replicates, not of the members; its events are of all members."""
    method = make(name, {})
    on = task(numbers=[0, 1])
    settings = later_settings(type(method))
    heights: list[int] = []
    network_cache.clear()
    monkeypatch.setattr(MLP, "gradient", recording(heights, MLP.gradient))
    events = fit(method, method.stack(on, settings), frames=0)[0]
    assert heights[0] == 2
    first = [e for e in events if getattr(e, "phase", "") == "training" and hasattr(e, "values")]
    assert len(first) == SHORT["epochs"] and all(len(e.values["valid_ap"]) == 6 for e in first)
    heights.clear()
    fit(method, method.stack(on, [{"learning_rate": rate, **settings[1]} for rate in (1e-3, 1e-3, 1e-2)]), frames=0)
    assert heights[0] == 4  # two step sizes for two replicates


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ce", {"optimiser": "sgd", "schedule": "warm-up and drops"}),
        ("focal", {}),
        ("ldam", {}),
        ("asl", {}),
        ("class-balanced", {}),
        ("class-weights", {}),
        ("remix", {}),
        ("cdt", {}),
        ("cosen", {}),
        ("explicit-gradient", {"meta_epochs": 12, "patience": 1}),
        ("meta-weight-net", {}),
        ("eos", {"head_epochs": 12}),
        ("lws", {"head_epochs": 12}),
        ("dos", {"rounds": 12}),
    ],
)
def test_members_that_stop_leave_the_stack(name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Members stop at epochs of their own, with settings of their own; those that go on are trained without them, and equal."""
    method = make(name, {"epochs": 12, "batch": 40, **change})
    on = replace(task(blobs((61, 31)), ratio=4.0, seeds=1), patience=1)
    taken: list[Tensor] = []
    narrow = loop._Stack.narrow

    def watched(stack: Any, *args: Any, **named: Any) -> None:
        before = len(stack.numbers)
        narrow(stack, *args, **named)
        if len(stack.numbers) < before:
            taken.append(stack.numbers)

    monkeypatch.setattr(loop._Stack, "narrow", watched)
    settings = three_settings(type(method))
    for setting, rate in zip(settings, (1e-2, 3e-2, 5e-3), strict=True):
        setting["learning_rate"] = rate
    check_members(method, settings, on)
    assert max(map(len, taken)) > 3, "some leave while members of more than one setting go on"


@pytest.mark.parametrize("name", ["explicit-gradient", "eos", "tau", "dos", "threshold"])
def test_what_was_chosen_for_members_is_taken_over(name: str) -> None:
    """A stack trained again with the epochs and numbers that its members chose gives the networks of its first training."""
    method = make(name, {})
    stack = method.stack(task(numbers=[0, 1]), later_settings(type(method)))
    fitted = fit(method, stack, frames=0)[1]
    chosen = dict(fitted.chosen)
    again = fit(method, replace(stack, chosen=chosen, patience=0), frames=0)[1]
    assert torch.allclose(again.net.flat, fitted.net.flat, rtol=0, atol=1e-9)
    chosen["training"] = torch.tensor([1, 2, 3, 4, 3, 2])
    other = fit(method, replace(stack, chosen=chosen, patience=0), frames=0)[1]
    assert torch.equal(other.chosen["training"], chosen["training"])


def recording(heights: list[int], gradient: Any) -> Any:
    """The gradient of a network, which also writes down how high its stack is."""

    def recorded(net: MLP, x: Tensor, *others: Any, **named: Any) -> Any:
        heights.append(len(x))
        return gradient(net, x, *others, **named)

    return recorded


def test_a_first_phase_is_shared_with_runs_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where members differ later alone, the first phase is that of a usual run, to the bit and from the same cache."""
    on = task(numbers=[0, 1], dtype=torch.float32)
    network_cache.clear()
    usual = fit(CE(**SHORT), on, frames=0)[1]
    method = make("tau", {"choose": False})
    monkeypatch.setattr(MLP, "gradient", None)  # nothing is trained again
    fitted = fit(method, method.stack(on, [{"tau": 0.5}, {"tau": 1.0}]), frames=0)[1]
    assert fitted.earlier is not None and torch.equal(fitted.earlier.flat, usual.net.flat.repeat(2, 1))


def test_rows_of_one_replicate_are_shared_and_not_copied() -> None:
    on = task(numbers=[0])
    stack = repeat_task(on, [{"learning_rate": rate} for rate in (1e-3, 1e-2, 1e-1)])
    narrow = select_task(stack, torch.tensor([2, 0]))
    for one in (stack, narrow):
        assert one.train.x.data_ptr() == on.train.x.data_ptr() and one.train.x.stride(0) == 0
    assert narrow.settings["learning_rate"].tolist() == [1e-1, 1e-3]
    assert torch.equal(narrow.valid.y, on.valid.y.repeat(2, 1))


def test_selected_rows_are_those_of_the_replicates() -> None:
    on = task()
    index = torch.tensor([4, 1, 1])
    narrow = select_task(on, index)
    assert isinstance(narrow.train, Rows) and torch.equal(narrow.train.x, on.train.x[index])
    assert [r.number for r in narrow.replicates] == [4, 1, 1] and narrow.source[0] is on.source[4]
