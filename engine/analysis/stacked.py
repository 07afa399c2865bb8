"""Average precision of all replicates at once, on their device, so that training never waits for the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def average_precision(
    score: torch.Tensor, positive: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Average precision of each replicate, [R] float64: sum over thresholds of (recall gained) x precision.

    score [R, N] float; positive [R, N] bool; mask [R, N] bool, False on padding, which can be anywhere. Rows of equal score are
    taken together, as in scikit-learn. weight [R, N]: of the rows, as scikit-learn's sample_weight. NaN where a replicate has no
    positive row, or a NaN among its scores.
    """
    if weight is None and score.device.type == "cpu" and score.dtype in _INTEGERS:
        found = _sort_on_cpu(score, positive, mask)
        if found is not None:
            return found
    ranked, order = torch.where(mask, score, -torch.inf).sort(dim=1, descending=True)
    positive = positive & mask
    if weight is None:
        hits = positive.gather(1, order).cumsum(1)
        place = torch.arange(1, score.shape[1] + 1, device=score.device)
        seen = torch.minimum(place, mask.sum(1, keepdim=True))  # padding comes last
    else:
        counted = mask * weight.double()
        hits = (positive * counted).gather(1, order).cumsum(1)
        seen = counted.gather(1, order).cumsum(1)
    last = torch.ones_like(mask)  # the last row of its group of equal scores
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    at_last = torch.where(last, hits, 0)
    before = torch.zeros_like(hits)  # hits at the end of the previous group
    before[:, 1:] = at_last.cummax(1).values[:, :-1]
    gained = torch.where(last, hits - before, 0)
    # Summed in rank order, so that padding after the rows cannot change a bit of the sum, and with it the chosen epoch.
    area = (gained * hits.double() / torch.where(seen > 0, seen, 1)).cumsum(1)[:, -1]
    broken = (score.isnan() & mask).any(1)
    return torch.where(broken, torch.nan, area / hits[:, -1])


_INTEGERS: dict[torch.dtype, tuple[Any, Any]] = {torch.float32: (np.uint32, np.float32), torch.float64: (np.uint64, np.float64)}
"""dtype -> NumPy's integers of as many bits, and the dtype in NumPy."""


def _sort_on_cpu(score: torch.Tensor, positive: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """`average_precision` of rows without weights by one sort of integers, equal to the bit; None where a score is no number in [0, 1].

    There the bits of a number, read as an integer, have its order, and the highest bit is 0: shifted, they leave the lowest bit to
    `positive`. Padding counts as a negative row of score 0, and so comes last.
    """
    integers, floats = _INTEGERS[score.dtype]
    one, valid = integers(1), mask.numpy()
    keys = score.detach().contiguous().numpy().view(integers) * valid
    if keys.max(initial=0) > floats(1.0).view(integers):
        return None
    keys <<= one
    keys |= positive.numpy() & valid
    keys.sort(axis=1)
    keys = np.ascontiguousarray(keys[:, ::-1])
    hits = (keys & one).cumsum(axis=1, dtype=np.int64)
    last = np.ones(keys.shape, bool)  # the last row of its group of equal scores
    np.greater(keys[:, :-1] ^ keys[:, 1:], one, out=last[:, :-1])
    ends = np.flatnonzero(last)
    row, place = np.divmod(ends, keys.shape[1])
    won = hits.reshape(-1)[ends]
    gained = won.copy()
    gained[1:] -= np.where(row[1:] == row[:-1], won[:-1], 0)
    area = np.zeros(keys.shape)
    area.reshape(-1)[ends] = gained * won.astype(np.float64) / np.minimum(place + 1, np.maximum(valid.sum(1), 1)[row])
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(area.cumsum(axis=1)[:, -1] / hits[:, -1])


def macro_average_precision(
    probability: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Average precision of class 1 for two classes, else the mean over classes of each against the rest: [R] float64.

    probability [R, N, C] float; y [R, N] int64; mask [R, N] bool; weight [R, N]: of the rows. The mean is over
    the classes that have rows in the replicate: a validation part may lack a class, and an epoch must still be chosen. NaN where
    no class has rows, or a score is NaN.
    """
    count, rows, classes = probability.shape
    if classes == 2:
        return average_precision(probability[..., 1], y == 1, mask, weight)
    positive = y.unsqueeze(1) == torch.arange(classes, device=y.device)[:, None]  # [R, C, N]
    spread = mask.unsqueeze(1).expand(count, classes, rows)
    flat = [probability.transpose(1, 2), positive, spread]
    if weight is not None:
        flat.append(weight.unsqueeze(1).expand(count, classes, rows))
    each = average_precision(*(part.reshape(count * classes, rows) for part in flat)).reshape(count, classes)
    present = (positive & spread).any(2)
    return torch.where(present, each, 0.0).sum(1) / present.sum(1)
