"""Threshold tuning: plain training's ranking with other decisions, those that validation rows ask for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.analysis import metrics
from engine.methods.ce import CE
from engine.methods.threshold import Threshold
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SHORT = {"hidden": (6,), "epochs": 6, "batch": 20}
RANKED = ("average_precision", "roc_auc", "precision_at_recall_0.5")


@pytest.mark.parametrize("counts", [(101, 31), (61, 34, 23)], ids=["two classes", "three classes"])
def test_only_the_biases_of_the_last_layer_differ_from_plain_training(counts: tuple[int, ...]) -> None:
    on = task(blobs(counts))
    plain, tuned = fit(CE(**SHORT), on)[1], fit(Threshold(**SHORT), on)[1]
    assert tuned.earlier is not None and torch.equal(tuned.earlier.flat, plain.net.flat)
    same = plain.net.flat == tuned.net.flat
    assert bool(same[:, : -len(counts)].all()) and not bool(same.all())
    assert torch.equal(plain.epoch, tuned.epoch)


def test_two_classes_keep_their_ranking() -> None:
    on = task(blobs((101, 31)))
    for part in (on.valid, on.test):
        for r, mask in enumerate(part.mask):
            y = part.y[r][mask].numpy()
            plain, tuned = (
                metrics.scores(fit(m, on)[1].net(part.x)[r][mask].detach().softmax(-1).numpy(), y)
                for m in (CE(**SHORT), Threshold(**SHORT))
            )
            for name in RANKED:
                assert plain[name] == tuned[name]


@pytest.mark.parametrize("criterion", ["balanced accuracy", "f1", "g-mean"])
@pytest.mark.parametrize("counts", [(101, 31), (61, 34, 23)], ids=["two classes", "three classes"])
def test_validation_rows_are_decided_at_least_as_well(counts: tuple[int, ...], criterion: str) -> None:
    on = task(blobs(counts))
    name = {"balanced accuracy": "balanced_accuracy", "f1": "f1", "g-mean": "g_mean"}[criterion]
    plain, tuned = fit(CE(**SHORT), on)[1].net(on.valid.x), fit(Threshold(criterion=criterion, **SHORT), on)[1].net(on.valid.x)
    gains = []
    for r, mask in enumerate(on.valid.mask):
        y = on.valid.y[r][mask].numpy()
        before, after = (metrics.scores(z[r][mask].numpy(), y)[name][0] for z in (plain, tuned))
        gains.append(after - before)
    assert min(gains) >= -1e-12 and max(gains) > 0


def test_more_minority_rows_are_found_than_by_plain_training() -> None:
    on = task(blobs((400, 60), seed=2), ratio=None)
    found = {}
    for method in (CE(**SHORT), Threshold(**SHORT)):
        z = fit(method, on)[1].net(on.test.x)
        found[method.name] = np.mean(
            [(z[r].argmax(-1)[m] == 1)[on.test.y[r][m] == 1].double().mean() for r, m in enumerate(on.test.mask)]
        )
    assert found["threshold"] > found["ce"]
