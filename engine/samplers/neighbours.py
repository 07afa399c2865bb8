"""Exact nearest neighbours of some rows among all rows. Computed in blocks, on the rows' device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 2**22
"""Distances computed at once: 16 MB, which fits the cache of a current CPU."""
SPARE = 6
"""Candidates beyond k that the fast search passes on."""
GROUP = 16
"""Columns per group; the search compares the groups' minima first."""


@torch.no_grad()
def nearest(x: Tensor, rows: Tensor, k: int) -> Tensor:
    """The k nearest other rows (Euclidean) of x[rows]: [m, k] int64, nearest first; ties go to the lower number.

    x [n, d] finite floats; rows [m] int64. Returns at most n - 1 columns. A row is never its own neighbour, but its duplicates
    are.

    Exact: single-precision products give a lower bound of every distance. The candidates with the lowest bounds are measured in
    double precision. Where another row could still be as near, all rows whose bound allows it are measured.
    """
    n, d = x.shape
    k = min(k, n - 1)
    found = torch.empty(len(rows), max(k, 0), dtype=torch.int64, device=x.device)
    if k < 1 or not len(rows):
        return found
    exact = x.double()
    centred = exact - exact.mean(0)
    scale = 2.0 ** -math.frexp(float(centred.abs().amax()) or 1.0)[1]  # a power of two, so that scaling is exact
    exact = exact * scale
    quick = torch.float32 if torch.get_float32_matmul_precision() == "highest" else torch.float64
    placed = (centred * scale).to(quick)
    # Rounding of |a|^2 + |b|^2 - 2 a.b is at most (d + 16) eps (|a| + |b|)^2 <= 2 (d + 16) eps (|a|^2 + |b|^2) (Higham 2002, 3.1),
    # rounding of the inputs included; underflow is far below `least`.
    bound = (1 - 2 * (d + 16) * torch.finfo(quick).eps) * placed.square().sum(1)
    least = 1e-35
    wide = min(n - 1, k + SPARE)
    height = max(1, BLOCK // n)
    for begin in range(0, len(rows), height):
        own = rows[begin : begin + height]
        low = torch.addmm(bound, placed[own], placed.T, alpha=-2).add_(bound[own].unsqueeze(1))
        low.scatter_(1, own.unsqueeze(1), torch.inf)
        candidates, edge = _lowest(low, wide)
        candidates = candidates.sort(1).values  # by number, so that a stable sort by distance keeps ties in that order
        distance, order = (exact[candidates] - exact[own].unsqueeze(1)).square_().sum(2).sort(dim=1, stable=True)
        found[begin : begin + height] = candidates.gather(1, order[:, :k])
        if wide == n - 1:
            continue
        furthest = distance[:, k - 1] + least
        for i in torch.nonzero(furthest >= edge).squeeze(1).tolist():
            near = torch.nonzero(low[i] <= furthest[i]).squeeze(1)
            order = (exact[near] - exact[own[i]]).square_().sum(1).sort(stable=True).indices
            found[begin + i] = near[order[:k]]
    return found


def _lowest(low: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Columns [m, count] of the `count` lowest values of each row of low [m, n], unordered, and the highest of them [m].

    The lowest `count` values lie in the `count` groups of columns with the lowest minima, so most columns are read once.
    """
    m, n = low.shape
    groups = -(-n // GROUP)
    if groups <= 2 * count:
        values, columns = low.topk(count, largest=False, sorted=False)
        return columns, values.amax(1)
    padded = torch.nn.functional.pad(low, (0, groups * GROUP - n), value=torch.inf) if n % GROUP else low
    # column c is in group c mod groups, so that contiguous columns are compared, which suits vector units
    folded = padded.view(m, GROUP, groups)
    chosen = folded.amin(1).topk(count, largest=False, sorted=False).indices  # [m, count]
    inside = folded.gather(2, chosen.unsqueeze(1).expand(-1, GROUP, -1)).flatten(1)  # [m, GROUP * count]
    values, places = inside.topk(count, largest=False, sorted=False)
    return places // count * groups + chosen.gather(1, places % count), values.amax(1)
