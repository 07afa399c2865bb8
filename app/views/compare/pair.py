"""Compare's view of two runs side by side: their settings, their measures, and both films in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import links
from app.parts import share
from app.run import panel, stage, whatif
from app.run.shown import Shown
from app.session import lab_address, visitor
from app.session.store import get_store
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import STATE
from app.words import naming
from app.words.sentence import describe_setting
from app.words.text import escape, format_count
from engine.errors import BadInput, UnknownName
from engine.spec import RunSpec
from engine.store import Job

PIECE = View(7, "Two runs", selections=("run", "beside"), measured=False)

LISTED = 100
"""Runs in a list at most, the newest."""


def list_titles(jobs: Mapping[str, Job], names: Mapping[str, str]) -> dict[str, str]:
    """Return a line for each run: method on dataset, imbalance, replicates, seed; no two alike. names: of methods and datasets.

    A run whose spec cannot be read, such as one of another version, is left out.
    """
    lines = {}
    for id, job in jobs.items():
        try:
            spec = RunSpec.from_json(job.spec)
        except BadInput:
            continue
        how = describe_setting(spec)
        line = f"{names.get(spec.method, spec.method)} on {names.get(spec.dataset, spec.dataset)}, {how[:1].lower()}{how[1:]}"
        lines[id] = f"{line}, {format_count(spec.replicates, 'replicate')}, seed {spec.seed}"
    shown = naming.label_names(list(dict.fromkeys(lines.values())), 140)
    counts = Counter(lines.values())
    return {id: shown[line] if counts[line] == 1 else f"{shown[line]}, run {id[:6]}" for id, line in lines.items()}


def draw(context: Context) -> None:
    """Draw the choice of two runs, and both."""
    store, owner, catalog = get_store(), visitor.read_owner(), context.catalog
    run, beside = context.chosen.get("run"), context.chosen.get("beside")
    known = {job.id: job for job in store.jobs(owner=owner, states=("done",), limit=LISTED)}
    for id in (run, beside):
        if id is not None and id not in known:
            try:
                known[id] = store.job(id, owner)
            except UnknownName:
                continue
    names = {e["name"]: e["title"] for kind in ("methods", "datasets") for e in catalog[kind]}
    known = {id: job for id, job in known.items() if job.kind == "run"}
    if not known and run is None and beside is None:
        st.info("No run is finished yet. Start a sweep, or run something in the Lab.", icon=":material/hourglass_empty:")
        return
    lines = list_titles(known, names)
    left, right = st.columns(2, gap="medium")
    for column, which, label, id in ((left, "run", "This run", run), (right, "beside", "The other", beside)):
        with column:
            _draw_list(which, label, id if id in lines else None, lines)
            if id is not None and id not in lines:
                _draw_absent(panel.load_run(store, catalog, id, owner)[1])
    if run not in lines or beside not in lines or run is None or beside is None:
        st.caption("Choose two runs. Their measures are subtracted only where both were tested on the same rows.")
        return
    if run == beside:
        st.info("Both are the same run: choose another one.", icon=":material/info:")
        return
    one, why = panel.load_run(store, catalog, run, owner)
    other, why_not = panel.load_run(store, catalog, beside, owner)
    if one is None or other is None:  # deleted meanwhile
        _draw_absent(why or why_not)
        return
    _draw_both(one, other, catalog)


def _draw_absent(why: str) -> None:
    st.error(why or "This is no run that can be shown here.", icon=":material/search_off:")


def _draw_list(which: str, label: str, id: str | None, lines: Mapping[str, str]) -> None:
    key, state = f"compare.{which}", st.session_state
    state[key] = id

    def taken() -> None:
        if state[key] is None or lab_address.is_run_id(state[key]):
            state["compare.chosen"][which] = state[key]

    st.selectbox(
        label,
        list(lines),
        index=None,
        format_func=lines.__getitem__,
        key=key,
        on_change=taken,
        placeholder="Choose a run",
        help="The newest finished runs. Type to search.",
    )


def _draw_both(one: Shown, other: Shown, catalog: Mapping[str, Any]) -> None:
    with st.container(key=f"compare-pair-{one.job.state}"):
        left, right = st.columns(2, gap="medium")
        for column, shown, title, which in ((left, one, "this run", "run"), (right, other, "the other", "beside")):
            with column:
                if shown.job.state == "done":
                    stage.play_film(shown, 0, f"compare.player.{which}", group="compare", title=title)
                else:
                    st.info(f"{title[:1].upper()}{title[1:]}: {STATE[shown.job.state]}.", icon=":material/hourglass_empty:")
                    panel.draw_ending(shown, shown.job.device, key=f"compare.again.{which}")
                with st.container(horizontal=True, vertical_alignment="center"):
                    links.draw_link("lab", "Open in the Lab", ":material/science:", run=shown.job.id)
                    if shown.entry is not None:
                        share.offer_code(shown.main.spec, catalog, f"pair-{which}")
        if one.job.state == other.job.state == "done":
            st.caption(
                "One scrubber, that of the run with more steps, moves both pictures to the same optimiser step. Each is drawn in its own "
                "plane."
            )
        whatif.draw_beside(one, other, "compare")
        if one.result is not None and other.result is not None:
            paired = whatif.has_same_test_rows(one.main.spec, other.main.spec)
            st.markdown(
                "**What it means.** Look first at what differs: with one setting changed, the difference is its doing; with several it is "
                f"the doing of all of them together. {_suggest_next(paired)}"
            )


def _suggest_next(paired: bool) -> str:
    if paired:
        return "Where a bracket excludes 0, try the same change at another ratio: start a sweep."
    return f"To subtract them, run one of them again with the other's {escape('dataset, imbalance, folds, seeds and seed')}."
