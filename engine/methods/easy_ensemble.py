"""Easy ensemble."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, import_ensembles, note_weights
from engine.models.committee import Bag
from engine.spec.pens import Pen


@dataclass(frozen=True)
class EasyEnsemble(EnsembleMethod):
    """Boosted stumps on several draws of the majority, each as large as the smallest class; the mean of their answers."""

    name = "easy-ensemble"
    title = "Easy ensemble"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = "Liu, Wu and Zhou 2009, by imbalanced-learn's EasyEnsembleClassifier, with 10 boosted stumps a member by default."
    presets: ClassVar = {"library": {"rounds": 50}}
    pen = Pen("green", "dashdot", "star")
    needs = ("imblearn.ensemble",)
    comparison = 32

    members: int = param(10, low=1, high=500, log=True, help="How many draws of the majority there are.")
    rounds: int = param(10, low=1, high=500, log=True, help="Boosted stumps of each of them.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Weights of rows are not used in the draws."""
        from sklearn.ensemble import AdaBoostClassifier
        from sklearn.tree import DecisionTreeClassifier

        yield from note_weights(self, sample)
        model = import_ensembles(self.name).EasyEnsembleClassifier(
            n_estimators=self.members,
            estimator=AdaBoostClassifier(n_estimators=self.rounds),
            random_state=sample.draw("trees"),
            n_jobs=1,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using the fractional value", UserWarning)  # said of fewer than ten rows
            try:
                model.fit(sample.x, sample.y)
            except ValueError as error:  # no stump tells the classes apart, which AdaBoost refuses
                if "worse than random" not in str(error):
                    raise
                alone = DecisionTreeClassifier(max_depth=1, class_weight="balanced").fit(sample.x, sample.y)
                return Bag(alone.classes_, [([alone], None)])
        boosted = [member.steps[-1][1] for member in model.estimators_]
        groups = [(list(own.estimators_), own.estimator_weights_[: len(own.estimators_)]) for own in boosted]
        return Bag(model.classes_, groups)
