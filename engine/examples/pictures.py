"""The pictures of the gallery's cards, drawn from their bundles as SVG."""

from __future__ import annotations

import math

import numpy as np

from engine.analysis.threshold_tables import compute_reliability
from engine.examples.bundle import Bundle
from engine.examples.facts import SWEEP, average_gap, read_history, read_records, read_scores
from engine.report import svg

SIZE = (421, 190)
"""Of a picture of a card."""


def draw_gap_by_ratio(bundle: Bundle) -> str:
    """The mean gap of plain training at three ratios."""
    rows = []
    for number, name in ((2, "5:1"), (4, "20:1"), (0, "100:1")):
        interval = average_gap(bundle.result(number), "before", name).found
        rows.append(svg.Row(name, interval.mean, f"{interval.mean:.2f}", interval.low, interval.high))
    return svg.draw_intervals(
        rows, label="Mean generalization gap of plain training at three ratios", x_title="Generalization gap", lowest=0.0
    )


def draw_gap_by_class(bundle: Bundle) -> str:
    """The gap of each class with EOS and with SMOTE."""
    eos, smote = bundle.result(0), bundle.result(4)
    gaps = [np.nanmean(np.array(r.gap["after"], float), axis=0) for r in (eos, smote)]
    classes = np.arange(len(gaps[0]), dtype=float)
    top = float(np.nanmax(gaps)) * 1.1
    return svg.draw_lines(
        [svg.Line(classes, gaps[0], "a", "dot", name="EOS"), svg.Line(classes, gaps[1], "b", "ring", name="SMOTE")],
        label="Gap of each class after over-sampling: EOS as a solid line with dots, SMOTE as a dashed one with rings",
        x_title="class, the rarest at the right",
        y_title="gap",
        x=(0.0, len(classes) - 1.0),
        y=(0.0, top),
        size=SIZE,
    )


def draw_spread(bundle: Bundle) -> str:
    """Spread of the features within a class, by round of DOS."""
    result = bundle.result(0)
    lines, top = [], 0.0
    for name, style, mark, said in (
        ("variance_minority", "a", "dot", "rare classes"),
        ("variance_majority", "b", "ring", "others"),
    ):
        mean = np.nanmean(read_history(result, name), axis=0)
        lines.append(svg.Line(np.arange(len(mean), dtype=float), mean, style, mark, name=said))
        top = max(top, float(np.nanmax(mean)))
    return svg.draw_lines(
        lines,
        label="Spread of the features within a class, by round: minority as a solid line with dots, majority as a dashed one with rings",
        x_title="round",
        y_title="spread",
        x=(0.0, max(1.0, len(lines[0].x) - 1.0)),
        y=(0.0, 1.1 * top),
        size=SIZE,
    )


def draw_reliability(bundle: Bundle) -> str:
    """Observed share against predicted probability."""
    scores = read_scores(bundle)
    lines = []
    for name, style, mark, said in (("smote", "a", "dot", "SMOTE"), ("ce", "b", "ring", "plain")):
        bins = compute_reliability(scores.score[name], scores.truth[: len(scores.score[name])])
        lines.append(svg.Line(bins["mean"], bins["observed"], style, mark, name=said))
    return svg.draw_lines(
        lines,
        label="Observed share against promised probability: SMOTE as a solid line with dots, plain training dashed with rings; dotted: as "
        "it should be",
        x_title="promised",
        y_title="observed",
        diagonal=True,
        size=SIZE,
    )


def draw_ratios(bundle: Bundle) -> str:
    """Average precision against the ratio, one line per method."""
    records = read_records(bundle)
    lines = []
    for method, style, mark, said in (
        ("ce", "b", "ring", "plain"), ("smote", "d", "up", "SMOTE"), ("explicit-gradient", "a", "dot", "explicit gradient"),
        ("potential", "c", "square", "all rows"),
    ):  # fmt: skip
        own = [r for r in records if r["method"] == method and r["mean"] is not None]
        lines.append(
            svg.Line(np.log2([r["ratio"] for r in own]), np.array([r["mean"] for r in own], float), style, mark, name=said)
        )
    lowest = min(float(line.y.min()) for line in lines)
    return svg.draw_lines(
        lines,
        label="Average precision against the ratio: plain training dashed with rings, SMOTE dotted with triangles, explicit gradient solid "
        "with dots, the potential dash and dot with squares",
        x_title="largest to smallest class",
        y_title="AP",
        x=(math.log2(5), math.log2(50)),
        x_ticks=[(math.log2(ratio), f"{ratio:g}:1") for ratio in SWEEP.ratios],
        y=(max(0.0, lowest - 0.05), 1.0),
        size=SIZE,
    )
