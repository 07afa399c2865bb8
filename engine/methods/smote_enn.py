"""SMOTE and edited nearest neighbours, before training or among features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.cleaning import ENN_NEIGHBORS, RULES, smote_cleaned
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class SMOTEENN(SampledMethod):
    """SMOTE until every class is as large as the largest; then rows of any class go whose nearest rows are of another. Classes are not
    equally large after that."""

    name = "smote-enn"
    title = "SMOTE + ENN"
    source = (
        "Batista et al. 2004 by imbalanced-learn's EditedNearestNeighbours on our SMOTE's rows, all classes. A class that would keep fewer "
        "than two real rows keeps all of them; small classes use the neighbours there are."
    )
    pen = Pen("green", "dash", "diamond")
    needs = ("imblearn.under_sampling",)
    comparison = 70

    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )
    n_neighbors: int = param(
        ENN_NEIGHBORS, low=1, high=50, stacks=FIRST, help="Nearest rows whose classes decide whether a row stays."
    )
    rule: str = param(
        "all",
        choices=RULES,
        stacks=FIRST,
        help="A row stays where all of its nearest rows are of its class, or most of them (mode).",
    )

    def draws(self, task: Task) -> Sequence[Draw]:
        """See SampledMethod."""
        return [
            partial(smote_cleaned, cleaning="enn", k_neighbors=one.k_neighbors, n_neighbors=one.n_neighbors, rule=one.rule)
            for one in self.list_members(task)
        ]
