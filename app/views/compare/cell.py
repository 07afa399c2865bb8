"""One cell of a sweep: opened in the Lab, put beside plain training, or taken along as code."""

from __future__ import annotations

import streamlit as st

from app.frame import links
from app.parts import share
from app.views.compare.context import Context, keep_choice, list_runs
from engine.spec import RunSpec


def draw_cell(context: Context) -> None:
    """Draw one cell of the sweep: links to the Lab and to plain training beside it, and its code."""
    found = list_runs(context)
    if not found:
        return
    state = st.session_state
    chosen = context.chosen.get("cell")
    first = next((r["run"] for r in context.there if r["role"] == "method"), next(iter(found)))
    state["compare.cell"] = chosen if chosen in found else first
    st.markdown(
        "**Look closer at one cell**", help="Watch it train in the Lab, put it beside plain training, or take it along as code."
    )
    with st.container(horizontal=True, vertical_alignment="center", key="compare-cell"):
        id = st.selectbox(
            "One cell",
            list(found),
            format_func=found.__getitem__,
            key="compare.cell",
            on_change=keep_choice("cell", "compare.cell"),
            label_visibility="collapsed",
            width=380,
        )
        links.draw_link("lab", "Open in the Lab", ":material/science:", run=id)
        own = next(r for r in context.there if r["run"] == id)
        base = next(
            (r for r in context.there if (r["dataset"], r["ratio"], r["role"]) == (own["dataset"], own["ratio"], "baseline")),
            None,
        )
        if base is not None and base["run"] != id:
            words = {**context.spec.to_query(), "view": "pair", "metric": context.metric, "run": base["run"], "beside": id}
            links.draw_link("compare", "Beside plain training", ":material/compare:", **words)
        spec = next((c.spec for c in context.spec.cells(context.catalog) if c.id == id), None)
        if isinstance(spec, RunSpec):
            share.offer_code(spec, context.catalog, "cell")
