"""`python -m engine catalog`: what this engine can do, as JSON."""

from __future__ import annotations

import argparse

NAME = "catalog"
HELP = "print what this engine can do, as engine/catalog.json holds it"
ORDER = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("--write", action="store_true", help="write engine/catalog.json, after a method or dataset changed")


def run(arguments: argparse.Namespace) -> int:
    """Prints the catalog or writes it into its file."""
    from engine.catalog import FILE, build_catalog, text

    catalog = text(build_catalog())
    if arguments.write:
        FILE.write_text(catalog, encoding="utf-8", newline="")
    else:
        print(catalog, end="")
    return 0
