"""CoSen: costs of mistaking one class for another, learnt while the network is trained."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from engine.analysis.costs import measure_confusion, measure_separability, size_costs, target_costs
from engine.data.dataset import Rows, Task
from engine.data.rows import select
from engine.events import Event
from engine.losses import Loss, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.batches import keep
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batches, streams
from engine.training.optimisers import Descent

MOST_ROWS = 200
"""Rows of a class, at most, between which distances are measured."""
MOST_CLASSES = 10
"""Classes, at most, whose costs an epoch reports."""


@dataclass(frozen=True)
class CoSen(DeepMethod):
    """Training multiplies each class in the softmax by a cost that depends on the row's own class. Costs follow class sizes, how near
    other classes lie, and how often they are confused; testing leaves them out.

    The effect of class sizes alone is the control. In a first trial the learnt costs did next to nothing beyond plain training, and
    costs by size alone did most.
    """

    name = "cosen"
    title = "Learnt costs (CoSen)"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Khan et al. 2018, the cross-entropy form, from memory of the text: no code of the authors was found. Separability and confusion "
        "are of training rows, where the text reads validation rows; costs move by a tenth every epoch."
    )
    controls: ClassVar = {"costs by size alone": {"costs": "prior"}}
    pen = Pen("sky", "dot", "triangle-up")
    control_pens: ClassVar = {"costs by size alone": Pen("sky", "longdash", "triangle-down")}
    cost = 1.5
    comparison = 44

    costs: str = param(
        "learnt", choices=("learnt", "prior"), help="Learnt while training goes on, or by class sizes from the start."
    )
    gamma: float = param(
        0.1, low=0.0, high=1.0, stacks=FIRST, help="How far costs move towards their aim at a time; 0 is plain training."
    )
    every: int = param(1, low=1, high=1000, stacks=FIRST, advanced=True, help="Epochs between two moves of the costs.")
    middle: float = param(
        0.5, low=0.0, high=2.0, stacks=FIRST, advanced=True, help="Separability and confusion at which costs are highest."
    )
    width: float = param(
        0.5, low=0.1, high=10.0, log=True, stacks=FIRST, advanced=True, help="How slowly costs fall away from there."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        loss = CostLoss(task.train.counts(len(task.classes)), self.list_members(task))
        return (yield from self.fit_plain(task, loss, camera=camera))

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See TableMethod. The loss looks at the step's network and the training rows."""
        step = super().step(net, task, loss)
        assert isinstance(loss, CostLoss)
        if self.costs == "learnt":
            loss.watch(step, task.train, streams(task, "cosen"))
        return step

    def _recipe(self, task: Task, loss: Loss, net: Net, batches: Batches) -> str:
        """See TableMethod. A cached network would come without its costs."""
        return ""


class CostLoss(Loss):
    """Cross-entropy of logits + log of the costs of the row's class: -log(xi_py e^z_y / sum_k xi_pk e^z_k) with p = y.

    counts [R, C]: training rows. members [R]: how each replicate's costs are learnt. xi [R, C, C] float64: costs of calling a row of the
    first class the second.
    """

    def __init__(self, counts: Tensor, members: Sequence[CoSen]) -> None:
        self.sizes, self.members = size_costs(counts), list(members)
        prior = torch.tensor([own.costs == "prior" for own in members], device=counts.device)
        self.xi = torch.where(prior.view(-1, 1, 1), self.sizes, torch.ones_like(self.sizes))
        self.step: Descent | None = None
        self.rows: Rows
        self.sampled: list[Tensor] = []

    def watch(self, step: Descent, rows: Rows, chances: Sequence[torch.Generator]) -> None:
        """Learns costs from the step's network on these rows. Distances are between at most MOST_ROWS rows a class, drawn once."""
        self.step, self.rows = step, rows
        for y, count, chance in zip(rows.y.cpu(), rows.sizes.tolist(), chances, strict=True):
            order = torch.randperm(count, generator=chance)
            own = [order[y[order] == c][:MOST_ROWS] for c in range(self.xi.shape[1])]
            self.sampled.append(torch.cat(own).sort().values)

    def select(self, index: Tensor) -> Self:
        """See Loss."""
        chosen = super().select(index)
        chosen.members, chosen.sampled = keep(self.members, index), keep(self.sampled, index) if self.sampled else []
        if self.step is not None:
            chosen.rows = select(self.rows, index)
        return chosen

    def begin(self, epoch: int, epochs: int) -> None:
        """See Loss. Moves the costs of the replicates that are due: xi <- xi + gamma (aim - xi)."""
        due = [r for r, own in enumerate(self.members) if epoch > 1 and (epoch - 1) % own.every == 0]
        if self.step is None or not due:
            return
        net, rows = self.step.net, self.rows
        with torch.no_grad():
            features = net.embed(rows.x, rows.mask)
            called = net.head(features).argmax(2).cpu()
        features, labels, mask = features.double().cpu(), rows.y.cpu(), rows.mask.cpu()
        sizes, xi, classes = self.sizes.cpu(), self.xi.cpu().clone(), self.xi.shape[1]
        for r in due:
            own, y = self.members[r], labels[r][mask[r]]
            some = self.sampled[r]
            near = measure_separability(features[r][mask[r]][some], y[some], classes)
            aim = target_costs(sizes[r], near, measure_confusion(y, called[r][mask[r]], classes), own.middle, own.width)
            xi[r] += own.gamma * (aim - xi[r])
        self.xi = xi.to(self.xi.device)

    def values(self) -> dict[str, Tensor]:
        """See Loss: cost/<class>/<called>, of few classes."""
        classes = self.xi.shape[1]
        if classes > MOST_CLASSES:
            return {}
        return {f"cost/{p}/{k}": self.xi[:, p, k] for p in range(classes) for k in range(classes)}

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits + self._shift(logits, y), y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.slope(logits + self._shift(logits, y), y)

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.curve(logits + self._shift(logits, y), y, along)

    def _shift(self, logits: Tensor, y: Tensor) -> Tensor:
        """Log costs [R, N, C] of the rows' classes."""
        costs = self.xi.log().to(logits)
        return costs.gather(1, y.unsqueeze(2).expand(-1, -1, costs.shape[2]))
