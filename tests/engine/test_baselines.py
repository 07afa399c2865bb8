"""The plain methods against scikit-learn and against each other: what each changes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.rows import append
from engine.errors import BadInput
from engine.events import Epoch
from engine.losses import cross_entropy, mean_weights
from engine.methods import focal
from engine.methods.ce import CE
from engine.methods.focal import Focal
from engine.methods.potential import Potential
from engine.methods.rs import RS
from engine.spec import Imbalance, RunSpec
from engine.training.batches import Passes
from engine.training.loop import Batch, new_net, streams
from engine.training.optimisers import Adam
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SHORT: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20}


def last_epoch(method: Any, on: Task) -> Epoch:
    return [e for e in fit(method, on, frames=0)[0] if isinstance(e, Epoch)][-1]


@pytest.mark.parametrize("counts", [(101, 31), (61, 34, 23)])
def test_a_net_without_hidden_layers_becomes_logistic_regression(counts: tuple[int, ...]) -> None:
    data = blobs(counts)
    data.y[::4] = np.random.default_rng(0).permutation(data.y[::4])  # no line separates these: the weights stay finite
    on = task(data, ratio=None, folds=2, seeds=1)
    net = new_net(on, ())
    step = Adam(net, cross_entropy, rate=lambda epoch: 0.1 * 0.994**epoch)
    batch = Batch(on.train.x, on.train.y, mean_weights(on.train.mask, on.dtype), torch.ones(2, dtype=torch.bool), 0)
    for _ in range(800):
        step.begin([1, 1])
        step(batch)
    for r in range(2):
        mask = on.train.mask[r]
        theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(on.train.x[r][mask], on.train.y[r][mask])
        ours = net(on.test.x).softmax(-1)[r][on.test.mask[r]].numpy()
        assert np.allclose(ours, theirs.predict_proba(on.test.x[r][on.test.mask[r]]), rtol=0, atol=3e-3)


def test_passes_take_every_row_once_in_a_new_order() -> None:
    on = task(seeds=1)
    passes = Passes(on.train.sizes.tolist(), 20, streams(on, "batch"))
    orders = []
    for _ in range(2):
        plan = passes.take(passes.per_pass(), on.device)
        for r, n in enumerate(on.train.sizes.tolist()):
            drawn = plan.index[r][plan.mask[r]]
            assert sorted(drawn.tolist()) == list(range(n)) and bool(plan.fresh[r, 0]) and int(plan.fresh[r].sum()) == 1
            orders.append(tuple(drawn.tolist()))
    assert len(set(orders)) == len(orders)


def test_passes_go_on_where_they_stood() -> None:
    """The synthetic points' passes do not begin with the epoch: a batch may follow from the last epoch's pass."""
    passes = Passes([7], 3, [torch.Generator().manual_seed(0)])
    drawn = [passes.take([k], torch.device("cpu")) for k in (2, 1, 4, 2)]
    index = torch.cat([p.index[0] for p in drawn])
    mask = torch.cat([p.mask[0] for p in drawn])
    assert [int(m.sum()) for m in mask] == [3, 3, 1] * 3
    assert torch.cat([p.fresh[0] for p in drawn]).tolist() == [True, False, False] * 3
    for k in range(3):
        assert sorted(index[3 * k : 3 * k + 3][mask[3 * k : 3 * k + 3]].tolist()) == list(range(7))


def test_focal_without_gamma_learns_what_plain_training_learns() -> None:
    on = task()
    _, plain = fit(CE(**SHORT), on)
    _, same = fit(Focal(gamma=0.0, **SHORT), on)
    _, other = fit(Focal(gamma=2.0, **SHORT), on)
    assert torch.allclose(plain.net.flat, same.net.flat, rtol=0, atol=1e-9)
    assert not torch.allclose(plain.net.flat, other.net.flat, rtol=0, atol=1e-3)


def test_focal_s_alpha_weighs_all_but_the_largest_class(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = focal.losses.Focal
    monkeypatch.setattr(focal.losses, "Focal", lambda *values: made.append(values) or real(*values))
    data = blobs((30, 61, 23))  # the second class is the largest
    fit(Focal(alpha=0.75, **SHORT), task(data, ratio=None))
    fit(Focal(**SHORT), task(data, ratio=None))
    assert made == [(2.0, 0.75, 1), (2.0, 0.0, 1)], "gamma, alpha (0: no weights) and the largest class"


@pytest.mark.parametrize(("counts", "batch"), [((101, 21), 20), ((101, 21), 21), ((61, 34, 23), 20), ((61, 34, 23), 2)])
def test_an_epoch_of_balanced_batches_is_the_largest_class_once(counts: tuple[int, ...], batch: int) -> None:
    on = task(blobs(counts), ratio=None)
    largest = int(on.train.counts(len(counts)).max())
    share = max(1, batch // len(counts))
    assert last_epoch(RS(hidden=(6,), epochs=3, batch=batch), on).step == 3 * -(-largest // share)


@pytest.mark.parametrize("give_back", ["share", "all"])
@pytest.mark.parametrize("where", ["all", "train"])
def test_the_potential_is_plain_training_with_the_withheld_rows_given_back(where: str, give_back: str) -> None:
    spec = RunSpec("blobs", "potential", Imbalance("ratio", 8, where=where), folds=2, seeds=2)
    on = prepare(blobs((101, 31)), spec, dtype=torch.float64)
    _, ceiling = fit(Potential(give_back=give_back, **SHORT), on)
    rows = append(on.train, on.withheld)
    if give_back == "all":
        rows = append(rows, on.withheld_elsewhere)
        assert on.withheld_elsewhere.mask.any()
    _, plain = fit(CE(**SHORT), replace(on, train=rows))
    assert torch.equal(ceiling.net.flat, plain.net.flat)
    assert not torch.equal(ceiling.net.flat, fit(CE(**SHORT), on)[1].net.flat)


def test_withheld_rows_are_in_no_other_part() -> None:
    spec = RunSpec("blobs", "potential", Imbalance("ratio", 8), folds=3, seeds=2)
    on = prepare(blobs((101, 31)), spec, dtype=torch.float64)
    for r in range(6):
        seen = [
            tuple(row)
            for part in (on.train, on.valid, on.test, on.withheld, on.withheld_elsewhere)
            for row in part.x[r][part.mask[r]].tolist()
        ]
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("imbalance", [Imbalance(), Imbalance("ratio", 2)])
def test_where_nothing_was_withheld_there_is_no_potential(imbalance: Imbalance) -> None:
    on = prepare(blobs((101, 21)), RunSpec("blobs", "potential", imbalance))
    with pytest.raises(BadInput, match="nothing was withheld here, so there is no potential"):
        fit(Potential(**SHORT), on)
