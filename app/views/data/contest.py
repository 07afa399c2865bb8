"""A comparison of methods on a table: asked for, and named in a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.session import jobs
from app.words import data as words
from app.words.naming import BLANK
from app.words.text import escape, format_duration, format_ratio
from engine.errors import LabError
from engine.spec import limits
from engine.spec.comparison import CompareSpec
from engine.store import Job
from engine.text import one_line

BUDGETS = {15: "15 s", 60: "1 min", 300: "5 min"}


def draw_bar(
    profile: Mapping[str, Any], source: Mapping[str, str], reading: Mapping[str, Any], ready: bool, go: Callable[[Job], object]
) -> None:
    """Draw budget, ratio and the Compare button. go(job) is called when it is pressed."""
    counts = [int(c["rows"]) for c in profile["classes"]]
    st.session_state.setdefault("data.budget", 60)
    st.session_state.setdefault("data.ratio.kind", "native")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        budget = st.segmented_control(
            words.TIME,
            list(BUDGETS),
            format_func=BUDGETS.__getitem__,
            key="data.budget",
            persist_state="session",  # the choice stays while the table is read again
            required=True,
            help=words.TIME_HELP,
        )
        chosen_ratio = _choose_ratio(profile, counts) if counts else None
    time = BUDGETS[int(budget or 60)]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(words.COMPARE.format(time=time), type="primary", key="data.compare", disabled=not ready)
        st.caption(words.COMPARE_COST.format(time=time) if ready else words.NOT_READY)
    if pressed:
        try:
            spec = CompareSpec(
                source,
                target=profile["target"]["name"],
                positive=profile["positive"],
                reading=reading,
                budget=float(budget or 60),
                ratio=chosen_ratio,
            )
            go(jobs.ask_comparison(spec))
        except LabError as error:
            st.error(escape(error, 500), icon=":material/error:")
            return
        st.rerun()


def _choose_ratio(profile: Mapping[str, Any], counts: list[int]) -> float | None:
    native = format_ratio(profile["ratio"])
    kind = st.segmented_control(
        words.RATIO_LABEL,
        ["native", "other"],
        format_func={"native": words.RATIO_NATIVE.format(ratio=native), "other": words.RATIO_OTHER}.__getitem__,
        key="data.ratio.kind",
        persist_state="session",
        required=True,
        help=words.RATIO_HELP,
    )
    if kind != "other":
        return None
    highest, why = limits.highest_ratio(counts, profile["folds"] or 1)
    state = st.session_state
    if not isinstance(state.get("data.ratio"), float) or not 1 <= state["data.ratio"] <= highest:
        state["data.ratio"] = float(min(highest, max(1.0, round(2 * profile["ratio"]))))
    value = st.number_input(
        words.TO_ONE, 1.0, highest, step=1.0, key="data.ratio", persist_state="session", help=escape(why, 300), width=140
    )
    return float(value)


def describe_request(spec: Mapping[str, Any]) -> list[str]:
    """Return 'left = yes', '1 min', 'ratio 20:1' of a comparison, as plain text."""
    ratio = spec.get("ratio")
    budget = int(spec.get("budget") or 0)
    positive = f" = {one_line(spec['positive'], 30) or BLANK}" if spec.get("positive") is not None else ""
    target = [f"{one_line(spec['target'], 40) or BLANK}{positive}"] if spec.get("target") is not None else []
    time = [BUDGETS.get(budget) or format_duration(budget)] if budget else []
    asked = [words.AT_RATIO.format(ratio=format_ratio(float(ratio)))] if ratio is not None else []
    return [*target, *time, *asked]
