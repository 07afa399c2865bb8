"""The network's study of a comparison: what Optuna proposes, what the stacks answer, and the share of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log10
from typing import Any

import numpy as np
import pytest
import torch

from engine.analysis import metrics
from engine.compare import network_study as module
from engine.compare import sizes, tuning
from engine.compare.bench import Evaluator
from engine.compare.comparison import compare
from engine.compare.halving import Resource
from engine.compare.network_study import DECAYS, NO_DECAY, RATES, WIDTHS, Proposals, TunedNetwork, tune_network
from engine.data.dataset import Task
from engine.events import Progress, finish
from engine.methods.ce import CE
from engine.spec import fields
from engine.spec.contest import NETWORK
from engine.training import loop
from engine.training.screen import Rung, plan_rungs
from tests.engine.test_compare import SPEC, table, ticking
from tests.engine.test_compare_tuning import make_bench

DEFAULT = {"learning_rate": 1e-3, "weight_decay": 0.0, "hidden": (64, 64)}
LEVEL = Resource(None, 6)
ALONE = {"methods": ("ce",), "models": None, "remedies": None, "ensembles": None}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow networks beside the usual one, and reports at the ends of epochs alone: how many there are must not depend on the time."""
    monkeypatch.setattr(module, "WIDTHS", ((4,), (64, 64), (5, 4)))
    monkeypatch.setattr(loop, "TICK", 1e9)


def study(bench: Evaluator | None = None, levels: Sequence[Resource] = (LEVEL,), **how: Any) -> TunedNetwork:
    how = {"share": 1.0, "metric": "average_precision", "batch": 4, "most": 4} | how
    bench = make_bench(**ALONE) if bench is None else bench
    return finish(tune_network(bench, "ce", how.pop("metric"), how.pop("share"), levels, lambda: Progress(0, 1), **how))


def test_proposals_are_inside_the_ranges_and_begin_with_the_defaults() -> None:
    proposals = Proposals(0, DEFAULT, 40)
    first, *others = proposals.ask()
    assert first == DEFAULT
    rates, decays = ([one[name] for one in others] for name in ("learning_rate", "weight_decay"))
    assert all(RATES[0] <= rate <= RATES[1] for rate in rates) and 0.5 < np.std([log10(rate) for rate in rates]) < 1
    assert all(decay == 0 or NO_DECAY <= decay <= DECAYS[1] for decay in decays) and 0 < decays.count(0) < 20
    assert {one["hidden"] for one in others} == set(module.WIDTHS)
    for one in others:
        fields.check(CE.describe()["fields"], one, "ce")
    assert all(widths in WIDTHS or fields.check(CE.describe()["fields"], {"hidden": widths}, "ce") for widths in module.WIDTHS)


def answer(settings: Sequence[dict[str, Any]]) -> list[Rung]:
    """A stand-in for the stacks: best at the rate 1e-2; half leave at the first rung."""
    scores = {n: -abs(log10(one["learning_rate"]) + 2) for n, one in enumerate(settings)}
    better = sorted(scores, key=lambda n: -scores[n])[: len(scores) // 2]
    return [Rung(3, scores, {}), Rung(6, {n: scores[n] for n in better}, {})]


def test_later_batches_learn_from_what_was_told() -> None:
    proposals, batches = Proposals(1, DEFAULT, 12), []
    for _ in range(4):
        batches.append(proposals.ask())
        proposals.tell(answer(batches[-1]))
    far = [np.median([abs(log10(one["learning_rate"]) + 2) for one in batch]) for batch in batches]
    assert far[3] < 0.5 * far[0]
    states = [trial.state.name for trial in proposals.study.trials]
    assert states.count("PRUNED") == states.count("COMPLETE") == 24
    assert {trial.last_step for trial in proposals.study.trials if trial.state.name == "PRUNED"} == {3}


def test_a_score_that_is_no_number_is_told_as_a_failure() -> None:
    proposals = Proposals(1, DEFAULT, 3)
    proposals.ask()
    proposals.tell([Rung(3, {0: 0.5, 1: float("nan"), 2: float("-inf")}, {})])
    assert [trial.state.name for trial in proposals.study.trials] == ["COMPLETE", "FAIL", "FAIL"]


def test_a_study_is_the_same_every_time_and_more_time_only_adds_batches() -> None:
    one, again, more = study(), study(), study(most=8)
    assert one.tried == again.tried and list(more.tried.items())[: len(one.tried)] == list(one.tried.items())
    assert (one.screened, more.screened) == (4, 8) and len(more.tried) == 2 * len(one.tried)
    assert list(study(make_bench(**ALONE, seed=1)).tried)[1:] != list(one.tried)[1:]
    assert next(iter(one.tried)) == tuple(DEFAULT.values())
    assert one.settings.keys() == DEFAULT.keys() and one.tried[tuple(one.settings.values())] == max(one.tried.values())


def test_the_record_has_the_rungs_and_who_is_left() -> None:
    told = study(most=8).to_json()
    assert told["trials"] == 8 and told["rungs"] == [{"epochs": 3, "settings": 8}, {"epochs": 6, "settings": 6}]
    assert [one["settings"] for one in told["rungs"]] == [8, 2 * plan_rungs(4, 6)[0][1]]
    assert told["validation"]["best"] >= told["validation"]["default"] and told["most_epochs"] == 6


@pytest.mark.parametrize(("metric", "grown"), [("average_precision", False), ("g_mean", False), ("average_precision", True)])
def test_a_score_is_that_of_the_rounds_on_validation_rows(monkeypatch: pytest.MonkeyPatch, metric: str, grown: bool) -> None:
    if grown:
        monkeypatch.setattr(sizes, "SMALL", 100)
        monkeypatch.setattr(sizes, "STEPS", 1)
    bench = make_bench(table((400, 60)) if grown else None, **ALONE)
    assert (bench.choose_params("ce", LEVEL)["learning_rate"] > 1e-3) is grown
    found = study(bench, metric=metric)
    outcomes, _ = finish(bench.evaluate("ce", LEVEL, (0,)))
    theirs = [float(metrics.scores(one.valid_p, one.valid_y)[metric][0]) for one in outcomes.values()]
    assert found.tried[tuple(DEFAULT.values())] == pytest.approx(np.mean(theirs), abs=1e-5)
    bench.tuned = {NETWORK: found.settings}
    assert bench.choose_params("ce", LEVEL)["learning_rate"] == pytest.approx(
        found.settings["learning_rate"] * (2 if grown else 1)
    )


@pytest.mark.parametrize(("poisoned", "same"), [("test", True), ("valid", False)])
def test_poisoned_test_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, poisoned: str, same: bool) -> None:
    plain = study().tried
    real = Evaluator.prepare

    def poison(self: Evaluator, level: Resource, seeds: tuple[int, ...]) -> Task:
        on = real(self, level, seeds)
        part = getattr(on, poisoned)
        return replace(on, **{poisoned: replace(part, x=torch.full_like(part.x, 9.0), y=(1 - part.y) * part.mask)})

    monkeypatch.setattr(Evaluator, "prepare", poison)
    assert (study().tried == plain) is same


def test_by_time_no_row_that_a_replicate_tests_on_counts() -> None:
    data = table((400, 160))
    order = np.random.default_rng(1).permutation(len(data.y)).astype(float)
    data = replace(data, order=order)
    asked = {"time": "when"} | ALONE
    bench = make_bench(data, **asked)
    plain = study(bench).tried
    tested = np.unique(np.concatenate(bench.prepare(LEVEL, (0,)).test_source))
    numeric = data.numeric.copy()
    numeric[tested] = 7.0
    assert study(make_bench(replace(data, numeric=numeric), **asked)).tried == plain
    numeric[~np.isin(np.arange(len(data.y)), tested)] = 7.0
    assert study(make_bench(replace(data, numeric=numeric), **asked)).tried != plain


def counted(limit: int) -> Callable[[], float]:
    """A clock that reads 0 for the first looks at it, then 1."""
    looks = iter(range(10**9))
    return lambda: float(next(looks) >= limit)


def test_where_the_time_ends_the_last_complete_rung_counts() -> None:
    whole = study()
    looks = iter(range(10**9))
    study(make_bench(clock=lambda: 0.0 * next(looks), **ALONE))
    total = next(looks)
    cut = study(make_bench(clock=counted(total - 6), **ALONE), share=0.5)
    assert cut.level == Resource(None, 3) and cut.rungs == {3: 4} and len(cut.tried) == 4
    assert cut.to_json()["most_epochs"] == 3 and cut.settings
    none = study(make_bench(clock=counted(3), **ALONE), share=0.5)
    assert none.tried == {} and none.best is None and none.settings == {}
    assert whole.level == LEVEL


def test_the_level_is_the_highest_at_which_a_batch_fits() -> None:
    levels = [Resource(), Resource(64), Resource(32, 3)]
    bench = make_bench(**ALONE)
    looks = iter(range(10**9))
    study(make_bench(clock=lambda: 0.0 * next(looks), **ALONE), levels[-1:])
    lowest = next(looks)
    assert study(bench, levels).level == levels[0]  # of a clock that stands all levels fit

    def fitting(level: Resource) -> float:
        """Ticks for the lowest level and this one, and a little more."""
        return lowest * (1 + 1.05 * bench.estimate_rows("ce", level) / bench.estimate_rows("ce", levels[-1]))

    found = study(make_bench(clock=ticking(1.0), **ALONE), levels, share=fitting(levels[1]))
    assert found.level.rows == 64
    alone = study(make_bench(clock=ticking(1.0), **ALONE), levels, share=1.2 * lowest)
    assert alone.level == levels[-1] and alone.tried


def test_the_budget_is_kept_and_the_choice_is_used() -> None:
    step = 0.02
    spec = replace(SPEC, methods=("ce", "class-weights"), tune=True)
    found, _ = finish(compare(table(), spec, clock=ticking(step)))
    told = found["tuning"][NETWORK]
    assert told["seconds"] <= told["share"] + 10 * step and told["share"] <= tuning.SHARE * spec.budget
    assert told["settings"] and found["seconds"] <= spec.budget
    for row in found["methods"]:
        assert (told["settings"] | {"hidden": list(told["settings"]["hidden"])}).items() <= row["params"].items()
