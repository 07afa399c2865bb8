"""A comparison as one HTML file to keep, print or send: no script, no font, no picture and no address from anywhere else.

It holds names of columns, classes and levels, and numbers about all rows; no row of the table is in it. Every text that is not ours is
escaped. No torch: the page makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import UnknownName
from engine.events import unpack
from engine.report import ReportRequest, comparison_code, svg, words
from engine.report import page as doc
from engine.report.comparison_thresholds import Tables, write_calibration, write_thresholds
from engine.report.decide import Cuts, write_decide
from engine.report.formats import format_interval
from engine.report.leaderboard import (
    compare_to_plain,
    count_replicates,
    deciding_metric,
    find_baseline,
    format_p,
    group_rows,
    list_featured,
    list_titles,
    metric_interval,
    metric_label,
    positive_class,
    sort_rows,
    to_number,
)
from engine.report.split import is_random, write_split
from engine.report.svg import Line, Row
from engine.report.why import write_why
from engine.spec.result import METRICS
from engine.stats.intervals import CORRECTED_T
from engine.text import escape_block
from engine.text import html as safe

if TYPE_CHECKING:
    from engine.store import Store

KIND = "compare"
THRESHOLDS = "thresholds/"
"""Prefix of the artifacts that hold a method's table of thresholds."""
CUTS = "decide/"
"""Prefix of the artifacts that hold what a row's cut needs (`engine.stats.decide`)."""
SHOWN_COLUMNS, SHOWN_CLASSES, SHOWN_BARS = 200, 50, 12
"""Rows of the tables of columns and classes, and bars."""

SIGNS = {"better": ("up", "a", "\u25b2"), "worse": ("down", "c", "\u25bc"), "reference": ("diamond", "b", "\u25c6")}
"""Standing against plain training -> mark, style, the same as a letter; all else is a ring."""


def write_report(request: ReportRequest) -> str:
    """The report of a comparison. given: comparison, artifacts, profile, file, as `write_from_artifacts` takes them."""
    given = request.given if request.store is None else _read_comparison(request.store, request.job, request.owner)
    return write_from_artifacts(**given)


def _read_comparison(store: Store, job: str, owner: str | None) -> dict[str, Any]:
    """A finished comparison of the store. Raises UnknownName where there is none that `owner` may see."""
    comparison = store.read_answer(job, "comparison", owner)
    if not isinstance(comparison, dict):
        raise UnknownName(f"there is no finished comparison {job!r}.")
    keys = [key for key in store.artifacts(job, owner=owner) if key == "arrays" or key.startswith((THRESHOLDS, CUTS))]
    artifacts = {key: data for key in keys if (data := store.artifact(job, key, owner=owner)) is not None}
    profile, file = _read_profile(store, job, owner, comparison)
    return {"comparison": comparison, "artifacts": artifacts, "profile": profile, "file": file}


def _read_profile(
    store: Store, job: str, owner: str | None, comparison: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, str]:
    """(profile, name) of the table a comparison is of: the newest profile with its target and reading; nothing of a public set."""
    upload, spec = store.job(job, owner).upload, comparison.get("spec") or {}
    if upload is None:
        return None, ""
    file = store.upload(upload, owner).name
    for one in store.jobs(owner=owner, states=("done",), kinds=("profile",)):
        if one.upload == upload and (one.spec.get("reading") or {}) == (spec.get("reading") or {}):
            profile = store.read_answer(one.id, "profile", owner)
            if isinstance(profile, dict) and (profile.get("target") or {}).get("name") == spec.get("target"):
                return profile, file
    return None, file


def write_from_artifacts(comparison: Mapping[str, Any], artifacts: Mapping[str, bytes], **more: Any) -> str:
    """`write_comparison` of what `engine.compare.comparison.compare` returns: the result and its artifacts (npz). Raises
    BadData for damaged ones."""
    arrays = unpack(artifacts["arrays"]) if "arrays" in artifacts else {}
    tables = {k.removeprefix(THRESHOLDS): unpack(data) for k, data in artifacts.items() if k.startswith(THRESHOLDS)}
    cuts = {k.removeprefix(CUTS): unpack(data) for k, data in artifacts.items() if k.startswith(CUTS)}
    return write_comparison(comparison, arrays, tables, cuts=cuts, **more)


def write_comparison(
    comparison: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    tables: Tables | None = None,
    *,
    cuts: Cuts | None = None,
    profile: Mapping[str, Any] | None = None,
    file: str = "",
) -> str:
    """The report, one HTML document.

    comparison, arrays: as `engine.compare.comparison.compare` has them. tables: method -> its table
    (`engine.stats.thresholds`), for thresholds and calibration. cuts: row -> its arrays (`engine.stats.decide`). Thresholds are chosen
    on test rows, and shown only without cuts. profile: of the table, as
    `engine.data.tables.profile.profile_table` has it. file: the table's name for the title.
    """
    file = file or str(
        comparison.get("data", {}).get("name") or comparison.get("spec", {}).get("source", {}).get("dataset") or ""
    )
    decided = write_decide(comparison, cuts or {})
    parts = {
        "asked": _write_request(comparison, file),
        "data": _write_data(comparison, profile or {}),
        "split": write_split(comparison),
        "board": _write_leaderboard(comparison),
        "precision-recall": _write_curves(comparison, arrays),
        "decide": decided,
        "thresholds": "" if decided else write_thresholds(comparison, tables or {}),
        "calibration": write_calibration(comparison, tables or {}),
        "why": write_why(comparison),
        "shortened": _write_shortened(comparison, profile or {}),
        "settings": _write_settings(comparison),
        "code": _write_code(comparison),
        "words": _write_glossary(comparison),
    }
    sections = [(name, title, parts[name]) for name, title in words.TABLE_SECTIONS.items()]
    return doc.write_document(
        words.TABLE_TITLE.format(file=doc.html_name(file) if file else "this table"),
        str(comparison.get("verdict") or words.NO_VERDICT),
        sections,
        more=[str(text) for text in comparison.get("verdict_more") or ()],
        plain_title=words.TABLE_TITLE.format(file=file) if file else "",
        date=str((comparison.get("provenance") or {}).get("date") or "")[:10],
        holds=words.HOLDS_TABLE,
    )


def _count_classes(comparison: Mapping[str, Any]) -> dict[str, int]:
    """class -> rows used."""
    data = comparison.get("data") or {}
    counts, classes = data.get("counts") or {}, data.get("classes") or ()
    if not isinstance(counts, Mapping):
        counts = dict(zip(classes, counts, strict=False))
    return {str(name): int(n) for name, n in counts.items()}


# ---- sections


def _write_request(comparison: Mapping[str, Any], file: str) -> str:
    spec, protocol = comparison.get("spec") or {}, comparison.get("protocol") or {}
    ratio, folds, seeds = (to_number(spec.get("ratio")), protocol.get("folds"), protocol.get("seeds"))
    asked = spec.get("methods")
    titles = list_titles(comparison)
    compared = ", ".join(
        safe(titles[name], 60) for name in (m.get("name") for m in comparison.get("methods") or ()) if name in titles
    )
    return doc.html_facts(
        [
            ("Table", doc.html_name(file) if file else ""),
            ("Column to predict", doc.html_name(spec["target"]) if spec.get("target") else ""),
            ("Class to find", doc.html_name(positive_class(comparison)) if positive_class(comparison) else ""),
            (
                "Largest / smallest class",
                words.NATIVE if math.isnan(ratio) else words.RATIO_MADE.format(ratio=ratio),
            ),
            ("Methods", compared + ("" if asked else " (all)")),
            ("Decided by", safe(METRICS[deciding_metric(comparison)][0])),
            (
                "Time allowed",
                words.TIME.format(budget=to_number(spec.get("budget"), 0), used=doc.format_fixed(comparison.get("seconds"), 1))
                if spec.get("budget")
                else "",
            ),
            ("Seed", safe(spec.get("seed", ""))),
            (
                "Split",
                words.SPLIT.format(folds=safe(folds), seeds=safe(seeds)) if folds and is_random(comparison) else "",
            ),
        ]
    )


def _write_data(comparison: Mapping[str, Any], profile: Mapping[str, Any]) -> str:
    data, counts = comparison.get("data") or {}, _count_classes(comparison)
    pairs = [
        ("Rows in the table", doc.format_count(profile.get("rows")) if profile.get("rows") else ""),
        ("Rows with an answer", doc.format_count(data.get("rows"))),
        ("Rows used", doc.format_count(data.get("used_rows"))),
        ("Training rows of a replicate", doc.format_count(data.get("train_rows")) if data.get("train_rows") else ""),
        ("Columns learned from", doc.format_count(data.get("features"))),
        ("Largest / smallest class", doc.format_fixed(data.get("ratio"), 1)),
    ]
    smallest = min(counts.values(), default=0)
    figure = _draw_counts(counts, positive_class(comparison))
    out = f'<div class="two"><div>{doc.html_facts(pairs)}</div><div>{figure}</div></div>'
    precision = (profile.get("precision") or {}).get("text")
    if precision:
        out += f"<p>{safe(precision)}</p>"
    elif smallest:
        half = 1.96 * math.sqrt(0.16 / smallest)
        out += f"<p>{words.SMALLEST.format(n=smallest, half=half)}</p>"
    said = [
        f'<span class="warning">{safe(w.get("text"))}</span>' if w.get("level") != "info" else safe(w.get("text"))
        for w in profile.get("warnings") or ()
    ]
    out += f"<h3>What stands out</h3>{doc.html_list(said)}" if said else ""
    if dropped := [_describe_dropped(one) for one in data.get("dropped") or ()]:
        out += f"<h3>Left out</h3>{doc.html_list(dropped[:SHOWN_COLUMNS])}" + doc.html_more(
            len(dropped), SHOWN_COLUMNS, "columns"
        )
    if columns := profile.get("columns"):
        rows = [
            [
                doc.html_name(c.get("name")),
                safe(c.get("kind")),
                doc.format_count(c.get("distinct")),
                doc.format_count(c.get("missing")),
                "guessed" if c.get("guessed") else "given",
            ]
            for c in columns[:SHOWN_COLUMNS]
        ]
        out += "<h3>Columns</h3>" + doc.html_table(
            "Columns of the table", ["Column", "Kind", "Different values", "Missing", "Kind is"], rows, texts=(1, 4)
        )
        out += doc.html_more(len(columns), SHOWN_COLUMNS, "columns")
    return out + doc.html_how(words.DATA_HOW)


def _draw_counts(counts: Mapping[str, int], positive: str) -> str:
    """Bars of the rows of each class."""
    total = sum(counts.values())
    bars = [
        Row(name, float(n), f"{n:,} rows ({n / total:.1%})", style="c" if name == positive else "a")
        for name, n in list(counts.items())[:SHOWN_BARS]
    ]
    if not bars:
        return ""
    figure = doc.html_figure(
        "Rows of each class",
        words.LOOKED_FOR.format(label=doc.html_name(positive, 40)) if positive else "",
        svg.draw_bars(bars, label=_describe_counts(counts)),
    )
    more = len(counts) - SHOWN_BARS
    return figure + (f"<p>{words.MORE_CLASSES.format(n=more)}</p>" if more > 0 else "")


def _describe_dropped(column: Any) -> str:
    if not isinstance(column, Mapping):
        return doc.html_name(column)
    name = column.get("name", column.get("column", ""))
    why = column.get("why") or column.get("reason") or column.get("kind") or ""
    return doc.html_name(name) + (f" ({safe(why, 200)})" if why else "")


def _describe_counts(counts: Mapping[str, int]) -> str:
    return "Rows of each class. " + "; ".join(f"{str(name)[:40]}: {n:,}" for name, n in list(counts.items())[:6])


def _write_leaderboard(comparison: Mapping[str, Any]) -> str:
    metric, label, plain = deciding_metric(comparison), metric_label(comparison), find_baseline(comparison)
    head = ["Method", METRICS[metric][0], "Difference to plain", "p (Holm)", "Standing", "Difference to the first"]
    head += ["Training rows", "Replicates", "Seconds", "Note"]
    rows, marks, deltas = [], [], []
    order = group_rows(comparison)
    for row in order:
        found, difference, stands = metric_interval(row, metric), row.get("difference") or {}, compare_to_plain(row, comparison)
        mark, style, sign = SIGNS.get(stands, ("ring", "a", "\u25cb"))
        title = str(row.get("title") or row.get("name"))
        own = stands == "reference"
        rows.append(
            [
                safe(title, 80),
                doc.html_interval(found),
                doc.html_interval(difference, sign=True) if difference and not own else doc.DASH,
                format_p(difference.get("p_holm")) if difference and not own else doc.DASH,
                f'<span class="now">{sign} {stands}</span>' if stands else doc.DASH,
                doc.html_interval(behind, sign=True) if (behind := row.get("difference_to_leader")) else doc.DASH,
                doc.format_count(used) if (used := row.get("train_rows", row.get("rows"))) else doc.DASH,
                str(count_replicates(row)),
                doc.format_fixed(row.get("seconds"), 1),
                _describe_outcome(row),
            ]
        )
        numbers = [to_number(found[k]) for k in ("mean", "low", "high")]
        marks.append(Row(title, numbers[0], format_interval(found), numbers[1], numbers[2], style, mark))
        if difference and not own:
            numbers = [to_number(difference.get(k)) for k in ("mean", "low", "high")]
            deltas.append(Row(title, numbers[0], format_interval(difference, sign=True), numbers[1], numbers[2], style, mark))
    if not rows:
        return f"<p>{words.NO_METHOD}</p>"
    base = next((to_number(metric_interval(row, metric)["mean"]) for row in order if row.get("name") == plain), math.nan)
    kept = [
        k
        for k, row in enumerate(order)
        if row.get("name") == (comparison.get("best") or next(iter(comparison.get("ranked") or ()), None))
    ]
    kind = safe(comparison.get("interval") or CORRECTED_T)
    out = doc.html_table(words.BOARD_TABLE.format(metric=label), head, rows, texts=(4, 9), kept=kept)
    out += doc.html_how(words.BOARD_HOW.format(kind=kind))
    out += f'<div class="two">{_draw_means(marks, deltas, metric, label, base)}</div>'
    return out + _write_measures(order) + _write_classes(comparison)


def _draw_means(marks: Sequence[Row], differences: Sequence[Row], metric: str, label: str, base: float) -> str:
    """Means, and differences to plain training, with their intervals. base: the mean of plain training."""
    title = METRICS[metric][0]
    said = f"{title} of each method with its interval: " + "; ".join(f"{row.name[:40]} {row.text}" for row in marks)
    chart = svg.draw_intervals(marks, label=said, x_title=title, level=base, lowest=float(METRICS[metric][1][0]))
    figures = doc.html_figure(title, words.MEANS_CAPTION, chart)
    if not differences:
        return figures
    rows = "; ".join(f"{row.name[:40]} {row.text}" for row in differences)
    said = f"Differences in {label} to plain training with their intervals: {rows}"
    chart = svg.draw_intervals(differences, label=said, x_title=f"Difference in {label}", level=0.0)
    return figures + doc.html_figure("Difference to plain training", words.DIFFERENCES_CAPTION, chart)


def _write_measures(order: Sequence[Mapping[str, Any]]) -> str:
    """Every measure of every method."""
    metrics = [m for m in METRICS if any(not math.isnan(to_number(metric_interval(row, m)["mean"])) for row in order)]
    cells = [
        [safe(row.get("title") or row.get("name"), 80), *(doc.html_interval(metric_interval(row, m)) for m in metrics)]
        for row in order
    ]
    return "<h3>All measures</h3>" + doc.html_table(
        "Every measure, mean and interval over replicates", ["Method", *(METRICS[m][0] for m in metrics)], cells, dense=True
    )


def _describe_outcome(row: Mapping[str, Any]) -> str:
    """Why a method failed or was dropped, '' for neither."""
    if row.get("failed"):
        return words.FAILED_ROW.format(why=safe(row["failed"], 200))
    if row.get("look"):
        return words.QUICK
    return words.DROPPED.format(round=safe(row["stopped"], 20)) if row.get("stopped") is not None else ""


def _write_classes(comparison: Mapping[str, Any]) -> str:
    """Per class, of the featured methods."""
    by_name = {m.get("name"): m for m in comparison.get("methods") or ()}
    shown = [by_name[name] for name in list_featured(comparison) if by_name[name].get("per_class")]
    if not shown:
        return ""
    rows = []
    for label in list(shown[0]["per_class"])[:SHOWN_CLASSES]:
        for row in shown:
            found = row["per_class"].get(label) or {}
            measures = [doc.html_interval(found.get(m) or {}) for m in ("precision", "recall", "f1", "average_precision")]
            rows.append([doc.html_name(label), safe(row.get("title"), 60), doc.format_count(found.get("support")), *measures])
    head = ["Class", "Method", "Test rows", "Precision", "Recall", "F1", "Average precision"]
    return (
        "<h3>Results per class</h3>"
        + doc.html_table(words.CLASSES_TABLE, head, rows, texts=(1,))
        + doc.html_more(len(shown[0]["per_class"]), SHOWN_CLASSES, "classes")
    )


def _write_curves(comparison: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    titles, plain = list_titles(comparison), find_baseline(comparison)
    there = [name for name in titles if f"pr/{name}" in arrays]
    if not there:
        return ""
    recall = np.asarray(arrays.get("pr_recall", np.arange(101) / 100), float)
    counts = _count_classes(comparison)
    two = len(counts) <= 2
    share = counts.get(positive_class(comparison), 0) / max(1, sum(counts.values())) if two else math.nan
    by_name = {str(m.get("name")): m for m in comparison.get("methods") or ()}
    figures = []
    for name in there:
        own = np.asarray(arrays[f"pr/{name}"], float)
        drawn = [Line(recall, own, "a", "dot", 10)] if name != plain else []
        if f"pr/{plain}" in arrays:
            drawn.insert(0, Line(recall, np.asarray(arrays[f"pr/{plain}"], float), "b"))
        at = [f"{own[np.abs(recall - r).argmin()]:.2f} at recall {r:g}" for r in (0.25, 0.5, 0.75)]
        said = f"Precision of {titles[name][:60]} over recall: {', '.join(at)}."
        average = f"Average precision {format_interval(metric_interval(by_name[name], 'average_precision'))}"
        chart = svg.draw_lines(drawn, label=said, x_title="Recall", y_title="Precision", level=share)
        figures.append(doc.html_figure(safe(titles[name], 60), average, chart))
    legend = (
        f'<ul class="legend"><li>{svg.draw_swatch("a", "dot")} {words.METHOD_LINE}</li><li>{svg.draw_swatch("b")} {words.PLAIN_LINE}</li>'
        + (f"<li>{words.SHARE_LINE}</li>" if two else "")
        + "</ul>"
    )
    what = words.CLASS_LOOKED_FOR if two else words.EACH_CLASS
    return legend + f'<div class="few">{"".join(figures)}</div>' + doc.html_how(words.TABLE_CURVES_HOW.format(what=what))


def _write_shortened(comparison: Mapping[str, Any], profile: Mapping[str, Any]) -> str:
    said = [safe(s) for s in comparison.get("shortened") or ()]
    told = {w.get("text") for w in profile.get("warnings") or ()}  # these stand beside the data
    notes = [safe(s) for s in comparison.get("notes") or () if s not in told]
    out = doc.html_list(said) if said else f"<p>{words.NOTHING_CUT}</p>"
    return out + (f"<h3>Notes</h3>{doc.html_list(notes)}" if notes else "")


def _is_network(params: Mapping[str, Any]) -> bool:
    return "hidden" in params and params.get("learner", "network") == "network"


def _write_settings(comparison: Mapping[str, Any]) -> str:
    order = sort_rows(comparison)
    networks = [row.get("params") or {} for row in order if _is_network(row.get("params") or {})]
    shared = {k: v for k, v in networks[0].items() if all(k in p and p[k] == v for p in networks)} if len(networks) > 1 else {}
    rows = [["All networks", doc.format_params(shared)]] if shared else []
    for row in order:
        params = row.get("params") or {}
        own = {k: v for k, v in params.items() if k not in shared} if params in networks else params
        rows.append([safe(row.get("title") or row.get("name"), 80), doc.format_params(own)])
    spec, protocol, made = (comparison.get(k) or {} for k in ("spec", "protocol", "provenance"))
    reading = doc.format_params(spec.get("reading") or {}) if spec.get("reading") else ""
    facts = [
        ("Reading", reading),
        (
            "Patience",
            f"{safe(protocol['patience'])} epochs without a better validation score" if protocol.get("patience") else "",
        ),
        ("n of test / n of training", doc.format_fixed(protocol.get("test_share")) if protocol.get("test_share") else ""),
    ]
    where = [(term, safe(made[key], 120)) for key, term in doc.PROVENANCE.items() if made.get(key) is not None]
    return (
        doc.html_facts(facts)
        + doc.html_table("Parameters of each method", ["Method", "Parameters"], rows, texts=(1,))
        + (f"<h3>{words.RUN_SECTIONS['provenance']}</h3>{doc.html_facts(where)}" if where else "")
    )


def _write_code(comparison: Mapping[str, Any]) -> str:
    names = list_featured(comparison)
    if not names:
        return ""
    title = list_titles(comparison)[names[-1]]
    return (
        f"<p>{words.CODE.format(title=safe(title, 80))}</p>"
        f"<pre><code>{escape_block(comparison_code.write_row(comparison, names[-1], reading=False))}</code></pre>"
    )


def _write_glossary(comparison: Mapping[str, Any]) -> str:
    used = [m for m in METRICS if any(m in (row.get("metrics") or {}) for row in comparison.get("methods") or ())]
    return doc.html_facts([(safe(METRICS[m][0]), safe(METRICS[m][2])) for m in used])
