"""Unsafe points of a fit (`engine.analysis.unsafe`): the hidden rows are the test part's rows of the largest training class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.analysis.unsafe import find_unsafe
from engine.data.dataset import Task
from engine.seeds import numpy_stream
from engine.training.fitted import Fitted

MOST_MADE, LEAST_MADE, MOST_PRODUCTS = 2000, 100, 200_000_000
"""Synthetic rows of a replicate that are looked at: as many as MOST_PRODUCTS multiplications allow, between these."""


@dataclass(frozen=True)
class Unsafe:
    """unsafe, looked, made [R]: synthetic rows of each replicate that are unsafe, were looked at, and were made."""

    unsafe: np.ndarray
    looked: np.ndarray
    made: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Unsafe share of each replicate [R]; NaN where it made no row."""
        out: np.ndarray = np.where(self.looked > 0, self.unsafe / np.maximum(self.looked, 1), np.nan)
        return out


@torch.no_grad()
def measure_unsafe(task: Task, fitted: Fitted) -> Unsafe | None:
    """Unsafe synthetic rows of a fit; None for a method that made none. Nothing is trained or chosen by it.

    Synthetic features are compared with the features of the rows, in the network's last layer but one. Of many rows some are drawn.
    """
    made = fitted.embedded if fitted.embedded is not None else fitted.synthetic
    if made is None:
        return None
    train, test = task.train.x, task.test.x
    if fitted.embedded is not None:
        train, test = fitted.net.embed(train, task.train.mask), fitted.net.embed(test, task.test.mask)
    unsafe, looked = [], []
    for r, replicate in enumerate(task.replicates):
        real, hidden = task.train.mask[r], task.test.mask[r] & (task.test.y[r] == task.largest)
        at = torch.nonzero(made.mask[r]).squeeze(1)
        most = MOST_PRODUCTS // max(1, train.shape[2] * int(real.sum() + hidden.sum()))
        most = max(LEAST_MADE, min(MOST_MADE, most))
        if len(at) > most:
            stream = numpy_stream(task.seed, "unsafe", replicate.seed, replicate.fold)
            at = at[torch.from_numpy(np.sort(stream.permutation(len(at))[:most])).to(at.device)]
        found = find_unsafe(made.x[r][at], made.y[r][at], train[r][real], task.train.y[r][real], test[r][hidden])
        unsafe.append(int(found.sum()))
        looked.append(len(at))
    return Unsafe(np.array(unsafe), np.array(looked), made.mask.sum(1).cpu().numpy())
