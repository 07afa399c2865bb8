"""A run as a terminal command and as Python. No torch: the page uses this file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from engine import text as escape
from engine.errors import BadParameter
from engine.spec import RunSpec
from engine.spec.fields import format_value
from engine.spec.result import DEFAULT_METRIC
from engine.spec.run import find_entry, upload_id

# ---- a run


def list_arguments(spec: RunSpec, catalog: Mapping[str, Any]) -> Sequence[str]:
    """The words of `python -m engine run ...` that give this run at a terminal; what equals a default is left out.

    Raises UnknownName or BadParameter where the catalog no longer has what the spec names, and BadParameter for a person's own table.
    """
    spec = _complete(spec, catalog)
    out = ["python", "-m", "engine", "run", "--dataset", spec.dataset, "--method", spec.method]
    made = spec.imbalance
    out += ["--profile", made.profile]
    out += ["--ratio", format_value(made.ratio)] if made.ratio is not None else []
    out += ["--rate", format_value(made.rate)] if made.rate is not None else []
    out += ["--where", str(made.where)] if made.profile != "native" else []
    out += ["--folds", str(spec.folds), "--seeds", str(spec.seeds), "--seed", str(spec.seed)]
    out += ["--points", spec.points] if spec.points else []
    usual = spec.with_(data={}, params={}).complete(catalog)
    for flag, values, plain in (("--data", spec.data, usual.data), ("--set", spec.params, usual.params)):
        for name, value in values.items():
            if value != plain[name]:
                out += [flag, f"{name}={format_value(value)}"]
    return out


def write_command(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """The same as a line for a shell."""
    return shlex.join(list_arguments(spec, catalog))


def find_classifier(spec: RunSpec, catalog: Mapping[str, Any]) -> str | None:
    """The class of `engine.estimators` that trains as this run does; None where there is none: images, oracles, chosen components,
    rows that every seed draws, added points.
    """
    if spec.points:
        return None
    data, method = find_entry(catalog, "datasets", spec.dataset), find_entry(catalog, "methods", spec.method)
    name: str | None = method.get("classifier")
    return name if name and data["kind"] != "images" and not spec.data.get("pca") and not data.get("parts") else None


def write_python(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """Python that trains this run again, from the folder that the product lies in.

    Through `engine.estimators` where it has the method (`find_classifier`): the splits, rows and parameters are the run's, the classifier
    draws the rows that choose the epoch by itself, so the mean is near the run's and not the same digit for digit. Else through
    `engine.runner`, which gives the run's own numbers. Raises as `list_arguments`.
    """
    spec = _complete(spec, catalog)
    classifier = find_classifier(spec, catalog)
    about = f"# {escape.one_line(find_entry(catalog, 'methods', spec.method)['title'], 80)} on {spec.dataset}, n = {spec.replicates}"
    return "\n".join([about, *(_write_run(spec) if classifier is None else _write_classifier(spec, catalog, classifier)), ""])


def _complete(spec: RunSpec, catalog: Mapping[str, Any]) -> RunSpec:
    if upload_id(spec.dataset):
        raise BadParameter(
            "this run is on a table of your own, which has no name outside this page; Your data has the code of each comparison."
        )
    return spec.complete(catalog)


def _write_spec(spec: RunSpec, *, params: bool) -> list[str]:
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
    lines += [f"    folds={spec.folds},", f"    seeds={spec.seeds},", f"    seed={spec.seed},"]
    return [*lines, *([f"    points={spec.points!r},"] if spec.points else []), ")"]


def _write_run(spec: RunSpec) -> list[str]:
    return [
        "# the run itself: the same numbers on the same kind of machine",
        "from engine.runner import run",
        "from engine.spec import Imbalance, RunSpec",
        "",
        *_write_spec(spec, params=True),
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


def _write_classifier(spec: RunSpec, catalog: Mapping[str, Any], classifier: str) -> list[str]:
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
        f"from engine.estimators import {classifier}",
        "from engine.spec import Imbalance, RunSpec",
        "",
        *_write_spec(spec, params=False),
        "rows = load(spec.dataset, spec.data)",
        "X, y = encode(rows)[0].astype(np.float32), rows.y",
        "columns = SimpleImputer(keep_empty_features=True)",
        "",
        *write_replicates(
            classifier, arguments, numbers="range(spec.replicates)", folds=spec.folds, seed=spec.seed, metric=DEFAULT_METRIC
        ),
    ]


FLAGS = (
    "    flagged, rare = probability[:, looked_for] >= cut, y[parts.test] == looked_for",
    "    hits.append([(flagged & rare).sum(), flagged.sum(), rare.sum(), len(rare)])",
)
SUMS = (
    "right, alerts, rare, tested = np.sum(hits, 0)",
    "print(f'at the cut: {1000 * alerts / tested:.3g} alerts per 1,000, '",
    "      f'precision {right / max(alerts, 1):.3f}, recall {right / rare:.3f}')",
)
"""Lines that count what a cut flags, and that tell it."""


def write_replicates(
    classifier: str,
    arguments: Mapping[str, str],
    *,
    numbers: str,
    folds: int,
    seed: int,
    metric: str,
    frame: bool = False,
    thinned: Any = None,
    parts: str = "split(rows, spec, seed)",
    cut: tuple[float, int] | None = None,
    again: Sequence[str] = (),
) -> list[str]:
    """Lines of Python that train the class `classifier` on each replicate, and measure it on that replicate's test rows.

    They stand on X, y, rows (a Dataset), spec and columns (what fills and encodes). arguments: of the class, as Python. numbers: the
    replicates, as Python. frame: X is a data frame. thinned: training rows at most (`engine.data.thin`), None for all of them. cut: (the
    probability from which on a row is flagged, number of the class looked for): what it flags is measured too. again: lines
    that train `model` anew once it is fitted; they stand on `own`. parts: the parts of a seed, as Python.
    """
    at = "X.iloc[{}]" if frame else "X[{}]"
    body = [
        *([] if thinned is None else [f"parts = thin(parts, y, {thinned!r}, numpy_stream({seed}, 'thin', seed, fold))"]),
        "own = np.concatenate([parts.train, parts.valid])",
        "share = len(parts.valid) / len(own)  # of the rows that choose when to stop",
        f"model = {classifier}(",
        *(f"    {k}={v}," for k, v in arguments.items()),
        "    validation_fraction=share,",
        f"    random_state={f'{seed} + ' if seed else ''}number,",
        ")",
        f"model = make_pipeline(columns, model).fit({at.format('own')}, y[own])",
        *again,
        f"probability = model.predict_proba({at.format('parts.test')})",
    ]
    return measure_replicates(body, numbers=numbers, folds=folds, metric=metric, parts=parts, cut=cut)


def measure_replicates(
    body: Sequence[str], *, numbers: str, folds: int, metric: str, parts: str, cut: tuple[float, int] | None = None
) -> list[str]:
    """Lines of Python that measure `probability` on each replicate's test rows. body: lines that make it, from `parts`. The others: see
    `write_replicates`.
    """
    return [
        "found = []",
        *(
            []
            if cut is None
            else [f"cut, looked_for = {cut[0]!r}, {cut[1]}  # chosen on validation rows in the comparison", "hits = []"]
        ),
        f"for number in {numbers}:  # replicates",
        f"    seed, fold = divmod(number, {folds})",
        f"    parts = {parts}[fold]",
        *(f"    {line}" for line in body),
        f"    found.append(float(scores(probability, y[parts.test])[{metric!r}][0]))",
        *([] if cut is None else FLAGS),
        f"print(f'{metric} {{np.mean(found):.3f}}, n = {{len(found)}}')",
        *([] if cut is None else SUMS),
    ]
