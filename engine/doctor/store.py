"""The store: it opens, can be written, and its server does not log what rows hold."""

from __future__ import annotations

import os
from collections.abc import Iterator

from engine.doctor import NOTE, OK, WRONG, Finding, Machine
from engine.store import Store

ORDER = 10
TITLE = "store"
SETTINGS = {
    "log_error_verbosity": ("terse", "quotes rows in its log"),
    "log_min_error_statement": ("panic", "quotes rows in its log"),
    "log_statement": ("none", "logs statements"),
    "log_min_duration_statement": ("-1", "logs slow statements"),
    "log_parameter_max_length": ("0", "logs parameters of statements"),
    "log_parameter_max_length_on_error": ("0", "logs parameters of statements that fail"),
}
"""Settings of a PostgreSQL server that holds private tables: name -> (value, what the server does with another one)."""


class _Undo(Exception):
    """Rolls a transaction back."""


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    store = machine.store
    if store is None:
        assert machine.file is not None
        folder = machine.file.parent
        if not folder.is_dir():
            yield Finding(WRONG, f"the folder {folder} of the store is missing", "make it, or set LAB_STORE to another place")
        elif not os.access(folder, os.W_OK):
            yield Finding(
                WRONG, f"{folder} cannot be written", "give this user the right to, or set LAB_STORE to another place"
            )
        else:
            yield Finding(OK, f"{machine.file} will be made by the first page or engine")
        return
    try:
        with store.database.writing():  # waits for others that write, as any verb does
            raise _Undo
    except _Undo:
        pass
    counts, _ = store.count_states()
    yield Finding(OK, f"{store.database.place} can be read and written; it holds {sum(counts.values())} jobs")
    if machine.file is None:
        yield from look_at_server(store)


def look_at_server(store: Store) -> Iterator[Finding]:
    """What a PostgreSQL server is set to that may write private words down."""
    with store.database.reading() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in SETTINGS}
        libraries = str(connection.exec_driver_sql("SHOW shared_preload_libraries").scalar_one())
    yield Finding(OK, f"PostgreSQL {version}")
    for name, (wanted, harm) in SETTINGS.items():
        if found[name] != wanted:
            yield Finding(NOTE, f"the server {harm} ({name} = {found[name]})", f"set {name} = {wanted} in postgresql.conf")
    for library in ("auto_explain", "pg_stat_statements"):
        if library in libraries:
            yield Finding(
                NOTE, f"the server has {library}, which keeps texts of statements", "leave it out of shared_preload_libraries"
            )
