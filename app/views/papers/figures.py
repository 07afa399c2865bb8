"""A paper's figures, drawn from the same runs as its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.charts import drawn
from app.parts.elements import draw_chart
from app.words import papers as words


def draw_figures(paper: str, figures: Mapping[str, Any]) -> None:
    """Draw the paper's figures from the means over our replicates (the sine: from its first draw)."""
    if not figures:
        st.caption(words.NO_FIGURES)
        return
    if paper == "sine":
        places = st.columns(3)
        for place, (name, title) in zip(places, words.PANELS.items(), strict=True):
            if name in figures["2"]:
                with place:
                    st.markdown(title)
                    draw_chart(
                        drawn.draw_panel(figures["2"][name]),
                        f"chart-papers-sine-{name}",
                        drawn.describe_panel(figures["2"][name]),
                    )
        return
    there = [name for name in words.FIGURES if name in figures]
    if st.session_state.get("papers.figure") not in there:
        st.session_state["papers.figure"] = there[0]
    with st.container(horizontal=True):
        which = st.segmented_control(
            words.FIGURE,
            there,
            format_func=words.FIGURES.__getitem__,
            key="papers.figure",
            required=True,
            label_visibility="collapsed",
        )
        one = figures[which]
        if which == "3":
            ratios = list(one)
            if st.session_state.get("papers.ratio") not in ratios:
                st.session_state["papers.ratio"] = ratios[0]
            ratio = st.segmented_control(
                words.IMBALANCE, ratios, key="papers.ratio", required=True, label_visibility="collapsed"
            )
    if which == "3":
        curves = {name: (c["recall"], c["precision"]) for name, c in one[ratio].items()}
        figure, said = drawn.draw_lines(curves, "Recall", "Precision"), f"Precision against recall at {ratio}"
    elif which == "4":
        joined = {name: [v for phase in ("training", "points") for v in phases.get(phase, [])] for name, phases in one.items()}
        curves = {name: (list(range(1, len(v) + 1)), v) for name, v in joined.items()}
        figure, said = (
            drawn.draw_lines(curves, "Epoch, both phases", "Average precision on validation"),
            "Validation by epoch at 50:1",
        )
    else:
        curves = {name: (list(range(1, len(v) + 1)), v) for name, v in one.items()}
        figure, said = drawn.draw_lines(curves, "Meta-epoch", "Loss"), "Losses of explicit gradient by meta-epoch at 50:1"
    draw_chart(figure, f"chart-papers-figure-{which}", f"{said}: {', '.join(curves)}")
    st.caption(words.FIGURES_NOTE)
