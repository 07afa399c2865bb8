"""A person's own table: how it is sent, who may see it, and how it is deleted with everything made of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.drop import draw_drop_zone
from app.session import uploads, visitor
from app.session.store import get_store
from app.views.data import sample
from app.words.text import escape, format_count
from engine.errors import LabError
from engine.spec.table_limits import MAX_BYTES, MAX_CELLS, MAX_COLUMNS, MAX_INFLATED, MAX_ROWS
from engine.store.forgetting import Forgotten
from engine.store.uploads import ENDINGS, Upload

TAKEN = (
    f"CSV, TSV, Excel or Parquet, or a zip of one: up to {MAX_BYTES >> 20} MiB ({MAX_INFLATED >> 20} MiB unpacked), {MAX_ROWS:,} rows, "
    f"{MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells."
)

Go = Callable[[str | None], object]
"""Goes to a table by its id; None: to the empty page."""


def explain_privacy() -> str:
    """Return what happens to the data, and what is not promised."""
    minutes = format_count(max(1, round(uploads.retention_seconds() / 60)), "minute")
    return (
        "Your table belongs to this browser: nobody else sees it or what is made from it, not even with the link. It is read and trained "
        "on by this server's engine, is sent to nobody else, and its content is written to no log. **Forget**, or "
        f"{minutes} without a sign of your browser, deletes it with everything made from it and ends the processes that read it. "
        "(Not promised: that the memory of a process which has freed it holds no trace.)"
    )


def draw_empty(go: Go) -> None:
    """Draw a page without a table: a place to drop one on, what is taken, what becomes of it, and a sample to try."""
    st.subheader("Which method helps on your data?")
    st.markdown(
        "Drop a table here. A minute later you know which method for imbalanced classes is better than plain training on it, by how much, "
        "and whether to believe it; you take away a report, the code and the fitted model."
    )
    if why := uploads.explain_refusal():
        st.warning(escape(why, 400), icon=":material/movie:" if visitor.is_demo() else ":material/cookie_off:")
        return
    draw_drop_zone("Drop a table here", TAKEN, endings=ENDINGS, key="mine.drop", sent=go)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Try a sample table", key="data.sample", icon=":material/science:", on_click=_take_sample, args=(go,))
        st.caption(f"{sample.ROWS:,} made-up customers, some of whom left: it goes the way of a table of your own.")
    st.caption(f":material/lock: {explain_privacy()}")


def _take_sample(go: Go) -> None:
    try:
        go(get_store().add_upload(visitor.read_owner(), sample.NAME, sample.write_sample()))
    except LabError as error:
        st.session_state["data.trouble"] = str(error)


def draw_trouble() -> None:
    """Draw what went wrong with the last press, once."""
    if text := st.session_state.pop("data.trouble", ""):
        st.error(escape(text, 400), icon=":material/error:")


def draw_head(upload: Upload, all_of_mine: list[Upload], go: Go) -> None:
    """Draw the table's name, the choice of another table, a place to drop one, and the way to forget it."""
    size = f"{upload.size / 1024:,.0f} KiB" if upload.size < 1 << 20 else f"{upload.size / (1 << 20):,.1f} MiB"
    with st.container(horizontal=True, vertical_alignment="center", key="data-head"):
        st.markdown(
            f":material/table: **{escape(upload.name, 80)}** · {size} · :material/lock: only in this browser", width="stretch"
        )
        with st.popover("Another table", icon=":material/add:", key=f"mine.more.{upload.id}"):
            for one in [u for u in all_of_mine if u.id != upload.id]:
                st.button(
                    escape(one.name, 60), key=f"mine.open.{one.id}", icon=":material/table:", on_click=go, args=(one.id,),
                    width="stretch",
                )  # fmt: skip
            draw_drop_zone("Drop another table", TAKEN, endings=ENDINGS, key=f"mine.another.{upload.id}", sent=go, small=True)
        draw_forget(upload, "top", go)


def draw_forget(upload: Upload, place: str, go: Go) -> None:
    """Draw the Forget button with its confirmation."""
    with st.popover("Forget", icon=":material/delete_forever:", key=f"mine.forget.{place}.{upload.id}"):
        st.markdown(
            f"Delete **{escape(upload.name, 80)}** and everything made from it: what was found in it, comparisons, models and reports? "
            "This cannot be taken back."
        )
        st.button(
            "Forget it now", key=f"mine.gone.{place}.{upload.id}", type="primary", icon=":material/delete_forever:",
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
            st.info("There was nothing left to forget.", icon=":material/info:")
            return
        what = f"{format_count(gone.tables, 'table')} and {format_count(gone.jobs, 'piece')} of work made from it are deleted"
        st.success(
            f"**Forgotten.** {what}, and the database's log is emptied."
            if gone.clean
            else f"**Forgotten.** {what}; the database's log is being read just now and is emptied by the engine as soon as it is free.",
            icon=":material/delete_forever:",
        )


def draw_unknown(go: Go) -> None:
    """Draw the page of a link to a table that is gone or another browser's; both read the same."""
    minutes = format_count(max(1, round(uploads.retention_seconds() / 60)), "minute")
    with st.container(key="data-state-unknown"):
        st.warning(
            "**Nothing here for you.** What this address names was forgotten (by a press, or after "
            f"{minutes} without a sign of its browser), or it belongs to another browser.",
            icon=":material/search_off:",
        )
        st.button("Start with a table", key="data.start", icon=":material/home:", on_click=go, args=(None,))
