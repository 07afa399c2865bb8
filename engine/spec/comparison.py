"""What a person asks for when methods are to be compared on a table. Frozen, JSON-plain, checked on construction; no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadParameter
from engine.spec.fields import is_number
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.spec.run import MAX_RATIO, Imbalance, canonical_json
from engine.version import NUMERICS

PLAIN, TREES = "ce", "trees"
CONTENDERS = {
    PLAIN: "Plain training (CE)",
    "class-weights": "Class weights",
    "threshold": "Threshold tuning",
    "smote": "SMOTE",
    "focal": "Focal loss",
    "explicit-gradient": "Explicit gradient",
    "eos": "EOS (three-phase)",
    "dos": "DOS",
    TREES: "Gradient-boosted trees",
}
"""name -> title, in the order in which they are run first. All but the trees are methods of the catalog, on the MLP."""

SOURCES = {"upload", "dataset", "file"}

BUDGETS = (5.0, 3600.0)
"""Seconds that can be asked for."""


@dataclass(frozen=True)
class CompareSpec:
    """One comparison.

    source: {"upload": id}, {"dataset": name in the catalog} or, at the terminal, {"file": name}. reading: options of
    `engine.data.tables.reading.read_sheet`, for an upload. target:
    column with the classes; positive: the class looked for (default: the smaller of two, the smallest of more), for a catalog's dataset
    as well. budget: seconds, in BUDGETS. ratio: largest / smallest class, made by leaving out rows before the split; None: as the data
    come. methods: of CONTENDERS, None for all; plain training is always among them. metric: what decides, of engine.spec.result.METRICS.
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
            raise BadParameter(f"source={source!r}: must be {{'upload': id}}, {{'dataset': name}} or {{'file': name}}.")
        if not all(isinstance(v, str) for v in source.values()):
            raise BadParameter(f"source={source!r}: must name one upload, dataset or file.")
        for name in ("target", "positive"):
            if not isinstance(getattr(self, name), str | None):
                raise BadParameter(f"{name} must be text, or nothing; got {type(getattr(self, name)).__name__}.")
        if not isinstance(self.reading, Mapping):
            raise BadParameter("reading must be options with values.")
        low, high = BUDGETS
        if not is_number(self.budget) or not low <= self.budget <= high:
            raise BadParameter(f"budget={self.budget!r}: must be in [{low:g}, {high:g}] seconds.")
        if self.ratio is not None and (not is_number(self.ratio) or not 1 <= self.ratio <= MAX_RATIO):
            raise BadParameter(f"ratio={self.ratio!r}: must be in [1, {MAX_RATIO:g}], or nothing for the data as they come.")
        if self.metric not in METRICS:
            raise BadParameter(f"metric={self.metric!r}: must be one of {', '.join(METRICS)}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise BadParameter(f"seed={self.seed!r}: must be a whole number in [0, {2**31 - 1}].")
        if self.methods is not None:
            if isinstance(self.methods, str) or not all(isinstance(m, str) for m in self.methods):
                raise BadParameter("methods must be a list of names, or nothing for all.")
            if unknown := [m for m in self.methods if m not in CONTENDERS]:
                raise BadParameter(f"method {unknown[0]!r} is not compared here; it must be one of {', '.join(CONTENDERS)}.")
            object.__setattr__(self, "methods", tuple(m for m in CONTENDERS if m in self.methods or m == PLAIN))
        for name in ("source", "reading"):  # frozen outside, plain inside
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))
        object.__setattr__(self, "budget", float(self.budget))
        object.__setattr__(self, "ratio", None if self.ratio is None else float(self.ratio))

    @property
    def names(self) -> tuple[str, ...]:
        """The methods, plain training first."""
        return tuple(CONTENDERS) if self.methods is None else self.methods

    @property
    def imbalance(self) -> Imbalance:
        """As a run's spec has it."""
        return Imbalance() if self.ratio is None else Imbalance("ratio", self.ratio)

    def to_json(self) -> dict[str, Any]:
        """JSON-plain; `from_json` gives the same spec back."""
        words = dataclasses.asdict(self)
        return words | {"methods": None if self.methods is None else list(self.methods)}

    @classmethod
    def from_json(cls, value: Any) -> CompareSpec:
        """Raises BadParameter for anything that is not a comparison."""
        if not isinstance(value, Mapping) or "source" not in value:
            raise BadParameter("a comparison must be names with values, source among them.")
        if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise BadParameter(f"a comparison has no field {min(extra, key=str)!r}.")
        methods = value.get("methods")
        return cls(**{**value, "methods": tuple(methods) if isinstance(methods, list) else methods})

    def id(self, fingerprint: str, owner: str | None = None) -> str:
        """16 hex digits naming this comparison: the hash of the spec, data, NUMERICS and, for private data, owner."""
        facts = {"compare": self.to_json(), "data": fingerprint, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]
