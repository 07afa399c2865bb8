"""What a page shows of a generator's rows, as arrays of the artifact `generated/<replicate>`."""

from __future__ import annotations

import numpy as np
import torch

from engine.data.dataset import Task
from engine.training.fitted import Fitted

SHOWN = 24
"""New rows of each class, at most."""


@torch.no_grad()
def make_generated_artifact(task: Task, fitted: Fitted, r: int) -> dict[str, np.ndarray]:
    """Replicate r's first new images of each class, with their nearest training rows; nothing where there are no generated images.

    x uint8 [C, 24, h, w, channels]; count int64 [C]: how many of the 24 there are, the rest is black. near int64 [C, 24]: number in the
    dataset of the nearest training row of the class, -1 where there is none; near_distance float32, between standardised pixels. judged
    int16: the class that another classifier names, -1 where none was asked. top int64, alpha float32 [C, 24, 5]: the rows with the largest
    weights in a convex combination, by number in the dataset, -1 past the last; there for methods that make such rows. base, other int64,
    step float32 [C, 24]: the rows between whose codes a new one lies, and its share of the way. picture/<name> uint8 [C, k, p, h, w,
    channels]: rows that belong beside the first k.
    """
    made, how = fitted.synthetic, fitted.generated
    if made is None or how is None or task.shape is None or made.x.shape[2] != np.prod(task.shape):
        return {}
    channels, height, width = task.shape
    classes = len(task.classes)
    mean, sd = task.greys[r]

    def draw(rows: torch.Tensor) -> np.ndarray:
        """Flat standardised images [..., D] as grey values [..., h, w, channels]."""
        grey = rows.double().cpu().numpy().reshape(*rows.shape[:-1], channels, height, width)
        grey = np.moveaxis(grey, -3, -1) * sd + mean
        out: np.ndarray = np.clip(np.rint(np.nan_to_num(grey) * 255), 0, 255).astype(np.uint8)
        return out

    own = task.train.mask[r]
    real, y, numbers = task.train.x[r][own].double(), task.train.y[r][own], task.source[r]
    x, labels = made.x[r][made.mask[r]], made.y[r][made.mask[r]]
    out: dict[str, np.ndarray] = {
        "x": np.zeros((classes, SHOWN, height, width, channels), np.uint8),
        "count": np.zeros(classes, np.int64),
        "near": np.full((classes, SHOWN), -1, np.int64),
        "near_distance": np.full((classes, SHOWN), np.nan, np.float32),
        "judged": np.full((classes, SHOWN), -1, np.int16),
    }
    for name in ("top", "base", "other"):
        if name in how.how:
            out[name] = np.full((classes, SHOWN, *how.how[name].shape[2:]), -1, np.int64)
    for name in ("alpha", "step"):
        if name in how.how:
            out[name] = np.zeros((classes, SHOWN, *how.how[name].shape[2:]), np.float32)
    for c in range(classes):
        at = torch.nonzero(labels == c).squeeze(1)[:SHOWN]
        if not len(at):
            continue
        count = out["count"][c] = len(at)
        out["x"][c, :count] = draw(x[at])
        near, members = torch.cdist(x[at].double(), real[y == c]), torch.nonzero(y == c).squeeze(1)
        distance, nearest = near.min(1)
        out["near"][c, :count] = numbers[members[nearest].cpu().numpy()]
        out["near_distance"][c, :count] = distance.cpu().numpy()
        for name in ("top", "base", "other", "alpha", "step"):
            if name in out:
                values = how.how[name][r][at].cpu().numpy()
                out[name][c, :count] = values if name in ("alpha", "step") else np.where(values < 0, -1, numbers[values])
    return out | {f"picture/{name}": draw(rows) for name, rows in how.pictures[r].items()}
