"""`python -m engine serve`: the engine process."""

from __future__ import annotations

import argparse

from engine.commands.arguments import add_store

NAME = "serve"
HELP = "the engine process: take jobs from the store and run them"
ORDER = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs until it is stopped."""
    from engine.service import serve

    serve(arguments.store)
    return 0
