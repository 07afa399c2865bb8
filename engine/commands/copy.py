"""`python -m engine copy`: moves a store to another database, and checks every row."""

from __future__ import annotations

import argparse

NAME = "copy"
HELP = "copy a store to an empty one, on SQLite or PostgreSQL, and check every row"
ORDER = 95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("source", help="the URL of the store to copy; stop its page and engines first")
    parser.add_argument("target", help="the URL of an empty store, such as postgresql+psycopg://user@host/database")


def run(arguments: argparse.Namespace) -> int:
    """Prints each table with its rows and the SHA-256 that both stores have. Raises BadInput and StoreError."""
    from engine.store import Store
    from engine.store.copying import copy_store

    source, target = Store(arguments.source), Store(arguments.target)
    try:
        copied = copy_store(source.database, target.database)
    finally:
        source.close()
        target.close()
    for one in copied:
        print(f"{one.table:<12} {one.rows:>9,} rows  {one.digest[:16]}")
    print(f"copied {sum(one.rows for one in copied):,} rows to {target.database.place}; both hold the same.")
    return 0
