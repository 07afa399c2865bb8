"""Schema 4: ended sign-ins, who asked for jobs, seconds of engines that people used, what admins did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on either database."""


def upgrade() -> None:
    """Create four tables."""
    op.create_table(
        "signed_out",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("sign_in", TEXT, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table("askers", sa.Column("job", TEXT, primary_key=True), sa.Column("person", TEXT, nullable=False))
    op.create_index("askers_by_person", "askers", ["person"])
    op.create_table(
        "spent",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_index("spent_by_person", "spent", ["person", "at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("admin", TEXT, nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
    )
