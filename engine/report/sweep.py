"""A sweep as one HTML file to keep, print or send (`engine.report.page`): what to use, when. No torch: the page makes it.

It holds names of public datasets and methods and numbers about all rows.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.report import page as doc
from engine.report import svg, sweep_code
from engine.report.formats import interval
from engine.report.leaderboard import number, p_value
from engine.report.svg import Line, Row
from engine.spec import result
from engine.spec.companions import BASELINE, ORACLE
from engine.spec.result import METRICS
from engine.sweep import SweepSpec
from engine.sweep import table as table_module
from engine.text import escape_block
from engine.text import html as safe

Record = Mapping[str, Any]

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


def html_sweep(
    spec: SweepSpec,
    records: Sequence[Record],
    catalog: Mapping[str, Any],
    metric: str = result.DEFAULT_METRIC,
    *,
    date: str = "",
) -> str:
    """The report, one HTML document. records: `engine.sweep.table.build_table` of that metric, finished or not. date: of the
    report, as it is written.

    Raises UnknownName where the catalog has not what the sweep names.
    """
    done = [record for record in records if record["mean"] is not None]
    sections = [
        ("asked", "What was asked", _asked(spec, records, catalog, metric)),
        ("ratio", "Score against ratio", _against_ratio(done, metric)),
        ("heat", "Differences to plain training", _heat(records, metric)),
        ("ranks", "Ranks", _ranks(spec, records, metric)),
        ("share", "Share of the potential recovered", _shares(records)),
        ("cells", "All cells", _cells(records, metric)),
        ("impossible", "What there is not", _absent(spec, records, catalog)),
        ("code", "The same from a terminal", _code(spec, metric)),
        ("words", "What the measures mean", _words(metric)),
    ]
    return doc.document(
        "What to use, when: methods against the imbalance ratio",
        _verdict(records, metric),
        sections,
        holds="names of datasets and methods and numbers about all rows",
        date=date,
        style=STYLE,
    )


# ---- words


def _label(metric: str) -> str:
    label = METRICS[metric][0]
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def _place(record: Record) -> str:
    """Dataset and ratio, not escaped."""
    return f"{record['dataset_title']} at {record['ratio']:g}:1"


def _stands(record: Record) -> str:
    """'better', 'worse', 'same', or '' where it was not tested."""
    difference = record["difference"]
    if difference is None or difference["p_holm"] is None:
        return ""
    return "better" if difference["better"] else "worse" if difference["worse"] else "same"


def _verdict(records: Sequence[Record], metric: str) -> str:
    """The answer in two sentences."""
    tested = [record for record in records if _stands(record)]
    if not tested:
        return "No difference between two cells could be tested yet."
    better = [record for record in tested if _stands(record) == "better"]
    worse = [record for record in tested if _stands(record) == "worse"]
    of = f"of {len(tested)} cells" if len(tested) > 1 else "of one cell"
    said = (
        f"In {len(better)} {of} a method is better than plain training in {_label(metric)}, in {len(worse)} worse; "
        "in the others the two cannot be told apart."
    )
    if better:
        top = max(better, key=lambda record: float(record["difference"]["mean"]))
        said += f" The largest gain is that of {top['title']} on {_place(top)}: {interval(top['difference'], sign=True)}."
    return said


# ---- sections


def _asked(spec: SweepSpec, records: Sequence[Record], catalog: Mapping[str, Any], metric: str) -> str:
    datasets = {entry["name"]: entry["title"] for entry in catalog["datasets"]}
    methods = {entry["name"]: entry["title"] for entry in catalog["methods"]}
    done = sum(record["state"] == "done" for record in records)
    folds = "one split" if spec.folds == 1 else f"{spec.folds} folds"
    return doc.facts(
        [
            ("Datasets", ", ".join(doc.name(datasets.get(name, name)) for name in spec.datasets)),
            ("Methods", ", ".join(doc.name(methods.get(name, name)) for name in spec.methods)),
            ("Beside them", "plain training, and the potential where rows are withheld"),
            ("Largest / smallest class", ", ".join(f"{ratio:g}:1" for ratio in spec.ratios)),
            (
                "Where the ratio is made",
                "everywhere, before the split" if spec.where == "all" else "in the training rows alone",
            ),
            (
                "Replicates",
                f"{folds} \N{MULTIPLICATION SIGN} {spec.seeds} seeds; one fold where the data have a test part of their own",
            ),
            ("Seed", str(spec.seed)),
            ("Measure", safe(METRICS[metric][0])),
            ("Cells", f"{done} of {len(records)} are done"),
            ("Numerics", safe(catalog.get("numerics", ""))),
        ]
    )


def _by_place(records: Sequence[Record]) -> dict[str, dict[str, list[Record]]]:
    """dataset -> method -> its records, in the order of the table."""
    out: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        out.setdefault(record["dataset"], {}).setdefault(record["method"], []).append(record)
    return out


def _against_ratio(done: Sequence[Record], metric: str) -> str:
    """One chart for each dataset and method: the method, plain training, the potential."""
    low, high = (float(bound) for bound in METRICS[metric][1])
    figures, left_out = [], 0
    wide = True  # rows of names and numbers need more room than lines do
    for methods in _by_place(done).values():
        every = [record for own in methods.values() for record in own]
        ratios = sorted({float(record["ratio"]) for record in every})
        ends = [number(record[end], math.nan) for record in every for end in ("mean", "low", "high")]
        known = [v for v in ends if math.isfinite(v)]
        room = 0.05 * (max(known) - min(known)) or 0.05
        y = (max(low, min(known) - room), min(high, max(known) + room))
        if len(ratios) == 1:
            figures.append(_at_one_ratio(every, metric))
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
                _line(methods.get(other, ()), place, style, mark)
                for other, style, mark in ((BASELINE, "b", "ring"), (ORACLE, "c", "up"), (name, "a", "dot"))
                if methods.get(other)
            ]
            first = own[0]
            said = "; ".join(f"{record['ratio']:g}:1 {interval(record)}" for record in own)
            chart = svg.lines(
                drawn,
                label=f"{METRICS[metric][0]} of {first['title'][:60]} on {first['dataset_title'][:60]} against the ratio: {said}",
                x_title="Largest / smallest class",
                y_title=METRICS[metric][0],
                x=x,
                y=y,
                x_ticks=[(place[ratio], f"{ratio:g}") for ratio in _spaced(ratios)],
            )
            figures.append(doc.figure(doc.name(first["title"], 60), f"on {doc.name(first['dataset_title'], 60)}", chart))
    if not figures:
        return ""
    legend = (
        f'<ul class="legend"><li>{svg.swatch("a", "dot")} the method</li><li>{svg.swatch("b", "ring")} plain training</li>'
        f"<li>{svg.swatch('c', 'up')} the potential, an oracle</li></ul>"
    )
    return (
        legend
        + f'<div class="{"two" if wide else "few"}">{"".join(figures)}</div>'
        + doc.and_more(SHOWN_FIGURES + left_out, SHOWN_FIGURES, "charts, whose numbers are under All cells")
        + doc.how(
            "Means over replicates with their intervals. The potential is training with the withheld rows given back: where it meets plain "
            "training there is nothing to recover, and where a method meets plain training it has stopped helping. All charts of a dataset "
            "have the same height. Intervals of one score overlap far more than differences do: see those below."
        )
    )


def _spaced(ratios: Sequence[float]) -> list[float]:
    """Ratios far enough from each other to be written side by side."""
    out: list[float] = []
    apart = 0.13 * (math.log(ratios[-1]) - math.log(ratios[0]))
    for ratio in ratios:
        if not out or math.log(ratio) - math.log(out[-1]) >= apart:
            out.append(ratio)
    return out


def _line(own: Sequence[Record], place: Mapping[float, float], style: str, mark: str) -> Line:
    order = sorted(own, key=lambda record: float(record["ratio"]))
    x = np.array([place[record["ratio"]] for record in order])
    y, low, high = (np.array([number(record[end], math.nan) for record in order]) for end in ("mean", "low", "high"))
    return Line(x, y, style, mark, low=low, high=high)


def _at_one_ratio(every: Sequence[Record], metric: str) -> str:
    marks = {"baseline": ("b", "ring"), "oracle": ("c", "up"), "method": ("a", "dot")}
    rows = []
    for record in every:
        style, mark = marks[record["role"]]
        ends = [number(record[end], math.nan) for end in ("mean", "low", "high")]
        rows.append(Row(record["title"], ends[0], interval(record), ends[1], ends[2], style, mark))
    said = f"{METRICS[metric][0]} on {_place(every[0])[:100]}: " + "; ".join(f"{row.name[:40]} {row.said}" for row in rows)
    chart = svg.intervals(rows, label=said, x_title=METRICS[metric][0], lowest=float(METRICS[metric][1][0]))
    return doc.figure(doc.name(every[0]["dataset_title"], 60), f"at {every[0]['ratio']:g}:1", chart)


def _heat(records: Sequence[Record], metric: str) -> str:
    """Methods by datasets and ratios: sign, difference, tint."""
    columns = list(dict.fromkeys((record["dataset"], record["dataset_title"], record["ratio"]) for record in records))
    methods = dict.fromkeys((record["method"], record["title"]) for record in records if record["role"] == "method")
    at = {(record["method"], record["dataset"], record["ratio"]): record for record in records}
    if not any(record["difference"] for record in records if record["role"] == "method"):
        return ""
    top = "".join(f'<th scope="col">{doc.name(title, 40)} {ratio:g}:1</th>' for _, title, ratio in columns)
    body = []
    for name, title in methods:
        cells = "".join(_square(at.get((name, dataset, ratio))) for dataset, _, ratio in columns)
        body.append(f'<tr><th scope="row">{doc.name(title, 60)}</th>{cells}</tr>')
    tested = sum(bool(_stands(record)) for record in records)
    return doc.scroll(
        f"Difference in {_label(metric)} to plain training on the same dataset and ratio",
        f'<thead><tr><th scope="col">Method</th>{top}</tr></thead><tbody>{"".join(body)}</tbody>',
        dense=len(columns) > 6,
    ) + doc.how(
        "Paired differences on common replicates, by the corrected resampled t (Nadeau and Bengio); p is corrected by Holm over all "
        f"{tested} of them. {SIGNS['better']} better than plain training, {SIGNS['worse']} worse, {SIGNS['same']} not told apart. The tint "
        "is the size of the difference, whether or not it can be told from none. A dash: there is none."
    )


def _square(record: Record | None) -> str:
    difference = None if record is None else record["difference"]
    mean = number((difference or {}).get("mean"))
    if math.isnan(mean):
        return f"<td>{doc.DASH}</td>"
    assert record is not None
    stands = _stands(record)
    strength = sum(abs(mean) >= least for least in TINTS)
    tint = f' class="{"over" if mean > 0 else "under"}{strength - 1}"' if strength else ""
    sign = f"{SIGNS[stands]} " if stands else ""
    return f'<td{tint}><span class="now">{sign}{doc.signed(mean)}</span></td>'


def _ranks(spec: SweepSpec, records: Sequence[Record], metric: str) -> str:
    found = table_module.compare_over_cells(records, metric)
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
    said = "Mean ranks with half the critical difference to each side: " + "; ".join(
        f"{row.name[:40]} {row.said}" for row in rows
    )
    chart = svg.intervals(rows, label=said, x_title="Mean rank, 1 is the best", lowest=0.0)
    friedman = found["friedman"]
    one = (
        "All cells are of one dataset, so this is about that dataset alone: its ratios share rows, and p may be too small."
        if len(spec.datasets) == 1
        else "Ratios of one dataset share its rows, so the cells are not independent, and p may be too small."
    )
    return doc.figure(
        f"Mean rank over {found['sets']} cells",
        f"Critical difference {found['critical_difference']:.2f} (Nemenyi, 5%); Friedman's p {p_value(friedman['p'])}.",
        chart,
    ) + doc.how(
        "In each cell that all methods have, they are ranked by their means; the potential is never ranked. Two methods whose bars do not "
        f"overlap differ by more than the critical difference. {one}"
    )


def _shares(records: Sequence[Record]) -> str:
    own = [record for record in records if record["role"] == "method"]
    at = {(r["method"], r["dataset"], r["ratio"]): r["share"] for r in own if r["share"]}
    columns = list(dict.fromkeys((r["dataset"], r["dataset_title"], r["ratio"]) for r in own if r["share"]))
    rows = [
        [
            doc.name(title, 60),
            *(_percent(at[key]) if (key := (name, dataset, ratio)) in at else doc.DASH for dataset, _, ratio in columns),
        ]
        for name, title in dict.fromkeys((r["method"], r["title"]) for r in own if r["share"])
    ]
    whys: dict[str, list[str]] = {}
    for record in own:
        if record["share_why"] and record["state"] == "done":
            whys.setdefault(record["share_why"], []).append(_place(record))
    told = [f"{safe(why)} ({safe(', '.join(dict.fromkeys(places)), 400)})" for why, places in whys.items()]
    if not rows and not told:
        return ""
    table = doc.table(
        "Share of what the withheld rows are worth that a method recovers without them",
        ["Method", *(f"{doc.name(title, 40)} {ratio:g}:1" for _, title, ratio in columns)],
        rows,
        dense=len(columns) > 6,
    )
    return (
        (table if rows else "")
        + doc.items(told)
        + doc.how(
            "(Method minus plain training) / (potential minus plain training), in the mean over replicates, with Fieller's 95% interval "
            "by the variance of the corrected resampled t. It is given only where the potential is above plain training by its own "
            "interval. It can be below 0 or above 100%."
        )
    )


def _percent(share: Mapping[str, Any]) -> str:
    mean, low, high = (f"{share[end]:.0%}".replace("-", "\N{MINUS SIGN}") for end in ("mean", "low", "high"))
    return f'<span class="now">{mean}</span><span class="range">[{low}, {high}]</span>'


def _cells(records: Sequence[Record], metric: str) -> str:
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
        difference, stands = record["difference"], _stands(record)
        rows.append(
            [
                doc.name(record["title"], 60),
                doc.name(record["dataset_title"], 60),
                f"{record['ratio']:g}:1",
                doc.spread(record) if record["mean"] is not None else doc.DASH,
                doc.spread(difference, sign=True) if difference else doc.DASH,
                f"{SIGNS[stands]} {p_value(difference['p_holm'])}" if stands else doc.DASH,
                _percent(record["share"]) if record["share"] else doc.DASH,
                str(record["n"] or doc.DASH),
                doc.fixed(record["seconds"], 1),
                safe(record["state"]),
                safe(record["run"]),
            ]
        )
    kinds = list(dict.fromkeys(record["interval"] for record in records if record["interval"]))
    notes = list(dict.fromkeys(record["note"] for record in records if record["note"]))
    return (
        doc.table("Every cell: mean and interval over n replicates", head, rows, texts=(1, 9, 10), dense=True)
        + doc.items([safe(note) for note in notes])
        + doc.how(
            f"Intervals of scores: {safe(' / '.join(kinds) or 'none yet')}. Seconds are those of training, on whatever machine it was."
        )
    )


def _absent(spec: SweepSpec, records: Sequence[Record], catalog: Mapping[str, Any]) -> str:
    titles = {entry["name"]: entry["title"] for kind in ("datasets", "methods") for entry in catalog[kind]}
    out = []
    for one in spec.impossible(catalog):
        where = f"at {one.ratio:g}:1" if one.ratio is not None else f"with {doc.name(titles[one.method])}"
        out.append(f"{doc.name(titles[one.dataset])} {where}: {safe(one.reason)}")
    failed = [
        f"{doc.name(r['title'])} on {doc.name(_place(r))} failed: {safe(r['reason'])}"
        for r in records
        if r["state"] == "failed"
    ]
    missing = sum(r["state"] not in ("done", "failed") for r in records)
    return (
        (f"<h3>Cells that cannot be</h3>{doc.items(out)}" if out else "")
        + (f"<h3>Cells that failed</h3>{doc.items(failed)}" if failed else "")
        + (f"<p>{missing} more had no result when this was written.</p>" if missing else "")
    )


def _code(spec: SweepSpec, metric: str) -> str:
    words = [
        *sweep_code.command(spec),
        *(["--metric", metric] if metric != result.DEFAULT_METRIC else []),
        "--report",
        "sweep.html",
    ]
    return (
        "<p>Runs what is missing, cheapest first, and writes this report; what the store has is not computed again. With "
        f"<code>--json</code> it prints every number.</p><pre><code>{escape_block(shlex.join(words))}</code></pre>"
    )


def _words(metric: str) -> str:
    label, _, said = METRICS[metric]
    return doc.facts(
        [
            (safe(label), safe(said)),
            ("Replicate", "One fold of one seed; every replicate of all methods has the same test rows."),
            ("Potential", "Training with the withheld rows given back: a ceiling, and no method."),
        ]
    )
