"""The film of a run: the player, fed with the run's events as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.parts import size
from app.player import HEIGHT, Feed, mount_player
from app.run.panel import TICK
from app.run.shown import Shown
from app.session import shared, visitor
from app.session.jobs import read_contributions
from app.session.store import get_store
from engine.errors import BadData, UnknownName
from engine.events import Phase
from engine.store import Job

SETTLE = 20.0
"""Seconds after its end in which a run is still read now and then."""
BEGINS = "Pictures begin when the network has learnt features, after its first phase."
"""What the empty player says of a run on images."""


def is_settling(job: Job) -> bool:
    """Whether a run ended less than SETTLE seconds ago. The player may then still ask for a chunk that was lost."""
    return job.finished is not None and time.time() - job.finished < SETTLE


def play_film(shown: Shown, replicate: int, key: str, **options: Any) -> None:
    """Draw the player with a run's pictures under that key, and feed it with what is new.

    options: as in `app.player.encode_chunk`, such as title and group.
    """
    job, settles = shown.job, is_settling(shown.job)
    images = shown.entry is not None and shown.entry["kind"] == "images"
    every = TICK if job.active else 4 * TICK if settles else None
    st.fragment(_draw_stage, run_every=every)(job.id, replicate, key, job.active, settles, BEGINS if images else "", options)


def _draw_stage(
    run: str, replicate: int, key: str, was_active: bool, settles: bool, begins: str, options: Mapping[str, Any]
) -> None:
    """Draw the player with what is new of the run. A fragment."""
    store, owner = get_store(), visitor.read_owner()
    try:
        job = shared.read_job(store, run, owner)
    except UnknownName:
        st.rerun()
    take, slot = f"{run}/{job.attempt}/{replicate}", f"feed.{key}"
    fed, feed = st.session_state.get(slot, ("", None))
    if not isinstance(feed, Feed) or fed != take:
        feed = Feed(run, replicate)
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
    text = begins if job.state == "running" else ""
    remember = shared.remember_chunks(store, job, replicate)
    alive = bool(shared.read_engines(store))
    chunk = feed.make_chunk(
        events, status=job.state, engine_alive=alive, take=str(job.attempt), text=text, remember=remember, **options
    )
    mount_player(chunk, key=key, height=round(size.size_factor() * HEIGHT), on_need=feed.rewind)
    if job.active != was_active or (settles and not is_settling(job)):
        st.rerun()


def _read_contributions(job: Job, replicate: int, owner: str | None) -> dict[str, Any]:
    """Return what the player needs of a finished run's contributions; {} where none are kept or they cannot be read."""
    try:
        known = read_contributions(job.id, job.attempt, replicate, owner)
    except BadData:
        return {}  # the film plays without them; the table shows the error
    if known is None or not len(known["drawn"]):
        return {}
    return {"contributions": known["value"][known["drawn"]], "downhill": known["arrow"] if len(known["arrow"]) else None}
