"""MNIST from each of its copies, and the rotated digits over backgrounds that are made from it."""

from __future__ import annotations

import gzip
import struct
from urllib.error import URLError

import numpy as np
import pytest
from scipy import ndimage
from sklearn import datasets
from sklearn.utils import Bunch

from engine.data import images, sources
from engine.data.images import Copy, Pictures, build_chooser
from engine.data.sources import mnist
from engine.data.sources import mnist_back_rotation as rotation
from engine.errors import BadData, DataMissing
from tests.engine.data.pictures import encoded, grey, zipped

RNG = np.random.default_rng(0)
TRAIN, TESTED = 30, 20
Y = np.r_[np.arange(TRAIN) % 10, np.arange(TESTED) % 10]
TINY = Pictures(RNG.integers(256, size=(TRAIN + TESTED, 1, 28, 28), dtype=np.uint8), Y, np.arange(TRAIN + TESTED) >= TRAIN)


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes(), mtime=0
    )


@pytest.fixture
def tiny(bare, monkeypatch):
    """An MNIST of 50 images: the checksum is theirs."""
    monkeypatch.setattr(mnist, "SHA256", images.digest(TINY))
    return bare


def put_idx(folder):
    parts = (TINY.images[:TRAIN, 0], Y[:TRAIN], TINY.images[TRAIN:, 0], Y[TRAIN:])
    for name, array in zip(mnist.OFFICIAL, parts, strict=True):
        (folder / name).write_bytes(idx(array))


def put_zip(folder):
    numbers = zip(TINY.images[:, 0], Y, TINY.test, strict=True)
    files = {f"{'test' if test else 'train'}/{y}/{i}.png": encoded(x) for i, (x, y, test) in enumerate(numbers)}
    zipped(folder / mnist.ZIP, dict(sorted(files.items())))


def put_npz(folder):
    images.write_cache(mnist.NPZ, TINY)


@pytest.mark.parametrize("put", [put_idx, put_zip, put_npz])
def test_every_copy_gives_the_same_rows(tiny, put):
    assert not sources.available("mnist") and not sources.available("mnist-back-rotation")
    put(tiny)
    assert sources.available("mnist") and sources.available("mnist-back-rotation")
    d = sources.load("mnist")
    assert np.array_equal(d.images, TINY.images) and np.array_equal(d.y, Y) and d.copy
    assert d.official_test.tolist() == list(range(TRAIN, TRAIN + TESTED)) and d.classes == tuple("0123456789")
    few = sources.load("mnist", {"per_class": 1, "test_per_class": 2})
    rows = build_chooser({"per_class": 1, "test_per_class": 2})(Y, TINY.test)
    assert np.array_equal(few.images, TINY.images[rows]) and len(few.official_test) == 20


@pytest.mark.parametrize("put", [put_idx, put_zip, put_npz])
def test_a_copy_that_is_not_mnist_is_refused_also_for_some_rows(bare, put):
    put(bare)
    for options in ({}, {"per_class": 1}):
        with pytest.raises(BadData, match="does not hold its images .*fetch mnist"):
            sources.load("mnist", options)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (0, b"not gzip"),
        (0, idx(TINY.images[:TRAIN, 0])[:-20]),
        (1, idx(TINY.images[:TRAIN, 0])),
        (2, gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 28) + bytes(100), mtime=0)),
        (2, gzip.compress(bytes(60_000_000), mtime=0)),
        (2, idx(TINY.images[: TESTED - 1, 0])),
        (3, idx(np.full(TESTED, 10))),
        (1, gzip.compress(b"", mtime=0)),
    ],
)
def test_broken_idx_files_are_named(tiny, file, content):
    put_idx(tiny)
    (tiny / mnist.OFFICIAL[file]).write_bytes(content)
    with pytest.raises(BadData, match="idx|does not hold one 28 x 28 image"):
        sources.load("mnist")


def test_a_zip_of_other_classes_or_sizes_is_refused(tiny):
    zipped(tiny / mnist.ZIP, {f"{p}/{c}/{i}.png": encoded(grey(1)) for p in ("train", "test") for c in "ab" for i in range(2)})
    with pytest.raises(BadData, match="does not hold train and test folders of the classes 0, 1, 2"):
        sources.load("mnist")
    zipped(
        tiny / mnist.ZIP, {f"{p}/{c}/{i}.png": encoded(grey(1)) for p in ("train", "test") for c in range(10) for i in range(2)}
    )
    with pytest.raises(BadData, match="has 4 x 6 pixels, but 28 x 28 are declared"):
        sources.load("mnist")


def test_it_is_not_fetched_unasked(bare, monkeypatch):
    monkeypatch.setattr(datasets, "fetch_openml", lambda **how: pytest.fail("a connection nobody asked for"))
    for name in ("mnist", "mnist-back-rotation"):
        with pytest.raises(DataMissing, match="MNIST is not on this machine; .*fetch mnist.*LAB_DATA"):
            sources.load(name)


def served(pictures: Pictures):
    """What fetch_openml gives."""

    def fetch_openml(**how):
        assert how["data_id"] == mnist.OPENML and how["as_frame"] is False
        return Bunch(
            data=pictures.images.reshape(len(pictures.y), -1).astype(float), target=pictures.y.astype(str).astype(object)
        )

    return fetch_openml


def test_openml_s_copy_is_fetched_checked_and_kept(tiny, monkeypatch):
    monkeypatch.setattr(mnist.np, "arange", lambda n, arange=np.arange: arange(50 if n == 70_000 else n))
    monkeypatch.setattr(datasets, "fetch_openml", served(TINY))
    # the declared part begins at row 60,000; of 50 rows none does, so the stand-in's checksum is of that
    monkeypatch.setattr(mnist, "SHA256", images.digest(Pictures(TINY.images, Y, np.zeros(50, bool))))
    said: list[str] = []
    sources.fetch("mnist", said.append)
    assert said == ["Downloading MNIST (OpenML 554, 15 MB).", "MNIST is here."]
    assert np.array_equal(sources.load("mnist").images, TINY.images)
    sources.fetch("mnist-back-rotation", said.append)
    assert said[2].startswith("MNIST is here already: ")


def test_other_rows_from_openml_are_thrown_away(bare, monkeypatch):
    monkeypatch.setattr(datasets, "fetch_openml", served(TINY))
    with pytest.raises(DataMissing, match="does not hold the expected images; it was thrown away"):
        sources.fetch("mnist")

    def offline(**how):
        raise URLError("no route")

    monkeypatch.setattr(datasets, "fetch_openml", offline)
    with pytest.raises(DataMissing, match="could not be downloaded .*no route"):
        sources.fetch("mnist")
    assert not list(bare.iterdir())


@pytest.fixture
def here():
    if not sources.available("mnist"):
        pytest.skip("MNIST is not on this machine (python -m engine fetch mnist)")


def test_rows_of_the_real_one(here):
    d = sources.load("mnist", {"per_class": 20, "test_per_class": 5})
    assert d.images.shape == (250, 1, 28, 28) and d.counts.tolist() == [25] * 10
    few = sources.load("mnist", {"per_class": 10, "test_per_class": 5})
    whole = {x.tobytes() for x in d.images}
    assert all(x.tobytes() in whole for x in few.images)
    ones = d.images[d.y == 1].mean((0, 1))
    assert ones[5:23, 12:16].mean() > 100 > 5 > ones[:, :4].mean(), "ones stand upright in the middle"


# ---- rotated, over backgrounds


def test_a_turned_digit_is_scipy_s():
    digits = TINY.images[:6, 0] * (np.hypot(*(np.mgrid[:28, :28] - 13.5)) < 13)
    angle = np.array([0, 0.3, np.pi / 2, 2.0, np.pi, 5.5])
    turned = rotation.rotate(digits, angle)
    assert turned.dtype == np.float32 and np.allclose(turned[0], digits[0], atol=1e-3)
    assert np.allclose(turned[2], np.rot90(digits[2], -1), atol=0.05), "a quarter turn, clockwise as seen"
    for one, x, a in zip(turned, digits, angle, strict=True):
        theirs = ndimage.rotate(x.astype(float), -np.degrees(a), reshape=False, order=1)
        assert np.abs(one - theirs)[2:-2, 2:-2].max() < 0.5


def test_ink_is_white_over_a_background_and_nothing_elsewhere():
    ink = np.array([0, 255, 127.5], np.float32)
    assert rotation.overlay(ink, np.array([0.2, 0.2, 0.2], np.float32)).tolist() == [51, 255, 153]


def test_patches_have_contrast_and_come_from_many_pictures():
    texture = np.arange(rotation.TEXTURES).repeat(5)
    place = np.tile([0.0, 0.25, 0.5, 0.75, 0.9999999], rotation.TEXTURES)
    got = rotation.cut_patches(texture, place)
    assert got.shape == (100, 28, 28) and got.min() >= 0 and got.max() <= 1
    assert got.std((1, 2)).min() >= rotation.CONTRAST - 1e-4 and len({p.tobytes() for p in got}) == 100
    assert min(map(len, rotation._find_usable())) > 1000, "no picture is used up by a few places"


def source() -> Copy:
    """An MNIST in its own size whose images are their numbers in base 256."""
    test = np.arange(70_000) >= 60_000
    y = (np.arange(70_000) * 7) % 10

    def read(choose):
        rows = choose(y, test)
        x = np.zeros((len(rows), 1, 28, 28), np.uint8)
        x[:, 0, 13, 13], x[:, 0, 13, 14], x[:, 0, 14, 13] = rows // 65536, rows // 256 % 256, rows % 256
        return Pictures(x, y[rows], test[rows])

    return Copy("numbers", (), read, partly=True)


def test_rows_do_not_depend_on_which_others_are_asked_for(monkeypatch):
    some = np.array([0, 5, 11_999, 12_000, 30_000, 61_999])
    alone = [rotation.make_pictures(source(), lambda y, test, i=i: np.array([i])) for i in some]
    monkeypatch.setattr(rotation, "BLOCK", 4)
    together = rotation.make_pictures(source(), lambda y, test: some)
    assert np.array_equal(np.concatenate([a.images for a in alone]), together.images)
    assert together.y.tolist() == [int(a.y[0]) for a in alone]
    assert together.test.tolist() == [False] * 3 + [True] * 3
    other = rotation.make_pictures(source(), lambda y, test: some[:2] + 1)
    assert not np.array_equal(other.images, together.images[:2])


def test_labels_go_with_their_images_and_no_image_is_in_both_parts(monkeypatch):
    """With no turn and a black background the image says which row of MNIST it is."""
    monkeypatch.setattr(rotation, "rotate", lambda digits, angle: digits.astype(np.float32))
    monkeypatch.setattr(rotation, "cut_patches", lambda texture, place: np.zeros((len(place), 28, 28), np.float32))
    got = rotation.make_pictures(source(), build_chooser({"per_class": 40, "test_per_class": 160}))
    x = got.images[:, 0].astype(int)
    row = x[:, 13, 13] * 65536 + x[:, 13, 14] * 256 + x[:, 14, 13]
    assert np.array_equal(got.y, row * 7 % 10) and len(set(row.tolist())) == len(row) == 2000
    assert (row[~got.test] < 60_000).all() and 0.05 < (row[got.test] >= 60_000).mean() < 0.5


def test_parts_have_the_published_sizes():
    test = np.arange(70_000) >= 60_000
    members = rotation._choose_members(test)
    assert len(members) == len(set(members.tolist())) == 62_000
    assert not test[members[:12_000]].any() and test[members[12_000:]].sum() == 10_000
    assert (sum(rotation.COUNTS), sum(rotation.TEST_COUNTS)) == (12_000, 50_000)


def test_rows_of_the_real_rotation(here):
    d = sources.load("mnist-back-rotation", {"per_class": 30, "test_per_class": 10})
    assert d.images.shape == (400, 1, 28, 28) and d.counts.tolist() == [40] * 10
    assert d.images[:, 0, :4].mean() > 50, "corners are background, not black"
    entry = next(e for e in sources.datasets() if e["name"] == "mnist-back-rotation")
    assert "reconstruction" in entry["summary"] and "not the published file" in entry["summary"]
