"""Named random streams derived from a spec's seed. No generator is global, and no function seeds one from a plain integer."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def numpy_stream(seed: int, name: str, *keys: int) -> np.random.Generator:
    """The NumPy generator of this name for (seed, keys), such as ('split', seed index)."""
    return np.random.default_rng(_sequence(seed, name, keys))


def torch_stream(seed: int, name: str, *keys: int) -> torch.Generator:
    """The CPU torch generator of this name for (seed, keys), such as ('init', seed index, fold). Draw on the CPU, then move."""
    state = _sequence(seed, name, keys).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 ^ int(state[1]))


def _sequence(seed: int, name: str, keys: tuple[int, ...]) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(name.encode()), *keys])
