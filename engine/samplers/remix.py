"""ReMix: balances a batch, then mixes pairs of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """Mixed rows x [B, D] = share x[first] + (1 - share) x[second], with both rows' labels [B]. first, second [B]: numbers in
    the batch. share in [0, 1]: weight of the first row, in x and in the loss.
    """

    x: Tensor
    y_first: Tensor
    y_second: Tensor
    first: Tensor
    second: Tensor
    share: float


def mix_rows(x: Tensor, y: Tensor, first: np.ndarray, second: np.ndarray, share: float) -> Mix:
    """The mixed rows of x [B, D], y [B] for pairs of its rows: first, second [B]."""
    one, two = torch.from_numpy(first).to(y.device), torch.from_numpy(second).to(y.device)
    return Mix(share * x[one] + (1 - share) * x[two], y[one], y[two], one, two, share)


def remix(x: Tensor, y: Tensor, classes: int, rng: np.random.Generator, *, alpha: float = 0.2) -> Mix:
    """One batch x [B, D], y [B] -> as many mixed rows (Bellinger et al. 2021; card B10; not the "Remix" of Chou et al. 2020).

    Every class present is filled up to the batch's largest by copies drawn uniformly. B rows are drawn from the result with
    replacement, and mixed with a permutation of themselves, with one share ~ Beta(alpha, alpha) for the batch. So present
    classes are equally frequent in expectation, and absent ones stay absent. classes: their number in all; labels are in [0,
    classes). With alpha 0 the share is 0 or 1, each with probability 1/2: plain balanced copies. Draws from `rng` on the CPU.
    Raises ValueError for an empty batch or labels outside [0, classes).
    """
    labels = y.cpu().numpy()
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"remix needs a batch of labels in [0, {classes})")
    counts = np.bincount(labels, minlength=classes)
    filled = np.concatenate(
        [
            np.arange(len(labels)),
            *(rng.choice(np.flatnonzero(labels == c), counts.max() - counts[c]) for c in np.flatnonzero(counts)),
        ]
    )
    first = filled[rng.integers(len(filled), size=len(labels))]
    second = rng.permutation(first)
    return mix_rows(x, y, first, second, draw_share(rng, alpha))


def draw_share(rng: np.random.Generator, alpha: float) -> float:
    """A share ~ Beta(alpha, alpha); 0 or 1, each with probability 1/2, for alpha 0."""
    return float(rng.beta(alpha, alpha)) if alpha > 0 else float(rng.integers(2))
