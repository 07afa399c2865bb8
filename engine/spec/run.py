"""The spec of a run: dataset, imbalance, method, protocol, seed. Frozen, hashable by its JSON, checked on construction.

`complete` checks names and parameters against the catalog, so a spec can be made, completed and hashed without torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadParameter, UnknownName
from engine.spec import fields
from engine.spec.fields import is_number
from engine.spec.points import decode_points
from engine.text import is_storable, may_be_unstorable, quote
from engine.version import NUMERICS

PROFILES = ("native", "ratio", "exponential", "step", "gaussian", "remove")
WHERE = ("all", "train")
MAX_RATIO = 500.0
OPTIONAL = ("points", "plugin")
"""Texts of a run's spec that are in its JSON and id only where they are not empty."""
UPLOAD = "upload/"
"""Prefix of the dataset name of an uploaded table: `upload/<id>`."""


@dataclass(frozen=True)
class Imbalance:
    """An imbalance, and the parts of the data it is made in.

    profile: `native` (as the data come), `ratio` (every class below the largest is cut to largest / ratio; where the
        data are already more skewed, the largest is cut instead), `exponential`, `step`, `gaussian` (class sizes fall from
        class 0 to the last by that law, largest / smallest = ratio), `remove` (a share `rate` of the rows of 4 in 10
        classes drawn at random, on two classes of the minority).
    ratio: largest / smallest class, in [1, 500]. For the middle four profiles.
    rate: share removed, in (0, 1). For `remove`.
    where: `all` cuts before the split (train, validation and test have the ratio), `train` leaves the test part's natural
        classes. Default: `all` for native and ratio (as Yasinnik et al.), `train` for the others (as Dablain et al., Ando
        and Huang).
    """

    profile: str = "native"
    ratio: float | None = None
    rate: float | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise BadParameter(
                f"imbalance profile {quote(self.profile)} is not known; it must be one of {', '.join(PROFILES)}."
            )
        needs_ratio = self.profile in ("ratio", "exponential", "step", "gaussian")
        if needs_ratio and not (is_number(self.ratio) and 1 <= self.ratio <= MAX_RATIO):
            raise BadParameter(f"profile {quote(self.profile)} needs a ratio in [1, {MAX_RATIO:g}]; got {quote(self.ratio)}.")
        if not needs_ratio and self.ratio is not None:
            raise BadParameter(f"profile {quote(self.profile)} takes no ratio; use profile 'ratio'.")
        if self.profile == "remove" and not (is_number(self.rate) and 0 < self.rate < 1):
            raise BadParameter(f"profile 'remove' needs a rate between 0 and 1, such as 0.9; got {quote(self.rate)}.")
        if self.profile != "remove" and self.rate is not None:
            raise BadParameter(f"profile {quote(self.profile)} takes no rate; use profile 'remove'.")
        where = self.where or ("all" if self.profile in ("native", "ratio") else "train")
        if where not in WHERE:
            raise BadParameter(f"where={quote(where)} is not known; it must be 'all' or 'train'.")
        if self.profile == "native":
            where = "all"  # nothing is cut, so both values mean the same and must have one id
        object.__setattr__(self, "where", where)
        if self.ratio is not None:
            object.__setattr__(self, "ratio", float(self.ratio))


@dataclass(frozen=True)
class RunSpec:
    """One run.

    dataset, method: names in the catalog. data, params: their parameters (JSON-plain; `complete` fills in the defaults). folds:
    1 (one 60/20/20 split) or 2..10 (20% validation, the rest cut into test folds). seeds: 1..100; a seed redraws withheld rows,
    validation, folds and initial weights. replicates = folds x seeds. seed: the number that all random streams derive from. points:
    minority rows added to the training rows of a points set (`engine.spec.points`). plugin: digest of the file that the method comes from,
    where that is one of a person's own (`engine.plugins`); `complete` fills it in.
    """

    dataset: str
    method: str
    imbalance: Imbalance = field(default_factory=Imbalance)
    data: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    folds: int = 1
    seeds: int = 1
    seed: int = 0
    points: str = ""
    plugin: str = ""

    def __post_init__(self) -> None:
        for name in OPTIONAL:
            if not isinstance(getattr(self, name), str):
                raise BadParameter(f"{name} must be text; got {type(getattr(self, name)).__name__}.")
        for name, low, high in (("folds", 1, 10), ("seeds", 1, 100), ("seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise BadParameter(f"{name}={quote(value)}: must be a whole number in [{low}, {high}].")
        for name in ("data", "params"):  # copied to plain dicts, so that the caller cannot change them
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))

    @property
    def replicates(self) -> int:
        """Number of folds x seeds."""
        return self.folds * self.seeds

    def with_(self, **changes: Any) -> RunSpec:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def complete(self, catalog: Mapping[str, Any]) -> RunSpec:
        """This spec with checked names and all defaults filled in, as it is hashed and stored.

        An uploaded table is in no catalog; its `data` is completed by `table_options`. Raises UnknownName or BadParameter.
        """
        method = find_entry(catalog, "methods", self.method)
        if upload_id(self.dataset):
            kind, data = "tabular", table_options(self.data)
        else:
            dataset = find_entry(catalog, "datasets", self.dataset)
            kind, data = dataset["kind"], fields.check(dataset["fields"], self.data, self.dataset)
            if (why := explain_own_share(dataset, data)) and (self.imbalance.profile != "native" or self.folds != 1):
                raise BadParameter(f"{self.dataset}: {why} It takes profile 'native' and folds=1 alone.")
        if kind not in method["kinds"]:
            *most, last = method["kinds"]
            kinds = f"{', '.join(most)} or {last}" if most else last
            raise BadParameter(f"{self.method} takes {kinds} data; {self.dataset} is of kind {kind}.")
        if self.points:
            if kind != "points":
                raise BadParameter(f"{self.dataset}: points can be added to sets of points alone.")
            decode_points(self.points)
        return self.with_(
            data=data,
            params=fields.check(method["fields"], {**default_params(method, kind), **self.params}, self.method),
            plugin=method.get("plugin", ""),
        )

    def to_json(self) -> dict[str, Any]:
        """The spec, JSON-plain; `from_json` returns an equal spec. It has `points` and `plugin` only where they are not empty."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value or name not in OPTIONAL}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunSpec:
        """The spec of this JSON value. Raises BadParameter where it is none."""
        imbalance = _fields_of(Imbalance, _fields_of(cls, value, "a run's spec").get("imbalance", {}), "a run's imbalance")
        for name in ("dataset", "method"):
            if not isinstance(value.get(name), str):
                raise BadParameter(f"a run's spec must name its {name}; got {quote(value.get(name))}.")
        for name in ("data", "params"):
            if not isinstance(value.get(name, {}), Mapping):
                raise BadParameter(f"{name} of a run's spec must be names with values; got {quote(value[name])}.")
        return cls(**{**value, "imbalance": Imbalance(**imbalance)})

    def run_id(self, fingerprint: str, owner: str | None = None) -> str:
        """16 hex digits that identify the run: the hash of the *completed* spec, data, NUMERICS and, for private data, owner."""
        facts = {"spec": self.to_json(), "data": fingerprint, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]


def explain_own_share(entry: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Why no ratio can be set for a catalog entry whose rows name their part; '' for any other entry. options: of the dataset."""
    if not entry.get("parts"):
        return ""
    values = {f["name"]: f["default"] for f in entry["fields"]} | dict(options)
    return f"This set has its own share of {100 * values['share']:.3g}%."


def upload_id(dataset: str) -> str | None:
    """The id of an uploaded table; None for the name of any other dataset."""
    return dataset.removeprefix(UPLOAD) if dataset.startswith(UPLOAD) else None


def table_options(options: Mapping[str, Any], *, target: bool = True) -> dict[str, Any]:
    """Options for an uploaded table, every key filled in: the content of `RunSpec.data` for `upload/<id>`.

    target: name of the column to predict, required unless target=False (a profile guesses it). positive: the class that becomes
    class 1, None for the smaller one. reading: the file options that a person overrides
    (`engine.data.tables.reading.read_sheet`). Raises BadParameter.
    """
    if extra := options.keys() - {"target", "positive", "reading"}:
        raise BadParameter(f"a table's options are target, positive and reading; there is no {quote(min(extra, key=str))}.")
    chosen = {name: options.get(name) for name in ("target", "positive")}
    for name, value in chosen.items():
        if value is not None and not isinstance(value, str):
            raise BadParameter(f"{name} of a table must be text; it is of type {type(value).__name__}.")
    if target and chosen["target"] is None:
        raise BadParameter("a table's options must name its target, the column to predict.")
    reading = options.get("reading") or {}
    if not isinstance(reading, Mapping):
        raise BadParameter("reading of a table must be names with values.")
    return {**chosen, "reading": dict(reading)}


def _fields_of(cls: type, value: Any, what: str) -> Mapping[str, Any]:
    """Returns `value` unchanged where it is a mapping of fields of that dataclass. Raises BadParameter otherwise."""
    if not isinstance(value, Mapping):
        raise BadParameter(f"{what} must be names with values; got {quote(value)}.")
    if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
        raise BadParameter(f"{what} has no field {quote(min(extra, key=str))}.")
    return value


def default_params(method: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A method's default parameters on one kind of data; `method` is its entry in the catalog."""
    suited = method["presets"].get(method["suited"].get(kind), {})
    return {d["name"]: suited.get(d["name"], d["default"]) for d in method["fields"]}


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text.

    Raises BadParameter where a text has a character that a database cannot hold, and ValueError for a number that is none.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if may_be_unstorable(text) and (odd := next((one for one in _list_texts(value) if not is_storable(one)), None)) is not None:
        raise BadParameter(f"{quote(odd)} has a character that cannot be stored: a NUL, or half of a pair.")
    return text


def _list_texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from (str(key), *_list_texts(one))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _list_texts(one)


def find_entry(catalog: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The catalog's entry of this name; `kind` is 'datasets' or 'methods'. Raises UnknownName."""
    entry: dict[str, Any]
    for entry in catalog[kind]:
        if entry["name"] == name:
            return entry
    names = ", ".join(e["name"] for e in catalog[kind])
    raise UnknownName(f"no {kind[:-1]} is called {quote(name)}; there are: {names}.")
