"""Cache of the networks that this process trained last, so that a shared first phase is trained once.

Three-phase methods, classifiers fitted on features and comparisons of them share a first phase. Training is deterministic, so a
cached network equals, bit for bit, one trained again. The events of its training are repeated as well.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from engine.events import Epoch
from engine.models import feature_cache
from engine.models.net import Net
from engine.training.loop import Chosen

MOST = 6
"""Networks in the cache; the least recently used one is removed first."""


@dataclass(frozen=True)
class CachedNetwork:
    """A trained network, its chosen epochs, the events of its epochs, and the number of steps it took."""

    flat: Tensor
    state: list[Tensor]
    chosen: Chosen
    epochs: list[Epoch]
    steps: int


_kept: OrderedDict[str, CachedNetwork] = OrderedDict()
_lock = threading.Lock()  # scikit-learn may fit in several threads


def get(key: str) -> CachedNetwork | None:
    """The cached network of this key, or None."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def put(key: str, net: Net, chosen: Chosen, epochs: list[Epoch], steps: int) -> None:
    """Stores a copy of a trained network."""
    kept = CachedNetwork(net.flat.clone(), [t.clone() for t in net.state()], chosen, epochs, steps)
    with _lock:
        _kept[key] = kept
        _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def clear() -> None:
    """Empties the cache, and that of features."""
    feature_cache.clear()
    with _lock:
        _kept.clear()
