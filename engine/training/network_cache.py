"""Networks that this process has trained lately, kept so that what only differs after training need not train again.

Three-phase methods, classifiers fitted on features and their comparisons share a first phase. Training is deterministic, so a kept
network is bit for bit the one that training again would give; what was said while it trained is said again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from engine.events import Epoch
from engine.models.net import Net
from engine.training.loop import Chosen

MOST = 6
"""Networks kept at once; the one used longest ago goes first."""


@dataclass(frozen=True)
class CachedNetwork:
    """A network as it came out of training, the epochs chosen, what was said of its epochs, and how many steps it took."""

    flat: Tensor
    state: list[Tensor]
    chosen: Chosen
    epochs: list[Epoch]
    steps: int


_kept: OrderedDict[str, CachedNetwork] = OrderedDict()
_lock = threading.Lock()  # scikit-learn may fit in threads


def get(key: str) -> CachedNetwork | None:
    """What is kept under this key, if anything."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def put(key: str, net: Net, chosen: Chosen, epochs: list[Epoch], steps: int) -> None:
    """Keep a copy of a trained network."""
    kept = CachedNetwork(net.flat.clone(), [t.clone() for t in net.state()], chosen, epochs, steps)
    with _lock:
        _kept[key] = kept
        _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def clear() -> None:
    """Let go of all of them."""
    with _lock:
        _kept.clear()
