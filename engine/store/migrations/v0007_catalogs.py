"""Schema 9: the catalog of each engine, beside the one that was published last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on either database."""


def upgrade() -> None:
    """Add a table; an engine that lives fills it as it starts the next time."""
    op.create_table(
        "catalogs",
        sa.Column("digest", TEXT, primary_key=True),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("published", sa.Float, nullable=False),
    )
