"""Bagging on balanced draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.events import Note
from engine.methods.estimator import Growing, Sample, import_ensembles, note_weights
from engine.methods.picked_base import PickedMethod
from engine.models.committee import Bag
from engine.samplers.hardness import Pick, pick_equally, pick_from_a_draw
from engine.spec.pens import Pen

FEW = 10
"""Rows of a class below which a draw with repetition may lack it."""


@dataclass(frozen=True)
class BalancedBagging(PickedMethod):
    """Trees on rows drawn with repetition, of which the majority is then cut to the size of the smallest class."""

    name = "balanced-bagging"
    title = "Balanced bagging"
    family = "ensemble"
    kinds = ("tabular", "points", "images")
    source = (
        "Maclin and Opitz 1997 with under-sampling. Trees by imbalanced-learn's BalancedBaggingClassifier; networks on rows drawn in the "
        "same way."
    )
    pen = Pen("pink", "longdash", "cross")
    needs = ("imblearn.ensemble",)
    comparison = 34

    def start(self, y: np.ndarray) -> Pick:
        """See PickedMethod."""
        draw = pick_equally if np.bincount(y).min() < FEW else pick_from_a_draw
        return lambda t, hardness, rng: draw(y, rng)

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Weights of rows are not used in the draws."""
        yield from note_weights(self, sample)
        whole = np.bincount(sample.y)
        few = int(whole[whole > 0].min()) < FEW
        if few:
            yield Note(f"A class has fewer than {FEW} rows, so members draw without repetition: a draw could lack it.")
        model = import_ensembles(self.name).BalancedBaggingClassifier(
            n_estimators=self.members, max_samples=len(sample.y), bootstrap=not few, random_state=sample.draw("trees"), n_jobs=1
        )
        model.fit(sample.x, sample.y)
        members = [[step for _, step in member.steps] for member in model.estimators_]
        drawn = zip(members, model.estimators_samples_, strict=True)
        sample.picked.extend(np.sort(rows[under.sample_indices_]) for (under, _), rows in drawn)
        return Bag(model.classes_, [([tree for _, tree in members], None)])
