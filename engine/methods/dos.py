"""Deep over-sampling: minority rows are trained towards the features of their in-class neighbours."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import select, take
from engine.events import Event, Note, Phase
from engine.losses import broadcast, cross_entropy, mean_weights
from engine.methods.base import DeepMethod, balanced_rows, param
from engine.models.net import Net
from engine.samplers import overloading
from engine.samplers.overloading import Overloading, in_class, simplex, spread
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.batches import Passes, keep, pick, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batch, Meter, Step, streams, train
from engine.training.optimisers import select_number
from engine.training.probes import PROBES, with_probe


@dataclass(frozen=True)
class DOS(DeepMethod):
    """Deep over-sampling: copies of minority rows whose targets are the features of their nearest rows of the same class, each copy with
    other weights, so that the network draws a rare class together while it learns to tell it apart.

    Two phases: plain training; then rounds, each one pass over the items (Algorithm 1). Before every round the features of the
    training rows are stored; an item is a row, its k nearest in-class features and random weights. Minority: classes with at
    most two thirds of the largest's rows.
    """

    name = "dos"
    title = "DOS"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Ando and Huang 2017, Algorithm 1; no code was published. What the text leaves open is a parameter: as a target, the row itself "
        "is live in the classifier's loss and stored in the features' loss, no gradient passes through rho, and squared distances are "
        "relative to those within the class. Plain training hands on its best epoch, the optimiser begins anew with the rounds, and "
        "validation chooses among the rounds."
    )
    presets: ClassVar = {
        "images": {"epochs": 25, "batch": 64, "rounds": 5},
        "paper": {
            "model": "lenet", "optimiser": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4, "epochs": 3, "rounds": 3, "batch": 60,
            "k": 5,
        },
        "balanced": {"k": 5, "k_majority": 5, "r": 1},
    }  # fmt: skip
    deviations: ClassVar = {
        "paper": (
            "Optimiser, step size, kernels, pooling and initial weights are not in the paper: SGD at 0.01 with momentum 0.9, LeNet's "
            "kernels and Kaiming's law are assumed.",
            "Batch and rounds are table 4's for MNIST and SVHN; MNIST-back-rotation has 40 and 5, CIFAR-10 50 and 4, STL-10 50 and 5.",
            "Colour images get convolutions of 20 and 50 channels, SVHN too, which has 6 and 16 in table 4.",
            "The length of plain training is not in the paper: as many epochs as rounds.",
            "Squared distances are divided by their mean within the class; as printed, at the assumed step size, all features of MNIST "
            "collapsed into one point in the first round.",
            "r is not in the paper but for its range: each class has as many copies as make it about as large as the largest.",
            "The round is chosen on validation rows; the paper does not say.",
        ),
    }
    suited: ClassVar = {"images": "images"}
    controls: ClassVar = {
        "CE, equal epochs": {"k": 0, "k_majority": 0, "lambda_f": 0.0, "r": 1},
        "CE on copies, equal steps": {"k": 0, "k_majority": 0, "lambda_f": 0.0},
    }
    control_titles: ClassVar = {"CE, equal epochs": "Equal epochs", "CE on copies, equal steps": "Equal steps on copies"}
    pen = Pen("green", "longdash", "square")
    control_pens: ClassVar = {
        "CE, equal epochs": Pen("orange", "longdash", "x"),
        "CE on copies, equal steps": Pen("sky", "dot", "star"),
    }
    cost = 2.0
    comparison = 7
    reuses_plain = True

    k: int = param(
        5, low=0, high=50, stacks=LATER,
        help="Nearest in-class features that are targets of a minority row, beside its own (k). 0: its own alone.",
    )  # fmt: skip
    r: int = param(
        0, low=0, high=1000, log=True, stacks=LATER, label="copies (r)",
        help="Items made of every minority row in a round. 0: as many as make its class about as large as the largest. The paper's "
        "range is from that number to k times it.",
    )  # fmt: skip
    rounds: int = param(20, low=1, high=500, log=True, label="rounds (T)", help="Rounds after plain training, one pass each.")
    lambda_f: float = param(
        1.0, low=0.0, high=100.0, log=True, stacks=LATER, label="weight of the features' loss",
        help="Weight of the squared distances to the targets beside the classifier's loss; the paper adds them as they are.",
    )  # fmt: skip
    classifier: str = param(
        "softmax", choices=("softmax", *PROBES),
        help="What classifies in the end: the network's own last layer, or 5 nearest neighbours or logistic regression on the final "
        "features of the training rows (DOS-kNN, DOS-LR).",
    )  # fmt: skip
    k_majority: int = param(
        0, low=0, high=50, stacks=LATER, advanced=True, help="The same of the other classes; on balanced data as large as k."
    )
    self_f: str = param(
        "stored", choices=overloading.SELF, label="own target in l_f", advanced=True,
        help="In the features' loss, a row's own target is its stored features (it is held back) or its live ones (no force).",
    )  # fmt: skip
    self_g: str = param(
        "live", choices=overloading.SELF, label="own target in l_g", advanced=True,
        help="The classifier sees the row's live features, so they learn from it too, or stored ones, as Algorithm 1 reads literally.",
    )  # fmt: skip
    rho: str = param(
        "literal", choices=overloading.RHO, advanced=True,
        help="Weights of the classifier's loss: as printed, where a large w counts little, or w times exp of minus squared distance.",
    )  # fmt: skip
    rho_grad: bool = param(False, advanced=True, help="Features are also pulled to neighbours that are classified well.")
    law: str = param(
        "dirichlet", choices=overloading.LAWS, stacks=LATER, advanced=True,
        help="Law of the weights w: uniform on the simplex, or uniform numbers over their sum.",
    )  # fmt: skip
    weights_over: str = param(
        "all", choices=overloading.OVER, stacks=LATER, advanced=True,
        help="w covers the row's own target and its neighbours, or its neighbours alone.",
    )  # fmt: skip
    scaled: bool = param(
        True, label="scaled distances", advanced=True,
        help="Squared distances are divided by the mean one between two rows of the class, so that their size against the classifier's "
        "loss does not hang on the network. Off, as printed: with wide layers and large steps all features collapse into one point.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        minority = overloading.overloaded(task.train.counts(len(task.classes)))
        step = Rounds(self, task, minority)
        batches = Passes(step.items.sizes.tolist(), self.batch, streams(task, "round-batch"))
        first = steps_of_pass(task.train.sizes.tolist(), self.batch)
        meter = Meter(self.epochs * first + self.rounds * max(batches.per_pass()))
        camera.hide_rows()
        yield Phase("training", "Training the network")
        earlier, plain = yield from self.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        if not minority.any():
            yield Note(
                "No class has as few as two thirds of the largest's rows, so none is a minority: all rows have k_majority neighbours "
                "and one copy.",
                "warning",
            )
        net = earlier.copy()
        self._watch(net, task, minority, camera)
        yield Phase("rounds", "Drawing the classes together")
        step.start(net)
        chosen = yield from train(
            net, task, step, batches, rows=step.items, epochs=self.rounds, phase="rounds", meter=meter, camera=camera
        )
        if self._lost(earlier, net, task) or bool((chosen.epoch == 0).any()):
            yield Note(
                "In some replicates the rounds drove the features into one point or out of sight: use smaller steps, less weight on the "
                "features' loss, or scaled distances.",
                "warning",
            )
        final = net
        if self.classifier != "softmax":
            yield Phase("classifier", "Fitting a classifier on the features")
            final, converged = with_probe(net, task.train, self.classifier)
            if not converged:
                yield Note("Logistic regression on the features reached its limit of steps.", "warning")
        yield from camera.record_final_frame(final, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(final, chosen.epoch, earlier=earlier, chosen={"training": plain.epoch, "rounds": chosen.epoch})

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. An item of a round costs about as much as three rows."""
        return float(super().estimate_rows(params, counts) + 3 * params["rounds"] * balanced_rows(counts))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. Rows of a minority class count once per copy."""
        counts = task.train.counts(len(task.classes))
        copies = torch.where(overloading.overloaded(counts), self.copies(task, counts), 1)
        return super().class_shares(task, fitted) * copies

    def copies(self, task: Task, counts: Tensor) -> Tensor:
        """Items of a row of each class [R, C] where it is a minority; counts [R, C]: rows of each class."""
        r, level = self.number(task, "r"), overloading.copies(counts)
        if isinstance(r, Tensor):
            return torch.where(r > 0, r, level)
        return torch.full_like(level, r) if r else level

    @staticmethod
    @torch.no_grad()
    def _lost(earlier: Net, net: Net, task: Task) -> bool:
        """Whether training has diverged: the variance of a replicate's features is a million times smaller or larger, 0, or not
        finite.
        """
        rows = task.train
        one = torch.zeros_like(rows.y)
        before, after = (spread(n.embed(rows.x, rows.mask), one, rows.mask, 1).double() for n in (earlier, net))
        return not bool(((after > before / 1e6) & (after < before * 1e6)).all())

    @staticmethod
    def _watch(net: Net, task: Task, minority: Tensor, camera: Camera) -> None:
        """Shows the features in all following frames, with those of minority rows as moving points."""
        camera.show_features(net)
        few = take(task.train, minority.gather(1, task.train.y))
        if camera.frames and bool(few.mask.any()):

            def now() -> Tensor:
                return net.embed(few.x, few.mask) * few.mask.unsqueeze(2)

            camera.track_points(replace(few, x=now()), now)


class Rounds(Step):
    """An epoch of the second phase: items of all rows, with targets stored before it. See engine.samplers.overloading for the
    losses.

    items: x [R, M, 1] int64, number of the item; y [R, M]. `row` [R, M]: the training row of each item. Every row of a minority
    class (minority [R, C]) occurs r times, every other row once.
    """

    obstacle = ""

    def __init__(self, method: DOS, task: Task, minority: Tensor) -> None:
        self.method, self.task, self.rows = method, task, task.train
        rows, classes = task.train, len(task.classes)
        self.chances = streams(task, "overloading")
        self.loss = Overloading(method.self_f, method.self_g, method.rho, method.rho_grad)
        counts = rows.counts(classes)
        copies = torch.where(minority, method.copies(task, counts), 1)
        self.ways = method.list_members(task)
        self.k = torch.where(minority, method.number(task, "k"), method.number(task, "k_majority")).tolist()
        self.lambda_f = method.number(task, "lambda_f")
        times = copies.gather(1, rows.y) * rows.mask  # [R, N]
        copies_of = [torch.repeat_interleave(torch.arange(len(t), device=t.device), t) for t in times]
        self.row = torch.nn.utils.rnn.pad_sequence(copies_of, batch_first=True)
        mask = torch.arange(self.row.shape[1], device=times.device) < times.sum(1, keepdim=True)
        number = torch.arange(self.row.shape[1], device=times.device) * mask
        weight = None if rows.weight is None else rows.weight.gather(1, self.row) * mask
        self.items = Rows(number.unsqueeze(2), rows.y.gather(1, self.row) * mask, mask, weight=weight)
        self.minority = minority
        self.stored: Tensor | None = None
        self.at = self.row[:, :0]
        self.targets = self.mixed_items = self.rho_sum = torch.zeros(0)

    def start(self, net: Net) -> None:
        """Starts the rounds of this network."""
        self.net = net
        way = replace(self.method, schedule="constant", epochs=self.method.rounds)
        self.descent = way.step(net, self.task, cross_entropy)
        self.descent.objective = self._objective

    def use(self, net: Net) -> None:
        """See Step."""
        self.net = net
        self.descent.use(net)

    def select(self, index: Tensor) -> None:
        """See Step."""
        self.descent.select(index)
        self.rows, self.items = select(self.rows, index), select(self.items, index)
        self.chances = keep(self.chances, index)
        self.row, self.minority = self.row.index_select(0, index), self.minority.index_select(0, index)
        self.k, self.ways = keep(self.k, index), keep(self.ways, index)
        self.lambda_f = select_number(self.lambda_f, index)
        if self.stored is not None:
            self.stored = self.stored.index_select(0, index)

    def begin(self, wanted: Sequence[int]) -> None:
        """Starts a round: stores features, finds neighbours, draws weights."""
        self.descent.begin(wanted)
        rows, method = self.rows, self.method
        if self.stored is None:
            self.stored = self._features()
        neighbours = [in_class(z, y, k) for z, y, k in zip(self._kept(self.stored), self._kept(rows.y), self.k, strict=True)]
        widths = [max(way.k, way.k_majority) + 1 for way in self.ways]
        places = max(widths)
        blank = self.row.new_zeros(*rows.y.shape, places)
        self.near, self.there = self.hold("near", blank), self.hold("there", blank.bool())
        for r, (near, there) in enumerate(neighbours):
            self.near[r, : near.shape[0], : near.shape[1]] = near
            self.there[r, : there.shape[0], : there.shape[1]] = there
        self.weights = self.hold("weights", self.stored.new_zeros(*self.row.shape, places))
        self.targets = self.hold("targets", self.stored)
        for r, (stream, count, width) in enumerate(zip(self.chances, self.items.sizes.tolist(), widths, strict=True)):
            draws = torch.rand(count, width, generator=stream, dtype=torch.float64).to(self.row.device)
            there = self.there[r, self.row[r, :count], :width]
            self.weights[r, :count, :width] = simplex(draws, there, self.ways[r].law, self.ways[r].weights_over)
        variance = spread(self.stored, rows.y, rows.mask, len(self.task.classes))
        apart = torch.where(variance > 0, 2 * variance, 1.0)  # for a class with one row, or with all rows at one point
        self.scale = self.hold("scale", apart.gather(1, rows.y)) if method.scaled else None
        self.mixed_items, self.rho_sum = (self.stored.new_zeros(len(self.row)) for _ in range(2))
        self.mixed_items, self.rho_sum = self.hold("mixed items", self.mixed_items), self.hold("rho", self.rho_sum)

    def __call__(self, batch: Batch) -> Tensor:
        """One step on items."""
        self.at = batch.x.squeeze(2)
        x = pick(self.rows.x, self.row.gather(1, self.at))
        return self.descent(replace(batch, x=x))

    def parts(self) -> Sequence[Step]:
        """See Step."""
        return (self.descent,)

    def values(self) -> dict[str, Tensor]:
        """rho_self: mean share of the row itself in the classifier's loss, over items with neighbours (1 without such items).
        variance_0 ...: within-class variance of the features after the round, per class. variance_minority,
        variance_majority: means over these classes.
        """
        self.stored = self._features()
        rows = self.rows
        variance = spread(self.stored, rows.y, rows.mask, len(self.task.classes))
        nan = torch.full_like(variance, torch.nan)
        return {
            "rho_self": torch.where(self.mixed_items > 0, self.rho_sum / self.mixed_items.clamp(min=1), 1.0),
            "variance_minority": torch.where(self.minority, variance, nan).nanmean(1),
            "variance_majority": torch.where(self.minority, nan, variance).nanmean(1),
        } | {f"variance_{c}": variance[:, c] for c in range(variance.shape[1])}

    def _objective(self, net: Net, batch: Batch) -> Tensor:
        rows, at = self.row.gather(1, self.at), self.at
        replicates, items = at.shape
        there = pick(self.there, rows)
        targets = pick(self.targets, pick(self.near, rows).flatten(1)).view(replicates, items, there.shape[2], -1)
        scale = None if self.scale is None else self.scale.gather(1, rows)
        z = net.embed(batch.x, batch.mask)
        loss_f, loss_g, rho = self.loss(net.head, z, batch.y, targets, pick(self.weights, at), there, scale)
        among = batch.mask & there[:, :, 1:].any(2)
        self.mixed_items += among.sum(1)
        self.rho_sum += (rho.detach()[:, :, 0] * among).sum(1)
        return ((loss_g + broadcast(self.lambda_f, loss_f) * loss_f) * mean_weights(batch.mask, z.dtype, batch.weight)).sum(1)

    def _features(self) -> Tensor:
        with torch.no_grad():
            return self.net.embed(self.rows.x, self.rows.mask)

    def _kept(self, padded: Tensor) -> list[Tensor]:
        return [rows[mask] for rows, mask in zip(padded, self.rows.mask, strict=True)]
