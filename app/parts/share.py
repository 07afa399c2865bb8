"""Copy as table, copy as code: what is on a page in the form in which it is taken elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd
import streamlit as st

from app.session import jobs
from app.words.text import escape
from engine.errors import BadInput
from engine.report import formats, run_code
from engine.report import sweep_code as sweep_writers
from engine.spec import RunSpec
from engine.sweep import SweepSpec

Table: TypeAlias = "pd.DataFrame | Sequence[Mapping[str, Any]]"
Code: TypeAlias = tuple[str, str, str, str]
"""A terminal command and what it does, Python and what that does."""
FORMS = {"Markdown": "md", "LaTeX": "tex", "CSV": "csv"}
"""Label -> end of the file's name."""
HIGH = 320
"""Pixels of the text at most; the rest is scrolled to."""
LONG = 12
"""Lines that fit without scrolling."""
_PRIVATE = "share.own"


def begin_page() -> None:
    """Record that nothing on this page is made of a person's own table so far. A page calls it before it draws anything."""
    st.session_state[_PRIVATE] = False


def mark_private() -> None:
    """Record that something on this page is made of a person's own table: its tables are then copied, not downloaded.

    Streamlit hands out files without asking who wants them.
    """
    st.session_state[_PRIVATE] = True


def is_private() -> bool:
    """Whether something on this page is made of a person's own table; True where no page has begun."""
    return bool(st.session_state.get(_PRIVATE, True))


def offer_table(
    rows: Table | Callable[[], Table],
    name: str,
    key: str,
    caption: str = "",
    *,
    download: bool = True,
    text: Collection[str] = (),
) -> None:
    """Draw an expander that shows a table as Markdown, LaTeX and CSV, each to copy and to download.

    rows: a data frame, records (`engine.report.formats`), or a function that makes them when it is opened.
    name: of the files, without ending. key: of this expander on its page. caption: what the table is.
    download: False for what is made of a person's own table (as `mark_private` for a whole page).
    text: columns that hold words even where they look like numbers.
    """
    offer_forms(
        lambda: write_forms(list_records(rows() if callable(rows) else rows), caption, text), name, key, download=download
    )


def offer_forms(write: Callable[[], Mapping[str, str]], name: str, key: str, *, download: bool = True) -> None:
    """Draw the same for a table that writes itself: write() returns its text in each of FORMS."""
    st.fragment(_offer_forms)(write, name, key, download and not st.session_state.get(_PRIVATE, False))


def _offer_forms(write: Callable[[], Mapping[str, str]], name: str, key: str, download: bool) -> None:
    """Draw the expander. A fragment, so that opening it draws nothing else again."""
    with _draw_press("Copy as table", ":material/content_copy:", f"share-{key}") as pressed:
        if not pressed.open:
            return
        texts = write()
        for tab, (label, end) in zip(st.tabs(list(FORMS)), FORMS.items(), strict=True):
            with tab:
                _draw_text(texts[label], None)  # Streamlit's colours of Markdown are too pale to read
                if download:
                    st.download_button(
                        f"Download {label}",
                        texts[label].encode("utf-8-sig" if label == "CSV" else "utf-8"),
                        f"{name}.{end}",
                        "text/csv" if label == "CSV" else "text/plain",
                        icon=":material/download:",
                        key=f"share-{key}-{end}",
                        on_click="ignore",
                    )


def write_forms(rows: Sequence[Mapping[str, Any]], caption: str = "", text: Collection[str] = ()) -> dict[str, str]:
    """Return a table in each of FORMS. text: as in `offer_table`."""
    return {
        "Markdown": formats.write_markdown(rows, caption),
        "LaTeX": formats.write_latex(rows, caption),
        "CSV": formats.write_csv(rows, text=text),
    }


def list_records(rows: Table) -> list[dict[str, Any]]:
    """Return rows as mappings; an index with a name becomes a column."""
    if not isinstance(rows, pd.DataFrame):
        return [dict(row) for row in rows]
    frame = rows if rows.index.name is None else rows.reset_index()
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def offer_run(id: str | None, spec: RunSpec, catalog: Mapping[str, Any]) -> None:
    """Draw what can be taken from the page of a run: its code and, where it is done (`id`), a link to its report."""
    with st.container(horizontal=True, vertical_alignment="center", key="take-run"):
        offer_code(spec, catalog, "run")
        if id is not None:
            st.link_button(
                "Report (HTML)",
                jobs.file_url(id, "report.html"),
                type="tertiary",
                icon=":material/description:",
                help="One file that opens anywhere and asks no other host for anything, with what the run is compared with.",
            )


def draw_code(spec: RunSpec, catalog: Mapping[str, Any]) -> None:
    """Draw a run as a terminal command and as Python, both to copy."""
    _draw_code(lambda: _write_run(spec, catalog))


def offer_code(spec: RunSpec, catalog: Mapping[str, Any], key: str) -> None:
    """Draw an expander that shows a run as a terminal command and as Python, both to copy.
    key: of this expander on its page."""
    st.fragment(_offer_code)(lambda: _write_run(spec, catalog), key)


def offer_sweep_code(spec: SweepSpec, metric: str, key: str) -> None:
    """Draw the same for a whole sweep. metric: the one that its answer is in."""
    st.fragment(_offer_code)(lambda: _write_sweep(spec, metric), key)


def _write_run(spec: RunSpec, catalog: Mapping[str, Any]) -> Code:
    near = run_code.find_classifier(spec, catalog) is not None
    return (
        run_code.write_command(spec, catalog),
        "The same run: the same numbers on the same kind of machine.",
        run_code.write_python(spec, catalog),
        "A scikit-learn classifier on this run's own splits: near its score, not equal digit for digit."
        if near
        else "The run itself: the same numbers on the same kind of machine.",
    )


def _write_sweep(spec: SweepSpec, metric: str) -> Code:
    return (
        sweep_writers.write_command(spec, metric),
        "Runs the cells that the store lacks, cheapest first, and prints what comes of all of them; --report FILE writes the report.",
        sweep_writers.write_python(spec, metric),
        "Trains every cell anew and keeps nothing: the same numbers on the same kind of machine.",
    )


def _offer_code(write: Callable[[], Code], key: str) -> None:
    """Draw the expander. A fragment, as `_offer_forms`."""
    with _draw_press("Copy as code", ":material/terminal:", f"code-{key}") as pressed:
        if pressed.open:
            _draw_code(write)


def _draw_code(write: Callable[[], Code]) -> None:
    """Draw command and script in two tabs."""
    try:
        command, about, script, about_script = write()
    except BadInput as error:
        st.caption(escape(error, 300))
        return
    shell, python = st.tabs(["Terminal", "Python"])
    with shell:
        _draw_text(command, "bash")
        st.caption(about)
    with python:
        _draw_text(script, "python")
        st.caption(about_script)


def _draw_press(label: str, icon: str, key: str) -> Any:
    """Return a small expander. Unlike a popover's, its contents come next in the order of the Tab key."""
    return st.expander(label, icon=icon, key=key, on_change="rerun")


def _draw_text(text: str, language: str | None) -> None:
    st.code(text, language=language, wrap_lines=True, height=HIGH if text.count("\n") > LONG else "content")
