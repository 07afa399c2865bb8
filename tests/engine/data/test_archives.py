"""CIFAR-10 and -100, SVHN, STL-10 and CelebA from tiny files in their official formats, whole and harmed."""

from __future__ import annotations

import io
import os
import struct
import tarfile
from urllib.error import URLError

import numpy as np
import pytest
from scipy.io import savemat
from sklearn import datasets
from sklearn.utils import Bunch

from engine.data import images, sources
from engine.data.sources import celeba, cifar, stl10, svhn
from engine.errors import BadData, BadParameter, DataMissing
from tests.engine.data.pictures import encoded, zipped

RNG = np.random.default_rng(0)
KEYS = {"cifar10": b"labels", "cifar100": b"fine_labels"}


def entry(name: str) -> dict:
    return next(e for e in sources.datasets(found=True) if e["name"] == name)


def tarred(path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, raw in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))


# ---- CIFAR


def text(words: bytes) -> bytes:
    return b"U" + bytes([len(words)]) + words


def number(n: int) -> bytes:
    return b"K" + bytes([n])


def pickled(x: np.ndarray, y: list[int], key: bytes = b"labels", extra: bytes = b"") -> bytes:
    """A batch as Python 2 wrote the official ones: protocol 2, byte strings, numpy's array by its old names."""
    shape = b"".join(b"J" + struct.pack("<i", n) for n in x.shape)
    kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    kind += b"(" + number(3) + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    array += b"(" + number(1) + b"(" + shape + b"t" + kind + b"\x89" + b"T" + struct.pack("<I", x.size) + x.tobytes() + b"tb"
    labels = b"](" + b"".join(number(v) for v in y) + b"e"
    names = b"](" + b"".join(text(b"leptodactylus_%d.png" % i) for i in range(len(y))) + b"e"
    rows = text(b"data") + array + text(key) + labels + text(b"filenames") + names
    return b"\x80\x02}q\x01(" + text(b"batch_label") + text(b"training batch 1 of 5") + rows + extra + b"u."


def put_cifar(folder, name: str, harm=lambda members: None) -> tuple[np.ndarray, np.ndarray]:
    """An archive with one image a class and training batch, two a class in the test batch. Returns its pixels and labels."""
    classes = len(cifar.CLASSES[name])
    members, xs, ys = {}, [], []
    for part, (batches, repeat) in enumerate(zip(cifar.MEMBERS[name], (1, 2), strict=True)):
        for i, batch in enumerate(batches):
            y = np.roll(np.tile(np.arange(classes), repeat), i + part)
            x = RNG.integers(256, size=(len(y), 3072), dtype=np.uint8)
            members[batch] = pickled(x, y.tolist(), KEYS[name])
            xs.append(x)
            ys.append(y)
    members["cifar/readme.html"] = b"<p>"
    harm(members)
    tarred(folder / cifar.ARCHIVE[name], members)
    return np.concatenate(xs).reshape(-1, 3, 32, 32), np.concatenate(ys)


@pytest.fixture(params=["cifar10", "cifar100"])
def tiny(request, bare, monkeypatch):
    name = request.param
    classes = len(cifar.CLASSES[name])
    counts = ((len(cifar.MEMBERS[name][0]),) * classes, (2,) * classes)
    monkeypatch.setattr(cifar, "COUNTS", cifar.COUNTS | {name: counts})
    return name, bare, counts


def test_cifar_archives(tiny):
    name, folder, counts = tiny
    assert not sources.available(name) and entry(name)["fingerprint"] == f"{name} 1"
    x, y = put_cifar(folder, name)
    d = sources.load(name)
    assert np.array_equal(d.images, x) and np.array_equal(d.y, y) and "official archive" in d.copy
    assert d.official_test.tolist() == list(range(len(y) - 2 * len(d.classes), len(y)))
    assert d.counts.tolist() == [sum(n) for n in zip(*counts, strict=True)]
    few = sources.load(name, {"per_class": 1, "test_per_class": 1})
    assert few.counts.tolist() == [2] * len(d.classes)
    print_ = entry(name)["fingerprint"]
    assert print_.startswith(f"{name} 1 ") and sources.available(name)
    put_cifar(folder, name)
    assert entry(name)["fingerprint"] != print_
    with pytest.raises(BadParameter, match="per_class=-1"):
        sources.load(name, {"per_class": -1})


def test_a_hundred_fine_labels_in_order():
    names = cifar.CLASSES["cifar100"]
    assert len(names) == len(set(names)) == 100 and list(names) == sorted(names)
    assert (names[0], names[13], names[47], names[99]) == ("apple", "bus", "maple_tree", "worm")


EVIL = b"cposix\nsystem\n" + text(b"touch evil") + b"\x85R"


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (b"", "is no batch of CIFAR images"),
        (b"\x80\x02}q\x01.", "is no batch of CIFAR images"),
        (b"\x80\x02" + EVIL + b".", r"names posix.system, which is refused"),
        (pickled(np.zeros((2, 3072), np.uint8), [0, 1], extra=text(b"more") + EVIL), "names posix.system, which is refused"),
        (b"\x80\x02cbuiltins\neval\n" + text(b"1") + b"\x85R.", "names builtins.eval, which is refused"),
        (b"\x80\x02cnumpy\nload\n" + text(b"x") + b"\x85R.", "names numpy.load, which is refused"),
        (pickled(np.zeros((2, 3072), np.uint8), [0, 10]), "labels must be whole numbers from 0 to 9"),
        (pickled(np.zeros((2, 3072), np.uint8), [0]), "data of shape"),
        (pickled(np.zeros((2, 300), np.uint8), [0, 1]), "data of shape"),
        (pickled(np.zeros((2, 3072), np.uint8), [0, 1]).replace(b"u1", b"O8"), "the pixels are no bytes"),
        (pickled(np.zeros((2, 3072), np.uint8), [0, 1])[:-3000], "is no batch of CIFAR images"),
    ],
)
def test_a_pickle_that_is_something_else_builds_nothing(bare, monkeypatch, tmp_path, batch, sentence):
    monkeypatch.chdir(tmp_path)
    put_cifar(bare, "cifar10", lambda members: members.update({"cifar-10-batches-py/test_batch": batch}))
    with pytest.raises(BadData, match=sentence) as caught:
        sources.load("cifar10")
    assert "test_batch" in str(caught.value) and not os.path.exists("evil")


def test_cifar_archives_that_are_not_whole(tiny):
    name, folder, _ = tiny
    member = cifar.MEMBERS[name][1][0]
    put_cifar(folder, name, lambda members: members.pop(member))
    with pytest.raises(BadData, match=f"does not hold {member}: delete it"):
        sources.load(name)
    classes = len(cifar.CLASSES[name])
    short = pickled(np.zeros((classes, 3072), np.uint8), list(range(classes)), KEYS[name])
    put_cifar(folder, name, lambda members: members.update({member: short}))
    with pytest.raises(BadData, match=f"holds {classes} test images of .* but {2 * classes} .*delete it"):
        sources.load(name)
    (folder / cifar.ARCHIVE[name]).write_bytes(b"no archive")
    with pytest.raises(BadData, match="cannot be read as a gzipped archive"):
        sources.load(name)


def test_cifar10_from_a_zip_of_images(bare, monkeypatch):
    monkeypatch.setattr(cifar, "COUNTS", cifar.COUNTS | {"cifar10": ((2,) * 10, (1,) * 10)})
    pixels = {
        f"{part}/{c}/{n:04d}.png": RNG.integers(256, size=(32, 32, 3), dtype=np.uint8)
        for part, k in (("train", 2), ("test", 1))
        for c in cifar.CLASSES["cifar10"]
        for n in range(k)
    }
    zipped(bare / cifar.ZIP, {name: encoded(x) for name, x in pixels.items()})
    d = sources.load("cifar10")
    assert d.y.tolist() == [*range(10)] * 3 and d.official_test.tolist() == list(range(20, 30)) and "cifar10.zip" in d.copy
    assert np.array_equal(d.images[17], pixels["train/horse/0001.png"].transpose(2, 0, 1))
    few = sources.load("cifar10", {"per_class": 1})
    assert few.counts.tolist() == [2] * 10
    one = entry("cifar10")["fingerprint"]
    put_cifar(bare, "cifar10")
    assert entry("cifar10")["fingerprint"] != one, "the official archive goes before, and its rows are others"


def test_half_a_zip_of_cifar10_is_refused(bare):
    files = {
        f"{p}/{c}/0.png": encoded(np.zeros((32, 32, 3), np.uint8)) for p in ("train", "test") for c in cifar.CLASSES["cifar10"]
    }
    zipped(bare / cifar.ZIP, files)
    for options in ({}, {"per_class": 1}):
        with pytest.raises(BadData, match="does not hold 5000 training and 1000 test images of every class"):
            sources.load("cifar10", options)


def test_cifar10_is_fetched_from_openml_when_asked(bare, monkeypatch):
    def offline(**how):
        raise URLError("no route")

    monkeypatch.setattr(datasets, "fetch_openml", offline)
    with pytest.raises(DataMissing, match="CIFAR-10 is not on this machine; .*fetch cifar10"):
        sources.load("cifar10")
    with pytest.raises(DataMissing, match="could not be downloaded .*no route"):
        sources.fetch("cifar10")
    y = np.r_[np.arange(20), np.arange(10)] % 10
    x = RNG.integers(256, size=(30, 3072))
    monkeypatch.setattr(cifar, "COUNTS", cifar.COUNTS | {"cifar10": ((2,) * 10, (1,) * 10)})
    monkeypatch.setattr(cifar.openml, "fetch_pictures", lambda *a: openml(x, y, a))
    sources.fetch("cifar10")
    d = sources.load("cifar10")
    assert np.array_equal(d.images.reshape(30, -1), x) and "OpenML" in d.copy
    said: list[str] = []
    sources.fetch("cifar10", said.append)
    assert said == [f"CIFAR-10 is here already: {bare / cifar.NPZ}."]


def openml(x, y, asked) -> images.Pictures:
    assert asked[:2] == (40927, (3, 32, 32)) and asked[2].sum() == 10_000
    return images.Pictures(x.astype(np.uint8).reshape(-1, 3, 32, 32), y, np.arange(len(y)) >= 20)


@pytest.mark.parametrize("harm", ["values", "rows"])
def test_openml_s_rows_are_checked(monkeypatch, harm):
    from engine.data import openml

    x = np.zeros((4, 12)) + (0.5 if harm == "values" else 0)
    monkeypatch.setattr(datasets, "fetch_openml", lambda **how: Bunch(data=x, target=["0", "1", "0", "1"]))
    with pytest.raises(BadData, match="no whole numbers" if harm == "values" else "has 4 rows of 12 values, not 5 of 12"):
        openml.fetch_pictures(1, (3, 2, 2), np.zeros(4 if harm == "values" else 5, bool), "a set", "how")


@pytest.mark.skipif(not sources.available("cifar10"), reason="CIFAR-10 is not on this machine (python -m engine fetch cifar10)")
def test_rows_of_the_real_cifar10():
    d = sources.load("cifar10", {"per_class": 20, "test_per_class": 5})
    assert d.images.shape == (250, 3, 32, 32) and d.counts.tolist() == [25] * 10
    means = [d.images[d.y == c].mean((0, 2, 3)) for c in range(10)]
    assert means[0][2] > means[0][0] and means[8][2] > means[8][0], "planes and ships are blue"
    assert means[6][2] < means[6][1], "frogs are not"


# ---- SVHN


def put_svhn(folder, **harm) -> tuple[np.ndarray, np.ndarray]:
    labels = [np.r_[np.tile(np.arange(1, 11), k)] for k in (2, 1)]
    xs = [RNG.integers(256, size=(32, 32, 3, len(y)), dtype=np.uint8) for y in labels]
    for file, x, y in zip(svhn.FILES, xs, labels, strict=True):
        savemat(folder / file, {"X": x, "y": y[:, None].astype(np.uint8)} | harm, do_compression=True)
    return np.concatenate([x.transpose(3, 2, 0, 1) for x in xs]), np.concatenate(labels) % 10


def test_svhn(bare, monkeypatch):
    monkeypatch.setattr(svhn, "COUNTS", (2,) * 10)
    monkeypatch.setattr(svhn, "TEST_COUNTS", (1,) * 10)
    with pytest.raises(DataMissing, match=r"SVHN is not on this machine; put .*train_32x32.mat"):
        sources.load("svhn")
    x, y = put_svhn(bare)
    assert sources.available("svhn") and entry("svhn")["fingerprint"].startswith("svhn 1 ")
    d = sources.load("svhn")
    assert np.array_equal(d.images, x) and np.array_equal(d.y, y) and d.y[9] == 0, "10 is the digit 0"
    assert d.official_test.tolist() == list(range(20, 30))


@pytest.mark.parametrize(
    "harm",
    [
        {"y": np.full((20, 1), 11)},
        {"X": np.zeros((32, 32, 3, 20))},
        {"X": np.zeros((8, 8, 3, 20), np.uint8)},
        {"y": np.ones(7)},
    ],
)
def test_svhn_files_that_hold_something_else(bare, harm):
    put_svhn(bare, **harm)
    with pytest.raises(BadData, match="does not hold 32 x 32 colour images with labels 1 to 10"):
        sources.load("svhn")


def test_svhn_files_that_are_not_whole(bare):
    put_svhn(bare)
    with pytest.raises(BadData, match="holds 20 training images of SVHN .* but 73257"):
        sources.load("svhn")
    raw = (bare / svhn.FILES[0]).read_bytes()
    for content in (b"", b"text", bytes(500), raw[: len(raw) // 2]):
        (bare / svhn.FILES[0]).write_bytes(content)
        with pytest.raises(BadData, match="cannot be read as one of SVHN's .mat files"):
            sources.load("svhn")


# ---- STL-10


def stl_files() -> tuple[dict[str, bytes], np.ndarray, np.ndarray]:
    labels = [np.tile(np.arange(1, 11), k).astype(np.uint8) for k in (2, 1)]
    xs = [RNG.integers(256, size=(len(y), 3, 96, 96), dtype=np.uint8) for y in labels]
    files = {}
    for part, x, y in zip(("train", "test"), xs, labels, strict=True):
        files[f"{part}_X.bin"] = x.transpose(0, 1, 3, 2).tobytes()  # column by column
        files[f"{part}_y.bin"] = y.tobytes()
    return files, np.concatenate(xs), np.concatenate(labels).astype(int) - 1


@pytest.mark.parametrize("packed", [True, False])
def test_stl10(bare, monkeypatch, packed):
    monkeypatch.setattr(stl10, "COUNTS", (2,) * 10)
    monkeypatch.setattr(stl10, "TEST_COUNTS", (1,) * 10)
    with pytest.raises(DataMissing, match=r"STL-10 is not on this machine; put .*stl10_binary.tar.gz"):
        sources.load("stl10")
    files, x, y = stl_files()
    if packed:
        members = {f"stl10_binary/{name}": raw for name, raw in files.items()}
        tarred(bare / stl10.ARCHIVE, {"stl10_binary/class_names.txt": b"airplane\n"} | members)
    else:
        (bare / "stl10_binary").mkdir()
        for name, raw in files.items():
            (bare / "stl10_binary" / name).write_bytes(raw)
    assert sources.available("stl10") and entry("stl10")["fingerprint"].startswith("stl10 1 ")
    d = sources.load("stl10")
    assert np.array_equal(d.images, x) and np.array_equal(d.y, y) and d.official_test.tolist() == list(range(20, 30))


def test_stl10_files_that_are_not_whole(bare):
    files, _, _ = stl_files()
    members = {f"stl10_binary/{name}": raw for name, raw in files.items()}

    def refused(change: dict, sentence: str) -> None:
        tarred(bare / stl10.ARCHIVE, {k: v for k, v in (members | change).items() if v is not None})
        with pytest.raises(BadData, match=sentence):
            sources.load("stl10")

    refused({}, "holds 20 training images of STL-10 .* but 5000")
    refused({"stl10_binary/test_X.bin": files["test_X.bin"][:-1]}, "test_X.bin is not one 96 x 96 image for each label")
    refused({"stl10_binary/test_y.bin": bytes(10)}, "for each label 1 to 10 of test_y.bin")
    refused({"stl10_binary/test_y.bin": None}, "does not hold stl10_binary/test_y.bin")
    (bare / stl10.ARCHIVE).write_bytes(b"no archive")
    with pytest.raises(BadData, match="cannot be read as a gzipped archive"):
        sources.load("stl10")


# ---- CelebA


ORDER = ("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Young")
HAIR = ("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "Bald")


def put_celeba(folder, edit=lambda faces: faces) -> list[tuple[str, int, int]]:
    """Faces in the official format; every class in every part, and some with two or no hair attributes. Returns those used."""
    faces = [(c, part, (HAIR[c],)) for part in (0, 1, 2) for c in range(5)]
    faces += [(None, 0, ("Bald", "Gray_Hair")), (None, 2, ()), (0, 2, ("Black_Hair", "Young"))]
    faces = edit(faces)
    attributes, parts, files, used = [f"{len(faces)}", " ".join(ORDER) + " "], [], {}, []
    for i, (c, part, marks) in enumerate(faces, 1):
        name = f"{i:06d}.jpg"
        attributes.append(f"{name} " + " ".join(f"{1 if a in marks else -1:2d}" for a in ORDER))
        parts.append(f"{name} {part}")
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[20:198] = (10 * i, 100, 200 - 10 * i)  # the middle square; above and below are cut away
        pixels[20:109, 89:] = 255
        files[f"img_align_celeba/{name}"] = encoded(pixels, "JPEG", quality=95)
        if c is not None:
            used.append((name, c, part))
    (folder / celeba.ATTRIBUTES).write_text("\n".join(attributes) + "\n")
    (folder / celeba.PARTITION).write_text("\n".join(parts) + "\n")
    zipped(folder / celeba.ZIP, files)
    return used


def test_celeba(bare):
    with pytest.raises(DataMissing, match=r"CelebA is not on this machine; put .*list_attr_celeba.txt"):
        sources.load("celeba")
    used = put_celeba(bare)
    d = sources.load("celeba")
    assert d.y.tolist() == [c for _, c, _ in used] and d.classes == ("black", "brown", "blond", "gray", "bald")
    assert d.official_test.tolist() == [i for i, (_, _, part) in enumerate(used) if part == 2]
    assert d.images.shape == (16, 3, 32, 32)
    for x, (name, _, _) in zip(d.images.astype(int), used, strict=True):
        i = int(name[:6])
        assert np.abs(x[:, 20:30, 2:14].mean((1, 2)) - (10 * i, 100, 200 - 10 * i)).max() < 4
        assert x[:, 2:14, 18:30].min() > 235 and x[1, 0, :14].min() > 60, "upright, and cut to the middle square"
    e = entry("celeba")
    assert (e["rows"], e["counts"], e["test_counts"], e["ratio"]) == (16, [2] * 5, [2, 1, 1, 1, 1], 1.0)
    few = sources.load("celeba", {"per_class": 1, "test_per_class": 1})
    assert few.counts.tolist() == [2] * 5


def test_celeba_files_that_do_not_fit(bare):
    put_celeba(bare, lambda faces: [f for f in faces if f[:2] != (4, 2)])
    with pytest.raises(BadData, match="a hair colour has no test image"):
        sources.load("celeba")
    assert entry("celeba")["fingerprint"] == "celeba 1", "and the catalog still lists everything"
    put_celeba(bare)
    whole = (bare / celeba.PARTITION).read_text()
    (bare / celeba.PARTITION).write_text("\n".join(whole.splitlines()[:5]))
    with pytest.raises(BadData, match="cannot be read as CelebA's lists"):
        sources.load("celeba")
    (bare / celeba.PARTITION).write_text(whole)
    (bare / celeba.ATTRIBUTES).write_text("1\nBald\n")
    with pytest.raises(BadData, match="cannot be read as CelebA's lists"):
        sources.load("celeba")
    put_celeba(bare)
    zipped(bare / celeba.ZIP, {"img_align_celeba/000001.jpg": b"x"})
    with pytest.raises(BadData, match="'000001.jpg' is no readable|is no readable PNG or JPEG"):
        sources.load("celeba")
    zipped(bare / celeba.ZIP, {"img_align_celeba/none.jpg": b"x"})
    with pytest.raises(BadData, match="does not hold 'img_align_celeba/000001.jpg'"):
        sources.load("celeba")
