"""How a comparison split its rows, what its intervals cover, and how much better a random split reads: the section of the report, the
lines at the terminal, and the split in the code that is taken away.

Names of columns come from the data and are escaped. Results of earlier versions lack these keys: the section is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.report import page as doc
from engine.report import words
from engine.report.leaderboard import positive_class
from engine.text import html as safe
from engine.text import one_line

PARTS = ("train", "valid", "test")
SHOWN_PARTS = 10
"""Folds or origins in the table."""


def write_split(comparison: Mapping[str, Any]) -> str:
    """The section; empty for a comparison that does not say how its rows were split."""
    split = comparison.get("split")
    if not isinstance(split, Mapping):
        return ""
    by_time = str(split.get("kind", "")).startswith("time")
    unit = "days" if split.get("unit") == "days" else "units of the column"
    facts = [
        ("Kind", safe(words.SPLIT_KINDS.get(split.get("kind", ""), split.get("kind", "")))),
        ("When a row happens", doc.html_name(split["time"]) if split.get("time") else ""),
        ("Whom it belongs to", doc.html_name(split["group"]) if split.get("group") else ""),
        ("Delay between the parts", f"{float(split.get('delay') or 0):g} {unit}" if by_time else ""),
    ]
    out = doc.html_facts(facts) + _write_parts(comparison, split)
    if notes := [safe(note, 300) for note in split.get("notes") or ()]:
        out += doc.html_list(notes)
    if covers := comparison.get("interval_covers"):
        out += f"<p>{words.INTERVALS.format(kind=safe(comparison.get('interval')))} {safe(covers, 300)}</p>"
    optimism = comparison.get("optimism")
    if isinstance(optimism, Mapping) and optimism.get("text"):
        out += f"<h3>{words.OPTIMISM}</h3><p>{safe(optimism['text'], 400)}</p>" + doc.html_how(words.OPTIMISM_HOW)
    return out


def _write_parts(comparison: Mapping[str, Any], split: Mapping[str, Any]) -> str:
    """A table: a row for each part of each fold or origin."""
    classes = list((comparison.get("data") or {}).get("classes") or ())
    sought = positive_class(comparison)
    place = classes.index(sought) if sought in classes else None
    rows = []
    parts = split.get("parts") or ()
    for number, one in enumerate(parts[:SHOWN_PARTS], 1):
        for name in PARTS:
            part = one[name]
            found = "" if place is None else doc.format_count(part["counts"][place])
            ends = "" if part.get("from") is None else f"{safe(_show(part['from']))} \N{EN DASH} {safe(_show(part['to']))}"
            rows.append([f"{number}: {words.SPLIT_PARTS[name]}", doc.format_count(part["rows"]), found, ends])
    head = ["Part", "Rows", "Class to find", "From, to"]
    table = doc.html_table(words.SPLIT_TABLE, head, rows, texts=(3,)) if rows else ""
    return table + doc.html_more(len(parts), SHOWN_PARTS, "folds")


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def summarise_split(comparison: Mapping[str, Any]) -> list[str]:
    """Lines for the terminal; none for a comparison that does not say how its rows were split, or split them at random."""
    split = comparison.get("split")
    if not isinstance(split, Mapping) or split.get("kind") == "random":
        return []
    out = [one_line(note, 300) for note in split.get("notes") or ()]
    if covers := comparison.get("interval_covers"):
        out.append(f"Intervals: {covers[:1].lower()}{one_line(covers[1:], 300)}")
    if (optimism := comparison.get("optimism")) and optimism.get("text"):
        out.append(one_line(optimism["text"], 400))
    return out


# ---- in the code that is taken away


def is_random(comparison: Mapping[str, Any]) -> bool:
    """Whether rows were split at random; comparisons of before were."""
    split = comparison.get("split")
    return not isinstance(split, Mapping) or split.get("kind", "random") == "random"


def list_columns(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `to_dataset`: the columns with a meaning of their own that the comparison was given."""
    spec = comparison.get("spec") or {}
    fields = {"time": "time", "group": "group", "cost": "cost_column", "score": "score_column", "keep": "keep"}
    return {name: tuple(v) if isinstance(v, list) else v for name, field in fields.items() if (v := spec.get(field))}


def write_arguments(comparison: Mapping[str, Any]) -> str:
    """The same as Python, behind the target and the class: ", time='day', group='card'"."""
    return "".join(f", {name}={value!r}" for name, value in list_columns(comparison).items())


def write_plan(comparison: Mapping[str, Any]) -> list[str]:
    """Lines that make `plan`, which splits `rows` as the comparison did, from `data` and `rows`; none for a random split."""
    if is_random(comparison):
        return []
    split = comparison["split"]
    return [
        "rows = replace(rows, order=data.order, is_date=data.is_date, owner=data.owner)",
        f"plan = plan_split(rows, spec, {split['kind']!r}, {float(split.get('delay') or 0)!r})",
    ]
