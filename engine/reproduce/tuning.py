"""`table keel --tune`: width, depth and rate per set and method, by Optuna on validation, as the paper chose them.

The paper gives the space and nothing else; the number of trials and the pruner are those of its released code. Every method has the
same budget: as many trials, each of at most the protocol's epochs. A trial trains the protocol's replicates and is judged by the mean
of their best average precision on validation; it works on a task whose test rows were taken away. What was chosen is then run once, as
any other run. One setting is for all replicates of a set, as in the paper; seeds redraw the split, so a row that one seed tests on was
validation for another.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.rows import remove_test_rows
from engine.data.sources import load
from engine.devices import choose_device
from engine.errors import BadInput, BadParameter, StoreError
from engine.events import Epoch
from engine.methods import method
from engine.papers.protocol import Arm, Claim, Reading, Table
from engine.runner.chunks import CHUNK
from engine.settings import read_setting
from engine.spec import RunSpec
from engine.training.camera import Camera

LAYERS = (1, 2, 3)
WIDTHS = (16, 32, 64, 128)
RATES = (0.1, 0.01, 0.001)
"""The paper's space (its E0.3): the same width for all layers."""
TRIALS = 20
"""Of each method on each set, as in the paper's released code."""
MAX_TRIALS = len(LAYERS) * len(WIDTHS) * len(RATES)
FILE = "tuning.journal"
DESCRIPTION = (
    "Tuned: layers 1, 2 or 3, width 16, 32, 64 or 128 and rate 0.1, 0.01 or 0.001, chosen for every set and method by {0} trials of "
    "Optuna (TPE, median pruner) on the validation rows. Otherwise as "
)


def tune_table(
    table: Table, trials: int, folder: Path, catalog: Mapping[str, Any], device: str, say: Callable[[str], None]
) -> tuple[Table, list[dict[str, Any]]]:
    """The table with every arm's network and rate chosen on validation, and what was chosen.

    Each: {dataset, method, trials, pruned, value (mean validation score), params}. Trials are kept in `folder`: the same call continues
    where it was stopped, with the same outcome. Raises BadParameter, StoreError.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(folder / FILE)))
    except OSError as error:
        raise StoreError(f"the trials cannot be kept in {folder} ({error.strerror}); name another folder.") from error
    new: dict[str, Arm] = {}
    told: list[dict[str, Any]] = []
    tasks: dict[str, Task] = {}
    for row in table.rows:
        if row.reading is None or row.reading.arm.key in new:
            continue
        arm = row.reading.arm
        spec = arm.spec(0, table.folds, table.seeds).complete(catalog)
        if arm.dataset not in tasks:
            tasks = {arm.dataset: remove_test_rows(_prepare_task(spec, device))}
        name = f"{arm.key} {table.folds}x{table.seeds}"
        study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=spec.params["epochs"] // 10),
        )  # fmt: skip
        say(f"{row.labels['method']} on {arm.dataset}: {_count_finished(study)} of {trials} trials kept from before")
        while (number := _count_finished(study)) < trials:
            # a sampler of its own for each trial: what is proposed follows from the trials before, not from when this process began
            study.sampler = optuna.samplers.TPESampler(seed=zlib.crc32(f"{name} {number}".encode()))
            _run_trial(study, arm, spec, tasks[arm.dataset])
        done = [
            t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.state != optuna.trial.TrialState.FAIL
        ][:trials]
        best = max((t for t in done if t.state == optuna.trial.TrialState.COMPLETE), key=lambda t: (t.value, -t.number))
        chosen = _to_params(best.params)
        new[arm.key] = replace(arm, params={**arm.params, **chosen})
        pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in done)
        said = {"dataset": arm.dataset, "method": row.labels["method"], "trials": len(done), "pruned": pruned}
        told.append(said | {"value": best.value, "params": chosen})
        say(
            f"  chosen: {chosen['hidden']}, rate {chosen['learning_rate']:g}, validation {best.value:.4f}, {pruned} trials pruned"
        )
    return _replace_arms(table, new, DESCRIPTION.format(trials)), told


def _run_trial(study: Any, arm: Arm, spec: RunSpec, task: Task) -> None:
    """Asks Optuna for a trial and runs it. An interrupted trial is marked as failed and does not count."""
    import optuna

    trial = study.ask()
    try:
        chosen = _to_params(
            {
                "layers": trial.suggest_categorical("layers", LAYERS),
                "width": trial.suggest_categorical("width", WIDTHS),
                "rate": trial.suggest_categorical("rate", RATES),
            }
        )
        same = [
            t
            for t in study.get_trials(deepcopy=False)
            if t.state == optuna.trial.TrialState.COMPLETE and t.params == trial.params
        ]
        if same:  # training is deterministic
            study.tell(trial, same[0].value)
            return
        value = 0.0
        for step, value in enumerate(score_epochs(spec.with_(params={**spec.params, **chosen}), task)):
            trial.report(value, step)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return
        study.tell(trial, value)
    except BaseException:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise


def score_epochs(spec: RunSpec, task: Task) -> Iterator[float]:
    """Train a spec on a task; after every epoch the mean over replicates of the best validation score of the phase that is under way."""
    best: dict[int, float] = {}
    phase = ""
    fitting = method(spec.method)(**spec.params).fit(task, camera=Camera(task, 0))
    try:
        for event in fitting:
            if isinstance(event, Epoch):
                if event.phase != phase:
                    phase, best = event.phase, {}
                for r, value in enumerate(event.values.get("valid_ap", ()), event.first):
                    if value is not None and value == value:
                        best[r] = max(best.get(r, value), value)
                yield sum(best.values()) / len(best) if best else 0.0
    finally:
        fitting.close()


def _prepare_task(spec: RunSpec, device: str) -> Task:
    numbers = range(min(spec.replicates, CHUNK))
    return prepare(load(spec.dataset, spec.data), spec, numbers, device=torch.device(choose_device(device)))


def _to_params(chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {"hidden": [chosen["width"]] * chosen["layers"], "learning_rate": chosen["rate"]}


def _count_finished(study: Any) -> int:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def _replace_arms(table: Table, new: Mapping[str, Arm], says: str) -> Table:
    """The table with other arms."""

    def moved(reading: Reading | None) -> Reading | None:
        return None if reading is None else replace(reading, arm=new[reading.arm.key])

    def claim(one: Claim) -> Claim:
        left, right = moved(one.left), moved(one.right)
        assert left is not None and right is not None
        return replace(one, left=left, right=right)

    rows = tuple(replace(row, reading=moved(row.reading)) for row in table.rows)
    description = says + table.description[:1].lower() + table.description[1:]
    return replace(table, rows=rows, claims=tuple(claim(c) for c in table.claims), description=description)


def check_table(table: Table, trials: int) -> None:
    """Raises BadParameter where a table cannot be tuned so."""
    if table.paper != "keel":
        raise BadParameter("--tune is for keel: no other table of a paper says that it was tuned.")
    if not 1 <= trials <= MAX_TRIALS:
        raise BadParameter(
            f"--tune {trials}: must be a whole number in [1, {MAX_TRIALS}]; the paper's space has {MAX_TRIALS} settings."
        )
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise BadInput(f"--tune needs Optuna ({error}); `pip install .` in the folder of the source brings it.") from None
