"""What can be taken from a comparison: report, tables, rows, model, code, and the engine that reads them. All but the engine are links
that check the owner's cookie."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.parts.elements import draw_fold
from app.session import jobs
from app.words import use as words
from engine.report.comparison_code import write_row

ENGINE_URL = "/api/engine.zip"
INSTALL = "python -m pip install -r requirements.txt"
"""The line that installs what the engine needs, in the folder that its zip is unpacked into."""
STYLE = """<style>
.take { display: flex; flex-direction: column; gap: .5rem; }
.take a {
  display: flex; align-items: center; justify-content: center; min-height: 2.5rem; padding: .25rem .9rem; border-radius: .5rem;
  text-decoration: none; color: inherit; font-size: 14px; text-align: center; border: 1px solid rgba(128, 128, 128, .5);
}
.take a:hover, .take a:focus-visible { border-color: light-dark(#00644B, #3CC79A); color: light-dark(#00644B, #3CC79A); }
.take a.first { background: light-dark(#00644B, #3CC79A); color: light-dark(#FFFFFF, #06281D); font-weight: 600; }
</style>"""


def draw_more(job: str, result: Mapping[str, Any], name: str, there: set[str]) -> None:
    """Draw, behind a press, the code of a row, tables of the board, and how to get the engine."""
    with draw_fold(words.MORE_FILES, "use-more", "") as fold:
        if not fold.open:
            return
        left, right = st.columns(2, gap="medium")
        with left:
            if f"model/{name}" in there:
                st.markdown(f"**{words.USE_CODE}**")
                st.code(write_example(name), language="python", wrap_lines=True)
            st.markdown(f"**{words.CODE_FOLD}**")
            st.code(write_row(result, name), language="python", wrap_lines=True, height=300)
        with right:
            st.markdown(f"**{words.REPORT_HEAD}**")
            files = [
                (words.CSV_FILE, "leaderboard.csv"), (words.MARKDOWN_FILE, "leaderboard.md"), (words.LATEX_FILE, "leaderboard.tex"),
                (words.JSON_FILE, "comparison.json"),
            ]  # fmt: skip
            if f"augmented/{name}" in there:
                files.append((words.AUGMENTED_FILE, f"augmented-{name}.csv"))
            st.html(write_links([(title, jobs.file_url(job, file)) for title, file in files], first=False))
            st.caption(words.LINKS_NOTE)
            _draw_engine()


def _draw_engine() -> None:
    """Draw how a person without the engine gets it."""
    st.markdown(f"**{words.ENGINE_HEAD}**")
    st.caption(words.ENGINE_NEEDS)
    st.html(write_links([(words.ENGINE_FILE, ENGINE_URL)], first=False))
    st.markdown("\n".join(f"{i}. {text}" for i, text in enumerate(words.ENGINE_STEPS, 1)))
    st.code(INSTALL, language="bash", wrap_lines=True)


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
