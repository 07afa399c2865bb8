"""Cost-sensitive networks: a typed matrix of costs in training or in the decision."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.analysis.costs import class_costs, fill_costs, size_by_costs, weigh_by_costs
from engine.data.dataset import Rows, Task
from engine.data.rows import draw
from engine.errors import BadInput
from engine.events import Event, Phase, Progress, Running
from engine.losses import CostWeighted, Loss, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.methods.decoupled import set_head
from engine.models.cost_head import with_costs
from engine.models.net import Net
from engine.models.voting import Voting
from engine.seeds import numpy_stream
from engine.spec.pens import Pen
from engine.training.batches import steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batches, Meter, evaluate

WAYS = ("expected", "threshold-moving", "weights", "over", "under", "hard vote", "soft vote")
TRAINS = {
    "over": "Training on more rows of dear classes",
    "under": "Training on fewer rows of cheap classes",
    "training": "Training on all rows",
}
"""What each of the networks that vote does."""
MOST_ROWS = 2_000_000
"""Rows, at most, that over-sampling by costs makes of a replicate's training rows."""


@dataclass(frozen=True)
class CostSensitive(DeepMethod):
    """Mistakes cost what a matrix says, and the network's answer is the class of lowest expected cost. The costs can also go into
    training, as weights or as rows. Costs that depend on the row are not taken.

    Moving the threshold multiplies probabilities by the cost of their class, and so ignores which class a row is taken for. With two
    classes that is the lowest expected cost; with more it is not. Expected costs need probabilities that can be trusted.
    """

    name = "cost-sensitive"
    title = "Cost-sensitive network"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Zhou and Liu 2006, from memory of the text: costs as weights, by over-sampling, by under-sampling, by moving the threshold, "
        "or votes of three of these; the "
        "default, lowest expected cost, is Elkan's (2001)."
    )
    controls: ClassVar = {"moving the threshold": {"way": "threshold-moving"}}
    pen = Pen("sky", "dash", "triangle-down")
    control_pens: ClassVar = {"moving the threshold": Pen("sky", "solid", "triangle-down")}
    comparison = 45

    costs: tuple[tuple[float, ...], ...] = param(
        (), low=0.0, high=1e6, longest=100, matrix=True,
        help="What calling a row of one class another costs, a row a true class. Without it a class costs largest class / class.",
    )  # fmt: skip
    way: str = param(
        "expected", choices=WAYS,
        help="Where costs are used: lowest expected cost, probabilities times costs, weights in the loss, more rows of dear classes, "
        "fewer of cheap ones, or votes of three networks: more rows, fewer rows, moved threshold.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        costs = self.find_costs(task)
        if self.way in ("hard vote", "soft vote"):
            return (yield from self._fit_votes(task, costs, camera))
        if self.way in ("over", "under"):
            rows = self.draw_rows(task, costs, grow=self.way == "over")
            return (yield from self.fit_plain(task, cross_entropy, camera=camera, rows=rows))
        if self.way == "weights":
            loss = CostWeighted(weigh_by_costs(task.train.counts(len(task.classes)), class_costs(costs)))
            return (yield from self.fit_plain(task, loss, camera=camera))
        meter = Meter(self.epochs * steps_of_pass(task.train.sizes.tolist(), self.batch))
        yield Phase("training", "Training the network")
        net, chosen = yield from self.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        earlier = net.copy()
        yield Phase("head", "Deciding by costs")
        decided = self.decide(net, costs)
        yield from camera.record_final_frame(decided, "chosen", chosen.epoch, meter.step, evaluate(decided, task.valid)[0])
        return Fitted(decided, chosen.epoch, earlier=earlier, chosen={"training": chosen.epoch})

    def _fit_votes(self, task: Task, costs: Tensor, camera: Camera) -> Generator[Event, None, Fitted]:
        """Three networks: on more rows, on fewer, and on all with the threshold moved. Epochs and frames are those of the third."""
        parts = {name: self.draw_rows(task, costs, grow=name == "over") for name in ("over", "under")} | {
            "training": task.train
        }
        steps = {name: self.epochs * steps_of_pass(rows.sizes.tolist(), self.batch) for name, rows in parts.items()}
        nets, epochs = [], {}
        meter = Meter(sum(steps.values()))
        for name, rows in parts.items():
            yield Phase(name, TRAINS[name])
            ends = task.chosen.get(name)
            own = task if ends is None else replace(task, chosen={"training": ends})
            last = name == "training"
            training = Running(
                self.pretrain(own, cross_entropy, rows=rows, meter=meter, camera=camera if last else Camera(own, 0))
            )
            for event in training:
                if last or isinstance(event, Progress):
                    yield event
            net, chosen = training.value
            nets.append(net)
            epochs[name] = chosen.epoch
        biases = nets[-1].flat[:, -net.classes :]
        set_head(nets[-1], biases + class_costs(costs).log().to(biases))
        voting = Voting(nets, soft=self.way == "soft vote")
        yield from camera.record_final_frame(voting, "chosen", epochs["training"], meter.step, evaluate(voting, task.valid)[0])
        return Fitted(voting, epochs["training"], chosen=epochs)

    def find_costs(self, task: Task) -> Tensor:
        """The costs [R, C, C]. Raises BadInput where they do not fit the data."""
        return fill_costs(self.costs, task.train.counts(len(task.classes)), self.name)

    def decide(self, net: Net, costs: Tensor) -> Net:
        """The network whose argmax is the decision. Two classes need other biases alone."""
        if self.way == "expected" and net.classes > 2:
            return with_costs(net, costs)
        biases = net.flat[:, -net.classes :]
        set_head(net, biases + class_costs(costs).log().to(biases))
        return net

    def draw_rows(self, task: Task, costs: Tensor, *, grow: bool) -> Rows:
        """The training rows, each class in proportion to its cost. Copies are in order, and the remainder is drawn; what is left out is
        drawn too, and 2 rows of a class stay.
        """
        counts, each = task.train.counts(len(task.classes)).cpu(), class_costs(costs).cpu()
        numbers = []
        for r, replicate in enumerate(task.replicates):
            rng = numpy_stream(task.seed, "points", replicate.seed, replicate.fold)
            wanted = size_by_costs(counts[r].double(), each[r], grow=grow)
            if (total := int(wanted.sum())) > MOST_ROWS:
                raise BadInput(
                    f"{self.name}: over-sampling by these costs makes {total:,} rows; at most {MOST_ROWS:,} are made. Use way='weights'."
                )
            y, mask = task.train.y[r].cpu(), task.train.mask[r].cpu()
            parts = []
            for c, n in enumerate(wanted.tolist()):
                own = torch.nonzero(mask & (y == c)).squeeze(1).numpy()
                if len(own):
                    copies, rest = divmod(max(n, min(2, len(own))), len(own))
                    parts += [np.tile(own, copies), np.sort(rng.choice(own, rest, replace=False))]
            numbers.append(torch.from_numpy(np.sort(np.concatenate(parts), kind="stable")))
        return draw(task.train, numbers)

    def _recipe(self, task: Task, loss: Loss, net: Net, batches: Batches) -> str:
        """See TableMethod. Weights stand in a key by the costs that they come from."""
        key = super()._recipe(task, loss, net, batches)
        return repr((key, self.costs)) if self.way == "weights" else key

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. Costs have the effect of more rows."""
        costs = self.find_costs(task)
        if self.way in ("over", "under"):
            return self.draw_rows(task, costs, grow=self.way == "over").counts(len(task.classes)).double()
        return super().class_shares(task, fitted) * class_costs(costs)
