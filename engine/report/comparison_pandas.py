"""The lines that read a table in the code of a comparison from before readings were kept, by pandas, as they were printed then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

READERS = {".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".ods": "excel", ".parquet": "parquet", ".pq": "parquet"}
"""Ends of file names that pandas reads otherwise than as CSV."""


def load_table(spec: Mapping[str, Any], data: Mapping[str, Any], file: str | None) -> list[str]:
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
