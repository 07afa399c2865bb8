"""Boosting with random under-sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.events import Note
from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, import_ensembles
from engine.models.committee import Bag
from engine.samplers.hardness import pick_equally
from engine.spec.pens import Pen

ATTEMPTS = 6
WORSE = "worse than random"
"""In imbalanced-learn's message where the first tree is too weak."""


@dataclass(frozen=True)
class RUSBoost(EnsembleMethod):
    """Boosting in which every tree sees a new draw of rows with the classes alike; rows that are often wrong are drawn more."""

    name = "rus-boost"
    title = "RUSBoost"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = (
        "Seiffert et al. 2010, by imbalanced-learn's RUSBoostClassifier (SAMME on labels). Trees of depth 5 at rate 0.1: its default "
        "stump is often worse than chance where rows are few."
    )
    presets: ClassVar = {"library": {"depth": 1, "rate": 1.0}}
    deviations: ClassVar = {
        "library": (
            "The source is AdaBoost.M2 on confidences; this is SAMME on labels. The stump is often worse than chance where rows are few.",
        ),
    }
    pen = Pen("vermilion", "solid", "star")
    needs = ("imblearn.ensemble",)
    comparison = 33
    length = "rounds"

    rounds: int = param(50, low=1, high=1000, log=True, help="Most trees; it ends early where a tree is perfect or too weak.")
    depth: int = param(5, low=1, high=50, help="Depth of a tree.")
    rate: float = param(0.1, low=1e-3, high=1.0, log=True, help="How much of its answer each tree adds.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. ATTEMPTS draws are tried where first trees are worse than chance; then one tree is grown."""
        from sklearn.tree import DecisionTreeClassifier

        yield sample.progress(0.0)
        kind = import_ensembles(self.name).RUSBoostClassifier
        for attempt in range(ATTEMPTS):
            model = kind(
                estimator=DecisionTreeClassifier(max_depth=self.depth),
                n_estimators=self.rounds,
                learning_rate=self.rate,
                random_state=sample.draw("trees", attempt),
            )
            try:
                model.fit(sample.x, sample.y, sample_weight=sample.weight)
            except ValueError as error:
                if WORSE not in str(error):
                    raise
                continue
            grown = list(model.estimators_)
            return Bag(model.classes_, [(grown, model.estimator_weights_[: len(grown)])])
        yield Note(
            "Every first tree of RUSBoost was worse than chance: one tree on an under-sampled draw took its place.", "warning"
        )
        rows = pick_equally(sample.y, sample.stream("member", 0))
        tree = DecisionTreeClassifier(max_depth=self.depth, random_state=sample.draw("trees", ATTEMPTS))
        tree.fit(sample.x[rows], sample.y[rows])
        classes = tree.classes_
        tree.classes_ = np.arange(len(classes))
        return Bag(classes, [([tree], None)])
