"""What a method is: a frozen dataclass whose `fit` is a generator of events and returns what it fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from engine import fields
from engine.data.dataset import Task
from engine.events import Event
from engine.fields import param
from engine.models.mlp import MLP

__all__ = ["Fitted", "Method", "Synthetic", "TableMethod", "param"]


@dataclass(frozen=True)
class Synthetic:
    """Synthetic rows in the task's feature space. x, start [R, n, D] (where they are, where they began), y [R, n], mask [R, n]."""

    x: torch.Tensor
    start: torch.Tensor
    y: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class Fitted:
    """A trained net (the epoch chosen on validation) and the synthetic rows it was trained with, if any.

    epoch [R]: the chosen epoch, from 1, in the last phase.
    """

    net: MLP
    epoch: torch.Tensor
    synthetic: Synthetic | None = None


@dataclass(frozen=True)
class Method:
    """A way to train on imbalanced data. Subclasses are final: they have a name, fields made by `param`, and `fit`.

    name: as typed at the terminal. title: as shown. family: plain, loss, sampling, meta, oracle. kinds: of data it takes.
    source: which algorithm of which paper, whose variant. ranked: False for oracles. presets: preset -> parameters that
    differ from the defaults; deviations: preset -> what it still does not do as the source. controls: label -> parameters
    changed to make the control that isolates the method's claim.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    source: ClassVar[str]
    ranked: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    deviations: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    controls: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name, value in fields.check(fields.describe(type(self)), values, self.name).items():
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)

    def fit(self, task: Task) -> Generator[Event, None, Fitted]:
        """Train on the task; yields at least every half second, except inside a library call; returns what was fitted.

        All draws come from `engine.seeds` streams named by the task's seed and replicates. Close it at any yield to stop.
        """
        raise NotImplementedError

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """The catalog's entry: JSON-plain."""
        text = (cls.__doc__ or "").strip()
        return {
            "name": cls.name,
            "title": cls.title,
            "family": cls.family,
            "kinds": list(cls.kinds),
            "source": cls.source,
            "ranked": cls.ranked,
            "summary": text.split("\n\n")[0].replace("\n    ", " "),
            "fields": fields.describe(cls),
            "presets": {k: dict(v) for k, v in cls.presets.items()},
            "deviations": {k: list(v) for k, v in cls.deviations.items()},
            "controls": {k: dict(v) for k, v in cls.controls.items()},
        }
