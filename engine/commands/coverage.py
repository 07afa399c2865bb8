"""`python -m engine coverage`: simulates how often the intervals of one split hold the true value."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.commands.progress import say
from engine.errors import BadParameter

NAME = "coverage"
HELP = "simulate how often the intervals of one split hold the true value, and write the table that Papers shows"
ORDER = 95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("--sets", type=int, default=500, help="test sets a cell (default: 500)")
    parser.add_argument("--to", type=Path, help="another file than the product's")


def run(arguments: argparse.Namespace) -> int:
    """Writes the table."""
    from engine.papers.coverage import FILE
    from engine.reproduce.coverage import measure_coverage, write_coverage

    if arguments.sets < 1:
        raise BadParameter(f"--sets {arguments.sets}: must be at least 1.")
    write_coverage(arguments.to or FILE, measure_coverage(arguments.sets, say))
    return 0
