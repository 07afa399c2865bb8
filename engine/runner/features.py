"""A fitted network's features of training, test and synthetic rows, by replicate: for the generalisation gap and for maps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.analysis.deviation import deviation, deviation_at_equal_sizes, expected_deviation
from engine.analysis.gap import (
    compute_gap,
    draw_ranges,
    gaps_at_equal_sizes,
    gaps_by_outcome,
    gaps_of_ranges,
    mean_over_classes,
)
from engine.analysis.sample import MakeImages, Part
from engine.data.dataset import Task
from engine.data.table import Dataset
from engine.models.memory import MemoryHead
from engine.models.net import Net, WithHead
from engine.seeds import numpy_stream
from engine.training.fitted import Fitted
from engine.training.oversampling import apply_moves

MAX_COLUMNS, MAX_LETTERS = 16, 40
"""Columns whose values a sample of rows keeps, and letters of a column's or a level's name, at most."""
GAPS = ("before", "after", "correct", "errors", "equal_size")
"""Kinds of gaps of a replicate."""
DEVIATIONS = ("deviation", "deviation_equal_size", "deviation_expected")
"""Kinds of feature deviations of a replicate."""
EQUAL_DRAWS = 20
"""Draws over which the equal-size controls of gap and deviation are averaged."""


@dataclass(frozen=True)
class Extracted:
    """One replicate's features, float64 [n, H].

    earlier_*: from the net before its head, or all of it, was retrained (the same arrays if nothing was). synthetic: None if
    the method has no synthetic rows. learnt: False where the features are the input rows: they have no gap. placed: features and classes
    of the training rows as a sampler left them, moved or without some; None: as they are.
    """

    train: Part
    test: Part
    synthetic: Part | None
    earlier_train: np.ndarray
    earlier_test: np.ndarray
    earlier_predicted: np.ndarray
    learnt: bool = True
    placed: tuple[np.ndarray, np.ndarray] | None = None

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and classes of all rows that the head was trained on: real rows where they lie then, and synthetic ones."""
        x, y = (self.train.x, self.train.y) if self.placed is None else self.placed
        if self.synthetic is None:
            return x, y
        made = self.synthetic
        return np.concatenate([x, made.x]), np.concatenate([y, made.y])


@torch.no_grad()
def extract_features(task: Task, fitted: Fitted) -> Iterator[Extracted]:
    """Every replicate's features, in order."""
    net = fitted.net
    train, test = net.embed(task.train.x, task.train.mask), net.embed(task.test.x, task.test.mask)
    earlier = fitted.earlier or net
    own, own_test = (train, test) if _same_features(earlier, net) else (earlier.embed(task.train.x), earlier.embed(task.test.x))
    made = fitted.embedded
    if made is None and fitted.synthetic is not None:
        s = fitted.synthetic
        x, y, mask = net.embed(s.x, s.mask), s.y, s.mask
    elif made is not None:
        x, y, mask = made.x, made.y, made.mask
    else:
        x = None
    labels = [net.head(z).argmax(2) for z in (train, test)]
    before = earlier.head(own_test).argmax(2)
    placed = _place_train(task, fitted, train)
    held = _attend(net, train), _attend(net, test)
    for r in range(len(task.replicates)):
        kept, new = task.train.mask[r], task.test.mask[r]
        synthetic = None
        if x is not None:
            rows = mask[r]
            lines = _read_lines(fitted, r, rows)
            own_labels = net.head(x)[r].argmax(1)
            synthetic = Part(_floats(x[r][rows]), _numbers(y[r][rows]), _numbers(own_labels[rows]), lines=lines)
        yield Extracted(
            _make_part(train[r][kept], task.train.y[r][kept], labels[0][r][kept], task.source[r], held[0], r, kept),
            _make_part(test[r][new], task.test.y[r][new], labels[1][r][new], task.test_source[r], held[1], r, new),
            synthetic,
            _floats(own[r][kept]),
            _floats(own_test[r][new]),
            _numbers(before[r][new]),
            net.learns_features,
            None if placed is None else (_floats(placed[0][r][placed[1][r]]), _numbers(task.train.y[r][placed[1][r]])),
        )


def _make_part(
    x: Tensor, y: Tensor, labels: Tensor, source: np.ndarray, held: Tensor | None, replicate: int, kept: Tensor
) -> Part:
    """The rows that a replicate keeps of its training or test part. held: the attention of all rows of all replicates."""
    return Part(
        _floats(x), _numbers(y), _numbers(labels), source, attention=None if held is None else _floats(held[replicate][kept])
    )


def _attend(net: Net, z: Tensor) -> Tensor | None:
    """Attention over the classes [R, N, C] of a memory head for features z [R, N, H]; None where the classifier is another one."""
    head = net.classify if isinstance(net, WithHead) else None
    return head.attention(z) if isinstance(head, MemoryHead) else None


def _place_train(task: Task, fitted: Fitted, train: Tensor) -> tuple[Tensor, Tensor] | None:
    """Features [R, N, H] and mask [R, N] of the training rows as a sampler left them; None where it changed none. train: as they were."""
    kept = task.train.mask if fitted.kept is None else fitted.kept
    if fitted.moved is None:
        return None if fitted.kept is None else (train, kept)
    if fitted.embedded is not None:
        return apply_moves(train, fitted.moved), kept
    return fitted.net.embed(apply_moves(task.train.x, fitted.moved), task.train.mask), kept


def _read_lines(fitted: Fitted, r: int, rows: Tensor) -> np.ndarray | None:
    """`Part.lines` of replicate r's synthetic rows; a copy lies on its parent. rows [n] bool: those that are no padding."""
    if fitted.lines is not None:
        return _floats(fitted.lines[r][rows])
    if fitted.embedded is not None or fitted.synthetic is None or fitted.synthetic.parent is None:
        return None
    parent = _floats(fitted.synthetic.parent[r][rows])
    return np.column_stack([parent, np.full_like(parent, -1), np.zeros_like(parent)])


def draw_made(task: Task, fitted: Fitted, r: int, images: np.ndarray) -> MakeImages | None:
    """What draws replicate r's synthetic input rows as images; None where it has none. images: `Dataset.images`.

    Every channel is a straight line from grey values to inputs, which the training rows show.
    """
    s = fitted.synthetic
    if s is None or fitted.embedded is not None or task.shape is None or s.x.shape[2] != np.prod(task.shape):
        return None
    shape = tuple(task.shape)
    seen = min(64, int(task.train.mask[r].sum()))
    inputs = _floats(task.train.x[r][:seen]).reshape(seen, shape[0], -1)
    greys = images[task.source[r][:seen]].reshape(seen, shape[0], -1).astype(float)
    flat = _floats(s.x[r][s.mask[r]])

    def make(at: np.ndarray) -> np.ndarray:
        out = flat[at].reshape(len(at), shape[0], -1)
        for channel in range(shape[0]):
            own, grey = inputs[:, channel].ravel(), greys[:, channel].ravel()
            slope = grey.std() / (own.std() or 1.0)
            out[:, channel] = (out[:, channel] - own.mean()) * slope + grey.mean()
        grey_values: np.ndarray = np.clip(np.rint(out), 0, 255).astype(np.uint8)
        return grey_values.reshape(len(at), *shape)

    return make


def read_cells(dataset: Dataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What the first MAX_COLUMNS columns hold in these rows, as arrays of the artifact `features/<replicate>`.

    columns [p]: their names. cells float32 [rows, p]: numbers, NaN where one is missing, and of a column of levels the level's number.
    levels: JSON, a list of levels a column, empty for numbers.
    """
    names = [*dataset.numeric_names, *dataset.categorical_names][:MAX_COLUMNS]
    cells = np.concatenate([dataset.numeric[rows], dataset.categorical[rows]], 1)[:, :MAX_COLUMNS]
    levels: list[list[str]] = [[]] * len(dataset.numeric_names) + [
        [level[:MAX_LETTERS] for level in own] for own in dataset.categories
    ]
    shown = json.dumps(levels[:MAX_COLUMNS])
    return {
        "columns": np.array([name[:MAX_LETTERS] for name in names], "U"),
        "cells": cells.astype(np.float32),
        "levels": np.array(shown),
    }


def compute_gaps(one: Extracted, classes: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Gaps per class [C], means over features (card A5, A6).

    before: of the earlier net, training range of real rows. after: of the final net, training range of real and synthetic rows, moved ones
    at their new places and without those removed.
    correct, errors: as before, on test rows that the earlier net classifies correctly and wrongly (by true class). equal_size:
    as before, with equal numbers of training and test rows of every class, mean over draws. It removes the effect of sample
    size. All are NaN where no features are learnt.
    """
    train, test = one.train, one.test
    if not one.learnt:
        return {name: np.full(classes, np.nan) for name in GAPS}
    known, known_y = one.known()
    outcomes = gaps_by_outcome(one.earlier_train, train.y, one.earlier_test, test.y, one.earlier_predicted, classes)
    fewest = int(np.bincount(train.y, minlength=classes).min())
    equal = gaps_at_equal_sizes(
        one.earlier_train, train.y, one.earlier_test, test.y, classes, rng, train_rows=fewest, repeats=EQUAL_DRAWS
    )
    return {
        "before": compute_gap(one.earlier_train, train.y, one.earlier_test, test.y, classes).mean,
        "after": compute_gap(known, known_y, test.x, test.y, classes).mean,
        "correct": outcomes.correct.mean,
        "errors": outcomes.errors.mean,
        "equal_size": equal.mean(0),
    }


def compute_deviations(one: Extracted, classes: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Feature deviations per class [C] of the final net, from real training rows (`engine.analysis.deviation`).

    deviation: of all rows. deviation_equal_size: of as many training rows of every class, mean over draws. deviation_expected: by
    sampling alone. All are NaN where no features are learnt.
    """
    if not one.learnt:
        return {name: np.full(classes, np.nan) for name in DEVIATIONS}
    rows = one.train.x, one.train.y, one.test.x, one.test.y
    return {
        "deviation": deviation(*rows, classes),
        "deviation_equal_size": deviation_at_equal_sizes(*rows, classes, rng, repeats=EQUAL_DRAWS).mean(0),
        "deviation_expected": expected_deviation(one.train.x, one.train.y, one.test.y, classes),
    }


def draw_gaps(one: Extracted, classes: int, stream: Callable[[], np.random.Generator], n: int) -> dict[str, np.ndarray]:
    """The net gap on n stratified bootstrap draws of the test rows, before and after (the same draws): each [n]."""
    train, test = one.train, one.test
    if not one.learnt:
        return {name: np.full(n, np.nan) for name in ("before", "after")}
    known, known_y = one.known()
    ranges = draw_ranges(one.earlier_test, test.y, classes, stream(), n=n)
    before = gaps_of_ranges(one.earlier_train, train.y, ranges)
    if not np.array_equal(one.earlier_test, test.x):
        ranges = draw_ranges(test.x, test.y, classes, stream(), n=n)
    after = gaps_of_ranges(known, known_y, ranges)
    return {name: np.array([mean_over_classes(row) for row in rows]) for name, rows in (("before", before), ("after", after))}


def equal_size_stream(task: Task, r: int, name: str = "equal sizes") -> np.random.Generator:
    """The generator of replicate r's equal-size control of the gap, or by another name."""
    replicate = task.replicates[r]
    return numpy_stream(task.seed, name, replicate.seed, replicate.fold)


def _same_features(one: Net, other: Net) -> bool:
    """Whether two nets have the same features, so that only their heads may differ."""
    if one is other:
        return True
    if one.flat.shape != other.flat.shape:
        return False
    own = one.flat.shape[1] - (one.width + 1) * one.classes
    states = zip(one.state(), other.state(), strict=True)
    return torch.equal(one.flat[:, :own], other.flat[:, :own]) and all(torch.equal(a, b) for a, b in states)


def _floats(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()


def _numbers(x: Tensor) -> np.ndarray:
    return x.long().cpu().numpy()
