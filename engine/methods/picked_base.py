"""The base of ensembles whose members each see rows that are picked for them, as many of every class. Members are trees or networks."""

from __future__ import annotations

import abc
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import pad, remove_test_rows, select_task
from engine.events import Event, Note, Phase, Progress, Running
from engine.losses import cross_entropy
from engine.methods.base import USUAL_EPOCHS, DeepMethod, param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, choose_smote
from engine.models.cnn import TRUNKS
from engine.models.committee import Bag, Networks
from engine.models.mlp import MLP
from engine.models.net import Net, fresh_head
from engine.samplers.hardness import Pick
from engine.training.batches import Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import embedded, half_cosine
from engine.training.loop import Meter, streams, train
from engine.training.optimisers import SGD, Descent

BLOCK = 20
"""Most networks that are trained together."""
PARTS = 1000
"""Parts that the progress of a run of several stages is told in."""


@dataclass(frozen=True)
class Picked:
    """What one member is fitted on. rows [m]: picked training rows, by number, ascending. x [n, D], y [n], weight [n] or None: those rows,
    then rows that were made for it. y: positions among the classes that have rows.
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


class _Named:
    name = "member"


@dataclass(frozen=True)
class MemberNetwork(_Named, DeepMethod):
    """The network of a member on a table, and the one whose features members see on images: plain training."""

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        return (yield from self.fit_plain(task, cross_entropy, camera=camera))


@dataclass(frozen=True)
class PickedMethod(EnsembleMethod, abc.ABC):
    """Members on picked rows; the mean of their answers. On images a network is trained plainly first, and members see its features.

    follows: whether the rows of a member depend on the members before it.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"images": {"learner": "network", "epochs": 30, "batch": 64}}
    suited: ClassVar[Mapping[str, str]] = {"images": "images"}
    filmed = True
    follows: ClassVar[bool] = False

    members: int = param(10, low=1, high=500, log=True, help="How many members are grown, each on rows of its own.")
    learner: str = param(
        "trees", choices=("trees", "network"),
        help="A member is a tree or a network; on images a tree or a last layer on the features of a network that is trained first.",
    )  # fmt: skip
    hidden: tuple[int, ...] = param(
        (64, 64), low=1, high=1024, longest=16, product=4 << 20, advanced=True, help="Width of each hidden layer of a network on a table."
    )  # fmt: skip
    learning_rate: float = param(1e-3, low=1e-5, high=1.0, log=True, advanced=True, help="Step size of Adam, of a network.")
    epochs: int = param(
        200, low=1, high=2000, log=True, advanced=True, help="Passes over a network's training rows; validation picks the best one."
    )  # fmt: skip
    batch: int = param(128, low=2, high=4096, log=True, advanced=True, help="Training rows in one step of a network.")
    model: str = param(
        "auto", choices=("auto", "mlp", *TRUNKS), advanced=True,
        help="The network that is trained first on images. auto: a small ResNet.",
    )  # fmt: skip
    head_epochs: int = param(
        50, low=1, high=500, log=True, advanced=True, help="Passes over a member's rows for a last layer on images."
    )  # fmt: skip
    head_rate: float = param(
        0.1, low=0.0, high=1.0, advanced=True, help="First step size of such a layer; it falls to 0 along half a cosine."
    )  # fmt: skip

    @abc.abstractmethod
    def start(self, y: np.ndarray) -> Pick:
        """What picks the rows of one replicate's members. y [n]: positions among the classes that have rows."""

    def count_made(self, y: np.ndarray, t: int) -> Mapping[int, int]:
        """Rows that are made for member t, by class; none by default."""
        return {}

    def draw(self, sample: Sample, y: np.ndarray, pick: Pick, t: int, hardness: np.ndarray | None) -> Picked:
        """The rows of member t. y: as in `start`. hardness [n]: of the members before, None for the first."""
        rng = sample.stream("member", t)
        rows = pick(t, hardness, rng)
        sample.picked.append(rows)
        weight = None if sample.weight is None else sample.weight[rows]
        wanted = {c: n for c, n in self.count_made(y, t).items() if n}
        if not wanted:
            return Picked(rows, sample.x[rows], y[rows], weight)
        made = choose_smote(sample.task.levels)(torch.from_numpy(sample.x), torch.from_numpy(y), wanted, rng)
        new = made.y.numpy()
        if weight is not None and sample.weight is not None:
            mean = np.bincount(y, sample.weight) / np.bincount(y)
            weight = np.concatenate([weight, mean[new]])
        return Picked(rows, np.concatenate([sample.x[rows], made.x.numpy()]), np.concatenate([y[rows], new]), weight)

    def fit_member(self, sample: Sample, t: int, on: Picked) -> tuple[list[Any], np.ndarray | None]:
        """Member t: trees and their weights, as a group of `Bag`."""
        return [grow_tree(sample, t, on)], None

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Hardness is measured on training rows alone."""
        classes, y = np.unique(sample.y, return_inverse=True)
        pick = self.start(y)
        groups: list[tuple[list[Any], np.ndarray | None]] = []
        total = np.zeros((len(y), len(classes)))
        for t in range(self.members):
            yield sample.progress(t / self.members)
            on = self.draw(sample, y, pick, t, self._measure_hardness(total, y, t))
            yield from note_copies(y, self.count_made(y, t), t)
            trees, weights = self.fit_member(sample, t, on)
            groups.append((trees, weights))
            if self.follows:
                total += Bag(np.arange(len(classes)), [(trees, weights)]).predict_proba(sample.x)
        if all(weights is None and len(trees) == 1 for trees, weights in groups):
            return Bag(classes, [([tree for trees, _ in groups for tree in trees], None)])
        return Bag(classes, groups)

    def _measure_hardness(self, total: np.ndarray, y: np.ndarray, t: int) -> np.ndarray | None:
        """1 - the mean probability [n] of a row's own class, by t members. total [n, C]: the sum of their answers."""
        return None if t == 0 or not self.follows else 1 - (total / t)[np.arange(len(y)), y]

    # ---- members as networks

    def build_network(self, task: Task) -> MemberNetwork:
        """The network of a member on a table, and the one that is trained first on images."""
        return MemberNetwork(
            hidden=self.hidden,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch=self.batch,
            model="mlp" if task.shape is None else self.model,
        )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        if task.shape is None:
            return (yield from super().fit(task, camera=camera))
        yield Phase("training", "Training the network whose features the members see")
        first = self.build_network(task)
        meter = Meter(first.epochs * max(Passes(task.train.sizes.tolist(), first.batch, []).per_pass()))
        pretraining = first.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        base, chosen = yield from tell_part(pretraining, 0.0, 0.5)
        camera.show_features(base)
        yield Phase("members", "Fitting the members on its features")
        on = replace(
            remove_test_rows(task),
            train=embedded(base, task.train),
            valid=embedded(base, task.valid),
            sample=None if task.sample is None else embedded(base, task.sample),
            shape=None,
        )
        fitted: Fitted = yield from tell_part(self.fit_on(on, camera=camera, base=base, phase="members"), 0.5, 1.0)
        return replace(fitted, chosen={"training": chosen.epoch, **fitted.chosen})

    def grow_all(self, samples: Sequence[Sample]) -> Generator[Event, None, list[Any]]:
        """See EstimatorMethod. Networks are trained together: of members that follow each other one of every replicate, else BLOCK."""
        if self.learner != "network":
            return (yield from super().grow_all(samples))
        task = samples[0].task
        count, classes = len(samples), len(task.classes)
        known = [np.unique(one.y, return_inverse=True) for one in samples]
        picks = [self.start(y) for _, y in known]
        total = [np.zeros((len(y), len(own))) for own, y in known]
        grown: list[list[Tensor]] = [[] for _ in samples]
        ends: list[list[Tensor]] = [[] for _ in samples]
        pairs = [(r, t) for t in range(self.members) for r in range(count)]
        if not self.follows:
            pairs.sort()
        size = count if self.follows else BLOCK
        net: MLP | None = None
        for at in range(0, len(pairs), size):
            block = pairs[at : at + size]
            parts = []
            for r, t in block:
                hardness = self._measure_hardness(total[r], known[r][1], t)
                parts.append(self.draw(samples[r], known[r][1], picks[r], t, hardness))
                yield from note_copies(known[r][1], self.count_made(known[r][1], t), t)
            rows = _stack_rows(task, [(on, known[r][0]) for on, (r, _) in zip(parts, block, strict=True)])
            training = self._train(task, rows, block)
            end = min(1.0, (at + size) / len(pairs))
            net, epochs = yield from tell_part(training, at / len(pairs), end)
            yield Progress(round(PARTS * end), PARTS)
            for k, (r, _) in enumerate(block):
                grown[r].append(net.flat[k : k + 1])
                ends[r].append(epochs[k])
                if self.follows:
                    own = Networks(net.select(torch.tensor([k], device=net.flat.device)), np.arange(classes))
                    total[r] += own.predict_proba(samples[r].x)[:, known[r][0]]
        assert net is not None
        for r, sample in enumerate(samples):
            sample.ended.extend(ends[r])
        return [Networks(MLP(net.sizes, net.activation, torch.cat(flats)), np.arange(classes)) for flats in grown]

    def _train(self, task: Task, rows: Rows, block: Sequence[tuple[int, int]]) -> Generator[Event, None, tuple[MLP, Tensor]]:
        """Trains networks on the rows of their members. block: (replicate, member) of each. Returns them at the chosen epochs [r]."""
        index = torch.tensor([r for r, _ in block])
        own = select_task(remove_test_rows(task), index)
        ends = {} if "member" not in task.chosen else {"members": torch.stack([task.chosen["member"][r, t] for r, t in block])}
        named = tuple(replace(one, member=t) for one, (_, t) in zip(own.replicates, block, strict=True))
        own = replace(own, replicates=named, chosen=ends)
        net, step, epochs = self._start_networks(own)
        batches = Passes(rows.sizes.tolist(), self.batch, streams(own, "batch"))
        meter = Meter(epochs * max(batches.per_pass()))
        training = train(net, own, step, batches, rows=rows, epochs=epochs, phase="members", meter=meter, camera=Camera(own, 0))
        running = Running(training)
        for event in running:
            if isinstance(event, Progress):
                yield event
        return net, running.value.epoch

    def _start_networks(self, task: Task) -> tuple[MLP, Descent, int]:
        """(new networks, their step, the epochs of training)."""
        width, classes = task.train.x.shape[2], len(task.classes)
        if not self._on_features(task):
            network = self.build_network(task)
            made: Net = network.create(task)
            assert isinstance(made, MLP)
            return made, network.step(made, task, cross_entropy), self.epochs
        head = fresh_head(width, classes, streams(task, "head-init"), device=task.device, dtype=task.dtype)
        net = MLP((width, classes), "relu", head)
        rate = half_cosine(self.head_rate, self.head_epochs)
        return net, SGD(net, cross_entropy, rate=rate, momentum=0.9, decay=5e-4, epochs=self.head_epochs), self.head_epochs

    def _on_features(self, task: Task) -> bool:
        """Whether the rows of this task are features of a network."""
        return task.kind == "images"

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows."""
        if params.get("learner") != "network":
            return super().estimate_rows(params, counts)
        return float(params["members"] * min(params["epochs"], USUAL_EPOCHS) * (cls.count_grown(counts) + cls.overhead))


def _stack_rows(task: Task, parts: Sequence[tuple[Picked, np.ndarray]]) -> Rows:
    """The rows of several members. parts: (rows, class numbers of the positions in their y)."""
    rows = pad([(torch.from_numpy(on.x), torch.from_numpy(known[on.y])) for on, known in parts])
    weight = None
    if parts[0][0].weight is not None:
        weight = torch.zeros_like(rows.y, dtype=rows.x.dtype)
        for k, (on, _) in enumerate(parts):
            assert on.weight is not None
            weight[k, : len(on.weight)] = torch.from_numpy(on.weight)
        weight = weight.to(task.device)
    return Rows(rows.x.to(task.device), rows.y.to(task.device), rows.mask.to(task.device), weight=weight)


def tell_part(events: Generator[Event, None, Any], begin: float, end: float) -> Generator[Event, None, Any]:
    """The events of a part of a run, whose progress goes from `begin` to `end` of the whole."""
    running = Running(events)
    for event in running:
        if isinstance(event, Progress):
            event = Progress(round(PARTS * (begin + (end - begin) * event.done / event.total)), PARTS)
        yield event
    return running.value


def grow_tree(sample: Sample, t: int, on: Picked) -> Any:
    """A tree of full depth on the rows of member t."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=sample.draw("trees", t)).fit(on.x, on.y, sample_weight=on.weight)


def note_copies(y: np.ndarray, wanted: Mapping[int, int], t: int) -> Generator[Event, None, None]:
    """Says, at the first member, that the made rows of a class of one row are copies."""
    sizes = np.bincount(y)
    if t == 0 and any(n and sizes[c] == 1 for c, n in wanted.items()):
        yield Note("A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning")
