"""Sweeps that were started, on public datasets. Their cells are jobs like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.spec.run import canonical_json
from engine.store.bookmarks import clean_title
from engine.store.database import Part, repeat_on_conflict
from engine.store.schema import SWEEPS


@dataclass(frozen=True)
class Sweep:
    """A sweep that was started. spec: `engine.sweep.SweepSpec` as JSON. created: unix seconds, of the last start."""

    id: str
    spec: dict[str, Any]
    created: float
    name: str = ""


class Sweeps(Part):
    """Sweeps that were started."""

    @repeat_on_conflict
    def keep_sweep(self, spec: Mapping[str, Any], name: str = "") -> str:
        """Record a sweep that was started (`SweepSpec.to_json()`), or started again. Returns its id, 16 of 0-9a-f."""
        text = canonical_json(spec)
        id = hashlib.sha256(f"sweep {text}".encode()).hexdigest()[:16]
        row = {"id": id, "words": text, "created": self.database.clock, "name": clean_title(name)}
        with self.database.writing() as connection:
            self.database.upsert(connection, SWEEPS, row)
        return id

    def sweeps(self, limit: int = 20) -> list[Sweep]:
        """The sweeps that were started, newest first."""
        query = sa.select(SWEEPS).order_by(SWEEPS.c.created.desc(), SWEEPS.c.id).limit(limit)
        with self.database.reading() as connection:
            return [_sweep_from_row(row) for row in connection.execute(query)]


def read_sweeps(connection: Connection, ids: Collection[str]) -> list[Sweep]:
    """The sweeps with these ids, in no order."""
    query = sa.select(SWEEPS).where(SWEEPS.c.id.in_(ids))
    return [_sweep_from_row(row) for row in connection.execute(query)] if ids else []


def _sweep_from_row(row: Any) -> Sweep:
    return Sweep(row.id, json.loads(row.words), row.created, row.name)
