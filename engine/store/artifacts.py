"""Artifacts: named bytes that belong to a job."""

from __future__ import annotations

import sqlalchemy as sa

from engine.errors import UnknownName
from engine.store.database import Database, Part, private_key, repeat_on_conflict
from engine.store.jobs import visible_to
from engine.store.schema import ARTIFACTS, JOBS
from engine.text import quote


class Artifacts(Part):
    """Named bytes that belong to a job."""

    @repeat_on_conflict
    def put_artifact(self, id: str, name: str, data: bytes) -> None:
        """Store an artifact of a job, replacing one of that name. Raises UnknownName where there is no such job."""
        with self.database.writing() as connection:
            row = connection.execute(sa.select(JOBS.c.owner, JOBS.c.upload).where(JOBS.c.id == id)).first()
            if row is None:
                raise UnknownName(f"no run is called {quote(id)} here.")
            key = private_key(row.owner, row.upload, id)
            self.database.upsert(connection, ARTIFACTS, self.database.artifact_row(connection, id, name, data, key))

    def artifact(self, id: str, name: str, *, owner: str | None = None) -> bytes | None:
        """The artifact's bytes, None where there is none."""
        return read_artifact(self.database, id, name, owner)

    def artifacts(self, id: str, *, owner: str | None = None) -> list[str]:
        """Names of the artifacts, sorted."""
        query = sa.select(ARTIFACTS.c.name).join(JOBS, JOBS.c.id == ARTIFACTS.c.job).order_by(ARTIFACTS.c.name)
        with self.database.reading() as connection:
            return list(connection.execute(query.where(ARTIFACTS.c.job == id, visible_to(owner))).scalars())


def read_artifact(database: Database, id: str, name: str, owner: str | None) -> bytes | None:
    """The bytes of an artifact that `owner` may see, None where there is none."""
    query = sa.select(database.artifact_bytes, JOBS.c.owner, JOBS.c.upload).join(JOBS, JOBS.c.id == ARTIFACTS.c.job)
    with database.reading() as connection:
        row = connection.execute(query.where(ARTIFACTS.c.job == id, ARTIFACTS.c.name == name, visible_to(owner))).first()
        if row is None:
            return None
        key = private_key(row.owner, row.upload, id)
        return database.open_data(connection, bytes(row.data), key, ("artifacts", "data", id, name))
