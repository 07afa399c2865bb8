"""What sources of images share: the nested choice of rows, the file a whole set is kept in, the identity of files."""

from __future__ import annotations

import os

import numpy as np
import pytest

from engine.data import images, places
from engine.data.images import Copy, Pictures, build_chooser, choose_all
from engine.errors import BadData
from engine.spec.fields import describe

Y = np.repeat([0, 1, 2, 0, 1, 2], [40, 30, 5, 20, 10, 4])
TEST = np.arange(len(Y)) >= 75
SET = Pictures(np.random.default_rng(0).integers(256, size=(len(Y), 1, 3, 2), dtype=np.uint8), Y, TEST)


def test_a_larger_choice_contains_the_smaller_and_parts_are_chosen_apart():
    kept: set[int] = set()
    for k in (1, 3, 7, 25, 1000):
        rows = build_chooser({"per_class": k, "test_per_class": 2})(Y, TEST)
        assert (np.diff(rows) > 0).all()
        train, test = rows[~TEST[rows]], rows[TEST[rows]]
        assert np.bincount(Y[train]).tolist() == [min(k, n) for n in (40, 30, 5)]
        assert np.bincount(Y[test]).tolist() == [2, 2, 2]
        assert kept <= set(train.tolist())
        kept = set(train.tolist())
    assert np.array_equal(build_chooser({"per_class": 3, "test_per_class": 0})(Y, TEST)[-34:], np.flatnonzero(TEST))
    assert build_chooser({"per_class": 0, "test_per_class": 0}) is choose_all and build_chooser({}) is choose_all


def test_the_choice_is_fixed_and_not_the_first_rows():
    rows = build_chooser({"per_class": 5})(Y, np.zeros(len(Y), bool))
    assert np.array_equal(rows, build_chooser({"per_class": 5})(Y, np.zeros(len(Y), bool)))
    assert not np.array_equal(rows[Y[rows] == 0], np.flatnonzero(Y == 0)[:5])


def test_images_without_a_test_part_have_no_option_for_it():
    assert [f["name"] for f in describe(images.ImageOptions)] == ["per_class"]
    assert [f["name"] for f in describe(images.SplitImageOptions)] == ["per_class", "test_per_class"]


@pytest.fixture
def copy(bare):
    """A copy that notes how often it is read, and for how many rows."""
    (bare / "source").write_bytes(b"one")
    read: list[int] = []

    def rows(choose):
        which = choose(Y, TEST)
        read.append(len(which))
        return SET.rows(which)

    made = Copy("a copy", (bare / "source",), rows, partly=True)
    return made, read


def test_a_whole_set_is_read_once_and_then_kept(copy, bare):
    copy, read = copy
    some = images.load_images("a/set", copy, {"per_class": 2, "test_per_class": 1}, ("x", "y", "z"))
    assert read == [9] and os.listdir(bare) == ["source"], "chosen rows are read alone, and kept in no file"
    images.load_images("a/set", copy, {"per_class": 2, "test_per_class": 1}, ("x", "y", "z"))
    assert read == [9], "but this process has them still"
    for _ in range(2):
        whole = images.load_images("a/set", copy, {}, ("x", "y", "z"))
        assert read == [9, len(Y)]
        assert np.array_equal(whole.images, SET.images) and whole.official_test.tolist() == np.flatnonzero(TEST).tolist()
    again = images.load_images("a/set", copy, {"per_class": 2, "test_per_class": 1}, ("x", "y", "z"))
    assert len(read) == 2 and np.array_equal(some.images, again.images) and np.array_equal(some.y, again.y)
    assert some.official_test.tolist() == again.official_test.tolist() and whole.copy == "a copy"


def test_another_content_is_read_anew_and_the_old_file_goes(copy, bare):
    copy, read = copy
    images.load_images("set", copy, {}, ("x", "y", "z"))
    (before,) = bare.glob("set-*.npz")
    (bare / "source").write_bytes(b"two!")
    images.load_images("set", copy, {}, ("x", "y", "z"))
    (after,) = bare.glob("set-*.npz")
    assert len(read) == 2 and before.name != after.name


def test_a_damaged_kept_file_is_no_harm(copy, bare):
    copy, read = copy
    images.load_images("set", copy, {}, ("x", "y", "z"))
    (kept,) = bare.glob("set-*.npz")
    raw = bytearray(kept.read_bytes())
    raw[raw.index(SET.images.tobytes()[:50])] ^= 1
    for damage in (bytes(raw), bytes(raw[: len(raw) // 2]), b""):
        kept.write_bytes(damage)
        with pytest.raises(BadData, match="delete it"):
            images.unpack(kept)
        assert np.array_equal(images.load_images("set", copy, {}, ("x", "y", "z")).images, SET.images)
        assert images.unpack(kept).images.shape == SET.images.shape, "it was written anew"


def test_a_set_is_read_where_nothing_can_be_written(copy, bare, monkeypatch):
    copy, read = copy
    monkeypatch.setattr(places, "data_folders", lambda: [bare])
    bare.chmod(0o555)
    try:
        assert len(images.load_images("set", copy, {}, ("x", "y", "z")).y) == len(Y)
    finally:
        bare.chmod(0o755)
    assert os.listdir(bare) == ["source"]


def test_identity_sees_both_ends_and_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "EDGE", 100)
    path, seen = tmp_path / "file", set()
    for content in (b"a" + bytes(999), bytes(999) + b"a", bytes(1000), bytes(1001), b""):
        path.write_bytes(content)
        seen.add(images.identity(path))
    assert len(seen) == 5
    path.write_bytes(bytes(1000))
    os.utime(path, (1, 1))
    assert images.identity(path) in seen, "the time of a file is not its content"


def test_rows_missing_from_a_part_are_named():
    check = images.build_whole_copy("set", "the file", (40, 30, 5), (20, 10, 4), "get it again")
    check(SET)
    with pytest.raises(
        BadData, match="the file holds 74 training images of set with 4 to 40 a class, but 75 .*; then get it again"
    ):
        check(SET.rows(np.delete(np.arange(len(Y)), 70)))
    with pytest.raises(BadData, match="33 test images"):
        check(SET.rows(np.arange(len(Y) - 1)))
