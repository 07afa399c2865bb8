"""`python -m engine list`: the datasets or methods that there are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from engine.commands.progress import say

NAME = "list"
HELP = "list datasets or methods"
ORDER = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("what", choices=("datasets", "methods"))
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Prints a line for each, or the catalog's entries as JSON."""
    from engine.catalog import build_catalog

    catalog = build_catalog(live=True)
    entries = catalog[arguments.what]
    if arguments.json:
        print(json.dumps(entries))
        return 0
    for entry in entries:
        print(f"{entry['name']:<20} {entry['title']}: {entry['summary']}" if arguments.what == "methods" else _describe(entry))
    left = (
        catalog["unreadable"]
        if arguments.what == "datasets"
        else [line for line in catalog["unreadable"] if line.startswith("Plugin ")]
    )
    for sentence in left:
        say(sentence if sentence.startswith("Plugin ") else f"left out: {sentence}")
    return 0


def _describe(entry: Mapping[str, Any]) -> str:
    """A dataset in a line."""
    counts, tests = entry["counts"], entry["test_counts"]
    sizes = " / ".join(map(str, counts)) if len(counts) <= 10 else f"{len(counts)} classes of up to {max(counts)}"
    sizes += f" + {sum(tests)} test" if tests else ""
    if entry["parts"]:
        sizes += " in training" + "".join(f" + {sum(entry['parts'][part])} {part}" for part in ("valid", "test"))
    here = "" if entry["available"] else f"  not here: {entry['how_to_get']}"
    name = f"{entry['name']:<26} {entry['kind']:<8}"
    return f"{name} {entry['rows']:>6} rows, {entry['features']:>3} features, {sizes} ({entry['ratio']:.1f}:1){here}"
