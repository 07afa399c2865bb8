"""Made replicates for the tests of a cut."""

from __future__ import annotations

import numpy as np

from engine.decide.build import Rows, Scored, build_arrays
from engine.stats.decide import Rule, expit


def rows(y, score, **more) -> Rows:
    """Cases with equal weights; scores are as the artifact keeps them."""
    score = np.asarray(score, np.float32).astype(float)
    return Rows(np.asarray(y, bool), score, np.ones(len(score)), **{k: np.asarray(v) for k, v in more.items()})


def draw(rng: np.random.Generator, n: int, share: float, *, signal: float = 3.0, calibrated: bool = False, **more) -> Rows:
    """n cases whose score tells the class by `signal`. calibrated: the score is the probability of the class at this share."""
    y = rng.random(n) < share
    z = rng.normal(0, 1, n) + signal * y
    if calibrated:
        return rows(y, expit(signal * z - signal**2 / 2 + np.log(share / (1 - share))), **more)
    return rows(y, expit(z - 3), **more)


def build(scored: list[Scored], **more):
    """The arrays of a row named `row`, with plain facts."""
    facts = {
        "name": "row",
        "positive": "fraud",
        "classes": ("fine", "fraud"),
        "share": 0.1,
        "test_share": 0.25,
        "interval": "95% corrected resampled t (Nadeau and Bengio)",
        "rule": Rule(),
        "rng": np.random.default_rng(0),
    }
    return build_arrays(scored, **(facts | more))


def pair(valid: Rows, test: Rows | None = None, given: float | None = None) -> Scored:
    """One replicate, its test cases those of validation unless told."""
    share = float(valid.y.mean())
    return Scored(valid, test or valid, given or share, share)
