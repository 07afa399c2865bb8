"""The film of a run: the player or the stage, fed with the run's events as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.parts import size
from app.player import HEIGHT, Feed, mount_player, mount_stage
from app.run.panel import TICK
from app.run.shown import Shown
from app.session import shared, visitor
from app.session.jobs import read_contributions
from app.session.store import get_store
from app.words import lab as words
from engine.errors import BadData, UnknownName
from engine.events import Phase
from engine.store import Job, Store

SETTLE = 20.0
"""Seconds after its end in which a run is still read now and then."""
FIRST = 0.4
"""Seconds after a run was asked for in which the stage waits for its first picture: it is drawn with it, not a turn later."""
BEGINS = words.PICTURES_BEGIN
"""What the empty player says of a run on images."""


def is_settling(job: Job) -> bool:
    """Whether a run ended less than SETTLE seconds ago. The player may then still ask for a chunk that was lost."""
    return job.finished is not None and time.time() - job.finished < SETTLE


def play_film(shown: Shown, replicate: int, key: str, **options: Any) -> None:
    """Draw the player with a run's pictures under that key, and feed it with what is new.

    options: as in `app.player.encode_chunk`, such as title and group.
    """
    job, settles = shown.job, is_settling(shown.job)
    st.fragment(_draw_player, run_every=_find_tick(job))(job.id, replicate, key, job.active, settles, begins(shown), options)


def begins(shown: Shown) -> str:
    """Return what the empty stage of a running run says, '' where pictures come at once."""
    return BEGINS if shown.entry is not None and shown.entry["kind"] == "images" else ""


def _find_tick(job: Job) -> float | None:
    return TICK if job.active else 4 * TICK if is_settling(job) else None


def _draw_player(
    run: str, replicate: int, key: str, was_active: bool, settles: bool, begins: str, options: Mapping[str, Any]
) -> None:
    """Draw the player with what is new of the run. A fragment."""
    store, owner = get_store(), visitor.read_owner()
    try:
        job = shared.read_job(store, run, owner)
    except UnknownName:
        st.rerun()
    feed, chunk = read_chunk(store, job, replicate, key, owner, text=begins if job.state == "running" else "", **options)
    mount_player(chunk, key=key, height=round(size.size_factor() * HEIGHT), on_need=feed.rewind)
    if job.active != was_active or (settles and not is_settling(job)):
        st.rerun()


@dataclass(frozen=True)
class Film:
    """One film of the stage: a run and a replicate of it. spare: sent where the browser asks for it, as to save it."""

    run: str
    replicate: int
    begins: str = ""
    spare: bool = False


@dataclass(frozen=True)
class Answers:
    """What the page does with what a person does on the stage; each runs before the script."""

    take: Callable[[dict[str, Any]], None]
    edit: Callable[[str], None]
    view: Callable[[str], None]
    width: Callable[[int], None]


def play_stage(
    shown: Shown, films: list[Film], key: str, answers: Answers, describe: Callable[[dict[str, Job]], dict[str, Any]]
) -> None:
    """Draw the stage with one or two films, and feed it with what is new.

    describe: what stands beside the films, of the jobs as they are now (`app.run.side`).
    """
    states = {name: job.state for name, job in shown.jobs.items()}
    active, settles = shown.active, is_settling(shown.job)
    every = TICK if active else 4 * TICK if settles else None
    st.fragment(_draw_stage, run_every=every)(shown, films, key, answers, describe, states, settles)


def show_empty_stage(key: str, text: str, answers: Answers) -> None:
    """Draw a stage without a film. text: the sentence on it."""
    chunk = Feed("").make_chunk([], status="waiting", engine_alive=True, text=text)
    mount_stage([chunk], {}, key=key, on_width=answers.width)


CHANGED = "stage.changed"
"""Session key: somebody did something on the stage that concerns the whole page."""
WANTED = "stage.wanted"
"""Session key: the run of the spare film that the browser asked for."""


def _draw_stage(
    shown: Shown,
    films: list[Film],
    key: str,
    answers: Answers,
    describe: Callable[[dict[str, Job]], dict[str, Any]],
    states: Mapping[str, str],
    settles: bool,
) -> None:
    """Draw the stage with what is new. A fragment; it reruns the page where a run has ended or somebody changed something."""
    store, owner = get_store(), visitor.read_owner()
    if st.session_state.pop(CHANGED, False):
        st.rerun()
    await_first_frame(store, shown.job, owner)
    try:
        jobs = {name: shared.read_job(store, job.id, owner) for name, job in shown.jobs.items()}
        taken = {film.run: shared.read_job(store, film.run, owner) for film in films}
    except UnknownName:
        st.rerun()
    feeds, chunks = [], []
    sent = [film for film in films if not film.spare or film.run == st.session_state.get(WANTED)]
    for number, film in enumerate(sent):
        job = taken[film.run]
        text = words.WAITS if job.state == "queued" else (film.begins or words.FIRST_PICTURE) if job.state == "running" else ""
        feed, chunk = read_chunk(store, job, film.replicate, f"{key}.{number}", owner, text=text)
        feeds.append(feed)
        chunks.append(chunk)

    def rewind(film: int, first: int) -> None:
        if film < len(feeds):
            feeds[film].rewind(first)
        elif film < len(films):
            st.session_state[WANTED] = films[film].run

    def whole(answer: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(value: Any) -> None:
            answer(value)
            st.session_state[CHANGED] = True

        return call

    mount_stage(
        chunks,
        describe(jobs),
        key=key,
        on_need=rewind,
        on_take=whole(answers.take),
        on_edit=whole(answers.edit),
        on_view=whole(answers.view),
        on_width=answers.width,
    )
    ended = any(states[name] != job.state and (not job.active or name == shown.main.key) for name, job in jobs.items())
    if ended or (settles and not is_settling(shown.job)):
        st.rerun()


def await_first_frame(store: Store, job: Job, owner: str | None) -> None:
    """Wait until a run that was just asked for has a picture, FIRST seconds from then at most."""
    until = min(job.created, time.time()) + FIRST  # the clock of another machine may be ahead
    while job.active and time.time() < until and not store.events(job.id, kinds=("frame",), limit=1, owner=owner):
        time.sleep(0.02)


def read_chunk(store: Store, job: Job, replicate: int, slot: str, owner: str | None, **options: Any) -> tuple[Feed, bytes]:
    """Return the feed of a place and the next chunk of a run's film for it. slot: name of the place."""
    take, slot = f"{job.id}/{job.attempt}/{replicate}", f"feed.{slot}"
    fed, feed = st.session_state.get(slot, ("", None))
    if not isinstance(feed, Feed) or fed != take:
        feed = Feed(job.id, replicate)
        st.session_state[slot] = (take, feed)
    events: list[Any] = []
    if replicate == 0:
        rows = shared.read_film(store, job, feed.after, owner)
        feed.after = rows[-1][0] if rows else feed.after
        events = [event for _, event in rows]
    elif feed.frames_read == 0 and (film := shared.read_replicate(store, job, replicate, owner)):
        phases = [event for _, event in shared.read_film(store, job, 0, owner) if isinstance(event, Phase)]
        events = [*phases, *film]
    if job.state == "done":
        options = {**options, **_read_contributions(job, replicate, owner)}
    remember = shared.remember_chunks(store, job, replicate)
    alive = bool(shared.read_engines(store))
    chunk = feed.make_chunk(events, status=job.state, engine_alive=alive, take=str(job.attempt), remember=remember, **options)
    return feed, chunk


def _read_contributions(job: Job, replicate: int, owner: str | None) -> dict[str, Any]:
    """Return what the player needs of a finished run's contributions; {} where none are kept or they cannot be read."""
    try:
        known = read_contributions(job.id, job.attempt, replicate, owner)
    except BadData:
        return {}  # the film plays without them; the table shows the error
    if known is None or not len(known["drawn"]):
        return {}
    return {"contributions": known["value"][known["drawn"]], "downhill": known["arrow"] if len(known["arrow"]) else None}
