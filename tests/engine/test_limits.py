"""Class sizes of every profile in closed form, and the highest ratio: reachable, and no more is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.split import split
from engine.data.table import Dataset
from engine.spec import Imbalance, RunSpec, limits

CIFAR = [5000] * 10


def test_exponential_is_cui_s():
    assert limits.target_counts(CIFAR, Imbalance("exponential", 100)) == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


def test_step_cuts_the_last_half():
    assert limits.target_counts(CIFAR, Imbalance("step", 10)) == [5000] * 5 + [500] * 5
    assert limits.target_counts([60] * 3, Imbalance("step", 4)) == [60, 60, 15]


def test_gaussian_falls_from_the_first_to_the_last():
    kept = limits.target_counts(CIFAR, Imbalance("gaussian", 100))
    assert kept == [int(5000 * 100 ** -((j / 9) ** 2) + 1e-9) for j in range(10)]
    assert (kept[0], kept[3], kept[9]) == (5000, 2997, 50)  # (3/9)^2 = 1/9: what exponential gives class 1


@pytest.mark.parametrize(("ratio", "minority"), [(50, 680), (100, 340), (200, 170)])
def test_ratio_cuts_the_minority_as_the_released_code_does(ratio, minority):
    assert limits.target_counts([34_014, 11_208], Imbalance("ratio", ratio)) == [34_014, minority]


def test_ratio_cuts_every_class_below_the_largest():
    assert limits.target_counts([59, 71, 48], Imbalance("ratio", 7.1)) == [10, 71, 10]
    assert limits.target_counts([50, 50, 50], Imbalance("ratio", 5)) == [50, 10, 10]


def test_below_the_native_ratio_the_largest_is_cut():
    assert limits.target_counts([197, 17], Imbalance("ratio", 5)) == [85, 17]
    assert limits.target_counts([197, 17], Imbalance("ratio", 1)) == [17, 17]
    assert limits.target_counts([197, 17], Imbalance("ratio", 197 / 17)) == [197, 17]
    assert limits.target_counts([59, 71, 48], Imbalance("ratio", 1)) == [48, 48, 48]
    assert 6 * 10.7 / 10.7 < 6, "floating point loses a row"
    assert limits.target_counts([9000, 6], Imbalance("ratio", 10.7)) == [64, 6]


def test_remove_takes_a_share_of_the_given_classes():
    assert (
        limits.target_counts(CIFAR, Imbalance("remove", rate=0.9), removed=[1, 4]) == [5000, 500, 5000, 5000, 500] + [5000] * 5
    )
    assert limits.removed_classes(CIFAR, [7, 2, 9, 0, 1, 3, 4, 5, 6, 8]) == [0, 2, 7, 9]
    assert limits.removed_classes([10, 20], [1, 0]) == [0] and limits.removed_classes([20, 20], [0, 1]) == [1]


def test_native_keeps_all():
    assert limits.target_counts([3, 9, 4], Imbalance()) == [3, 9, 4]


profiles = st.sampled_from(["ratio", "exponential", "step", "gaussian"])
sizes = st.lists(st.integers(5, 3000), min_size=2, max_size=8)


@given(sizes, profiles, st.floats(1, 500))
def test_sizes_have_the_ratio_and_fit_the_data(counts, profile, ratio):
    kept = limits.target_counts(counts, Imbalance(profile, ratio))
    assert all(0 <= k <= n for k, n in zip(kept, counts, strict=True))
    head = limits.head_class(counts, profile)
    assert kept[head] == max(kept)
    # some class has no row to spare, so nothing is thrown away for nothing
    assert any(k == n for k, n in zip(kept, counts, strict=True))
    # the smallest is the head / ratio, rounded down; the head itself was rounded down where it was cut
    assert kept[head] / ratio - 1 <= min(kept) <= (kept[head] + 1) / ratio + 1e-6


@pytest.mark.parametrize(("folds", "need"), [(1, 5), (2, 5), (4, 5), (5, 6), (10, 12)])
def test_fewest_rows(folds, need):
    assert limits.min_class_rows(folds) == need


def test_highest_ratio_says_why():
    highest, why = limits.highest_ratio([197, 17])
    assert highest == 39.4
    assert why == (
        "At most 39.4:1 with 197 rows in the largest class: 5 rows of the smallest class must remain for one 60/20/20 split."
    )
    assert limits.highest_ratio([34_014, 11_208]) == (500, "500:1 is the highest ratio offered.")
    assert limits.highest_ratio([123, 4]) == (1, "The smallest class has 4 rows; one 60/20/20 split needs 5 of every class.")
    highest, why = limits.highest_ratio([197, 17], 4, "train")
    assert highest == 118 and "one row of the smallest class must remain in training" in why


@given(sizes, profiles, st.integers(1, 10))
def test_the_highest_ratio_is_reachable_and_no_higher_one_is(counts, profile, folds):
    need = limits.min_class_rows(folds)
    highest, _ = limits.highest_ratio(counts, folds, "all", profile)
    if min(counts) < need:
        assert highest == 1
        return
    assert min(limits.target_counts(counts, Imbalance(profile, highest))) >= need
    if highest < 499:
        assert min(limits.target_counts(counts, Imbalance(profile, highest + 0.02))) < need


@pytest.mark.parametrize(("made", "where"), [(None, "all"), (7.0, "all"), (7.0, "train"), (20.0, "all")])
@pytest.mark.parametrize("sizes", [(400, 317), (1000, 1000), (203, 61)])
def test_positive_test_rows_of_one_split_are_counted_as_they_are_dealt(
    made: float | None, where: str, sizes: tuple[int, int]
) -> None:
    imbalance = Imbalance() if made is None else Imbalance("ratio", made, None, where)
    entry = {"kind": "tabular", "counts": list(sizes), "fields": [], "test_counts": None, "parts": None}
    y = np.repeat([0, 1], sizes)
    dataset = Dataset(
        "made", "tabular", np.zeros((len(y), 1)), np.zeros((len(y), 0), np.int64), (), ("x",), (), y, ("no", "yes")
    )
    (parts,) = split(dataset, RunSpec("made", "ce", imbalance), 0)
    assert limits.count_test_positives(entry, {}, imbalance) == (y[parts.test] == 1).sum()


def test_several_classes_have_no_positive_test_rows() -> None:
    entry = {"kind": "tabular", "counts": [50, 40, 30], "fields": [], "test_counts": None, "parts": None}
    assert limits.count_test_positives(entry, {}, Imbalance()) is None
