"""A random forest of balanced trees."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, grow_in_parts, import_ensembles
from engine.models.committee import Bag
from engine.spec.pens import Pen


@dataclass(frozen=True)
class BalancedForest(EnsembleMethod):
    """A random forest whose trees each see as many rows of every class as the smallest has, drawn with repetition."""

    name = "balanced-forest"
    title = "Balanced random forest"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = "Chen, Liaw and Breiman 2004, by imbalanced-learn's BalancedRandomForestClassifier."
    pen = Pen("orange", "longdashdot", "cross")
    needs = ("imblearn.ensemble",)
    overhead = 1_500.0
    comparison = 30
    length = "trees"

    trees: int = param(100, low=1, high=5000, log=True, help="How many trees are grown.")
    columns: str = param("sqrt", choices=("sqrt", "log2", "all"), help="How many columns a split looks at.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        model = import_ensembles(self.name).BalancedRandomForestClassifier(
            n_estimators=0,
            max_features=None if self.columns == "all" else self.columns,
            random_state=sample.draw("trees"),
            warm_start=True,
        )
        grown = yield from grow_in_parts(model, self.trees, sample)
        return Bag(grown.classes_, [(list(grown.estimators_), None)])
