"""Who has signed in, in the bar on top: a link to sign in, or the name with what one can do. Nothing where there are no accounts."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.session import uploads, visitor
from app.session.store import get_store
from app.sign_in import Person, read_provider
from app.words import account as words
from app.words.text import escape
from engine.errors import LabError

_SHOWN = 24
"""Characters of a name in the bar."""
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
    st.caption(words.CODE)
    st.code(person.owner, language=None, wrap_lines=True)


def _leave(end: Callable[..., None], *which: str | float) -> None:
    """End a sign-in in the store, then drop Streamlit's cookie, which leads to the provider's own page of signing out."""
    end(*which)
    visitor.clear_session()
    st.logout()
