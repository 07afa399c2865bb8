"""Splits rows into training, validation, test and withheld ones. One seed index gives one validation part and its folds. Rows that
name their part are not split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.data.imbalance import cut_rows, target_counts
from engine.data.table import PARTS, Dataset
from engine.errors import BadData, BadParameter
from engine.seeds import numpy_stream
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.limits import QUICK, count_validation_rows

ByClass = list[np.ndarray]  # row numbers per class


@dataclass(frozen=True)
class Parts:
    """Row numbers of one replicate, ascending, all parts disjoint.

    withheld: minority rows dropped from training's share; elsewhere: those dropped from validation's and test's share.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    withheld: np.ndarray
    elsewhere: np.ndarray


def split(dataset: Dataset, spec: RunSpec, index: int) -> list[Parts]:
    """The parts of every fold of seed `index`: `spec.folds` of them, sharing their validation part.

    folds >= 2: a fifth of each class is validation, the rest is cut into folds, each in turn the test part. folds = 1: one
    60/20/20 split, the first replicate of the cut into 4. A set with an official test keeps it (folds must be 1); a fifth
    of its other rows is validation. A set whose rows name their part (`Dataset.parts`; give the rows of this seed index) keeps those
    parts, without an imbalance and with folds = 1. Raises BadData where a class is too small, BadParameter for folds or an imbalance of
    given parts.
    """
    if dataset.parts is not None:
        return [_read_parts(dataset, dataset.parts, spec)]
    if dataset.official_test is not None and spec.folds != 1:
        raise BadParameter(f"{dataset.name} has an official test part; its folds must be 1, got {spec.folds}.")
    rng = numpy_stream(spec.seed, "split", index)
    is_test = np.zeros(len(dataset.y), bool)
    if dataset.official_test is not None:
        is_test[dataset.official_test] = True
    # only one permutation per class is drawn, so ratios of one seed are nested, and method and protocol change nothing
    shuffled = [rng.permutation(np.flatnonzero(dataset.y == c)) for c in range(len(dataset.classes))]
    rows = [r[~is_test[r]] for r in shuffled]
    official = [r[is_test[r]] for r in shuffled] if dataset.official_test is not None else None
    make = _cut_first if spec.imbalance.where == "all" else _split_first
    return make(dataset, spec, rows, official)


def _read_parts(dataset: Dataset, parts: np.ndarray, spec: RunSpec) -> Parts:
    """The parts that the rows name."""
    if spec.folds != 1 or spec.imbalance.profile != "native":
        raise BadParameter(f"the rows of {dataset.name} name their part: its folds must be 1, and no imbalance can be made.")
    rows = [[np.flatnonzero((parts == k) & (dataset.y == c)) for c in range(len(dataset.classes))] for k in range(len(PARTS))]
    none: ByClass = [np.zeros(0, np.int64) for _ in dataset.classes]
    return _build_parts(dataset, spec, *rows, none, none)


def _cut_first(dataset: Dataset, spec: RunSpec, rows: ByClass, official: ByClass | None) -> list[Parts]:
    """where = all: the ratio is made on all rows, then kept and dropped rows are split in the same proportions."""
    need = limits.min_class_rows(spec.folds)
    sizes = _target_counts(rows, dataset, spec)
    for c, n in enumerate(sizes):
        if n < need:
            raise BadData(_describe_too_few(dataset, spec, c, f"keeps {n} of its {len(rows[c])} rows", f"at least {need}"))
    kept, dropped = cut_rows(rows, sizes)
    if official is not None:
        test, spare = cut_rows(official, _target_counts(official, dataset, spec))
        (valid, train), (no_valid, no_train) = _deal(kept, 1), _deal(dropped, 1)
        return [_build_parts(dataset, spec, train, valid, test, no_train, _join(no_valid, spare))]
    k = QUICK if spec.folds == 1 else spec.folds
    (valid, *folds), (no_valid, *no_folds) = _deal(kept, k), _deal(dropped, k)
    return [
        _build_parts(
            dataset, spec, _join_others(folds, f), valid, folds[f], _join_others(no_folds, f), _join(no_valid, no_folds[f])
        )
        for f in range(spec.folds)
    ]


def _split_first(dataset: Dataset, spec: RunSpec, rows: ByClass, official: ByClass | None) -> list[Parts]:
    """where = train: test keeps its natural classes; training and validation are each cut to the ratio.

    Validation keeps a row of every class. With a fifth of the rows it would lose the smallest classes long before training
    does.
    """
    need = limits.min_class_rows(spec.folds)
    for c, r in enumerate(rows):
        if len(r) < need:
            raise BadData(_describe_too_few(dataset, spec, c, f"has {len(r)} rows", f"at least {need}"))
    k = 1 if official is not None else QUICK if spec.folds == 1 else spec.folds
    whole_valid, *folds = _deal(rows, k)
    valid, no_valid = cut_rows(whole_valid, [max(1, n) for n in _target_counts(whole_valid, dataset, spec)])
    out = []
    for f in range(spec.folds):
        share = folds[0] if official is not None else _join_others(folds, f)
        train, no_train = cut_rows(share, _target_counts(share, dataset, spec))
        test = folds[f] if official is None else official
        out.append(_build_parts(dataset, spec, train, valid, test, no_train, no_valid))
    return out


def _target_counts(rows: ByClass, dataset: Dataset, spec: RunSpec) -> list[int]:
    # the classes that `remove` draws depend on the spec alone, so that all replicates have the same minority
    rng = numpy_stream(spec.seed, "classes")
    return target_counts([len(r) for r in rows], spec.imbalance, rng, whole=dataset.counts.tolist())


def _deal(rows: ByClass, k: int) -> list[ByClass]:
    """k + 1 parts by class: a fifth of each class, then its rest in k folds whose sizes differ by at most one.

    The odd rows of a class go to the folds after those that got the previous class's, so that whole folds are balanced too.
    """
    parts: list[ByClass] = [[] for _ in range(k + 1)]
    odd = 0
    for r in rows:
        v = count_validation_rows(len(r))
        size, extra = divmod(len(r) - v, k)
        sizes = [size + ((f - odd) % k < extra) for f in range(k)]
        odd += extra
        for part, piece in zip(parts, np.split(r, np.cumsum([v, *sizes])[:-1]), strict=True):
            part.append(piece)
    return parts


def _join_others(folds: Sequence[ByClass], left_out: int) -> ByClass:
    """By class, the rows of all folds but one, alternating between folds, so that any first n come from all of them."""
    out = []
    for by_fold in zip(*(f for i, f in enumerate(folds) if i != left_out), strict=True):
        turn = np.concatenate([np.arange(len(r)) for r in by_fold])
        out.append(np.concatenate(by_fold)[np.argsort(turn, kind="stable")])
    return out


def _join(a: ByClass, b: ByClass) -> ByClass:
    return [np.concatenate(pair) for pair in zip(a, b, strict=True)]


def _build_parts(dataset: Dataset, spec: RunSpec, train: ByClass, valid: ByClass, test: ByClass, *rest: ByClass) -> Parts:
    for name, part in (("training", train), ("validation", valid), ("test", test)):
        for c, r in enumerate(part):
            if not len(r):
                raise BadData(
                    _describe_too_few(dataset, spec, c, f"is left with no row in the {name} part", "one in every part")
                )
    return Parts(*(np.sort(np.concatenate(by_class)) for by_class in (train, valid, test, *rest)))


def _describe_too_few(dataset: Dataset, spec: RunSpec, c: int, has: str, needs: str) -> str:
    """The error message for class c: its rows, the rows needed, and a remedy."""
    imbalance: Imbalance = spec.imbalance
    protocol = "one 60/20/20 split" if spec.folds == 1 else f"{spec.folds} folds"
    sentence = f"{dataset.name}: class {dataset.classes[c]!r} {has}, but {protocol} needs {needs}; "
    if min(dataset.counts) < limits.min_class_rows(spec.folds):
        return sentence + ("use fewer folds." if spec.folds > 1 else "use a dataset with more rows of it.")
    if imbalance.ratio is not None:
        assert imbalance.where is not None
        highest, _ = limits.highest_ratio(dataset.counts.tolist(), spec.folds, imbalance.where, imbalance.profile)
        return sentence + f"use a ratio of at most {highest:g} instead of {imbalance.ratio:g}."
    return sentence + f"use a rate below {imbalance.rate}."
