"""A row of a comparison as Python. No torch: the page uses this file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engine.report import run_code
from engine.report.formats import format_interval
from engine.report.leaderboard import count_replicates, deciding_metric, metric_interval, to_number
from engine.text import one_line

CATALOG = Path(__file__).resolve().parents[1] / "catalog.json"
FOLDS = 5
"""Where a comparison does not say how many."""


@cache
def _list_classifiers() -> dict[str, str]:
    """Method -> name of its class in engine.estimators."""
    methods = json.loads(CATALOG.read_text(encoding="utf-8"))["methods"]
    return {m["name"]: m["classifier"] for m in methods if m["classifier"]}


TREES = "HistGradientBoostingClassifier"
READERS = {".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".ods": "excel", ".parquet": "parquet", ".pq": "parquet"}
"""Ends of file names that pandas reads otherwise than as CSV."""


QUICK_LOOK = "# that was a quick look of a few epochs: how columns are scaled still matters then, so this can be far off"


def write_row(comparison: Mapping[str, Any], name: str, file: str | None = None) -> str:
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
    classifier = _list_classifiers().get(name, TREES)
    thinned = row.get("most_rows")
    seed, folds = int(spec.get("seed") or 0), int((comparison.get("protocol") or {}).get("folds") or FOLDS)
    seeds = int((comparison.get("protocol") or {}).get("seeds") or 1 + max(_list_replicates(row)) // folds)
    ratio = to_number(spec.get("ratio"))
    imbalance = "Imbalance()" if math.isnan(ratio) else f"Imbalance('ratio', {ratio!r})"
    metric, found = deciding_metric(comparison), metric_interval(row, deciding_metric(comparison))
    lines = [
        f"# {one_line(row.get('title') or name, 80)}: {metric} {format_interval(found)}, "
        f"n = {len(_list_replicates(row))}, in the comparison",
        *([QUICK_LOOK] if row.get("look") else []),
        *_list_imports(classifier, frame=not ours, thinned=thinned is not None),
        "",
        *(_load_dataset(spec, comparison.get("data") or {}) if ours else _load_table(spec, comparison.get("data") or {}, file)),
        *_check_count(comparison.get("data") or {}),
        "",
        "# the comparison's splits: they depend on the classes of the rows alone",
        f"spec = RunSpec('table', 'ce', {imbalance}, folds={folds}, seeds={seeds}, seed={seed})",
        "rows = numeric_only('table', 'tabular', np.zeros((len(y), 0)), y, (), tuple(classes))",
        *run_code.write_replicates(
            classifier,
            _list_arguments(row, classifier),
            numbers=repr(_list_replicates(row)),
            folds=folds,
            seed=seed,
            metric=metric,
            frame=not ours,
            thinned=thinned,
        ),
        "",
    ]
    return "\n".join(lines)


def _list_imports(classifier: str, *, frame: bool, thinned: bool) -> list[str]:
    """The imports of a row's Python. frame: the rows are a data frame, not a set of the catalog."""
    home = "sklearn.ensemble" if classifier == TREES else "engine.estimators"
    imports = [
        ("import numpy as np", True),
        ("import pandas as pd", frame),
        ("from sklearn.compose import make_column_transformer", frame),
        (f"from {home} import {classifier}", classifier == TREES),
        ("from sklearn.impute import SimpleImputer", True),
        ("from sklearn.pipeline import make_pipeline", True),
        ("from sklearn.preprocessing import OneHotEncoder", frame),
        ("", True),
        ("from engine.analysis.metrics import scores", True),
        ("from engine.data.catalog import load", not frame),
        ("from engine.data.prepare import encode", not frame),
        ("from engine.data.split import split", True),
        ("from engine.data.table import numeric_only", True),
        ("from engine.data.thin import thin", thinned),
        (f"from {home} import {classifier}", classifier != TREES),
        ("from engine.seeds import numpy_stream", thinned),
        ("from engine.spec import Imbalance, RunSpec", True),
    ]
    return [text for text, wanted in imports if wanted]


def _list_replicates(row: Mapping[str, Any]) -> list[int]:
    """The replicates a row's means are over."""
    own = row.get("numbers")
    return [int(n) for n in own] if own else list(range(max(1, count_replicates(row))))


def _list_arguments(row: Mapping[str, Any], classifier: str) -> dict[str, str]:
    """Of the classifier, as Python."""
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in (row.get("params") or {}).items() if k.isidentifier()}
    return {k: repr(v) for k, v in (params | ({"early_stopping": True} if classifier == TREES else {})).items()}


def _check_count(data: Mapping[str, Any]) -> list[str]:
    """Code that warns where the rows are not those of the comparison: another file, or a large table of which it took a sample."""
    if not data.get("rows"):
        return []
    n = int(data["rows"])
    return [
        f"if len(y) != {n}:",
        f"    print(f'{{len(y)}} rows have an answer here, {n} had in the comparison: its splits are others')",
    ]


def _load_dataset(spec: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """X, y, classes and columns of a set of the catalog."""
    return [
        f"data = load({spec['source']['dataset']!r})",
        f"classes = {list(data.get('classes') or ())!r}",
        "y = np.array([classes.index(data.classes[k]) for k in data.y])",
        "X = encode(data)[0]",
        "columns = SimpleImputer(keep_empty_features=True)",
    ]


def _load_table(spec: Mapping[str, Any], data: Mapping[str, Any], file: str | None) -> list[str]:
    """X, y, classes and columns of a person's own table."""
    target, classes, columns = str(spec.get("target")), [str(c) for c in data.get("classes") or ()], data.get("columns") or {}
    name = str(file or data.get("name") or "table.csv")
    options = {k: v for k, v in {**(data.get("guesses") or {}), **(spec.get("reading") or {})}.items() if v is not None}
    marked = (spec.get("reading") or {}).get("missing") is not None
    numbers = bool(classes) and all(_is_plain_number(c) for c in classes)
    texts = (
        "pd.to_numeric(table[target], errors='coerce').map('{:.15g}'.format)"
        if numbers
        else "table[target].astype(str).str.strip()"
    )
    out = [
        f"target, classes = {target!r}, {classes!r}",
        f"table = pd.read_{READERS.get(Path(name.lower()).suffix, 'csv')}({name!r}{_pandas_arguments(name, options, marked=marked)})",
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
            f"X = table.drop(columns={['__TARGET__', *_list_dropped(data)]!r}, errors='ignore')".replace(
                "'__TARGET__'", "target"
            ),
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


def _is_plain_number(text: str) -> bool:
    try:
        return f"{float(text):.15g}" == text
    except ValueError:
        return False


def _pandas_arguments(name: str, options: Mapping[str, Any], *, marked: bool) -> str:
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


def _list_dropped(data: Mapping[str, Any]) -> list[str]:
    """Columns that were left out of the comparison, by name."""
    names = [one.get("name") if isinstance(one, Mapping) else one for one in data.get("dropped") or ()]
    return [name for name in names if isinstance(name, str)]
