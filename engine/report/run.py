"""A run with what is compared with it as one HTML file to keep, print or send (`engine.report.page`). No torch: the page makes it.

It holds names of classes and numbers about all rows. The picture shows real training rows as dots in a plane, as the player does; of a
person's own table there is no picture, so that no row of it leaves with the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import BadInput, UnknownName
from engine.events import UNIT, Frame, Scene, unpack_film
from engine.plain import to_plain
from engine.report import formats
from engine.report import page as doc
from engine.report import svg as drawing
from engine.report.formats import interval
from engine.report.leaderboard import number
from engine.report.svg import Line, Row
from engine.spec import RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.spec.run import find_entry, upload_id
from engine.stats.intervals import NONE, Interval
from engine.store import Job, Store
from engine.text import escape_block
from engine.text import html as safe

MEASURES = ("precision", "recall", "f1", DEFAULT_METRIC)
SHOWN_CLASSES = 50
DOTS, WAYS = 200, 80
"""Rows of the largest class, and synthetic points, in the picture."""
LOSSES = (("train_loss", "b", "", "training"), ("valid_loss", "a", "dot", "validation"))
"""Curves of the loss: name, style, mark, rows."""


def report(store: Store, id: str, catalog: Mapping[str, Any], owner: str | None = None) -> str:
    """`html_run` of a finished run as the store has it. Raises UnknownName where there is none that `owner` may see, BadInput, BadData."""
    job = store.job(id, owner)
    spec = RunSpec.from_json(job.spec)
    try:
        members, why = list_companions(spec, catalog)
    except BadInput:  # its dataset is a person's own, or has left the catalog
        members, why = [Companion(spec.method, _title(catalog, "methods", spec.method), "method", spec)], ""
    ids = {member.key: member.spec.run_id(job.fingerprint, job.owner) for member in members} | {members[0].key: id}
    results = {key: found for key, run in ids.items() if (found := store.result(run, owner)) is not None}
    film = None if upload_id(spec.dataset) else _kept(store, id, owner)
    return html_run(job, members, results, catalog, why=why, film=film)


def _kept(store: Store, id: str, owner: str | None) -> tuple[Scene, list[Frame]] | None:
    """The first replicate's film: an artifact, or in bundles the run's own events."""
    data = store.artifact(id, "frames/0", owner=owner)
    if data is not None:
        return unpack_film(data)
    events = [event for _, event in store.events(id, kinds=("scene", "frame"), owner=owner)]
    scenes = [event for event in events if isinstance(event, Scene)]
    return (scenes[-1], [event for event in events if isinstance(event, Frame)]) if scenes else None


def html_run(
    job: Job,
    members: Sequence[Companion],
    results: Mapping[str, Result],
    catalog: Mapping[str, Any],
    *,
    why: str = "",
    film: tuple[Scene, Sequence[Frame]] | None = None,
) -> str:
    """The report, one HTML document.

    members: as `engine.spec.companions.list_companions` gives them, the run itself first; results: by their keys, the run's own
    among them, others as far
    as they are done. why: why there is no potential. film: of a replicate. Raises BadInput where the run has no result.
    """
    main = members[0]
    if main.key not in results:
        raise BadInput(f"run {job.id} is {job.state}; a report can be written of a finished one.")
    result = results[main.key]
    others = [(member, results[member.key]) for member in members[1:] if member.key in results]
    dataset = "a table of one's own" if upload_id(main.spec.dataset) else _title(catalog, "datasets", main.spec.dataset)
    title = f"{main.label} on {dataset}"
    sections = [
        ("asked", "What was asked", _asked(main, dataset, job)),
        ("board", "What came of it", _board(main, result, others, why)),
        ("measures", "All measures", _measures(main, result, others)),
        ("classes", "Class by class", _classes(result)),
        ("precision-recall", "Precision and recall", _curves(main, result, others)),
        ("learning", "How it learnt", _learning(result)),
        ("points", "Synthetic points", _points(result, film)),
        ("norms", "Weight norms", _norms(result)),
        ("gap", "Generalisation gap", _gap(result)),
        ("notes", "Notes", doc.items([safe(note) for note in result.notes])),
        ("settings", "Settings", _settings(members, results)),
        ("provenance", "Where it was computed", _provenance(result)),
        ("code", "The same again", _code(main.spec, catalog)),
        ("words", "What the measures mean", doc.facts([(safe(label), safe(said)) for label, _, said in METRICS.values()])),
    ]
    return doc.document(
        f"{doc.name(main.label, 60)} on {doc.name(dataset, 80)}",
        _verdict(main, result, others),
        sections,
        plain_title=title,
        holds="names of classes and numbers about all rows"
        + ("" if film is None else ", and some training rows as dots of a picture"),
        date=str(result.provenance.get("date") or "")[:10],
    )


# ---- words


def _title(catalog: Mapping[str, Any], kind: str, name: str) -> str:
    try:
        return str(find_entry(catalog, kind, name)["title"])
    except UnknownName:
        return name


def _words(found: Interval) -> dict[str, float | None]:
    out: dict[str, float | None] = to_plain({"mean": found.mean, "low": found.low, "high": found.high})
    return out


def _replicates(n: int) -> str:
    return "1 replicate" if n == 1 else f"{n} replicates"


def _verdict(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]]) -> str:
    """The answer in a sentence or two, with which interval it is."""
    score = result.metrics[DEFAULT_METRIC]
    kind = f"{result.interval}, " if number(score["low"]) == number(score["low"]) else ""
    said = f"{main.label}: average precision {interval(score)} ({kind}{_replicates(result.n)}; a random ranking: {result.prevalence:.3f})."
    base = next((found for member, found in others if member.role == "baseline"), None)
    if base is None or base.n != result.n:
        return said
    gain = result.difference(base, DEFAULT_METRIC)
    if gain.kind == NONE:
        return said
    stands = "ahead of" if gain.above_zero else "behind" if gain.below_zero else "not told apart from"
    return f"{said} It is {stands} plain training: {interval(_words(gain), sign=True)}."


def _imbalance(spec: RunSpec) -> str:
    made = spec.imbalance
    if made.profile == "native":
        return "as the data come"
    how = f"{made.ratio:g}:1 ({made.profile})" if made.ratio is not None else f"{made.rate:.0%} of some classes removed"
    return f"{how}, {'everywhere, before the split' if made.where == 'all' else 'in the training rows alone'}"


# ---- sections


def _asked(main: Companion, dataset: str, job: Job) -> str:
    spec = main.spec
    protocol = "one split" if spec.folds == 1 else f"{spec.folds} folds"
    return doc.facts(
        [
            ("Dataset", doc.name(dataset)),
            ("Method", doc.name(main.label)),
            ("Imbalance", safe(_imbalance(spec))),
            ("Replicates", f"{protocol} \N{MULTIPLICATION SIGN} {spec.seeds} seed{'s' if spec.seeds > 1 else ''}"),
            ("Seed", str(spec.seed)),
            ("Run", safe(job.id)),
        ]
    )


def _board(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]], why: str) -> str:
    """The run and what is compared with it: score, and how far the run is ahead of each."""
    rows, marks = [], []
    for member, found in [(main, result), *others]:
        score = found.metrics[DEFAULT_METRIC]
        own = member is main
        gain = None if own or found.n != result.n else _words(result.difference(found, DEFAULT_METRIC))
        oracle = ", never ranked" if member.role == "oracle" else ""
        cells = [
            doc.name(member.label, 60) + oracle,
            doc.spread(score),
            doc.DASH if gain is None else doc.spread(gain, sign=True),
        ]
        rows.append([*cells, str(found.n), doc.fixed(found.seconds, 1)])
        style, mark = ("a", "dot") if own else ("c", "up") if oracle else ("b", "ring")
        ends = [number(score[end], math.nan) for end in ("mean", "low", "high")]
        marks.append(Row(member.label, ends[0], interval(score), ends[1], ends[2], style, mark))
    said = "Average precision: " + "; ".join(f"{row.name[:40]} {row.said}" for row in marks)
    chart = drawing.intervals(marks, label=said, x_title="Average precision", level=result.prevalence, lowest=0.0)
    table = doc.table(
        "Average precision on test rows, and how far this run is ahead of the others",
        ["Run", "Average precision", "This run minus it", "n", "Seconds"],
        rows,
        kept=(0,),
    )
    counts = [
        [safe(part), *(doc.count(rows_of.get(label)) for label in next(iter(result.class_counts.values()), {}))]
        for part, rows_of in result.class_counts.items()
    ]
    classes = list(next(iter(result.class_counts.values()), {}))
    kinds = dict.fromkeys(found.interval for found in [result, *(found for _, found in others)])
    return (
        f'<div class="two"><div>{table}</div>{doc.figure("Average precision", "Mean and interval; dotted: a random ranking.", chart)}</div>'
        + (f"<p>{safe(why)}</p>" if why else "")
        + (
            doc.table(
                "Rows of each class in each part, mean over replicates", ["Part", *(doc.name(c, 40) for c in classes)], counts
            )
            if len(classes) <= SHOWN_CLASSES
            else ""
        )
        + doc.how(
            f"Means over n replicates; intervals: {safe(' / '.join(kinds))}. Differences are paired: both runs met the same test rows."
        )
    )


def _measures(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]]) -> str:
    runs = [(main, result), *others]
    head = ["Measure", *(doc.name(member.label, 40) for member, _ in runs)]
    rows = [
        [safe(label), *(doc.spread(found.metrics[name]) if name in found.metrics else doc.DASH for _, found in runs)]
        for name, (label, _, _) in METRICS.items()
    ]
    n = ", ".join(dict.fromkeys(_replicates(found.n) for _, found in runs))
    return doc.table(
        f"Every measure on test rows: mean and interval ({safe(result.interval)}; {n})", head, rows, dense=len(runs) > 4
    )


def _classes(result: Result) -> str:
    rows = [
        [doc.name(label), doc.count(found.get("support")), *(doc.spread(found.get(name) or {}) for name in MEASURES)]
        for label, found in list(result.per_class.items())[:SHOWN_CLASSES]
    ]
    groups = [
        [f"<i>{group}</i> ({len(found['classes'])})", doc.DASH, *(doc.spread(found.get(name) or {}) for name in MEASURES)]
        for group, found in result.averages.items()
        if len(result.per_class) > 2
    ]
    head = ["Class", "Test rows", "Precision", "Recall", "F1", "Average precision"]
    return doc.table("Each class against all others: mean and interval over replicates", head, [*groups, *rows]) + doc.and_more(
        len(result.per_class), SHOWN_CLASSES, "classes"
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the replicates that have a value, NaN where none has."""
    values = np.asarray(values, float)
    there = np.isfinite(values)
    total: np.ndarray = np.where(there, values, 0.0).sum(0)
    mean: np.ndarray = np.divide(total, there.sum(0), out=np.full(total.shape, np.nan), where=there.any(0))
    return mean


def _curves(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]]) -> str:
    if "pr_precision" not in result.arrays:
        return ""
    recall = np.asarray(result.arrays["pr_recall"], float)
    own = _mean(result.arrays["pr_precision"])
    figures = []
    for member, found in others or [(main, result)]:
        if "pr_precision" not in found.arrays:
            continue
        drawn = [Line(recall, own, "a", "dot", 10)]
        if member is not main:
            drawn.insert(0, Line(np.asarray(found.arrays["pr_recall"], float), _mean(found.arrays["pr_precision"]), "b"))
        at = [f"{own[np.abs(recall - r).argmin()]:.2f} at recall {r:g}" for r in (0.25, 0.5, 0.75)]
        beside = "" if member is main else f"against {doc.name(member.label, 60)}"
        said = (
            f"Precision of {main.label[:60]} over recall{f', beside {member.label[:60]}' if beside else ''}: {', '.join(at)}."
        )
        chart = drawing.lines(drawn, label=said, x_title="Recall", y_title="Precision", level=result.prevalence)
        figures.append(doc.figure(doc.name(main.label, 60), beside, chart))
    which = "macro mean over the classes" if result.positive == "macro" else f"of class {doc.name(result.positive, 40)}"
    return (
        f'<ul class="legend"><li>{drawing.swatch("a", "dot")} this run</li><li>{drawing.swatch("b")} the other</li>'
        f'<li>dotted: a random ranking</li></ul><div class="few">{"".join(figures)}</div>'
        + doc.how(f"Means over replicates, {which}. Average precision is the area under the curve.")
    )


def _history(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps [E], mean over replicates [E]) of `history/<phase>/<name>`, the phases in their order, NaN between two of them.

    A replicate that stopped early keeps its last value: means over those that go on would jump.
    """
    steps = {
        key.split("/")[1]: np.asarray(v, float)
        for key, v in arrays.items()
        if key.startswith("history/") and key.endswith("/step")
    }
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for phase in sorted(
        (p for p in steps if len(steps[p]) and f"history/{p}/{name}" in arrays), key=lambda p: float(steps[p][0])
    ):
        values = np.array(arrays[f"history/{phase}/{name}"], float)
        for e in range(1, values.shape[1]):
            values[:, e] = np.where(np.isfinite(values[:, e]), values[:, e], values[:, e - 1])
        x += [steps[phase], steps[phase][-1:]]
        y += [_mean(values), np.array([np.nan])]
    return (np.concatenate(x), np.concatenate(y)) if x else (np.zeros(0), np.zeros(0))


def _ends(drawn: Sequence[Line], axis: str) -> tuple[float, float]:
    known = np.concatenate([getattr(line, axis) for line in drawn])
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1.0


def _learning(result: Result) -> str:
    figures = []
    x, y = _history(result.arrays, "valid_ap")
    if np.isfinite(y).any():
        best = float(np.nanmax(y))
        line = Line(x, y, "a")
        said = f"Validation average precision over optimiser steps, mean over replicates: at most {best:.2f}."
        chart = drawing.lines(
            [line], label=said, x_title="Optimiser steps", y_title="Validation AP", x=_ends([line], "x"), size=(400, 230)
        )
        figures.append(doc.figure("Validation average precision", "It chooses the epoch.", chart))
    drawn, told = [], []
    for name, style, mark, rows in LOSSES:
        x, y = _history(result.arrays, name)
        if np.isfinite(y).any():
            drawn.append(Line(x, y, style, mark, max(1, len(x) // 10)))
            told.append(f"{rows} {y[np.isfinite(y)][-1]:.3g} at the end")
    if drawn:
        chart = drawing.lines(drawn, label=f"Loss over optimiser steps: {', '.join(told)}.", x_title="Optimiser steps", y_title="Loss",
                              x=_ends(drawn, "x"), y=_ends(drawn, "y"), size=(400, 230))  # fmt: skip
        figures.append(doc.figure("Loss", f"{safe(', '.join(told))}.", chart))
    if not figures:
        return ""
    legend = f'<ul class="legend"><li>{drawing.swatch("a", "dot")} validation rows</li><li>{drawing.swatch("b")} training rows</li></ul>'
    epochs = result.arrays.get("epoch")
    chosen = (
        "" if epochs is None or not len(epochs) else f" Epoch chosen in the last phase, median: {float(np.median(epochs)):g}."
    )
    return f'{legend}<div class="two">{"".join(figures)}</div>' + doc.how(
        f"Means over replicates; the phases follow each other, with a gap between two of them.{chosen}"
    )


def _points(result: Result, film: tuple[Scene, Sequence[Frame]] | None) -> str:
    """How far the synthetic points moved, what they do to the validation loss, and where the first replicate's began and ended."""
    pairs = []
    if result.moves is not None:
        pairs += [(f"Moved, {name}", f"{doc.fixed(result.moves.get(name))} sd") for name in ("median", "largest")]
    share = result.contributions
    if share:
        pairs += [
            ("Points of a replicate", doc.count(share.get("points"))),
            ("Lower the validation loss", doc.spread(share.get("helpful") or {})),
            ("The same, classes alike", doc.spread(share.get("helpful_alike") or {})),
        ]
    figures = "" if film is None else _film(*film)
    if not pairs and not figures:
        return ""
    return doc.facts(pairs) + figures


def _film(scene: Scene, frames: Iterable[Frame]) -> str:
    """The first and the last frame that have points."""
    shown = [frame for frame in frames if len(frame.points)]
    if not shown or not len(scene.labels):
        return ""
    rare = scene.labels != np.bincount(scene.labels).argmax()
    common = np.flatnonzero(~rare)
    kept = np.sort(np.concatenate([np.flatnonzero(rare)[:DOTS], common[:: max(1, len(common) // DOTS)]]))
    n = len(shown[0].points)
    chosen = np.unique(np.linspace(0, n - 1, min(WAYS, n)).round().astype(int))
    start = scene.parents if len(scene.parents) == n else shown[0].points
    figures = []
    for title, frame in (("First frame", shown[0]), ("Last frame", shown[-1])):
        when = f"{frame.phase}, epoch {frame.epoch}, step {frame.step:,}"
        said = f"{title} of replicate {scene.replicate}: {len(chosen)} of {n} synthetic points, each with the way it has come; {when}"
        svg = drawing.moves(
            scene.points[kept] / UNIT, rare[kept], start[chosen] / UNIT, frame.points[chosen] / UNIT, label=said
        )
        figures.append(doc.figure(title, safe(when, 80), svg))
    plane = "the data's own two axes" if scene.exact else f"a plane that holds {scene.share:.0%} of the training rows' variance"
    return f'<div class="two">{"".join(figures)}</div>' + doc.how(
        f"Replicate {scene.replicate}. Dots: real training rows, the larger ones not of the largest class. Diamonds: synthetic points, "
        f"with the way from where they were copied. Drawn in {plane}."
    )


def _norms(result: Result) -> str:
    classes = list(result.class_counts.get("train", {}))
    if "weight_norms" not in result.arrays and not result.weight_norms:
        return ""
    after = result.weight_norms.get("after", result.arrays.get("weight_norms"))
    states = {"before": result.weight_norms.get("before"), "after": after}
    means = {state: _mean(np.array(rows, float)) for state, rows in states.items() if rows is not None and len(rows)}
    if not means or not any(np.isfinite(mean).any() for mean in means.values()):
        return ""
    shown = classes[:SHOWN_CLASSES]
    rows = [[doc.name(label), *(doc.fixed(float(mean[c])) for mean in means.values())] for c, label in enumerate(shown)]
    heads = {"before": "Before the last phase", "after": "In the end"}
    return (
        doc.table("L2 norm of each class's output weights, mean over replicates", ["Class", *(heads[s] for s in means)], rows)
        + doc.and_more(len(classes), SHOWN_CLASSES, "classes")
        + doc.how("A class with larger norms is predicted more readily. Methods for imbalance often even them out.")
    )


def _gap(result: Result) -> str:
    gap = result.gap
    if not gap:
        return ""
    net = gap.get("net", {})
    names = {"before": "Before the last phase", "after": "In the end, with synthetic rows", "difference": "Difference"}
    pairs = [(title, doc.spread(net[name], sign=name == "difference")) for name, title in names.items() if name in net]
    states = [(name, np.array(gap[name], float)) for name in ("before", "after", "equal_size") if name in gap]
    rows = [
        [doc.name(label), *(doc.fixed(float(_mean(values)[c])) for _, values in states)]
        for c, label in enumerate(gap["classes"][:SHOWN_CLASSES])
    ]
    heads = {"before": "Before", "after": "In the end", "equal_size": "Equally many rows of each class"}
    return (
        f"<h3>Over all classes</h3>{doc.facts(pairs)}"
        + doc.table("Gap of each class, mean over replicates", ["Class", *(heads[name] for name, _ in states)], rows)
        + doc.and_more(len(gap["classes"]), SHOWN_CLASSES, "classes")
        + doc.how(
            "How far the features of test rows reach beyond the range of the training rows' of the same class, mean over features. Larger: "
            "the training rows cover less of what comes."
        )
    )


def _settings(members: Sequence[Companion], results: Mapping[str, Result]) -> str:
    rows = [
        [doc.name(member.label, 60), safe(member.role), doc.values(member.spec.params), safe(results[member.key].run_id)]
        for member in members
        if member.key in results
    ]
    data = doc.values(members[0].spec.data) if members[0].spec.data and not upload_id(members[0].spec.dataset) else ""
    return doc.facts([("Data", data)]) + doc.table(
        "Parameters of each run", ["Run", "Role", "Parameters", "Id"], rows, texts=(1, 2, 3)
    )


def _provenance(result: Result) -> str:
    made = result.provenance
    pairs = [(term, safe(made[key], 120)) for key, term in doc.PROVENANCE.items() if made.get(key) is not None]
    pairs.append(("Seconds", doc.fixed(result.seconds, 1)))
    pairs.append(("n of test / n of training", doc.fixed(result.test_share)))
    return doc.facts(pairs)


def _code(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    try:
        terminal, python = formats.terminal(spec, catalog), formats.python(spec, catalog)
    except BadInput as error:
        return f"<p>{safe(error)}</p>"
    return f"<h3>Terminal</h3><pre><code>{escape_block(terminal)}</code></pre><h3>Python</h3><pre><code>{escape_block(python)}</code></pre>"
