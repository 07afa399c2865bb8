"""Sets of images whose training images are multiplied after the split: MNIST and MNIST-back-rotation (DOS, table 5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from engine.data.facts import Facts
from engine.data.images import SplitImageOptions
from engine.data.sources import mnist, mnist_back_rotation
from engine.data.table import DELETE, Dataset, Multiply
from engine.spec.fields import param

ORDER = 61
SETS: dict[str, ModuleType] = {"mnist-multiplied": mnist, "mnist-back-rotation-multiplied": mnist_back_rotation}
READER = 1
"""Increase by hand when the rows change; part of the fingerprint."""


@dataclass(frozen=True)
class MultipliedOptions(SplitImageOptions):
    """Options of images that are multiplied."""

    copies: int = param(
        10, low=1, high=20, help="images made of one training image: itself, and the others turned and mirrored"
    )
    delete: str = param(
        "copies",
        choices=DELETE,
        help="what an imbalance removes: single copies after multiplying, or images before it, with all copies of them",
    )


def facts() -> list[Facts]:
    """The sets as the catalog shows them."""
    return [_describe(name, source.facts()[0]) for name, source in SETS.items()]


def available(name: str) -> bool:
    """Whether the images are here."""
    return name in SETS and bool(SETS[name].available(_given(name)))


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images before they are multiplied, with how. Raises DataMissing, BadData."""
    own: dict[str, Any] = {"copies": 10, "delete": "copies"} | {k: options[k] for k in ("copies", "delete") if k in options}
    rest = {k: v for k, v in options.items() if k not in own}
    given: Dataset = SETS[name].load(_given(name), rest)
    return dataclasses.replace(given, name=name, multiply=Multiply(own["copies"], own["delete"]))


def _given(name: str) -> str:
    return name.removesuffix("-multiplied")


def _describe(name: str, given: Facts) -> Facts:
    return dataclasses.replace(
        given,
        name=name,
        title=f"{given.title}, multiplied",
        source=f"made from {given.title.split(' (')[0].split(',')[0]}",
        fingerprint=f"{given.fingerprint} multiplied {READER}",
        summary="Which digit was written by hand? Every training image is there ten times, turned and mirrored; validation and test once.",
        options=MultipliedOptions,
    )
