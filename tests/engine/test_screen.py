"""Screening settings in stacks: the rungs, who leaves, and the same numbers as alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.analysis import metrics
from engine.data.dataset import Task
from engine.data.rows import remove_test_rows, select_task
from engine.events import Progress
from engine.methods.ce import CE
from engine.training import loop
from engine.training import screen as module
from engine.training.batches import Passes
from engine.training.loop import streams
from engine.training.screen import Rung, choose_settings, plan_rungs, screen
from engine.training.shared_batches import SharedPasses
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

EPOCHS = 8
FEW = {"epochs": EPOCHS, "batch": 20}
NAMES = ("learning_rate", "weight_decay")
SETTINGS = [
    {"learning_rate": rate, "weight_decay": decay, "hidden": hidden}
    for rate, decay, hidden in [
        (1e-3, 0.0, (6,)), (3e-3, 1e-3, (6,)), (1e-2, 1e-2, (6,)), (3e-2, 0.0, (6,)), (1e-2, 1e-3, (5, 4)), (3e-2, 0.1, (5, 4)),
    ]
]  # fmt: skip


def several(**how: Any) -> Task:
    return task(blobs((101, 31)), numbers=[0, 1, 4], **how)


def run(on: Task, schedule: Sequence[tuple[int, int]], settings: Sequence[dict[str, Any]] = SETTINGS, **how: Any) -> list[Rung]:
    rungs: list[Rung] = []
    for _ in screen(lambda one: CE(**FEW | one), on, settings, stacks=NAMES, schedule=schedule, rungs=rungs, **how):
        pass
    return rungs


def scores(rungs: Sequence[Rung]) -> list[tuple[int, dict[int, float]]]:
    return [(rung.epoch, dict(rung.scores)) for rung in rungs]


@pytest.mark.parametrize(
    ("settings", "epochs", "expected"),
    [
        (64, 200, [(12, 32), (25, 16), (50, 8), (100, 4), (200, 4)]),
        (16, 200, [(12, 8), (25, 4), (50, 3), (100, 3), (200, 3)]),
        (9, 12, [(3, 5), (6, 3), (12, 3)]),
        (2, 25, [(3, 2), (6, 2), (12, 2), (25, 2)]),
        (5, 2, [(2, 5)]),
    ],
)
def test_rungs_double_and_settings_halve(settings: int, epochs: int, expected: list[tuple[int, int]]) -> None:
    assert plan_rungs(settings, epochs) == expected


def test_the_worse_half_leaves() -> None:
    nan = float("nan")
    assert choose_settings({0: 0.2, 1: 0.5, 2: 0.4, 3: 0.3}, 2) == [1, 2]
    assert choose_settings({0: 0.5, 1: 0.5, 2: 0.5}, 2) == [0, 1]  # the first of equal ones
    assert choose_settings({0: nan, 3: float("-inf"), 7: 0.0}, 1) == [7]
    assert choose_settings({0: 0.1, 1: 0.5, 2: 0.4}, 2, keep=[0]) == [0, 1]


@pytest.fixture(params=["all replicates in a stack", "a stack a replicate"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to make stacks."""
    if request.param == "a stack a replicate":
        monkeypatch.setattr(module, "MOST_COPIED", 0)


@pytest.mark.usefixtures("each_way")
def test_every_setting_has_the_score_that_it_has_alone() -> None:
    on = replace(several(), patience=3)
    (found,) = run(on, [(EPOCHS, len(SETTINGS))])
    alone = []
    for setting in SETTINGS:
        events, _ = fit(CE(**FEW | setting), on)
        values = np.array([event.values["valid_ap"] for event in events if hasattr(event, "values")])
        alone.append(float(np.nanmax(values, axis=0).mean()))
    assert [found.scores[n] for n in range(len(SETTINGS))] == pytest.approx(alone, abs=1e-9)
    assert len(set(alone)) == len(alone), "the case needs different scores"
    assert max(found.scores, key=lambda n: found.scores[n]) == int(np.argmax(alone))


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_who_leaves_changes_no_bit_of_the_others(dtype: torch.dtype) -> None:
    on = several(dtype=dtype)
    # widths and batches for which a stack of any height gives the same bits
    usual = [one | {"hidden": (16,) if one["hidden"] == (6,) else (32, 16), "batch": 24} for one in SETTINGS]
    halved = run(on, [(2, 3), (5, 2), (EPOCHS, 2)], usual)
    every = dict(scores(run(on, [(2, 6), (5, 6), (EPOCHS, 6)], usual)))
    assert [len(rung.scores) for rung in halved] == [6, 3, 2]
    for epoch, left in scores(halved):
        assert left == {n: every[epoch][n] for n in left}


@pytest.mark.usefixtures("each_way")
def test_the_deciding_metric_is_that_of_the_best_epochs() -> None:
    on = several()

    def accuracy(p: np.ndarray, y: np.ndarray) -> float:
        return float(metrics.scores(p, y)["balanced_accuracy"][0])

    rungs = run(on, [(4, 6), (EPOCHS, 6)], score=accuracy)
    for number, setting in enumerate(SETTINGS):
        _, fitted = fit(CE(**FEW | setting), on)
        p = fitted.net(on.valid.x).softmax(-1).numpy()
        own = [accuracy(p[r][mask], on.valid.y[r].numpy()[mask]) for r, mask in enumerate(on.valid.mask.numpy())]
        assert rungs[-1].scores[number] == pytest.approx(np.mean(own), abs=1e-9)


@pytest.mark.usefixtures("each_way")
def test_only_rows_that_count_are_read_and_never_test_rows() -> None:
    on = several()
    counts = [np.arange(len(rows)) % 3 > 0 for rows in on.valid_source]
    counts[1] = np.zeros(len(counts[1]), bool)  # this replicate is left out
    plain = scores(run(on, [(4, 3), (EPOCHS, 3)], counts=counts))
    wrong = on.valid.x.clone()
    for r, some in enumerate(counts):
        wrong[r, on.valid.mask[r]] = torch.where(torch.from_numpy(some)[:, None], wrong[r, on.valid.mask[r]], 9.0)
    spoilt = replace(
        on,
        valid=replace(on.valid, x=wrong),
        test=replace(on.test, x=torch.full_like(on.test.x, 9.0), y=(1 - on.test.y) * on.test.mask),
    )
    assert scores(run(spoilt, [(4, 3), (EPOCHS, 3)], counts=counts)) == plain
    assert scores(run(remove_test_rows(on), [(4, 3), (EPOCHS, 3)], counts=counts)) == plain
    every = [np.ones(len(some), bool) for some in counts]
    assert scores(run(spoilt, [(4, 3), (EPOCHS, 3)], counts=every)) != plain


def test_members_share_the_rows_and_batches_of_their_replicate() -> None:
    whole = task(blobs((41, 21)), numbers=[0, 1, 2])
    for on in (whole, select_task(whole, torch.tensor([2]))):
        count = len(on.replicates)
        shared, one = SharedPasses(on, 16, 3), Passes(on.train.sizes.tolist(), 16, streams(on, "batch"))
        for left in (list(range(3 * count)), [0, 3 * count - 1]):
            if len(left) < 3 * count:
                shared.select(torch.tensor(left))
            assert shared.members.tolist() == left and shared.per_pass() == [one.per_pass()[m % count] for m in left]
            wanted = [n if any(m % count == r for m in left) else 0 for r, n in enumerate(one.per_pass())]
            plans = [batches.take(each, on.device) for batches, each in ((one, wanted), (shared, shared.per_pass()))]
            theirs, ours = (plan.draw(on.train) for plan in plans)
            assert plans[0].length == plans[1].length > 1
            for k in range(plans[0].length):
                for tensor, other in zip(ours.at(k)[:3], theirs.at(k)[:3], strict=True):
                    assert tensor is not None and other is not None
                    assert torch.equal(tensor, other[[m % count for m in left]])
                    assert (tensor.stride(0) == 0) is (count == 1)


def test_weights_of_rows_are_shared_too() -> None:
    on = task(numbers=[0, 1])
    weighted = replace(on.train, weight=torch.rand(on.train.y.shape, dtype=on.dtype) * on.train.mask)
    one = Passes(on.train.sizes.tolist(), 16, streams(on, "batch"))
    theirs = one.take(one.per_pass(), on.device).draw(weighted)
    shared = SharedPasses(on, 16, 2)
    ours = shared.take(shared.per_pass(), on.device).draw(weighted)
    for k in range(len(theirs.widths)):
        got, expected = ours.at(k)[3], theirs.at(k)[3]
        assert got is not None and expected is not None and torch.equal(got, torch.cat([expected, expected]))


def test_a_stack_has_one_shape_and_all_replicates_where_that_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    on = task(numbers=[0, 1])

    def groups() -> list[tuple[list[int], list[int]]]:
        made = module._group(lambda one: CE(**FEW | one), on, SETTINGS, NAMES)
        return [([r.number for r in part.replicates], numbers) for part, numbers in made]

    assert groups() == [([0, 1], [0, 1, 2, 3]), ([0, 1], [4, 5])]
    monkeypatch.setattr(module, "MOST_COPIED", 2 * 2 * on.valid.x[0].numel())
    assert groups() == [([0], [0, 1, 2, 3]), ([1], [0, 1, 2, 3]), ([0, 1], [4, 5])]
    monkeypatch.setattr(
        module, "MOST_WORK", 3 * (module.RANKING + 30) * on.valid.x.shape[1]
    )  # (6,) has 30 weights, (5, 4) has 43
    assert groups() == [([r], part) for part in ([0, 1], [2, 3], [4, 5]) for r in (0, 1)]


def test_it_reports_at_every_step_that_is_due_and_ends_where_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[module._Stack] = []

    class Kept(module._Stack):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(module, "_Stack", Kept)
    monkeypatch.setattr(loop, "TICK", -1.0)
    rungs: list[Rung] = []
    running = screen(lambda one: CE(**FEW | one), several(), SETTINGS, stacks=NAMES, schedule=[(2, 6), (4, 6)], rungs=rungs)
    events = [next(running)]
    assert len(made) == 2
    while not rungs:
        events.append(next(running))
    steps = sum(2 * stack.batches.length for stack in made)
    assert len(events) > steps + 2 * len(made) and all(isinstance(event, Progress) for event in events)
    running.close()
    assert len(rungs) == 1 and all(stack.running.pull() is None for stack in made)


def test_a_setting_that_diverges_is_the_worst() -> None:
    on = task(numbers=[0])
    rungs: list[Rung] = []
    broken = [{**SETTINGS[0], "learning_rate": 1e30}, *SETTINGS[:3]]
    schedule = [(3, 3), (EPOCHS, 3)]
    for _ in screen(lambda one: CE(**FEW, hidden=one["hidden"]), on, broken, stacks=NAMES, schedule=schedule, rungs=rungs):
        pass
    assert 0 not in rungs[-1].scores and all(np.isfinite(value) for value in rungs[-1].scores.values())
