"""The network's study in a comparison with `--tune`: Optuna proposes settings in batches, and each batch is screened in stacks.

The defaults and random settings are the first batch; TPE proposes the later ones. Of a batch, the worse half leaves at every rung, by the
deciding metric on validation rows (`engine.training.screen`). Only settings that reach the last rung can be chosen, since they alone
trained for as many epochs as the defaults, which always do. What is chosen is trained anew by the rounds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np

from engine.analysis import metrics
from engine.compare.bench import Evaluator
from engine.compare.halving import TICK, Resource
from engine.compare.trials import Tuned, find_unseen
from engine.data.rows import remove_test_rows
from engine.events import Event, Phase, Progress, Running
from engine.seeds import numpy_stream
from engine.spec.run import default_params
from engine.training.screen import Plain, Rung, plan_rungs, screen

BATCH, MOST = 16, 64
"""Settings of a batch, and of a study at most."""
WIDTHS = ((32,), (64, 64), (128, 128))
RATES, DECAYS = (1e-4, 3e-2), (1e-7, 1e-2)
"""Ranges, drawn by their logarithm. The step size is one for batches of the method's own size (`engine.compare.sizes`)."""
NO_DECAY = 1e-6
"""A weight decay below it is none."""


class Proposals:
    """Optuna's study of a network's settings. A setting: name of a parameter -> value. default: the first setting proposed."""

    def __init__(self, seed: int, default: Mapping[str, Any], batch: int = BATCH) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=batch, constant_liar=True)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.batch = batch
        self.study.enqueue_trial({
            "learning_rate": default["learning_rate"],
            "weight_decay": max(default["weight_decay"], DECAYS[0]),
            "hidden": WIDTHS.index(tuple(default["hidden"])),
        })  # fmt: skip
        self.asked: list[Any] = []

    def ask(self) -> list[dict[str, Any]]:
        """The next batch."""
        self.asked = [self.study.ask() for _ in range(self.batch)]
        return [
            {
                "learning_rate": trial.suggest_float("learning_rate", *RATES, log=True),
                "weight_decay": decay if (decay := trial.suggest_float("weight_decay", *DECAYS, log=True)) >= NO_DECAY else 0.0,
                "hidden": WIDTHS[trial.suggest_int("hidden", 0, len(WIDTHS) - 1)],
            }
            for trial in self.asked
        ]

    def tell(self, rungs: Sequence[Rung]) -> None:
        """What came of the batch. A setting that left counts as pruned at its last rung."""
        states = self._optuna.trial.TrialState
        for number, trial in enumerate(self.asked):
            scores = [(rung.epoch, rung.scores[number]) for rung in rungs if number in rung.scores]
            if not all(isfinite(score) for _, score in scores):
                self.study.tell(trial, state=states.FAIL)
            elif number in rungs[-1].scores:
                self.study.tell(trial, scores[-1][1])
            else:
                for epoch, score in scores:
                    trial.report(score, epoch)
                self.study.tell(trial, state=states.PRUNED)


@dataclass
class TunedNetwork(Tuned):
    """The network's study. tried: settings that trained to the last rung, by their values. screened: settings in all. rungs: epoch ->
    settings scored there.
    """

    names: tuple[str, ...] = ()
    screened: int = 0
    rungs: dict[int, int] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """See Tuned."""
        return {} if self.best is None else dict(zip(self.names, self.best, strict=True))

    def add(self, settings: Sequence[Mapping[str, Any]], rungs: Sequence[Rung]) -> None:
        """Adds what came of a batch."""
        self.screened += len(settings)
        for rung in rungs:
            self.rungs[rung.epoch] = self.rungs.get(rung.epoch, 0) + len(rung.scores)
        for number, score in rungs[-1].scores.items():
            self.names = tuple(settings[number])
            self.tried[tuple(settings[number].values())] = score

    def to_json(self) -> dict[str, Any]:
        """See Tuned. Also screened, and for each rung its epochs and how many settings were scored there."""
        rungs = [{"epochs": epoch, "settings": count} for epoch, count in sorted(self.rungs.items())]
        return super().to_json() | {"trials": self.screened, "rungs": rungs}


def tune_network(
    bench: Evaluator,
    name: str,
    metric: str,
    share: float,
    levels: Sequence[Resource],
    report: Callable[[], Progress],
    *,
    batch: int = BATCH,
    most: int = MOST,
) -> Generator[Event, None, TunedNetwork]:
    """The study of the network. name: its plain row. share: seconds. levels: from the highest down. most: settings.

    The level is the highest at which a batch fits into the share, by the seconds that the first one takes at the lowest. Where the time
    ends within the first batch, its last complete rung is what was measured, and the level has that rung's epochs.
    """
    model, began = bench.rows[name].model, bench.clock()
    until = began + share
    yield Phase("tune", f"Tuning: {bench.titles[name]}")
    params = _own_params(bench, name)
    proposals = Proposals(int(numpy_stream(bench.spec.seed, f"tune {model}").integers(2**31)), params, batch)
    out = TunedNetwork(model, share, level=levels[-1])
    settings = proposals.ask()
    rungs = yield from _screen(bench, name, out.level, settings, metric, until, report, keep=(0,))
    whole = _is_whole(bench, name, out.level, rungs)
    if whole and len(levels) > 1:
        unit = (bench.clock() - began) / bench.estimate_rows(name, levels[-1])
        left = until - bench.clock()
        level = next((one for one in levels[:-1] if unit * bench.estimate_rows(name, one) <= left), levels[-1])
        if level != levels[-1]:
            higher = yield from _screen(bench, name, level, settings, metric, until, report, keep=(0,))
            if higher:
                rungs, out.level, whole = higher, level, _is_whole(bench, name, level, higher)
    if rungs:
        out.add(settings, rungs)
    if not whole and rungs:
        out.level = replace(out.level, epochs=rungs[-1].epoch)
    while whole and bench.clock() < until and out.screened + batch <= most:
        proposals.tell(rungs)
        settings = proposals.ask()
        rungs = yield from _screen(bench, name, out.level, settings, metric, until, report)
        if whole := _is_whole(bench, name, out.level, rungs):
            out.add(settings, rungs)
    out.seconds = bench.clock() - began
    return out


def _own_params(bench: Evaluator, name: str) -> dict[str, Any]:
    """The parameters of a row before its batches grow with the training rows."""
    kind = bench.kind(name)
    return {**default_params(kind.describe(), "tabular"), **kind.quick}


def _count_epochs(bench: Evaluator, name: str, level: Resource) -> int:
    epochs: int = bench.choose_params(name, level)["epochs"]
    return epochs


def _is_whole(bench: Evaluator, name: str, level: Resource, rungs: Sequence[Rung]) -> bool:
    """Whether a batch got to its last rung."""
    return bool(rungs) and rungs[-1].epoch == _count_epochs(bench, name, level)


def _screen(
    bench: Evaluator,
    name: str,
    level: Resource,
    settings: Sequence[Mapping[str, Any]],
    metric: str,
    until: float,
    report: Callable[[], Progress],
    keep: Sequence[int] = (),
) -> Generator[Event, None, list[Rung]]:
    """The rungs of a batch that are complete when the time ends. A Progress every TICK seconds stands for its events."""
    params, kind = bench.choose_params(name, level), bench.kind(name)
    task = remove_test_rows(bench.prepare(level, (0,)))
    grown = params["batch"] / _own_params(bench, name)["batch"]  # step sizes grow with the batches, as in the rounds
    sized = [{**one, "learning_rate": grown * one["learning_rate"]} for one in settings]
    stacks = [field["name"] for field in kind.describe()["fields"] if "stacks" in field]
    rungs: list[Rung] = []

    def build(setting: Mapping[str, Any]) -> Plain:
        made: Any = kind(**params | dict(setting))
        return made  # type: ignore[no-any-return]

    def score(p: np.ndarray, y: np.ndarray) -> float:
        return float(metrics.scores(p, y)[metric][0])

    running = Running(
        screen(
            build, task, sized, stacks=stacks, schedule=plan_rungs(len(settings), params["epochs"]), rungs=rungs,
            score=None if metric == "average_precision" else score, counts=find_unseen(bench, level), keep=keep,
        )
    )  # fmt: skip
    at = bench.clock()
    try:
        while running.pull() is not None:
            if (now := bench.clock()) >= until:
                break
            if now - at >= TICK:
                at = now
                yield report()
    finally:
        running.close()
    return rungs
