"""Splits by owner, by time and by both: nothing crosses, parts keep their classes, and scikit-learn agrees where its splitters fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, TimeSeriesSplit

from engine.data.split import Parts, split
from engine.data.splits.group import deal_owners, split_groups
from engine.data.splits.kept import split_owners
from engine.data.splits.plan import SplitPlan, describe_split, plan_split
from engine.data.splits.time import TimeSplit
from engine.data.table import Dataset, numeric_only
from engine.errors import BadData
from engine.spec import Imbalance, RunSpec
from engine.stats.time_cuts import AMPLE, LEAST, PARTS, cut_times

RUN = RunSpec("t", "ce", folds=4, seeds=3, seed=5)


def make(
    n: int = 1200,
    rare: float = 0.15,
    *,
    days: int = 120,
    owners: int = 150,
    seed: int = 0,
    is_date: bool = True,
    classes: int = 2,
) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < rare, rng.integers(1, classes, n), 0)
    data = numeric_only("t", "tabular", rng.normal(size=(n, 2)), y, ("a", "b"), tuple("abcdef"[:classes]))
    order = rng.integers(days, size=n) + (rng.random(n) if is_date else 0.0)
    return replace(data, order=order, is_date=is_date, owner=rng.integers(-1, owners, n))


def check(data: Dataset, plan: SplitPlan, every: list[Parts]) -> None:
    """What holds for every split: parts are disjoint, have enough rows of each class, and nothing crosses."""
    for parts in every:
        rows = [getattr(parts, name) for name in PARTS]
        joined = np.concatenate(rows)
        assert len(np.unique(joined)) == len(joined) and all((np.diff(r) > 0).all() for r in rows)
        for r in rows:
            assert np.bincount(data.y[r], minlength=len(data.classes)).min() >= LEAST
        if plan.by_time:
            when = np.floor(data.order) if data.is_date else data.order
            train, valid, test = (when[r] for r in rows)
            assert np.isfinite(np.concatenate([train, valid, test])).all()
            assert train.max() < valid.min() and valid.max() < test.min()  # a day is never cut in two
            assert train.max() + plan.delay <= valid.min() and valid.max() + plan.delay <= test.min()
        if "group" in plan.kind:
            seen = [set(data.owner[r][data.owner[r] >= 0].tolist()) for r in rows]
            assert not seen[0] & seen[1] and not seen[1] & seen[2] and not seen[0] & seen[2]


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["group", "time", "time-group"]),
    n=st.integers(60, 900),
    days=st.integers(2, 200),
    owners=st.integers(3, 400),
    delay=st.sampled_from([0.0, 0.5, 1.0, 7.0, 30.0]),
    rare=st.floats(0.02, 0.5),
    is_date=st.booleans(),
    classes=st.integers(2, 3),
    seed=st.integers(0, 99),
)
def test_nothing_crosses(kind, n, days, owners, delay, rare, is_date, classes, seed):
    data = make(n, rare, days=days, owners=owners, seed=seed, is_date=is_date, classes=classes)
    data = replace(data, order=np.where(np.random.default_rng(seed).random(n) < 0.03, np.nan, data.order))
    try:
        plan = plan_split(data, RUN, kind, delay if "time" in kind else 0.0)
    except BadData as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return
    spec = replace(RUN, folds=plan.folds)
    for index in range(2):
        every = plan.cut(data, spec, index)
        assert len(every) == plan.folds
        check(data, plan, every)
        again = plan.cut(data, spec, index)
        assert all((a.test == b.test).all() and (a.train == b.train).all() for a, b in zip(every, again, strict=True))


def test_folds_of_owners_cover_every_row_once_and_seeds_redraw_them():
    data = make(3000)
    firsts = [split_groups(data, RUN, index) for index in range(3)]
    for every in firsts:
        tested = np.concatenate([p.test for p in every] + [every[0].valid])
        assert sorted(tested) == list(range(3000))
        sizes = [len(p.test) for p in every]
        assert max(sizes) < 1.35 * min(sizes) and 0.15 < len(every[0].valid) / 3000 < 0.25
        shares = [data.y[p.test].mean() for p in every]
        assert max(shares) - min(shares) < 0.05
    overlap = len(np.intersect1d(firsts[0][0].test, firsts[1][0].test)) / len(firsts[0][0].test)
    assert overlap < 0.5  # StratifiedGroupKFold's seeds give nearly the same folds here


def test_owners_are_dealt_as_evenly_as_scikit_learn_deals_them():
    """The largest error of a fold's class shares is at most that of StratifiedGroupKFold plus a small tolerance, owners of any size."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        owner = np.repeat(np.arange(300), rng.geometric(0.15, 300))
        y = (rng.random(len(owner)) < rng.beta(0.4, 3, 300)[owner]).astype(int)
        place = deal_owners(y, owner, [0.2] * 5, 2, rng)[owner]
        ours = [np.bincount(y[place == f], minlength=2) / np.bincount(y) for f in range(5)]
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(owner, y, owner)
        theirs = [np.bincount(y[test], minlength=2) / np.bincount(y) for _, test in folds]
        assert np.abs(np.array(ours) - 0.2).max() <= np.abs(np.array(theirs) - 0.2).max() + 0.03


def test_many_owners_of_a_row_each_are_a_random_split():
    data = replace(make(2000), owner=np.full(2000, -1))
    every = split_groups(data, RUN, 0)
    random = split(data, RUN, 0)
    assert [len(p.test) for p in every] == pytest.approx([len(p.test) for p in random], abs=12)
    assert [data.y[p.test].sum() for p in every] == pytest.approx([data.y[p.test].sum() for p in random], abs=4)


@pytest.mark.parametrize("delay", [0, 1, 3, 10])
def test_by_time_as_scikit_learn_where_each_time_has_one_row(delay):
    """Test parts, and all rows before them that are known by then, as TimeSeriesSplit with the same test size and gap."""
    n = 400
    data = replace(make(n, 0.4), order=np.arange(n, dtype=float), is_date=False)
    plan = plan_split(data, RUN, "time", float(delay))
    every = plan.cut(data, replace(RUN, folds=plan.folds), 0)
    size = len(every[0].test)
    theirs = TimeSeriesSplit(plan.folds, test_size=size, gap=max(0, delay - 1)).split(data.y)
    for parts, (before, test) in zip(every, theirs, strict=True):
        np.testing.assert_array_equal(parts.test, test)
        assert parts.valid[-1] == before[-1]
        between = parts.valid[0] - parts.train[-1] - 1
        assert between == max(0, delay - 1) and len(parts.train) + len(parts.valid) + between == len(before)


def test_several_origins_where_rows_allow_and_one_where_they_do_not():
    origins = {n: plan_split(make(n, 0.1), RUN, "time").folds for n in (150, 2000)}
    assert origins == {150: 1, 2000: 4}
    data = make(2000, 0.1)
    every = plan_split(data, RUN, "time").cut(data, RUN, 0)
    when = [np.floor(data.order[p.test]) for p in every]
    assert all(a.max() < b.min() for a, b in zip(when, when[1:], strict=False))
    assert all(np.bincount(data.y[p.test]).min() >= AMPLE for p in every)


def test_a_short_delay_leaves_out_whole_days_alone():
    at = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    counts = np.full((10, 2), 30)
    one = cut_times(at, counts, 0.5).origins[-1]
    assert one.valid[1] == one.test[0]  # yesterday's answers, half a day late, are known today
    two = cut_times(at, counts, 2.0).origins[-1]
    assert two.valid[1] == two.test[0] - 1 and two.train[1] == two.valid[0] - 1


@pytest.mark.parametrize(
    ("kind", "data", "delay", "says"),
    [
        ("time", make(500, days=2), 0, "needs three different times"),
        ("time", make(40, 0.3), 0, "part has"),
        ("time", make(500), 110, "delay"),
        ("group", replace(make(500), owner=np.arange(500) % 2), 0, "needs"),
        ("group", replace(make(500), owner=np.where(make(500).y == 1, 3, np.arange(500) + 9)), 0, "part has 0 rows of 'b'"),
        ("time-group", replace(make(500), owner=np.zeros(500, int)), 0, "Split by time and owner"),
    ],
)
def test_a_split_that_cannot_be_made_is_one_sentence(kind, data, delay, says):
    with pytest.raises(BadData, match=says) as caught:
        plan_split(data, RUN, kind, float(delay))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_an_owner_on_both_sides_stays_on_one_and_its_cost_is_said():
    data = make(2400, owners=60)
    plan = plan_split(data, RUN, "time-group", 3.0)
    whole = TimeSplit(data, RUN, 3.0, most=plan.folds).split(RUN, 0)
    said = describe_split(plan, data, RUN, "day", "card")
    lost = [sum(len(getattr(a, name)) - b[name]["rows"] for name in PARTS) for a, b in zip(whole, said["parts"], strict=True)]
    assert said["dropped"]["owner"] == round(np.mean(lost)) > 500
    assert any(f"stay in one: {said['dropped']['owner']:,} rows left out" in note for note in said["notes"])
    spec = replace(RUN, folds=plan.folds)
    assert not np.array_equal(plan.cut(data, spec, 0)[0].test, plan.cut(data, spec, 1)[0].test)  # drawn anew


def test_rows_without_a_time_or_owner():
    data = make(1500)
    data = replace(data, order=np.where(np.arange(1500) % 50 == 0, np.nan, data.order))
    plan = plan_split(data, RUN, "time", 2.0)
    said = describe_split(plan, data, RUN, "day", None)
    assert said["dropped"]["time"] == 30 and any("30 rows without a time" in note for note in said["notes"])
    used = sum(said["parts"][-1][name]["rows"] for name in PARTS)
    assert 1470 - used > 0 and said["parts"][-1]["test"]["to"] == "1970-04-30" and said["unit"] == "days"
    owners = describe_split(plan_split(data, RUN, "group"), data, RUN, None, "card")
    alone = int((data.owner < 0).sum())
    assert alone and any(f"{alone} rows without an owner" in note for note in owners["notes"])
    assert len(np.unique(split_owners(data.owner))) == alone + len(np.unique(data.owner[data.owner >= 0]))


@pytest.mark.parametrize("kind", ["group", "time", "time-group"])
def test_an_imbalance_is_made_before_the_split(kind):
    data = make(3000, 0.3)
    spec = replace(RUN, imbalance=Imbalance("ratio", 9.0))
    plan = plan_split(data, spec, kind)
    for index in range(2):
        for parts in plan.cut(data, replace(spec, folds=plan.folds), index):
            counts = sum(np.bincount(data.y[getattr(parts, name)]) for name in PARTS)
            assert 6.5 < counts[0] / counts[1] < 12


def test_a_random_split_is_the_one_of_before():
    data = make(600)
    plan = plan_split(data, RUN)
    for a, b in zip(plan.cut(data, RUN, 1), split(data, RUN, 1), strict=True):
        np.testing.assert_array_equal(a.train, b.train)
    said = describe_split(plan, replace(data, order=None), RUN, None, None)
    assert said["kind"] == "random" and len(said["parts"]) == 4 and said["notes"] == []
