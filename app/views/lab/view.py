"""The Lab: one dataset, one method, one imbalance; watch it train, change something, and see whether it matters."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app.form import form, imbalance
from app.form.dataset import is_available
from app.form.fields import widget_value
from app.frame import address, headline, start, tabs, top
from app.frame.opening import open_page
from app.run import differences, heading, panel, side, stage
from app.run.shown import Shown
from app.session import lab_address, recorded, refusals, shared, visitor
from app.session.store import get_store, read_catalog
from app.views.lab import bodies, state
from app.words import lab as words
from app.words.text import escape
from engine.errors import BadInput
from engine.spec import RunSpec, fields
from engine.spec.companions import Companion
from engine.spec.fields import is_number
from engine.spec.run import find_entry, upload_id
from engine.store import PRIORITY_INTERACTIVE, Job, Store

ADDRESS = address.Address("lab", {}, echo_seconds=0.0)
"""Only runs of the whole page write it, so the browser's back button can work at once."""
TABS = "lab.tab"
"""Session key of the open tab."""
_STYLE = """<style>
.st-key-lab-row, .st-key-stale { max-height: 24px; }
.st-key-lab-row { height: 24px; margin-top: -6px; flex-wrap: nowrap; justify-content: space-between; }
:has(> .st-key-lab-row) { max-height: 24px; }
.st-key-lab-row > :only-child { margin-left: auto; width: auto; }
.st-key-lab-row button { min-height: 26px; height: 26px; padding: 0 12px; font-size: 13.5px; }
.st-key-lab-row .react-aria-ComboBox > div { min-height: 26px; height: 26px; font-size: 13px; }
.st-key-context { flex-wrap: nowrap; }
.st-key-strip ol.steps { height: 24px; margin: 0; padding: 0; }
.st-key-lab-stage { margin-top: 2px; }
.st-key-lab-said p { font-size: 14px; }
.st-key-form-folds details { border-width: 1px 0 0; border-radius: 0; }
.st-key-form-folds summary { padding: 7px 0; flex-direction: row-reverse; justify-content: space-between; }
@media (min-width: 768px) { .st-key-run-state-welcome { display: none; } }
@media (max-height: 799px) and (min-width: 768px) {
  .st-key-lab-row { position: absolute; top: 84px; right: 24px; width: auto !important; margin: 0; z-index: 3; }
  .st-key-lab-row:not(:has(.st-key-stale, .st-key-again)) { display: none; }
  .st-key-lab-row .st-key-context { display: none; }
  .stApp:has(.st-key-stale) .verdict .dot { visibility: hidden; }
  .st-key-lab-stage { margin-top: -6px; }
}
@media (max-width: 767px) {
  .st-key-context, .st-key-strip { display: none; }
  .st-key-lab-stage { margin-top: -8px; }
  .st-key-lab-row:not(:has(.st-key-stale, .st-key-again)) { display: none; }
}
</style>"""


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog(), recorded.load_first_example()), style=_STYLE)
    if opened is None:
        return
    store, catalog, example = opened
    owner = visitor.read_owner()
    fallback = lab_address.first_spec(catalog, panel.read_spec(store, example, owner))
    link, fresh = _read_address(store, catalog, fallback, owner)
    with st.sidebar:
        spec, device = form.draw_form(catalog, _read_cost(store, link.run or example, owner))
        bar = st.container(key="run-bar")
    link = replace(link, device=device)
    if state.take_press() and spec is not None and _can_run(catalog, spec):
        with refusals.Reported():
            link = replace(link, run=panel.submit_family(store, catalog, spec, device), replicate=0, problems=())
            state.show_run(link.run)
    link = replace(link, spec=spec or link.spec)
    _write_address(link, catalog, fresh)
    link = replace(link, problems=state.read_problems())
    run = link.run or example
    shown, problem = panel.load_run(store, catalog, run, owner, is_example=link.run is None)
    top.draw_head(shown is not None and shown.active)
    stale = _find_stale(shown, spec, catalog)
    if link.problems:
        lines = "\n".join(f"- {escape(text, 400)}" for text in link.problems)
        st.warning(f"{words.PARTS_UNKNOWN}\n{lines}", icon=":material/link_off:")
    if shown is None:
        _draw_nothing(store, problem)
    else:
        _draw(store, shown, link, catalog, stale)
    with bar:
        _draw_bar(catalog, spec, shown, stale)
    _draw_others(store, catalog, owner, run)


def _read_cost(store: Store, run: str | None, owner: str | None) -> tuple[RunSpec, float] | None:
    """Return the spec of the run that is shown and the seconds it took; None where it has no result."""
    try:
        job = store.job(run, owner) if run is not None else None
        result = shared.read_result(store, job, owner) if job is not None else None
        return None if job is None or result is None else (RunSpec.from_json(job.spec), result.seconds)
    except BadInput:
        return None


def _can_run(catalog: Mapping[str, Any], spec: RunSpec) -> bool:
    return is_available(find_entry(catalog, "datasets", spec.dataset)) and not visitor.is_demo()


# ---- the address


def _read_address(
    store: Store, catalog: Mapping[str, Any], fallback: RunSpec, owner: str | None
) -> tuple[lab_address.LabAddress, bool]:
    """Return what the address asks for, and whether it has changed: at a first look, by a link, by the browser's back button."""
    query = ADDRESS.read()
    if query is None:
        return state.read_link(), False
    link = lab_address.read_address(query, catalog, fallback)
    if link.run is None and "replicate" not in query:
        link = replace(link, replicate=recorded.first_replicate())
    bare = link.run is not None and "dataset" not in query
    spec = panel.read_spec(store, link.run, owner) if bare else None
    if spec is not None and not upload_id(spec.dataset):  # the form has no place for a person's own table
        try:
            link = replace(link, spec=spec.complete(catalog))
        except BadInput as error:  # the catalog lacks its dataset or method: the run is shown, the form stays
            link = replace(link, problems=(*link.problems, str(error)))
    form.fill_form(link.spec, link.device, catalog, by_hand=bool(set(query) & {"run", "folds", "seeds"}))
    tabs.take_tab(query, words.TABS, TABS)
    state.keep_link(link)
    return link, True


def _write_address(link: lab_address.LabAddress, catalog: Mapping[str, Any], fresh: bool) -> None:
    """Put what is shown and the form into the address where they have changed since it was read or written."""
    query = lab_address.write_address(link, catalog) | tabs.write_tab(words.TABS, TABS)
    if not fresh and query != state.read_words():
        state.clear_problems()
        ADDRESS.write(query)
    state.keep_words(query, link.spec)


def _link_to(link: lab_address.LabAddress, shown: Shown, catalog: Mapping[str, Any]) -> str:
    """Return the whole address of what is shown, for what is saved of it."""
    words_of_link = lab_address.write_address(replace(link, run=shown.job.id), catalog)
    base = str(st.context.url or "").partition("?")[0]
    return f"{base}?{urlencode(words_of_link)}"


# ---- states


def _find_stale(shown: Shown | None, spec: RunSpec | None, catalog: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what the form says and what is shown, in few words; None where they agree or no form can say what is shown."""
    if shown is None or (known := heading.complete_shown(shown, catalog)) is None:
        return None
    change = heading.find_change(spec, known, catalog)
    return (change, heading.describe_shown(known, catalog)) if change else None


def _draw_nothing(store: Store, problem: str) -> None:
    """Draw an empty stage. problem: why the run that was asked for is not shown, '' where none was."""
    headline.draw_title(words.UNKNOWN if problem else words.TITLE)
    with st.container(key="run-state-unknown" if problem else "run-state-welcome", horizontal=True):
        if problem:
            st.markdown(problem.removeprefix(f"{words.UNKNOWN} "), width="content")  # the title says it already
            st.button(words.BACK_TO_START, key="start", icon=":material/home:", on_click=address.follow_link, args=({},))
        else:
            st.markdown(words.SMALL_SCREEN, width="content")
    if not problem:
        panel.warn_no_engine(store)
    with st.container(key="lab-stage"):
        stage.show_empty_stage("stage", words.EMPTY_STAGE, _answers(None, {}))


def _draw(
    store: Store,
    shown: Shown,
    link: lab_address.LabAddress,
    catalog: Mapping[str, Any],
    stale: tuple[str, str] | None,
) -> None:
    there = _list_second(store, shown)
    second = next((m for m in there if m.key == link.beside), there[0] if there else None)
    with st.container(horizontal=True, vertical_alignment="center", key="lab-row", gap="small"):
        _draw_row(shown, link, catalog, stale)
        with st.container(horizontal=True, horizontal_alignment="right", key="context", width="content"):
            _choose_second(link, there, second)
            _draw_context(shown, link, catalog)
    with st.container(key=f"run-state-{shown.job.state}"), st.container(key=f"verdict-of-{shown.job.id}"):
        panel.draw_heading(shown, stale)
    replicate = min(link.replicate, shown.result.n - 1) if shown.result is not None else 0
    begins = stage.begins(shown)
    films = [stage.Film(shown.job.id, replicate, begins)]
    view = link.view if second is not None else lab_address.VIEWS[0]
    if second is not None:
        films.append(stage.Film(shown.jobs[second.key].id, replicate, begins, spare=view == lab_address.VIEWS[0]))
    rows = differences.list_differences(shown)
    off = visitor.explain_demo() if visitor.is_demo() else ""
    still = {
        "views": side.list_views(shown, second),
        "view": view,
        "shut": state.find_shut(view),
        "pr": side.build_curves(shown),
        "whatif": side.build_what_if(shown, catalog, off),
        "differences": differences.list_plain(rows),
        "save": side.build_save(shown, rows, heading.judge(shown).text, _link_to(link, shown, catalog)),
    }
    if still["whatif"] is not None and not off:
        points = link.spec.points if link.spec.dataset == shown.main.spec.dataset else shown.main.spec.points
        still["edit"] = side.describe_edit(points)

    def describe(jobs: dict[str, Job]) -> dict[str, Any]:
        main = jobs[shown.main.key]
        chip = (
            words.STOPPED_AT.format(share=f"{100 * main.done / main.total:.0f}")
            if main.state == "cancelled" and main.total
            else ""
        )
        return {**still, "companions": side.list_companions(shown, jobs), "chip": chip}

    with st.container(key="lab-stage"):  # one place whatever it holds, so that the stage keeps its films
        stage.play_stage(shown, films, "stage", _answers(shown, catalog), describe)
    name, place = tabs.draw_tabs(words.TABS, TABS)
    with place, st.container(key=f"lab-{name}"):
        bodies.draw(name, bodies.Body(shown, rows, replicate, catalog, link.device))


def _draw_row(shown: Shown, link: lab_address.LabAddress, catalog: Mapping[str, Any], stale: tuple[str, str] | None) -> None:
    """Draw the left of the row above the verdict: the steps or what a changed form says, and what restarts a run that ended."""
    said = heading.judge(shown, stale=stale)
    if stale is not None and not visitor.is_demo():
        headline.draw_stale(said, state.press)
    elif shown.is_example:
        state.watch_example()
        with st.container(key="strip", width="stretch"):
            start.draw_strip()
    if shown.job.state in ("failed", "cancelled", "interrupted") and not visitor.is_demo():
        st.button(
            said.button if stale is None else words.RUN_AGAIN,
            key="again",
            icon=":material/replay:",
            on_click=panel.submit_again,
            args=(shown.job, shown.main.spec, link.device),
        )


def _draw_context(shown: Shown, link: lab_address.LabAddress, catalog: Mapping[str, Any]) -> None:
    """Draw the chips on what is shown."""
    chips = list(heading.judge(shown).chips)
    if shown.result is not None and shown.result.n > 1 and link.replicate and not shown.is_example:
        chips.append(words.REPLICATE_OF.format(number=min(link.replicate, shown.result.n - 1) + 1, count=shown.result.n))
    headline.draw_chips([*chips, heading.describe_context(shown, catalog)])


def _list_second(store: Store, shown: Shown) -> list[Companion]:
    """Return the companions whose film can be shown beside the run's."""
    owner = visitor.read_owner()
    return side.list_second(shown, lambda job: shared.has_film(store, job, owner)) if shown.result is not None else []


def _choose_second(link: lab_address.LabAddress, there: list[Companion], second: Companion | None) -> None:
    """Draw the choice of the second film where it is shown and there are several."""
    if link.view == lab_address.VIEWS[0] or len(there) < 2 or second is None:
        return
    labels = {m.key: m.label for m in there}
    st.session_state["beside"] = second.key

    def take() -> None:
        st.session_state[state.BESIDE] = st.session_state["beside"]

    st.selectbox(
        words.SECOND_FILM, list(labels), format_func=labels.__getitem__, key="beside", on_change=take, width=180,
        label_visibility="collapsed",
    )  # fmt: skip


def _draw_bar(catalog: Mapping[str, Any], spec: RunSpec | None, shown: Shown | None, stale: tuple[str, str] | None) -> None:
    """Draw Run at the foot of the form; Cancel in its place while what the form says is trained."""
    going = [job.id for job in shown.jobs.values() if job.active] if shown is not None else []
    panel.draw_press(catalog, spec, state.press, going=going, busy=bool(going) and stale is None)


def _draw_others(store: Store, catalog: Mapping[str, Any], owner: str | None, run: str | None) -> None:
    """Draw the other runs that wait or run; companions are listed with the run they belong to."""
    going = [
        job
        for job in store.jobs(owner=owner, states=("queued", "running"), urgent=PRIORITY_INTERACTIVE, limit=20)
        if job.id != run
    ]
    if not going:
        return
    with st.container(border=True, key="others", gap="small"):
        st.markdown(f"**{words.OTHERS}**")
        for job in going:
            with st.container(horizontal=True, vertical_alignment="center"):
                done = f", {100 * job.done / job.total:.0f}%" if job.total else ""
                what = words.OTHER.format(
                    method=escape(job.spec["method"]),
                    dataset=escape(job.spec["dataset"]),
                    seed=escape(job.spec["seed"]),
                    state=words.STATES[job.state] + done,
                )
                st.markdown(what, width="stretch")
                st.button(words.SHOW, key=f"show-{job.id}", icon=":material/visibility:", on_click=_open, args=(job.id,))
                if not visitor.is_demo():
                    st.button(
                        words.CANCEL,
                        key=f"cancel-{job.id}",
                        icon=":material/stop:",
                        on_click=panel.cancel_jobs,
                        args=([job.id],),
                    )


def _open(run: str) -> None:
    """Go to a run as its link would."""
    address.follow_link({"run": run})


# ---- what a person does on the stage


def _answers(shown: Shown | None, catalog: Mapping[str, Any]) -> stage.Answers:
    """Return what happens when somebody runs a preview, adds points, changes the view, or turns the window."""

    def take(values: dict[str, Any]) -> None:
        if shown is not None and not visitor.is_demo():
            _fill_from_stage(shown, values, catalog)
            state.press()

    def edit(points: str) -> None:
        if shown is not None:
            st.session_state[f"points.{shown.main.spec.dataset}"] = points

    def view(name: str) -> None:
        if name in lab_address.VIEWS:
            st.session_state[state.VIEW] = name

    return stage.Answers(take, edit, view, state.keep_width)


def _fill_from_stage(shown: Shown, values: Mapping[str, Any], catalog: Mapping[str, Any]) -> None:
    """Make the form show the run on the stage with these values of its sliders, careful where it was one split.

    The values come from a browser: those that no field takes are left out.
    """
    known = heading.complete_shown(shown, catalog)
    if known is None or shown.entry is None:
        return
    points = str(st.session_state.get(f"points.{known.dataset}", known.points))
    spec = known.with_(points=points)
    if spec.replicates == 1:
        folds, seeds = side.careful(shown.entry)
        spec = spec.with_(folds=folds, seeds=seeds)
    form.fill_form(spec, str(st.session_state.get("device", "auto")), catalog)
    kept = {f["name"]: (f, f"d.{spec.dataset}.") for f in shown.entry["fields"]}
    of_method = find_entry(catalog, "methods", spec.method)["fields"]
    kept |= {f["name"]: (f, f"p.{spec.method}.{shown.entry['kind']}.") for f in of_method if f.get("what_if")}
    for name, value in values.items():
        if name == "ratio" and is_number(value):
            st.session_state["cut"], st.session_state["profile"] = imbalance.CUT, "ratio"
            st.session_state["ratio"] = float(value)
        elif name in kept:
            field, prefix = kept[name]
            with contextlib.suppress(BadInput):
                st.session_state[prefix + name] = widget_value(field, fields.check_value(field, value, spec.method))
