"""What a study of settings comes to, and which validation rows count in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.compare.bench import Evaluator
from engine.compare.halving import Resource

LEAST = 3
"""Fewer settings than LEAST with a score leave the defaults."""


@dataclass
class Tuned:
    """A model's study. tried: settings, as places in the space -> mean score on validation rows, in order. level: of every
    trial. seconds: spent. share: allowed. space: name of a parameter -> values.
    """

    model: str
    share: float
    tried: dict[tuple[Any, ...], float] = field(default_factory=dict)
    level: Resource = Resource()
    seconds: float = 0.0
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def best(self) -> tuple[Any, ...] | None:
        """The settings with the highest score, the first of equal ones; None after fewer than LEAST trials."""
        known = [key for key, value in self.tried.items() if value == value]
        return max(known, key=lambda key: self.tried[key]) if len(known) >= LEAST else None

    @property
    def settings(self) -> dict[str, Any]:
        """What replaces the defaults; empty where they stay."""
        if self.best is None:
            return {}
        return {name: values[k] for k, (name, values) in zip(self.best, self.space.items(), strict=True)}

    def to_json(self) -> dict[str, Any]:
        """The model's record of the result's `tuning`."""
        first = next(iter(self.tried.values()), None)
        best = None if self.best is None else self.tried[self.best]
        return {
            "trials": len(self.tried),
            "seconds": self.seconds,
            "share": self.share,
            "most_rows": self.level.rows,
            "most_epochs": self.level.epochs,
            "settings": self.settings,
            "validation": {"default": first, "best": best},
        }


def find_unseen(bench: Evaluator, level: Resource) -> list[np.ndarray]:
    """For each replicate of the first seed, which of its validation rows count [v]: by time those that no replicate tests on."""
    task = bench.prepare(level, (0,))
    if not bench.plan.by_time:
        return [np.ones(len(rows), bool) for rows in task.valid_source]
    tested = np.concatenate(task.test_source)
    return [~np.isin(rows, tested) for rows in task.valid_source]
