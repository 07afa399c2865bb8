"""Schema 8: the keys of private tables, on PostgreSQL alone. Rows of an UNLOGGED table are in no write-ahead log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table, empty: no private table was taken in before."""
    if op.get_bind().dialect.name == "postgresql":
        id = sa.Column("id", sa.Text(collation="C"), primary_key=True)
        op.create_table("keys", id, sa.Column("key", sa.LargeBinary, nullable=False), prefixes=["UNLOGGED"])
