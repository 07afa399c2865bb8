"""How a page begins: its styles, and what it reads before it draws anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from app.frame import top
from app.words.text import escape
from engine.errors import LabError

T = TypeVar("T")


def open_page(read: Callable[[], T], *, style: str = "", errors: tuple[type[Exception], ...] = (LabError,)) -> T | None:
    """Put the styles on the page and return what `read` gives; None where it fails, with the reason on the page.

    style: the page's own, as HTML. errors: what `read` may raise.
    """
    top.draw_styles()
    if style:
        st.html(style)
    try:
        return read()
    except errors as error:
        st.title("Imbalance Lab")
        st.error(escape(error, 600), icon=":material/error:")
        return None
