"""A sweep that is planned, runs or has ended: how far it is, its buttons, and the sweeps before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import headline, links
from app.session import visitor
from app.session.store import get_store, read_catalog
from app.views.compare import plan, sweep_words
from app.words import compare as words
from app.words.text import escape, format_count, format_duration
from engine.errors import BadInput
from engine.sweep import SweepSpec, standing
from engine.sweep.standing import Standing

TICK = 1.0
"""Seconds between two reads of a sweep's progress; its pictures are drawn half as often."""
EARLIER = 6
"""Sweeps that are offered again at most."""
AGE = 0.5
"""Seconds for which the progress is not read again."""
SHOWN = "compare.spec"
"""Session key: the plan that is shown. The form may have another."""


def read_standing(spec: SweepSpec, catalog: Mapping[str, Any], *, fresh: bool = False, keep: bool = True) -> Standing:
    """Return the progress of a sweep. Within AGE seconds the same answer is given again, unless fresh or not to be kept."""
    now = time.monotonic()
    when, of_spec, known = st.session_state.get("compare.now", (-AGE, None, None))
    if not fresh and keep and isinstance(known, Standing) and of_spec == spec and now - when < AGE:
        return known
    latest = standing.read_standing(get_store(), spec, catalog, visitor.read_owner())
    if keep:
        st.session_state["compare.now"] = (now, spec, latest)
    return latest


def start_sweep(spec: SweepSpec) -> None:
    """Queue everything of the sweep that is missing, and show it."""
    store = get_store()
    try:
        standing.submit_sweep(store, spec, read_catalog(), asker=visitor.read_owner())
        store.keep_sweep(spec.to_json())
        st.session_state[SHOWN] = spec
        st.session_state.pop("compare.now", None)
    except BadInput as error:
        st.error(escape(error, 400), icon=":material/error:")


def adopt_plan(spec: SweepSpec) -> None:
    """Put a plan into the form, queue what is missing of it and show it: the callback of a button."""
    plan.fill_plan(spec)
    start_sweep(spec)
    st.session_state["compare.again"] = True


def cancel_sweep(spec: SweepSpec) -> None:
    """Stop what waits and runs of a sweep: the callback of a button."""
    standing.cancel_sweep(get_store(), spec, read_catalog())
    st.session_state.pop("compare.now", None)
    st.session_state["compare.again"] = True


def draw_chips(spec: SweepSpec, was_active: bool, example: bool) -> None:
    """Draw how far the shown sweep is, and the button that stops it. A fragment."""
    now = read_standing(spec, read_catalog())
    if st.session_state.pop("compare.again", False) or now.active != was_active:
        st.rerun()
    total, runs = len(now.cells), format_count(len(now.cells), "run")
    word = "running" if now.active else "done" if now.done == total else "partly" if now.done or now.failed else "planned"
    texts = [words.EXAMPLE] if example else []
    if now.active:
        counts = {"done": now.done, "runs": runs, "running": now.running, "waiting": now.queued}
        texts.append(words.RUNNING.format(**counts))
        texts += [words.LEFT.format(time=format_duration(now.seconds_left))] if now.seconds_left is not None else []
    elif now.done:
        texts.append(words.DONE.format(done=now.done, runs=runs))
    if now.failed:
        texts.append(words.FAILED.format(count=now.failed))
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="right", key=f"compare-state-{word}", gap="small"
    ):
        headline.draw_chips(texts)
        if now.active and not visitor.is_demo():
            st.button(
                words.CANCEL,
                icon=":material/stop:",
                key="compare.cancel",
                on_click=cancel_sweep,
                args=(spec,),
                help=words.CANCEL_HELP,
            )
        _draw_earlier()


def _draw_earlier() -> None:
    """Draw links to the plans of sweeps that were started here before."""
    catalog = read_catalog()
    earlier = []
    for kept in get_store().sweeps(EARLIER):
        try:
            spec = SweepSpec.from_json(kept.spec)
            SweepSpec.from_query(spec.to_query(), catalog)
        except BadInput:  # the catalog lacks its dataset or method
            continue
        earlier.append((kept, spec))
    if not earlier:
        return
    names = list_titles(catalog)
    with st.popover(words.EARLIER, key="compare-earlier", type="tertiary"):
        for kept, spec in earlier:
            datasets, methods = (", ".join(names[n] for n in given) for given in (spec.datasets, spec.methods))
            replicates = plan.describe_replicates(spec.replicates(catalog))
            what = f"{methods} on {datasets} at {sweep_words.format_ratios(spec.ratios)}, {replicates}"
            links.draw_link("compare", escape(kept.name or what, 140), ":material/history:", **spec.to_query())


def list_titles(catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> title of methods and datasets."""
    return {e["name"]: e["title"] for kind in ("datasets", "methods") for e in catalog[kind]}
