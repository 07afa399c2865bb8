"""What a fit returns: the fitted networks and the synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.data.dataset import Rows
from engine.models.net import Net


@dataclass(frozen=True)
class Synthetic:
    """Synthetic rows in the task's feature space. x, start [R, n, D] (where they are, where they began), y [R, n], mask [R, n].

    parent [R, n]: number among the task's training rows of the row that each was copied from; None where they are no copies.
    """

    x: torch.Tensor
    start: torch.Tensor
    y: torch.Tensor
    mask: torch.Tensor
    parent: torch.Tensor | None = None


@dataclass(frozen=True)
class Fitted:
    """A trained net (the epoch chosen on validation) and the synthetic rows it was trained with, if any.

    epoch [R]: the chosen epoch, from 1, in the last phase. embedded: synthetic rows among the features of `net`, x [R, n, H].
    enemies [R, n]: number among the training rows of the row of another class that each of them was drawn towards, -1 for none.
    earlier: the net before its head, or all of it, was trained anew.
    """

    net: Net
    epoch: torch.Tensor
    synthetic: Synthetic | None = None
    embedded: Rows | None = None
    enemies: torch.Tensor | None = None
    earlier: Net | None = None
