"""Bagging of trees on balanced draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.events import Note
from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, import_ensembles, note_weights
from engine.models.committee import Bag
from engine.spec.pens import Pen

FEW = 10
"""Rows of a class below which a draw with repetition may lack it."""


@dataclass(frozen=True)
class BalancedBagging(EnsembleMethod):
    """Trees on rows drawn with repetition, of which the majority is then cut to the size of the smallest class."""

    name = "balanced-bagging"
    title = "Balanced bagging"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = "Maclin and Opitz 1997 with under-sampling, by imbalanced-learn's BalancedBaggingClassifier."
    pen = Pen("pink", "longdash", "cross")
    needs = ("imblearn.ensemble",)
    comparison = 34

    members: int = param(10, low=1, high=500, log=True, help="How many trees are grown.")

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
        trees = [member.steps[-1][1] for member in model.estimators_]
        return Bag(model.classes_, [(trees, None)])
