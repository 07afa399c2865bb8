"""The parts of `benchmarks.gpu`: each trains or samples for its share of the time and gives lines of the table.

Nothing here imports more than torch, numpy and scikit-learn.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks import _flops
from benchmarks._made import as_dataset, count_rows, make_embeddings, make_images, make_table
from benchmarks.settings import list_products
from engine.data.dataset import Dataset, Task
from engine.data.prepare import prepare
from engine.data.sources import adult, keel
from engine.embed.layout import lay_out
from engine.errors import DataMissing
from engine.events import Epoch, Running
from engine.methods import method
from engine.models.net import product
from engine.papers import adult as adult_table
from engine.papers import eos as eos_table
from engine.papers import keel as keel_table
from engine.samplers.lines import eos
from engine.samplers.overloading import copies, overloaded
from engine.spec import Imbalance, RunSpec
from engine.spec.embedding import TSNE
from engine.training import network_cache
from engine.training.camera import Camera

METHODS = ("ce", "explicit-gradient", "rs", "focal", *(("smote",) if importlib.util.find_spec("imblearn") else ()))
"""Methods of the tables; explicit gradient goes on from the network of CE, which stands before it. SMOTE is imbalanced-learn's."""
PRODUCTS = 20
"""Products of a shape that are timed together."""
EXACT = 1e-6
"""Largest difference from the CPU in float64, relative to 1 + size."""
ROUNDED = 1e-5
"""The same of EOS samples in float32: their rows and partners are found in float64, each is one product and one sum."""


@dataclass(frozen=True)
class Size:
    """How much is run. sets: of KEEL. most: rows of the largest class of images and features. side: of an image. check: epochs on both
    devices. matrix: side of the products that the bound is measured with.
    """

    sets: int = 22
    folds: int = 4
    seeds: int = 5
    epochs: int = 200
    adult: int = 11_208
    most: int = 5000
    side: int = 32
    others: int = 100
    image_epochs: int = 200
    rounds: int = 20
    features: int = 5000
    check: int = 3
    matrix: int = 8192


TOY = Size(
    sets=2, folds=2, seeds=1, epochs=2, adult=300, most=100, side=16, others=4, image_epochs=1, rounds=1, features=300, check=1,
    matrix=64,
)  # fmt: skip


class Share:
    """A part's share of the time: `seconds` from now on. now: the clock."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.seconds = seconds
        self.began = now()

    def used(self) -> float:
        """Seconds since it began."""
        return self.now() - self.began

    def over(self) -> bool:
        """Whether it is used up."""
        return self.used() >= self.seconds


@dataclass
class Line:
    """One line of the table. precision: whose bound it is held against; flop: None where operations are not counted. difference,
    allowed: from the CPU; None where nothing is compared. said: what else there is to say.
    """

    what: str
    reached: str
    seconds: float
    flop: float | None = None
    precision: str = "float32"
    peak: float | None = None
    difference: float | None = None
    allowed: float = EXACT
    said: str = ""


@dataclass
class Bench:
    """What a part is given. device: a name that torch knows. bounds: precision -> FLOP/s of matrix products, measured here. cifar: a
    file of images, None: they are made.
    """

    device: str
    size: Size
    share: Share
    bounds: dict[str, float] = field(default_factory=dict)
    cifar: Path | None = None

    @property
    def is_cuda(self) -> bool:
        """Whether this is a card."""
        return self.device.startswith("cuda")

    def wait(self) -> None:
        """Until the device has done all it was told."""
        if self.is_cuda:
            torch.cuda.synchronize()

    def reset_peak(self) -> None:
        """From now on, the peak of memory is that of what follows."""
        if self.is_cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float | None:
        """MiB of the device's memory, at most since `reset_peak`; None where the device counts none."""
        return torch.cuda.max_memory_allocated() / 2**20 if self.is_cuda else None


# ---- what is measured


@dataclass
class Reached:
    """How far a training came: epochs, seconds until the last of them, operations; whole: to its end."""

    epochs: int = 0
    seconds: float = 0.0
    flop: float = 0.0
    whole: bool = False

    def add(self, other: Reached) -> None:
        """Both together."""
        self.epochs += other.epochs
        self.seconds += other.seconds
        self.flop += other.flop


def follow(bench: Bench, fitting: Any, per_epoch: Mapping[str, Sequence[float]]) -> Reached:
    """Train until the end or until the share is over. per_epoch: phase -> operations of an epoch of each replicate.

    Epochs of other phases are not counted: they come from an earlier run. A replicate that has stopped reports NaN and counts no more.
    """
    reached = Reached()
    bench.wait()
    began = bench.share.now()
    running = Running(fitting)
    for event in running:
        if isinstance(event, Epoch) and event.phase in per_epoch:
            going = [not math.isnan(loss) for loss in event.values["train_loss"]]
            reached.flop += sum(cost for cost, is_going in zip(per_epoch[event.phase], going, strict=True) if is_going)
            reached.epochs += 1
            reached.seconds = bench.share.now() - began
        if bench.share.over():
            break
    else:
        reached.whole = True
        bench.wait()
        reached.seconds = bench.share.now() - began
    running.close()
    return reached


def train_alone(task: Task, name: str, params: Mapping[str, Any]) -> list[Tensor]:
    """The parameters, and the synthetic rows where there are some, of a method trained from the beginning."""
    network_cache.clear()
    running = Running(method(name)(**params).fit(task, camera=Camera(task, 0)))
    for _ in running:
        pass
    made = running.value.synthetic
    return [running.value.net.flat, *([] if made is None else [made.x])]


def differ(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Largest |a - b| / (1 + |b|)."""
    pairs = [(a.detach().cpu().double(), b.detach().cpu().double()) for a, b in zip(ours, theirs, strict=True)]
    return max(float(((a - b).abs() / (1 + b.abs())).amax()) for a, b in pairs if a.numel())


def compare_devices(bench: Bench, dataset: Dataset, spec: RunSpec, runs: Sequence[tuple[str, Mapping[str, Any]]]) -> float:
    """The largest difference of short runs on the device and on the CPU, in float64."""
    found = []
    for name, params in runs:
        ours, theirs = (
            train_alone(prepare(dataset, spec, device=device, dtype=torch.float64), name, params)
            for device in (bench.device, "cpu")
        )
        found.append(differ(ours, theirs))
    return max(found)


def time_products(bench: Bench, task: Task, params: Mapping[str, Any]) -> float:
    """Seconds that the matrix products of an epoch of CE take alone on the device: products of their shapes, with nothing between them."""
    with mock.patch.dict(os.environ, {"LAB_GRAPH": "0"}):  # a replay takes products that Python does not see
        more, less = (list_products(partial(train_alone, task, "ce", {**params, "epochs": n})) for n in (2, 1))
    total = 0.0
    for (left, right), count in (more - less).items():
        stream = torch.Generator().manual_seed(0)
        a, b = (torch.randn(shape, generator=stream).to(bench.device) for shape in (left, right))
        times = []
        for _ in range(3):
            bench.wait()
            began = bench.share.now()
            for _ in range(PRODUCTS):
                product(a, b)
            bench.wait()
            times.append((bench.share.now() - began) / PRODUCTS)
        total += count * min(times)
    return total


# ---- the parts


def measure_bounds(bench: Bench) -> list[Line]:
    """Matrix products alone, in every precision that a part uses: the rate that the others are held against."""
    lines = []
    precisions = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
    for number, (name, dtype) in enumerate(precisions.items(), 1):
        n = bench.size.matrix
        stream = torch.Generator().manual_seed(0)
        a, b = (torch.randn(n, n, generator=stream).to(bench.device, dtype) for _ in range(2))
        bench.reset_peak()
        best, times = math.inf, 0
        for turn in range(200):
            bench.wait()
            began = bench.share.now()
            a @ b
            bench.wait()
            seconds = bench.share.now() - began
            if turn:  # the first one also chooses the kernel
                best, times = min(best, seconds), times + 1
            if times >= 3 and bench.share.used() >= number / len(precisions) * bench.share.seconds:
                break
        flop = 2.0 * n**3
        bench.bounds[name] = flop / max(best, 1e-9)
        lines.append(Line(f"products of {n} x {n}, {name}", f"best of {times}", best, flop, name, bench.peak()))
    return lines


def count_tables(task: Task, name: str, params: Mapping[str, Any], shared: bool) -> dict[str, list[float]]:
    """Phase -> operations of an epoch of each replicate, on a table. shared: the first phase is taken from an earlier run."""
    sizes = (task.train.x.shape[2], *params["hidden"], len(task.classes))
    counts = task.train.counts(len(task.classes)).cpu()
    rows, largest, held = counts.sum(1).tolist(), counts.amax(1).tolist(), task.valid.sizes.tolist()
    batch, classes = params["batch"], len(task.classes)
    fewer = (counts * (counts < counts.amax(1, keepdim=True))).sum(1).tolist()
    if name == "smote":  # as many new rows as there are in the smaller classes
        rows = [n + m for n, m in zip(rows, fewer, strict=True)]
    if name == "rs":  # the last batch has as many rows of every class as the others
        share = max(1, batch // classes)
        rows = [classes * share * -(-n // share) for n in largest]
    judged = [_flops.forward(sizes) * n for n in held]
    phases = {} if shared else {"training": [_flops.gradient(sizes) * n + v for n, v in zip(rows, judged, strict=True)]}
    if name == "explicit-gradient":  # one copy of every minority row
        phases["points"] = [
            _flops.meta_epoch(sizes, n, p, h, batch) + v for n, p, h, v in zip(rows, fewer, held, judged, strict=True)
        ]
    return phases


def run_table(
    bench: Bench, sets: Sequence[tuple[Dataset, RunSpec]], params: Any, meta: Any, what: str, said: str
) -> list[Line]:
    """Every method on every set, all replicates stacked, and a short run of CE and explicit gradient on both devices."""
    size = bench.size
    params = dict(params) | {"epochs": size.epochs}
    meta = dict(meta) | {"meta_epochs": size.epochs}
    few = {"epochs": size.check}
    checked = (("ce", params | few), ("explicit-gradient", params | meta | few | {"meta_epochs": size.check}))
    small = sets[0][1].with_(folds=2, seeds=1)
    difference = compare_devices(bench, sets[0][0], small, checked)
    bench.reset_peak()
    total, plain, runs, alone, began = Reached(), Reached(), 0, "", bench.share.used()
    for dataset, spec in sets:
        network_cache.clear()
        task = prepare(dataset, spec, device=bench.device)
        for name in METHODS:
            if bench.share.over():
                break
            own = params | meta if name == "explicit-gradient" else params
            costs = count_tables(task, name, own, shared=name == "explicit-gradient")
            reached = follow(bench, method(name)(**own).fit(task, camera=Camera(task, 0)), costs)
            total.add(reached)
            runs += reached.whole
            if name == "ce":
                plain = reached
        if not alone and plain.epochs and not bench.share.over():
            share = time_products(bench, task, params) * plain.epochs / plain.seconds
            alone = f"; products of these shapes alone are {share:.0%} of CE on {spec.dataset}"
    every = f"{runs} of {len(sets) * len(METHODS)} runs, {total.epochs} epochs"
    text = f"{said}; with reading {bench.share.used() - began:.1f} s{alone}"
    text += "" if "smote" in METHODS else "; without SMOTE: imbalanced-learn is not installed"
    line = Line(what, every, total.seconds, total.flop, peak=bench.peak(), difference=difference, said=text)
    return [line]


def is_there(source: Any, name: str) -> bool:
    """Whether the set's file is on this machine, which may have no data folder."""
    with suppress(DataMissing):
        return bool(source.available(name))
    return False


def run_keel(bench: Bench) -> list[Line]:
    """The KEEL table: five methods, 4 folds x 5 seeds stacked, as `python -m engine table keel` has them."""
    sets, made = [], 0
    for name in keel_table.FULL.datasets[: bench.size.sets]:
        own = keel.SETS[name]
        there = bench.size != TOY and is_there(keel, name)
        made += not there
        dataset = keel.load(name, {}) if there else make_table(name, len(own.columns), (own.negative, own.positive))
        sets.append((dataset, RunSpec(name, "ce", folds=bench.size.folds, seeds=bench.size.seeds)))
    said = f"{len(sets) - made} sets as they are, {made} made of the same sizes"
    what = f"KEEL, {len(sets)} sets x {len(METHODS)} methods x {bench.size.folds * bench.size.seeds}"
    return run_table(bench, sets, keel_table.FULL.params, keel_table.FULL.meta, what, said)


def run_adult(bench: Bench) -> list[Line]:
    """Adult at 50:1 by the first paper's protocol."""
    there = bench.size != TOY and is_there(adult, "adult")
    data = dict(adult_table.FULL.data) if there else {}
    dataset = adult.load("adult", {"balance": True}) if there else make_table("adult", 64, (bench.size.adult,) * 2)
    imbalance = Imbalance("ratio", 50.0 if bench.size != TOY else 10.0)
    spec = RunSpec("adult", "ce", imbalance, data, folds=bench.size.folds, seeds=bench.size.seeds)
    said = "its own rows" if there else "made rows of the same number"
    what = f"Adult at 50:1, {len(METHODS)} methods x {spec.replicates}"
    return run_table(bench, [(dataset, spec)], adult_table.FULL.params, adult_table.FULL.meta, what, said)


def run_eos(bench: Bench) -> list[Line]:
    """EOS samples of ten classes of features until all are as large as the largest."""
    counts = count_rows(bench.size.features)
    rows, labels = make_embeddings(counts)
    wanted = {c: max(counts) - n for c, n in enumerate(counts)}

    def draw(device: str) -> Any:
        x, y = torch.from_numpy(rows).to(device), torch.from_numpy(labels).to(device)
        bench.wait()
        began = bench.share.now()
        drawn = eos(x, y, wanted, np.random.default_rng(0), k_neighbors=10)
        bench.wait()
        return drawn, bench.share.now() - began

    (ours, _), (theirs, cpu_seconds) = draw(bench.device), draw("cpu")
    difference = differ([ours.x], [theirs.x])
    bench.reset_peak()
    times = []
    while len(times) < 5 and not (times and bench.share.over()):
        times.append(draw(bench.device)[1])
    searched = sum(n for c, n in enumerate(counts) if wanted[c])
    what = f"EOS, {len(theirs.x):,} samples from {len(rows):,} rows of 64"
    flop = 2.0 * searched * len(rows) * rows.shape[1]
    said = f"distances alone are counted; the CPU takes {cpu_seconds:.2f} s"
    seconds = sorted(times)[len(times) // 2]
    return [
        Line(what, f"median of {len(times)}", seconds, flop, "float32", bench.peak(), difference, ROUNDED, said),
    ]


def read_images(bench: Bench) -> tuple[Dataset, str]:
    """The images of the file, or made ones."""
    if bench.cifar is None:
        return as_dataset(*make_images(count_rows(bench.size.most), bench.size.others, bench.size.side)), "made images"
    with np.load(bench.cifar, allow_pickle=False) as file:
        return as_dataset(file["images"], file["y"], file["part"], "cifar10"), bench.cifar.name


def few_images(bench: Bench) -> Dataset:
    """A few made images, for both devices."""
    return as_dataset(*make_images([16, 8], 4, bench.size.side))


def run_resnet(bench: Bench) -> list[Line]:
    """ResNet-32 by the EOS paper's training, one replicate, in bfloat16 where the device is a card."""
    params = dict(eos_table.FULL.params) | {"epochs": bench.size.image_epochs}
    spec = RunSpec("images", "ce")
    difference = compare_devices(bench, few_images(bench), spec, [("ce", params | {"epochs": bench.size.check, "batch": 8})])
    dataset, said = read_images(bench)
    task = prepare(dataset, spec, device=bench.device)
    assert task.shape is not None
    kind = (params["model"], task.shape, len(task.classes))
    rows, held = int(task.train.sizes[0]), int(task.valid.sizes[0])
    cost = _flops.image_gradient(*kind) * rows + _flops.image_forward(*kind)[0] * held
    bench.reset_peak()
    network_cache.clear()
    reached = follow(bench, method("ce")(**params).fit(task, camera=Camera(task, 0)), {"training": [cost]})
    what = f"ResNet-32, {rows:,} rows"
    every = f"{reached.epochs} of {params['epochs']} epochs"
    return [Line(what, every, reached.seconds, reached.flop, _image_precision(bench), bench.peak(), difference, said=said)]


def run_dos(bench: Bench) -> list[Line]:
    """Rounds of DOS by the second paper's LeNet on the same images; plain training before them is short and not counted."""
    params = {
        "model": "lenet", "optimiser": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4, "batch": 50, "k": 5,
        "epochs": 1, "rounds": bench.size.rounds,
    }  # fmt: skip
    spec = RunSpec("images", "dos")
    check = params | {"rounds": bench.size.check, "batch": 8}
    difference = compare_devices(bench, few_images(bench), spec, [("dos", check)])
    dataset, said = read_images(bench)
    task = prepare(dataset, spec, device=bench.device)
    assert task.shape is not None
    kind = ("lenet", task.shape, len(task.classes))
    counts = task.train.counts(len(task.classes)).cpu()
    items = int((counts * torch.where(overloaded(counts), copies(counts), 1)).sum())
    rows, held = int(task.train.sizes[0]), int(task.valid.sizes[0])
    cost = _flops.image_gradient(*kind) * items + _flops.image_forward(*kind)[0] * (rows + held)
    bench.reset_peak()
    network_cache.clear()
    firsts, began = [], bench.share.now()

    def watched() -> Any:
        fitting = Running(method("dos")(**params).fit(task, camera=Camera(task, 0)))
        for event in fitting:
            if isinstance(event, Epoch) and event.phase == "training":
                firsts.append(bench.share.now() - began)
            yield event

    reached = follow(bench, watched(), {"rounds": [cost]})
    seconds = max(0.0, reached.seconds - (firsts[-1] if firsts else 0.0))
    what = f"DOS, LeNet, {items:,} items a round of {rows:,} rows"
    every = f"{reached.epochs} of {params['rounds']} rounds"
    return [Line(what, every, seconds, reached.flop, _image_precision(bench), bench.peak(), difference, said=said)]


def run_graphs(bench: Bench) -> list[Line]:
    """Steps that are recorded and replayed against steps that Python takes (LAB_GRAPH=0), in turns, and whether their bits are equal."""
    if importlib.util.find_spec("engine.training.graph") is None:
        return [Line("recorded steps", "not in this version", 0.0)]
    own = keel.SETS["yeast4"]
    dataset = make_table(own.name, len(own.columns), (own.negative, own.positive))
    spec = RunSpec(own.name, "ce", folds=bench.size.folds, seeds=bench.size.seeds)
    task = prepare(dataset, spec, device=bench.device)
    lines = []
    for name in ("ce", "explicit-gradient"):
        params = dict(keel_table.FULL.params) | {"epochs": max(2, bench.size.epochs // 4)}
        if name == "explicit-gradient":
            params |= dict(keel_table.FULL.meta) | {"meta_epochs": params["epochs"], "patience": 2000}
        times: dict[str, list[float]] = {"1": [], "0": []}
        nets: dict[str, list[Tensor]] = {}
        bench.reset_peak()
        while len(times["0"]) < 3 and not (times["0"] and bench.share.over()):
            for setting, own_times in times.items():
                with mock.patch.dict(os.environ, {"LAB_GRAPH": setting}):
                    bench.wait()
                    began = bench.share.now()
                    nets[setting] = train_alone(task, name, params)
                    bench.wait()
                    own_times.append(bench.share.now() - began)
        ratio = sorted(b / a for a, b in zip(times["1"], times["0"], strict=True))[len(times["0"]) // 2]
        same = all(torch.equal(a, b) for a, b in zip(nets["1"], nets["0"], strict=True))
        said = f"{ratio:.2f} times as long without; {'equal bits' if same else 'other bits'}"
        if not same and not bench.is_cuda:  # a card may choose other kernels for a recording
            raise AssertionError(f"{name}: recorded steps give other bits")
        what = f"{name}, recorded steps, {spec.replicates} replicates"
        reached = f"best of {len(times['1'])}"
        lines.append(Line(what, reached, min(times["1"]), None, peak=bench.peak(), said=said))
    return lines


def run_tsne(bench: Bench) -> list[Line]:
    """t-SNE of features on the device, where this version has it there."""
    if "device" not in inspect.signature(lay_out).parameters:
        return [Line("t-SNE", "not on a device in this version", 0.0, said="scikit-learn's, on the CPU")]
    rows, _ = make_embeddings(count_rows(bench.size.features))
    bench.reset_peak()
    bench.wait()
    began = bench.share.now()
    lay_out(rows, TSNE(), device=bench.device)  # type: ignore[call-arg]
    bench.wait()
    return [Line(f"t-SNE of {len(rows):,} rows", "whole", bench.share.now() - began, None, peak=bench.peak())]


def _image_precision(bench: Bench) -> str:
    return "bfloat16" if bench.is_cuda else "float32"


@dataclass(frozen=True)
class Part:
    """A part and its weight in the time."""

    name: str
    weight: float
    run: Callable[[Bench], list[Line]]


PARTS = (
    Part("bounds", 2, measure_bounds),
    Part("keel", 16, run_keel),
    Part("adult", 14, run_adult),
    Part("eos", 3, run_eos),
    Part("resnet", 36, run_resnet),
    Part("dos", 12, run_dos),
    Part("graphs", 8, run_graphs),
    Part("tsne", 3, run_tsne),
)
