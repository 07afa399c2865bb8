"""The Lab: one dataset, one method, one imbalance; watch it train and read what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app.form import form
from app.frame import address, links, start, top
from app.frame.opening import open_page
from app.parts import share
from app.run import answer, panel, stage
from app.run.shown import Shown
from app.session import lab_address, recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.lab import contributions
from app.words.text import escape
from engine.errors import BadInput
from engine.spec import RunSpec
from engine.spec.run import upload_id
from engine.store import PRIORITY_INTERACTIVE, Store

ADDRESS = address.Address("lab", {}, echo_seconds=0.0)
"""Only runs of the whole page write it, so the browser's back button can work at once."""


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog(), recorded.load_first_example()))
    if opened is None:
        return
    store, catalog, example = opened
    owner = visitor.read_owner()
    fallback = lab_address.first_spec(catalog, panel.read_spec(store, example, owner))
    link = _read_address(store, catalog, fallback, owner)
    with st.sidebar:
        spec, device = form.draw_form(catalog)
        pressed = panel.draw_run_bar(catalog, spec)
    link = replace(link, device=device)
    if pressed and spec is not None:
        link = replace(link, run=panel.submit_family(store, catalog, spec, device), replicate=0, problems=())
        st.session_state["lab.run"], st.session_state["lab.replicate"], st.session_state["lab.problems"] = link.run, 0, ()
    _write_address(replace(link, spec=spec or link.spec), catalog, fallback)
    link = replace(link, problems=tuple(st.session_state["lab.problems"]))
    run = link.run or example
    shown, problem = panel.load_run(store, catalog, run, owner, is_example=link.run is None)
    top.draw_head(shown is not None and shown.active)
    with st.container(key="run-top"):  # one place whatever it holds: what follows keeps its place, and the player its picture
        if link.problems:
            lines = "\n".join(f"- {escape(text, 400)}" for text in link.problems)
            st.warning(f"Not all of this link could be followed.\n{lines}", icon=":material/link_off:")
        if problem:
            _draw_unknown(problem)
        elif shown is None:
            _draw_welcome(store)
        else:
            _draw_state(shown, link)
    if shown is not None:
        _draw(shown, link, catalog)
    _draw_others(store, owner, run)


def _read_address(store: Store, catalog: Mapping[str, Any], fallback: RunSpec, owner: str | None) -> lab_address.LabAddress:
    """Return what the address asks for. It is read where it has changed: a first look, a link, the browser's back button."""
    state, query = st.session_state, ADDRESS.read()
    if query is not None:
        link = lab_address.read_address(query, catalog, fallback)
        bare = link.run is not None and not set(query) - {"run", "replicate"}
        spec = panel.read_spec(store, link.run, owner) if bare else None
        if spec is not None and not upload_id(spec.dataset):  # the form has no place for a person's own table
            try:
                link = replace(link, spec=spec.complete(catalog))
            except BadInput as error:  # the catalog lacks its dataset or method: the run is shown, the form stays
                link = replace(link, problems=(*link.problems, str(error)))
        form.fill_form(link.spec, link.device, catalog)
        state["lab.run"], state["lab.replicate"] = link.run, link.replicate
        state["lab.problems"] = link.problems
        state["lab.spec"] = link.spec
    return lab_address.LabAddress(
        state["lab.spec"], "auto", state["lab.run"], int(state["lab.replicate"] or 0), tuple(state["lab.problems"])
    )


def _write_address(link: lab_address.LabAddress, catalog: Mapping[str, Any], fallback: RunSpec) -> None:
    untouched = not address.page_words() and link.run is None and link.spec == fallback and link.device == "auto"
    if untouched or link.problems and st.session_state["lab.spec"] == link.spec:
        return  # a first visit keeps its empty address; a faulty link stays until the form changes
    query = lab_address.write_address(link, catalog)
    if query != address.page_words():
        st.session_state["lab.problems"] = ()
    ADDRESS.write(query)
    st.session_state["lab.spec"] = link.spec


def _draw_unknown(problem: str) -> None:
    with st.container(key="run-state-unknown"):
        st.error(problem, icon=":material/search_off:")
        st.markdown("Set up a run in the form and press **Run**, or go back to the start.")
        st.button("Back to the start", key="start", icon=":material/home:", on_click=_leave)


def _draw_welcome(store: Store) -> None:
    with st.container(key="run-state-welcome"):
        st.subheader("What if the classes were this imbalanced?")
        st.markdown(
            "Choose data, a method and a ratio in the form (on a small screen: behind **»** at the top), then press **Run**. "
            "You will see synthetic minority points move while the network trains, and its precision-recall curve beside "
            "that of plain training."
        )
        panel.warn_no_engine(store)


def _draw(shown: Shown, link: lab_address.LabAddress, catalog: Mapping[str, Any]) -> None:
    finished = shown.result is not None
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(key="which-replicate"):
            replicate = _choose_replicate(shown, link)
        stage.play_film(shown, replicate, "player")
    with right:
        with st.container(key="run-side"):
            if finished:
                answer.draw_precision_recall(shown)
        panel.draw_panel(shown)
    with st.container(key="run-answer"):
        if finished:
            answer.draw_cards(shown)
            answer.draw_pictures(shown)
            contributions.draw_contributions(shown, replicate)
            answer.draw_measures(shown)
            answer.draw_provenance(shown)
    share.offer_run(shown.job.id if shown.result is not None else None, shown.main.spec, catalog)


def _draw_state(shown: Shown, link: lab_address.LabAddress) -> None:
    """Draw what is shown and what was measured; for a run that ended without a result, why, and a next step."""
    with st.container(key=f"run-state-{shown.job.state}"):
        if shown.is_example:
            start.draw_strip()
            st.caption(
                ":material/movie: A recorded example, and not the only one: see the gallery."
                if visitor.is_demo()
                else ":material/movie: A recorded example. Nothing is running: change anything in the form (behind **»** on a small "
                "screen) and press **Run** to train your own."
            )
        panel.draw_ending(shown, link.device)
        if shown.result is not None:
            answer.draw_sentences(shown)
        else:
            panel.describe_request(shown)
        if shown.result is not None and not shown.is_example:
            links.draw_link("deep", "Open in Deep", ":material/scatter_plot:", run=shown.job.id)


def _choose_replicate(shown: Shown, link: lab_address.LabAddress) -> int:
    """Draw the choice of the replicate that the player shows, where the run is done and has several; return it."""
    count = shown.result.n if shown.result is not None else 1
    if count < 2:
        return 0
    st.session_state["replicate"] = min(link.replicate, count - 1)

    def take() -> None:
        st.session_state["lab.replicate"] = st.session_state["replicate"]

    folds = shown.main.spec.folds
    chosen: int = st.selectbox(
        "Replicate shown",
        range(count),
        format_func=lambda r: (
            f"replicate {r + 1} of {count}" + (f" (seed {r // folds + 1}, fold {r % folds + 1})" if folds > 1 else "")
        ),
        key="replicate",
        on_change=take,
        width=260,
        label_visibility="collapsed",
    )
    return chosen


def _draw_others(store: Store, owner: str | None, run: str | None) -> None:
    """Draw the other runs that wait or run; companions are listed with the run they belong to."""
    going = [
        job
        for job in store.jobs(owner=owner, states=("queued", "running"), urgent=PRIORITY_INTERACTIVE, limit=20)
        if job.id != run
    ]
    if not going:
        return
    with st.container(border=True, key="others", gap="small"):
        st.markdown("**Other runs going on**")
        for job in going:
            with st.container(horizontal=True, vertical_alignment="center"):
                done = f"{100 * job.done / job.total:.0f}%" if job.total else "not begun"
                what = f"{escape(job.spec['method'])} on {escape(job.spec['dataset'])}, seed {escape(job.spec['seed'])}"
                st.markdown(f"{what} · {job.state}, {done}", width="stretch")
                st.button("Show", key=f"show-{job.id}", icon=":material/visibility:", on_click=_open, args=(job.id,))
                if not visitor.is_demo():
                    st.button(
                        "Cancel", key=f"cancel-{job.id}", icon=":material/stop:", on_click=panel.cancel_jobs, args=([job.id],)
                    )


def _open(run: str) -> None:
    """Go to a run as its link would."""
    address.follow_link({"run": run})


def _leave() -> None:
    """Go to the first view as a bare link would."""
    address.follow_link({})
