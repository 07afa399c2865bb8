"""The head of Compare: the measure, how far the sweep is, and the verdict on what is drawn under it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app.frame import headline
from app.session.store import get_store, read_catalog
from app.views.compare import plan
from app.views.compare.progress import adopt_plan, read_standing
from app.views.compare.sweep_words import Record
from app.words import compare as words
from app.words.text import format_count
from engine.report.judge import judge_sweep
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.stats.verdict import State, Verdict, verdict
from engine.sweep import SweepSpec

SWITCH = tuple(name for name in (DEFAULT_METRIC, "balanced_accuracy", "f1") if name in METRICS)
"""Measures of the switch; a menu has the others."""
PICK, MENU, METRIC = "compare.metric.pick", "compare.metric.more", "compare.metric"
"""Keys of the switch, the menu and what they choose."""


def draw_measures() -> None:
    """Draw the switch between measures."""
    state = st.session_state
    shown = [*SWITCH, *([state[METRIC]] if state[METRIC] not in SWITCH else [])]
    state[PICK] = state[METRIC]
    st.segmented_control(
        words.MEASURE,
        shown,
        format_func=lambda name: METRICS[name][0],
        key=PICK,
        required=True,
        on_change=lambda: state.update({METRIC: state[PICK]}),
        label_visibility="collapsed",
    )
    others = [name for name in METRICS if name not in shown]
    st.menu_button(
        words.MORE_MEASURES,
        others,
        format_func=lambda name: METRICS[name][0],
        key=MENU,
        type="tertiary",
        on_click=lambda: state.update({METRIC: state[MENU] or state[METRIC]}),
    )


def judge(spec: SweepSpec, records: Sequence[Record], metric: str) -> Verdict | None:
    """Return the verdict on a sweep; None where nothing of it was asked for."""
    now = read_standing(spec, read_catalog())
    total = len(now.cells)
    if now.active:
        store = get_store()
        known = store.engines(alive_within=7 * 24 * 3600.0)
        silent = None if store.engines() or not known else max(0.0, time.time() - max(e.heartbeat for e in known))
        state = State(silent=silent, running=(now.done, total))
        return verdict(words.NAME.format(runs=format_count(total, "run")), "", None, 0, state)
    if any(r["mean"] is not None for r in records):
        return judge_sweep(records, metric)
    if now.failed:
        reason = next(c.reason for c in now.cells if c.state == "failed")
        return verdict(words.TITLE, "", None, 0, State(failed=reason or words.STATES["interrupted"]))
    return None


def draw_verdict(said: Verdict | None, title: str = words.TITLE) -> None:
    """Draw the verdict as the heading, else the page's name."""
    if said is None:
        headline.draw_title(title)
    else:
        headline.draw_headline(said, baseline=words.PLAIN_LABEL.lower())


def draw_stale(form: SweepSpec, shown: SweepSpec) -> None:
    """Draw that the form has another plan than the one shown, and the button that runs it."""
    catalog: Any = read_catalog()
    change = plan.describe_change(form, shown, catalog)
    state = State(form=change, shown=plan.describe_setting(shown))
    said = verdict(words.TITLE, "", None, 0, state)
    runs = read_standing(form, catalog, keep=False)
    said = replace(said, more=said.more[:1], button=words.RUN.format(runs=format_count(runs.missing + runs.failed, "run")))
    headline.draw_stale(said, lambda: adopt_plan(form))
