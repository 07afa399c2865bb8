"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.base import param
from engine.methods.estimator import Growing, ModelMethod, Sample
from engine.models.committee import one_thread
from engine.spec.pens import Pen


@dataclass(frozen=True)
class Logistic(ModelMethod):
    """A weighted sum of the columns, made a probability. It is quick, says what each column adds, and sees no interaction of columns."""

    name = "logistic"
    title = "Logistic regression"
    family = "model"
    kinds = ("tabular", "points")
    source = "scikit-learn's LogisticRegression with an L2 penalty, on standardised columns."
    pen = Pen("green", "longdashdot", "square")
    needs = ("sklearn.linear_model",)
    comparison = 20
    cost = 0.3
    length = ""

    inverse_penalty: float = param(
        1.0, low=1e-4, high=1e4, log=True, help="The inverse of the penalty on large weights (C of scikit-learn)."
    )  # fmt: skip
    iterations: int = param(1000, low=10, high=100_000, log=True, help="Most steps of its solver.", advanced=True)

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        from sklearn.linear_model import LogisticRegression

        yield sample.progress(0.0)
        model = LogisticRegression(C=self.inverse_penalty, max_iter=self.iterations, random_state=sample.draw("trees"))
        with one_thread():
            return model.fit(sample.x.astype(float), sample.y, sample_weight=sample.weight)
