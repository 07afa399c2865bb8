"""People's own tables: who may send which, and who reads them.

A table belongs to the owner whose token sent it. Its rows in the store, and those of every job made from it, are padded
or sealed (`Database.seal_words`) and leave nothing behind when they are deleted (`engine.store.forgetting`).
"""

from __future__ import annotations

import io
import re
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, UnknownName, WrongType
from engine.spec import table_reading
from engine.store.arrival import UploadWriter, check_room, check_size
from engine.store.database import Database, Part, insert_row, repeat_on_conflict
from engine.store.forgetting import clear_loss, find_loss, touch_owner
from engine.store.quotas import check_bytes, check_tables
from engine.store.schema import PIECES, UPLOADS
from engine.store.sealing import KEY_GONE, Place
from engine.text import quote

MAX_NAME = 200
"""Characters of a file's name that are kept."""
ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".xlsx", ".xlsm", ".parquet", ".pq", ".zip", ".gz")
"""What the name of a table ends in, where it has an ending."""
READ = "CSV, TSV, TXT, Excel (.xlsx), Parquet, or a zip or gz of one of them"
"""What is read, in a sentence."""
_NO_TABLE = "no table is called {id} here; it may have been forgotten, or belong to another browser."
_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,7}")  # "sales 2024.03" has no ending


@dataclass(frozen=True)
class Upload:
    """What the store knows of a table besides its rows. size: bytes; created: unix seconds; digest: SHA-256 of the bytes."""

    id: str
    name: str
    size: int
    created: float
    digest: str = field(repr=False)


class Uploads(Part):
    """People's own tables. Who is not the owner finds nothing."""

    def add_upload(self, owner: str | None, name: str, data: bytes) -> str:
        """Store a table; returns its id. Raises as `begin_upload` and `UploadWriter`."""
        writer = self.begin_upload(owner, name)
        writer.write(data)
        return writer.finish()

    @repeat_on_conflict
    def begin_upload(self, owner: str | None, name: str, size: int | None = None) -> UploadWriter:
        """Begin to take in a table. size: bytes, where it is known.

        Raises BadInput without an owner or without room, QuotaReached, WrongType for a name that is no table's, TooLarge.
        """
        if not owner:
            raise BadInput("A table needs an owner: allow this site's cookie and load the page again.")
        self.database.refuse_private()
        name = clean_name(name)
        if (ending := PurePosixPath(name).suffix.lower()) not in ENDINGS and _ENDING.fullmatch(ending):
            raise WrongType(f"Files that end in {ending} are not read here; read are {READ}.")
        check_size(size or 0)
        id = secrets.token_hex(16)
        with self.database.writing() as connection:
            check_tables(connection, owner)
            check_bytes(connection, owner, size or 0)
            check_room(connection, size or 0)
            values = {"id": id, "owner": owner, "size": 0, "created": self.database.clock, "whole": 0, "digest": ""}
            self.database.make_key(connection, id)
            clear_loss(connection, owner)
            insert_row(connection, UPLOADS, {**values, "name": self.database.seal_words(connection, name, id, _name_place(id))})
            touch_owner(self.database, connection, owner)
        return UploadWriter(self.database, id, owner)

    def upload(self, id: str, owner: str | None) -> Upload:
        """Raises UnknownName where there is none, or it is somebody else's."""
        for upload in self.uploads(owner):
            if upload.id == id:
                return upload
        with self.database.reading() as connection:
            raise UnknownName(_missing(self.database, connection, id, owner))

    def uploads(self, owner: str | None) -> list[Upload]:
        """The owner's tables, newest first."""
        names = ("id", "name", "size", "created", "digest")
        query = sa.select(*(UPLOADS.c[n] for n in names)).where(UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(UPLOADS.c.created.desc(), UPLOADS.c.id)).all()
            names_by_id = {row.id: self._open_name(connection, row.id, row.name) for row in rows}
        return [Upload(row.id, names_by_id[row.id], row.size, row.created, row.digest) for row in rows]

    def read_upload(self, id: str, owner: str | None) -> tuple[str, bytes] | None:
        """(name, bytes) of a table for the worker that parses it; None where it was deleted, or is somebody else's."""
        one = sa.select(UPLOADS.c.name).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
        pieces = sa.select(PIECES.c.n, PIECES.c.data).where(PIECES.c.upload == id).order_by(PIECES.c.n)
        with self.database.reading() as connection:
            name: str | None = connection.execute(one).scalar()
            if name is None:
                return None
            name = self._open_name(connection, id, name)
            whole = io.BytesIO()  # grows as the pieces come: they are never kept beside it
            with connection.execution_options(stream_results=True).execute(pieces) as rows:
                for n, piece in rows:
                    whole.write(self.database.open_data(connection, piece, id, ("pieces", "data", id, n)))
            return name, whole.getvalue()

    def _open_name(self, connection: Connection, id: str, name: str) -> str:
        return self.database.open_words(connection, name, id, _name_place(id)).lstrip(" ")

    def list_existing(self, ids: Collection[str]) -> set[str]:
        """Those of these uploads that the store has."""
        with self.database.reading() as connection:
            return set(connection.execute(sa.select(UPLOADS.c.id).where(UPLOADS.c.id.in_(ids))).scalars())


def require_upload(database: Database, connection: Connection, id: str, owner: str | None) -> str:
    """The fingerprint of an owner's table: its digest, and the reader's version, so that nothing computed under another reading of
    it counts. Raises UnknownName where there is none, or it is somebody else's.
    """
    query = sa.select(UPLOADS.c.digest).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
    digest = connection.execute(query).scalar()
    if digest is None:
        raise UnknownName(_missing(database, connection, id, owner))
    return f"{digest} reader {table_reading.READER}"


def _missing(database: Database, connection: Connection, id: str, owner: str | None) -> str:
    """Why there is no such table, as a sentence."""
    return KEY_GONE if database.seals and owner and find_loss(connection, owner) else _NO_TABLE.format(id=quote(id))


def _name_place(id: str) -> Place:
    return "uploads", "name", id, 0


def clean_name(name: str) -> str:
    """A file's name as text: without folders, invisible and control characters, and not long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " if c.isspace() else "" for c in last)
    shown = " ".join(shown.split())
    if len(shown) > MAX_NAME:  # the ending says what the file is
        shown = shown[: MAX_NAME - 20] + "…" + shown[-19:]
    return shown or "table"
