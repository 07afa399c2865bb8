"""Turns a dataset and a spec into a Task: every replicate scaled and encoded on its own training rows, padded, on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from engine.data.added import add_points
from engine.data.dataset import Dataset, Replicate, Rows, Task
from engine.data.multiplied import multiply_rows
from engine.data.rows import pad
from engine.data.split import Parts, split
from engine.errors import BadParameter
from engine.spec import RunSpec

PARTS = ("train", "valid", "test", "withheld", "elsewhere")


def prepare(
    dataset: Dataset,
    spec: RunSpec,
    numbers: Sequence[int] | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    thin: Callable[[Parts, Replicate], Parts] | None = None,
    cut: Callable[[Dataset, RunSpec, int], list[Parts]] = split,
) -> Task:
    """The replicates of a spec with these numbers (number = seed index * folds + fold), all of them by default.

    Per replicate, fitted on its training rows alone: numeric columns get mean 0 and sd 1; every level of the schema becomes a
    one-hot column (0 or 1); columns that are constant in training become 0. A missing number becomes the training mean, and a
    0/1 column "... is missing" marks it. With `spec.data["pca"] = k > 0` the features are the first k principal components of
    that. Computed in float64 and rounded once, so a replicate's rows do not depend on the other replicates prepared with it.
    Images: flat, every channel with mean 0 and sd 1 over the pixels of the training rows. A set with `redraw` gives every seed index
    rows of its own. The points of the spec are training rows of every replicate. Raises BadData, BadParameter.

    thin: removes rows from a replicate's parts before anything is fitted. cut: makes the parts of a seed index; at random by default.
    """
    numbers = range(spec.replicates) if numbers is None else numbers
    replicates = tuple(Replicate(n, *divmod(n, spec.folds)) for n in numbers)
    if not numbers or any(not 0 <= n < spec.replicates for n in numbers):
        raise BadParameter(f"replicates are numbered 0 to {spec.replicates - 1}; got {list(numbers)}.")
    drawn = {index: dataset.draw(spec.seed, index) for index in sorted({r.seed for r in replicates})}
    cuts = {index: cut(rows, spec, index) for index, rows in drawn.items()}
    if spec.points:
        for index, whole in drawn.items():
            drawn[index], cuts[index] = add_points(whole, cuts[index], spec.points)
    for index, whole in drawn.items():
        if whole.multiply is not None:
            drawn[index], cuts[index] = multiply_rows(whole, cuts[index], spec.seed, index)
    chosen = [cuts[r.seed][r.fold] if thin is None else thin(cuts[r.seed][r.fold], r) for r in replicates]
    k = int(spec.data.get("pca", 0))
    return build_task(drawn, replicates, chosen, seed=spec.seed, pca=k, device=device, dtype=dtype)


def build_task(
    drawn: Mapping[int, Dataset],
    replicates: Sequence[Replicate],
    chosen: Sequence[Parts],
    *,
    seed: int,
    pca: int = 0,
    scaled_on: Sequence[np.ndarray] | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Task:
    """The replicates with these parts, one for each. drawn: seed index -> its rows, all of one dataset. seed, pca: of the spec.

    Every replicate is scaled and encoded on its own training rows, see `prepare`, or on the rows `scaled_on` of it.
    """
    first = next(iter(drawn.values()))
    encoded: dict[int, tuple[np.ndarray, tuple[str, ...]]] = {}
    for rows in drawn.values():  # seeds of a set without `redraw` share their rows
        if id(rows) not in encoded:
            encoded[id(rows)] = encode(rows)
    features = encoded[id(first)][1]
    if pca:
        features = tuple(f"component {i + 1}" for i in range(pca))
    images = first.images
    pieces: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {name: [] for name in PARTS}
    units: list[tuple[np.ndarray, np.ndarray]] = []
    faint: list[np.ndarray] = []
    greys: list[tuple[np.ndarray, np.ndarray]] = []
    bases = [parts.train for parts in chosen] if scaled_on is None else scaled_on
    for parts, replicate, base in zip(chosen, replicates, bases, strict=True):
        own = drawn[replicate.seed]
        table, _ = encoded[id(own)]
        if images is None:
            scale = fit_scale(table, len(first.numeric_names), base, pca, first.name)
            units += [] if pca else [(scale.mean, scale.sd)]
            rows_of = _table_rows(table, scale, dtype)
        else:
            greys.append(_fit_greys(images, base))
            rows_of = _image_rows(images, greys[-1], dtype)
        faint += [] if own.faint is None else [rows_of(parts.valid[own.faint[parts.valid]]).double().numpy()]
        for name in PARTS:
            which = getattr(parts, name)
            pieces[name].append((rows_of(which), torch.from_numpy(own.y[which])))
    made = {name: _move(pad(pairs), device) for name, pairs in pieces.items()}
    return Task(
        classes=first.classes,
        features=features,
        kind=first.kind,
        train=made["train"],
        valid=made["valid"],
        test=made["test"],
        withheld=made["withheld"],
        withheld_elsewhere=made["elsewhere"],
        replicates=tuple(replicates),
        seed=seed,
        shape=None if images is None else (images.shape[1], images.shape[2], images.shape[3]),
        source=tuple(parts.train for parts in chosen),
        valid_source=tuple(parts.valid for parts in chosen),
        test_source=tuple(parts.test for parts in chosen),
        levels=() if pca else tuple(len(levels) for levels in first.categories),
        units=tuple(units),
        faint=tuple(faint),
        greys=tuple(greys),
    )


def _move(rows: Rows, device: torch.device | str) -> Rows:
    return Rows(rows.x.to(device), rows.y.to(device), rows.mask.to(device))


RowsOf = Callable[[np.ndarray], torch.Tensor]


def _table_rows(table: np.ndarray, scale: Callable[[np.ndarray], np.ndarray], dtype: torch.dtype) -> RowsOf:
    return lambda which: torch.from_numpy(scale(table[which])).to(dtype)


def _fit_greys(images: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd [channels] of the training images' grey values, from 0 to 1. A channel has 256 values, so they come from their counts,
    exactly. A channel without any spread has sd 1.
    """
    levels = np.arange(256) / 255
    means, sds = [], []
    for c in range(images.shape[1]):
        share = np.bincount(images[train, c].reshape(-1), minlength=256) / images[train, c].size
        means.append(float((share * levels).sum()))
        sds.append(float((share * (levels - means[-1]) ** 2).sum()) ** 0.5 or 1.0)
    return np.array(means), np.array(sds)


def _image_rows(images: np.ndarray, greys: tuple[np.ndarray, np.ndarray], dtype: torch.dtype) -> RowsOf:
    """Numbers of images -> flat rows [m, D]."""
    levels = np.arange(256) / 255
    tables = [torch.from_numpy((levels - mean) / sd).to(dtype) for mean, sd in zip(*greys, strict=True)]

    def rows(which: np.ndarray) -> torch.Tensor:
        own = torch.from_numpy(images[which]).long()
        return torch.stack([table[own[:, c]] for c, table in enumerate(tables)], 1).flatten(1)

    return rows


def encode(dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numeric columns unchanged (NaN where missing), then a 0/1 column "X is missing" for each of them with a missing value in
    any row, then one 0/1 column per level of each categorical one: [n, D] float64 and D names.

    Images have no columns; the names are those of their pixels.
    """
    if dataset.images is not None:
        return dataset.numeric, tuple(f"pixel {i}" for i in range(dataset.images[0].size))
    columns, names = [dataset.numeric], list(dataset.numeric_names)
    gaps = np.isnan(dataset.numeric)
    some = np.flatnonzero(gaps.any(0))
    columns.append(gaps[:, some].astype(np.float64))
    names += [f"{dataset.numeric_names[j]} is missing" for j in some]
    for j, (column, levels) in enumerate(zip(dataset.categorical_names, dataset.categories, strict=True)):
        columns.append((dataset.categorical[:, j, None] == np.arange(len(levels))).astype(np.float64))
        names += [f"{column} = {level}" for level in levels]
    return np.concatenate(columns, axis=1), tuple(names)


LEAST_SD = float(np.finfo(np.float32).tiny)
"""Smallest standard deviation that single precision holds. Columns that vary less, such as numbers of 1e-200, become 0."""


@dataclass(frozen=True)
class Scale:
    """Rows [m, D] -> features [m, D], or [m, k] with components, as fitted by `fit_scale`. Plain arrays, so it can be pickled.

    mean, sd [D]; constant [D] bool: columns that become 0. NaN also becomes 0, the mean of the column. components: (mean [D],
    axes [k, D]) of the scaled rows, or None.
    """

    mean: np.ndarray
    sd: np.ndarray
    constant: np.ndarray
    components: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Features of unscaled rows, float64."""
        scaled: np.ndarray = np.where(self.constant | np.isnan(rows), 0.0, (rows - self.mean) / self.sd)
        if self.components is None:
            return scaled
        mean, axes = self.components
        projected: np.ndarray = (scaled - mean) @ axes.T
        return projected


def fit_scale(table: np.ndarray, numeric: int, train: np.ndarray, k: int = 0, name: str = "the table") -> Scale:
    """The scale that turns rows [m, D] into features, fitted on the rows `train` alone. The first `numeric` columns are
    standardised, by mean and sd of the values that are not NaN (as in scikit-learn's StandardScaler). A column of NaN alone
    counts as constant, as does one whose sd is below LEAST_SD.

    k: principal components to keep, 0 for the columns themselves. Raises BadParameter where there are fewer.
    """
    x = table[train]
    if (gaps := np.isnan(x)).any():
        known = np.maximum((~gaps).sum(0), 1)
        low, high = np.where(gaps, np.inf, x).min(0), np.where(gaps, -np.inf, x).max(0)
        constant = low >= high
        mean = np.where(gaps, 0.0, x).sum(0) / known
        sd = np.sqrt((np.where(gaps, 0.0, x - mean) ** 2).sum(0) / known)
    else:
        constant = x.min(0) == x.max(0)
        mean, sd = x.mean(0), x.std(0)
    mean[numeric:], sd[numeric:] = 0, 1
    constant |= sd < LEAST_SD
    sd[constant] = 1
    scale = Scale(mean, sd, constant)
    if not k:
        return scale
    if k > min(x.shape):
        raise BadParameter(f"{name}(pca={k}): must be at most {min(x.shape)}, the fewer of columns and training rows.")
    from sklearn.decomposition import PCA

    pca = PCA(k, svd_solver="full").fit(scale(x))
    return replace(scale, components=(pca.mean_, pca.components_))
