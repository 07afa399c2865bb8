"""The models of a comparison as ONNX files, each checked against its model before it is handed out."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence

from engine.data.table import Dataset
from engine.errors import LabError
from engine.export.onnx import check_onnx, to_onnx
from engine.export.onnx_script import write_script
from engine.export.read import load_model

MOST_MODEL = 4 << 20
"""Bytes of a model file that is converted within a comparison: conversion takes about a second for each."""

MOST_BYTES = 64 << 20
"""Bytes of all ONNX files of a comparison."""

MOST_CELLS = 4_000_000
"""Rows times columns on which a file is checked."""

SHARE = 0.05
"""Share of a comparison's budget for its ONNX files."""

LEAST = 1.0
"""Seconds below which none is begun: loading the libraries takes as long."""

NO_TIME = "The comparison had no time left to write it; compare at the terminal with --onnx."
TOO_LARGE = "It would be too large to keep beside the others; compare at the terminal with --onnx."


def export_onnx(
    models: Mapping[str, bytes],
    names: Sequence[str],
    dataset: Dataset,
    budget: float,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """(artifacts `onnx/<name>` and `onnx-script/<name>`, name -> why there is none).

    models: artifacts with `model/<name>`. names: in the order of the leaderboard. budget: seconds of the comparison. Files are checked on
    the rows of the dataset, or the first MOST_CELLS of its cells.
    """
    ends = clock() + find_seconds(budget)
    made: dict[str, bytes] = {}
    why: dict[str, str] = {}
    for name in (name for name in names if f"model/{name}" in models):
        data = models[f"model/{name}"]
        if clock() >= ends:
            why[name] = NO_TIME
        elif len(data) > MOST_MODEL or sum(map(len, made.values())) > MOST_BYTES:
            why[name] = TOO_LARGE
        else:
            try:
                made |= write_onnx(name, data, dataset)
            except LabError as error:
                why[name] = str(error)
    return made, why


def write_onnx(name: str, data: bytes, dataset: Dataset) -> dict[str, bytes]:
    """The artifacts `onnx/<name>` and `onnx-script/<name>` of a model file. Raises BadInput where there is no converter."""
    most = max(1, MOST_CELLS // max(1, dataset.numeric.shape[1] + dataset.categorical.shape[1]))
    model = load_model(io.BytesIO(data))
    onnx = to_onnx(model)
    check_onnx(onnx, model, list(dataset.numeric[:most].T), list(dataset.categorical[:most].T))
    return {f"onnx/{name}": onnx, f"onnx-script/{name}": write_script(model, f"onnx-{name}.onnx").encode()}


def find_seconds(budget: float) -> float:
    """Seconds of a budget that its ONNX files may take."""
    return SHARE * budget if SHARE * budget >= LEAST else 0.0
