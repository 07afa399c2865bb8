"""The Lab: one dataset, one method, one imbalance; watch it train and read what came of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app import session
from app.charts.palette import listed
from app.player import Feed, player
from app.widgets import answer, form
from app.widgets.answer import Shown
from app.widgets.command import command
from app.widgets.sentence import setting
from app.widgets.status import silence, status_line
from app.widgets.text import duration, many, plain
from engine.errors import BadInput, LabError, UnknownName
from engine.events import Phase, unpack_film
from engine.family import Member, family
from engine.spec import RunSpec, find
from engine.store import PRIORITY_COMPANION, PRIORITY_INTERACTIVE, Job, Store

TICK = 0.5
"""Seconds between two looks at a run that is going on."""
SETTLE = 20.0
"""Seconds after its end in which a run is still looked at now and then."""

_STYLE = """<style>
[data-testid="stSidebarHeader"] { height: 2.5rem; margin-bottom: 0; }
div:has(> .st-key-run-bar) { position: sticky; bottom: 0; z-index: 5; }
.st-key-run-bar { padding: .6rem 0 .4rem; background: light-dark(#F8F8F7, #21201D); border-top: 1px solid rgba(128, 128, 128, .25); }
.st-key-headline p { font-size: 1.15rem; line-height: 1.5; text-wrap: pretty; }
.st-key-findings p { line-height: 1.5; text-wrap: pretty; }
.st-key-status-line p { font-size: .875rem; }
.st-key-run button[kind="primary"] { color: light-dark(#FFFFFF, #06281D); }
@media (min-width: 768px) { [data-testid="stMainBlockContainer"] { padding-left: 2.5rem; padding-right: 2.5rem; } }
</style>"""


def page() -> None:
    """Draw the page."""
    st.html(_STYLE)
    try:
        store, catalog, example = session.store(), session.catalog(), session.example()
    except LabError as error:
        st.title("Imbalance Lab")
        st.error(plain(error, 600), icon=":material/error:")
        return
    owner = session.owner()
    fallback = session.first(catalog, _spec_of(store, example, owner))
    asked = _asked(store, catalog, fallback, owner)
    with st.sidebar:
        spec, device = form.form(catalog)
        pressed = _run_bar(store, catalog, spec)
    asked = replace(asked, device=device)
    if pressed and spec is not None:
        asked = replace(asked, run=_submit(store, catalog, spec, device), replicate=0, problems=())
        st.session_state["lab.run"], st.session_state["lab.replicate"], st.session_state["lab.problems"] = asked.run, 0, ()
    _write_url(replace(asked, spec=spec or asked.spec), catalog, fallback)
    asked = replace(asked, problems=tuple(st.session_state["lab.problems"]))
    run = asked.run or example
    shown, problem = _shown(store, catalog, run, owner, is_example=asked.run is None)
    _head(shown)
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


def _spec_of(store: Store, run: str | None, owner: str | None) -> RunSpec | None:
    if run is None:
        return None
    try:
        return RunSpec.from_json(store.job(run, owner).spec)
    except BadInput:
        return None


def _asked(store: Store, catalog: Mapping[str, Any], fallback: RunSpec, owner: str | None) -> session.Asked:
    """What the URL asks for. Read only where it is not what this page wrote: a first look, a link, the browser's back button."""
    state, query = st.session_state, st.query_params.to_dict()
    if query != state.get("lab.url"):
        asked = session.read(query, catalog, fallback)
        bare = asked.run is not None and not set(query) - {"run", "replicate"}
        if bare and (spec := _spec_of(store, asked.run, owner)) is not None:
            try:
                asked = replace(asked, spec=spec.complete(catalog))
            except BadInput as error:  # its dataset or method has left the catalog: the run is shown, the form is not its
                asked = replace(asked, problems=(*asked.problems, str(error)))
        form.fill(asked.spec, asked.device, catalog)
        state["lab.url"], state["lab.run"], state["lab.replicate"] = query, asked.run, asked.replicate
        state["lab.problems"] = asked.problems
        state["lab.spec"] = asked.spec
    return session.Asked(
        state["lab.spec"], "auto", state["lab.run"], int(state["lab.replicate"] or 0), tuple(state["lab.problems"])
    )


def _write_url(asked: session.Asked, catalog: Mapping[str, Any], fallback: RunSpec) -> None:
    untouched = not st.query_params.to_dict() and asked.run is None and asked.spec == fallback and asked.device == "auto"
    if untouched or asked.problems and st.session_state["lab.spec"] == asked.spec:
        return  # a bare first visit stays bare; a faulty link stays as it is until the form is touched
    words = session.write(asked, catalog)
    if words != st.query_params.to_dict():
        st.query_params.from_dict(words)
        st.session_state["lab.problems"] = ()
    st.session_state["lab.url"], st.session_state["lab.spec"] = words, asked.spec


def _run_bar(store: Store, catalog: Mapping[str, Any], spec: RunSpec | None) -> bool:
    """The Run button with one line on what it will do."""
    with st.container(key="run-bar"):
        here = spec is not None and form.available(find(catalog, "datasets", spec.dataset))
        pressed = st.button(
            "Run", type="primary", icon=":material/play_arrow:", width="stretch", key="run", disabled=spec is None or not here
        )
        if spec is not None and not here:
            st.caption("The dataset is not here yet.")
        elif spec is not None:
            members, _ = family(spec, catalog)
            beside = listed([plain(m.label) for m in members[1:]])
            replicates = many(spec.replicates, "replicate")
            st.caption(f"{replicates}" + (f"; beside it {beside}" if beside else ""))
    return pressed


def _submit(store: Store, catalog: Mapping[str, Any], spec: RunSpec, device: str) -> str:
    """Ask for the run and, behind it, for what it is compared with; returns the run's id."""
    members, _ = family(spec, catalog)
    fingerprint = find(catalog, "datasets", spec.dataset)["fingerprint"]
    ids = [
        store.submit(
            m.spec, fingerprint=fingerprint, device=device, priority=PRIORITY_COMPANION if i else PRIORITY_INTERACTIVE
        ).id
        for i, m in enumerate(members)
    ]
    return ids[0]


def _again(job: Job, spec: RunSpec, device: str) -> None:
    """Queue a run that ended without a result once more, and what it is compared with."""
    store, catalog = session.store(), session.catalog()
    try:
        members, _ = family(spec, catalog)
    except BadInput:
        members = []
    store.submit(spec, fingerprint=job.fingerprint, owner=job.owner, device=device, priority=PRIORITY_INTERACTIVE)
    for member in members[1:]:
        store.submit(member.spec, fingerprint=job.fingerprint, owner=job.owner, device=device, priority=PRIORITY_COMPANION)


def _cancel(ids: Sequence[str]) -> None:
    for id in ids:
        session.store().cancel(id)


# ---- what is shown


def _shown(
    store: Store, catalog: Mapping[str, Any], run: str | None, owner: str | None, *, is_example: bool
) -> tuple[Shown | None, str]:
    """The run on screen, or why there is none ('': nothing was asked for)."""
    if run is None:
        return None, ""
    try:
        job = store.job(run, owner)
        spec = RunSpec.from_json(job.spec)
    except BadInput as error:
        if isinstance(error, UnknownName):
            return None, "There is no such run here. It may have been deleted, or it belongs to another browser."
        return None, plain(error, 400)
    try:
        members, why = family(spec, catalog)
        entry: Mapping[str, Any] | None = find(catalog, "datasets", spec.dataset)
    except BadInput:
        members, why, entry = [Member(spec.method, spec.method, "method", spec)], "", None
    jobs: dict[str, Job] = {members[0].key: job}
    for member in members[1:]:
        try:
            jobs[member.key] = store.job(member.spec.run_id(job.fingerprint, job.owner), owner)
        except UnknownName:
            continue  # never asked for
    results = {key: store.result(j.id, owner) for key, j in jobs.items() if j.state == "done"}
    return Shown(job, members, why, jobs, results, entry, is_example), ""


def _head(shown: Shown | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="status-line", gap="medium"):
        st.markdown("##### Imbalance Lab", width="content")
        with st.container(width="stretch"):
            status_line(active=shown is not None and shown.active)


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
        if not store.engines():
            st.info(NO_ENGINE, icon=":material/power_off:")


NO_ENGINE = (
    "No engine is alive, so nothing can be trained just now. `make run` starts one with the page; by itself it starts with "
    "`python -m engine serve`. What is stored can be looked at meanwhile, and a run that you ask for waits."
)


def _draw(shown: Shown, asked: session.Asked, catalog: Mapping[str, Any]) -> None:
    job, finished = shown.job, shown.result is not None
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(key="which-replicate"):
            replicate = _replicate(shown, asked)
        settling = _settling(job)
        st.fragment(_stage, run_every=TICK if job.active else 4 * TICK if settling else None)(
            job.id, replicate, job.active, settling
        )
    with right:
        with st.container(key="run-side"):
            if finished:
                answer.precision_recall(shown)
        if len(shown.there) < len(shown.members):
            seen = {key: j.state for key, j in shown.jobs.items()}
            st.fragment(_panel, run_every=2 * TICK if shown.active else None)(shown, seen)
    with st.container(key="run-answer"):
        if finished:
            answer.cards(shown)
            answer.pictures(shown)
            answer.tables(shown)
            answer.provenance(shown)
    _terminal(shown, catalog)


def _asked_for(shown: Shown) -> None:
    """What a run without a result is about."""
    spec = shown.main.spec
    title = shown.entry["title"] if shown.entry is not None else spec.dataset
    replicates = f"{many(spec.folds, 'fold')} × {many(spec.seeds, 'seed')}" if spec.replicates > 1 else "one split"
    st.markdown(
        f"**{plain(shown.main.label)}** on **{plain(title)}** · {setting(spec, shown.native)} · {replicates} · seed {spec.seed}"
    )


def _state(shown: Shown, asked: session.Asked) -> None:
    """What is shown and what came of it; for a run that ended without a result, why, and a next step."""
    with st.container(key=f"run-state-{shown.job.state}"):
        _ending(shown, asked)
        if shown.result is not None:
            answer.sentences(shown)
        else:
            _asked_for(shown)


def _ending(shown: Shown, asked: session.Asked) -> None:
    job = shown.job
    if shown.is_example:
        st.caption(
            ":material/movie: A recorded example. Nothing is running: change anything in the form (behind **»** on a small screen) "
            "and press **Run** to train your own."
        )
    if job.state in ("failed", "cancelled", "interrupted"):
        draw = {"failed": st.error, "cancelled": st.info, "interrupted": st.warning}[job.state]
        what = {
            "failed": "The run failed.",
            "cancelled": "The run was cancelled.",
            "interrupted": "The run was interrupted: its engine went away.",
        }[job.state]
        icon = {"failed": ":material/error:", "cancelled": ":material/block:", "interrupted": ":material/power_off:"}[job.state]
        reason = "" if job.state != "failed" else f" {plain(job.reason, 600)}"
        draw(f"**{what}**{reason}", icon=icon)
        step = {
            "failed": "Change what the reason names, or try once more.",
            "cancelled": "Start it over, or set up another one.",
            "interrupted": "Start it over; it will wait until an engine is alive.",
        }[job.state]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Run again",
                icon=":material/replay:",
                key="again",
                on_click=_again,
                args=(job, shown.main.spec, asked.device),
            )
            st.caption(step)


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


def _settling(job: Job) -> bool:
    """True for a while after a run has ended: the player may still have to ask for a chunk that was lost."""
    return job.finished is not None and time.time() - job.finished < SETTLE


def _stage(run: str, replicate: int, was_active: bool, settling: bool) -> None:
    """The player with what is new of the run. A fragment."""
    store, owner = session.store(), session.owner()
    try:
        job = store.job(run, owner)
    except UnknownName:
        st.rerun()
    key = f"{run}/{job.attempt}/{replicate}"
    feed = st.session_state.get("lab.feed")
    if not isinstance(feed, Feed) or st.session_state.get("lab.feed.key") != key:
        feed = Feed(run, replicate)
        st.session_state["lab.feed"], st.session_state["lab.feed.key"] = feed, key
    events: list[Any] = []
    if replicate == 0:
        rows = store.events(run, feed.after, ("phase", "scene", "frame"), owner=owner)
        feed.after = rows[-1][0] if rows else feed.after
        events = [event for _, event in rows]
    elif feed.frames == 0 and (film := store.artifact(run, f"frames/{replicate}", owner=owner)) is not None:
        scene, frames = unpack_film(film)
        events = [*(event for _, event in store.events(run, kinds=("phase",), owner=owner)), scene, *frames]
    chunk = feed.chunk(events, status=job.state, engine_alive=bool(store.engines()), take=str(job.attempt))
    player(chunk, key="player", on_need=feed.rewind)
    if job.active != was_active or (settling and not _settling(job)):
        st.rerun()


def _panel(shown: Shown, seen: Mapping[str, str]) -> None:
    """How far the run and its companions are. A fragment; it redraws the page when one of them has ended."""
    store, owner = session.store(), session.owner()
    jobs = {}
    for key, job in shown.jobs.items():
        try:
            jobs[key] = store.job(job.id, owner)
        except UnknownName:
            st.rerun()
    if any(seen[key] != job.state and (not job.active or key == shown.main.key) for key, job in jobs.items()):
        st.rerun()
    main = jobs[shown.main.key]
    alive = bool(store.engines())
    if main.active:
        _progress(store, main, alive, owner)
        st.button(
            "Cancel",
            icon=":material/stop:",
            key="cancel",
            on_click=_cancel,
            args=([job.id for job in jobs.values() if job.active],),
            help="Stops this run and what is compared with it.",
        )
    beside = [m for m in shown.members[1:] if m.key in jobs or main.state == "done"]
    if not beside:
        return
    st.markdown("**Beside it**")
    lines = []
    for member in beside:
        lines.append(f"- {plain(member.label)}: {_how_far(store, jobs.get(member.key))}")
    if shown.why:
        lines.append(f"- {shown.why}")
    st.markdown("\n".join(lines))
    absent = [m for m in beside if m.key not in jobs or jobs[m.key].state in ("failed", "cancelled", "interrupted")]
    if absent and not main.active and main.state == "done":
        st.button(
            "Run what is missing",
            key="missing",
            icon=":material/playlist_add:",
            on_click=_again,
            args=(main, shown.main.spec, main.device),
        )


def _progress(store: Store, job: Job, alive: bool, owner: str | None) -> None:
    if job.state == "queued":
        ahead = store.position(job.id)
        text = "Next in line." if not ahead else f"{many(ahead, 'run')} before it."
        st.progress(0.0, text=f"Waiting for the engine. {text}")
        if not alive:
            st.warning(NO_ENGINE, icon=":material/power_off:")
        return
    phases = [event for _, event in store.events(job.id, kinds=("phase",), owner=owner) if isinstance(event, Phase)]
    share = min(1.0, job.done / job.total) if job.total else 0.0
    spent = max(0.0, time.time() - (job.started or time.time()))
    left = (
        f"at most {duration(spent * (1 - share) / share)} left" if share > 0.05 and spent > 1 else f"{duration(spent)} so far"
    )
    text = plain(phases[-1].text, 80) if phases else "Getting ready"
    st.progress(share, text=f"{text} · {100 * share:.0f}% · {left}")
    if not alive:
        st.warning(
            f"The engine is {silence(store)}. If it does not come back, this run will be marked as interrupted.",
            icon=":material/power_off:",
        )


def _how_far(store: Store, job: Job | None) -> str:
    if job is None:
        return "not asked for"
    if job.state == "running":
        return f"running, {100 * job.done / job.total:.0f}%" if job.total else "running"
    if job.state == "queued":
        ahead = store.position(job.id)
        return f"waiting, {ahead} before it" if ahead else "next in line"
    if job.state == "failed":
        return f"failed. {plain(job.reason, 300)}"
    return job.state


def _terminal(shown: Shown, catalog: Mapping[str, Any]) -> None:
    with st.expander("Run this from a terminal", icon=":material/terminal:"):
        try:
            st.code(shlex.join(command(shown.main.spec, catalog)), language="bash", wrap_lines=True)
        except BadInput as error:
            st.caption(plain(error, 300))


def _others(store: Store, owner: str | None, run: str | None) -> None:
    """Runs that go on beside the one shown; companions are listed with the run they belong to."""
    going = [
        job
        for job in store.jobs(owner=owner, states=("queued", "running"), limit=20)
        if job.id != run and job.priority == PRIORITY_INTERACTIVE
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
                st.button("Cancel", key=f"cancel-{job.id}", icon=":material/stop:", on_click=_cancel, args=([job.id],))


def _open(run: str) -> None:
    """Go to a run as its link would."""
    st.query_params.from_dict({"run": run})


def _leave() -> None:
    """Go to the first view, as a bare link would."""
    st.query_params.clear()
