"""What is in the store, as a list a person can look through: found by text and filters, sorted, deleted.

All of the search is SQL, over an index where it can be, so that a page of ten thousand runs costs no more than a page.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadParameter
from engine.spec.run import upload_id
from engine.store.bookmarks import Bookmark, find_key, open_names
from engine.store.database import Database, Part, repeat_on_conflict
from engine.store.forgetting import purge
from engine.store.jobs import (
    COLUMNS,
    STATES,
    Job,
    delete_job,
    job_from_row,
    job_from_values,
    method_of,
    open_results,
    visible_to,
)
from engine.store.schema import ARTIFACTS, BOOKMARKS, EVENTS, JOBS, RESULTS, SWEEPS
from engine.store.sweeps import Sweep, read_sweeps
from engine.text import quote

LISTED = ("run", "sweep", "compare", "embed")
"""Kinds a list can show. A profile is part of a table and is listed with it."""
SORTS = ("created", "name", "dataset", "method", "state", "seconds")
MAX_WORDS = 8
"""Words of a search: each is looked for in every row."""


@dataclass(frozen=True)
class Row:
    """A line of the list: a job or a sweep, the other is None.

    score: of a finished run {mean, low, high} of its average precision with its n and which interval it is, else None.
    """

    id: str
    kind: str
    bookmark: Bookmark
    created: float
    job: Job | None = None
    sweep: Sweep | None = None
    score: dict[str, Any] | None = None


@dataclass(frozen=True)
class Meant:
    """What a word that is looked for stands for, beside its letters: rows of any of these are found too.

    states, kinds: of a row; ratio, profile: of a run's classes; mean: (from, below) of its average precision; own: of the owner's own
    tables; controls: (method, values of its parameters) of runs that are a control.
    """

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    ratio: float | None = None
    profile: str = ""
    mean: tuple[float, float] | None = None
    own: bool = False
    controls: tuple[tuple[str, Mapping[str, Any]], ...] = ()


class Contents(NamedTuple):
    """What deleting takes along: jobs and sweeps that were named, maps (embeddings) of the runs among them, bytes of all that."""

    jobs: int
    sweeps: int
    maps: int
    size: int


class Library(Part):
    """The list of what is there."""

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
        meant: Mapping[str, Meant] | None = None,
    ) -> tuple[list[Row], int]:
        """A page of what `owner` may see, theirs that are pinned first, and how many there are in all.

        text: at most MAX_WORDS words that must all be found, each in the name, the id, the dataset's or method's name or the reason of
        an ending; or in a title: known is name -> title of datasets and methods, and of the owner's tables under `upload/<id>`; or by
        what it stands for: meant is word -> that.
        dataset: a name, or `upload/<id>`. states, kinds: only these; no states: any (a sweep has none of its own). sort: one of SORTS.
        pinned: only those that are. Maps are found by their technique; they are of no dataset of their own.

        Raises BadParameter.
        """
        words = text.split()
        _check_search(sort, states, offset, limit, words)
        request = _Request(self.database, owner, words, dataset, method, tuple(states), pinned, known or {}, meant or {}, sort)
        if self.database.seals and owner is not None and (words or sort == "name"):
            request = replace(request, private=_read_private(self.database, owner))
        parts = []
        if listed := [kind for kind in kinds if kind in ("run", "compare", "embed")]:
            parts.append(_select_jobs(request, listed))
        if "sweep" in kinds and not states:
            parts.append(_select_sweeps(request))
        if not parts:
            return [], 0
        matches = sa.union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
        c = matches.c
        key = c.key.desc() if descending else c.key.asc()
        order = (c.pinned.desc(), key.nulls_last(), c.created.desc(), c.id)
        # finding text is most of the work, so that count and page share one query; without text two queries are quicker
        every = sa.func.count().over() if words else sa.literal(None)
        page = sa.select(c.id, c.kind, c.pinned, c.name, c.created, every.label("every"))
        with self.database.reading() as connection:
            rows = connection.execute(page.order_by(*order).offset(offset).limit(limit)).all()
            count = rows[0].every if rows else None
            if count is None:
                count = int(connection.execute(sa.select(sa.func.count()).select_from(matches)).scalar_one())
            return _complete_rows(self.database, connection, rows, owner), count

    def list_names(self, owner: str | None) -> tuple[list[str], list[str]]:
        """(datasets, methods) that occur among the runs and comparisons that `owner` may see, sorted; tables as `upload/<id>`."""
        query = sa.select(JOBS.c.dataset, method_of(self.database, owner).label("method"), JOBS.c.upload).distinct()
        with self.database.reading() as connection:
            rows = connection.execute(_restrict(query, self.database, owner, ("run", "compare"))).all()
        datasets = {row.dataset or f"upload/{row.upload}" for row in rows}
        return sorted(datasets), sorted({row.method for row in rows if row.method})

    def count_contents(self, ids: Sequence[str], owner: str | None) -> Contents:
        """What `delete_many` of them would take along. Of what is not there, or somebody else's, nothing is counted."""
        with self.database.reading() as connection:
            visible = list(connection.execute(sa.select(JOBS.c.id).where(JOBS.c.id.in_(ids), visible_to(owner))).scalars())
            embeds = sa.select(JOBS.c.id).where(
                JOBS.c.kind == "embed", JOBS.c.fingerprint.in_(visible), JOBS.c.id.not_in(visible)
            )
            maps = list(connection.execute(embeds).scalars())
            size = 0
            for table, column in ((EVENTS, EVENTS.c.arrays), (RESULTS, RESULTS.c.arrays), (ARTIFACTS, ARTIFACTS.c.data)):
                query = sa.select(sa.func.sum(sa.func.length(column))).where(table.c.job.in_([*visible, *maps]))
                size += int(connection.execute(query).scalar() or 0)
            sweeps = connection.execute(sa.select(sa.func.count()).where(SWEEPS.c.id.in_(ids))).scalar_one()
        return Contents(len(visible), int(sweeps), len(maps), size)

    @repeat_on_conflict
    def delete_many(self, ids: Sequence[str], owner: str | None) -> Contents:
        """Delete jobs with all that came of them, and sweeps from the list (their runs stay), in one transaction.

        An engine that is running one of them drops it. Public ones may be deleted by anybody who can see this page. Raises
        UnknownName where one is not there, or somebody else's: then nothing is deleted.
        """
        contents = self.count_contents(ids, owner)
        with self.database.writing() as connection:
            self.database.lock_jobs(connection, JOBS.c.id.in_(ids))
            keys = [find_key(connection, id, owner) for id in ids]
            for id in ids:
                delete_job(self.database, connection, id)
                connection.execute(SWEEPS.delete().where(SWEEPS.c.id == id))
        if any(key is not None for key in keys):
            purge(self.database)
        return contents


@dataclass(frozen=True)
class _Request:
    """The arguments of `Library.search`. private: the owner's jobs where they are sealed, so that queries do not find them by words."""

    database: Database
    owner: str | None
    words: Sequence[str]
    dataset: str | None
    method: str | None
    states: tuple[str, ...]
    pinned: bool
    known: Mapping[str, str]
    meant: Mapping[str, Meant]
    sort: str
    private: Sequence[_Private] = ()


class _Private(NamedTuple):
    """A job that is sealed, its name, and the average precision of its result."""

    job: Job
    name: str
    mean: float | None


def _read_private(database: Database, owner: str) -> list[_Private]:
    """All jobs of an owner, opened: they are few."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(*COLUMNS).where(JOBS.c.owner == owner, JOBS.c.kind.in_(LISTED))).all()
        jobs = [job_from_row(database, connection, row) for row in rows]
        query = sa.select(BOOKMARKS.c.job, BOOKMARKS.c.name).join(JOBS, JOBS.c.id == BOOKMARKS.c.job)
        found = connection.execute(query.where(BOOKMARKS.c.owner == owner, JOBS.c.owner == owner)).all()
        names = open_names(database, connection, {row.job: row.name for row in found})
        results = open_results(database, connection, [job.id for job in jobs if job.kind == "run"], owner)
    means = {id: (result.get("metrics") or {}).get("average_precision") or {} for id, result in results.items()}
    return [_Private(job, names.get(job.id, ""), means.get(job.id, {}).get("mean")) for job in jobs]


def _is_meant(one: _Private, meant: Meant) -> bool:
    """What `_find_meant` finds by spec and result, of a job that is sealed."""
    spec, params = one.job.spec, one.job.spec.get("params") or {}
    imbalance = spec.get("imbalance") or {}
    return any(
        (
            meant.ratio is not None and meant.ratio in (imbalance.get("ratio"), spec.get("ratio")),
            bool(meant.profile) and meant.profile == imbalance.get("profile"),
            meant.profile == "native" and one.job.kind == "compare" and spec.get("ratio") is None,
            meant.mean is not None and one.mean is not None and meant.mean[0] <= one.mean < meant.mean[1],
            *(
                spec.get("method") == method and all(params.get(name) == value for name, value in values.items())
                for method, values in meant.controls
            ),
        )
    )


def _check_search(sort: str, states: Sequence[str], offset: int, limit: int, words: Sequence[str]) -> None:
    for name, value, allowed in (("sort", sort, SORTS), *(("state", s, STATES) for s in states)):
        if value not in allowed:
            raise BadParameter(f"{name}={quote(value)}: must be one of {', '.join(allowed)}.")
    if offset < 0 or not 0 <= limit <= 1000:
        raise BadParameter(f"offset={offset}, limit={limit}: must be at least 0, the limit at most 1000.")
    if len(words) > MAX_WORDS:
        raise BadParameter(f"At most {MAX_WORDS} words can be looked for at once, and these are {len(words)}.")


def _select_jobs(request: _Request, kinds: Sequence[str]) -> sa.Select[Any]:
    pinned, name = _bookmark_columns(request.database)
    method = method_of(request.database, request.owner)
    on = sa.and_(BOOKMARKS.c.job == JOBS.c.id, BOOKMARKS.c.owner == (request.owner or ""))
    key = {
        "created": JOBS.c.created,
        "name": sa.func.nullif(_name_private(request, name), ""),
        "dataset": JOBS.c.dataset,
        "method": method,
        "state": JOBS.c.state,
        "seconds": JOBS.c.finished - JOBS.c.started,
    }[request.sort]
    columns = (JOBS.c.id, JOBS.c.kind, JOBS.c.created, pinned.label("pinned"), name.label("name"), key.label("key"))
    query: sa.Select[Any] = sa.select(*columns).select_from(JOBS.outerjoin(BOOKMARKS, on))
    query = _restrict(query, request.database, request.owner, kinds)
    if request.states:
        query = query.where(request.database.unindexed(JOBS.c.state).in_(request.states))
    if request.dataset is not None:
        upload = upload_id(request.dataset)
        query = query.where(JOBS.c.dataset == request.dataset if upload is None else JOBS.c.upload == upload)
    if request.method is not None:
        query = query.where(method == request.method)
    if request.pinned:
        query = query.where(pinned == 1)
    for word in request.words:
        titled = _find_titled(word, request.known)
        tables = [upload for title in titled if (upload := upload_id(title)) is not None]
        reason = request.database.hide_sealed(JOBS.c.reason)
        matches = [_contains(column, word) for column in (name, JOBS.c.id, JOBS.c.dataset, method, reason)]
        if own := _find_private(request, word):
            matches.append(JOBS.c.id.in_(own))
        matches += [JOBS.c.dataset.in_(titled), method.in_(titled), *([JOBS.c.upload.in_(tables)] if tables else [])]
        query = query.where(sa.or_(*matches, *_find_meant(request, request.meant.get(word, Meant()))))
    return query


def _find_private(request: _Request, word: str) -> list[str]:
    """Ids of the sealed jobs that a word finds by what is sealed."""
    low, meant = word.lower(), request.meant.get(word, Meant())
    return [
        one.job.id
        for one in request.private
        if low in one.name.lower() or low in one.job.reason.lower() or _is_meant(one, meant)
    ]


def _name_private(request: _Request, name: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The name of a row with those of sealed jobs, to sort by."""
    names = {one.job.id: one.name for one in request.private if one.name}
    return sa.case(names, value=JOBS.c.id, else_=name) if names else name


def _find_meant(request: _Request, meant: Meant) -> list[sa.ColumnElement[bool]]:
    """What finds the jobs that a word stands for."""
    field, number, is_value = request.database.field, request.database.number, request.database.is_value
    out: list[sa.ColumnElement[bool]] = []
    if meant.states:
        out.append(request.database.unindexed(JOBS.c.state).in_(meant.states))
    if meant.own:
        out.append(JOBS.c.owner.is_not(None))
    if meant.kinds:
        out.append(JOBS.c.kind.in_(meant.kinds))
    if meant.ratio is not None:
        out += [number(JOBS.c.spec, path) == meant.ratio for path in ("imbalance.ratio", "ratio")]
    if meant.profile:
        out.append(field(JOBS.c.spec, "imbalance.profile") == meant.profile)
    if meant.profile == "native":
        out.append(sa.and_(JOBS.c.kind == "compare", field(JOBS.c.spec, "ratio").is_(None)))
    for method, params in meant.controls:
        same = [is_value(JOBS.c.spec, f"params.{name}", value) for name, value in params.items()]
        out.append(sa.and_(field(JOBS.c.spec, "method") == method, *same))
    if meant.mean is not None:
        mean = number(RESULTS.c.words, "metrics.average_precision.mean")
        found = sa.select(RESULTS.c.job).where(mean >= meant.mean[0], mean < meant.mean[1])
        out.append(JOBS.c.id.in_(found))
    return [sa.func.coalesce(one, False) for one in out]


def _restrict(query: sa.Select[Any], database: Database, owner: str | None, kinds: Sequence[str]) -> sa.Select[Any]:
    """Of a query over jobs those of these kinds that `owner` may see, as `visible_to`.

    Without the indexes of owners and of states: with them every row would be read, long specs and all, where `jobs_listed` has nearly
    all that a list needs.
    """
    return query.where(database.unindexed(JOBS.c.owner).in_(("", owner or "")), JOBS.c.kind.in_(kinds))


def _select_sweeps(request: _Request) -> sa.Select[Any]:
    pinned, given = _bookmark_columns(request.database)
    name = sa.func.coalesce(sa.func.nullif(given, ""), SWEEPS.c.name)
    on = sa.and_(BOOKMARKS.c.job == SWEEPS.c.id, BOOKMARKS.c.owner == (request.owner or ""))
    key = {
        "created": SWEEPS.c.created,
        "name": sa.func.nullif(name, ""),
        "dataset": request.database.field(SWEEPS.c.words, "datasets.0"),
        "method": request.database.field(SWEEPS.c.words, "methods.0"),
    }.get(request.sort, sa.null())
    columns = (SWEEPS.c.id, sa.literal("sweep").label("kind"), SWEEPS.c.created, pinned.label("pinned"), name.label("name"))
    query = sa.select(*columns, key.label("key")).select_from(SWEEPS.outerjoin(BOOKMARKS, on))
    for wanted, path in ((request.dataset, "datasets"), (request.method, "methods")):
        if wanted is not None:
            query = query.where(_contains(request.database.field(SWEEPS.c.words, path), json.dumps(wanted)))
    if request.pinned:
        query = query.where(pinned == 1)
    for word in request.words:
        titled = [_contains(SWEEPS.c.words, json.dumps(title)) for title in _find_titled(word, request.known)]
        matches = [_contains(column, word) for column in (name, SWEEPS.c.id, SWEEPS.c.words)]
        meant = request.meant.get(word, Meant())
        if meant.ratio is not None:
            matches.append(_contains(SWEEPS.c.words, json.dumps(meant.ratio)))
        query = query.where(sa.or_(*matches, *titled, *([sa.true()] if "sweep" in meant.kinds else [])))
    return query


def _bookmark_columns(database: Database) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """(pinned 0 or 1, name) of a row beside its bookmark, if any; '' for a name that is sealed."""
    return sa.func.coalesce(BOOKMARKS.c.pinned, 0), sa.func.coalesce(sa.func.ltrim(database.hide_sealed(BOOKMARKS.c.name)), "")


def _contains(column: sa.ColumnElement[Any], word: str) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column.icontains(word, autoescape=True), False)


def _find_titled(word: str, known: Mapping[str, str]) -> list[str]:
    return [name for name, title in known.items() if word.casefold() in title.casefold()]


def _complete_rows(database: Database, connection: Connection, rows: Sequence[sa.Row[Any]], owner: str | None) -> list[Row]:
    """The rows of a page with their jobs, scores and sweeps."""
    jobs = _read_jobs(database, connection, [row.id for row in rows if row.kind != "sweep"])
    own = [id for id, (job, _) in jobs.items() if job.owner is not None] if database.seals else []
    names = {}
    if own:
        sealed = sa.select(BOOKMARKS.c.job, BOOKMARKS.c.name).where(
            BOOKMARKS.c.job.in_(own), BOOKMARKS.c.owner == (owner or "")
        )
        names = open_names(database, connection, {row.job: row.name for row in connection.execute(sealed)})
    sweeps = {sweep.id: sweep for sweep in read_sweeps(connection, [row.id for row in rows if row.kind == "sweep"])}
    out = []
    for row in rows:
        job, score = jobs.get(row.id, (None, None))
        out.append(
            Row(
                row.id,
                row.kind,
                Bookmark(names.get(row.id, row.name), bool(row.pinned)),
                row.created,
                job,
                sweeps.get(row.id),
                score,
            )
        )
    return out


def _read_jobs(
    database: Database, connection: Connection, ids: Collection[str]
) -> dict[str, tuple[Job, dict[str, Any] | None]]:
    """Jobs and their scores by id: of a result only the fields that are shown are read."""
    paths = ("metrics.average_precision", "n", "interval")
    scores = [database.field(RESULTS.c.words, path).label(f"score{i}") for i, path in enumerate(paths)]
    query = sa.select(*COLUMNS, *scores).where(JOBS.c.id.in_(ids))
    query = query.select_from(JOBS.outerjoin(RESULTS, sa.and_(RESULTS.c.job == JOBS.c.id, JOBS.c.kind == "run")))
    out = {}
    for row in connection.execute(query):
        values = dict(row._mapping)
        metric, n, interval = (values.pop(f"score{i}") for i in range(len(paths)))
        score = None
        if metric is not None:
            estimate = json.loads(metric)
            score = _shorten(estimate, n, interval)
        out[row.id] = (job_from_values(database, connection, values), score)
    if database.seals:
        own = [id for id, (job, _) in out.items() if job.owner is not None and job.kind == "run"]
        for id, result in open_results(database, connection, own, out[own[0]][0].owner if own else None).items():
            if (estimate := (result.get("metrics") or {}).get("average_precision")) is not None:
                out[id] = (out[id][0], _shorten(estimate, result.get("n"), result.get("interval")))
    return out


def _shorten(estimate: Mapping[str, Any], n: Any, interval: Any) -> dict[str, Any]:
    """The score of a `Row`."""
    score = {name: estimate.get(name) for name in ("mean", "low", "high")}
    return score | {"n": None if n is None else int(n), "interval": interval}
