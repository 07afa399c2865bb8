"""Permutation importance: how much of the deciding metric a group of columns holds on test rows (Breiman 2001).

The values of the group are shuffled among the test rows, its columns together. scikit-learn's `permutation_importance` asks one
estimator at a time and shuffles features one by one; here all replicates are asked at once and a column keeps its features together.
With the same order of rows both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from engine.why.fits import Fits

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(probabilities [n, C], classes [n], weights [1 + B, n]) -> the metric [1 + B]."""


def draw_orders(fits: Fits, streams: Callable[[int], np.random.Generator]) -> list[np.ndarray]:
    """One order of the test rows of each replicate, [R][n]. All groups are shuffled alike. streams(r): replicate r's generator."""
    return [streams(r).permutation(n) for r, n in enumerate(fits.rows.sizes.tolist())]


def score_fits(fits: Fits, probability: Sequence[np.ndarray], score: Score) -> np.ndarray:
    """The metric of each replicate, then on draws of its test rows: [R, 1 + B]."""
    return stack_draws([score(p, y, w) for p, y, w in zip(probability, fits.y, fits.weight, strict=True)])


def stack_draws(values: Sequence[np.ndarray]) -> np.ndarray:
    """Values [..., 1 + B] of the replicates as one array [R, ..., 1 + B]; the first draws where some have more."""
    shortest = min(v.shape[-1] for v in values)
    return np.stack([v[..., :shortest] for v in values])


def measure_shuffled(fits: Fits, features: Sequence[int], orders: Sequence[np.ndarray], score: Score) -> np.ndarray:
    """The metric of each replicate and draw [R, 1 + B] with the values of `features` in the order of other rows, orders [R][n]."""
    x = fits.rows.x.clone()
    at = torch.tensor(list(features), device=x.device)
    for r, order in enumerate(orders):
        own = x[r, : len(order)]
        own[:, at] = own[torch.from_numpy(order).to(x.device)][:, at]
    return score_fits(fits, fits.predict(x), score)
