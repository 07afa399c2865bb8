"""Random streams: the same name gives the same draws, every other name others, and nothing global is touched."""

from __future__ import annotations

import random

import numpy as np
import torch

from engine.seeds import numpy_stream, torch_stream


def np_draws(*key: int | str) -> tuple[int, ...]:
    return tuple(numpy_stream(*key).integers(2**60, size=4).tolist())  # type: ignore[arg-type]


def torch_draws(*key: int | str) -> tuple[int, ...]:
    return tuple(torch.randint(2**60, (4,), generator=torch_stream(*key)).tolist())  # type: ignore[arg-type]


def test_the_same_name_gives_the_same_draws() -> None:
    for draws in (np_draws, torch_draws):
        assert draws(7, "init", 3, 1) == draws(7, "init", 3, 1)


def test_draws_are_those_they_always_were() -> None:
    """Other draws make every stored answer stale: raise NUMERICS with them."""
    assert numpy_stream(1, "split", 2).integers(1000, size=5).tolist() == [375, 794, 812, 123, 225]
    assert torch.randint(1000, (5,), generator=torch_stream(1, "init", 2, 3)).tolist() == [269, 422, 286, 685, 55]


def test_seed_name_and_every_key_matter() -> None:
    keys = [
        (seed, name, a, b) for seed in (0, 1, 2**31 - 1) for name in ("init", "batch", "") for a in range(12) for b in range(10)
    ]
    for draws in (np_draws, torch_draws):
        assert len({draws(*key) for key in keys}) == len(keys)
    assert len({np_draws(0, "a", i) for i in range(300)}) == 300
    assert np_draws(0, "a", 1, 2) != np_draws(0, "a", 2, 1)


def test_streams_do_not_share_their_state() -> None:
    one, two = numpy_stream(0, "a"), numpy_stream(0, "a")
    one.random(10)
    assert two.random() == numpy_stream(0, "a").random() != one.random()


def test_nothing_global_is_touched() -> None:
    states = (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist())  # type: ignore[index, union-attr]
    numpy_stream(0, "a").random(5)
    torch.rand(5, generator=torch_stream(0, "a"))
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist())  # type: ignore[index, union-attr]


def test_torch_streams_draw_on_the_cpu() -> None:
    assert torch_stream(0, "a").device == torch.device("cpu")
