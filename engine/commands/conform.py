"""`python -m engine conform`: checks that methods and datasets, mainly those of one's own folder, hold what the engine relies on."""

from __future__ import annotations

import argparse
import json

from engine.errors import BadParameter

NAME = "conform"
HELP = "check that methods and datasets, mainly those of LAB_PLUGINS, hold what the engine relies on"
ORDER = 65


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="methods or datasets (default: all of LAB_PLUGINS)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Prints a line for each check. 1 where one does not hold, or a file of the folder is left out. Raises UnknownName, BadParameter."""
    from engine import plugins
    from engine.catalog import build_catalog
    from engine.reproduce.conformance import check_dataset, check_method

    catalog, committed = build_catalog(live=True), build_catalog()
    there = {kind: [entry["name"] for entry in catalog[kind]] for kind in ("methods", "datasets")}
    usual = {entry["name"] for kind in there for entry in committed[kind]}
    own = [name for name in (*there["methods"], *there["datasets"]) if name not in usual and not name.startswith("images/")]
    names = arguments.names or own
    left_out = plugins.list_problems() if not arguments.names else []
    if not names and not left_out:
        raise BadParameter(f"{plugins.SETTING} adds no method or dataset; name one.")
    found = {name: dict((check_method if name in there["methods"] else check_dataset)(name)) for name in names}
    holds = not left_out and not any(wrong for checks in found.values() for wrong in checks.values())
    if arguments.json:
        print(json.dumps({"holds": holds, "checks": found, "left_out": left_out}))
    else:
        for name, checks in found.items():
            for what, wrong in checks.items():
                print(f"{name}: {what}: {wrong or 'holds'}")
        print("\n".join(left_out), end="\n" if left_out else "")
    return 0 if holds else 1
