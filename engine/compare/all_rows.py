"""Trains a row of a comparison again on all rows, with what its replicates chose, for use on rows to come.

Epochs, trees and whatever else validation rows chose are the medians over the row's replicates; calibration and cut are those of the
comparison. No row is left to test this model on: what is promised of it are the readings of the replicates' models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch

from engine.compare.artifacts import ALL_ROWS
from engine.compare.bench import Evaluator
from engine.compare.comparison import rebuild_evaluator
from engine.compare.decision import build_decision
from engine.compare.installed import find_method
from engine.data.dataset import Dataset
from engine.data.prepare import encode, fit_scale
from engine.data.split import split
from engine.errors import BadInput
from engine.events import Event, Phase
from engine.export.model_facts import build_facts
from engine.export.pipeline import Pipeline
from engine.export.write import model_bytes
from engine.methods import describe_methods
from engine.methods.base import Method
from engine.runner.provenance import collect_provenance
from engine.settings import read_setting
from engine.spec.comparison import CompareSpec
from engine.spec.contest import IN_USE, NETWORK, read_model
from engine.spec.refit import RefitSpec
from engine.spec.table_reading import TableReading
from engine.stats.decide import Rule
from engine.text import quote
from engine.training import network_cache
from engine.training.refit import agree, take_all, train_chosen

OLD = "This comparison was made before models could be trained on all rows: compare again first."


def train_row(
    dataset: Dataset, found: Mapping[str, Any], asked: RefitSpec, decide: Mapping[str, np.ndarray] | None
) -> Generator[Event, None, tuple[dict[str, Any], bytes]]:
    """The steps of training a row of a comparison again, see `train_on_all`. dataset: that was compared. found: the comparison's result.

    Raises BadInput for a row that it does not have, or that cannot be trained again.
    """
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    row = next((row for row in found["methods"] if row["name"] == asked.row), None)
    if row is None:
        raise BadInput(f"The comparison has no row {quote(asked.row)}.")
    spec = CompareSpec.from_json(found["spec"]).hold_plugins({"methods": describe_methods()})
    reading = None if found.get("reading") is None else TableReading.from_json(found["reading"])
    told = None if reading is None else reading.target
    bench = rebuild_evaluator(dataset, spec, spec.positive if told is None else told.positive)
    about = {"target": spec.target if told is None else told.name, "time": spec.time}
    rule = None if asked.rule is None else Rule(**asked.rule)
    return (
        yield from train_on_all(
            bench,
            _make_method(row),
            row,
            decide=decide,
            about=about,
            reading=reading,
            rule=rule,
            calibration=asked.calibration,
        )
    )


def _make_method(row: Mapping[str, Any]) -> Method:
    """The method of a row, with its parameters. Raises BadInput."""
    model = read_model(row)
    if model == IN_USE:
        raise BadInput("The score in use is a column of the table: there is nothing to train.")
    kind = find_method(row["name"] if model == NETWORK else model)
    own = {f.name for f in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in row["params"].items() if name in own})


def train_on_all(
    bench: Evaluator,
    trained: Method,
    row: Mapping[str, Any],
    *,
    decide: Mapping[str, np.ndarray] | None,
    about: Mapping[str, Any],
    reading: TableReading | None,
    rule: Rule | None = None,
    calibration: str | None = None,
) -> Generator[Event, None, tuple[dict[str, Any], bytes]]:
    """The steps of training a row again: yields events, returns (facts, the model file).

    bench: of the same table and spec as the comparison. trained: the method of the row, with its parameters. row: its record of the
    result.
    decide: its artifact `decide/<name>`, unpacked; None: the file decides nothing. about: more facts for the file. reading: how the
    table was read. rule, calibration: others than the comparison's.

    Facts: name, title, rows (trained on), held_out (kept apart for a method that reads validation rows), epochs {what was chosen: number
    or numbers}, replicates, positive, share, calibration, cut, rule, promised, text (a sentence). Raises BadInput.
    """
    chosen = row.get("chosen")
    if chosen is None:
        raise BadInput(OLD)
    if not row["replicates"]:
        raise BadInput(f"{row['title']} finished no replicate, so nothing was chosen for it: allow more seconds.")
    try:
        yield Phase("refit", "Training on all rows")
        data, hold = bench.dataset, trained.needs_validation
        task = take_all(data, _list_rows(bench), seed=bench.spec.seed, hold=hold)
        taken = agree([{name: _as_tensor(values) for name, values in chosen.items()}])
        fitted = yield from train_chosen(trained, task, taken)
    finally:
        network_cache.clear()
    yield Phase("saving", "Saving the model")
    train = task.source[0]
    every = np.union1d(train, task.valid_source[0]) if hold else train
    pipeline = Pipeline.of(data, fit_scale(encode(data)[0], len(data.numeric_names), every, name=data.name), reading)
    decision = None if decide is None else build_decision(decide, bench.positive, rule=rule, calibration=calibration)
    told = {name: value[0].tolist() for name, value in taken.items()}
    facts = {
        "name": row["name"],
        "title": row["title"],
        "rows": len(train),
        "held_out": len(every) - len(train),
        "epochs": told,
        "replicates": row["replicates"],
        "positive": data.classes[bench.positive],
        **({} if decision is None else decision.to_json()),
        "text": describe_training(row["title"], len(train), len(every) - len(train), told, row["replicates"]),
    }
    facts["positive"] = data.classes[bench.positive]
    content = model_bytes(
        fitted.net,
        pipeline,
        classes=data.classes,
        about={
            "name": row["name"],
            "title": row["title"],
            "params": row["params"],
            "training_rows": len(train),
            "trained_on": ALL_ROWS,
            "chosen": told,
            "provenance": collect_provenance(torch.device("cpu"), torch.float32),
            **about,
        },
        decision=decision,
        facts=build_facts(data, every, pipeline),
    )
    return facts, content


def describe_training(title: str, rows: int, held: int, chosen: Mapping[str, Any], replicates: int) -> str:
    """How the model was trained, in one or two sentences."""
    counted = [f"{name} {value:,}" for name, value in chosen.items() if isinstance(value, int)]
    ends = f" Epochs or trees: {', '.join(counted)}, the median over {replicates} replicates." if counted else ""
    kept = f" {held:,} more rows are kept apart, which the method reads while it trains." if held else ""
    return f"{title} is trained on all {rows:,} rows.{ends}{kept}"


def _as_tensor(values: Any) -> torch.Tensor:
    """[R, ...]: whole numbers as int64, others as float64."""
    array = np.asarray(values)
    return torch.from_numpy(array.astype(np.int64 if array.dtype.kind == "i" else np.float64))


def _list_rows(bench: Evaluator) -> np.ndarray:
    """Numbers of all rows; with a ratio, of those that it leaves."""
    if bench.spec.imbalance.profile == "native":
        return np.arange(len(bench.dataset.y))
    parts = split(bench.dataset, bench.spec, 0)[0]
    rows: np.ndarray = np.sort(np.concatenate([parts.train, parts.valid, parts.test]))
    return rows
