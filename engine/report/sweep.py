"""A sweep as one HTML file to keep, print or send (`engine.report.page`): what to use, when. No torch: the page makes it.

It holds names of public datasets and methods and numbers about all rows.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.report import ReportRequest, svg, sweep_code, words
from engine.report import page as doc
from engine.report.formats import format_interval
from engine.report.judge import judge_sweep
from engine.report.leaderboard import format_p, to_number
from engine.report.svg import Line, Row
from engine.spec.companions import BASELINE, ORACLE
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.sweep import SweepSpec
from engine.sweep.table import compare_over_cells
from engine.text import escape_block
from engine.text import html as safe

Record = Mapping[str, Any]

KIND = "sweep"
TINTS = (0.02, 0.05, 0.1)
"""Differences from which a square of the heat map is tinted, stronger and strongest."""
SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}", "same": "\N{WHITE CIRCLE}"}
STYLE = "".join(
    f".{side}{k}{{background:color-mix(in srgb,var({colour}) {share}%,var(--paper))}}"
    for side, colour in (("over", "--lead"), ("under", "--warm"))
    for k, share in enumerate((10, 18, 28))
)
"""Tints of the heat map: beside a sign and a number, never instead of them."""
SHOWN_FIGURES = 60
"""Charts at most."""


def write_report(request: ReportRequest) -> str:
    """The report of a sweep. given: spec, records, metric and date, as `write_sweep` takes them."""
    return write_sweep(catalog=request.catalog, **request.given)


def write_sweep(
    spec: SweepSpec, records: Sequence[Record], catalog: Mapping[str, Any], metric: str = DEFAULT_METRIC, *, date: str = ""
) -> str:
    """The report, one HTML document. records: `engine.sweep.table.build_table` of that metric, finished or not. date: of the
    report, as it is written.

    Raises UnknownName where the catalog has not what the sweep names.
    """
    done = [record for record in records if record["mean"] is not None]
    said = judge_sweep(records, metric)
    parts = {
        "asked": _write_request(spec, records, catalog, metric),
        "ratio": _draw_against_ratio(done, metric),
        "heat": _write_heat_map(records, metric),
        "ranks": _draw_ranks(spec, records, metric),
        "share": _write_shares(records),
        "cells": _write_cells(records, metric),
        "impossible": _write_absent(spec, records, catalog),
        "code": _write_code(spec, metric),
        "words": _write_glossary(metric),
    }
    sections = [(name, title, parts[name]) for name, title in words.SWEEP_SECTIONS.items()]
    return doc.write_document(
        words.SWEEP_TITLE,
        said.text,
        sections,
        more=said.more,
        holds=words.HOLDS_SWEEP,
        date=date,
        style=STYLE,
    )


# ---- words


def _metric_label(metric: str) -> str:
    label = METRICS[metric][0]
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def _describe_place(record: Record) -> str:
    """Dataset and ratio, not escaped."""
    return f"{record['dataset_title']} at {record['ratio']:g}:1"


def _compare_to_plain(record: Record) -> str:
    """'better', 'worse', 'same', or '' where it was not tested."""
    difference = record["difference"]
    if difference is None or difference["p_holm"] is None:
        return ""
    return "better" if difference["better"] else "worse" if difference["worse"] else "same"


# ---- sections


def _write_request(spec: SweepSpec, records: Sequence[Record], catalog: Mapping[str, Any], metric: str) -> str:
    datasets = {entry["name"]: entry["title"] for entry in catalog["datasets"]}
    methods = {entry["name"]: entry["title"] for entry in catalog["methods"]}
    done = sum(record["state"] == "done" for record in records)
    folds = "one split" if spec.folds == 1 else f"{spec.folds} folds"
    return doc.html_facts(
        [
            ("Datasets", ", ".join(doc.html_name(datasets.get(name, name)) for name in spec.datasets)),
            ("Methods", ", ".join(doc.html_name(methods.get(name, name)) for name in spec.methods)),
            ("Also runs", words.SWEEP_ALSO),
            ("Largest / smallest class", ", ".join(f"{ratio:g}:1" for ratio in spec.ratios)),
            (
                "Where the ratio is made",
                words.EVERYWHERE if spec.where == "all" else words.TRAINING_ONLY,
            ),
            ("Replicates", words.SWEEP_REPLICATES.format(folds=folds, seeds=spec.seeds)),
            ("Seed", str(spec.seed)),
            ("Measure", safe(METRICS[metric][0])),
            ("Cells", words.CELLS_DONE.format(done=done, all=len(records))),
            ("Numerics", safe(catalog.get("numerics", ""))),
        ]
    )


def _group_records(records: Sequence[Record]) -> dict[str, dict[str, list[Record]]]:
    """dataset -> method -> its records, in the order of the table."""
    out: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        out.setdefault(record["dataset"], {}).setdefault(record["method"], []).append(record)
    return out


def _draw_against_ratio(done: Sequence[Record], metric: str) -> str:
    """One chart for each dataset and method: the method, plain training, the potential."""
    low, high = (float(bound) for bound in METRICS[metric][1])
    figures, left_out = [], 0
    wide = True  # rows of names and numbers need more room than lines do
    for methods in _group_records(done).values():
        every = [record for own in methods.values() for record in own]
        ratios = sorted({float(record["ratio"]) for record in every})
        ends = [to_number(record[end], math.nan) for record in every for end in ("mean", "low", "high")]
        known = [v for v in ends if math.isfinite(v)]
        room = 0.05 * (max(known) - min(known)) or 0.05
        y = (max(low, min(known) - room), min(high, max(known) + room))
        if len(ratios) == 1:
            figures.append(_draw_one_ratio(every, metric))
            continue
        wide = False
        place = {ratio: math.log(ratio) for ratio in ratios}
        beside = 0.05 * (place[ratios[-1]] - place[ratios[0]])
        x = (place[ratios[0]] - beside, place[ratios[-1]] + beside)
        for name, own in methods.items():
            if name in (BASELINE, ORACLE):
                continue
            if len(figures) >= SHOWN_FIGURES:
                left_out += 1
                continue
            drawn = [
                _build_line(methods.get(other, ()), place, style, mark)
                for other, style, mark in ((BASELINE, "b", "ring"), (ORACLE, "c", "up"), (name, "a", "dot"))
                if methods.get(other)
            ]
            first = own[0]
            said = "; ".join(f"{record['ratio']:g}:1 {format_interval(record)}" for record in own)
            chart = svg.draw_lines(
                drawn,
                label=f"{METRICS[metric][0]} of {first['title'][:60]} on {first['dataset_title'][:60]} against the ratio: {said}",
                x_title="Largest / smallest class",
                y_title=METRICS[metric][0],
                x=x,
                y=y,
                x_ticks=[(place[ratio], f"{ratio:g}") for ratio in _space_ratios(ratios)],
            )
            figures.append(
                doc.html_figure(doc.html_name(first["title"], 60), f"on {doc.html_name(first['dataset_title'], 60)}", chart)
            )
    if not figures:
        return ""
    legend = (
        f'<ul class="legend"><li>{svg.draw_swatch("a", "dot")} {words.METHOD_LINE}</li>'
        f"<li>{svg.draw_swatch('b', 'ring')} {words.PLAIN_LINE}</li><li>{svg.draw_swatch('c', 'up')} {words.ALL_ROWS_LINE}</li></ul>"
    )
    return (
        legend
        + f'<div class="{"two" if wide else "few"}">{"".join(figures)}</div>'
        + doc.html_more(SHOWN_FIGURES + left_out, SHOWN_FIGURES, words.MORE_CHARTS)
        + doc.html_how(words.RATIO_HOW)
    )


def _space_ratios(ratios: Sequence[float]) -> list[float]:
    """Ratios far enough from each other to be written side by side."""
    out: list[float] = []
    apart = 0.13 * (math.log(ratios[-1]) - math.log(ratios[0]))
    for ratio in ratios:
        if not out or math.log(ratio) - math.log(out[-1]) >= apart:
            out.append(ratio)
    return out


def _build_line(records: Sequence[Record], place: Mapping[float, float], style: str, mark: str) -> Line:
    order = sorted(records, key=lambda record: float(record["ratio"]))
    x = np.array([place[record["ratio"]] for record in order])
    y, low, high = (np.array([to_number(record[end], math.nan) for record in order]) for end in ("mean", "low", "high"))
    return Line(x, y, style, mark, low=low, high=high)


def _draw_one_ratio(every: Sequence[Record], metric: str) -> str:
    marks = {"baseline": ("b", "ring"), "oracle": ("c", "up"), "method": ("a", "dot")}
    rows = []
    for record in every:
        style, mark = marks[record["role"]]
        ends = [to_number(record[end], math.nan) for end in ("mean", "low", "high")]
        rows.append(Row(record["title"], ends[0], format_interval(record), ends[1], ends[2], style, mark))
    said = f"{METRICS[metric][0]} on {_describe_place(every[0])[:100]}: " + "; ".join(
        f"{row.name[:40]} {row.text}" for row in rows
    )
    chart = svg.draw_intervals(rows, label=said, x_title=METRICS[metric][0], lowest=float(METRICS[metric][1][0]))
    return doc.html_figure(doc.html_name(every[0]["dataset_title"], 60), f"at {every[0]['ratio']:g}:1", chart)


def _write_heat_map(records: Sequence[Record], metric: str) -> str:
    """Methods by datasets and ratios: sign, difference, tint."""
    columns = list(dict.fromkeys((record["dataset"], record["dataset_title"], record["ratio"]) for record in records))
    methods = dict.fromkeys((record["method"], record["title"]) for record in records if record["role"] == "method")
    at = {(record["method"], record["dataset"], record["ratio"]): record for record in records}
    if not any(record["difference"] for record in records if record["role"] == "method"):
        return ""
    top = "".join(f'<th scope="col">{doc.html_name(title, 40)} {ratio:g}:1</th>' for _, title, ratio in columns)
    body = []
    for name, title in methods:
        cells = "".join(_write_square(at.get((name, dataset, ratio))) for dataset, _, ratio in columns)
        body.append(f'<tr><th scope="row">{doc.html_name(title, 60)}</th>{cells}</tr>')
    tested = sum(bool(_compare_to_plain(record)) for record in records)
    return doc.html_scroll(
        words.HEAT_TABLE.format(metric=_metric_label(metric)),
        f'<thead><tr><th scope="col">Method</th>{top}</tr></thead><tbody>{"".join(body)}</tbody>',
        dense=len(columns) > 6,
    ) + doc.html_how(words.HEAT_HOW.format(tested=tested, **SIGNS))


def _write_square(record: Record | None) -> str:
    difference = None if record is None else record["difference"]
    mean = to_number((difference or {}).get("mean"))
    if math.isnan(mean):
        return f"<td>{doc.DASH}</td>"
    assert record is not None
    stands = _compare_to_plain(record)
    strength = sum(abs(mean) >= least for least in TINTS)
    tint = f' class="{"over" if mean > 0 else "under"}{strength - 1}"' if strength else ""
    sign = f"{SIGNS[stands]} " if stands else ""
    return f'<td{tint}><span class="now">{sign}{doc.format_signed(mean)}</span></td>'


def _draw_ranks(spec: SweepSpec, records: Sequence[Record], metric: str) -> str:
    found = compare_over_cells(records, metric)
    if found is None:
        return ""
    titles = {record["method"]: record["title"] for record in records}
    half = found["critical_difference"] / 2
    order = sorted(found["methods"], key=lambda name: found["ranks"][name])
    rows = [
        Row(titles[name], (rank := found["ranks"][name]), f"{rank:.2f}", rank - half, rank + half, "b" if name == BASELINE else "a",
            "ring" if name == BASELINE else "dot")
        for name in order
    ]  # fmt: skip
    said = words.RANKS_LABEL + "; ".join(f"{row.name[:40]} {row.text}" for row in rows)
    chart = svg.draw_intervals(rows, label=said, x_title="Mean rank, 1 is the best", lowest=0.0)
    friedman = found["friedman"]
    one = words.RANKS_ONE if len(spec.datasets) == 1 else words.RANKS_SHARED
    return doc.html_figure(
        words.RANKS_TITLE.format(sets=found["sets"]),
        words.RANKS_CAPTION.format(difference=found["critical_difference"], p=format_p(friedman["p"])),
        chart,
    ) + doc.html_how(words.RANKS_HOW.format(one=one))


def _write_shares(records: Sequence[Record]) -> str:
    own = [record for record in records if record["role"] == "method"]
    at = {(r["method"], r["dataset"], r["ratio"]): r["share"] for r in own if r["share"]}
    columns = list(dict.fromkeys((r["dataset"], r["dataset_title"], r["ratio"]) for r in own if r["share"]))
    rows = [
        [
            doc.html_name(title, 60),
            *(_html_percent(at[key]) if (key := (name, dataset, ratio)) in at else doc.DASH for dataset, _, ratio in columns),
        ]
        for name, title in dict.fromkeys((r["method"], r["title"]) for r in own if r["share"])
    ]
    whys: dict[str, list[str]] = {}
    for record in own:
        if record["share_why"] and record["state"] == "done":
            whys.setdefault(record["share_why"], []).append(_describe_place(record))
    told = [f"{safe(why)} ({safe(', '.join(dict.fromkeys(places)), 400)})" for why, places in whys.items()]
    if not rows and not told:
        return ""
    table = doc.html_table(
        words.SHARE_TABLE,
        ["Method", *(f"{doc.html_name(title, 40)} {ratio:g}:1" for _, title, ratio in columns)],
        rows,
        dense=len(columns) > 6,
    )
    return (table if rows else "") + doc.html_list(told) + doc.html_how(words.SHARE_HOW)


def _html_percent(share: Mapping[str, Any]) -> str:
    mean, low, high = (f"{share[end]:.0%}".replace("-", "\N{MINUS SIGN}") for end in ("mean", "low", "high"))
    return f'<span class="now">{mean}</span><span class="range">[{low}, {high}]</span>'


def _write_cells(records: Sequence[Record], metric: str) -> str:
    head = [
        "Method",
        "Dataset",
        "Ratio",
        METRICS[metric][0],
        "Difference to plain",
        "p (Holm)",
        "Share",
        "n",
        "Seconds",
        "State",
        "Run",
    ]
    rows = []
    for record in records:
        difference, stands = record["difference"], _compare_to_plain(record)
        rows.append(
            [
                doc.html_name(record["title"], 60),
                doc.html_name(record["dataset_title"], 60),
                f"{record['ratio']:g}:1",
                doc.html_interval(record) if record["mean"] is not None else doc.DASH,
                doc.html_interval(difference, sign=True) if difference else doc.DASH,
                f"{SIGNS[stands]} {format_p(difference['p_holm'])}" if stands else doc.DASH,
                _html_percent(record["share"]) if record["share"] else doc.DASH,
                str(record["n"] or doc.DASH),
                doc.format_fixed(record["seconds"], 1),
                safe(record["state"]),
                safe(record["run"]),
            ]
        )
    kinds = list(dict.fromkeys(record["interval"] for record in records if record["interval"]))
    notes = list(dict.fromkeys(record["note"] for record in records if record["note"]))
    return (
        doc.html_table(words.CELLS_TABLE, head, rows, texts=(1, 9, 10), dense=True)
        + doc.html_list([safe(note) for note in notes])
        + doc.html_how(words.CELLS_HOW.format(kinds=safe(" / ".join(kinds) or "none yet")))
    )


def _write_absent(spec: SweepSpec, records: Sequence[Record], catalog: Mapping[str, Any]) -> str:
    titles = {entry["name"]: entry["title"] for kind in ("datasets", "methods") for entry in catalog[kind]}
    out = []
    for one in spec.impossible(catalog):
        where = f"at {one.ratio:g}:1" if one.ratio is not None else f"with {doc.html_name(titles[one.method])}"
        out.append(f"{doc.html_name(titles[one.dataset])} {where}: {safe(one.reason)}")
    failed = [
        f"{doc.html_name(r['title'])} on {doc.html_name(_describe_place(r))} failed: {safe(r['reason'])}"
        for r in records
        if r["state"] == "failed"
    ]
    missing = sum(r["state"] not in ("done", "failed") for r in records)
    return (
        (f"<h3>{words.IMPOSSIBLE}</h3>{doc.html_list(out)}" if out else "")
        + (f"<h3>{words.FAILED}</h3>{doc.html_list(failed)}" if failed else "")
        + (f"<p>{words.UNFINISHED.format(n=missing)}</p>" if missing else "")
    )


def _write_code(spec: SweepSpec, metric: str) -> str:
    typed = [
        *sweep_code.list_arguments(spec),
        *(["--metric", metric] if metric != DEFAULT_METRIC else []),
        "--report",
        "sweep.html",
    ]
    return f"<p>{words.SWEEP_CODE}</p><pre><code>{escape_block(shlex.join(typed))}</code></pre>"


def _write_glossary(metric: str) -> str:
    label, _, said = METRICS[metric]
    return doc.html_facts(
        [
            (safe(label), safe(said)),
            ("Replicate", words.REPLICATE),
            ("All rows", words.ALL_ROWS),
        ]
    )
