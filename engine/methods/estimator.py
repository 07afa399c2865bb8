"""The base of methods that fit an estimator of scikit-learn's kind in the place of the network, and the remedies they share."""

from __future__ import annotations

import abc
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.analysis.shifts import find_shifts
from engine.analysis.stacked import macro_average_precision
from engine.data.dataset import Rows, Task
from engine.data.rows import take
from engine.errors import BadInput
from engine.events import SEEN, Epoch, Event, Note, Phase, Progress
from engine.methods.base import EPOCH_OVERHEAD, Method, param
from engine.models.committee import Committee, Member, one_thread, take_log
from engine.models.net import Net
from engine.samplers.lines import smote
from engine.samplers.mixed import smotenc
from engine.seeds import numpy_stream
from engine.training.camera import EVERY_OTHER, Camera
from engine.training.fitted import Fitted, Synthetic
from engine.training.loop import Meter
from engine.training.oversampling import Draw, Sampled, oversample
from engine.training.undersampling import keep_rows

REMEDIES = ("none", "class-weights", "threshold", "rus", "smote")
"""What is done about the classes' sizes, on training rows alone (the threshold: on validation rows)."""
WATCHED = 2000
"""Most training rows on which the loss is measured after every tree."""
PART = 10
"""Trees that a forest grows before it can be stopped."""
STAGES = 25
"""Most stages of a growing ensemble that a film shows."""
LEVELS_FROM = 2
"""Categories of fewer levels are no choice between levels."""


@dataclass(frozen=True)
class Sample:
    """The rows of one replicate, as arrays. x [n, D], y [n], weight [n] or None; valid_x, valid_y, valid_weight: of validation.

    picked: the rows of each member, by number, which `grow` appends where it picks them. ended: the epochs that validation rows chose for
    members that are networks.
    """

    task: Task
    r: int
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    valid_x: np.ndarray
    valid_y: np.ndarray
    valid_weight: np.ndarray | None
    picked: list[np.ndarray] = field(default_factory=list)
    ended: list[Tensor] = field(default_factory=list)

    def ends(self, name: str, most: int) -> int:
        """How many are grown: the number that an earlier fit chose (`Task.chosen`), else the most."""
        chosen = self.task.chosen.get(name)
        return most if chosen is None else int(chosen[self.r])

    def draw(self, name: str, *keys: int) -> int:
        """An int below 2^31, from the stream of this name."""
        return int(self.stream(name, *keys).integers(2**31))

    def stream(self, name: str, *keys: int) -> np.random.Generator:
        """The replicate's stream of this name."""
        replicate = self.task.replicates[self.r]
        return numpy_stream(self.task.seed, name, replicate.seed, replicate.fold, *keys)

    def progress(self, share: float) -> Progress:
        """Progress of the run where this replicate has done a share of its work."""
        return Progress(round(100 * (self.r + share)), 100 * len(self.task.replicates))


Growing = Generator[Event, None, Any]


@dataclass(frozen=True)
class EstimatorMethod(Method, abc.ABC):
    """A method whose `Fitted.net` is a `Committee`: one estimator per replicate, fitted on the same features and rows as the networks.

    length: the field that says how many trees or members are grown, '' where there is none. A replicate's epoch is the number grown.
    overhead: fixed cost of a tree or a member, in training rows, for estimates. filmed: whether the film shows the ensemble grow.
    """

    length: ClassVar[str] = "trees"
    overhead: ClassVar[float] = EPOCH_OVERHEAD
    filmed: ClassVar[bool] = False

    @abc.abstractmethod
    def grow(self, sample: Sample) -> Growing:
        """Fits one replicate. Returns an estimator with `predict_proba` and `classes_`."""

    def apply_remedy(self, task: Task) -> Generator[Event, None, tuple[Rows, Synthetic | None, Tensor | None]]:
        """(rows to fit on, rows that were made, lines that they lie on)."""
        yield from ()
        return task.train, None, None

    def tune_decision(self, net: Committee, task: Task) -> Committee:
        """The committee with its decision tuned on validation rows, where the method does that."""
        return net

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        yield Phase("training", "Fitting the model")
        return (yield from self.fit_on(task, camera=camera))

    def fit_on(
        self, task: Task, *, camera: Camera, base: Net | None = None, phase: str = "training"
    ) -> Generator[Event, None, Fitted]:
        """Fits every replicate on the task's rows. base: the network that embeds input rows as the task's; None: they are the input rows.
        phase: of the epochs.
        """
        rows, synthetic, lines = yield from self.apply_remedy(task)
        if synthetic is not None:
            if lines is not None:
                camera.describe_points(Sampled(rows, lines=lines))
            camera.track_points(Rows(synthetic.start, synthetic.y, synthetic.mask), lambda: synthetic.x)
        samples = [Sample(task, r, *_read(rows, r), *_read(task.valid, r)) for r in range(len(task.replicates))]
        estimators = yield from self.grow_all(samples)
        members = [Member(estimator, len(task.classes)) for estimator in estimators]
        net = Committee(members, task.train.x.shape[2], device=task.device, base=base)
        score = torch.full((len(members),), torch.nan, dtype=torch.float64)
        grown = []
        for r, member in enumerate(members):
            told = list(_follow(member, rows, task, r)) if task.followed else [{} for _ in member.stages(_read(rows, r)[0][:1])]
            grown.append(told)
            score[r] = told[-1].get("valid_ap", math.nan)
        longest = max(map(len, grown))
        first = task.replicates[0].number
        for epoch in range(1, longest + 1 if task.followed else 1):
            at = [own[epoch - 1] if epoch <= len(own) else {} for own in grown]
            values = {name: [one.get(name, math.nan) for one in at] for name in ("train_loss", "valid_loss", "valid_ap")}
            if self.filmed and camera.frames:
                scores = torch.tensor(values["valid_ap"], dtype=torch.float64)
                yield from film_stage(camera, net, samples, phase, epoch, longest, scores)
            yield Epoch(phase, epoch, epoch, first, values)
        net = self.tune_decision(net, task)
        epochs = torch.tensor([len(own) for own in grown])
        yield from camera.record_final_frame(net, "chosen", epochs, longest, score)
        chosen = {self.length: epochs} if self.length else {}
        if samples[0].ended:
            chosen["member"] = torch.stack([torch.stack(one.ended) for one in samples])
        if net.shifts is not None:
            chosen["shifts"] = net.shifts
        return Fitted(net, epochs, synthetic, lines=lines, chosen=chosen, picked=stack_picked([one.picked for one in samples]))

    def grow_all(self, samples: Sequence[Sample]) -> Generator[Event, None, list[Any]]:
        """Fits the replicates, one after the other by default. Returns an estimator of each."""
        estimators = []
        for sample in samples:
            estimator = yield from self.grow(sample)
            estimators.append(estimator)
            yield sample.progress(1.0)
        return estimators

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. In units of a tree on the rows."""
        return float(params.get(cls.length, 1) if cls.length else 1) * (cls.count_grown(counts) + cls.overhead)

    @classmethod
    def count_grown(cls, counts: Sequence[int]) -> int:
        """Rows that a tree or a member is grown on. counts [C]: training rows."""
        return sum(counts)


@dataclass(frozen=True)
class ModelMethod(EstimatorMethod, abc.ABC):
    """A model that remedies can be joined with."""

    remedy: str = param(
        "none", choices=REMEDIES,
        help="What is done about the classes' sizes: weights in the loss, the decision tuned on validation rows, majority rows dropped, "
        "or SMOTE (SMOTE-NC where columns are categories). All on training rows alone but the decision.",
    )  # fmt: skip

    def apply_remedy(self, task: Task) -> Generator[Event, None, tuple[Rows, Synthetic | None, Tensor | None]]:
        """See EstimatorMethod."""
        rows = task.train
        if self.remedy == "class-weights":
            return replace(rows, weight=balance_weights(rows, len(task.classes))), None, None
        if self.remedy == "rus":
            return take(rows, keep_rows(task)), None, None
        if self.remedy != "smote":
            return rows, None, None
        draw = choose_smote(task.levels)
        sampled = yield from oversample(rows, task, [draw] * len(task.replicates), meter=Meter(1))
        assert sampled.new is not None
        new = sampled.new
        return sampled.rows, Synthetic(new.x, new.x, new.y, new.mask), sampled.lines

    def tune_decision(self, net: Committee, task: Task) -> Committee:
        """See EstimatorMethod."""
        if self.remedy != "threshold":
            return net
        if "shifts" in task.chosen:
            return Committee(net.members, net.width, task.chosen["shifts"], task.device)
        valid, shifts = task.valid, []
        logits = net(valid.x).cpu().numpy()
        for r, z in enumerate(logits):
            _, y, weight = _read(valid, r)
            shifts.append(find_shifts(z[valid.mask[r].cpu().numpy()], y, "balanced accuracy", weight))
        return Committee(net.members, net.width, torch.from_numpy(np.stack(shifts)), task.device)

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares."""
        classes = len(task.classes)
        if self.remedy == "class-weights":
            return (task.train.counts(classes) > 0).double()
        if self.remedy == "rus":
            return take(task.train, keep_rows(task)).counts(classes).double()
        shares = super().class_shares(task, fitted)
        shifts = fitted.net.shifts if isinstance(fitted.net, Committee) else None
        return shares if shifts is None else shares * shifts.to(shares).exp()


@dataclass(frozen=True)
class ForestMethod(ModelMethod, abc.ABC):
    """Many deep trees; the mean of their answers. grower: scikit-learn's class of them, of `sklearn.ensemble`."""

    family = "model"
    kinds = ("tabular", "points")
    needs = ("sklearn.ensemble",)
    cost = 0.5
    overhead = 1_500.0
    grower: ClassVar[str]

    trees: int = param(100, low=1, high=5000, log=True, help="How many trees are grown.")
    columns: str = param("sqrt", choices=("sqrt", "log2", "all"), help="How many columns a split looks at.")
    smallest_leaf: int = param(1, low=1, high=10_000, log=True, help="Training rows that a leaf has at least.")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        import sklearn.ensemble

        model = getattr(sklearn.ensemble, self.grower)(
            n_estimators=0,
            max_features=None if self.columns == "all" else self.columns,
            min_samples_leaf=self.smallest_leaf,
            random_state=sample.draw("trees"),
            warm_start=True,
        )
        return (yield from grow_in_parts(model, self.trees, sample))


@dataclass(frozen=True)
class EnsembleMethod(EstimatorMethod, abc.ABC):
    """Members that each see as many rows of every class."""

    length: ClassVar[str] = "members"

    @classmethod
    def count_grown(cls, counts: Sequence[int]) -> int:
        """See EstimatorMethod.count_grown."""
        return len(counts) * min(counts)

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. The classes of a member are alike."""
        return (task.train.counts(len(task.classes)) > 0).double()


def choose_smote(levels: Sequence[int]) -> Draw:
    """SMOTE, or SMOTE-NC where columns are categories; levels: as in Task."""
    several = tuple(n for n in levels if n >= LEVELS_FROM)
    return partial(smotenc, levels=several) if levels and len(several) == len(levels) else smote


def film_stage(
    camera: Camera, net: Committee, samples: Sequence[Sample], phase: str, epoch: int, longest: int, score: Tensor
) -> Iterator[Event]:
    """Records the committee of the first `epoch` members and the rows that the last of them saw, at most STAGES times."""
    shown = np.unique(np.linspace(1, longest, min(longest, STAGES, camera.frames)).round()).tolist()
    if epoch in shown:
        everyone = shown.index(epoch) % EVERY_OTHER == 0
        seen = [mark_seen(sample, net, epoch - 1) for sample in (samples if everyone else samples[:1])]
        yield from camera.record_final_frame(
            net.reach(epoch), phase, epoch, epoch, score, everyone=everyone, lasting=epoch == shown[0], seen=seen
        )


def mark_seen(sample: Sample, net: Committee, t: int) -> np.ndarray:
    """`Frame.seen` [n] of the replicate's training rows for member t."""
    marks = np.zeros(len(sample.y), np.uint8)
    if t:
        p = net.members[sample.r].reach(t).predict(sample.x)
        marks += np.rint((SEEN - 1) * np.clip(1 - p[np.arange(len(p)), sample.y], 0, 1)).astype(np.uint8)
    marks[np.unique(sample.picked[t])] += SEEN
    return marks


def stack_picked(each: Sequence[Sequence[np.ndarray]]) -> Tensor | None:
    """[R, T, m] of the rows of each replicate's members, -1 on padding; None where none were picked."""
    if not any(each):
        return None
    longest, most = max(map(len, each)), max(len(rows) for own in each for rows in own)
    out = np.full((len(each), longest, most), -1, np.int64)
    for r, own in enumerate(each):
        for t, rows in enumerate(own):
            out[r, t, : len(rows)] = rows
    return torch.from_numpy(out)


def balance_weights(rows: Rows, classes: int) -> Tensor:
    """[R, N]: n / (C n_c) of a row's class, as scikit-learn's "balanced", times the row's own weight; 0 on padding."""
    counts = rows.counts(classes).double()
    there = (counts > 0).sum(1, keepdim=True)
    weight = (counts.sum(1, keepdim=True) / (there * counts.clamp(min=1))).gather(1, rows.y) * rows.mask
    return (weight if rows.weight is None else weight * rows.weight).to(rows.x)


def import_ensembles(name: str) -> Any:
    """imbalanced-learn's ensembles. Raises BadInput where it is not installed. name: of the method that needs it."""
    try:
        import imblearn.ensemble
    except ImportError as error:
        raise BadInput(f"{name} needs imbalanced-learn, which cannot be imported here ({error}); install it.") from error
    return imblearn.ensemble


def _read(rows: Rows, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    mask = rows.mask[r]
    weight = None if rows.weight is None else rows.weight[r][mask].double().cpu().numpy()
    return rows.x[r][mask].cpu().numpy(), rows.y[r][mask].cpu().numpy(), weight


def _follow(member: Member, rows: Rows, task: Task, r: int) -> Generator[dict[str, float], None, None]:
    """Loss on at most WATCHED training rows, loss and average precision on validation rows, after every tree or member."""
    x, y, weight = _read(rows, r)
    if len(y) > WATCHED:
        replicate = task.replicates[r]
        some = numpy_stream(task.seed, "watched", replicate.seed, replicate.fold).permutation(len(y))[:WATCHED]
        x, y, weight = x[some], y[some], None if weight is None else weight[some]
    valid_x, valid_y, valid_weight = _read(task.valid, r) if task.held_out else (x, y, weight)
    for own, other in zip(member.stages(x), member.stages(valid_x), strict=True):
        yield {
            "train_loss": _mean_loss(own, y, weight),
            "valid_loss": _mean_loss(other, valid_y, valid_weight),
            "valid_ap": score_answers(other, valid_y, valid_weight),
        }


def _mean_loss(p: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.average(-take_log(p)[np.arange(len(y)), y], weights=weight))


def score_answers(p: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
    """Average precision, as a network's epoch has it."""
    one, of, whole = (torch.from_numpy(a).unsqueeze(0) for a in (p, y, np.ones(len(y), bool)))
    each = None if weight is None else torch.from_numpy(weight).unsqueeze(0)
    return float(macro_average_precision(one, of, whole, each)[0])


def grow_in_parts(model: Any, trees: int, sample: Sample) -> Growing:
    """Fits a forest with `warm_start` PART trees at a time, which gives the trees of a single fit."""
    for first in range(0, trees, PART):
        yield sample.progress(first / trees)
        model.n_estimators = min(trees, first + PART)
        with one_thread():
            model.fit(sample.x, sample.y, sample_weight=sample.weight)
    return model


def note_weights(method: Method, sample: Sample) -> Generator[Event, None, None]:
    """Progress, and a warning where rows have weights that this ensemble does not use."""
    yield sample.progress(0.0)
    if sample.weight is not None:
        yield Note(f"{method.title} draws its rows without weights, so the weights of the rows are not used.", "warning")
