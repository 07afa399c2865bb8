"""Gradient boosting."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.methods.base import param
from engine.methods.estimator import Growing, ModelMethod, Sample
from engine.models.committee import Folded, one_thread
from engine.spec.pens import Pen


@dataclass(frozen=True)
class Boosting(ModelMethod):
    """Small trees, each fitted to what those before it get wrong. Columns of categories go in as they are,
    not as a column for each level."""

    name = "boosting"
    title = "Gradient boosting"
    family = "model"
    kinds = ("tabular", "points")
    source = "Friedman 2001 as scikit-learn's HistGradientBoostingClassifier; validation rows say how many trees are kept."
    pen = Pen("blue", "dot", "triangle-up")
    needs = ("sklearn.ensemble",)
    overhead = 10_000.0
    comparison = 23
    cost = 0.5

    trees: int = param(200, low=1, high=5000, log=True, help="Most trees; it ends after `patience` trees without a lower loss.")
    learning_rate: float = param(0.1, low=1e-3, high=1.0, log=True, help="How much of its answer each tree adds.")
    leaves: int = param(31, low=2, high=1024, log=True, help="Most leaves of a tree.")
    smallest_leaf: int = param(20, low=1, high=10_000, log=True, help="Training rows that a leaf has at least.")
    penalty: float = param(0.0, low=0.0, high=1e6, help="L2 penalty on the values of leaves.", advanced=True)
    patience: int = param(
        10, low=0, high=2000, advanced=True, help="Trees without a lower loss on validation rows after which it ends; 0: never."
    )  # fmt: skip

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        yield sample.progress(0.0)
        folded = Folded.look(sample.x, sample.task.levels)
        x, count = folded.fold(sample.x), folded.count
        stops = bool(self.patience) and sample.task.held_out and not sample.task.chosen
        model = HistGradientBoostingClassifier(
            max_iter=sample.ends("trees", self.trees),
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.smallest_leaf,
            l2_regularization=self.penalty,
            categorical_features=np.arange(x.shape[1]) < count if count else None,
            early_stopping=stops,
            n_iter_no_change=max(1, self.patience),
            random_state=sample.draw("trees"),
        )
        watched = {}
        if stops:
            watched = {
                "X_val": folded.fold(sample.valid_x),
                "y_val": sample.valid_y,
                "sample_weight_val": sample.valid_weight,
            }
        with one_thread():
            model.fit(x, sample.y, sample_weight=sample.weight, **watched)
        # its encoder leaves level numbers from 0 as they are, and skops trusts none of its parts
        model._preprocessor = None
        return replace(folded, estimator=model)
