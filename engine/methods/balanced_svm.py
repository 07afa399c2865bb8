"""Balanced SVM before training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.samplers.svm import RELABEL, balanced_svm, most_rows
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class BalancedSVM(DeepMethod):
    """SMOTE until every class is as large as the largest; then a support vector machine, fitted on all of it, says of which class
    each new row is. Made once, before training."""

    name = "balanced-svm"
    title = "Balanced SVM"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = (
        "Farquad and Bose 2012 as the EOS paper describes it: scikit-learn's SVC (RBF, C = 1, gamma scale) relabels the synthetic rows; "
        "not imbalanced-learn's SVMSMOTE (Nguyen et al. 2009)."
    )
    pen = Pen("blue", "dashdot", "cross")
    cost = 2.0

    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )
    relabel: str = param(
        "synthetic", choices=RELABEL, stacks=FIRST, advanced=True,
        help="Which rows get the machine's labels: the new ones, or the real ones too, as the source does.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A class of one row is copied. Notes report that, and the new class sizes."""
        draws = [partial(balanced_svm, k_neighbors=one.k_neighbors, relabel=one.relabel) for one in self.list_members(task)]
        return (yield from self.fit_sampled(task, draws, camera=camera, most=most_rows(task.train.x.shape[2])))
