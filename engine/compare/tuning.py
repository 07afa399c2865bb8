"""Chooses settings of models on validation rows, in a share of a comparison's time (`--tune`).

SHARE of the time is divided equally among the models that have a choice of settings. Each has a study of Optuna (TPE, seeded); the
defaults are its first trial. The network's settings are screened many at a time (`engine.compare.network_study`). Those of the other
models are tried one by one: a trial fits the model's plain row on the first seed and is scored by the deciding metric on validation
rows, on a task whose test rows were taken away. Its level is the highest of the rounds' levels at which the share allows AIM trials: fewer
trees, epochs or rows where time is short. At one level more time only adds trials. What is chosen replaces the defaults of all rows of
the model, with remedies too. One setting serves all replicates. Where rows are split by time, only validation rows that no replicate
tests on count.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from engine.analysis import metrics
from engine.compare.bench import Evaluator
from engine.compare.halving import TICK, Resource
from engine.compare.network_study import tune_network
from engine.compare.sizes import TREES_AN_EPOCH
from engine.compare.trials import LEAST, Tuned, find_unseen
from engine.data.dataset import Task
from engine.data.rows import remove_test_rows
from engine.errors import BadInput
from engine.events import Event, Phase, Progress, Running
from engine.seeds import numpy_stream
from engine.spec.contest import IN_USE, NETWORK
from engine.training.camera import Camera

SHARE = 0.3
"""Share of the time left before the rounds."""
AIM, MOST = 8, 30
"""Trials of a model that its level must allow; no model has more than MOST."""
STARTUP = 4
"""Trials drawn at random before TPE proposes."""

_FOREST = {"smallest_leaf": (1, 2, 5, 10, 20), "columns": ("log2", "sqrt", "all")}
SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "logistic": {"inverse_penalty": (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)},
    "forest": _FOREST,
    "extra-trees": _FOREST,
    "boosting": {"learning_rate": (0.02, 0.05, 0.1, 0.2), "leaves": (7, 15, 31, 63), "penalty": (0.0, 1.0, 10.0)},
    "balanced-forest": {"columns": ("log2", "sqrt", "all")},
    "easy-ensemble": {"rounds": (3, 5, 10, 20)},
    "rus-boost": {"depth": (1, 2, 3, 5, 8), "rate": (0.03, 0.1, 0.3, 1.0)},
    "self-paced": {"bins": (2, 5, 10, 20)},
    "lightgbm": {"learning_rate": (0.02, 0.05, 0.1, 0.2), "leaves": (7, 15, 31, 63)},
    "xgboost": {"learning_rate": (0.03, 0.1, 0.3, 0.5)},
}  # fmt: skip
"""model besides the network -> name of a parameter -> the values tried, in order. The defaults are among them. Numbers of trees and
members are no part, since levels cut them: most baggings, CatBoost and TabPFN have no space.
"""

SHARED = "Tuned settings serve all replicates, so rows that one tests on are validation rows of another."
"""Said where rows are split at random or by owner."""

Report = Callable[[], Progress]


def tune_models(
    bench: Evaluator, metric: str, seconds: float, levels: Callable[[str], Sequence[Resource]], report: Report
) -> Generator[Event, None, tuple[dict[str, Any], list[str]]]:
    """Tunes every model of the rows and puts what is chosen into `bench.tuned`. Returns (the result's `tuning`: model -> {trials,
    seconds, share, most_rows, most_epochs (of the level, None: no limit), settings, validation {default, best}}, sentences on models that
    keep their defaults or were tuned at a lower level).

    seconds: until the rounds must end. levels: of a model, from the highest down. report: the progress now.
    Raises BadInput without Optuna.
    """
    plain = {row.model: row.plain for row in bench.rows.values() if row.model != IN_USE}
    spaces = [model for model in plain if model in SPACES or model == NETWORK]
    for model in spaces:
        bench.import_needs(plain[model])
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise BadInput(f"Tuning needs Optuna ({error}); install it, or compare without tuning.") from None

    share = max(0.0, SHARE * seconds) / max(1, len(spaces))
    told, kept = {}, []
    for model, name in plain.items():
        what = "The network" if model == NETWORK else bench.rows[name].title
        if model not in spaces:
            kept.append(f"{what}: not tuned, since there is no choice of settings for it.")
            continue
        study = tune_network if model == NETWORK else tune_model
        tuned: Tuned = yield from study(bench, name, metric, share, levels(model), report)
        told[model] = tuned.to_json()
        if tuned.best is None:
            kept.append(
                f"{what}: not tuned, since its share of the time allowed {len(tuned.tried)} of the {LEAST} trials needed."
            )
        else:
            bench.tuned[model] = tuned.settings
            if limits := _describe_level(model, tuned.level):
                kept.append(f"{what}: settings were chosen with at most {limits}.")
    return told, kept


def tune_model(
    bench: Evaluator, name: str, metric: str, share: float, levels: Sequence[Resource], report: Report, *, most: int = MOST
) -> Generator[Event, None, Tuned]:
    """The study of a model. name: its plain row. share: seconds. levels: from the highest down. most: trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    model, began = bench.rows[name].model, bench.clock()
    space, until = SPACES[model], began + share
    out = Tuned(model, share, space=space)
    default = _find_default(bench, name)
    yield Phase("tune", f"Tuning: {bench.titles[name]}")
    seed = int(numpy_stream(bench.spec.seed, f"tune {model}").integers(2**31))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP))
    study.enqueue_trial(dict(zip(space, default, strict=True)))
    level = levels[-1]
    if len(levels) > 1:  # the lowest level says what the others cost
        first = yield from _try(bench, name, level, default, metric, until, report)
        if first is not None:
            level = _pick_level(bench, name, levels, bench.clock() - began, until - bench.clock())
            if level == levels[-1]:
                out.tried[default] = first
    out.level = level
    for _ in range(20 * most):
        if bench.clock() >= until or len(out.tried) >= min(most, prod(map(len, space.values()))):
            break
        trial = study.ask()
        places = tuple(trial.suggest_int(key, 0, len(values) - 1) for key, values in space.items())
        if places not in out.tried:
            value = yield from _try(bench, name, level, places, metric, until, report)
            if value is None:
                break
            out.tried[places] = value
        value = out.tried[places]
        if value == value:
            study.tell(trial, value)
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    out.seconds = bench.clock() - began
    return out


def _describe_level(model: str, level: Resource) -> str:
    """What a level limits; empty for the highest, and for epochs of a model that has neither epochs nor trees."""
    limits = [] if level.rows is None else [f"{level.rows:,} training rows"]
    if level.epochs is not None and model != "logistic":
        limits.append(f"{level.epochs} epochs" if model == NETWORK else f"{TREES_AN_EPOCH * level.epochs} trees")
    return " and ".join(limits)


def _find_default(bench: Evaluator, name: str) -> tuple[int, ...]:
    """The places of the defaults in a model's space."""
    params = bench.choose_params(name, Resource())
    return tuple(values.index(params[key]) for key, values in SPACES[bench.rows[name].model].items())


def _pick_level(bench: Evaluator, name: str, levels: Sequence[Resource], seconds: float, left: float) -> Resource:
    """The highest level at which AIM trials fit into the seconds left. seconds: of a trial at the lowest."""
    unit = seconds / bench.estimate_rows(name, levels[-1])
    return next((one for one in levels if AIM * unit * bench.estimate_rows(name, one) <= left), levels[-1])


def _try(
    bench: Evaluator, name: str, level: Resource, places: Sequence[int], metric: str, until: float, report: Report
) -> Generator[Event, None, float | None]:
    """The score of settings; None where the time ends before, NaN where the model fails with them. Of its events none is passed
    on: a Progress every TICK seconds stands for them.
    """
    space = SPACES[bench.rows[name].model]
    params = bench.choose_params(name, level) | {key: values[k] for k, (key, values) in zip(places, space.items(), strict=True)}
    task = remove_test_rows(bench.prepare(level, (0,)))
    use = find_unseen(bench, level)
    running = Running(score_validation(bench.kind(name)(**params).fit(task, camera=Camera(task, 0)), task, metric, use))
    at = bench.clock()
    try:
        while running.pull() is not None:
            if (now := bench.clock()) >= until:
                return None
            if now - at >= TICK:
                at = now
                yield report()
    except Exception:  # any error of a method or its library: the rounds tell it, where the defaults have it too
        return float("nan")
    finally:
        running.close()
    return running.value


def score_validation(
    fitting: Generator[Event, None, Any], task: Task, metric: str, use: Sequence[np.ndarray]
) -> Generator[Event, None, float]:
    """Fits, then the mean over replicates of a metric on the validation rows that count; those without a value are left out."""
    fitted = yield from fitting
    with torch.no_grad():
        p = fitted.net(task.valid.x).double().softmax(-1).numpy()
    values = []
    for r, some in enumerate(use):
        mask = task.valid.mask[r].numpy()
        y = task.valid.y[r][task.valid.mask[r]].numpy()[some]
        if len(np.unique(y)) == len(task.classes):
            values.append(float(metrics.scores(p[r][mask][some], y)[metric][0]))
    return float(np.mean(values)) if values else float("nan")
