"""Finished runs that come with the product, so that there is something to see before anything was trained: `python -m engine example`.

An example is a bundle of the store and a card of the gallery: a title, two sentences, numbers and a picture, all read from the bundle.
Each number says on which side of 0 its interval lies, and where the bundle says otherwise there is no card (`card` raises): a card
cannot claim what its runs do not show.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.analysis.threshold_tables import reliability
from engine.catalog import build_catalog
from engine.embed import job as embed
from engine.errors import BadData, UnknownName
from engine.events import UNIT, Epoch, Event, Frame, Progress, Scene, pack, pack_film, unpack, unpack_film
from engine.executors.private import steps
from engine.plain import to_plain
from engine.report import svg
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import family
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.result import METRICS, Result
from engine.spec.run import find
from engine.stats import thresholds
from engine.stats.intervals import Interval, corrected_t
from engine.stats.significance import split_share
from engine.store import Store
from engine.sweep import SweepSpec
from engine.sweep.spec import table as sweep_table

INDEX = "index.json"
"""What the page reads of all examples, beside their bundles."""
ABOVE, BELOW, HOLDS = "above 0", "below 0", "holds 0"
"""Where the interval of a number lies; '' for a number of which nothing is claimed."""
FILM, HALF, FEW = 60, 30, 8
"""Pictures of what a link opens, of what stands beside it, and of other replicates and cells."""
ROWS = (220, 140, 200)
"""Training, test and synthetic rows whose features are kept, at most."""
SHOWN = 60
"""Moving points in a card's picture, at most."""
MINORITY_RECALL = "recall of the minority classes"


@dataclass(frozen=True)
class Fact:
    """A number of a card. said: what it is; sense: ABOVE, BELOW, HOLDS or ''."""

    said: str
    found: Interval
    sense: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-plain, rounded to five digits. Raises BadData where the interval does not lie where it is said to."""
        low, high = self.found.low, self.found.high
        true = {ABOVE: low > 0, BELOW: high < 0, HOLDS: low <= 0 <= high, "": True}[self.sense]
        if not true:
            raise BadData(f"{self.said}: [{low:.4g}, {high:.4g}] is not {self.sense}, which the card says.")
        numbers = {name: float(f"{getattr(self.found, name):.5g}") for name in ("mean", "low", "high")}
        words: dict[str, Any] = to_plain({"said": self.said, **numbers, "n": self.found.n, "kind": self.found.kind})
        return words | {"sense": self.sense}


@dataclass(frozen=True)
class Bundle:
    """A bundle taken into a store of its own, for a card. ids: its jobs, in order."""

    store: Store
    ids: Sequence[str]

    def result(self, number: int) -> Result:
        """Of the run with that number."""
        found = self.store.result(self.ids[number])
        if found is None:
            raise BadData(f"run {self.ids[number]} of this bundle has no result.")
        return found

    def film(self) -> tuple[Scene, Frame]:
        """What stands still in the first replicate's pictures of the first run, and the last of them."""
        events = [event for _, event in self.store.events(self.ids[0], kinds=("scene", "frame"))]
        scenes, frames = [e for e in events if isinstance(e, Scene)], [e for e in events if isinstance(e, Frame)]
        if not scenes or not frames:
            raise BadData(f"run {self.ids[0]} of this bundle keeps no pictures.")
        return scenes[-1], frames[-1]

    def artifact(self, number: int, name: str) -> bytes:
        """Raises BadData where the job keeps none of that name."""
        data = self.store.artifact(self.ids[number], name)
        if data is None:
            raise BadData(f"job {self.ids[number]} of this bundle keeps no {name}.")
        return data


@dataclass(frozen=True)
class Example:
    """What is run, and the card that shows it.

    title; look: what to look at; means: what it means. wanted: runs, each with everything that belongs beside it; or a
    comparison; or a sweep. page: where the link goes; words: the rest of its address, from the ids. facts and picture: from the bundle;
    legend: what is what in the picture.
    """

    title: str
    look: str
    means: str
    wanted: Sequence[RunSpec] | CompareSpec | SweepSpec
    page: str
    words: Callable[[Sequence[str]], dict[str, str]]
    facts: Callable[[Bundle], list[Fact]]
    picture: Callable[[Bundle], str]
    legend: str


def _first(ids: Sequence[str]) -> dict[str, str]:
    return {"run": ids[0]}


def _against(bundle: Bundle, other: int, metric: str, words: str, sense: str) -> Fact:
    """The first run minus another one."""
    return Fact(f"{METRICS[metric][0]} against {words}", bundle.result(0).difference(bundle.result(other), metric), sense)


# ---- points that move


def _moved(bundle: Bundle) -> Fact:
    """How far the points went, in sd of a feature."""
    result = bundle.result(0)
    if result.moves is None:
        raise BadData("no point of this run moved.")
    values = np.array(result.moves["values"], float)
    return Fact("Way of the median point, in sd", corrected_t(values, result.test_share, (0.0, math.inf)), ABOVE)


def _helps(bundle: Bundle) -> list[Fact]:
    return [
        _against(bundle, 1, "f1", "copies that stand still", ABOVE),
        _against(bundle, 1, "balanced_accuracy", "copies that stand still", BELOW),
        _against(bundle, 3, "average_precision", "plain training", HOLDS),
    ]


def _harms(bundle: Bundle) -> list[Fact]:
    return [
        _moved(bundle),
        _against(bundle, 3, "average_precision", "plain training", BELOW),
        _against(bundle, 1, "average_precision", "copies that stand still", BELOW),
    ]


def _helps_not(bundle: Bundle) -> list[Fact]:
    return [
        _moved(bundle),
        _against(bundle, 3, "average_precision", "plain training", HOLDS),
        _against(bundle, 1, "average_precision", "copies that stand still", HOLDS),
    ]


def _ways(bundle: Bundle) -> str:
    scene, last = bundle.film()
    chosen = np.unique(np.linspace(0, len(last.points) - 1, min(SHOWN, len(last.points))).round().astype(int))
    rare = scene.labels != np.bincount(scene.labels).argmax()
    common = np.flatnonzero(~rare)[:: max(1, int((~rare).sum()) // 160)]
    kept = np.sort(np.concatenate([np.flatnonzero(rare), common]))
    return svg.moves(
        scene.points[kept] / UNIT,
        rare[kept],
        scene.parents[chosen] / UNIT,
        last.points[chosen] / UNIT,
        label=f"Real rows of both classes and the way of {len(chosen)} synthetic points from where they were copied",
    )


# ---- gap


def _net(result: Result, state: str) -> np.ndarray:
    return np.array(result.gap["net"][state]["values"], float)


def _level(result: Result, state: str, said: str) -> Fact:
    return Fact(said, corrected_t(_net(result, state), result.test_share, (0.0, math.inf)))


def _apart(one: Result, other: Result, state: str, said: str, sense: str) -> Fact:
    """Mean gap of one run minus the other's, on the same test rows."""
    found = corrected_t(_net(one, state) - _net(other, state), one.test_share, (-math.inf, math.inf))
    return Fact(said, found, sense)


def _rises(bundle: Bundle) -> list[Fact]:
    high, low, middle = (bundle.result(2 * k) for k in range(3))
    return [
        _apart(middle, low, "before", "Gap at 20:1 minus gap at 5:1", ABOVE),
        _apart(high, low, "before", "Gap at 100:1 minus gap at 5:1", ABOVE),
    ]


def _by_ratio(bundle: Bundle) -> str:
    rows = []
    for number, name in ((2, "5:1"), (4, "20:1"), (0, "100:1")):
        found = _level(bundle.result(number), "before", name).found
        rows.append(svg.Row(name, found.mean, _said(found), found.low, found.high))
    return svg.intervals(
        rows, label="Mean generalization gap of plain training at three ratios", x_title="Generalization gap", lowest=0.0
    )


def _widens(bundle: Bundle) -> list[Fact]:
    eos, smote = bundle.result(0), bundle.result(4)
    return [
        _apart(eos, smote, "after", "Gap with EOS minus gap with SMOTE", BELOW),
        Fact("Change of the gap by SMOTE", corrected_t(_net(smote, "after") - _net(smote, "before"), smote.test_share), HOLDS),
        Fact("Balanced accuracy, EOS against SMOTE", eos.difference(smote, "balanced_accuracy"), HOLDS),
    ]


def _by_class(bundle: Bundle) -> str:
    eos, smote = bundle.result(0), bundle.result(4)
    gaps = [np.nanmean(np.array(r.gap["after"], float), axis=0) for r in (eos, smote)]
    classes = np.arange(len(gaps[0]), dtype=float)
    top = float(np.nanmax(gaps)) * 1.1
    return svg.lines(
        [svg.Line(classes, gaps[0], "a", "dot"), svg.Line(classes, gaps[1], "b", "ring")],
        label="Gap of each class after over-sampling: EOS as a solid line with dots, SMOTE as a dashed one with rings",
        x_title="class, the rarest at the right",
        y_title="gap",
        x=(0.0, len(classes) - 1.0),
        y=(0.0, top),
    )


# ---- DOS


def _history(result: Result, name: str) -> np.ndarray:
    """[R, rounds] of DOS."""
    found = [key for key in result.arrays if key.endswith(f"/{name}")]
    if not found:
        raise BadData(f"this run has no history of {name}.")
    return np.asarray(result.arrays[found[0]], float)


def _pulls(bundle: Bundle) -> list[Fact]:
    result = bundle.result(0)
    spread = _history(result, "variance_minority")
    change = 100 * (spread[:, -1] / spread[:, 0] - 1)
    return [
        Fact(
            "Change of the minority's spread, in percent", corrected_t(change, result.test_share, (-math.inf, math.inf)), BELOW
        ),
        _against(bundle, 3, "balanced_accuracy", "plain training", ABOVE),
        _against(bundle, 2, "balanced_accuracy", "copies and as many steps", HOLDS),
    ]


def _spread(bundle: Bundle) -> str:
    result = bundle.result(0)
    lines, top = [], 0.0
    for name, style, mark in (("variance_minority", "a", "dot"), ("variance_majority", "b", "ring")):
        mean = np.nanmean(_history(result, name), axis=0)
        lines.append(svg.Line(np.arange(len(mean), dtype=float), mean, style, mark))
        top = max(top, float(np.nanmax(mean)))
    return svg.lines(
        lines,
        label="Spread of the features within a class, by round: minority as a solid line with dots, majority as a dashed one with rings",
        x_title="round",
        y_title="spread",
        x=(0.0, max(1.0, len(lines[0].x) - 1.0)),
        y=(0.0, 1.1 * top),
    )


# ---- calibration


@dataclass(frozen=True)
class _Scores:
    """Tested rows of a comparison. truth [n] bool; replicate [n]; score: method -> [n]."""

    truth: np.ndarray
    replicate: np.ndarray
    score: dict[str, np.ndarray]
    test_share: float

    @property
    def passes(self) -> int:
        """How many replicates there are."""
        return len(np.unique(self.replicate))

    def each(self, what: Callable[[np.ndarray, np.ndarray], float], name: str) -> np.ndarray:
        """`what` of (score, truth), replicate by replicate [R]."""
        score = self.score[name]
        which = self.replicate[: len(score)]
        return np.array([what(score[which == r], self.truth[: len(score)][which == r]) for r in np.unique(which)])


def _scores(bundle: Bundle) -> _Scores:
    arrays = unpack(bundle.artifact(0, "arrays"))
    replicate = 1000 * arrays["seed"].astype(int) + arrays["fold"].astype(int)
    score = {name.removeprefix("score/"): arrays[name].astype(float) for name in arrays if name.startswith("score/")}
    return _Scores(arrays["truth"].astype(bool), replicate, score, split_share(len(np.unique(arrays["fold"]))))


def _promised(score: np.ndarray, truth: np.ndarray) -> float:
    """Mean probability minus the share of positive rows, in percent points."""
    return float(100 * (score.mean() - truth.mean()))


def _breaks(bundle: Bundle) -> list[Fact]:
    found = _scores(bundle)
    share, free = found.test_share, (-math.inf, math.inf)
    corrected = thresholds.calibration(unpack(bundle.artifact(0, "thresholds/smote")), "prior corrected")["bins"]
    rows = sum(b["rows"] for b in corrected)
    left = 100 * sum(b["rows"] * (b["predicted"] - b["observed"]) for b in corrected) / rows
    return [
        Fact(
            "SMOTE: promised minus true share, in percent points",
            corrected_t(found.each(_promised, "smote"), share, free),
            ABOVE,
        ),
        Fact("Plain training: the same", corrected_t(found.each(_promised, "ce"), share, free), HOLDS),
        Fact(
            "SMOTE after prior correction, all rows at once; no interval",
            Interval(left, math.nan, math.nan, found.passes, "no interval"),
        ),
    ]


def _reliability(bundle: Bundle) -> str:
    found = _scores(bundle)
    lines = []
    for name, style, mark in (("smote", "a", "dot"), ("ce", "b", "ring")):
        bins = reliability(found.score[name], found.truth[: len(found.score[name])])
        lines.append(svg.Line(bins["mean"], bins["observed"], style, mark))
    return svg.lines(
        lines,
        label="Observed share against promised probability: SMOTE as a solid line with dots, plain training dashed with rings; dotted: as "
        "it should be",
        x_title="promised",
        y_title="observed",
        diagonal=True,
    )


# ---- a sweep


SWEEP = SweepSpec(("moons",), ("class-weights", "focal", "smote", "explicit-gradient"), (5, 20, 50), folds=4, seeds=2)
"""Four methods at three ratios on two moons, with plain training and the potential."""


def _records(bundle: Bundle) -> list[dict[str, Any]]:
    return sweep_table(bundle.store, SWEEP, build_catalog())


def _swept(bundle: Bundle) -> list[Fact]:
    """How plain training falls, and how many methods differ from it: the sense of each is in the sentence of the card."""
    records = _records(bundle)
    score = {r["ratio"]: np.array(r["values"], float) for r in records if r["method"] == "ce"}
    share = bundle.result(bundle.ids.index(next(r["run"] for r in records if r["method"] == "ce"))).test_share
    unpaired = corrected_t(score[5.0], share, (0.0, 1.0)), corrected_t(score[50.0], share, (0.0, 1.0))
    levels = [
        Fact(f"Plain training at {name}: average precision", found)
        for name, found in zip(("5:1", "50:1"), unpaired, strict=True)
    ]
    tested = [r for r in records if r["role"] == "method" and r["difference"] is not None]
    if better := [r["method"] for r in tested if r["difference"]["better"]]:
        raise BadData(f"{better[0]} is above plain training here, which the card denies.")
    best = max(tested, key=lambda r: r["difference"]["mean"])["difference"]
    return [
        *levels,
        Fact(
            "Largest gain of a method over plain training",
            Interval(best["mean"], best["low"], best["high"], best["n"], levels[0].found.kind),
            HOLDS,
        ),
    ]


def _against_ratio(bundle: Bundle) -> str:
    records = _records(bundle)
    lines = []
    for method, style, mark in (
        ("ce", "b", "ring"),
        ("smote", "d", "up"),
        ("explicit-gradient", "a", "dot"),
        ("potential", "c", "square"),
    ):
        own = [r for r in records if r["method"] == method and r["mean"] is not None]
        lines.append(svg.Line(np.log2([r["ratio"] for r in own]), np.array([r["mean"] for r in own], float), style, mark))
    lowest = min(float(line.y.min()) for line in lines)
    return svg.lines(
        lines,
        label="Average precision against the ratio: plain training dashed with rings, SMOTE dotted with triangles, explicit gradient solid "
        "with dots, the potential dash and dot with squares",
        x_title="largest to smallest class",
        y_title="AP",
        x=(math.log2(5), math.log2(50)),
        x_ticks=[(math.log2(ratio), f"{ratio:g}:1") for ratio in SWEEP.ratios],
        y=(max(0.0, lowest - 0.05), 1.0),
    )


# ---- the examples


DIGITS = Imbalance("exponential", 20.0)
NETWORK = {"model": "mlp"}
WAYS = "Dots: real rows, the rare ones larger. Diamonds: where the copies ended, with their way."
EXAMPLES = {
    "rings": Example(
        "Points that move and help",
        "Watch the copies leave their places; then compare F1 with that of the frozen copies, under All measures of all methods.",
        "Copies that moved raise fewer false alarms than copies that stand still, so F1 is higher. They also find fewer of the rare rows, "
        "and the ranking (average precision) is no better than plain training's.",
        (RunSpec("rings", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 6000}, folds=4, seeds=3),),
        "lab",
        _first,
        _helps,
        _ways,
        WAYS,
    ),
    "moons": Example(
        "Points that move and do not help",
        "Watch the film: the diamonds are copies of minority rows that learn where to stand, and the median one goes a long way.",
        "The curves beside it lie on each other: on two moons at 50:1 moving them changes nothing that can be told from chance.",
        (RunSpec("moons", "explicit-gradient", Imbalance("ratio", 50.0), data={"rows": 6000}, folds=4, seeds=5),),
        "lab",
        _first,
        _helps_not,
        _ways,
        WAYS,
    ),
    "clusters": Example(
        "Points that move too far and harm",
        "Watch the film: with the same step as in the other two the copies run far out of their clusters.",
        "Average precision falls below plain training's and below that of copies that stand still: a step that shows on one dataset is "
        "too long on another.",
        (RunSpec("clusters", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 4000}, folds=4, seeds=2),),
        "lab",
        _first,
        _harms,
        _ways,
        WAYS,
    ),
    "gap": Example(
        "The gap rises with the ratio",
        "Look at the generalization gap per class: digits at 100:1, with the run at 5:1 beside it.",
        "The fewer training rows a class has, the further its test rows lie outside what training showed the network.",
        tuple(
            RunSpec("digits", "ce", Imbalance("exponential", ratio), params=NETWORK, folds=4, seeds=3)
            for ratio in (100.0, 5.0, 20.0)
        ),
        "deep",
        lambda ids: {"run": ids[0], "beside": ids[2]},
        _rises,
        _by_ratio,
        "Mean over the classes, with its 95% interval.",
    ),
    "eos": Example(
        "EOS widens the box of a class",
        "Compare the gap after over-sampling with EOS and, beside it, with SMOTE: new rows of EOS lie towards other classes.",
        "EOS makes the range of a class reach further, so the gap shrinks; SMOTE's rows lie between rows of the class and cannot leave "
        "its box. A smaller gap alone finds no more rows.",
        (
            RunSpec("digits", "eos", DIGITS, params=NETWORK, folds=4, seeds=3),
            RunSpec("digits", "eos", DIGITS, params=NETWORK | {"sampler": "smote"}, folds=4, seeds=3),
        ),
        "deep",
        lambda ids: {"run": ids[0], "beside": ids[4]},
        _widens,
        _by_class,
        "Solid: EOS. Dashed: SMOTE.",
    ),
    "dos": Example(
        "DOS pulls classes together",
        "Watch how it came about: after plain training every round draws the rows of a rare class towards their neighbours.",
        "The spread of the rare classes' features falls from round to round; whether rows are told apart better is another question.",
        (RunSpec("digits", "dos", DIGITS, params=NETWORK, folds=4, seeds=3),),
        "deep",
        _first,
        _pulls,
        _spread,
        "Solid: rare classes. Dashed: the others.",
    ),
    "calibration": Example(
        "SMOTE breaks calibration",
        "Under Decide, see whether the probabilities are right: SMOTE's line lies below the diagonal, fewer rows are positive than it "
        "promises.",
        "It was trained on classes that it made equal, so it takes the rare one for common; plain training promises about what comes, "
        "on average. Prior corrected shows how much of that can be taken back.",
        CompareSpec({"dataset": "rings"}, ratio=10.0, methods=("ce", "smote"), budget=90.0),
        "data",
        lambda ids: {"compare": ids[0], "method": "smote"},
        _breaks,
        _reliability,
        "Solid: SMOTE. Dashed: plain training. Dotted: as it should be.",
    ),
    "sweep": Example(
        "What should I use, when?",
        "Follow the score against the ratio: four methods, plain training and the potential at three ratios.",
        "The mean of plain training falls as the ratio rises, and no method is above it here by more than chance.",
        SWEEP,
        "compare",
        lambda ids: SWEEP.to_query(),
        _swept,
        _against_ratio,
        "Solid: explicit gradient. Dotted: SMOTE. Dashed: plain training. Dash and dot: the potential.",
    ),
}
"""name -> example, in the order of the gallery. `moons` is what a first visit shows."""


# ---- making


def make(name: str, path: Path, say: Callable[[str], None]) -> None:
    """Compute an example, write it as a bundle, and write the index of all that lie beside it. Raises UnknownName."""
    if name not in EXAMPLES:
        raise UnknownName(f"no example is called {name!r}; there are: {', '.join(EXAMPLES)}.")
    catalog = build_catalog()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/example.db")
        wanted = EXAMPLES[name].wanted
        if isinstance(wanted, CompareSpec):
            ids = [_compared(store, wanted, catalog, say)]
        else:
            specs = _specs(EXAMPLES[name], catalog)
            ids = []
            for number, (spec, keeps) in enumerate(specs):
                say(f"{number + 1} of {len(specs)}: {spec.method} on {spec.dataset}")
                ids.append(_ran(store, spec, catalog, keeps))
        path.parent.mkdir(parents=True, exist_ok=True)
        store.export(ids, path)
        store.close()
    index(path.parent)


def jobs(name: str, catalog: Mapping[str, Any]) -> list[str]:
    """The jobs that the bundle of an example holds, in order."""
    wanted = EXAMPLES[name].wanted
    if isinstance(wanted, CompareSpec):
        return [wanted.id(find(catalog, "datasets", wanted.source["dataset"])["fingerprint"])]
    return [spec.run_id(find(catalog, "datasets", spec.dataset)["fingerprint"]) for spec, _ in _specs(EXAMPLES[name], catalog)]


@dataclass(frozen=True)
class Keep:
    """What of a run goes into a bundle beside its result. frames: pictures of the first replicate, at most; others: of each other one too;
    features: those of a sample of rows, with their map."""

    frames: int = 0
    others: bool = False
    features: bool = False


NOTHING, CELL = Keep(), Keep(FEW)
LAB, DEEP, BESIDE = Keep(FILM, others=True), Keep(HALF, features=True), Keep(HALF)


def _specs(example: Example, catalog: Mapping[str, Any]) -> list[tuple[RunSpec, Keep]]:
    """(completed spec, what is kept of it), none twice."""
    if isinstance(example.wanted, SweepSpec):
        cells = example.wanted.cells(catalog)
        return [(cell.spec, CELL if cell.method in example.wanted.methods else NOTHING) for cell in cells]
    assert not isinstance(example.wanted, CompareSpec)
    out: dict[str, tuple[RunSpec, Keep]] = {}
    for spec in example.wanted:
        for number, member in enumerate(family(spec, catalog)[0]):
            keep = NOTHING if number else LAB if example.page == "lab" else BESIDE if out else DEEP
            out.setdefault(member.spec.run_id(""), (member.spec, keep))
    return list(out.values())


def _ran(store: Store, spec: RunSpec, catalog: Mapping[str, Any], keep: Keep) -> str:
    """Run it and keep what the pages show of it; returns its id."""
    events, result, made = drive(run(spec))
    frames = [event for event in events if isinstance(event, Frame)]
    drawn = set(map(id, _evenly(frames, keep.frames)))
    unseen = (Progress, Epoch) if drawn else (Progress, Epoch, Scene)  # a result holds its history
    said: list[Event] = [e for e in events if not isinstance(e, unseen) and (not isinstance(e, Frame) or id(e) in drawn)]
    kept = {name: data for name, data in made.items() if name.startswith("contributions/0") and drawn}
    if keep.others:
        kept |= {name: data for name, data in made.items() if name.startswith("contributions/")}
        for name in made:
            if name.startswith("frames/") and name != "frames/0":  # the first replicate's are events
                scene, film = unpack_film(made[name])
                kept[name] = pack_film(scene, _evenly(film, FEW))
    if keep.features:
        kept[FEATURES] = pack(fewer(unpack(made[FEATURES]), ROWS))
    job = store.record_run(spec, result, said, kept, fingerprint=find(catalog, "datasets", spec.dataset)["fingerprint"])
    if FEATURES in kept:
        asked = EmbedSpec(job.id, "pca")
        running = embed.run(asked, kept[FEATURES])
        try:
            while True:
                next(running)
        except StopIteration as end:
            store.record_embedding(asked, *end.value)
    return job.id


def _compared(store: Store, spec: CompareSpec, catalog: Mapping[str, Any], say: Callable[[str], None]) -> str:
    """Compare and keep what the page shows; returns the job's id. Models and rows are left out: they are megabytes."""
    say(f"comparing on {spec.source['dataset']} for {spec.budget:g} s")
    fingerprint = find(catalog, "datasets", spec.source["dataset"])["fingerprint"]
    job = store.submit_compare(None, spec.to_json(), fingerprint=fingerprint)
    store.claim("example")
    running = steps("compare", spec.to_json(), None, run=run, id=job.id)
    try:
        while True:
            next(running)
    except StopIteration as end:
        facts, artifacts = end.value
    kept = {name: data for name, data in artifacts.items() if not name.startswith(("model/", "augmented/"))}
    store.save_result(job.id, (json.dumps(facts), b""), kept)
    return job.id


def _evenly(frames: list[Frame], most: int) -> list[Frame]:
    """At most so many, evenly, the first and the last among them."""
    some = np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)
    return [frames[i] for i in np.unique(some)]


def fewer(found: Mapping[str, np.ndarray], most: Sequence[int]) -> dict[str, np.ndarray]:
    """A sample of features (`engine.analysis.sample`) with at most `most` rows of training, test and synthetic ones, evenly from each
    class. Enemies that are left out become -1; `size` still says how many rows there are in all."""
    kept = []
    for part, limit in enumerate(most):
        at = np.flatnonzero(found["part"] == part)
        at = at[np.argsort(found["y"][at], kind="stable")]
        kept.append(at[np.unique(np.linspace(0, len(at) - 1, min(limit, len(at))).round().astype(int))] if len(at) else at)
    order = np.sort(np.concatenate(kept))
    place = np.full(len(found["y"]) + 1, -1, found["enemy"].dtype)  # the last one answers for -1, no enemy
    place[order] = np.arange(len(order))
    out = {name: found[name][order] for name in ("x", "y", "part", "row", "predicted")}
    out |= {"enemy": place[found["enemy"][order]], "size": found["size"]}
    if "thumbs" in found:
        out["thumbs"] = found["thumbs"][order[found["part"][order] < 2]]
    return out


# ---- cards


def card(name: str, path: Path) -> dict[str, Any]:
    """The card of an example from its bundle, JSON-plain: title, look, means, page, words, jobs (ids), facts, picture (SVG), legend, and
    of a sweep cells (dataset, method, ratio, run).

    Raises BadData where the bundle does not show what the card says, and UnknownName.
    """
    if name not in EXAMPLES:
        raise UnknownName(f"no example is called {name!r}; there are: {', '.join(EXAMPLES)}.")
    example = EXAMPLES[name]
    with _opened(path) as bundle:
        facts = [fact.to_json() for fact in example.facts(bundle)]
        picture = example.picture(bundle)
        words = example.words(bundle.ids)
    out: dict[str, Any] = {
        "name": name,
        "title": example.title,
        "look": example.look,
        "means": example.means,
        "page": example.page,
    }
    out |= {"words": words, "jobs": list(bundle.ids), "facts": facts, "picture": picture, "legend": example.legend}
    if isinstance(example.wanted, SweepSpec):
        cells = example.wanted.cells(build_catalog())
        out["cells"] = [{"dataset": c.dataset, "method": c.method, "ratio": c.ratio, "run": c.id} for c in cells]
    return out


def index(folder: Path) -> None:
    """Write the cards of the examples whose bundles lie in that folder. Raises BadData as `card`."""
    cards = [card(name, folder / f"{name}.zip") for name in EXAMPLES if (folder / f"{name}.zip").is_file()]
    partial = folder / f"{INDEX}.part"
    partial.write_text(json.dumps(cards, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(folder / INDEX)


@contextmanager
def _opened(path: Path) -> Iterator[Bundle]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/card.db")
        try:
            yield Bundle(store, store.load(path))
        finally:
            store.close()


def _said(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
