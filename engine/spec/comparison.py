"""The spec of a comparison of methods on a table. Frozen, JSON-plain, checked on construction. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadParameter
from engine.spec.companions import BASELINE
from engine.spec.fields import catalog_field, is_number
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.spec.run import MAX_RATIO, Imbalance, canonical_json
from engine.text import quote
from engine.version import NUMERICS

TREES, TREES_TITLE = "trees", "Gradient-boosted trees"
"""Compared in addition to the methods of the catalog."""

SOURCES = {"upload", "dataset", "file"}

BUDGETS = (5.0, 3600.0)
"""Range of the budget, in seconds."""
MOST_METHODS = 200
"""Names that a comparison may list."""


@dataclass(frozen=True)
class CompareSpec:
    """One comparison.

    source: {"upload": id}, {"dataset": name in the catalog} or, at the terminal, {"file": name}. reading: options of
    `engine.data.tables.reading.read_sheet`, for an upload. target: column with the classes. positive: the class of interest
    (default: the smaller of two, the smallest of more), also for a dataset of the catalog. budget: seconds, in BUDGETS. ratio:
    largest / smallest class, made by leaving out rows before the split; None leaves the data as they are. methods: names; None
    means all of `list_contenders`. Plain training is always included, and first. metric: the deciding one of
    engine.spec.result.METRICS.
    """

    source: Mapping[str, str]
    target: str | None = None
    positive: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 60.0
    ratio: float | None = None
    methods: tuple[str, ...] | None = None
    metric: str = DEFAULT_METRIC
    seed: int = 0

    def __post_init__(self) -> None:
        source = self.source
        if not isinstance(source, Mapping) or len(source) != 1 or not SOURCES & set(source):
            raise BadParameter(f"source={quote(source)}: must be {{'upload': id}}, {{'dataset': name}} or {{'file': name}}.")
        if not all(isinstance(v, str) for v in source.values()):
            raise BadParameter(f"source={quote(source)}: must name one upload, dataset or file.")
        for name in ("target", "positive"):
            if not isinstance(getattr(self, name), str | None):
                raise BadParameter(f"{name} must be text, or nothing; got {type(getattr(self, name)).__name__}.")
        if not isinstance(self.reading, Mapping):
            raise BadParameter("reading must be options with values.")
        low, high = BUDGETS
        if not is_number(self.budget) or not low <= self.budget <= high:
            raise BadParameter(f"budget={quote(self.budget)}: must be in [{low:g}, {high:g}] seconds.")
        if self.ratio is not None and (not is_number(self.ratio) or not 1 <= self.ratio <= MAX_RATIO):
            raise BadParameter(
                f"ratio={quote(self.ratio)}: must be in [1, {MAX_RATIO:g}], or nothing for the data as they come."
            )
        if not isinstance(self.metric, str) or self.metric not in METRICS:
            raise BadParameter(f"metric={quote(self.metric)}: must be one of {', '.join(METRICS)}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise BadParameter(f"seed={quote(self.seed)}: must be a whole number in [0, {2**31 - 1}].")
        if self.methods is not None:
            if not isinstance(self.methods, (tuple, list)) or not all(isinstance(m, str) for m in self.methods):
                raise BadParameter("methods must be a list of names, or nothing for all.")
            if len(self.methods) > MOST_METHODS:
                raise BadParameter(f"methods: has {len(self.methods)} names; at most {MOST_METHODS} are compared at once.")
            object.__setattr__(self, "methods", tuple(dict.fromkeys((BASELINE, *self.methods))))
        for name in ("source", "reading"):  # copied to plain dicts, so that the caller cannot change them
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))
        object.__setattr__(self, "budget", float(self.budget))
        object.__setattr__(self, "ratio", None if self.ratio is None else float(self.ratio))

    def complete(self, catalog: Mapping[str, Any]) -> CompareSpec:
        """The same comparison with its methods in the order of the catalog; None stays None.

        Raises BadParameter for a method that the catalog does not offer for comparison.
        """
        if self.methods is None:
            return self
        known = list_contenders(catalog)
        if unknown := [name for name in self.methods if name not in known]:
            raise BadParameter(f"method {quote(unknown[0])} is not compared here; it must be one of {', '.join(known)}.")
        return dataclasses.replace(self, methods=tuple(name for name in known if name in self.methods))

    @property
    def imbalance(self) -> Imbalance:
        """The imbalance as a run's spec holds it."""
        return Imbalance() if self.ratio is None else Imbalance("ratio", self.ratio)

    def to_json(self) -> dict[str, Any]:
        """The spec, JSON-plain; `from_json` returns an equal spec."""
        words = dataclasses.asdict(self)
        return words | {"methods": None if self.methods is None else list(self.methods)}

    @classmethod
    def from_json(cls, value: Any) -> CompareSpec:
        """The comparison of this JSON value. Raises BadParameter where it is none."""
        if not isinstance(value, Mapping) or "source" not in value:
            raise BadParameter("a comparison must be names with values, source among them.")
        if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise BadParameter(f"a comparison has no field {quote(min(extra, key=str))}.")
        methods = value.get("methods")
        return cls(**{**value, "methods": tuple(methods) if isinstance(methods, list) else methods})

    def id(self, fingerprint: str, owner: str | None = None) -> str:
        """16 hex digits that identify the comparison: the hash of the spec, data, NUMERICS and, for private data, owner."""
        facts = {"compare": self.to_json(), "data": fingerprint, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]


def list_contenders(catalog: Mapping[str, Any]) -> dict[str, str]:
    """name -> title of everything that can be compared, in run order: methods by their `comparison`, then the trees."""
    places = {entry["name"]: catalog_field(entry, "comparison") for entry in catalog["methods"]}
    offered = sorted((place, name) for name, place in places.items() if place is not None)
    titles = {entry["name"]: entry["title"] for entry in catalog["methods"]}
    return {name: titles[name] for _, name in offered} | {TREES: TREES_TITLE}
