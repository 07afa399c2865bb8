"""Schema 3: the tables of the last version without Alembic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.schema import PublicSpecColumn

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on either database."""
LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Numbers that may need more than 32 bits."""
TABLES = sa.MetaData()
"""These tables, also for files of schema 1 and 2 (`engine.store.sqlite`)."""
sa.Table("meta", TABLES, sa.Column("key", TEXT, primary_key=True), sa.Column("value", TEXT, nullable=False))
JOBS = sa.Table(
    "jobs",
    TABLES,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("spec", TEXT, nullable=False),
    sa.Column("fingerprint", TEXT, nullable=False),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("owner", TEXT),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("device", TEXT, nullable=False),
    sa.Column("timeout_s", sa.Float),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("done", LONG, nullable=False),
    sa.Column("total", LONG, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("engine", TEXT),
    sa.Column("cancel", sa.Integer, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("upload", TEXT),
    sa.Column("dataset", TEXT, PublicSpecColumn("dataset", "source.dataset")),
    sa.Column("method", TEXT, PublicSpecColumn("method", "technique")),
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
    sa.Index("jobs_by_owner", "owner", "upload"),
    sa.Index("jobs_listed", "kind", "dataset", "method", "state", "created", "id", "owner", "upload"),
)
sa.Table(
    "events",
    TABLES,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
)
sa.Table(
    "results",
    TABLES,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
sa.Table(
    "artifacts",
    TABLES,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pad", sa.Integer, nullable=False, server_default="0"),
)
UPLOADS = sa.Table(
    "uploads",
    TABLES,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("owner", TEXT, nullable=False),
    sa.Column("size", LONG, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("whole", sa.Integer, nullable=False),
    sa.Column("digest", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("uploads_by_owner", "owner"),
)
PIECES = sa.Table(
    "pieces",
    TABLES,
    sa.Column("upload", TEXT, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("pad", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
OWNERS = sa.Table("owners", TABLES, sa.Column("owner", TEXT, primary_key=True), sa.Column("seen", sa.Float, nullable=False))
BOOKMARKS = sa.Table(
    "marks",
    TABLES,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("owner", TEXT, primary_key=True),
    sa.Column("pinned", sa.Integer, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("marks_by_owner", "owner", "pinned"),
)
SWEEPS = sa.Table(
    "sweeps",
    TABLES,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("sweeps_by_age", "created"),
)
sa.Table("catalog", TABLES, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", TEXT, nullable=False))
sa.Table(
    "engines",
    TABLES,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", TEXT, nullable=False),
)


FUNCTION = """
CREATE FUNCTION json_extract(text, text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql
AS $$ SELECT jsonb_path_query_first($1::jsonb, $2::jsonpath) #>> '{}' $$
"""
"""SQLite's function of that name, for PostgreSQL."""


def upgrade() -> None:
    """Create the tables in an empty database."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(FUNCTION)
    TABLES.create_all(op.get_bind())
