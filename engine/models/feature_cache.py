"""Cache of the features that convolutional networks made last, so that the same layers see the same rows once.

The last layer is trained on fixed layers and evaluated every epoch; a run's features are asked for by its sampler, its frames, its
gap and its record; runs that share a first phase ask for the same ones again. Layers and rows are compared by value, which costs
a thousandth of computing the features.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 6
"""Sets of rows in the cache; the least recently used one is removed first."""

LARGEST = 1 << 22
"""Most values in a set of rows that is kept: 16 MiB."""


@dataclass(frozen=True)
class CachedFeatures:
    """Features [R, N, H] of rows x [R, N, D] under layers: kind names the network, values are parameters and statistics.

    version: that of x, which counts changes in place.
    """

    kind: str
    values: tuple[Tensor, ...]
    x: Tensor
    version: int
    features: Tensor


_kept: OrderedDict[int, CachedFeatures] = OrderedDict()
_lock = threading.Lock()  # scikit-learn may fit in several threads


def get(kind: str, values: tuple[Tensor, ...], x: Tensor) -> Tensor | None:
    """A copy of the cached features of these rows under these layers, or None."""
    with _lock:
        for key in reversed(_kept):
            one = _kept[key]
            if one.kind == kind and one.version == one.x._version and _equal((*one.values, one.x), (*values, x)):
                _kept.move_to_end(key)
                return one.features.clone()
    return None


def put(kind: str, values: tuple[Tensor, ...], x: Tensor, features: Tensor) -> None:
    """Stores these features, in place of earlier ones of the same rows. Rows on a device and large sets are not kept."""
    if x.device.type != "cpu" or x.numel() > LARGEST or x.requires_grad:
        return
    one = CachedFeatures(kind, tuple(value.clone() for value in values), x, x._version, features.clone())
    with _lock:
        _kept[id(x)] = one  # x is held, so its number is its own
        _kept.move_to_end(id(x))
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def clear() -> None:
    """Empties the cache."""
    with _lock:
        _kept.clear()


def _equal(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(
        a is b or (a.shape == b.shape and a.dtype == b.dtype and a.device == b.device and torch.equal(a, b))
        for a, b in zip(one, other, strict=True)
    )
