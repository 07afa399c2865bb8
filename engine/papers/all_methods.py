"""Does anything beat plain training? A study of ours: every method that takes tables on the first paper's 22 KEEL sets.

Each seed is a run of its own, its four folds trained together, so that more seeds can be added later. Methods are those of the catalog,
oracles apart, with the same network and length of training for all; models and ensembles have their own defaults. Methods and tables of a
person's own folder (`engine.plugins`) take part like all others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import UnknownName
from engine.papers import keel
from engine.papers.protocol import REDUCED, Arm, Claim, Reading, Row, Table
from engine.spec import Imbalance
from engine.spec.companions import BASELINE
from engine.stats.significance import compare_over_sets

PAPER = "all-methods"
METHOD = ""
"""No paper's own method: nothing is left open here."""
OF_CATALOG = True
"""Its rows are those of a catalog (`engine.papers.tables.build_table`)."""
METRIC = "average_precision"
AGAINST = {"plain training": BASELINE, "balanced batches": "rs", "a random forest": "forest"}
"""What every method is tested against, as shown -> its name in the catalog."""
FILE = Path(__file__).parents[1] / "catalog.json"


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. params: of every method that has them; shorter: method -> values over those."""

    reduced: bool
    description: str
    seeds: int
    folds: int
    datasets: tuple[str, ...]
    params: Mapping[str, Any]
    shorter: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_SAME = (
    "22 KEEL sets as they come, and those of one's own folder. A fifth is validation, which chooses the epoch; the rest are four folds, "
    "each in turn the test part. Each seed is a run. Networks are an MLP 64-64 by Adam 0.001 with batches of 128; models and ensembles "
    "have their own defaults."
)
_PARAMS = {**keel.FULL.params, "meta_epochs": 200, "patience": 20}
FULL = Settings(False, f"Full protocol: {_SAME} 200 epochs; second phases have at most 200.", 5, 4, keel.FULL.datasets, _PARAMS)
SMALL = Settings(
    True,
    f"Reduced protocol: {_SAME} 200 epochs; second phases have at most 200. That is the full protocol but for four slow methods: GAMO has "
    "150 steps, LMNN 5, MESA 30 and 4 members, the triplet loss 40 epochs.",
    5, 4, keel.FULL.datasets, _PARAMS,
    {"gamo": {"steps": 150}, "lmnn": {"steps": 5}, "mesa": {"members": 4, "steps": 30}, "triplet": {"epochs": 40}},
)  # fmt: skip


def table(
    name: str, reduced: bool = False, settings: Settings | None = None, catalog: Mapping[str, Any] | None = None
) -> Table:
    """The study as a protocol. catalog: whose methods take part, the committed one by default. Raises UnknownName."""
    settings, catalog = settings or (SMALL if reduced else FULL), catalog or _read_catalog()
    if name not in _TABLES:
        raise UnknownName(f"{PAPER} has no table {name!r}; it has: {', '.join(_TABLES)}.")
    methods = list_methods(catalog)
    own = [entry["name"] for entry in catalog["datasets"] if entry.get("plugin") and entry["kind"] == "tabular"]
    why = REDUCED if settings.reduced else ""
    rows: list[Row] = []
    claims: list[Claim] = []
    for dataset in (*settings.datasets, *own):
        readings = {
            entry["title"]: Reading(Arm(dataset, entry["name"], Imbalance(), choose_params(entry, settings)), METRIC)
            for entry in methods
        }
        plain = next(entry["title"] for entry in methods if entry["name"] == BASELINE)
        rows += [
            Row(None, dataset, {"method": title}, METRIC, reading, incomparable=why) for title, reading in readings.items()
        ]
        claims += [
            Claim(f"{title} above {plain}, average precision", dataset, reading, readings[plain])
            for title, reading in readings.items()
            if title != plain
        ]
    return Table(
        PAPER, name, _TABLES[name], settings.reduced, settings.description, settings.seeds, tuple(rows), tuple(claims),
        settings.folds,
    )  # fmt: skip


def list_methods(catalog: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Entries of the methods that take part: plain training first, and those that go on from its network next to it."""
    entries = [entry for entry in catalog["methods"] if entry["ranked"] and "tabular" in entry["kinds"]]
    return sorted(entries, key=lambda entry: (entry["name"] != BASELINE, not entry["reuses_plain"]))


def choose_params(entry: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A network's parameters: those of the protocol that it has, then what is shorter for it. Models and ensembles have their defaults:
    what they call alike, such as boosting's learning rate, is something else.
    """
    own = set() if entry["family"] in ("model", "ensemble") else {described["name"] for described in entry["fields"]}
    shared = {name: value for name, value in settings.params.items() if name in own}
    return {**shared, **settings.shorter.get(entry["name"], {})}


def compare_methods(rows: Sequence[Mapping[str, Any]], catalog: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Tests over the sets: plain training, balanced batches and a plain forest, each against every other method, with Holm's correction
    over all of them, and mean ranks.

    rows: of this table, as `engine.papers.verdicts.judge` gives them. catalog: that names the methods, the committed one by default. A
    method without a score on a set that plain training has one on is left out, and named under `left_out`. See
    `engine.papers.keel.compare_methods`.
    """
    found = {(row["dataset"], row["labels"]["method"]): row["ours"]["mean"] for row in rows if row["ours"]}
    methods = list(dict.fromkeys(row["labels"]["method"] for row in rows))
    titles = {entry["name"]: entry["title"] for entry in (catalog or _read_catalog())["methods"]}
    plain = titles[BASELINE]
    sets = [dataset for dataset in dict.fromkeys(row["dataset"] for row in rows) if (dataset, plain) in found]
    there = [method for method in methods if sets and all((dataset, method) in found for dataset in sets)]
    if plain not in there or len(there) < 2:
        return {}
    scores = {method: [found[dataset, method] for dataset in sets] for method in there}
    more = {"left_out": [method for method in methods if method not in there]}
    firsts = {shown: titles[name] for shown, name in AGAINST.items() if titles.get(name) in there}
    return {f"against {shown}": compare_over_sets(scores, first, keel.MARGIN) | more for shown, first in firsts.items()}


@cache
def _read_catalog() -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return catalog


_TABLES = {"keel": "Every method for tables against plain training on 22 KEEL sets"}
