"""The visitor: who signed in, else the browser's owner token; demonstration mode; what a session holds of a person's own tables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import sign_in
from app.sign_in import Person
from engine.errors import StoreError
from engine.store import Store, people

OWNER_COOKIE = "lab_owner"
"""The unguessable token that `app/server.py` sets; private runs belong to it."""
NO_OWNER = "Without this site's cookie nobody could tell whose table it is: allow cookies here and load the page again."
MINE = "mine."
"""Prefix of the keys of everything that a session keeps of a person's own tables, widgets too."""
DEMO = "This is a demonstration: it shows what was recorded, and {what}."
"""The line beside a control that is off in a demonstration; `explain_demo` fills it in."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""What a browser's token looks like. A person's owner has a colon, so that no cookie can name a person."""
_SEEN = "visitor.owner"


def is_demo() -> bool:
    """Whether LAB_DEMO=1: stored things can be looked at, and nothing can be queued, sent, renamed or deleted."""
    return os.environ.get("LAB_DEMO", "") == "1"


def explain_demo(what: str = "nothing can be trained or changed here") -> str:
    """Return why a control is off in a demonstration: one sentence, for a caption, a control's help or an error."""
    return DEMO.format(what=what)


def read_owner() -> str | None:
    """Return whose tables this script run may read: the person's who has signed in, else the browser's token; None where the page was
    started without `app/server.py`. It is read anew each time, since a sign-in may end while a page is open. Raises StoreError."""
    person = read_person()
    return person.owner if person is not None else read_browser()


def read_browser() -> str | None:
    """Return the cookie token of this browser, which a sign-in does not change; None where it has none."""
    return _token(str(st.context.cookies.get(OWNER_COOKIE) or ""))


def read_person() -> Person | None:
    """Return who has signed in, None where nobody has. Raises StoreError."""
    if not can_sign_in():
        return None
    from app.session.store import get_store  # which imports this module

    headers = {name.lower(): value for name, value in st.context.headers.items()}
    return find_person(dict(st.context.cookies), headers, get_store)


def find_person(cookies: Mapping[str, str], headers: Mapping[str, str], open_store: Callable[[], Store]) -> Person | None:
    """Return who sends a request, by its cookies and headers (`app.sign_in.identify`), unless that sign-in was ended.
    Raises StoreError."""
    person = sign_in.identify(cookies, headers) if can_sign_in() else None
    if person is None or person.sign_in is None or person.issued is None:
        return person
    return None if open_store().is_signed_out(person.owner, person.sign_in, person.issued) else person


def can_sign_in() -> bool:
    """Whether people can sign in here. A demonstration has no people."""
    return sign_in.is_on() and not is_demo()


def is_admin() -> bool:
    """Whether who looks is one of those whom LAB_ADMINS names."""
    try:
        return can_sign_in() and people.is_admin(read_owner())
    except StoreError:
        return False  # the page itself shows the error


def note_owner() -> None:
    """Empty the session where somebody else looks than at its last run: one has signed in or out, or the sign-in has ended.
    Call it as a script run begins."""
    if not can_sign_in():
        return
    owner, seen = read_owner(), st.session_state.get(_SEEN, "")
    if seen not in ("", owner):
        clear_session()
    st.session_state[_SEEN] = owner


def parse_owner(header: str) -> str | None:
    """Return the token in a request's Cookie header, None where it has none that this server can have made."""
    parts = (
        part.strip().partition("=") for part in header.split(";")
    )  # `http.cookies` gives up at one odd cookie of another program
    found = [value.strip() for name, _, value in parts if name == OWNER_COOKIE]
    return _token(found[-1]) if found else None


def _token(text: str) -> str | None:
    return text if _TOKEN.fullmatch(text) else None


def clear_session() -> None:
    """Delete what this session holds of a person's own tables."""
    for key in [key for key in st.session_state if str(key).startswith(MINE)]:
        del st.session_state[key]


def drop_left_widgets() -> None:
    """Drop what Streamlit keeps of a person's own widgets until their session ends: lists of columns and classes among it.

    Call it as a script run begins: those that are drawn again are registered again.
    """
    context = get_script_run_ctx()
    if context is not None:
        kept = context.session_state._state._new_widget_state.widget_metadata
        for id in [id for id in kept if f"-{MINE}" in id]:
            del kept[id]


def drop_closed_sessions() -> None:
    """Drop the sessions of tabs that were closed longer ago than `server.disconnectedSessionTTL` (two minutes).

    Streamlit itself does so when the next tab is closed, which may be long after the tables that they show are forgotten.
    Call it on the server's event loop.
    """
    if runtime.exists():
        len(runtime.get_instance()._session_mgr._session_storage._cache)  # len() removes expired sessions
