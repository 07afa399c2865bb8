"""The first paper's KEEL experiment (Yasinnik et al., section 6) as runs: table 3, 22 sets of numbers.

Each set's 4 folds x 5 seeds are one run, trained together. Both protocols use one network for all sets and methods; the paper tunes
one per set. Two controls stand beside the paper's methods, as they do in every table here: *frozen*, whose copies do not move, and
*CE, equal steps*, which trains on as long without copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UnknownName
from engine.papers.protocol import REDUCED, Arm, Claim, Reading, Row, Table
from engine.papers.published import KEEL_METHODS, read_cells
from engine.papers.verdicts import FAILS, HOLDS
from engine.spec import Imbalance
from engine.stats.significance import compare_over_sets

PAPER = "keel"
METHOD = "explicit-gradient"
"""The paper's own method: what its presets leave open stands beside the tables."""
METRIC = "average_precision"
OWN = "ExplicitGradient"
TRADITIONAL = tuple(method for method in KEEL_METHODS if method != OWN)
FROZEN, EQUAL = "frozen", "CE, equal steps"
MARGIN = 0.01
"""Average precision by which one method must be above another to count as a win on a set."""

MOST = "ExplicitGradient outperforms the traditional methods on most data sets"


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. params: of every run; meta: of the explicit gradient and its controls. datasets: names."""

    reduced: bool
    description: str
    seeds: int
    folds: int
    datasets: tuple[str, ...]
    params: Mapping[str, Any]
    meta: Mapping[str, Any]


_NETWORK = {"hidden": [64, 64], "learning_rate": 1e-3, "batch": 128}
_SETS = tuple(dict.fromkeys(cell.dataset for cell in read_cells(PAPER)))

FULL = Settings(
    reduced=False,
    description=(
        "Full protocol: 22 sets as they come; a fifth is validation, which chooses the epoch, the rest four folds, each in turn the test "
        "part; five seeds. One MLP 64-64 for all sets and methods by Adam 0.001, batches of 128, 200 epochs; explicit gradient goes on "
        "from the network of CE with a copy of every minority row, steps 0.01 and 10, until validation has not risen for 20 epochs, at "
        "most 200. Differs from the paper: it tunes layers, width and rate per set, and its many values of exactly 1 look like a "
        "single split."
    ),
    seeds=5,
    folds=4,
    datasets=_SETS,
    params={**_NETWORK, "epochs": 200},
    meta={"eta_model": 1e-2, "eta_points": 10.0, "meta_epochs": 200, "patience": 20},
)

SMALL = Settings(
    reduced=True,
    description=(
        "Reduced protocol: the 22 sets, four folds and five seeds of the full one with its MLP, 40 epochs of training and at most 40 of "
        "explicit gradient. It tests the paper's claims after less training; its numbers are not the paper's."
    ),
    seeds=5,
    folds=4,
    datasets=_SETS,
    params={**_NETWORK, "epochs": 40},
    meta={"eta_model": 1e-2, "eta_points": 10.0, "meta_epochs": 40, "patience": 20},
)


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """One table as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"keel has no table {name!r}; it has: {', '.join(_TABLES)}.")
    printed = {(cell.dataset, cell.labels["method"]): cell for cell in read_cells(PAPER, name)}
    rows: list[Row] = []
    claims: list[Claim] = []
    for dataset in settings.datasets:
        runs = build_arms(dataset, settings)
        readings = {method: Reading(arm, METRIC) for method, arm in runs.items()}
        why = REDUCED if settings.reduced else ""
        rows += [
            Row(printed.get((dataset, method)), dataset, {"method": method}, METRIC, reading, incomparable=why)
            for method, reading in readings.items()
        ]
        claims += [
            Claim(f"{OWN} above {other}, average precision", dataset, readings[OWN], readings[other])
            for other in runs
            if other != OWN
        ]
    shown = {id(row.cell) for row in rows}
    rows += [
        Row(cell, cell.dataset, cell.labels, cell.meant, None, absent="the protocol leaves it out")
        for cell in printed.values()
        if id(cell) not in shown
    ]
    return Table(
        PAPER,
        name,
        _TABLES[name],
        settings.reduced,
        settings.description,
        settings.seeds,
        tuple(rows),
        tuple(claims),
        settings.folds,
    )


def build_arms(dataset: str, settings: Settings) -> dict[str, Arm]:
    """Method as shown -> its runs on a set. Those that go on from the network of CE stand next to it, so that it is trained once."""

    def arm(method: str, **params: Any) -> Arm:
        return Arm(dataset, method, Imbalance(), {**settings.params, **params}, stacked=True)

    return {
        "CE": arm("ce"),
        OWN: arm("explicit-gradient", **settings.meta),
        FROZEN: arm("explicit-gradient", **{**settings.meta, "eta_points": 0.0}),
        EQUAL: arm("explicit-gradient", **settings.meta, copies=0),
        "RS": arm("rs"),
        "Focal": arm("focal"),
        "SMOTE": arm("smote"),
    }


def compare_methods(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tests over the sets: of the published numbers, of ours for the paper's methods, and of ours with the controls.

    rows: of this table, as `engine.papers.verdicts.judge` gives them. A part without scores of two methods, one of them
    explicit gradient's, is left out. Each part: as `engine.stats.significance.compare_over_sets` says, with `claim` {text,
    verdict}: whether
    explicit gradient is alone ahead of the traditional methods on more than half of the sets.
    """

    def part(methods: Sequence[str], value: Any, margin: float) -> dict[str, Any] | None:
        found = {(row["dataset"], row["labels"]["method"]): value(row) for row in rows}
        there = [m for m in methods if any(found.get((d, m)) is not None for d, _ in found)]
        if OWN not in there or len(there) < 2:
            return None
        sets = list(dict.fromkeys(d for d, _ in found))
        tested = compare_over_sets({m: [found.get((d, m)) for d in sets] for m in there}, OWN, margin)
        if tested["sets"] and set(there) == {OWN, *TRADITIONAL}:
            tested["claim"] = {"text": MOST, "verdict": HOLDS if 2 * tested["ahead"][OWN] > tested["sets"] else FAILS}
        return tested

    def ours(row: Mapping[str, Any]) -> float | None:
        return row["ours"]["mean"] if row["ours"] else None

    parts = {
        "as published": part(KEEL_METHODS, lambda row: row["published"], 0.0),
        "ours": part(KEEL_METHODS, ours, MARGIN),
        "ours with the controls": part((*KEEL_METHODS, FROZEN, EQUAL), ours, MARGIN),
    }
    return {name: found for name, found in parts.items() if found}


_TABLES = {"3": "Average precision on 22 KEEL sets"}
