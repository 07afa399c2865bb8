"""Papers: what the papers' tables print, what the same experiment gives here, and which of their claims hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import top
from app.frame.address import Address
from app.frame.opening import open_page
from app.parts.elements import draw_fold
from app.session.store import get_store, read_catalog
from app.views.papers import measuring
from app.views.papers.claims import draw_claims, draw_over_sets
from app.views.papers.figures import draw_figures
from app.views.papers.numbers import draw_cells
from app.words.text import escape, format_count, format_duration
from engine.errors import BadData, UnknownName
from engine.papers import measured, published
from engine.papers.tables import PAPERS
from engine.papers.verdicts import judge
from engine.spec.run import find_entry

NAMES = {
    "adult": "Explicit gradient: Adult",
    "keel": "Explicit gradient: KEEL",
    "sine": "Explicit gradient: sine",
    "moving": "Does moving help?",
    "eos": "EOS (Dablain et al.)",
    "dos": "DOS (Ando and Huang)",
}
ADDRESS = Address("papers", {})
SHIPPED, LAB = "shipped", "of this lab"


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog()))
    if opened is None:
        return
    store, catalog = opened
    top.draw_head(False)
    st.subheader("What the papers print, and what came of it here")
    paper, table = _choose_table()
    try:
        document = measured.read_table(paper, table, reduced=(paper, table, False) not in measured.list_tables())
    except BadData as error:
        st.error(escape(error, 400), icon=":material/error:")
        document = None
    if document is None:
        document = _read_printed(paper, table)
    st.markdown(f"**{escape(published.TITLES[paper], 200)}**, table {escape(table)}: {escape(document.get('title', ''), 200)}")
    shipped = bool(document["rows"] and document.get("provenance"))
    if shipped:
        _draw_protocol(document)
    else:
        st.info(
            "None of this table was measured here yet. "
            + ("These are the printed numbers alone." if document["rows"] else "The paper prints no numbers of it."),
            icon=":material/hourglass_empty:",
        )
    mine = measuring.draw_measuring(paper, table, catalog, store)
    if mine is not None:
        mine = mine | {"other": shipped and mine["reduced"] != document["reduced"]}
    lab = mine is not None and (not shipped or _choose_measurements() == LAB)
    shown = mine if lab and mine is not None else document
    if lab:
        st.info(escape(shown["words"], 2000), icon=":material/science:")
    if shipped or lab:
        draw_over_sets(shown.get("over_sets") or {})
        draw_claims(shown["claims"])
        draw_figures(paper, shown.get("figures") or {})
    if shown["rows"]:
        draw_cells(shown["rows"], store, mine, lab)
    _draw_open_questions(catalog, paper)
    with draw_fold("Cite this paper", "papers-cite", ":material/format_quote:"):
        st.code(published.CITATIONS[paper], language="bibtex")


def _choose_table() -> tuple[str, str]:
    """Draw the choice of paper and table, kept in the address; return both."""
    state, query = st.session_state, ADDRESS.read()
    if query is not None:
        paper = query.get("paper", "eos")
        state["papers.paper"] = paper if paper in NAMES else "eos"
        state["papers.table"] = query.get("table")
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        paper = st.selectbox("Paper", list(NAMES), format_func=NAMES.__getitem__, key="papers.paper")
    names = published.list_tables(paper)
    there = {name for p, name, _ in measured.list_tables() if p == paper}
    if state.get("papers.table") not in names:
        state["papers.table"] = next((name for name in names if name in there), names[0])
    with right:
        table = st.segmented_control(
            "Table",
            names,
            format_func=lambda name: ("in the text" if name == "text" else name) + ("" if name in there else " (printed only)"),
            key="papers.table",
            required=True,
            help="Tables of results, as the paper numbers them.",
        )
    ADDRESS.write({"paper": paper, "table": table})
    return paper, table


def _read_printed(paper: str, table: str) -> dict[str, Any]:
    """Return a table of which nothing is shipped: the paper's numbers alone."""
    rows = [
        {
            "table": table, "dataset": c.dataset, "labels": dict(c.labels), "metric": c.meant, "published": c.value,
            "printed_as": c.metric, "mark": c.mark, "values": [], "absent": "nothing was run", "incomparable": "",
            "test_share": 0.0, "runs": [],
        }
        for c in published.read_cells(paper, table)
    ]  # fmt: skip
    return {"paper": paper, "table": table, "title": "", "rows": judge(rows, [])[0], "claims": []}


def _draw_protocol(document: Mapping[str, Any]) -> None:
    """Draw what was run, and where it comes from."""
    facts = document["provenance"]
    st.info(escape(document["words"], 2000), icon=":material/science:")
    st.caption(
        f"{format_count(facts['runs'], 'run')}, n = {facts['n']} a cell, {format_duration(facts['seconds'])} of computing on "
        f"{escape(', '.join(facts['machines']), 120)}, {escape(str(facts['last'])[:10])}"
    )
    with draw_fold("How it was made, and how to make it again", "papers-made", ":material/receipt_long:"):
        st.markdown("The same command finishes what is missing and measures nothing twice:")
        st.code(facts["command"], language="bash")
        commits = ", ".join(c[:10] for c in facts["commits"])
        lines = [f"Between {escape(facts['first'])} and {escape(facts['last'])}", f"torch {escape(', '.join(facts['torch']))}"]
        lines += [f"Devices: {escape(', '.join(facts['devices']), 200)}", f"Commits: {escape(commits, 400)}"]
        lines += [f"Processor: {escape(', '.join(facts['cpus']), 200)}"] if facts.get("cpus") else []
        st.markdown("\n".join(f"- {line}" for line in lines))
        st.markdown("Whether its first cell comes out again on this machine (`--cell` names another):")
        st.code(f"{facts['command']} --check", language="bash")


def _choose_measurements() -> str:
    """Draw the choice between the shipped measurements and this lab's own; return it."""
    if st.session_state.get("papers.whose") not in (SHIPPED, LAB):
        st.session_state["papers.whose"] = SHIPPED
    return st.segmented_control(
        "Measurements", [SHIPPED, LAB], key="papers.whose", required=True,
        help="Verdicts, ranks and figures below are made of these. The table of cells has both, side by side.",
    )  # fmt: skip


def _draw_open_questions(catalog: Mapping[str, Any], paper: str) -> None:
    """Draw what the paper leaves open, and what was decided here."""
    try:
        deviations = find_entry(catalog, "methods", PAPERS[paper].METHOD)["deviations"]
    except UnknownName:
        return
    decisions = list(dict.fromkeys(s for preset in deviations.values() for s in preset))
    if not decisions:
        return
    with draw_fold("What the paper leaves open, and what was decided here", "papers-open", ":material/rule:"):
        st.markdown("\n".join(f"- {escape(s, 400)}" for s in decisions))
