"""Whole numbers in proportion to weights, by largest remainders."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-9
"""What a quotient may lie below a whole number by rounding alone."""


def shares(weights: Tensor, n: int, cap: Tensor | None = None) -> Tensor:
    """Whole numbers [m] int64 of sum n, in proportion to weights [m] >= 0 and at most cap [m].

    Each entry gets the whole part of its quotient, and those with the largest remainders one more, ties to the lower number. What
    does not fit below an entry's cap is split among the others in the same way. Entries of weight 0 get nothing unless all have it:
    then all count alike. Raises ValueError where the caps are too small.
    """
    weights = weights.double()
    m, left = len(weights), int(n)
    if left < 0 or (left and not m):
        raise ValueError(f"{left} rows cannot be split among {m} entries.")
    if not bool((weights > 0).any()):
        weights = torch.ones_like(weights)
    room = torch.full((m,), left, dtype=torch.int64, device=weights.device) if cap is None else cap.long()
    if int(room[weights > 0].sum()) < left:
        raise ValueError(f"the caps leave room for {int(room[weights > 0].sum())} of {left} rows.")
    counts = torch.zeros(m, dtype=torch.int64, device=weights.device)
    while left > 0:
        open_ = (weights > 0) & (counts < room)
        share = torch.where(open_, weights, 0.0)
        quotient = share / share.sum() * left
        whole = torch.floor(quotient + ROUNDING).long()
        rest = left - int(whole.sum())
        order = torch.argsort(torch.where(open_, quotient - whole, -1.0), descending=True, stable=True)
        whole[order[:rest]] += 1
        given = torch.minimum(whole, room - counts)
        counts += given
        left -= int(given.sum())
    return counts
