"""The bar of the page: its five steps, the table's chip, another table, and Forget. A step that is closed says why on hover."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.charts import palette
from app.frame import headline
from app.views.data import board, upload
from app.words import data as words
from app.words.naming import BLANK
from app.words.text import format_count
from engine.store import Job
from engine.store.uploads import Upload
from engine.text import one_line

KEY = "data.step"
_REFUSED = "data.refused"
_CHECK = "✓"
_SOFT = "light-dark({}, {})".format(*palette.SOFT_INK)


@dataclass(frozen=True)
class Here:
    """What the address names and how far that is. mine: all of this browser's tables; table, job: the one shown and its comparison.

    reading: the job that reads the table; profile, result: what it and the comparison found, None while there is nothing.
    """

    mine: list[Upload]
    table: Upload | None = None
    job: Job | None = None
    reading: Job | None = None
    profile: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None

    def explain_closed(self) -> dict[str, str]:
        """Return why each step that is closed is so."""
        out = {}
        if self.table is None:
            out["questions"] = words.NO_TABLE_HERE if self.job is not None else words.NO_TABLE
            if self.job is not None:
                out["table"] = words.NO_TABLE_HERE
        if self.job is None:
            out["compare"] = words.NO_COMPARISON if self.table is not None else words.NO_TABLE
        if self.result is None:
            out["decide"] = out["use"] = words.NO_RESULT if self.job is not None else out["compare"]
        return out

    @property
    def usual(self) -> str:
        """The step that is shown where the address names none."""
        return "compare" if self.job is not None else "questions" if self.table is not None else "table"

    def find_step(self, asked: str | None) -> str:
        """Return the step that is asked for if it is open, else the usual one."""
        return asked if asked in words.STEPS and asked not in self.explain_closed() else self.usual


def draw_bar(here: Here, step: str, go: Callable[[str], None], go_to: upload.Go) -> None:
    """Draw the bar. step: the one that is open; go(step): opens another one; go_to(table): goes to a table."""
    closed = here.explain_closed()
    names = list(words.STEPS)
    done = {"table": here.table is not None, "questions": here.job is not None, "compare": here.result is not None}

    def label(name: str) -> str:
        return f"{_CHECK if done.get(name) and name != step else names.index(name) + 1} {words.STEPS[name]}"

    def press() -> None:
        asked = st.session_state[KEY]
        if asked in closed:
            st.session_state[_REFUSED] = closed[asked]
        elif asked in words.STEPS:
            go(asked)

    st.html(_write_style(names, closed))
    st.session_state[KEY] = step
    with st.container(horizontal=True, vertical_alignment="center", key="data-head", gap="small"):
        st.segmented_control(
            words.STEP, names, format_func=label, key=KEY, required=True, on_change=press, label_visibility="collapsed"
        )
        if here.table is not None:
            headline.draw_chips([_describe_table(here)])
            with st.container(horizontal=True, width="content", gap="small", key="data-tools"):
                upload.draw_another(here.table, here.mine, go_to)
                upload.draw_forget(here.table, "top", go_to)
    if why := st.session_state.pop(_REFUSED, ""):
        st.caption(f":material/lock: {why}")


def _describe_table(here: Here) -> str:
    """Return 'payments.csv · 28,480 rows · yes 0.9% · split by time'."""
    assert here.table is not None
    parts, profile = [one_line(here.table.name, 40)], here.profile
    if profile is not None:
        parts.append(format_count(profile["rows"], "row"))
        share = next((c["share"] for c in profile["classes"] if c["name"] == profile["positive"]), None)
        if share is not None:
            parts.append(f"{one_line(profile['positive'], 20) or BLANK} {100 * share:.2g}%")
    kind = board.find_kind(here.result) if here.result is not None else "random"
    if kind in words.SPLIT_BY and kind != "random":
        parts.append(words.SPLIT_BY[kind])
    return " · ".join(parts)


def _write_style(names: list[str], closed: Mapping[str, str]) -> str:
    """Return the styles of closed steps; their reasons are texts of ours alone."""
    rules = []
    for name, why in closed.items():
        button = f".st-key-data-step button:nth-of-type({names.index(name) + 1})"
        rules.append(f"{button} {{ cursor: not-allowed; position: relative; border-style: dashed; }}")
        rules.append(f"{button} p {{ color: {_SOFT}; }}")
        rules.append(f'{button}:is(:hover, :focus-visible)::after {{ content: "{why}"; }}')
    return f"<style>{' '.join(rules)}</style>"
