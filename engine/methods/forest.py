"""Random forest."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.estimator import ForestMethod
from engine.spec.pens import Pen


@dataclass(frozen=True)
class Forest(ForestMethod):
    """Many deep trees, each on rows drawn with repetition, that look at a few columns at every split; the mean of their answers."""

    name = "forest"
    title = "Random forest"
    source = "Breiman 2001, by scikit-learn's RandomForestClassifier."
    pen = Pen("orange", "dashdot", "square")
    comparison = 21
    grower = "RandomForestClassifier"
