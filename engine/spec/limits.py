"""Rows that each class keeps under an imbalance, and the highest possible ratio. Plain Python, since the page uses it.

In every profile but native and remove, class sizes follow the profile's law exactly and are as large as the data allow. So the
head class keeps all its rows where the other classes have enough. Where the data are more skewed than asked, it is cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.spec.run import MAX_RATIO, Imbalance

MIN_CLASS_ROWS = 5
"""Rows a class must keep to be split into training, validation and test."""

QUICK = 4
"""One 60/20/20 split is the first replicate of a cut into this many folds."""

_SLACK = 1e-9  # tolerance, so that rounding does not turn a size of 5 into 4


def class_counts(entry: Mapping[str, Any], options: Mapping[str, Any]) -> list[int]:
    """Rows per class of a catalog entry under its options (defaults where an option is not given): of all rows but those of an
    official test part; of the training rows, where the rows name their part (`entry["parts"]`).
    """
    counts = list(entry["counts"])
    values = {f["name"]: f["default"] for f in entry["fields"]} | dict(options)
    if entry.get("parts"):
        return part_counts(values)["train"]
    if entry["kind"] == "points":
        return [values["rows"] - values["rows"] // 2, values["rows"] // 2]
    if values.get("per_class"):
        return [min(n, values["per_class"]) for n in counts]
    return [min(counts)] * len(counts) if values.get("balance") else counts


def group_counts(values: Mapping[str, Any]) -> dict[str, list[int]]:
    """Rows of each part of a set that names its parts, before `given` moves some: part -> rows of the majority, the first minority
    cluster and the hidden one. At least one row of either cluster is in every part.

    values: its options: train, valid, test (rows of the part), share and share_later (of the minority, in training and outside it),
    hidden (rows of the hidden cluster in training), hidden_share (of it in the minority outside training).
    """
    out = {}
    for part in ("train", "valid", "test"):
        rows = values[part]
        minority = math.floor(rows * values["share" if part == "train" else "share_later"] + 0.5)
        minority = max(minority, values["hidden"] + 1 if part == "train" else 2)
        hidden = values["hidden"] if part == "train" else math.floor(minority * values["hidden_share"] + 0.5)
        hidden = min(max(1, hidden), minority - 1)
        out[part] = [rows - minority, minority - hidden, hidden]
    return out


def given_counts(values: Mapping[str, Any]) -> list[int]:
    """Validation rows of each group of `group_counts` that training gets: the share `given` of them, rounded down."""
    return [math.floor(n * values["given"] + _SLACK) for n in group_counts(values)["valid"]]


def part_counts(values: Mapping[str, Any]) -> dict[str, list[int]]:
    """Rows per class of each part of a set that names its parts: part -> rows of the majority and the minority."""
    groups, moved = group_counts(values), given_counts(values)
    groups["train"] = [n + m for n, m in zip(groups["train"], moved, strict=True)]
    groups["valid"] = [n - m for n, m in zip(groups["valid"], moved, strict=True)]
    return {part: [majority, first + hidden] for part, (majority, first, hidden) in groups.items()}


def count_replicates(entry: Mapping[str, Any], folds: int, seeds: int) -> tuple[int, int]:
    """The folds and seeds that data get where several sets are asked for with the same ones. An official test part has one fold. Where
    the rows name their part, there is one fold too, and a seed for each fold and seed, which makes as many replicates (at most 100);
    one seed stays one.
    """
    if entry.get("parts"):
        return 1, 1 if seeds == 1 else min(100, folds * seeds)
    return (1, seeds) if entry.get("test_counts") else (folds, seeds)


def count_validation_rows(n: int) -> int:
    """A fifth of n rows, rounded half up."""
    return (2 * n + 5) // 10


def explain_few_valid(few: int, least: int) -> str:
    """The sentence for a method that needs more validation rows of every class than a table has."""
    return f"It needs {least} validation rows of every class; of the smallest there {'is' if few == 1 else 'are'} {few}."


def min_class_rows(folds: int) -> int:
    """Fewest rows of a class that leave one for training, for validation and for each test fold."""
    folds = QUICK if folds == 1 else folds
    return next(n for n in range(MIN_CLASS_ROWS, 2 * folds + MIN_CLASS_ROWS) if n - count_validation_rows(n) >= folds)


def head_class(counts: Sequence[int], profile: str) -> int:
    """The class that stays largest: the largest one for `ratio` (the first among equals), else class 0."""
    return max(range(len(counts)), key=lambda c: (counts[c], -c)) if profile == "ratio" else 0


def removed_classes(counts: Sequence[int], order: Sequence[int]) -> list[int]:
    """Classes that lose rows under `remove`: 4 in 10 of them, the first of `order`; with two classes the smaller one."""
    if len(counts) == 2:
        return [0 if counts[0] < counts[1] else 1]
    return sorted(order[: max(1, round(0.4 * len(counts)))])


def target_counts(
    counts: Sequence[int], imbalance: Imbalance, *, head: int | None = None, removed: Sequence[int] = ()
) -> list[int]:
    """Rows each class keeps, at most counts[c] each.

    head: the class that stays largest (default: `head_class(counts)`); give it when `counts` are those of a part.
    removed: the classes that lose rows under `remove`.
    """
    if imbalance.profile == "native":
        return list(counts)
    if imbalance.profile == "remove":
        assert imbalance.rate is not None
        left = 1 - imbalance.rate
        return [math.floor(n * left + _SLACK) if c in removed else n for c, n in enumerate(counts)]
    assert imbalance.ratio is not None
    head = head_class(counts, imbalance.profile) if head is None else head
    by = [imbalance.ratio**p for p in _powers(len(counts), imbalance.profile, head)]
    size = min(n * d for n, d in zip(counts, by, strict=True))
    return [min(n, math.floor(size / d + _SLACK)) for n, d in zip(counts, by, strict=True)]


def minority_classes(kept: Sequence[int]) -> list[int]:
    """Classes that keep fewer rows than the largest."""
    return [c for c, n in enumerate(kept) if n < max(kept)]


def highest_ratio(counts: Sequence[int], folds: int = 1, where: str = "all", profile: str = "ratio") -> tuple[float, str]:
    """The highest ratio these class counts can be cut to (rounded down to 2 decimals, at most 500), and why no higher one is
    possible.

    where `all`: `min_class_rows(folds)` rows of the smallest class must remain. where `train`: one of them must remain in
    training (validation always keeps one). Data that cannot be split give 1.
    """
    need = min_class_rows(folds)
    if min(counts) < need:
        return 1.0, f"The smallest class has {min(counts)} rows; {_protocol(folds)} needs {need} of every class."
    if where == "all":
        bounds = [n / need for n in counts]
        why = f"{need} rows of the smallest class must remain for {_protocol(folds)}."
    else:
        bounds = [float(count_training_rows(n, folds)) for n in counts]
        why = "one row of the smallest class must remain in training."
    head = head_class(counts, profile)
    powers = _powers(len(counts), profile, head)
    # a class of n rows allows sizes n * ratio**p / ratio**q; the smallest class (q = 1) must keep the rows needed
    limit = min((b ** (1 / (1 - p)) for b, p in zip(bounds, powers, strict=True) if p < 1), default=1.0)
    if limit >= MAX_RATIO:
        return MAX_RATIO, f"{MAX_RATIO:g}:1 is the highest ratio offered."
    highest = max(1.0, math.floor(limit * 100 + _SLACK) / 100)
    return highest, f"At most {highest:g}:1 with {counts[head]} rows in the largest class: {why}"


def count_training_rows(n: int, folds: int) -> int:
    """Fewest of a class's n rows that any replicate trains on."""
    folds = QUICK if folds == 1 else folds
    rest = n - count_validation_rows(n)
    return rest - math.ceil(rest / folds)


def count_test_positives(entry: Mapping[str, Any], options: Mapping[str, Any], imbalance: Imbalance) -> int | None:
    """Rows of the smaller of two classes in the test part of one split; None where there are more classes than two.

    entry, options: as in `class_counts`. An official test part is cut as the training rows are, where the imbalance is made everywhere.
    """
    counts = class_counts(entry, options)
    if len(counts) != 2:
        return None
    if entry.get("parts"):
        return min(part_counts({f["name"]: f["default"] for f in entry["fields"]} | dict(options))["test"])
    given = entry.get("test_counts")
    whole = list(given or counts)
    kept = target_counts(whole, imbalance, removed=removed_classes(whole, [])) if imbalance.where == "all" else whole
    return min(kept if given else _count_first_fold(kept))


def _count_first_fold(counts: Sequence[int]) -> list[int]:
    """Rows of each class in the first fold of QUICK, as `engine.data.split` deals them."""
    first, odd = [], 0
    for n in counts:
        size, extra = divmod(n - count_validation_rows(n), QUICK)
        first.append(size + (-odd % QUICK < extra))
        odd += extra
    return first


def _protocol(folds: int) -> str:
    return "one 60/20/20 split" if folds == 1 else f"a validation part and {folds} folds"


def _powers(classes: int, profile: str, head: int) -> list[float]:
    """p per class: the class has 1 / ratio**p of the head's rows (p = 0 for the head, 1 for the smallest)."""
    last = max(1, classes - 1)
    if profile == "ratio":
        return [0.0 if c == head else 1.0 for c in range(classes)]
    if profile == "step":
        return [0.0 if c < classes - classes // 2 else 1.0 for c in range(classes)]
    return [(c / last) ** (1 if profile == "exponential" else 2) for c in range(classes)]
