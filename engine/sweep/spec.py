"""A sweep: methods x ratios on one or several datasets, each cell with plain training below it and the potential above it.

A cell is an ordinary public run of the Lab (profile `ratio`, the method's defaults on that kind of data), so that one which is in the store
already costs nothing, whoever asked for it, and every cell opens in the Lab. The sweep itself is no row anywhere: what it is follows from
the words of its `SweepSpec`, how far it is from its cells' jobs. The page uses this file: no torch, no scikit-learn.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np

from engine.errors import BadParameter
from engine.plain import to_plain
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.companions import BASELINE, ORACLE, why_no_potential
from engine.spec.result import METRICS
from engine.spec.run import MAX_RATIO, WHERE, find
from engine.stats.recovered import share
from engine.stats.significance import TTest, holm, over_sets, t_test
from engine.stats.verdict import Difference
from engine.store import Job, Store
from engine.store.jobs import PRIORITY_SWEEP

METRIC = "average_precision"
MOST = 2000
"""Cells of a sweep; more would be no picture any more."""
PLANS = 8
"""Sweeps whose cells are remembered at most: a page asks for them every second."""
MARGIN = 0.01
"""Scores closer than this count as a tie between two methods."""
STATES = ("done", "running", "queued", "failed", "missing")
"""What `Standing` counts. Cancelled and interrupted cells are missing: nobody works on them, and asking again starts them."""

# Measured on one core: glass2, moons and digits, 1 to 20 replicates, every method on glass2. They decide an order and weigh cells
# against each other; how long a cell takes on this machine is learnt from those that are done.
OVERHEAD = 0.45
"""Seconds of a cell of no size: reading, pictures, scores."""
STEP = 2e-4
"""Seconds of a step of the MLP, for each replicate."""
PIXEL = 5e-6
"""Seconds of a feature of an image in a convolutional network."""
WORK = {"rus": 0.3, "eos": 1.1, "explicit-gradient": 1.5, "balanced-svm": 2.0, "dos": 2.0, "meta-weight-net": 5.0}
"""Times the work of plain training on as many rows and epochs, where it is not about as much."""


@dataclass(frozen=True)
class Cell:
    """One run of a sweep. spec: completed; id: its run's; cost: relative seconds (see `cost`)."""

    dataset: str
    method: str
    ratio: float
    spec: RunSpec
    id: str
    cost: float


@dataclass(frozen=True)
class Impossible:
    """What a sweep asks for and cannot have. method: '' where no method can; ratio: None where the data can have none of them."""

    dataset: str
    method: str
    ratio: float | None
    reason: str


@dataclass(frozen=True)
class CellState:
    """A cell and what became of it.

    state: a job's (`engine.store.STATES`), or missing where nobody asked for it. reason: '' or why it ended without a result.
    done, total: its latest progress. seconds: about how long it will still take, None before the first cell is done, 0 where it is.
    """

    cell: Cell
    state: str
    reason: str
    done: int
    total: int
    seconds: float | None = None


@dataclass(frozen=True)
class Standing:
    """How far a sweep is. done, running, queued, failed, missing: cells (see STATES).

    seconds_left: until what is queued and running is done, on the engines alive now; None before the first cell is done, 0 where nothing
    is under way. seconds_missing: the same of what is missing, were it asked for.
    """

    done: int
    running: int
    queued: int
    failed: int
    missing: int
    seconds_left: float | None
    seconds_missing: float | None
    cells: list[CellState]

    @property
    def active(self) -> bool:
        """Whether any cell is queued or running."""
        return bool(self.running or self.queued)


@dataclass(frozen=True)
class SweepSpec:
    """What a person asks. datasets, methods: names in the catalog; ratios: each in [1, 500]; none twice, one of each at least.

    where, folds, seeds, seed: as `RunSpec` and `Imbalance` have them; on a dataset with a test part of its own there is one fold. `ce`
    and `potential` need not be named: every dataset and ratio has them. Raises BadParameter.
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
                raise BadParameter(f"a sweep's {name} must be a list of names; got {given!r}.")
        if not isinstance(self.ratios, (list, tuple)) or not all(map(_is_ratio, self.ratios)):
            raise BadParameter(f"a sweep's ratios must be numbers in [1, {MAX_RATIO:g}]; got {self.ratios!r}.")
        object.__setattr__(self, "ratios", tuple(float(r) for r in self.ratios))
        for name in ("datasets", "methods", "ratios"):
            given = tuple(getattr(self, name))
            if not given:
                raise BadParameter(f"a sweep needs at least one of its {name}.")
            object.__setattr__(self, name, tuple(dict.fromkeys(given)))
        if not isinstance(self.where, str) or self.where not in WHERE:
            raise BadParameter(f"where={self.where!r} is not known; it must be {' or '.join(map(repr, WHERE))}.")
        RunSpec("", "", folds=self.folds, seeds=self.seeds, seed=self.seed)  # checks the three
        many = len(self.datasets) * len(self.ratios) * len({*self.methods, BASELINE, ORACLE})
        if many > MOST:
            raise BadParameter(f"this sweep has {many:,} cells; at most {MOST:,} are taken: choose fewer of something.")

    # ---- as words

    def to_json(self) -> dict[str, Any]:
        """JSON-plain; `from_json` gives the same back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SweepSpec:
        """Raises BadParameter for anything that is not a sweep."""
        if not isinstance(value, Mapping):
            raise BadParameter(f"a sweep must be names with values; got {value!r}.")
        known = {f.name for f in dataclasses.fields(cls)}
        if extra := value.keys() - known:
            raise BadParameter(f"a sweep has no field {min(extra, key=str)!r}.")
        if absent := {"datasets", "methods", "ratios"} - value.keys():
            raise BadParameter(f"a sweep must name its {min(absent)}.")
        return cls(**value)

    def to_query(self) -> dict[str, str]:
        """The words of an address that mean this sweep; every one is written, so that a link outlives a change of defaults."""
        lists = {"datasets": self.datasets, "methods": self.methods, "ratios": [f"{r:.12g}" for r in self.ratios]}
        words = {name: ",".join(map(_quoted, given)) for name, given in lists.items()}
        return words | {name: str(getattr(self, name)) for name in ("where", "folds", "seeds", "seed")}

    @classmethod
    def from_query(cls, words: Mapping[str, str], catalog: Mapping[str, Any]) -> SweepSpec:
        """`to_query` back; other words are left alone. Raises BadParameter or UnknownName with one sentence for words that cannot be."""
        asked: dict[str, Any] = {}
        for name in ("datasets", "methods", "ratios"):
            asked[name] = listed(words.get(name, ""))
            if not asked[name]:
                raise BadParameter(f"a sweep needs at least one of its {name}; write {name}=... with commas between.")
        for kind in ("datasets", "methods"):
            for name in asked[kind]:
                find(catalog, kind, name)
        asked["ratios"] = [_number("ratios", text) for text in asked["ratios"]]
        for name in ("folds", "seeds", "seed"):
            if name in words:
                asked[name] = _whole(name, words[name])
        if "where" in words:
            asked["where"] = words["where"]
        return cls(**asked)

    # ---- its cells

    def cells(self, catalog: Mapping[str, Any]) -> list[Cell]:
        """Every cell that there can be, cheapest first. Raises UnknownName for a name that the catalog has not."""
        self._grid(catalog)  # what is missing is told with the names of all that there are
        names = {"datasets": {*self.datasets}, "methods": {*self.methods, BASELINE, ORACLE}}
        used = {kind: [entry for entry in catalog[kind] if entry["name"] in names[kind]] for kind in names}
        return list(_cells(self, json.dumps(used)))

    def impossible(self, catalog: Mapping[str, Any]) -> list[Impossible]:
        """What is asked for and cannot be: methods that do not take a dataset's kind, ratios that it cannot have. Raises UnknownName."""
        out = []
        for entry, ratio, first in self._grid(catalog):
            for name in self.methods if first else ():
                kinds = find(catalog, "methods", name)["kinds"]
                if entry["kind"] not in kinds:
                    why = f"{name} takes {' or '.join(kinds)} data; {entry['name']} is of kind {entry['kind']}."
                    out.append(Impossible(entry["name"], name, None, why))
            if why := self._too_much(entry, ratio):
                out.append(Impossible(entry["name"], "", ratio, why))
        return out

    def _grid(self, catalog: Mapping[str, Any]) -> list[tuple[dict[str, Any], float, bool]]:
        """(dataset's entry, ratio, whether it is this dataset's first)."""
        for name in self.methods:
            find(catalog, "methods", name)
        entries = [find(catalog, "datasets", name) for name in self.datasets]
        return [(entry, ratio, not k) for entry in entries for k, ratio in enumerate(self.ratios)]

    def replicates(self, catalog: Mapping[str, Any]) -> list[int]:
        """Of a run on each dataset: folds x seeds, with one fold where it has a test part of its own. Raises UnknownName."""
        return [self._folds(find(catalog, "datasets", name)) * self.seeds for name in self.datasets]

    def _folds(self, entry: Mapping[str, Any]) -> int:
        return 1 if entry.get("test_counts") else self.folds

    def _spec(self, entry: Mapping[str, Any], method: str, ratio: float) -> RunSpec:
        made = Imbalance("ratio", ratio, None, self.where)
        return RunSpec(entry["name"], method, made, folds=self._folds(entry), seeds=self.seeds, seed=self.seed)

    def _too_much(self, entry: Mapping[str, Any], ratio: float) -> str:
        """Why the dataset cannot have this ratio, '' where it can."""
        counts, folds = limits.class_counts(entry, {}), self._folds(entry)
        highest, why = limits.highest_ratio(counts, folds, self.where)
        if ratio > highest or min(counts) < limits.fewest(folds):
            return why
        if entry.get("test_counts") and self.where == "all":
            made = Imbalance("ratio", ratio, None, self.where)
            left = limits.targets(entry["test_counts"], made, head=limits.head_class(counts, "ratio"))
            if min(left) < 1:
                return f"No row of the smallest class would remain in the test part of {entry['name']} at {ratio:g}:1."
        return ""


@functools.lru_cache(maxsize=PLANS)
def _cells(spec: SweepSpec, used: str) -> tuple[Cell, ...]:
    """`SweepSpec.cells`. used: all that they follow from, the catalog's entries of its datasets and methods, as JSON.

    Text, so that an entry which has changed is another question, and no caller's catalog is held.
    """
    catalog = json.loads(used)
    methods = list(dict.fromkeys([BASELINE, *spec.methods, ORACLE]))
    out = []
    for entry, ratio, _ in spec._grid(catalog):
        if not spec._too_much(entry, ratio):
            for name in methods:
                method = find(catalog, "methods", name)
                if entry["kind"] in method["kinds"]:
                    own = spec._spec(entry, name, ratio).complete(catalog)
                    if name != ORACLE or not why_no_potential(own, entry):
                        out.append(Cell(entry["name"], name, ratio, own, own.run_id(entry["fingerprint"]), cost(own, entry)))
    return tuple(sorted(out, key=lambda cell: cell.cost))  # stable: plain training stands before what costs the same


def cost(spec: RunSpec, entry: Mapping[str, Any]) -> float:
    """About how many seconds a completed run takes on one slow core, from its dataset's entry and its parameters alone."""
    counts = limits.class_counts(entry, spec.data)
    share = 0.8 if entry.get("test_counts") else 0.6
    rows = share * sum(counts if spec.method == ORACLE else limits.targets(counts, spec.imbalance))
    epochs = spec.params.get("epochs", 1) + spec.params.get("meta_epochs", 0)
    if entry["kind"] == "images" and spec.params.get("model", "mlp") != "mlp":
        once = PIXEL * rows * entry["features"]
    else:
        once = STEP * max(1.0, rows / spec.params.get("batch", 128))
    return float(OVERHEAD + spec.replicates * epochs * once * WORK.get(spec.method, 1.0))


# ---- asking


def submit(store: Store, spec: SweepSpec, catalog: Mapping[str, Any], device: str = "auto") -> int:
    """Queue every cell that is missing or ended without a result, cheapest first; returns how many. What is done stays: it is free."""
    prints = {entry["name"]: entry["fingerprint"] for entry in catalog["datasets"]}
    asked = [(cell.spec, prints[cell.dataset]) for cell in spec.cells(catalog)]
    return len(store.submit_missing(asked, priority=PRIORITY_SWEEP, device=device))


def cancel(store: Store, spec: SweepSpec, catalog: Mapping[str, Any]) -> int:
    """Stop its cells that are queued or running, but not those that a person also asked for in the Lab; returns how many."""
    return store.cancel_all([cell.id for cell in spec.cells(catalog)])


# ---- how far it is


def standing(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], owner: str | None = None, *, lanes: int | None = None
) -> Standing:
    """How far it is, from one short query. lanes: cells at a time, by default as many as the engines alive give to sweeps."""
    cells = spec.cells(catalog)
    jobs = {id: job for id, (job, _) in store.read_results([cell.id for cell in cells], owner, fields=False).items()}
    states = []
    counts = dict.fromkeys(STATES, 0)
    for cell in cells:
        job = jobs.get(cell.id)
        if job is None:
            states.append(CellState(cell, "missing", "", 0, 0))
        else:
            states.append(CellState(cell, job.state, job.reason, job.done, job.total))
        counts[states[-1].state if states[-1].state in STATES else "missing"] += 1
    foreseen = _foresee(states, jobs)
    states = [dataclasses.replace(one, seconds=seconds) for one, seconds in zip(states, foreseen, strict=True)]
    if lanes is None:
        lanes = max(1, sum(max(1, engine.slots - 1) for engine in store.engines()))
    left = _together([one.seconds for one in states if one.state in ("queued", "running")], lanes)
    missing = _together([one.seconds for one in states if one.state not in ("queued", "running", "done")], lanes)
    known = counts["done"] > 0
    return Standing(**counts, seconds_left=left if known else None, seconds_missing=missing if known else None, cells=states)


def _foresee(states: Sequence[CellState], jobs: Mapping[str, Job]) -> list[float | None]:
    """Seconds each will still take: its cost times the rate of two or more finished cells of its method, else of all of them."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for one in states:
        job = jobs.get(one.cell.id)
        if job is not None and one.state == "done" and job.started is not None and job.finished is not None:
            taken.setdefault(one.cell.method, []).append((job.finished - job.started, one.cell.cost))
    if not taken:
        return [None] * len(states)
    everything = _rate([pair for pairs in taken.values() for pair in pairs])
    rates = {method: _rate(pairs) for method, pairs in taken.items() if len(pairs) > 1}
    now = time.time()
    out: list[float | None] = []
    for one in states:
        left = 0.0 if one.state == "done" else one.cell.cost * rates.get(one.cell.method, everything)
        spent = now - (jobs[one.cell.id].started or now) if one.state == "running" else 0.0
        out.append(max(0.0, left - max(0.0, spent)))
    return out


def _rate(pairs: Sequence[tuple[float, float]]) -> float:
    """Seconds for each second foreseen: the median over finished cells, which weigh as much as they cost.

    A median, because single cells take far longer than they should: the first that imports a library, or one beside other work.
    """
    order = sorted((seconds / cost, cost) for seconds, cost in pairs)
    half, passed = sum(cost for _, cost in order) / 2, 0.0
    for rate, cost in order:
        passed += cost
        if passed >= half:
            return rate
    return order[-1][0]


def _together(seconds: Sequence[float | None], lanes: int) -> float:
    known = [s for s in seconds if s is not None]
    return max(sum(known) / lanes, max(known)) if known else 0.0


# ---- what came of it


def table(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], metric: str = METRIC, owner: str | None = None
) -> list[dict[str, Any]]:
    """One JSON-plain record per cell, in the order of datasets, ratios and methods; plain training first, the potential last.

    dataset, dataset_title, method, title, ratio, run (id), state (see `CellState`), reason, seconds (of training), role: 'method',
    'baseline' or 'oracle'. n, mean, low, high, values [n], interval (which one, in words): of the metric, None, 0 or [] before it is
    done. difference: to `ce` on the same dataset and ratio, on common replicates by the corrected resampled t: {mean, low, high, n, p,
    p_holm, better, worse}, None without both. Holm's correction runs over all methods of all cells of this sweep that could be tested,
    not over the potential. One replicate gives a mean and no more. share: {mean, low, high} of the potential's gain that is recovered
    (`engine.stats.recovered`), only where the potential is above `ce`; share_why: '' or why there is none. note: '' or what to know
    before the difference is believed. Raises BadParameter for a metric that there is not.
    """
    if metric not in METRICS:
        raise BadParameter(f"no metric is called {metric!r}; there are: {', '.join(METRICS)}.")
    titles = {kind: {entry["name"]: entry["title"] for entry in catalog[kind]} for kind in ("datasets", "methods")}
    entries = {entry["name"]: entry for entry in catalog["datasets"]}
    order = list(dict.fromkeys([BASELINE, *(m for m in spec.methods if m != ORACLE), ORACLE]))
    cells = sorted(
        spec.cells(catalog),
        key=lambda c: (spec.datasets.index(c.dataset), spec.ratios.index(c.ratio), order.index(c.method)),
    )
    found = store.read_results([cell.id for cell in cells], owner, fields=("metrics", "n", "interval", "seconds", "test_share"))
    records, shares = [], []
    for cell in cells:
        job, words = found.get(cell.id, (None, None))
        role = {BASELINE: "baseline", ORACLE: "oracle"}.get(cell.method, "method")
        record: dict[str, Any] = {
            "dataset": cell.dataset,
            "dataset_title": titles["datasets"][cell.dataset],
            "method": cell.method,
            "title": titles["methods"][cell.method],
            "ratio": cell.ratio,
            "role": role,
            "run": cell.id,
            "state": "missing" if job is None else job.state,
            "reason": "" if job is None else job.reason,
            "n": 0,
            "mean": None,
            "low": None,
            "high": None,
            "values": [],
            "interval": "",
            "seconds": None,
            "difference": None,
            "share": None,
            "share_why": "",
            "note": "",
        }
        if words is not None:
            scores = words["metrics"][metric]
            record |= {name: scores[name] for name in ("mean", "low", "high", "values")}
            record |= {"n": words["n"], "interval": words["interval"], "seconds": words["seconds"]}
        if role == "method" and entries[cell.dataset]["kind"] == "images" and "model" not in cell.spec.params:
            record["note"] = "It trains the MLP, plain training here a convolutional network: the difference is of both."
        records.append(record)
        shares.append(None if words is None else float(words["test_share"]))
    _compare(records, shares, {cell.id: why_no_potential(cell.spec, entries[cell.dataset]) for cell in cells})
    return records


def _compare(records: list[dict[str, Any]], shares: Sequence[float | None], whys: Mapping[str, str]) -> None:
    """Fill in difference, share and share_why. shares: n_test / n_train of each; whys: why there is no potential, by run."""
    blocks: dict[tuple[str, float], dict[str, int]] = {}
    for i, record in enumerate(records):
        blocks.setdefault((record["dataset"], record["ratio"]), {})[record["method"]] = i
    tested: list[tuple[dict[str, Any], TTest]] = []
    for block in blocks.values():
        base = block[BASELINE]
        # plain training's rows are the split's, cut as everybody's; the potential has more, and would count as less overlapping
        share_of_test = shares[base]
        room = _paired(records, block.get(ORACLE), base)
        for name, i in block.items():
            record = records[i]
            if name == BASELINE:
                continue
            gain = _paired(records, i, base)
            if gain is not None and share_of_test is not None:
                test = t_test(gain, share_of_test)
                record["difference"] = _words(test, math.nan)
                if name != ORACLE:
                    tested.append((record, test))
            if name != ORACLE:
                _recovered(record, gain, room, share_of_test, whys[record["run"]])
    for (record, test), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        record["difference"] = _words(test, p)


def _words(test: TTest, p_holm: float) -> dict[str, Any]:
    found = Difference(test, p_holm)
    words: dict[str, Any] = to_plain(
        dataclasses.asdict(test) | {"p_holm": p_holm, "better": found.better, "worse": found.worse}
    )
    return words


def _paired(records: Sequence[Mapping[str, Any]], i: int | None, base: int) -> np.ndarray | None:
    """Replicate by replicate, one cell minus another; NaN where either has no value; None where either has no result."""
    if i is None or not records[i]["values"] or not records[base]["values"]:
        return None
    mine, theirs = (np.array(records[k]["values"], dtype=float) for k in (i, base))
    return mine - theirs if len(mine) == len(theirs) else None


def _recovered(
    record: dict[str, Any], gain: np.ndarray | None, room: np.ndarray | None, test_share: float | None, why: str
) -> None:
    if why:
        record["share_why"] = why
    elif gain is None or room is None or test_share is None:
        record["share_why"] = "The share of the potential needs this cell, plain training and the potential to be done."
    elif (found := share(gain, room, test_share)) is not None:
        record["share"] = {"mean": found.mean, "low": found.low, "high": found.high}
    elif len(room) < 2:
        record["share_why"] = "One replicate does not tell whether the withheld rows are worth anything: use more seeds."
    else:
        record["share_why"] = (
            "Giving the withheld rows back does not clearly beat plain training here: there is no share to recover."
        )


def over_cells(records: Sequence[Mapping[str, Any]], metric: str = METRIC) -> dict[str, Any] | None:
    """`engine.stats.significance.over_sets` of the methods and plain training (never the potential), each dataset and ratio as one set.

    Cells where a method is missing are left out for all. The ratios of one dataset share its rows, so they are not independent as
    Friedman's test has it: with one dataset the answer is about that dataset alone. None with fewer than three methods or two such cells.
    metric: that of the records, for its name alone. Raises BadParameter for a metric that there is not.
    """
    if metric not in METRICS:
        raise BadParameter(f"no metric is called {metric!r}; there are: {', '.join(METRICS)}.")
    ranked = [record for record in records if record["role"] != "oracle"]
    blocks = list(dict.fromkeys((record["dataset"], record["ratio"]) for record in ranked))
    means = {(r["method"], r["dataset"], r["ratio"]): r["mean"] for r in ranked if r["mean"] is not None}
    methods = [name for name in dict.fromkeys(r["method"] for r in ranked) if any(key[0] == name for key in means)]
    if BASELINE not in methods or len(methods) < 3:
        return None
    found = over_sets({name: [means.get((name, *block)) for block in blocks] for name in methods}, BASELINE, MARGIN)
    return found | {"metric": metric} if found["ranks"] is not None else None


# ---- words


def command(spec: SweepSpec) -> list[str]:
    """The words of `python -m engine sweep ...` that give this sweep at a terminal."""
    words = spec.to_query()
    return ["python", "-m", "engine", "sweep", *(part for name, text in words.items() for part in (f"--{name}", text))]


def terminal(spec: SweepSpec, metric: str = METRIC) -> str:
    """The same as a line for a shell. metric: what its answer is in."""
    return shlex.join([*command(spec), *(["--metric", metric] if metric != METRIC else [])])


def python(spec: SweepSpec, metric: str = METRIC) -> str:
    """Python that trains every cell, cheapest first, and prints its score, from the folder that the product lies in."""
    return "\n".join(
        [
            "# every cell of the sweep, cheapest first: the same numbers on the same kind of machine",
            "from engine.catalog import build_catalog",
            "from engine.runner import drive, run",
            "from engine.sweep import SweepSpec",
            "",
            "spec = SweepSpec(",
            *(f"    {name}={value!r}," for name, value in vars(spec).items()),
            ")",
            "results = {}",
            "for cell in spec.cells(build_catalog(found=True)):",
            "    _, result, _ = drive(run(cell.spec))",
            "    results[cell.dataset, cell.ratio, cell.method] = result",
            f"    score = result.metric({metric!r})",
            "    print(f'{cell.dataset} {cell.ratio:g}:1 {cell.method} '",
            f"          f'{metric} {{score.mean:.3f}} [{{score.low:.3f}}, {{score.high:.3f}}], n = {{result.n}}')",
            "",
        ]
    )


def listed(text: str) -> list[str]:
    """The names of a list with commas between; a comma within a name is written %2C."""
    return [unquote(part.strip()) for part in text.split(",") if part.strip()]


def _quoted(name: str) -> str:
    return re.sub("[%,]", lambda found: f"%{ord(found[0]):02X}", name)


def _is_ratio(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value <= MAX_RATIO


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadParameter(f"{name}: {text[:40]!r} is not a number.") from None


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadParameter(f"{name}={text[:40]!r} must be a whole number.") from None
