"""What the session keeps of the Lab: the run that is shown, how, and what the address last said."""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st

from app.frame import start
from app.session.lab_address import LabAddress
from engine.spec import RunSpec

RUN, REPLICATE, VIEW, BESIDE = "lab.run", "lab.replicate", "lab.view", "lab.beside"
PROBLEMS, SPEC, WORDS, PRESSED, WIDTH = "lab.problems", "lab.spec", "lab.words", "lab.pressed", "lab.width"
PRESSES = "lab.presses"
"""Session key: how often Run was pressed."""
SINCE, WATCHED = "lab.since", 2.0
"""Session key: when the recorded film was first shown; seconds of it that are the first step."""
NARROW = 768
"""Pixels of the window below which the form lies over the page."""


def keep_link(link: LabAddress) -> None:
    """Keep what an address asks for."""
    state = st.session_state
    state[RUN], state[REPLICATE], state[VIEW], state[BESIDE] = link.run, link.replicate, link.view, link.beside
    state[PROBLEMS], state[SPEC] = link.problems, link.spec


def read_link() -> LabAddress:
    """Return what is shown and the form's last spec."""
    state = st.session_state
    return LabAddress(
        state[SPEC], "auto", state[RUN], int(state[REPLICATE] or 0), state[VIEW], state[BESIDE], tuple(state[PROBLEMS])
    )


def show_run(run: str | None) -> None:
    """Show a run that was just asked for."""
    state = st.session_state
    state[RUN], state[REPLICATE], state[PROBLEMS] = run, 0, ()


def watch_example() -> None:
    """Take the first step once the recorded film has been shown for WATCHED seconds."""
    since = st.session_state.setdefault(SINCE, time.monotonic())
    if time.monotonic() - since > WATCHED:
        start.take_step(start.WATCH)


def press() -> None:
    """Ask for the run that the form says; the callback of buttons."""
    st.session_state[PRESSED] = True
    start.take_step(start.WATCH)
    start.take_step(start.CHANGE)
    st.session_state[PRESSES] = int(st.session_state.get(PRESSES, 0)) + 1


def find_shut(view: str) -> str:
    """Return why the form is closed: two films stand side by side, or Run was pressed on a small screen; '' where it is not."""
    presses, width = int(st.session_state.get(PRESSES, 0)), int(st.session_state.get(WIDTH) or 0)
    return "both" if view == "both" else f"run {presses}" if presses and 0 < width < NARROW else ""


def take_press() -> bool:
    """Whether somebody pressed Run; True once."""
    return bool(st.session_state.pop(PRESSED, False))


def keep_width(pixels: int) -> None:
    """Keep the width of the window."""
    st.session_state[WIDTH] = pixels


def read_words() -> Mapping[str, str]:
    """Return the words of what the address says, in full."""
    return dict(st.session_state.get(WORDS, {}))


def keep_words(words: Mapping[str, str], spec: RunSpec) -> None:
    """Keep what the address says, in full, and the form's spec."""
    st.session_state[WORDS], st.session_state[SPEC] = dict(words), spec


def read_problems() -> tuple[str, ...]:
    """Return what was wrong with the link."""
    return tuple(st.session_state[PROBLEMS])


def clear_problems() -> None:
    """Forget what was wrong with the link."""
    st.session_state[PROBLEMS] = ()
