"""Where finished runs of a table are kept, so that it goes on where it stopped: the store, or a folder of JSON files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

from engine.errors import BadData, StoreError
from engine.result import Result
from engine.spec import RunSpec


class Shelf(Protocol):
    """Results by their run's id, as `Result.to_json` gives them (arrays are not needed here)."""

    def get(self, id: str) -> dict[str, Any] | None:
        """The result, None where there is none."""

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """Keep a result."""


class InStore:
    """In the store, where the page sees them too; without films and samples of features, which thousands of runs would fill it with."""

    def __init__(self, url: str | None = None) -> None:
        from engine.store import Store  # a bare accelerator machine has no sqlalchemy

        self.store = Store(url)

    def get(self, id: str) -> dict[str, Any] | None:
        """See Shelf."""
        found = self.store.result(id)
        return None if found is None else found.to_json()

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """See Shelf."""
        self.store.record(spec, result, fingerprint=fingerprint)


class InFolder:
    """In a folder, one JSON file per run: for a machine that has torch, numpy and scikit-learn alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {folder} cannot be made ({error.strerror}); name another one.") from error

    def get(self, id: str) -> dict[str, Any] | None:
        """See Shelf. Raises BadData for a file that is not a result."""
        path = self.folder / f"{id}.json"
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadData(f"{path} is not a run's result ({error}); delete it and run the table again.") from None
        return found

    def put(self, spec: RunSpec, result: Result, fingerprint: str) -> None:
        """See Shelf. Written beside and moved, so that an interruption leaves no half file."""
        path = self.folder / f"{result.run_id}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(result.to_json()), encoding="utf-8")
        os.replace(part, path)
