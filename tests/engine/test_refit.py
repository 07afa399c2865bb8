"""Trained again on training and validation rows: the rows that each method reads, the epochs it takes over, what is fitted on what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.data.dataset import Dataset, Rows, Task
from engine.data.prepare import encode, fit_scale, prepare
from engine.events import Epoch, Running
from engine.methods import method, methods
from engine.methods.base import Method
from engine.spec import Imbalance, RunSpec
from engine.training import network_cache
from engine.training.batches import Plan
from engine.training.refit import agree, join_rows, refit, take_all
from tests.engine.tasks import blobs
from tests.engine.test_methods import fit, small

FITTED = {name: cls for name, cls in methods().items() if name != "potential" and "tabular" in cls.kinds}
"""All for tables but the oracle, which trains on rows that a comparison does not have."""
ALL = pytest.mark.parametrize("cls", FITTED.values(), ids=FITTED)
READING = {"explicit-gradient", "mesa", "meta-weight-net"}


def mixed(n: int = 160, seed: int = 0) -> Dataset:
    """Numbers with gaps, two columns of levels, every row different."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 4 == 0).astype(np.int64)
    numeric = rng.normal(size=(n, 3)) * (1, 10, 1e4) + y[:, None] * (1, 5, 1e4)
    numeric[rng.random((n, 3)) < 0.1] = np.nan
    codes = np.stack([rng.integers(0, 3, n), rng.integers(0, 2, n)], 1)
    levels = (("a", "b", "c"), ("x", "y"))
    return Dataset("mixed", "tabular", numeric, codes, levels, ("p", "q", "r"), ("l", "m"), y, ("no", "yes"))


def prepared(data: Dataset, numbers: list[int] | None = None, dtype: torch.dtype = torch.float64) -> Task:
    task = prepare(data, RunSpec(data.name, "ce", Imbalance(), folds=3, seeds=2), numbers, dtype=dtype)
    return replace(task, patience=3)


def again(method: Method, joined: Task, fitted):
    network_cache.clear()
    running = Running(refit(method, joined, fitted))
    return list(running), running.value


def scores(net, task: Task) -> torch.Tensor:
    with torch.no_grad():
        return net(task.test.x)


def test_everything_is_fitted_on_training_and_validation_rows_alone():
    data = mixed()
    task = prepared(data)
    joined = join_rows(data, task)
    table = encode(data)[0]
    for r, own in enumerate(joined.source):
        assert set(own) == {*task.source[r], *task.valid_source[r]} and not set(own) & set(task.test_source[r])
        assert len(own) == len(task.source[r]) + len(task.valid_source[r])
        assert joined.test_source[r] is task.test_source[r]
        scale = fit_scale(table, 3, own)
        np.testing.assert_array_equal(joined.units[r][0], scale.mean)
        np.testing.assert_array_equal(joined.units[r][1], scale.sd)
        assert np.nanmean(data.numeric[own, 0]) == pytest.approx(scale.mean[0], rel=1e-12)
        assert scale.mean[0] != task.units[r][0][0]
        np.testing.assert_array_equal(joined.train.x[r][joined.train.mask[r]].numpy(), scale(table[own]))
        np.testing.assert_array_equal(joined.test.x[r][joined.test.mask[r]].numpy(), scale(table[joined.test_source[r]]))
        assert joined.train.y[r][joined.train.mask[r]].tolist() == data.y[own].tolist()
    assert not joined.held_out and joined.valid is joined.train
    held = join_rows(data, task, hold=True)
    for r, (mean, sd) in enumerate(held.units):
        np.testing.assert_array_equal(mean, joined.units[r][0])
        np.testing.assert_array_equal(sd, joined.units[r][1])
        assert sorted([*held.source[r], *held.valid_source[r]]) == joined.source[r].tolist()


def test_other_test_rows_change_nothing_that_is_fitted():
    data = mixed()
    task = prepared(data, [1])
    numeric = data.numeric.copy()
    numeric[task.test_source[0]] = np.where(np.isnan(numeric[task.test_source[0]]), np.nan, 1e9)
    poisoned = replace(data, numeric=numeric)
    for hold in (False, True):
        one, two = join_rows(data, task, hold=hold), join_rows(poisoned, task, hold=hold)
        assert torch.equal(one.train.x, two.train.x) and torch.equal(one.valid.x, two.valid.x)
        assert not torch.equal(one.test.x, two.test.x)


@ALL
def test_each_replicate_takes_over_its_own_epochs(cls: type[Method]):
    data = mixed()
    task, method = prepared(data), small(cls)
    _, first = fit(method, task, frames=0)
    joined = join_rows(data, task, hold=method.needs_validation)
    events, second = again(method, joined, first)
    assert torch.equal(first.epoch, second.epoch)
    assert first.chosen.keys() == second.chosen.keys()
    assert all(torch.equal(first.chosen[name], second.chosen[name]) for name in first.chosen)
    for phase in {e.phase for e in events if isinstance(e, Epoch) and "train_loss" in e.values}:
        own = [e for e in events if isinstance(e, Epoch) and e.phase == phase]
        ran = torch.tensor([[v == v for v in e.values["train_loss"]] for e in own]).sum(0)
        assert ran.tolist() == first.chosen.get(phase, first.epoch).tolist()  # trees and members go by their own name


@ALL
def test_stacked_equals_alone(cls: type[Method]):
    data, method = mixed(), small(cls)
    task = prepared(data)
    _, first = fit(method, task, frames=0)
    _, stacked = again(method, join_rows(data, task, hold=method.needs_validation), first)
    for r in (0, 4):
        single = prepared(data, [r])
        one = replace(first, chosen={name: value[[r]] for name, value in first.chosen.items()})
        joined = join_rows(data, single, hold=method.needs_validation)
        _, alone = again(method, joined, one)
        rows = int(joined.test.mask.sum())
        both = scores(stacked.net, join_rows(data, task))[r, :rows]
        assert torch.allclose(scores(alone.net, joined)[0, :rows], both, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["ce", "focal", "smote", "rs", "rus", "class-weights"])
def test_it_equals_a_plain_fit_on_the_joined_rows_with_that_number_of_epochs(name: str):
    data, method = mixed(), small(FITTED[name], epochs=12, learning_rate=0.05)
    task = prepared(data)
    _, first = fit(method, task, frames=0)
    assert len(set(first.epoch.tolist())) > 1, "the case must have replicates that end at different epochs"
    _, second = again(method, join_rows(data, task), first)
    for r, epochs in enumerate(first.epoch.tolist()):
        joined = join_rows(data, prepared(data, [r]))
        network_cache.clear()
        _, plain = fit(replace(method, epochs=epochs), joined, frames=0)
        rows = int(joined.test.mask.sum())
        both = scores(second.net, join_rows(data, task))[r, :rows]
        assert torch.allclose(scores(plain.net, joined)[0, :rows], both, rtol=0, atol=1e-8)


@ALL
def test_only_what_says_so_reads_validation_rows(cls: type[Method]):
    data, method = mixed(), small(cls)
    task = prepared(data, [0, 1])
    _, first = fit(method, task, frames=0)
    joined = join_rows(data, task, hold=True)
    valid = joined.valid
    garbage = Rows(torch.full_like(valid.x, 77.0) * valid.mask.unsqueeze(2), (1 - valid.y) * valid.mask, valid.mask)
    _, one = again(method, joined, first)
    _, two = again(method, replace(joined, valid=garbage), first)
    same = torch.equal(scores(one.net, joined), scores(two.net, joined))
    assert same == (not method.needs_validation)
    assert cls.reads_validation == (cls.name in READING) and method.needs_validation == cls.reads_validation


@pytest.mark.parametrize("name", sorted(READING - {"mesa"}))  # which has no batches of rows
def test_no_row_is_in_inner_and_outer_batches(name: str, monkeypatch):
    data, method = mixed(), small(FITTED[name])
    task = prepared(data)
    _, first = fit(method, task, frames=0)
    joined = join_rows(data, task, hold=True)
    for r in range(len(joined.replicates)):
        inner, outer = set(joined.source[r]), set(joined.valid_source[r])
        assert not inner & outer and not (inner | outer) & set(joined.test_source[r])
        assert inner | outer == {*task.source[r], *task.valid_source[r]}
        for c in (0, 1):
            mine = [n for n in (*inner, *outer) if data.y[n] == c]
            assert sum(n in outer for n in mine) == round(len(mine) / 5)
    drawn: dict[int, list[set[bytes]]] = {}
    original = Plan.draw

    def record(plan: Plan, part: Rows, members: torch.Tensor | None = None):
        assert members is None, "the case must keep all replicates in the stack"
        out = original(plan, part)
        into = drawn.setdefault(id(part), [set() for _ in joined.replicates])
        for x, mask in zip(out.x, out.mask, strict=True):
            for r, (xs, m) in enumerate(zip(x, mask, strict=True)):
                into[r] |= {row.numpy().tobytes() for row in xs[m]}
        return out

    monkeypatch.setattr(Plan, "draw", record)
    again(method, joined, first)
    outer = drawn.pop(id(joined.valid))
    assert all(outer) and drawn
    for inner in drawn.values():
        assert all(not a & b for a, b in zip(inner, outer, strict=True))


def test_parameters_decide_whether_validation_rows_are_read():
    eg, mwn = method("explicit-gradient"), method("meta-weight-net")
    assert [eg(**p).needs_validation for p in ({}, {"outer": "holdout"}, {"eta_points": 0.0}, {"copies": 0})] == [
        True,
        False,
        False,
        False,
    ]
    assert [mwn(**p).needs_validation for p in ({}, {"eta_weights": 0.0})] == [True, False]
    data = mixed()
    for cls, params in ((eg, {"outer": "holdout"}), (eg, {"eta_points": 0.0}), (mwn, {"eta_weights": 0.0})):
        trained = small(cls, **params)
        task = prepared(data, [0])
        _, first = fit(trained, task, frames=0)
        joined = join_rows(data, task, hold=True)
        other = replace(joined, valid=replace(joined.valid, x=joined.valid.x + 9))
        (_, one), (_, two) = again(trained, joined, first), again(trained, other, first)
        assert torch.equal(one.net.flat, two.net.flat)


def test_owners_are_on_one_side_of_the_held_fifth():
    owner = np.random.default_rng(3).integers(0, 40, 160)
    owner[:5] = -1
    data = mixed()
    object.__setattr__(data, "owner", owner)
    task = prepared(data)
    joined = join_rows(data, task, hold=True)
    for inner, outer in zip(joined.source, joined.valid_source, strict=True):
        assert not (set(owner[inner]) & set(owner[outer])) - {-1}
        assert 0.05 < len(outer) / (len(inner) + len(outer)) < 0.4
        assert set(data.y[inner]) == set(data.y[outer]) == {0, 1}


def test_all_rows_by_what_the_replicates_agree_on():
    data, trained = mixed(), small(FITTED["crt"])
    _, first = fit(trained, prepared(data), frames=0)
    agreed = agree([first.chosen])
    assert agreed["training"].tolist() == [sorted(first.chosen["training"].tolist())[2]]
    task = take_all(data, np.arange(len(data.y)), seed=0)
    assert task.source[0].tolist() == list(range(len(data.y))) and not task.test.mask.any()
    _, every = again(trained, task, replace(first, chosen=agreed))
    assert every.epoch.tolist() == agreed["head"].tolist()
    held = take_all(data, np.arange(len(data.y)), seed=0, hold=True)
    assert len(held.valid_source[0]) == 32 and not set(held.valid_source[0]) & set(held.source[0])


def test_the_cache_tells_chosen_epochs_apart():
    data, trained = blobs(), small(FITTED["ce"])
    task = prepared(data, [0])
    network_cache.clear()
    _, first = fit(trained, task, frames=0)
    joined = join_rows(data, task)
    short, long = (replace(first, chosen={"training": torch.tensor([n])}) for n in (1, 5))
    one = Running(refit(trained, joined, short))
    list(one)
    two = Running(refit(trained, joined, long))
    list(two)
    assert one.value.epoch.tolist() == [1] and two.value.epoch.tolist() == [5]
    assert not torch.equal(one.value.net.flat, two.value.net.flat)
