"""Which method helps on this table, by how much, and whether to believe it: a comparison inside a budget of seconds.

Rounds, levels and the clock are `engine.compare.halving`'s; rows, features, training and metrics are those of runs (`engine.data`,
`engine.methods`, `engine.analysis`); statistics are `engine.stats.verdict`'s. The test rows are never cut after the split.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from engine.analysis import curves, metrics, threshold_tables
from engine.compare.halving import Contest, Level
from engine.data.dataset import Dataset, Replicate, Task
from engine.data.prepare import encode, fit_scale, prepare
from engine.data.split import Parts
from engine.data.tables.profile import propose_folds
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import select_features
from engine.data.thin import draw_rows, reduce_counts, thin
from engine.errors import BadData, BadParameter
from engine.events import Event, Note, Phase, pack
from engine.export.pipeline import Pipeline
from engine.export.write import augmented_csv, model_bytes
from engine.methods import method
from engine.plain import to_plain
from engine.runner.execute import MOST_VALUES, provenance
from engine.samplers.overloading import copies, overloaded
from engine.seeds import numpy_stream
from engine.settings import setting
from engine.spec import RunSpec, limits
from engine.spec.comparison import CONTENDERS, PLAIN, TREES, CompareSpec
from engine.spec.result import METRICS
from engine.spec.run import defaults
from engine.stats.intervals import CORRECTED_T, corrected_t
from engine.stats.significance import split_share
from engine.stats.verdict import Difference, best, differences, sentence
from engine.training import network_cache, trees
from engine.training.camera import Camera
from engine.training.fitted import Fitted

__all__ = ["CompareSpec", "compare"]

SEEDS = 10
"""Seeds at most: more replicates hardly narrow an interval whose training parts overlap."""

PATIENCE = 20
"""Epochs without a better validation score that end a phase, as in `engine.estimators`."""

EPOCHS = 200
"""Passes at most where time allows, the methods' own default."""

USUAL = 50
"""Epochs after which a phase with that patience is usually over: what is planned with; the clock decides."""

LOOK = Level(rows=256, epochs=8)
"""The quick look that fills the board."""

ROWS = (32_768, 16_384, 8_192, 4_096, 2_048, 1_024, 512)
SHORTER = (100, 50, 25, 12)
"""Rows are cut down these steps first, then epochs."""

MOST_ROWS = 150_000
"""Rows of a table that are used at all; MOST_VALUES encoded values is the other bound."""

TABLE_RATIO = 50.0
"""A table that is too large loses rows of its larger classes first, down to this ratio (`engine.data.thin`)."""

NEEDS = {
    PLAIN: ("scipy.optimize", "safetensors.torch"),
    "smote": ("imblearn.over_sampling",),
    TREES: ("sklearn.ensemble", "skops.io"),
}
"""What a method imports when it is first used; plain training, which comes first, for all."""

LOOKED = "There was only time for a quick look, which says nothing about which method is better: allow more seconds."
"""The verdict where no method was trained beyond the look."""

ADDING = ("smote", "explicit-gradient")
"""Methods that add rows in the columns of the table."""

MOST_CELLS = 400_000
"""Cells of an augmented training set that is written down."""

MOST_POOLED = 150_000
"""Tested rows whose scores are kept, in whole seeds: threshold tables gain nothing from more."""

SMALL = 300.0
"""Rows that an epoch takes the time of beside those it goes through."""


@dataclass(frozen=True)
class Outcome:
    """One replicate of one method.

    metrics: name -> value. per_class: name -> [C]. pr [G]: precision on the grid of recalls. truth [t] bool; scores: variant (engine.
    thresholds.VARIANTS) -> [t] probabilities of the positive class, none for seeds beyond those that are pooled; counts [C]: training
    rows. epoch: the one chosen, or trees grown.
    """

    replicate: Replicate
    metrics: dict[str, float]
    per_class: dict[str, np.ndarray]
    pr: np.ndarray
    truth: np.ndarray
    scores: dict[str, np.ndarray]
    counts: np.ndarray
    epoch: int


@dataclass
class Bench:
    """Where pieces are played: the data, prepared once for the methods of a round, and what each fitted on replicate 0."""

    dataset: Dataset
    spec: RunSpec
    names: Sequence[str]
    positive: int
    clock: Callable[[], float]
    task: Task | None = None
    prepared: tuple[Level, tuple[int, ...]] | None = None
    natural: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    kept: dict[tuple[str, Level], tuple[Any, np.ndarray]] = field(default_factory=dict)

    def params(self, name: str, level: Level) -> dict[str, Any]:
        """The method's parameters at a level: its defaults on tables, SMOTE until the classes are equal, and as many epochs as allowed."""
        epochs = EPOCHS if level.epochs is None else level.epochs
        if name == TREES:
            return {**trees.PARAMS, "max_iter": min(trees.PARAMS["max_iter"], 2 * epochs)}
        out = defaults(method(name).describe(), "tabular")
        short = {"epochs": epochs, "meta_epochs": epochs, "rounds": max(2, epochs // 5), "head_epochs": max(2, epochs // 5)}
        for key, value in short.items():
            if key in out:
                out[key] = min(out[key], value)
        return out | ({"amount": "balance"} if name == "smote" else {})

    def work(self, name: str, level: Level) -> float:
        """Rows gone through by one seed, about, as far as the level decides it."""
        params = self.params(name, level)
        counts = self.cut_counts if level.rows is None else reduce_counts(self.cut_counts, level.rows)
        rows, even = sum(counts) + SMALL, max(counts) * len(counts) + SMALL
        if name == TREES:
            return float(min(params["max_iter"], USUAL) * (rows + SMALL))
        usual = min(params["epochs"], USUAL)
        first = usual * (even if name == "smote" else rows)
        if PLAIN in self.names and name in ("threshold", "explicit-gradient", "eos", "dos"):
            first = rows  # plain training is there already
        later = {
            "explicit-gradient": 2.5 * min(params.get("meta_epochs", 0), 2 * USUAL) * sum(counts),
            "eos": params.get("head_epochs", 0) * even / 5,
            "dos": 3 * params.get("rounds", 0) * even,
        }
        return float(first + later.get(name, 0.0))

    @property
    def cut_counts(self) -> list[int]:
        """Training rows of each class, uncut."""
        counts = limits.targets(self.dataset.counts.tolist(), self.spec.imbalance)
        return [limits.training_rows(n, self.spec.folds) for n in counts]

    @property
    def train_rows(self) -> int:
        """Training rows of a replicate, uncut."""
        return sum(self.cut_counts)

    def ready(self, name: str) -> None:
        """Import what a method needs, and all of them: else its first piece would be taken for slow."""
        for module in (*NEEDS[PLAIN], *NEEDS.get(name, ())):
            importlib.import_module(module)

    def play(self, name: str, level: Level, seeds: tuple[int, ...]) -> Generator[Event, None, tuple[dict[int, Outcome], float]]:
        """See engine.compare.halving.Play."""
        began = self.clock()
        task = self._prepare(level, seeds)
        fixed = self.clock() - began
        yield Phase("fit", CONTENDERS[name])
        out: dict[int, Outcome] = {}
        if name == TREES:
            for r in range(len(task.replicates)):
                fitted = trees.fit_trees(task, r, self.params(name, level)["max_iter"])
                yield Phase("measuring", CONTENDERS[name])
                began = self.clock()
                given = task.train.counts(len(task.classes))[r].numpy()
                self._add(out, task, r, _of_trees(fitted, task, r), given, fitted.n_iter_)
                self._keep(name, level, task, r, fitted)
                fixed += self.clock() - began
            return out, fixed
        result: Fitted = yield from method(name)(**self.params(name, level)).fit(task, camera=Camera(task, 0))
        began = self.clock()
        with torch.no_grad():
            valid, test = (result.net(part.x).double().softmax(-1).numpy() for part in (task.valid, task.test))
        shares = given_classes(name, self.params(name, level), task, result)
        for r in range(len(task.replicates)):
            own = valid[r][task.valid.mask[r].numpy()], test[r][task.test.mask[r].numpy()]
            self._add(out, task, r, own, shares[r], int(result.epoch[r]))
        self._keep(name, level, task, 0, result)
        return out, fixed + self.clock() - began

    def _keep(self, name: str, level: Level, task: Task, r: int, fitted: Any) -> None:
        """What was fitted on replicate 0, to be taken away."""
        if task.replicates[r].number == 0:
            self.kept[name, level] = (fitted, task.source[r])

    def finish(self, level: Level) -> float:
        """Seconds that putting the result together takes at a level, about: tables, models, rows as CSV."""
        rows = sum(self.cut_counts if level.rows is None else reduce_counts(self.cut_counts, level.rows))
        table = min(MOST_POOLED, 4 * len(self.dataset.y))
        columns = int(self.dataset.numeric.shape[1] + self.dataset.categorical.shape[1])
        cells = 1.5 * rows * (columns + 2) * sum(name in ADDING for name in self.names)
        return 0.4 + len(self.names) * (0.02 + 1e-6 * table) + 3e-6 * min(cells, 2 * MOST_CELLS)

    @property
    def pooled(self) -> int:
        """Seeds whose scores are kept."""
        counts = limits.targets(self.dataset.counts.tolist(), self.spec.imbalance)
        return max(1, MOST_POOLED // sum(counts))

    def _prepare(self, level: Level, seeds: tuple[int, ...]) -> Task:
        if self.task is None or self.prepared != (level, seeds):
            y, none = self.dataset.y, np.zeros(0, np.int64)

            def cut(parts: Parts, r: Replicate) -> Parts:
                classes = len(self.dataset.classes)
                self.natural[r.number] = tuple(np.bincount(y[part], minlength=classes) for part in (parts.train, parts.valid))  # type: ignore[assignment]
                stream = numpy_stream(self.spec.seed, "thin", r.seed, r.fold)
                parts = replace(parts, withheld=none, elsewhere=none)  # there is no oracle here to give them back to
                return parts if level.rows is None else thin(parts, y, level.rows, stream)

            numbers = [seed * self.spec.folds + fold for seed in seeds for fold in range(self.spec.folds)]
            self.task = replace(prepare(self.dataset, self.spec, numbers, thin=cut), patience=PATIENCE)
            self.prepared = (level, seeds)
        return self.task

    def _add(
        self,
        outcomes: dict[int, Outcome],
        task: Task,
        r: int,
        probability: tuple[np.ndarray, np.ndarray],
        given: np.ndarray,
        epoch: int,
    ) -> None:
        """Measure one replicate. probability: of validation and test rows. given [C]: class shares the model was trained with."""
        replicate, classes = task.replicates[r], len(task.classes)
        (valid_p, test_p), p = probability, self.positive
        valid_y, test_y = (part.y[r][part.mask[r]].numpy() for part in (task.valid, task.test))
        natural, natural_valid = self.natural[replicate.number]
        scores = {}
        if replicate.seed < self.pooled:
            weight = natural_valid / np.maximum(np.bincount(valid_y, minlength=classes), 1)
            scores = {
                "as trained": test_p[:, p],
                "prior corrected": threshold_tables.correct_prior(test_p, given, natural)[:, p],
                "isotonic": threshold_tables.isotonic(valid_p[:, p], valid_y == p, weight[valid_y], test_p[:, p]),
            }
        outcomes[replicate.number] = Outcome(
            replicate,
            {name: float(v[0]) for name, v in metrics.scores(test_p, test_y).items()},
            {name: v[0] for name, v in metrics.per_class(test_p, test_y).items()},
            curves.precision_recall(test_p, test_y),
            test_y == p,
            {name: score.astype(np.float32) for name, score in scores.items()},
            task.train.counts(classes)[r].numpy(),
            epoch,
        )


def given_classes(name: str, params: Mapping[str, Any], task: Task, fitted: Fitted) -> np.ndarray:
    """Class shares [R, C], up to a factor, that a method trains with: real rows, synthetic ones (input rows or features), weights, copies;
    of a tuned decision what its shift amounts to. Focal loss distorts probabilities by more than shares, which this does not know."""
    classes = len(task.classes)
    counts = task.train.counts(classes)
    out = counts.double()
    if name == "class-weights":
        out = out * (out.mean(1, keepdim=True) / out.clamp(min=1)) ** params["power"]
    elif name == "dos":
        out = out * torch.where(overloaded(counts), params["r"] or copies(counts), 1)
    elif name == "threshold" and fitted.earlier is not None:
        out = out * (fitted.net.flat[:, -classes:] - fitted.earlier.flat[:, -classes:]).double().exp()
    for made in (fitted.synthetic, fitted.embedded):
        if made is not None:
            out = out + (torch.nn.functional.one_hot(made.y, classes) * made.mask.unsqueeze(2)).sum(1)
    shares: np.ndarray = out.cpu().numpy()
    return shares


def _of_trees(fitted: Any, task: Task, r: int) -> tuple[np.ndarray, np.ndarray]:
    classes = len(task.classes)
    valid, test = (trees.probabilities(fitted, part.x[r][part.mask[r]].numpy(), classes) for part in (task.valid, task.test))
    return valid, test


def of_sheet(sheet: Sheet, target: str) -> dict[str, Any]:
    """What `compare` is told of a table beside its dataset: dropped, readings and guesses."""
    used, left = select_features(sheet, target)
    return {
        "dropped": [{"name": column.name, "kind": column.kind} for column in left],
        "readings": {c.name: (c.kind, c.levels) for c in used if c.kind in ("boolean", "date")},
        "guesses": sheet.guesses,
    }


Comparison = Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]


def compare(
    dataset: Dataset,
    spec: CompareSpec,
    *,
    clock: Callable[[], float] = time.monotonic,
    began: float | None = None,
    dropped: Sequence[Mapping[str, Any]] = (),
    readings: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    guesses: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare the methods of a spec on a table. A generator of events (Phase, Progress, Note, Board); its value is the result, JSON-plain,
    and artifacts: `arrays` and `thresholds/<name>` (npz), `model/<name>` (zip of `engine.export.write`), `augmented/<name>`
    (CSV, of methods that
    add rows in the table's columns, up to MOST_CELLS cells).

    began: the clock's reading when the budget began (now, by default). The others are what `of_sheet` says of a person's own table.
    dropped: what was left out of it before, for the result. readings: column -> (kind, levels) of those that were read as dates or as
    yes and no, for the models (`engine.export.pipeline.Pipeline.of`). guesses: how the file was read (`Sheet.guesses`), for the result.

    Result: methods [{name, title, metrics {metric: {mean, low, high, n, values}}, difference {metric, mean, low, high, p, p_holm, n,
    better, worse} or None, seconds, replicates, numbers, rows, epochs, look, most_rows (training rows allowed, None: all), stopped (the
    last round it played, where it was dropped), failed (a sentence or None), params, per_class}], verdict, best, metric, interval, data
    {name, rows, used_rows, train_rows, train_counts, features, columns {numeric, categorical}, classes, counts, ratio, positive,
    dropped, guesses}, spec, protocol {folds, seeds, test_share, patience}, shortened (sentences), notes, seconds, provenance. `best` is the
    name of a method that is better than plain training after Holm's correction, or None; None where there was time for the quick look
    alone. `arrays`: pr_recall [G], pr/<name> [G] (mean over replicates), truth, fold, seed [N]: the tested rows of plain training's
    replicates, seed after seed, of as many seeds as hold MOST_POOLED rows; score/<name> [n], n <= N: of the first n of them, as trained. A
    model is that of replicate 0: fitted on its training rows, with the epoch that its validation rows chose; it has not seen its test rows.
    Raises BadData or BadParameter, and what plain training raises; close it at any event to stop.
    """
    began = clock() if began is None else began
    torch.set_num_threads(setting("LAB_THREADS", 1))
    yield Phase("data", "Getting the rows ready")
    bench, shortened = _bench(dataset, spec, clock)
    contest = Contest(
        names=bench.names,
        ready=bench.ready,
        play=bench.play,
        work=bench.work,
        rounds=_rounds(bench),
        levels=_levels(bench),
        look=replace(LOOK, rows=min(bench.train_rows, LOOK.rows or 0)),
        merit=lambda outcome: float(outcome.metrics[spec.metric]),
        titles=CONTENDERS,
        clock=clock,
        began=began,
        ends=began + spec.budget,
        keep=bench.finish,
        rows=lambda contest: board(contest, spec.metric),
    )
    notes: list[str] = []
    try:
        for event in contest.run():
            if isinstance(event, Note):
                if event.text in notes:
                    continue
                notes.append(event.text)
            yield event
        yield Phase("measuring", "Putting the result together")
        artifacts = _artifacts(contest)
        yield Phase("saving", "Saving the models")
        artifacts |= _models(contest, bench, spec, readings)
        return _result(contest, bench, spec, shortened, notes, dropped, guesses, clock() - began), artifacts
    finally:
        network_cache.forget()


def _bench(dataset: Dataset, spec: CompareSpec, clock: Callable[[], float]) -> tuple[Bench, list[str]]:
    """The table as it is used, and what was done to it."""
    if dataset.images is not None:
        raise BadData(f"{dataset.name} holds images; tables are compared here: look at images on the Deep page.")
    said = []
    if dataset.official_test is not None:
        dataset = replace(dataset, official_test=None)
        said.append("The official test part was joined with the other rows: every fold is tested in turn.")
    dataset = with_positive(dataset, spec.positive)
    width = encode(dataset.rows(np.arange(min(1, len(dataset.y)))))[0].shape[1]
    most = min(MOST_ROWS, max(1000, MOST_VALUES // max(1, width)))
    if len(dataset.y) > most:
        rows, before = len(dataset.y), dataset.counts
        dataset = dataset.rows(draw_rows(dataset.y, np.arange(rows), most, numpy_stream(spec.seed, "sample"), TABLE_RATIO))
        mixed = abs(dataset.counts / len(dataset.y) - before / rows).max() > 0.005
        said.append(
            f"{len(dataset.y):,} of {rows:,} rows are used ({_counted(dataset)})"
            + (", fewer of the larger classes: scores are for this mixture." if mixed else ".")
        )
    kept = limits.targets(dataset.counts.tolist(), spec.imbalance)
    if min(kept) < limits.FEWEST:
        c = int(np.argmin(kept))
        raise BadData(
            f"class {dataset.classes[c]!r} has {kept[c]} rows here; a comparison needs at least {limits.FEWEST} of every class"
            + ("." if spec.ratio is None else ": use a lower ratio.")
        )
    run = RunSpec(dataset.name, PLAIN, spec.imbalance, folds=propose_folds(min(kept)), seeds=SEEDS, seed=spec.seed)
    classes = dataset.classes
    positive = 1 if len(classes) == 2 else classes.index(spec.positive) if spec.positive else int(np.argmin(kept))
    return Bench(dataset, run, spec.names, positive, clock), said


def with_positive(dataset: Dataset, positive: str | None) -> Dataset:
    """The dataset with this class as number 1 of two. Raises BadParameter where there is no such class."""
    if positive is None:
        return dataset
    if positive not in dataset.classes:
        raise BadParameter(f"the data have no class {positive!r}; choose one of {', '.join(map(repr, dataset.classes[:10]))}.")
    if len(dataset.classes) == 2 and dataset.classes[0] == positive:
        return replace(dataset, y=1 - dataset.y, classes=dataset.classes[::-1])
    return dataset


def _counted(dataset: Dataset) -> str:
    most = 6
    pairs = [f"{n:,}" for n in dataset.counts[:most]]
    return (
        "classes of " + ", ".join(pairs) + (f" and {len(dataset.classes) - most} more" if len(dataset.classes) > most else "")
    )


def _rounds(bench: Bench) -> list[tuple[int, ...]]:
    """Seeds of each round: one each; on small tables, which are quick in stacks, the later ones together. It depends on the data alone."""
    if bench.train_rows > ROWS[-1]:
        return [(seed,) for seed in range(SEEDS)]
    return [(0,), (1,), *((seed, seed + 1) for seed in range(2, SEEDS, 2))]


def _levels(bench: Bench) -> list[Level]:
    """From all there is down: rows, then epochs."""
    rows: list[int | None] = [None, *(n for n in ROWS if n < bench.train_rows)]
    return [*(Level(n) for n in rows), *(Level(rows[-1], epochs) for epochs in SHORTER)]


def found(contest: Contest, metric: str) -> dict[str, Difference]:
    """Every method's difference to plain training, at the level at which the method stands."""
    share = split_share(_folds(contest))
    values, plain_name = {}, contest.names[0]
    for name in contest.names:
        own = contest.outcomes(name)
        base = contest.outcomes(plain_name, contest.level_of(name)) if name != plain_name else own
        # values less plain training's, so that methods at two levels can stand in one table while a round runs
        values[name] = {r: o.metrics[metric] - base[r].metrics[metric] for r, o in own.items() if r in base}
    values[plain_name] = {r: 0.0 for own in values.values() for r in own}
    return differences(values, plain_name, share)


def _folds(contest: Contest) -> int:
    return len(contest.pieces[contest.look][contest.names[0]][0].outcomes)


def board(contest: Contest, metric: str) -> list[dict[str, Any]]:
    """Rows of an events.Board, one per method in the order in which they run, JSON-plain.

    name, title, metric, mean, low, high, replicates, difference (as in the result, or None), rows (training rows of a replicate, mean) and
    epochs (allowed; None: as many as the method's own), look (True: from the quick look), stopped (round or None), failed (a sentence or
    None), seconds.
    """
    share = split_share(_folds(contest))
    there = {name: contest.outcomes(name) for name in contest.names}
    against = found(contest, metric) if there[contest.names[0]] else {}
    out = []
    for name, own in there.items():
        values = np.array([o.metrics[metric] for o in own.values()])
        one = corrected_t(values, share, METRICS[metric][1])
        level = contest.level_of(name)
        out.append(
            {
                "name": name,
                "title": CONTENDERS[name],
                "metric": metric,
                "mean": one.mean,
                "low": one.low,
                "high": one.high,
                "replicates": len(own),
                "difference": _difference(against[name], metric) if name in against else None,
                "rows": float(np.mean([o.counts.sum() for o in own.values()])) if own else None,
                "epochs": level.epochs,
                "look": level == contest.look,
                "stopped": contest.stopped.get(name),
                "failed": contest.failed.get(name),
                "seconds": contest.seconds(name),
            }
        )
    rows: list[dict[str, Any]] = to_plain(out)
    return rows


def _difference(d: Difference, metric: str) -> dict[str, Any]:
    t = d.test
    words = {"metric": metric, "mean": t.mean, "low": t.low, "high": t.high, "p": t.p, "p_holm": d.p_holm, "n": t.n}
    return words | {"better": d.better, "worse": d.worse}


def _result(
    contest: Contest,
    bench: Bench,
    spec: CompareSpec,
    shortened: list[str],
    notes: list[str],
    dropped: Sequence[Mapping[str, Any]],
    guesses: Mapping[str, Any] | None,
    seconds: float,
) -> dict[str, Any]:
    share = split_share(bench.spec.folds)
    against = found(contest, spec.metric)
    looked = contest.level == contest.look
    rows = []
    for name in contest.names:
        own, level = contest.outcomes(name), contest.level_of(name)
        params = bench.params(name, level)
        rows.append(
            {
                "name": name,
                "title": CONTENDERS[name],
                "metrics": {m: _summary([o.metrics[m] for o in own.values()], share, METRICS[m][1]) for m in METRICS},
                "difference": _difference(against[name], spec.metric) if name in against else None,
                "seconds": contest.seconds(name),
                "replicates": len(own),
                "numbers": list(own),
                "rows": float(np.mean([o.counts.sum() for o in own.values()])) if own else None,
                "epochs": [o.epoch for o in own.values()],
                "look": level == contest.look,
                "most_rows": level.rows,
                "stopped": contest.stopped.get(name),
                "failed": contest.failed.get(name),
                "params": params if name == TREES else {"patience": PATIENCE, **params},
                "per_class": {
                    label: {
                        m: _summary([o.per_class[m][c] for o in own.values()], share, (0.0, 1.0))
                        for m in ("precision", "recall", "f1", "average_precision")
                    }
                    | {"support": float(np.mean([o.per_class["support"][c] for o in own.values()])) if own else None}
                    for c, label in enumerate(bench.dataset.classes)
                },
            }
        )
    first = next(iter(contest.outcomes(contest.names[0]).values()))
    counts = limits.targets(bench.dataset.counts.tolist(), bench.spec.imbalance)
    out = {
        "methods": rows,
        "verdict": LOOKED if looked else sentence(against, CONTENDERS, METRICS[spec.metric][0]) + _proviso(contest, bench),
        "best": None if looked else best(against),
        "metric": spec.metric,
        "interval": CORRECTED_T,
        "data": {
            "name": bench.dataset.name,
            "rows": len(bench.dataset.y),
            "used_rows": int(sum(counts)),
            "train_rows": int(first.counts.sum()),
            "train_counts": dict(zip(bench.dataset.classes, first.counts.tolist(), strict=True)),
            "features": len(bench.dataset.numeric_names) + len(bench.dataset.categorical_names),
            "columns": {"numeric": list(bench.dataset.numeric_names), "categorical": list(bench.dataset.categorical_names)},
            "classes": list(bench.dataset.classes),
            "counts": dict(zip(bench.dataset.classes, map(int, counts), strict=True)),
            "ratio": max(counts) / min(counts),
            "positive": bench.dataset.classes[bench.positive],
            "dropped": [dict(d) for d in dropped],
            "guesses": dict(guesses or {}),
        },
        "spec": spec.to_json(),
        "protocol": {"folds": bench.spec.folds, "seeds": SEEDS, "test_share": share, "patience": PATIENCE},
        "shortened": [*shortened, *_shortened(contest, bench)],
        "notes": notes,
        "seconds": seconds,
        "provenance": provenance(torch.device("cpu"), torch.float32),
    }
    result: dict[str, Any] = to_plain(out)
    return result


def _summary(values: Sequence[float], share: float, bounds: tuple[float, float]) -> dict[str, Any]:
    one = corrected_t(np.array(values), share, bounds)
    return {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n, "values": list(values)}


def _proviso(contest: Contest, bench: Bench) -> str:
    """What the verdict holds for, where training was cut to keep the budget; with a space before it."""
    level, first = contest.level, next(iter(contest.outcomes(contest.names[0]).values()))
    used, cut = int(first.counts.sum()), []
    if level.rows is not None and used < bench.train_rows:
        cut.append(f"on {used:,} of {bench.train_rows:,} training rows")
    if level.epochs is not None:
        cut.append(f"for {level.epochs} epochs at most")
    return f" This is from training {' and '.join(cut)}: with more time it may be otherwise." if cut else ""


def _shortened(contest: Contest, bench: Bench) -> list[str]:
    """What was cut to keep the budget, a sentence each."""
    said = []
    level, out = contest.level, contest.outcomes(contest.names[0])
    first = next(iter(out.values()))
    if level == contest.look:
        said.append("There was only time for the quick look: few rows and few epochs.")
    if level.rows is not None and first.counts.sum() < bench.train_rows:
        cut = ", ".join(f"{n:,}" for n in first.counts[:6]) + ("" if len(first.counts) <= 6 else ", ...")
        said.append(
            f"Each replicate trains on {int(first.counts.sum()):,} of about {bench.train_rows:,} training rows (classes of {cut}); it is "
            "tested on all of its test rows."
        )
    if level.epochs is not None:
        said.append(f"Training ends after {level.epochs} epochs at the latest instead of {EPOCHS}.")
    most = max(len(contest.outcomes(name)) for name in contest.names)
    planned = bench.spec.folds * sum(map(len, contest.rounds))
    if most < planned:
        said.append(f"{most} replicates of the {planned} that more time would give were completed.")
    for played in sorted(set(contest.stopped.values())):
        titles = ", ".join(CONTENDERS[name] for name, last in contest.stopped.items() if last == played)
        said.append(f"Dropped after round {played}, so that better methods have more replicates: {titles}.")
    if contest.overrun:
        said.append("The quick look alone took longer than the budget.")
    return said


def _artifacts(contest: Contest) -> dict[str, bytes]:
    """`arrays` and the threshold tables, of the replicates whose scores are kept."""
    every = list(contest.outcomes(contest.names[0]).values())
    pooled = [o for o in every if o.scores]
    sizes = [len(o.truth) for o in pooled]
    arrays: dict[str, np.ndarray] = {
        "pr_recall": curves.GRID,
        "truth": np.concatenate([o.truth for o in pooled]),
        "fold": np.repeat([o.replicate.fold for o in pooled], sizes),
        "seed": np.repeat([o.replicate.seed for o in pooled], sizes),
    }
    out = {}
    for name in contest.names:
        own = list(contest.outcomes(name).values())
        if not own:  # it failed at once
            continue
        arrays[f"pr/{name}"] = curves.band(np.stack([o.pr for o in own]))[0]
        parts = [o for o in own if o.scores]  # in the order of rounds: the first of plain training's
        scores = {v: np.concatenate([o.scores[v] for o in parts]) for v in parts[0].scores}
        arrays[f"score/{name}"] = scores["as trained"]
        truth, passes = arrays["truth"][: sum(sizes[: len(parts)])], len(parts) // _folds(contest)
        out[f"thresholds/{name}"] = pack(threshold_tables.table(scores, truth, passes))
    return {"arrays": pack(arrays), **out}


def _models(
    contest: Contest, bench: Bench, spec: CompareSpec, readings: Mapping[str, tuple[str, Sequence[str]]] | None
) -> dict[str, bytes]:
    """`model/<name>`: what each method fitted on replicate 0, at the level that counts for it; `augmented/<name>`: its training rows with
    those that it added to them."""
    table, pipelines, out = encode(bench.dataset)[0], {}, {}
    for name in contest.names:
        level = contest.level_of(name)
        if (name, level) not in bench.kept:
            continue
        fitted, train = bench.kept[name, level]
        if level not in pipelines:
            scale = fit_scale(table, len(bench.dataset.numeric_names), train, name=bench.dataset.name)
            pipelines[level] = Pipeline.of(bench.dataset, scale, readings)
        about = {
            "name": name,
            "title": CONTENDERS[name],
            "params": bench.params(name, level),
            "target": spec.target,
            "training_rows": len(train),
            "provenance": provenance(torch.device("cpu"), torch.float32),
        }
        own = pipelines[level]
        net = fitted.net if isinstance(fitted, Fitted) else fitted
        out[f"model/{name}"] = model_bytes(net, own, classes=bench.dataset.classes, about=about)
        if isinstance(fitted, Fitted) and fitted.synthetic is not None:
            added = int(fitted.synthetic.mask[0].sum())
            if (len(train) + added) * (len(own.columns) + 2) <= MOST_CELLS:
                words = augmented_csv(bench.dataset, own, train, fitted, target=spec.target or "class")
                out[f"augmented/{name}"] = words.encode()
    return out
