"""The cost-sensitive tree: the card's leaf, answers of lowest cost, and pruning that validation rows choose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

from engine.analysis.costs import expect_costs
from engine.errors import BadInput
from engine.estimators import CostTreeClassifier
from engine.events import finish
from engine.methods.cost_tree import CostTree, answer_by_costs, smooth_counts
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task


def fit(method: Any, on: Any) -> Fitted:
    fitted: Fitted = finish(method.fit(on, camera=Camera(on, 0)))
    return fitted


def tree_of(fitted: Fitted, r: int) -> Any:
    return fitted.net.members[r].estimator.groups[0][0][0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", read_cases("cost-tree"))
def test_the_leaf_of_the_card(case: dict[str, Any]) -> None:
    counts, costs = np.array(case["input"]["counts"]), torch.tensor(case["input"]["costs"], dtype=torch.float64)
    p = smooth_counts(counts)
    x, y = np.zeros((10, 1)), np.repeat([0, 1], counts)
    tree = DecisionTreeClassifier().fit(x, y)
    answer_by_costs(tree, x, y, costs, None)
    told = tree.tree_.predict(x.astype(np.float32))[0]
    cost = expect_costs(torch.from_numpy(p), costs)
    assert_close({"probabilities": p, "costs": cost, "answer": told.argmax()}[case["what"]], case["value"])
    assert_close(told, (1 / cost / (1 / cost).sum()).numpy())


def test_equal_costs_give_the_answers_of_the_plain_tree() -> None:
    on = task(blobs((61, 34, 13)))
    found = fit(CostTree(costs=((0, 1, 1), (1, 0, 1), (1, 1, 0)), smallest_leaf=5), on)
    for r in range(len(on.replicates)):
        x, y = on.train.x[r][on.train.mask[r]].numpy(), on.train.y[r][on.train.mask[r]].numpy()
        test = on.test.x[r].numpy()
        grown = tree_of(found, r)
        plain = DecisionTreeClassifier(min_samples_leaf=5, random_state=grown.random_state).fit(x, y)
        counts = np.zeros((plain.tree_.node_count, 3))
        np.add.at(counts, (plain.apply(x), y), 1)
        assert (found.net(on.test.x)[r].argmax(1).numpy() == smooth_counts(counts)[plain.apply(test)].argmax(1)).all()


def test_a_dear_class_is_answered_more_often() -> None:
    on = task(blobs((61, 34, 13)))
    answers = [
        fit(CostTree(costs=((0, 1, 1), (1, 0, 1), (dear, dear, 0)), smallest_leaf=5), on).net(on.test.x).argmax(2)
        for dear in (1, 50)
    ]
    seen = [(own == 2)[on.test.mask].double().mean().item() for own in answers]
    assert seen[1] > seen[0]


def test_validation_rows_choose_how_far_branches_are_cut_and_a_refit_keeps_it() -> None:
    on = task(blobs((61, 34, 13)))
    method = CostTree(pruning="validation")
    whole, cut = fit(CostTree(), on), fit(method, on)
    assert cut.chosen["pruning"].dtype == torch.float64 and (cut.chosen["pruning"] > 0).any() and "pruning" not in whole.chosen
    sizes = [[tree_of(one, r).tree_.node_count for r in range(6)] for one in (whole, cut)]
    assert sum(sizes[1]) < sum(sizes[0])
    again = fit(method, replace(on, chosen=dict(cut.chosen), valid=on.train))
    assert torch.equal(again.net(on.test.x), cut.net(on.test.x))


def test_costs_that_do_not_fit_are_refused_and_a_classifier_takes_a_text_of_classes() -> None:
    with pytest.raises(BadInput, match="cost-tree: the costs have 3 rows; these data have 2 classes"):
        fit(CostTree(costs=((0, 1, 1), (1, 0, 1), (1, 1, 0))), task())
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.repeat(["a", "b"], [50, 10])
    one, other = (CostTreeClassifier(costs=[[0, 1], [dear, 0]], smallest_leaf=10, random_state=0).fit(x, y) for dear in (1, 40))
    assert (other.predict(x) == "b").sum() > (one.predict(x) == "b").sum()
