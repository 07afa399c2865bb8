"""Shared by all sources of images: options, the choice of rows, the cache of whole sets, file identities.

A source lists the copies of its set that a data folder may hold. A `Copy` reads itself, and only the requested rows where it
can decode them alone (a zip of images). A set that was read whole is saved as npz in the first writable data folder, so that it
is decoded once.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import check_members, refuse_damage
from engine.data import places
from engine.data.table import Dataset, image_set
from engine.errors import BadData, DataMissing
from engine.spec.fields import param

EDGE = 8 << 20
"""Bytes at each end of a file that identify it. The end of a zip holds a checksum of every entry, that of a gz file one of its
whole content.
"""

MOST = (2 << 30) + (256 << 20)
"""Bytes of a cached set as unpacked: pixels, of which `engine.data.folders` keeps 2 GiB at most, and labels."""

Choose = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(y [n], test [n] bool) -> numbers of the rows wanted, ascending."""


@dataclass(frozen=True)
class ImageOptions:
    """Options of images without an official test part."""

    per_class: int = param(
        0,
        low=0,
        label="images per class",
        help="keep at most this many images of each class for training and validation; 0 keeps all. More images contain the fewer",
    )


@dataclass(frozen=True)
class SplitImageOptions(ImageOptions):
    """Options of images with an official test part."""

    test_per_class: int = param(
        0,
        low=0,
        label="test images per class",
        help="keep at most this many images of each class of the official test part; 0 keeps all. More images contain the fewer",
    )


@dataclass(frozen=True)
class Pictures:
    """Images as read: images uint8 [n, channels, height, width], y [n] int64, test [n] bool (the official test part)."""

    images: np.ndarray
    y: np.ndarray
    test: np.ndarray

    def rows(self, which: np.ndarray) -> Pictures:
        """These rows alone."""
        return Pictures(self.images[which], self.y[which], self.test[which])


@dataclass(frozen=True)
class Copy:
    """One copy of a set: its description, its files, and how to read it.

    read: reads the rows that its argument chooses. partly: whether rows that are not chosen cost almost nothing. options:
    further text that determines the rows, for the name of the cached file.
    """

    description: str
    files: tuple[Path, ...]
    read: Callable[[Choose], Pictures]
    partly: bool = False
    options: str = ""


def choose_all(y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The choice of all rows."""
    return np.arange(len(y))


def build_chooser(options: Mapping[str, Any]) -> Choose:
    """The choice for `per_class` and `test_per_class`. Deterministic, and nested: a larger number contains the smaller choice."""
    limits = (int(options.get("per_class", 0)), int(options.get("test_per_class", 0)))
    if not any(limits):
        return choose_all

    def choose(y: np.ndarray, test: np.ndarray) -> np.ndarray:
        kept = []
        for part, limit in enumerate(limits):
            for c in np.unique(y):
                rows = np.flatnonzero((y == c) & (test == bool(part)))
                rng = np.random.default_rng([zlib.crc32(b"images.per_class"), part, int(c)])
                kept.append(rng.permutation(rows)[: limit or None])
        return np.sort(np.concatenate(kept))

    return choose


def load_images(
    name: str, copy: Copy, options: Mapping[str, Any], classes: tuple[str, ...], check: Callable[[Pictures], None] | None = None
) -> Dataset:
    """A dataset from a copy of it. check: raises BadData where the whole set is not as expected.

    A whole set is read from its cached file where there is one, else from the copy and then cached. A full disk does not fail
    the load: the set is then not cached.
    """
    choose = build_chooser(options)
    filename = f"{name.replace('/', '-')}-{_key(copy)}.npz"
    whole = read_cache(filename)
    if whole is None and copy.partly and choose is not choose_all:
        return _build_dataset(
            name, _read_recent(f"{filename} {dict(options)}", partial(copy.read, choose)), classes, copy.description
        )
    if whole is None:
        whole = copy.read(choose_all)
        if check is not None:
            check(whole)
        with suppress(DataMissing):
            write_cache(filename, whole)
            _remove_older(name.replace("/", "-"), filename)
    return _build_dataset(
        name, whole if choose is choose_all else whole.rows(choose(whole.y, whole.test)), classes, copy.description
    )


_RECENT: dict[str, Pictures] = {}
"""The chosen rows that this process read last, since a worker runs many specs on the same rows."""


def _read_recent(key: str, read: Callable[[], Pictures]) -> Pictures:
    if key not in _RECENT:
        pictures = read()
        _RECENT.clear()
        _RECENT[key] = pictures
    return _RECENT[key]


def _build_dataset(name: str, pictures: Pictures, classes: tuple[str, ...], description: str) -> Dataset:
    official = np.flatnonzero(pictures.test) if pictures.test.any() else None
    return image_set(name, pictures.images, pictures.y, classes, official, description)


def read_cache(filename: str) -> Pictures | None:
    """The cached set of this name; None where there is none or it is damaged."""
    for path in places.find_files(filename):
        with suppress(BadData):
            return unpack(path)
    return None


def unpack(path: Path) -> Pictures:
    """Reads a set that `write_cache` wrote. Raises BadData for any other file or changed content."""
    with refuse_damage(f"{path} cannot be read as a set of images", ": delete it"):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, MOST, str(path))
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            pictures = Pictures(file["images"], file["y"], file["test"])
            said = str(file["digest"])
        is_whole = pictures.images.dtype == np.uint8 and pictures.images.ndim == 4 and digest(pictures) == said
    if not is_whole:
        raise BadData(f"{path} does not hold the images that were written to it: delete it.")
    return pictures


def write_cache(filename: str, pictures: Pictures) -> None:
    """Writes a set into a data folder atomically. Raises DataMissing where no folder is writable."""
    with places.receive_file(filename) as scratch:
        np.savez(
            scratch / filename,
            images=pictures.images,
            y=pictures.y,
            test=pictures.test,
            digest=np.array(digest(pictures)),
        )


def _remove_older(stem: str, kept: str) -> None:
    """Deletes cached files of the same set made from other copies."""
    for folder in places.data_folders():
        for old in folder.glob(f"{stem}-{'[0-9a-f]' * 16}.npz"):
            if old.name != kept:
                with suppress(OSError):  # read-only, or another process was faster
                    old.unlink()


def digest(pictures: Pictures) -> str:
    """sha256 of shape, pixels, labels and parts."""
    out = hashlib.sha256(repr(pictures.images.shape).encode())
    out.update(np.ascontiguousarray(pictures.images).data)
    out.update(pictures.y.astype("<i8").tobytes() + pictures.test.astype("u1").tobytes())
    return out.hexdigest()


def _key(copy: Copy) -> str:
    return hashlib.sha256(f"{identity(*copy.files)} {copy.options}".encode()).hexdigest()[:16]


def identity(*paths: Path) -> str:
    """16 hex digits that change with the content: of a file its size and both ends, of a folder names, sizes and times."""
    return hashlib.sha256(" ".join(_identity(path, *_stat(path)) for path in paths).encode()).hexdigest()[:16]


def _stat(path: Path) -> tuple[int, int, int]:
    at = path.stat()
    return (at.st_size, at.st_mtime_ns, 0) if path.is_file() else (0, at.st_mtime_ns, _listing(path))


def _listing(folder: Path) -> int:
    """A number that changes with the names, sizes and times of a folder's files."""
    found = []
    for root, _, files in os.walk(folder):
        for name in files:
            at = os.lstat(os.path.join(root, name))
            found.append(f"{Path(root).relative_to(folder).as_posix()}/{name} {at.st_size} {at.st_mtime_ns}")
    return int.from_bytes(hashlib.sha256("\n".join(sorted(found)).encode("utf-8", "surrogateescape")).digest()[:8])


@cache
def _identity(path: Path, size: int, changed: int, listing: int) -> str:
    if path.is_dir():
        return f"{listing:016x}"
    out = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        out.update(file.read(EDGE))
        file.seek(max(0, size - EDGE))
        out.update(file.read(EDGE))
    return out.hexdigest()[:16]


def build_whole_copy(
    name: str, where: str, counts: Sequence[int], test_counts: Sequence[int] | None, how_to_get: str
) -> Callable[[Pictures], None]:
    """A check that a set has the declared rows per class and part."""

    def check(pictures: Pictures) -> None:
        for part, wanted in (("training", counts), ("test", test_counts or [0] * len(counts))):
            y = pictures.y[pictures.test == (part == "test")]
            found = np.bincount(y, minlength=len(counts)).tolist()
            if found != list(wanted):
                raise BadData(
                    f"{where} holds {len(y)} {part} images of {name} with {min(found)} to {max(found)} a class, but "
                    f"{sum(wanted)} with {min(wanted)} to {max(wanted)} are declared: it is not whole; delete it; then {how_to_get}."
                )

    return check
