"""What scoring needs to know of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.export.model_facts import ModelFacts
from engine.export.pipeline import Pipeline
from engine.export.read import Model


@dataclass(frozen=True)
class Scorer:
    """A model as scoring uses it.

    classes: texts [C]. positive: the class looked for, an index. about: facts saved with it. facts: of its training rows, None where the
    file holds none. cut: on the calibrated probability, None where the file holds none. rule: {kind, value, per, ...}
    (`engine.stats.decide.Rule`) that chose the cut. promised: {precision, recall, alerts (per 1,000): {mean, low, high}}.
    share: of the class looked for in the table that the model was made from.
    features -> calibrated probabilities [n, C] is `compute`.
    """

    pipeline: Pipeline
    classes: tuple[str, ...]
    positive: int
    compute: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    kind: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    facts: ModelFacts | None = None
    cut: float | None = None
    rule: Mapping[str, Any] | None = None
    promised: Mapping[str, Mapping[str, float | None]] | None = None
    share: float | None = None

    @classmethod
    def of(cls, model: Model) -> Scorer:
        """The model of a file."""
        positive = len(model.classes_) - 1 if model.decision is None else model.decision.positive
        share = None if model.decision is None else model.decision.share
        how = (model.kind, model.about, model.facts, model.cut, model.rule, model.promised, share)
        return cls(model.pipeline, model.classes, positive, model.compute, *how)

    def probability(self, x: np.ndarray) -> np.ndarray:
        """Probability of the class looked for [n] of rows of features [n, width]."""
        out: np.ndarray = self.compute(x)[:, self.positive]
        return out

    @property
    def names(self) -> list[str]:
        """Names of its columns."""
        return [column.name for column in self.pipeline.columns]
