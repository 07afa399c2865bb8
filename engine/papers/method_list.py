"""Every method that the three papers use or name, and whether it runs here. No torch here."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "published" / "methods.csv"
RUNS, PRINTED, ABSENT = "runs here", "printed only", "not built"
STATES = (RUNS, PRINTED, ABSENT)


@dataclass(frozen=True)
class MethodRow:
    """One row. papers: which papers have it; where: in their tables, sections and figures; method: its name in the catalog, '' without.

    how: with which setting, or on which page, it runs here. state: one of STATES.
    """

    name: str
    papers: str
    where: str
    method: str
    how: str
    state: str


def list_methods(catalog: Mapping[str, Any]) -> list[MethodRow]:
    """Return all rows, in the order of the papers. What the catalog lacks does not run here."""
    known = {entry["name"] for entry in catalog["methods"]}
    out = []
    for row in _read():
        here = row["method"] in known or (not row["method"] and bool(row["how"]))
        state = RUNS if here else PRINTED if row["printed"] else ABSENT
        out.append(
            MethodRow(
                row["name"], row["papers"], row["where"], row["method"] if here else "", row["how"] if here else "", state
            )
        )
    return out


@cache
def _read() -> tuple[dict[str, str], ...]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
