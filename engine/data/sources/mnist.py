"""MNIST: 28 x 28 grey digits, from `mnist.zip` (PNG), the four official files, or OpenML's copy as `mnist.npz`.

Every copy holds the same pixels in the official order. The checksum is that of pixels, labels and parts, so the choice of copy
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import read_inflated, refuse_damage
from engine.data import folders, images, openml, places
from engine.data.facts import Facts
from engine.data.folders import survey_numbered
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing

ORDER = 50
FETCHES = ("mnist", "mnist-back-rotation")  # the second is made from the first

ZIP, NPZ = "mnist.zip", "mnist.npz"
OFFICIAL = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)
OPENML = 554  # mnist_784, version 1
SHA256 = "e8697c4511480f84e859f952d2753a1b3015e0fe7696dc12bef128b2d023785b"
KNOWN = "92f37d97cc4bfb95"
"""Identity of a mnist.zip whose pixels were verified against SHA256, so that single rows of it can be read."""

SHAPE = (1, 28, 28)
CLASSES = tuple("0123456789")
COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
CITATION = "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. Proc. IEEE 86, 1998."
HOW = (
    "`python -m engine fetch mnist` downloads it from OpenML (15 MB), or put mnist.zip (train/CLASS/NUMBER.png and "
    "test/CLASS/NUMBER.png) or the four official idx .gz files into the folder that LAB_DATA names"
)


def facts() -> list[Facts]:
    """MNIST as the catalog shows it."""
    return [
        Facts(
            name="mnist",
            title="MNIST (handwritten digits)",
            kind="images",
            source="your files or OpenML",
            classes=CLASSES,
            counts=COUNTS,
            features=784,
            columns=784,
            licence="not stated",
            citation=CITATION,
            url="https://www.openml.org/d/554",
            fingerprint=f"mnist sha256 {SHA256}",
            how_to_get=f"{HOW}.",
            summary="Which digit was written by hand, from 28 x 28 grey pixels?",
            options=SplitImageOptions,
            shape=SHAPE,
            test_counts=TEST_COUNTS,
        )
    ]


def available(name: str) -> bool:
    """Whether a copy lies in a data folder."""
    return bool(places.find_files(ZIP) or places.find_files(NPZ) or _find_official())


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images. Raises DataMissing (no copy is here), BadData (a copy is not MNIST)."""
    return images.load_images(name, find_copy(), options, CLASSES)


def find_copy() -> Copy:
    """The copy to read. Raises DataMissing, BadData."""
    for path in places.find_files(ZIP):
        return _read_zip(path)
    if official := _find_official():
        return _build_copy("the official idx files", official, lambda: read_idx(official))
    for path in places.find_files(NPZ):
        return _build_copy(f"OpenML's copy ({NPZ})", (path,), partial(images.unpack, path))
    raise DataMissing(f"MNIST is not on this machine; {HOW}.")


def check_counts(pictures: Pictures) -> None:
    """Raises BadData where these are not MNIST's 70,000 images in the official order."""
    if images.digest(pictures) != SHA256:
        raise BadData(f"The copy of MNIST here does not hold its images (their checksum differs): delete it; then {HOW}.")


def _build_copy(description: str, files: tuple[Path, ...], read: Callable[[], Pictures]) -> Copy:
    """A copy that is read whole, with its checksum verified before its rows are used."""

    def chosen(choose: Choose) -> Pictures:
        pictures = read()
        check_counts(pictures)
        return pictures.rows(choose(pictures.y, pictures.test))

    return Copy(description, files, chosen)


def _find_official() -> tuple[Path, ...]:
    found = [places.find_files(name) for name in OFFICIAL]
    return tuple(paths[0] for paths in found) if all(found) else ()


def _read_zip(path: Path) -> Copy:
    words = f"PNG images in {path.name}"

    def read(choose: Choose) -> Pictures:
        return folders.build_copy(survey_numbered(path, CLASSES), SHAPE, words, exact=True).read(choose)

    if images.identity(path) == KNOWN:
        return Copy(words, (path,), read, partly=True)
    return _build_copy(words, (path,), lambda: read(images.choose_all))


def read_idx(paths: tuple[Path, ...]) -> Pictures:
    """The official files (training images, training labels, test images, test labels). Raises BadData."""
    x_train, y_train, x_test, y_test = (parse_idx(path, dims) for path, dims in zip(paths, (3, 1, 3, 1), strict=True))
    for path, x, y in ((paths[0], x_train, y_train), (paths[2], x_test, y_test)):
        if len(x) != len(y) or x.shape[1:] != SHAPE[1:] or (len(y) and y.max() > 9):
            raise BadData(f"{path} does not hold one 28 x 28 image for each label beside it.")
    test = np.arange(len(y_train) + len(y_test)) >= len(y_train)
    return Pictures(np.concatenate([x_train, x_test])[:, None], np.concatenate([y_train, y_test]).astype(np.int64), test)


def parse_idx(path: Path, dims: int) -> np.ndarray:
    """One gzipped idx file of bytes with `dims` dimensions. Raises BadData."""
    most = 4 + 4 * dims + 70_000 * 784
    with refuse_damage(f"{path} cannot be read as a gzipped idx file"):
        raw = read_inflated(path, most)
    sizes = tuple(int(n) for n in np.frombuffer(raw, ">u4", dims, 4)) if len(raw) >= 4 + 4 * dims else ()
    if raw[:4] != bytes([0, 0, 8, dims]) or len(raw) != 4 + 4 * dims + int(np.prod(sizes, dtype=np.int64)):
        raise BadData(f"{path} is no whole idx file of bytes in {dims} dimensions.")
    return np.frombuffer(raw, np.uint8, -1, 4 + 4 * dims).reshape(sizes)


def fetch(say: Callable[[str], None] = lambda sentence: None) -> None:
    """Downloads OpenML's copy and saves it as `mnist.npz`, unless a copy is here. Raises DataMissing."""
    if available("mnist"):
        say(f"MNIST is here already: {', '.join(str(path) for path in find_copy().files)}.")
        return
    places.remove_unfinished()
    say(f"Downloading MNIST (OpenML {OPENML}, 15 MB).")
    try:
        pictures = openml.fetch_pictures(OPENML, SHAPE, np.arange(70_000) >= 60_000, "MNIST", HOW)
        check_counts(pictures)
    except BadData as error:
        raise DataMissing(f"OpenML's copy of MNIST does not hold the expected images; it was thrown away; {HOW}.") from error
    images.write_cache(NPZ, pictures)
    say("MNIST is here.")
