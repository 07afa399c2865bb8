"""Another classifier that names the class of generated images. It is trained on real images that the run uses nowhere else."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.data.dataset import Task
from engine.data.sources import load
from engine.data.table import Dataset
from engine.errors import BadParameter
from engine.models.generators.adversarial import build, descend, in_blocks, new_adam
from engine.models.lenet import LeNet
from engine.seeds import torch_stream
from engine.spec import RunSpec

MOST_ROWS, LEAST_ROWS = 400, 50
"""Images of each class that it is trained on, at most and at least."""
STEPS, BATCH, RATE, BETAS = 400, 64, 2e-3, (0.9, 0.999)
PAUSE = 10
"""Steps after which its training can be stopped."""
MOST = 4
"""Judges that are kept; the least recently used one is removed first."""
OUTSIDE, ELSEWHERE, WITHHELD, VALID = range(4)
"""Where rows come from, in the order in which they are taken."""


@dataclass(frozen=True)
class Judge:
    """A trained judge. rows: images of each class that it was trained on. withheld, valid [n] bool: which of the replicate's withheld and
    validation rows were among them. reason: why there is no judge, a sentence; "" where there is one.
    """

    net: nn.Module | None
    rows: int
    withheld: Tensor
    valid: Tensor
    reason: str = ""

    @torch.no_grad()
    def name_classes(self, x: Tensor) -> Tensor:
        """The class it names for each of the flat standardised images x [n, D], [n] int64."""
        assert self.net is not None
        return in_blocks(self.net, x).argmax(1) if len(x) else torch.zeros(0, dtype=torch.int64, device=x.device)


_kept: OrderedDict[str, Judge] = OrderedDict()
_lock = threading.Lock()


def clear() -> None:
    """Removes all kept judges."""
    with _lock:
        _kept.clear()


def train_judge(task: Task, r: int, dataset: Dataset, spec: RunSpec) -> Generator[None, None, Judge]:
    """The judge of replicate r's images, a kept one where it was trained before. Yields every few steps.

    It is trained on equally many rows of every class, of those outside the `per_class` of the spec's data first, then of those that the
    imbalance removed. A class that is not generated, since none is larger, lends its validation rows too.
    """
    key = _make_key(task, r, spec)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    one = yield from _train(task, r, dataset, spec)
    with _lock:
        _kept[key] = one
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return one


def _train(task: Task, r: int, dataset: Dataset, spec: RunSpec) -> Generator[None, None, Judge]:
    assert task.shape is not None
    classes, replicate = len(task.classes), task.replicates[r]
    x, y, origin, number = _collect_rows(task, r, *read_outside(dataset, spec))
    shuffled = torch.randperm(len(y), generator=torch_stream(task.seed, "judge-rows", replicate.seed, replicate.fold))
    order = shuffled[torch.argsort(origin[shuffled], stable=True)]  # by origin, at random within it
    of_class = [order[y[order] == c] for c in range(classes)]
    count = min(MOST_ROWS, *(len(own) for own in of_class))
    taken = torch.cat([own[:count] for own in of_class]) if count >= LEAST_ROWS else order[:0]
    marks = [torch.zeros(rows.mask.shape[1], dtype=torch.bool) for rows in (task.withheld, task.valid)]
    for mark, kind in zip(marks, (WITHHELD, VALID), strict=True):
        mark[number[taken][origin[taken] == kind]] = True
    if count < LEAST_ROWS:
        reason = (
            f"A class has {count} rows outside training, validation and test; another classifier needs {LEAST_ROWS} of each."
        )
        return Judge(None, count, marks[0], marks[1], reason)
    shape = task.shape

    def make() -> nn.Module:
        trunk = LeNet(shape)
        return nn.Sequential(nn.Unflatten(1, shape), trunk, nn.Linear(trunk.width, classes))

    init, batch = (torch_stream(task.seed, name, replicate.seed, replicate.fold) for name in ("judge-init", "judge-batch"))
    net = build(make, init, law="uniform", device=task.device, dtype=task.dtype)
    player = new_adam(net.parameters(), RATE, BETAS)
    own, labels = x[taken].to(task.train.x), y[taken].to(task.device)
    batches = torch.randint(len(taken), (STEPS, BATCH), generator=batch).to(task.device)
    for step in range(STEPS):
        descend(functional.cross_entropy(net(own[batches[step]]), labels[batches[step]]), [player])
        if step % PAUSE == 0:
            yield
    return Judge(net, count, marks[0], marks[1])


def read_outside(dataset: Dataset, spec: RunSpec) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, channels, height, width] and classes [n] of the data that `per_class` left out, MOST_ROWS a class at most; none of
    the official test part, and none that equals a row of the dataset.
    """
    assert dataset.images is not None
    kept = int(spec.data.get("per_class", 0))
    if not kept:
        return dataset.images[:0], dataset.y[:0]
    try:
        more = load(spec.dataset, {**spec.data, "per_class": kept + MOST_ROWS})
    except BadParameter:  # more than a class has
        more = load(spec.dataset, {**spec.data, "per_class": 0})
    assert more.images is not None
    free = np.ones(len(more.y), bool)
    if more.official_test is not None:
        free[more.official_test] = False
    known = {image.tobytes() for image in dataset.images}
    at = np.array([i for i in np.flatnonzero(free) if more.images[i].tobytes() not in known], np.int64)
    return more.images[at], more.y[at]


def _collect_rows(task: Task, r: int, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All rows that a judge may be trained on, on the CPU: x [n, D], classes [n], where they come from [n], and their number there [n]."""
    mean, sd = (part.reshape(-1, 1, 1) for part in task.greys[r])
    outside = torch.from_numpy((images / 255 - mean) / sd).flatten(1).to(task.dtype)
    parts = [(outside, torch.from_numpy(labels), OUTSIDE, torch.arange(len(labels)))]
    counts = task.train.counts(len(task.classes))[r]
    whole = (counts == counts.max()).cpu()
    for rows, origin in ((task.withheld_elsewhere, ELSEWHERE), (task.withheld, WITHHELD), (task.valid, VALID)):
        y, there = rows.y[r].cpu(), rows.mask[r].cpu()
        at = torch.nonzero(there & whole[y] if origin == VALID else there).squeeze(1)
        parts.append((rows.x[r].cpu()[at], y[at], origin, at))
    origins = torch.cat([torch.full((len(y),), origin) for _, y, origin, _ in parts])
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]), origins, torch.cat([p[3] for p in parts])


def _make_key(task: Task, r: int, spec: RunSpec) -> str:
    """Text of all that a replicate's judge depends on."""
    rows = hashlib.sha256()
    for part in (task.train, task.valid, task.withheld, task.withheld_elsewhere):
        rows.update(part.x[r][part.mask[r]].cpu().contiguous().numpy().data)
        rows.update(part.y[r][part.mask[r]].cpu().contiguous().numpy().data)
    one = task.replicates[r]
    return repr(
        (spec.dataset, sorted(spec.data.items()), task.seed, one.seed, one.fold, str(task.device), task.dtype, rows.hexdigest())
    )
