"""Extra trees."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.base import param
from engine.methods.estimator import Growing, ModelMethod, Sample, grow_in_parts
from engine.spec.pens import Pen


@dataclass(frozen=True)
class ExtraTrees(ModelMethod):
    """Many deep trees on all rows, split at random places of a few columns; the mean of their answers."""

    name = "extra-trees"
    title = "Extra trees"
    family = "model"
    kinds = ("tabular", "points")
    source = "Geurts, Ernst and Wehenkel 2006, by scikit-learn's ExtraTreesClassifier."
    pen = Pen("sky", "dashdot", "pentagon")
    needs = ("sklearn.ensemble",)
    overhead = 1_500.0
    comparison = 22
    cost = 0.5

    trees: int = param(100, low=1, high=5000, log=True, help="How many trees are grown.")
    columns: str = param("sqrt", choices=("sqrt", "log2", "all"), help="How many columns a split looks at.")
    smallest_leaf: int = param(1, low=1, high=10_000, log=True, help="Training rows that a leaf has at least.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        from sklearn.ensemble import ExtraTreesClassifier

        model = ExtraTreesClassifier(
            n_estimators=0,
            max_features=None if self.columns == "all" else self.columns,
            min_samples_leaf=self.smallest_leaf,
            random_state=sample.draw("trees"),
            warm_start=True,
        )
        return (yield from grow_in_parts(model, self.trees, sample))
