"""Schema 6: an index that tells the last event of a kind."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the index."""
    op.create_index("events_by_kind", "events", ["job", "kind", "seq"])
