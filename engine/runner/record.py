"""Collects the events and measurements of a run's chunks and builds the result."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis import curves, metrics, moves
from engine.analysis.gap import mean_over_classes
from engine.analysis.norms import class_factors, weight_norms
from engine.analysis.sample import make_features_artifact
from engine.data.dataset import Task
from engine.data.table import Dataset
from engine.events import Epoch, Event, Frame, Note, Progress, Scene, pack, pack_film
from engine.runner import contributions
from engine.runner.chunks import count_chunks
from engine.runner.features import (
    compute_deviations,
    compute_gaps,
    draw_gaps,
    draw_made,
    equal_size_stream,
    extract_features,
    read_cells,
)
from engine.runner.generated import check_generated, check_mixtures, make_generated_artifact, summarise_checks
from engine.runner.judge import Judge
from engine.seeds import numpy_stream
from engine.spec import RunSpec
from engine.spec.result import METRICS, PROBABILITY_METRICS, Result
from engine.stats.bootstrap import add_prior_rows, bayesian_weights
from engine.stats.intervals import BAYESIAN, BOOTSTRAP, Interval, corrected_t, draw_interval, name_interval
from engine.stats.significance import find_test_share
from engine.training.camera import Camera
from engine.training.fitted import Fitted

FEW_ROWS = 20
"""Test rows of a class below which the interval of one split is noted as too narrow (simulated coverage: `engine.papers.coverage`)."""

CLASS_METRICS = ("precision", "recall", "f1", "average_precision")
"""Metrics that a result gives per class."""

GAP_DRAWS = 200
"""Bootstrap draws of test rows for the gap of a single replicate."""


@dataclass
class RunRecord:
    """Events and measurements of the chunks that have run. keeps_artifacts: False where nobody reads them."""

    replicates: int
    keeps_artifacts: bool = True
    total: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    scenes: dict[int, Scene] = field(default_factory=dict)
    frames: dict[int, list[Frame]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    probability: list[np.ndarray] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    norms: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    factors: list[np.ndarray | None] = field(default_factory=list)
    gaps: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    features: dict[str, np.ndarray] = field(default_factory=dict)
    generated: dict[str, np.ndarray] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    gap_draws: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: list[Tensor] = field(default_factory=list)
    points: list[dict[str, np.ndarray]] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)
    counts: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    def snapshot(self) -> dict[str, int]:
        """How many epochs and notes are recorded, for `restore`."""
        return {name: len(getattr(self, name)) for name in ("epochs", "notes")}

    def restore(self, lengths: Mapping[str, int], numbers: Sequence[int]) -> None:
        """Drops what was recorded since `snapshot`, and the pictures of replicates `numbers`, which run again."""
        for name, length in lengths.items():
            del getattr(self, name)[length:]
        for r in numbers:
            self.scenes.pop(r, None)
            self.frames.pop(r, None)

    def run_progress(self, chunk: Progress, numbers: Sequence[int]) -> Progress:
        """Progress of the whole run, from that of the chunk of replicates `numbers`. Each replicate counts as equal work."""
        self.total = self.total or chunk.total * count_chunks(self.replicates)
        done = numbers[0] * chunk.total + len(numbers) * chunk.done
        return Progress(self.total * done // (self.replicates * chunk.total), self.total)

    def add_event(self, event: Event) -> None:
        """Keeps what the result needs of an event."""
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
    def add_chunk(self, task: Task, fitted: Fitted, dataset: Dataset, camera: Camera) -> None:
        """Measures a fitted chunk. Test rows are used nowhere else."""
        probability = fitted.net(task.test.x).double().softmax(-1).cpu().numpy()
        classes = len(task.classes)
        mask, y = task.test.mask.cpu().numpy(), task.test.y.cpu().numpy()
        for r in range(len(task.replicates)):
            self.probability.append(probability[r][mask[r]])
            self.truth.append(y[r][mask[r]])
        if (first := task.replicates[0].number) == 0:
            self.frames[first] = camera.thin(self.frames[first])
        heads: dict[str, np.ndarray] = {}
        for name, net in (("before", fitted.earlier or fitted.net), ("after", fitted.net)):
            heads[name] = net.head_weights().cpu().numpy()
            norms = weight_norms(heads[name])
            self.norms[name].append(np.full_like(norms, np.nan) if net.cosine else norms)
        self.factors.append(class_factors(heads["before"], heads["after"]))
        for r, one in enumerate(extract_features(task, fitted)):
            measured = compute_gaps(one, classes, equal_size_stream(task, r))
            measured |= compute_deviations(one, classes, equal_size_stream(task, r, "deviation"))
            for name, values in measured.items():
                self.gaps[name].append(values)
            replicate = task.replicates[r]
            if replicate.number == 0 and self.keeps_artifacts:
                rng = numpy_stream(task.seed, "features", replicate.seed, replicate.fold)
                images = dataset.images
                made = None if images is None else draw_made(task, fitted, r, images)
                cells = None if images is not None else partial(read_cells, dataset.draw(task.seed, replicate.seed))
                self.features = make_features_artifact(
                    one.train, one.test, one.synthetic, classes=classes, images=images, made=made, cells=cells, rng=rng
                )
                self.generated = make_generated_artifact(task, fitted, r)
            if self.replicates == 1:
                self.gap_draws = draw_gaps(one, classes, lambda: numpy_stream(task.seed, "bootstrap"), GAP_DRAWS)
        self.chosen.append(fitted.epoch.cpu().numpy())
        for name, rows in (("train", task.train), ("validation", task.valid), ("test", task.test), ("withheld", task.withheld)):
            self.counts[name].append(rows.counts(len(task.classes)).cpu().numpy())
        s = fitted.synthetic
        if s is None or s.x is s.start:  # no points, or points that do not move
            self.lengths.extend(torch.zeros(len(task.replicates), 0))
        else:
            self.lengths.extend(moves.move_lengths(s.start, s.x, s.mask).cpu())
        axes = [] if camera.features else [view.plane.axes for view in camera.views]
        self.points.extend(contributions.measure_run(task, fitted, camera.drawn, axes) or [{} for _ in task.replicates])

    def add_checks(self, task: Task, fitted: Fitted, r: int, judge: Judge) -> None:
        """Measures replicate r's generated images. judge: see `engine.runner.judge`."""
        checks, judged = check_generated(task, fitted, r, judge)
        self.checks.append(checks)
        if task.replicates[r].number == 0:
            self.generated["judged"] = judged

    def add_mixture_checks(self, task: Task, fitted: Fitted) -> None:
        """Measures the chunk's rows that were made among features."""
        self.checks += check_mixtures(task, fitted)

    def artifacts(self, test_share: float) -> dict[str, bytes]:
        """Every replicate's pictures and its points' contributions, and of the first its features and generated rows; nothing where they
        are not kept. test_share: of the result, for intervals over replicates.
        """
        if not self.keeps_artifacts:
            return {}
        films = {f"frames/{r}": pack_film(scene, self.frames[r]) for r, scene in self.scenes.items()}
        points = {
            f"contributions/{r}": pack({name: values for name, values in one.items() if name != "every"})
            for r, one in enumerate(self.points)
            if len(one.get("number", ()))
        }
        if self.checks:
            found = self.checks[0] | ({"over": summarise_checks(self.checks, test_share)} if len(self.checks) > 1 else {})
            self.generated["checks"] = np.array(json.dumps(found))
        generated = {"generated/0": pack(self.generated)} if self.generated else {}
        return films | points | generated | {"features/0": pack(self.features)}

    def result(self, spec: RunSpec, dataset: Dataset) -> Result:
        """The result without its id, seconds and provenance."""
        counts = {name: np.concatenate(parts) for name, parts in self.counts.items()}  # [R, C]
        drawn = dataset.redraw is not None
        share = find_test_share(spec.folds, drawn=drawn, official=dataset.official_test is not None)
        scores, by_class, arrays = self._bootstrap(spec)

        def summary(values: np.ndarray, bounds: tuple[float, float], draws: np.ndarray | None) -> dict[str, Any]:
            one: Interval = (
                corrected_t(values, share, bounds) if draws is None else draw_interval(float(values[0]), draws, bounds)
            )
            return {"mean": one.mean, "low": one.low, "high": one.high, "values": values.tolist()}

        per_class, averages = self._per_class(dataset.classes, find_minority(counts, spec), by_class, summary)
        self._note_few_rows(int(counts["test"].min()))
        prevalence = counts["test"] / counts["test"].sum(1, keepdims=True)
        return Result(
            run_id="",
            spec=spec.to_json(),
            metrics={
                name: summary(np.array([m[name][0] for m in scores]), bounds, arrays.get(f"bootstrap/{name}"))
                for name, (_, bounds, _) in (METRICS | PROBABILITY_METRICS).items()
            },
            per_class=per_class,
            class_counts={
                name: {label: float(v) for label, v in zip(dataset.classes, values.mean(0), strict=True)}
                for name, values in counts.items()
            },
            interval=name_interval(share, drawn=drawn) if self.replicates > 1 else BAYESIAN,
            n=self.replicates,
            test_share=share,
            positive=dataset.classes[1] if len(dataset.classes) == 2 else "macro",
            prevalence=float(prevalence[:, 1].mean()) if len(dataset.classes) == 2 else 1 / len(dataset.classes),
            seconds=0.0,
            provenance={},
            moves=self._moves(),
            notes=self.notes,
            averages=averages,
            gap=self._gap(dataset.classes, summary),
            weight_norms={name: np.concatenate(parts).tolist() for name, parts in self.norms.items()},
            contributions=contributions.summarise_contributions(
                [one.get("every", np.zeros((2, 0))) for one in self.points],
                lambda values, bounds: summary(values, bounds, None),
            ),
            arrays=arrays | self._curves(len(dataset.classes)) | self._history(),
        )

    def _bootstrap(self, spec: RunSpec) -> tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Scores of each replicate. Of a single replicate also scores of draws: by class (name -> [B, C]), and `bootstrap/<name>` [B]."""
        scores = [
            metrics.scores(p, y) | metrics.probability_scores(p, y) for p, y in zip(self.probability, self.truth, strict=True)
        ]
        if self.replicates > 1:
            return scores, {}, {}
        p, y = self.probability[0], self.truth[0]
        weights = bayesian_weights(y, p.shape[1], numpy_stream(spec.seed, "bootstrap"))
        drawn = metrics.probability_scores(p, y, weights=weights[:, : len(y)])
        p, y = add_prior_rows(p, y)
        of_all, by_class = metrics.both_scores(p, y, weights=weights)
        drawn |= of_all
        return scores, by_class, {f"bootstrap/{name}": values.astype(np.float32) for name, values in drawn.items()}

    def _per_class(
        self, labels: Sequence[str], minority: np.ndarray, by_class: Mapping[str, np.ndarray], summary: Callable[..., Any]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """The result's `per_class` and `averages`. minority: [C] bool. by_class: from a bootstrap, name -> [B, C], or empty."""
        each = [metrics.class_scores(p, y) for p, y in zip(self.probability, self.truth, strict=True)]
        per_class: dict[str, dict[str, Any]] = {}
        for c, label in enumerate(labels):
            per_class[label] = {"support": float(np.mean([one["support"][0, c] for one in each]))}
            for name in CLASS_METRICS:
                values = np.array([one[name][0, c] for one in each])
                per_class[label][name] = summary(values, (0.0, 1.0), by_class[name][:, c] if by_class else None)
        averages: dict[str, dict[str, Any]] = {}
        for group, which in (("minority", minority), ("majority", ~minority)):
            if which.any():
                averages[group] = {"classes": [c for c, is_in in zip(labels, which, strict=True) if is_in]}
                for name in CLASS_METRICS:
                    values = np.array([one[name][0, which].mean() for one in each])
                    drawn = by_class[name][:, which].mean(1) if by_class else None
                    averages[group][name] = summary(values, (0.0, 1.0), drawn)
        return per_class, averages

    def _curves(self, classes: int) -> dict[str, np.ndarray]:
        """Precision on a grid of recalls, over all and per class; norms and factors of the output weights; the chosen epochs."""
        pairs = list(zip(self.probability, self.truth, strict=True))
        factors = [one for one in self.factors if one is not None]
        scaled = {"factors": np.concatenate(factors)} if factors and len(factors) == len(self.factors) else {}
        return scaled | {
            "pr_recall": curves.GRID,
            "pr_precision": np.stack([curves.precision_recall(p, y) for p, y in pairs]),
            "weight_norms": np.concatenate(self.norms["after"]),
            "pr_class": np.array(
                [[curves.precision_recall(p, y, positive=c) for c in range(classes)] for p, y in pairs], np.float32
            ),
            "epoch": np.concatenate(self.chosen),
        }

    def _note_few_rows(self, rarest: int) -> None:
        """Adds a note if the interval of one split is too narrow. rarest: test rows of the smallest class."""
        if self.replicates == 1 and rarest < FEW_ROWS:
            self.notes.append(
                f"The smallest class has {rarest} test rows. With so few, the interval of one split holds the true value less often "
                "than 95 times in 100. Several folds and seeds say more."
            )

    def _moves(self) -> dict[str, float | list[float]] | None:
        """How far the synthetic points moved; None if no points moved."""
        if not (width := max(map(len, self.lengths))):
            return None
        padded = torch.stack([torch.nn.functional.pad(row, (0, width - len(row)), value=torch.nan) for row in self.lengths])
        return moves.summarise_moves(padded)

    def _gap(self, classes: Sequence[str], summary: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """The result's `gap`."""
        each = {name: np.stack(values) for name, values in self.gaps.items()}
        net = {name: np.array([mean_over_classes(row) for row in values]) for name, values in each.items()}
        drawn = self.gap_draws
        change = drawn["after"] - drawn["before"] if drawn else None
        return {
            "classes": list(classes),
            **{name: values.tolist() for name, values in each.items()},
            "net": {name: summary(net[name], (0.0, np.inf), drawn.get(name)) for name in ("before", "after")}
            | {"difference": summary(net["after"] - net["before"], (-np.inf, np.inf), change)},
            **({"interval": BOOTSTRAP} if drawn else {}),
        }

    def _history(self) -> dict[str, np.ndarray]:
        """history/<phase>/<name> [R, E] from the chunks' epochs; NaN after a replicate has stopped."""
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


def find_minority(counts: Mapping[str, np.ndarray], spec: RunSpec) -> np.ndarray:
    """Which classes count as the minority in averages, [C] bool: those that lost rows under `remove`, else all below the
    largest.
    """
    train = counts["train"].sum(0)
    if spec.imbalance.profile == "remove":
        return np.asarray(counts["withheld"].sum(0) > 0)
    return np.asarray(train < train.max())
