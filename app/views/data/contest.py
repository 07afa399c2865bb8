"""A comparison on a table: asked for with the answers to its questions, and named in a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.parts import quota
from app.session import jobs
from app.views.data import chooser
from app.views.data.answers import Answers
from app.words import data as words
from app.words.naming import BLANK
from app.words.text import escape, format_duration, format_ratio
from engine.errors import LabError
from engine.spec.comparison import CompareSpec
from engine.store import Job
from engine.text import one_line

BUDGETS = {15: "15 s", 60: "1 min", 300: "5 min"}


def draw_bar(
    profile: Mapping[str, Any],
    source: Mapping[str, str],
    reading: Mapping[str, Any],
    ready: bool,
    found: Answers,
    go: Callable[[Job], object],
) -> None:
    """Draw budget, models and the Compare button. found: the answers; go(job) is called when the button is pressed."""
    counts = [int(c["rows"]) for c in profile["classes"]]
    st.session_state.setdefault("data.budget", 60)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data-bar"):
        time = BUDGETS[int(st.session_state["data.budget"] or 60)]
        open_ = ready and found.ready
        pressed = st.button(words.COMPARE.format(time=time), type="primary", key="data.compare", disabled=not open_)
        budget = st.segmented_control(
            words.TIME,
            list(BUDGETS),
            format_func=BUDGETS.__getitem__,
            key="data.budget",
            persist_state="session",  # the choice stays while the table is read again
            required=True,
            label_visibility="collapsed",
            width="content",
        )
        chosen, some = chooser.draw_chooser(profile, counts, float(budget or 60), list(found.left_out))
        if not open_:
            st.caption(words.SAY_DELAY if ready else words.NOT_READY, width="content")
    quota.draw_asked()
    if pressed and some:
        try:
            spec = CompareSpec(
                source,
                target=profile["target"]["name"],
                positive=profile["positive"],
                reading=reading,
                budget=float(budget or 60),
                **chosen,
                **found.make_fields(),
            )
            go(jobs.ask_comparison(spec))
        except LabError as error:
            st.error(escape(error, 500), icon=":material/error:")
            return
        st.rerun()


def describe_request(spec: Mapping[str, Any]) -> list[str]:
    """Return 'left = yes', '1 min', 'by time', 'ratio 20:1' of a comparison, as plain text."""
    ratio = spec.get("ratio")
    budget = int(spec.get("budget") or 0)
    positive = f" = {one_line(spec['positive'], 30) or BLANK}" if spec.get("positive") is not None else ""
    target = [f"{one_line(spec['target'], 40) or BLANK}{positive}"] if spec.get("target") is not None else []
    time = [BUDGETS.get(budget) or format_duration(budget)] if budget else []
    kind = spec.get("split") or "-".join([word for word in ("time", "group") if spec.get(word) is not None])
    split = [words.SPLIT_BY[kind]] if kind in words.SPLIT_BY else []
    tuned = [words.CARD_TUNED] if spec.get("tune") else []
    asked = [words.AT_RATIO.format(ratio=format_ratio(float(ratio)))] if ratio is not None else []
    return [*target, *time, *split, *tuned, *asked]
