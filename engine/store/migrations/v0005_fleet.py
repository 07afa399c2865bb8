"""Schema 7: what each engine can run, when it was asked to end, and the version of the numbers that a job is asked for with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on either database."""


def upgrade() -> None:
    """Add three columns. Jobs of that age go to an engine of any version."""
    op.add_column("engines", sa.Column("abilities", TEXT, nullable=False, server_default=""))
    op.add_column("engines", sa.Column("drain", sa.Float))
    op.add_column("jobs", sa.Column("numerics", sa.Integer))
