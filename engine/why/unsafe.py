"""Unsafe points of a fit (`engine.analysis.unsafe`): the hidden rows are the test part's rows of the largest training class."""

from __future__ import annotations

import numpy as np
import torch

from engine.analysis.unsafe import find_unsafe
from engine.data.dataset import Task
from engine.training.fitted import Fitted


@torch.no_grad()
def measure_unsafe(task: Task, fitted: Fitted) -> tuple[np.ndarray, np.ndarray] | None:
    """(unsafe, made): synthetic rows of each replicate, both [R]; None for a method that made none. Nothing is trained or chosen by it.

    Synthetic features are compared with the features of the rows, in the network's last layer but one.
    """
    made = fitted.embedded if fitted.embedded is not None else fitted.synthetic
    if made is None:
        return None
    train, test = task.train.x, task.test.x
    if fitted.embedded is not None:
        train, test = fitted.net.embed(train, task.train.mask), fitted.net.embed(test, task.test.mask)
    unsafe, count = [], []
    for r in range(len(task.replicates)):
        own, real, hidden = made.mask[r], task.train.mask[r], task.test.mask[r] & (task.test.y[r] == task.largest)
        found = find_unsafe(made.x[r][own], made.y[r][own], train[r][real], task.train.y[r][real], test[r][hidden])
        unsafe.append(int(found.sum()))
        count.append(int(own.sum()))
    return np.array(unsafe), np.array(count)
