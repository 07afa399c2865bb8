"""What was measured here of the papers' tables, as `python -m engine table --ship` wrote it, with where it comes from. No torch here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadData, StoreError

HERE = Path(__file__).parent


def list_tables() -> list[tuple[str, str, bool]]:
    """(paper, table, reduced) of everything that is shipped, in alphabetical order."""
    found = (name.name.removesuffix(".json.gz").split("_") for name in sorted(HERE.glob("*.json.gz")))
    return [(paper, table, protocol == "reduced") for paper, _, table, protocol in found]


def table_path(paper: str, table: str, reduced: bool) -> Path:
    """Where a table's measurements are, or would be."""
    return HERE / f"{paper}_table_{table}_{'reduced' if reduced else 'full'}.json.gz"


def read_table(paper: str, table: str, reduced: bool = True) -> dict[str, Any] | None:
    """What was measured of a table, None where nothing is shipped. Raises BadData for a file that cannot be read.

    Keys: paper, table, title, reduced, words (what was run), rows and claims (as `engine.papers.verdicts.judge` gives them),
    provenance {command, commits, machines, cpus, threads, devices, torch, numerics, first, last, written, runs, seconds, n} and took (run's
    id -> its seconds). A table whose runs did not say their processor has no cpus. Some have more:
    over_sets (title -> `engine.stats.significance.compare_over_sets`, keel with claim {text, verdict}: keel and moving) and figures (the
    paper's figure -> its lines, as `figures` of engine.papers.adult and engine.papers.sine say).
    """
    file = table_path(paper, table, reduced)
    if not file.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise BadData(f"{file.name} cannot be read ({error}); write it anew with `python -m engine table --ship`.") from None
    return found


def write_table(file: Path, document: Mapping[str, Any]) -> None:
    """Write one table's measurements; the same document gives the same bytes."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode(), mtime=0))
    except OSError as error:
        raise StoreError(f"{file} cannot be written ({error.strerror}); name another folder.") from error
