"""How large training is in a comparison: batches of the network, epochs and trees, and the validation rows that choose an epoch.

A run of the Lab has its method's own batch size. A comparison trains on tables of any size, so the network's batches grow with the training
rows: 128 rows up to 8,192, then a sixty-fourth of the rows, in steps of 64, to 512. Adam's step size grows by the same factor, so that an
epoch of fewer steps gets as far, also a step size that tuning chose. One that a row names is taken as it is.

Where a replicate has more than SELECTION validation rows, a network's epochs are chosen on a sample of about as many: all rows of the rarer
classes, and rows of the largest ones drawn from the seed, each of which counts for those left out. Everything that is reported is of
all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from engine.data.dataset import Rows, Task
from engine.data.rows import take
from engine.data.thin import reduce_counts
from engine.seeds import torch_stream

EPOCHS = 200
"""Largest number of epochs, the methods' own default."""
TREES_AN_EPOCH = 2
"""Trees or members of a level per epoch that it allows the network."""
SMALL, STEPS, MOST_BATCH = 8_192, 64, 512
"""Training rows up to which a method's own batch size stays; steps of an epoch above; the largest batch."""
SELECTION = 16_384
"""Validation rows on which a network's epochs are chosen, about, where there are more."""


def limit_length(params: Mapping[str, Any], epochs: int | None, *, network: bool) -> dict[str, Any]:
    """Parameters with at most so many epochs, or TREES_AN_EPOCH times as many trees. epochs: of a level, None: no limit."""
    most = EPOCHS if epochs is None else epochs
    if network:
        short = {"epochs": most, "meta_epochs": most, "rounds": max(2, most // 5), "head_epochs": max(2, most // 5)}
    else:
        grown = TREES_AN_EPOCH * most
        short = {} if epochs is None else {"trees": grown, "members": max(2, grown // 10), "rounds": grown}
    return {key: min(value, short[key]) if key in short else value for key, value in params.items()}


def choose_batch(rows: int, own: int) -> int:
    """The batch size for so many training rows. own: the method's."""
    return own if rows <= SMALL else max(own, min(MOST_BATCH, rows // STEPS // 64 * 64))


def estimate_cost(batch: int) -> float:
    """Seconds of a training row in batches of this size divided by those in batches of 128: half of them in batches of 512, as measured
    on tables of 30 and 104 columns (`benchmarks.fit`).
    """
    return 1 / 3 + 2 / 3 * 128 / batch


def grow_batch(params: Mapping[str, Any], rows: int, *, rate: bool) -> dict[str, Any]:
    """A network's parameters with the batch size for so many training rows. rate: whether the step size grows with it."""
    size = choose_batch(rows, params["batch"])
    grown = {"batch": size}
    if rate and size != params["batch"]:
        grown["learning_rate"] = params["learning_rate"] * size / params["batch"]
    return {**params, **grown}


def sample_valid(task: Task) -> Rows | None:
    """The weighted sample of validation rows on which epochs are chosen, or None where no replicate has many more than SELECTION."""
    rows, classes = task.valid, len(task.classes)
    if rows.mask.shape[1] <= SELECTION:
        return None
    keep, weight = torch.zeros_like(rows.mask), torch.zeros(rows.mask.shape, dtype=rows.x.dtype)
    for r, one in enumerate(task.replicates):
        stream = torch_stream(task.seed, "selection", one.seed, one.fold)
        own = [torch.nonzero(rows.mask[r] & (rows.y[r] == c)).squeeze(1) for c in range(classes)]
        for members, count in zip(own, reduce_counts([len(m) for m in own], SELECTION, 1.0), strict=True):
            some = members[torch.randperm(len(members), generator=stream)[:count]]
            keep[r, some] = True
            weight[r, some] = len(members) / max(1, count)
    full = weight if rows.weight is None else weight * rows.weight
    return take(Rows(rows.x, rows.y, rows.mask, weight=full), keep)


def describe_sizes(params: Mapping[str, Any], own: int, sampled: tuple[int, int] | None) -> list[str]:
    """What is said of batches and of the choice of epochs, a sentence each. params: of a network. own: batch size of its method. sampled:
    (rows that epochs are chosen on, all validation rows) of a replicate, None where they are the same.
    """
    said = []
    if params["batch"] > own:
        said.append(
            f"The network trains on batches of {params['batch']} rows instead of {own}, with a step size of "
            f"{params['learning_rate']:.2g}."
        )
    if sampled is not None:
        said.append("The network's epochs are chosen on {:,} of {:,} validation rows, with weights.".format(*sampled))
    return said
