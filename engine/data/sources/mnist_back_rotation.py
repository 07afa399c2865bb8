"""MNIST-back-rotation, made from MNIST: rotated digits over textured backgrounds.

A reconstruction of the published set (Larochelle et al., 2007), which has to be obtained by hand, with the same design. Every
digit is rotated by an angle drawn uniformly from a full turn and laid over a patch of one of 20 grey pictures, where the patch
has some contrast. There are 12,000 training and 50,000 test rows.

Differences: the pictures are textures computed here (noise whose power falls with frequency, stretched in a direction, and
gratings), since the published ones are not available. The choice of MNIST rows and their angles are new draws. Test rows are
MNIST's 10,000 test images and 40,000 of its training images; no image is in both parts.

All draws come from one fixed seed and belong to the row, so a row does not depend on which others are requested.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from engine.data import images
from engine.data.facts import Facts
from engine.data.images import Choose, Copy, Pictures, SplitImageOptions
from engine.data.sources import mnist
from engine.data.table import Dataset

ORDER = 60

NAME = "mnist-back-rotation"
TRAIN, TEST = 12_000, 50_000
COUNTS = (1202, 1363, 1164, 1256, 1143, 1115, 1176, 1228, 1148, 1205)
TEST_COUNTS = (4902, 5664, 4999, 5061, 4895, 4461, 4890, 5243, 4924, 4961)
SIDE = 28
TEXTURES, CANVAS = 20, 256
CONTRAST = 0.1
"""Least standard deviation of a patch, of pixels between 0 and 1."""

DARKER = 1.5
"""Exponent applied to the backgrounds' values: their mean is 0.4, so that most white digits are visible."""

BLOCK = 2_000  # rows at a time: some tens of MB

READER = 1
"""Increase by hand when the rows change; part of the fingerprint."""


def facts() -> list[Facts]:
    """The set as the catalog shows it."""
    return [
        Facts(
            name=NAME,
            title="MNIST, rotated, with backgrounds",
            kind="images",
            source="made from MNIST",
            classes=mnist.CLASSES,
            counts=COUNTS,
            features=SIDE * SIDE,
            columns=SIDE * SIDE,
            licence="not stated",
            citation=(
                "After Larochelle, Erhan, Courville, Bergstra, Bengio: An empirical evaluation of deep architectures on problems "
                "with many factors of variation. ICML, 2007. Digits: LeCun et al., 1998."
            ),
            url="https://doi.org/10.1145/1273496.1273556",
            fingerprint=f"{NAME} {READER} mnist sha256 {mnist.SHA256}",
            how_to_get=f"It is made from MNIST: {mnist.HOW}.",
            summary=(
                "Which digit was written by hand, turned by any angle, over a textured background? A reconstruction made here from "
                "MNIST after the published recipe, with computed textures: not the published file, so scores differ from it."
            ),
            options=SplitImageOptions,
            shape=mnist.SHAPE,
            test_counts=TEST_COUNTS,
        )
    ]


def available(name: str) -> bool:
    """Whether MNIST is here."""
    return mnist.available("mnist")


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The images. Raises DataMissing (MNIST is not here), BadData (a copy is not MNIST)."""
    source = mnist.find_copy()
    copy = Copy(
        f"made from {source.description}",
        source.files,
        lambda choose: make_pictures(source, choose),
        source.partly,
        f"{NAME} {READER}",
    )
    check = images.build_whole_copy(NAME, str(source.files[0]), COUNTS, TEST_COUNTS, mnist.HOW)
    return images.load_images(NAME, copy, options, mnist.CLASSES, check)


def make_pictures(source: Copy, choose: Choose = images.choose_all) -> Pictures:
    """The chosen rows, made from a copy of MNIST. Raises BadData."""
    ours: list[tuple[np.ndarray, np.ndarray]] = []

    def of_mnist(y: np.ndarray, test: np.ndarray) -> np.ndarray:
        """The MNIST rows needed; `ours` gets the numbers of the chosen rows and, for each, MNIST's."""
        members = _choose_members(test)
        rows = choose(y[members], np.arange(len(members)) >= TRAIN)
        ours.append((rows, members[rows]))
        return np.sort(members[rows])

    read = source.read(of_mnist)
    rows, members = ours[0]
    place = np.searchsorted(np.sort(members), members)
    out = np.empty((len(rows), *mnist.SHAPE), np.uint8)
    draws = _draw_all()
    for first in range(0, len(rows), BLOCK):
        part = slice(first, first + BLOCK)
        digits = rotate(read.images[place[part], 0], draws["angle"][rows[part]])
        backgrounds = cut_patches(draws["texture"][rows[part]], draws["patch"][rows[part]])
        out[part, 0] = overlay(digits, backgrounds)
    return Pictures(out, read.y[place], rows >= TRAIN)


def _choose_members(test: np.ndarray) -> np.ndarray:
    """MNIST's row for each row [62,000]: 12,000 of its training rows, then its test rows and 40,000 other training rows."""
    rng = _rng("rows")
    train = rng.permutation(np.flatnonzero(~test))
    tested = np.concatenate([np.flatnonzero(test), train[TRAIN : TRAIN + TEST - int(test.sum())]])
    return np.concatenate([train[:TRAIN], rng.permutation(tested)])


@cache
def _draw_all() -> dict[str, np.ndarray]:
    """Angle in radians, number of the texture and place of the patch (a share of the possible places) of every row."""
    rng, n = _rng("draws"), TRAIN + TEST
    return {"angle": rng.uniform(0, 2 * np.pi, n), "texture": rng.integers(TEXTURES, size=n), "patch": rng.uniform(size=n)}


def _rng(purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{NAME}.{purpose}".encode()))


def rotate(digits: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Images [n, h, w] rotated about their centre by angles [n] in radians, bilinear, 0 outside: float32 [n, h, w].

    A positive angle turns from the axis of columns towards that of rows (clockwise as displayed).
    """
    n, h, w = digits.shape
    row, column = np.mgrid[:h, :w].astype(np.float32) - np.array([(h - 1) / 2, (w - 1) / 2], np.float32)[:, None, None]
    cos, sin = (f(angle).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    # source of each pixel, by the inverse rotation; a margin of one pixel keeps every corner inside the array
    y = (cos * row - sin * column + np.float32((h - 1) / 2 + 1)).clip(0, h + 0.999)
    x = (sin * row + cos * column + np.float32((w - 1) / 2 + 1)).clip(0, w + 0.999)
    framed = np.zeros((n, h + 3, w + 3), np.float32)
    framed[:, 1 : h + 1, 1 : w + 1] = digits
    top, left = y.astype(np.intp), x.astype(np.intp)
    down, right = y - np.floor(y), x - np.floor(x)
    corner = (np.arange(n)[:, None, None] * (h + 3) + top) * (w + 3) + left
    flat = framed.reshape(-1)
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + w + 3] * (1 - right) + flat[corner + w + 4] * right
    out: np.ndarray = upper * (1 - down) + lower * down
    return out


def overlay(digits: np.ndarray, backgrounds: np.ndarray) -> np.ndarray:
    """White digits (0 to 255: amount of ink) over backgrounds (0 to 1), uint8."""
    ink = digits / np.float32(255)
    out: np.ndarray = np.rint(255 * (ink + (1 - ink) * backgrounds)).astype(np.uint8)
    return out


def cut_patches(texture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Patches [n, 28, 28] between 0 and 1: of textures [n], at shares [n] of the places with enough contrast."""
    canvas, usable = _load_textures(), _find_usable()
    at = np.array([usable[t][int(p * len(usable[t]))] for t, p in zip(texture, place, strict=True)]).reshape(-1)
    span = CANVAS - SIDE + 1
    rows = (at // span)[:, None, None] + np.arange(SIDE)[:, None]
    columns = (at % span)[:, None, None] + np.arange(SIDE)
    out: np.ndarray = canvas[texture[:, None, None], rows, columns]
    return out


@cache
def _load_textures() -> np.ndarray:
    """20 grey pictures [20, 256, 256] float32, values in 0 to 1, uniformly distributed before they are darkened."""
    rng = _rng("textures")
    across = np.fft.fftfreq(CANVAS)
    out = np.empty((TEXTURES, CANVAS, CANVAS), np.float32)
    for t in range(TEXTURES):
        fall, stretch, turn = rng.uniform(0.8, 2.0), rng.uniform(1, 4), rng.uniform(0, np.pi)
        u = np.cos(turn) * across[:, None] + np.sin(turn) * across
        v = stretch * (np.cos(turn) * across - np.sin(turn) * across[:, None])
        frequency = np.hypot(u, v)
        frequency[0, 0] = np.inf  # removes the mean
        noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((CANVAS, CANVAS))) * frequency**-fall).real
        period, phase, share = rng.uniform(5, 20), rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.8)
        line = np.arange(CANVAS)
        grating = np.sin(2 * np.pi * (np.cos(turn) * line[:, None] + np.sin(turn) * line) / period + phase)
        mixed = noise / noise.std() + share * grating
        out[t].reshape(-1)[np.argsort(mixed, axis=None, kind="stable")] = (
            np.linspace(0, 1, CANVAS**2, dtype=np.float32) ** DARKER
        )
    return out


@cache
def _find_usable() -> list[np.ndarray]:
    """Of each texture, the places (row * span + column of the upper left corner) whose patch has enough contrast."""
    out = []
    for texture in _load_textures().astype(np.float64):
        moments = []
        for power in (1, 2):
            total = np.pad(texture**power, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
            window = total[SIDE:, SIDE:] - total[:-SIDE, SIDE:] - total[SIDE:, :-SIDE] + total[:-SIDE, :-SIDE]
            moments.append(window / SIDE**2)
        deviation = np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0))
        out.append(np.flatnonzero(deviation.reshape(-1) >= CONTRAST))
    return out
