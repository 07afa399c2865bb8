"""Balance cascade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.methods.base import param
from engine.methods.estimator import Sample
from engine.methods.picked_base import Picked, PickedMethod
from engine.samplers.hardness import Cascade, Pick
from engine.spec.pens import Pen


@dataclass(frozen=True)
class BalanceCascade(PickedMethod):
    """Trees on as many rows of every class; before each of them the rows of larger classes that are already answered best leave."""

    name = "balance-cascade"
    title = "Balance cascade"
    family = "ensemble"
    kinds = ("tabular", "points", "images")
    source = (
        "Liu, Wu and Zhou 2009. A member is one tree (boosted stumps: by option), the answer the mean of members; the share that "
        "leaves is fixed, so no threshold is set."
    )
    pen = Pen("green", "dashdot", "cross")
    needs = ("sklearn.ensemble",)
    comparison = 51
    follows = True

    learner: str = param(
        "trees", choices=("trees", "boosted", "network"),
        help="A member is a tree, boosted stumps as in the source, or a network; on images on the features of a network that is trained "
        "first.",
    )  # fmt: skip
    rounds: int = param(10, low=1, high=500, log=True, advanced=True, help="Boosted stumps of a member, where it is boosted.")

    def start(self, y: np.ndarray) -> Pick:
        """See PickedMethod."""
        return Cascade(y, self.members)

    def fit_member(self, sample: Sample, t: int, on: Picked) -> tuple[list[Any], np.ndarray | None]:
        """See PickedMethod."""
        if self.learner != "boosted":
            return super().fit_member(sample, t, on)
        return boost_stumps(self.rounds, sample.draw("trees", t), on)


def boost_stumps(rounds: int, seed: int, on: Picked) -> tuple[list[Any], np.ndarray | None]:
    """A group of `Bag`: boosted stumps and their weights. One stump alone where none tells the classes apart, which AdaBoost refuses."""
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.tree import DecisionTreeClassifier

    try:
        model = AdaBoostClassifier(n_estimators=rounds, random_state=seed).fit(on.x, on.y, sample_weight=on.weight)
    except ValueError as error:
        if "worse than random" not in str(error):
            raise
        return [DecisionTreeClassifier(max_depth=1, random_state=seed).fit(on.x, on.y, sample_weight=on.weight)], None
    grown = list(model.estimators_)
    return grown, model.estimator_weights_[: len(grown)]
