"""A decision tree that decides by a typed matrix of costs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis.costs import class_costs, expect_costs, fill_costs, weigh_by_costs
from engine.data.dataset import Task
from engine.errors import BadInput
from engine.events import Event
from engine.methods.base import param
from engine.methods.estimator import EstimatorMethod, Growing, Sample
from engine.models.committee import LEAST, Bag, one_thread
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted

MOST_PRUNED = 20
"""Prunings, at most, among which validation rows choose."""


@dataclass(frozen=True)
class CostTree(EstimatorMethod):
    """A decision tree that is grown with rows weighing by the cost of their class. A leaf answers with the class of lowest expected
    cost, by its training rows and one more of each class."""

    name = "cost-tree"
    title = "Cost-sensitive tree"
    family = "model"
    kinds = ("tabular", "points")
    source = (
        "Cost-sensitive trees from memory of the text, by scikit-learn's DecisionTreeClassifier: class weights while it grows, lowest "
        "expected cost (Elkan 2001) in the leaves, of unweighted counts plus one."
    )
    pen = Pen("sky", "longdash", "star")
    needs = ("sklearn.tree",)
    cost = 0.2
    length = ""

    costs: tuple[tuple[float, ...], ...] = param(
        (), low=0.0, high=1e6, longest=100, matrix=True,
        help="What calling a row of one class another costs, a row a true class. Without it a class costs largest class / class.",
    )  # fmt: skip
    pruning: str = param(
        "none", choices=("none", "validation"), help="Cuts branches back as far as costs least on validation rows."
    )
    smallest_leaf: int = param(1, low=1, high=10_000, log=True, help="Training rows that a leaf has at least.")

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Keeps how far each tree was cut back, so that it can be trained again."""
        if self.costs and len(self.costs) != len(task.classes):
            raise BadInput(f"{self.name}: the costs have {len(self.costs)} rows; these data have {len(task.classes)} classes.")
        fitted = yield from super().fit(task, camera=camera)
        if self.pruning == "none":
            return fitted
        cuts = [member.estimator.groups[0][0][0].ccp_alpha for member in fitted.net.members]  # type: ignore[attr-defined]
        return replace(fitted, chosen={**fitted.chosen, "pruning": torch.tensor(cuts, dtype=torch.float64)})

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        yield sample.progress(0.0)
        known, y = np.unique(sample.y, return_inverse=True)
        counts = torch.from_numpy(np.bincount(sample.y, minlength=len(sample.task.classes)))
        costs = fill_costs(self.costs, counts[None], self.name)[0][known][:, known]
        each = weigh_by_costs(counts[known], class_costs(costs)).numpy()
        weight = each[y] if sample.weight is None else each[y] * sample.weight
        seed = sample.draw("trees")

        def grow(cut: float) -> Bag:
            from sklearn.tree import DecisionTreeClassifier

            tree = DecisionTreeClassifier(min_samples_leaf=self.smallest_leaf, ccp_alpha=cut, random_state=seed)
            tree.fit(sample.x, y, sample_weight=weight)
            answer_by_costs(tree, sample.x, y, costs, sample.weight)
            return Bag(known, [([tree], None)])

        with one_thread():
            if self.pruning == "none":
                return grow(0.0)
            if (ends := sample.task.chosen.get("pruning")) is not None:
                return grow(float(ends[sample.r]))
        best: tuple[float, float, Bag] | None = None
        for cut in self._list_cuts(sample, y, weight, seed):
            with one_thread():
                tree = grow(cut)
                cost = _measure_cost(tree, sample, known, costs)
            if best is None or cost <= best[0]:  # of equal ones the smaller tree
                best = cost, cut, tree
            yield sample.progress(0.5)
        assert best is not None
        return best[2]

    def _list_cuts(self, sample: Sample, y: np.ndarray, weight: np.ndarray, seed: int) -> list[float]:
        """Strengths of pruning from none to the root alone, evenly by place."""
        from sklearn.tree import DecisionTreeClassifier

        if not sample.task.held_out:
            return [0.0]
        with one_thread():
            tree = DecisionTreeClassifier(min_samples_leaf=self.smallest_leaf, random_state=seed)
            found = np.unique(tree.cost_complexity_pruning_path(sample.x, y, sample_weight=weight).ccp_alphas.clip(0))
        at = np.unique(np.linspace(0, len(found) - 1, MOST_PRUNED).round().astype(int))
        return [0.0, *(float(cut) for cut in found[at] if cut > 0)]

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. Costs have the effect of more rows."""
        counts = task.train.counts(len(task.classes))
        return super().class_shares(task, fitted) * class_costs(fill_costs(self.costs, counts, self.name))


def smooth_counts(counts: np.ndarray) -> np.ndarray:
    """Probabilities [..., C] of counts [..., C] of rows with one more of each class."""
    p: np.ndarray = (counts + 1) / (counts + 1).sum(-1, keepdims=True)
    return p


def answer_by_costs(tree: Any, x: np.ndarray, y: np.ndarray, costs: Tensor, weight: np.ndarray | None) -> None:
    """Makes the answer of each leaf of a fitted tree of scikit-learn's the inverse of its expected costs, scaled to sum to 1.

    x [n, D], y [n] from 0: its training rows, counted once or by their own weight, not by their costs.
    """
    counts = np.zeros((tree.tree_.node_count, len(costs)))
    np.add.at(counts, (tree.apply(x), y), 1.0 if weight is None else weight)
    leaf = tree.tree_.children_left == -1
    cost = expect_costs(torch.from_numpy(smooth_counts(counts[leaf])), costs).numpy()
    inverse = 1 / np.maximum(cost, LEAST)
    tree.tree_.value[leaf, 0] = inverse / inverse.sum(1, keepdims=True)


def _measure_cost(tree: Bag, sample: Sample, known: np.ndarray, costs: Tensor) -> float:
    """Mean cost of the answers on validation rows of known classes."""
    there = np.isin(sample.valid_y, known)
    answers = tree.predict_proba(sample.valid_x[there]).argmax(1)
    each = costs.numpy()[np.searchsorted(known, sample.valid_y[there]), answers]
    return (
        float(np.average(each, weights=None if sample.valid_weight is None else sample.valid_weight[there]))
        if there.any()
        else 0.0
    )
