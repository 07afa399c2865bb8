"""The two forms of data in this engine: a Dataset as read, and a Task ready to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from engine.data.table import Dataset

__all__ = ["Dataset", "Replicate", "Rows", "Task"]


@dataclass(frozen=True)
class Rows:
    """One part (train, validation, ...) of R replicates, padded to the longest: x [R, N, D], y [R, N] int64, mask [R, N] bool.

    Padding is at the end, with x = 0, y = 0 and mask False. N is at least 1. weight [R, N]: how much each row counts, above 0, and 0
    on padding; None where all rows count the same.
    """

    x: torch.Tensor
    y: torch.Tensor
    mask: torch.Tensor
    weight: torch.Tensor | None = field(default=None, kw_only=True)

    @property
    def sizes(self) -> torch.Tensor:
        """Rows per replicate [R]."""
        return self.mask.sum(1)

    def counts(self, classes: int) -> torch.Tensor:
        """Rows per replicate and class [R, C]."""
        one_hot = torch.nn.functional.one_hot(self.y, classes) * self.mask.unsqueeze(2)
        return one_hot.sum(1)

    def class_weights(self, classes: int) -> torch.Tensor | None:
        """Mean weight of the rows of each class [R, C], 1 for a class without rows; None where all rows count the same."""
        if self.weight is None:
            return None
        own = torch.nn.functional.one_hot(self.y, classes) * self.mask.unsqueeze(2)
        counts = own.sum(1)
        total = (own * self.weight.unsqueeze(2)).sum(1)
        return torch.where(counts > 0, total / counts.clamp(min=1), 1.0)


@dataclass(frozen=True)
class Replicate:
    """A replicate: its number in the run, seed index, fold. member: which network of a committee it is; each has streams of its own."""

    number: int
    seed: int
    fold: int
    member: int = 0


@dataclass(frozen=True)
class Task:
    """R replicates of one spec, on the device. Each is scaled and encoded on its own training rows.

    withheld: rows dropped from training's share, which the method `potential` trains on. withheld_elsewhere: rows dropped from
    validation's and test's share. Both may be empty (mask all False). features: names of the D columns. seed: the spec's; with
    each Replicate it names the random streams (engine.seeds). shape: (channels, height, width) where the rows are flat images.
    source [R][N]: number of every training row in the dataset, as drawn for the replicate's seed index; valid_source, test_source: of
    every validation and test row. patience: epochs without a better validation score after which a training phase stops, where the phase
    sets none itself; 0: never. levels: number of levels of every categorical column; their columns of 0 and 1 are the last ones. Empty
    where features are no such columns (components). units [R]: mean and standard deviation [D] of the columns, in the units of the data;
    empty where the features are no columns (images, components). faint [R]: validation rows that a film shows faintly [n, D], empty where
    the data name none. held_out: False where there are too few rows for validation; `valid` then holds the training rows, and the last
    epoch is chosen. chosen: what an earlier fit chose on validation rows, as in `Fitted.chosen`; training takes it over and chooses nothing
    (`engine.training.refit`). Empty: nothing is chosen yet. settings: parameters of the method in which the members differ, by name -> [R]
    on the CPU, float64, or int64 for whole numbers and for places in a parameter's choices; see `engine.training.settings`. sample:
    validation rows, with weights, on which epochs are chosen; None: all. followed: False where nobody reads the values of each epoch, so
    that a model that chooses nothing by them need not measure them. greys [R]: mean and standard deviation [channels] by which the grey
    values, from 0 to 1, of images were standardised; empty where rows are no images.
    """

    classes: tuple[str, ...]
    features: tuple[str, ...]
    kind: str
    train: Rows
    valid: Rows
    test: Rows
    withheld: Rows
    withheld_elsewhere: Rows
    replicates: tuple[Replicate, ...]
    seed: int
    shape: tuple[int, int, int] | None = None
    source: tuple[np.ndarray, ...] = ()
    valid_source: tuple[np.ndarray, ...] = ()
    test_source: tuple[np.ndarray, ...] = ()
    patience: int = 0
    held_out: bool = True
    levels: tuple[int, ...] = ()
    units: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    faint: tuple[np.ndarray, ...] = ()
    chosen: Mapping[str, torch.Tensor] = field(default_factory=dict)
    settings: Mapping[str, torch.Tensor] = field(default_factory=dict)
    sample: Rows | None = None
    followed: bool = True
    greys: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @property
    def chosen_on(self) -> Rows:
        """The rows on which epochs are chosen."""
        return self.valid if self.sample is None else self.sample

    @property
    def device(self) -> torch.device:
        """The device that holds the rows."""
        return self.train.x.device

    @property
    def dtype(self) -> torch.dtype:
        """float32; float64 in checks."""
        return self.train.x.dtype

    @property
    def minority(self) -> torch.Tensor:
        """Which classes are below the largest in training, [C] bool, summed over replicates; none where all are equal."""
        counts = self.train.counts(len(self.classes)).sum(0)
        return counts < counts.max()

    @property
    def largest(self) -> int:
        """The largest class in training, summed over replicates; ties go to the lowest label."""
        return int(self.train.counts(len(self.classes)).sum(0).argmax())
