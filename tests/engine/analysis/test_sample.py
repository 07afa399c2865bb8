"""The sample that stands for a run's features: sizes, who is in it, and that its places agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis.sample import (
    MAX_SAMPLED,
    SYNTHETIC,
    TEST,
    THUMB_SIDE,
    TRAIN,
    Part,
    make_features_artifact,
    make_thumbnails,
    sample_stratified,
    split_quota,
)
from engine.errors import BadData
from engine.events import pack, unpack


def part(counts: list[int], first: int, *, real: bool = True, width: int = 5) -> Part:
    """Rows whose first feature is their number in the dataset, shuffled."""
    rng = np.random.default_rng(first + 1)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    rows = first + rng.permutation(len(y))
    x = rng.normal(size=(len(y), width))
    x[:, 0] = rows
    return Part(x, y, (y + rows) % len(counts), rows if real else None)


def with_enemies(n: int, train: Part, pool: np.ndarray, seed: int = 5) -> Part:
    rng = np.random.default_rng(seed)
    enemies = rng.choice(pool, n)
    enemies[: n // 10] = -1
    x = np.zeros((n, train.x.shape[1]))
    x[:, 0], x[:, 1] = -1, enemies
    lines = np.column_stack([np.full(n, np.flatnonzero(train.y == 1)[0]), enemies, np.linspace(0, 1, n)])
    return Part(x, np.ones(n, int), np.zeros(n, int), None, lines)


@pytest.mark.parametrize(
    ("counts", "most", "expected"),
    [
        ([3, 2, 1], 6, [3, 2, 1]),
        ([3, 0, 1], 100, [3, 0, 1]),
        ([100, 100], 10, [5, 5]),
        ([1000, 10], 100, [90, 10]),  # 25 each first, of which the second has 10
        ([900, 100], 100, [71, 29]),  # 25 + 25, then 50 by 875 : 75, which is 46.05 : 3.95
        ([7, 7, 7], 10, [4, 3, 3]),
    ],
)
def test_quotas_by_hand(counts, most, expected):
    assert split_quota(np.array(counts), most).tolist() == expected


def test_quotas_never_pass_what_there_is_and_sum_to_the_limit():
    rng = np.random.default_rng(0)
    for _ in range(300):
        counts = rng.integers(0, 200, rng.integers(2, 12)) ** rng.integers(1, 3)
        most = int(rng.integers(1, 800))
        got = split_quota(counts, most)
        assert (got <= counts).all() and got.sum() == min(most, counts.sum())
        floor = most // (2 * max(1, np.count_nonzero(counts)))
        assert (got >= np.minimum(counts, floor)).all()


def test_stratified_draws_each_row_once_in_order_and_by_its_generator():
    y = np.repeat([0, 1, 2], [500, 40, 3])
    at = sample_stratified(y, 3, 100, np.random.default_rng(1))
    assert (np.diff(at) > 0).all() and len(at) == 100
    assert np.bincount(y[at]).tolist() == split_quota(np.array([500, 40, 3]), 100).tolist()
    assert (at == sample_stratified(y, 3, 100, np.random.default_rng(1))).all()
    assert (at != sample_stratified(y, 3, 100, np.random.default_rng(2))).any()


def test_the_artifact_keeps_what_belongs_together():
    train, test = part([3000, 300, 20], 0), part([900, 90, 6], 10_000)
    synthetic = with_enemies(2500, train, np.flatnonzero(train.y == 0)[:150])
    out = make_features_artifact(train, test, synthetic, classes=3, rng=np.random.default_rng(0))
    assert np.bincount(out["part"]).tolist() == list(MAX_SAMPLED)
    assert out["size"].tolist() == [3320, 996, 2500]
    kinds = {name: array.dtype.name for name, array in out.items()}
    int_kinds = {"y": "int16", "part": "uint8", "row": "int64", "enemy": "int32", "predicted": "int16", "size": "int64"}
    line_kinds = {"base": "int32", "partner": "int32", "step": "float32"}
    assert kinds == {"x": "float32", **int_kinds, **line_kinds}, "no thumbs without images, no cells without a table"
    made = out["part"] == SYNTHETIC
    assert np.isnan(out["step"][~made]).all() and np.isfinite(out["step"][made]).all()
    assert (out["base"][~made] == -1).all() and (out["y"][out["base"][made]] == 1).all()
    assert (out["partner"] == out["enemy"]).all(), "every partner here is of another class"
    assert (np.diff(out["part"].astype(int)) >= 0).all()
    real = out["part"] != SYNTHETIC
    assert (out["row"][~real] == -1).all() and (out["x"][real, 0] == out["row"][real]).all()
    for which, source in ((TRAIN, train), (TEST, test)):
        at = out["part"] == which
        known = {int(r): (c, p) for r, c, p in zip(source.rows, source.y, source.predicted, strict=True)}
        assert [known[int(r)] for r in out["row"][at]] == list(zip(out["y"][at], out["predicted"][at], strict=True))
    assert (out["y"][out["part"] == TRAIN] == 2).sum() == 20, "every row of the rarest class"
    assert unpack(pack(out)).keys() == out.keys()


def test_enemies_point_into_the_sample_and_are_there_where_they_fit():
    train, test = part([3000, 300, 20], 0), part([90, 9, 6], 10_000)
    few, many = np.flatnonzero(train.y == 0)[:150], np.flatnonzero(train.y == 0)
    joined = {}
    for name, pool in (("few", few), ("many", many)):
        synthetic = with_enemies(2500, train, pool)
        out = make_features_artifact(train, test, synthetic, classes=3, rng=np.random.default_rng(0))
        new = out["part"] == SYNTHETIC
        assert (out["enemy"][~new] == -1).all()
        asked, got = out["x"][new, 1].astype(int), out["enemy"][new]
        assert (got[asked < 0] == -1).all(), "a row without an enemy is joined to none"
        found = got >= 0
        assert (out["part"][got[found]] == TRAIN).all()
        assert (out["row"][got[found]] == train.rows[asked[found]]).all()
        joined[name] = found[asked >= 0].mean()
        of_class = (out["part"] == TRAIN) & (out["y"] == 0)
        assert np.unique(got[found]).size <= of_class.sum() * 0.65, "half of the places show where the class lies"
    assert joined["few"] == 1.0
    assert 0.4 < joined["many"] < 1.0


def test_without_synthetic_rows_and_with_fewer_rows_than_places():
    train, test = part([30, 4], 0), part([10, 1], 50)
    out = make_features_artifact(train, test, None, classes=2, rng=np.random.default_rng(0))
    assert sorted(out["row"][:34]) == list(range(34)) and out["size"].tolist() == [34, 11, 0]
    none = Part(np.zeros((0, 5)), np.zeros(0, int), np.zeros(0, int), lines=np.zeros((0, 3)))
    again = make_features_artifact(train, test, none, classes=2, rng=np.random.default_rng(0))
    assert all(np.array_equal(out[name], again[name], equal_nan=name == "step") for name in out)


def test_parts_of_two_feature_spaces_are_refused():
    with pytest.raises(BadData, match=r"\[4, 5\]"):
        make_features_artifact(part([3, 3], 0), part([3, 3], 9, width=4), None, classes=2, rng=np.random.default_rng(0))


def test_thumbnails_follow_the_real_rows_of_the_sample():
    train, test = part([1300, 30], 0), part([20, 4], 1330)
    images = (np.arange(1354)[:, None, None, None] % 251 * np.ones((1, 3, 8, 8))).astype(np.uint8)
    out = make_features_artifact(train, test, None, classes=2, images=images, rng=np.random.default_rng(0))
    assert out["thumbs"].shape == (1224, 8, 8, 3)
    assert (out["thumbs"][:, 0, 0, 0] == out["row"] % 251).all()


def test_large_images_are_averaged_by_area():
    image = np.zeros((1, 1, 96, 48), np.uint8)
    image[0, 0, :3, :3] = 90  # exactly one cell of 3 x 3
    image[0, 0, 3, 3] = 90  # a ninth of the next
    small = make_thumbnails(image)
    assert small.shape == (1, THUMB_SIDE, 16, 1)
    assert small[0, :2, :2, 0].tolist() == [[90, 0], [0, 10]] and small.sum() == 100
    uneven = make_thumbnails(np.full((2, 3, 100, 70), 200, np.uint8))
    assert uneven.shape == (2, 32, 22, 3) and (uneven == 200).all()
