"""CMTNN: two complementary networks say which rows are noise, then SMOTE and training."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import take
from engine.events import Event, Phase, Progress, Running
from engine.losses import Complement, cross_entropy
from engine.methods.base import USUAL_EPOCHS, DeepMethod, balanced_rows, param
from engine.models.net import Net
from engine.samplers.lines import SMOTE_NEIGHBORS, Drawn, smote
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.batches import Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.first_phase import train_once
from engine.training.fitted import Fitted
from engine.training.loop import Chosen, Meter, streams
from engine.training.oversampling import Draw

RULES = ("both", "either")
PLACES = ("majority", "all")
FOLDS = 3
"""Parts of the training rows, where each part is judged by networks that were trained on the others."""


@dataclass(frozen=True)
class CMTNN(DeepMethod):
    """One network learns which class a row is of, another which classes it is not of. Majority rows that both get wrong are removed; then
    SMOTE and plain training. It cannot tell noise from rare rows, and networks that fit their own rows well remove next to none."""

    name = "cmtnn"
    title = "CMTNN + SMOTE"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = (
        "Jeatrakul et al. 2010, from memory. The largest class alone is cleaned, not below the second largest and not below two rows; rows "
        "that both networks miss most clearly go first. Our networks, SMOTE and epochs chosen on validation rows."
    )
    pen = Pen("green", "longdash", "diamond")
    comparison = 72
    cost = 3.0

    rule: str = param(
        "both", choices=RULES, help="A row is removed where both networks are wrong about it, or where either of them is."
    )
    where: str = param("majority", choices=PLACES, help="Rows of the largest class alone are removed, or of all classes.")
    honest: bool = param(
        False,
        help="A row is judged by networks that were not trained on it: three pairs, each trained on two thirds of the rows.",
    )
    k_neighbors: int = param(
        SMOTE_NEIGHBORS, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A Note gives the number of rows removed."""
        counts = task.train.counts(len(task.classes))
        sizes = (counts.amax(1) * (counts > 0).sum(1)).tolist()
        judging = (2 * FOLDS if self.honest else 2) * self.epochs * steps_of_pass(task.train.sizes.tolist(), self.batch)
        total = judging + self.epochs * steps_of_pass(sizes, self.batch)
        yield Phase("judging", "Training two networks that judge the rows")
        judged = Running(self.judge(task, Meter(judging)))
        for event in judged:
            if isinstance(event, Progress):  # neither these networks' epochs nor their frames are those of the method
                yield Progress(event.done, total)
        logits, chosen = judged.value
        kept = choose_kept(task.train, *logits, rule=self.rule, where=self.where)
        draws: list[Draw] = [
            partial(smote_kept, kept=kept[r][task.train.mask[r]], k_neighbors=one.k_neighbors)
            for r, one in enumerate(self.list_members(task))
        ]
        sampled = Running(self.fit_sampled(task, draws, camera=camera))
        for event in sampled:
            yield Progress(judging + event.done, judging + event.total) if isinstance(event, Progress) else event
        fitted = sampled.value
        return replace(fitted, chosen={**fitted.chosen, **chosen})

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows."""
        judges = 2 * (FOLDS - 1) if params["honest"] else 2
        return float(
            judges * super().estimate_rows(params, counts) + min(params["epochs"], USUAL_EPOCHS) * balanced_rows(counts)
        )

    def judge(self, task: Task, meter: Meter) -> Generator[Event, None, tuple[tuple[Tensor, Tensor], dict[str, Tensor]]]:
        """((Logits of the truth network and, turned over, of the falsity network on the training rows [R, N, C]), what validation rows
        chose).
        """
        rows = task.train
        if not self.honest:
            truth, first = yield from self._train_truth(task, rows, meter, task.chosen.get("truth"))
            falsity, second = yield from self._train_falsity(task, rows, meter, task.chosen.get("falsity"))
            return (read_logits(truth, rows), read_logits(falsity, rows)), {"truth": first.epoch, "falsity": second.epoch}
        folds = deal_folds(task)
        parts, epochs = [], []
        for fold in range(FOLDS):
            others = take(rows, folds != fold)
            pair = []
            for name, train in (("truth", self._train_truth), ("falsity", self._train_falsity)):
                ends = task.chosen[name][:, fold] if name in task.chosen else None
                pair.append((yield from train(task, others, meter, ends)))
            parts.append([read_logits(net, rows) for net, _ in pair])
            epochs.append([chosen.epoch for _, chosen in pair])
        own = folds.clamp(min=0).unsqueeze(0).unsqueeze(3).expand(1, *parts[0][0].shape)
        one, other = (torch.stack([part[i] for part in parts]).gather(0, own)[0] for i in range(2))
        return (one, other), {name: torch.stack([e[i] for e in epochs], 1) for i, name in enumerate(("truth", "falsity"))}

    def _train_truth(
        self, task: Task, rows: Rows, meter: Meter, ends: Tensor | None
    ) -> Generator[Event, None, tuple[Net, Chosen]]:
        """Plain training; of all rows, `engine.training.network_cache` may hold it. ends [R]: epochs that an earlier fit chose."""
        own = _with_ends(task, ends)
        return (yield from self.pretrain(own, cross_entropy, rows=rows, meter=meter, camera=Camera(own, 0)))

    def _train_falsity(
        self, task: Task, rows: Rows, meter: Meter, ends: Tensor | None
    ) -> Generator[Event, None, tuple[Net, Chosen]]:
        """The same network on the complement of each row's class, with its logits turned over: the highest is that of the class which it
        holds for least false, so that its epochs are chosen as always.
        """
        own = _with_ends(task, ends)
        net = self.create(own)
        flat, size = net.flat.clone(), (net.width + 1) * net.classes
        flat[:, -size:] *= -1
        net.flat = flat
        batches = Passes(rows.sizes.tolist(), self.batch, streams(own, "batch"))
        step = self.step(net, own, Complement())
        return (
            yield from train_once(
                "", net, own, step, batches, rows=rows, epochs=self.epochs, phase="training", meter=meter, camera=Camera(own, 0)
            )
        )


def _with_ends(task: Task, ends: Tensor | None) -> Task:
    return task if ends is None else replace(task, chosen={"training": ends})


@torch.no_grad()
def read_logits(net: Net, rows: Rows) -> Tensor:
    """The network's logits on the rows [R, N, C]."""
    return net.head(net.embed(rows.x, rows.mask))


def deal_folds(task: Task) -> Tensor:
    """The fold of every training row [R, N]: of each class as many rows in each as possible; -1 on padding."""
    folds = torch.full_like(task.train.y, -1)
    for r, replicate in enumerate(task.replicates):
        rng = numpy_stream(task.seed, "fold", replicate.seed, replicate.fold)
        for c in range(len(task.classes)):
            own = torch.nonzero(task.train.mask[r] & (task.train.y[r] == c)).squeeze(1)
            folds[r, own[torch.from_numpy(rng.permutation(len(own))).to(own.device)]] = (
                torch.arange(len(own), device=own.device) % FOLDS
            )
    return folds


def choose_kept(rows: Rows, truth: Tensor, falsity: Tensor, *, rule: str, where: str) -> Tensor:
    """Which rows stay [R, N]. truth, falsity [R, N, C]: logits, the highest is the class said.

    The largest class keeps at least as many rows as the second largest has, every class two. Where more are missed, those stay whose own
    class is most likely, by the mean of both networks; ties go to the lower number.
    """
    missed = [logits.argmax(2) != rows.y for logits in (truth, falsity)]
    gone = rows.mask & (missed[0] & missed[1] if rule == "both" else missed[0] | missed[1])
    counts = rows.counts(truth.shape[2])
    least = counts.clamp(max=2)
    largest = counts.argmax(1, keepdim=True)
    least.scatter_(1, largest, torch.maximum(counts.topk(2, dim=1).values[:, 1:], least.gather(1, largest)))
    if where == "majority":
        gone &= rows.y == largest
    likely = sum(logits.double().softmax(2).gather(2, rows.y.unsqueeze(2)).squeeze(2) for logits in (truth, falsity))
    assert isinstance(likely, Tensor)
    for r, c in torch.nonzero(counts > 0).tolist():
        own = torch.nonzero(gone[r] & (rows.y[r] == c)).squeeze(1)
        room = int(counts[r, c] - least[r, c])
        if len(own) > room:
            gone[r, own[torch.argsort(likely[r, own], stable=True)[room:]]] = False
    return rows.mask & ~gone


@torch.no_grad()
def smote_kept(
    x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: np.random.Generator, *, kept: Tensor, k_neighbors: int
) -> Drawn:
    """SMOTE among the rows `kept` [n] until every class of `wanted` is as large as the largest of them."""
    numbers = torch.nonzero(kept).squeeze(1)
    counts = torch.bincount(y[numbers])
    asked = {c: int(counts.max() - counts[c]) for c in wanted}
    drawn = smote(x[numbers], y[numbers], asked, rng, k_neighbors=k_neighbors)
    return replace(drawn, base=numbers[drawn.base], other=numbers[drawn.other], kept=kept)
