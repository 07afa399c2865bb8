"""A person's own table: how it is sent, who may see it, and how it is deleted with everything made of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.drop import draw_drop_zone
from app.parts import quota
from app.session import uploads, visitor
from app.session.store import get_store
from app.views.data import sample
from app.words import data as words
from app.words.text import escape, format_count
from engine.errors import LabError
from engine.spec.table_limits import MAX_BYTES, MAX_CELLS, MAX_COLUMNS, MAX_INFLATED, MAX_ROWS
from engine.store.forgetting import Forgotten
from engine.store.sealing import KEY_GONE
from engine.store.uploads import ENDINGS, Upload

TAKEN = words.TAKEN.format(size=MAX_BYTES >> 20, rows=f"{MAX_ROWS:,}")
TAKEN_MORE = words.TAKEN_MORE.format(inflated=MAX_INFLATED >> 20, columns=f"{MAX_COLUMNS:,}", cells=f"{MAX_CELLS:,}")
HEIGHT = 300
"""Pixels of the field to drop a table on."""

Go = Callable[[str | None], None]
"""Goes to a table by its id; None: to the empty page."""


def _retention() -> str:
    return format_count(max(1, round(uploads.retention_seconds() / 60)), "minute")


def draw_privacy() -> None:
    """Draw who sees a table, and behind a press all that happens to it and what is not promised."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/lock: {words.PRIVATE}", width="content")
        with st.popover(words.PRIVATE_MORE, type="tertiary", key="data-privacy"):
            st.markdown("\n".join(f"- {text.format(minutes=_retention())}" for text in (*words.PRIVATE_ALL, TAKEN_MORE)))
        quota.draw_kept()


def draw_empty(go: Go) -> None:
    """Draw a page without a table: a place to drop one on, a sample to try, and what becomes of a table."""
    if why := uploads.explain_refusal():
        st.warning(escape(why, 400), icon=":material/movie:" if visitor.is_demo() else ":material/cookie_off:")
        return
    draw_drop_zone(words.DROP, TAKEN, endings=ENDINGS, key="mine.drop", sent=go, texts=words.DROP_WORDS, height=HEIGHT)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(words.SAMPLE, key="data.sample", icon=":material/science:", on_click=_take_sample, args=(go,))
        st.caption(words.SAMPLE_NOTE.format(rows=f"{sample.ROWS:,}"))
    draw_privacy()


def draw_replacement(table: Upload, go: Go) -> None:
    """Draw the same place under a table that is there."""
    draw_drop_zone(
        words.DROP_ANOTHER, TAKEN, endings=ENDINGS, key=f"mine.next.{table.id}", sent=go, texts=words.DROP_WORDS, height=HEIGHT
    )
    draw_privacy()


def _take_sample(go: Go) -> None:
    try:
        go(get_store().add_upload(visitor.read_owner(), sample.NAME, sample.write_sample()))
    except LabError as error:
        st.session_state["data.trouble"] = str(error)


def draw_trouble() -> None:
    """Draw what went wrong with the last press, once."""
    if text := st.session_state.pop("data.trouble", ""):
        st.error(escape(text, 400), icon=":material/error:")


def draw_another(upload: Upload, all_of_mine: list[Upload], go: Go) -> None:
    """Draw the choice of another table and a place to drop one."""
    with st.popover(words.ANOTHER, key=f"mine.more.{upload.id}"):
        for one in [u for u in all_of_mine if u.id != upload.id]:
            st.button(
                escape(one.name, 60), key=f"mine.open.{one.id}", icon=":material/table:", on_click=go, args=(one.id,),
                width="stretch",
            )  # fmt: skip
        draw_drop_zone(
            words.DROP_ANOTHER, TAKEN, endings=ENDINGS, key=f"mine.another.{upload.id}", sent=go, texts=words.DROP_WORDS,
            small=True,
        )  # fmt: skip
        quota.draw_kept()


def draw_forget(upload: Upload, place: str, go: Go) -> None:
    """Draw the Forget button with its confirmation."""
    with st.popover(words.FORGET, key=f"mine.forget.{place}.{upload.id}"):
        st.markdown(words.FORGET_WHAT.format(name=escape(upload.name, 80)))
        st.button(
            words.FORGET_NOW, key=f"mine.gone.{place}.{upload.id}", type="primary", icon=":material/delete_forever:",
            on_click=_forget_table, args=(upload.id, go),
        )  # fmt: skip


def _forget_table(id: str, go: Go) -> None:
    try:
        gone = uploads.forget_uploads(id)
    except LabError as error:
        st.session_state["data.trouble"] = str(error)
        return
    go(None)
    st.session_state["data.forgotten"] = gone


def draw_forgotten() -> None:
    """Draw what was deleted, once."""
    gone: Forgotten | None = st.session_state.pop("data.forgotten", None)
    if gone is None:
        return
    with st.container(key="data-state-forgotten"):
        if not gone.tables:
            st.info(words.NOTHING_LEFT, icon=":material/info:")
            return
        said = words.FORGOTTEN.format(
            tables=format_count(gone.tables, "table"), work=format_count(gone.jobs, "piece") + " of work"
        )
        st.success(f"{said} {words.LOG_EMPTY if gone.clean else words.LOG_LATER}", icon=":material/delete_forever:")


def draw_lost() -> bool:
    """Draw that the database lost this browser's tables; return whether it did."""
    lost = uploads.has_lost_key()
    if lost:
        with st.container(key="data-state-lost"):
            st.warning(KEY_GONE, icon=":material/key_off:")
    return lost


def draw_unknown(go: Go, lost: bool) -> None:
    """Draw the page of a link to a table that is gone or another browser's; both read the same. lost: `draw_lost` has said why."""
    with st.container(key="data-state-unknown"):
        if not lost:
            st.warning(words.GONE_WHY.format(minutes=_retention()), icon=":material/search_off:")
        st.button(words.START, key="data.start", icon=":material/home:", on_click=go, args=(None,))
