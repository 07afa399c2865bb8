"""Training images that are multiplied after the split."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.data.multiplied import multiply_rows, turn
from engine.data.prepare import prepare
from engine.data.split import split
from engine.data.table import Dataset, Multiply
from engine.spec import Imbalance, RunSpec
from tests.engine.tasks import pictures


def given(delete: str, copies: int = 4, kept: int = 64) -> Dataset:
    made = pictures((kept, 40, 40))
    return dataclasses.replace(made, multiply=Multiply(copies, delete))


def spec(profile: Imbalance | None = None) -> RunSpec:
    return RunSpec("pictures", "ce", profile or Imbalance("gaussian", 4.0), folds=1, seeds=1, seed=3)


@pytest.mark.parametrize("delete", ["copies", "originals"])
def test_only_training_rows_are_multiplied_and_no_copy_crosses(delete: str) -> None:
    dataset = given(delete)
    before = split(dataset, spec(), 0)
    whole, (cut,) = multiply_rows(dataset, before, 3, 0)
    counts = np.bincount(dataset.y[before[0].train], minlength=3)
    assert np.bincount(whole.y[cut.train], minlength=3).tolist() == (4 * counts).tolist()
    assert np.array_equal(cut.valid, before[0].valid) and np.array_equal(cut.test, before[0].test)
    assert whole.original is not None and whole.images is not None and dataset.images is not None
    used = set(whole.original[cut.train].tolist())
    assert not used & set(cut.valid.tolist()) and not used & set(cut.test.tolist()) and not used & set(cut.withheld.tolist())
    assert used | set(cut.withheld.tolist()) == set(before[0].train.tolist()) | set(before[0].withheld.tolist())
    assert np.array_equal(whole.images[: len(dataset.y)], dataset.images)


def test_deleting_copies_hardly_deletes_images() -> None:
    """With a share s of the copies kept, an image keeps one of its copies with chance 1 - (1 - s)^copies."""
    survive = {}
    for delete in ("copies", "originals"):
        dataset = given(delete, copies=10, kept=200)
        whole, (cut,) = multiply_rows(dataset, split(dataset, spec(), 0), 3, 0)
        assert whole.original is not None
        survive[delete] = [len(set(whole.original[cut.train[whole.y[cut.train] == c]].tolist())) for c in range(3)]
    assert survive["originals"][2] < survive["copies"][2] <= 24 and survive["copies"][0] == survive["originals"][0]


def test_a_copy_depends_on_its_image_and_number_alone() -> None:
    image = pictures().images[0]  # type: ignore[index]
    assert np.array_equal(turn(image, 1), turn(image.copy(), 1)) and not np.array_equal(turn(image, 1), turn(image, 2))
    assert np.array_equal(turn(np.full_like(image, 7), 3), np.full_like(image, 7)), "edges are reflected"


def test_one_copy_changes_nothing() -> None:
    plain, once = pictures(), given("copies", 1, 64)
    a, b = (prepare(one, spec(Imbalance())) for one in (dataclasses.replace(once, multiply=None), once))
    assert torch.equal(a.train.x, b.train.x) and len(plain.y) > 0
    assert prepare(given("copies"), spec(Imbalance())).train.sizes[0] == 4 * a.train.sizes[0]
