"""The result of a comparison, JSON-plain: one record per method, the verdict, and what was cut to keep the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.compare.bench import EPOCHS, PATIENCE, Evaluator
from engine.compare.halving import SuccessiveHalving
from engine.compare.leaderboard import describe_difference, find_differences
from engine.compare.refits import describe_refit, summarise_refit
from engine.plain import to_plain
from engine.spec import limits
from engine.spec.comparison import TREES, CompareSpec
from engine.spec.result import METRICS
from engine.stats.compared import Difference, find_best
from engine.stats.intervals import CORRECTED_T, corrected_t
from engine.stats.significance import find_test_share
from engine.stats.verdict import judge_methods

LOOK_VERDICT = "There was only time for a quick look. It compares no methods: allow more seconds."
"""The verdict if no method was trained beyond the look."""


def make_result(
    halving: SuccessiveHalving,
    bench: Evaluator,
    spec: CompareSpec,
    table: Mapping[str, Any],
    shortened: Sequence[str],
    notes: Sequence[str],
) -> dict[str, Any]:
    """The result of `engine.compare.comparison.compare` without reading, seconds and provenance. table: `describe_table`.

    methods [{name, title, metrics {metric: {mean, low, high, n, values}}, difference {metric, mean, low, high, p, p_holm, n,
    better, worse} or None, seconds, replicates, numbers, rows, epochs, look, most_rows (limit of training rows, None: no
    limit), stopped (the last round before it was dropped), failed (a sentence or None), refit
    (`engine.compare.refits.describe_refit`), params, per_class}], verdict,
    verdict_more (sentences with its numbers), best, metric, interval, data {name, rows, used_rows, train_rows,
    train_counts, features, columns {numeric, categorical}, classes,
    counts, ratio, positive, dropped, guesses}, spec, protocol {folds, seeds, test_share, patience}, shortened (sentences),
    notes (what is said of the table, then of the methods), reading (how the file was read, `TableReading.to_json`; None for a
    dataset of the catalog), refit (`engine.compare.refits.summarise_refit`), seconds, provenance. `best`: the name of a method that is
    better than plain training after Holm's correction, or None. It is None if there was time for the quick look only.
    """
    against = find_differences(halving, spec.metric)
    looked = halving.level == halving.look
    first = next(iter(halving.outcomes(halving.names[0]).values()))
    share = find_test_share(bench.spec.folds)
    said = judge_methods(against, halving.titles, halving.names[0], METRICS[spec.metric][0])
    result: dict[str, Any] = to_plain(
        {
            "methods": [_describe_method(halving, bench, name, spec.metric, against.get(name)) for name in halving.names],
            "verdict": LOOK_VERDICT if looked else said.text,
            "verdict_more": [] if looked else [*said.more, *_proviso(halving, bench)],
            "best": None if looked else find_best(against),
            "metric": spec.metric,
            "interval": CORRECTED_T,
            "data": {
                **table,
                "train_rows": int(first.counts.sum()),
                "train_counts": dict(zip(bench.dataset.classes, first.counts.tolist(), strict=True)),
            },
            "spec": spec.to_json(),
            "protocol": {"folds": bench.spec.folds, "seeds": bench.spec.seeds, "test_share": share, "patience": PATIENCE},
            "shortened": [*shortened, *_shortened(halving, bench)],
            "notes": list(notes),
        }
    )
    result["refit"] = summarise_refit(result["methods"], by_time=spec.by_time)
    if result["refit"] is not None:
        result["notes"] += result["refit"]["sentences"]
    return result


def describe_table(bench: Evaluator, dropped: Sequence[Mapping[str, Any]], guesses: Mapping[str, Any] | None) -> dict[str, Any]:
    """The result's `data`. Its training rows are None until the result is built."""
    data = bench.dataset
    counts = limits.target_counts(data.counts.tolist(), bench.spec.imbalance)
    return {
        "name": data.name,
        "rows": len(data.y),
        "used_rows": int(sum(counts)),
        "train_rows": None,
        "train_counts": None,
        "features": len(data.numeric_names) + len(data.categorical_names),
        "columns": {"numeric": list(data.numeric_names), "categorical": list(data.categorical_names)},
        "classes": list(data.classes),
        "counts": dict(zip(data.classes, map(int, counts), strict=True)),
        "ratio": max(counts) / min(counts),
        "positive": data.classes[bench.positive],
        "dropped": [dict(d) for d in dropped],
        "guesses": dict(guesses or {}),
    }


def _describe_method(
    halving: SuccessiveHalving, bench: Evaluator, name: str, metric: str, against: Difference | None
) -> dict[str, Any]:
    """A method's record of the result. against: its difference to plain training."""
    own, level = halving.outcomes(name), halving.level_of(name)
    params, share = bench.choose_params(name, level), find_test_share(bench.spec.folds)
    return {
        "name": name,
        "title": halving.titles[name],
        "metrics": {m: _summary([o.metrics[m] for o in own.values()], share, METRICS[m][1]) for m in METRICS},
        "difference": describe_difference(against, metric) if against is not None else None,
        "seconds": halving.seconds(name),
        "replicates": len(own),
        "numbers": list(own),
        "rows": float(np.mean([o.counts.sum() for o in own.values()])) if own else None,
        "epochs": [o.epoch for o in own.values()],
        "look": level == halving.look,
        "most_rows": level.rows,
        "stopped": halving.stopped.get(name),
        "failed": halving.failed.get(name),
        "refit": describe_refit(list(own.values()), metric, share),
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


def _summary(values: Sequence[float], share: float, bounds: tuple[float, float]) -> dict[str, Any]:
    one = corrected_t(np.array(values), share, bounds)
    return {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n, "values": list(values)}


def _proviso(halving: SuccessiveHalving, bench: Evaluator) -> list[str]:
    """What the verdict depends on if training was cut to keep the budget, a sentence each."""
    level, first = halving.level, next(iter(halving.outcomes(halving.names[0]).values()))
    used, cut = int(first.counts.sum()), []
    if level.rows is not None and used < bench.train_rows:
        cut.append(f"Trained on {used:,} of {bench.train_rows:,} training rows: more time may turn this.")
    if level.epochs is not None:
        cut.append(f"Trained for {level.epochs} epochs at most: more time may turn this.")
    return cut


def _shortened(halving: SuccessiveHalving, bench: Evaluator) -> list[str]:
    """What was cut to keep the budget, one sentence each."""
    said = []
    level, out = halving.level, halving.outcomes(halving.names[0])
    first = next(iter(out.values()))
    if level == halving.look:
        said.append("There was only time for the quick look: few rows and few epochs.")
    if level.rows is not None and first.counts.sum() < bench.train_rows:
        cut = ", ".join(f"{n:,}" for n in first.counts[:6]) + ("" if len(first.counts) <= 6 else ", ...")
        said.append(
            f"Each replicate trains on {int(first.counts.sum()):,} of about {bench.train_rows:,} training rows (classes of {cut}); it is "
            "tested on all of its test rows."
        )
    if level.epochs is not None:
        said.append(f"Training ends after {level.epochs} epochs at the latest instead of {EPOCHS}.")
    most = max(len(halving.outcomes(name)) for name in halving.names)
    planned = bench.spec.folds * sum(map(len, halving.rounds))
    if most < planned:
        said.append(f"{most} replicates of the {planned} that more time would give were completed.")
    for played in sorted(set(halving.stopped.values())):
        titles = ", ".join(halving.titles[name] for name, last in halving.stopped.items() if last == played)
        said.append(f"Dropped after round {played}, so that better methods have more replicates: {titles}.")
    if halving.overrun:
        said.append("The quick look alone took longer than the budget.")
    return said
