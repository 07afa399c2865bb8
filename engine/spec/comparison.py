"""The spec of a comparison of methods on a table. Frozen, JSON-plain, checked on construction. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadInput, BadParameter
from engine.spec.companions import BASELINE
from engine.spec.fields import is_number
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.spec.run import MAX_RATIO, Imbalance, canonical_json
from engine.text import quote
from engine.version import NUMERICS

SOURCES = {"upload", "dataset", "file"}

BUDGETS = (5.0, 3600.0)
"""Range of the budget, in seconds."""
MOST_METHODS = 200
"""Names that a comparison may list."""

SPLITS = ("random", "group", "time", "time-group")
"""Kinds of splits: at random; owners on one side; train on the past; both."""

MODELS = ("logistic", "network", "forest", "extra-trees", "boosting", "lightgbm", "xgboost", "catboost", "tabpfn")
REMEDIES = ("none", "class-weights", "threshold", "rs", "rus", "smote", "focal", "explicit-gradient", "eos", "dos")
ENSEMBLES = (
    "balanced-forest", "easy-ensemble", "rus-boost", "balanced-bagging", "self-paced", "under-bagging", "balance-cascade",
    "smote-bagging", "mesa", "cost-tree",
)  # fmt: skip
"""What can be compared, in the order in which it runs. A remedy of the catalog that is not listed is one of the network."""

MAX_DELAY = 36_500.0
"""Largest delay, in days."""

PER = ("1000", "day")
"""What a budget of alerts counts: per 1,000 rows, or per day."""


@dataclass(frozen=True)
class CompareSpec:
    """One comparison.

    source: {"upload": id}, {"dataset": name in the catalog} or, at the terminal, {"file": name}. reading: options of
    `engine.data.tables.reading.read_sheet`, for an upload. target: column with the classes. positive: the class of interest
    (default: the smaller of two, the smallest of more), also for a dataset of the catalog. budget: seconds, in BUDGETS. ratio:
    largest / smallest class, made by leaving out rows before the split; None leaves the data as they are. methods: names; None
    means all of `list_contenders`. Plain training is always included, and first. metric: the deciding one of
    engine.spec.result.METRICS.

    time: the column that says when a row happens (a date, or a number that orders the rows). delay: days until a row's answer is
    known; between the parts of a split by time. group: the column that says whom a row belongs to. alerts: cases that can be checked,
    `per` 1,000 rows or day. cost_column: what a missed case costs. score_column: the score or rule in use. keep: columns among time
    and group that stay features. split: one of SPLITS, None for what time and group imply. models, remedies, ensembles: names of
    MODELS, REMEDIES and ENSEMBLES, or of methods of the catalog; None leaves the choice to the budget. With one of the three, `methods`
    are compared besides. tune: whether settings are tuned within the budget. refit: whether models are trained again on training and
    validation rows before test rows are scored; by time they always are (`refits`). plugins: method that comes from a file of a person's
    own (`engine.plugins`) -> the file's digest; `complete` fills it in.
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
    time: str | None = None
    delay: float = 0.0
    group: str | None = None
    alerts: float | None = None
    per: str = "1000"
    cost_column: str | None = None
    score_column: str | None = None
    keep: tuple[str, ...] = ()
    split: str | None = None
    models: tuple[str, ...] | None = None
    remedies: tuple[str, ...] | None = None
    ensembles: tuple[str, ...] | None = None
    tune: bool = False
    refit: bool = True
    plugins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = self.source
        if not isinstance(source, Mapping) or len(source) != 1 or not SOURCES & set(source):
            raise BadParameter(f"source={quote(source)}: must be {{'upload': id}}, {{'dataset': name}} or {{'file': name}}.")
        if not all(isinstance(v, str) for v in source.values()):
            raise BadParameter(f"source={quote(source)}: must name one upload, dataset or file.")
        for name in ("target", "positive", "time", "group", "cost_column", "score_column", "split"):
            if not isinstance(getattr(self, name), str | None):
                raise BadParameter(f"{name} must be text, or nothing; got {type(getattr(self, name)).__name__}.")
        if not isinstance(self.reading, Mapping):
            raise BadParameter("reading must be options with values.")
        if not isinstance(self.plugins, Mapping) or not all(
            isinstance(one, str) for pair in self.plugins.items() for one in pair
        ):
            raise BadParameter("plugins must be names of methods with digests.")
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
        self._check_questions()
        self._check_rows()
        for name in ("source", "reading", "plugins"):  # copied to plain dicts, so that the caller cannot change them
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))
        object.__setattr__(self, "budget", float(self.budget))
        object.__setattr__(self, "ratio", None if self.ratio is None else float(self.ratio))
        object.__setattr__(self, "delay", float(self.delay))
        object.__setattr__(self, "alerts", None if self.alerts is None else float(self.alerts))

    def _check_questions(self) -> None:
        """Time, owner, split, delay and budget of alerts. Raises BadParameter."""
        if not is_number(self.delay) or not 0 <= self.delay <= MAX_DELAY:
            raise BadParameter(f"delay={quote(self.delay)}: must be in [0, {MAX_DELAY:g}] days.")
        if self.delay and self.time is None:
            raise BadParameter("a delay needs a time: name the column that says when a row happens.")
        if self.split is not None and self.split not in SPLITS:
            raise BadParameter(f"split={quote(self.split)}: must be one of {', '.join(SPLITS)}.")
        for part, column in (("time", self.time), ("group", self.group)):
            if self.split is not None and part in self.split.split("-") and column is None:
                raise BadParameter(f"split={quote(self.split)}: needs {part}: name its column.")
        if not isinstance(self.per, str) or self.per not in PER:
            raise BadParameter(f"per={quote(self.per)}: must be 1000 or day.")
        if self.per == "day" and self.time is None:
            raise BadParameter("a budget per day needs a time: name the column that says when a row happens.")
        most = 1000.0 if self.per == "1000" else 1e9
        if self.alerts is not None and (not is_number(self.alerts) or not 0 < self.alerts <= most):
            raise BadParameter(f"alerts={quote(self.alerts)}: must be above 0 and at most {most:,.0f}.")
        for name in ("tune", "refit"):
            if not isinstance(getattr(self, name), bool):
                raise BadParameter(f"{name}={quote(getattr(self, name))}: must be true or false.")

    def _check_rows(self) -> None:
        """Lists of names. Raises BadParameter."""
        for name in ("keep", "models", "remedies", "ensembles"):
            given = getattr(self, name)
            if given is None and name != "keep":
                continue
            if not isinstance(given, (tuple, list)) or not all(isinstance(one, str) for one in given):
                raise BadParameter(f"{name} must be a list of names.")
            if len(given) > MOST_METHODS:
                raise BadParameter(f"{name}: has {len(given)} names; at most {MOST_METHODS} are taken.")
            object.__setattr__(self, name, tuple(dict.fromkeys(given)))

    @property
    def split_kind(self) -> str:
        """The kind of split: as asked, else what time and group imply."""
        if self.split is not None:
            return self.split
        return "-".join([*(["time"] if self.time else []), *(["group"] if self.group else [])]) or "random"

    @property
    def columns(self) -> dict[str, Any]:
        """The columns with a meaning of their own, as `engine.data.tables.target.to_dataset` takes them."""
        return {
            "time": self.time,
            "group": self.group,
            "cost": self.cost_column,
            "score": self.score_column,
            "keep": self.keep,
        }

    def complete(self, catalog: Mapping[str, Any]) -> CompareSpec:
        """The same comparison with its methods in the order of the catalog, and the digests of those that come from plugin files.

        methods=None stays None. Raises BadParameter for a name that the catalog does not offer for comparison.
        """
        from engine.spec.contest import INSTALLED, RENAMED, list_contenders, list_rows

        methods = self.methods
        if methods is not None:
            known = list_contenders(catalog, INSTALLED)
            names = {RENAMED.get(name, name): name for name in methods}
            if unknown := [name for now, name in names.items() if now not in known]:
                there = ", ".join(list_contenders(catalog))
                raise BadParameter(f"method {quote(unknown[0])} is not compared here; it must be one of {there}.")
            methods = tuple(names[name] for name in known if name in names)
        digests = {entry["name"]: entry["plugin"] for entry in catalog["methods"] if entry.get("plugin")}
        asked, own = dataclasses.replace(self, methods=methods), {}
        if digests or {*(self.models or ()), *(self.ensembles or ())} - {*MODELS, *ENSEMBLES}:
            rows = list_rows(asked, catalog, installed=INSTALLED)
            own = {row.method: digests[row.method] for row in rows if row.method in digests}
        return dataclasses.replace(asked, plugins=dict(sorted(own.items())))

    def hold_plugins(self, catalog: Mapping[str, Any]) -> CompareSpec:
        """The same comparison with the digests of its plugin files. catalog: of the process that compares.

        Raises BadInput where a file is another one than when the comparison was asked for.
        """
        now = self.complete(catalog).plugins
        if changed := [name for name, digest in self.plugins.items() if now.get(name) != digest]:
            raise BadInput(f"The plugin file of method {quote(changed[0])} has changed: start the engine anew, then ask again.")
        return dataclasses.replace(self, plugins=now)

    @property
    def names_rows(self) -> bool:
        """Whether its rows are the named ones alone."""
        return self.methods is not None and self.models is None and self.remedies is None and self.ensembles is None

    @property
    def imbalance(self) -> Imbalance:
        """The imbalance as a run's spec holds it."""
        return Imbalance() if self.ratio is None else Imbalance("ratio", self.ratio)

    @property
    def by_time(self) -> bool:
        """Whether the split is by time."""
        return "time" in self.split_kind.split("-")

    @property
    def refits(self) -> bool:
        """Whether models are trained again on training and validation rows."""
        return self.refit or self.by_time

    def to_json(self) -> dict[str, Any]:
        """The spec, JSON-plain; `from_json` returns an equal spec. Fields of LATER are left out where they have their defaults, so
        that a comparison of before has the name that it had.
        """
        words = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}
        usual = {f.name: f.default for f in dataclasses.fields(self)} | {"plugins": {}}
        return {k: v for k, v in words.items() if k not in LATER or getattr(self, k) != usual[k]}

    @classmethod
    def from_json(cls, value: Any) -> CompareSpec:
        """The comparison of this JSON value. Raises BadParameter where it is none."""
        if not isinstance(value, Mapping) or "source" not in value:
            raise BadParameter("a comparison must be names with values, source among them.")
        if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise BadParameter(f"a comparison has no field {quote(min(extra, key=str))}.")
        words: dict[str, Any] = {k: tuple(v) if isinstance(v, list) and k in LISTS else v for k, v in value.items()}
        return cls(**words)

    def id(self, fingerprint: str, owner: str | None = None) -> str:
        """16 hex digits that identify the comparison: the hash of the spec, data, NUMERICS and, for private data, owner."""
        facts = {"compare": self.to_json(), "data": fingerprint, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]


LISTS = ("methods", "keep", "models", "remedies", "ensembles")
"""Fields that are lists of names."""

LATER = (
    *("time", "delay", "group", "alerts", "per", "cost_column", "score_column", "keep", "split"),
    *("models", "remedies", "ensembles", "tune", "refit", "plugins"),
)
"""Fields that comparisons made before they came do not have."""
