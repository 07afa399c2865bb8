"""Fits and scores a method on some seeds of a table, and estimates its cost."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from engine.analysis import curves, metrics, threshold_tables
from engine.analysis.shifts import find_shifts
from engine.compare.halving import Resource
from engine.compare.installed import find_method
from engine.compare.sizes import estimate_cost, grow_batch, limit_length, sample_valid
from engine.compare.spread import Spread
from engine.compare.tasks_in_use import TasksInUse
from engine.data.dataset import Dataset, Replicate, Task
from engine.data.prepare import prepare
from engine.data.split import Parts
from engine.data.splits.plan import SplitPlan
from engine.data.thin import reduce_counts, thin
from engine.events import Event, Phase
from engine.methods.base import Method
from engine.seeds import numpy_stream
from engine.spec import RunSpec, limits
from engine.spec.companions import BASELINE
from engine.spec.contest import IN_USE, NETWORK, ContestRow
from engine.spec.run import default_params
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.refit import join_rows, refit

PATIENCE = 20
"""Epochs without a better validation score after which a phase ends, as in `engine.estimators`."""

NEEDS = ("scipy.optimize", "safetensors.torch")
"""Modules that every row imports on first use. A method's own modules are its `needs`."""
ESTIMATORS_NEED = ("skops.io",)
"""Modules that the models besides the network also import."""
MAX_CELLS = 400_000
"""Largest number of cells of an augmented training set that is saved."""

MAX_POOLED = 150_000
"""Test rows whose scores are kept, in whole seeds. Threshold tables gain nothing from more."""


@dataclass(frozen=True)
class ReplicateScore:
    """One replicate of one method.

    metrics: name -> value. per_class: name -> [C]. pr [G]: precision on the grid of recalls. truth [t]: bool. scores: variant
    (engine.stats.thresholds.VARIANTS) -> [t] probabilities of the positive class, empty for seeds that are not pooled. counts [C]:
    training rows. epoch: the chosen epoch, or the number of trees. given, natural [C]: class shares the model was trained with, and
    those of the training rows before any cut.

    Where the method was trained again on training and validation rows (`engine.training.refit`), everything about test rows is of that
    fit, and everything about validation rows of the first one. again: facts of it, None where it was not. chosen: all that validation
    rows chose, as `Fitted.chosen`.

    valid_rows [v], test_rows [t]: row numbers in the dataset compared. valid_y, test_y: their classes. valid_p [v, C], test_p [t, C]:
    probabilities as trained, float32. All six are empty for seeds that are not pooled.

    draws: metric -> its values on draws of the test rows, blocks: the number of blocks drawn from; by time alone (`Spread.draw`).
    """

    replicate: Replicate
    metrics: dict[str, float]
    per_class: dict[str, np.ndarray]
    pr: np.ndarray
    truth: np.ndarray
    scores: dict[str, np.ndarray]
    counts: np.ndarray
    epoch: int
    given: np.ndarray
    natural: np.ndarray
    valid_rows: np.ndarray
    valid_y: np.ndarray
    valid_p: np.ndarray
    test_rows: np.ndarray
    test_y: np.ndarray
    test_p: np.ndarray
    again: Again | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    draws: dict[str, np.ndarray] = field(default_factory=dict)
    blocks: int = 0


@dataclass(frozen=True)
class Again:
    """How a replicate was trained again. chosen: what was taken over, name -> number or numbers. rows: that it trained on, those kept apart
    for what reads validation rows (`held`) not counted. before: metrics of the first fit on the same test rows.
    """

    chosen: dict[str, Any]
    rows: int
    held: int
    before: dict[str, float]


@dataclass(frozen=True)
class Refitted:
    """A fit on training and validation rows. train: numbers of the rows trained on. rows: of all that scaling was fitted on, which are
    more where some are kept apart for a method that reads validation rows.
    """

    fitted: Fitted
    train: np.ndarray
    rows: np.ndarray


@dataclass
class Evaluator:
    """Fits and scores methods on a table.

    Keeps the tasks used last and each row's fit of replicate 0. rows: by name, plain ones first. refits: whether
    rows are trained again on training and validation rows before test rows are scored. refitted: the second fit of replicate 0.
    plan: how rows are split. tuned: model -> settings in the place of its defaults (`engine.compare.tuning`). sampled: (rows, validation
    rows) of a network's replicate whose epochs were chosen on a sample.
    """

    dataset: Dataset
    spec: RunSpec
    rows: Mapping[str, ContestRow]
    positive: int
    clock: Callable[[], float]
    tasks: TasksInUse = field(default_factory=TasksInUse)
    natural: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    kept: dict[tuple[str, Resource], tuple[Fitted, np.ndarray]] = field(default_factory=dict)
    refits: bool = True
    refitted: dict[tuple[str, Resource], Refitted] = field(default_factory=dict)
    plan: SplitPlan = field(default_factory=SplitPlan)
    mean_counts: list[int] = field(default_factory=list)
    tuned: dict[str, dict[str, Any]] = field(default_factory=dict)
    sampled: tuple[int, int] | None = None

    @property
    def spread(self) -> Spread:
        """How certain means and differences are, by the split."""
        return Spread.of(self.plan, self.dataset.owner is not None)

    @property
    def titles(self) -> dict[str, str]:
        """name -> title of the rows."""
        return {name: row.title for name, row in self.rows.items()}

    def kind(self, name: str) -> type[Method]:
        """The method of a row."""
        return find_method(self.rows[name].method)

    def choose_params(self, name: str, level: Resource) -> dict[str, Any]:
        """The row's parameters at a level: the method's defaults for tables, its `quick` values, what tuning chose for its model, at
        most the level's epochs or TREES_AN_EPOCH times as many trees, and batches by the level's rows (`engine.compare.sizes`).
        """
        row = self.rows[name]
        if name == IN_USE:
            return {}
        kind, tuned = self.kind(name), self.tuned.get(row.model, {})
        out = {**default_params(kind.describe(), "tabular"), **kind.quick}
        chosen = {key: value for key, value in {**tuned, **row.params}.items() if key in out}
        out = limit_length(out | chosen, level.epochs, network=row.model == NETWORK)
        if "batch" in out and row.model == NETWORK:
            out = grow_batch(out, sum(self.count_train(level)), rate="learning_rate" not in row.params)
        return out

    def count_train(self, level: Resource) -> list[int]:
        """Training rows of each class of a replicate at a level."""
        return self.train_counts if level.rows is None else reduce_counts(self.train_counts, level.rows)

    def estimate_rows(self, name: str, level: Resource) -> float:
        """Estimated training rows that one seed processes (rows x epochs)."""
        if name == IN_USE:
            return 1.0
        params = self.choose_params(name, level)
        counts, kind = self.count_train(level), self.kind(name)
        trained = kind.reuses_plain and BASELINE in self.rows  # the cache already has plain training
        rows = kind.estimate_rows(params | ({"epochs": 1} if trained else {}), counts)
        return rows * (estimate_cost(params["batch"]) if "batch" in params and self.rows[name].model == NETWORK else 1.0)

    @property
    def train_counts(self) -> list[int]:
        """Training rows of each class, before any cut; a mean over folds or origins where rows are not split at random."""
        if self.plan.kind != "random":
            if not self.mean_counts:
                each = [
                    np.bincount(self.dataset.y[parts.train], minlength=len(self.dataset.classes))
                    for parts in self.plan.cut(self.dataset, self.spec, 0)
                ]
                self.mean_counts = np.mean(each, axis=0).round().astype(int).tolist()
            return self.mean_counts
        counts = limits.target_counts(self.dataset.counts.tolist(), self.spec.imbalance)
        return [limits.count_training_rows(n, self.spec.folds) for n in counts]

    @property
    def train_rows(self) -> int:
        """Training rows of a replicate, before any cut."""
        return sum(self.train_counts)

    def import_needs(self, name: str) -> None:
        """Imports the modules a row needs, so that importing is not timed as training."""
        own = () if name == IN_USE else self.kind(name).needs
        estimators = () if self.rows[name].model == NETWORK else ESTIMATORS_NEED
        for module in (*NEEDS, *estimators, *own):
            importlib.import_module(module)

    def evaluate(
        self, name: str, level: Resource, seeds: tuple[int, ...]
    ) -> Generator[Event, None, tuple[dict[int, ReplicateScore], float]]:
        """See `engine.compare.halving.Evaluate`."""
        began = self.clock()
        task = self.prepare(level, seeds)
        fixed = self.clock() - began
        yield Phase("fit", self.titles[name])
        out: dict[int, ReplicateScore] = {}
        if name == IN_USE:
            for r in range(len(task.replicates)):
                self._add(out, task, r, read_score(self.dataset, task, r), self.natural[task.replicates[r].number][0], 0)
            return out, self.clock() - began
        if task.sample is not None and self.rows[name].model == NETWORK:
            self.sampled = (int(task.sample.sizes.max()), int(task.valid.sizes.max()))
        trained = self.kind(name)(**self.choose_params(name, level))
        result = yield from trained.fit(task, camera=Camera(task, 0))
        second = None
        if self.refits:
            yield Phase("refit", self.titles[name])
            began = self.clock()
            joined = self._join(task, trained.needs_validation)
            fixed += self.clock() - began
            second = yield from refit(trained, joined, result)
        began = self.clock()
        with torch.no_grad():
            valid, test = (result.net(part.x).double().softmax(-1).numpy() for part in (task.valid, task.test))
            after = None if second is None else second.net(joined.test.x).double().softmax(-1).numpy()
        shares = trained.class_shares(task, result).cpu().numpy()
        moved = shares if second is None else trained.class_shares(joined, second).cpu().numpy()
        for r in range(len(task.replicates)):
            valid_p, test_p = valid[r][task.valid.mask[r].numpy()], test[r][task.test.mask[r].numpy()]
            again = None
            if second is not None and after is not None:
                again = _describe_again(second, joined, r, test_p, task.test.y[r][task.test.mask[r]].numpy())
                test_p = after[r][joined.test.mask[r].numpy()]
            chosen = {name: value[r].tolist() for name, value in result.chosen.items()}
            more = {"test_given": moved[r], "again": again, "chosen": chosen}
            self._add(out, task, r, (valid_p, test_p), shares[r], int(result.epoch[r]), **more)
        self._keep(name, level, task, 0, result)
        if second is not None and task.replicates[0].number == 0:
            rows = np.union1d(joined.source[0], joined.valid_source[0])
            self.refitted[name, level] = Refitted(second, joined.source[0], rows)
        return out, fixed + self.clock() - began

    def _join(self, task: Task, hold: bool) -> Task:
        """The task with training and validation rows joined. hold: a fifth of them is kept apart."""
        return self.tasks.join(task, hold, lambda: replace(join_rows(self.dataset, task, hold=hold), followed=False))

    def _keep(self, name: str, level: Resource, task: Task, r: int, fitted: Fitted) -> None:
        """Keeps the fit of replicate 0 for export."""
        if task.replicates[r].number == 0:
            self.kept[name, level] = (fitted, task.source[r])

    def saving_seconds(self, level: Resource) -> float:
        """Estimated seconds to build the result at a level: tables, models, rows as CSV."""
        rows = sum(self.count_train(level))
        table = min(max(MAX_POOLED, len(self.dataset.y)), 4 * len(self.dataset.y))
        columns = int(self.dataset.numeric.shape[1] + self.dataset.categorical.shape[1])
        cells = 1.5 * rows * (columns + 2) * sum(self._adds_rows(name) for name in self.rows)
        return 0.4 + len(self.rows) * (0.02 + 1e-6 * table) + 3e-6 * min(cells, 2 * MAX_CELLS)

    def _adds_rows(self, name: str) -> bool:
        return name != IN_USE and (self.kind(name).adds_rows or self.rows[name].remedy == "smote")

    @property
    def pooled_seeds(self) -> int:
        """Number of seeds whose scores are kept."""
        counts = limits.target_counts(self.dataset.counts.tolist(), self.spec.imbalance)
        return max(1, MAX_POOLED // sum(counts))

    def prepare(self, level: Resource, seeds: tuple[int, ...]) -> Task:
        """The task of some seeds at a level. Rows with the same ones share it."""

        def cut(parts: Parts, r: Replicate) -> Parts:
            y, classes = self.dataset.y, len(self.dataset.classes)
            none = np.zeros(0, np.int64)
            self.natural[r.number] = tuple(np.bincount(y[part], minlength=classes) for part in (parts.train, parts.valid))  # type: ignore[assignment]
            stream = numpy_stream(self.spec.seed, "thin", r.seed, r.fold)
            parts = replace(parts, withheld=none, elsewhere=none)  # no oracle runs here, so withheld rows are not used
            return parts if level.rows is None else thin(parts, y, level.rows, stream)

        def make() -> Task:
            numbers = [seed * self.spec.folds + fold for seed in seeds for fold in range(self.spec.folds)]
            task = replace(prepare(self.dataset, self.spec, numbers, thin=cut, cut=self.plan.cut), patience=PATIENCE)
            return replace(task, sample=sample_valid(task), followed=False)

        return self.tasks.get((level.rows, seeds), make)

    def _add(
        self,
        outcomes: dict[int, ReplicateScore],
        task: Task,
        r: int,
        probability: tuple[np.ndarray, np.ndarray],
        given: np.ndarray,
        epoch: int,
        *,
        test_given: np.ndarray | None = None,
        again: Again | None = None,
        chosen: dict[str, Any] | None = None,
    ) -> None:
        """Measures one replicate. probability: of validation and test rows. given [C]: class shares the model was trained with;
        test_given [C]: those of the model that scored the test rows, where it is another one.
        """
        replicate, classes = task.replicates[r], len(task.classes)
        (valid_p, test_p), p = probability, self.positive
        valid_y, test_y = (part.y[r][part.mask[r]].numpy() for part in (task.valid, task.test))
        natural, natural_valid = self.natural[replicate.number]
        scores = {}
        if pooled := replicate.seed < self.pooled_seeds:
            weight = natural_valid / np.maximum(np.bincount(valid_y, minlength=classes), 1)
            scores = {
                "as trained": test_p[:, p],
                "prior corrected": threshold_tables.correct_prior(test_p, given if test_given is None else test_given, natural)[
                    :, p
                ],
                "isotonic": threshold_tables.calibrate_isotonic(valid_p[:, p], valid_y == p, weight[valid_y], test_p[:, p]),
            }
        most = None if pooled else 0
        draws, blocks = self.spread.draw(task.test_source[r], test_y, test_p, self.spec.seed, replicate.fold)
        outcomes[replicate.number] = ReplicateScore(
            replicate,
            {name: float(v[0]) for name, v in metrics.scores(test_p, test_y).items()},
            {name: v[0] for name, v in metrics.class_scores(test_p, test_y).items()},
            curves.precision_recall(test_p, test_y),
            test_y == p,
            {name: score.astype(np.float32) for name, score in scores.items()},
            task.train.counts(classes)[r].numpy(),
            epoch,
            given=np.asarray(given, float) / np.sum(given),
            natural=natural / natural.sum(),
            valid_rows=task.valid_source[r][:most],
            valid_y=valid_y[:most],
            valid_p=valid_p[:most].astype(np.float32),
            test_rows=task.test_source[r][:most],
            test_y=test_y[:most],
            test_p=test_p[:most].astype(np.float32),
            again=again,
            chosen=chosen or {},
            draws=draws,
            blocks=blocks,
        )


def read_score(dataset: Dataset, task: Task, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The score in use as probabilities [n, 2] of replicate r's validation and test rows, see `turn_score`."""
    assert dataset.score is not None
    out = turn_score(dataset.score, task.valid_source[r], task.valid.y[r][task.valid.mask[r]].numpy())
    return out[task.valid_source[r]], out[task.test_source[r]]


def turn_score(score: np.ndarray, valid: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A score [n] of a table's rows as probabilities [n, 2]: its order is kept, ties too. The code of a row takes it from here.

    A score between 0 and 1 is taken as it is. Any other becomes its rank among all rows, stretched so that the cut with the highest
    balanced accuracy on validation rows lies at 0.5. A missing score is the lowest. valid [v]: numbers of validation rows, y [v]:
    their classes.
    """
    score = np.where(np.isnan(score), -np.inf, score)
    known = score[np.isfinite(score)]
    if len(known) and known.min() >= 0 and known.max() <= 1:
        p = np.where(np.isfinite(score), score, 0.0)
    else:
        values, rank = np.unique(score, return_inverse=True)
        p = (rank + 0.5) / len(values)
        shift = find_shifts(np.stack([-p[valid], p[valid]], 1), y)[1]
        cut = min(max(-shift / 2, 0.25 / len(values)), 1 - 0.25 / len(values))
        p = np.where(p <= cut, p * 0.5 / cut, 0.5 + (p - cut) * 0.5 / (1 - cut))
    out: np.ndarray = np.stack([1 - p, p], 1)
    return out


def _describe_again(second: Fitted, joined: Task, r: int, before: np.ndarray, y: np.ndarray) -> Again:
    """How replicate r was trained again. before [t, C]: probabilities of its test rows by the first fit. y [t]: their classes."""
    return Again(
        {name: value[r].tolist() for name, value in second.chosen.items()},
        len(joined.source[r]),
        len(joined.valid_source[r]),
        {name: float(v[0]) for name, v in metrics.scores(before, y).items()},
    )
