"""A table on its way into the store, with the limits on its size and time."""

from __future__ import annotations

import hashlib
import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadData, BadInput, TooLarge, TooSlow
from engine.spec.table_limits import MAX_BYTES
from engine.store.database import Database
from engine.store.forgetting import ARRIVAL, delete_upload, purge
from engine.store.quotas import check_bytes
from engine.store.schema import PIECES, UPLOADS

MAX_TOTAL = 4 << 30
"""Bytes of everybody's tables together."""
PIECE = 1 << 20
"""Bytes of an arriving table that are in memory at once."""


class UploadWriter:
    """Writes a table into the store piece by piece as it arrives; this process keeps none of it.

    Raises TooLarge, TooSlow, BadData where it is empty, and BadInput where it was forgotten meanwhile; then nothing of
    it is left in the store. QuotaReached where it is too much for its owner. `abandon` it if its sender goes away.
    """

    def __init__(self, database: Database, id: str, owner: str) -> None:
        self._database, self.id, self._owner = database, id, owner
        self._digest = hashlib.sha256()
        self._piece = bytearray()
        self._size = self._pieces = 0
        self._end = time.monotonic() + ARRIVAL

    def write(self, data: bytes) -> None:
        """Add the next bytes."""
        try:
            self._size += len(data)
            check_size(self._size)
            self._digest.update(data)
            for start in range(0, len(data), PIECE):
                self._piece += data[start : start + PIECE]
                if len(self._piece) >= PIECE:
                    self._save_piece()
        except BaseException:
            self.abandon()
            raise

    def finish(self) -> str:
        """Save what is left; returns the upload's id."""
        try:
            if not self._size:
                raise BadData("The file is empty: choose one with a table in it.")
            self._save_piece(whole=True)
        except BaseException:
            self.abandon()
            raise
        return self.id

    def abandon(self) -> None:
        """Delete what was saved."""
        self._piece.clear()
        if any(delete_upload(self._database, self._owner, self.id)):
            purge(self._database)

    def _save_piece(self, whole: bool = False) -> None:
        if time.monotonic() > self._end:
            raise TooSlow(too_slow())
        data = bytes(self._piece)
        self._piece.clear()

        def save(connection: Connection) -> None:
            check_room(connection, len(data))
            check_bytes(connection, self._owner, len(data))
            values = {"size": self._size, "whole": int(whole), "digest": self._digest.hexdigest() if whole else ""}
            if not connection.execute(UPLOADS.update().where(UPLOADS.c.id == self.id).values(**values)).rowcount:
                raise BadInput("The table was forgotten while it arrived; send it again.")
            pad = self._database.pad_private(b"", self._owner)
            sealed = self._database.seal_data(connection, data, self.id, ("pieces", "data", self.id, self._pieces))
            connection.execute(PIECES.insert(), {"upload": self.id, "n": self._pieces, "pad": pad, "data": sealed})

        self._database.write(save)
        self._pieces += 1


def check_size(size: int) -> None:
    """Raises TooLarge for a table of more than MAX_BYTES."""
    if size > MAX_BYTES:
        raise TooLarge(
            f"The file has more than {MAX_BYTES >> 20} MiB, and no more are taken: send a sample of its rows, or zip it."
        )


def check_room(connection: Connection, size: int) -> None:
    """Raises BadInput where `size` more bytes would be more than MAX_TOTAL."""
    total = connection.execute(sa.select(sa.func.coalesce(sa.func.sum(UPLOADS.c.size), 0))).scalar_one()
    if total + size > MAX_TOTAL:
        raise BadInput("This server holds as many tables as it can; try again in half an hour, when some have gone.")


def too_slow() -> str:
    """The sentence for a table that does not arrive."""
    return f"The file took more than {ARRIVAL / 60:.0f} minutes to arrive: send a smaller one, or zip it."
