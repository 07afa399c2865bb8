"""scikit-learn's bundled tables and its small digits: always available, no download.

The arrays' checksum is part of the fingerprint and is verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.facts import Facts, TableOptions
from engine.data.images import ImageOptions, build_chooser
from engine.data.table import Dataset, image_set, numeric_only
from engine.errors import BadData

ORDER = 20

LEVEL = 15
"""Pixel value of one grey level of the digits: 0 to 16 become 0 to 240, exactly, as uint8."""


@dataclass(frozen=True)
class Bundled:
    """One bundled table. classes, counts: in the order of the labels used here. swap: swaps the source's labels 0 and 1. shape:
    of images (channels, height, width), None for a table.
    """

    name: str
    title: str
    loader: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    features: int
    sha256: str
    citation: str
    url: str
    summary: str
    swap: bool = False
    shape: tuple[int, int, int] | None = None


SETS = {
    b.name: b
    for b in (
        Bundled(
            name="breast-cancer",
            title="Breast cancer (Wisconsin)",
            loader="load_breast_cancer",
            classes=("benign", "malignant"),
            counts=(357, 212),
            features=30,
            sha256="25e2eb7b7a8745b1bde5ba18bc4969983d2e2f403291ecd5bde4a29ef30c3859",
            citation="Wolberg, Mangasarian, Street, Street: Breast Cancer Wisconsin (Diagnostic). UCI, 1993.",
            url="https://doi.org/10.24432/C5DW2B",
            summary="Is a breast tumour malignant, from 30 measures of its cells' nuclei under the microscope?",
            swap=True,
        ),
        Bundled(
            name="wine",
            title="Wine",
            loader="load_wine",
            classes=("class_0", "class_1", "class_2"),
            counts=(59, 71, 48),
            features=13,
            sha256="3a28849ef2366c4b9d4e382b3fa5624a66f693c04d7fdcf43c529bbb0bb338d7",
            citation="Aeberhard, Forina: Wine. UCI, 1992.",
            url="https://doi.org/10.24432/C5PC7J",
            summary="Which of three growers made the wine, from 13 chemical measures?",
        ),
        Bundled(
            name="digits",
            title="Digits (8 x 8 pixels)",
            loader="load_digits",
            classes=tuple("0123456789"),
            counts=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
            features=64,
            sha256="f6d9e39f37dc45d327f6db33428ee58970ccceabb2535a5c179de35886b70443",
            citation="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits. UCI, 1998.",
            url="https://doi.org/10.24432/C50P49",
            summary="Which digit was written by hand, from 8 x 8 grey pixels? The 17 levels of the source (0 to 16) are times 15 here.",
            shape=(1, 8, 8),
        ),
        Bundled(
            name="iris",
            title="Iris",
            loader="load_iris",
            classes=("setosa", "versicolor", "virginica"),
            counts=(50, 50, 50),
            features=4,
            sha256="aa06b8008ceba42efc654be0f83fdafc786239c9e8f13146044d078f5aab8f23",
            citation="Fisher: The use of multiple measurements in taxonomic problems. Annals of Eugenics 7, 1936.",
            url="https://doi.org/10.24432/C56C76",
            summary="Which of three kinds of iris, from the length and width of its sepals and petals?",
        ),
    )
}


def facts() -> list[Facts]:
    """The tables as the catalog shows them."""
    return [
        Facts(
            name=b.name,
            title=b.title,
            kind="tabular" if b.shape is None else "images",
            source="scikit-learn",
            classes=b.classes,
            counts=b.counts,
            features=b.features,
            columns=b.features,
            licence="CC BY 4.0",
            citation=b.citation,
            url=b.url,
            fingerprint=f"sha256 {b.sha256}" if b.shape is None else f"images x {LEVEL} sha256 {b.sha256}",
            how_to_get="Nothing to get: it comes with scikit-learn.",
            summary=b.summary,
            options=TableOptions if b.shape is None else ImageOptions,
            shape=b.shape,
        )
        for b in SETS.values()
    ]


def available(name: str) -> bool:
    """Always."""
    return name in SETS


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The table of that name. Raises BadData where the installed scikit-learn has other rows than these facts."""
    from sklearn import datasets  # takes a second to import, and the catalog does not need it

    wanted = SETS[name]
    source = getattr(datasets, wanted.loader)()
    x, y = np.ascontiguousarray(source.data, np.float64), np.ascontiguousarray(source.target, np.int64)
    found = digest(x, y)
    if found != wanted.sha256:
        raise BadData(f"{name} as bundled with this scikit-learn has checksum {found[:12]}, not {wanted.sha256[:12]}.")
    if wanted.shape is not None:
        pixels = (x * LEVEL).astype(np.uint8).reshape(-1, *wanted.shape)
        rows = build_chooser(options)(y, np.zeros(len(y), bool))
        return image_set(name, pixels[rows], y[rows], wanted.classes)
    names = tuple(str(n) for n in source.feature_names)
    return numeric_only(name, "tabular", x, 1 - y if wanted.swap else y, names, wanted.classes)


def digest(x: np.ndarray, y: np.ndarray) -> str:
    """sha256 of the rows as little-endian float64 and int64."""
    return hashlib.sha256(x.astype("<f8").tobytes() + y.astype("<i8").tobytes()).hexdigest()
