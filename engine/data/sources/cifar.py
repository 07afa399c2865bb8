"""CIFAR-10 and CIFAR-100: 32 x 32 colour photographs, from their official Python archives; CIFAR-10 also from OpenML's copy or
a zip of images.

A zip of JPEG images has other pixels than the official archive (repeated compression loses detail, and accuracy), so the live
catalog's fingerprint depends on the copy. The archives hold pickles. They are read without executing anything in them: `Plain`
admits the three names these files use, and replaces them by harmless stand-ins.
"""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - only the documented restriction of Unpickler.find_class, see Plain
import pickletools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import open_tar, refuse_damage
from engine.data import folders, images, openml, places
from engine.data.facts import Facts
from engine.data.folders import survey_numbered
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing

ORDER = 70
FETCHES = ("cifar10",)

SHAPE = (3, 32, 32)
MAX_MEMBER = 200 << 20
ARCHIVE = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
ZIP, NPZ, OPENML = "cifar10.zip", "cifar10.npz", 40927
MEMBERS = {
    "cifar10": (tuple(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)), ("cifar-10-batches-py/test_batch",)),
    "cifar100": (("cifar-100-python/train",), ("cifar-100-python/test",)),
}
"""Training and test members of each archive."""

LABELS = {"cifar10": b"labels", "cifar100": b"fine_labels"}
FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail "
    "snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout "
    "tulip turtle wardrobe whale willow_tree wolf woman worm"
)
"""The fine labels of CIFAR-100, in their order."""

CLASSES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(FINE.split()),
}
COUNTS = {"cifar10": ((5000,) * 10, (1000,) * 10), "cifar100": ((500,) * 100, (100,) * 100)}
TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
HOW = {
    "cifar10": (
        "`python -m engine fetch cifar10` downloads it from OpenML (650 MB), or put cifar-10-python.tar.gz or cifar10.zip "
        "(train/CLASS/NUMBER.jpg and test/CLASS/NUMBER.jpg) into the folder that LAB_DATA names"
    ),
    "cifar100": "put the official archive cifar-100-python.tar.gz into the folder that LAB_DATA names",
}
SUMMARY = {
    "cifar10": (
        "What does this small photograph show: a vehicle or an animal, of ten kinds? Read from the official archive, OpenML's "
        "copy, or a zip of images; a zip of JPEG images has lost detail, which lowers scores by some points."
    ),
    "cifar100": "What does this small photograph show, of a hundred kinds of things (the fine labels)?",
}
CITATION = "Krizhevsky: Learning multiple layers of features from tiny images. University of Toronto, 2009."

READER = 1
"""Increase by hand when the same files would be read as other rows; part of the fingerprint."""


def facts() -> list[Facts]:
    """Both sets as the catalog shows them."""
    return [
        Facts(
            name=name,
            title=f"{title} (small photographs)",
            kind="images",
            source="your files or OpenML" if name == "cifar10" else "your files",
            classes=CLASSES[name],
            counts=COUNTS[name][0],
            features=3072,
            columns=3072,
            licence="not stated",
            citation=CITATION,
            url="https://www.cs.toronto.edu/~kriz/cifar.html",
            fingerprint=f"{name} {READER}",
            how_to_get=f"{HOW[name][0].upper()}{HOW[name][1:]}.",
            summary=SUMMARY[name],
            options=SplitImageOptions,
            shape=SHAPE,
            test_counts=COUNTS[name][1],
        )
        for name, title in TITLES.items()
    ]


def available(name: str) -> bool:
    """Whether a copy lies in a data folder."""
    others = (ZIP, NPZ) if name == "cifar10" else ()
    return any(places.find_files(file) for file in (ARCHIVE[name], *others))


def live(name: str) -> dict[str, Any]:
    """Changes of the entry for the copy on this machine."""
    return {"fingerprint": f"{name} {READER} {images.identity(*find_copy(name).files)}"} if available(name) else {}


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images. Raises DataMissing (no copy on this machine), BadData (an incomplete copy)."""
    copy = find_copy(name)
    return images.load_images(
        name, copy, options, CLASSES[name], images.build_whole_copy(TITLES[name], str(copy.files[0]), *COUNTS[name], HOW[name])
    )


def find_copy(name: str) -> Copy:
    """The copy to read: the official archive, else OpenML's, else the zip. Raises DataMissing."""
    for path in places.find_files(ARCHIVE[name]):
        return Copy(f"the official archive ({path.name})", (path,), partial(read_archive, path, name))
    if name == "cifar10":
        for path in places.find_files(NPZ):
            return Copy(f"OpenML's copy ({NPZ})", (path,), partial(_read_folder, path))
        for path in places.find_files(ZIP):
            return Copy(f"images in {ZIP}", (path,), partial(_read_zip, path), partly=True)
    raise DataMissing(f"{TITLES[name]} is not on this machine; {HOW[name]}.")


def _read_folder(path: Path, choose: Choose) -> Pictures:
    pictures = images.unpack(path)
    return pictures.rows(choose(pictures.y, pictures.test))


def _read_zip(path: Path, choose: Choose) -> Pictures:
    tree = survey_numbered(path, CLASSES["cifar10"])
    if (tree.counts(False), tree.counts(True)) != COUNTS["cifar10"]:
        raise BadData(
            f"{path} does not hold 5000 training and 1000 test images of every class: delete it; then {HOW['cifar10']}."
        )
    return folders.build_copy(tree, SHAPE, path.name, exact=True).read(choose)


def read_archive(path: Path, name: str, choose: Choose = images.choose_all) -> Pictures:
    """The official archive: batches of rows of 3072 bytes, red, green, blue, each row by row. Raises BadData."""
    parts = MEMBERS[name]
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    refusing = refuse_damage(f"{path} cannot be read as a gzipped archive", f": delete it; then {HOW[name]}")
    with refusing, open_tar(path, MAX_MEMBER) as tar:
        for member in tar:
            if member.isreg() and member.name in (*parts[0], *parts[1]):
                if member.size > MAX_MEMBER:
                    raise BadData(f"{path}: {member.name} has {member.size >> 20} MiB; at most {MAX_MEMBER >> 20} are read.")
                file = tar.extractfile(member)
                assert file is not None  # a regular file has content
                found[member.name] = parse_batch(file.read(), f"{path}: {member.name}", LABELS[name], len(CLASSES[name]))
    if missing := [m for part in parts for m in part if m not in found]:
        raise BadData(f"{path} does not hold {missing[0]}: delete it; then {HOW[name]}.")
    x, y = (np.concatenate([found[m][i] for part in parts for m in part]) for i in range(2))
    test = np.concatenate([np.full(len(found[m][1]), i == 1) for i, part in enumerate(parts) for m in part])
    return Pictures(x, y, test).rows(choose(y, test))


def parse_batch(raw: bytes, where: str, labels: bytes, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """One pickled batch: images uint8 [n, 3, 32, 32] and labels [n] int64. Raises BadData."""
    with refuse_damage(f"{where} is no batch of CIFAR images"):
        check_opcodes(raw)
        table = Plain(io.BytesIO(raw), encoding="bytes").load()
        x, listed = table[b"data"].values(), table[labels]
        if not isinstance(listed, list) or not all(type(v) is int and 0 <= v < classes for v in listed):
            raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}")
        if x.shape != (len(listed), 3072):
            raise ValueError(f"data of shape {x.shape} with {len(listed)} labels")
    return x.reshape(-1, *SHAPE), np.array(listed, np.int64)


def check_opcodes(raw: bytes) -> None:
    """Raises ValueError for a pickle that numbers what it keeps above its length: unpickling would take memory for all numbers."""
    for opcode, argument, _ in pickletools.genops(raw):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= len(raw):
            raise ValueError(f"it keeps something under number {argument}")


class Pixels:
    """Stand-in for NumPy's array in a pickle: stores its state, builds nothing."""

    def __init__(self, *state: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def values(self) -> np.ndarray:
        """The bytes as uint8 in their shape. Raises ValueError where they are something else."""
        match self.state:
            case (_, tuple() as shape, Kind(code=b"u1"), fortran, bytes() as raw) if all(
                type(n) is int and n >= 0 for n in shape
            ):
                return np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C"))
        raise ValueError("the pixels are no bytes")


class Kind:
    """Stand-in for NumPy's dtype in a pickle."""

    def __init__(self, code: object = None, *state: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignores the state (byte order and the like), which does not matter for bytes."""


class Plain(pickle.Unpickler):
    """An unpickler for dicts, lists, tuples, numbers, strings and the two stand-ins. It rejects every other name."""

    NAMES = {
        ("numpy.core.multiarray", "_reconstruct"): Pixels,
        ("numpy", "ndarray"): Pixels,
        ("numpy", "dtype"): Kind,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name these files use. Raises UnpicklingError for any other."""
        if (module, name) not in self.NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is refused")
        return self.NAMES[module, name]


def fetch(say: Callable[[str], None] = lambda sentence: None) -> None:
    """Downloads OpenML's copy of CIFAR-10 and saves it as `cifar10.npz`, unless its pixels are here. Raises DataMissing."""
    if places.find_files(ARCHIVE["cifar10"]) or places.find_files(NPZ):
        say(f"CIFAR-10 is here already: {find_copy('cifar10').files[0]}.")
        return
    places.remove_unfinished()
    say(f"Downloading CIFAR-10 (OpenML {OPENML}, 650 MB; it takes some minutes and about 4 GB of memory).")
    check = images.build_whole_copy("CIFAR-10", "OpenML's copy", *COUNTS["cifar10"], HOW["cifar10"])
    try:
        pictures = openml.fetch_pictures(OPENML, SHAPE, np.arange(60_000) >= 50_000, "CIFAR-10", HOW["cifar10"])
        check(pictures)
    except BadData as error:
        raise DataMissing(f"OpenML's copy of CIFAR-10 is not what it should be ({error}); it was thrown away.") from error
    images.write_cache(NPZ, pictures)
    say("CIFAR-10 is here.")
