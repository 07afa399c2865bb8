"""Thresholds and calibration of a comparison, as sections of its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.report import page as doc
from engine.report import svg, words
from engine.report.leaderboard import list_featured, list_titles, positive_class
from engine.report.svg import Line
from engine.stats import thresholds
from engine.text import html as safe

Tables = Mapping[str, Mapping[str, np.ndarray]]

PENS = {"as trained": ("a", "dot"), "prior corrected": ("c", "up"), "isotonic": ("d", "square")}
"""Variant of the probabilities -> style, mark."""


def choose_thresholds(table: Mapping[str, np.ndarray]) -> list[tuple[str, dict[str, float] | None]]:
    """(how it was chosen, what comes of it) for thresholds of one method on its probabilities as trained; None: there is none."""
    precision, recall = thresholds.precision_and_recall(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    best = thresholds.counts_at(table, float(table["grid"][int(np.nan_to_num(f1, nan=-1.0).argmax())]))
    return [
        (words.THRESHOLD_RULES["half"], thresholds.counts_at(table, 0.5)),
        (words.THRESHOLD_RULES["f1"], best),
        (words.THRESHOLD_RULES["recall"], thresholds.threshold_for_recall(table, 0.8)),
        (words.THRESHOLD_RULES["precision"], thresholds.threshold_for_precision(table, 0.8)),
        (words.THRESHOLD_RULES["cost"], thresholds.threshold_for_cost(table, 10, 1)),
    ]


def write_thresholds(comparison: Mapping[str, Any], tables: Tables) -> str:
    titles = {name: title for name, title in list_titles(comparison).items() if name in tables}
    if not titles:
        return ""
    head = [
        "Chosen by",
        "Threshold",
        "Found",
        "False alarms",
        "Missed",
        "Right rejections",
        "Precision",
        "Recall",
        "F1",
        "Alerts",
    ]
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    groups, found = [], {name: choose_thresholds(tables[name]) for name in titles}
    for name, title in titles.items():
        rows = [f'<tr><th scope="rowgroup" colspan="{len(head)}">{safe(title, 80)}</th></tr>']
        for chosen, at in found[name]:
            cells = [doc.DASH] * (len(head) - 1)
            if at is not None:
                cells = [doc.format_fixed(at["threshold"]), *(doc.format_count(at[k]) for k in ("tp", "fp", "fn", "tn"))]
                cells += [*(doc.format_fixed(at[k], 2) for k in ("precision", "recall", "f1")), f"{at['flagged']:.1%}"]
            rows.append(f'<tr><td class="text">{chosen}</td>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
        groups.append(f"<tbody>{''.join(rows)}</tbody>")
    positive = doc.html_name(positive_class(comparison), 40) if positive_class(comparison) else words.CLASS_LOOKED_FOR
    figures, confusion = [], []
    for name in (n for n in list_featured(comparison) if n in titles):
        figures.append(_draw_trade_off(titles[name], tables[name]))
        confusion += [
            _write_confusion(titles[name], chosen, at, positive_class(comparison))
            for chosen, at in found[name][:2]
            if at is not None
        ]
    legend = (
        f'<ul class="legend"><li>{svg.draw_swatch("a", "dot")} precision</li><li>{svg.draw_swatch("c", "up")} recall</li></ul>'
    )
    return (
        f"<p>{words.FLAGGED.format(label=positive)}</p>"
        + legend
        + f'<div class="two">{"".join(figures)}</div><h3>Confusion tables</h3><div class="two">{"".join(confusion)}</div>'
        + "<h3>Thresholds to choose from</h3>"
        + doc.html_scroll(
            words.THRESHOLDS_TABLE,
            f"<thead><tr>{top}</tr></thead>{''.join(groups)}",
        )
        + doc.html_how(words.THRESHOLDS_HOW)
    )


def _draw_trade_off(title: str, table: Mapping[str, np.ndarray]) -> str:
    """Precision and recall over the threshold."""
    precision, recall = thresholds.precision_and_recall(table)
    grid = np.minimum(np.asarray(table["grid"], float), 1.0)
    every = max(1, len(grid) // 12)
    half = thresholds.counts_at(table, 0.5)
    at_half = " and ".join(f"{kind} {doc.format_fixed(half[kind], 2)}" for kind in ("precision", "recall"))
    said = f"{title[:60]}: {at_half} at a threshold of 0.5."
    drawn = [Line(grid, precision, "a", "dot", every), Line(grid, recall, "c", "up", every)]
    chart = svg.draw_lines(drawn, label=said, x_title="Threshold", y_title="Share", size=(400, 230))
    return doc.html_figure(safe(title, 60), words.TRADE_OFF, chart)


def _write_confusion(title: str, chosen: str, at: Mapping[str, float], positive: str) -> str:
    name = doc.html_name(positive, 30) if positive else "looked for"
    small = chosen[0].lower() + chosen[1:]
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Confusion table of {safe(title, 60)}, {small}"><table>'
        f"<caption>{safe(title, 60)}, {small} (threshold {doc.format_fixed(at['threshold'])})</caption>"
        f'<thead><tr><th scope="col">True class</th><th scope="col">Alert</th><th scope="col">No alert</th></tr></thead><tbody>'
        f'<tr><th scope="row">{name}</th><td>{doc.format_count(at["tp"])}</td><td>{doc.format_count(at["fn"])}</td></tr>'
        f'<tr><th scope="row">Others</th><td>{doc.format_count(at["fp"])}</td><td>{doc.format_count(at["tn"])}</td></tr>'
        "</tbody></table></div>"
    )


def write_calibration(comparison: Mapping[str, Any], tables: Tables) -> str:
    titles = {name: title for name, title in list_titles(comparison).items() if name in tables}
    if not titles:
        return ""
    figures, rows = [], []
    for name, title in titles.items():
        drawn, cells, said = [], [], []
        for kind, (style, mark) in PENS.items():
            found = thresholds.describe_calibration(tables[name], kind)
            x, y = (np.array([b[k] for b in found["bins"]], float) for k in ("predicted", "observed"))
            drawn.append(Line(x, y, style, mark))
            cells += [doc.format_fixed(found["brier"], 4), doc.format_fixed(found["ece"])]
            said.append(f"{kind} {doc.format_fixed(found['ece'])}")
        label = f"Calibration of {title[:60]}: mean distance between probability and share, {', '.join(said)}."
        chart = svg.draw_lines(drawn, label=label, x_title="Probability given", y_title="Share in truth", diagonal=True)
        figures.append(doc.html_figure(safe(title, 60), f"Mean distance: {', '.join(said)}.", chart))
        rows.append([safe(title, 80), *cells])
    head = ["Method", *(f"{what}, {kind}" for kind in PENS for what in ("Brier", "ECE"))]
    legend = "".join(f"<li>{svg.draw_swatch(*pen)} {kind}</li>" for kind, pen in PENS.items())
    return (
        f'<ul class="legend">{legend}<li>{words.DIAGONAL}</li></ul><div class="few">{"".join(figures)}</div>'
        + doc.html_table(words.CALIBRATION_TABLE, head, rows)
        + doc.html_how(words.CALIBRATION_HOW)
    )
