"""Which method helps on this table, by how much, and whether to believe it: a comparison inside a budget of seconds.

Rounds, levels and the clock are `engine.compare.halving`'s; rows, features, training and metrics are those of runs (`engine.data`,
`engine.methods`, `engine.analysis`); statistics are `engine.stats.verdict`'s. The test rows are never cut after the split.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from engine.compare.artifacts import build_arrays, export_models
from engine.compare.bench import EPOCHS, PATIENCE, Evaluator
from engine.compare.halving import Resource, SuccessiveHalving
from engine.compare.leaderboard import build_leaderboard, describe_difference, find_differences
from engine.data.dataset import Dataset
from engine.data.prepare import encode
from engine.data.tables.profile import proposed_folds
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import features
from engine.data.thin import draw
from engine.errors import BadData, BadParameter
from engine.events import Event, Note, Phase
from engine.plain import to_plain
from engine.runner.chunks import MAX_VALUES
from engine.runner.provenance import collect_provenance
from engine.seeds import numpy_stream
from engine.settings import read_setting
from engine.spec import RunSpec, limits
from engine.spec.comparison import CONTENDERS, PLAIN, TREES, CompareSpec
from engine.spec.result import METRICS
from engine.stats.intervals import CORRECTED_T, corrected_t
from engine.stats.significance import split_share
from engine.stats.verdict import find_best, write_verdict
from engine.training import network_cache

__all__ = ["CompareSpec", "compare"]

MAX_SEEDS = 10
"""Seeds at most: more replicates hardly narrow an interval whose training parts overlap."""

LOOK = Resource(rows=256, epochs=8)
"""The quick look that fills the board."""

ROWS = (32_768, 16_384, 8_192, 4_096, 2_048, 1_024, 512)
SHORTER = (100, 50, 25, 12)
"""Rows are cut down these steps first, then epochs."""

MAX_ROWS = 150_000
"""Rows of a table that are used at all; MOST_VALUES encoded values is the other bound."""

TABLE_RATIO = 50.0
"""A table that is too large loses rows of its larger classes first, down to this ratio (`engine.data.thin`)."""

LOOK_VERDICT = "There was only time for a quick look, which says nothing about which method is better: allow more seconds."
"""The verdict where no method was trained beyond the look."""


def describe_sheet(sheet: Sheet, target: str) -> dict[str, Any]:
    """What `compare` is told of a table beside its dataset: dropped, readings and guesses."""
    used, left = features(sheet, target)
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
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    yield Phase("data", "Getting the rows ready")
    bench, shortened = _make_evaluator(dataset, spec, clock)
    contest = SuccessiveHalving(
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
        rows=lambda contest: build_leaderboard(contest, spec.metric),
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
        artifacts = build_arrays(contest)
        yield Phase("saving", "Saving the models")
        artifacts |= export_models(contest, bench, spec, readings)
        return _result(contest, bench, spec, shortened, notes, dropped, guesses, clock() - began), artifacts
    finally:
        network_cache.forget()


def _make_evaluator(dataset: Dataset, spec: CompareSpec, clock: Callable[[], float]) -> tuple[Evaluator, list[str]]:
    """The table as it is used, and what was done to it."""
    if dataset.images is not None:
        raise BadData(f"{dataset.name} holds images; tables are compared here: look at images on the Deep page.")
    said = []
    if dataset.official_test is not None:
        dataset = replace(dataset, official_test=None)
        said.append("The official test part was joined with the other rows: every fold is tested in turn.")
    dataset = with_positive(dataset, spec.positive)
    width = encode(dataset.rows(np.arange(min(1, len(dataset.y)))))[0].shape[1]
    most = min(MAX_ROWS, max(1000, MAX_VALUES // max(1, width)))
    if len(dataset.y) > most:
        rows, before = len(dataset.y), dataset.counts
        dataset = dataset.rows(draw(dataset.y, np.arange(rows), most, numpy_stream(spec.seed, "sample"), TABLE_RATIO))
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
    run = RunSpec(dataset.name, PLAIN, spec.imbalance, folds=proposed_folds(min(kept)), seeds=MAX_SEEDS, seed=spec.seed)
    classes = dataset.classes
    positive = 1 if len(classes) == 2 else classes.index(spec.positive) if spec.positive else int(np.argmin(kept))
    return Evaluator(dataset, run, spec.names, positive, clock), said


def with_positive(dataset: Dataset, positive: str | None) -> Dataset:
    """The dataset with this class as number 1 of two. Raises BadParameter where there is no such class."""
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
    """Seeds of each round: one each; on small tables, which are quick in stacks, the later ones together. It depends on the data alone."""
    if bench.train_rows > ROWS[-1]:
        return [(seed,) for seed in range(MAX_SEEDS)]
    return [(0,), (1,), *((seed, seed + 1) for seed in range(2, MAX_SEEDS, 2))]


def _levels(bench: Evaluator) -> list[Resource]:
    """From all there is down: rows, then epochs."""
    rows: list[int | None] = [None, *(n for n in ROWS if n < bench.train_rows)]
    return [*(Resource(n) for n in rows), *(Resource(rows[-1], epochs) for epochs in SHORTER)]


def _result(
    contest: SuccessiveHalving,
    bench: Evaluator,
    spec: CompareSpec,
    shortened: list[str],
    notes: list[str],
    dropped: Sequence[Mapping[str, Any]],
    guesses: Mapping[str, Any] | None,
    seconds: float,
) -> dict[str, Any]:
    share = split_share(bench.spec.folds)
    against = find_differences(contest, spec.metric)
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
                "difference": describe_difference(against[name], spec.metric) if name in against else None,
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
    counts = limits.target_counts(bench.dataset.counts.tolist(), bench.spec.imbalance)
    out = {
        "methods": rows,
        "verdict": LOOK_VERDICT
        if looked
        else write_verdict(against, CONTENDERS, METRICS[spec.metric][0]) + _proviso(contest, bench),
        "best": None if looked else find_best(against),
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
        "protocol": {"folds": bench.spec.folds, "seeds": MAX_SEEDS, "test_share": share, "patience": PATIENCE},
        "shortened": [*shortened, *_shortened(contest, bench)],
        "notes": notes,
        "seconds": seconds,
        "provenance": collect_provenance(torch.device("cpu"), torch.float32),
    }
    result: dict[str, Any] = to_plain(out)
    return result


def _summary(values: Sequence[float], share: float, bounds: tuple[float, float]) -> dict[str, Any]:
    one = corrected_t(np.array(values), share, bounds)
    return {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n, "values": list(values)}


def _proviso(contest: SuccessiveHalving, bench: Evaluator) -> str:
    """What the verdict holds for, where training was cut to keep the budget; with a space before it."""
    level, first = contest.level, next(iter(contest.outcomes(contest.names[0]).values()))
    used, cut = int(first.counts.sum()), []
    if level.rows is not None and used < bench.train_rows:
        cut.append(f"on {used:,} of {bench.train_rows:,} training rows")
    if level.epochs is not None:
        cut.append(f"for {level.epochs} epochs at most")
    return f" This is from training {' and '.join(cut)}: with more time it may be otherwise." if cut else ""


def _shortened(contest: SuccessiveHalving, bench: Evaluator) -> list[str]:
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
