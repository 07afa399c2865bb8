"""STL-10: 96 x 96 colour photographs, from the official `stl10_binary.tar.gz` or its folder `stl10_binary`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import open_tar, refuse_damage
from engine.data import images, places
from engine.data.facts import Facts
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing

ORDER = 90

ARCHIVE, FOLDER = "stl10_binary.tar.gz", "stl10_binary"
MEMBERS = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")
SHAPE = (3, 96, 96)
CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
COUNTS, TEST_COUNTS = (500,) * 10, (800,) * 10
MAX_MEMBER = 512 << 20
HOW = "put the official archive stl10_binary.tar.gz, or its folder stl10_binary, into the folder that LAB_DATA names"

READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""


def facts() -> list[Facts]:
    """STL-10 as the catalog shows it."""
    return [
        Facts(
            name="stl10",
            title="STL-10 (photographs)",
            kind="images",
            source="your files",
            classes=CLASSES,
            counts=COUNTS,
            features=int(np.prod(SHAPE)),
            columns=int(np.prod(SHAPE)),
            licence="not stated",
            citation="Coates, Lee, Ng: An analysis of single-layer networks in unsupervised feature learning. AISTATS, 2011.",
            url="https://cs.stanford.edu/~acoates/stl10/",
            fingerprint=f"stl10 {READER}",
            how_to_get=f"P{HOW[1:]}.",
            summary="What does this photograph show: a vehicle or an animal, of ten kinds? The labelled images alone.",
            options=SplitImageOptions,
            shape=SHAPE,
            test_counts=TEST_COUNTS,
        )
    ]


def available(name: str) -> bool:
    """Whether the archive or the four files lie in a data folder."""
    return bool(_files())


def live(name: str) -> dict[str, Any]:
    """Changes of the entry for the copy on this machine."""
    return {"fingerprint": f"stl10 {READER} {images.identity(*_files())}"} if available(name) else {}


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images. Raises DataMissing (not on this machine), BadData (incomplete files)."""
    files = _files()
    if not files:
        raise DataMissing(f"STL-10 is not on this machine; {HOW}.")
    copy = Copy("the official binary files", files, lambda choose: read_pictures(files, choose))
    return images.load_images(
        name, copy, options, CLASSES, images.build_whole_copy("STL-10", str(files[0]), COUNTS, TEST_COUNTS, HOW)
    )


def _files() -> tuple[Path, ...]:
    """The four files, or the archive, or an empty tuple."""
    found = [places.find_files(f"{FOLDER}/{member}") for member in MEMBERS]
    return tuple(paths[0] for paths in found) if all(found) else tuple(places.find_files(ARCHIVE)[:1])


def read_pictures(files: tuple[Path, ...], choose: Choose = images.choose_all) -> Pictures:
    """The four files (or the archive with them): images as bytes, channel by channel, column by column; labels 1 to 10.

    Raises BadData.
    """
    raw = _read_archive(files[0]) if len(files) == 1 else _read_files(files)
    xs, ys = [], []
    for part in ("train", "test"):
        x, y = (np.frombuffer(raw[f"{part}_{letter}.bin"], np.uint8) for letter in "Xy")
        if len(x) != len(y) * int(np.prod(SHAPE)) or not np.isin(y, np.arange(1, 11)).all():
            raise BadData(f"{files[0]}: {part}_X.bin is not one 96 x 96 image for each label 1 to 10 of {part}_y.bin; {HOW}.")
        xs.append(x.reshape(-1, *SHAPE).transpose(0, 1, 3, 2))
        ys.append(y.astype(np.int64) - 1)
    test = np.arange(sum(map(len, ys))) >= len(ys[0])
    pictures = Pictures(np.concatenate(xs), np.concatenate(ys), test)
    return pictures.rows(choose(pictures.y, pictures.test))


def _read_files(files: tuple[Path, ...]) -> dict[str, bytes]:
    for path in files:
        if path.stat().st_size > MAX_MEMBER:
            raise BadData(f"{path} has {path.stat().st_size >> 20:,} MiB; at most {MAX_MEMBER >> 20:,} are read.")
    return {path.name: path.read_bytes() for path in files}


def _read_archive(path: Path) -> dict[str, bytes]:
    wanted = {f"{FOLDER}/{member}": member for member in MEMBERS}
    out: dict[str, bytes] = {}
    with (
        refuse_damage(f"{path} cannot be read as a gzipped archive", f": delete it; then {HOW}"),
        open_tar(path, MAX_MEMBER) as tar,
    ):
        for member in tar:
            if member.isreg() and member.name in wanted:
                if member.size > MAX_MEMBER:
                    raise BadData(f"{path}: {member.name} has {member.size >> 20} MiB; at most {MAX_MEMBER >> 20} are read.")
                file = tar.extractfile(member)
                assert file is not None  # a regular file has content
                out[wanted[member.name]] = file.read()
            if len(out) == len(MEMBERS):  # before the unlabelled images
                return out
    missing = next(name for name, member in wanted.items() if member not in out)
    raise BadData(f"{path} does not hold {missing}: delete it; then {HOW}.")
