"""Self-paced ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample
from engine.models.committee import Bag
from engine.samplers.hardness import pick_by_hardness
from engine.spec.pens import Pen


@dataclass(frozen=True)
class SelfPaced(EnsembleMethod):
    """Trees on all rows of the smallest class and as many of the others. Later trees see rows of every
    hardness, no longer mostly easy ones."""

    name = "self-paced"
    title = "Self-paced ensemble"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = (
        "Liu et al. 2020. Bins of hardness are fixed on [0, 1]; counts are rounded by largest remainders, "
        "so that no member has too many rows."
    )
    pen = Pen("sky", "longdashdot", "star")
    comparison = 31

    members: int = param(10, low=1, high=500, log=True, help="How many trees are grown.")
    bins: int = param(5, low=1, high=100, help="Bins of hardness from 0 to 1.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Hardness is 1 - the probability of a row's own class, of the members before, on training rows."""
        from sklearn.tree import DecisionTreeClassifier

        y = sample.y
        classes, codes = np.unique(y, return_inverse=True)
        trees: list[Any] = []
        total = np.zeros((len(y), len(classes)))
        for t in range(self.members):
            yield sample.progress(t / self.members)
            hardness = None if t == 0 else 1 - (total / t)[np.arange(len(y)), codes]
            rows = pick_by_hardness(hardness, codes, t, self.members, self.bins, sample.stream("member", t))
            tree = DecisionTreeClassifier(random_state=sample.draw("trees", t))
            tree.fit(sample.x[rows], codes[rows], sample_weight=None if sample.weight is None else sample.weight[rows])
            trees.append(tree)
            total += tree.predict_proba(sample.x)
        return Bag(classes, [(trees, None)])
