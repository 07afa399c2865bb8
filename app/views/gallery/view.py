"""Gallery: recorded runs, each with its picture, its difference and a link that opens it. It needs no engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.charts import palette
from app.frame import headline, links, top
from app.frame.opening import open_page
from app.parts import share
from app.session import recorded
from app.session.store import get_store
from app.views.gallery import examples
from app.words import gallery as words
from app.words.text import escape
from engine.errors import LabError

WIDTH, HEIGHT, PICTURE = 421, 322, 190
"""Pixels of a card and of its picture's height."""
_GOOD, _BAD, _EVEN = (
    "light-dark({}, {})".format(*p) for p in (palette.COLOURS["green"], palette.DESTRUCTIVE, palette.COLOURS["grey"])
)
_RULE = "light-dark(#D5D8DD, #3A3D42)"
_SOFT, _PAPER = ("light-dark({}, {})".format(*p) for p in (palette.SOFT_INK, palette.PAPERS))
_STYLE = f"""<style>
.st-key-gallery {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min({WIDTH}px, 100%), 1fr)); gap: 24px; }}
.st-key-gallery > * {{ width: auto; }}
.st-key-gallery [class*="st-key-card-"] {{ position: relative; min-height: {HEIGHT}px; padding: 0; gap: 0; overflow: hidden;
  border: 1px solid light-dark(#E2E4E8, #33363B); border-radius: 10px; }}
.st-key-gallery [class*="st-key-card-"]:hover {{ border-color: {_GOOD}; }}
.st-key-gallery [class*="st-key-card-"]:has(:focus-visible) {{ outline: 2px solid light-dark(#00644B, #3CC79A); outline-offset: 2px; }}
.card-pictures {{ position: relative; height: {PICTURE}px; background: {_PAPER}; }}
.card-pictures img {{ position: absolute; inset: 0; width: 100%; height: {PICTURE}px; object-fit: contain; }}
.card-pictures:has(.card-film) img {{ object-fit: fill; }}
.card-pictures .card-film {{ visibility: hidden; background: {_PAPER}; }}
@media (prefers-reduced-motion: no-preference) {{
  [class*="st-key-card-"]:is(:hover, :focus-within) .card-film {{ visibility: visible; }}
}}
.st-key-gallery :is(.stPageLink, .stElementContainer:has(.stPageLink)) {{ height: auto; width: auto; }}
.st-key-gallery :is(.stElementContainer:has(.stPageLink), .stPageLink, .stPageLink *) {{ position: static; }}
.st-key-gallery .stPageLink {{ padding: 10px 16px 2px; }}
.st-key-gallery [data-testid="stPageLink-NavLink"] {{ padding: 0; margin: 0; height: auto; min-height: 0; background: none; }}
.st-key-gallery [data-testid="stPageLink-NavLink"]::after {{ content: ""; position: absolute; inset: 0; z-index: 1; }}
.st-key-gallery [data-testid="stPageLink-NavLink"] p {{ font-size: 16.5px; font-weight: 650; line-height: 1.2; white-space: normal;
  color: light-dark(#26282C, #EDEEF0); }}
.card-setting {{ padding: 3px 16px 0; font-size: 13.5px; line-height: 1.3; color: {_SOFT}; }}
.card-dot {{ display: flex; justify-content: space-between; height: 40px; margin: 10px 16px 0;
  font-size: 12px; line-height: 16px; color: {_SOFT}; }}
.card-dot .axis {{ position: relative; width: 68%; height: 20px;
  background: linear-gradient({_RULE}, {_RULE}) center / 100% 1px no-repeat; }}
.card-dot i, .card-dot b {{ position: absolute; }}
.card-dot .zero {{ left: 50%; top: 0; height: 20px; border-left: 1.5px dotted {_SOFT}; }}
.card-dot .reach {{ top: 8.5px; height: 3px; border-radius: 2px; background: var(--side); }}
.card-dot :is(.filled, .hollow) {{ top: 4px; width: 12px; height: 12px; margin-left: -6px; box-sizing: border-box; border-radius: 50%;
  border: 2px solid var(--side); background: var(--side); }}
.card-dot .hollow {{ background: {_PAPER}; }}
.card-dot b {{ left: 50%; top: 22px; transform: translateX(-50%); font-weight: 400; white-space: nowrap; }}
.card-dot.good {{ --side: {_GOOD}; }} .card-dot.bad {{ --side: {_BAD}; }} .card-dot.even {{ --side: {_EVEN}; }}
.card-dot .side {{ padding-top: 2px; }}
.card-dot:is(.good, .bad) .side {{ font-weight: 650; color: light-dark(#26282C, #EDEEF0); }}
</style>"""


def page() -> None:
    """Draw the page."""
    if "run" in st.query_params:  # a link to the Lab, the default page, has no page's name in its path
        st.switch_page(st.session_state["pages"]["lab"], query_params=st.query_params.to_dict())
    cards = open_page(_load, errors=(LabError, ValueError))
    if cards is None:
        return
    top.draw_head(False)
    headline.draw_title(words.TITLE)
    if not cards:
        st.info(words.NONE, icon=":material/history:")
        return
    st.html(_STYLE)
    with st.container(key="gallery"):
        for card in cards:
            _draw_card(card)
    text_columns = ("run", "setting", "number", "interval", "against 0")
    share.offer_table(lambda: examples.list_facts(cards), "examples", "gallery", words.NUMBERS, text=text_columns)


def _load() -> list[dict[str, Any]]:
    get_store()  # raises where there is none: links of the cards lead into it
    return recorded.read_cards()


def _draw_card(card: Mapping[str, Any]) -> None:
    with st.container(key=f"card-{card['name']}"):
        examples.draw_picture(card)
        links.draw_link(card["page"], escape(card["title"], 120), **card["words"])
        examples.draw_difference(card)
