"""`python -m engine example`: computes a bundled example of the gallery."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.commands.progress import say

NAME = "example"
HELP = "compute a bundled example anew, and its card in the gallery"
ORDER = 90


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("name")
    parser.add_argument("--to", type=Path, required=True, help="the bundle to write, such as app/examples/moons.zip")
    parser.add_argument(
        "--cards", action="store_true", help="train nothing; only read all cards of that folder anew from their bundles"
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the bundle and its card, or with --cards the cards of that folder alone."""
    from engine.examples.index import write_index
    from engine.examples.record import record_example

    if arguments.cards:
        write_index(arguments.to.parent)
    else:
        record_example(arguments.name, arguments.to, say)
    return 0
