"""Deep: a finished run from inside: the map of its features, gap and weight norms per class, its film, and what-if."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.form import form
from app.form.dataset import is_available
from app.frame import address, links, top
from app.frame.opening import open_page
from app.parts import share
from app.run import answer, gaps, listing, panel, stage, whatif
from app.run.shown import Shown
from app.session import lab_address, recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.deep import internals, plane
from app.words.sentence import describe_setting
from app.words.text import escape, format_count
from engine.errors import BadInput, UnknownName
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.run import find_entry
from engine.store import PRIORITY_INTERACTIVE, Job, Store

LISTED = 60
"""Runs in a list at most, the newest."""
ADDRESS_WORDS = ("run", "beside")
ADDRESS = address.Address("deep", {})


@dataclass(frozen=True)
class DeepAddress:
    """What is looked at: a run, and one beside it; problems: what was wrong with the link."""

    run: str | None
    beside: str | None
    problems: tuple[str, ...] = ()


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog(), recorded.load_first_example()))
    if opened is None:
        return
    store, catalog, _ = opened
    owner = visitor.read_owner()
    jobs = _list_finished(store, catalog, owner)
    link = _read_address(store, catalog, jobs, owner)
    with st.sidebar:
        st.caption("Set up another run. Image data and the methods of family *deep* are what this page is made for.")
        spec, device = form.draw_form(catalog)
        if panel.draw_run_bar(catalog, spec) and spec is not None:
            _go_to(panel.submit_family(store, catalog, spec, device))
            st.rerun()
    shown, problem = panel.load_run(store, catalog, link.run, owner)
    other = panel.load_run(store, catalog, link.beside, owner)[0] if shown is not None else None
    top.draw_head(any(s is not None and s.active for s in (shown, other)))
    for text in link.problems:
        st.warning(escape(text, 400), icon=":material/link_off:")
    _draw_lists(store, catalog, jobs, link, shown, owner)
    if problem:
        with st.container(key="deep-state-unknown"):
            st.error(problem, icon=":material/search_off:")
            st.button("Look at another run", key="deep.leave", icon=":material/home:", on_click=_go_to, args=(None,))
    elif shown is None:
        _draw_empty(store, catalog, device)
    else:
        with st.container(key=f"deep-state-{shown.job.state}"):
            _draw(shown, other, catalog, device)


def _list_finished(store: Store, catalog: Mapping[str, Any], owner: str | None) -> list[Job]:
    """Return finished runs that somebody asked for by hand, those of deep methods and on images first, the newest of each."""
    deep = [m["name"] for m in catalog["methods"] if m["family"] == "deep"]
    deep += [d["name"] for d in catalog["datasets"] if d["kind"] == "images"]
    finished: dict[str, Job] = {}
    for names in (deep, None):
        newest = store.jobs(owner=owner, states=("done",), urgent=PRIORITY_INTERACTIVE, names=names, limit=LISTED)
        finished |= {job.id: job for job in newest if job.id not in finished}
    return list(finished.values())


def _read_address(store: Store, catalog: Mapping[str, Any], jobs: list[Job], owner: str | None) -> DeepAddress:
    """Return what the address asks for, a deep run that is there where it names none.
    The form is filled where the address has changed."""
    query = address.page_words()
    problems = [
        f"The link has the word {word!r}, which means nothing here; it is left out."
        for word in query
        if word not in ADDRESS_WORDS
    ]
    named: dict[str, str | None] = {}
    for word in ADDRESS_WORDS:
        named[word] = query.get(word)
        if word in query and not lab_address.is_run_id(query[word]):
            problems.append(f"The link names a run {query[word]!r}; a run's name is 16 of the letters 0-9 and a-f.")
            named[word] = None
    if ADDRESS.read() is not None:
        newest = next((job.id for job in jobs if job.state == "done" and _is_deep(job, catalog)), None)
        st.session_state["deep.newest"] = newest
        _fill_form(catalog, panel.read_spec(store, named["run"] or newest, owner))
    if "run" not in query:
        named["run"] = st.session_state["deep.newest"]
    return DeepAddress(named["run"], named["beside"], tuple(problems))


def _go_to(run: str | None, beside: str | None = None) -> None:
    """Go to a run as its link would."""
    address.follow_link({name: value for name, value in (("run", run), ("beside", beside)) if value})


def _go_to_picked(run: str | None, beside: str | None = None) -> None:
    """Go to the run that a list points at; nowhere where its line names no run (two runs may share a line)."""
    if all(id is None or lab_address.is_run_id(id) for id in (run, beside)):
        _go_to(run, beside)


def _is_deep(job: Job, catalog: Mapping[str, Any]) -> bool:
    """Whether a run is of a deep method, or on images."""
    try:
        method, entry = find_entry(catalog, "methods", job.spec["method"]), find_entry(catalog, "datasets", job.spec["dataset"])
    except UnknownName:
        return False
    return method["family"] == "deep" or entry["kind"] == "images"


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


def _fill_form(catalog: Mapping[str, Any], spec: RunSpec | None) -> None:
    try:
        form.fill_form((spec or first_spec(catalog)).complete(catalog), "auto", catalog)
    except BadInput:  # the catalog lacks the run's dataset or method
        form.fill_form(first_spec(catalog), "auto", catalog)


def _list_titles(jobs: Iterable[Job], catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return a line for each run by its id: method, dataset and settings, no two alike.

    It does not say how far the run is: the list identifies runs by their lines, which must not change while it is open.
    """
    names = {m["name"]: m["title"] for m in catalog["methods"]} | {d["name"]: d["title"] for d in catalog["datasets"]}
    out: dict[str, str] = {}
    for job in jobs:
        spec = RunSpec.from_json(job.spec)
        how = describe_setting(spec)
        line = f"{names.get(spec.method, spec.method)} on {names.get(spec.dataset, spec.dataset)}, {how[:1].lower()}{how[1:]}"
        unusual = "".join(f", {text}" for text in listing.list_unusual(spec, catalog))
        line += f"{unusual}, {format_count(spec.replicates, 'replicate')}, seed {spec.seed}"
        out[job.id] = line
    return tell_apart(out)


def tell_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """Return the titles by id; those that are there twice have the id's first letters."""
    counts = Counter(titles.values())
    return {id: title if counts[title] == 1 else f"{title}, run {id[:6]}" for id, title in titles.items()}


def _draw_lists(
    store: Store, catalog: Mapping[str, Any], jobs: list[Job], link: DeepAddress, shown: Shown | None, owner: str | None
) -> None:
    """Draw the two lists: the run that is shown, and one beside it."""
    known = {job.id: job for job in jobs}
    for id in (link.run, link.beside):
        if id is not None and id not in known:
            try:
                known[id] = store.job(id, owner)
            except UnknownName:
                continue
    first = sorted((job.id for job in jobs), key=lambda id: not _is_deep(known[id], catalog))[:LISTED]
    if link.run is not None and link.run in known and link.run not in first:
        first.append(link.run)
    if not first:
        return
    state = st.session_state
    titles = _list_titles([known[id] for id in first], catalog)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state["deep.pick"] = link.run if link.run in first else None
        st.selectbox(
            "Run",
            first,
            format_func=titles.__getitem__,
            key="deep.pick",
            on_change=lambda: _go_to_picked(state["deep.pick"]),
            placeholder="Choose a run",
            help="Finished runs, those of deep methods and on images first. Type to search.",
        )
        if shown is None:
            return
        dataset, states = shown.main.spec.dataset, ("done", "queued", "running")
        near = store.jobs(owner=owner, states=states, dataset=dataset, limit=2 * LISTED)
        known |= {job.id: job for job in near}
        same = [job.id for job in near if _is_comparable(job, shown.job)][:LISTED]
        if link.beside is not None and link.beside in known and link.beside not in same:
            same.append(link.beside)
        state["deep.other"] = link.beside if link.beside in same else None
        spec = shown.main.spec
        changes = {id: whatif.describe_change(spec, RunSpec.from_json(known[id].spec)) for id in same}
        others = tell_apart(changes)
        st.selectbox(
            "Compare with",
            same,
            index=None,
            format_func=others.__getitem__,
            placeholder="nothing" if same else "no other run on these data",
            disabled=not same,
            key="deep.other",
            on_change=lambda: _go_to_picked(link.run, state["deep.other"]),
            help="Another run on the same data goes into the pictures below; what differs is at the end of the page.",
        )
        links.draw_link("lab", "Open in the Lab", ":material/science:", run=shown.job.id)


def _is_comparable(job: Job, other: Job) -> bool:
    if job.id == other.id or job.state not in ("done", "queued", "running"):
        return False
    return bool(job.spec["dataset"] == other.spec["dataset"] and job.spec["data"] == other.spec["data"])


def _draw_empty(store: Store, catalog: Mapping[str, Any], device: str) -> None:
    """Draw what this page is for and a button to begin, where nobody has run anything deep yet."""
    with st.container(key="deep-state-empty"):
        st.subheader("What does a network make of rare classes?")
        st.markdown(
            "A network turns every row into *features* before its last layer tells the classes apart. Here you see them: real training "
            "and test rows with the synthetic ones that EOS or DOS puts among them, how far test rows lie outside what training showed "
            "the network (the generalization gap), and what changes when one setting does."
        )
        spec = first_spec(catalog)
        entry = find_entry(catalog, "datasets", spec.dataset)
        title = next(m["title"] for m in catalog["methods"] if m["name"] == spec.method)
        ready = is_available(entry)
        st.button(
            f"Run {escape(title)} on {escape(entry['title'])}",
            type="primary",
            icon=":material/play_arrow:",
            key="deep.example",
            disabled=not ready or visitor.is_demo(),
            on_click=_run_example,
            args=(spec, device),
        )
        st.caption(
            f"{describe_setting(spec)}, one split. Or set up another run in the form (on a small screen: behind **»** at the top)."
            if ready
            else f"These data are not on the engine's machine. {escape(entry['how_to_get'], 300)}"
        )
        links.draw_link("gallery", "Look at recorded ones in the gallery", ":material/collections_bookmark:")
        panel.warn_no_engine(store)


def _run_example(spec: RunSpec, device: str) -> None:
    _go_to(panel.submit_family(get_store(), read_catalog(), spec, device))


def _draw(shown: Shown, other: Shown | None, catalog: Mapping[str, Any], device: str) -> None:
    panel.draw_ending(shown, device)
    if shown.result is None:
        panel.describe_request(shown)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            stage.play_film(shown, 0, "deep.player")
        with right:
            panel.draw_panel(shown)
        return
    answer.draw_sentences(shown)
    panel.draw_panel(shown)
    st.markdown(
        "On this page: [map of the features](#map) · [gap and weight norms](#per-class) · [how it came about](#film) · "
        "[results per class](#results) · [what if?](#what-if)"
    )
    classes, _ = gaps.list_classes(shown.result)
    plane.draw_map(shown.job.id, classes)
    entries = answer.list_entries(shown)
    if other is not None and other.result is not None and all(m.spec != other.main.spec for m, _ in shown.there):
        entries.append(gaps.Entry("beside", f"with {whatif.describe_change(shown.main.spec, other.main.spec)}", other.result))
    internals.draw_per_class(shown, entries)
    internals.draw_film(shown, other)
    internals.draw_results(shown)
    st.subheader("What if?", anchor="what-if", help="One setting is changed, everything else stays: what differs is its doing.")
    whatif.draw_what_if(shown, catalog)
    if other is not None:
        whatif.draw_beside(shown, other)
    answer.draw_provenance(shown)
    share.offer_run(shown.job.id if shown.result is not None else None, shown.main.spec, catalog)
