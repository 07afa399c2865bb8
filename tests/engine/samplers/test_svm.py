"""Balanced SVM (card B9): SMOTE's rows under the labels of scikit-learn's machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from engine.samplers.lines import Drawn, smote
from engine.samplers.svm import balanced_svm


def rows(counts: tuple[int, ...] = (90, 30, 12), spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(counts)), counts)
    x = rng.normal(size=(len(counts), 4))[y] * spread + rng.normal(size=(len(y), 4))
    return torch.from_numpy(x), torch.from_numpy(y)


def draw(how: Any, x: torch.Tensor, y: torch.Tensor, **options: Any) -> Drawn:
    counts = torch.bincount(y)
    made: Drawn = how(x, y, dict(enumerate((counts.max() - counts).tolist())), np.random.default_rng(0), **options)
    return made


@pytest.mark.parametrize("relabel", ["synthetic", "all"])
def test_labels_are_the_machines_on_smotes_rows(relabel: str) -> None:
    x, y = rows()
    plain, made = draw(smote, x, y), draw(balanced_svm, x, y, relabel=relabel)
    assert torch.equal(made.x, plain.x) and torch.equal(made.base, plain.base) and not torch.equal(made.y, plain.y)
    both, labels = torch.cat([x, plain.x]).numpy(), torch.cat([y, plain.y]).numpy()
    assert np.bincount(labels).tolist() == [90, 90, 90]
    said = SVC().fit(both, labels).predict(both)  # scikit-learn's defaults are the card's: RBF, C = 1, gamma "scale"
    assert np.array_equal(made.y.numpy(), said[len(x) :])
    if relabel == "all":
        assert made.relabelled is not None and np.array_equal(made.relabelled.numpy(), said[: len(x)])
        assert not torch.equal(made.relabelled, y)
    else:
        assert made.relabelled is None


def test_separable_classes_are_smotes() -> None:
    x, y = rows(spread=40.0)
    plain, made = draw(smote, x, y), draw(balanced_svm, x, y, relabel="all")
    assert torch.equal(made.y, plain.y) and made.relabelled is not None and torch.equal(made.relabelled, y)


def test_many_rows_are_sampled_by_class_for_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    fit = SVC.fit
    monkeypatch.setattr(SVC, "fit", lambda self, x, y: (seen.append(y), fit(self, x, y))[1])
    x, y = rows()
    made = draw(balanced_svm, x, y, work=100**2 * 4)
    assert np.bincount(seen[0]).tolist() == [33, 33, 34] and len(made.y) == 138
    assert torch.equal(made.x, draw(smote, x, y).x)
    # a class with fewer rows than its share gives what it has
    draw(lambda *a, **o: balanced_svm(a[0], a[1], {1: 5}, a[3], **o), x, y, work=100**2 * 4)
    assert np.bincount(seen[1]).tolist() == [53, 35, 12]


def test_one_class_needs_no_machine_and_names_are_checked() -> None:
    x, y = rows((5,))
    assert balanced_svm(x, y, {0: 3}, np.random.default_rng(0)).y.tolist() == [0, 0, 0]
    assert len(draw(balanced_svm, *rows((9, 9))).y) == 0
    with pytest.raises(ValueError, match="relabel must be"):
        draw(balanced_svm, *rows(), relabel="some")
