"""A run in the words of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.widgets.text import written
from engine.spec import RunSpec


def command(spec: RunSpec, catalog: Mapping[str, Any]) -> Sequence[str]:
    """The words of `python -m engine run ...` that give this run at a terminal; what equals a default is left out.

    Raises UnknownName or BadParameter where the catalog no longer has what the spec names.
    """
    spec = spec.complete(catalog)
    words = ["python", "-m", "engine", "run", "--dataset", spec.dataset, "--method", spec.method]
    made = spec.imbalance
    words += ["--profile", made.profile]
    words += ["--ratio", written(made.ratio)] if made.ratio is not None else []
    words += ["--rate", written(made.rate)] if made.rate is not None else []
    words += ["--where", str(made.where)] if made.profile != "native" else []
    words += ["--folds", str(spec.folds), "--seeds", str(spec.seeds), "--seed", str(spec.seed)]
    usual = spec.with_(data={}, params={}).complete(catalog)
    for flag, values, plain in (("--data", spec.data, usual.data), ("--set", spec.params, usual.params)):
        for name, value in values.items():
            if value != plain[name]:
                words += [flag, f"{name}={written(value)}"]
    return words
