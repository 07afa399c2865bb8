"""The artifacts of a comparison: curves, threshold tables, models, augmented rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from engine.analysis import curves, threshold_tables
from engine.compare.bench import MAX_CELLS, Evaluator
from engine.compare.decision import build_decision
from engine.compare.halving import SuccessiveHalving
from engine.compare.leaderboard import count_folds
from engine.data.prepare import encode, fit_scale
from engine.errors import BadInput
from engine.events import pack, unpack
from engine.export.estimators import count_nodes
from engine.export.model_facts import build_facts
from engine.export.pipeline import Pipeline
from engine.export.rows import encode_text, write_augmented_csv
from engine.export.write import model_bytes
from engine.models.committee import Committee
from engine.runner.provenance import collect_provenance
from engine.spec.table_reading import TableReading

LARGE_NODES = 20_000
"""Nodes of trees from which writing a model takes long."""

TRAINED_ON = "the training rows of one replicate"
TRAINED_AGAIN = "the training and validation rows of one replicate, with what its validation rows chose"
ALL_ROWS = "all rows, with what the replicates chose"
"""Which rows the model of a file was trained on."""


def build_arrays(halving: SuccessiveHalving) -> dict[str, bytes]:
    """The artifact `arrays` and the threshold tables, over the replicates whose scores are kept."""
    # the rows' replicates are the first ones of the same rounds, so those of the longest row hold all others
    every = max((list(halving.outcomes(name).values()) for name in halving.names), key=len)
    pooled = [o for o in every if o.scores]
    sizes = [len(o.truth) for o in pooled]
    arrays: dict[str, np.ndarray] = {
        "pr_recall": curves.GRID,
        "truth": np.concatenate([o.truth for o in pooled]),
        "fold": np.repeat([o.replicate.fold for o in pooled], sizes),
        "seed": np.repeat([o.replicate.seed for o in pooled], sizes),
    }
    out = {}
    for name in halving.names:
        own = list(halving.outcomes(name).values())
        if not own:  # it failed before it finished a replicate
            continue
        arrays[f"pr/{name}"] = curves.percentile_band(np.stack([o.pr for o in own]))[0]
        parts = [o for o in own if o.scores]  # in the order of rounds, as `truth` is
        scores = {v: np.concatenate([o.scores[v] for o in parts]) for v in parts[0].scores}
        arrays[f"score/{name}"] = scores["as trained"]
        truth, passes = arrays["truth"][: sum(sizes[: len(parts)])], len(parts) // count_folds(halving)
        out[f"thresholds/{name}"] = pack(threshold_tables.build_table(scores, truth, passes))
    return {"arrays": pack(arrays), **out}


def export_models(
    halving: SuccessiveHalving,
    bench: Evaluator,
    target: str | None,
    reading: TableReading | None,
    cuts: Mapping[str, bytes],
    *,
    time: str | None = None,
    ranked: Sequence[str] = (),
    notes: list[str] | None = None,
) -> dict[str, bytes]:
    """`model/<name>`: each row's model of replicate 0, at the level that counts for it. `augmented/<name>`: the training
    rows with the synthetic rows. reading: how the table was read, if it was a file. cuts: the artifacts `decide/<name>`; a model file
    holds the calibration and the cut of its replicate. time: the column that says when a row happens.

    ranked: rows that are written first. Large models take long to write: once the time is over the others are left out. notes: gets a
    sentence for what has no file.
    """
    table, pipelines = encode(bench.dataset)[0], dict[Any, Pipeline]()
    out: dict[str, bytes] = {}
    late: list[str] = []
    said = [] if notes is None else notes
    order = sorted(halving.names, key=lambda name: (name not in ranked, ranked.index(name) if name in ranked else 0))
    for name in order:
        level = halving.level_of(name)
        if (name, level) not in bench.kept:
            continue
        fitted, train = bench.kept[name, level]
        large = isinstance(fitted.net, Committee) and count_nodes(fitted.net.members[0].estimator) > LARGE_NODES
        if large and out and halving.clock() > halving.deadline:
            late.append(halving.titles[name])
            continue
        again = bench.refitted.get((name, level))
        base = train
        if again is not None:
            fitted, train, base = again.fitted, again.train, again.rows
        key = level, again is not None
        if key not in pipelines:
            scale = fit_scale(table, len(bench.dataset.numeric_names), base, name=bench.dataset.name)
            pipelines[key] = Pipeline.of(bench.dataset, scale, reading)
        about = {
            "name": name,
            "title": halving.titles[name],
            "params": bench.choose_params(name, level),
            "target": target,
            "time": time,
            "training_rows": len(train),
            "trained_on": TRAINED_ON if again is None else TRAINED_AGAIN,
            "provenance": collect_provenance(torch.device("cpu"), torch.float32),
        }
        own = pipelines[key]
        arrays = cuts.get(f"decide/{name}")
        try:
            out[f"model/{name}"] = model_bytes(
                fitted.net,
                own,
                classes=bench.dataset.classes,
                about=about,
                decision=None if arrays is None else build_decision(unpack(arrays), bench.positive, replicate=0),
                facts=build_facts(bench.dataset, base, own),
            )
        except BadInput as error:
            said.append(f"{halving.titles[name]}: no model file. {error}")
        if fitted.synthetic is not None:
            added = int(fitted.synthetic.mask[0].sum())
            if (len(train) + added) * (len(own.columns) + 2) <= MAX_CELLS:
                text = write_augmented_csv(bench.dataset, own, train, fitted, target=target or "class")
                out[f"augmented/{name}"] = encode_text(text, reading)
    if late:
        said.append(f"No time was left to write the models of: {', '.join(late)}.")
    return out
