"""The result of a fit: the fitted networks and the synthetic rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from engine.data.dataset import Rows
from engine.models.net import Net
from engine.samplers.lines import Moved


@dataclass(frozen=True)
class Synthetic:
    """Synthetic rows in the task's feature space. x, start [R, n, D]: current and first places. y [R, n], mask [R, n].

    parent [R, n]: for copies, the number of the copied row among the task's training rows; None for other synthetic rows.
    kind, radius [R, n], path [R, n, P, D]: how each was made, see `engine.samplers.lines.Drawn`. base [R, n]: the number of the
    training row that it was made from, -1 on padding; None where that is not known.
    """

    x: torch.Tensor
    start: torch.Tensor
    y: torch.Tensor
    mask: torch.Tensor
    parent: torch.Tensor | None = None
    kind: str = "line"
    radius: torch.Tensor | None = None
    path: torch.Tensor | None = None
    base: torch.Tensor | None = None


@dataclass(frozen=True)
class Generated:
    """How a generator made the rows of `Synthetic`, in their order.

    how: name -> [R, n, ...], 0 on padding. pictures: of each replicate, name -> [C, k, p, D], p rows that belong beside the first k new
    rows of each class, NaN where there are none.
    """

    how: Mapping[str, torch.Tensor]
    pictures: tuple[Mapping[str, torch.Tensor], ...]


@dataclass(frozen=True)
class Fitted:
    """A trained network at the epoch chosen on validation, and the synthetic rows it was trained with, if any.

    epoch [R]: the chosen epoch of the last phase, from 1. embedded: synthetic rows among the features of `net`, x [R, n, H].
    lines [R, n, 3]: base and partner of each synthetic row, as numbers among the training rows, and its share of the way from one to
    the other; -1 on padding. earlier: the network before its head, or all of it, was trained again.
    chosen: all that validation rows chose, by name -> [R, ...]: the epochs of every training phase by the phase's name, and what else a
    method chooses. A fit on a task that holds these as `Task.chosen` takes them over.
    moved: training rows that a sampler moved, rows [R, q] and by [R, q] padded by -1, to [R, q, D]: among the features where `embedded`
    is given, else among the input rows. kept [R, N] bool: training rows that a sampler left; None: all. generated: how a
    generator made `synthetic`.
    """

    net: Net
    epoch: torch.Tensor
    synthetic: Synthetic | None = None
    embedded: Rows | None = None
    lines: torch.Tensor | None = None
    earlier: Net | None = None
    chosen: Mapping[str, torch.Tensor] = field(default_factory=dict)
    moved: Moved | None = None
    kept: torch.Tensor | None = None
    generated: Generated | None = None
    picked: torch.Tensor | None = None
