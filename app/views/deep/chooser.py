"""Which run the page shows: the list of runs, the form in a drawer, and what stands there where nobody has run anything yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from app.form import form
from app.form.dataset import is_available
from app.frame import links
from app.run import listing, panel, whatif
from app.run.shown import Shown
from app.session import lab_address, recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.deep import plane
from app.views.deep.address import go_to
from app.words import deep as words
from app.words.text import escape, format_ratio
from engine.errors import BadInput, UnknownName
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.companions import name_run
from engine.spec.embedding import EmbedSpec
from engine.spec.run import find_entry, upload_id
from engine.store import PRIORITY_INTERACTIVE, Job, Store

LISTED = 60
"""Runs in a list at most, the newest."""
MINE, DRAWER = "deep.mine", "deep.drawer"
"""Session keys: the run that was asked for here last; whether the form is open."""
EXAMPLE = "eos"
"""The recorded run that is shown where nobody has run anything deep."""


def list_finished(store: Store, catalog: Mapping[str, Any], owner: str | None) -> list[Job]:
    """Return finished runs that somebody asked for by hand, those of deep methods and on images first, the newest of each."""
    deep = [m["name"] for m in catalog["methods"] if m["family"] == "deep"]
    deep += [d["name"] for d in catalog["datasets"] if d["kind"] == "images"]
    finished: dict[str, Job] = {}
    for names in (deep, None):
        newest = store.jobs(owner=owner, states=("done",), urgent=PRIORITY_INTERACTIVE, names=names, limit=LISTED)
        finished |= {job.id: job for job in newest if job.id not in finished}
    return sorted(finished.values(), key=lambda job: not is_deep(job, catalog))[:LISTED]


def is_deep(job: Job, catalog: Mapping[str, Any]) -> bool:
    """Whether a run is of a deep method, or on images."""
    try:
        method, entry = find_entry(catalog, "methods", job.spec["method"]), find_entry(catalog, "datasets", job.spec["dataset"])
    except UnknownName:
        return False
    return bool(method["family"] == "deep" or entry["kind"] == "images")


def find_first(jobs: Iterable[Job], catalog: Mapping[str, Any], store: Store, owner: str | None) -> str | None:
    """Return the run that a bare address shows: this session's last one, else the last one here, else the recorded example."""
    if (mine := st.session_state.get(MINE)) is not None and panel.read_spec(store, mine, owner) is not None:
        return str(mine)
    came_along = recorded.list_bundled()
    own = [job.id for job in jobs if is_deep(job, catalog) and job.id not in came_along]
    return own[0] if own else load_example()


def load_example() -> str | None:
    """Return the recorded run of this page, taken into the store; None where none came with the product."""
    cards = sorted((c for c in recorded.read_cards() if c["page"] == "deep"), key=lambda c: c["name"] != EXAMPLE)
    if not cards:
        return None
    query = {"run": str(cards[0]["words"]["run"])}
    recorded.load_examples("deep", query)
    return query["run"]


def draw_row(
    store: Store, catalog: Mapping[str, Any], jobs: list[Job], run: str | None, shown: Shown | None, owner: str | None
) -> dict[str, EmbedSpec]:
    """Draw the row on top: the run, whose it is, the form's button and links. Return the wanted maps of the run."""
    known = {job.id: job for job in jobs}
    if run is not None and run not in known and shown is not None:
        known[run] = shown.job
    titles = list_titles(known.values(), catalog)
    state = st.session_state
    specs: dict[str, EmbedSpec] = {}
    with st.container(horizontal=True, vertical_alignment="center", key="deep-row"):
        if titles:
            state["deep.pick"] = run if run in titles else None
            st.selectbox(
                words.RUN,
                list(titles),
                format_func=titles.__getitem__,
                key="deep.pick",
                on_change=lambda: go_to_picked(state["deep.pick"]),
                placeholder=words.CHOOSE,
                help=words.RUN_HELP,
                label_visibility="collapsed",
                width=430,
            )
        if tag := _find_tag(run):
            st.caption(tag, width="content")
        st.button(words.CHANGE, key="deep.change", on_click=_open_form, args=(catalog, shown.main.spec if shown else None))
        if tag == words.EXAMPLE and not visitor.is_demo():
            _draw_begin(catalog)
        st.space("stretch")
        if shown is not None and shown.result is not None:
            specs = plane.draw_settings(shown.job.id)
        if shown is not None:
            links.draw_link("lab", words.OPEN_LAB, "", run=shown.job.id)
    if state.get(DRAWER):
        _draw_form(catalog)
    return specs


def _find_tag(run: str | None) -> str:
    """Return whose run it is, where that can be said."""
    if run is None:
        return ""
    if run == st.session_state.get(MINE):
        return words.YOURS
    if run in recorded.list_bundled():
        return words.EXAMPLE
    return words.LAST if run == st.session_state.get("deep.first") else ""


def list_titles(jobs: Iterable[Job], catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return a line for each run by its id: method, dataset, ratio, time; no two alike.

    It does not say how far the run is: the list identifies runs by their lines, which must not change while it is open.
    """
    out, changed = {}, {}
    for job in jobs:
        spec = RunSpec.from_json(job.spec)
        table = words.OWN_TABLE if upload_id(spec.dataset) else spec.dataset
        parts = [_name_method(spec, catalog), table, _name_ratio(spec), _format_time(job.created)]
        out[job.id] = " · ".join(part for part in parts if part)
        changed[job.id] = listing.list_unusual(spec, catalog, 1)
    counts = Counter(out.values())
    return tell_apart({id: " · ".join([line, *changed[id]]) if counts[line] > 1 else line for id, line in out.items()})


def _name_method(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    try:
        return name_run(spec.complete(catalog), catalog)
    except BadInput:
        return spec.method


def _name_ratio(spec: RunSpec) -> str:
    return "" if spec.imbalance.ratio is None else format_ratio(spec.imbalance.ratio)


def _format_time(when: float) -> str:
    """Return '30 Nov 14:02' of the visitor's clock."""
    offset = st.context.timezone_offset or 0
    return (datetime.fromtimestamp(when, UTC) - timedelta(minutes=offset)).strftime("%-d %b %H:%M")


def tell_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """Return the titles by id; those that are there twice have the id's first letters."""
    counts = Counter(titles.values())
    return {id: title if counts[title] == 1 else f"{title}, run {id[:6]}" for id, title in titles.items()}


def go_to_picked(run: str | None, beside: str | None = None) -> None:
    """Go to the run that a list points at; nowhere where its line names no run (two runs may share a line)."""
    if all(id is None or lab_address.is_run_id(id) for id in (run, beside)):
        go_to(run, beside)


def draw_beside(store: Store, shown: Shown, run: str | None, beside: str | None, owner: str | None) -> None:
    """Draw the list of runs on the same data, one of which can be drawn beside this one."""
    state, spec = st.session_state, shown.main.spec
    near = store.jobs(owner=owner, states=("done", "queued", "running"), dataset=spec.dataset, limit=2 * LISTED)
    known = {job.id: job for job in near if _is_comparable(job, shown.job)}
    if beside is not None and beside not in known:
        try:
            known[beside] = store.job(beside, owner)
        except UnknownName:
            beside = None
    changes = {id: whatif.describe_change(spec, RunSpec.from_json(job.spec)) for id, job in list(known.items())[:LISTED]}
    others = tell_apart(changes)
    state["deep.other"] = beside if beside in others else None
    st.selectbox(
        words.BESIDE,
        list(others),
        index=None,
        format_func=others.__getitem__,
        placeholder=words.NOTHING if others else words.NO_BESIDE,
        disabled=not others,
        key="deep.other",
        on_change=lambda: go_to_picked(run, state["deep.other"]),
        help=words.BESIDE_HELP,
    )


def _is_comparable(job: Job, other: Job) -> bool:
    return bool(job.id != other.id and job.spec["dataset"] == other.spec["dataset"] and job.spec["data"] == other.spec["data"])


# ---- the form


def first_spec(catalog: Mapping[str, Any]) -> RunSpec:
    """Return the first content of the form: EOS on digits at 50:1, falling exponentially, as far as the catalog has it."""
    methods, datasets = catalog["methods"], catalog["datasets"]
    method = next((m for m in methods if m["name"] == "eos"), next((m for m in methods if m["family"] == "deep"), methods[0]))
    fitting = [d for d in datasets if d["kind"] in method["kinds"]]
    images = [d for d in fitting if d["kind"] == "images"]
    entry = next((d for d in fitting if d["name"] == "digits"), (images or fitting)[0])
    counts = limits.class_counts(entry, {})
    highest, _ = limits.highest_ratio(counts, 1, "train", "exponential")
    imbalance = Imbalance("exponential", min(50.0, highest)) if highest > 1 else Imbalance()
    return RunSpec(entry["name"], method["name"], imbalance).complete(catalog)


def _open_form(catalog: Mapping[str, Any], spec: RunSpec | None) -> None:
    """Open the drawer with the form, filled as the shown run is."""
    try:
        form.fill_form((spec or first_spec(catalog)).complete(catalog), "auto", catalog)
    except BadInput:  # the catalog lacks the run's dataset or method
        form.fill_form(first_spec(catalog), "auto", catalog)
    st.session_state[DRAWER] = True


def _close_form() -> None:
    st.session_state[DRAWER] = False


@st.dialog(words.CHANGE, position="right", width="medium", on_dismiss=_close_form)
def _draw_form(catalog: Mapping[str, Any]) -> None:
    """Draw the form in a drawer; Run goes to the new run."""
    spec, device = form.draw_form(catalog)
    if panel.draw_run_bar(catalog, spec) and spec is not None:
        start_run(catalog, spec, device)
        st.rerun()


def start_run(catalog: Mapping[str, Any], spec: RunSpec, device: str) -> None:
    """Ask for a run with what it is compared with, and go to it."""
    _close_form()
    run = panel.submit_family(get_store(), catalog, spec, device)
    st.session_state[MINE] = run
    go_to(run)


def _draw_begin(catalog: Mapping[str, Any]) -> None:
    """Draw the button that runs what the example shows."""
    spec = first_spec(catalog)
    entry = find_entry(catalog, "datasets", spec.dataset)
    method = find_entry(catalog, "methods", spec.method)
    if not is_available(entry):
        st.caption(words.NOT_HERE.format(how=escape(entry["how_to_get"], 200)))
        return
    usual = spec.method == "eos" and spec.dataset == "digits"
    label = words.BEGIN if usual else words.BEGIN_BARE.format(method=escape(method["title"]), data=escape(entry["title"]))
    st.button(
        label,
        type="primary",
        key="deep.example",
        icon=":material/play_arrow:",
        on_click=_run_first,
        disabled=visitor.is_demo(),
    )


def _run_first() -> None:
    catalog = read_catalog()
    start_run(catalog, first_spec(catalog), "auto")


def draw_nothing(store: Store, catalog: Mapping[str, Any]) -> None:
    """Draw what begins, where there is neither a run nor an example."""
    with plane.draw_place():
        _draw_begin(catalog)
        links.draw_link("gallery", words.GALLERY, ":material/collections_bookmark:")
        panel.warn_no_engine(store)
