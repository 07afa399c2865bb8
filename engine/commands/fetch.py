"""`python -m engine fetch`: brings a dataset onto this machine."""

from __future__ import annotations

import argparse

from engine.commands.progress import say

NAME = "fetch"
HELP = "bring a dataset onto this machine"
ORDER = 70


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("name")


def run(arguments: argparse.Namespace) -> int:
    """Prints each step. Raises UnknownName, BadParameter, BadData, DataMissing."""
    from engine.data.sources import fetch

    fetch(arguments.name, say=say)
    return 0
