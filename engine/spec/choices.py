"""Everything that a comparison on a table can be asked to compare, with the reason where it cannot run there. Imports no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.spec.contest import INSTALLED
from engine.spec.limits import count_validation_rows, explain_few_valid

TREES = "Gradient-boosted trees, from a package of its own."
ABOUT = {
    "lightgbm": (TREES, "Ke et al. 2017"),
    "xgboost": (TREES, "Chen and Guestrin 2016"),
    "catboost": (TREES, "Prokhorenkova et al. 2018"),
    "tabpfn": ("A network that was trained on made tables and reads a new one as it is.", "Hollmann et al. 2025"),
}
"""Model that a person installs -> what it is, and whose."""


@dataclass(frozen=True)
class Choice:
    """A method for tables, as the catalog has it. why: why it cannot run on this table, one sentence; '' where it can."""

    name: str
    title: str
    family: str
    summary: str
    source: str
    why: str = ""


def list_choices(catalog: Mapping[str, Any], counts: Sequence[int], installed: Mapping[str, str]) -> tuple[list[Choice], int]:
    """(every method for tables, models that a person installs among them; how many methods take images alone).

    counts: rows of each class of the table. installed: `engine.spec.contest.find_installed`.
    """
    kept = [entry for entry in catalog["methods"] if "tabular" in entry["kinds"]]
    out = [
        Choice(entry["name"], entry["title"], entry["family"], entry["summary"], entry["source"], _explain(entry, counts))
        for entry in kept
        if entry["ranked"]
    ]
    for name, title in INSTALLED.items():
        there = name in installed
        why = "" if there else "Not here with its weights." if name == "tabpfn" else "Not installed here."
        does, whose = ABOUT[name]
        out.append(Choice(name, f"{title} {installed[name]}" if there else title, "model", does, whose, why))
    return out, len(catalog["methods"]) - len(kept)


def _explain(entry: Mapping[str, Any], counts: Sequence[int]) -> str:
    """Why a method of the catalog cannot run on a table of so many rows of each class, split at random."""
    most, least = entry.get("most_classes"), entry.get("least_valid")
    if most is not None and len(counts) > most:
        return f"It takes {most} classes at most; this table has {len(counts)}."
    if least is not None and (few := count_validation_rows(min(counts))) < least:
        return explain_few_valid(few, least)
    for module in entry.get("needs") or ():
        package = module.partition(".")[0]
        if importlib.util.find_spec(package) is None:  # nothing is imported
            return f"Its module {package} is not installed here."
    return ""
