"""A person's own tables. They are read anew each time; no cache of this process holds them."""

from __future__ import annotations

import streamlit as st

from app.session import visitor
from app.session.store import get_store
from engine.errors import LabError
from engine.store import forgetting
from engine.store.forgetting import Forgotten
from engine.store.handover import HandedOver
from engine.store.uploads import Upload

ALIVE = 60.0
"""Seconds between two signs of life of an open page."""
_HERE = f"{visitor.MINE}here"


def explain_refusal() -> str:
    """Return why no table is taken from this browser, '' where tables are taken."""
    return (
        visitor.explain_demo("no table is taken")
        if visitor.is_demo()
        else ""
        if visitor.read_owner() is not None
        else visitor.NO_OWNER
    )


def retention_seconds() -> int:
    """Return the seconds without a sign of life after which this browser's tables are forgotten.
    Raises BadInput for a bad setting."""
    return forgetting.kept_seconds()


def list_uploads() -> list[Upload]:
    """Return this browser's tables, newest first; none in a demonstration."""
    mine = visitor.read_owner()
    return [] if mine is None or visitor.is_demo() else get_store().uploads(mine)


def find_upload(id: str) -> Upload:
    """Return a table. Raises UnknownName where there is none, or it is another browser's."""
    return get_store().upload(id, visitor.read_owner())


def has_lost_key() -> bool:
    """Return whether this browser's tables went with their keys as the database crashed, and none was sent since."""
    return not visitor.is_demo() and get_store().has_lost_key(visitor.read_owner())


def list_left() -> list[Upload]:
    """Return the tables that this browser sent before its person signed in; none where nobody has."""
    browser = visitor.read_browser()
    return [] if browser is None or visitor.read_person() is None else get_store().uploads(browser)


def take_along() -> HandedOver:
    """Make them the person's. Raises NotAllowed where nobody has signed in, QuotaReached where they are too many."""
    person = visitor.read_person()
    return get_store().hand_over(visitor.read_browser(), None if person is None else person.owner)


def forget_uploads(id: str | None = None) -> Forgotten:
    """Forget a table, or all of this browser's, with every job made of it and what this session holds of them."""
    gone = get_store().forget(visitor.read_owner(), id)
    visitor.clear_session()
    return gone


def keep_alive() -> None:
    """Record signs of life of an open page that has tables, and empty the page when one of them is gone.
    Call it once a script run."""
    if visitor.is_demo():
        return  # a demonstration has no owners
    visitor.drop_left_widgets()
    try:
        visitor.note_owner()
        some = bool(list_uploads())
    except LabError:
        return  # the page itself shows the error
    st.fragment(_sign_of_life, run_every=ALIVE if some else None)()


def _sign_of_life() -> None:
    try:
        mine = visitor.read_owner()
        if mine is None:
            return
        get_store().touch(mine)
        here = {one.id for one in get_store().uploads(mine)}
    except LabError:
        return  # tried again in ALIVE seconds
    gone = st.session_state.get(_HERE, set()) - here
    if gone:  # forgotten in another tab, or expired
        visitor.clear_session()
    if here:
        st.session_state[_HERE] = here
    if gone:
        st.rerun()
