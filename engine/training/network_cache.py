"""Cache of the networks that this process trained last, so that a shared first phase is trained once.

Three-phase methods, classifiers fitted on features, a run's controls and plain training share a first phase. Training is deterministic, so
a cached network equals, bit for bit, one trained again. The events of its training are repeated as well. Its frames are recorded anew,
from snapshots of the network at the steps of the frames: another method may record them at other steps.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from engine.events import Epoch
from engine.models import feature_cache
from engine.models.generators import kept
from engine.models.net import Net
from engine.training.camera import Snapshot
from engine.training.loop import Chosen

MOST = 6
"""Networks in the cache; the least recently used one is removed first."""
MOST_BYTES = 48 << 20
"""Bytes of all snapshots in the cache. A network with more is kept without them."""
MOST_IN_ALL = 256 << 20
"""Bytes of all tensors in the cache, unless the latest network alone has more."""


@dataclass(frozen=True)
class CachedNetwork:
    """A trained network, its chosen epochs, the events of its epochs, the number of steps it took, and snapshots by steps taken."""

    flat: Tensor
    state: list[Tensor]
    chosen: Chosen
    epochs: list[Epoch]
    steps: int
    snapshots: dict[int, Snapshot]

    @property
    def film_size(self) -> int:
        """Bytes of the snapshots."""
        return sum(snapshot.size for snapshot in self.snapshots.values())

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        return self.film_size + sum(tensor.nbytes for tensor in (self.flat, *self.state))


_kept: OrderedDict[str, CachedNetwork] = OrderedDict()
_lock = threading.Lock()  # scikit-learn may fit in several threads


def get(key: str) -> CachedNetwork | None:
    """The cached network of this key, or None."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def put(key: str, net: Net, chosen: Chosen, epochs: list[Epoch], steps: int, snapshots: Iterable[Snapshot] = ()) -> None:
    """Stores a copy of a trained network."""
    own = {snapshot.taken: snapshot for snapshot in snapshots}
    one = CachedNetwork(net.flat.clone(), [t.clone() for t in net.state()], chosen, epochs, steps, own)
    with _lock:
        _kept[key] = one
        _kept.move_to_end(key)
        while len(_kept) > 1 and _is_full():
            _kept.popitem(last=False)


def count_bytes() -> int:
    """Bytes of the tensors in the cache."""
    with _lock:
        return sum(one.size for one in _kept.values())


def clear() -> None:
    """Empties the cache, and those of features and generators."""
    feature_cache.clear()
    kept.clear()
    with _lock:
        _kept.clear()


def _is_full() -> bool:
    every = _kept.values()
    films, in_all = (sum(sizes) for sizes in zip(*((one.film_size, one.size) for one in every), strict=True))
    return len(every) > MOST or films > MOST_BYTES or in_all > MOST_IN_ALL
