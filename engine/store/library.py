"""What is in the store, as a list a person can look through: found by text and filters, named, pinned, deleted.

A mark (a name, a pin) belongs to who made it: others see the run without it. It goes when the run goes. A name of a private run is
sealed like the run itself (`engine.store.database`). All of the looking is done in SQL, over an index where it can be, so that ten thousand
runs cost no more than their page.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, BadParameter, UnknownName
from engine.spec.run import canonical_json, upload_id
from engine.store import jobs
from engine.store.database import ARTIFACTS, EVENTS, JOBS, MARKS, RESULTS, SWEEPS, method_of, upsert, visible
from engine.store.jobs import STATES, Job
from engine.store.uploads import Uploads, owe
from engine.text import one_line

MAX_NAME = 80
"""Characters of a name that a person gives a run."""
LISTED = ("run", "sweep", "compare", "embed")
"""Kinds a list can show. A profile is part of a table and is listed with it."""
SORTS = ("created", "name", "dataset", "method", "state", "seconds")
MAX_WORDS = 8
"""Words that are looked for at once: each is looked for in every row."""
PACE = 20
"""Finished runs that say how long one takes here."""


@dataclass(frozen=True)
class Mark:
    """What somebody says of a run: name ('' for none), and whether it stays on top of their list."""

    name: str = ""
    pinned: bool = False


@dataclass(frozen=True)
class Sweep:
    """A sweep that was started. words: what was asked (`engine.sweep.SweepSpec` as JSON). created: unix seconds, of the last start."""

    id: str
    words: dict[str, Any]
    created: float
    name: str = ""


@dataclass(frozen=True)
class Row:
    """A line of the list: a job or a sweep, the other is None.

    score: of a finished run {mean, low, high} of its average precision with its n and which interval it is, else None.
    """

    id: str
    kind: str
    mark: Mark
    created: float
    job: Job | None = None
    sweep: Sweep | None = None
    score: dict[str, Any] | None = None


class Holding(NamedTuple):
    """What deleting takes along: jobs and sweeps that were named, maps (embeddings) of the runs among them, bytes of all that."""

    jobs: int
    sweeps: int
    maps: int
    size: int


class Marks(Uploads):
    """The part of the store that lists what is there and keeps what people say of it."""

    def mark(self, id: str, owner: str | None, name: str | None = None, pinned: bool | None = None) -> Mark:
        """Name a job or sweep, or pin it; what is None stays as it is. Returns what is kept.

        Raises UnknownName where there is none, or it is somebody else's, and BadInput for a name that is too long.
        """
        said = None if name is None else _clean(name)
        whose = owner or ""
        with self.writing() as db:
            private = _owner(db, id, owner)
            one = (MARKS.c.job == id) & (MARKS.c.owner == whose)
            row = db.execute(sa.select(MARKS.c.pinned, MARKS.c.name).where(one)).first()
            before = Mark() if row is None else Mark(row.name.lstrip(" "), bool(row.pinned))
            after = Mark(before.name if said is None else said, before.pinned if pinned is None else pinned)
            if after == Mark():
                db.execute(MARKS.delete().where(one))
            else:
                words = self.seal(after.name, private)
                upsert(db, MARKS, {"job": id, "owner": whose, "pinned": int(after.pinned), "name": words})
            gone = private is not None and before.name not in ("", after.name)
            if gone:
                owe(db)
        if gone:
            self.purge()  # where a reader holds the log, an engine does it later
        return after

    def marks(self, owner: str | None) -> dict[str, Mark]:
        """Everything this owner has said, by the id of the job or sweep."""
        query = sa.select(MARKS.c.job, MARKS.c.pinned, MARKS.c.name).where(MARKS.c.owner == (owner or ""))
        with self.reading() as db:
            return {row.job: Mark(row.name.lstrip(" "), bool(row.pinned)) for row in db.execute(query)}

    # ---- the list

    def search(
        self,
        owner: str | None,
        text: str = "",
        dataset: str | None = None,
        method: str | None = None,
        states: Sequence[str] = (),
        kinds: Sequence[str] = LISTED,
        sort: str = "created",
        descending: bool = True,
        offset: int = 0,
        limit: int = 50,
        *,
        pinned: bool = False,
        known: Mapping[str, str] | None = None,
    ) -> tuple[list[Row], int]:
        """A page of what `owner` may see, theirs that are pinned first, and how many there are in all.

        text: at most MAX_WORDS words that must all be found, each in the name, the id, the dataset's or method's name or the reason of
        an ending; or in a title: known is name -> title of datasets and methods, and of the owner's tables under `upload/<id>`.
        dataset: a name, or `upload/<id>`. states, kinds: only these; no states: any (a sweep has none of its own). sort: one of SORTS.
        pinned: only those that are. Maps are found by their technique; they are of no dataset of their own.

        Raises BadParameter.
        """
        for name, value, allowed in (("sort", sort, SORTS), *(("state", s, STATES) for s in states)):
            if value not in allowed:
                raise BadParameter(f"{name}={value!r}: must be one of {', '.join(allowed)}.")
        if offset < 0 or not 0 <= limit <= 1000:
            raise BadParameter(f"offset={offset}, limit={limit}: must be at least 0, the limit at most 1000.")
        if len(words := text.split()) > MAX_WORDS:
            raise BadParameter(f"At most {MAX_WORDS} words can be looked for at once, and these are {len(words)}.")
        asked = _Asked(owner, words, dataset, method, tuple(states), pinned, known or {})
        parts = []
        if ours := [kind for kind in kinds if kind in ("run", "compare", "embed")]:
            parts.append(_jobs(asked, ours, sort))
        if "sweep" in kinds and not states:
            parts.append(_sweeps(asked, sort))
        if not parts:
            return [], 0
        found = sa.union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
        c = found.c
        key = c.key.desc() if descending else c.key.asc()
        order = (c.pinned.desc(), key.nulls_last(), c.created.desc(), c.id)
        # looking for text is most of the work, and then done once; else counting by itself is quicker
        every = sa.func.count().over() if asked.words else sa.literal(None)
        page = sa.select(c.id, c.kind, c.pinned, c.name, c.created, every.label("every"))
        with self.reading() as db:
            rows = db.execute(page.order_by(*order).offset(offset).limit(limit)).all()
            count = rows[0].every if rows else None
            if count is None:
                count = int(db.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())
            there = _details(db, [row.id for row in rows if row.kind != "sweep"])
            sweeps = {one.id: one for one in _read_sweeps(db, [row.id for row in rows if row.kind == "sweep"])}
        out = []
        for row in rows:
            job, score = there.get(row.id, (None, None))
            mark = Mark(row.name, bool(row.pinned))
            out.append(Row(row.id, row.kind, mark, row.created, job, sweeps.get(row.id), score))
        return out, count

    def names(self, owner: str | None) -> tuple[list[str], list[str]]:
        """(datasets, methods) that occur among the runs and comparisons that `owner` may see, sorted; tables as `upload/<id>`."""
        query = _listed(
            sa.select(JOBS.c.dataset, method_of(owner).label("method"), JOBS.c.upload).distinct(), owner, ("run", "compare")
        )
        with self.reading() as db:
            pairs = db.execute(query).all()
        datasets = {row.dataset or f"upload/{row.upload}" for row in pairs}
        return sorted(datasets), sorted({row.method for row in pairs if row.method})

    def line(self, owner: str | None, limit: int = 20) -> list[tuple[int, Job]]:
        """(how many go before it, job) of those queued that `owner` may see, in order."""
        turn = sa.func.row_number().over(order_by=[JOBS.c[name] for name in jobs.TURN])
        queued = sa.select(JOBS.c.id, (turn - 1).label("before")).where(JOBS.c.state == "queued").subquery()
        query = sa.select(queued.c.before, *jobs.COLUMNS).join(queued, queued.c.id == JOBS.c.id)
        query = query.where(visible(owner)).order_by(queued.c.before).limit(limit)
        with self.reading() as db:
            found = [dict(row._mapping) for row in db.execute(query)]
        return [(int(one.pop("before")), jobs.made(one)) for one in found]

    def pace(self) -> float | None:
        """Median seconds of the latest PACE finished runs, everybody's; None without any."""
        took = JOBS.c.finished - JOBS.c.started
        query = sa.select(took).where(JOBS.c.kind == "run", JOBS.c.state == "done").order_by(JOBS.c.created.desc())
        with self.reading() as db:
            seconds = [s for s in db.execute(query.limit(PACE)).scalars() if s is not None]
        return statistics.median(seconds) if seconds else None

    # ---- deleting

    def holding(self, ids: Sequence[str], owner: str | None) -> Holding:
        """What `discard` of them would take along. Of what is not there, or somebody else's, nothing is counted."""
        with self.reading() as db:
            mine = list(db.execute(sa.select(JOBS.c.id).where(JOBS.c.id.in_(ids), visible(owner))).scalars())
            embeds = sa.select(JOBS.c.id).where(JOBS.c.kind == "embed", JOBS.c.fingerprint.in_(mine), JOBS.c.id.not_in(mine))
            maps = list(db.execute(embeds).scalars())
            size = 0
            for table, column in ((EVENTS, EVENTS.c.arrays), (RESULTS, RESULTS.c.arrays), (ARTIFACTS, ARTIFACTS.c.data)):
                query = sa.select(sa.func.sum(sa.func.length(column))).where(table.c.job.in_([*mine, *maps]))
                size += int(db.execute(query).scalar() or 0)
            sweeps = db.execute(sa.select(sa.func.count()).where(SWEEPS.c.id.in_(ids))).scalar_one()
        return Holding(len(mine), int(sweeps), len(maps), size)

    def discard(self, ids: Sequence[str], owner: str | None) -> Holding:
        """Delete jobs with all that came of them, and sweeps from the list (their runs stay), in one transaction.

        An engine that is running one of them drops it. Public ones may be deleted by anybody who can see this page. Raises
        UnknownName where one is not there, or somebody else's: then nothing is deleted.
        """
        held = self.holding(ids, owner)
        with self.writing() as db:
            owners = [_owner(db, id, owner) for id in ids]
            for id in ids:
                jobs.remove(db, id)
                db.execute(SWEEPS.delete().where(SWEEPS.c.id == id))
        if any(one is not None for one in owners):
            self.purge()  # where a reader holds the log, an engine does it later
        return held

    # ---- sweeps

    def keep_sweep(self, words: Mapping[str, Any], name: str = "") -> str:
        """Remember a sweep that was started (`SweepSpec.to_json()`); started again, it is as new. Returns its id, 16 of 0-9a-f."""
        said = canonical_json(words)
        id = hashlib.sha256(f"sweep {said}".encode()).hexdigest()[:16]
        with self.writing() as db:
            upsert(db, SWEEPS, {"id": id, "words": said, "created": time.time(), "name": _clean(name)})
        return id

    def sweeps(self, limit: int = 20) -> list[Sweep]:
        """The sweeps that were started, newest first."""
        query = sa.select(SWEEPS).order_by(SWEEPS.c.created.desc(), SWEEPS.c.id).limit(limit)
        with self.reading() as db:
            return [_sweep(row) for row in db.execute(query)]


@dataclass(frozen=True)
class _Asked:
    owner: str | None
    words: Sequence[str]
    dataset: str | None
    method: str | None
    states: tuple[str, ...]
    pinned: bool
    known: Mapping[str, str]


def _jobs(asked: _Asked, kinds: Sequence[str], sort: str) -> sa.Select[Any]:
    pinned, name = _marked()
    way = method_of(asked.owner)
    mine = sa.and_(MARKS.c.job == JOBS.c.id, MARKS.c.owner == (asked.owner or ""))
    key = {
        "created": JOBS.c.created,
        "name": sa.func.nullif(name, ""),
        "dataset": JOBS.c.dataset,
        "method": way,
        "state": JOBS.c.state,
        "seconds": JOBS.c.finished - JOBS.c.started,
    }[sort]
    columns = (JOBS.c.id, JOBS.c.kind, JOBS.c.created, pinned.label("pinned"), name.label("name"), key.label("key"))
    query = _listed(sa.select(*columns).select_from(JOBS.outerjoin(MARKS, mine)), asked.owner, kinds)
    if asked.states:
        query = query.where(_plain(JOBS.c.state).in_(asked.states))
    if asked.dataset is not None:
        upload = upload_id(asked.dataset)
        query = query.where(JOBS.c.dataset == asked.dataset if upload is None else JOBS.c.upload == upload)
    if asked.method is not None:
        query = query.where(way == asked.method)
    if asked.pinned:
        query = query.where(pinned == 1)
    for word in asked.words:
        titled = _titled(word, asked.known)
        tables = [upload for title in titled if (upload := upload_id(title)) is not None]
        said = [_has(column, word) for column in (name, JOBS.c.id, JOBS.c.dataset, way, JOBS.c.reason)]
        query = query.where(
            sa.or_(*said, JOBS.c.dataset.in_(titled), way.in_(titled), *([JOBS.c.upload.in_(tables)] if tables else []))
        )
    return query


def _listed(query: sa.Select[Any], owner: str | None, kinds: Sequence[str]) -> sa.Select[Any]:
    """Of a query over jobs those that `owner` may see, as `visible`."""
    return query.where(_plain(JOBS.c.owner).in_(("", owner or "")), JOBS.c.kind.in_(kinds))


def _plain(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column said in a way that SQLite has no index for: else it takes the one of owners or of states, and then reads every row,
    long words and all, where `jobs_listed` holds nearly all that a list needs."""
    return sa.func.coalesce(column, "")


def _sweeps(asked: _Asked, sort: str) -> sa.Select[Any]:
    pinned, marked = _marked()
    name = sa.func.coalesce(sa.func.nullif(marked, ""), SWEEPS.c.name)
    mine = sa.and_(MARKS.c.job == SWEEPS.c.id, MARKS.c.owner == (asked.owner or ""))
    first = {"dataset": "$.datasets[0]", "method": "$.methods[0]"}
    key = {"created": SWEEPS.c.created, "name": sa.func.nullif(name, "")} | {
        word: sa.func.json_extract(SWEEPS.c.words, path) for word, path in first.items()
    }
    columns = (SWEEPS.c.id, sa.literal("sweep").label("kind"), SWEEPS.c.created, pinned.label("pinned"), name.label("name"))
    query = sa.select(*columns, key.get(sort, sa.null()).label("key")).select_from(SWEEPS.outerjoin(MARKS, mine))
    for wanted, word in ((asked.dataset, "$.datasets"), (asked.method, "$.methods")):
        if wanted is not None:
            query = query.where(_has(sa.func.json_extract(SWEEPS.c.words, word), json.dumps(wanted)))
    if asked.pinned:
        query = query.where(pinned == 1)
    for word in asked.words:
        titled = [_has(SWEEPS.c.words, json.dumps(title)) for title in _titled(word, asked.known)]
        query = query.where(sa.or_(_has(name, word), _has(SWEEPS.c.id, word), _has(SWEEPS.c.words, word), *titled))
    return query


def _marked() -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """(pinned 0 or 1, name) of a row beside its mark, if any."""
    return sa.func.coalesce(MARKS.c.pinned, 0), sa.func.coalesce(sa.func.ltrim(MARKS.c.name), "")


def _has(column: sa.ColumnElement[Any], word: str) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column.contains(word, autoescape=True), False)


def _titled(word: str, known: Mapping[str, str]) -> list[str]:
    return [name for name, title in known.items() if word.casefold() in title.casefold()]


def _details(db: Connection, ids: Collection[str]) -> dict[str, tuple[Job, dict[str, Any] | None]]:
    """Jobs and their scores by id: of a result only the parts that are shown are read."""
    parts = ("$.metrics.average_precision", "$.n", "$.interval")
    scores = [sa.func.json_extract(RESULTS.c.words, part).label(f"score{i}") for i, part in enumerate(parts)]
    query = sa.select(*jobs.COLUMNS, *scores).where(JOBS.c.id.in_(ids))
    query = query.select_from(JOBS.outerjoin(RESULTS, sa.and_(RESULTS.c.job == JOBS.c.id, JOBS.c.kind == "run")))
    out = {}
    for row in db.execute(query):
        values = dict(row._mapping)
        found, n, interval = (values.pop(f"score{i}") for i in range(len(parts)))
        score = None
        if found is not None:
            kept = json.loads(found)
            score = {name: kept.get(name) for name in ("mean", "low", "high")} | {"n": n, "interval": interval}
        out[row.id] = (jobs.made(values), score)
    return out


def _read_sweeps(db: Connection, ids: Collection[str]) -> list[Sweep]:
    return [_sweep(row) for row in db.execute(sa.select(SWEEPS).where(SWEEPS.c.id.in_(ids)))] if ids else []


def _sweep(row: Any) -> Sweep:
    return Sweep(row.id, json.loads(row.words), row.created, row.name)


def _owner(db: Connection, id: str, owner: str | None) -> str | None:
    """Whose a job or sweep is, None for a public one. Raises UnknownName where `owner` may not see it."""
    row = db.execute(sa.select(JOBS.c.owner).where(JOBS.c.id == id, visible(owner))).first()
    if row is not None:
        return str(row.owner) if row.owner is not None else None
    if db.execute(sa.select(SWEEPS.c.id).where(SWEEPS.c.id == id)).first() is None:
        raise UnknownName(f"nothing is called {id!r} here; it may have been deleted, or belong to another browser.")
    return None


def _clean(name: str) -> str:
    """A name as one visible line. Raises BadInput where it is too long."""
    seen = one_line(name)
    if len(seen) > MAX_NAME:
        raise BadInput(f"A name may have {MAX_NAME} characters, and this one has {len(seen)}.")
    return seen
