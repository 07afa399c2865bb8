"""Papers: what the papers' tables print, what came of the same experiment here, and which of their claims hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.charts import cells, drawn, ranks
from app.frame import address, links, top
from app.parts import share
from app.parts.elements import chart, folded, heading
from app.views.papers import measuring
from app.words import glossary
from app.words.text import duration, many, plain, signed
from engine.errors import BadData, LabError, UnknownName
from engine.papers import measured, published
from engine.papers.verdicts import FAILS, HOLDS, NOT_MEASURED, UNDECIDED, judge
from engine.spec.result import METRICS
from engine.spec.run import find_entry
from engine.store import Store

NAMES = {
    "adult": "Explicit gradient: Adult",
    "keel": "Explicit gradient: KEEL",
    "sine": "Explicit gradient: sine",
    "moving": "Does moving help?",
    "eos": "EOS (Dablain et al.)",
    "dos": "DOS (Ando and Huang)",
}
METHODS = {"eos": "eos", "dos": "dos"}
"""Whose decisions stand beside a paper's tables; the others are explicit gradient's."""
MARKS = {
    HOLDS: ":green[:material/check_circle:] **holds**",
    FAILS: ":red[:material/cancel:] **does not hold**",
    UNDECIDED: ":material/help: undecided",
    NOT_MEASURED: ":material/hourglass_empty: not measured here yet",
}
LATE = 5.0
"""Seconds after a change in which the address of before counts as late, not as a link that was followed."""
FEW = 6
"""Undecided claims that are listed without being asked for."""
WORDS = {"mnr": "minority (mnr)", "mjr": "majority (mjr)"}
HEADS = {"p": "share removed (p)", "k": "neighbours (k)", "minority": "loses rows"}
SHIPPED, LAB = "shipped", "of this lab"
EXACT = 1e-9
"""The same run gives values that differ by no more than this where processor and torch are the same."""
LINES = 40
"""Cells in the picture at most; the table below has all."""


def page() -> None:
    """Draw the page."""
    top.style()
    try:
        store = session.store()
        catalog = session.catalog()
    except LabError as error:
        st.title("Imbalance Lab")
        st.error(plain(error, 600), icon=":material/error:")
        return
    top.head(False)
    st.subheader("What the papers print, and what came of it here")
    paper, table = _choose()
    try:
        document = measured.measured(paper, table, reduced=(paper, table, False) not in measured.tables())
    except BadData as error:
        st.error(plain(error, 400), icon=":material/error:")
        document = None
    if document is None:
        document = _printed_only(paper, table)
    st.markdown(f"**{plain(published.TITLES[paper], 200)}**, table {plain(table)}: {plain(document.get('title', ''), 200)}")
    shipped = bool(document["rows"] and document.get("provenance"))
    if shipped:
        _protocol(document)
    else:
        st.info(
            "None of this table was measured here yet. "
            + ("These are the printed numbers alone." if document["rows"] else "The paper prints no numbers of it."),
            icon=":material/hourglass_empty:",
        )
    mine = measuring.here(paper, table, catalog, store)
    if mine is not None:
        mine = mine | {"other": shipped and mine["reduced"] != document["reduced"]}
    lab = mine is not None and (not shipped or _whose() == LAB)
    shown = mine if lab and mine is not None else document
    if lab:
        st.info(plain(shown["words"], 2000), icon=":material/science:")
    if shipped or lab:
        _over_sets(shown.get("over_sets") or {})
        _claims(shown["claims"])
        _figures(paper, shown.get("figures") or {})
    if shown["rows"]:
        _numbers(shown["rows"], store, mine, lab)
    _open_questions(catalog, paper)
    with folded("Cite this paper", "papers-cite", ":material/format_quote:"):
        st.code(published.CITATIONS[paper], language="bibtex")


def _choose() -> tuple[str, str]:
    """Paper and table, kept in the address."""
    state, query = st.session_state, st.query_params
    asked_for = (query.get("paper"), query.get("table"))
    # for a moment after a change the browser still sends the address of before, which is nobody's wish
    late = asked_for == state.get("papers.before") and time.monotonic() - state.get("papers.changed", -LATE) < LATE
    if state.get("page") != "papers" or (asked_for != state.get("papers.url") and not late):
        state["page"] = "papers"
        asked = query.get("paper", "eos")
        state["papers.paper"] = asked if asked in NAMES else "eos"
        state["papers.table"] = query.get("table")
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        paper = st.selectbox("Paper", list(NAMES), format_func=NAMES.__getitem__, key="papers.paper")
    names = published.tables(paper)
    there = {name for p, name, _ in measured.tables() if p == paper}
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
    if state.get("papers.url") != (paper, table):
        state["papers.before"], state["papers.changed"] = state.get("papers.url"), time.monotonic()
    address.write({"paper": paper, "table": table})
    state["papers.url"] = (paper, table)
    return paper, table


def _printed_only(paper: str, table: str) -> dict[str, Any]:
    """A table of which nothing is shipped: the paper's numbers."""
    rows = [
        {
            "table": table, "dataset": c.dataset, "labels": dict(c.labels), "metric": c.meant, "published": c.value,
            "printed_as": c.metric, "mark": c.mark, "values": [], "absent": "nothing was run", "incomparable": "",
            "test_share": 0.0, "runs": [],
        }
        for c in published.cells(paper, table)
    ]  # fmt: skip
    return {"paper": paper, "table": table, "title": "", "rows": judge(rows, [])[0], "claims": []}


def _protocol(document: Mapping[str, Any]) -> None:
    """What was run, and where it comes from."""
    facts = document["provenance"]
    st.info(plain(document["words"], 2000), icon=":material/science:")
    st.caption(
        f"{many(facts['runs'], 'run')}, n = {facts['n']} a cell, {duration(facts['seconds'])} of computing on "
        f"{plain(', '.join(facts['machines']), 120)}, {plain(str(facts['last'])[:10])}"
    )
    with folded("How it was made, and how to make it again", "papers-made", ":material/receipt_long:"):
        st.markdown("The same command finishes what is missing and measures nothing twice:")
        st.code(facts["command"], language="bash")
        commits = ", ".join(c[:10] for c in facts["commits"])
        lines = [f"Between {plain(facts['first'])} and {plain(facts['last'])}", f"torch {plain(', '.join(facts['torch']))}"]
        lines += [f"Devices: {plain(', '.join(facts['devices']), 200)}", f"Commits: {plain(commits, 400)}"]
        lines += [f"Processor: {plain(', '.join(facts['cpus']), 200)}"] if facts.get("cpus") else []
        st.markdown("\n".join(f"- {line}" for line in lines))
        st.markdown("Whether its first cell comes out again on this machine (`--cell` names another):")
        st.code(f"{facts['command']} --check", language="bash")


def _whose() -> str:
    """Whose measurements are drawn, where there are two: those that are shipped, or this lab's own."""
    if st.session_state.get("papers.whose") not in (SHIPPED, LAB):
        st.session_state["papers.whose"] = SHIPPED
    return st.segmented_control(
        "Measurements", [SHIPPED, LAB], key="papers.whose", required=True,
        help="Verdicts, ranks and figures below are made of these. The table of cells has both, side by side.",
    )  # fmt: skip


def _claims(claims: Sequence[Mapping[str, Any]]) -> None:
    """Every claim with its verdict, those that are decided against the paper first."""
    if not claims:
        return
    heading(
        "Claims of the paper",
        "Each claim is tested on pairs of runs with the same seed; p is corrected by Holm over the claims of this table on one "
        "dataset. Holds and does not hold: decided at 5%. Undecided: these replicates cannot tell.",
    )
    counts = Counter(c["verdict"] for c in claims)
    st.markdown(
        " · ".join(f"{MARKS.get(v, plain(v))}: {counts[v]}" for v in (HOLDS, FAILS, UNDECIDED, NOT_MEASURED) if counts[v])
    )
    places = list(dict.fromkeys(c["dataset"] for c in claims))
    chosen = places
    if len(places) > 1:
        chosen = st.pills("Dataset", places, selection_mode="multi", default=places, key="papers.claims") or places
    order = {FAILS: 0, HOLDS: 1, UNDECIDED: 2, NOT_MEASURED: 3}
    shown = sorted((c for c in claims if c["dataset"] in chosen), key=lambda c: order.get(c["verdict"], 4))
    decided = [c for c in shown if c["verdict"] in (HOLDS, FAILS)]
    others = [c for c in shown if c["verdict"] not in (HOLDS, FAILS)]
    st.markdown("\n".join(f"- {_said(c)}" for c in decided))
    if not others:
        return
    if len(others) <= FEW:
        st.markdown("\n".join(f"- {_said(c)}" for c in others))
        return
    with folded(f"{len(others)} claims that these replicates do not decide", "papers-undecided", ":material/help:") as fold:
        if fold.open:
            st.markdown("\n".join(f"- {_said(c)}" for c in others))


def _over_sets(found: Mapping[str, Mapping[str, Any]]) -> None:
    """What several data sets together say: mean ranks with the critical difference, and pair by pair."""
    found = {name: one for name, one in found.items() if one["ranks"] and one["friedman"]}  # from two sets on
    if not found:
        return
    heading(
        "Over all data sets",
        glossary.about(
            "CD diagram",
            "critical difference",
            "Friedman's test",
            "Wilcoxon's signed ranks",
            "Holm",
            last="A win or loss is a difference beyond the margin.",
        ),
    )
    names = list(found)
    if st.session_state.get("papers.over") not in names:
        st.session_state["papers.over"] = "ours" if "ours" in names else names[0]
    which = st.segmented_control("Numbers", names, key="papers.over", required=True)
    one = found[which]
    chart(ranks.figure(one), "chart-papers-ranks", ranks.alt(one))
    p = one["friedman"]["p"]
    said = f"{many(one['sets'], 'set')}; Friedman p {'< 0.0001' if p < 1e-4 else f'= {p:.2g}'}."
    if claim := one.get("claim"):
        said += f" Claim: *{plain(claim['text'], 200)}*: {MARKS.get(claim['verdict'], plain(claim['verdict']))}"
    st.markdown(said)
    rows = [
        {
            "pair": f"{q['left']} against {q['right']}",
            "mean difference": signed(q["mean"]),
            "wins": q["wins"],
            "ties": q["ties"],
            "losses": q["losses"],
            "p (Holm)": f"{q['p_holm']:.2g}",
        }
        for q in one["pairs"]
    ]
    alt = f"Pairs of methods over {one['sets']} sets, margin {one['margin']}"
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=alt)
    share.table(rows, "pairs", f"papers-pairs-{which}", alt)


def _said(claim: Mapping[str, Any]) -> str:
    text = f"{MARKS.get(claim['verdict'], plain(claim['verdict']))} · {plain(claim['dataset'])} · {plain(claim['text'], 200)}"
    if claim["reason"]:
        return f"{text}: {plain(claim['reason'], 200)}"
    if d := claim["difference"]:
        p = "" if claim["p_holm"] is None else ", p < 0.0001" if claim["p_holm"] < 1e-4 else f", p = {claim['p_holm']:.2g}"
        text += f": {signed(d['mean'])} [{signed(d['low'])}, {signed(d['high'])}], n = {claim['n']}{plain(p)}"
    return text


def _figures(paper: str, found: Mapping[str, Any]) -> None:
    """The paper's figures, from the means over our replicates (the sine: from its first draw)."""
    if not found:
        return
    heading(
        "Figures of the paper, measured here", "Drawn from the same runs as the numbers: means over the replicates, no bands."
    )
    if paper == "sine":
        titles = {"left": "The task", "middle": "Training and validation points together", "right": "Explicit gradient"}
        places = st.columns(3)
        for place, (name, title) in zip(places, titles.items(), strict=True):
            if name in found["2"]:
                with place:
                    st.markdown(f"Figure 2, {name}: {title}")
                    chart(drawn.panel(found["2"][name]), f"chart-papers-sine-{name}", drawn.panel_alt(found["2"][name]))
        return
    names = {"3": "3: precision and recall", "4": "4: validation while training", "5": "5: losses of explicit gradient"}
    there = [name for name in names if name in found]
    if st.session_state.get("papers.figure") not in there:
        st.session_state["papers.figure"] = there[0]
    which = st.segmented_control("Figure", there, format_func=names.__getitem__, key="papers.figure", required=True)
    one = found[which]
    if which == "3":
        ratios = list(one)
        if st.session_state.get("papers.ratio") not in ratios:
            st.session_state["papers.ratio"] = ratios[0]
        ratio = st.segmented_control("Imbalance", ratios, key="papers.ratio", required=True)
        curves = {name: (c["recall"], c["precision"]) for name, c in one[ratio].items()}
        figure, said = drawn.lines(curves, "Recall", "Precision"), f"Precision against recall at {ratio}"
    elif which == "4":
        joined = {name: [v for phase in ("training", "points") for v in phases.get(phase, [])] for name, phases in one.items()}
        curves = {name: (list(range(1, len(v) + 1)), v) for name, v in joined.items()}
        figure, said = (
            drawn.lines(curves, "Epoch, both phases", "Average precision on validation"),
            "Validation by epoch at 50:1",
        )
    else:
        curves = {name: (list(range(1, len(v) + 1)), v) for name, v in one.items()}
        figure, said = drawn.lines(curves, "Meta-epoch", "Loss"), "Losses of explicit gradient by meta-epoch at 50:1"
    chart(figure, f"chart-papers-figure-{which}", f"{said}: {', '.join(curves)}")


def _names(row: Mapping[str, Any]) -> list[str]:
    """What names a cell of one dataset; bare numbers with what they count."""
    return [f"{k} {v}" if k in ("p", "k", "digit") else str(v) for k, v in row["labels"].items() if k != "minority"]


def _numbers(rows: Sequence[Mapping[str, Any]], store: Store, mine: Mapping[str, Any] | None, lab: bool) -> None:
    """A picture of one metric's cells, the table of all, and the runs of the one that is chosen.

    mine: this lab's measurements, None without; lab: `rows` are those.
    """
    heading(
        "Cell by cell",
        "A printed number is inside, above or below the central 95% of our single-split values where the protocols are the same; "
        "elsewhere it is not comparable, and says why.",
    )
    metrics = list(dict.fromkeys(r["metric"] for r in rows))
    places = list(dict.fromkeys(r["dataset"] for r in rows))
    left, right = st.columns(2)
    if st.session_state.get("papers.metric") not in metrics:
        st.session_state["papers.metric"] = metrics[0]
    with left:
        metric = st.segmented_control("Metric", metrics, format_func=_metric, key="papers.metric", required=True)
    with right:
        if st.session_state.get("papers.place") not in places:
            st.session_state["papers.place"] = next((r["dataset"] for r in rows if r["ours"]), places[0])
        place = st.selectbox("Dataset", places, key="papers.place")
    shown = [r for r in rows if r["metric"] == metric and r["dataset"] == place]
    if not shown:
        st.caption("The paper and the protocol have no such cell.")
        return
    lines = [_line(r) for r in shown[:LINES]]
    if any(line.mean is not None or line.published is not None for line in lines):
        chart(cells.figure(lines, _metric(metric)), "chart-papers-cells", cells.alt(lines, _metric(metric)))
    if len(shown) > LINES:
        st.caption(f"The picture has the first {LINES} of {len(shown)} cells.")
    frame, alt = (
        _frame(shown, mine, lab),
        f"{_metric(metric)} on {place}: printed, measured here, and what one says of the other",
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        key=f"papers-cells-{metric}-{places.index(place)}",
        on_select="rerun",
        selection_mode="multi-row",  # a single one cannot be chosen by keyboard
        alt=alt,
    )
    share.table(frame, "cells", "papers-cells", alt)
    marks = sorted({r["mark"] for r in shown if r["mark"]})
    if marks:
        st.caption(f"✱ {plain(marks[0], 300)}" + (f" (and {len(marks) - 1} other reasons)" if len(marks) > 1 else ""))
    chosen = picked["selection"]["rows"]
    for i in chosen[:FEW]:
        _runs(shown[i], store, measuring.row_of(mine, shown[i]), bool(mine and mine["other"]))
    if not chosen:
        st.caption("Choose rows to see their replicates and open their runs.")


def _metric(name: str) -> str:
    return METRICS[name][0] if name in METRICS else name.replace("_", " ")


def _line(row: Mapping[str, Any]) -> cells.Line:
    ours = row["ours"] or {}
    name = ", ".join(_names(row)) or row["dataset"]
    return cells.Line(name, ours.get("mean"), ours.get("low"), ours.get("high"), row["published"])


def _frame(rows: Sequence[Mapping[str, Any]], mine: Mapping[str, Any] | None, lab: bool) -> pd.DataFrame:
    """One line a cell; text, so that a number stands with its interval. See `_numbers`."""
    labels = list(dict.fromkeys(k for r in rows for k in r["labels"]))
    protocol = "" if mine is None or not mine["other"] else " (reduced)" if mine["reduced"] else " (full)"
    out = []
    for r in rows:
        ours = r["ours"]
        line = {HEADS.get(k, k): WORDS.get(value := str(r["labels"].get(k, "")), value) for k in labels}
        line["printed"] = "" if r["published"] is None else f"{r['published']:.4f}{' ✱' if r['mark'] else ''}"
        if not lab:
            line["here"] = "" if ours is None else f"{ours['mean']:.4f}{_bounds(ours)}"
            line["n"] = "" if ours is None else str(ours["n"])
        if mine is not None:
            own = measuring.row_of(mine, r)
            line[f"in this lab{protocol}"] = "" if own is None else f"{own['ours']['mean']:.4f}{_bounds(own['ours'])}"
            line["n, this lab"] = "" if own is None else str(own["ours"]["n"])
        line["the printed number is"] = r["verdict"] + (f": {r['reason']}" if r["reason"] else "")
        out.append(line)
    return pd.DataFrame(out)


def _bounds(ours: Mapping[str, Any]) -> str:
    return "" if ours["low"] is None else f" [{ours['low']:.4f}, {ours['high']:.4f}]"


def _runs(row: Mapping[str, Any], store: Store, own: Mapping[str, Any] | None = None, other: bool = False) -> None:
    """The replicates of a cell, and those of its runs that this store has.

    own: the cell as this lab measured it, None where it did not; other: by another protocol.
    """
    if row["ours"] is None and own is None:
        st.caption(f"Not measured here yet: {plain(row['reason'], 300)}.")
        return
    best = own or row
    name = ", ".join([row["dataset"], *_names(row)])
    st.markdown(f"**{plain(name, 200)}**: {many(len(best['values']), 'replicate')} · {plain(best['ours']['interval'], 160)}")
    for whose, one in (("", row), ("In this lab: ", own)):
        if one is not None and one["ours"] is not None and (one is not own or row["values"] != own["values"]):
            st.caption(whose) if whose else None
            st.code(", ".join(f"{v:.4f}" for v in one["values"] if v is not None), language=None, wrap_lines=True)
    if own is not None and row is not own and row["ours"] is not None:
        st.caption("Another protocol than the shipped one: the two say nothing of each other." if other else _apart(row, own))
    there = []
    for id in dict.fromkeys([*(own["runs"] if own else []), *row["runs"]]):
        try:
            store.job(id)
        except UnknownName:
            continue
        there.append(id)
    if there:
        with st.container(horizontal=True):
            for i, id in enumerate(there[:5], 1):
                links.to("lab", f"Open run {i} in the Lab", ":material/science:", run=id)
        if len(there) > 5:
            st.caption(f"The first 5 of {len(there)} runs.")
    else:
        st.caption("Its runs are not in this store: measure them above.")


def _apart(row: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """What this lab's values are to the shipped ones."""
    if row["runs"] != own["runs"]:
        inside = row["ours"]["low"] is not None and row["ours"]["low"] <= own["ours"]["mean"] <= row["ours"]["high"]
        return f"Not all of them are the shipped runs; this lab's mean is {'inside' if inside else 'outside'} the shipped interval."
    off = [abs(a - b) for a, b in zip(row["values"], own["values"], strict=True) if a is not None and b is not None]
    largest = max(off, default=0.0)
    return (
        "Equal to the shipped values to 1e-9."
        if largest <= EXACT
        else f"Apart from the shipped values by at most {largest:.2g}."
    )


def _open_questions(catalog: Mapping[str, Any], paper: str) -> None:
    """What the paper leaves open, and what was decided."""
    try:
        deviations = find_entry(catalog, "methods", METHODS.get(paper, "explicit-gradient"))["deviations"]
    except UnknownName:
        return
    said = list(dict.fromkeys(s for preset in deviations.values() for s in preset))
    if not said:
        return
    with folded("What the paper leaves open, and what was decided here", "papers-open", ":material/rule:"):
        st.markdown("\n".join(f"- {plain(s, 400)}" for s in said))
