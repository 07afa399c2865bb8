"""Class means of the features as a network's running last layer, for losses of features that have none of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.data.rows import select
from engine.models.net import Net
from engine.training.loop import Batch, Step
from engine.training.optimisers import Descent


class RunningMeans(Step):
    """The steps of `inner`. After the last one of each replicate's epoch its last layer becomes the class means of `rows`, so that the
    epoch can be scored and shown; the network has a cosine head.
    """

    obstacle = "it writes class means into the network"

    def __init__(self, inner: Descent, rows: Rows) -> None:
        self.inner, self.rows = inner, rows
        self.wanted = torch.zeros(len(rows.y), dtype=torch.int64)

    def use(self, net: Net) -> None:
        """See Step."""
        self.inner.use(net)

    @property
    def keeps_bits(self) -> bool:
        """See Step. Not shown for distances between the rows of a batch."""
        return False

    def select(self, index: Tensor) -> None:
        """See Step."""
        self.inner.select(index)
        self.rows = select(self.rows, index)

    def begin(self, wanted: Sequence[int]) -> None:
        """See Step."""
        self.wanted = torch.tensor(wanted)
        self.inner.begin(wanted)

    def parts(self) -> Sequence[Step]:
        """See Step."""
        return (self.inner,)

    def lasting(self) -> list[Tensor]:
        """See Step."""
        return self.inner.lasting()

    def __call__(self, batch: Batch) -> Tensor:
        """One step, and the means where it was a replicate's last."""
        losses = self.inner(batch)
        ended = batch.alive & (self.wanted == batch.k + 1)
        if bool(ended.any()):  # on the CPU
            write_means(self.inner.net, self.rows, ended)
        return losses


@torch.no_grad()
def write_means(net: Net, rows: Rows, which: Tensor) -> None:
    """Replicates `which` [R] (on the CPU) get as last layer the mean of each class's normalised features. A class without rows gets 0."""
    z = torch.nn.functional.normalize(net.embed(rows.x, rows.mask), dim=2)
    own = torch.nn.functional.one_hot(rows.y, net.classes).to(z) * rows.mask.unsqueeze(2)
    if rows.weight is not None:
        own = own * rows.weight.to(z).unsqueeze(2)
    total = own.sum(1)
    means = own.mT @ z / torch.where(total > 0, total, 1).unsqueeze(2)
    head = torch.cat([means.mT.flatten(1), torch.zeros_like(total)], 1)
    index = torch.nonzero(which).squeeze(1).to(head.device)
    net.flat[index, -head.shape[1] :] = head[index]
