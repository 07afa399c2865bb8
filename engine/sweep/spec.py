"""A sweep: methods x ratios on one or several datasets. Every dataset and ratio also has plain training and the potential.

A cell is an ordinary public run of the Lab (profile `ratio`, the method's defaults on that kind of data). A cell that the store
already has costs nothing, and every cell opens in the Lab. The store has no row for a sweep: its cells follow from the
`SweepSpec`, its state from their jobs. The page uses this file: no torch, no scikit-learn.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from engine.errors import BadParameter
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.companions import BASELINE, ORACLE, explain_no_potential
from engine.spec.fields import is_number
from engine.spec.run import MAX_RATIO, WHERE, find_entry
from engine.sweep.cost import estimate_cost
from engine.text import quote

MAX_CELLS = 2000
"""Largest number of cells. More would be too many to draw."""
CACHED_PLANS = 8
"""Number of sweeps whose cells are cached, since a page reads them every second."""


@dataclass(frozen=True)
class Cell:
    """One run of a sweep. spec: completed. id: of its run. cost: relative seconds (see `estimate_cost`)."""

    dataset: str
    method: str
    ratio: float
    spec: RunSpec
    id: str
    cost: float


@dataclass(frozen=True)
class Impossible:
    """A requested part that is not possible. method: '' if no method is. ratio: None if the dataset has none of the ratios."""

    dataset: str
    method: str
    ratio: float | None
    reason: str


@dataclass(frozen=True)
class SweepSpec:
    """The parameters of a sweep. datasets, methods: names in the catalog. ratios: each in [1, 500]. At least one of each, none
    twice.

    where, folds, seeds, seed: as in `RunSpec` and `Imbalance`. A dataset with parts of its own has one fold (`limits.count_replicates`);
    one whose rows name their part is taken as it comes, at its own ratio. `ce` and `potential` need not be listed: every dataset and
    ratio has them. Raises BadParameter.
    """

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    ratios: tuple[float, ...]
    where: str = "all"
    folds: int = 4
    seeds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("datasets", "methods"):
            given = getattr(self, name)
            if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) and one for one in given):
                raise BadParameter(f"a sweep's {name} must be a list of names; got {quote(given)}.")
        if not isinstance(self.ratios, (list, tuple)) or not all(map(_is_ratio, self.ratios)):
            raise BadParameter(f"a sweep's ratios must be numbers in [1, {MAX_RATIO:g}]; got {quote(self.ratios)}.")
        object.__setattr__(self, "ratios", tuple(float(r) for r in self.ratios))
        for name in ("datasets", "methods", "ratios"):
            given = tuple(getattr(self, name))
            if not given:
                raise BadParameter(f"a sweep needs at least one of its {name}.")
            object.__setattr__(self, name, tuple(dict.fromkeys(given)))
        if not isinstance(self.where, str) or self.where not in WHERE:
            raise BadParameter(f"where={quote(self.where)} is not known; it must be {' or '.join(map(repr, WHERE))}.")
        RunSpec("", "", folds=self.folds, seeds=self.seeds, seed=self.seed)  # checks the three
        many = len(self.datasets) * len(self.ratios) * len({*self.methods, BASELINE, ORACLE})
        if many > MAX_CELLS:
            raise BadParameter(f"this sweep has {many:,} cells; at most {MAX_CELLS:,} are taken: choose fewer of something.")

    # ---- as text

    def to_json(self) -> dict[str, Any]:
        """JSON-plain values that `from_json` reads."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SweepSpec:
        """The sweep of `to_json`. Raises BadParameter for anything else."""
        if not isinstance(value, Mapping):
            raise BadParameter(f"a sweep must be names with values; got {quote(value)}.")
        known = {f.name for f in dataclasses.fields(cls)}
        if extra := value.keys() - known:
            raise BadParameter(f"a sweep has no field {quote(min(extra, key=str))}.")
        if absent := {"datasets", "methods", "ratios"} - value.keys():
            raise BadParameter(f"a sweep must name its {min(absent)}.")
        return cls(**value)

    def to_query(self) -> dict[str, str]:
        """The query of an address that opens this sweep. It has every parameter, so that a link stays valid if defaults change."""
        lists = {"datasets": self.datasets, "methods": self.methods, "ratios": [f"{r:.12g}" for r in self.ratios]}
        query = {name: ",".join(map(_quote, given)) for name, given in lists.items()}
        return query | {name: str(getattr(self, name)) for name in ("where", "folds", "seeds", "seed")}

    @classmethod
    def from_query(cls, query: Mapping[str, str], catalog: Mapping[str, Any]) -> SweepSpec:
        """The sweep of `to_query`. Other parameters are ignored. Raises BadParameter or UnknownName with one sentence for
        invalid ones.
        """
        given: dict[str, Any] = {}
        for name in ("datasets", "methods", "ratios"):
            given[name] = parse_list(query.get(name, ""))
            if not given[name]:
                raise BadParameter(f"a sweep needs at least one of its {name}; write {name}=... with commas between.")
        for kind in ("datasets", "methods"):
            for name in given[kind]:
                find_entry(catalog, kind, name)
        given["ratios"] = [_number("ratios", text) for text in given["ratios"]]
        for name in ("folds", "seeds", "seed"):
            if name in query:
                given[name] = _whole(name, query[name])
        if "where" in query:
            given["where"] = query["where"]
        return cls(**given)

    # ---- its cells

    def cells(self, catalog: Mapping[str, Any]) -> list[Cell]:
        """Every possible cell, cheapest first. Raises UnknownName for a name that is not in the catalog."""
        self._grid(catalog)  # raises here, where the message lists all known names
        names = {"datasets": {*self.datasets}, "methods": {*self.methods, BASELINE, ORACLE}}
        used = {kind: [entry for entry in catalog[kind] if entry["name"] in names[kind]] for kind in names}
        return list(_cells(self, json.dumps(used)))

    def impossible(self, catalog: Mapping[str, Any]) -> list[Impossible]:
        """Requested parts that are not possible: methods that do not take a dataset's kind, ratios that it cannot have. Raises
        UnknownName.
        """
        out = []
        for entry, ratio, first in self._grid(catalog):
            for name in self.methods if first else ():
                kinds = find_entry(catalog, "methods", name)["kinds"]
                if entry["kind"] not in kinds:
                    why = f"{name} takes {' or '.join(kinds)} data; {entry['name']} is of kind {entry['kind']}."
                    out.append(Impossible(entry["name"], name, None, why))
            if why := self._too_much(entry, ratio):
                out.append(Impossible(entry["name"], "", ratio, why))
        return out

    def _grid(self, catalog: Mapping[str, Any]) -> list[tuple[dict[str, Any], float, bool]]:
        """(dataset's entry, ratio, whether it is the first of this dataset)."""
        for name in self.methods:
            find_entry(catalog, "methods", name)
        entries = [find_entry(catalog, "datasets", name) for name in self.datasets]
        return [
            (entry, ratio, not k)
            for entry in entries
            for k, ratio in enumerate((float(entry["ratio"]),) if entry.get("parts") else self.ratios)
        ]

    def replicates(self, catalog: Mapping[str, Any]) -> list[int]:
        """Replicates of a run on each dataset: folds x seeds, as `limits.count_replicates` gives them. Raises UnknownName."""
        entries = [find_entry(catalog, "datasets", name) for name in self.datasets]
        return [math.prod(limits.count_replicates(entry, self.folds, self.seeds)) for entry in entries]

    def _spec(self, entry: Mapping[str, Any], method: str, ratio: float) -> RunSpec:
        imbalance = Imbalance() if entry.get("parts") else Imbalance("ratio", ratio, None, self.where)
        folds, seeds = limits.count_replicates(entry, self.folds, self.seeds)
        return RunSpec(entry["name"], method, imbalance, folds=folds, seeds=seeds, seed=self.seed)

    def _too_much(self, entry: Mapping[str, Any], ratio: float) -> str:
        """Why the dataset cannot have this ratio; '' if it can."""
        if entry.get("parts"):
            return ""
        counts, (folds, _) = limits.class_counts(entry, {}), limits.count_replicates(entry, self.folds, self.seeds)
        highest, why = limits.highest_ratio(counts, folds, self.where)
        if ratio > highest or min(counts) < limits.min_class_rows(folds):
            return why
        if entry.get("test_counts") and self.where == "all":
            imbalance = Imbalance("ratio", ratio, None, self.where)
            left = limits.target_counts(entry["test_counts"], imbalance, head=limits.head_class(counts, "ratio"))
            if min(left) < 1:
                return f"No row of the smallest class would remain in the test part of {entry['name']} at {ratio:g}:1."
        return ""


@functools.lru_cache(maxsize=CACHED_PLANS)
def _cells(spec: SweepSpec, used: str) -> tuple[Cell, ...]:
    """`SweepSpec.cells`. used: the catalog's entries of its datasets and methods, as JSON.

    Text, so that a changed entry is another cache key and the cache holds no catalog.
    """
    catalog = json.loads(used)
    methods = list(dict.fromkeys([BASELINE, *spec.methods, ORACLE]))
    out = []
    for entry, ratio, _ in spec._grid(catalog):
        if not spec._too_much(entry, ratio):
            for name in methods:
                method = find_entry(catalog, "methods", name)
                if entry["kind"] in method["kinds"]:
                    complete = spec._spec(entry, name, ratio).complete(catalog)
                    if name != ORACLE or not explain_no_potential(complete, entry):
                        out.append(
                            Cell(
                                entry["name"],
                                name,
                                ratio,
                                complete,
                                complete.run_id(entry["fingerprint"]),
                                estimate_cost(complete, entry, method),
                            )
                        )
    return tuple(sorted(out, key=lambda cell: cell.cost))  # stable: plain training stays before cells of the same cost


def parse_list(text: str) -> list[str]:
    """The names of a comma-separated list. A comma within a name is written %2C."""
    return [unquote(part.strip()) for part in text.split(",") if part.strip()]


def _quote(name: str) -> str:
    return re.sub("[%,]", lambda found: f"%{ord(found[0]):02X}", name)


def _is_ratio(value: object) -> bool:
    return is_number(value) and 1 <= value <= MAX_RATIO


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadParameter(f"{name}: {quote(text[:40])} is not a number.") from None


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadParameter(f"{name}={quote(text[:40])} must be a whole number.") from None
