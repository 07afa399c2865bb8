"""Extra trees."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.estimator import ForestMethod
from engine.spec.pens import Pen


@dataclass(frozen=True)
class ExtraTrees(ForestMethod):
    """Many deep trees on all rows, split at random places of a few columns; the mean of their answers."""

    name = "extra-trees"
    title = "Extra trees"
    source = "Geurts, Ernst and Wehenkel 2006, by scikit-learn's ExtraTreesClassifier."
    pen = Pen("sky", "dashdot", "pentagon")
    comparison = 22
    grower = "ExtraTreesClassifier"
