"""What is shown, as text to take along: a table as Markdown, LaTeX and CSV; a run as a terminal command and as Python.

No torch: the page uses this file. Every cell and every name is other people's words, escaped for where it goes.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine import text as escape
from engine.errors import BadParameter
from engine.spec import RunSpec
from engine.spec.fields import format_value
from engine.spec.result import DEFAULT_METRIC
from engine.spec.run import find_entry, upload_id

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
LONGEST = 120
"""Characters of a cell of the short tables; the CSV has all of them."""
_VALUE = rf"[+\-{MINUS}]?(?:(?:\d{{1,3}}(?:,\d{{3}})+|\d+)\.?\d*|\.\d+)(?:e[+\-]?\d+)?%?"
_NUMBER = re.compile(rf"(?:< )?({_VALUE})(?: \[({_VALUE}), ({_VALUE})\])?", re.ASCII)
_SIGNS = {
    MINUS: "$-$", DASH: "--", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{ALMOST EQUAL TO}": r"$\approx$", "\N{HEAVY ASTERISK}": r"$\ast$", "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\uparrow$", "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\downarrow$",
}  # fmt: skip
"""Signs of ours that LaTeX without packages has under another name."""

Record = Mapping[str, Any]


# ---- tables


def heads(records: Sequence[Record]) -> list[str]:
    """The columns of records: every key, in the order in which they come."""
    return list(dict.fromkeys(str(key) for record in records for key in record))


def markdown(records: Sequence[Record], note: str = "", *, head: Sequence[str] | None = None) -> str:
    """A Markdown table, then the note. head: the columns and their order, `heads` where it is not given.

    A mapping with mean, low and high is shown as a mean with its interval, a missing value as a dash.
    """
    columns, rows = _shown(records, head)
    lines = ["| " + " | ".join(_markdown(cell) for cell in cells) + " |" for cells in (columns, *rows)]
    lines.insert(1, "|" + "|".join(" ---: " if right else " --- " for right in _numeric(columns, rows)) + "|")
    return "\n".join([*lines, *(["", escape.markdown(note)] if note else []), ""])


def latex(records: Sequence[Record], note: str = "", *, head: Sequence[str] | None = None) -> str:
    """The same as a LaTeX tabular that needs no package; the note is a comment above it."""
    columns, rows = _shown(records, head)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (columns, *rows)]
    lines[1:1] = [r"\hline"]
    how = "".join("r" if right else "l" for right in _numeric(columns, rows))
    said = [f"% {escape.one_line(note)}"] if note else []
    return "\n".join([*said, rf"\begin{{tabular}}{{{how}}}", r"\hline", *lines, r"\hline", r"\end{tabular}", ""])


def csv(records: Sequence[Record], *, head: Sequence[str] | None = None, text: Collection[str] = ()) -> str:
    """The same as CSV, numbers in full; a mean with its interval takes three columns. Cells that begin like a formula are escaped.

    A column of nothing but numbers, intervals and blanks, as people read them ('1,200', '0.41 [0.37, 0.45]', a dash), holds them as
    numbers; every other column stays as it is, and so do those named in text, whatever they look like: names, values of settings.
    """
    columns = list(head) if head is not None else heads(records)
    rows = [{c: _plain(record.get(c)) for c in columns} for record in records]
    for column in columns:
        if column not in text and all(_countable(row[column]) for row in rows):
            for row in rows:
                row[column] = _read(row[column])
    spread = {c for c in columns if any(isinstance(row[c], Mapping) for row in rows)}
    out: list[list[Any]] = [[name for c in columns for name in ((c, f"{c} low", f"{c} high") if c in spread else (c,))]]
    for row in rows:
        cells: list[Any] = []
        for column in columns:
            value = row[column]
            if isinstance(value, Mapping):
                cells += [value.get(end) for end in ("mean", "low", "high")]
            else:
                cells += [value, None, None] if column in spread else [value]
        out.append(cells)
    return escape.csv_table(out)


def interval(found: Mapping[str, Any], digits: int = 3, *, sign: bool = False) -> str:
    """'0.412 [0.371, 0.453]'; a dash where there is no number, no bracket where there is no interval."""
    mean, low, high = (_float(found.get(k)) for k in ("mean", "low", "high"))
    if math.isnan(mean):
        return DASH
    plus = "+" if sign else ""
    bracket = "" if math.isnan(low) or math.isnan(high) else f" [{low:{plus}.{digits}f}, {high:{plus}.{digits}f}]"
    return f"{mean:{plus}.{digits}f}{bracket}".replace("-", MINUS)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


def _is_interval(value: Any) -> bool:
    return isinstance(value, Mapping) and "mean" in value


def _countable(value: Any) -> bool:
    """True for what a column of numbers may hold."""
    return not isinstance(value, str) or value in ("", DASH) or _NUMBER.fullmatch(value) is not None


def _read(value: Any) -> Any:
    """A cell of a column of numbers: what a table for people has as text, such as '0.412 [0.371, 0.453]', is a number again."""
    if not isinstance(value, str):
        return value
    if value == DASH:
        return None
    found = _NUMBER.fullmatch(value)
    if found is None or "%" in value or value.startswith("<"):
        return value
    mean, *ends = (None if part is None else part.replace(MINUS, "-").replace(",", "") for part in found.groups())
    return mean if ends[0] is None else dict(zip(("mean", "low", "high"), (mean, *ends), strict=True))


def _plain(value: Any) -> Any:
    return ", ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else value


def _cell(value: Any) -> str:
    """A value as text, not yet escaped."""
    if _is_interval(value):
        return interval(value)
    value = _plain(value)
    if value is None or value != value:  # NaN
        return DASH
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", MINUS) if isinstance(value, float) else str(value)


def _shown(records: Sequence[Record], head: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    columns = list(head) if head is not None else heads(records)
    return columns, [[_cell(record.get(column)) for column in columns] for record in records]


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns hold mostly numbers: they stand to the right."""
    out = []
    for place in range(len(columns)):
        cells = [row[place] for row in rows if row[place] not in ("", DASH)]
        out.append(2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) >= max(1, len(cells)))
    return out


def _markdown(cell: str) -> str:
    """Numbers stay as they are read; everything else is escaped sign by sign."""
    short = escape.one_line(cell, LONGEST)
    return short if _NUMBER.fullmatch(short) and "<" not in short else escape.markdown(short)


def _latex(cell: str) -> str:
    safe = "".join(_SIGNS.get(c, c) for c in escape.latex(cell, LONGEST))
    return f"{{}}{safe}" if safe.startswith("*") else safe  # a row's end takes a star after it for its own


# ---- a run


def words(spec: RunSpec, catalog: Mapping[str, Any]) -> Sequence[str]:
    """The words of `python -m engine run ...` that give this run at a terminal; what equals a default is left out.

    Raises UnknownName or BadParameter where the catalog no longer has what the spec names, and BadParameter for a person's own table.
    """
    spec = _of_catalog(spec, catalog)
    out = ["python", "-m", "engine", "run", "--dataset", spec.dataset, "--method", spec.method]
    made = spec.imbalance
    out += ["--profile", made.profile]
    out += ["--ratio", format_value(made.ratio)] if made.ratio is not None else []
    out += ["--rate", format_value(made.rate)] if made.rate is not None else []
    out += ["--where", str(made.where)] if made.profile != "native" else []
    out += ["--folds", str(spec.folds), "--seeds", str(spec.seeds), "--seed", str(spec.seed)]
    usual = spec.with_(data={}, params={}).complete(catalog)
    for flag, values, plain in (("--data", spec.data, usual.data), ("--set", spec.params, usual.params)):
        for name, value in values.items():
            if value != plain[name]:
                out += [flag, f"{name}={format_value(value)}"]
    return out


def terminal(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """The same as a line for a shell."""
    return shlex.join(words(spec, catalog))


def classifier(spec: RunSpec, catalog: Mapping[str, Any]) -> str | None:
    """The class of `engine.estimators` that trains as this run does; None where there is none: images, oracles, chosen components."""
    data, method = find_entry(catalog, "datasets", spec.dataset), find_entry(catalog, "methods", spec.method)
    name: str | None = method.get("classifier")
    return name if name and data["kind"] != "images" and not spec.data.get("pca") else None


def python(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """Python that trains this run again, from the folder that the product lies in.

    Through `engine.estimators` where it has the method (`classifier`): the splits, rows and parameters are the run's, the classifier
    draws the rows that choose the epoch by itself, so the mean is near the run's and not the same digit for digit. Else through
    `engine.runner.execute`, which gives the run's own numbers. Raises as `words`.
    """
    spec = _of_catalog(spec, catalog)
    made = classifier(spec, catalog)
    about = f"# {escape.one_line(find_entry(catalog, 'methods', spec.method)['title'], 80)} on {spec.dataset}, n = {spec.replicates}"
    return "\n".join([about, *(_run(spec) if made is None else _classified(spec, catalog, made)), ""])


def _of_catalog(spec: RunSpec, catalog: Mapping[str, Any]) -> RunSpec:
    if upload_id(spec.dataset):
        raise BadParameter(
            "this run is on a table of your own, which has no name outside this page; Your data has the code of each comparison."
        )
    return spec.complete(catalog)


def _spec_lines(spec: RunSpec, *, params: bool) -> list[str]:
    """`spec = RunSpec(...)`, one argument a line where that is needed."""
    made = spec.imbalance
    facts = [repr(made.profile), *(f"{k}={v!r}" for k, v in (("ratio", made.ratio), ("rate", made.rate)) if v is not None)]
    facts += [] if made.profile == "native" else [f"where={made.where!r}"]
    lines = [
        "spec = RunSpec(",
        f"    {spec.dataset!r},",
        f"    {spec.method!r},",
        f"    Imbalance({', '.join(facts)}),",
    ]
    lines += [f"    data={dict(spec.data)!r},"] if spec.data else []
    lines += [f"    params={dict(spec.params)!r},"] if params and spec.params else []
    return [*lines, f"    folds={spec.folds},", f"    seeds={spec.seeds},", f"    seed={spec.seed},", ")"]


def _run(spec: RunSpec) -> list[str]:
    return [
        "# the run itself: the same numbers on the same kind of machine",
        "from engine.runner import run",
        "from engine.spec import Imbalance, RunSpec",
        "",
        *_spec_lines(spec, params=True),
        "running = run(spec)",
        "while True:",
        "    try:",
        "        next(running)  # an event: progress, an epoch, a picture",
        "    except StopIteration as end:",
        "        result, files = end.value",
        "        break",
        f"score = result.metric({DEFAULT_METRIC!r})",
        f"print(f'{DEFAULT_METRIC} {{score.mean:.3f}} [{{score.low:.3f}}, {{score.high:.3f}}], n = {{result.n}}')",
    ]


def _classified(spec: RunSpec, catalog: Mapping[str, Any], made: str) -> list[str]:
    # what a run's task says where its method has no patience of its own: a phase goes to its last epoch
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.params.items()}
    own = {d["name"] for d in find_entry(catalog, "methods", spec.method)["fields"]}
    arguments = {k: repr(v) for k, v in (params | ({} if "patience" in own else {"patience": 0})).items()}
    return [
        "# splits, rows and parameters are the run's; the classifier draws the rows that choose the epoch itself: near, not equal",
        "import numpy as np",
        "from sklearn.impute import SimpleImputer",
        "from sklearn.pipeline import make_pipeline",
        "",
        "from engine.analysis.metrics import scores",
        "from engine.data.catalog import load",
        "from engine.data.prepare import encode",
        "from engine.data.split import split",
        f"from engine.estimators import {made}",
        "from engine.spec import Imbalance, RunSpec",
        "",
        *_spec_lines(spec, params=False),
        "rows = load(spec.dataset, spec.data)",
        "X, y = encode(rows)[0].astype(np.float32), rows.y",
        "columns = SimpleImputer(keep_empty_features=True)",
        "",
        *replicates(made, arguments, numbers="range(spec.replicates)", folds=spec.folds, seed=spec.seed, metric=DEFAULT_METRIC),
    ]


def replicates(
    made: str,
    arguments: Mapping[str, str],
    *,
    numbers: str,
    folds: int,
    seed: int,
    metric: str,
    frame: bool = False,
    thinned: Any = None,
) -> list[str]:
    """Lines of Python that train the class `made` on each replicate, and measure it on that replicate's test rows.

    They stand on X, y, rows (a Dataset), spec and columns (what fills and encodes). arguments: of the class, as Python. numbers: the
    replicates, as Python. frame: X is a data frame. thinned: training rows at most (`engine.data.thin`), None for all of them.
    """
    at = "X.iloc[{}]" if frame else "X[{}]"
    thin = f"    parts = thin(parts, y, {thinned!r}, numpy_stream({seed}, 'thin', seed, fold))"
    return [
        "found = []",
        f"for number in {numbers}:  # replicates",
        f"    seed, fold = divmod(number, {folds})",
        "    parts = split(rows, spec, seed)[fold]",
        *([] if thinned is None else [thin]),
        "    own = np.concatenate([parts.train, parts.valid])",
        "    share = len(parts.valid) / len(own)  # of the rows that choose when to stop",
        f"    model = {made}(",
        *(f"        {k}={v}," for k, v in arguments.items()),
        "        validation_fraction=share,",
        f"        random_state={f'{seed} + ' if seed else ''}number,",
        "    )",
        f"    model = make_pipeline(columns, model).fit({at.format('own')}, y[own])",
        f"    probability = model.predict_proba({at.format('parts.test')})",
        f"    found.append(float(scores(probability, y[parts.test])[{metric!r}][0]))",
        f"print(f'{metric} {{np.mean(found):.3f}}, n = {{len(found)}}')",
    ]
