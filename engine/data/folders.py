"""Reads images from a zip or folder of `class/image` or `train/class/image` and `test/class/image` (PNG, JPEG).

Every source of image files uses this module. Nothing is unpacked to disk, and no name inside an archive is used as a path of
this machine.

All images get one size. Unless a size is requested, it is the most common one of a sample of 200 (evenly spaced), scaled down
to 64 pixels on its longer side where that is larger. Others are resized to it. They are grey where the whole sample is grey,
else RGB. Transparency is dropped, and photographs are rotated by their EXIF orientation.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine import system
from engine.damage import refuse_damage
from engine.data import images
from engine.data.images import Choose, Copy, Pictures
from engine.errors import BadData
from engine.text import quote

ENDINGS = (".png", ".jpg", ".jpeg")
PARTS = ("train", "test")
LARGEST_SIDE = 64
SAMPLE = 200
LAYOUT = "it must hold CLASS/IMAGE, or train/CLASS/IMAGE and test/CLASS/IMAGE"

MAX_FILES = 300_000
MAX_CLASSES = 1_000
MAX_FILE = 32 << 20  # bytes of one image file
MAX_TOTAL = 8 << 30  # bytes of all image files
MAX_PIXELS = 50_000_000  # of one image; above the size of camera photographs
MAX_ARRAY = 2 << 30  # bytes of the pixels that are kept

GREY = ("1", "L", "LA", "I", "I;16", "F")
COLOURS = {"grey": 1, "colour": 3}


@dataclass(frozen=True)
class Tree:
    """The images of a zip or folder, listed but not read. Rows: training first, by class, by name (numbers by value).

    names: path of each row's file. y [n], test [n] bool as in Pictures. open: returns a reader of files by name; close it.
    """

    path: Path
    classes: tuple[str, ...]
    names: tuple[str, ...]
    y: np.ndarray
    test: np.ndarray
    open: Callable[[], Reader]

    def counts(self, test: bool) -> tuple[int, ...]:
        """Rows per class of one part."""
        return tuple(np.bincount(self.y[self.test == test], minlength=len(self.classes)).tolist())

    def ordered(self, order: np.ndarray) -> Tree:
        """The same rows in another order."""
        return replace(self, names=tuple(self.names[i] for i in order), y=self.y[order], test=self.test[order])


class Reader:
    """Reads files of a folder by their names in a Tree."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        """The file's bytes; no link is followed. Raises BadData."""
        try:
            with open(system.open_unlinked(self.path / name), "rb") as file:
                return file.read(MAX_FILE + 1)
        except OSError as error:
            raise BadData(f"{self.path}: {_quote(name)} cannot be read ({error.strerror}).") from error

    def close(self) -> None:
        """Does nothing, since no file is kept open."""


class ZipReader(Reader):
    """Reads files of a zip by their names in a Tree."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.zip = _open_zip(path)

    def read(self, name: str) -> bytes:
        """The entry's bytes, its checksum verified. Raises BadData."""
        with refuse_damage(f"{self.path}: {_quote(name)} cannot be read"):
            if name not in self.zip.NameToInfo:
                raise BadData(f"{self.path} does not hold {_quote(name)}.")
            entry = self.zip.getinfo(name)
            if entry.file_size > MAX_FILE:  # never inflates more than this, whatever the file claims
                raise BadData(
                    f"{self.path}: {_quote(name)} has {entry.file_size >> 20} MiB; at most {MAX_FILE >> 20} are read."
                )
            return self.zip.read(entry)

    def close(self) -> None:
        """Closes the file."""
        self.zip.close()


def survey_cached(path: Path) -> Tree:
    """`survey`, cached while the content stays the same."""
    return _survey(path, images.identity(path))


@cache
def _survey(path: Path, identity: str) -> Tree:
    return survey(path)


def survey(path: Path) -> Tree:
    """The images that a zip or folder holds, without reading one. Raises BadData, with one sentence, where it is no set of
    images.
    """
    if path.is_symlink():
        raise BadData(f"{path} is a link; put the zip or folder itself there.")
    files, empty = _list_folder(path) if path.is_dir() else _list_zip(path)
    if len(files) > MAX_FILES:
        raise BadData(f"{path} holds {len(files)} files; at most {MAX_FILES} are read.")
    if sum(files.values()) > MAX_TOTAL:
        raise BadData(f"{path} holds {sum(files.values()) / 2**30:.0f} GiB of files; at most {MAX_TOTAL >> 30} are read.")
    split = {name: tuple(name.split("/")) for name in files}
    top = _find_top([p for p in split.values() if p[-1].lower().endswith(ENDINGS)])
    split = {name: p[len(top) :] for name, p in split.items() if p[: len(top)] == top}
    pictures = {name: p for name, p in split.items() if p[-1].lower().endswith(ENDINGS)}
    if not pictures:
        raise BadData(f"{path} holds no PNG or JPEG image; {LAYOUT}.")
    parted = all(len(p) == 3 and p[0].lower() in PARTS for p in pictures.values())
    depth = 3 if parted else 2
    for name, p in split.items():
        if name not in pictures and len(p) >= depth:
            raise BadData(f"{path}: {_quote(name)} is no PNG or JPEG image; take it out.")
        if name in pictures and len(p) != depth:
            raise BadData(f"{path}: {_quote(name)} is not where an image belongs; {LAYOUT}.")
        if name in pictures and files[name] > MAX_FILE:
            raise BadData(f"{path}: {_quote(name)} has {files[name] >> 20} MiB; at most {MAX_FILE >> 20} are read.")
    found = {(p[0].lower() if parted else "", p[-2]) for p in pictures.values()}
    for folder in empty:
        p = tuple(folder.strip("/").split("/"))
        inside = p[len(top) :]
        if p[: len(top)] == top and len(inside) == depth - 1 and (inside[0].lower() if parted else "", inside[-1]) not in found:
            raise BadData(f"{path}: class folder {_quote(folder)} holds no image; fill it or take it out.")
    parts = {part for part, _ in found}
    names = {c for _, c in found}
    for part in sorted(parts):
        if missing := sorted(names - {c for p, c in found if p == part}):
            raise BadData(f"{path}: class {quote(missing[0])} has no image in {part}/; every class needs some in both parts.")
    if parts == {"test"}:
        raise BadData(f"{path} holds a test part alone; {LAYOUT}.")
    if len(names) < 2:
        raise BadData(f"{path} holds one class, {quote(min(names))}; at least two are needed.")
    if len(names) > MAX_CLASSES:
        raise BadData(f"{path} holds {len(names)} classes; at most {MAX_CLASSES} are read.")
    rows = [(parted and p[0].lower() == "test", p[-2], name) for name, p in pictures.items()]
    classes = _order_classes(Counter(c for test, c, _ in rows if not test))
    place = {c: i for i, c in enumerate(classes)}
    rows.sort(key=lambda r: (r[0], place[r[1]], _natural_key(r[2])))
    return Tree(
        path=path,
        classes=classes,
        names=tuple(name for _, _, name in rows),
        y=np.array([place[c] for _, c, _ in rows], np.int64),
        test=np.array([test for test, _, _ in rows], bool),
        open=(lambda: Reader(path)) if path.is_dir() else (lambda: ZipReader(path)),
    )


def _find_top(pictures: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The common outer folders to remove: all images are below them, and at least class and image remain."""
    top: tuple[str, ...] = ()
    while pictures and len({p[0] for p in pictures}) == 1 and min(map(len, pictures)) > 2:
        if pictures[0][0].lower() in PARTS and min(map(len, pictures)) == 3:
            break
        top = (*top, pictures[0][0])
        pictures = [p[1:] for p in pictures]
    return top


def _order_classes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Classes by name, numbers by value; of two classes the larger one first."""
    if len(counts) == 2:
        return tuple(sorted(counts, key=lambda c: (-counts[c], _natural_key(c))))
    return tuple(sorted(counts, key=_natural_key))


def _natural_key(name: str) -> tuple[Any, ...]:
    """A sort key that puts 2 before 10; it is different for different names."""
    pieces = re.split(r"([0-9]+)", name)
    return (*((0, int(p[:4000]), "") if i % 2 else (1, 0, p) for i, p in enumerate(pieces)), (2, 0, name))


def _list_folder(path: Path) -> tuple[dict[str, int], list[str]]:
    """Files with their sizes, and folders without files, by name below `path`."""
    files: dict[str, int] = {}
    folders = []

    def failed(error: OSError) -> None:
        raise BadData(f"{path}: {_quote(str(error.filename))} cannot be read ({error.strerror}).") from error

    for root, below, found in os.walk(path, onerror=failed):
        here = "" if root == str(path) else os.path.relpath(root, path).replace(os.sep, "/") + "/"
        below[:] = sorted(b for b in below if not is_ignored(b))
        for name in below + found:
            at = os.lstat(os.path.join(root, name))
            if is_ignored(name) or stat.S_ISDIR(at.st_mode):
                continue
            if not stat.S_ISREG(at.st_mode):
                what = "a link" if stat.S_ISLNK(at.st_mode) else "no plain file"
                raise BadData(f"{path}: {_quote(here + name)} is {what}; only plain files are read.")
            files[_check_name(path, here + name)] = at.st_size
        if len(files) > MAX_FILES:
            return files, []
        if here:
            folders.append(here)
    return files, [f for f in folders if not any(name.startswith(f) for name in files)] if len(folders) < 5_000 else []


def _list_zip(path: Path) -> tuple[dict[str, int], list[str]]:
    """Files with their sizes, and folders, by name in the archive."""
    files: dict[str, int] = {}
    folders = []
    with closing(_open_zip(path)) as archive:
        for entry in archive.infolist():
            name = _check_name(path, entry.filename)
            if any(is_ignored(p) for p in name.strip("/").split("/")):
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise BadData(f"{path}: {_quote(name)} is a link; only plain files are read.")
            if entry.is_dir():
                folders.append(name)
                continue
            if entry.flag_bits & 1:
                raise BadData(f"{path}: {_quote(name)} is encrypted; only plain files are read.")
            if name in files:
                raise BadData(f"{path} holds {_quote(name)} twice.")
            files[name] = entry.file_size
    return files, folders


def _open_zip(path: Path) -> zipfile.ZipFile:
    with refuse_damage(f"{path} cannot be read as a zip"):
        return zipfile.ZipFile(path)


def _check_name(path: Path, name: str) -> str:
    """A checked name inside a set: relative, without leaving the set, printable."""
    parts = name.rstrip("/").split("/")
    if (
        name.startswith(("/", "\\"))
        or re.match(r"[A-Za-z]:", name)
        or "\\" in name
        or not all(parts)
        or {".", ".."} & set(parts)
    ):
        raise BadData(f"{path}: {_quote(name)} is not a path inside it; names must be relative and without '..'.")
    if not name.isprintable() or any(len(p) > 200 for p in parts):
        raise BadData(f"{path}: {_quote(name)} is no usable name; names must be printable, of at most 200 characters.")
    return name


def is_ignored(name: str) -> bool:
    """Whether a file is one that operating systems add to folders and zips."""
    return name.startswith(".") or name.lower() in ("__macosx", "thumbs.db", "desktop.ini")


def _quote(name: str) -> str:
    """A name for a sentence: quoted, escaped, shortened."""
    return repr(name if len(name) <= 100 else f"{name[:100]}...")


def choose_shape(tree: Tree, side: int = 0, colour: str = "auto") -> tuple[int, int, int]:
    """Channels, height and width of the images as read, by the rule in the module docstring. Raises BadData."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    step = max(1, len(tree.names) // SAMPLE)
    with closing(tree.open()) as reader:
        for name in tree.names[::step][:SAMPLE]:
            with open_picture(tree.path, name, reader.read(name)) as opened:
                width, height = opened.size
                with refuse_damage(f"{tree.path}: {_quote(name)} is damaged"):
                    # a PNG would be decoded whole to find its orientation
                    turned = opened.format == "JPEG" and opened.getexif().get(0x0112) in (5, 6, 7, 8)
                sizes[(height, width) if not turned else (width, height)] += 1
                grey = grey and opened.mode in GREY
    (height, width), _ = sizes.most_common(1)[0]  # the first among equals
    longer = max(height, width)
    wanted = side or min(longer, LARGEST_SIDE)
    scaled = (max(1, round(height * wanted / longer)), max(1, round(width * wanted / longer)))
    return (COLOURS.get(colour) or (1 if grey else 3), *scaled)


def decode_images(tree: Tree, rows: np.ndarray, size: tuple[int, int, int], exact: bool = False) -> np.ndarray:
    """These rows as uint8 [n, channels, height, width]. exact: another size is an error, not resized. Raises BadData."""
    from PIL import Image, ImageOps

    channels, height, width = size
    if len(rows) * channels * height * width > MAX_ARRAY:
        raise BadData(
            f"{tree.path}: {len(rows)} images of {width} x {height} pixels take more than {MAX_ARRAY >> 30} GiB; "
            "ask for fewer images per class or a smaller side."
        )
    out = np.empty((len(rows), height, width, channels), np.uint8)
    mode = "L" if channels == 1 else "RGB"
    with closing(tree.open()) as reader:
        for i, row in enumerate(rows):
            name = tree.names[row]
            with open_picture(tree.path, name, reader.read(name)) as opened:
                if exact and opened.size != (width, height):
                    raise BadData(
                        f"{tree.path}: {_quote(name)} has {opened.size[0]} x {opened.size[1]} pixels, "
                        f"but {width} x {height} are declared."
                    )
                with refuse_damage(f"{tree.path}: {_quote(name)} is damaged"):
                    if max(opened.size) > 4 * LARGEST_SIDE:
                        opened.draft(mode, (2 * width, 2 * height))  # decodes a large JPEG at a fraction of its size
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # warnings about metadata do not matter here
                        picture = ImageOps.exif_transpose(opened) if opened.format == "JPEG" and not exact else opened
                        picture = _to_eight_bits(picture).convert(mode)
                        if picture.size != (width, height):
                            picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
                    out[i] = np.asarray(picture).reshape(height, width, channels)
    return np.ascontiguousarray(out.transpose(0, 3, 1, 2))


def _to_eight_bits(picture: Any) -> Any:
    """Converts 16-bit grey to 8 bits; Pillow alone would clip at 255."""
    if not picture.mode.startswith("I"):
        return picture
    from PIL import Image

    return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def open_picture(path: Path, name: str, raw: bytes) -> Any:
    """Opens an image without decoding it. Raises BadData where it is none, or has too many pixels."""
    from PIL import Image

    if len(raw) > MAX_FILE:
        raise BadData(f"{path}: {_quote(name)} has more than {MAX_FILE >> 20} MiB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about too many pixels, which are checked below
            picture = Image.open(io.BytesIO(raw), formats=("PNG", "JPEG"))
    except Image.DecompressionBombError as error:
        raise BadData(f"{path}: {_quote(name)} has more than {MAX_PIXELS:,} pixels.") from error
    except Exception as error:  # whatever Pillow raises on other bytes
        raise BadData(f"{path}: {_quote(name)} is no readable PNG or JPEG image.") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise BadData(f"{path}: {_quote(name)} has {picture.width * picture.height:,} pixels; at most {MAX_PIXELS:,} are read.")
    return picture


def build_copy(tree: Tree, size: tuple[int, int, int], description: str, *, exact: bool = False, options: str = "") -> Copy:
    """A set of images that decodes only the chosen rows."""

    def read(choose: Choose) -> Pictures:
        rows = choose(tree.y, tree.test)
        return Pictures(decode_images(tree, rows, size, exact), tree.y[rows], tree.test[rows])

    return Copy(description, (tree.path,), read, partly=True, options=options)


def survey_numbered(path: Path, classes: tuple[str, ...]) -> Tree:
    """A zip of images whose names are numbers, in their order: training first. Raises BadData where it has other classes."""
    tree = survey_cached(path)
    if tree.classes != classes or not tree.test.any():
        raise BadData(f"{path} does not hold train and test folders of the classes {', '.join(classes)}.")
    stems = [Path(name).stem for name in tree.names]
    numbers = np.array([int(stem[:9]) if stem.isdecimal() else -1 for stem in stems])
    return tree.ordered(np.lexsort((tree.y, numbers, tree.test)))
