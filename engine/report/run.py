"""A run with what is compared with it as one HTML file to keep, print or send (`engine.report.page`). No torch: the page makes it.

It holds names of classes and numbers about all rows. The picture shows real training rows as dots in a plane, as the player does; of a
person's own table there is no picture, so that no row of it leaves with the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import BadInput, UnknownName
from engine.events import Frame, Scene, unpack_film
from engine.plain import to_plain
from engine.report import ReportRequest, run_code, words
from engine.report import page as doc
from engine.report import svg as drawing
from engine.report.formats import format_interval
from engine.report.judge import judge_run
from engine.report.leaderboard import to_number
from engine.report.run_pictures import draw_curves, draw_learning, draw_points, mean_over_replicates
from engine.report.svg import Row
from engine.spec import RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.spec.run import find_entry, upload_id
from engine.stats.intervals import Interval
from engine.text import escape_block
from engine.text import html as safe

if TYPE_CHECKING:
    from engine.store import Job, Store

KIND = "run"
MEASURES = ("precision", "recall", "f1", DEFAULT_METRIC)
SHOWN_CLASSES = 50


def write_report(request: ReportRequest) -> str:
    """`write_run` of a finished run of the store. Raises UnknownName where there is none that the owner may see, BadInput, BadData."""
    store, id, catalog, owner = request.store, request.job, request.catalog, request.owner
    assert store is not None, "a run's report is of a store"
    job = store.job(id, owner)
    spec = RunSpec.from_json(job.spec)
    try:
        members, why = list_companions(spec, catalog)
    except BadInput:  # its dataset is a person's own, or has left the catalog
        members, why = [Companion(spec.method, _find_title(catalog, "methods", spec.method), "method", spec)], ""
    ids = {member.key: member.spec.run_id(job.fingerprint, job.owner) for member in members} | {members[0].key: id}
    results = {key: found for key, run in ids.items() if (found := store.result(run, owner)) is not None}
    film = None if upload_id(spec.dataset) else _read_film(store, id, owner)
    return write_run(job, members, results, catalog, why=why, film=film)


def _read_film(store: Store, id: str, owner: str | None) -> tuple[Scene, list[Frame]] | None:
    """The first replicate's film: an artifact, or in bundles the run's own events."""
    data = store.artifact(id, "frames/0", owner=owner)
    if data is not None:
        return unpack_film(data)
    events = [event for _, event in store.events(id, kinds=("scene", "frame"), owner=owner)]
    scenes = [event for event in events if isinstance(event, Scene)]
    return (scenes[-1], [event for event in events if isinstance(event, Frame)]) if scenes else None


def write_run(
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
        among them, others as far as they are done. why: why there is no potential. film: of a replicate. Raises BadInput where
    the run has no result.
    """
    main = members[0]
    if main.key not in results:
        raise BadInput(f"run {job.id} is {job.state}; a report can be written of a finished one.")
    result = results[main.key]
    others = [(member, results[member.key]) for member in members[1:] if member.key in results]
    dataset = words.OWN_TABLE if upload_id(main.spec.dataset) else _find_title(catalog, "datasets", main.spec.dataset)
    title, said = f"{main.label} on {dataset}", judge_run(members, results)
    parts = {
        "asked": _write_request(main, dataset, job),
        "board": _write_leaderboard(main, result, others, why),
        "measures": _write_measures(main, result, others),
        "classes": _write_classes(result),
        "precision-recall": draw_curves(main, result, others),
        "learning": draw_learning(result),
        "points": draw_points(result, film),
        "norms": _write_norms(result),
        "gap": _write_gap(result),
        "notes": doc.html_list([safe(note) for note in result.notes]),
        "settings": _write_settings(members, results),
        "provenance": _write_provenance(result),
        "code": _write_code(main.spec, catalog),
        "words": doc.html_facts([(safe(label), safe(said)) for label, _, said in METRICS.values()]),
    }
    sections = [(name, title, parts[name]) for name, title in words.RUN_SECTIONS.items()]
    return doc.write_document(
        f"{doc.html_name(main.label, 60)} on {doc.html_name(dataset, 80)}",
        said.text,
        sections,
        more=(*said.more, *said.chips, _describe_score(result)),
        plain_title=title,
        holds=words.HOLDS_RUN + ("" if film is None else words.HOLDS_FILM),
        date=str(result.provenance.get("date") or "")[:10],
    )


# ---- words


def _find_title(catalog: Mapping[str, Any], kind: str, name: str) -> str:
    try:
        return str(find_entry(catalog, kind, name)["title"])
    except UnknownName:
        return name


def _interval_to_plain(interval: Interval) -> dict[str, float | None]:
    out: dict[str, float | None] = to_plain({"mean": interval.mean, "low": interval.low, "high": interval.high})
    return out


def _describe_replicates(n: int) -> str:
    return "1 replicate" if n == 1 else f"{n} replicates"


def _describe_score(result: Result) -> str:
    score = result.metrics[DEFAULT_METRIC]
    ends = [to_number(score[end], math.nan) for end in ("mean", "low", "high")]
    said = words.SCORE.format(mean=ends[0])
    if math.isfinite(ends[1]):
        said += words.SCORE_INTERVAL.format(low=ends[1], high=ends[2])
    return words.SCORE_CHANCE.format(score=said, chance=result.prevalence)


def _describe_imbalance(spec: RunSpec) -> str:
    made = spec.imbalance
    if made.profile == "native":
        return words.NATIVE
    how = f"{made.ratio:g}:1 ({made.profile})" if made.ratio is not None else words.REMOVED.format(rate=made.rate)
    return f"{how}, {words.EVERYWHERE if made.where == 'all' else words.TRAINING_ONLY}"


# ---- sections


def _write_request(main: Companion, dataset: str, job: Job) -> str:
    spec = main.spec
    protocol = "one split" if spec.folds == 1 else f"{spec.folds} folds"
    return doc.html_facts(
        [
            ("Dataset", doc.html_name(dataset)),
            ("Method", doc.html_name(main.label)),
            ("Imbalance", safe(_describe_imbalance(spec))),
            ("Replicates", f"{protocol} \N{MULTIPLICATION SIGN} {spec.seeds} seed{'s' if spec.seeds > 1 else ''}"),
            ("Seed", str(spec.seed)),
            ("Run", safe(job.id)),
        ]
    )


def _write_leaderboard(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]], why: str) -> str:
    """The run and what is compared with it: score, and how far the run is ahead of each."""
    rows, marks = [], []
    for member, found in [(main, result), *others]:
        score = found.metrics[DEFAULT_METRIC]
        own = member is main
        gain = None if own or found.n != result.n else _interval_to_plain(result.difference(found, DEFAULT_METRIC))
        oracle = words.NEVER_RANKED if member.role == "oracle" else ""
        cells = [
            doc.html_name(member.label, 60) + oracle,
            doc.html_interval(score),
            doc.DASH if gain is None else doc.html_interval(gain, sign=True),
        ]
        rows.append([*cells, str(found.n), doc.format_fixed(found.seconds, 1)])
        style, mark = ("a", "dot") if own else ("c", "up") if oracle else ("b", "ring")
        ends = [to_number(score[end], math.nan) for end in ("mean", "low", "high")]
        marks.append(Row(member.label, ends[0], format_interval(score), ends[1], ends[2], style, mark))
    said = "Average precision: " + "; ".join(f"{row.name[:40]} {row.text}" for row in marks)
    chart = drawing.draw_intervals(marks, label=said, x_title="Average precision", level=result.prevalence, lowest=0.0)
    figure = doc.html_figure("Average precision", words.SCORE_CAPTION, chart)
    table = doc.html_table(
        words.SCORE_TABLE,
        ["Run", "Average precision", "This run minus it", "n", "Seconds"],
        rows,
        kept=(0,),
    )
    counts = [
        [safe(part), *(doc.format_count(rows_of.get(label)) for label in next(iter(result.class_counts.values()), {}))]
        for part, rows_of in result.class_counts.items()
    ]
    classes = list(next(iter(result.class_counts.values()), {}))
    kinds = dict.fromkeys(found.interval for found in [result, *(found for _, found in others)])
    return (
        f'<div class="two"><div>{table}</div>{figure}</div>'
        + (f"<p>{safe(why)}</p>" if why else "")
        + (
            doc.html_table(
                words.ROWS_TABLE,
                ["Part", *(doc.html_name(c, 40) for c in classes)],
                counts,
            )
            if len(classes) <= SHOWN_CLASSES
            else ""
        )
        + doc.html_how(words.RUN_HOW.format(kinds=safe(" / ".join(kinds))))
    )


def _write_measures(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]]) -> str:
    runs = [(main, result), *others]
    head = ["Measure", *(doc.html_name(member.label, 40) for member, _ in runs)]
    rows = [
        [safe(label), *(doc.html_interval(found.metrics[name]) if name in found.metrics else doc.DASH for _, found in runs)]
        for name, (label, _, _) in METRICS.items()
    ]
    n = ", ".join(dict.fromkeys(_describe_replicates(found.n) for _, found in runs))
    return doc.html_table(words.MEASURES_TABLE.format(interval=safe(result.interval), n=n), head, rows, dense=len(runs) > 4)


def _write_classes(result: Result) -> str:
    rows = [
        [
            doc.html_name(label),
            doc.format_count(found.get("support")),
            *(doc.html_interval(found.get(name) or {}) for name in MEASURES),
        ]
        for label, found in list(result.per_class.items())[:SHOWN_CLASSES]
    ]
    groups = [
        [
            f"<i>{group}</i> ({len(found['classes'])})",
            doc.DASH,
            *(doc.html_interval(found.get(name) or {}) for name in MEASURES),
        ]
        for group, found in result.averages.items()
        if len(result.per_class) > 2
    ]
    head = ["Class", "Test rows", "Precision", "Recall", "F1", "Average precision"]
    return doc.html_table(words.CLASSES_TABLE, head, [*groups, *rows]) + doc.html_more(
        len(result.per_class), SHOWN_CLASSES, "classes"
    )


def _write_norms(result: Result) -> str:
    classes = list(result.class_counts.get("train", {}))
    if "weight_norms" not in result.arrays and not result.weight_norms:
        return ""
    after = result.weight_norms.get("after", result.arrays.get("weight_norms"))
    states = {"before": result.weight_norms.get("before"), "after": after}
    means = {
        state: mean_over_replicates(np.array(rows, float)) for state, rows in states.items() if rows is not None and len(rows)
    }
    if not means or not any(np.isfinite(mean).any() for mean in means.values()):
        return ""
    shown = classes[:SHOWN_CLASSES]
    rows = [
        [doc.html_name(label), *(doc.format_fixed(float(mean[c])) for mean in means.values())] for c, label in enumerate(shown)
    ]
    return (
        doc.html_table(words.NORMS_TABLE, ["Class", *(words.STATES[s] for s in means)], rows)
        + doc.html_more(len(classes), SHOWN_CLASSES, "classes")
        + doc.html_how(words.NORMS_HOW)
    )


def _write_gap(result: Result) -> str:
    gap = result.gap
    if not gap:
        return ""
    net = gap.get("net", {})
    pairs = [
        (title, doc.html_interval(net[name], sign=name == "difference"))
        for name, title in words.NET_STATES.items()
        if name in net
    ]
    states = [(name, np.array(gap[name], float)) for name in ("before", "after", "equal_size") if name in gap]
    rows = [
        [doc.html_name(label), *(doc.format_fixed(float(mean_over_replicates(values)[c])) for _, values in states)]
        for c, label in enumerate(gap["classes"][:SHOWN_CLASSES])
    ]
    return (
        f"<h3>{words.GAP_NET}</h3>{doc.html_facts(pairs)}"
        + doc.html_table(words.GAP_TABLE, ["Class", *(words.STATES[name] for name, _ in states)], rows)
        + doc.html_more(len(gap["classes"]), SHOWN_CLASSES, "classes")
        + doc.html_how(words.GAP_HOW)
    )


def _write_settings(members: Sequence[Companion], results: Mapping[str, Result]) -> str:
    rows = [
        [
            doc.html_name(member.label, 60),
            safe(member.role),
            doc.format_params(member.spec.params),
            safe(results[member.key].run_id),
        ]
        for member in members
        if member.key in results
    ]
    data = doc.format_params(members[0].spec.data) if members[0].spec.data and not upload_id(members[0].spec.dataset) else ""
    return doc.html_facts([("Data", data)]) + doc.html_table(
        "Parameters of each run", ["Run", "Role", "Parameters", "Id"], rows, texts=(1, 2, 3)
    )


def _write_provenance(result: Result) -> str:
    made = result.provenance
    pairs = [(term, safe(made[key], 120)) for key, term in doc.PROVENANCE.items() if made.get(key) is not None]
    pairs.append(("Seconds", doc.format_fixed(result.seconds, 1)))
    pairs.append(("Test share of the interval", doc.format_fixed(result.test_share)))
    return doc.html_facts(pairs)


def _write_code(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    try:
        terminal, python = run_code.write_command(spec, catalog), run_code.write_python(spec, catalog)
    except BadInput as error:
        return f"<p>{safe(error)}</p>"
    return f"<h3>Terminal</h3><pre><code>{escape_block(terminal)}</code></pre><h3>Python</h3><pre><code>{escape_block(python)}</code></pre>"
