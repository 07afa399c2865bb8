"""SVHN, cropped: 32 x 32 colour photographs of house numbers, from the official `train_32x32.mat` and `test_32x32.mat`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import refuse_damage
from engine.data import images, places
from engine.data.facts import Facts
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.sources import mat
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing

ORDER = 80

FILES = ("train_32x32.mat", "test_32x32.mat")
SHAPE = (3, 32, 32)
CLASSES = tuple("0123456789")
COUNTS = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)
TEST_COUNTS = (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595)
HOW = "put the official files train_32x32.mat and test_32x32.mat into the folder that LAB_DATA names"

MOST = 512 << 20
"""Bytes of a variable of a .mat file; the official ones have 225 MB at most."""
READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""


def facts() -> list[Facts]:
    """SVHN as the catalog shows it."""
    return [
        Facts(
            name="svhn",
            title="SVHN (house numbers)",
            kind="images",
            source="your files",
            classes=CLASSES,
            counts=COUNTS,
            features=3072,
            columns=3072,
            licence="not stated",
            citation=(
                "Netzer, Wang, Coates, Bissacco, Wu, Ng: Reading digits in natural images with unsupervised feature learning. "
                "NIPS Workshop, 2011."
            ),
            url="http://ufldl.stanford.edu/housenumbers/",
            fingerprint=f"svhn {READER}",
            how_to_get=f"P{HOW[1:]}.",
            summary="Which digit of a house number stands in the middle of this street photograph? Without the extra images.",
            options=SplitImageOptions,
            shape=SHAPE,
            test_counts=TEST_COUNTS,
        )
    ]


def available(name: str) -> bool:
    """Whether both files lie in a data folder."""
    return all(places.find_files(file) for file in FILES)


def live(name: str) -> dict[str, Any]:
    """Changes of the entry for the files on this machine."""
    return {"fingerprint": f"svhn {READER} {images.identity(*_paths())}"} if available(name) else {}


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images. Raises DataMissing (not on this machine), BadData (incomplete files)."""
    if not available(name):
        raise DataMissing(f"SVHN is not on this machine; {HOW}.")
    paths = _paths()
    copy = Copy("the official files of cropped digits", paths, lambda choose: read_pictures(paths, choose))
    return images.load_images(
        name, copy, options, CLASSES, images.build_whole_copy("SVHN", str(paths[0].parent), COUNTS, TEST_COUNTS, HOW)
    )


def _paths() -> tuple[Path, ...]:
    return tuple(places.find_files(file)[0] for file in FILES)


def read_pictures(paths: tuple[Path, ...], choose: Choose = images.choose_all) -> Pictures:
    """Training file and test file: X uint8 [height, width, channels, n], y [n, 1] with 10 for the digit 0. Raises BadData."""
    xs, ys = zip(*(_read_mat(path) for path in paths), strict=True)
    test = np.arange(sum(map(len, ys))) >= len(ys[0])
    pictures = Pictures(np.concatenate(xs), np.concatenate(ys), test)
    return pictures.rows(choose(pictures.y, pictures.test))


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with refuse_damage(f"{path} cannot be read as one of SVHN's .mat files", f": delete it; then {HOW}"):
        table = mat.read_mat(path, ("X", "y"), MOST)
        x, y = table["X"], table["y"].reshape(-1)
    if x.dtype != np.uint8 or x.shape[:3] != (32, 32, 3) or x.shape[3:] != y.shape or not np.isin(y, np.arange(1, 11)).all():
        raise BadData(f"{path} does not hold 32 x 32 colour images with labels 1 to 10: delete it; then {HOW}.")
    return np.ascontiguousarray(x.transpose(3, 2, 0, 1)), y.astype(np.int64) % 10
