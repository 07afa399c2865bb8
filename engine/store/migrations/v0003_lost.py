"""Schema 5: how often a job was queued anew because its machine was lost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column; no job of that age was lost."""
    op.add_column("jobs", sa.Column("lost", sa.Integer, nullable=False, server_default="0"))
