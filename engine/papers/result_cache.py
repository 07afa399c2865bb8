"""Where finished runs of a table are kept, so that it continues where it stopped: the store, or a folder of JSON files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engine.errors import BadData, StoreError
from engine.spec import RunSpec
from engine.spec.result import Result


def summarise_result(result: Result) -> dict[str, Any]:
    """A result without its arrays, with `validation` and, under `lines`, the means over replicates that figures are drawn from.

    validation [R]: average precision on validation of the networks that were kept, in the last phase; empty where there is no history.
    lines: recall, precision [G]: the precision-recall curve; history: <phase>/<name> -> [E], NaN as None; five digits.
    """

    def mean(values: np.ndarray) -> list[float | None]:
        found = np.isfinite(values)
        total = np.where(found, values, 0.0).sum(0) / np.maximum(found.sum(0), 1)
        return [round(float(v), 5) if any_ else None for v, any_ in zip(total, found.any(0), strict=True)]

    arrays = result.arrays
    lines: dict[str, Any] = {"history": {}}
    if {"pr_recall", "pr_precision"} <= arrays.keys():
        lines |= {"recall": [round(float(v), 5) for v in arrays["pr_recall"]], "precision": mean(arrays["pr_precision"])}
    for name, values in arrays.items():
        if name.startswith("history/") and values.ndim == 2:
            lines["history"][name.removeprefix("history/")] = mean(values)
    ends = {
        name.split("/")[1]: float(v[-1]) for name, v in arrays.items() if name.startswith("history/") and name.endswith("/step")
    }
    last = f"history/{max(ends, key=lambda phase: ends[phase])}/valid_ap" if ends else ""
    validation = [float(v) for v in np.nanmax(arrays[last], axis=1)] if last in arrays else []
    return result.to_json() | {"lines": lines, "validation": validation}


class ResultCache(Protocol):
    """Results by their run's id, as `summarise_result` gives them (arrays are not needed here)."""

    def get(self, id: str) -> dict[str, Any] | None:
        """The result, None where there is none."""

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """Keeps a result."""


class StoreCache:
    """In the store, where the page sees them too; without films and samples of features, which thousands of runs would fill it with."""

    def __init__(self, url: str | None = None) -> None:
        from engine.store import Store  # a bare accelerator machine has no sqlalchemy

        self.store = Store(url)

    def get(self, id: str) -> dict[str, Any] | None:
        """See ResultCache."""
        found = self.store.result(id)
        return None if found is None else summarise_result(found)

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """See ResultCache."""
        self.store.record_run(spec, result, fingerprint=fingerprint)


class FolderCache:
    """In a folder, one JSON file per run: for a machine that has torch, numpy and scikit-learn alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {folder} cannot be made ({error.strerror}); name another one.") from error

    def get(self, id: str) -> dict[str, Any] | None:
        """See ResultCache. Raises BadData for a file that is not a result."""
        path = self.folder / f"{id}.json"
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadData(f"{path} is not a run's result ({error}); delete it and run the table again.") from None
        return found

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """See ResultCache. Written beside and moved, so that an interruption leaves no half file."""
        path = self.folder / f"{result.run_id}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(summarise_result(result)), encoding="utf-8", newline="")
        os.replace(part, path)


class NoCache:
    """Nothing is kept: every run is run."""

    def get(self, id: str) -> dict[str, Any] | None:
        """See ResultCache."""
        return None

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """See ResultCache."""
