"""Reads a comparison: metric, order, standing of its methods; and writes it as CSV, Markdown and LaTeX. No torch: the page uses this."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.report import formats
from engine.report.formats import format_interval
from engine.spec.companions import BASELINE
from engine.spec.contest import NETWORK, NONE, read_model, read_remedy
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.text import csv_table, markdown

SHOWN = (DEFAULT_METRIC, "balanced_accuracy", "g_mean", "f1", "mcc", "roc_auc")
"""Metrics of the short tables; the CSV has all of METRICS."""


def deciding_metric(comparison: Mapping[str, Any]) -> str:
    """The metric that a comparison is decided by."""
    metric = comparison.get("metric")
    return str(metric) if metric in METRICS else DEFAULT_METRIC


def sort_rows(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a comparison, best first; those without a value last.

    Ranked rows, which have the same replicates, come first in their order. Rows that are measured on different replicates, which are not
    equally hard, are sorted by the paired difference to plain training, and by the mean itself only where there is no pair.
    """
    rows, metric, plain = (
        [dict(m) for m in comparison.get("methods") or ()],
        deciding_metric(comparison),
        find_baseline(comparison),
    )
    place = {name: n for n, name in enumerate(comparison.get("ranked") or ())}
    levels = {m.get("name"): to_number(metric_interval(m, metric)["mean"], 0.0) for m in rows}
    level = levels.get(plain, 0.0)

    def height(row: Mapping[str, Any]) -> float:
        mean = to_number(metric_interval(row, metric)["mean"], -math.inf)
        against = row.get("difference") or {}
        base = levels.get(find_plain(row), level) - level
        paired = against.get("metric") == metric and math.isfinite(mean - level)
        return -(to_number(against.get("mean"), mean - level - base) + base) if paired else level - mean

    return sorted(rows, key=lambda row: (place.get(row.get("name"), len(place)), height(row)))


def find_plain(row: Mapping[str, Any]) -> str:
    """The name of the plain row of a row's model."""
    model = read_model(row)
    return BASELINE if model == NETWORK else model


def group_rows(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows by model: the model of the best row first, its plain row before its remedies, those in the order of `sort_rows`."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in sort_rows(comparison):
        groups.setdefault(read_model(row), []).append(row)
    return [row for own in groups.values() for row in sorted(own, key=lambda row: read_remedy(row) != NONE)]


def metric_interval(row: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """{mean, low, high} of a metric, None where there is none."""
    found = (row.get("metrics") or {}).get(metric) or {}
    return {k: found.get(k) for k in ("mean", "low", "high")}


def to_number(x: Any, otherwise: float = math.nan) -> float:
    """A float; `otherwise` for None, NaN and what is no number."""
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        return otherwise
    return float(x) if math.isfinite(x) else otherwise


def count_replicates(row: Mapping[str, Any]) -> int:
    """How many replicates a row's means are over."""
    n = row.get("replicates")
    return n if isinstance(n, int) else len(n) if isinstance(n, Sequence) and not isinstance(n, str) else 0


def find_baseline(comparison: Mapping[str, Any]) -> str:
    """The method that differences are against: plain training."""
    names = [m.get("name") for m in comparison.get("methods") or ()]
    if BASELINE in names:
        return BASELINE
    without = [m.get("name") for m in comparison.get("methods") or () if not m.get("difference")]
    return str(without[0] if without else names[0]) if names else ""


def compare_to_plain(row: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """better, worse or no difference found to the same model plain, after Holm's correction; 'reference' for a plain row that others are
    compared with, '' for a row that stands alone.
    """
    name = row.get("name")
    if name == find_baseline(comparison):
        return "reference"
    if any(other.get("name") != name and find_plain(other) == name for other in comparison.get("methods") or ()):
        return "reference"
    difference = row.get("difference") or {}
    if difference.get("better"):
        return "better"
    if difference.get("worse"):
        return "worse"
    return "no difference found" if difference else ""


def format_p(p: Any) -> str:
    """'0.031', '< 0.001', or a dash."""
    found = to_number(p)
    return "\N{EN DASH}" if math.isnan(found) else "< 0.001" if found < 0.001 else f"{found:.3f}"


def write_leaderboard_csv(comparison: Mapping[str, Any]) -> str:
    """Every metric with its interval, one row per method, best first; cells that begin like a formula are escaped."""
    head = ["place", "method", "name", "model", "remedy", "train_rows", "replicates"]
    for metric in METRICS:
        head += [metric, f"{metric}_low", f"{metric}_high"]
    head += [
        "difference",
        "difference_low",
        "difference_high",
        "p",
        "p_holm",
        "against_plain",
        "difference_to_leader",
        "difference_to_leader_low",
        "difference_to_leader_high",
        "seconds",
        "dropped_after_round",
        "failed",
    ]
    rows: list[list[Any]] = [head]
    for place, row in enumerate(sort_rows(comparison), 1):
        used = row.get("train_rows", row.get("rows"))
        cells: list[Any] = [
            place,
            row.get("title"),
            row.get("name"),
            read_model(row),
            read_remedy(row),
            used,
            count_replicates(row),
        ]
        for metric in METRICS:
            cells += metric_interval(row, metric).values()
        difference = row.get("difference") or {}
        cells += [difference.get(k) for k in ("mean", "low", "high", "p", "p_holm")]
        behind = row.get("difference_to_leader") or {}
        cells += [compare_to_plain(row, comparison), *(behind.get(k) for k in ("mean", "low", "high"))]
        rows.append([*cells, row.get("seconds"), row.get("stopped"), row.get("failed")])
    return csv_table(rows)


def _list_metrics(comparison: Mapping[str, Any]) -> list[str]:
    """The deciding one and those of SHOWN that some method has."""
    rows = comparison.get("methods") or ()
    return [
        m
        for m in dict.fromkeys((deciding_metric(comparison), *SHOWN))
        if any(not math.isnan(to_number(metric_interval(row, m)["mean"])) for row in rows)
    ]


def _build_cells(comparison: Mapping[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
    """(columns, records) of the short tables, not yet escaped."""
    metrics = _list_metrics(comparison)
    head = ["Method", *(METRICS[m][0] for m in metrics), "Difference to plain", "p (Holm)", "n", "Seconds"]
    rows = []
    for row in group_rows(comparison):
        difference = row.get("difference") or {}
        own = compare_to_plain(row, comparison) == "reference"
        cells = [
            str(row.get("title") or row.get("name")),
            *(format_interval(metric_interval(row, m)) for m in metrics),
            "reference" if own else format_interval(difference, sign=True) if difference else "",
            "" if own or not difference else format_p(difference.get("p_holm")),
            str(count_replicates(row)),
            "\N{EN DASH}" if math.isnan(s := to_number(row.get("seconds"))) else f"{s:.1f}",
        ]
        rows.append(dict(zip(head, cells, strict=True)))
    return head, rows


def _describe_means(comparison: Mapping[str, Any]) -> str:
    counts = [count_replicates(row) for row in comparison.get("methods") or ()]
    most = f" (up to {max(counts)})" if counts else ""
    return (
        f"Values are means over n replicates{most} with a 95% interval. Differences in {METRICS[deciding_metric(comparison)][0]} are "
        "paired with the same model without a remedy, on common replicates. p is corrected by Holm over all of them."
    )


def write_leaderboard_markdown(comparison: Mapping[str, Any]) -> str:
    """A Markdown table, best first: means with intervals, differences to plain training, n."""
    head, rows = _build_cells(comparison)
    verdict = markdown(comparison.get("verdict") or "")
    return "\n".join(
        [*([verdict, ""] if verdict else []), formats.write_markdown(rows, _describe_means(comparison), head=head)]
    )


def write_leaderboard_latex(comparison: Mapping[str, Any]) -> str:
    """A LaTeX tabular that needs no package, best first: means with intervals, differences to plain training, n."""
    head, rows = _build_cells(comparison)
    return formats.write_latex(rows, _describe_means(comparison), head=head)


def list_titles(comparison: Mapping[str, Any]) -> dict[str, str]:
    """name -> title, in the order of the board."""
    return {str(m.get("name")): str(m.get("title") or m.get("name")) for m in sort_rows(comparison)}


def list_featured(comparison: Mapping[str, Any]) -> list[str]:
    """The methods looked at more closely: plain training, and the best one, or else the highest of the others on the board."""
    names, plain = list(list_titles(comparison)), find_baseline(comparison)
    others = [name for name in names if name != plain]
    best = comparison.get("best") or next(iter(comparison.get("ranked") or ()), None)
    return [name for name in (plain, best if best in others else others[0] if others else None) if name in names]


def positive_class(comparison: Mapping[str, Any]) -> str:
    return str(comparison.get("data", {}).get("positive") or "")


def metric_label(comparison: Mapping[str, Any]) -> str:
    """The deciding metric's label, small in a sentence unless it is a name."""
    label = METRICS[deciding_metric(comparison)][0]
    return label[0].lower() + label[1:] if label[1:2].islower() else label
