"""Compare: a sweep of methods over ratios and datasets, or any two runs: what should I use, when?

The address holds the whole view: the plan's words (`engine.sweep.SweepSpec.to_query`), `view`, `metric`, what is selected in it (`at`,
`curves`, `cell`), and for two runs `run` and `beside`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import session
from app.frame import address, links, top
from app.parts import share
from app.run import panel
from app.views.compare import pair, plan, sweep_views, sweep_words
from app.views.compare.sweep_views import Sweep
from app.words.text import duration, many, plain, ratio
from engine.errors import BadInput, LabError
from engine.report.sweep import html_sweep
from engine.spec import result
from engine.spec.result import METRICS
from engine.sweep import SweepSpec, table
from engine.sweep import standing as standing_module
from engine.sweep.standing import Standing

VIEWS = {
    "ratio": "By ratio",
    "heat": "Differences",
    "ranks": "Ranks",
    "cost": "Cost",
    "share": "Potential",
    "curves": "PR curves",
    "pair": "Two runs",
}
STYLE = """<style>
.st-key-compare-heat { overflow-x: auto; }
.st-key-compare-answer li { line-height: 1.5; }
:is(.st-key-compare-cell, .st-key-compare-earlier) [data-testid="stPageLink-NavLink"] { background: none; }
:is(.st-key-compare-cell, .st-key-compare-earlier) [data-testid="stPageLink-NavLink"] * { font-weight: 400; }
</style>"""
PLAN = ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")
CHOSEN = ("at", "curves", "cell", "run", "beside")
LATE = 5.0
"""Seconds after a change in which an address of before counts as late, not as a link that was followed."""
TICK = 1.0
"""Seconds between two looks at how far a sweep is; its pictures look half as often."""
EARLIER = 6
"""Sweeps that are offered again at most."""
AGE = 0.5
"""Seconds for which an answer to that is taken as fresh."""
FAILED = 8
"""Cells that ended without a result and are told one by one."""


def page() -> None:
    """Draw the page."""
    top.style()
    st.html(STYLE)
    try:
        catalog = session.catalog()
        session.example()
    except LabError as error:
        st.title("Imbalance Lab")
        st.error(plain(error, 600), icon=":material/error:")
        return
    _read(catalog)
    state = st.session_state
    standing: Standing | None = None
    with st.sidebar:
        spec, wrong = plan.widgets(catalog)
        place = st.empty()
        if spec is not None:
            standing = _standing(spec, catalog, fresh=True)
        with place.container():
            if plan.bar(catalog, spec, wrong, standing) and spec is not None:
                _start(spec)
                standing = _standing(spec, catalog, fresh=True)
    active = standing is not None and standing.active
    top.head(active)
    st.subheader("What should I use, when?")
    problems = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare-views"):
        st.segmented_control(
            "View", list(VIEWS), format_func=VIEWS.__getitem__, key="compare.view", required=True, label_visibility="collapsed"
        )
        if state["compare.view"] not in ("pair", "curves"):
            st.selectbox(
                "Measure",
                list(METRICS),
                format_func=lambda name: METRICS[name][0],
                key="compare.metric.pick",
                on_change=lambda: state.update({"compare.metric": state["compare.metric.pick"]}),
                width=230,
                label_visibility="collapsed",
            )
    view = state["compare.view"]
    if view == "pair":
        _pair(catalog, spec)
    elif spec is None or standing is None:
        st.info(plain(wrong, 300), icon=":material/edit:")
        _earlier(catalog)
    else:
        st.fragment(_progress, run_every=TICK if active else None)(spec, active)
        st.fragment(_board, run_every=2 * TICK if active else None)(spec, view, state["compare.metric"])
    _write(catalog, spec)
    with problems:
        for text in state["compare.problems"]:
            st.warning(plain(text, 400), icon=":material/link_off:")


# ---- the address


def _read(catalog: Mapping[str, Any]) -> None:
    """Take over what the address asks for, wherever it is not one that this page wrote."""
    state, query = st.session_state, address.words()
    now = time.monotonic()
    # for a moment after a change the browser still sends an address of before, which is nobody's wish
    late = any(words == query and now - when < LATE for words, when in state.get("compare.before", []))
    drawn = state.get("page") == "compare" and "plan.datasets" in state  # a widget's value goes when another page is drawn
    if drawn and (query == state.get("compare.url") or late):
        state["compare.metric.pick"] = state["compare.metric"]
        return
    if not query and "compare.url" in state:  # back by the menu: the session's own view
        query = dict(state["compare.url"])
    state["page"] = "compare"
    problems = [
        f"The link has the word {word!r}, which means nothing here; it is left out."
        for word in query
        if word not in (*PLAN, *CHOSEN, "view", "metric")
    ]
    view, metric = query.get("view", "pair" if "run" in query else "ratio"), query.get("metric", result.DEFAULT_METRIC)
    if view not in VIEWS:
        problems.append(f"The link asks for the view {view!r}; there are: {', '.join(VIEWS)}.")
        view = "ratio"
    if metric not in METRICS:
        problems.append(f"The link asks for the measure {metric!r}; there are: {', '.join(METRICS)}.")
        metric = result.DEFAULT_METRIC
    spec = plan.first(catalog)
    if any(word in query for word in PLAN):
        usual = spec.to_query()
        try:
            spec = SweepSpec.from_query({name: query.get(name, usual[name]) for name in PLAN}, catalog)
        except BadInput as error:
            problems.append(f"The link's plan cannot be: {error} A usual one is shown instead.")
    asked = {
        "at": query.get("at"),
        "cell": query.get("cell"),
        "curves": tuple(filter(None, query.get("curves", "").split(","))),
    }
    chosen, strangers = _there(spec, catalog, asked)
    problems += [f"The link's {word} names {one[:60]!r}, which is no cell of its plan." for word, one in strangers]
    for word in ("run", "beside"):
        chosen[word] = query.get(word)
        if chosen[word] is not None and not session.is_run(chosen[word]):
            problems.append(f"The link names a run {chosen[word]!r}; a run's name is 16 of the letters 0-9 and a-f.")
            chosen[word] = None
    plan.fill(spec)
    state["compare.view"], state["compare.metric"], state["compare.metric.pick"] = view, metric, metric
    state["compare.chosen"], state["compare.problems"] = chosen, problems
    state["compare.url"], state["compare.before"] = address.words(), []


def _there(
    spec: SweepSpec, catalog: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Of what is selected what the plan has (at, cell: None for nothing), and (word, what it has not)."""
    cells = spec.cells(catalog) if any(asked.values()) else []
    ids, places = {c.id for c in cells}, {f"{c.dataset}@{c.ratio:g}" for c in cells}
    out: dict[str, Any] = {}
    strangers = []
    for word in ("at", "cell", "curves"):
        given = asked.get(word) or ()
        wanted = [given] if isinstance(given, str) else list(given)
        found = [one for one in wanted if one in (places if word == "at" else ids)]
        strangers += [(word, one) for one in wanted if one not in found]
        out[word] = tuple(found) if word == "curves" else found[0] if found else None
    return out, strangers


def _write(catalog: Mapping[str, Any], spec: SweepSpec | None) -> None:
    """Put the view into the address."""
    state = st.session_state
    chosen, view = state["compare.chosen"], state["compare.view"]
    words: dict[str, str] = {}
    if spec is not None and (view != "pair" or spec != plan.first(catalog)):
        words = spec.to_query()
    words["view"] = view
    if state["compare.metric"] != result.DEFAULT_METRIC:
        words["metric"] = state["compare.metric"]
    if spec is not None and view != "pair":
        chosen = _there(spec, catalog, {word: chosen.get(word) for word in ("at", "cell", "curves")})[0]
    own = {"cost": ("at",), "curves": ("curves",), "pair": ("run", "beside")}.get(view, ())
    for name in (*own, *(("cell",) if view != "pair" else ())):
        if value := chosen.get(name):
            words[name] = ",".join(value) if isinstance(value, tuple) else str(value)
    if words != state["compare.url"]:
        if state["compare.problems"] and words == state.get("compare.kept", words):
            state["compare.kept"] = words  # a faulty link stays as it is until something is touched
            return
        now = time.monotonic()
        before = [(old, when) for old, when in state["compare.before"] if now - when < LATE and old != words]
        state["compare.before"] = [*before, (state["compare.url"], now)]
        state["compare.url"], state["compare.problems"] = words, []
        address.write(words)
    state.pop("compare.kept", None)


def _take(which: str, id: str | None) -> None:
    """Remember which run is picked."""
    st.session_state["compare.chosen"][which] = id


# ---- starting, stopping, and how far it is


def _standing(spec: SweepSpec, catalog: Mapping[str, Any], *, fresh: bool = False) -> Standing:
    """How far the sweep is; what was just asked is not asked again within one drawing of the page, unless fresh."""
    now = time.monotonic()
    when, asked, known = st.session_state.get("compare.now", (-AGE, None, None))
    if not fresh and isinstance(known, Standing) and asked == spec and now - when < AGE:
        return known
    found = standing_module.read_standing(session.store(), spec, catalog, session.owner())
    st.session_state["compare.now"] = (now, spec, found)
    return found


def _start(spec: SweepSpec) -> None:
    """Ask for all that is missing."""
    store = session.store()
    try:
        standing_module.submit_sweep(store, spec, session.catalog())
        store.keep_sweep(spec.to_json())
        st.session_state.pop("compare.now", None)
    except BadInput as error:
        st.error(plain(error, 400), icon=":material/error:")


def _cancel(spec: SweepSpec) -> None:
    standing_module.cancel_sweep(session.store(), spec, session.catalog())
    st.session_state.pop("compare.now", None)


def _progress(spec: SweepSpec, was_active: bool) -> None:
    """How far the sweep is, what went wrong, and its buttons. A fragment."""
    store, catalog = session.store(), session.catalog()
    now = _standing(spec, catalog)
    if now.active != was_active:
        st.rerun()
    total = len(now.cells)
    if not total:
        st.info("Nothing of this plan can be run: see why beside the button.", icon=":material/block:")
        return
    word = "running" if now.active else "done" if now.done == total else "partly" if now.done or now.failed else "planned"
    with st.container(key=f"compare-state-{word}"):
        if now.active:
            _going(now, total)
        elif word == "planned":
            _planned(spec, now)
        elif word == "partly":
            st.progress(now.done / total, text=f"{now.done} of {many(total, 'cell')} done{_ended(now)}; {_left(now)}")
        _failures(now)
        with st.container(horizontal=True, vertical_alignment="center"):
            if session.demo():
                st.caption(f":material/movie: {session.demo_line()}")
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
            if not now.active and now.done < total and not session.demo():
                st.button(
                    "Run what is missing" if word == "partly" else "Start this sweep",
                    type="secondary" if word == "partly" else "primary",
                    icon=":material/play_arrow:",
                    key="compare.missing",
                    on_click=_start,
                    args=(spec,),
                    disabled=bool(plan.absent(spec, catalog)),
                )
        if now.active:
            panel.no_engine(store)
    if word == "planned":
        _earlier(catalog)


def _going(now: Standing, total: int) -> None:
    left = "time left is known after the first cell" if now.seconds_left is None else f"about {duration(now.seconds_left)} left"
    running = [c for c in now.cells if c.state == "running"]
    text = f"{now.done} of {many(total, 'cell')} done, {now.running} running, {now.queued} waiting{_ended(now)} · {left}"
    part = sum(c.done / c.total for c in running if c.total)
    st.progress(min(1.0, (now.done + part) / total), text=text)
    if running:
        names = _titles(session.catalog())
        what = "; ".join(
            f"{plain(names[c.cell.method])} on {plain(names[c.cell.dataset])} at {ratio(c.cell.ratio)}"
            + (f", {100 * c.done / c.total:.0f}%" if c.total else "")
            for c in running[:4]
        )
        st.caption(f"Now: {what}")


def _ended(now: Standing) -> str:
    return f", {now.failed} failed" if now.failed else ""


def _left(now: Standing) -> str:
    rest = now.missing + now.failed
    foreseen = f", about {duration(now.seconds_missing)}" if now.seconds_missing else ""
    return f"{rest} without a result{foreseen}"


def _planned(spec: SweepSpec, now: Standing) -> None:
    st.markdown(
        "A sweep trains every method at every ratio on every dataset that you choose, each beside plain training and below the potential. "
        "It says where a method helps, where it stops helping, and what it costs. The plan is in the form (on a small screen: behind **»** "
        "at the top)."
    )
    names = _titles(session.catalog())
    datasets, methods = (", ".join(plain(names[n]) for n in given) for given in (spec.datasets, spec.methods))
    st.markdown(f"**The plan**: {methods} on {datasets} at {sweep_words.ratios(spec.ratios)}. {plan.comes_to(spec, now)}")
    if found := spec.impossible(session.catalog()):
        st.caption(
            f":material/block: {len(found)} of what was asked for cannot be and {'is' if len(found) == 1 else 'are'} left out: "
            "the form says why."
        )
    panel.no_engine(session.store())


def _failures(now: Standing) -> None:
    """Cells that ended without a result, with the reason."""
    found = [c for c in now.cells if c.state == "failed"]
    if not found:
        return
    names = _titles(session.catalog())
    lines = [
        f"- {plain(names[c.cell.method])} on {plain(names[c.cell.dataset])} at {ratio(c.cell.ratio)}: {plain(c.reason, 300)}"
        for c in found[:FAILED]
    ]
    more = f"\n- and {len(found) - FAILED} more" if len(found) > FAILED else ""
    with st.container(key="compare-failed"):
        st.warning(f"{many(len(found), 'cell')} failed:\n" + "\n".join(lines) + more, icon=":material/error:")


# ---- what came of it


def _records(spec: SweepSpec, metric: str) -> list[dict[str, Any]]:
    """The sweep's records, read anew when a cell's state has changed."""
    store, catalog, owner = session.store(), session.catalog(), session.owner()
    now = _standing(spec, catalog)
    known = (spec, metric, tuple((c.cell.id, c.state) for c in now.cells))
    seen, records = st.session_state.get("compare.records", (None, []))
    if seen != known:
        records = table.build_table(store, spec, catalog, metric, owner)
        st.session_state["compare.records"] = (known, records)
    return list(records)


def _board(spec: SweepSpec, view: str, metric: str) -> None:
    """The chosen view. A fragment."""
    catalog = session.catalog()
    records = _records(spec, metric)
    shown = Sweep(spec, records, metric, catalog, st.session_state["compare.chosen"])
    with st.container(key=f"compare-view-{view}"):
        if shown.there:
            _answer(records)
        if shown.there or not _untouched(records):
            sweep_views.draw(view, shown)
    if shown.there:
        sweep_views.one_cell(shown)
        _export(shown)
    _write(catalog, spec)


def _untouched(records: list[dict[str, Any]]) -> bool:
    return all(r["state"] == "missing" for r in records)


def _answer(records: list[dict[str, Any]]) -> None:
    """What to use, when: one sentence a dataset."""
    said = sweep_words.answer(records)
    if not said:
        return
    done = sum(r["mean"] is not None for r in records)
    so_far = "" if done == len(records) else f", so far ({done} of {many(len(records), 'cell')})"
    with st.container(border=True, key="compare-answer", gap="small"):
        st.markdown(f"**What to use, when**{so_far}", help=sweep_words.holm(records))
        st.markdown("\n".join(f"- {text}" for text in said[:12]))
        if len(said) > 12:
            st.caption(f"And {len(said) - 12} more datasets.")


def _export(shown: Sweep) -> None:
    """The whole sweep as one file, as a table and as code."""
    spec, records, catalog, metric = shown.spec, list(shown.records), shown.catalog, shown.metric
    st.markdown(
        "**Take it along**", help="The address of this page is the link to this view: whoever opens it sees the same numbers."
    )
    with st.container(horizontal=True, vertical_alignment="top", key="compare-export"):
        st.download_button(
            "Report",
            lambda: html_sweep(spec, records, catalog, metric).encode("utf-8", "replace"),  # made when it is pressed
            "sweep.html",
            "text/html",
            key="compare.report",
            icon=":material/description:",
            on_click="ignore",
            help="One file with everything on this page; it opens anywhere and asks no other host for anything.",
        )
        share.table(lambda: flat(records, shown.metric), "sweep", "sweep", f"{shown.label}, one row a cell")
        share.sweep_code(spec, metric, "sweep")


def flat(records: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Records as rows of a table: numbers in columns of their own, a difference and a share by their ends."""
    parts = {"difference": ("mean", "low", "high", "p", "p_holm"), "share": ("mean", "low", "high")}
    out = []
    for r in records:
        row = {name: r[name] for name in ("dataset", "method", "ratio", "role", "run", "state", "n")}
        row |= {"metric": metric} | {name: r[name] for name in ("mean", "low", "high", "seconds")}
        for part, names in parts.items():
            found = r[part] or {}
            row |= {part if name == "mean" else f"{part}_{name}": found.get(name) for name in names}
        out.append(row | {"reason": r["reason"]})
    return out


def _earlier(catalog: Mapping[str, Any]) -> None:
    """Sweeps that were started here before, as links to their plans."""
    found = []
    for kept in session.store().sweeps(EARLIER):
        try:
            spec = SweepSpec.from_json(kept.words)
            SweepSpec.from_query(spec.to_query(), catalog)
        except BadInput:  # its dataset or method has left the catalog
            continue
        found.append((kept, spec))
    if not found:
        return
    names = _titles(catalog)
    with st.container(key="compare-earlier", gap="small"):
        st.markdown("**Sweeps that were started here**")
        for kept, spec in found:
            datasets, methods = (", ".join(names[n] for n in given) for given in (spec.datasets, spec.methods))
            what = f"{methods} on {datasets} at {sweep_words.ratios(spec.ratios)}, {plan.replicates(spec.replicates(catalog))}"
            links.to("compare", plain(kept.name or what, 140), ":material/history:", **spec.to_query())


def _titles(catalog: Mapping[str, Any]) -> dict[str, str]:
    """name -> title of methods and datasets."""
    return {e["name"]: e["title"] for kind in ("datasets", "methods") for e in catalog[kind]}


def _pair(catalog: Mapping[str, Any], spec: SweepSpec | None) -> None:
    chosen = st.session_state["compare.chosen"]
    pair.section(chosen.get("run"), chosen.get("beside"), _take)
