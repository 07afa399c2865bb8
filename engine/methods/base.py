"""The base of methods: a frozen dataclass whose `fit` is a generator of events and returns what it fitted."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.errors import BadInput, BadParameter
from engine.events import Epoch, Event, Phase, Running
from engine.losses import Loss, cross_entropy
from engine.models.cnn import CNN, TRUNKS
from engine.models.mlp import ACTIVATIONS
from engine.models.net import Net
from engine.plain import to_plain
from engine.spec import fields, limits
from engine.spec.fields import FIRST, param
from engine.spec.pens import Pen
from engine.text import quote
from engine.training.batches import Balanced, Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.first_phase import train_once
from engine.training.fitted import Fitted, Synthetic
from engine.training.loop import Batches, Chosen, Meter, new_net, streams
from engine.training.optimisers import SGD, Adam, Augment, Descent, Number, Rate, warm_up_and_drops
from engine.training.oversampling import NEAR, Draw, explain_machine, oversample
from engine.training.settings import find_first_phases, repeat_task

__all__ = ["DeepMethod", "Fitted", "Method", "Synthetic", "TableMethod", "param"]


USUAL_EPOCHS = 50
"""Usual number of epochs of training with early stopping, for estimates."""
EPOCH_OVERHEAD = 300.0
"""Fixed cost of an epoch, in training rows, for estimates."""


def balanced_rows(counts: Sequence[int]) -> float:
    """Rows of an epoch once all classes of these sizes are as large as the largest, plus EPOCH_OVERHEAD."""
    return max(counts) * len(counts) + EPOCH_OVERHEAD


@dataclass(frozen=True)
class Method(abc.ABC):
    """A way to train on imbalanced data. Subclasses are final: they have a name, fields made by `param`, and `fit`.

    Class attributes of a subclass (the catalog has them under the same names):
    name: as typed at the terminal. title: as shown. named: (parameters, title) of runs that have a title of their own, first one first.
    family: one of `engine.methods.FAMILIES`. kinds: of data it takes.
    source: algorithm, paper and variant. ranked: False for oracles.
    presets: preset -> parameters that differ from the defaults. deviations: preset -> remaining differences from the source.
    suited: kind of data -> preset whose values are the defaults there (`engine.spec.run.default_params`).
    controls: key -> parameters changed to make the control that isolates the method's claim.
    control_titles: key -> title as shown, where it is not the key with a capital.
    pen, control_pens: pens of the method and its controls in charts; no two methods or controls have the same pen.
    needs: modules imported on first use, besides torch, numpy and scikit-learn.
    cost: seconds of a run divided by those of plain training on equally many rows and epochs.
    comparison: place in the order of a comparison on a table; below `engine.spec.contest.USUAL` compared where nobody chooses.
    quick: parameters that a comparison changes from the defaults of tables.
    adds_rows: whether its synthetic rows have the table's columns, so that they can be saved.
    reuses_plain: whether its first phase is plain training, which `engine.training.network_cache` may already hold.
    reads_validation: whether it reads validation rows while it trains, beyond choosing by them (see `needs_validation`).
    most_classes: most classes that it takes; None: any number. least_valid: fewest validation rows of every class that it needs.
    suggested: place among the first choices of a new sweep; None: not among them.
    paper_rows: names of this method's rows in the papers' tables.
    expected_failed_checks: scikit-learn's check -> why the method's classifier fails it by design, with its default parameters.
    plugin: digest of the file of a person's own folder that it comes from; '' for the methods of this package.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    named: ClassVar[tuple[tuple[Mapping[str, Any], str], ...]] = ()
    family: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    source: ClassVar[str]
    ranked: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    deviations: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    suited: ClassVar[Mapping[str, str]] = {}
    controls: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    control_titles: ClassVar[Mapping[str, str]] = {}
    pen: ClassVar[Pen]
    control_pens: ClassVar[Mapping[str, Pen]] = {}
    needs: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[float] = 1.0
    comparison: ClassVar[int | None] = None
    quick: ClassVar[Mapping[str, Any]] = {}
    adds_rows: ClassVar[bool] = False
    reuses_plain: ClassVar[bool] = False
    reads_validation: ClassVar[bool] = False
    most_classes: ClassVar[int | None] = None
    least_valid: ClassVar[int | None] = None
    suggested: ClassVar[int | None] = None
    paper_rows: ClassVar[tuple[str, ...]] = ()
    expected_failed_checks: ClassVar[Mapping[str, str]] = {}
    plugin: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, value in fields.check(fields.describe(type(self)), self._values(), self.name).items():
            object.__setattr__(self, name, _freeze(value))

    @property
    def needs_validation(self) -> bool:
        """Whether training with these parameters reads validation rows, so that a fit on all rows keeps some of them apart for it."""
        return self.reads_validation

    def stack(self, task: Task, settings: Sequence[Mapping[str, Any]]) -> Task:
        """The task for a stack in which this method is trained once with each of the settings, which change its parameters.

        Member s R + r is replicate r with setting s; see `engine.training.settings`. Raises BadParameter for a parameter in which
        members of one stack cannot differ, and for a wrong value; UnknownName for an unknown one.
        """
        described = {d["name"]: d for d in fields.describe(type(self))}
        names = list(dict.fromkeys(name for setting in settings for name in setting))
        can = [name for name, d in described.items() if "stacks" in d]
        for name in names:
            if name in described and name not in can:
                raise BadParameter(
                    f"{self.name}({name}): members of one stack cannot differ in it; they can in {', '.join(can) or 'no parameter'}."
                )
        whole = [fields.check(list(described.values()), {**self._values(), **setting}, self.name) for setting in settings]
        return repeat_task(task, [{name: _encode(described[name], one[name]) for name in names} for one in whole])

    def number(self, task: Task, name: str, *, host: bool = False) -> Any:
        """A number of this method: the parameter itself, or one for each member of the stack where they differ, [R, 1] float64 or int64
        on the task's device. `engine.losses.broadcast` fits it to a tensor. host: on the CPU, where steps compute their sizes.
        """
        if name not in task.settings:
            return getattr(self, name)
        return task.settings[name].unsqueeze(1).to("cpu" if host else task.device)

    def list_members(self, task: Task) -> list[Self]:
        """This method with the parameters of each of the R members of the stack."""
        if not task.settings:
            return [self] * len(task.replicates)
        described = {d["name"]: d for d in fields.describe(type(self))}
        columns = {name: [_decode(described[name], v) for v in values.tolist()] for name, values in task.settings.items()}
        return [replace(self, **dict(zip(columns, own, strict=True))) for own in zip(*columns.values(), strict=True)]

    def refuse_classes(self, task: Task) -> None:
        """Raises BadInput where the task has more classes than the method takes."""
        if self.most_classes is not None and len(task.classes) > self.most_classes:
            raise BadInput(
                f"Only binary classification is supported by {self.name}: these data have {len(task.classes)} classes."
            )

    def refuse_few_valid(self, task: Task) -> None:
        """Raises BadInput where validation has fewer rows of a class than the method needs."""
        few = int(task.valid.counts(len(task.classes)).min())
        if self.least_valid is not None and few < self.least_valid:
            raise BadInput(f"{self.name}: {limits.explain_few_valid(few, self.least_valid)}")

    def _values(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @abc.abstractmethod
    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """Trains on the task. Yields at least every half second, except inside a library call. Returns what it fitted.

        All draws come from `engine.seeds` streams named by the task's seed and replicates. Closing the generator at any yield
        stops the training. `camera` records frames (none with frames=0).
        """

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """The catalog's entry, JSON-plain. classifier: its name in `engine.estimators`, "" where there is none."""
        text = (cls.__doc__ or "").strip()
        return {
            "name": cls.name,
            "classifier": f"{cls.__name__}Classifier" if cls.ranked and "tabular" in cls.kinds else "",
            "title": cls.title,
            "family": cls.family,
            "kinds": list(cls.kinds),
            "source": cls.source,
            "ranked": cls.ranked,
            "summary": text.split("\n\n")[0].replace("\n    ", " "),
            "fields": fields.describe(cls),
            "presets": {k: to_plain(dict(v)) for k, v in cls.presets.items()},
            "deviations": {k: list(v) for k, v in cls.deviations.items()},
            "suited": dict(cls.suited),
            "controls": {k: to_plain(dict(v)) for k, v in cls.controls.items()},
            "pen": dataclasses.asdict(cls.pen),
            "named": [[to_plain(dict(values)), title] for values, title in cls.named],
            "control_titles": {k: cls.control_titles.get(k, k[0].upper() + k[1:]) for k in cls.controls},
            "control_pens": {k: dataclasses.asdict(v) for k, v in cls.control_pens.items()},
            "needs": list(cls.needs),
            "cost": cls.cost,
            "comparison": cls.comparison,
            "quick": to_plain(dict(cls.quick)),
            "adds_rows": cls.adds_rows,
            "reuses_plain": cls.reuses_plain,
            "reads_validation": cls.reads_validation,
            "most_classes": cls.most_classes,
            "least_valid": cls.least_valid,
            "suggested": cls.suggested,
            "paper_rows": list(cls.paper_rows),
        } | ({"plugin": cls.plugin} if cls.plugin else {})

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """Estimated training rows that one replicate of a comparison processes (rows x epochs, in units of plain training).

        params: the method's own, complete. counts [C]: training rows of each class. Where plain training is in the cache, it is
        called with epochs=1.
        """
        return float(min(params["epochs"], USUAL_EPOCHS) * (sum(counts) + EPOCH_OVERHEAD))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """Class shares [R, C], up to a factor, that this method trains with: real rows, but those that were removed, and synthetic
        ones (input rows or features).

        Does not cover losses that distort probabilities in other ways (focal loss).
        """
        classes = len(task.classes)
        train = task.train if fitted.kept is None else replace(task.train, mask=fitted.kept)
        shares = train.counts(classes).double()
        for made in (fitted.synthetic, fitted.embedded):
            if made is not None:
                shares = shares + (torch.nn.functional.one_hot(made.y, classes) * made.mask.unsqueeze(2)).sum(1)
        return shares


def _freeze(value: Any) -> Any:
    """A list as a tuple, and its lists too."""
    return tuple(_freeze(one) for one in value) if isinstance(value, list) else value


def _encode(described: Mapping[str, Any], value: Any) -> float:
    """A parameter's value as a number: a choice by its place."""
    return int(described["choices"].index(value)) if described["kind"] == "choice" else value


def _decode(described: Mapping[str, Any], value: float) -> Any:
    return described["choices"][int(value)] if described["kind"] == "choice" else value


@dataclass(frozen=True)
class TableMethod(Method, abc.ABC):
    """A method that first trains the MLP with Adam. Defaults are those of the first paper (section 5, card B1)."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"hidden": (128, 16)}}
    deviations: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "paper": ("Two logits with softmax instead of one with a sigmoid.",),
    }

    hidden: tuple[int, ...] = param(
        (64, 64), low=1, high=1024, longest=16, product=4 << 20, help="Width of each hidden layer. The first paper uses 128,16 on Adult."
    )  # fmt: skip
    activation: str = param("relu", choices=ACTIVATIONS, help="Non-linearity of the hidden layers.", advanced=True)
    learning_rate: float = param(
        1e-3, low=1e-5, high=1.0, log=True, stacks=FIRST, help="Step size of Adam, with betas 0.5 and 0.999."
    )
    epochs: int = param(200, low=1, high=2000, log=True, help="Passes over the training rows; validation picks the best one.")
    batch: int = param(128, low=2, high=4096, log=True, help="Training rows in one step.", advanced=True)
    weight_decay: float = param(0.0, low=0.0, high=1.0, stacks=FIRST, help="L2 penalty on the weights.", advanced=True)

    def create(self, task: Task) -> Net:
        """A new network for this task."""
        return new_net(task, self.hidden, self.activation)

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """The training step of this network."""
        rate, decay = self.number(task, "learning_rate", host=True), self.number(task, "weight_decay")
        return Adam(net, loss, rate=rate, decay=decay, epochs=self.epochs)

    def pretrain(
        self, task: Task, loss: Loss, *, rows: Rows, meter: Meter, camera: Camera, batches: Batches | None = None
    ) -> Generator[Event, None, tuple[Net, Chosen]]:
        """Trains a new network on `rows`. Returns it at the chosen epochs.

        Where the rows are the task's own, an equally trained network is taken from `engine.training.network_cache`, with its frames.
        Members of a stack whose first phases are equal share one, where no frames are recorded.
        """
        if task.settings and rows is task.train and batches is None and not camera.views:
            shared, which = find_first_phases(task, self._stacked_first())
            if len(shared.replicates) < len(which):
                return (yield from self._pretrain_shared(task, loss, shared, which, meter=meter))
        net = self.create(task)
        step = self.step(net, task, loss)
        batches = batches or Passes(rows.sizes.tolist(), self.batch, streams(task, "batch"))
        key = self._recipe(task, loss, net, batches) if rows is task.train and not task.settings else ""
        return (
            yield from train_once(
                key, net, task, step, batches, rows=rows, epochs=self.epochs, phase="training", meter=meter, camera=camera
            )
        )

    def _pretrain_shared(
        self, task: Task, loss: Loss, shared: Task, which: Tensor, *, meter: Meter
    ) -> Generator[Event, None, tuple[Net, Chosen]]:
        """Trains the first phases that differ, and gives every member its own: `which` [R] of them. See `find_first_phases`."""
        first = torch.tensor([which.tolist().index(n) for n in range(len(shared.replicates))])
        training = Running(self.pretrain(shared, loss.select(first), rows=shared.train, meter=meter, camera=Camera(shared, 0)))
        for event in training:
            if isinstance(event, Epoch):
                event = replace(event, values={name: [of[n] for n in which.tolist()] for name, of in event.values.items()})
            yield event
        net, chosen = training.value
        return net.select(which), Chosen(
            chosen.epoch[which.to(chosen.epoch.device)], chosen.score[which.to(chosen.score.device)]
        )

    @classmethod
    def _stacked_first(cls) -> list[str]:
        """Names of the parameters in which members may differ, and on which the first phase depends."""
        return [d["name"] for d in fields.describe(cls) if d.get("stacks") == FIRST]

    def _recipe(self, task: Task, loss: Loss, net: Net, batches: Batches) -> str:
        """Key of the network cache: text of everything that training depends on. net: before training."""
        cls = type(self)
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(TableMethod)}
        # a method without such a parameter counts as having its default; the network is described below
        own |= {
            f.name: getattr(self, f.name, f.default) for f in dataclasses.fields(DeepMethod) if f.name not in {*own, "model"}
        }
        how = (
            "" if cls.step in (TableMethod.step, DeepMethod.step) else cls.step.__qualname__,
            type(loss).__name__,
            vars(loss),
            type(net).__name__,
            net.cosine,
            type(batches).__name__,
        )
        rows = hashlib.sha256(net.flat.cpu().contiguous().numpy().data)
        for part in (task.train, task.chosen_on):
            for tensor in (part.x, part.y, part.mask, *(() if part.weight is None else (part.weight,))):
                rows.update(tensor.cpu().contiguous().numpy().data)
        ends = task.chosen.get("training")
        on = (
            *(task.seed, task.replicates, len(task.classes), task.patience, task.held_out, str(task.device), task.dtype),
            None if ends is None else ends.tolist(),
        )
        return repr((own, how, on, rows.hexdigest()))

    def fit_plain(
        self,
        task: Task,
        loss: Loss,
        *,
        camera: Camera,
        rows: Rows | None = None,
        balanced: bool = False,
        synthetic: Synthetic | None = None,
    ) -> Generator[Event, None, Fitted]:
        """The whole `fit` of a method that only changes the rows, the batches or the loss."""
        rows = task.train if rows is None else rows
        if synthetic is not None:
            camera.track_points(Rows(synthetic.start, synthetic.y, synthetic.mask), lambda: synthetic.x)
        chances = streams(task, "batch")
        batches: Batches = (
            Balanced(rows, len(task.classes), self.batch, chances)
            if balanced
            else Passes(rows.sizes.tolist(), self.batch, chances)
        )
        yield Phase("training", "Training the network")
        meter = Meter(self.epochs * max(batches.per_pass()))
        net, chosen = yield from self.pretrain(task, loss, rows=rows, meter=meter, camera=camera, batches=batches)
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch, synthetic, chosen={"training": chosen.epoch})

    def fit_sampled(
        self,
        task: Task,
        draws: Sequence[Draw],
        *,
        camera: Camera,
        share: float | Sequence[float] = 1.0,
        near: str = NEAR,
        most: int | None = None,
    ) -> Generator[Event, None, Fitted]:
        """The whole `fit` of a method that makes new input rows and trains plainly on all. draws, share, near:
        see `oversampling.oversample`.

        most: most rows that a support vector machine is fitted on, where there is one.
        """
        yield Phase("sampling", "Making synthetic rows")
        counts = task.train.counts(len(task.classes))
        balanced = (counts.amax(1) * (counts > 0).sum(1)).tolist()
        meter = Meter(self.epochs * steps_of_pass(balanced, self.batch))
        sampled = yield from oversample(task.train, task, draws, share=share, meter=meter, near=near)
        assert sampled.new is not None
        if most is not None:
            yield from explain_machine(sampled, task, most)
        synthetic = sampled.build_synthetic()
        camera.describe_points(sampled)
        fitted = yield from self.fit_plain(task, cross_entropy, camera=camera, rows=sampled.rows, synthetic=synthetic)
        return replace(fitted, lines=sampled.lines, moved=sampled.moved, kept=sampled.kept)


OPTIMISERS = ("adam", "sgd")
SCHEDULES = ("constant", "warm-up and drops")


@dataclass(frozen=True)
class DeepMethod(TableMethod, abc.ABC):
    """A method that also trains convolutional networks, on images. On other data it trains the MLP, as TableMethod does."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TableMethod.presets,
        "images": {"epochs": 30, "batch": 64},
        "eos-paper": {
            "model": "resnet32", "optimiser": "sgd", "learning_rate": 0.1, "schedule": "warm-up and drops", "epochs": 200,
            "weight_decay": 2e-4, "augment": True,
        },
        "dos-paper": {"model": "lenet", "optimiser": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4, "epochs": 6, "batch": 50},
    }  # fmt: skip
    suited: ClassVar[Mapping[str, str]] = {"images": "images"}
    deviations: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **TableMethod.deviations,
        "eos-paper": ("The epoch is chosen on validation rows; the authors' code takes the best one on the test rows.",),
        "dos-paper": ("Optimiser and step size are not in the paper: SGD at 0.01 with momentum 0.9 is assumed.",),
    }

    model: str = param(
        "auto", choices=("auto", "mlp", *TRUNKS),
        help="The network. auto: a small ResNet for images, the MLP for everything else; the MLP takes images as rows of pixels.",
    )  # fmt: skip
    optimiser: str = param("adam", choices=OPTIMISERS, advanced=True, help="Adam, or gradient descent with momentum.")
    momentum: float = param(0.9, low=0.0, high=0.999, stacks=FIRST, advanced=True, help="Of gradient descent.")
    schedule: str = param(
        "constant", choices=SCHEDULES, advanced=True,
        help="Step size over the epochs: constant, or as Cui et al. 2019: rising for 5 epochs, divided by 100 after 80% and again "
        "after 90% of them.",
    )  # fmt: skip
    augment: bool = param(False, advanced=True, help="Random crops and flips of the images in every step.")

    def create(self, task: Task) -> Net:
        """See TableMethod. Raises BadInput for a convolutional network on rows that are not images."""
        if self.network(task) == "mlp":
            return super().create(task)
        assert task.shape is not None
        return CNN.create(
            self.network(task), task.shape, len(task.classes), streams(task, "init"), device=task.device, dtype=task.dtype
        )

    def network(self, task: Task) -> str:
        """The network that `model` stands for on this task. Raises BadInput."""
        if task.shape is None and self.model not in ("auto", "mlp"):
            raise BadInput(f"{self.name}(model={quote(self.model)}) needs images; these data are {task.kind}: use model='mlp'.")
        return self.model if self.model != "auto" else "mlp" if task.shape is None else "small-resnet"

    def lower_rate(self, rate: Number) -> Rate:
        """The step size of every epoch where `schedule` is not constant."""
        return warm_up_and_drops(rate, self.epochs)

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See TableMethod."""
        falling, rate = self.schedule != "constant", self.number(task, "learning_rate", host=True)
        common: dict[str, Any] = {
            "rate": self.lower_rate(rate) if falling else rate,
            "decay": self.number(task, "weight_decay"),
            "epochs": self.epochs,
            "change": Augment(task.shape, streams(task, "augment")) if self.augment and task.shape is not None else None,
        }
        return (
            SGD(net, loss, momentum=self.number(task, "momentum"), **common)
            if self.optimiser == "sgd"
            else Adam(net, loss, **common)
        )
