"""The Papers page over the tables that are shipped, and over ones made by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.charts import cells, drawn, ranks
from app.views.papers import claims, numbers
from app.words.text import escape
from engine.papers import measured, published
from engine.store import Store
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_lab import charts, words

Look = Callable[..., AppTest]
MARKUP = "<img src=x onerror=alert(1)> **b** $x$"


@pytest.fixture
def look(store: Store) -> Look:
    """look(query...) -> the Papers page, run once; no exception may be on it."""
    return partial(opened, "papers")


@pytest.mark.parametrize(("paper", "table"), [(p, t) for p in published.TABLES for t in published.TABLES[p]])
def test_every_table_is_shown(look: Look, paper: str, table: str) -> None:
    page = look(paper=paper, table=table)
    said = words(page)
    assert escape(published.TITLES[paper], 200) in said
    assert dict(page.query_params.items()) == {"paper": paper, "table": table}
    there = (paper, table) in {(p, t) for p, t, _ in measured.list_tables()}
    assert ("None of this table was measured here yet" in said) == (not there)
    assert (" of computing on " in said) == there
    if not there and not published.read_cells(paper, table):
        assert "prints no numbers" in said
        return
    frame = page.dataframe[-1].value
    assert len(frame) and {"printed", "here", "the printed number is"} <= set(frame.columns)
    assert all(c.alt for c in charts(page))


def test_claims_stand_with_their_verdicts_and_numbers(look: Look) -> None:
    page = look(paper="eos", table="II")
    said = words(page)
    document = measured.read_table("eos", "II")
    assert document is not None
    for verdict in ("holds", "does not hold", "undecided"):
        assert f"{verdict}" in said
        count = sum(c["verdict"] == verdict for c in document["claims"])
        assert f": {count}" in said
    claim = next(c for c in document["claims"] if c["dataset"] == "MNIST" and c["text"].startswith("CE: EOS above SMOTE"))
    shown = claims.describe_claim(claim)
    assert "does not hold" in shown and "−0.029 [−0.042, −0.016], n = 20" in shown


def test_a_link_to_what_is_not_there_shows_what_is(look: Look) -> None:
    page = look(paper="<b>", table="99")
    assert page.query_params["paper"] in ("eos", ["eos"]) and "cannot" not in words(page)


def test_another_paper_has_tables_of_its_own(look: Look) -> None:
    page = look(paper="eos", table="II")
    page.session_state["papers.paper"] = "dos"
    page.run()
    assert not page.exception
    assert dict(page.query_params.items()) == {"paper": "dos", "table": "1"}


def test_an_address_that_comes_late_changes_nothing_back(look: Look) -> None:
    page = look(paper="eos", table="II")
    page.session_state["papers.paper"] = "dos"
    page.run()
    page.query_params.update({"paper": "eos", "table": "II"})  # the browser had not heard of the new one yet
    page.run()
    assert dict(page.query_params.items()) == {"paper": "dos", "table": "1"}
    page.query_params.update({"paper": "eos", "table": "IV"})  # a link
    page.run()
    assert dict(page.query_params.items()) == {"paper": "eos", "table": "IV"}


def test_text_of_a_measured_file_stays_text(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document: dict[str, Any] = dict(measured.read_table("eos", "IV") or {})
    document |= {"title": MARKUP, "words": MARKUP}
    document["claims"] = [c | {"text": MARKUP} for c in document["claims"]]
    document["rows"] = [r | {"labels": {"method": MARKUP}, "mark": f"suspicious: {MARKUP}"} for r in document["rows"]]
    monkeypatch.setattr(measured, "HERE", tmp_path)
    measured.table_path("eos", "IV", True).write_bytes(gzip.compress(json.dumps(document).encode()))
    said = words(look(paper="eos", table="IV"))
    assert "<img" not in said.replace("\\<img", "") and "**b**" not in said


def test_a_file_that_cannot_be_read_is_a_sentence(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "HERE", tmp_path)
    measured.table_path("eos", "IV", True).write_bytes(b"not a zip")
    said = words(look(paper="eos", table="IV"))
    assert "cannot be read" in said and "printed numbers alone" in said


def test_a_cells_runs_are_opened_where_this_store_has_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fabricate.done(store, fabricate.spec())
    opened: list[str] = []
    monkeypatch.setattr(numbers.links, "draw_link", lambda name, label, icon, **query: opened.append(query["run"]))
    row = {"dataset": "d", "labels": {}, "metric": "f1", "values": [0.5], "runs": ["0" * 16, run.id], "reason": ""}
    ours = {"mean": 0.5, "low": None, "high": None, "n": 1, "interval": "no interval"}
    numbers.draw_runs(row | {"ours": ours}, store)
    assert opened == [run.id]


def test_the_picture_has_a_line_a_cell() -> None:
    lines = [
        cells.Line("a", 0.5, 0.4, 0.6, 0.7),
        cells.Line("a", None, None, None, 0.2),
        cells.Line("<b>", 0.3, None, None, None),
    ]
    figure = cells.figure(lines, "F1")
    ours, printed = figure.data
    assert list(ours.x) == [0.5, 0.3] and list(printed.x) == [0.7, 0.2]
    assert list(ours.error_x.array) == pytest.approx([0.1, 0.0]) and list(ours.error_x.arrayminus) == pytest.approx([0.1, 0.0])
    assert len({*ours.y, *printed.y}) == 3 and not any("<b>" in name for name in ours.y)
    assert "a: 0.500, printed 0.700" in cells.alt(lines, "F1") and "not measured" in cells.alt(lines, "F1")


def test_many_sets_are_judged_together(look: Look) -> None:
    page = look(paper="keel", table="3")
    said = words(page)
    assert "Friedman p" in said and "22 sets" in said
    document = measured.read_table("keel", "3", reduced=False)
    assert document is not None
    pairs = next(d.value for d in page.dataframe if "wins" in d.value.columns)
    ours = document["over_sets"]["ours"]
    assert len(pairs) == len(ours["pairs"])
    assert (pairs["wins"] + pairs["ties"] + pairs["losses"] == 22).all()
    picture = next(c for c in charts(page) if "chart-papers-ranks" in c.id)
    assert "Mean ranks over 22 sets" in picture.alt
    for name in document["over_sets"]:
        page.session_state["papers.over"] = name
        page.run()
        assert not page.exception
        assert ("Claim:" in words(page)) == ("claim" in document["over_sets"][name])


def test_methods_within_the_critical_difference_are_joined() -> None:
    found = {"ranks": {"a": 1.2, "b": 2.9, "<b>": 1.9}, "critical_difference": 0.8, "cliques": [["a", "<b>"], ["b"]], "sets": 9}
    width, dots, *bars = ranks.figure(found).data
    assert list(width.x) == [1.2, 2.0] and list(dots.x) == [1.2, 1.9, 2.9] and not any("<b>" in n for n in dots.y)
    assert len(bars) == 1 and list(bars[0].y) == list(dots.y[:2])
    assert "Not told apart: a and <b>." in ranks.alt(found)


def test_the_first_papers_figures_are_drawn_from_our_runs(look: Look) -> None:
    page = look(paper="adult", table="1")
    document = measured.read_table("adult", "1", reduced=True)
    assert document is not None
    for which, names in (
        ("3", document["figures"]["3"]["50:1"]),
        ("4", document["figures"]["4"]),
        ("5", document["figures"]["5"]),
    ):
        page.session_state["papers.figure"] = which
        page.run()
        assert not page.exception
        picture = next(c for c in charts(page) if f"chart-papers-figure-{which}" in c.id)
        assert len(json.loads(picture.spec)["data"]) == len(names) and all(name in picture.alt for name in names)


def test_the_sines_panels_have_the_points_of_the_first_draw(look: Look) -> None:
    page = look(paper="sine", table="2")
    panels = [c for c in charts(page) if "chart-papers-sine" in c.id]
    assert len(panels) == 3 and "20 synthetic points, moved" in panels[2].alt
    document = measured.read_table("sine", "2", reduced=False)
    assert document is not None
    figure = drawn.draw_panel(document["figures"]["2"]["right"])
    assert [t.name for t in figure.data][:2] == ["sin(πx/2)", "the network"] and len(figure.data) == 5
