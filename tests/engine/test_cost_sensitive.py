"""Cost-sensitive networks: the card's numbers, costs in rows, weights and decisions, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.analysis.costs import class_costs, expect_costs, fill_costs, size_by_costs, weigh_by_costs
from engine.errors import BadInput
from engine.estimators import CostSensitiveClassifier
from engine.events import finish
from engine.methods.ce import CE
from engine.methods.cost_sensitive import CostSensitive
from engine.models.cost_head import with_costs
from engine.models.mlp import MLP
from engine.models.voting import Voting
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

F64 = torch.float64
SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 5, "batch": 20}
K = ((0.0, 1.0, 1.0), (5.0, 0.0, 1.0), (10.0, 2.0, 0.0))


def tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=F64)


def fit(method: Any, on: Any) -> Fitted:
    fitted: Fitted = finish(method.fit(on, camera=Camera(on, 0)))
    return fitted


def identity(classes: int) -> MLP:
    """A last layer whose logits are its features."""
    return MLP(
        (classes, classes), "relu", torch.cat([torch.eye(classes, dtype=F64).flatten(), torch.zeros(classes, dtype=F64)])[None]
    )


@pytest.mark.parametrize("case", read_cases("cost-sensitive"))
def test_numbers_of_the_card(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    costs = tensor(given["costs"])
    if what in ("expected", "answer", "moving"):
        p = tensor(given["p"])
        net = identity(len(p))
        decided = CostSensitive(
            way="threshold-moving" if what == "moving" else "expected", costs=tuple(map(tuple, given["costs"]))
        )
        z = decided.decide(net, costs[None])(p.log().view(1, 1, -1))[0, 0]
        found = {"expected": expect_costs(p, costs), "answer": z.argmax(), "moving": z.softmax(-1)}[what]
        if what == "expected" and len(p) > 2:
            assert_close((-z).exp(), case["value"])
    elif what == "threshold":
        found = tensor([low for low in np.linspace(0, 1, 1001) if expect_costs(tensor([1 - low, low]), costs).argmin() == 1][0])
        assert abs(found.item() - case["value"]) <= 1.1e-3
        found = costs[0, 1] / (costs[0, 1] + costs[1, 0])
    elif what == "disagree":
        p = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(3), 100_000))
        share = (expect_costs(p, costs).argmin(1) != (p * class_costs(costs)).argmax(1)).double().mean()
        assert share.item() == pytest.approx(case["value"], abs=0.002)
        return
    else:
        counts, each = tensor(given["n"]), class_costs(costs)
        found = {
            "class costs": each,
            "over": size_by_costs(counts, each, grow=True),
            "under": size_by_costs(counts, each, grow=False),
            "weights": weigh_by_costs(counts, each),
        }[what]
    assert_close(found, case["value"])


def test_without_typed_costs_a_class_costs_by_its_rarity() -> None:
    costs = fill_costs((), torch.tensor([[100, 25, 4]]), "x")[0]
    assert costs.tolist() == [[0.0, 1.0, 1.0], [4.0, 0.0, 4.0], [25.0, 25.0, 0.0]]


def test_equal_costs_change_no_answer() -> None:
    on = task(blobs((61, 34, 13)))
    plain, equal = fit(CE(**SMALL), on), fit(CostSensitive(**SMALL, costs=((0, 1, 1), (1, 0, 1), (1, 1, 0))), on)
    assert torch.equal(plain.net(on.test.x).argmax(2), equal.net(on.test.x).argmax(2))
    assert torch.equal(plain.net.embed(on.test.x), equal.net.embed(on.test.x))


@pytest.mark.parametrize("counts", [(61, 21), (61, 34, 13)])
def test_the_answer_has_the_lowest_expected_cost(counts: tuple[int, ...]) -> None:
    on = task(blobs(counts))
    plain, typed = fit(CE(**SMALL), on), K if len(counts) == 3 else ((0.0, 1.0), (9.0, 0.0))
    found = fit(CostSensitive(**SMALL, costs=typed), on)
    cost = expect_costs(plain.net(on.test.x).softmax(-1), tensor(typed))
    assert torch.equal(found.net(on.test.x).argmax(2), cost.argmin(2))
    assert not torch.equal(cost.argmin(2), plain.net(on.test.x).argmax(2))
    assert found.earlier is not None and torch.equal(found.earlier.flat, plain.net.flat)
    some = torch.tensor([2, 0])
    assert torch.equal(found.net.select(some)(on.test.x[some]), found.net(on.test.x)[some])


def test_costs_in_rows() -> None:
    on = task(blobs((100, 30, 8)), ratio=None, folds=1, seeds=2)
    for way in ("over", "under"):
        method = CostSensitive(**SMALL, costs=K, way=way)
        rows, again = (method.draw_rows(on, method.find_costs(on), grow=way == "over") for _ in range(2))
        counts, before = rows.counts(3), on.train.counts(3)
        wanted = [size_by_costs(n.double(), class_costs(tensor(K)), grow=way == "over") for n in before]
        for own, formula, had in zip(counts, wanted, before, strict=True):
            assert own.tolist() == [max(n, min(2, h)) for n, h in zip(formula.tolist(), had.tolist(), strict=True)]
            assert bool((own >= had).all()) if way == "over" else bool((own <= had).all())
        assert torch.equal(rows.x, again.x)
        known = {tuple(row) for row in on.train.x[0][on.train.mask[0]].tolist()}
        drawn = [tuple(row) for row in rows.x[0][rows.mask[0]].tolist()]
        assert set(drawn) <= known and (set(drawn) == known if way == "over" else len(set(drawn)) == len(drawn))
        assert torch.equal(method.class_shares(on, fit(method, on)), counts.double())
    with pytest.raises(BadInput, match="over-sampling by these costs makes .* rows; at most 2,000,000"):
        fit(CostSensitive(**SMALL, costs=((0, 1, 1), (1, 0, 1), (1e6, 1e6, 0)), way="over"), on)


def test_weights_are_the_costs_of_the_classes() -> None:
    on = task(blobs((61, 34, 13)))
    plain, equal = fit(CE(**SMALL), on), fit(CostSensitive(**SMALL, costs=((0, 1, 1), (1, 0, 1), (1, 1, 0)), way="weights"), on)
    assert torch.allclose(plain.net.flat, equal.net.flat, rtol=0, atol=1e-9)
    keys = set()
    for dear in (2.0, 2.00001):
        method = CostSensitive(**SMALL, costs=((0, 1, 1), (1, 0, 1), (1, dear, 0)), way="weights")
        found = fit(method, on)
        keys.add(found.net.flat.sum().item())
    assert len(keys) == 2, "nearly equal costs are no network of each other"


def test_costs_that_do_not_fit_the_classes_are_refused() -> None:
    with pytest.raises(BadInput, match="cost-sensitive: the costs have 3 rows; these data have 2 classes"):
        fit(CostSensitive(**SMALL, costs=K), task())


def test_a_classifier_takes_nested_lists() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 2)), np.repeat(["a", "b", "c"], 30)
    costs = [[0, 1, 1], [5, 0, 1], [10, 2, 0]]
    found = CostSensitiveClassifier(costs=costs, epochs=3, hidden=(4,), random_state=0).fit(x, y)
    again = CostSensitiveClassifier(costs=np.array(costs), epochs=3, hidden=(4,), random_state=0).fit(x, y)
    assert found.get_params()["costs"] is costs and (found.predict(x) == again.predict(x)).all()
    assert (found.predict(x) == "c").mean() > 0.5


def test_a_head_of_costs_is_that_of_the_network() -> None:
    net = identity(3)
    assert torch.equal(with_costs(net, tensor(K)[None]).head_weights(), net.head_weights())


def test_votes_are_of_three_networks() -> None:
    on = task(blobs((61, 34, 13)))
    method = CostSensitive(**SMALL, costs=K, way="soft vote")
    alone = [fit(CostSensitive(**SMALL, costs=K, way=way), on).net for way in ("over", "under", "threshold-moving")]
    answers = torch.stack([net(on.test.x).softmax(-1) for net in alone])
    soft, hard = fit(method, on), fit(CostSensitive(**SMALL, costs=K, way="hard vote"), on)
    assert torch.allclose(soft.net(on.test.x).softmax(-1), answers.mean(0), rtol=0, atol=1e-12)
    votes = torch.nn.functional.one_hot(answers.argmax(-1), 3).sum(0)
    assert torch.equal(hard.net(on.test.x).argmax(-1), votes.argmax(-1))  # argmax takes the first of equal ones
    assert (votes.max(-1).values == 1).any() or (votes.max(-1).values == 2).any()
    assert set(soft.chosen) == {"over", "under", "training"}
    again = fit(method, replace(on, chosen=dict(soft.chosen), valid=on.train))
    assert torch.equal(again.net(on.test.x), soft.net(on.test.x))
    some = torch.tensor([2, 0])
    for net in (soft.net.copy(), soft.net.select(some)):
        own = on.test.x if isinstance(net, Voting) and len(net.flat) == 6 else on.test.x[some]
        assert torch.equal(net(own), soft.net(on.test.x) if len(own) == 6 else soft.net(on.test.x)[some])
    assert torch.isnan(soft.net.head_weights()).all() and soft.net.head_weights().shape[1] == soft.net.width == 18


def test_ties_of_votes_go_to_the_lower_class() -> None:
    nets = [identity(3) for _ in range(3)]
    for net, way in zip(nets, ((0, 0, 9), (0, 9, 0), (9, 0, 0)), strict=True):
        net.flat[:, -3:] += torch.tensor(way)
    assert Voting(nets, soft=False)(torch.zeros(1, 1, 3, dtype=F64)).argmax().item() == 0
