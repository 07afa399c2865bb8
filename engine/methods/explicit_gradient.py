"""Explicit gradient learning: copies of minority rows that a meta-gradient moves to reduce the loss on held-out rows."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import select, take
from engine.errors import BadParameter
from engine.events import Event, Note, Phase
from engine.losses import Loss, broadcast, cross_entropy, mean_weights, weighted_sum
from engine.methods.base import USUAL_EPOCHS, TableMethod, param
from engine.models.mlp import MLP
from engine.models.net import FEWEST_ROWS, Net
from engine.seeds import torch_stream
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.batches import Balanced, Drawn, Passes, pick, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted, Synthetic
from engine.training.loop import Batch, Meter, Step, streams, train
from engine.training.optimisers import descend, select_number


@dataclass(frozen=True)
class ExplicitGradient(TableMethod):
    """Moves copies of minority rows to lower the loss on validation rows.

    After every step of the classifier each copy moves to where that step would have lowered the loss on held-out rows.
    Two phases: plain training by Adam (theta_0), then steps of plain gradient descent on real and synthetic rows, each
    followed by a move of the synthetic ones (Algorithm 1). The minority is every class below the largest.
    """

    name = "explicit-gradient"
    title = "Explicit gradient"
    family = "meta"
    kinds = ("tabular", "points", "images")
    source = "Yasinnik et al., Algorithm 1; synthetic points keep their moves from pass to pass, as the text says, not as the code does."
    presets: ClassVar = {
        "paper": {"eta_points": 10.0, "hidden": (128, 16)},
        "released": {
            "eta_points": 1000.0, "hidden": (128, 16), "learning_rate": 1e-2, "weight_decay": 5e-5, "batch": 1024,
            "batch_outer": 512, "batch_points": 1, "lowest": 0.5, "outer": "holdout", "reset_each_pass": True,
        },
        "visible": {"eta_points": 5000.0, "batch_outer": 1024, "patience": 60, "clamp": True},
    }  # fmt: skip
    deviations: ClassVar = {
        "paper": (
            "Two logits with softmax instead of one with a sigmoid: the same loss, but a step moves their difference twice as far.",
            "The paper gives no batch size for validation and synthetic rows: at most 128 each.",
            "At most 200 meta-epochs, ended after 20 without a better validation score; the paper does not say.",
        ),
        "released": (
            "This is frozen: each point is back at its start before a step takes it. The classifier never trains on a moved point.",
            "Adam's betas stay 0.5 and 0.999; the code uses 0.9 and 0.999.",
            "The held-out third of the training rows is drawn stratified; the code's split is not.",
            "Numbers are standardised and categories one-hot encoded; the code scales to [0, 1] and encodes by target.",
            "Synthetic and held-out rows are drawn in a new order every pass; the code replays the first.",
        ),
        "visible": (
            "Larger steps and more patience than any source, so that the movement can be seen. On the points sets the median point moves "
            "0.3 sd of a column or more by the chosen epoch. Points stay within the range of the training rows. Not a recommendation.",
        ),
    }
    suited: ClassVar = {"points": "visible"}
    controls: ClassVar = {"frozen": {"eta_points": 0.0}, "CE, equal steps": {"copies": 0}}
    control_titles: ClassVar = {"CE, equal steps": "Equal steps"}
    pen = Pen("green", "solid", "circle")
    control_pens: ClassVar = {"frozen": Pen("sky", "dash", "cross"), "CE, equal steps": Pen("orange", "dot", "triangle-down")}
    cost = 1.5
    comparison = 5
    adds_rows = True
    reuses_plain = True
    reads_validation = True
    suggested = 3
    paper_rows = ("ExplicitGradient",)

    eta_points: float = param(
        1000.0, low=0.0, high=1e6, log=True, label="step of the points", what_if=True, stacks=LATER,
        help="How far the meta-gradient moves the synthetic points (eta2). 0 freezes them. The paper's 10 moves them by a hundredth "
        "of a numeric column's sd and scores as frozen. Around 1,000 moving starts to show. One-hot columns and components are not scaled "
        "to one sd.",
    )  # fmt: skip
    eta_model: float = param(
        1e-2,
        low=1e-5,
        high=1.0,
        log=True,
        label="step of the model",
        stacks=LATER,
        help="Step size of the classifier in the second phase (eta1).",
    )
    copies: int = param(
        1, low=0, high=10, stacks=LATER, help="Copies of each chosen minority row. 0: no synthetic points, plain training on."
    )
    confidence: float = param(
        1.0, low=0.0, high=1.0, label="confidence bound", what_if=True, stacks=LATER,
        help="Copy the minority rows to which the first classifier gives at most this probability of their class (c); 1 takes all.",
    )  # fmt: skip
    lowest: float = param(
        1.0, low=0.0, high=1.0, label="least confident share", stacks=LATER, advanced=True,
        help="Of those, copy only this share with the lowest probability, per class. The released code takes half.",
    )  # fmt: skip
    meta_epochs: int = param(200, low=1, high=2000, log=True, help="Most passes over the training rows in the second phase.")
    patience: int = param(
        20, low=1, high=2000, help="The second phase ends after so many epochs without a better validation score."
    )
    batch_outer: int = param(128, low=1, high=4096, log=True, advanced=True, help="Held-out rows in one step (X2).")
    batch_points: int = param(128, low=1, high=4096, log=True, advanced=True, help="Synthetic points in one step.")
    inner: str = param(
        "both", choices=("both", "synthetic", "balanced"), advanced=True,
        help="The classifier steps on real and synthetic rows (Algorithm 1), on synthetic rows alone (eq. 1), or on real rows drawn with "
        "every class alike and synthetic ones (balanced: not in the paper).",
    )  # fmt: skip
    outer: str = param(
        "validation", choices=("validation", "holdout"), advanced=True,
        help="Points move to lower the loss on the validation rows (paper) or on a third of the training rows held out (released code).",
    )  # fmt: skip
    inner_steps: int = param(
        1, low=1, high=5, advanced=True, help="Classifier steps between two moves; the move looks back through all."
    )
    per_row: bool = param(
        False, advanced=True, label="step per row",
        help="Multiply the points' step by the number of rows in the step, so that it does not depend on the batch size.",
    )  # fmt: skip
    reset_each_pass: bool = param(
        False,
        advanced=True,
        help="Points restart from where they began at every pass over them, as in the released code. A pass takes each point once. So the "
        "classifier never trains on a moved point, and its numbers are those of frozen points.",
    )
    alpha: float = param(
        0.0,
        low=0.0,
        high=0.99,
        stacks=LATER,
        advanced=True,
        help="Shortens the classifier's step by this share; not in the paper.",
    )
    noise: float = param(
        0.0,
        low=0.0,
        high=2.0,
        stacks=LATER,
        advanced=True,
        help="Standard deviation of Gaussian noise on the copies, in sd of each column.",
    )
    clamp: bool = param(False, advanced=True, help="Keep every feature of the points within its range in training.")

    @property
    def needs_validation(self) -> bool:
        """See Method. Only points that move, by the loss on validation rows, read them."""
        return self.outer == "validation" and self.eta_points > 0 and self.copies > 0

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        inner, outer = self._parts(task)
        batches = self._batches(inner, task)
        first = steps_of_pass(task.train.sizes.tolist(), self.batch)
        meter = Meter(self.epochs * first + self.meta_epochs * max(batches.per_pass()))
        camera.share = 0.25
        yield Phase("training", "Training the first classifier")
        net, plain = yield from self.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        assert isinstance(net, MLP)  # only the MLP has the meta-gradient
        points = self._copies(net, inner, task)
        step = MetaStep(self, net, task, outer, points)
        if self.copies and not points.mask.any():
            yield Note(
                "No minority row is below the confidence bound, so there are no synthetic points."
                if bool(task.minority.any())
                else "No class is smaller than the largest, so there are no synthetic points.",
                "warning",
            )
        if points.mask.any():
            camera.track_points(points, step.look)
        camera.share = 0.75
        yield Phase("points", "Moving the synthetic points" if step.moving else "Training on, nothing moves")
        if step.moving and self.inner_steps > min(batches.per_pass()):
            raise BadParameter(
                f"{self.name}(inner_steps={self.inner_steps}): an epoch has {min(batches.per_pass())} steps here, so points would never "
                "move; use fewer inner steps or a smaller batch."
            )
        chosen = yield from train(
            net,
            task,
            step,
            batches,
            rows=inner,
            epochs=self.meta_epochs,
            patience=self.patience,
            phase="points",
            meter=meter,
            camera=camera,
        )
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        synthetic = Synthetic(step.points, points.x, points.y, points.mask, points.number) if points.mask.any() else None
        return Fitted(net, chosen.epoch, synthetic, chosen={"training": plain.epoch, "points": chosen.epoch})

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. A row of the second phase costs about as much as 2.5 rows of plain training."""
        later = 2.5 * min(params["meta_epochs"], 2 * USUAL_EPOCHS) * sum(counts)
        return float(super().estimate_rows(params, counts) + later)

    def _batches(self, rows: Rows, task: Task) -> Passes | Balanced:
        """Batches of real rows for the second phase."""
        drawn = streams(task, "meta-batch")
        if self.inner == "balanced":
            return Balanced(rows, len(task.classes), self.batch, drawn)
        return Passes(rows.sizes.tolist(), self.batch, drawn)

    def _parts(self, task: Task) -> tuple[Numbered, Rows]:
        """(rows that the classifier trains on, held-out rows whose loss moves the points)."""
        every = Numbered.of(task.train)
        if self.outer == "validation":
            return every, task.valid
        held = torch.zeros_like(task.train.mask)
        for r, stream in enumerate(streams(task, "holdout")):
            for c in range(len(task.classes)):
                own = torch.nonzero(task.train.mask[r] & (task.train.y[r] == c)).squeeze(1).cpu()
                share = len(own) // 3 if len(own) >= 3 else len(own) // 2
                held[r, own[torch.randperm(len(own), generator=stream)[:share]].to(held.device)] = True
        return every.take(~held), take(task.train, held)

    @torch.no_grad()
    def _copies(self, net: MLP, rows: Numbered, task: Task) -> Numbered:
        """The initial synthetic points with the numbers of their parents (card A1, decisions EG-7 and EG-8)."""
        chance = net(rows.x).softmax(-1).gather(2, rows.y.unsqueeze(2)).squeeze(2)
        chosen = rows.mask & task.minority[rows.y] & (chance <= broadcast(self.number(task, "confidence"), chance))
        lowest, copies = self.number(task, "lowest"), self.number(task, "copies")
        if isinstance(lowest, Tensor) or lowest < 1:
            for c in range(len(task.classes)):
                own = chosen & (rows.y == c)
                rank = torch.where(own, chance, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
                count = (own.sum(1, keepdim=True) * lowest).ceil()
                chosen &= ~own | (rank < count)
        chosen = chosen & (copies > 0)
        single = rows.take(chosen)
        parts = (single.x, single.y, single.mask, single.number)
        times = max(1, int(copies.max()) if isinstance(copies, Tensor) else copies)
        weight = None if single.weight is None else torch.cat([single.weight] * times, 1)
        repeated = Numbered(*(torch.cat([part] * times, 1) for part in parts), weight=weight)
        keep = repeated.mask
        if isinstance(copies, Tensor):
            keep = keep & (torch.arange(times, device=keep.device).repeat_interleave(single.mask.shape[1]) < copies)
        points = repeated.take(keep)
        for r, (replicate, own_way) in enumerate(zip(task.replicates, self.list_members(task), strict=True)):
            if own_way.noise:
                stream = torch_stream(task.seed, "points-noise", replicate.seed, replicate.fold)
                made = int(points.mask[r].sum())
                drawn = torch.randn(made, points.x.shape[2], generator=stream, dtype=torch.float64)
                points.x[r, :made] += own_way.noise * drawn.to(points.x)
        if self.clamp:
            points = replace(points, x=points.x.clamp(*_range(rows)))
        return points


@dataclass(frozen=True)
class Numbered(Rows):
    """Rows with their numbers [R, N] among the task's training rows."""

    number: Tensor

    @classmethod
    def of(cls, rows: Rows) -> Numbered:
        """The training rows themselves, numbered."""
        number = torch.arange(rows.x.shape[1], device=rows.x.device).expand_as(rows.y)
        return cls(rows.x, rows.y, rows.mask, number, weight=rows.weight)

    def take(self, keep: Tensor) -> Numbered:
        """As `engine.data.rows.take`, with the numbers."""
        kept, numbers = take(self, keep), take(Rows(self.number.unsqueeze(2), self.y, self.mask), keep)
        return Numbered(kept.x, kept.y, kept.mask, numbers.x.squeeze(2), weight=kept.weight)


class MetaStep(Step):
    """One round of Algorithm 1 for all replicates: the classifier steps, then the points move. A `training.Step`.

    With g(Z) = grad_theta L(X1 u Z; theta) the classifier steps to theta' = theta - eta1 g(Z). The points' gradient passes
    through that step: with v = grad L(X2; theta') held constant,

        grad_Z L(X2; theta'(Z)) = -eta1 grad_Z <g(Z), v>,

    and <g(Z), v> is the derivative of L(X1 u Z; theta) as theta moves along v. Only the synthetic rows' part of it depends on
    Z. So it costs one forward-mode pass over the synthetic rows and its gradient. No Hessian is formed, and no gradient passes
    through the real rows.
    """

    def __init__(self, method: ExplicitGradient, net: MLP, task: Task, outer: Rows, points: Rows) -> None:
        self.method, self.net, self.outer, self.start = method, net, outer, points
        self.points = points.x.clone()
        self.members: Tensor | None = None  # of the stack, among all replicates; None: all of them
        self.every = self.points  # of all replicates, those in the stack as they once were
        self.loss: Loss = cross_entropy
        self.some = bool(points.mask.any())
        self.eta = method.number(task, "eta_points")
        self.moving = any(way.eta_points > 0 for way in method.list_members(task)) and self.some
        self.rate = method.number(task, "eta_model") * (1 - method.number(task, "alpha"))
        self.point_passes = Passes(points.mask.sum(1).tolist(), method.batch_points, streams(task, "points"))
        self.outer_passes = Passes(outer.sizes.tolist(), method.batch_outer, streams(task, "outer"))
        self.range = _range(task.train)
        self.trail: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = []
        self.obstacle = "" if method.inner_steps == 1 else "a move of the points looks back through several steps"
        self.widths: list[int] = []  # of the epoch's synthetic batches
        self.index: Tensor  # of their points, [K, R, B]
        self.mask: Tensor
        self.fresh: Tensor  # whether a new pass over them begins, [K, R]
        self.others: Drawn
        self.adapted = torch.zeros(len(points.x), dtype=points.x.dtype, device=points.x.device)
        self.rounds = torch.zeros_like(self.adapted)

    @property
    def keeps_bits(self) -> bool:
        """See Step."""
        return min(self.point_passes.fewest, self.outer_passes.fewest) >= FEWEST_ROWS

    def use(self, net: Net) -> None:
        """See Step."""
        assert isinstance(net, MLP)
        self.net = net

    def select(self, index: Tensor) -> None:
        """See Step."""
        self.every = self.look()
        self.members = index if self.members is None else self.members[index]
        self.points = self.points.index_select(0, index)
        self.start, self.outer = select(self.start, index), select(self.outer, index)
        self.point_passes.select(index)
        self.outer_passes.select(index)
        low, high = self.range
        self.range = low.index_select(0, index), high.index_select(0, index)
        self.eta, self.rate = select_number(self.eta, index), select_number(self.rate, index)
        self.adapted, self.rounds = self.adapted.index_select(0, index), self.rounds.index_select(0, index)

    def begin(self, wanted: Sequence[int]) -> None:
        """Draws the epoch's synthetic batches, and its held-out batches where points move."""
        device = self.points.device
        plan = self.point_passes.take(wanted, device)
        self.widths = plan.widths
        self.index, self.mask = (self.hold(n, t.transpose(0, 1)) for n, t in (("index", plan.index), ("drawn", plan.mask)))
        if self.method.reset_each_pass:
            self.fresh = self.hold("fresh", plan.fresh.T)
        if self.moving:
            self.others = self.outer_passes.take(wanted, device).draw(self.outer).move(self.hold)
        self.adapted.zero_()
        self.rounds.zero_()
        self.trail = []

    def __call__(self, batch: Batch) -> Tensor:
        """Steps the classifier on X1 u Z. Moves the points after every `inner_steps` such steps."""
        width = self.widths[batch.k]
        index, mask = (batch.read(table)[:, :width] for table in (self.index, self.mask))
        if self.method.reset_each_pass:
            fresh = batch.read(self.fresh).view(-1, 1, 1)
            self.points.copy_(torch.where(fresh, self.start.x, self.points))
        x, y = pick(self.points, index), pick(self.start.y, index)
        given = None if self.start.weight is None else pick(self.start.weight, index) * mask
        if self.method.inner != "synthetic":
            x, y, mask = torch.cat([batch.x, x], 1), torch.cat([batch.y, y], 1), torch.cat([batch.mask, mask], 1)
            given = None if given is None or batch.weight is None else torch.cat([batch.weight, given], 1)
        weights = mean_weights(mask, x.dtype, given)
        losses, g = self.net.gradient(x, y, weights, self.loss)
        if self.moving:
            self.trail.append((self.net.flat.clone(), index, x, y, weights))
        descend(self.net.flat, g, self.rate)
        if self.moving and len(self.trail) == self.method.inner_steps:
            self._move(batch)
        return losses

    def _move(self, batch: Batch) -> None:
        x, y, mask, given = self.others.at(batch.k, batch.counter)
        adapted, v = self.net.gradient(x, y, mean_weights(mask, x.dtype, given), self.loss)
        self.adapted += adapted
        self.rounds += mask.any(1)
        uphill = torch.zeros_like(self.points)
        for number, (theta, own, x, y, weights) in reversed(list(enumerate(self.trail))):
            last = slice(x.shape[1] - own.shape[1], None)  # the synthetic rows come last; there may be none
            at_z, _ = self.net.mixed(x[:, last], y[:, last], weights[:, last], self.loss, theta, v)
            gradient = -broadcast(self.rate, at_z) * at_z
            if self.method.per_row:
                gradient = gradient * (weights > 0).sum(1).view(-1, 1, 1)
            uphill.scatter_add_(1, own.unsqueeze(2).expand_as(gradient), gradient)
            if number:  # backwards through the step: v <- (I - eta1 H) v
                v = v - broadcast(self.rate, v) * self.net.mixed(x, y, weights, self.loss, theta, v, at_parameters=True)[1]
        descend(self.points, uphill, self.eta)
        if self.method.clamp:
            self.points.clamp_(*self.range)
        self.trail = []

    def look(self) -> Tensor:
        """The points of all replicates as they are now [R, n, D], in a tensor that no step changes; of those that have left the stack, as
        they were then.
        """
        if not self.moving:
            return self.every
        return self.points.clone() if self.members is None else self.every.index_copy(0, self.members, self.points)

    def shape(self, k: int) -> Hashable:
        """See Step."""
        return self.widths[k], self.others.widths[k] if self.moving else 0

    def lasting(self) -> list[Tensor]:
        """See Step."""
        return [self.net.flat, self.points, self.adapted, self.rounds]

    def values(self) -> dict[str, Tensor]:
        """adapted_loss: of the stepped classifier on held-out rows, mean over the epoch. synthetic_loss: on the synthetic
        points alone.
        """
        if not self.some:
            return {}
        with torch.no_grad():
            losses = self.loss(self.net(self.points), self.start.y)
            own = weighted_sum(losses, mean_weights(self.start.mask, losses.dtype, self.start.weight))
        if not self.moving:
            return {"synthetic_loss": own}
        return {"adapted_loss": self.adapted / self.rounds.clamp(min=1), "synthetic_loss": own}

    def kept(self) -> list[Tensor]:
        """The points, saved with the classifier that trained on them."""
        return [self.points]

    def restore(self, kept: list[Tensor]) -> None:
        """Restores the chosen epoch's points."""
        (self.points,) = kept
        self.members = None


def _range(rows: Rows) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every feature, each [R, 1, D]."""
    low = rows.x.masked_fill(~rows.mask.unsqueeze(2), torch.inf).amin(1, keepdim=True)
    return low, rows.x.masked_fill(~rows.mask.unsqueeze(2), -torch.inf).amax(1, keepdim=True)
