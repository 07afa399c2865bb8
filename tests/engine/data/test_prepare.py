"""From rows to a task: fitted on training rows alone, alone as together, padded as Rows promises."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from engine.data import sources
from engine.data.prepare import encode, prepare
from engine.data.split import split
from engine.data.table import Dataset
from engine.errors import BadParameter
from engine.spec import Imbalance, RunSpec

PARTS = ("train", "valid", "test", "withheld", "withheld_elsewhere")


def mixed(n: int = 120, rare: int = 24) -> Dataset:
    """Two numeric columns of very different scale, one constant; two categorical ones, a level of which never occurs."""
    rng = np.random.default_rng(3)
    y = np.r_[np.zeros(n - rare, int), np.ones(rare, int)]
    numeric = np.column_stack([rng.normal(5, 2, n) + y, 1e6 * rng.exponential(1, n), np.full(n, 7.0)])
    categorical = np.column_stack([rng.integers(0, 3, n), rng.integers(0, 2, n)])
    levels = (("red", "green", "blue", "never"), ("no", "yes"))
    return Dataset("mixed", "tabular", numeric, categorical, levels, ("a", "b", "c"), ("d", "e"), y, ("no", "yes"))


SPEC = RunSpec("mixed", "ce", Imbalance("ratio", 8), folds=4, seeds=2)


def rows(task, part: str, r: int) -> torch.Tensor:
    p = getattr(task, part)
    return p.x[r][p.mask[r]]


def test_shapes_names_and_padding():
    d = mixed(123, 27)  # sizes that differ between folds
    task = prepare(d, SPEC)
    assert task.features == ("a", "b", "c", "d = red", "d = green", "d = blue", "d = never", "e = no", "e = yes")
    assert [(r.number, r.seed, r.fold) for r in task.replicates] == [(n, n // 4, n % 4) for n in range(8)]
    assert (task.classes, task.kind, task.seed, task.dtype) == (("no", "yes"), "tabular", 0, torch.float32)
    assert len(set(task.train.sizes.tolist())) > 1
    for name in PARTS:
        p = getattr(task, name)
        assert p.x.shape == (*p.y.shape, 9) == (*p.mask.shape, 9) and p.y.dtype == torch.int64
        assert p.mask.shape[1] == max(1, int(p.sizes.max()))
        ends = torch.arange(p.mask.shape[1]) < p.sizes[:, None]
        assert torch.equal(p.mask, ends), "padding stands at the end"
        assert not p.x[~p.mask].any() and not p.y[~p.mask].any()


def test_a_part_nobody_is_in_is_one_row_of_padding():
    task = prepare(mixed(), RunSpec("mixed", "ce"))
    assert task.withheld.mask.tolist() == [[False]] and task.withheld.x.shape == (1, 1, 9)


def test_numeric_columns_are_standardised_as_scikit_learn_does():
    d, task = mixed(), prepare(mixed(), SPEC, dtype=torch.float64)
    for r in task.replicates:
        parts = split(d, SPEC, r.seed)[r.fold]
        scaler = StandardScaler().fit(d.numeric[parts.train])
        for name, which in (("train", parts.train), ("test", parts.test), ("withheld", parts.withheld)):
            got = rows(task, name, r.number)[:, :2].numpy()
            assert got == pytest.approx(scaler.transform(d.numeric[which])[:, :2], abs=1e-12)
    x = rows(task, "train", 0)
    assert x[:, :2].mean(0).abs().max() < 1e-12 and (x[:, :2].std(0, correction=0) - 1).abs().max() < 1e-12


def test_columns_constant_in_training_are_zero_everywhere():
    d = mixed()
    (parts,) = split(d, RunSpec("mixed", "ce"), 0)
    d.categorical[parts.train, 1] = 0  # training never says yes
    d.categorical[parts.test, 1] = 1
    d.numeric[parts.test, 2] = 9.0
    task = prepare(d, RunSpec("mixed", "ce"))
    constant = [task.features.index(f) for f in ("c", "d = never", "e = no", "e = yes")]
    for name in PARTS[:3]:
        assert not getattr(task, name).x[..., constant].any()


def test_one_hot_columns_are_0_and_1():
    d, task = mixed(), prepare(mixed(), SPEC)
    x = rows(task, "train", 0)[:, 3:7]
    assert set(x.unique().tolist()) == {0.0, 1.0} and (x.sum(1) == 1).all()
    table, _ = encode(d)
    assert np.array_equal(table[:, 3:7].argmax(1), d.categorical[:, 0])


@pytest.mark.parametrize("data", [{}, {"pca": 4}])
def test_alone_equals_together(data):
    d = mixed(123, 27)
    s = dataclasses.replace(SPEC, data=data)
    together = prepare(d, s, dtype=torch.float64)
    for number in (0, 3, 6):
        alone = prepare(d, s, [number], dtype=torch.float64)
        assert alone.replicates == (together.replicates[number],)
        for name in PARTS:
            assert torch.equal(rows(alone, name, 0), rows(together, name, number))
            a, b = getattr(alone, name), getattr(together, name)
            assert torch.equal(a.y[0][a.mask[0]], b.y[number][b.mask[number]])


@pytest.mark.parametrize("data", [{}, {"pca": 4}])
@pytest.mark.parametrize("part", ["valid", "test", "withheld", "elsewhere"])
def test_nothing_is_fitted_outside_training(data, part):
    d = mixed()
    s = RunSpec("mixed", "ce", Imbalance("ratio", 8), data=data)
    before = prepare(d, s, dtype=torch.float64)
    which = getattr(split(d, s, 0)[0], part)
    d.numeric[which] = d.numeric[which] * -1e3 + 5
    d.categorical[which] = 1
    after = prepare(d, s, dtype=torch.float64)
    assert torch.equal(before.train.x, after.train.x)
    name = "withheld_elsewhere" if part == "elsewhere" else part
    assert not torch.equal(getattr(before, name).x, getattr(after, name).x)


def test_every_row_lies_where_the_split_puts_it():
    d = mixed()
    d.numeric[:, 0] = np.arange(len(d.y))  # a row's number can be read off its features
    task = prepare(d, SPEC, dtype=torch.float64)
    for r in task.replicates:
        parts = split(d, SPEC, r.seed)[r.fold]
        mean, sd = parts.train.mean(), parts.train.std()
        for name, which in zip(PARTS, vars(parts).values(), strict=True):
            p = getattr(task, name)
            number = (rows(task, name, r.number)[:, 0].numpy() * sd + mean).round().astype(int)
            assert np.array_equal(number, which) and np.array_equal(p.y[r.number][p.mask[r.number]], d.y[which])


def test_components_are_uncorrelated_in_training_and_ordered():
    task = prepare(mixed(), RunSpec("mixed", "ce", data={"pca": 3}), dtype=torch.float64)
    assert task.features == ("component 1", "component 2", "component 3")
    x = rows(task, "train", 0)
    covariance = torch.cov(x.T)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-12 and x.mean(0).abs().max() < 1e-12
    assert covariance.diag().tolist() == sorted(covariance.diag().tolist(), reverse=True)


def test_too_many_components_are_refused():
    with pytest.raises(BadParameter, match=r"mixed\(pca=10\): must be at most 9"):
        prepare(mixed(), RunSpec("mixed", "ce", data={"pca": 10}))


@pytest.mark.parametrize("numbers", [[8], [-1], []])
def test_replicates_that_are_not_in_the_spec_are_refused(numbers):
    with pytest.raises(BadParameter, match="numbered 0 to 7"):
        prepare(mixed(), SPEC, numbers)


def test_points_keep_their_axes():
    task = prepare(sources.load("clusters"), RunSpec("clusters", "ce", Imbalance("ratio", 20)))
    assert task.features == ("x", "y") and task.kind == "points"
    x = rows(task, "train", 0)
    assert x.mean(0).abs().max() < 1e-5 and (x.std(0, correction=0) - 1).abs().max() < 1e-5
    assert task.largest == 0
