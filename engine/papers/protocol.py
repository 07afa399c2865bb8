"""A paper's experiments as plain values: what is run, what is read off the results, which published number it is compared with.

No torch here: a protocol can be listed, tested and shown without running anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.papers.published import Cell
from engine.spec import Imbalance, RunSpec
from engine.spec.run import canonical_json

FIXED_TEST = (
    *("cifar10", "cifar100", "svhn", "stl10", "celeba", "mnist", "mnist-back-rotation"),
    *("mnist-multiplied", "mnist-back-rotation-multiplied"),
)
"""Datasets with a test part of their own. The others are split anew by every seed."""

SINE = "sine"
"""The regression problem of the first paper: not in the catalog, drawn whole by every replicate (`engine.papers.sine`)."""

REDUCED = "reduced protocol"
"""Why no cell of a reduced protocol is held against a published number."""


@dataclass(frozen=True)
class Arm:
    """What is run for a cell: a RunSpec without its seed.

    seeds: the seeds of its replicates, where they must be chosen; empty for 0, 1, 2 ... Each replicate is a run of its own, so
    that an interruption loses one run, and whatever a seed draws (such as the classes that lose rows) is drawn anew.
    stacked: all replicates, folds x seeds, are one run instead, trained together: for tables of numbers, where that is many times
    faster.
    """

    dataset: str
    method: str
    imbalance: Imbalance
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    stacked: bool = False

    def spec(self, number: int, folds: int = 1, seeds: int = 1) -> RunSpec:
        """The run of replicate `number` (folds > 1: of that many); stacked: of `seeds` seeds at once. Raises BadParameter."""
        seed = self.seeds[number] if self.seeds else number
        folds = 1 if self.fixed_test else folds
        seeds = seeds if self.stacked else 1
        return RunSpec(
            self.dataset, self.method, self.imbalance, data=self.data, params=self.params, folds=folds, seeds=seeds, seed=seed
        )

    @property
    def fixed_test(self) -> bool:
        """Whether every seed is measured on the same test rows."""
        return self.dataset in (*FIXED_TEST, SINE)

    @property
    def max_runs(self) -> int:
        """How many runs there are."""
        return 1 if self.stacked else len(self.seeds) or 10_000

    @property
    def key(self) -> str:
        """A text that is equal for equal arms."""
        return canonical_json(self.spec(0).to_json() | {"seeds": list(self.seeds), "stacked": self.stacked})


@dataclass(frozen=True)
class Reading:
    """One number per replicate: of which runs, and what is read off them (`engine.papers.readings`).

    among: each replicate is read off the one of all these arms whose network did best on validation, the first of equals.
    less: the same reading of these runs is taken off, seed by seed.
    """

    arm: Arm
    what: str
    among: tuple[Arm, ...] = ()
    less: Arm | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """`arm`, `among` and `less`."""
        return (self.arm, *self.among, *([] if self.less is None else [self.less]))


@dataclass(frozen=True)
class Row:
    """A line of a table: a published cell, ours, or both.

    cell: None where only we have it. dataset: as shown. absent: why it is not measured, '' where `reading` says how.
    incomparable: why ours does not bear on the published number, ''.
    """

    cell: Cell | None
    dataset: str
    labels: Mapping[str, str]
    metric: str
    reading: Reading | None
    absent: str = ""
    incomparable: str = ""

    @property
    def dataset_name(self) -> str:
        """The catalog's name of the dataset that is run, or that the published number is of."""
        return self.reading.arm.dataset if self.reading else self.cell.name if self.cell else ""


@dataclass(frozen=True)
class Claim:
    """left > factor x right, or (kind 'same') left = right, or (kind 'near') at most `margin` apart, as a paper says in `text`.

    dataset: as shown, one family for Holm.
    """

    text: str
    dataset: str
    left: Reading
    right: Reading
    factor: float = 1.0
    kind: str = "more"
    margin: float = 0.0


@dataclass(frozen=True)
class Table:
    """One table of a paper as a protocol. description: what is run, for a person. seeds, folds: where nobody asks otherwise."""

    paper: str
    name: str
    title: str
    reduced: bool
    description: str
    seeds: int
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    folds: int = 1

    def select(self, methods: Collection[str] = (), datasets: Collection[str] = ()) -> Table:
        """The rows of these methods and datasets (empty: all), and the claims that these rows' runs can answer."""
        if not methods and not datasets:
            return self
        wanted = {method.lower() for method in methods}
        rows = tuple(
            row
            for row in self.rows
            if (not wanted or row.labels["method"].lower() in wanted) and (not datasets or row.dataset_name in datasets)
        )
        arms = {arm.key for row in rows if row.reading for arm in row.reading.arms}
        claims = tuple(c for c in self.claims if {arm.key for arm in (*c.left.arms, *c.right.arms)} <= arms)
        return replace(self, rows=rows, claims=claims)

    def arms(self) -> list[Arm]:
        """What has to be run, each once, in the order of the rows: runs that share a trained network stand together."""
        readings = [row.reading for row in self.rows if row.reading]
        readings += [reading for claim in self.claims for reading in (claim.left, claim.right)]
        return list({arm.key: arm for reading in readings for arm in reading.arms}.values())


def list_unmeasured(cells: Iterable[Cell], why: str) -> list[Row]:
    """Rows of published cells that nothing is run for."""
    return [Row(cell, cell.dataset, cell.labels, cell.meant, None, absent=why) for cell in cells]


def explain_left_out(reduced: bool) -> str:
    """Why a published cell has no runs, where nothing else stands in the way."""
    return f"the {'reduced' if reduced else 'full'} protocol leaves it out"
