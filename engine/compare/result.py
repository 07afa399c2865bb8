"""The result of a comparison, JSON-plain: one record per row, the verdict, and what was cut to keep the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.compare.bench import PATIENCE, Evaluator, ReplicateScore
from engine.compare.halving import Resource, SuccessiveHalving
from engine.compare.leaderboard import (
    Lead,
    compare_rows,
    describe_difference,
    find_differences,
    find_lead,
    is_own_ensemble,
    rank_rows,
)
from engine.compare.refits import describe_refit, list_chosen, summarise_refit
from engine.compare.sizes import EPOCHS, TREES_AN_EPOCH, describe_sizes
from engine.compare.spread import read_value
from engine.data.splits.plan import describe_split
from engine.plain import to_plain
from engine.spec import limits
from engine.spec.comparison import CompareSpec
from engine.spec.contest import IN_USE, NETWORK
from engine.spec.result import METRICS
from engine.spec.run import default_params
from engine.stats.compared import Difference, find_best
from engine.stats.intervals import corrected_t
from engine.stats.significance import find_test_share
from engine.stats.verdict import Verdict, judge_board, judge_methods

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

    methods [{name, title, model, remedy, metrics {metric: {mean, low, high, n, values}}, difference {metric, mean, low, high, p,
    p_holm, n, better, worse} (to the same model plain; None for a plain row), difference_to_leader (the same keys; None for the
    leader and rows that are not ranked), seconds, replicates, numbers, rows, train_rows (both: mean training rows of a replicate),
    epochs (or trees), look, most_rows (limit of training rows, None: no limit), stopped (the last round before it was dropped),
    failed (a sentence or None), refit (`engine.compare.refits.describe_refit`), chosen (`list_chosen` there), params, per_class}],
    ranked (names of rows with the same replicates, the best first), lead {row, rival, difference (leader minus rival, the best other
    plain row; tested together with every ranked row against it), in_use (leader minus the score in use)}, verdict, verdict_more
    (sentences with its numbers), best, metric, interval, interval_covers (what intervals cover and what not), split
    (`engine.data.splits.plan.describe_split`), data {name, rows, used_rows, train_rows, train_counts (both: of the first replicate
    of the leading row that trains), features, columns {numeric, categorical}, classes, counts, ratio, positive, dropped, guesses}, spec,
    protocol {folds, seeds, test_share, patience}, shortened (sentences), notes (what is said of the table, then of the methods), reading
    (how the file was read, `TableReading.to_json`; None for a dataset of the catalog), seconds, provenance. `best`: the leading row
    where it beats the best other plain row after Holm's correction, else the best remedy that beats its own model plain, or None. It is
    None if there was time for the quick look only.
    """
    against = find_differences(halving, spec.metric)
    looked = all(halving.is_looked(name) for name in halving.names if halving.model_of[name] != IN_USE)
    share = find_test_share(bench.spec.folds)
    ranked = rank_rows(halving, spec.metric)
    lead = find_lead(halving, spec.metric, ranked) if ranked else None
    trained = next((name for name in ranked if name != IN_USE), halving.names[0])
    counts = next(iter(halving.outcomes(trained).values())).counts
    decisive = {name: one for name, one in against.items() if not halving.is_looked(name)}  # a quick look claims nothing
    said = _judge(halving, decisive, lead, spec.metric)
    result: dict[str, Any] = to_plain(
        {
            "methods": [_describe_row(halving, bench, name, spec.metric, against.get(name), lead) for name in halving.names],
            "ranked": ranked,
            "lead": _describe_lead(halving, lead, spec.metric),
            "verdict": LOOK_VERDICT if looked else said.text,
            "verdict_more": [] if looked else [*said.more, *_proviso(halving, bench)],
            "best": None if looked else _name_best(decisive, lead),
            "metric": spec.metric,
            "interval": bench.spread.name,
            "interval_covers": bench.spread.covers,
            "split": describe_split(bench.plan, bench.dataset, bench.spec, spec.time, spec.group),
            "data": {
                **table,
                "train_rows": int(counts.sum()),
                "train_counts": dict(zip(bench.dataset.classes, counts.tolist(), strict=True)),
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
        "width": len(data.numeric_names) + int(np.isnan(data.numeric).any(0).sum()) + sum(map(len, data.categories)),
        "columns": {"numeric": list(data.numeric_names), "categorical": list(data.categorical_names)},
        "classes": list(data.classes),
        "counts": dict(zip(data.classes, map(int, counts), strict=True)),
        "ratio": max(counts) / min(counts),
        "positive": data.classes[bench.positive],
        "dropped": [dict(d) for d in dropped],
        "guesses": dict(guesses or {}),
    }


def _judge(halving: SuccessiveHalving, against: Mapping[str, Difference], lead: Lead | None, metric: str) -> Verdict:
    """The verdict on both questions; of one model, on its remedies alone."""
    plain = [name for name in halving.names if halving.plain_of[name] == name]
    if len(plain) == 1 or lead is None:
        return judge_methods(against, halving.titles, plain[0], METRICS[metric][0])
    ahead = None if lead.ahead is None else lead.ahead.interval
    return judge_board(halving.titles[lead.leader], ahead, against, halving.titles, METRICS[metric][0])


def _name_best(against: Mapping[str, Difference], lead: Lead | None) -> str | None:
    if lead is not None and lead.ahead is not None and lead.ahead.better:
        return lead.leader
    return find_best(against)


def _describe_lead(halving: SuccessiveHalving, lead: Lead | None, metric: str) -> dict[str, Any] | None:
    if lead is None:
        return None
    used = None
    if halving.outcomes(IN_USE) if IN_USE in halving.names and lead.leader != IN_USE else None:
        used = describe_difference(compare_rows(halving, metric, [lead.leader], IN_USE)[lead.leader], metric)
    ahead = None if lead.ahead is None else describe_difference(lead.ahead, metric)
    return {"row": lead.leader, "rival": lead.rival, "difference": ahead, "in_use": used}


def _describe_row(
    halving: SuccessiveHalving, bench: Evaluator, name: str, metric: str, against: Difference | None, lead: Lead | None
) -> dict[str, Any]:
    """A row's record of the result. against: its difference to its model's plain row."""
    own, level = halving.outcomes(name), halving.level_of(name)
    params, share = bench.choose_params(name, level), find_test_share(bench.spec.folds)
    behind = None if lead is None else lead.behind.get(name)
    row = bench.rows[name]
    used = float(np.mean([o.counts.sum() for o in own.values()])) if own else None
    return {
        "name": name,
        "title": halving.titles[name],
        "model": row.model,
        "remedy": row.remedy,
        **({"built_in": True} if is_own_ensemble(row.model) else {}),
        "metrics": {m: _summarise_metric(halving, own.values(), m) for m in METRICS},
        "difference": describe_difference(against, metric) if against is not None else None,
        "difference_to_leader": describe_difference(behind, metric) if behind is not None else None,
        "seconds": halving.seconds(name),
        "replicates": len(own),
        "numbers": list(own),
        "rows": used,
        "train_rows": used,
        "epochs": [o.epoch for o in own.values()],
        "look": halving.is_looked(name),
        "most_rows": level.rows,
        "stopped": halving.stopped.get(name),
        "failed": halving.failed.get(name),
        "chosen": list_chosen(list(own.values())),
        "refit": describe_refit(list(own.values()), metric, share),
        "params": {"patience": PATIENCE, **params} if row.model == NETWORK else params,
        "per_class": {
            label: {
                m: _summary([o.per_class[m][c] for o in own.values()], share, (0.0, 1.0))
                for m in ("precision", "recall", "f1", "average_precision")
            }
            | {"support": float(np.mean([o.per_class["support"][c] for o in own.values()])) if own else None}
            for c, label in enumerate(bench.dataset.classes)
        },
    }


def _summarise_metric(halving: SuccessiveHalving, outcomes: Iterable[ReplicateScore], metric: str) -> dict[str, Any]:
    scores = [read_value(one, metric) for one in outcomes]
    values, one = [score.value for score in scores], halving.spread.interval(scores, METRICS[metric][1])
    return {"mean": one.mean, "low": one.low, "high": one.high, "n": len(values), "values": values}


def _summary(values: Sequence[float], share: float, bounds: tuple[float, float]) -> dict[str, Any]:
    one = corrected_t(np.array(values), share, bounds)
    return {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n, "values": list(values)}


def _proviso(halving: SuccessiveHalving, bench: Evaluator) -> list[str]:
    """What the verdict depends on if training was cut to keep the budget, a sentence each."""
    cut = []
    for model, name in _list_models(halving):
        level, used = halving.level_of(name), _count_used(halving, name)
        what = _name_model(bench, model)
        if level.rows is not None and used < bench.train_rows:
            cut.append(f"{what} trained on {used:,} of {bench.train_rows:,} training rows: more time may turn this.")
        if _is_shorter(bench, name, level):
            cut.append(f"{what} trained for {_describe_length(model, level)} at most: more time may turn this.")
    return cut


def _shortened(halving: SuccessiveHalving, bench: Evaluator) -> list[str]:
    """What was cut to keep the budget, one sentence each."""
    said = []
    models = _list_models(halving)
    if all(halving.is_looked(name) for _, name in models):
        said.append("There was only time for the quick look: few rows and few epochs.")
    for model, name in models:
        level, what = halving.level_of(name), _name_model(bench, model)
        first = next(iter(halving.outcomes(name).values()))
        if level.rows is not None and first.counts.sum() < bench.train_rows:
            cut = ", ".join(f"{n:,}" for n in first.counts[:6]) + ("" if len(first.counts) <= 6 else ", ...")
            said.append(
                f"{what}: each replicate trains on {int(first.counts.sum()):,} of about {bench.train_rows:,} training rows (classes of "
                f"{cut}); it is tested on all of its test rows."
            )
        if _is_shorter(bench, name, level):
            usual = f"{EPOCHS} epochs" if model == NETWORK else "its usual number"
            said.append(f"{what}: training ends after {_describe_length(model, level)} at the latest instead of {usual}.")
    if network := next((name for model, name in models if model == NETWORK), None):
        params = bench.choose_params(network, halving.level_of(network))
        own = default_params(bench.kind(network).describe(), "tabular")["batch"]
        said += describe_sizes(params, own, bench.sampled)
    most = max(len(halving.outcomes(name)) for name in halving.names)
    planned = bench.spec.folds * sum(map(len, halving.rounds))
    if most < planned:
        said.append(f"{most} replicates of the {planned} that more time would give were completed.")
    looked = [name for name in halving.active if halving.is_looked(name) and not _is_used(halving, name)]
    if looked and len(looked) < len([name for name in halving.active if not _is_used(halving, name)]):
        said.append(f"No time beyond the quick look, so not ranked: {', '.join(halving.titles[name] for name in looked)}.")
    for played in sorted(set(halving.stopped.values())):
        titles = ", ".join(halving.titles[name] for name, last in halving.stopped.items() if last == played)
        said.append(f"Dropped after round {played}, so that better rows have more replicates: {titles}.")
    if halving.overrun:
        said.append("The quick look alone took longer than the budget.")
    return said


def _list_models(halving: SuccessiveHalving) -> list[tuple[str, str]]:
    """(model, its plain row) of every model that has a value."""
    return [
        (halving.model_of[name], name)
        for name in halving.names
        if halving.plain_of[name] == name and halving.outcomes(name) and not _is_used(halving, name)
    ]


def _is_shorter(bench: Evaluator, name: str, level: Resource) -> bool:
    """Whether a level allows fewer epochs or trees than a row takes by itself."""
    return bench.choose_params(name, level) != bench.choose_params(name, Resource(level.rows))


def _is_used(halving: SuccessiveHalving, name: str) -> bool:
    return halving.model_of[name] == IN_USE


def _count_used(halving: SuccessiveHalving, name: str) -> int:
    return int(next(iter(halving.outcomes(name).values())).counts.sum())


def _name_model(bench: Evaluator, model: str) -> str:
    return "The network" if model == NETWORK else bench.rows[model].title


def _describe_length(model: str, level: Resource) -> str:
    assert level.epochs is not None
    return f"{level.epochs} epochs" if model == NETWORK else f"{TREES_AN_EPOCH * level.epochs} trees"
