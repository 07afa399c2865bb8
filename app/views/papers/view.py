"""Papers: what the papers' tables print, what the same experiment gives here, and which of their claims hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import streamlit as st

from app.frame import headline, tabs, top
from app.frame.address import Address
from app.frame.opening import open_page
from app.session.store import get_store, read_catalog
from app.views.papers import cells, claims, figures, measuring, methods, numbers, ranks
from app.views.papers.coverage import draw_coverage
from app.words import papers as words
from app.words.text import escape, format_count, format_duration
from engine.errors import BadData, UnknownName
from engine.papers import measured, published, stored
from engine.papers.cards import Card, find_printed, list_cards
from engine.papers.tables import PAPERS
from engine.papers.verdicts import judge
from engine.spec.run import find_entry
from engine.store import Store

FIRST = ("keel", "3")
"""The table that the page opens on."""
STUDIES = ("moving", "all-methods", "beyond")
"""What is measured here alone: no paper prints it."""
OF_METHODS = {"all-methods": "method", "beyond": "combination"}
"""Studies that say in a sentence what holds over their sets, and what a row of theirs is."""
ADDRESS = Address("papers", {"paper": FIRST[0], "table": FIRST[1]}, echo_seconds=1.5)
GROUP, TABS = "papers.group", "papers.tab"
"""Keys of the part of the page and of the open tab."""
STYLE = """<style>
.st-key-papers-top { min-height: 40px; flex-wrap: wrap; row-gap: 4px; }
.st-key-papers-claim-line { min-height: 48px; }
.st-key-papers-claim-line > :first-child { flex: 1 1 0; min-width: 280px; }
.st-key-papers-claim-line > :not(:first-child) { flex: none; width: auto; }
</style>"""


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog()), style=STYLE)
    if opened is None:
        return
    store, catalog = opened
    if (run := st.session_state.pop("papers.open", None)) is not None:
        st.switch_page(st.session_state["pages"]["lab"], query_params={"run": run})
    if (link := st.session_state.pop(methods.GO, None)) is not None:
        st.switch_page(st.session_state["pages"][link[0]], query_params=link[1])
    top.draw_head(False)
    _read()
    with st.container(horizontal=True, vertical_alignment="center", key="papers-top"):
        group = st.segmented_control(
            words.PART, list(words.GROUPS), format_func=words.GROUPS.__getitem__, key=GROUP, required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        paper, table = _choose_table(group) if group not in words.TITLES else ("", "")
    if group in words.TITLES:
        headline.draw_title(words.TITLES[group])
        if group == "methods":
            methods.draw_methods(catalog)
        else:
            draw_coverage()
        ADDRESS.write({"paper": group})
        return
    _draw_table(paper, table, store, catalog)


# ---- which table


def list_choices(group: str) -> list[tuple[str, str]]:
    """Return (paper, table) of a part of the page, those that are measured first."""
    own = [paper for paper, _ in words.TABLES if paper not in words.GROUPS]
    papers = list(dict.fromkeys(own)) if group == "explicit" else [group]
    there = {(paper, table) for paper, table, _ in measured.list_tables()}
    choices = [(paper, table) for paper in papers for table in published.list_tables(paper)]
    return sorted(choices, key=lambda choice: choice not in there) if group != "explicit" else choices


def _find_group(paper: str) -> str:
    return paper if paper in words.GROUPS else "explicit"


def _read() -> None:
    """Take over what the address asks for, where it has changed."""
    state, query = st.session_state, ADDRESS.read()
    if query is None and GROUP in state:
        return
    query = query or {}
    paper = query.get("paper", FIRST[0])
    if paper not in published.TABLES and paper not in words.TITLES:
        paper = FIRST[0]
    state[GROUP] = group = _find_group(paper)
    if group not in words.TITLES:
        names = published.list_tables(paper)
        usual = next((table for p, table in list_choices(group) if p == paper), names[0])
        wanted = query.get("table", usual)
        state[f"papers.table.{group}"] = (paper, wanted if wanted in names else usual)
    state["papers.wanted"] = query.get("tab", "")


def _choose_table(group: str) -> tuple[str, str]:
    """Draw the choice of a table of a part of the page; return its paper and name."""
    choices, key, state = list_choices(group), f"papers.table.{group}", st.session_state
    if state.get(key) not in choices:
        state[key] = choices[0]
    shown = "papers.table"
    state[shown] = state[key]

    def name(choice: tuple[str, str]) -> str:
        usual = words.TEXT if choice[1] == "text" else words.TABLE.format(name=choice[1])
        return words.TABLES.get(choice, usual)

    chosen: tuple[str, str] = st.segmented_control(
        words.CHOICE, choices, format_func=name, key=shown, required=True, label_visibility="collapsed",
        on_change=lambda: state.update({key: state[shown]}),
    )  # fmt: skip
    return chosen


# ---- one table


def _draw_table(paper: str, table: str, store: Store, catalog: Mapping[str, Any]) -> None:
    """Draw a table: the verdict on its claims, the claims, and what the open tab holds."""
    document, trouble = _read_document(paper, table)
    shipped = bool(document["rows"] and document.get("provenance"))
    here = stored.read_states(store, [id for row in document["rows"] for id in row["runs"]])
    done = {id for id, state in here.items() if state.state == "done"}
    mine = None
    if done or st.session_state.get(measuring.SEEN) == (paper, table):
        mine = measuring.read_mine(paper, table, catalog, store)
    if mine is not None:
        mine = mine | {"other": shipped and mine["reduced"] != document["reduced"]}
    lab = mine is not None and (not shipped or _choose_measurements() == words.LAB)
    shown = mine if lab and mine is not None else document
    cards = list_cards(shown["claims"], _find_printed(paper, table, bool(shown.get("reduced", True))))
    _draw_verdict(shown, cards, shipped or lab)
    if trouble:
        st.error(escape(trouble, 400), icon=":material/error:")
    if paper in OF_METHODS and (said := ranks.describe_above(shown.get("over_sets") or {}, OF_METHODS[paper])):
        st.markdown(escape(said, 2000))
    claims.draw_cards(cards)
    titles = _list_tabs(paper)
    if (wanted := st.session_state.pop("papers.wanted", None)) is not None or st.session_state.get("papers.of") != (
        paper,
        table,
    ):
        tabs.take_tab({tabs.WORD: wanted or ""}, titles, TABS)
        st.session_state["papers.of"] = (paper, table)
    name, place = tabs.draw_tabs(titles, TABS)
    with place:
        if name == "cells":
            cells.draw_cells(shown["rows"], done) if shown["rows"] else st.caption(
                words.NO_TABLE_YET if paper in STUDIES else words.NOTHING_PRINTED
            )
        elif name == "numbers":
            numbers.draw_numbers(shown["rows"], store, mine, lab)
        elif name == "claims":
            claims.draw_table(shown["claims"])
        elif name == "ranks":
            ranks.draw_ranks(shown.get("over_sets") or {})
        elif name == "figures":
            figures.draw_figures(paper, shown.get("figures") or {})
        elif name == "run":
            if st.session_state.get(measuring.SEEN) != (paper, table):
                st.session_state[measuring.SEEN] = (paper, table)
                if mine is None:
                    st.rerun()
            measuring.draw_measuring(paper, table, catalog, store)
        else:
            _draw_made(document, paper, catalog)
    ADDRESS.write({"paper": paper, "table": table} | tabs.write_tab(titles, TABS))


def _list_tabs(paper: str) -> dict[str, str]:
    """Return the tabs of a paper's tables: name -> title. They do not depend on what is measured, so that an open one stays open."""
    lacks = {"ranks": "compare_methods", "figures": "figures"}
    return {name: title for name, title in words.TABS.items() if name not in lacks or hasattr(PAPERS[paper], lacks[name])}


def _read_document(paper: str, table: str) -> tuple[dict[str, Any], str]:
    """Return what is shipped of a table, else its printed numbers; and what is wrong with the file, ''."""
    reduced = (paper, table, False) not in measured.list_tables()
    path = measured.table_path(paper, table, reduced)
    try:
        changed = path.stat().st_mtime_ns if path.exists() else 0
        document = _read_shipped(paper, table, reduced, str(path), changed)
    except BadData as error:
        return _read_printed(paper, table), f"{error} {words.UNREADABLE}"
    return (_read_printed(paper, table) if document is None else document), ""


@lru_cache(maxsize=8)
def _read_shipped(paper: str, table: str, reduced: bool, path: str, changed: int) -> dict[str, Any] | None:
    return measured.read_table(paper, table, reduced=reduced)


@lru_cache(maxsize=16)
def _find_printed(paper: str, table: str, reduced: bool) -> dict[tuple[str, str], float]:
    return find_printed(PAPERS[paper].table(table, reduced))


@lru_cache(maxsize=8)
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


def _draw_verdict(shown: Mapping[str, Any], cards: list[Card], is_measured: bool) -> None:
    """Draw how many claims hold, and what was run as chips."""
    said = claims.judge_claims(cards)
    with st.container(horizontal=True, vertical_alignment="center", key="papers-claim-line"):
        with st.container():
            if said is None:
                headline.draw_title(words.NO_CLAIM)
            else:
                headline.draw_headline(said)
        headline.draw_chips(list_facts(shown) if is_measured else [words.PRINTED_ONLY if shown["rows"] else words.NO_TABLE])


def list_facts(shown: Mapping[str, Any]) -> list[str]:
    """Return '154 of 154 cells measured', '20 replicates', 'reduced protocol'."""
    rows = shown["rows"]
    counts = sorted({row["ours"]["n"] for row in rows if row["ours"]})
    out = [words.MEASURED.format(done=sum(row["ours"] is not None for row in rows), cells=format_count(len(rows), "cell"))]
    if counts:
        out.append(
            words.REPLICATES.format(n=counts[0] if len(counts) == 1 else words.TO.format(low=counts[0], high=counts[-1]))
        )
    return [*out, words.REDUCED if shown.get("reduced") else words.FULL]


def _choose_measurements() -> str:
    """Draw the choice between the shipped measurements and this lab's own; return it."""
    if st.session_state.get("papers.whose") not in (words.SHIPPED, words.LAB):
        st.session_state["papers.whose"] = words.SHIPPED
    chosen: str = st.segmented_control(
        words.WHOSE, [words.SHIPPED, words.LAB], key="papers.whose", required=True, help=words.WHOSE_HELP,
        label_visibility="collapsed",
    )  # fmt: skip
    return chosen


def _draw_made(document: Mapping[str, Any], paper: str, catalog: Mapping[str, Any]) -> None:
    """Draw what was run, where it comes from, what the paper leaves open, and how to cite it."""
    title = f"**{escape(published.TITLES[paper], 200)}**"
    st.markdown(f"{title}. {escape(document['title'], 200)}" if document.get("title") else title)
    if document.get("provenance"):
        facts = document["provenance"]
        st.markdown(escape(document["words"], 2000))
        given = {"runs": format_count(facts["runs"], "run"), "n": facts["n"], "time": format_duration(facts["seconds"])}
        st.caption(escape(words.MADE_COST.format(**given, date=str(facts["last"])[:10]), 300))
        st.caption(words.MADE_AGAIN)
        st.code(facts["command"], language="bash")
        lines = [words.MADE_BETWEEN.format(first=facts["first"], last=facts["last"])]
        for text, key in (
            (words.MADE_ON, "machines"), (words.MADE_CPUS, "cpus"), (words.MADE_DEVICES, "devices"), (words.MADE_TORCH, "torch"),
        ):  # fmt: skip
            lines += [text.format(names=", ".join(facts[key]))] if facts.get(key) else []
        lines.append(words.MADE_COMMITS.format(names=", ".join(commit[:10] for commit in facts["commits"])))
        st.markdown("\n".join(f"- {escape(line, 400)}" for line in lines))
        st.caption(words.MADE_CHECK)
        st.code(f"{facts['command']} --check", language="bash")
    _draw_open_questions(catalog, paper)
    st.markdown(f"**{words.CITE}**")
    st.code(published.CITATIONS[paper], language="bibtex")


def _draw_open_questions(catalog: Mapping[str, Any], paper: str) -> None:
    """Draw what the paper leaves open, and what was decided here."""
    try:
        deviations = find_entry(catalog, "methods", PAPERS[paper].METHOD)["deviations"]
    except UnknownName:
        return
    decisions = list(dict.fromkeys(s for preset in deviations.values() for s in preset))
    if decisions:
        st.markdown(f"**{words.OPEN_QUESTIONS}**")
        st.markdown("\n".join(f"- {escape(s, 400)}" for s in decisions))
