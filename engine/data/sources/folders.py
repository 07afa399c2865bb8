"""Local image sets: every zip and folder inside `images` in a data folder is the dataset `images/NAME`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.damage import refuse_damage
from engine.data import images, places
from engine.data.facts import Facts
from engine.data.folders import COLOURS, LARGEST_SIDE, build_copy, choose_shape, is_ignored, survey_cached
from engine.data.images import ImageOptions, SplitImageOptions
from engine.data.table import Dataset
from engine.errors import BadData, UnknownName
from engine.spec.fields import param
from engine.text import quote

ORDER = 900
FOLDER = "images"
READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""


@dataclass(frozen=True)
class FolderOptions(ImageOptions):
    """Options of local images."""

    side: int = param(
        0,
        low=0,
        high=LARGEST_SIDE,
        label="side in pixels",
        help="resize every image to this many pixels on its longer side; 0 takes the most common size, at most 64",
        advanced=True,
    )
    colour: str = param(
        "auto", choices=("auto", *COLOURS), help="auto keeps grey images grey where all of a sample are", advanced=True
    )


@dataclass(frozen=True)
class SplitFolderOptions(SplitImageOptions, FolderOptions):
    """Options of local images with an official test part."""


def find_sets() -> dict[str, Path]:
    """Datasets in the `images` folders: name -> zip or folder, in the order of the data folders, then by name."""
    out: dict[str, Path] = {}
    for folder in places.data_folders():
        with suppress(OSError):  # the folder is missing or not readable
            for path in sorted((folder / FOLDER).iterdir(), key=lambda p: (not p.is_dir(), p.name)):
                if not _is_entry(path) or _find_oddity(path):
                    continue
                stem = path.name if path.is_dir() else path.stem
                name = f"{FOLDER}/{stem if f'{FOLDER}/{stem}' not in out else path.name}"
                out.setdefault(name, path)
    return out


def _is_entry(path: Path) -> bool:
    """Whether a person may have put it there as a set: a zip, a folder, or what is called so."""
    return not is_ignored(path.name) and path.name.isprintable() and (path.is_dir() or path.suffix.lower() == ".zip")


def _find_oddity(path: Path) -> str:
    """What an entry is where it is neither a plain file nor a folder: opening a pipe would wait for ever. '' where it is one."""
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        return f"an entry that cannot be looked at ({error.strerror})"
    if stat.S_ISLNK(mode):
        return "a link"
    return "" if stat.S_ISDIR(mode) or stat.S_ISREG(mode) else "no plain file"


def _list_odd() -> list[str]:
    """For each entry that is left out for what it is, a sentence."""
    out = []
    for folder in places.data_folders():
        with suppress(OSError):
            for path in sorted((folder / FOLDER).iterdir()):
                if not is_ignored(path.name) and path.name.isprintable() and (what := _find_oddity(path)):
                    out.append(f"{path} is {what}; put the zip or folder itself there.")
    return out


def facts() -> list[Facts]:
    """The sets that can be read, as the catalog shows them."""
    out = []
    for name, path in find_sets().items():
        with suppress(BadData):  # `unreadable` gives the reason
            out.append(_describe(name, path))
    return out


def unreadable() -> list[str]:
    """For each entry of the `images` folders that is no image set, a sentence with the reason."""
    out = _list_odd()
    for name, path in find_sets().items():
        try:
            _describe(name, path)
        except BadData as error:
            out.append(str(error))
    return out


def facts_of(name: str) -> Facts:
    """One set as the catalog shows it. Raises UnknownName, BadData."""
    return _describe(name, _path(name))


def _path(name: str) -> Path:
    path = find_sets().get(name)
    if path is None:
        raise UnknownName(f"no zip or folder for {quote(name)} lies in the folder {FOLDER} of a data folder.")
    return path


def _describe(name: str, path: Path) -> Facts:
    with refuse_damage(f"{path} cannot be read"):  # it may go, or change, at any moment
        return _read_facts(name, path, images.identity(path))


@cache
def _read_facts(name: str, path: Path, identity: str) -> Facts:
    tree = survey_cached(path)
    channels, height, width = choose_shape(tree)
    parted = bool(tree.test.any())
    kind = "grey" if channels == 1 else "colour"
    return Facts(
        name=name,
        title=name.removeprefix(f"{FOLDER}/"),
        kind="images",
        source="your images",
        classes=tree.classes,
        counts=tree.counts(False),
        features=channels * height * width,
        columns=channels * height * width,
        licence="not stated",
        citation="Your own images.",
        url="",
        fingerprint=f"folders {READER} {identity}",
        how_to_get=f"It lies in the folder {FOLDER} of your data folder.",
        summary=(
            f"Your {len(tree.y)} images in {len(tree.classes)} folders, read at {width} x {height} pixels, {kind}"
            f"{', with a test part of their own' if parted else ''}."
        ),
        options=SplitFolderOptions if parted else FolderOptions,
        shape=(channels, height, width),
        test_counts=tree.counts(True) if parted else None,
    )


def available(name: str) -> bool:
    """Whether a zip or folder of that name is there."""
    return name in find_sets()


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images of that set. Raises UnknownName, BadData."""
    path = _path(name)
    tree = survey_cached(path)
    size = choose_shape(tree, options["side"], options["colour"])
    channels, height, width = size
    words = f"{path.name}, read at {width} x {height} pixels, {'grey' if channels == 1 else 'colour'}"
    return images.load_images(name, build_copy(tree, size, words, options=f"{READER} {size}"), options, tree.classes)
