"""A comparison as tables to take along (CSV, Markdown, LaTeX), and each of its rows as Python. No torch: the page uses this file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from engine.result import METRICS
from engine.text import csv_table, latex, line, markdown

CATALOG = Path(__file__).with_name("catalog.json")
FIRST = "average_precision"
"""What a board is ordered by."""
SHOWN = (FIRST, "balanced_accuracy", "g_mean", "f1", "mcc", "roc_auc")
"""Metrics of the short tables; the CSV has all of METRICS."""
PLAIN = "ce"
FOLDS = 5


def ordered(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The methods of a comparison, highest average precision first; those without one last, as they come."""
    rows = [dict(m) for m in comparison.get("methods") or ()]
    return sorted(rows, key=lambda m: -number(value(m, FIRST)["mean"], -math.inf))


def value(row: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """{mean, low, high} of a metric, None where there is none."""
    found = (row.get("metrics") or {}).get(metric) or {}
    return {k: found.get(k) for k in ("mean", "low", "high")}


def number(x: Any, otherwise: float = math.nan) -> float:
    """A float; `otherwise` for None, NaN and what is no number."""
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        return otherwise
    return float(x) if math.isfinite(x) else otherwise


def replicates(row: Mapping[str, Any]) -> int:
    """How many replicates a row's means are over."""
    n = row.get("replicates")
    return n if isinstance(n, int) else len(n) if isinstance(n, Sequence) and not isinstance(n, str) else 0


def baseline(comparison: Mapping[str, Any]) -> str:
    """The method that differences are against: plain training."""
    names = [m.get("name") for m in comparison.get("methods") or ()]
    if PLAIN in names:
        return PLAIN
    without = [m.get("name") for m in comparison.get("methods") or () if not m.get("difference")]
    return str(without[0] if without else names[0]) if names else ""


def standing(row: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """better, worse or not told apart from plain training, after Holm's correction; 'reference' for plain training itself."""
    if row.get("name") == baseline(comparison):
        return "reference"
    difference = row.get("difference") or {}
    if difference.get("better"):
        return "better"
    if difference.get("worse"):
        return "worse"
    return "not told apart" if difference else ""


def interval(found: Mapping[str, Any], digits: int = 3, *, sign: bool = False) -> str:
    """'0.412 [0.371, 0.453]'; a dash where there is no number, no bracket where there is no interval."""
    mean, low, high = (number(found.get(k)) for k in ("mean", "low", "high"))
    if math.isnan(mean):
        return "\N{EN DASH}"
    plus = "+" if sign else ""
    bracket = "" if math.isnan(low) or math.isnan(high) else f" [{low:{plus}.{digits}f}, {high:{plus}.{digits}f}]"
    return f"{mean:{plus}.{digits}f}{bracket}".replace("-", "\N{MINUS SIGN}")


def p_value(p: Any) -> str:
    """'0.031', '< 0.001', or a dash."""
    found = number(p)
    return "\N{EN DASH}" if math.isnan(found) else "< 0.001" if found < 0.001 else f"{found:.3f}"


def leaderboard_csv(comparison: Mapping[str, Any]) -> str:
    """Every metric with its interval, one row per method, best first; cells that begin like a formula are escaped."""
    head = ["place", "method", "name", "replicates"]
    for metric in METRICS:
        head += [metric, f"{metric}_low", f"{metric}_high"]
    head += ["difference", "difference_low", "difference_high", "p", "p_holm", "against_plain", "seconds", "dropped_in_round"]
    rows: list[list[Any]] = [head]
    for place, row in enumerate(ordered(comparison), 1):
        cells: list[Any] = [place, row.get("title"), row.get("name"), replicates(row)]
        for metric in METRICS:
            cells += value(row, metric).values()
        difference = row.get("difference") or {}
        cells += [difference.get(k) for k in ("mean", "low", "high", "p", "p_holm")]
        rows.append([*cells, standing(row, comparison), row.get("seconds"), row.get("stopped")])
    return csv_table(rows)


def _metrics(comparison: Mapping[str, Any]) -> list[str]:
    """Those of SHOWN that some method has."""
    rows = comparison.get("methods") or ()
    return [m for m in SHOWN if any(not math.isnan(number(value(row, m)["mean"])) for row in rows)]


def _cells(comparison: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(head, rows) of the short tables, not yet escaped."""
    metrics = _metrics(comparison)
    head = ["Method", *(METRICS[m][0] for m in metrics), "Difference to plain", "p (Holm)", "n", "Seconds"]
    rows = []
    for row in ordered(comparison):
        difference = row.get("difference") or {}
        own = standing(row, comparison) == "reference"
        rows.append(
            [
                str(row.get("title") or row.get("name")),
                *(interval(value(row, m)) for m in metrics),
                "reference" if own else interval(difference, sign=True),
                "" if own else p_value(difference.get("p_holm")),
                str(replicates(row)),
                "\N{EN DASH}" if math.isnan(s := number(row.get("seconds"))) else f"{s:.1f}",
            ]
        )
    return head, rows


def _note(comparison: Mapping[str, Any]) -> str:
    counts = [replicates(row) for row in comparison.get("methods") or ()]
    most = f" (up to {max(counts)})" if counts else ""
    return (
        f"Mean over n replicates{most} with its 95% interval; differences in average precision are paired with plain training on common "
        "replicates, p corrected by Holm over all methods."
    )


def leaderboard_markdown(comparison: Mapping[str, Any]) -> str:
    """A Markdown table, best first: means with intervals, differences to plain training, n."""
    head, rows = _cells(comparison)
    lines = ["| " + " | ".join(markdown(cell, 120) for cell in cells) + " |" for cells in (head, *rows)]
    lines.insert(1, "|" + "|".join([" --- ", *([" ---: "] * (len(head) - 1))]) + "|")
    verdict = markdown(comparison.get("verdict") or "")
    return "\n".join([*([verdict, ""] if verdict else []), *lines, "", markdown(_note(comparison)), ""])


def leaderboard_latex(comparison: Mapping[str, Any]) -> str:
    """A LaTeX tabular that needs no package, best first: means with intervals, differences to plain training, n."""
    head, rows = _cells(comparison)

    def cells(row: Sequence[str]) -> str:
        shown = [latex(cell, 120).replace("\N{MINUS SIGN}", "$-$").replace("\N{EN DASH}", "--") for cell in row]
        return " & ".join(shown) + r" \\"

    body = "\n".join(map(cells, rows))
    return (
        f"% {line(_note(comparison))}\n\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}\n\\hline\n{cells(head)}\n\\hline\n{body}\n"
        "\\hline\n\\end{tabular}\n"
    )


# ---- a row as Python


@cache
def _classifiers() -> dict[str, str]:
    """Method -> name of its class in engine.estimators."""
    methods = json.loads(CATALOG.read_text(encoding="utf-8"))["methods"]
    return {m["name"]: m["classifier"] for m in methods if m["classifier"]}


def code(comparison: Mapping[str, Any], name: str, file: str = "table.csv") -> str:
    """Python that trains and measures a row of the comparison again, through `engine.estimators` and scikit-learn.

    The method, its parameters, the columns, the measure and the number of replicates are the row's. The splits are scikit-learn's, so its
    mean lies in the row's interval most times, and is not the same digit for digit. file: the table's name in the code.
    Raises KeyError for a method that is not in the comparison.
    """
    row = next((m for m in comparison.get("methods") or () if m.get("name") == name), None)
    if row is None:
        raise KeyError(name)
    spec, data = comparison.get("spec") or {}, comparison.get("data") or {}
    cls = _classifiers().get(name, "HistGradientBoostingClassifier")
    trees = cls == "HistGradientBoostingClassifier"
    seed = int(spec.get("seed") or 0)
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in (row.get("params") or {}).items()}
    params |= {"random_state": seed} if trees else {"patience": params.get("patience", 0), "random_state": seed}
    arguments = "".join(f"    {k}={v!r},\n" for k, v in params.items() if k.isidentifier())
    two = len(data.get("classes") or ()) <= 2
    source = spec.get("source") or {}
    reading = _reading(spec.get("reading") or {}) if "dataset" not in source else ""
    home = "sklearn.ensemble" if trees else "engine.estimators"
    n = max(1, replicates(row))
    lines = [
        "import numpy as np",
        *([] if "dataset" in source else ["import pandas as pd"]),
        *([] if "dataset" in source else ["from sklearn.compose import make_column_selector, make_column_transformer"]),
        *([] if "dataset" in source else ["from sklearn.impute import SimpleImputer"]),
        *([] if two else ["from sklearn.metrics import average_precision_score, make_scorer"]),
        "from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score",
        *(
            []
            if "dataset" in source
            else ["from sklearn.pipeline import make_pipeline", "from sklearn.preprocessing import OneHotEncoder"]
        ),
        "",
        *(["from engine.data.catalog import load", "from engine.data.prepare import encode"] if "dataset" in source else []),
        f"from {home} import {cls}",
        "",
    ]
    if "dataset" in source:
        # an online set's options, where it has some, are in the spec
        lines += [f"data = load({source['dataset']!r})", "X, y = encode(data)[0], data.y"]
        if two:
            lines.append("y = y == 1")
    else:
        lines += [
            f"target = {spec.get('target')!r}",
            f"table = pd.read_csv({file!r}, dtype={{target: str}}{reading}).dropna(subset=[target])",
            f"X = table.drop(columns={['__TARGET__', *_dropped(data)]!r}, errors='ignore')".replace("'__TARGET__'", "target"),
            "y = table[target].to_numpy(str)",
        ]
        if two and data.get("positive") is not None:
            lines.append(f"y = y == {str(data['positive'])!r}")
    ratio = number(spec.get("ratio"))
    if two and not math.isnan(ratio):
        lines += [
            "",
            f"# {ratio:g} rows of the larger class for each of the smaller one",
            f"rng = np.random.default_rng({seed})",
            "common, rare = (rng.permutation(np.flatnonzero(y == side)) for side in (False, True))",
            f"few = min(len(rare), round(len(common) / {ratio!r}))",
            f"kept = np.sort(np.concatenate([common[: round(few * {ratio!r})], rare[:few]]))",
            "X, y = " + ("X[kept], y[kept]" if "dataset" in source else "X.iloc[kept], y[kept]"),
        ]
    lines += ["", f"model = {cls}(\n{arguments})"]
    if "dataset" not in source:
        lines += [
            "columns = make_column_transformer(",
            "    (SimpleImputer(add_indicator=True), make_column_selector(dtype_include='number')),",
            "    (",
            "        OneHotEncoder(handle_unknown='ignore', sparse_output=False),",
            "        make_column_selector(dtype_exclude='number'),",
            "    ),",
            ")",
            "model = make_pipeline(columns, model)",
        ]
    repeats = -(-n // FOLDS)
    scoring = "'average_precision'"
    if not two:
        lines.append("macro = make_scorer(average_precision_score, response_method='predict_proba', average='macro')")
        scoring = "macro"
    expected = value(row, FIRST)
    lines += [
        f"folds = RepeatedStratifiedKFold(n_splits={FOLDS}, n_repeats={repeats}, random_state={seed})",
        f"scores = cross_val_score(model, X, y, cv=folds, scoring={scoring}, error_score='raise')[:{n}]",
        f"# the comparison: {interval(expected)}, n = {n}; on these other splits it will be near, not equal",
        "print(f'average precision {np.mean(scores):.3f}, n = {len(scores)}')",
        "",
    ]
    return "\n".join(lines)


def _reading(options: Mapping[str, Any]) -> str:
    """The options of pandas that say the same."""
    names = {"encoding": "encoding", "delimiter": "sep", "decimal": "decimal", "thousands": "thousands", "missing": "na_values"}
    given = [f"{theirs}={options[ours]!r}" for ours, theirs in names.items() if options.get(ours)]
    given += ["header=None"] if options.get("header") is False else []
    return "".join(f", {one}" for one in given)


def _dropped(data: Mapping[str, Any]) -> list[str]:
    """Columns that were left out of the comparison, by name."""
    out = []
    for one in data.get("dropped") or ():
        found = one.get("name", one.get("column")) if isinstance(one, Mapping) else one
        if isinstance(found, str):
            out.append(found)
    return out
