"""Ensembles on picked rows: the card's closed forms, what their members see, and what they come to where nothing can differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.ensemble import BalancedBaggingClassifier
from scipy.stats import binom
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from engine.data.dataset import Task
from engine.data.rows import take
from engine.events import Note, finish
from engine.methods import method, methods
from engine.methods.balanced_bagging import FEW
from engine.methods.estimator import Sample
from engine.methods.picked_base import PickedMethod
from engine.models.committee import Bag, Committee
from engine.samplers.hardness import (
    Cascade,
    count_alive,
    count_bagged,
    count_by_hardness,
    pace,
    pick_by_hardness,
    pick_equally,
    pick_from_a_draw,
    weigh_bins,
)
from engine.samplers.shares import shares
from engine.seeds import numpy_stream
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit
from tests.engine.test_models import mixed

LIBRARY = "balanced-bagging"
"""Its trees are imbalanced-learn's."""
NAMES = [name for name, cls in methods().items() if issubclass(cls, PickedMethod) and name != LIBRARY]
ALL = pytest.mark.parametrize("name", NAMES)


def rows(on: Task, r: int) -> tuple[np.ndarray, np.ndarray]:
    return on.train.x[r][on.train.mask[r]].numpy(), on.train.y[r][on.train.mask[r]].numpy()


def sample(on: Task, r: int = 0) -> Sample:
    x, y = rows(on, r)
    return Sample(on, r, x, y, None, x, y, None)


def spy(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What every member is fitted on."""
    seen: list[Any] = []
    real = PickedMethod.draw

    def draw(self: PickedMethod, *given: Any) -> Any:
        seen.append(real(self, *given))
        return seen[-1]

    monkeypatch.setattr(PickedMethod, "draw", draw)
    return seen


# ---- closed forms


@pytest.mark.parametrize("case", read_cases("ensembles", "shares"))
def test_whole_numbers_from_shares(case):
    given = case["input"]
    cap = None if given["cap"] is None else torch.tensor(given["cap"])
    assert shares(torch.tensor(given["weights"], dtype=torch.float64), given["n"], cap).tolist() == case["value"]


@pytest.mark.parametrize("case", read_cases("ensembles", "bins"))
def test_rows_of_every_hardness(case):
    given = case["input"]
    hardness = np.array(given["hardness"])
    at, found = count_by_hardness(hardness, given["n"], given["alpha"], given["bins"], given["counts"])
    assert found.tolist() == case["value"]
    assert given["counts"] == "released" or (found <= np.bincount(at, minlength=5)).all()


@pytest.mark.parametrize("case", read_cases("ensembles", "shares of bins", "means of bins", "sizes of bins"))
def test_weights_of_bins(case):
    given = {"alpha": 0.0} | case["input"]
    _, sizes, weights = weigh_bins(np.array(given["hardness"]), given["alpha"], given["bins"])
    if case["what"] == "means of bins":
        assert_close(1 / weights, case["value"])
    elif case["what"] == "sizes of bins":
        assert sizes.tolist() == case["value"]
    else:
        assert_close(weights / weights.sum() * given["n"], case["value"], 5e-7)  # the card has six digits


@pytest.mark.parametrize("case", read_cases("ensembles", "bins of imbens"))
def test_rows_of_every_hardness_in_imbens(case):
    """By the card's reading, whole numbers below the shares, then one more for the largest bins: not what is drawn here at small alpha."""
    given = case["input"]
    hardness, n = np.array(given["hardness"]), given["n"]
    _, sizes, weights = weigh_bins(hardness, given["alpha"], given["bins"])
    found = np.floor(weights / weights.sum() * n + 1e-9).astype(int)
    found[np.argsort(-sizes, kind="stable")[: n - found.sum()]] += 1
    assert found.tolist() == case["value"]
    ours = count_by_hardness(hardness, n, given["alpha"], given["bins"], "largest remainders")[1]
    assert (ours.tolist() == case["value"]) == (given["alpha"] > 1e9)


@pytest.mark.parametrize("case", read_cases("ensembles", "fails"))
def test_draws_with_repetition_that_lack_a_class(case):
    """1 - (1 - (1 - k / n)^n)^T, which the rows that members draw here meet, and the card's share of 60 fits within their spread."""
    (many, few), members, seeds = (case["input"][name] for name in ("sizes", "members", "seeds"))
    n, y = many + few, np.repeat([0, 1], case["input"]["sizes"])
    chance = 1 - (1 - (1 - few / n) ** n) ** members

    class Counting(np.random.Generator):
        draws = 0

        def integers(self, *given, **named):
            self.draws += 1
            return super().integers(*given, **named)

    failed = 0
    for seed in range(seeds):
        rng = Counting(np.random.PCG64(seed))
        for _ in range(members):
            pick_from_a_draw(y, rng)
        failed += rng.draws > members
    low, high = binom.ppf([0.005, 0.995], seeds, chance)
    assert low <= failed <= high and low <= case["value"] * seeds <= high


def test_a_draw_that_lacks_a_class_stops_the_library():
    y = np.repeat([0, 1], [299, 1])
    with pytest.raises(ValueError, match="The target 'y' needs to have more than 1 class"):
        BalancedBaggingClassifier(n_estimators=10, random_state=0).fit(np.zeros((300, 1)), y)


@pytest.mark.parametrize("case", read_cases("ensembles", "alpha", "alpha rounded"))
def test_the_pace(case):
    found = pace(**case["input"])
    assert found == pytest.approx(case["value"], **({"rel": 1e-9} if case["what"] == "alpha" else {"rel": 0, "abs": 5e-5}))


@pytest.mark.parametrize("case", read_cases("ensembles", "alive"))
def test_rows_that_are_alive(case):
    given = case["input"]
    found = [count_alive(given["most"], given["fewest"], t, given["members"]) for t in range(given["members"])]
    assert found == case["value"]
    y = np.repeat([0, 1], [given["most"], given["fewest"]])
    cascade, rng = Cascade(y, given["members"]), np.random.default_rng(0)
    hardness = rng.random(len(y))
    for t, alive in enumerate(found):
        picked = cascade(t, None if t == 0 else hardness, rng)
        assert np.bincount(y[picked]).tolist() == [given["fewest"]] * 2 and len(cascade.alive[0]) == alive
        hardest = np.sort(np.argsort(hardness[: given["most"]])[-alive:])
        assert t == 0 or cascade.alive[0].tolist() == hardest.tolist()


@pytest.mark.parametrize("case", read_cases("ensembles", "share alive", "alive after"))
def test_the_share_that_stays_alive(case):
    most, fewest, members = (case["input"][name] for name in ("most", "fewest", "members"))
    if case["what"] == "share alive":  # of so many rows that cutting to whole ones leaves the share
        assert_close(count_alive(most * 10**13, fewest * 10**13, 1, members) / (most * 10**13), case["value"])
    else:  # the exponent 1/T, and rows leave after a member: ours of one member more, one later
        assert [count_alive(most, fewest, t, members + 1) for t in range(1, members + 1)] == case["value"]


@pytest.mark.parametrize("case", read_cases("ensembles", "seen"))
def test_the_share_that_members_see(case):
    """Each row of the larger class is seen with probability 1 - (1 - n_min / n)^T. The card has the share of one draw."""
    (many, few), members = case["input"]["sizes"], case["input"]["members"]
    y, seen = np.repeat([0, 1], [many, few]), []
    for seed in range(60):
        picked = [pick_equally(y, np.random.default_rng([seed, t])) for t in range(members)]
        assert all(len(one) == 2 * few for one in picked) and len({tuple(one) for one in picked}) == members
        assert all(set(one) >= set(range(many, many + few)) for one in picked)
        seen.append(len({row for one in picked for row in one if row < many}) / many)
    assert abs(np.mean(seen) - (1 - (1 - few / many) ** members)) < 3 * np.std(seen) / 60**0.5
    assert np.quantile(seen, 0.025) < case["value"] < np.quantile(seen, 0.975)


@pytest.mark.parametrize("case", read_cases("ensembles", "extremes"))
def test_boosted_stumps_are_never_sure(case):
    x = np.repeat([[0.0], [1.0]], 6, axis=0)
    y = np.repeat([0, 1], 6)
    boosted = AdaBoostClassifier(n_estimators=case["input"]["rounds"]).fit(x, y)
    found = Bag(np.arange(2), [(list(boosted.estimators_), boosted.estimator_weights_[: len(boosted.estimators_)])])
    assert_close(found.predict_proba(x)[[0, -1], 1], case["value"])  # all stumps agree, so no vote is further out
    noise = np.random.default_rng(0).normal(size=(40, 2))
    boosted.fit(noise, noise[:, 0] + noise[:, 1] > 0)
    within = Bag(np.arange(2), [(list(boosted.estimators_), boosted.estimator_weights_)]).predict_proba(noise)
    assert len(boosted.estimators_) > 1 and len(np.unique(within.round(9))) > 4
    assert within.min() >= case["value"][0] - 1e-12 and within.max() <= case["value"][1] + 1e-12


@pytest.mark.parametrize("case", read_cases("ensembles", "forest", "bagging"))
def test_rows_of_every_tree(case):
    name = "balanced-forest" if case["what"] == "forest" else LIBRARY
    counts = case["input"]["sizes"]
    chance = np.random.default_rng(0)
    y = np.repeat([0, 1], counts)
    x = chance.normal(size=(len(y), 2)) + y[:, None]
    given = Sample(task(blobs((101, 34))), 0, x, y, None, x, y, None)
    bag = finish(method(name)(**({"trees": 4} if name == "balanced-forest" else {"members": 4})).grow(given))
    trees = bag.groups[0][0]
    assert len(trees) == 4
    for tree in trees:
        assert tree.tree_.weighted_n_node_samples[0] == case["value"]
        of_class = tree.tree_.value[0, 0]
        assert of_class[0] == of_class[1], "as many rows of every class"


@pytest.mark.parametrize("case", read_cases("ensembles", "bagged"))
def test_rows_drawn_and_made(case):
    drawn, made = count_bagged(np.array(case["input"]["sizes"]), case["input"]["t"])
    assert [drawn.tolist(), made.tolist()] == case["value"]


@pytest.mark.parametrize("case", read_cases("ensembles", "mean"))
def test_the_mean_of_members(case):
    class Fixed:
        classes_ = np.arange(2)

        def __init__(self, p):
            self.tree_ = self
            self.p = np.array([p])

        def predict(self, x):
            return self.p

    bag = Bag(np.arange(2), [([Fixed(p) for p in case["input"]["members"]], None)])
    assert_close(bag.predict_proba(np.zeros((1, 1)))[0], case["value"])


# ---- what members see


def test_equal_hardness_leaves_the_lower_rows_first():
    cascade = Cascade(np.repeat([0, 1], [8, 2]), 3)
    cascade(1, np.zeros(10), np.random.default_rng(0))
    assert cascade.alive[0].tolist() == [4, 5, 6, 7]


@ALL
@pytest.mark.parametrize("counts", [(101, 34), (61, 34, 23)])
def test_a_member_sees_as_many_rows_of_every_class(monkeypatch, name, counts):
    seen = spy(monkeypatch)
    on = task(blobs(counts), folds=2, seeds=1)
    fit(method(name)(members=3), on)
    assert len(seen) == 3 * len(on.replicates)
    for r in range(len(on.replicates)):
        x, y = rows(on, r)
        sizes = np.bincount(y)
        wanted = sizes.max() if name == "smote-bagging" else sizes.min()
        for picked in seen[3 * r : 3 * r + 3]:
            assert np.bincount(picked.y).tolist() == [wanted] * len(sizes)
            assert np.array_equal(picked.x[: len(picked.rows)], x[picked.rows])
            if name != "smote-bagging":
                assert set(np.flatnonzero(y == sizes.argmin())) <= set(picked.rows) and len(set(picked.rows)) == len(
                    picked.rows
                )


@pytest.mark.parametrize("counts", [(101, 34), (61, 34, 9)])
def test_rows_of_balanced_bagging(counts):
    on = task(blobs(counts), folds=2, seeds=1)
    _, fitted = fit(method(LIBRARY)(members=3), on)
    assert fitted.picked is not None and isinstance(fitted.net, Committee)
    for r in range(len(on.replicates)):
        x, y = rows(on, r)
        trees = fitted.net.members[r].estimator.groups[0][0]
        for told, tree in zip(fitted.picked[r], trees, strict=True):
            own = told[told >= 0].numpy()
            sizes = np.bincount(y[own], minlength=len(counts))
            assert len(set(sizes)) == 1 and tree.tree_.n_node_samples[0] == len(own)
            np.testing.assert_array_equal(tree.predict(x[own]), y[own])  # a full tree knows its rows
            assert (len(set(own)) == len(own)) == (np.bincount(y).min() < FEW)


def test_a_draw_with_repetition_has_every_class_alike():
    y = np.repeat([0, 1, 2], [60, 12, 10])
    rng = np.random.default_rng(0)
    for _ in range(20):
        own = pick_from_a_draw(y, rng)
        sizes = np.bincount(y[own])
        assert len(set(sizes)) == 1 and sizes[0] > 0 and (np.diff(own) >= 0).all()
    rare = np.repeat([0, 1], [30, 1])
    assert np.bincount(rare[pick_from_a_draw(rare, rng)]).min() >= 1, "a draw without the one row is drawn anew"


def test_rows_that_smote_bagging_makes(monkeypatch):
    seen = spy(monkeypatch)
    on = task(blobs((101, 34)), ratio=None, folds=2, seeds=1)
    fit(method("smote-bagging")(members=2), on)
    x, y = rows(on, 0)
    few, many = int((y == 1).sum()), int((y == 0).sum())
    for t, picked in enumerate(seen[:2]):
        made = picked.x[len(picked.rows) :]
        assert len(made) == many - ((t + 1) * many + 5) // 10 and (picked.y[len(picked.rows) :] == 1).all()
        own = x[y == 1]
        between = ((own[:, None] - own[None]) ** 2).sum(2).argsort(1)[:, 1:6]
        for new in made[:20]:  # each lies between a row and one of its 5 nearest
            far = [
                np.linalg.norm(np.cross(own[a] - new, own[b] - new)) / np.linalg.norm(own[a] - own[b])
                for a in range(few) for b in between[a]
            ]  # fmt: skip
            assert min(far) < 1e-6
    assert not np.array_equal(seen[0].rows, seen[1].rows)


def test_many_members_see_every_row():
    y = np.repeat([0, 1], [60, 10])
    picked = [pick_equally(y, numpy_stream(0, "member", 0, 0, t)) for t in range(100)]
    assert set(np.concatenate(picked)) == set(range(70))
    ten = set(np.concatenate(picked[:10]).tolist()) - set(range(60, 70))
    assert len({tuple(one) for one in picked}) == 100 and len(ten) < 60


def test_self_paced_sees_the_smallest_class_whole():
    y, rng = np.repeat([0, 1, 2], [50, 7, 20]), np.random.default_rng(0)
    hardness = rng.random(77)
    for t in range(4):
        picked = pick_by_hardness(None if t == 0 else hardness, y, t, 4, 5, np.random.default_rng(t))
        assert np.bincount(y[picked]).tolist() == [7, 7, 7] and len(set(picked)) == 21
        assert set(np.flatnonzero(y == 1)) <= set(picked)
    released = pick_by_hardness(hardness, y, 1, 4, 5, rng, "released")
    assert 7 < np.bincount(y[released])[0] <= 12 and np.bincount(y[released])[1] == 7


# ---- what they come to


@ALL
def test_one_member_is_one_tree(name):
    on = task(blobs((101, 34)), folds=2, seeds=1)
    _, fitted = fit(method(name)(members=1), on)
    one = sample(on)
    x, y = rows(on, 0)
    made = method(name)(members=1)
    picked = made.draw(one, y, made.start(y), 0, None)
    tree = DecisionTreeClassifier(random_state=one.draw("trees", 0)).fit(picked.x, picked.y)
    mine = fitted.net(on.test.x).softmax(-1)[0].numpy()
    np.testing.assert_allclose(mine, tree.predict_proba(on.test.x[0].numpy()), rtol=0, atol=1e-11)
    if name != "smote-bagging":
        assert np.array_equal(picked.rows, pick_equally(y, one.stream("member", 0)))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "smote-bagging"])
def test_balanced_data_are_seen_whole(monkeypatch, name):
    seen = spy(monkeypatch)
    on = task(blobs((60, 60)), ratio=None, folds=2, seeds=1)
    fit(method(name)(members=3), on)
    for picked in seen:
        assert set(picked.rows) == set(range(len(picked.y)))


@pytest.mark.parametrize("name", ["self-paced", "balance-cascade"])
def test_hardness_is_that_of_the_mean_of_the_members_before(monkeypatch, name):
    given: list[Any] = []
    real = PickedMethod.draw

    def draw(self, sample, y, pick, t, hardness):
        given.append(hardness)
        return real(self, sample, y, pick, t, hardness)

    monkeypatch.setattr(PickedMethod, "draw", draw)
    on = task(blobs((101, 34)), folds=1, seeds=1)
    _, fitted = fit(method(name)(members=4), on)
    x, y = rows(on, 0)
    member = fitted.net.members[0]
    for t, p in enumerate(member.stages(x), 1):
        if t < 4:
            np.testing.assert_allclose(given[t], 1 - p[np.arange(len(y)), y], rtol=0, atol=1e-15)
    assert given[0] is None


def test_boosted_members_answer_as_adaboost(monkeypatch):
    seen = spy(monkeypatch)
    on = task(blobs((101, 34)), folds=1, seeds=1)
    _, fitted = fit(method("balance-cascade")(members=2, learner="boosted", rounds=4), on)
    one = sample(on)
    theirs = [AdaBoostClassifier(n_estimators=4, random_state=one.draw("trees", t)).fit(p.x, p.y) for t, p in enumerate(seen)]
    test = on.test.x[0].numpy()
    expected = np.mean([model.predict_proba(test) for model in theirs], axis=0)
    np.testing.assert_allclose(fitted.net(on.test.x).softmax(-1)[0].numpy(), expected, rtol=0, atol=1e-11)


def test_a_stump_that_tells_nothing_is_no_error():
    on = task(blobs((60, 20)), folds=1, seeds=1)
    blank = replace(on, train=replace(on.train, x=torch.zeros_like(on.train.x)))
    _, fitted = fit(method("balance-cascade")(members=2, learner="boosted"), blank)
    p = fitted.net(on.test.x).softmax(-1)[0]
    assert torch.allclose(p, torch.full_like(p, 0.5))


def test_a_single_row_is_repeated_and_told():
    on = task(blobs((60, 20)), folds=1, seeds=1)
    keep = on.train.mask.clone()
    keep[0, torch.nonzero(on.train.y[0] == 1)[1:, 0]] = False
    few = replace(on, train=take(on.train, keep))
    events, fitted = fit(method("smote-bagging")(members=2), few)
    assert [e.text for e in events if isinstance(e, Note)] == [
        "A class with a single training row has no neighbour to lie towards: it was repeated instead."
    ]
    assert torch.isfinite(fitted.net(on.test.x)).all()


def test_levels_stay_whole_in_smote_bagging(monkeypatch):
    seen = spy(monkeypatch)
    on = task(mixed(levels=(4, 3)), folds=1, seeds=1)
    fit(method("smote-bagging")(members=1), on)
    levels = seen[0].x[:, 2:]
    assert set(np.unique(levels).tolist()) <= {0.0, 1.0} and (levels[:, :4].sum(1) == 1).all()


def test_validation_rows_change_nothing_that_is_grown():
    on = task(blobs((101, 34)), folds=1, seeds=1)
    other = replace(on, valid=replace(on.valid, x=on.valid.x * 7 + 3, y=1 - on.valid.y))
    for name in NAMES:
        one, two = (fit(method(name)(members=3), given)[1] for given in (on, other))
        assert torch.equal(one.net(on.test.x), two.net(on.test.x))
