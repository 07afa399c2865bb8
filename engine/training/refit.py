"""Trains a chosen model again on training and validation rows, or on all rows.

    joined = join_rows(dataset, task, hold=method.needs_validation)
    refitted = yield from refit(method, joined, fitted)

What validation rows chose stays: each replicate ends every phase at the epoch of its first fit, and the numbers that a method chose
(`Fitted.chosen`) are taken over. Nothing is chosen again, so patience is off. Scaling and encoding are fitted on all of the joined
rows, and on no test row. A method that reads validation rows while it trains (`Method.needs_validation`) keeps a fifth of the joined
rows apart for that, by class, and by group where the dataset names the owners of its rows.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Dataset, Replicate, Task
from engine.data.prepare import build_task
from engine.data.split import Parts
from engine.events import Event
from engine.seeds import numpy_stream
from engine.training.camera import Camera
from engine.training.fitted import Fitted

HELD = 5
"""A fifth of the rows is kept apart for a method that reads validation rows."""


class Trains(Protocol):
    """A method, as far as it is needed here."""

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]: ...


def join_rows(dataset: Dataset, task: Task, *, hold: bool = False) -> Task:
    """The task with training and validation rows of every replicate joined to training rows, scaled and encoded on them alone.

    dataset: that the task was prepared from, whose rows do not depend on the seed index. hold: keeps a fifth apart, as `valid`; else
    `valid` holds the training rows, since no row is left. `chosen` is empty: `refit` fills it.
    """
    pairs = zip(task.source, task.valid_source, strict=True)
    rows = [np.sort(np.concatenate(pair)) for pair in pairs]
    return _build(
        dataset, task.replicates, rows, task.test_source, seed=task.seed, hold=hold, device=task.device, dtype=task.dtype
    )


def take_all(dataset: Dataset, rows: np.ndarray, *, seed: int, hold: bool = False) -> Task:
    """A task of one replicate that trains on all of `rows` (numbers of the dataset) and has no test rows. hold: as in `join_rows`."""
    none = np.zeros(0, np.int64)
    return _build(dataset, (Replicate(0, 0, 0),), [np.sort(rows)], [none], seed=seed, hold=hold)


def refit(method: Trains, joined: Task, fitted: Fitted) -> Generator[Event, None, Fitted]:
    """Trains again on joined rows, with all that validation rows chose for `fitted`. joined: of `join_rows` or `take_all`, with as
    many replicates.
    """
    return (yield from train_chosen(method, joined, fitted.chosen))


def train_chosen(method: Trains, joined: Task, chosen: Mapping[str, Tensor]) -> Generator[Event, None, Fitted]:
    """Trains on joined rows with what was chosen, as `Fitted.chosen` has it."""
    task = replace(joined, chosen=dict(chosen), patience=0)
    return (yield from method.fit(task, camera=Camera(task, 0)))


def agree(chosen: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What fits of several replicates chose, as one replicate's: the median of each number, whole where all are whole.

    chosen: `Fitted.chosen` of fits of one method, each with one or more replicates. The lower one of two medians.
    """
    names = chosen[0].keys()
    return {name: torch.cat([one[name] for one in chosen]).median(0).values.unsqueeze(0) for name in names}


def _build(
    dataset: Dataset,
    replicates: Sequence[Replicate],
    rows: Sequence[np.ndarray],
    test: Sequence[np.ndarray],
    *,
    seed: int,
    hold: bool,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Task:
    none = np.zeros(0, np.int64)
    parts = []
    for replicate, own, tested in zip(replicates, rows, test, strict=True):
        held = _hold_out(dataset, own, seed, replicate) if hold else none
        parts.append(Parts(np.setdiff1d(own, held), held, tested, none, none))
    drawn = {r.seed: dataset for r in replicates}
    task = build_task(drawn, replicates, parts, seed=seed, scaled_on=rows, device=device, dtype=dtype)
    return replace(task, held_out=False) if hold else replace(task, valid=task.train, held_out=False)


def _hold_out(dataset: Dataset, rows: np.ndarray, seed: int, replicate: Replicate) -> np.ndarray:
    """A fifth of the rows, by class: at least one of a class with two or more. Rows of one owner stay together where that leaves every
    class rows on both sides.
    """
    rng = numpy_stream(seed, "refit", replicate.seed, replicate.fold)
    y, owner = dataset.y[rows], getattr(dataset, "owner", None)
    if owner is not None:
        own = owner[rows]
        groups = np.where(own < 0, own.max() + 1 + np.arange(len(rows)), own)
        for _, held in _deal_groups(y, groups, int(rng.integers(2**31))):
            left = np.setdiff1d(np.arange(len(rows)), held)
            if set(y[held].tolist()) == set(y[left].tolist()) == set(y.tolist()):
                kept: np.ndarray = rows[np.sort(held)]
                return kept
    picked = []
    for c in np.unique(y):
        mine = rng.permutation(rows[y == c])
        picked.append(mine[: min(max(1, round(len(mine) / HELD)), len(mine) - 1)])
    return np.sort(np.concatenate(picked))


def _deal_groups(y: np.ndarray, groups: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Five pairs (left, held) of row numbers, with whole groups; none where there are fewer than five groups or rows of a class."""
    if len(np.unique(groups)) < HELD or np.bincount(y).max() < HELD:
        return []
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than folds
        return list(StratifiedGroupKFold(HELD, shuffle=True, random_state=seed).split(np.zeros(len(y)), y, groups))
