"""Made replicates for the tests of a cut."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.compare.decide import decide
from engine.data.dataset import Replicate
from engine.data.table import Dataset, numeric_only
from engine.decide.build import Rows, Scored, build_arrays
from engine.events import unpack
from engine.spec.comparison import CompareSpec
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


SPEC = CompareSpec({"file": "table.csv"}, target="class")
N = 900


def table(classes: int = 2, **more: Any) -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.choice(classes, size=N, p=[0.8, *[0.2 / (classes - 1)] * (classes - 1)])
    data = numeric_only("table.csv", "tabular", np.zeros((N, 1)), y, ("a",), tuple("xyz"[:classes]))
    return replace(data, **more)


def compared(data: Dataset, spec: CompareSpec = SPEC, *, kind: str = "random", folds: int = 3, seeds: int = 1, **result: Any):
    """`decide` of two rows whose scores are made: `ce` ranks badly, `forest` well."""
    rng, classes = np.random.default_rng(1), len(data.classes)
    outcomes: dict[str, dict[int, Any]] = {"ce": {}, "forest": {}}
    natural = {}
    for number in range(folds * seeds):
        rows = rng.permutation(N)
        valid, test = rows[:300], rows[300:600]
        natural[number] = data.counts, np.bincount(data.y[valid], minlength=classes)
        for name, noise in (("ce", 3.0), ("forest", 1.0)):
            z = 2.0 * np.eye(classes)[data.y] + noise * rng.normal(size=(N, classes))
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            outcomes[name][number] = SimpleNamespace(
                replicate=Replicate(number, number // folds, number % folds), given=np.full(classes, 1 / classes), natural=data.counts / N,
                valid_rows=valid, valid_y=data.y[valid], valid_p=p[valid].astype(np.float32),
                test_rows=test, test_y=data.y[test], test_p=p[test].astype(np.float32),
            )  # fmt: skip
    bench = SimpleNamespace(dataset=data, positive=classes - 1, natural=natural)
    halving = SimpleNamespace(names=("ce", "forest"), outcomes=lambda name: outcomes[name])
    means = {"ce": 0.2, "forest": 0.5}
    facts = {
        "data": {"counts": dict(zip(data.classes, data.counts.tolist(), strict=True))},
        "protocol": {"test_share": 0.25}, "interval": "95% made", "metric": "average_precision", "split": {"kind": kind},
        "methods": [{"name": n, "replicates": folds, "metrics": {"average_precision": {"mean": m}}} for n, m in means.items()],
    }  # fmt: skip
    found, artifacts = decide(halving, bench, spec, facts | result)
    return found["decide"], {key: unpack(value) for key, value in artifacts.items()}, outcomes
