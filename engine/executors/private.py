"""The jobs of a worker that need more than a spec: profiles, runs and comparisons on an uploaded table, and comparisons on
public data.

Their modules are imported when they are called. The sheet read last stays in this process, so that a profile, a comparison and
runs on one table read it once. It is cleared (`forget`) when the process takes a job on other data, and the process ends when
the table is deleted.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

from engine.errors import BadData, LabError
from engine.events import Event, Phase, unpack
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.refit import RefitSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json

READING, PROFILE, TARGET = "engine.data.tables.reading", "engine.data.tables.profile", "engine.data.tables.target"
COMPARE, CATALOG, ALL_ROWS = "engine.compare.comparison", "engine.data.sources", "engine.compare.all_rows"
ONNX = "engine.compare.onnx_files"
"""Modules with read_sheet; profile_table; to_dataset; CompareSpec, compare and describe_sheet; load; train_row; write_onnx."""

Table = tuple[str, bytes]
"""A file's name and bytes."""
Steps = Generator[Event, None, tuple[Result | dict[str, Any], dict[str, bytes]]]

_sheets: dict[str, Any] = {}


def steps(
    kind: str,
    spec: Mapping[str, Any],
    table: Table | None,
    *,
    run: Callable[..., Any],
    id: str,
    device: str = "auto",
) -> Steps:
    """The steps of a job: a generator of events that returns its result (a run's Result, else facts) and its artifacts.

    kind: run, profile or compare. table: the file, None for a comparison on a public dataset. run: `engine.runner.run`. id: of
    the job. device: of a run.

    A profile has the artifact `profile` (JSON). A comparison has `comparison` (JSON) and the artifacts of
    `engine.compare.comparison.compare`. Raises the errors of engine.errors.
    """
    if kind == "profile":
        return _profile(spec, _needed(table))
    if kind == "compare":
        return _compare(spec, table)
    return _run(RunSpec.from_json(spec), _needed(table), run, id, device)


def forget() -> None:
    """Clears the sheet that was read last."""
    _sheets.clear()


def _profile(options: Mapping[str, Any], table: Table) -> Steps:
    began = time.monotonic()
    yield Phase("reading", "Reading the table")
    sheet = _sheet(table, options["reading"], options["target"])
    yield Phase("profile", "Looking at columns and classes")
    found = importlib.import_module(PROFILE).profile_table(sheet, options["target"], options["positive"])
    return {"seconds": time.monotonic() - began}, {"profile": _json(found)}


def _compare(spec: Mapping[str, Any], table: Table | None) -> Steps:
    began = time.monotonic()
    module = importlib.import_module(COMPARE)
    asked = module.CompareSpec.from_json(spec)
    yield Phase("reading", "Reading the table" if table else "Reading the data")
    more: dict[str, Any] = {"dropped": []}
    if table is None:
        dataset = importlib.import_module(CATALOG).load(asked.source["dataset"])
    else:
        dataset = _dataset(table, spec, **asked.columns)
        more = module.describe_sheet(_sheet(table, asked.reading, asked.target), asked.target, asked.positive, **asked.columns)
    found, artifacts = yield from module.compare(dataset, asked, began=began, **more)
    return {"seconds": time.monotonic() - began}, {**artifacts, "comparison": _json(found)}


def train_all(spec: Mapping[str, Any], table: Table | None, compared: bytes) -> Steps:
    """The steps of training a row of a comparison on all rows, with the artifacts `refit` (JSON), `model/<row>`, and where it has a
    converter `onnx/<row>` and `onnx-script/<row>`; else `onnx` of the first says why not.

    spec: `engine.spec.refit.RefitSpec` as JSON. table: of the comparison, None on a public dataset. compared: npz of the bytes of its
    artifacts `comparison` and `decide/<row>`, the second empty where there is none.
    """
    began = time.monotonic()
    asked = RefitSpec.from_json(spec)
    module = importlib.import_module(ALL_ROWS)
    parts = unpack(compared)
    found = json.loads(parts["comparison"].tobytes())
    decide = unpack(parts["decide"].tobytes()) if len(parts["decide"]) else None
    made = CompareSpec.from_json(found["spec"])
    yield Phase("reading", "Reading the table" if table else "Reading the data")
    if table is None:
        dataset = importlib.import_module(CATALOG).load(made.source["dataset"])
    else:
        dataset = _dataset(table, found["spec"], **made.columns)
    facts, model = yield from module.train_row(dataset, found, asked, decide)
    yield Phase("onnx", "Writing the ONNX file")
    try:
        files, why = importlib.import_module(ONNX).write_onnx(asked.row, model, dataset), ""
    except LabError as error:
        files, why = {}, str(error)
    return {"seconds": time.monotonic() - began}, {
        "refit": _json({**facts, "onnx": why}),
        f"model/{asked.row}": model,
        **files,
    }


def _run(spec: RunSpec, table: Table, run: Callable[..., Any], id: str, device: str) -> Steps:
    yield Phase("reading", "Reading the table")
    result, artifacts = yield from run(spec, device=device, dataset=_dataset(table, spec.data))
    return replace(result, run_id=id), artifacts  # the id also depends on the table and its owner


def _dataset(table: Table, options: Mapping[str, Any], **columns: Any) -> Any:
    sheet = _sheet(table, options.get("reading") or {}, options["target"])
    make = importlib.import_module(TARGET).to_dataset
    return make(sheet, options["target"], options.get("positive"), name=table[0], **columns)


def _sheet(table: Table, reading: Mapping[str, Any], target: str | None) -> Any:
    """The table as read. Where it has no column of the target's name so, its header is looked for by that name."""
    sheet = _read_once(table, reading, None)
    if target is None or any(column.name.casefold() == target.strip().casefold() for column in sheet.columns):
        return sheet
    return _read_once(table, reading, target)


def _read_once(table: Table, reading: Mapping[str, Any], target: str | None) -> Any:
    name, data = table
    key = hashlib.sha256(canonical_json([name, dict(reading), target]).encode() + data).hexdigest()
    if key not in _sheets:
        _sheets.clear()
        _sheets[key] = importlib.import_module(READING).read_sheet(data, name, dict(reading), target=target)
    return _sheets[key]


def _needed(table: Table | None) -> Table:
    if table is None:
        raise BadData("The table is no longer here; send it again.")
    return table


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
