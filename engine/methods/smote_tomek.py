"""SMOTE and Tomek links, before training or among features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.cleaning import smote_cleaned
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class SMOTETomek(SampledMethod):
    """SMOTE until every class is as large as the largest; then both rows of every Tomek link go: two rows of different classes, each the
    nearest of the other. Classes are not always equally large after that."""

    name = "smote-tomek"
    title = "SMOTE + Tomek links"
    source = (
        "Batista et al. 2004 by imbalanced-learn's TomekLinks on our SMOTE's rows, all classes. A class that would keep fewer than two "
        "real rows keeps all of them; small classes use the neighbours there are."
    )
    pen = Pen("green", "longdashdot", "x")
    needs = ("imblearn.under_sampling",)
    comparison = 71

    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )

    def draws(self, task: Task) -> Sequence[Draw]:
        """See SampledMethod."""
        return [partial(smote_cleaned, cleaning="tomek", k_neighbors=one.k_neighbors) for one in self.list_members(task)]
