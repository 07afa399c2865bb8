"""Replicates: disjoint parts, stratified, at the ratio asked for; what is withheld; what cannot be split says so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.imbalance import cut_rows, target_counts
from engine.data.split import Parts, split
from engine.data.table import Dataset, numeric_only
from engine.errors import BadData, BadParameter
from engine.spec import Imbalance, RunSpec, limits


def table(*counts: int, order: int = 0, test: np.ndarray | None = None) -> Dataset:
    y = np.random.default_rng(order).permutation(np.repeat(np.arange(len(counts)), counts))
    names = tuple(f"c{c}" for c in range(len(counts)))
    return dataclasses.replace(numeric_only("table", "tabular", y[:, None] * 1.0, y, ("a",), names), official_test=test)


def spec(imbalance: Imbalance | None = None, **fields: int) -> RunSpec:
    return RunSpec("table", "ce", imbalance or Imbalance(), **fields)


def by_class(d: Dataset, rows: np.ndarray) -> list[int]:
    return np.bincount(d.y[rows], minlength=len(d.classes)).tolist()


def same(a: Parts, b: Parts) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


def test_four_folds_are_60_20_20_and_each_row_is_tested_once():
    d = table(200, 20)
    folds = split(d, spec(folds=4), 0)
    for parts in folds:
        assert [by_class(d, p) for p in (parts.train, parts.valid, parts.test)] == [[120, 12], [40, 4], [40, 4]]
        assert np.array_equal(parts.valid, folds[0].valid)
    tested = np.sort(np.concatenate([p.test for p in folds]))
    assert np.array_equal(tested, np.setdiff1d(np.arange(220), folds[0].valid))


def test_odd_rows_are_spread_over_the_folds():
    d = table(*[13] * 8)  # 3 for validation, 10 for 4 folds: 2 odd rows in each class
    sizes = [len(p.test) for p in split(d, spec(folds=4), 0)]
    assert sizes == [20] * 4


@pytest.mark.parametrize(
    "imbalance", [Imbalance(), Imbalance("ratio", 20), Imbalance("ratio", 20, where="train"), Imbalance("remove", rate=0.5)]
)
def test_one_split_is_the_first_replicate_of_four_folds(imbalance):
    d = table(203, 57)
    for index in range(5):
        (one,) = split(d, spec(imbalance, folds=1, seeds=5), index)
        assert same(one, split(d, spec(imbalance, folds=4, seeds=5), index)[0])


def test_a_seed_redraws_everything_and_the_same_seed_nothing():
    d = table(200, 100)
    s = spec(Imbalance("ratio", 20), folds=2, seeds=2)
    first, again, other = split(d, s, 0), split(d, s, 0), split(d, s, 1)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    for part in ("train", "valid", "test", "withheld"):
        assert not np.array_equal(getattr(first[0], part), getattr(other[0], part))
    assert not same(first[0], split(d, dataclasses.replace(s, seed=1), 0)[0])


def test_the_method_and_its_parameters_do_not_touch_the_split():
    d = table(200, 100)
    s = spec(Imbalance("ratio", 20))
    assert same(split(d, s, 0)[0], split(d, s.with_(method="rs", params={"a": 1}), 0)[0])


def test_withheld_rows_are_dealt_like_the_kept_ones():
    d = table(1000, 500)
    for parts in split(d, spec(Imbalance("ratio", 50), folds=4), 0):
        assert [by_class(d, p) for p in (parts.train, parts.valid, parts.test)] == [[600, 12], [200, 4], [200, 4]]
        assert by_class(d, parts.withheld) == [0, 288] and by_class(d, parts.elsewhere) == [0, 192]


def test_where_train_leaves_the_test_part_as_it_comes():
    d = table(1000, 500)
    for parts in split(d, spec(Imbalance("ratio", 50, where="train"), folds=4), 0):
        assert [by_class(d, p) for p in (parts.train, parts.valid, parts.test)] == [[600, 12], [200, 4], [200, 100]]
        assert by_class(d, parts.withheld) == [0, 288] and by_class(d, parts.elsewhere) == [0, 96]


def test_where_train_takes_its_minority_from_every_fold():
    d = table(1000, 500)
    folds = split(d, spec(Imbalance("ratio", 50, where="train"), folds=4), 0)
    for f, parts in enumerate(folds):
        minority = parts.train[d.y[parts.train] == 1]
        shares = [np.isin(minority, other.test).sum() for g, other in enumerate(folds) if g != f]
        assert shares == [4, 4, 4]


def test_a_higher_ratio_keeps_a_part_of_what_a_lower_one_keeps():
    d = table(1000, 500)
    low, high = (split(d, spec(Imbalance("ratio", ratio)), 0)[0] for ratio in (20, 100))
    kept = [np.concatenate([p.train, p.valid, p.test]) for p in (low, high)]
    assert set(kept[1]) < set(kept[0])


def test_below_the_native_ratio_nothing_is_withheld():
    d = table(197, 17)
    (parts,) = split(d, spec(Imbalance("ratio", 5)), 0)
    assert len(parts.withheld) == len(parts.elsewhere) == 0
    assert sum(len(p) for p in (parts.train, parts.valid, parts.test)) == 85 + 17


def test_the_removed_classes_are_one_draw_of_the_spec():
    d = table(*[100] * 10)
    s = spec(Imbalance("remove", rate=0.9), folds=2, seeds=3)
    cut_classes = {tuple(np.flatnonzero(np.array(by_class(d, parts.train)) < 20)) for i in range(3) for parts in split(d, s, i)}
    assert len(cut_classes) == 1 and len(next(iter(cut_classes))) == 4
    for parts in split(d, s, 0):
        assert tuple(np.flatnonzero(np.array(by_class(d, parts.valid)) < 20)) in cut_classes
    elsewhere = [split(d, dataclasses.replace(s, seed=k), 0)[0] for k in range(1, 6)]
    assert len({tuple(np.flatnonzero(np.array(by_class(d, p.train)) < 20)) for p in elsewhere} | cut_classes) > 1


def test_an_official_test_is_kept():
    test = np.arange(0, 300, 3)
    d = table(150, 150, test=test)
    rest = np.setdiff1d(np.arange(300), test)
    (native,) = split(d, spec(), 0)
    assert np.array_equal(native.test, test) and len(native.valid) == 40
    assert np.array_equal(np.sort(np.concatenate([native.train, native.valid])), rest)
    (train,) = split(d, spec(Imbalance("exponential", 10)), 0)
    assert np.array_equal(train.test, test)
    share = np.setdiff1d(rest, train.valid)
    assert by_class(d, train.train)[1] == by_class(d, train.train)[0] // 10 and set(train.train) <= set(share)
    (cut_all,) = split(d, spec(Imbalance("ratio", 10)), 0)
    assert set(cut_all.test) < set(test)
    assert min(by_class(d, cut_all.test)) == max(by_class(d, cut_all.test)) // 10
    with pytest.raises(BadParameter, match="official test part; its folds must be 1, got 4"):
        split(d, spec(folds=4), 0)


@pytest.mark.parametrize(
    ("counts", "imbalance", "folds", "says"),
    [
        (
            (197, 17),
            Imbalance("ratio", 100),
            1,
            "'c1' keeps 1 of its 17 rows, .* needs at least 5; use a ratio of at most 39.4",
        ),
        ((197, 17), Imbalance("ratio", 130, where="train"), 4, "no row in the training part, .* a ratio of at most 118 "),
        ((197, 17), Imbalance("remove", rate=0.9, where="all"), 1, "keeps 1 of its 17 rows.*use a rate below 0.9"),
        ((123, 6), Imbalance(), 10, "'c1' keeps 6 of its 6 rows, but 10 folds needs at least 12; use fewer folds"),
        ((123, 4), Imbalance(), 1, "keeps 4 of its 4 rows, .* at least 5; use a dataset with more rows of it"),
        ((123, 4), Imbalance("ratio", 40, where="train"), 1, "has 4 rows, .* at least 5; use a dataset with more rows of it"),
    ],
)
def test_too_few_rows_say_what_would_be_right(counts, imbalance, folds, says):
    with pytest.raises(BadData, match=says):
        split(table(*counts), spec(imbalance, folds=folds), 0)


def test_cut_is_the_first_of_each_class_and_drops_only_minority_rows():
    rows = [np.arange(10), np.arange(10, 20), np.arange(20, 25)]
    kept, dropped = cut_rows(rows, [8, 8, 3])
    assert [k.tolist() for k in kept] == [list(range(8)), list(range(10, 18)), [20, 21, 22]]
    assert [d.tolist() for d in dropped] == [[], [], [23, 24]]


def test_targets_use_the_generator_for_remove_alone():
    class Never:
        def permutation(self, n):
            raise AssertionError("drawn")

    assert target_counts([50, 50], Imbalance("ratio", 10), Never()) == [50, 5]
    with pytest.raises(AssertionError, match="drawn"):
        target_counts([50, 50], Imbalance("remove", rate=0.5), Never())


imbalances = st.one_of(
    st.builds(
        Imbalance,
        st.sampled_from(["ratio", "exponential", "step", "gaussian"]),
        st.floats(1, 20),
        where=st.sampled_from(["all", "train"]),
    ),
    st.builds(Imbalance, st.just("remove"), rate=st.floats(0.05, 0.95), where=st.sampled_from(["all", "train"])),
    st.just(Imbalance()),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(5, 400), min_size=2, max_size=5), imbalances, st.integers(1, 6), st.integers(0, 3))
def test_every_split_keeps_the_rules(counts, imbalance, folds, seed):
    d = table(*counts, order=seed)
    try:
        replicates = split(d, spec(imbalance, folds=folds, seed=seed), 0)
    except BadData:
        return
    assert len(replicates) == folds
    for parts in replicates:
        rows = list(vars(parts).values())
        together = np.concatenate(rows)
        assert len(np.unique(together)) == len(together), "parts are disjoint"
        train, valid, test, withheld, elsewhere = (np.array(by_class(d, r)) for r in rows)
        assert min(train.min(), valid.min(), test.min()) >= 1
        kept = train + valid + test
        natural = np.array(counts)
        if imbalance.where == "all":
            sizes = np.array(kept if imbalance.profile == "remove" else limits.target_counts(counts, imbalance))
            assert np.array_equal(kept, sizes)
            fold = max(folds, 4) if folds == 1 else folds
            assert np.abs(test - (kept - valid) / fold).max() < 1 and np.abs(valid - kept / 5).max() <= 0.5
            small = kept < kept.max()
            assert np.array_equal((kept + withheld + elsewhere)[small], natural[small])
        else:
            fold = 4 if folds == 1 else folds
            share = natural - np.array([limits.count_validation_rows(n) for n in counts])
            assert np.abs(test - share / fold).max() < 1, "test keeps its classes"
            small = train < train.max()
            assert np.array_equal((train + withheld)[small], (share - test)[small])
            if imbalance.ratio is not None and imbalance.profile == "ratio":
                head = limits.head_class(counts, "ratio")
                assert train[head] / imbalance.ratio - 1 <= train.min() <= (train[head] + 1) / imbalance.ratio + 1e-6
        assert 0 in withheld[train == train.max()], "a largest class keeps its rows"
        if imbalance.profile == "native":
            assert len(together) == len(d.y)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(5, 400), min_size=2, max_size=4), st.sampled_from(["ratio", "exponential", "step", "gaussian"]))
@pytest.mark.parametrize("where", ["all", "train"])
def test_the_highest_ratio_offered_can_be_split(where, counts, profile):
    for folds in (1, 4):
        highest, _ = limits.highest_ratio(counts, folds, where, profile)
        split(table(*counts), spec(Imbalance(profile, highest, where=where), folds=folds), 0)


def test_validation_keeps_a_row_of_every_class_where_training_alone_is_cut():
    d = table(*[178] * 10)
    (parts,) = split(d, spec(Imbalance("exponential", 50)), 0)
    assert by_class(d, parts.train)[-1] == 2 and by_class(d, parts.valid)[-1] == 1
