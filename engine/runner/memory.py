"""What memory a run needs at least, told from its spec and the size of its data before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from engine.data.table import Dataset
from engine.errors import BadInput
from engine.models.cnn import TRUNKS, Shape, parameters
from engine.runner.chunks import chunk_size
from engine.settings import read_setting
from engine.spec import RunSpec
from engine.spec.limits import target_counts
from engine.training import network_cache

COPIES = 5
"""Tensors of the size of a network that training holds at once: parameters, gradient, Adam's two moments, the best epoch's."""
VALUE = 4
"""Bytes of a float32."""


def require_memory(spec: RunSpec, dataset: Dataset) -> None:
    """Raises BadInput where a run on the CPU needs more than LAB_WORKER_MEMORY, which is set in every worker.

    Empties the cache of networks where the run and the cache need more together.
    """
    limit = read_setting("LAB_WORKER_MEMORY", 0)
    if not limit:
        return
    if (need := estimate_memory(spec, dataset)) > limit:
        raise BadInput(
            f"This run needs about {need:,.0f} MiB of memory, and a run may use {limit:,} MiB here: ask for a smaller network, a "
            "smaller batch, fewer rows or fewer seeds and folds, which train together. LAB_WORKER_MEMORY sets the limit."
        )
    if need + network_cache.count_bytes() / 2**20 > limit:
        network_cache.clear()


def estimate_memory(spec: RunSpec, dataset: Dataset) -> float:
    """MiB that a run on the CPU takes at least beyond its data as loaded: rows, networks and what backpropagation keeps.

    spec: completed. Plain training in float32; a method that adds rows or networks needs up to twice as much.
    """
    stacked = min(spec.replicates, chunk_size(dataset))
    counts = [int(count) for count in dataset.counts]
    cut = spec.imbalance.where == "all" and spec.imbalance.profile != "remove"  # else the test part keeps its natural rows
    rows = sum(target_counts(counts, spec.imbalance)) if cut else sum(counts)
    shape = None if dataset.images is None else _shape(dataset.images[0].shape)
    pixels = 0 if shape is None else shape[0] * shape[1] * shape[2]
    columns = int(dataset.numeric.shape[1]) + sum(map(len, dataset.categories)) + pixels
    model = _network(spec.params, shape)
    if model == "mlp":
        sizes = [columns, *spec.params.get("hidden", ()), len(counts)]
        weights = sum((i + 1) * o for i, o in pairwise(sizes))
        kept = rows * sum(sizes[1:])  # all rows pass at once where the network is measured
    else:
        assert shape is not None
        weights = parameters(model, shape, len(counts))
        kept = min(rows, spec.params.get("batch", 1)) * count_activations(model, shape)
    return float(VALUE * stacked * (rows * columns + COPIES * weights + kept)) / 2**20


def count_activations(model: str, shape: Shape) -> int:
    """Values that the layers below the head put out for one image."""
    counts: list[int] = []
    with torch.device("meta"), torch.no_grad():
        trunk = TRUNKS[model](shape).eval()
        for module in trunk.modules():
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
                module.register_forward_hook(lambda _, __, out: counts.append(out.numel()))
        trunk(torch.zeros(1, *shape))
    return sum(counts)


def _network(params: Mapping[str, Any], shape: Shape | None) -> str:
    """As `DeepMethod.network`: the network that `model` stands for."""
    model = str(params.get("model", "mlp"))
    return model if model != "auto" else "mlp" if shape is None else "small-resnet"


def _shape(shape: Sequence[int]) -> Shape:
    channels, height, width = (int(size) for size in shape)
    return channels, height, width
