"""The share of a GPU that a run on a cluster has, from its spec and the catalog of the GPU's machine.

What is estimated is `engine.runner.memory.estimate_memory`, from plain facts: the engine, which drives the cluster, imports no torch and
holds no data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from engine.errors import BadInput
from engine.executors import Work
from engine.spec import RunSpec
from engine.spec.run import find_entry

CONTEXT = 600
"""MiB of a GPU that a process takes before its first tensor."""
ROOM = 3.0
"""How many times the estimate a run may use: methods add rows and networks, libraries take room to work in."""
STEP = 0.05
"""Shares are multiples of this part of a GPU."""
MOST_SLOTS = 8
"""Slots that share a GPU where LAB_RAY_GPU does not say how many."""
COPIES, VALUE, CHUNK, MAX_VALUES = 5, 4, 20, 20_000_000
"""As in `engine.runner.memory` and `engine.runner.chunks`."""
TRUNKS = {
    "small-resnet": (38, 76_000, 0),
    "lenet": (27, 110_000, 1050),
    "resnet32": (592, 465_000, 0),
    "resnet56": (1040, 853_500, 0),
    "wrn-16-4": (1040, 2_750_000, 0),
    "wrn-28-4": (1936, 5_850_000, 0),
    "densenet-bc-100-12": (5606, 770_000, 0),
}
"""Name of a convolutional network -> values that its layers put out for each pixel of an image, its weights, and more of them per pixel."""
VALUES = 9_300
"""Values that a network puts out at least for an image, however small it is."""


def find_share(work: Work, catalog: Mapping[str, Any], least: float | None) -> float:
    """The part of a GPU of that machine, 0 to 1, that a job may use; `least` at least, where that is given.

    Where nothing is known of its need, as of comparisons, it is `least`, or a whole GPU.
    """
    there = float(catalog.get("device_memory", {}).get("cuda", 0))
    need = estimate_need(work.spec, catalog) if work.kind == "run" and there else None
    if need is None:
        return least or 1.0
    share = (CONTEXT + ROOM * need) / there
    return min(1.0, max(least or 0.0, STEP * math.ceil(share / STEP - 1e-9)))


def estimate_need(spec: Mapping[str, Any], catalog: Mapping[str, Any]) -> float | None:
    """MiB that a run takes at least: rows, networks and what backpropagation keeps. None where the catalog does not tell."""
    try:
        run = RunSpec.from_json(dict(spec))
        entry = find_entry(catalog, "datasets", run.dataset)
        rows, columns, classes = int(entry["rows"]), int(entry["features"]), len(entry["classes"])
        shape = entry["shape"]
    except (BadInput, KeyError, TypeError):
        return None
    model = str(run.params.get("model", "auto")).removeprefix("two-branch ")
    stacked = min(run.replicates, CHUNK, max(1, MAX_VALUES // max(1, rows * columns)))
    if shape is None or model == "mlp":
        sizes = [columns, *run.params.get("hidden", ()), classes]
        weights = sum((i + 1) * o for i, o in pairwise(sizes))
        kept = rows * sum(sizes[1:])
    else:
        name = model if model != "auto" else "small-resnet"
        if name not in TRUNKS:
            return None
        pixels = int(shape[1]) * int(shape[2])
        per_pixel, base, more = TRUNKS[name]
        weights = base + more * pixels
        kept = min(rows, int(run.params.get("batch", 1))) * max(VALUES, per_pixel * pixels)
    return float(VALUE * stacked * (rows * columns + COPIES * weights + kept)) / 2**20
