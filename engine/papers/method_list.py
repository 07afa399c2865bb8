"""Every method that the three papers use or name, and whether it runs here. No torch here."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from engine.spec.run import find_entry

FILE = Path(__file__).parent / "published" / "methods.csv"
RUNS, PRINTED, NAMED = "runs here", "published value only", "named only"
STATES = (RUNS, PRINTED, NAMED)
LACKING = "This engine has no method of this name."
"""Why a row does not run whose method the catalog lacks."""
FIRST = {"points": "clusters", "tabular": "breast-cancer", "images": "digits"}
"""Kind of data -> the set that a link opens a method on, as far as the catalog has it. All of them come with the product."""
KINDS = {"Explicit gradient": ("points", "tabular", "images")}
"""Papers -> kinds of data in the order in which they suit it; the others are about images first."""


@dataclass(frozen=True)
class MethodRow:
    """One row. id: its number among the papers' rows. papers: which papers have it; where: in their tables, sections and figures.

    method: its name in the catalog, '' where it does not run by one. params: parameters that make it this row, name -> text as typed.
    page: name of the page where it runs without a method, and the words of its address. how: with which setting, or what it is, in words.
    state: one of STATES. reason: why it does not run, or what is left out of it, '' where nothing is.
    """

    id: str
    name: str
    papers: str
    where: str
    method: str
    how: str
    state: str
    reason: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    page: tuple[str, Mapping[str, str]] | None = None


def list_methods(catalog: Mapping[str, Any]) -> list[MethodRow]:
    """Return all rows, in the order of the papers. What the catalog lacks does not run here."""
    known = {entry["name"] for entry in catalog["methods"]}
    return [_make_row(row, known) for row in read_rows()]


def _make_row(row: Mapping[str, str], known: set[str]) -> MethodRow:
    here = row["method"] in known or bool(row["page"])
    state = RUNS if here else PRINTED if row["printed"] else NAMED
    told = (row["id"], row["name"], row["papers"], row["where"])
    if not here:
        return MethodRow(*told, method="", how="", state=state, reason=row["reason"] if row["state"] == "named" else LACKING)
    page, _, words = row["page"].partition("?")
    return MethodRow(
        *told,
        method=row["method"],
        how=row["how"],
        state=state,
        reason=row["reason"],
        params=dict(parse_qsl(row["set"])),
        page=(page, dict(parse_qsl(words))) if page else None,
    )


def make_link(row: MethodRow, catalog: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """Return the page that opens a row and the words of its address: the Lab with its method on data that suit it. None without one."""
    if row.page is not None:
        return row.page[0], dict(row.page[1])
    if not row.method:
        return None
    kinds = find_entry(catalog, "methods", row.method)["kinds"]
    usual = KINDS.get(row.papers, ("images", "tabular", "points"))
    sets = {entry["name"]: entry for entry in catalog["datasets"]}
    for kind in sorted(kinds, key=usual.index):
        first = FIRST[kind]
        dataset = first if first in sets else next((name for name, entry in sets.items() if entry["kind"] == kind), "")
        if dataset:
            given = {f"p.{name}": text for name, text in row.params.items()}
            return "lab", {"dataset": dataset, "method": row.method, **given}
    return None


@cache
def read_rows() -> tuple[dict[str, str], ...]:
    """Return the file's rows. state: `runs`, or `named` for what has no specification, with the reason."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
