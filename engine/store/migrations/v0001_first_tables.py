"""Schema 3: the tables of the last version without Alembic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.schema import PublicSpecColumn

revision = "0001"
down_revision = None

LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Numbers that may need more than 32 bits."""
TABLES = sa.MetaData()
"""These tables, also for files of schema 1 and 2 (`engine.store.sqlite`)."""
sa.Table("meta", TABLES, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
JOBS = sa.Table(
    "jobs",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("timeout_s", sa.Float),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("done", LONG, nullable=False),
    sa.Column("total", LONG, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("engine", sa.Text),
    sa.Column("cancel", sa.Integer, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("upload", sa.Text),
    sa.Column("dataset", sa.Text, PublicSpecColumn("dataset", "source.dataset")),
    sa.Column("method", sa.Text, PublicSpecColumn("method", "technique")),
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
    sa.Index("jobs_by_owner", "owner", "upload"),
    sa.Index("jobs_listed", "kind", "dataset", "method", "state", "created", "id", "owner", "upload"),
)
sa.Table(
    "events",
    TABLES,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
)
sa.Table(
    "results",
    TABLES,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
sa.Table(
    "artifacts",
    TABLES,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pad", sa.Integer, nullable=False, server_default="0"),
)
UPLOADS = sa.Table(
    "uploads",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("size", LONG, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("whole", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("uploads_by_owner", "owner"),
)
PIECES = sa.Table(
    "pieces",
    TABLES,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("pad", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
OWNERS = sa.Table("owners", TABLES, sa.Column("owner", sa.Text, primary_key=True), sa.Column("seen", sa.Float, nullable=False))
BOOKMARKS = sa.Table(
    "marks",
    TABLES,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("pinned", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("marks_by_owner", "owner", "pinned"),
)
SWEEPS = sa.Table(
    "sweeps",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("sweeps_by_age", "created"),
)
sa.Table("catalog", TABLES, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", sa.Text, nullable=False))
sa.Table(
    "engines",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)


def upgrade() -> None:
    """Create the tables in an empty database."""
    TABLES.create_all(op.get_bind())
