"""A sweep that is planned, runs or has ended: how far it is, what failed, and its buttons."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import links
from app.run import panel
from app.session import visitor
from app.session.store import get_store, read_catalog
from app.views.compare import plan, sweep_words
from app.words.text import escape, format_count, format_duration, format_ratio
from engine.errors import BadInput
from engine.sweep import SweepSpec, standing
from engine.sweep.standing import Standing

TICK = 1.0
"""Seconds between two reads of a sweep's progress; its pictures are drawn half as often."""
EARLIER = 6
"""Sweeps that are offered again at most."""
AGE = 0.5
"""Seconds for which the progress is not read again."""
FAILED = 8
"""Cells without a result that are listed one by one."""


def read_standing(spec: SweepSpec, catalog: Mapping[str, Any], *, fresh: bool = False) -> Standing:
    """Return the progress of a sweep. Within AGE seconds the same answer is given again, unless fresh."""
    now = time.monotonic()
    when, of_spec, known = st.session_state.get("compare.now", (-AGE, None, None))
    if not fresh and isinstance(known, Standing) and of_spec == spec and now - when < AGE:
        return known
    latest = standing.read_standing(get_store(), spec, catalog, visitor.read_owner())
    st.session_state["compare.now"] = (now, spec, latest)
    return latest


def start_sweep(spec: SweepSpec) -> None:
    """Queue everything of the sweep that is missing."""
    store = get_store()
    try:
        standing.submit_sweep(store, spec, read_catalog())
        store.keep_sweep(spec.to_json())
        st.session_state.pop("compare.now", None)
    except BadInput as error:
        st.error(escape(error, 400), icon=":material/error:")


def _cancel(spec: SweepSpec) -> None:
    standing.cancel_sweep(get_store(), spec, read_catalog())
    st.session_state.pop("compare.now", None)


def draw_progress(spec: SweepSpec, was_active: bool) -> None:
    """Draw the progress of the sweep, what failed, and its buttons. A fragment."""
    store, catalog = get_store(), read_catalog()
    now = read_standing(spec, catalog)
    if now.active != was_active:
        st.rerun()
    total = len(now.cells)
    if not total:
        st.info("Nothing of this plan can be run: see why beside the button.", icon=":material/block:")
        return
    word = "running" if now.active else "done" if now.done == total else "partly" if now.done or now.failed else "planned"
    with st.container(key=f"compare-state-{word}"):
        if now.active:
            _draw_active(now, total)
        elif word == "planned":
            _draw_planned(spec, now)
        elif word == "partly":
            st.progress(
                now.done / total,
                text=f"{now.done} of {format_count(total, 'cell')} done{_describe_failed(now)}; {_describe_rest(now)}",
            )
        _draw_failures(now)
        with st.container(horizontal=True, vertical_alignment="center"):
            if visitor.is_demo():
                st.caption(f":material/movie: {visitor.explain_demo()}")
            elif now.active:
                st.button(
                    "Cancel",
                    icon=":material/stop:",
                    key="compare.cancel",
                    on_click=_cancel,
                    args=(spec,),
                    help="Stops what waits and runs of this plan, also where another sweep or a paper's table waits for the same run; what "
                    "somebody asked for in the Lab goes on. What is done stays; the rest can be asked for again.",
                )
            if not now.active and now.done < total and not visitor.is_demo():
                st.button(
                    "Run what is missing" if word == "partly" else "Start this sweep",
                    type="secondary" if word == "partly" else "primary",
                    icon=":material/play_arrow:",
                    key="compare.missing",
                    on_click=start_sweep,
                    args=(spec,),
                    disabled=bool(plan.list_absent(spec, catalog)),
                )
        if now.active:
            panel.warn_no_engine(store)
    if word == "planned":
        draw_earlier(catalog)


def _draw_active(now: Standing, total: int) -> None:
    left = (
        "time left is known after the first cell"
        if now.seconds_left is None
        else f"about {format_duration(now.seconds_left)} left"
    )
    running = [c for c in now.cells if c.state == "running"]
    text = f"{now.done} of {format_count(total, 'cell')} done, {now.running} running, {now.queued} waiting{_describe_failed(now)} · {left}"
    part = sum(c.done / c.total for c in running if c.total)
    st.progress(min(1.0, (now.done + part) / total), text=text)
    if running:
        names = list_titles(read_catalog())
        what = "; ".join(
            f"{escape(names[c.cell.method])} on {escape(names[c.cell.dataset])} at {format_ratio(c.cell.ratio)}"
            + (f", {100 * c.done / c.total:.0f}%" if c.total else "")
            for c in running[:4]
        )
        st.caption(f"Now: {what}")


def _describe_failed(now: Standing) -> str:
    return f", {now.failed} failed" if now.failed else ""


def _describe_rest(now: Standing) -> str:
    rest = now.missing + now.failed
    foreseen = f", about {format_duration(now.seconds_missing)}" if now.seconds_missing else ""
    return f"{rest} without a result{foreseen}"


def _draw_planned(spec: SweepSpec, now: Standing) -> None:
    st.markdown(
        "A sweep trains every method at every ratio on every dataset that you choose, each beside plain training and below the potential. "
        "It says where a method helps, where it stops helping, and what it costs. The plan is in the form (on a small screen: behind **»** "
        "at the top)."
    )
    names = list_titles(read_catalog())
    datasets, methods = (", ".join(escape(names[n]) for n in given) for given in (spec.datasets, spec.methods))
    st.markdown(
        f"**The plan**: {methods} on {datasets} at {sweep_words.format_ratios(spec.ratios)}. {plan.describe_total(spec, now)}"
    )
    if left_out := spec.impossible(read_catalog()):
        st.caption(
            f":material/block: {len(left_out)} of what was asked for cannot be and {'is' if len(left_out) == 1 else 'are'} left out: "
            "the form says why."
        )
    panel.warn_no_engine(get_store())


def _draw_failures(now: Standing) -> None:
    """Draw the cells that ended without a result, with the reason."""
    failed = [c for c in now.cells if c.state == "failed"]
    if not failed:
        return
    names = list_titles(read_catalog())
    lines = [
        f"- {escape(names[c.cell.method])} on {escape(names[c.cell.dataset])} at {format_ratio(c.cell.ratio)}: {escape(c.reason, 300)}"
        for c in failed[:FAILED]
    ]
    more = f"\n- and {len(failed) - FAILED} more" if len(failed) > FAILED else ""
    with st.container(key="compare-failed"):
        st.warning(f"{format_count(len(failed), 'cell')} failed:\n" + "\n".join(lines) + more, icon=":material/error:")


def draw_earlier(catalog: Mapping[str, Any]) -> None:
    """Draw links to the plans of sweeps that were started here before."""
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
    with st.container(key="compare-earlier", gap="small"):
        st.markdown("**Sweeps that were started here**")
        for kept, spec in earlier:
            datasets, methods = (", ".join(names[n] for n in given) for given in (spec.datasets, spec.methods))
            replicates = plan.describe_replicates(spec.replicates(catalog))
            what = f"{methods} on {datasets} at {sweep_words.format_ratios(spec.ratios)}, {replicates}"
            links.draw_link("compare", escape(kept.name or what, 140), ":material/history:", **spec.to_query())


def list_titles(catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> title of methods and datasets."""
    return {e["name"]: e["title"] for kind in ("datasets", "methods") for e in catalog[kind]}
