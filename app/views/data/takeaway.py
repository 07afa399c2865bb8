"""What can be taken from a comparison: report, tables, rows, model, code, and the engine that reads them. All but the engine are links
that check the owner's cookie."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.parts.elements import draw_fold
from app.session import jobs
from app.views.data import board
from app.words import data as words
from engine.report.comparison_code import write_row

ENGINE_URL = "/api/engine.zip"
INSTALL = "python -m pip install -r requirements.txt"
"""The line that installs what the engine needs, in the folder that its zip is unpacked into."""
STYLE = """<style>
.take { display: flex; flex-direction: column; gap: .5rem; }
.take a {
  display: flex; align-items: center; justify-content: center; min-height: 2.5rem; padding: .25rem .9rem; border-radius: .5rem;
  text-decoration: none; color: inherit; border: 1px solid rgba(128, 128, 128, .5);
}
.take a:hover, .take a:focus-visible { border-color: light-dark(#00644B, #3CC79A); color: light-dark(#00644B, #3CC79A); }
.take a.first { background: light-dark(#00644B, #3CC79A); color: light-dark(#FFFFFF, #06281D); font-weight: 600; }
</style>"""


def draw_takeaway(job: str, result: Mapping[str, Any]) -> None:
    """Draw links to everything, the code of one row, and how to get the engine."""
    rows = board.rows_of_result(result)
    titles = {row.name: row.title for row in rows}
    there = set(jobs.list_artifacts(job))
    left, middle, right = st.columns([430, 470, 360], gap="medium")
    with left, st.container(border=True, key="use-row"):
        st.markdown(f"**{words.MODEL_HEAD}**")
        st.fragment(_draw_method)(job, result, titles, board.rank_names(rows), there)
    with middle, st.container(border=True, key="use-engine"):
        _draw_engine()
    with right, st.container(border=True, key="use-report"):
        st.markdown(f"**{words.REPORT_HEAD}**")
        files = (
            (words.REPORT_FILE, "report.html"), (words.CSV_FILE, "leaderboard.csv"), (words.MARKDOWN_FILE, "leaderboard.md"),
            (words.LATEX_FILE, "leaderboard.tex"), (words.JSON_FILE, "comparison.json"),
        )  # fmt: skip
        st.html(write_links([(title, jobs.file_url(job, name)) for title, name in files]))
        st.caption(words.LINKS_NOTE)


def _draw_engine() -> None:
    """Draw how a person without the engine gets it."""
    st.markdown(f"**{words.ENGINE_HEAD}**")
    st.caption(words.ENGINE_NEEDS)
    st.html(write_links([(words.ENGINE_FILE, ENGINE_URL)], first=False))
    st.markdown("\n".join(f"{i}. {text}" for i, text in enumerate(words.ENGINE_STEPS, 1)))
    st.code(INSTALL, language="bash", wrap_lines=True)


def _draw_method(job: str, result: Mapping[str, Any], titles: Mapping[str, str], names: list[str], there: set[str]) -> None:
    """Draw the model, the rows and the code of one row of the board. A fragment."""
    state = st.session_state
    if state.get("data.take") not in titles:
        chosen = state.get("data.method")
        state["data.take"] = chosen if chosen in titles else names[0]
    name = str(st.selectbox(words.ONE_ROW, names, format_func=titles.__getitem__, key="data.take"))
    files = []
    if f"model/{name}" in there:
        files.append((words.MODEL_FILE, jobs.file_url(job, f"model-{name}.zip")))
    if f"augmented/{name}" in there:
        files.append((words.AUGMENTED_FILE, jobs.file_url(job, f"augmented-{name}.csv")))
    files.append((words.CODE_FILE, jobs.file_url(job, f"code-{name}.py")))
    st.html(write_links(files, first=False))
    if f"model/{name}" in there:
        with draw_fold(words.USE_CODE, "data-example", "") as fold:
            if fold.open:
                st.code(write_example(name), language="python", wrap_lines=True)
    else:
        st.caption(words.NO_MODEL)
    if f"augmented/{name}" not in there:
        st.caption(words.NO_AUGMENTED)
    with draw_fold(words.CODE_FOLD, "data-code", "") as fold:
        if fold.open:
            st.code(write_row(result, name), language="python", wrap_lines=True)


def write_example(name: str) -> str:
    """Return Python that loads the model and uses it, beside the unpacked engine."""
    return f"""import engine

model = engine.load_model("model-{name}.zip")
rows = "new-rows.csv"  # your rows, written as the table is
print(model.classes_)
print(model.predict_proba(rows)[:5])
"""


def write_links(links: list[tuple[str, str]], *, first: bool = True) -> str:
    """Return links as HTML; the first one stands out."""
    items = [
        f'<a{" class=first" if first and i == 0 else ""} href="{html.escape(url, quote=True)}" download>{html.escape(text)}</a>'
        for i, (text, url) in enumerate(links)
    ]
    return f'{STYLE}<div class="take">{"".join(items)}</div>'
