"""Schema 4: ended sign-ins, who asked for jobs, seconds of engines that people used, what admins did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create four tables."""
    op.create_table(
        "signed_out",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("sign_in", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table("askers", sa.Column("job", sa.Text, primary_key=True), sa.Column("person", sa.Text, nullable=False))
    op.create_index("askers_by_person", "askers", ["person"])
    op.create_table(
        "spent",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_index("spent_by_person", "spent", ["person", "at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("admin", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
