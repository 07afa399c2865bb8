"""What can be taken from a comparison: report, tables, rows, model, code. All are links that check the owner's cookie."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.session import jobs
from app.views.data import board
from engine.report.comparison_code import write_row

STYLE = """<style>
.take { display: flex; flex-wrap: wrap; gap: .5rem; }
.take a {
  display: inline-flex; align-items: center; min-height: 2.5rem; padding: .25rem .9rem; border-radius: .5rem; text-decoration: none;
  color: inherit; border: 1px solid rgba(128, 128, 128, .5);
}
.take a:hover, .take a:focus-visible { border-color: light-dark(#00644B, #3CC79A); color: light-dark(#00644B, #3CC79A); }
.take a.first { background: light-dark(#00644B, #3CC79A); color: light-dark(#FFFFFF, #06281D); font-weight: 600; }
</style>"""


def draw_takeaway(job: str, result: Mapping[str, Any]) -> None:
    """Draw links to everything, and the code of one method."""
    st.subheader(
        "Take away", anchor="take-away", help="Each link works in this browser alone, and until the table is forgotten."
    )
    st.html(
        write_links(
            [
                ("Report (HTML)", jobs.file_url(job, "report.html")),
                ("Leaderboard as CSV", jobs.file_url(job, "leaderboard.csv")),
                ("as Markdown", jobs.file_url(job, "leaderboard.md")),
                ("as LaTeX", jobs.file_url(job, "leaderboard.tex")),
                ("Everything as JSON", jobs.file_url(job, "comparison.json")),
            ]
        )
    )
    st.caption("The report is one file that opens anywhere and asks no other host for anything.")
    rows = board.rows_of_result(result)
    titles = {row.name: row.title for row in rows}
    there = set(jobs.list_artifacts(job))
    names = board.rank_names(rows)
    st.fragment(_draw_method)(job, result, titles, names, there)


def _draw_method(job: str, result: Mapping[str, Any], titles: Mapping[str, str], names: list[str], there: set[str]) -> None:
    """Draw the model, the rows and the code of one method. A fragment."""
    state = st.session_state
    if state.get("data.take") not in titles:
        state["data.take"] = result.get("best") if result.get("best") in titles else names[0]
    name = st.selectbox("Of one method", names, format_func=titles.__getitem__, key="data.take")
    files = []
    if f"model/{name}" in there:
        files.append(("Fitted model (zip)", jobs.file_url(job, f"model-{name}.zip")))
    if f"augmented/{name}" in there:
        files.append(("Augmented training rows (CSV)", jobs.file_url(job, f"augmented-{name}.csv")))
    files.append(("Code (Python)", jobs.file_url(job, f"code-{name}.py")))
    st.html(write_links(files, first=False))
    if f"model/{name}" in there:
        st.markdown("**Use the model**")
        st.code(write_example(name), language="python", wrap_lines=True)
    else:
        st.caption(f"No fitted model of {titles[name]} was kept.")
    if f"augmented/{name}" not in there:
        st.caption("There are no augmented training rows of it: it adds none in the table's own columns.")
    with st.expander("Python that measures this row again", icon=":material/code:"):
        st.code(write_row(result, name), language="python", wrap_lines=True)


def write_example(name: str) -> str:
    """Return Python that loads the model and uses it."""
    return f"""import engine

model = engine.load_model("model-{name}.zip")
file = "new-rows.csv"  # written as your table is: the same names, marks and formats; the target may be missing
print(model.classes_)
print(model.predict_proba(file)[:5])
print(model.predict(file)[:5])
"""


def write_links(links: list[tuple[str, str]], *, first: bool = True) -> str:
    """Return links as HTML; the first one stands out."""
    items = [
        f'<a{" class=first" if first and i == 0 else ""} href="{html.escape(url, quote=True)}" download>{html.escape(text)}</a>'
        for i, (text, url) in enumerate(links)
    ]
    return f'{STYLE}<div class="take">{"".join(items)}</div>'
