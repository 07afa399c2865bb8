"""Two-dimensional sets for display. Each is a frozen dataclass of its options.

`Points` implement `place`. Both classes have equally many rows (class 0 gets the odd one), so the spec makes every imbalance. The rows
depend on the options alone: the spec's seed draws splits, never points.

`HiddenCluster` names the part of every row and has its own class shares, so no imbalance is made. Its rows depend on the options, the
spec's seed and the seed index: seed index i draws them from `numpy_stream(seed, "rows", i)`.
"""

from __future__ import annotations

import abc
import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engine.data.facts import Facts
from engine.data.table import PARTS, Dataset, numeric_only
from engine.spec import limits
from engine.spec.fields import param

ORDER = 10

GENERATOR = 1
"""Increase by hand when the same options would give other points; part of the fingerprint of every set here."""

CLASSES = ("majority", "minority")


@dataclass(frozen=True)
class Points(abc.ABC):
    """A set of points in the plane. Subclasses implement `place`."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    rows: int = param(2000, low=100, high=20000, log=True, help="rows of both classes together")
    draw: int = param(0, low=0, high=9999, help="another number draws the set anew", advanced=True)

    @abc.abstractmethod
    def place(self, c: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """n points [n, 2] of class c (0 majority, 1 minority)."""

    @property
    def counts(self) -> tuple[int, int]:
        """Rows per class."""
        return self.rows - self.rows // 2, self.rows // 2

    def make(self) -> Dataset:
        """The set; class 0's rows come first."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), self.draw])
        x = np.concatenate([self.place(c, n, rng) for c, n in enumerate(self.counts)])
        return numeric_only(self.name, "points", x, np.repeat([0, 1], self.counts), ("x", "y"), CLASSES)


@dataclass(frozen=True)
class Moons(Points):
    """Two interleaved half circles of radius 1."""

    name = "moons"
    title = "Two moons"
    summary = "Two half circles, one inside the other's mouth: the boundary between them bends twice."
    noise: float = param(
        0.2, low=0.0, high=1.0, what_if=True, help="standard deviation added to both coordinates; the moons have radius 1"
    )

    def place(self, c: int, n: int, rng: np.random.Generator) -> np.ndarray:
        angle = rng.uniform(0, np.pi, n)
        moon = np.column_stack([np.cos(angle), np.sin(angle)])
        if c == 1:
            moon = np.array([1.0, 0.5]) - moon
        return moon + self.noise * rng.standard_normal((n, 2))


@dataclass(frozen=True)
class Rings(Points):
    """Concentric rings at radius 1, 2, ...; classes alternate, and the outermost ring is of the majority."""

    name = "rings"
    title = "Rings"
    summary = "Concentric rings of alternating class: the boundary must close around the inner ones."
    noise: float = param(0.35, low=0.0, high=1.0, what_if=True, help="standard deviation across a ring; rings lie 1 apart")
    rings: int = param(2, low=2, high=6, help="number of rings")

    def place(self, c: int, n: int, rng: np.random.Generator) -> np.ndarray:
        radii = np.arange(self.rings - c, 0, -2, dtype=float)
        radius = rng.choice(radii, n, p=radii / radii.sum())  # the same density along every ring of a class
        radius = radius + self.noise * rng.standard_normal(n)
        angle = rng.uniform(0, 2 * np.pi, n)
        return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@dataclass(frozen=True)
class Checkerboard(Points):
    """Squares of side 1 with alternating class."""

    name = "checkerboard"
    title = "Checkerboard"
    summary = "Squares of alternating class: the minority lives in many separate places, each with few rows."
    noise: float = param(
        0.05, low=0.0, high=1.0, what_if=True, help="standard deviation added to both coordinates; squares have side 1"
    )
    cells: int = param(4, low=2, high=8, help="squares along each side")

    def place(self, c: int, n: int, rng: np.random.Generator) -> np.ndarray:
        row, column = np.divmod(np.arange(self.cells**2), self.cells)
        own = np.flatnonzero((row + column) % 2 == c)
        cell = rng.choice(own, n)
        corner = np.column_stack([column[cell], row[cell]]) - self.cells / 2
        return corner + rng.uniform(0, 1, (n, 2)) + self.noise * rng.standard_normal((n, 2))


@dataclass(frozen=True)
class Clusters(Points):
    """A minority in irregular scattered clusters inside the majority, after figure 1 of Yasinnik et al.

    The majority fills a disc of radius 3; clusters are Gaussians of uneven size, length and direction, centred inside it and
    at least 1 apart where they fit. Inside a cluster the majority is thinned, to the share `noise` in its centre.
    """

    name = "clusters"
    title = "Scattered clusters"
    summary = "A minority in irregular clusters scattered inside the majority, as in figure 1 of the explicit-gradient paper."
    noise: float = param(
        0.2, low=0.0, high=1.0, what_if=True, help="share of the majority's density left in a cluster's centre"
    )
    clusters: int = param(6, low=1, high=12, help="number of minority clusters")

    RADIUS: ClassVar[float] = 3.0

    def place(self, c: int, n: int, rng: np.random.Generator) -> np.ndarray:
        # the clusters come from a stream of their own, since both classes must get the same ones
        centre, shape, share = self._clusters(np.random.default_rng([zlib.crc32(b"clusters.shapes"), self.draw]))
        if c == 1:
            k = rng.choice(self.clusters, n, p=share)
            points: np.ndarray = centre[k] + np.einsum("nij,nj->ni", shape[k], rng.standard_normal((n, 2)))
            return points
        kept: list[np.ndarray] = []
        while sum(map(len, kept)) < n:
            radius = self.RADIUS * np.sqrt(rng.uniform(0, 1, n))
            angle = rng.uniform(0, 2 * np.pi, n)
            x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
            inverse = np.linalg.inv(shape)
            away = np.einsum("kij,nkj->nki", inverse, x[:, None] - centre)
            depth = np.exp(-0.5 * (away / 1.5) ** 2).prod(2).max(1)  # 1 in the nearest cluster's centre, 0 far from all
            kept.append(x[rng.uniform(0, 1, n) >= (1 - self.noise) * depth])
        return np.concatenate(kept)[:n]

    def _clusters(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres [k, 2], factors of the covariances [k, 2, 2], shares of the minority's rows [k]."""
        centre = np.empty((0, 2))
        while len(centre) < self.clusters:
            r, a = 0.8 * self.RADIUS * np.sqrt(rng.uniform(0, 1, 50)), rng.uniform(0, 2 * np.pi, 50)
            tries = np.column_stack([r * np.cos(a), r * np.sin(a)])
            far = np.linalg.norm(tries[:, None] - centre, axis=2).min(1, initial=np.inf)
            apart = np.flatnonzero(far >= 1)
            centre = np.vstack([centre, tries[apart[0] if len(apart) else far.argmax()]])
        turn, long, thin = (rng.uniform(low, high, self.clusters) for low, high in ((0, np.pi), (0.25, 0.45), (0.08, 0.2)))
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 0, 1)
        share = rng.uniform(0.5, 1.5, self.clusters)
        return centre, axes * np.column_stack([long, thin])[:, None, :], share / share.sum()


@dataclass(frozen=True)
class HiddenCluster:
    """A majority around the origin and two minority clusters inside it. Validation and test show both clusters; training has all but
    a few of its minority rows in the first one.

    The test rows come first in the stream, and each part's rows are drawn at once, so the options that change the shares and `given`
    leave the test rows' places as they are.
    """

    name: ClassVar[str] = "hidden-cluster"
    title: ClassVar[str] = "Hidden cluster"
    summary: ClassVar[str] = "Validation shows a minority cluster that training all but lacks. Every seed draws all rows anew."
    train: int = param(1000, low=100, high=20000, log=True, label="training rows", help="rows of both classes")
    valid: int = param(2000, low=100, high=20000, log=True, label="validation rows", help="rows of both classes")
    test: int = param(8000, low=100, high=20000, log=True, label="test rows", help="rows of both classes")
    share: float = param(
        0.03, low=0.005, high=0.5, label="minority share", what_if=True, help="share of minority rows in training"
    )  # fmt: skip
    share_later: float = param(
        0.05, low=0.005, high=0.5, label="minority share outside training", help="share of minority rows in validation and test",
        advanced=True,
    )  # fmt: skip
    hidden: int = param(
        1, low=1, high=15, label="hidden rows in training", what_if=True, help="training rows of the hidden cluster"
    )  # fmt: skip
    hidden_share: float = param(
        0.6, low=0.05, high=0.95, label="hidden share", help="share of the hidden cluster in the minority of validation and test",
        advanced=True,
    )  # fmt: skip
    given: float = param(
        0.0, low=0.0, high=0.9, label="validation rows given to training",
        help="share of validation rows that training gets; the test rows stay the same", advanced=True,
    )  # fmt: skip

    CENTRES: ClassVar = ((0.0, 0.0), (-2.0, 0.0), (2.0, 1.0))
    SPREADS: ClassVar = (1.6, 0.45, 0.45)
    """Centres and standard deviations of the majority, the first and the hidden cluster."""

    @property
    def counts(self) -> tuple[int, int]:
        """Training rows per class."""
        majority, minority = self.part_counts["train"]
        return majority, minority

    @property
    def part_counts(self) -> dict[str, tuple[int, ...]]:
        """Rows per class of each part."""
        return {part: tuple(counts) for part, counts in limits.part_counts(vars(self)).items()}

    def make(self, seed: int = 0, index: int = 0) -> Dataset:
        """The rows of seed index `index` of a run with this seed, in the order of PARTS (as they are before `given` moves some), and
        in each the majority first, the hidden cluster last."""
        from engine.seeds import numpy_stream  # torch: the catalog needs none

        rng = numpy_stream(seed, "rows", index)
        groups = limits.group_counts(vars(self))
        noise = {part: rng.standard_normal((sum(groups[part]), 2)) for part in reversed(PARTS)}
        group = {part: np.repeat([0, 1, 2], groups[part]) for part in PARTS}
        centres, spreads = np.array(self.CENTRES), np.array(self.SPREADS)
        x = np.concatenate([centres[group[part]] + spreads[group[part], None] * noise[part] for part in PARTS])
        parts = np.repeat([0, 1, 2], [sum(groups[part]) for part in PARTS])
        every = np.concatenate([group[part] for part in PARTS])
        for g, moved in enumerate(limits.given_counts(vars(self))):
            parts[np.flatnonzero((parts == PARTS.index("valid")) & (every == g))[:moved]] = PARTS.index("train")
        dataset = numeric_only(self.name, "points", x, (every > 0).astype(np.int64), ("x", "y"), CLASSES)
        return dataclasses.replace(dataset, parts=parts, redraw=self.make, faint=every == 2)


DRAWN: dict[str, type[HiddenCluster]] = {cls.name: cls for cls in (HiddenCluster,)}
"""Sets whose rows name their part and are drawn by every seed index. `load` gives the rows of seed 0, seed index 0."""

SETS: dict[str, type[Points]] = {cls.name: cls for cls in (Moons, Rings, Checkerboard, Clusters)}
"""name -> its options; `SETS[name](**options).make()` gives the rows."""


def facts() -> list[Facts]:
    """The sets as the catalog shows them, with their default sizes."""
    return [
        Facts(
            name=name,
            title=cls.title,
            kind="points",
            source="made by this program",
            classes=CLASSES,
            counts=cls().counts,
            features=2,
            columns=2,
            licence="MIT",
            citation="Yasinnik et al.: Explicit gradient learning, figure 1 (after its picture)." if cls is Clusters else "",
            url="",
            fingerprint=f"points {GENERATOR}",
            how_to_get="Nothing to get: it is drawn when it is asked for.",
            summary=cls.summary,
            options=cls,
            parts=cls().part_counts if issubclass(cls, HiddenCluster) else None,
        )
        for name, cls in _every().items()
    ]


def _every() -> dict[str, type[Points] | type[HiddenCluster]]:
    return {**SETS, **DRAWN}


def available(name: str) -> bool:
    """Always."""
    return name in _every()


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The set of that name under its options."""
    return _every()[name](**options).make()
