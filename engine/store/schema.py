"""Tables of the store. JSON is text and arrays are npz; nothing is unpickled."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA = 3


class PublicSpecField(sa.ColumnElement[str]):
    """The first of these JSON paths that `spec` has, NULL for a private job. The database's module compiles it."""

    inherit_cache = False

    def __init__(self, *paths: str) -> None:
        self.paths = paths


METADATA = sa.MetaData()
FACTS = sa.Table("meta", METADATA, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
JOBS = sa.Table(
    "jobs",
    METADATA,
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
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("engine", sa.Text),
    sa.Column("cancel", sa.Integer, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("upload", sa.Text),
    sa.Column("dataset", sa.Text, sa.Computed(PublicSpecField("dataset", "source.dataset"), persisted=False)),
    sa.Column("method", sa.Text, sa.Computed(PublicSpecField("method", "technique"), persisted=False)),
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
    sa.Index("jobs_by_owner", "owner", "upload"),
    sa.Index("jobs_listed", "kind", "dataset", "method", "state", "created", "id", "owner", "upload"),
)
"""What follows `spec` in this order is sealed with it, `reason` among them. `dataset` and `method` are read out of it, so that
lists are made of an index alone. Of a private job they are NULL: an index is not sealed. Its `upload` names its dataset, and
`method_of` reads its method."""
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
)
RESULTS = sa.Table(
    "results",
    METADATA,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
ARTIFACTS = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pad", sa.Integer, nullable=False, server_default="0"),
)
"""pad: bytes before the data."""
UPLOADS = sa.Table(
    "uploads",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("whole", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("uploads_by_owner", "owner"),
)
"""whole: 0 while it arrives. digest: SHA-256 of the bytes. name: sealed."""
PIECES = sa.Table(
    "pieces",
    METADATA,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("pad", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""The bytes of an upload in order."""
OWNERS = sa.Table(
    "owners", METADATA, sa.Column("owner", sa.Text, primary_key=True), sa.Column("seen", sa.Float, nullable=False)
)
"""When those who own something were last heard of, unix seconds."""
BOOKMARKS = sa.Table(
    "marks",
    METADATA,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("pinned", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("marks_by_owner", "owner", "pinned"),
)
"""What somebody calls a job or sweep, and whether it stays on top of their list. owner: '' for who has no token. name: sealed where
the job is private."""
SWEEPS = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("sweeps_by_age", "created"),
)
"""Sweeps that were started, on public datasets. words: what was asked, as JSON; their cells are jobs like any other."""
CATALOG = sa.Table(
    "catalog", METADATA, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", sa.Text, nullable=False)
)
ENGINES = sa.Table(
    "engines",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)
JOB_TABLES = (EVENTS, RESULTS, ARTIFACTS)
"""What belongs to a job and goes with it."""
