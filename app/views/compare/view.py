"""Compare: a sweep of methods over ratios and datasets, or any two runs: which method helps, and where?

The address holds the whole view: the words of the plan that is shown (`engine.sweep.SweepSpec.to_query`), `tab`, `metric`, what is
selected in it (`at`, `curves`), and for two runs `run` and `beside`. The form may have another plan: then the page says so and
offers to run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.frame import tabs, top
from app.frame.address import Address
from app.frame.opening import open_page
from app.frame.pieces import find_pieces
from app.session import lab_address, recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.compare import head, pair, plan
from app.views.compare.context import Context, View
from app.views.compare.progress import SHOWN, TICK, draw_chips, read_standing, start_sweep
from app.views.compare.sweep_words import Record
from app.words import compare as words
from app.words.text import escape
from engine.errors import BadInput, LabError
from engine.spec import result
from engine.spec.result import METRICS
from engine.sweep import SweepSpec, table
from engine.sweep.standing import Standing

PACKAGE = "app.views.compare"
TABS = "compare.tab"
"""Session key of the open tab."""
STYLE = """<style>
.st-key-compare-top { min-height: 40px; }
.st-key-compare-top > :last-child { flex: 1 1 0; min-width: 0; }
.st-key-compare-top .st-key-stale { flex-wrap: nowrap; width: auto; flex: none; }
.st-key-compare-top .st-key-stale > * { flex: none; width: auto; }
.st-key-compare-top :is(.st-key-stale, [class*="st-key-compare-state"]) button { min-height: 32px; padding-top: 2px; padding-bottom: 2px; }
.st-key-compare-top [class*="st-key-compare-state"] { flex-wrap: nowrap; justify-content: flex-end; }
.st-key-compare-top [class*="st-key-compare-state"] > * { flex: none; width: auto; }
@media (max-width: 1679px) { .st-key-compare-top .st-key-stale [data-testid="stMarkdown"] { display: none; } }
@media (max-width: 1359px) {
  .st-key-compare-top { flex-wrap: wrap; row-gap: 2px; }
  .st-key-compare-top > :last-child { flex: 1 0 100%; }
  .st-key-compare-top [class*="st-key-compare-state"] { justify-content: flex-start; flex-wrap: wrap; }
}
[data-testid="stMultiSelect"] :has(> span[title]):has(> button) {
  background: light-dark(#E3F1EC, #173A2F); color: light-dark(#00644B, #3CC79A);
}
</style>"""
PLAN = ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")
CHOSEN = ("at", "curves", "run", "beside")
GONE = ("view", "cell")
"""Words of older links: the first is what is `tab` now."""
OLD_TABS = {"heat": "differences", "share": "numbers"}
ECHO_SECONDS = 1.5
ADDRESS = Address("compare", {"metric": result.DEFAULT_METRIC}, echo_seconds=ECHO_SECONDS)


def page() -> None:
    """Draw the page."""
    catalog = open_page(_load, style=STYLE)
    if catalog is None:
        return
    views = find_pieces(PACKAGE)
    titles = {name: module.PIECE.title for name, module in views.items()}
    state = st.session_state
    _read(catalog, titles)
    with st.sidebar:
        form, wrong = plan.draw_plan(catalog)
        _choose_shown(form, catalog)
        standing = read_standing(form, catalog, fresh=True) if form is not None else None
        if plan.draw_bar(catalog, form, wrong, standing) and form is not None:
            start_sweep(form)
            st.rerun()
    shown: SweepSpec = state[SHOWN]
    now = read_standing(shown, catalog, fresh=True)
    top.draw_head(now.active)
    if (wanted := state.pop("compare.open", None)) in titles:
        state[TABS] = titles[wanted]
    name = tabs.find_tab(titles, TABS)
    view: View = views[name].PIECE
    with st.container(horizontal=True, vertical_alignment="center", key="compare-top"):
        if view.measured:
            head.draw_measures()
        if form is not None and form != shown and _is_started(now):
            head.draw_stale(form, shown)
        with st.container():
            example = shown == _find_example(catalog)
            st.fragment(draw_chips, run_every=TICK if now.active else None)(shown, now.active, example)
    every = 2 * TICK if now.active else None
    st.fragment(_draw_verdict, run_every=every)(shown, name, state["compare.metric"])
    problems = st.container()
    name, place = tabs.draw_tabs(titles, TABS)
    with place:
        st.fragment(_draw_view, run_every=every if view.needs else None)(shown, name, state["compare.metric"])
    _write(catalog, titles)
    with problems:
        for text in state["compare.problems"]:
            st.warning(escape(text, 400), icon=":material/link_off:")


def _load() -> dict[str, Any]:
    catalog = read_catalog()
    recorded.load_first_example()
    return catalog


# ---- which plan is shown


def _is_started(standing: Standing) -> bool:
    """Whether anything of a sweep is done, runs or failed."""
    return bool(standing.done or standing.failed or standing.active)


def _choose_shown(form: SweepSpec | None, catalog: Mapping[str, Any]) -> None:
    """Show the form's plan where all of it is done, or where nothing of the shown one was ever asked for."""
    state = st.session_state
    shown: SweepSpec | None = state.get(SHOWN)
    if form is None or form == shown:
        state.setdefault(SHOWN, form or plan.first_plan(catalog))
        return
    if shown is None or not _is_started(read_standing(shown, catalog, keep=False)):
        state[SHOWN] = form
        return
    standing = read_standing(form, catalog, keep=False)
    if standing.cells and standing.done == len(standing.cells):
        state[SHOWN] = form


def _find_example(catalog: Mapping[str, Any]) -> SweepSpec | None:
    """Return the plan of the recorded sweep; None where there is none."""
    for card in recorded.read_cards():
        if card["page"] == "compare" and "datasets" in card["words"]:
            try:
                return SweepSpec.from_query(card["words"], catalog)
            except BadInput:
                return None
    return None


def _open_bare(catalog: Mapping[str, Any]) -> SweepSpec:
    """Return the plan that an address without one shows: that of a first visit, else the recorded sweep."""
    first = plan.first_plan(catalog)
    if _is_started(read_standing(first, catalog, keep=False)):
        return first
    example = _find_example(catalog)
    if example is None:
        return first
    try:
        recorded.load_examples("compare", example.to_query())
    except (LabError, ValueError):
        return first
    return example if _is_started(read_standing(example, catalog, keep=False)) else first


# ---- the address


def _read(catalog: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Take over what the address asks for, where it has changed."""
    state, last = st.session_state, ADDRESS.last_query()
    by_menu = "plan.datasets" not in state  # Streamlit drops a widget's value when another page is drawn
    if by_menu:
        ADDRESS.forget()
    query = ADDRESS.read()
    if query is None:
        return
    if not query and last is not None and by_menu:  # back by the menu: the view that this session had
        query = last
    problems = [words.LINK_WORD.format(word=word) for word in query if word not in (*PLAN, *CHOSEN, *GONE, "tab", "metric")]
    old = query.get("view", "pair" if "run" in query else next(iter(titles)))
    tab, metric = query.get("tab", OLD_TABS.get(old, old)), query.get("metric", result.DEFAULT_METRIC)
    if tab not in titles:
        problems.append(words.LINK_TAB.format(tab=tab, known=", ".join(titles)))
        tab = next(iter(titles))
    if metric not in METRICS:
        problems.append(words.LINK_METRIC.format(metric=metric, known=", ".join(METRICS)))
        metric = result.DEFAULT_METRIC
    form = usual = plan.first_plan(catalog)
    planned = any(word in query for word in PLAN)
    if planned:
        given = usual.to_query()
        try:
            form = SweepSpec.from_query({name: query.get(name, given[name]) for name in PLAN}, catalog)
        except BadInput as error:
            problems += [str(error), words.LINK_PLAN]
    shown = form if planned else _open_bare(catalog)
    wanted = {"at": query.get("at"), "curves": tuple(filter(None, query.get("curves", "").split(",")))}
    chosen, strangers = _split_chosen(shown, catalog, wanted)
    problems += [words.LINK_CELL.format(cell=one[:60]) for _, one in strangers]
    for word in ("run", "beside"):
        chosen[word] = query.get(word)
        if chosen[word] is not None and not lab_address.is_run_id(chosen[word]):
            problems.append(words.LINK_RUN.format(run=chosen[word][:60]))
            chosen[word] = None
    plan.fill_plan(form)
    state[SHOWN], state["compare.bare"] = shown, None if planned else shown
    state[TABS], state["compare.metric"] = titles[tab], metric
    state["compare.chosen"], state["compare.problems"] = chosen, problems


def _split_chosen(
    spec: SweepSpec, catalog: Mapping[str, Any], chosen: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the selections that the plan has (at: None for nothing), and (word, value) of those that it has not."""
    cells = spec.cells(catalog) if any(chosen.values()) else []
    ids, places = {c.id for c in cells}, {f"{c.dataset}@{c.ratio:g}" for c in cells}
    out: dict[str, Any] = {}
    strangers = []
    for word in ("at", "curves"):
        given = chosen.get(word) or ()
        wanted = [given] if isinstance(given, str) else list(given)
        known = [one for one in wanted if one in (places if word == "at" else ids)]
        strangers += [(word, one) for one in wanted if one not in known]
        out[word] = tuple(known) if word == "curves" else known[0] if known else None
    return out, strangers


def _write(catalog: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Put what is shown into the address."""
    state = st.session_state
    spec: SweepSpec = state[SHOWN]
    name = tabs.find_tab(titles, TABS)
    view: View = find_pieces(PACKAGE)[name].PIECE
    query: dict[str, str] = {}
    if spec != state.get("compare.bare"):
        query = spec.to_query()
    query |= {"metric": state["compare.metric"]} | tabs.write_tab(titles, TABS)
    chosen = state["compare.chosen"]
    if view.needs:
        chosen = _split_chosen(spec, catalog, {word: chosen.get(word) for word in ("at", "curves")})[0]
    for word in view.selections:
        if value := chosen.get(word):
            query[word] = ",".join(value) if isinstance(value, tuple) else str(value)
    if not ADDRESS.shows(query):
        if state["compare.problems"] and query == state.get("compare.kept", query):
            state["compare.kept"] = query  # a faulty link stays until something changes
            return
        state["compare.problems"] = []
        ADDRESS.write(query)
    state.pop("compare.kept", None)


# ---- what is drawn


def _read_records(spec: SweepSpec, metric: str) -> list[dict[str, Any]]:
    """Return the sweep's records, read again when a cell's state has changed."""
    store, catalog, owner = get_store(), read_catalog(), visitor.read_owner()
    now = read_standing(spec, catalog)
    known = (spec, metric, tuple((c.cell.id, c.state) for c in now.cells))
    last, records = st.session_state.get("compare.records", (None, []))
    if last != known:
        records = table.build_table(store, spec, catalog, metric, owner)
        st.session_state["compare.records"] = (known, records)
    return list(records)


def _make_context(spec: SweepSpec, metric: str, records: Sequence[Record] | None) -> Context:
    return Context(spec, records, metric, read_catalog(), st.session_state["compare.chosen"])


def _draw_verdict(spec: SweepSpec, name: str, metric: str) -> None:
    """Draw the verdict on what the open tab shows. A fragment."""
    module: Any = find_pieces(PACKAGE)[name]
    if module is pair:
        head.draw_verdict(pair.judge(_make_context(spec, metric, None)), words.PAIR_TITLE)
        return
    head.draw_verdict(head.judge(spec, _read_records(spec, metric), metric))


def _draw_view(spec: SweepSpec, name: str, metric: str) -> None:
    """Draw the open tab. A fragment."""
    catalog, views = read_catalog(), find_pieces(PACKAGE)
    if st.session_state.get("compare.open") or st.session_state.pop("compare.again", False):
        st.rerun()
    view: View = views[name].PIECE
    records = _read_records(spec, metric) if view.needs else None
    context = _make_context(spec, metric, records)
    with st.container(key=f"compare-view-{name}"):
        if view.is_ready(context) and (not view.needs or context.there or _shows_places(name, spec)):
            views[name].draw(context)
        else:
            with st.container(key="compare-nothing"):
                st.info(words.EMPTY, icon=":material/tune:")
    _write(catalog, {each: module.PIECE.title for each, module in views.items()})


def _shows_places(name: str, spec: SweepSpec) -> bool:
    """Whether a tab shows the places of its dots before one is there: the first one of a sweep that was started."""
    return name == next(iter(find_pieces(PACKAGE))) and _is_started(read_standing(spec, read_catalog()))
