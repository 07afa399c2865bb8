"""People's own tables: who may send which, and who reads them.

A table belongs to the owner whose token sent it. Its rows in the store, and those of every job made from it, are padded
(`Database.pad_private`) and leave nothing behind when they are deleted (`engine.store.forgetting`).
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
from engine.store.database import Part, insert_row
from engine.store.forgetting import touch_owner
from engine.store.quotas import check_bytes, check_tables
from engine.store.schema import PIECES, UPLOADS
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
            insert_row(connection, UPLOADS, {**values, "name": self.database.pad_private(name, owner)})
            touch_owner(self.database, connection, owner)
        return UploadWriter(self.database, id, owner)

    def upload(self, id: str, owner: str | None) -> Upload:
        """Raises UnknownName where there is none, or it is somebody else's."""
        for upload in self.uploads(owner):
            if upload.id == id:
                return upload
        raise UnknownName(_NO_TABLE.format(id=quote(id)))

    def uploads(self, owner: str | None) -> list[Upload]:
        """The owner's tables, newest first."""
        names = ("id", "name", "size", "created", "digest")
        query = sa.select(*(UPLOADS.c[n] for n in names)).where(UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(UPLOADS.c.created.desc(), UPLOADS.c.id)).all()
        return [Upload(row.id, row.name.lstrip(" "), row.size, row.created, row.digest) for row in rows]

    def read_upload(self, id: str, owner: str | None) -> tuple[str, bytes] | None:
        """(name, bytes) of a table for the worker that parses it; None where it was deleted, or is somebody else's."""
        one = sa.select(UPLOADS.c.name).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
        pieces = sa.select(PIECES.c.data).where(PIECES.c.upload == id).order_by(PIECES.c.n)
        with self.database.reading() as connection:
            name: str | None = connection.execute(one).scalar()
            if name is None:
                return None
            whole = io.BytesIO()  # grows as the pieces come: they are never kept beside it
            for piece in connection.execution_options(stream_results=True).execute(pieces).scalars():
                whole.write(piece)
            return name.lstrip(" "), whole.getvalue()

    def list_existing(self, ids: Collection[str]) -> set[str]:
        """Those of these uploads that the store has."""
        with self.database.reading() as connection:
            return set(connection.execute(sa.select(UPLOADS.c.id).where(UPLOADS.c.id.in_(ids))).scalars())


def require_upload(connection: Connection, id: str, owner: str | None) -> str:
    """The fingerprint of an owner's table: its digest, and the reader's version, so that nothing computed under another reading of
    it counts. Raises UnknownName where there is none, or it is somebody else's.
    """
    query = sa.select(UPLOADS.c.digest).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
    digest = connection.execute(query).scalar()
    if digest is None:
        raise UnknownName(_NO_TABLE.format(id=quote(id)))
    return f"{digest} reader {table_reading.READER}"


def clean_name(name: str) -> str:
    """A file's name as text: without folders, invisible and control characters, and not long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " if c.isspace() else "" for c in last)
    shown = " ".join(shown.split())
    if len(shown) > MAX_NAME:  # the ending says what the file is
        shown = shown[: MAX_NAME - 20] + "…" + shown[-19:]
    return shown or "table"
