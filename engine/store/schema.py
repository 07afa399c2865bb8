"""Tables of the store. JSON is text and arrays are npz; nothing is unpickled.

Who adds a table or a column adds a file to `engine.store.migrations` too, for the databases that are there already.
"""

from __future__ import annotations

import sqlalchemy as sa

from engine.version import NUMERICS


class PublicSpecField(sa.ColumnElement[str]):
    """The value at the first of these paths that the JSON text `spec` has; NULL for a private job.

    A database's module compiles it (`sqlalchemy.ext.compiler`), as `engine.store.sqlite` does.
    """

    inherit_cache = False

    def __init__(self, *paths: str) -> None:
        self.paths = paths


class PublicSpecColumn(sa.Computed):
    """A column computed from the JSON text `spec` as `PublicSpecField` says: when it is read, or where the database cannot when it
    is written.
    """

    def __init__(self, *paths: str) -> None:
        super().__init__(PublicSpecField(*paths), persisted=False)


TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on either database."""
LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Whole numbers that may need more than 32 bits. SQLite has one type for all."""
METADATA = sa.MetaData()
REVISIONS = sa.Table(
    "alembic_version",
    METADATA,
    sa.Column("version_num", sa.String(32)),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own: the last file of `engine.store.migrations` that this database has seen."""
FACTS = sa.Table("meta", METADATA, sa.Column("key", TEXT, primary_key=True), sa.Column("value", TEXT, nullable=False))
"""The schema's version, and the request to empty the write-ahead log (`engine.store.forgetting`)."""
JOBS = sa.Table(
    "jobs",
    METADATA,
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
    sa.Column("lost", sa.Integer, nullable=False, server_default="0"),
    sa.Column("numerics", sa.Integer, default=NUMERICS),
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
    sa.Index("jobs_by_owner", "owner", "upload"),
    sa.Index("jobs_listed", "kind", "dataset", "method", "state", "created", "id", "owner", "upload"),
)
"""The padding of a private spec also covers the columns that follow it, `reason` among them. `dataset` and `method` are computed
from `spec`, so that lists are read from an index alone. Of a private job they are NULL, since an index has no padding: its
`upload` names its dataset, and `jobs.method_of` reads its method. numerics: NUMERICS of the program that asked for it, which is part of
its id; NULL for jobs of before."""
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
    sa.Index("events_by_kind", "job", "kind", "seq"),
)
RESULTS = sa.Table(
    "results",
    METADATA,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
ARTIFACTS = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pad", sa.Integer, nullable=False, server_default="0"),
)
"""pad: bytes of padding before the data."""
UPLOADS = sa.Table(
    "uploads",
    METADATA,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("owner", TEXT, nullable=False),
    sa.Column("size", LONG, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("whole", sa.Integer, nullable=False),
    sa.Column("digest", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("uploads_by_owner", "owner"),
)
"""whole: 0 while it arrives. digest: SHA-256 of the bytes. name: padded."""
PIECES = sa.Table(
    "pieces",
    METADATA,
    sa.Column("upload", TEXT, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("pad", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""The bytes of an upload in pieces, numbered from 0. pad: zeros before the data."""
OWNERS = sa.Table("owners", METADATA, sa.Column("owner", TEXT, primary_key=True), sa.Column("seen", sa.Float, nullable=False))
"""seen: when an owner of something was last seen, unix seconds."""
BOOKMARKS = sa.Table(
    "marks",
    METADATA,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("owner", TEXT, primary_key=True),
    sa.Column("pinned", sa.Integer, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("marks_by_owner", "owner", "pinned"),
)
"""The name that somebody gives a job or sweep, and whether it is pinned. owner: '' for who has no token. name: padded where the
job is private."""
SWEEPS = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Index("sweeps_by_age", "created"),
)
"""Sweeps that were started, on public datasets. words: `SweepSpec` as JSON. Their cells are jobs like any other."""
CATALOG = sa.Table(
    "catalog", METADATA, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", TEXT, nullable=False)
)
"""The catalog published last."""
CATALOGS = sa.Table(
    "catalogs",
    METADATA,
    sa.Column("digest", TEXT, primary_key=True),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("published", sa.Float, nullable=False),
)
"""Each catalog that an engine published, under what its heartbeat calls it. published: when last, unix seconds."""
ENGINES = sa.Table(
    "engines",
    METADATA,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("abilities", TEXT, nullable=False, server_default=""),
    sa.Column("drain", sa.Float),
)
"""words: `EngineInfo`. abilities: `engine.store.abilities`. drain: when somebody asked it to end, unix seconds."""
JOB_TABLES = (EVENTS, RESULTS, ARTIFACTS)
"""Rows of these belong to a job (column `job`) and are deleted with it."""
SIGNED_OUT = sa.Table(
    "signed_out",
    METADATA,
    sa.Column("owner", TEXT, primary_key=True),
    sa.Column("sign_in", TEXT, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""Sign-ins that no longer count. sign_in: a digest of one, or '' for all of this person until `at`, unix seconds."""
ASKERS = sa.Table(
    "askers",
    METADATA,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("person", TEXT, nullable=False),
    sa.Index("askers_by_person", "person"),
)
"""Who asked for a job, as `engine.store.people.name_person` has them. A public job has no owner, and its asker counts it."""
SPENT = sa.Table(
    "spent",
    METADATA,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("person", TEXT, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Index("spent_by_person", "person", "at"),
)
"""Seconds of an engine that a job took, when it ended, and who asked for it. Rows of a day are kept."""
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("admin", TEXT, nullable=False),
    sa.Column("act", TEXT, nullable=False),
    sa.Column("subject", TEXT, nullable=False),
    sa.Column("outcome", TEXT, nullable=False),
)
"""What admins did (`engine.store.administration`). No verb deletes from it."""
