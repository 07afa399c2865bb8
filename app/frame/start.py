"""The first steps: Watch, Change a slider, Compare, Your table, as a strip above the first film. An event takes each step.

The Lab draws the strip (`draw_strip`) while it shows the recorded example; a person's own result ends it. The session keeps the steps
that are taken.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from app.charts import palette
from app.session import recorded, visitor
from app.words import strip

TAKEN = "start.taken"
"""Session key: names of the steps that are taken."""
WATCH, CHANGE, COMPARE, TABLE = strip.STEPS
HEIGHT = 28
_ACCENT, _SOFT = "light-dark(#00644B, #3CC79A)", "light-dark({}, {})".format(*palette.SOFT_INK)
_STYLE = f"""<style>
.steps {{ display: flex; align-items: center; gap: 4px; height: {HEIGHT}px; margin: 0; padding: 0; list-style: none; overflow: hidden;
  font-size: 13px; color: {_SOFT}; white-space: nowrap; }}
.steps li {{ margin: 0; padding: 2px 10px; border-radius: 99px; flex: none; font-size: 13px; }}
.steps li[aria-current] {{ background: light-dark(#E1EFEA, #163129); color: {_ACCENT}; font-weight: 650; }}
.steps li.hint {{ flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; padding-left: 6px; }}
</style>"""


def take_step(name: str) -> None:
    """Note that an event took a step: WATCH (played for 2 s), CHANGE (a preview or a run), COMPARE (opened), TABLE (one is there)."""
    st.session_state[TAKEN] = {*read_taken(), name}


def note_page(name: str, query: Mapping[str, str]) -> None:
    """Take the steps that a page that was drawn takes: Compare is open, a table or its comparison is there."""
    if name == "compare":
        take_step(COMPARE)
    if name == "data" and {"data", "compare"} & set(query):
        take_step(TABLE)


def read_taken() -> set[str]:
    """Return the names of the steps that are taken."""
    return set(st.session_state.get(TAKEN, ()))


def find_step() -> str | None:
    """Return the first step that is not taken; None after the last."""
    return next((name for name in strip.STEPS if name not in read_taken()), None)


def draw_strip() -> None:
    """Draw the steps in one line of HEIGHT, and what to do in the first that is not taken. Nothing after the last."""
    at = find_step()
    if at is None:
        return
    taken, hints, items = read_taken(), list_hints(), []
    for number, (name, (title, _)) in enumerate(strip.STEPS.items(), 1):
        mark = (
            f'<span aria-hidden="true">✓</span><span class="stHidden" hidden>{strip.DONE}</span>'
            if name in taken
            else str(number)
        )
        current = ' aria-current="step"' if name == at else ""
        items.append(f'<li{current} title="{html.escape(hints[name])}">{mark} {html.escape(title)}</li>')
    hint = f'<li class="hint">{html.escape(hints[at])}</li>'
    st.html(f'{_STYLE}<ol class="steps" aria-label="{strip.ALT}">{"".join(items)}{hint}</ol>')


def list_hints() -> Mapping[str, str]:
    """Return what to do in each step, for the film that a first visit shows."""
    hints = {name: hint for name, (_, hint) in strip.STEPS.items()}
    if recorded.SHOWN_FIRST != "hidden":
        hints |= strip.STEPS_PLAIN
    return hints | (strip.STEPS_DEMO if visitor.is_demo() else {})
