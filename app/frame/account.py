"""Who has signed in, in the bar on top: a link to sign in, or the name with what one can do. Nothing where there are no accounts."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.session import uploads, visitor
from app.session.store import get_store
from app.sign_in import Person, read_provider
from app.words import account as words
from app.words.text import escape, format_count
from engine.errors import LabError

_SHOWN = 24
"""Characters of a name in the bar."""
_SAID = "account.said"
"""Session key: where tables were taken along, whether that went well, and what came of it."""
STYLE = """<style>
a.sign-in { display: inline-block; padding: .35rem .6rem; border-radius: .5rem; font-size: .875rem; white-space: nowrap;
  color: light-dark(#005A9C, #56B4E9); text-decoration: none; }
a.sign-in:hover { text-decoration: underline; }
.st-key-account [data-testid="stPopoverButton"] { color: inherit !important; }
@media (max-width: 767px) {
  a.sign-in { padding: .35rem 0; }
  .st-key-status-silent p { max-width: 7rem; overflow: hidden; text-overflow: ellipsis; }
  .st-key-account [data-testid="stPopoverButton"] { padding: 0; }
  .st-key-account [data-testid="stPopoverButton"] div[aria-hidden="true"] { display: none; }
  .st-key-account [data-testid="stPopoverButton"] p { position: absolute; width: 1px; overflow: hidden; clip-path: inset(50%); }
}
</style>"""


def draw_account() -> None:
    """Draw it."""
    if not visitor.can_sign_in():
        return
    try:
        person = visitor.read_person()
    except LabError:
        return  # the status beside it shows the error
    st.html(STYLE)
    if person is None:
        if read_provider() is not None:
            link = f'<a class="sign-in" href="/api/sign-in" target="_self" title="{words.SIGN_IN_HELP}">{words.SIGN_IN}</a>'
            st.html(link, width="content")
        return
    with st.container(key="account", width="content"):
        shown = person.name if len(person.name) <= _SHOWN else f"{person.name[: _SHOWN - 1]}…"
        with st.popover(escape(shown), icon=":material/account_circle:", type="tertiary"):
            _draw_person(person)


def draw_offer(place: str) -> None:
    """Offer a person who has signed in to take along the tables that this browser sent before. place: where, part of the button's key."""
    if not visitor.can_sign_in():
        return
    state = st.session_state
    if (said := state.get(_SAID)) is not None and said[0] == place:
        (st.success if said[1] else st.error)(escape(state.pop(_SAID)[2], 300))
    if not (left := uploads.list_left()):
        return
    one = len(left) == 1
    these = {"these": "it" if one else "they", "them": "it" if one else "them"}
    with st.container(key=f"offer-{place}", horizontal=True, vertical_alignment="center"):
        st.markdown(words.LEFT.format(tables=format_count(len(left), "table"), **these), width="stretch")
        st.button(words.TAKE_ALONG, key=f"account.take.{place}", icon=":material/move_to_inbox:", on_click=_take, args=(place,))


def _take(place: str) -> None:
    """Take them along, and keep for the page what came of it."""
    try:
        moved = uploads.take_along()
    except LabError as error:
        st.session_state[_SAID] = place, False, str(error)
        return
    text = words.TAKEN.format(tables=format_count(moved.tables, "table"), jobs=format_count(moved.jobs, "piece") + " of work")
    st.session_state[_SAID] = place, True, text
    st.session_state.pop("page", None)  # the page looks at its address as on arrival: one without words is of the newest table


def _draw_person(person: Person) -> None:
    st.markdown(words.SIGNED_IN.format(name=escape(person.name, 100)))
    st.caption(words.YOURS.format(minutes=f"{uploads.retention_seconds() / 60:.0f}"))
    if person.sign_in is None or person.issued is None:
        st.caption(words.BY_PROXY)
    else:
        here, everywhere = (person.owner, person.sign_in), (person.owner, person.issued)
        with st.container(horizontal=True):
            st.button(
                words.SIGN_OUT, key="account.out", help=words.SIGN_OUT_HELP, on_click=_leave, args=(get_store().sign_out, *here)
            )
            st.button(
                words.EVERYWHERE, key="account.everywhere", help=words.EVERYWHERE_HELP, on_click=_leave,
                args=(get_store().sign_out_everywhere, *everywhere),
            )  # fmt: skip
    draw_offer("menu")
    st.caption(words.CODE)
    st.code(person.owner, language=None, wrap_lines=True)


def _leave(end: Callable[..., None], *which: str | float) -> None:
    """End a sign-in in the store, then drop Streamlit's cookie, which leads to the provider's own page of signing out."""
    end(*which)
    visitor.clear_session()
    st.logout()
