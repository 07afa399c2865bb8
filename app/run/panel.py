"""A run on a page until it has a result: asked for, watched, or ended without one. Lab, Deep and Compare use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.charts.palette import listed
from app.form import dataset
from app.frame import headline
from app.frame.status import describe_silence
from app.parts import quota, share
from app.run import heading
from app.run.shown import Shown
from app.session import refusals, shared, visitor
from app.session.store import get_store, read_catalog
from app.words import lab as words
from app.words.sentence import describe_setting
from app.words.text import escape, format_count, format_duration
from engine.errors import BadInput, UnknownName
from engine.spec import RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.run import find_entry
from engine.store import PRIORITY_INTERACTIVE, Job, Store
from engine.store.jobs import PRIORITY_COMPANION
from engine.store.sealing import KEY_GONE

TICK = 0.5
"""Seconds between two reads of a run that is going on."""
REMEMBERED = 7 * 24 * 3600.0
"""Seconds for which an engine that has gone silent is remembered."""
NO_ENGINE = (
    "No engine is alive, so nothing can be trained just now. `python -m app.launch` starts one with the page; by itself it starts with "
    "`python -m engine serve`. What is stored can be looked at meanwhile, and a run that you ask for waits."
)
"""What to say where no engine is alive."""


def caption_demo(what: str = "nothing can be trained or changed here") -> bool:
    """Whether this is a demonstration; if so, draw the line that says why a control is missing."""
    if visitor.is_demo():
        st.caption(f":material/movie: {visitor.explain_demo(what)}")
    return visitor.is_demo()


def warn_no_engine(store: Store) -> None:
    """Draw why nothing can be trained now, where nothing can."""
    if visitor.is_demo():
        st.info(visitor.explain_demo(), icon=":material/movie:")
    elif not store.engines():
        st.info(NO_ENGINE, icon=":material/power_off:")


def read_spec(store: Store, run: str | None, owner: str | None) -> RunSpec | None:
    """Return what a run was asked to be; None where there is no such run or it is another browser's."""
    if run is None:
        return None
    try:
        return RunSpec.from_json(store.job(run, owner).spec)
    except BadInput:
        return None


def submit_family(store: Store, catalog: Mapping[str, Any], spec: RunSpec, device: str) -> str:
    """Queue a run and, with lower priority, the runs it is compared with; return the run's id. Raises QuotaReached."""
    members, _ = list_companions(spec, catalog)
    fingerprint = find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
    asked: dict[str, Any] = {"fingerprint": fingerprint, "device": device, "asker": visitor.read_owner()}
    run = store.submit(members[0].spec, priority=PRIORITY_INTERACTIVE, **asked).id
    with refusals.Reported():
        for member in members[1:]:
            store.submit(member.spec, priority=PRIORITY_COMPANION, **asked)
    return run


def submit_again(job: Job, spec: RunSpec, device: str) -> None:
    """Queue a run that ended without a result once more, and the runs it is compared with."""
    store, catalog = get_store(), read_catalog()
    try:
        members, _ = list_companions(spec, catalog)
    except BadInput:
        members = []
    asked = {"fingerprint": job.fingerprint, "owner": job.owner, "device": device, "asker": visitor.read_owner()}
    with refusals.Reported():
        store.submit(spec, priority=PRIORITY_INTERACTIVE, **asked)
        for member in members[1:]:
            store.submit(member.spec, priority=PRIORITY_COMPANION, **asked)


def cancel_jobs(ids: Sequence[str]) -> None:
    """Ask for these jobs to stop."""
    for id in ids:
        get_store().cancel(id)


def draw_run_bar(catalog: Mapping[str, Any], spec: RunSpec | None) -> bool:
    """Draw the Run button with one line on what it does; return whether it was pressed."""
    with st.container(key="run-bar"):
        here = spec is not None and dataset.is_available(find_entry(catalog, "datasets", spec.dataset))
        pressed = st.button(
            "Run",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            key="run",
            disabled=spec is None or not here or visitor.is_demo(),
        )
        if caption_demo():
            return False
        if spec is not None and not here:
            st.caption("The dataset is not here yet.")
        elif spec is not None:
            members, _ = list_companions(spec, catalog)
            beside = listed([escape(m.label) for m in members[1:]])
            replicates = format_count(spec.replicates, "replicate")
            st.caption(f"{replicates}" + (f"; beside it {beside}" if beside else ""))
            quota.draw_asked()
    return pressed


def draw_press(
    catalog: Mapping[str, Any],
    spec: RunSpec | None,
    press: Callable[[], None],
    *,
    going: Sequence[str] = (),
    busy: bool = False,
) -> None:
    """Draw the foot of the form: Run with what it runs, or Cancel in its place while what the form says is trained (`busy`).

    press: called when Run is pressed. going: ids of the jobs that Cancel stops.
    """
    here = spec is not None and dataset.is_available(find_entry(catalog, "datasets", spec.dataset))
    demo = visitor.is_demo()
    if busy and not demo:
        st.button(
            words.CANCEL, key="cancel", icon=":material/stop:", width="stretch", on_click=cancel_jobs, args=(list(going),),
            help=words.CANCEL_HELP,
        )  # fmt: skip
    else:
        st.button(
            words.RUN, type="primary", icon=":material/play_arrow:", width="stretch", key="run", on_click=press,
            disabled=spec is None or not here or demo,
        )  # fmt: skip
    if demo:
        st.caption(f":material/movie: {visitor.explain_demo()}")
    elif spec is not None and not here:
        st.caption(words.NOT_HERE_YET)
    elif spec is not None:
        beside = [escape(heading.begin_small(m.label)) for m in list_companions(spec, catalog)[0][1:]]
        st.caption(words.ALSO_RUNS.format(names=", ".join(beside)) if beside else "")
        quota.draw_asked()


def draw_heading(shown: Shown, stale: tuple[str, str] | None) -> None:
    """Draw the verdict on a run, live while anything of it is trained. stale: as in `heading.judge`."""
    st.fragment(_draw_heading, run_every=TICK if shown.active else None)(shown, stale)


def measure_silence(store: Store) -> float:
    """Return the seconds since an engine was last heard of; `heading.NEVER` where none was."""
    known = store.engines(alive_within=REMEMBERED)
    return max(0.0, time.time() - max(e.heartbeat for e in known)) if known else heading.NEVER


def _draw_heading(shown: Shown, stale: tuple[str, str] | None) -> None:
    """Draw the verdict as things are now. A fragment."""
    store, owner = get_store(), visitor.read_owner()
    ahead, silent, unable = 0, None, ""
    if shown.active:
        try:
            jobs = {key: shared.read_job(store, job.id, owner) for key, job in shown.jobs.items()}
        except UnknownName:
            st.rerun()
        shown = heading.replace_jobs(shown, jobs)
        if shown.job.state == "queued":
            ahead, unable = store.position(shown.job.id), shared.explain_waiting(store, shown.job, owner)
        silent = None if shared.read_engines(store) else measure_silence(store)
    said = heading.judge(shown, ahead=ahead, silent=silent, unable=unable, stale=stale)
    headline.draw_headline(said, baseline=heading.name_baseline(shown, said))


def load_run(
    store: Store, catalog: Mapping[str, Any], run: str | None, owner: str | None, *, is_example: bool = False
) -> tuple[Shown | None, str]:
    """The run on screen, or why there is none ('': nothing was asked for).

    From a private run on, no table of the page can be downloaded (`share.mark_private`).
    """
    if run is None:
        return None, ""
    try:
        job = store.job(run, owner)
        spec = RunSpec.from_json(job.spec)
    except BadInput as error:
        if isinstance(error, UnknownName) and store.has_lost_key(owner):
            return None, KEY_GONE
        if isinstance(error, UnknownName):
            return None, "There is no such run here. It may have been deleted, or it belongs to another browser."
        return None, escape(error, 400)
    if job.owner is not None:
        share.mark_private()
    try:
        members, why = list_companions(spec, catalog)
        entry: Mapping[str, Any] | None = find_entry(catalog, "datasets", spec.dataset)
    except BadInput:
        members, why, entry = [Companion(spec.method, spec.method, "method", spec)], "", None
    jobs: dict[str, Job] = {members[0].key: job}
    for member in members[1:]:
        try:
            jobs[member.key] = store.job(member.spec.run_id(job.fingerprint, job.owner), owner)
        except UnknownName:
            continue  # never asked for
    results = {key: shared.read_result(store, j, owner) for key, j in jobs.items() if j.state == "done"}
    return Shown(job, members, why, jobs, results, entry, is_example), ""


def describe_request(shown: Shown) -> None:
    """Draw what a run without a result was asked to be."""
    spec = shown.main.spec
    title = shown.entry["title"] if shown.entry is not None else spec.dataset
    replicates = (
        f"{format_count(spec.folds, 'fold')} × {format_count(spec.seeds, 'seed')}" if spec.replicates > 1 else "one split"
    )
    st.markdown(
        f"**{escape(shown.main.label)}** on **{escape(title)}** · {describe_setting(spec, shown.native)} · {replicates} · seed {spec.seed}"
    )


def draw_ending(shown: Shown, device: str, key: str = "again") -> None:
    """Draw why a run ended without a result, and the next step; nothing for any other run."""
    job = shown.job
    if job.state in ("failed", "cancelled", "interrupted"):
        draw = {"failed": st.error, "cancelled": st.info, "interrupted": st.warning}[job.state]
        what = {
            "failed": "The run failed.",
            "cancelled": "The run was cancelled.",
            "interrupted": "The run was interrupted: its engine went away.",
        }[job.state]
        icon = {"failed": ":material/error:", "cancelled": ":material/block:", "interrupted": ":material/power_off:"}[job.state]
        reason = "" if job.state != "failed" else f" {escape(job.reason, 600)}"
        draw(f"**{what}**{reason}", icon=icon)
        if caption_demo():
            return
        step = {
            "failed": "Change what the reason names, or try once more.",
            "cancelled": "Start it over, or set up another one.",
            "interrupted": "Start it over; it will wait until an engine is alive.",
        }[job.state]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Run again",
                icon=":material/replay:",
                key=key,
                on_click=submit_again,
                args=(job, shown.main.spec, device),
            )
            st.caption(step)


def draw_panel(shown: Shown) -> None:
    """Draw the progress of a run and its companions, where not all have a result."""
    if len(shown.there) < len(shown.members):
        states = {key: j.state for key, j in shown.jobs.items()}
        st.fragment(_draw_panel, run_every=2 * TICK if shown.active else None)(shown, states)


def _draw_panel(shown: Shown, states: Mapping[str, str]) -> None:
    """Draw the progress of a run and its companions. A fragment; it reruns the page when one of them has ended."""
    store, owner = get_store(), visitor.read_owner()
    jobs = {}
    for key, job in shown.jobs.items():
        try:
            jobs[key] = shared.read_job(store, job.id, owner)
        except UnknownName:
            st.rerun()
    if any(states[key] != job.state and (not job.active or key == shown.main.key) for key, job in jobs.items()):
        st.rerun()
    main = jobs[shown.main.key]
    alive = bool(shared.read_engines(store))
    if main.active:
        draw_progress(store, main, alive, owner)
        if not caption_demo():
            st.button(
                "Cancel",
                icon=":material/stop:",
                key="cancel",
                on_click=cancel_jobs,
                args=([job.id for job in jobs.values() if job.active],),
                help="Stops this run and what is compared with it.",
            )
    beside = [m for m in shown.members[1:] if m.key in jobs or main.state == "done"]
    if not beside:
        return
    st.markdown("**Also runs**")
    lines = []
    for member in beside:
        lines.append(f"- {escape(member.label)}: {describe_progress(store, jobs.get(member.key))}")
    if shown.why:
        lines.append(f"- {shown.why}")
    st.markdown("\n".join(lines))
    absent = [m for m in beside if m.key not in jobs or jobs[m.key].state in ("failed", "cancelled", "interrupted")]
    if absent and not main.active and main.state == "done" and not caption_demo():
        st.button(
            "Run what is missing",
            key="missing",
            icon=":material/playlist_add:",
            on_click=submit_again,
            args=(main, shown.main.spec, main.device),
        )


def draw_progress(store: Store, job: Job, alive: bool, owner: str | None) -> None:
    """Draw the progress of a job that waits or runs, as a bar with words."""
    if job.state == "queued":
        ahead = store.position(job.id)
        text = "Next." if not ahead else f"{format_count(ahead, 'run')} before it."
        st.progress(0.0, text=f"Waiting for the engine. {text}")
        if not alive:
            st.warning(NO_ENGINE, icon=":material/power_off:")
        elif why := shared.explain_waiting(store, job, owner):
            st.warning(escape(why, 400), icon=":material/power_off:")
        return
    share = min(1.0, job.done / job.total) if job.total else 0.0
    spent = max(0.0, time.time() - (job.started or time.time()))
    left = (
        f"at most {format_duration(spent * (1 - share) / share)} left"
        if share > 0.05 and spent > 1
        else f"{format_duration(spent)} so far"
    )
    text = escape(shared.read_phase(store, job, owner), 80) or "Getting ready"
    st.progress(share, text=f"{text} · {100 * share:.0f}% · {left}")
    if not alive:
        st.warning(
            f"The engine is {describe_silence(store)}. If it does not come back, this run will be marked as interrupted.",
            icon=":material/power_off:",
        )


def describe_progress(store: Store, job: Job | None) -> str:
    """Return the progress of a job in a few words. job: None where nobody has asked for it."""
    if job is None:
        return "not asked for"
    if job.state == "running":
        return f"running, {100 * job.done / job.total:.0f}%" if job.total else "running"
    if job.state == "queued":
        ahead = store.position(job.id)
        return f"waiting, {ahead} before it" if ahead else "next"
    if job.state == "failed":
        return f"failed. {escape(job.reason, 300)}"
    return job.state
