"""Compares methods on one table within a time budget: which one helps, by how much, and how certain that is.

`engine.compare.halving` plans rounds, levels and time. Rows, features, training and metrics are those of runs (`engine.data`,
`engine.methods`, `engine.analysis`). Statistics are in `engine.stats.verdict`. Test rows are never cut after the split.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from engine.compare.artifacts import build_arrays, export_models
from engine.compare.bench import Evaluator
from engine.compare.decide import decide, decide_seconds
from engine.compare.halving import Resource, SuccessiveHalving
from engine.compare.leaderboard import build_leaderboard, is_settled
from engine.compare.onnx_files import export_onnx, find_seconds
from engine.compare.optimism import NO_TIME, keep_for_optimism, measure_optimism
from engine.compare.result import describe_table, make_result
from engine.compare.tuning import SHARED, tune_models
from engine.compare.why import explain, keep_seconds
from engine.data.dataset import Dataset
from engine.data.prepare import encode
from engine.data.splits.plan import plan_split
from engine.data.tables.named import describe_named, find_named
from engine.data.tables.profile import list_notes, propose_folds
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import describe_target, select_features
from engine.data.thin import draw_rows
from engine.errors import BadData, BadParameter
from engine.events import Event, Note, Phase
from engine.methods import describe_methods
from engine.plain import to_plain
from engine.report.leaderboard import sort_rows
from engine.runner.chunks import MAX_VALUES
from engine.runner.provenance import collect_provenance
from engine.seeds import numpy_stream
from engine.settings import read_setting
from engine.spec import RunSpec, limits
from engine.spec.companions import BASELINE
from engine.spec.comparison import CompareSpec
from engine.spec.contest import IN_USE, LONG, NETWORK, find_installed, list_rows
from engine.spec.table_reading import TableReading
from engine.training import network_cache

__all__ = ["CompareSpec", "compare"]

MAX_SEEDS = 10
"""Largest number of seeds. More replicates hardly narrow an interval whose training parts overlap."""

LOOK = Resource(rows=256, epochs=8)
"""The level of the quick look, which gives every row a first score."""
MODEL_LOOK = Resource(rows=256, epochs=4)
"""The same of models besides the network."""

ROWS = (32_768, 16_384, 12_288, 8_192, 4_096, 2_048, 1_024, 512)
WANTED = 10_000
"""Training rows of the network that are worth more than a score of every remedy; all rows where there are fewer. Other models: all."""
MANY_ROWS = 20_000
"""Training rows from which on a comparison of less than LONG seconds has FEW rows unless others are named."""
FEW: Mapping[str, tuple[str, ...]] = {"remedies": ("none", "class-weights", "rs"), "ensembles": ()}
SHORTER = (100, 50, 25, 12)
"""Epochs of the network's lowest levels. Its rows are cut first, then its epochs."""
FEWER = (25, 12)
"""Epochs of the levels of other models: their trees are cut first (`bench.TREES_AN_EPOCH`), then their rows."""

MAX_ROWS, MAX_ROWS_LONG = 150_000, 300_000
"""Largest number of rows used, and that from LONG seconds on. MAX_VALUES encoded values is a second limit."""

TABLE_RATIO = 50.0
"""A table that is too large loses rows of its larger classes first, down to this ratio (`engine.data.thin`)."""


NO_DELAY = "No delay is named: each answer counts as known at once (0d)."
"""Said where rows have a time."""


def describe_sheet(sheet: Sheet, target: str, positive: str | None = None, **columns: Any) -> dict[str, Any]:
    """Arguments of `compare` that a dataset does not hold: dropped, guesses, reading and sentences. target, positive: as asked.
    columns: `CompareSpec.columns`.

    Raises BadData for a column or class that is not there.
    """
    named = find_named(sheet, target, **columns)
    left = select_features(sheet, target, named)[1]
    return {
        "dropped": [{"name": column.name, "kind": named.roles.get(column.name, column.kind)} for column in left],
        "guesses": sheet.guesses,
        "reading": describe_target(sheet, target, positive, named),
        "sentences": [*list_notes(sheet, target, positive), *describe_named(named)],
    }


Comparison = Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]


def compare(
    dataset: Dataset,
    spec: CompareSpec,
    *,
    clock: Callable[[], float] = time.monotonic,
    began: float | None = None,
    dropped: Sequence[Mapping[str, Any]] = (),
    guesses: Mapping[str, Any] | None = None,
    reading: TableReading | None = None,
    sentences: Sequence[str] = (),
) -> Comparison:
    """Compares the methods of a spec on a table. A generator of events (Phase, Progress, Note, Board).

    It returns the result (JSON-plain) and artifacts: `arrays`, `thresholds/<name>` and `decide/<name>` (npz), `model/<name>` (zip of
    `engine.export.write`), `augmented/<name>` (CSV, for methods that add rows in the table's columns, up to MAX_CELLS cells).

    began: the value of `clock` when the budget began, by default now. `describe_sheet` gives the next four for an uploaded
    table. dropped: columns that are not used. guesses: of the file's format (`Sheet.guesses`). reading: how the file was read, with
    its target; it goes into the result, the models and the augmented rows, and its target's class of interest is that of the
    comparison. sentences: what is said of the table, the first of the result's notes.

    Result: see `engine.compare.result.make_result`. `arrays`: pr_recall [G]; pr/<name> [G], the mean over replicates; truth,
    fold, seed [N]: the test rows of the replicates of the row with the most, seed after seed, for as many seeds as MAX_POOLED rows allow;
    score/<name> [n], n <= N: probabilities of the first n of them, as trained. A model is that of replicate 0: fitted on its
    training rows, its epoch chosen on its validation rows; its test rows are not used. Raises BadData or BadParameter, and what
    plain training raises. Close it at any event to stop.
    """
    began = clock() if began is None else began
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    yield Phase("data", "Getting the rows ready")
    spec = spec.hold_plugins({"methods": describe_methods()})
    told = None if reading is None else reading.target
    positive = spec.positive if told is None else told.positive
    bench, shortened = _make_evaluator(dataset, spec, clock, positive)
    halving = _make_halving(bench, spec, clock, began)
    sentences = [
        *sentences,
        *([NO_DELAY] if spec.time is not None and not spec.delay else []),
    ]
    notes: list[str] = []
    tuning: dict[str, Any] = {}
    try:
        if spec.tune:
            found, kept = yield from tune_models(
                bench, spec.metric, halving.seconds_left, halving.levels, halving.report_progress
            )
            tuning, shortened = {"tuning": to_plain(found)}, [*shortened, *kept]
            if bench.tuned and not bench.plan.by_time:
                notes.append(SHARED)
        for event in halving.run():
            if isinstance(event, Note):
                if event.text in notes:
                    continue
                notes.append(event.text)
            yield event
        until = halving.deadline - halving.saving_seconds(halving.level) + keep_for_optimism(bench.plan, spec.budget)
        optimism = yield from measure_optimism(halving, bench, spec.metric, until)
        if optimism is None and bench.plan.kind != "random":
            notes.append(NO_TIME)
        yield Phase("measuring", "Putting the result together")
        artifacts = build_arrays(halving)
        table = describe_table(bench, dropped, guesses)
        result = make_result(halving, bench, spec, table, shortened, [*sentences, *notes])
        decided, cuts = decide(halving, bench, spec, result)
        result, artifacts = result | decided, artifacts | cuts
        yield Phase("saving", "Saving the models")
        target = spec.target if told is None else told.name
        left: list[str] = []
        artifacts |= export_models(halving, bench, target, reading, cuts, time=spec.time, ranked=result["ranked"], notes=left)
        result["notes"] += left
        result |= yield from explain(halving, bench, result, spec.metric, artifacts)
        files, result["onnx"] = export_onnx(
            artifacts, [row["name"] for row in sort_rows(result)], bench.dataset, spec.budget, clock
        )
        artifacts |= files
        return result | tuning | {
            "optimism": optimism,
            "reading": None if reading is None else reading.to_json(),
            "seconds": clock() - began,
            "provenance": collect_provenance(torch.device("cpu"), torch.float32) | {"scikit_learn": version("scikit-learn")},
        }, artifacts
    finally:
        network_cache.clear()


def _make_halving(bench: Evaluator, spec: CompareSpec, clock: Callable[[], float], began: float) -> SuccessiveHalving:
    network = _network_levels(bench)
    others = {name: _model_levels(bench, name) for name, row in bench.rows.items() if row.model not in (NETWORK, IN_USE)}
    looks = {NETWORK: _cut_look(bench, LOOK)}
    return SuccessiveHalving(
        names=tuple(bench.rows),
        model_of={name: row.model for name, row in bench.rows.items()},
        plain_of={name: row.plain for name, row in bench.rows.items()},
        import_needs=bench.import_needs,
        evaluate=bench.evaluate,
        estimate_rows=bench.estimate_rows,
        rounds=_rounds(bench),
        levels=lambda model: network if model == NETWORK else [Resource()] if model == IN_USE else others[model],
        look=lambda model: looks.get(model) or _cut_look(bench, MODEL_LOOK),
        score=lambda outcome: float(outcome.metrics[spec.metric]),
        titles=bench.titles,
        clock=clock,
        began=began,
        deadline=began + spec.budget - keep_for_optimism(bench.plan, spec.budget),
        spread=bench.spread,
        saving_seconds=lambda level: (
            bench.saving_seconds(level)
            + decide_seconds(bench)
            + keep_seconds(spec.budget, bench.dataset)
            + find_seconds(spec.budget)
        ),
        build_rows=lambda halving: build_leaderboard(halving, spec.metric),
        is_wanted=_is_wanted,
        free=frozenset({IN_USE} & set(bench.rows)),
        is_settled=lambda halving, name: is_settled(halving, spec.metric, name),
    )


def _is_wanted(model: str, level: Resource) -> bool:
    if model == NETWORK:
        return level.epochs is None and (level.rows is None or level.rows >= WANTED)
    return level.rows is None and (level.epochs is None or level.epochs >= FEWER[0])


def _cut_look(bench: Evaluator, look: Resource) -> Resource:
    return replace(look, rows=min(bench.train_rows, look.rows or 0))


def rebuild_evaluator(dataset: Dataset, spec: CompareSpec, positive: str | None) -> Evaluator:
    """The evaluator of a comparison that was made, on the same rows. positive: the class looked for, None where none was named."""
    return _make_evaluator(dataset, spec, time.monotonic, positive)[0]


def _make_evaluator(
    dataset: Dataset, spec: CompareSpec, clock: Callable[[], float], asked: str | None = None
) -> tuple[Evaluator, list[str]]:
    """The table as it is used, and sentences about what was changed in it. asked: the class of interest, None where none is."""
    if dataset.images is not None:
        raise BadData(f"{dataset.name} holds images; tables are compared here: look at images on the Deep page.")
    said = []
    if dataset.official_test is not None:
        said.append("The official test part was joined with the other rows: every fold is tested in turn.")
    elif dataset.parts is not None:
        said.append("The parts that the rows name were joined: every fold is tested in turn.")
    dataset = dataset.join_parts()
    dataset = with_positive(dataset, asked)
    width = encode(dataset.rows(np.arange(min(1, len(dataset.y)))))[0].shape[1]
    most = min(MAX_ROWS if spec.budget < LONG else MAX_ROWS_LONG, max(1000, MAX_VALUES // max(1, width)))
    if len(dataset.y) > most:
        rows, before = len(dataset.y), dataset.counts
        dataset = dataset.rows(draw_rows(dataset.y, np.arange(rows), most, numpy_stream(spec.seed, "sample"), TABLE_RATIO))
        mixed = abs(dataset.counts / len(dataset.y) - before / rows).max() > 0.005
        said.append(
            f"{len(dataset.y):,} of {rows:,} rows are used ({_list_counts(dataset)})"
            + (", fewer of the larger classes: scores are for this mixture." if mixed else ".")
        )
    kept = limits.target_counts(dataset.counts.tolist(), spec.imbalance)
    if min(kept) < limits.MIN_CLASS_ROWS:
        c = int(np.argmin(kept))
        raise BadData(
            f"class {dataset.classes[c]!r} has {kept[c]} rows here; a comparison needs at least {limits.MIN_CLASS_ROWS} of every class"
            + ("." if spec.ratio is None else ": use a lower ratio.")
        )
    run = RunSpec(dataset.name, BASELINE, spec.imbalance, folds=propose_folds(min(kept)), seeds=MAX_SEEDS, seed=spec.seed)
    plan = plan_split(dataset, run, spec.split_kind, spec.delay)
    run = replace(run, folds=plan.folds)
    classes = dataset.classes
    positive = 1 if len(classes) == 2 else classes.index(asked) if asked is not None else int(np.argmin(kept))
    if _has_many_rows(spec, run, kept):
        fewer = {name: names for name, names in FEW.items() if getattr(spec, name) is None}
        if fewer:
            said.append(
                f"For so many rows few {' and '.join(fewer)} are compared in this time: name them, or allow five minutes."
            )
            spec = replace(
                spec, remedies=fewer.get("remedies", spec.remedies), ensembles=fewer.get("ensembles", spec.ensembles)
            )
    offered = list_rows(spec, {"methods": describe_methods()}, installed=find_installed(), in_use=dataset.score is not None)
    if dataset.score is not None and len(classes) > 2:
        offered = [row for row in offered if row.name != IN_USE]
        said.append("The score in use is compared where there are two classes; here are more.")
    return Evaluator(dataset, run, {row.name: row for row in offered}, positive, clock, refits=spec.refits, plan=plan), said


def _has_many_rows(spec: CompareSpec, run: RunSpec, counts: Sequence[int]) -> bool:
    """Whether there are so many rows for the time that the quick look of all that can be compared would take the time in which models
    train on every row. counts [C]: rows of each class.
    """
    rows = sum(limits.count_training_rows(n, run.folds) for n in counts)
    return not spec.names_rows and spec.budget < LONG and rows >= MANY_ROWS


def with_positive(dataset: Dataset, positive: str | None) -> Dataset:
    """The dataset with this class as number 1 of two. Raises BadParameter for an unknown class."""
    if positive is None:
        return dataset
    if positive not in dataset.classes:
        raise BadParameter(f"the data have no class {positive!r}; choose one of {', '.join(map(repr, dataset.classes[:10]))}.")
    if len(dataset.classes) == 2 and dataset.classes[0] == positive:
        return replace(dataset, y=1 - dataset.y, classes=dataset.classes[::-1])
    return dataset


def _list_counts(dataset: Dataset) -> str:
    most = 6
    pairs = [f"{n:,}" for n in dataset.counts[:most]]
    return (
        "classes of " + ", ".join(pairs) + (f" and {len(dataset.classes) - most} more" if len(dataset.classes) > most else "")
    )


def _rounds(bench: Evaluator) -> list[tuple[int, ...]]:
    """Seeds of each round: one each. On small tables, which train fast in stacks, later rounds have two. It depends on the data
    alone.
    """
    if bench.train_rows > ROWS[-1]:
        return [(seed,) for seed in range(MAX_SEEDS)]
    return [(0,), (1,), *((seed, seed + 1) for seed in range(2, MAX_SEEDS, 2))]


def _network_levels(bench: Evaluator) -> list[Resource]:
    """The network's levels from the highest down: fewer rows, then fewer epochs."""
    rows = _list_sizes(bench)
    return [*(Resource(n) for n in rows), *(Resource(rows[-1], epochs) for epochs in SHORTER)]


def _model_levels(bench: Evaluator, name: str) -> list[Resource]:
    """Those of another model: fewer trees, then fewer rows. A model without trees or members has levels of rows alone."""
    rows = _list_sizes(bench)
    if not getattr(bench.kind(name), "length", ""):
        return [Resource(n) for n in rows]
    return [Resource(), *(Resource(None, epochs) for epochs in FEWER), *(Resource(n, FEWER[-1]) for n in rows[1:])]


def _list_sizes(bench: Evaluator) -> list[int | None]:
    return [None, *(n for n in ROWS if n < bench.train_rows)]
