"""Bookmarks: the name that a person gives a job or sweep, and whether it is pinned to the top of their list.

A bookmark belongs to who made it: others see the run without it. It is deleted with the run. The name of a private run is padded or
sealed as the run itself is (`Database.seal_words`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, UnknownName
from engine.store.database import Database, Part, private_key, repeat_on_conflict
from engine.store.forgetting import purge, request_purge
from engine.store.jobs import visible_to
from engine.store.schema import BOOKMARKS, JOBS, SWEEPS
from engine.store.sealing import MARK, Place
from engine.text import one_line, quote

MAX_NAME = 80
"""Characters of a name that a person gives a run."""


@dataclass(frozen=True)
class Bookmark:
    """name: '' for none. pinned: whether the run stays on top of the list."""

    name: str = ""
    pinned: bool = False


class Bookmarks(Part):
    """Names and pins of jobs and sweeps."""

    @repeat_on_conflict
    def bookmark(self, id: str, owner: str | None, name: str | None = None, pinned: bool | None = None) -> Bookmark:
        """Name a job or sweep, or pin it; what is None stays as it is. Returns what is stored.

        Raises UnknownName where there is none, or it is somebody else's, and BadInput for a name that is too long.
        """
        new_name = None if name is None else clean_title(name)
        whose = owner or ""
        with self.database.writing() as connection:
            private = find_key(connection, id, owner)
            one = (BOOKMARKS.c.job == id) & (BOOKMARKS.c.owner == whose)
            row = connection.execute(sa.select(BOOKMARKS.c.pinned, BOOKMARKS.c.name).where(one)).first()
            known = "" if row is None else self.database.open_words(connection, row.name, private, _place(id)).lstrip(" ")
            before = Bookmark() if row is None else Bookmark(known, bool(row.pinned))
            after = Bookmark(before.name if new_name is None else new_name, before.pinned if pinned is None else pinned)
            if after == Bookmark():
                connection.execute(BOOKMARKS.delete().where(one))
            else:
                values = {"job": id, "owner": whose, "pinned": int(after.pinned)}
                values |= {"name": self.database.seal_words(connection, after.name, private, _place(id))}
                self.database.upsert(connection, BOOKMARKS, values)
            is_replaced = private is not None and before.name not in ("", after.name)
            if is_replaced:
                request_purge(self.database, connection)
        if is_replaced:
            purge(self.database)
        return after

    def bookmarks(self, owner: str | None) -> dict[str, Bookmark]:
        """All bookmarks of this owner, by the id of the job or sweep."""
        query = sa.select(BOOKMARKS.c.job, BOOKMARKS.c.pinned, BOOKMARKS.c.name).where(BOOKMARKS.c.owner == (owner or ""))
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
            names = open_names(self.database, connection, {row.job: row.name for row in rows})
        return {row.job: Bookmark(names[row.job], bool(row.pinned)) for row in rows}


def open_names(database: Database, connection: Connection, names: Mapping[str, str]) -> dict[str, str]:
    """Names of bookmarks by the id of their job or sweep, opened where they are sealed."""
    out = {id: name.lstrip(" ") for id, name in names.items()}
    if sealed := [id for id, name in out.items() if name.startswith(MARK)]:
        for row in connection.execute(sa.select(JOBS.c.id, JOBS.c.owner, JOBS.c.upload).where(JOBS.c.id.in_(sealed))):
            key = private_key(row.owner, row.upload, row.id)
            out[row.id] = database.open_words(connection, out[row.id], key, _place(row.id))
    return out


def _place(id: str) -> Place:
    return "marks", "name", id, 0


def find_key(connection: Connection, id: str, owner: str | None) -> str | None:
    """The name of the key of a job (`private_key`), None for a public one or a sweep. Raises UnknownName where `owner` may not see it."""
    row = connection.execute(sa.select(JOBS.c.owner, JOBS.c.upload).where(JOBS.c.id == id, visible_to(owner))).first()
    if row is not None:
        return private_key(row.owner, row.upload, id)
    if connection.execute(sa.select(SWEEPS.c.id).where(SWEEPS.c.id == id)).first() is None:
        raise UnknownName(f"nothing is called {quote(id)} here; it may have been deleted, or belong to another browser.")
    return None


def clean_title(name: str) -> str:
    """A name as one visible line. Raises BadInput where it is too long."""
    shown = one_line(name)
    if len(shown) > MAX_NAME:
        raise BadInput(f"A name may have {MAX_NAME} characters, and this one has {len(shown)}.")
    return shown
