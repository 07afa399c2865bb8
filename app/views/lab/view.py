"""The Lab: one dataset, one method, one imbalance; watch it train and read what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app import session
from app.form import form
from app.frame import address, links, start, top
from app.parts import share
from app.run import answer, panel
from app.run.shown import Shown
from app.views.lab import contributions
from app.words.text import plain
from engine.errors import BadInput, LabError
from engine.spec import RunSpec
from engine.spec.run import upload_id
from engine.store import PRIORITY_INTERACTIVE, Store


def page() -> None:
    """Draw the page."""
    top.style()
    try:
        store, catalog, example = session.store(), session.catalog(), session.example()
    except LabError as error:
        st.title("Imbalance Lab")
        st.error(plain(error, 600), icon=":material/error:")
        return
    owner = session.owner()
    fallback = session.first(catalog, panel.spec_of(store, example, owner))
    asked = _asked(store, catalog, fallback, owner)
    with st.sidebar:
        spec, device = form.form(catalog)
        pressed = panel.run_bar(catalog, spec)
    asked = replace(asked, device=device)
    if pressed and spec is not None:
        asked = replace(asked, run=panel.submit(store, catalog, spec, device), replicate=0, problems=())
        st.session_state["lab.run"], st.session_state["lab.replicate"], st.session_state["lab.problems"] = asked.run, 0, ()
    _write_url(replace(asked, spec=spec or asked.spec), catalog, fallback)
    asked = replace(asked, problems=tuple(st.session_state["lab.problems"]))
    run = asked.run or example
    shown, problem = panel.load(store, catalog, run, owner, is_example=asked.run is None)
    top.head(shown is not None and shown.active, follow=shown is None or not shown.is_example)
    with st.container(key="run-top"):  # one place whatever it holds: what follows keeps its place, and the player its picture
        if asked.problems:
            lines = "\n".join(f"- {plain(text, 400)}" for text in asked.problems)
            st.warning(f"Not all of this link could be followed.\n{lines}", icon=":material/link_off:")
        if problem:
            _unknown(problem)
        elif shown is None:
            _welcome(store)
        else:
            _state(shown, asked)
    if shown is not None:
        _draw(shown, asked, catalog)
    _others(store, owner, run)


# ---- what is asked


def _asked(store: Store, catalog: Mapping[str, Any], fallback: RunSpec, owner: str | None) -> session.Asked:
    """What the URL asks for. Read only where it is not what this page wrote: a first look, a link, the browser's back button."""
    state, query = st.session_state, address.words()
    if query != state.get("lab.url") or state.get("page") != "lab":
        asked = session.read(query, catalog, fallback)
        bare = asked.run is not None and not set(query) - {"run", "replicate"}
        spec = panel.spec_of(store, asked.run, owner) if bare else None
        if spec is not None and not upload_id(spec.dataset):  # the form has no place for a person's own table
            try:
                asked = replace(asked, spec=spec.complete(catalog))
            except BadInput as error:  # its dataset or method has left the catalog: the run is shown, the form is not its
                asked = replace(asked, problems=(*asked.problems, str(error)))
        form.fill(asked.spec, asked.device, catalog)
        state["page"] = "lab"  # pages share the form's keys, and whoever filled it last is named here
        state["lab.url"], state["lab.run"], state["lab.replicate"] = query, asked.run, asked.replicate
        state["lab.problems"] = asked.problems
        state["lab.spec"] = asked.spec
    return session.Asked(
        state["lab.spec"], "auto", state["lab.run"], int(state["lab.replicate"] or 0), tuple(state["lab.problems"])
    )


def _write_url(asked: session.Asked, catalog: Mapping[str, Any], fallback: RunSpec) -> None:
    untouched = not address.words() and asked.run is None and asked.spec == fallback and asked.device == "auto"
    if untouched or asked.problems and st.session_state["lab.spec"] == asked.spec:
        return  # a bare first visit stays bare; a faulty link stays as it is until the form is touched
    words = session.write(asked, catalog)
    if words != address.words():
        address.write(words)
        st.session_state["lab.problems"] = ()
    st.session_state["lab.url"], st.session_state["lab.spec"] = words, asked.spec


# ---- what is shown


def _unknown(problem: str) -> None:
    with st.container(key="run-state-unknown"):
        st.error(problem, icon=":material/search_off:")
        st.markdown("Set up a run in the form and press **Run**, or go back to the start.")
        st.button("Back to the start", key="start", icon=":material/home:", on_click=_leave)


def _welcome(store: Store) -> None:
    with st.container(key="run-state-welcome"):
        st.subheader("What if the classes were this imbalanced?")
        st.markdown(
            "Choose data, a method and a ratio in the form (on a small screen: behind **»** at the top), then press **Run**. "
            "You will see synthetic minority points move while the network trains, and its precision-recall curve beside "
            "that of plain training."
        )
        panel.no_engine(store)


def _draw(shown: Shown, asked: session.Asked, catalog: Mapping[str, Any]) -> None:
    finished = shown.result is not None
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(key="which-replicate"):
            replicate = _replicate(shown, asked)
        panel.watch(shown, replicate, "player")
    with right:
        with st.container(key="run-side"):
            if finished:
                answer.precision_recall(shown)
        panel.panel(shown)
    with st.container(key="run-answer"):
        if finished:
            answer.cards(shown)
            answer.pictures(shown)
            contributions.section(shown, replicate)
            answer.tables(shown)
            answer.provenance(shown)
    share.run(shown.job.id if shown.result is not None else None, shown.main.spec, catalog)


def _state(shown: Shown, asked: session.Asked) -> None:
    """What is shown and what came of it; for a run that ended without a result, why, and a next step."""
    with st.container(key=f"run-state-{shown.job.state}"):
        if shown.is_example:
            start.offer()
            st.caption(
                ":material/movie: A recorded example, and not the only one: see the gallery."
                if session.demo()
                else ":material/movie: A recorded example. Nothing is running: change anything in the form (behind **»** on a small "
                "screen) and press **Run** to train your own."
            )
        panel.ending(shown, asked.device)
        if shown.result is not None:
            answer.sentences(shown)
        else:
            panel.asked_for(shown)
        if shown.result is not None and not shown.is_example:
            links.to("deep", "Open in Deep", ":material/scatter_plot:", run=shown.job.id)


def _replicate(shown: Shown, asked: session.Asked) -> int:
    """Which replicate the player shows: a chooser where the run is done and has several."""
    count = shown.result.n if shown.result is not None else 1
    if count < 2:
        return 0
    st.session_state["replicate"] = min(asked.replicate, count - 1)

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


def _others(store: Store, owner: str | None, run: str | None) -> None:
    """Runs that go on beside the one shown; companions are listed with the run they belong to."""
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
                what = f"{plain(job.spec['method'])} on {plain(job.spec['dataset'])}, seed {plain(job.spec['seed'])}"
                st.markdown(f"{what} · {job.state}, {done}", width="stretch")
                st.button("Show", key=f"show-{job.id}", icon=":material/visibility:", on_click=_open, args=(job.id,))
                if not session.demo():
                    st.button("Cancel", key=f"cancel-{job.id}", icon=":material/stop:", on_click=panel.cancel, args=([job.id],))


def _open(run: str) -> None:
    """Go to a run as its link would."""
    address.write({"run": run})


def _leave() -> None:
    """Go to the first view, as a bare link would."""
    address.write({})
