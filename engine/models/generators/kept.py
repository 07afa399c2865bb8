"""Cache of the generators that this process trained last: they do not depend on the loss of the classifier that follows.

Training is deterministic, so a kept generator draws what one trained again would, bit for bit. The values of its training are kept as well.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.models.generators.adversarial import RowGenerator

MOST = 24
"""Generators in the cache; the least recently used one is removed first."""
MOST_BYTES = 256 << 20
"""Bytes of all tensors in the cache, unless the latest generator alone has more."""


@dataclass(frozen=True)
class Kept:
    """A trained generator; the name, text and steps of each of its stages, and the values of each of their events."""

    generator: RowGenerator
    plan: Sequence[tuple[str, str, int]]
    history: Sequence[Sequence[Mapping[str, float]]]

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        return sum(tensor.nbytes for tensor in self.generator.tensors())


_kept: OrderedDict[str, Kept] = OrderedDict()
_lock = threading.Lock()  # scikit-learn may fit in several threads


def get(key: str) -> Kept | None:
    """The kept generator of this key, or None."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def put(key: str, one: Kept) -> None:
    """Keeps a trained generator."""
    with _lock:
        _kept[key] = one
        _kept.move_to_end(key)
        while len(_kept) > 1 and (len(_kept) > MOST or sum(each.size for each in _kept.values()) > MOST_BYTES):
            _kept.popitem(last=False)


def clear() -> None:
    """Empties the cache."""
    with _lock:
        _kept.clear()
