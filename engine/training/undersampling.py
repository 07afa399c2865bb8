"""Random under-sampling of a task's training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.seeds import numpy_stream


def keep_rows(task: Task, ratios: Sequence[float] | None = None) -> Tensor:
    """Which training rows are kept, [R, N] bool: of each class at most as many times the smallest's as the
    replicate's ratio says; None: 1 for all.

    Drawn without replacement, class after class, one stream per replicate.
    """
    kept = task.train.mask.clone()
    for r, replicate in enumerate(task.replicates):
        stream = numpy_stream(task.seed, "points", replicate.seed, replicate.fold)
        rng = np.random.RandomState(stream.integers(2**32, dtype=np.uint32))  # imbalanced-learn's kind of generator
        members = [torch.nonzero(kept[r] & (task.train.y[r] == c)).squeeze(1) for c in range(len(task.classes))]
        most = int((1.0 if ratios is None else ratios[r]) * min(len(own) for own in members if len(own)))
        for own in members:
            if len(own) > most:
                kept[r, own] = False
                kept[r, own[torch.from_numpy(rng.choice(len(own), most, replace=False)).to(own.device)]] = True
    return kept
