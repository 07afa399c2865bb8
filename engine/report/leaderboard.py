"""A comparison as tables to take along (CSV, Markdown, LaTeX), and each of its rows as Python. No torch: the page uses this file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from engine.report import formats
from engine.report.formats import interval
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.text import csv_table, markdown, one_line

CATALOG = Path(__file__).resolve().parents[1] / "catalog.json"
SHOWN = (DEFAULT_METRIC, "balanced_accuracy", "g_mean", "f1", "mcc", "roc_auc")
"""Metrics of the short tables; the CSV has all of METRICS."""
PLAIN = "ce"
FOLDS = 5
"""Where a comparison does not say how many."""


def deciding(comparison: Mapping[str, Any]) -> str:
    """The metric that a comparison is decided by."""
    metric = comparison.get("metric")
    return str(metric) if metric in METRICS else DEFAULT_METRIC


def ordered(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The methods of a comparison, the furthest above plain training in the deciding metric first; those without a value last.

    Methods stand on different replicates, which are not equally hard: what counts is the paired difference to plain training, and the
    mean itself only where there is no pair.
    """
    rows, metric, plain = [dict(m) for m in comparison.get("methods") or ()], deciding(comparison), baseline(comparison)
    level = next((number(value(m, metric)["mean"], 0.0) for m in rows if m.get("name") == plain), 0.0)

    def height(row: Mapping[str, Any]) -> float:
        gain = number(value(row, metric)["mean"], -math.inf) - level
        against = row.get("difference") or {}
        return -number(against.get("mean"), gain) if against.get("metric") == metric and math.isfinite(gain) else -gain

    return sorted(rows, key=height)


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


def p_value(p: Any) -> str:
    """'0.031', '< 0.001', or a dash."""
    found = number(p)
    return "\N{EN DASH}" if math.isnan(found) else "< 0.001" if found < 0.001 else f"{found:.3f}"


def leaderboard_csv(comparison: Mapping[str, Any]) -> str:
    """Every metric with its interval, one row per method, best first; cells that begin like a formula are escaped."""
    head = ["place", "method", "name", "replicates"]
    for metric in METRICS:
        head += [metric, f"{metric}_low", f"{metric}_high"]
    head += [
        "difference",
        "difference_low",
        "difference_high",
        "p",
        "p_holm",
        "against_plain",
        "seconds",
        "dropped_after_round",
        "failed",
    ]
    rows: list[list[Any]] = [head]
    for place, row in enumerate(ordered(comparison), 1):
        cells: list[Any] = [place, row.get("title"), row.get("name"), replicates(row)]
        for metric in METRICS:
            cells += value(row, metric).values()
        difference = row.get("difference") or {}
        cells += [difference.get(k) for k in ("mean", "low", "high", "p", "p_holm")]
        rows.append([*cells, standing(row, comparison), row.get("seconds"), row.get("stopped"), row.get("failed")])
    return csv_table(rows)


def _metrics(comparison: Mapping[str, Any]) -> list[str]:
    """The deciding one and those of SHOWN that some method has."""
    rows = comparison.get("methods") or ()
    return [
        m
        for m in dict.fromkeys((deciding(comparison), *SHOWN))
        if any(not math.isnan(number(value(row, m)["mean"])) for row in rows)
    ]


def _cells(comparison: Mapping[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
    """(columns, records) of the short tables, not yet escaped."""
    metrics = _metrics(comparison)
    head = ["Method", *(METRICS[m][0] for m in metrics), "Difference to plain", "p (Holm)", "n", "Seconds"]
    rows = []
    for row in ordered(comparison):
        difference = row.get("difference") or {}
        own = standing(row, comparison) == "reference"
        cells = [
            str(row.get("title") or row.get("name")),
            *(interval(value(row, m)) for m in metrics),
            "reference" if own else interval(difference, sign=True),
            "" if own else p_value(difference.get("p_holm")),
            str(replicates(row)),
            "\N{EN DASH}" if math.isnan(s := number(row.get("seconds"))) else f"{s:.1f}",
        ]
        rows.append(dict(zip(head, cells, strict=True)))
    return head, rows


def _note(comparison: Mapping[str, Any]) -> str:
    counts = [replicates(row) for row in comparison.get("methods") or ()]
    most = f" (up to {max(counts)})" if counts else ""
    return (
        f"Mean over n replicates{most} with its 95% interval; differences in {METRICS[deciding(comparison)][0]} are paired with plain "
        "training on common replicates, p corrected by Holm over all methods."
    )


def leaderboard_markdown(comparison: Mapping[str, Any]) -> str:
    """A Markdown table, best first: means with intervals, differences to plain training, n."""
    head, rows = _cells(comparison)
    verdict = markdown(comparison.get("verdict") or "")
    return "\n".join([*([verdict, ""] if verdict else []), formats.markdown(rows, _note(comparison), head=head)])


def leaderboard_latex(comparison: Mapping[str, Any]) -> str:
    """A LaTeX tabular that needs no package, best first: means with intervals, differences to plain training, n."""
    head, rows = _cells(comparison)
    return formats.latex(rows, _note(comparison), head=head)


# ---- a row as Python


@cache
def _classifiers() -> dict[str, str]:
    """Method -> name of its class in engine.estimators."""
    methods = json.loads(CATALOG.read_text(encoding="utf-8"))["methods"]
    return {m["name"]: m["classifier"] for m in methods if m["classifier"]}


TREES = "HistGradientBoostingClassifier"
READERS = {".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".ods": "excel", ".parquet": "parquet", ".pq": "parquet"}
"""Ends of file names that pandas reads otherwise than as CSV."""


LOOKED = "# that was a quick look of a few epochs: how columns are scaled still matters then, so this can be far off"


def code(comparison: Mapping[str, Any], name: str, file: str | None = None) -> str:
    """Python that trains and measures a row of the comparison again, through `engine.estimators` (trees: through scikit-learn).

    Its splits are the comparison's, so each replicate is tested on the very same rows; so are columns, parameters, training rows and the
    measure. The classifier draws the rows that choose the epoch itself and standardises 0/1 columns too, so the mean is near the row's and
    not the same digit for digit; after a quick look of a few epochs it can be far off, which a comment then says.
    file: the table's name in the code, by default the name it came with.
    Raises KeyError for a method that is not in the comparison.
    """
    row = next((m for m in comparison.get("methods") or () if m.get("name") == name), None)
    if row is None:
        raise KeyError(name)
    spec = comparison.get("spec") or {}
    ours = "dataset" in (spec.get("source") or {})
    made = _classifiers().get(name, TREES)
    thinned = row.get("most_rows")
    seed, folds = int(spec.get("seed") or 0), int((comparison.get("protocol") or {}).get("folds") or FOLDS)
    seeds = int((comparison.get("protocol") or {}).get("seeds") or 1 + max(_numbers(row)) // folds)
    ratio = number(spec.get("ratio"))
    imbalance = "Imbalance()" if math.isnan(ratio) else f"Imbalance('ratio', {ratio!r})"
    metric, found = deciding(comparison), value(row, deciding(comparison))
    home = "sklearn.ensemble" if made == TREES else "engine.estimators"
    imports = [
        ("import numpy as np", True),
        ("import pandas as pd", not ours),
        ("from sklearn.compose import make_column_transformer", not ours),
        (f"from {home} import {made}", made == TREES),
        ("from sklearn.impute import SimpleImputer", True),
        ("from sklearn.pipeline import make_pipeline", True),
        ("from sklearn.preprocessing import OneHotEncoder", not ours),
        ("", True),
        ("from engine.analysis.metrics import scores", True),
        ("from engine.data.catalog import load", ours),
        ("from engine.data.prepare import encode", ours),
        ("from engine.data.split import split", True),
        ("from engine.data.table import numeric_only", True),
        ("from engine.data.thin import thin", thinned is not None),
        (f"from {home} import {made}", made != TREES),
        ("from engine.seeds import numpy_stream", thinned is not None),
        ("from engine.spec import Imbalance, RunSpec", True),
    ]
    lines = [
        f"# {one_line(row.get('title') or name, 80)}: {metric} {interval(found)}, n = {len(_numbers(row))}, in the comparison",
        *([LOOKED] if row.get("look") else []),
        *(text for text, wanted in imports if wanted),
        "",
        *(_own_set(spec, comparison.get("data") or {}) if ours else _own_table(spec, comparison.get("data") or {}, file)),
        *_count_check(comparison.get("data") or {}),
        "",
        "# the comparison's splits: they depend on the classes of the rows alone",
        f"spec = RunSpec('table', 'ce', {imbalance}, folds={folds}, seeds={seeds}, seed={seed})",
        "rows = numeric_only('table', 'tabular', np.zeros((len(y), 0)), y, (), tuple(classes))",
        *formats.replicates(
            made,
            _arguments(row, made),
            numbers=repr(_numbers(row)),
            folds=folds,
            seed=seed,
            metric=metric,
            frame=not ours,
            thinned=thinned,
        ),
        "",
    ]
    return "\n".join(lines)


def _numbers(row: Mapping[str, Any]) -> list[int]:
    """The replicates a row's means are over."""
    own = row.get("numbers")
    return [int(n) for n in own] if own else list(range(max(1, replicates(row))))


def _arguments(row: Mapping[str, Any], made: str) -> dict[str, str]:
    """Of the classifier, as Python."""
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in (row.get("params") or {}).items() if k.isidentifier()}
    return {k: repr(v) for k, v in (params | ({"early_stopping": True} if made == TREES else {})).items()}


def _count_check(data: Mapping[str, Any]) -> list[str]:
    """A word where the rows are not those of the comparison: another file, or a large table of which it took a sample."""
    if not data.get("rows"):
        return []
    n = int(data["rows"])
    return [
        f"if len(y) != {n}:",
        f"    print(f'{{len(y)}} rows have an answer here, {n} had in the comparison: its splits are others')",
    ]


def _own_set(spec: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """X, y, classes and columns of a set of the catalog."""
    return [
        f"data = load({spec['source']['dataset']!r})",
        f"classes = {list(data.get('classes') or ())!r}",
        "y = np.array([classes.index(data.classes[k]) for k in data.y])",
        "X = encode(data)[0]",
        "columns = SimpleImputer(keep_empty_features=True)",
    ]


def _own_table(spec: Mapping[str, Any], data: Mapping[str, Any], file: str | None) -> list[str]:
    """X, y, classes and columns of a person's own table."""
    target, classes, columns = str(spec.get("target")), [str(c) for c in data.get("classes") or ()], data.get("columns") or {}
    name = str(file or data.get("name") or "table.csv")
    options = {k: v for k, v in {**(data.get("guesses") or {}), **(spec.get("reading") or {})}.items() if v is not None}
    marked = (spec.get("reading") or {}).get("missing") is not None
    numbers = bool(classes) and all(_is_number(c) for c in classes)
    texts = (
        "pd.to_numeric(table[target], errors='coerce').map('{:.15g}'.format)"
        if numbers
        else "table[target].astype(str).str.strip()"
    )
    out = [
        f"target, classes = {target!r}, {classes!r}",
        f"table = pd.read_{READERS.get(Path(name.lower()).suffix, 'csv')}({name!r}{_reading(name, options, marked=marked)})",
        "table.columns = [f'column {i}' for i in range(1, table.shape[1] + 1)]"
        if options.get("header") is False
        else "table.columns = table.columns.astype(str).str.strip()",
        f"y = np.array([classes.index(text) if text in classes else -1 for text in {texts}])",
        "table, y = table[y >= 0], y[y >= 0]  # rows with an answer",
    ]
    if columns:
        out += [
            f"numeric = {list(columns.get('numeric') or ())!r}",
            f"categorical = {list(columns.get('categorical') or ())!r}",
        ]
    else:
        out += [
            f"X = table.drop(columns={['__TARGET__', *_dropped(data)]!r}, errors='ignore')".replace("'__TARGET__'", "target"),
            "numeric = list(X.select_dtypes('number'))",
            "categorical = [name for name in X if name not in numeric]",
        ]
    return [
        *out,
        "",
        "",
        "def numbers(column):",
        '    """Numbers; of two texts 0 and 1; dates as days."""',
        "    if pd.api.types.is_numeric_dtype(column):",
        "        return column.astype(float)",
        "    if column.nunique() <= 2:",
        "        return column.map({text: float(i) for i, text in enumerate(sorted(column.dropna().unique()))})",
        "    found = pd.to_numeric(column, errors='coerce')",
        "    if found.notna().sum() > column.notna().sum() / 2:",
        "        return found",
        "    return (pd.to_datetime(column, errors='coerce', format='mixed') - pd.Timestamp(0)) / pd.Timedelta(days=1)",
        "",
        "",
        "levels = table[categorical].astype(object).where(table[categorical].notna(), '(missing)').astype(str)",
        "X = pd.concat([*(numbers(table[name]) for name in numeric), levels], axis=1)",
        "columns = make_column_transformer(",
        "    (SimpleImputer(add_indicator=True, keep_empty_features=True), numeric),",
        "    (OneHotEncoder(handle_unknown='ignore', sparse_output=False), categorical),",
        ")",
    ]


def _is_number(text: str) -> bool:
    try:
        return f"{float(text):.15g}" == text
    except ValueError:
        return False


def _reading(name: str, options: Mapping[str, Any], *, marked: bool) -> str:
    """The arguments of pandas that say the same as the options a table was read with. marked: a person said what stands for missing."""
    kind = READERS.get(Path(name.lower()).suffix, "csv")
    if kind == "parquet":
        return ""
    marks = [
        v for mark in map(str, options.get("missing") or ()) for v in dict.fromkeys((mark, mark.upper(), mark.capitalize()))
    ]
    given = {"dtype": "{target: str}"} if kind == "csv" else {}
    if marked:
        given |= {"na_values": repr(["", *marks]), "keep_default_na": "False"}
    else:
        given["na_values"] = repr(marks or ["?", "-", "--", "."])
    if options.get("header") is False:
        given["header"] = "None"
    if kind == "excel":
        given |= {"sheet_name": repr(options["sheet"])} if options.get("sheet") else {}
    else:
        same = {"encoding": "encoding", "decimal": "decimal", "thousands": "thousands"}
        given |= {theirs: repr(options[own]) for own, theirs in same.items() if options.get(own)}
        # without a delimiter said, pandas looks for it
        given |= {"sep": repr(options["delimiter"])} if options.get("delimiter") else {"sep": "None", "engine": "'python'"}
    return "".join(f", {key}={said}" for key, said in given.items())


def _dropped(data: Mapping[str, Any]) -> list[str]:
    """Columns that were left out of the comparison, by name."""
    names = [one.get("name") if isinstance(one, Mapping) else one for one in data.get("dropped") or ()]
    return [name for name in names if isinstance(name, str)]
