"""Gallery: recorded examples, each with its picture, its numbers and a link that opens it. It needs no engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import links, start, top
from app.frame.opening import open_page
from app.parts import share
from app.session import recorded
from app.session.store import get_store
from app.views.gallery import examples
from app.words.text import escape, format_count
from engine.errors import LabError

IN_A_ROW = 3


def page() -> None:
    """Draw the page."""
    if "run" in st.query_params:  # a link to the Lab, the default page, has no page's name in its path
        st.switch_page(st.session_state["pages"]["lab"], query_params=st.query_params.to_dict())
    cards = open_page(_load, errors=(LabError, ValueError))
    if cards is None:
        return
    top.draw_head(False)
    st.subheader("Examples worth a look")
    st.markdown(
        f"{format_count(len(cards), 'recorded example')}, trained with this program and kept with it: nothing has to run. Every number "
        "is read from the runs that its link opens."
    )
    if not cards:
        st.info("No example came with this copy. `python -m engine example moons` makes one.", icon=":material/history:")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="gallery-start"):
        st.button("Start with five steps", key="gallery.start", icon=":material/directions_walk:", on_click=start.restart_steps)
        st.caption("Watch, read, change, compare, and then your own table.", width="content")
    with st.container(key="gallery"):
        for row in range(0, len(cards), IN_A_ROW):
            for place, card in zip(st.columns(IN_A_ROW, gap="medium"), cards[row : row + IN_A_ROW], strict=False):
                with place:
                    _draw_card(card)
    text_columns = ("example", "number", "interval", "against 0")
    share.offer_table(
        lambda: examples.list_facts(cards), "examples", "gallery", "The numbers of all examples", text=text_columns
    )


def _load() -> list[dict[str, Any]]:
    get_store()  # raises where there is none: links of the cards lead into it
    return recorded.read_cards()


def _draw_card(card: Mapping[str, Any]) -> None:
    with st.container(border=True, key=f"card-{card['name']}", gap="small"):
        st.markdown(f"#### {escape(card['title'], 80)}")
        examples.draw_picture(card)
        st.caption(escape(card["legend"], 200))
        st.markdown(f"{escape(card['look'], 300)} {escape(card['means'], 300)}")
        examples.draw_facts(card)
        links.draw_link(card["page"], f"Open: {card['title']}", ":material/open_in_new:", **card["words"])
