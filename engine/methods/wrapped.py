"""The base of a method that is an estimator of scikit-learn's kind as it stands: five lines in a file of one's own."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.methods.estimator import Growing, ModelMethod, Sample
from engine.models.committee import one_thread


@dataclass(frozen=True)
class WrappedMethod(ModelMethod, abc.ABC):
    """estimator: an unfitted classifier with `predict_proba`. Every replicate fits a copy of it.

    Its `random_state`, where it has one, comes from the replicate's stream. Rows' weights are given to it where its `fit` takes them.
    """

    family = "model"
    kinds = ("tabular", "points")
    cost = 0.5
    comparison = 90
    length = ""
    estimator: ClassVar[Any]

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        from sklearn.base import clone
        from sklearn.utils.validation import has_fit_parameter

        yield sample.progress(0.0)
        model = clone(self.estimator)
        if "random_state" in model.get_params():
            model.set_params(random_state=sample.draw("trees"))
        weighted = (
            {"sample_weight": sample.weight} if sample.weight is not None and has_fit_parameter(model, "sample_weight") else {}
        )
        with one_thread():
            return model.fit(sample.x.astype(float), sample.y, **weighted)
