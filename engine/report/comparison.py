"""A comparison as one HTML file to keep, print or send: no script, no font, no picture and no address from anywhere else.

It holds names of columns and classes and numbers about all rows; no row of the table is in it. Every text that is not ours is escaped.
No torch: the page makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.events import unpack
from engine.report import leaderboard, svg
from engine.report import page as doc
from engine.report.formats import interval
from engine.report.leaderboard import baseline, deciding, number, ordered, p_value, replicates, standing, value
from engine.report.svg import Line, Row
from engine.spec.result import METRICS
from engine.stats import thresholds
from engine.stats.intervals import CORRECTED_T
from engine.text import escape_block
from engine.text import html as safe

Tables = Mapping[str, Mapping[str, np.ndarray]]

SHOWN_COLUMNS, SHOWN_CLASSES, SHOWN_BARS = 200, 50, 12
"""Rows of the tables of columns and classes, and bars."""

SIGNS = {"better": ("up", "a", "\u25b2"), "worse": ("down", "c", "\u25bc"), "reference": ("diamond", "b", "\u25c6")}
"""Standing against plain training -> mark, style, the same as a letter; all else is a ring."""

PENS = {"as trained": ("a", "dot"), "prior corrected": ("c", "up"), "isotonic": ("d", "square")}
"""Variant of the probabilities -> style, mark."""


def from_artifacts(comparison: Mapping[str, Any], artifacts: Mapping[str, bytes], **more: Any) -> str:
    """`html` of what `engine.compare.comparison.compare` returns: the result and its artifacts (npz). Raises BadData for damaged ones."""
    arrays = unpack(artifacts["arrays"]) if "arrays" in artifacts else {}
    prefix = "thresholds/"
    tables = {k.removeprefix(prefix): unpack(data) for k, data in artifacts.items() if k.startswith(prefix)}
    return html(comparison, arrays, tables, **more)


def html(
    comparison: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    tables: Tables | None = None,
    *,
    profile: Mapping[str, Any] | None = None,
    file: str = "",
) -> str:
    """The report, one HTML document.

    comparison, arrays: as `engine.compare.comparison.compare` has them. tables: method -> its table
    (`engine.stats.thresholds`), for thresholds and
    calibration. profile: of the table, as `engine.data.tables.profile.profile` has it. file: the table's name for the title.
    """
    file = file or str(
        comparison.get("data", {}).get("name") or comparison.get("spec", {}).get("source", {}).get("dataset") or ""
    )
    sections: list[tuple[str, str, str]] = [
        ("asked", "What was asked", _asked(comparison, file)),
        ("data", "The data", _data(comparison, profile or {})),
        ("board", "The methods compared", _board(comparison)),
        ("precision-recall", "Precision and recall", _curves(comparison, arrays)),
        ("thresholds", "Where to put the threshold", _thresholds(comparison, tables or {})),
        ("calibration", "Whether the probabilities can be believed", _calibration(comparison, tables or {})),
        ("shortened", "What was cut to keep the time", _shortened(comparison)),
        ("settings", "Settings", _settings(comparison)),
        ("code", "The same in Python", _code(comparison)),
        ("words", "What the measures mean", _words(comparison)),
    ]
    return doc.document(
        f"Which method helps on {doc.name(file)}?" if file else "Which method helps on this table?",
        str(comparison.get("verdict") or "No verdict was kept."),
        sections,
        plain_title=f"Which method helps on {file}?" if file else "",
        date=str((comparison.get("provenance") or {}).get("date") or "")[:10],
        holds="names of columns and classes and numbers about all rows; no row of the table is in it",
    )


def _titles(comparison: Mapping[str, Any]) -> dict[str, str]:
    """name -> title, in the order of the board."""
    return {str(m.get("name")): str(m.get("title") or m.get("name")) for m in ordered(comparison)}


def featured(comparison: Mapping[str, Any]) -> list[str]:
    """The methods looked at more closely: plain training, and the best one, or else the highest of the others on the board."""
    names, plain = list(_titles(comparison)), baseline(comparison)
    others = [name for name in names if name != plain]
    best = comparison.get("best")
    return [name for name in (plain, best if best in others else others[0] if others else None) if name in names]


def _positive(comparison: Mapping[str, Any]) -> str:
    return str(comparison.get("data", {}).get("positive") or "")


def _counts(comparison: Mapping[str, Any]) -> dict[str, int]:
    """class -> rows used."""
    data = comparison.get("data") or {}
    counts, classes = data.get("counts") or {}, data.get("classes") or ()
    if not isinstance(counts, Mapping):
        counts = dict(zip(classes, counts, strict=False))
    return {str(name): int(n) for name, n in counts.items()}


def _label(comparison: Mapping[str, Any]) -> str:
    """The deciding metric's label, small in a sentence unless it is a name."""
    label = METRICS[deciding(comparison)][0]
    return label[0].lower() + label[1:] if label[1:2].islower() else label


# ---- sections


def _asked(comparison: Mapping[str, Any], file: str) -> str:
    spec, protocol = comparison.get("spec") or {}, comparison.get("protocol") or {}
    ratio, folds, seeds = (number(spec.get("ratio")), protocol.get("folds"), protocol.get("seeds"))
    asked = spec.get("methods")
    titles = _titles(comparison)
    compared = ", ".join(
        safe(titles[name], 60) for name in (m.get("name") for m in comparison.get("methods") or ()) if name in titles
    )
    return doc.facts(
        [
            ("Table", doc.name(file) if file else ""),
            ("Column to predict", doc.name(spec["target"]) if spec.get("target") else ""),
            ("Class looked for", doc.name(_positive(comparison)) if _positive(comparison) else ""),
            (
                "Largest / smallest class",
                "as the data come" if math.isnan(ratio) else f"{ratio:g}, made by leaving out rows before the split",
            ),
            ("Methods", compared + ("" if asked else " (all)")),
            ("Decided by", safe(METRICS[deciding(comparison)][0])),
            (
                "Time allowed",
                f"{number(spec.get('budget'), 0):g} s; {doc.fixed(comparison.get('seconds'), 1)} s were used"
                if spec.get("budget")
                else "",
            ),
            ("Seed", safe(spec.get("seed", ""))),
            (
                "Split",
                f"a fifth of the rows to choose the epoch, the rest in {safe(folds)} folds, each tested in turn; up to "
                f"{safe(seeds)} such splits"
                if folds
                else "",
            ),
        ]
    )


def _data(comparison: Mapping[str, Any], profile: Mapping[str, Any]) -> str:
    data, counts = comparison.get("data") or {}, _counts(comparison)
    total = sum(counts.values())
    pairs = [
        ("Rows in the table", doc.count(profile.get("rows")) if profile.get("rows") else ""),
        ("Rows with an answer", doc.count(data.get("rows"))),
        ("Rows used", doc.count(data.get("used_rows"))),
        ("Training rows of a replicate", doc.count(data.get("train_rows")) if data.get("train_rows") else ""),
        ("Columns learned from", doc.count(data.get("features"))),
        ("Largest / smallest class", doc.fixed(data.get("ratio"), 1)),
    ]
    drawn = [
        Row(name, float(n), f"{n:,} rows ({n / total:.1%})", style="c" if name == _positive(comparison) else "a")
        for name, n in list(counts.items())[:SHOWN_BARS]
    ]
    more = f"<p>And {len(counts) - SHOWN_BARS} more classes, which are not drawn.</p>" if len(counts) > SHOWN_BARS else ""
    figure = (
        doc.figure(
            "Rows of each class",
            f"The class looked for: {doc.name(_positive(comparison), 40)}." if _positive(comparison) else "",
            svg.bars(drawn, label=_said_counts(counts)),
        )
        if drawn
        else ""
    )
    smallest = min(counts.values(), default=0)
    out = f'<div class="two"><div>{doc.facts(pairs)}</div><div>{figure}{more}</div></div>'
    precision = (profile.get("precision") or {}).get("text")
    if precision:
        out += f"<p>{safe(precision)}</p>"
    elif smallest:
        half = 1.96 * math.sqrt(0.16 / smallest)
        out += f"<p>{smallest:,} rows of the smallest class: expect intervals of about \u00b1{half:.2g}.</p>"
    said = [
        f'<span class="warning">{safe(w.get("text"))}</span>' if w.get("level") != "info" else safe(w.get("text"))
        for w in profile.get("warnings") or ()
    ]
    out += f"<h3>What stands out</h3>{doc.items(said)}" if said else ""
    if dropped := [_dropped(one) for one in data.get("dropped") or ()]:
        out += f"<h3>Left out</h3>{doc.items(dropped[:SHOWN_COLUMNS])}" + doc.and_more(len(dropped), SHOWN_COLUMNS, "columns")
    if columns := profile.get("columns"):
        rows = [
            [
                doc.name(c.get("name")),
                safe(c.get("kind")),
                doc.count(c.get("distinct")),
                doc.count(c.get("missing")),
                "guessed" if c.get("guessed") else "given",
            ]
            for c in columns[:SHOWN_COLUMNS]
        ]
        out += "<h3>Columns</h3>" + doc.table(
            "Columns of the table", ["Column", "Kind", "Different values", "Missing", "Kind is"], rows, texts=(1, 4)
        )
        out += doc.and_more(len(columns), SHOWN_COLUMNS, "columns")
    return out + doc.how(
        "The smallest class decides how much can be said: intervals shrink with the square root of its rows, whatever the "
        "method. A column that tells the classes apart by itself is often known only after the answer is."
    )


def _dropped(one: Any) -> str:
    if not isinstance(one, Mapping):
        return doc.name(one)
    name = one.get("name", one.get("column", ""))
    why = one.get("why") or one.get("reason") or one.get("kind") or ""
    return doc.name(name) + (f" ({safe(why, 200)})" if why else "")


def _said_counts(counts: Mapping[str, int]) -> str:
    return "Rows of each class. " + "; ".join(f"{str(name)[:40]}: {n:,}" for name, n in list(counts.items())[:6])


def _board(comparison: Mapping[str, Any]) -> str:
    metric, label, plain = deciding(comparison), _label(comparison), baseline(comparison)
    head = ["Method", METRICS[metric][0], "Difference to plain", "p (Holm)", "Standing", "Replicates", "Seconds", "Note"]
    rows, marks, deltas = [], [], []
    order = ordered(comparison)
    for row in order:
        found, difference, stands = value(row, metric), row.get("difference") or {}, standing(row, comparison)
        mark, style, sign = SIGNS.get(stands, ("ring", "a", "\u25cb"))
        title = str(row.get("title") or row.get("name"))
        own = stands == "reference"
        rows.append(
            [
                safe(title, 80),
                doc.spread(found),
                doc.DASH if own else doc.spread(difference, sign=True),
                doc.DASH if own else p_value(difference.get("p_holm")),
                f'<span class="now">{sign} {stands}</span>' if stands else doc.DASH,
                str(replicates(row)),
                doc.fixed(row.get("seconds"), 1),
                _note(row),
            ]
        )
        numbers = [number(found[k]) for k in ("mean", "low", "high")]
        marks.append(Row(title, numbers[0], interval(found), numbers[1], numbers[2], style, mark))
        if not own:
            numbers = [number(difference.get(k)) for k in ("mean", "low", "high")]
            deltas.append(Row(title, numbers[0], interval(difference, sign=True), numbers[1], numbers[2], style, mark))
    if not rows:
        return "<p>No method was run.</p>"
    base = next((number(value(row, metric)["mean"]) for row in order if row.get("name") == plain), math.nan)
    kept = [k for k, row in enumerate(order) if row.get("name") == comparison.get("best")]
    said = f"{METRICS[metric][0]} of each method with its interval: " + "; ".join(f"{r.name[:40]} {r.said}" for r in marks)
    gaps = f"Differences in {label} to plain training with their intervals: " + "; ".join(
        f"{r.name[:40]} {r.said}" for r in deltas
    )
    figures = doc.figure(
        METRICS[metric][0],
        "Mean and interval; dotted: plain training.",
        svg.intervals(marks, label=said, x_title=METRICS[metric][0], level=base, lowest=float(METRICS[metric][1][0])),
    )
    if deltas:
        figures += doc.figure(
            "Difference to plain training",
            "Right of the dotted line is better.",
            svg.intervals(deltas, label=gaps, x_title=f"Difference in {label}", level=0.0),
        )
    kind = safe(comparison.get("interval") or CORRECTED_T)
    out = doc.table(f"The board, the furthest above plain training in {label} first", head, rows, texts=(4, 7), kept=kept)
    out += doc.how(
        f"Means over replicates, each with its interval ({kind}). Scores of one method overlap with another's far more than "
        "their differences do, because both met the same splits: so compare by the difference, which is paired on common "
        "replicates. p is corrected by Holm over all methods: below 0.05 a difference is told from none. \u25b2 better than "
        "plain training, \u25bc worse, \u25cb not told apart, \u25c6 plain training itself. Methods that were dropped early "
        "have fewer replicates and wider intervals."
    )
    out += f'<div class="two">{figures}</div>'
    metrics = [m for m in METRICS if any(not math.isnan(number(value(row, m)["mean"])) for row in order)]
    cells = [[safe(row.get("title") or row.get("name"), 80), *(doc.spread(value(row, m)) for m in metrics)] for row in order]
    out += "<h3>All measures</h3>" + doc.table(
        "Every measure, mean and interval over replicates", ["Method", *(METRICS[m][0] for m in metrics)], cells, dense=True
    )
    return out + _classes(comparison)


def _note(row: Mapping[str, Any]) -> str:
    """What befell a method."""
    if row.get("failed"):
        return f"failed: {safe(row['failed'], 200)}"
    if row.get("look"):
        return "quick look alone"
    return f"dropped after round {safe(row['stopped'], 20)}" if row.get("stopped") is not None else ""


def _classes(comparison: Mapping[str, Any]) -> str:
    """Per class, of the featured methods."""
    by_name = {m.get("name"): m for m in comparison.get("methods") or ()}
    shown = [by_name[name] for name in featured(comparison) if by_name[name].get("per_class")]
    if not shown:
        return ""
    rows = []
    for label in list(shown[0]["per_class"])[:SHOWN_CLASSES]:
        for row in shown:
            found = row["per_class"].get(label) or {}
            measures = [doc.spread(found.get(m) or {}) for m in ("precision", "recall", "f1", "average_precision")]
            rows.append([doc.name(label), safe(row.get("title"), 60), doc.count(found.get("support")), *measures])
    head = ["Class", "Method", "Test rows", "Precision", "Recall", "F1", "Average precision"]
    return (
        "<h3>Class by class</h3>"
        + doc.table("Measures of each class against all others, mean and interval over replicates", head, rows, texts=(1,))
        + doc.and_more(len(shown[0]["per_class"]), SHOWN_CLASSES, "classes")
    )


def _curves(comparison: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    titles, plain = _titles(comparison), baseline(comparison)
    there = [name for name in titles if f"pr/{name}" in arrays]
    if not there:
        return ""
    recall = np.asarray(arrays.get("pr_recall", np.arange(101) / 100), float)
    counts = _counts(comparison)
    two = len(counts) <= 2
    share = counts.get(_positive(comparison), 0) / max(1, sum(counts.values())) if two else math.nan
    by_name = {str(m.get("name")): m for m in comparison.get("methods") or ()}
    figures = []
    for name in there:
        own = np.asarray(arrays[f"pr/{name}"], float)
        drawn = [Line(recall, own, "a", "dot", 10)] if name != plain else []
        if f"pr/{plain}" in arrays:
            drawn.insert(0, Line(recall, np.asarray(arrays[f"pr/{plain}"], float), "b"))
        at = [f"{own[np.abs(recall - r).argmin()]:.2f} at recall {r:g}" for r in (0.25, 0.5, 0.75)]
        said = f"Precision of {titles[name][:60]} over recall: {', '.join(at)}."
        average = f"Average precision {interval(value(by_name[name], 'average_precision'))}"
        chart = svg.lines(drawn, label=said, x_title="Recall", y_title="Precision", level=share)
        figures.append(doc.figure(safe(titles[name], 60), average, chart))
    legend = (
        f'<ul class="legend"><li>{svg.swatch("a", "dot")} the method</li><li>{svg.swatch("b")} plain training</li>'
        + ("<li>dotted: share of the class looked for</li>" if two else "")
        + "</ul>"
    )
    what = "the class looked for" if two else "every class against the others, averaged over the classes"
    return (
        legend
        + f'<div class="few">{"".join(figures)}</div>'
        + doc.how(
            "Every threshold is a point: recall is the share of the rows looked for that are found, precision the share of "
            f"the found rows that are right, for {what}. Higher is better. A curve is the mean over replicates. Average "
            "precision is the area under it."
        )
    )


def choices(table: Mapping[str, np.ndarray]) -> list[tuple[str, dict[str, float] | None]]:
    """(how it was chosen, what comes of it) for thresholds of one method on its probabilities as trained; None: there is none."""
    precision, recall = thresholds.precision_and_recall(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    best = thresholds.counts_at(table, float(table["grid"][int(np.nan_to_num(f1, nan=-1.0).argmax())]))
    return [
        ("At 0.5", thresholds.counts_at(table, 0.5)),
        ("Highest F1", best),
        ("Finds 80% of them", thresholds.threshold_for_recall(table, 0.8)),
        ("Right 80% of the time", thresholds.threshold_for_precision(table, 0.8)),
        ("Cheapest if a miss costs 10 false alarms", thresholds.threshold_for_cost(table, 10, 1)),
    ]


def _thresholds(comparison: Mapping[str, Any], tables: Tables) -> str:
    titles = {name: title for name, title in _titles(comparison).items() if name in tables}
    if not titles:
        return ""
    head = ["Chosen by", "Threshold", "Found", "False alarms", "Missed", "Rightly left", "Precision", "Recall", "F1", "Flagged"]
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    groups, found = [], {name: choices(tables[name]) for name in titles}
    for name, title in titles.items():
        rows = [f'<tr><th scope="rowgroup" colspan="{len(head)}">{safe(title, 80)}</th></tr>']
        for chosen, at in found[name]:
            cells = [doc.DASH] * (len(head) - 1)
            if at is not None:
                cells = [doc.fixed(at["threshold"]), *(doc.count(at[k]) for k in ("tp", "fp", "fn", "tn"))]
                cells += [*(doc.fixed(at[k], 2) for k in ("precision", "recall", "f1")), f"{at['flagged']:.1%}"]
            rows.append(f'<tr><td class="text">{chosen}</td>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
        groups.append(f"<tbody>{''.join(rows)}</tbody>")
    positive = doc.name(_positive(comparison), 40) if _positive(comparison) else "the class looked for"
    figures, confusion = [], []
    for name in (n for n in featured(comparison) if n in titles):
        figures.append(_trade(titles[name], tables[name]))
        confusion += [
            _confusion(titles[name], chosen, at, _positive(comparison)) for chosen, at in found[name][:2] if at is not None
        ]
    legend = f'<ul class="legend"><li>{svg.swatch("a", "dot")} precision</li><li>{svg.swatch("c", "up")} recall</li></ul>'
    return (
        f"<p>A row is flagged as {positive} where the method gives it at least the threshold's probability.</p>"
        + legend
        + f'<div class="two">{"".join(figures)}</div><h3>Confusion tables</h3><div class="two">{"".join(confusion)}</div>'
        + "<h3>Thresholds to choose from</h3>"
        + doc.scroll(
            "Rows of one pass over all tested rows, at thresholds chosen in five ways",
            f"<thead><tr>{top}</tr></thead>{''.join(groups)}",
        )
        + doc.how(
            "Counts are rows of one pass over all tested rows, each tested once, mean over the passes. The thresholds (but "
            "for 0.5) are chosen on these very rows, so on new rows expect a little less than the numbers beside them. Where "
            "errors have a price, the cheapest threshold is the one to take: with probabilities that are right it is cost of "
            "a false alarm / (cost of a miss + cost of a false alarm). A dash: no threshold does that."
        )
    )


def _trade(title: str, table: Mapping[str, np.ndarray]) -> str:
    """Precision and recall over the threshold."""
    precision, recall = thresholds.precision_and_recall(table)
    grid = np.minimum(np.asarray(table["grid"], float), 1.0)
    every = max(1, len(grid) // 12)
    half = thresholds.counts_at(table, 0.5)
    said = f"{title[:60]}: precision {doc.fixed(half['precision'], 2)} and recall {doc.fixed(half['recall'], 2)} at a threshold of 0.5."
    drawn = [Line(grid, precision, "a", "dot", every), Line(grid, recall, "c", "up", every)]
    chart = svg.lines(drawn, label=said, x_title="Threshold", y_title="Share", size=(400, 230))
    return doc.figure(safe(title, 60), "Precision and recall at every threshold.", chart)


def _confusion(title: str, chosen: str, at: Mapping[str, float], positive: str) -> str:
    name = doc.name(positive, 30) if positive else "looked for"
    small = chosen[0].lower() + chosen[1:]
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Confusion table of {safe(title, 60)}, {small}"><table>'
        f"<caption>{safe(title, 60)}, {small} (threshold {doc.fixed(at['threshold'])})</caption>"
        f'<thead><tr><th scope="col">In truth</th><th scope="col">Flagged</th><th scope="col">Not flagged</th></tr></thead><tbody>'
        f'<tr><th scope="row">{name}</th><td>{doc.count(at["tp"])}</td><td>{doc.count(at["fn"])}</td></tr>'
        f'<tr><th scope="row">Others</th><td>{doc.count(at["fp"])}</td><td>{doc.count(at["tn"])}</td></tr></tbody></table></div>'
    )


def _calibration(comparison: Mapping[str, Any], tables: Tables) -> str:
    titles = {name: title for name, title in _titles(comparison).items() if name in tables}
    if not titles:
        return ""
    figures, rows = [], []
    for name, title in titles.items():
        drawn, cells, said = [], [], []
        for kind, (style, mark) in PENS.items():
            found = thresholds.describe_calibration(tables[name], kind)
            x, y = (np.array([b[k] for b in found["bins"]], float) for k in ("predicted", "observed"))
            drawn.append(Line(x, y, style, mark))
            cells += [doc.fixed(found["brier"], 4), doc.fixed(found["ece"])]
            said.append(f"{kind} {doc.fixed(found['ece'])}")
        label = f"Calibration of {title[:60]}: mean distance between probability and share, {', '.join(said)}."
        chart = svg.lines(drawn, label=label, x_title="Probability given", y_title="Share in truth", diagonal=True)
        figures.append(doc.figure(safe(title, 60), f"Mean distance: {', '.join(said)}.", chart))
        rows.append([safe(title, 80), *cells])
    head = ["Method", *(f"{what}, {kind}" for kind in PENS for what in ("Brier", "ECE"))]
    legend = "".join(f"<li>{svg.swatch(*pen)} {kind}</li>" for kind, pen in PENS.items())
    return (
        f'<ul class="legend">{legend}<li>dotted: probabilities that are right</li></ul><div class="few">{"".join(figures)}</div>'
        + doc.table("Errors of the probabilities before and after correction; lower is better", head, rows)
        + doc.how(
            "Of the rows that are given a probability of 0.3, three in ten should be of the class looked for: points on the "
            "dotted diagonal. Methods that add or weight rows of the rare class give it too much. Prior correction undoes "
            "what they did to the classes' shares, not what focal loss does; isotonic regression is fitted on validation "
            "rows, never on test rows. Of two classes both keep the ranking, but isotonic regression ties rows. "
            "Brier: mean squared error of the probability. ECE: mean distance between probability and share, weighted by "
            "rows."
        )
    )


def _shortened(comparison: Mapping[str, Any]) -> str:
    said = [safe(s) for s in comparison.get("shortened") or ()]
    notes = [safe(s) for s in comparison.get("notes") or ()]
    out = doc.items(said) if said else "<p>Nothing: all that was planned fitted into the time.</p>"
    return out + (f"<h3>Notes</h3>{doc.items(notes)}" if notes else "")


def _settings(comparison: Mapping[str, Any]) -> str:
    order = ordered(comparison)
    networks = [row.get("params") or {} for row in order if "hidden" in (row.get("params") or {})]
    shared = {k: v for k, v in networks[0].items() if all(k in p and p[k] == v for p in networks)} if len(networks) > 1 else {}
    rows = [["All networks", doc.values(shared)]] if shared else []
    for row in order:
        params = row.get("params") or {}
        own = {k: v for k, v in params.items() if k not in shared} if params in networks else params
        rows.append([safe(row.get("title") or row.get("name"), 80), doc.values(own)])
    spec, protocol, made = (comparison.get(k) or {} for k in ("spec", "protocol", "provenance"))
    reading = doc.values(spec.get("reading") or {}) if spec.get("reading") else ""
    facts = [
        ("Reading", reading),
        (
            "Patience",
            f"{safe(protocol['patience'])} epochs without a better validation score" if protocol.get("patience") else "",
        ),
        ("n of test / n of training", doc.fixed(protocol.get("test_share")) if protocol.get("test_share") else ""),
    ]
    where = [(term, safe(made[key], 120)) for key, term in doc.PROVENANCE.items() if made.get(key) is not None]
    return (
        doc.facts(facts)
        + doc.table("Parameters of each method", ["Method", "Parameters"], rows, texts=(1,))
        + (f"<h3>Where it was computed</h3>{doc.facts(where)}" if where else "")
    )


def _code(comparison: Mapping[str, Any]) -> str:
    names = featured(comparison)
    if not names:
        return ""
    title = _titles(comparison)[names[-1]]
    return (
        f"<p>{safe(title, 80)}, trained and measured again on the same test rows. It runs beside Imbalance Lab's engine and the table."
        f"</p><pre><code>{escape_block(leaderboard.code(comparison, names[-1]))}</code></pre>"
    )


def _words(comparison: Mapping[str, Any]) -> str:
    used = [m for m in METRICS if any(m in (row.get("metrics") or {}) for row in comparison.get("methods") or ())]
    return doc.facts([(safe(METRICS[m][0]), safe(METRICS[m][2])) for m in used])
