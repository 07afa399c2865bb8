"""From a spec to its result: the one path, used by the worker, the terminal and the tests."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis import curves, metrics, moves
from engine.analysis.gap import over_classes
from engine.analysis.norms import weight_norms
from engine.analysis.sample import features_artifact
from engine.catalog import build_catalog
from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.data.table import Dataset
from engine.devices import choose_device, device_name
from engine.errors import OutOfMemory
from engine.events import Epoch, Event, Frame, Note, Phase, Progress, Running, Scene, finish, pack, pack_film
from engine.methods import method
from engine.runner import contributions
from engine.runner.features import equal_draws, gap_draws, gaps, seen
from engine.seeds import numpy_stream
from engine.settings import setting
from engine.spec import RunSpec
from engine.spec.result import METRICS, Result
from engine.spec.run import find, uploaded
from engine.stats.bootstrap import draws
from engine.stats.intervals import BOOTSTRAP, CORRECTED_T, Interval, corrected_t, percentile
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.version import NUMERICS

FEW = 20
"""Test rows of a class below which a bootstrap of one replicate promises too much: in simulations a 95% interval of average
precision held the truth in 50-80% of cases with 3 positive rows, 85-91% with 10, 92-96% with 40 (300 test sets each)."""

CHUNK = 20
"""Replicates trained together at most. Fixed by the spec, so that numbers do not depend on the machine or on what ran beside."""

MOST_VALUES = 20_000_000
"""Values (rows x columns x replicates) that the rows of a chunk may have: images come one replicate at a time."""

GAP_DRAWS = 200
"""Bootstrap draws of test rows for the gap of a single replicate."""

Run = Generator[Event, None, tuple[Result, dict[str, bytes]]]


def run(
    spec: RunSpec,
    *,
    device: str = "auto",
    dtype: torch.dtype = torch.float32,
    frames: int = 100,
    dataset: Dataset | None = None,
) -> Run:
    """Run a spec. A generator of events; its return value is the result and its artifacts (`frames/<replicate>`: a film,
    `features/0`, `contributions/<replicate>`: see engine.analysis.sample and .contributions).

    device: auto (cuda where there is one), cpu or cuda. frames: pictures of the first replicate, 0 for none. The environment's
    LAB_THREADS: CPU threads, default 1. dataset: the spec's own, where the caller has read it already and runs it often.
    Raises the errors of engine.errors; close it at any event to stop.
    """
    began = time.monotonic()
    # One: the matrices are small, a second thread gains little on an idle machine and, where a browser wants the other core,
    # loses most of its time at barriers. It also makes a result independent of the number of cores.
    torch.set_num_threads(setting("LAB_THREADS", 1))
    catalog = build_catalog(found=True)
    spec = spec.complete(catalog)
    fingerprint = "" if uploaded(spec.dataset) else find(catalog, "datasets", spec.dataset)["fingerprint"]
    where = torch.device(choose_device(device))
    yield Phase("data", "Reading the data")
    dataset = load(spec.dataset, spec.data) if dataset is None else dataset
    record = _Record(spec.replicates)
    for numbers in chunks(spec.replicates, chunk_size(dataset)):
        yield from _fit_chunk(spec, dataset, numbers, where, dtype, frames, record)
    yield Phase("measuring", "Measuring on the test rows")
    result = record.result(spec, dataset)
    result = replace(
        result,
        run_id=spec.run_id(fingerprint),
        seconds=time.monotonic() - began,
        provenance=provenance(where, dtype),
    )
    return result, record.artifacts()


def chunks(replicates: int, size: int) -> Iterator[range]:
    """Replicate numbers in stacks of at most `size`."""
    for first in range(0, replicates, size):
        yield range(first, min(first + size, replicates))


def chunk_size(dataset: Dataset) -> int:
    """Replicates trained together for this dataset."""
    images = 0 if dataset.images is None else int(dataset.images[0].size)
    columns = int(dataset.numeric.shape[1]) + sum(map(len, dataset.categories)) + images
    return max(1, min(CHUNK, MOST_VALUES // max(1, len(dataset.y) * columns)))


def _fit_chunk(
    spec: RunSpec,
    dataset: Dataset,
    numbers: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
    frames: int,
    record: _Record,
) -> Generator[Event, None, None]:
    """Train a chunk; where the device's memory is not enough, once more in two halves."""
    kept = record.standing()
    try:
        yield from _fit(spec, dataset, numbers, device, dtype, frames, record)
        return
    except torch.cuda.OutOfMemoryError:
        if len(numbers) == 1:
            raise OutOfMemory(
                f"the memory of {device_name(device.type)} is not enough for one replicate; use the CPU."
            ) from None
    torch.cuda.empty_cache()
    record.forget(kept, numbers)
    note = Note(
        f"The GPU's memory is not enough for {len(numbers)} replicates at once: trying half of them at a time.", "warning"
    )
    record.hear(note)
    yield note
    middle = len(numbers) // 2
    for half in (numbers[:middle], numbers[middle:]):
        try:
            yield from _fit(spec, dataset, half, device, dtype, frames, record)
        except torch.cuda.OutOfMemoryError:
            raise OutOfMemory(
                f"the memory of {device_name(device.type)} is not enough for {len(half)} replicates at once; "
                "use the CPU, a smaller network or a smaller batch."
            ) from None


def _fit(
    spec: RunSpec,
    dataset: Dataset,
    numbers: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
    frames: int,
    record: _Record,
) -> Generator[Event, None, None]:
    task = prepare(dataset, spec, numbers, device=device, dtype=dtype)
    camera = Camera(task, frames)
    fitting = Running(method(spec.method)(**spec.params).fit(task, camera=camera))
    for event in fitting:
        record.hear(event)
        if isinstance(event, Progress):
            event = record.overall(event, numbers)
        if not isinstance(event, (Frame, Scene)) or event.replicate == 0:
            yield event
    record.add(task, fitting.value, dataset.images, camera)


@dataclass
class _Record:
    """What is heard and measured while the chunks run."""

    replicates: int
    total: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    scenes: dict[int, Scene] = field(default_factory=dict)
    frames: dict[int, list[Frame]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    probability: list[np.ndarray] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    norms: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    gaps: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    features: dict[str, np.ndarray] = field(default_factory=dict)
    gap_draws: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: list[Tensor] = field(default_factory=list)
    points: list[dict[str, np.ndarray]] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)
    counts: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    def standing(self) -> dict[str, int]:
        """Where the record stands, for `forget`."""
        return {name: len(getattr(self, name)) for name in ("epochs", "notes")}

    def forget(self, standing: Mapping[str, int], numbers: Sequence[int]) -> None:
        """Forget what was heard since of replicates that have to run again."""
        for name, length in standing.items():
            del getattr(self, name)[length:]
        for r in numbers:
            self.scenes.pop(r, None)
            self.frames.pop(r, None)

    def overall(self, said: Progress, numbers: Sequence[int]) -> Progress:
        """Progress of the whole run, from that of a chunk: each replicate is as much work, and the total stays what it was."""
        self.total = self.total or said.total * -(-self.replicates // CHUNK)
        done = numbers[0] * said.total + len(numbers) * said.done
        return Progress(self.total * done // (self.replicates * said.total), self.total)

    def hear(self, event: Event) -> None:
        """Keep what the result needs of an event."""
        if isinstance(event, Epoch):
            self.epochs.append(event)
        elif isinstance(event, Note):
            if event.text not in self.notes:
                self.notes.append(event.text)
        elif isinstance(event, Scene):
            self.scenes[event.replicate] = event
        elif isinstance(event, Frame):
            self.frames[event.replicate].append(event)

    @torch.no_grad()
    def add(self, task: Task, fitted: Fitted, images: np.ndarray | None, camera: Camera) -> None:
        """Measure a fitted chunk. The only place where test rows meet a net."""
        probability = fitted.net(task.test.x).double().softmax(-1).cpu().numpy()
        classes = len(task.classes)
        mask, y = task.test.mask.cpu().numpy(), task.test.y.cpu().numpy()
        for r in range(len(task.replicates)):
            self.probability.append(probability[r][mask[r]])
            self.truth.append(y[r][mask[r]])
        for name, net in (("before", fitted.earlier or fitted.net), ("after", fitted.net)):
            norms = weight_norms(net.head_weights().cpu().numpy())
            self.norms[name].append(np.full_like(norms, np.nan) if net.cosine else norms)
        for r, one in enumerate(seen(task, fitted)):
            for name, values in gaps(one, classes, equal_draws(task, r)).items():
                self.gaps[name].append(values)
            replicate = task.replicates[r]
            if replicate.number == 0:
                rng = numpy_stream(task.seed, "features", replicate.seed, replicate.fold)
                self.features = features_artifact(one.train, one.test, one.synthetic, classes=classes, images=images, rng=rng)
            if self.replicates == 1:
                self.gap_draws = gap_draws(one, classes, lambda: numpy_stream(task.seed, "bootstrap"), GAP_DRAWS)
        self.chosen.append(fitted.epoch.cpu().numpy())
        for name, rows in (("train", task.train), ("validation", task.valid), ("test", task.test), ("withheld", task.withheld)):
            self.counts[name].append(rows.counts(len(task.classes)).cpu().numpy())
        s = fitted.synthetic
        if s is None or s.x is s.start:  # no points, or points that do not move
            self.lengths.extend(torch.zeros(len(task.replicates), 0))
        else:
            self.lengths.extend(moves.moves(s.start, s.x, s.mask).cpu())
        axes = [] if camera.features else [view.plane.axes for view in camera.views]
        self.points.extend(contributions.of_run(task, fitted, camera.drawn, axes) or [{} for _ in task.replicates])

    def artifacts(self) -> dict[str, bytes]:
        """Every replicate's pictures and its points' contributions, and the features of the first."""
        films = {f"frames/{r}": pack_film(scene, self.frames[r]) for r, scene in self.scenes.items()}
        points = {
            f"contributions/{r}": pack({name: values for name, values in one.items() if name != "every"})
            for r, one in enumerate(self.points)
            if len(one.get("number", ()))
        }
        return films | points | {"features/0": pack(self.features)}

    def result(self, spec: RunSpec, dataset: Dataset) -> Result:
        """The result without its identity, time and provenance."""
        counts = {name: np.concatenate(parts) for name, parts in self.counts.items()}  # [R, C]
        share = float(counts["test"].sum() / counts["train"].sum())
        each = [metrics.scores(p, y) for p, y in zip(self.probability, self.truth, strict=True)]
        classes = [metrics.per_class(p, y) for p, y in zip(self.probability, self.truth, strict=True)]
        weights = None
        arrays: dict[str, np.ndarray] = {}
        by_class: dict[str, np.ndarray] = {}
        if self.replicates == 1:
            weights = draws(self.truth[0], numpy_stream(spec.seed, "bootstrap"))
            drawn = metrics.scores(self.probability[0], self.truth[0], weights=weights)
            by_class = metrics.per_class(self.probability[0], self.truth[0], weights=weights)
            arrays |= {f"bootstrap/{name}": values.astype(np.float32) for name, values in drawn.items()}

        def summary(values: np.ndarray, bounds: tuple[float, float], drawn: np.ndarray | None) -> dict[str, Any]:
            one: Interval = corrected_t(values, share, bounds) if drawn is None else percentile(float(values[0]), drawn)
            return {"mean": one.mean, "low": one.low, "high": one.high, "values": values.tolist()}

        positive = dataset.classes[1] if len(dataset.classes) == 2 else "macro"
        per_class: dict[str, dict[str, Any]] = {}
        for c, label in enumerate(dataset.classes):
            per_class[label] = {"support": float(np.mean([p["support"][0, c] for p in classes]))}
            for name in ("precision", "recall", "f1", "average_precision"):
                values = np.array([p[name][0, c] for p in classes])
                per_class[label][name] = summary(values, (0.0, 1.0), by_class[name][:, c] if weights is not None else None)
        test_share = counts["test"] / counts["test"].sum(1, keepdims=True)
        few = minority_classes(counts, spec)
        averages: dict[str, dict[str, Any]] = {}
        for group, which in (("minority", few), ("majority", ~few)):
            if which.any():
                averages[group] = {"classes": [c for c, own in zip(dataset.classes, which, strict=True) if own]}
                for name in ("precision", "recall", "f1", "average_precision"):
                    values = np.array([p[name][0, which].mean() for p in classes])
                    several = by_class[name][:, which].mean(1) if weights is not None else None
                    averages[group][name] = summary(values, (0.0, 1.0), several)
        arrays |= {
            "pr_recall": curves.GRID,
            "pr_precision": np.stack(
                [curves.precision_recall(p, y) for p, y in zip(self.probability, self.truth, strict=True)]
            ),
            "weight_norms": np.concatenate(self.norms["after"]),
            "pr_class": np.array(
                [
                    [curves.precision_recall(p, y, positive=c) for c in range(len(dataset.classes))]
                    for p, y in zip(self.probability, self.truth, strict=True)
                ],
                np.float32,
            ),
            "epoch": np.concatenate(self.chosen),
        }
        arrays |= self._history()
        rare = int(counts["test"].min())
        if self.replicates == 1 and rare < FEW:
            self.notes.append(
                f"The smallest class has {rare} test rows. With so few, this bracket holds the truth clearly less often than 95 times in "
                "100; several folds and seeds say more."
            )
        moved = None
        if width := max(map(len, self.lengths)):
            padded = torch.stack([torch.nn.functional.pad(row, (0, width - len(row)), value=torch.nan) for row in self.lengths])
            moved = moves.summary(padded)
        return Result(
            run_id="",
            spec=spec.to_json(),
            metrics={
                name: summary(np.array([m[name][0] for m in each]), bounds, arrays.get(f"bootstrap/{name}"))
                for name, (_, bounds, _) in METRICS.items()
            },
            per_class=per_class,
            class_counts={
                name: {label: float(v) for label, v in zip(dataset.classes, values.mean(0), strict=True)}
                for name, values in counts.items()
            },
            interval=CORRECTED_T if self.replicates > 1 else BOOTSTRAP,
            n=self.replicates,
            test_share=share,
            positive=positive,
            prevalence=float(test_share[:, 1].mean()) if len(dataset.classes) == 2 else 1 / len(dataset.classes),
            seconds=0.0,
            provenance={},
            moves=moved,
            notes=self.notes,
            averages=averages,
            gap=self._gap(dataset.classes, summary),
            weight_norms={name: np.concatenate(parts).tolist() for name, parts in self.norms.items()},
            contributions=contributions.summary(
                [one.get("every", np.zeros((2, 0))) for one in self.points],
                lambda values, bounds: summary(values, bounds, None),
            ),
            arrays=arrays,
        )

    def _gap(self, classes: Sequence[str], summary: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """The result's `gap`."""
        each = {name: np.stack(values) for name, values in self.gaps.items()}
        net = {name: np.array([over_classes(row) for row in values]) for name, values in each.items()}
        drawn = self.gap_draws
        change = drawn["after"] - drawn["before"] if drawn else None
        return {
            "classes": list(classes),
            **{name: values.tolist() for name, values in each.items()},
            "net": {name: summary(net[name], (0.0, np.inf), drawn.get(name)) for name in ("before", "after")}
            | {"difference": summary(net["after"] - net["before"], (-np.inf, np.inf), change)},
        }

    def _history(self) -> dict[str, np.ndarray]:
        """history/<phase>/<name> [R, E] from the chunks' epochs; NaN where a replicate had stopped."""
        longest: dict[str, int] = {}
        for e in self.epochs:
            longest[e.phase] = max(longest.get(e.phase, 0), e.epoch)
        out: dict[str, np.ndarray] = {}
        for e in self.epochs:
            steps = out.setdefault(f"history/{e.phase}/step", np.full(longest[e.phase], np.nan, np.float32))
            steps[e.epoch - 1] = e.step
            for name, values in e.values.items():
                key = f"history/{e.phase}/{name}"
                table = out.setdefault(key, np.full((self.replicates, longest[e.phase]), np.nan, np.float32))
                table[e.first : e.first + len(values), e.epoch - 1] = values
        return out


def minority_classes(counts: Mapping[str, np.ndarray], spec: RunSpec) -> np.ndarray:
    """Which classes the averages call the minority, [C] bool: those that lost rows under `remove`, else all below the largest."""
    train = counts["train"].sum(0)
    if spec.imbalance.profile == "remove":
        return np.asarray(counts["withheld"].sum(0) > 0)
    return np.asarray(train < train.max())


def provenance(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Where and with what a result was made."""
    return {
        "device": device.type,
        "device_name": device_name(device.type),
        "precision": str(dtype).removeprefix("torch."),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "cpu": processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numerics": NUMERICS,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@cache
def processor() -> str:
    """The kind of processor, and the instructions torch takes of it: two machines that agree in it, and in torch, give the same bits.

    Where the system does not tell its kind: the architecture.
    """
    facts: dict[str, str] = {}
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    except OSError:
        pass  # not Linux
    name = facts.get("model name") or platform.processor() or platform.machine()
    if "model" in facts:  # a virtual machine hides it in the name
        name += f" (family {facts.get('cpu family', '?')}, model {facts['model']})"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def commit() -> str | None:
    """The checked-out commit of this engine, None outside a git checkout."""
    git = Path(__file__).resolve().parents[2] / ".git"
    try:
        shared = git
        if git.is_file():  # a linked worktree: its own HEAD, the branches of the checkout it belongs to
            git = git.parent / git.read_text().strip().removeprefix("gitdir: ")
            shared = git / (git / "commondir").read_text().strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        ref = shared / head.removeprefix("ref: ")
        if ref.exists():
            return ref.read_text().strip()
        packed = (shared / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(head.removeprefix("ref: "))), None)
    except OSError:
        return None


def drive(running: Run) -> tuple[list[Event], Result, dict[str, bytes]]:
    """Run to the end: (events, result, artifacts)."""
    events: list[Event] = []
    result, artifacts = finish(running, events.append)
    return events, result, artifacts
