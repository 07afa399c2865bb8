"""How often the intervals of one split hold the true value, as `python -m engine coverage` simulated it. No torch here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import BadData

FILE = Path(__file__).parent / "measured" / "coverage.json"


def read_coverage() -> dict[str, Any] | None:
    """The simulated coverage, None where nothing is shipped. Raises BadData for a file that cannot be read.

    Keys: ways (name -> title of an interval), used (the name of this version's), rows and provenance {command, machine, date, n (test
    sets a row), draws (of each), share (of positive rows), metric}. A row: way, truth (the true value), positives (positive test rows),
    covered (share of the test sets whose interval holds the truth; 0.95 is aimed at), below and above (share whose truth lies
    below and above it), width (mean), none (share without an interval).
    """
    if not FILE.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"{FILE.name} cannot be read ({error}); write it anew with `python -m engine coverage`.") from None
    return found


def find_covered(table: dict[str, Any], way: str) -> dict[int, float]:
    """The share of test sets whose interval holds the truth, by the number of positive rows: mean over the true values."""
    out: dict[int, list[float]] = {}
    for row in table["rows"]:
        if row["way"] == way:
            out.setdefault(row["positives"], []).append(row["covered"])
    return {positives: sum(values) / len(values) for positives, values in out.items()}
