"""Compare: a sweep of methods over ratios and datasets, or any two runs: what should I use, when?

The address holds the whole view: the plan's words (`engine.sweep.SweepSpec.to_query`), `view`, `metric`, what is selected in
it (`at`, `curves`, `cell`), and for two runs `run` and `beside`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.frame import top
from app.frame.address import Address
from app.frame.opening import open_page
from app.frame.pieces import choose_piece, find_pieces
from app.parts import share
from app.session import lab_address, recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.compare import plan, sweep_words
from app.views.compare.cell import draw_cell
from app.views.compare.context import Context, View
from app.views.compare.progress import TICK, draw_earlier, draw_progress, read_standing, start_sweep
from app.words.text import escape, format_count
from engine.errors import BadInput
from engine.report import ReportRequest, write_report
from engine.report.judge import judge_sweep
from engine.spec import result
from engine.spec.result import METRICS
from engine.sweep import SweepSpec, table
from engine.sweep.standing import Standing

PACKAGE = "app.views.compare"
FIRST, FIRST_OF_RUNS = "ratio", "pair"
"""Views where the address names none: of a sweep, and where it names a run."""
STYLE = """<style>
.st-key-compare-heat { overflow-x: auto; }
.st-key-compare-answer li { line-height: 1.5; }
:is(.st-key-compare-cell, .st-key-compare-earlier) [data-testid="stPageLink-NavLink"] { background: none; }
:is(.st-key-compare-cell, .st-key-compare-earlier) [data-testid="stPageLink-NavLink"] * { font-weight: 400; }
</style>"""
PLAN = ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")
CHOSEN = ("at", "curves", "cell", "run", "beside")
ADDRESS = Address("compare", {"metric": result.DEFAULT_METRIC})


def page() -> None:
    """Draw the page."""
    catalog = open_page(_load, style=STYLE)
    if catalog is None:
        return
    views = find_pieces(PACKAGE)
    _read(catalog, list(views))
    state = st.session_state
    standing: Standing | None = None
    with st.sidebar:
        spec, wrong = plan.draw_plan(catalog)
        place = st.empty()
        if spec is not None:
            standing = read_standing(spec, catalog, fresh=True)
        with place.container():
            if plan.draw_bar(catalog, spec, wrong, standing) and spec is not None:
                start_sweep(spec)
                standing = read_standing(spec, catalog, fresh=True)
    active = standing is not None and standing.active
    top.draw_head(active)
    st.subheader("What should I use, when?")
    problems = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare-views"):
        name = choose_piece(views, "View", "compare.view")
        view: View = views[name].PIECE
        if view.measured:
            st.selectbox(
                "Measure",
                list(METRICS),
                format_func=lambda name: METRICS[name][0],
                key="compare.metric.pick",
                on_change=lambda: state.update({"compare.metric": state["compare.metric.pick"]}),
                width=230,
                label_visibility="collapsed",
            )
    context = Context(spec, None, state["compare.metric"], catalog, state["compare.chosen"])
    if view.is_ready(context):
        views[name].draw(context)
    elif spec is None or standing is None:
        st.info(escape(wrong, 300), icon=":material/edit:")
        draw_earlier(catalog)
    else:
        st.fragment(draw_progress, run_every=TICK if active else None)(spec, active)
        st.fragment(_draw_view, run_every=2 * TICK if active else None)(spec, name, context.metric)
    _write(catalog, spec, view)
    with problems:
        for text in state["compare.problems"]:
            st.warning(escape(text, 400), icon=":material/link_off:")


def _load() -> dict[str, Any]:
    catalog = read_catalog()
    recorded.load_first_example()
    return catalog


def _read(catalog: Mapping[str, Any], views: Sequence[str]) -> None:
    """Take over what the address asks for, where it has changed."""
    state, shown = st.session_state, ADDRESS.last_query()
    if "plan.datasets" not in state:  # Streamlit drops a widget's value when another page is drawn
        ADDRESS.forget()
    query = ADDRESS.read()
    if query is None:
        state["compare.metric.pick"] = state["compare.metric"]
        return
    if not query and shown is not None:  # back by the menu: the view that this session had
        query = shown
    problems = [
        f"The link has the word {word!r}, which means nothing here; it is left out."
        for word in query
        if word not in (*PLAN, *CHOSEN, "view", "metric")
    ]
    view, metric = query.get("view", FIRST_OF_RUNS if "run" in query else FIRST), query.get("metric", result.DEFAULT_METRIC)
    if view not in views:
        problems.append(f"The link asks for the view {view!r}; there are: {', '.join(views)}.")
        view = FIRST
    if metric not in METRICS:
        problems.append(f"The link asks for the measure {metric!r}; there are: {', '.join(METRICS)}.")
        metric = result.DEFAULT_METRIC
    spec = plan.first_plan(catalog)
    if any(word in query for word in PLAN):
        usual = spec.to_query()
        try:
            spec = SweepSpec.from_query({name: query.get(name, usual[name]) for name in PLAN}, catalog)
        except BadInput as error:
            problems.append(f"The link's plan cannot be: {error} A usual one is shown instead.")
    wanted = {
        "at": query.get("at"),
        "cell": query.get("cell"),
        "curves": tuple(filter(None, query.get("curves", "").split(","))),
    }
    chosen, strangers = _split_chosen(spec, catalog, wanted)
    problems += [f"The link's {word} names {one[:60]!r}, which is no cell of its plan." for word, one in strangers]
    for word in ("run", "beside"):
        chosen[word] = query.get(word)
        if chosen[word] is not None and not lab_address.is_run_id(chosen[word]):
            problems.append(f"The link names a run {chosen[word]!r}; a run's name is 16 of the letters 0-9 and a-f.")
            chosen[word] = None
    plan.fill_plan(spec)
    state["compare.view"], state["compare.metric"], state["compare.metric.pick"] = view, metric, metric
    state["compare.chosen"], state["compare.problems"] = chosen, problems


def _split_chosen(
    spec: SweepSpec, catalog: Mapping[str, Any], chosen: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the selections that the plan has (at, cell: None for nothing), and (word, value) of those that it has not."""
    cells = spec.cells(catalog) if any(chosen.values()) else []
    ids, places = {c.id for c in cells}, {f"{c.dataset}@{c.ratio:g}" for c in cells}
    out: dict[str, Any] = {}
    strangers = []
    for word in ("at", "cell", "curves"):
        given = chosen.get(word) or ()
        wanted = [given] if isinstance(given, str) else list(given)
        known = [one for one in wanted if one in (places if word == "at" else ids)]
        strangers += [(word, one) for one in wanted if one not in known]
        out[word] = tuple(known) if word == "curves" else known[0] if known else None
    return out, strangers


def _write(catalog: Mapping[str, Any], spec: SweepSpec | None, view: View) -> None:
    """Put what is shown into the address."""
    state = st.session_state
    chosen, of_plan = state["compare.chosen"], bool(view.needs)
    query: dict[str, str] = {}
    if spec is not None and (of_plan or spec != plan.first_plan(catalog)):
        query = spec.to_query()
    query |= {"view": state["compare.view"], "metric": state["compare.metric"]}
    if spec is not None and of_plan:
        chosen = _split_chosen(spec, catalog, {word: chosen.get(word) for word in ("at", "cell", "curves")})[0]
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


def _draw_view(spec: SweepSpec, name: str, metric: str) -> None:
    """Draw the chosen view of a sweep. A fragment."""
    catalog, view = read_catalog(), find_pieces(PACKAGE)[name]
    records = _read_records(spec, metric)
    context = Context(spec, records, metric, catalog, st.session_state["compare.chosen"])
    with st.container(key=f"compare-view-{name}"):
        if context.there:
            _draw_answer(records, metric)
            view.draw(context)
        elif not _is_untouched(records):
            with st.container(key="compare-nothing"):
                st.info(
                    "No cell of this plan is done yet. Pictures appear here with the first ones.",
                    icon=":material/hourglass_empty:",
                )
    if context.there:
        draw_cell(context)
        _draw_export(context)
    _write(catalog, spec, view.PIECE)


def _is_untouched(records: list[dict[str, Any]]) -> bool:
    return all(r["state"] == "missing" for r in records)


def _draw_answer(records: list[dict[str, Any]], metric: str) -> None:
    """Draw the verdict, and what to use when: one sentence a dataset."""
    sentences = sweep_words.describe_answer(records)
    if not sentences:
        return
    done = sum(r["mean"] is not None for r in records)
    so_far = "" if done == len(records) else f", so far ({done} of {format_count(len(records), 'cell')})"
    with st.container(border=True, key="compare-answer", gap="small"):
        st.markdown(f"**{escape(judge_sweep(records, metric).text, 400)}**")
        st.markdown(f"**What to use, when**{so_far}", help=sweep_words.describe_correction(records))
        st.markdown("\n".join(f"- {text}" for text in sentences[:12]))
        if len(sentences) > 12:
            st.caption(f"And {len(sentences) - 12} more datasets.")


def _draw_export(context: Context) -> None:
    """Draw the whole sweep as one file, as a table and as code."""
    spec, records, catalog, metric = context.spec, list(context.records or ()), context.catalog, context.metric
    request = ReportRequest(catalog, given={"spec": spec, "records": records, "metric": metric})
    st.markdown(
        "**Take it along**", help="The address of this page is the link to this view: whoever opens it sees the same numbers."
    )
    with st.container(horizontal=True, vertical_alignment="top", key="compare-export"):
        st.download_button(
            "Report",
            lambda: write_report("sweep", request).encode("utf-8", "replace"),  # made when it is pressed
            "sweep.html",
            "text/html",
            key="compare.report",
            icon=":material/description:",
            on_click="ignore",
            help="One file with everything on this page; it opens anywhere and asks no other host for anything.",
        )
        share.offer_table(
            lambda: flatten_records(records, context.metric), "sweep", "sweep", f"{context.label}, one row a cell"
        )
        share.offer_sweep_code(spec, metric, "sweep")


def flatten_records(records: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return records as rows of a table: a difference and a share have one column for each of their numbers."""
    parts = {"difference": ("mean", "low", "high", "p", "p_holm"), "share": ("mean", "low", "high")}
    out = []
    for r in records:
        row = {name: r[name] for name in ("dataset", "method", "ratio", "role", "run", "state", "n")}
        row |= {"metric": metric} | {name: r[name] for name in ("mean", "low", "high", "seconds")}
        for part, names in parts.items():
            values = r[part] or {}
            row |= {part if name == "mean" else f"{part}_{name}": values.get(name) for name in names}
        out.append(row | {"reason": r["reason"]})
    return out
