"""One cell of a sweep: opened in the Lab, put beside plain training, or taken along as code."""

from __future__ import annotations

import streamlit as st

from app.frame import links
from app.parts import share
from app.views.compare.context import Context, keep_choice, list_runs
from engine.spec import RunSpec


def draw_cell(context: Context) -> None:
    """Draw one cell of the sweep: links to the Lab and to plain training beside it, and its code."""
    names = list_runs(context)
    if not names:
        return
    state = st.session_state
    chosen = context.chosen.get("cell")
    first = next((r["run"] for r in context.there if r["role"] == "method"), next(iter(names)))
    state["compare.cell"] = chosen if chosen in names else first
    st.markdown(
        "**Look closer at one cell**", help="Watch it train in the Lab, put it beside plain training, or take it along as code."
    )
    with st.container(horizontal=True, vertical_alignment="center", key="compare-cell"):
        id = st.selectbox(
            "One cell",
            list(names),
            format_func=names.__getitem__,
            key="compare.cell",
            on_change=keep_choice("cell", "compare.cell"),
            label_visibility="collapsed",
            width=380,
        )
        links.draw_link("lab", "Open in the Lab", ":material/science:", run=id)
        record = next(r for r in context.there if r["run"] == id)
        base = next(
            (
                r
                for r in context.there
                if (r["dataset"], r["ratio"], r["role"]) == (record["dataset"], record["ratio"], "baseline")
            ),
            None,
        )
        if base is not None and base["run"] != id:
            query = {**context.spec.to_query(), "view": "pair", "metric": context.metric, "run": base["run"], "beside": id}
            links.draw_link("compare", "Beside plain training", ":material/compare:", **query)
        spec = next((c.spec for c in context.spec.cells(context.catalog) if c.id == id), None)
        if isinstance(spec, RunSpec):
            share.offer_code(spec, context.catalog, "cell")
