"""CelebA's hair colours: faces with exactly one of five attributes, 32 x 32, from the official files.

`img_align_celeba.zip`, `list_attr_celeba.txt` and `list_eval_partition.txt`. The middle 178 x 178 pixels of the aligned images
are scaled to 32 x 32. Training and validation images of the official partition are training here, its test images test.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import refuse_damage
from engine.data import folders, images, places
from engine.data.facts import Facts
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing
from engine.text import quote

ORDER = 100

ZIP, ATTRIBUTES, PARTITION = "img_align_celeba.zip", "list_attr_celeba.txt", "list_eval_partition.txt"
COLUMNS = ("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "Bald")
SHAPE = (3, 32, 32)
CLASSES = ("black", "brown", "blond", "gray", "bald")
MARKED = (48_472, 41_572, 29_983, 8_499, 4_547)
"""Images with each attribute, whether or not they have others: upper bounds of the class sizes."""

HOW = (
    "put the official files img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt into the folder that "
    "LAB_DATA names"
)

MAX_LIST = 128 << 20
"""Bytes of a list; the official ones have 26 MB at most."""
READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""


def facts() -> list[Facts]:
    """CelebA as the catalog shows it."""
    return [
        Facts(
            name="celeba",
            title="CelebA (hair colour)",
            kind="images",
            source="your files",
            classes=CLASSES,
            counts=MARKED,
            features=3072,
            columns=3072,
            licence="non-commercial research only",
            citation="Liu, Luo, Wang, Tang: Deep learning face attributes in the wild. ICCV, 2015.",
            url="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
            fingerprint=f"celeba {READER}",
            how_to_get=f"P{HOW[1:]}.",
            summary=(
                "Which hair has this face, of black, brown, blond, gray and bald? Faces marked with exactly one of the five; until "
                "the files are here, the counts are of all faces marked with each."
            ),
            options=SplitImageOptions,
            shape=SHAPE,
        )
    ]


def available(name: str) -> bool:
    """Whether the three files lie in a data folder."""
    return all(places.find_files(file) for file in (ZIP, ATTRIBUTES, PARTITION))


def live(name: str) -> dict[str, Any]:
    """Changes of the entry for the files on this machine: counts are those of the rows. Raises BadData."""
    if not available(name):
        return {}
    paths = _paths()
    _, y, test = read_rows(*paths[1:])
    counts, tested = (np.bincount(y[test == part], minlength=len(CLASSES)).tolist() for part in (False, True))
    return {
        "fingerprint": f"celeba {READER} {images.identity(*paths)}",
        "rows": len(y),
        "counts": counts,
        "test_counts": tested,
        "ratio": round(max(counts) / min(counts), 2),
    }


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The faces. Raises DataMissing (not on this machine), BadData (files with unexpected content)."""
    if not available(name):
        raise DataMissing(f"CelebA is not on this machine; {HOW}.")
    paths = _paths()
    copy = Copy("the official aligned images", paths, lambda choose: read_pictures(paths, choose), partly=True)
    return images.load_images(name, copy, options, CLASSES)


def _paths() -> tuple[Path, Path, Path]:
    one, two, three = (places.find_files(file)[0] for file in (ZIP, ATTRIBUTES, PARTITION))
    return one, two, three


def read_rows(attributes: Path, partition: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """File names, y and test of the faces with exactly one of the attributes, in the files' order. Raises BadData."""
    return _read_rows(attributes, partition, images.identity(attributes, partition))


@cache
def _read_rows(attributes: Path, partition: Path, identity: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    with refuse_damage(f"{attributes} and {partition.name} cannot be read as CelebA's lists", f"; {HOW}"):
        for path in (attributes, partition):
            if path.stat().st_size > MAX_LIST:
                raise BadData(f"{path} has {path.stat().st_size >> 20:,} MiB; at most {MAX_LIST >> 20} are read.")
        _, header, *lines = attributes.read_text(encoding="ascii").splitlines()
        where = [header.split().index(column) + 1 for column in COLUMNS]
        table = [line.split() for line in lines if line.strip()]
        names = [row[0] for row in table]
        marked = np.array([[int(row[i]) for i in where] for row in table]).reshape(len(table), len(where)) == 1
        pairs = (line.split() for line in partition.read_text(encoding="ascii").splitlines() if line.strip())
        parts = {name: int(part) for name, part in pairs}
        part = np.array([parts[name] for name in names])
    kept = np.flatnonzero(marked.sum(1) == 1)
    y, test = marked[kept].argmax(1).astype(np.int64), part[kept] == 2
    for is_test in (False, True):
        if not np.bincount(y[test == is_test], minlength=len(CLASSES)).all():
            raise BadData(f"{attributes}: a hair colour has no {'test' if is_test else 'training'} image; {HOW}.")
    return tuple(names[i] for i in kept), y, test


def read_pictures(paths: tuple[Path, Path, Path], choose: Choose = images.choose_all) -> Pictures:
    """The chosen faces. Raises BadData."""
    from PIL import Image

    names, y, test = read_rows(*paths[1:])
    which = choose(y, test)
    out = np.empty((len(which), 32, 32, 3), np.uint8)
    reader = folders.ZipReader(paths[0])
    try:
        for i, row in enumerate(which):
            with folders.open_picture(paths[0], names[row], reader.read(f"img_align_celeba/{names[row]}")) as face:
                width, height = face.size
                side = min(width, height)
                left, top = (width - side) / 2, (height - side) / 2
                with refuse_damage(f"{paths[0]}: {quote(names[row])} is damaged"):
                    small = face.convert("RGB").resize(
                        (32, 32), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side), reducing_gap=3.0
                    )
                out[i] = np.asarray(small)
    finally:
        reader.close()
    return Pictures(np.ascontiguousarray(out.transpose(0, 3, 1, 2)), y[which], test[which])
