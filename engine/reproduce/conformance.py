"""What a method or a dataset must hold, checked where it runs: for files of one's own (`engine.plugins`) as for those of this package."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.sources import datasets, load
from engine.errors import BadData, BadParameter
from engine.events import Event, Phase, Running
from engine.methods import method
from engine.methods.base import Method
from engine.spec import RunSpec, fields
from engine.spec.run import find_entry
from engine.training.camera import Camera
from engine.training.fitted import Fitted

FIRST = {"tabular": "breast-cancer", "points": "clusters", "images": "digits"}
"""Kind of data -> the set on which a method for it is checked. All of them are everywhere."""
SMALL = {
    "hidden": (6,),
    "epochs": 4,
    "meta_epochs": 3,
    "head_epochs": 3,
    "patience": 3,
    "rounds": 3,
    "trees": 4,
    "members": 3,
    "steps": 4,
}
"""Parameters that make a fit short, where a method has them."""
FOLDS = 2


class Failed(Exception):
    """A check that does not hold, with the reason in its text."""


def check_method(name: str) -> Iterator[tuple[str, str]]:
    """Carry out the checks of a method: (what is checked, what is wrong or ''). Raises UnknownName."""
    cls = method(name)
    for what, check in METHOD_CHECKS.items():
        yield what, _try(check, cls)


def check_dataset(name: str) -> Iterator[tuple[str, str]]:
    """The same of a dataset. Raises UnknownName."""
    entry = find_entry({"datasets": datasets(found=True)}, "datasets", name)
    for what, check in DATASET_CHECKS.items():
        yield what, _try(check, entry)


def _try(check: Callable[[Any], None], of: Any) -> str:
    try:
        check(of)
    except Failed as failed:
        return str(failed)
    except Exception as error:  # whatever a stranger's file does
        return f"{type(error).__name__}: {error}"
    return ""


def _make_task(cls: type[Method], numbers: Sequence[int] = range(FOLDS)) -> Task:
    """The set for a method, in two folds."""
    kind = next(kind for kind in FIRST if kind in cls.kinds)
    entry = find_entry({"datasets": datasets()}, "datasets", FIRST[kind])
    catalog = {"methods": [cls.describe()], "datasets": [entry]}
    spec = RunSpec(entry["name"], cls.name, folds=FOLDS).complete(catalog)
    return prepare(load(spec.dataset, spec.data), spec, list(numbers), device=torch.device("cpu"), dtype=torch.float64)


def _fit(cls: type[Method], task: Task) -> tuple[list[Event], Fitted]:
    fitting = Running(_make_small(cls).fit(task, camera=Camera(task, 4)))
    return list(fitting), fitting.value


def _make_small(cls: type[Method]) -> Method:
    known = {f.name for f in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in SMALL.items() if name in known})


def _answer(fitted: Fitted, task: Task) -> torch.Tensor:
    """Probabilities [R, N, C] of the training rows."""
    return fitted.net(task.train.x).softmax(-1) * task.train.mask.unsqueeze(-1)


def _check_seed(cls: type[Method]) -> None:
    first, second = (_answer(_fit(cls, task)[1], task) for task in (_make_task(cls), _make_task(cls)))
    if not torch.equal(first, second):
        raise Failed("two fits with one seed differ; draw from the replicate's streams alone")


def _check_alone(cls: type[Method]) -> None:
    together = _make_task(cls)
    stacked = _answer(_fit(cls, together)[1], together)
    for r in range(FOLDS):
        task = _make_task(cls, [r])
        own = _answer(_fit(cls, task)[1], task)[0]
        if not torch.allclose(own, stacked[r, : len(own)], rtol=0, atol=1e-6):
            raise Failed(f"replicate {r} alone differs from the same replicate beside another")


def _check_test_rows(cls: type[Method]) -> None:
    task = _make_task(cls)
    other = dataclasses.replace(task, test=dataclasses.replace(task.test, x=task.test.x * 7 + 3, y=task.test.y * 0))
    if not torch.equal(_answer(_fit(cls, task)[1], task), _answer(_fit(cls, other)[1], task)):
        raise Failed("other test rows change what is learnt")


def _check_events(cls: type[Method]) -> None:
    task = _make_task(cls)
    events, fitted = _fit(cls, task)
    if not events or not isinstance(events[0], Phase):
        raise Failed("the first event must be a Phase")
    if fitted.epoch.shape != (FOLDS,):
        raise Failed("it must return an epoch for each replicate")
    for stop in range(1, len(events), max(1, len(events) // 5)):
        fitting = _make_small(cls).fit(task, camera=Camera(task, 4))
        for _ in range(stop):
            next(fitting, None)
        fitting.close()


def _check_probabilities(cls: type[Method]) -> None:
    task = _make_task(cls)
    p = _fit(cls, task)[1].net(task.test.x).softmax(-1)
    if p.shape != (*task.test.y.shape, len(task.classes)) or not bool(torch.isfinite(p).all()):
        raise Failed("it must give a finite probability of each class for each row")


def _check_parameters(cls: type[Method]) -> None:
    for described in fields.describe(cls):
        try:
            cls(**{described["name"]: object()})
        except BadParameter:
            continue
        raise Failed(f"parameter {described['name']} takes anything; make it by `param`")


def _check_rows(entry: dict[str, Any]) -> None:
    data, again = load(entry["name"]), load(entry["name"])
    if not (np.array_equal(data.numeric, again.numeric, equal_nan=True) and np.array_equal(data.y, again.y)):
        raise BadData("reading it twice gives other rows")
    if entry["test_counts"] is None and not entry["parts"]:
        counts = np.bincount(data.y, minlength=len(data.classes)).tolist()
        if list(data.classes) != entry["classes"] or counts != entry["counts"]:
            raise Failed(f"its facts say {entry['counts']} rows of {entry['classes']}; it has {counts} of {list(data.classes)}")
    if entry["kind"] != "images" and data.numeric.shape[1] + data.categorical.shape[1] != entry["features"]:
        raise Failed("its facts say another number of columns")


def _check_training(entry: dict[str, Any]) -> None:
    cls = method("ce")
    spec = RunSpec(entry["name"], "ce", folds=1 if entry["test_counts"] or entry["parts"] else FOLDS)
    spec = spec.complete({"methods": [cls.describe()], "datasets": [entry]})
    task = prepare(
        load(spec.dataset, spec.data), spec, list(range(spec.replicates)), device=torch.device("cpu"), dtype=torch.float32
    )
    if not bool(torch.isfinite(_answer(_fit(cls, task)[1], task)).all()):
        raise Failed("plain training on it gives no finite answer")


METHOD_CHECKS: dict[str, Callable[[type[Method]], None]] = {
    "the same seed gives the same answer": _check_seed,
    "a replicate alone equals the same one beside others": _check_alone,
    "test rows change nothing": _check_test_rows,
    "it begins with a phase and can be closed at any event": _check_events,
    "it gives probabilities": _check_probabilities,
    "bad parameters are refused": _check_parameters,
}
DATASET_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "reading it twice gives the same rows, as its facts say": _check_rows,
    "plain training runs on it": _check_training,
}
