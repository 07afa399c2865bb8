"""A row of a comparison as Python. No torch: the page uses this file."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engine.report import comparison_pandas, run_code
from engine.report.formats import format_interval
from engine.report.leaderboard import count_replicates, deciding_metric, metric_interval, to_number
from engine.report.split import is_random, write_arguments, write_plan
from engine.spec.contest import IN_USE, INSTALLED, NETWORK, RENAMED, read_model
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat, TableReading, TargetReading
from engine.text import one_line

CATALOG = Path(__file__).resolve().parents[1] / "catalog.json"
FOLDS = 5
"""Where a comparison does not say how many."""


def _choose_classifier(row: Mapping[str, Any]) -> str:
    """The class of a row: of engine.estimators; trees of earlier comparisons are scikit-learn's. '' for the score in use, which trains
    nothing. Those of an installed model and of a method from a plugin file are made by the code, see `_make_class`.
    """
    name = str(row.get("name"))
    if name in RENAMED:
        return TREES
    model = read_model(row)
    if model == IN_USE:
        return ""
    if model in INSTALLED:
        return f"{INSTALLED[model]}Classifier"
    return _list_classifiers().get(_name_method(row), OWN)


def _name_method(row: Mapping[str, Any]) -> str:
    """The method that a row trains."""
    model = read_model(row)
    return str(row.get("name")) if model == NETWORK else model


@cache
def _list_classifiers() -> dict[str, str]:
    """Method -> name of its class in engine.estimators."""
    methods = json.loads(CATALOG.read_text(encoding="utf-8"))["methods"]
    return {m["name"]: m["classifier"] for m in methods if m["classifier"]}


TREES = "HistGradientBoostingClassifier"
OWN = "OwnClassifier"
"""What the code calls the class of a method from a plugin file."""

QUICK_LOOK = "# that was a quick look of a few epochs: how columns are scaled still matters then, so this can be far off"


def write_row(comparison: Mapping[str, Any], name: str, file: str | None = None, *, reading: bool = True) -> str:
    """Python that trains and measures a row of the comparison again, through `engine.estimators` (trees: through scikit-learn).

    The score in use is no model: its column is measured on the same test rows, which gives the row's own digits.

    A table is read by the engine's reader with the comparison's own `reading`, so its values are the comparison's. Its splits are too,
    so each replicate is tested on the very same rows; so are columns, parameters, training rows and the measure. The classifier draws
    the rows that choose the epoch itself and standardises 0/1 columns too, so the mean is near the row's and not the same digit for
    digit; after a quick look of a few epochs it can be far off, which a comment then says.
    file: the table's path in the code, by default the name it came with. reading: False for code that may be shown to others: the
    reader guesses again how the table is read, as a reading holds levels and words of the table.
    Raises KeyError for a method that is not in the comparison.
    """
    row = next((m for m in comparison.get("methods") or () if m.get("name") == name), None)
    if row is None:
        raise KeyError(name)
    spec = comparison.get("spec") or {}
    table = _choose_table(comparison, reading=reading)
    classifier, used = _choose_classifier(row), read_model(row) == IN_USE
    made = _name_method(row) if read_model(row) in INSTALLED or classifier == OWN else None
    thinned = None if used else row.get("most_rows")
    seed, folds = int(spec.get("seed") or 0), int((comparison.get("protocol") or {}).get("folds") or FOLDS)
    seeds = int((comparison.get("protocol") or {}).get("seeds") or 1 + max(_list_replicates(row)) // folds)
    ratio = to_number(spec.get("ratio"))
    imbalance = "Imbalance()" if math.isnan(ratio) else f"Imbalance('ratio', {ratio!r})"
    metric, found = deciding_metric(comparison), metric_interval(row, deciding_metric(comparison))
    parts = "split(rows, spec, seed)" if is_random(comparison) else "plan.cut(rows, spec, seed)"
    numbers, cut = repr(_list_replicates(row)), find_cut(comparison, name)
    if used:
        loop = run_code.measure_replicates(SCORING, numbers=numbers, folds=folds, metric=metric, parts=parts, cut=cut)
    else:
        loop = run_code.write_replicates(
            classifier,
            _list_arguments(row, classifier),
            numbers=numbers,
            folds=folds,
            seed=seed,
            metric=metric,
            frame=table == "pandas",
            thinned=thinned,
            parts=parts,
            again=_write_again(row, classifier, frame=table == "pandas"),
            cut=cut,
        )
    lines = [
        f"# {one_line(row.get('title') or name, 80)}: {metric} {format_interval(found)}, "
        f"n = {len(_list_replicates(row))}, in the comparison",
        *([QUICK_LOOK] if row.get("look") and not used else []),
        *_list_imports(
            classifier, table=table, thinned=thinned is not None, random=is_random(comparison), made=made is not None
        ),
        "",
        *([] if made is None else _make_class(made, classifier, (spec.get("plugins") or {}).get(made))),
        *_write_rows(comparison, table, file, learns=not used),
        *_check_count(comparison.get("data") or {}),
        "",
        f"# the comparison's splits: they depend on the classes{'' if is_random(comparison) else ', times and owners'} of the rows alone",
        f"spec = RunSpec('table', 'ce', {imbalance}, folds={folds}, seeds={seeds}, seed={seed})",
        "rows = numeric_only('table', 'tabular', np.zeros((len(y), 0)), y, (), tuple(classes))",
        *write_plan(comparison),
        *loop,
        "",
    ]
    return "\n".join(lines)


def name_code(name: str) -> str:
    """The file name of a row's Python: code-forest+smote.py, code-in-use.py."""
    return f"code-{name.replace(' ', '-')}.py"


def find_cut(comparison: Mapping[str, Any], name: str) -> tuple[float, int] | None:
    """(the cut of the row that the comparison decides with, number of the class looked for); None for other rows.

    The cut is a probability as the model gives it: the mean of the replicates' cuts.
    """
    decided, data = comparison.get("decide") or {}, comparison.get("data") or {}
    cuts = [float(cut) for cut in decided.get("cuts") or () if cut is not None]
    classes = [str(c) for c in data.get("classes") or ()]
    if decided.get("row") != name or not cuts or str(data.get("positive")) not in classes:
        return None
    return round(sum(cuts) / len(cuts), 6), classes.index(str(data["positive"]))


SCORING = (
    "# the column as it stands: a score that is no probability keeps its order, and gets its best cut on validation rows",
    "probability = turn_score(data.score, parts.valid, y[parts.valid])[parts.test]",
)
"""Lines that read the score in use of a replicate's test rows."""


def _make_class(method: str, classifier: str, digest: str | None) -> list[str]:
    """Lines that make the class of an installed model, or of a method from a plugin file of this digest."""
    about = f"{INSTALLED.get(method)}'s own classifier, with the parameters, remedy and random numbers of the engine's other classifiers"
    if method not in INSTALLED:
        about = (
            f"a method of your own: LAB_PLUGINS must name the folder of its file, sha256 {one_line(digest or 'not known', 64)}"
        )
    return [
        f"# {about}",
        f"{classifier} = make_classifier(find_method({method!r}))",
        "",
    ]


LENGTHS = {"training": "epochs", "trees": "trees", "members": "members"}
"""What validation rows choose -> the parameter of a classifier that it becomes."""
SAME = ("rounds",)
"""Lengths that a second fit finds anew, from the same parameters."""


def _can_train_again(row: Mapping[str, Any], classifier: str) -> bool:
    """Whether all that a row's validation rows chose is a length, so that the code can take it over."""
    refit = row.get("refit") or {}
    chosen = refit.get("epochs") or {}
    return (
        bool(refit) and classifier != TREES and not refit["held_out"] and len(chosen) < 2 and chosen.keys() <= {*LENGTHS, *SAME}
    )


def _write_again(row: Mapping[str, Any], classifier: str, *, frame: bool) -> list[str]:
    """Lines that train a replicate again on training and validation rows, as the comparison did; [] where it did not."""
    if not row.get("refit"):
        return []
    if not _can_train_again(row, classifier):
        return [
            "# the comparison trained it again on training and validation rows, with all that was chosen; this code does not"
        ]
    length = "".join(f", {LENGTHS[name]}=model[-1].epoch_" for name in row["refit"]["epochs"] if name in LENGTHS)
    return [
        f"# trained again on training and validation rows{', to the epoch chosen' if length else ''}, as the comparison did",
        f"model[-1].set_params(validation_fraction=0{length})",
        f"model.fit({'X.iloc[own]' if frame else 'X[own]'}, y[own])",
    ]


def _choose_table(comparison: Mapping[str, Any], *, reading: bool) -> str:
    """Where the rows of the code are from, see `_list_imports`."""
    if "dataset" in ((comparison.get("spec") or {}).get("source") or {}):
        return "catalog"
    if "reading" not in comparison:
        return "pandas"
    return "reading" if reading and comparison["reading"] else "guess"


def _write_rows(comparison: Mapping[str, Any], table: str, file: str | None, *, learns: bool = True) -> list[str]:
    """X, y, classes and columns, by the kind of `_choose_table`. learns: False leaves out X and columns, where they can be."""
    spec, data = comparison.get("spec") or {}, comparison.get("data") or {}
    if table == "catalog":
        return _load_dataset(spec, data, learns=learns)
    if table == "pandas":
        return comparison_pandas.load_table(spec, data, file)
    return _load_table(comparison, file, guess=table == "guess", learns=learns)


def _list_imports(classifier: str, *, table: str, thinned: bool, random: bool, made: bool) -> list[str]:
    """The imports of a row's Python. classifier: '' for the score in use. table: where its rows are from: "catalog", or a person's table
    by "reading", "guess" or "pandas". made: whether the code makes the classifier.
    """
    learns = classifier != ""
    own, frame = table in ("reading", "guess"), table == "pandas"
    home = "sklearn.ensemble" if classifier == TREES else "engine.estimators"
    imports = [
        ("from dataclasses import replace", not random),
        ("", not random),
        ("import numpy as np", True),
        ("import pandas as pd", frame),
        ("from sklearn.compose import make_column_transformer", frame),
        (f"from {home} import {classifier}", classifier == TREES),
        ("from sklearn.impute import SimpleImputer", learns),
        ("from sklearn.pipeline import make_pipeline", learns),
        ("from sklearn.preprocessing import OneHotEncoder", frame),
        ("", True),
        ("from engine.analysis.metrics import scores", True),
        ("from engine.compare.bench import turn_score", not learns),
        ("from engine.compare.installed import find_method", made),
        ("from engine.data.catalog import load", table == "catalog"),
        ("from engine.data.prepare import encode", not frame and learns),
        ("from engine.data.split import split", random),
        ("from engine.data.splits.plan import plan_split", not random),
        ("from engine.data.table import numeric_only", True),
        ("from engine.data.tables.reading import read_sheet", own),
        ("from engine.data.tables.target import to_dataset", own),
        ("from engine.data.thin import thin", thinned),
        (f"from {home} import {'make_classifier' if made else classifier}", classifier != TREES and learns),
        ("from engine.seeds import numpy_stream", thinned),
        ("from engine.spec import Imbalance, RunSpec", True),
        ("from engine.spec.table_reading import TableReading", table == "reading"),
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


def _load_dataset(spec: Mapping[str, Any], data: Mapping[str, Any], *, learns: bool) -> list[str]:
    """data, y, classes, X and columns of a set of the catalog."""
    return [f"data = load({spec['source']['dataset']!r})", *_encode(data, learns=learns)]


def _load_table(comparison: Mapping[str, Any], file: str | None, *, guess: bool, learns: bool) -> list[str]:
    """data, y, classes, X and columns of a person's own table, read as the comparison read it, or guessed as it guessed."""
    spec, data, reading = comparison.get("spec") or {}, comparison.get("data") or {}, comparison.get("reading") or {}
    name = str(file or data.get("name") or "table.csv")
    target, positive = spec.get("target"), spec.get("positive")
    told = reading.get("target") or {}
    target, positive = told.get("name", target), told.get("positive", positive)
    if not guess:
        lines = [*_write_reading(reading), f"name, target, positive = {name!r}, {target!r}, {positive!r}"]
        how = "reading=reading"
    else:  # the reader guesses again, as it did
        options = {k: v for k, v in (spec.get("reading") or {}).items() if v is not None}
        lines = [f"name, target, positive = {name!r}, {target!r}, {positive!r}"]
        how = f"{options!r}, target=target"
    return [
        *lines,
        "with open(name, 'rb') as file:",
        f"    sheet = read_sheet(file.read(), name, {how})",
        f"data = to_dataset(sheet, target, positive{write_arguments(comparison)})",
        *_encode(data, learns=learns),
    ]


def _encode(data: Mapping[str, Any], *, learns: bool) -> list[str]:
    """y, classes, X and columns of `data`, a Dataset. learns: False leaves out X and columns."""
    lines = [
        f"classes = {[str(c) for c in data.get('classes') or ()]!r}",
        "y = np.array([classes.index(data.classes[k]) for k in data.y])",
        "X = encode(data)[0]",
        "columns = SimpleImputer(keep_empty_features=True)",
    ]
    return lines if learns else lines[:2]


def _write_reading(reading: Mapping[str, Any]) -> list[str]:
    """`reading = TableReading.from_json(...)`, one column a line, without what is the default."""
    columns = [_without_defaults(ColumnReading, column) for column in reading.get("columns") or ()]
    for column in columns:
        for key, cls in (("number", NumberFormat), ("date", DateFormat)):
            if isinstance(column.get(key), Mapping):
                column[key] = _without_defaults(cls, column[key])
    seen = Counter(tuple(column["missing"]) for column in columns if column.get("missing"))
    usual = list(seen.most_common(1)[0][0]) if seen else []
    top = _without_defaults(TableReading, {k: v for k, v in reading.items() if k not in ("columns", "target")})
    lines = ["# how the comparison read the table: the same values, without a guess"]
    lines += [f"missing = {usual!r}"] if usual else []
    lines += [
        "reading = TableReading.from_json({",
        *(f"    {key!r}: {value!r}," for key, value in top.items()),
        "    'columns': [",
    ]
    for column in columns:
        cells = (f"{k!r}: {'missing' if k == 'missing' and v == usual else repr(v)}" for k, v in column.items())
        lines.append(f"        {{{', '.join(cells)}}},")
    lines += ["    ],"]
    if reading.get("target"):
        lines.append(f"    'target': {_without_defaults(TargetReading, reading['target'])!r},")
    return [*lines, "})"]


def _without_defaults(cls: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JSON-plain dataclass that are not its defaults; `reader` always stays."""
    usual = {f.name: f.default for f in dataclasses.fields(cls)}
    same = {
        k
        for k, v in value.items()
        if k != "reader" and (tuple(v) if isinstance(v, list) else v) == usual.get(k, dataclasses.MISSING)
    }
    return {k: v for k, v in value.items() if k not in same}
