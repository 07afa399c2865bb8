"""The Papers page over the tables that are shipped, and over ones made by hand."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.charts import drawn, printed, ranks
from app.charts.marks import text as html_text
from app.charts.printed import Cell, Claim
from app.session import lab_address
from app.views.papers import cells, claims, coverage, methods, numbers
from app.views.papers import ranks as over_sets
from app.views.papers import view as papers
from app.words import papers as texts
from app.words.text import escape
from engine.papers import measured, published
from engine.papers.cards import Card
from engine.papers.method_list import LACKING, NAMED, PRINTED, RUNS, MethodRow, list_methods, make_link, read_rows
from engine.papers.tables import Answers, build_table, compute_extras
from engine.spec.run import find_entry
from engine.stats.intervals import Interval
from engine.store import Store
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_compare import heading, html, kept, marks
from tests.app.test_lab import charts, words

Look = Callable[..., AppTest]
MARKUP = "<img src=x onerror=alert(1)> **b** $x$"
NAN = float("nan")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def look(store: Store) -> Look:
    """look(query...) -> the Papers page, run once; no exception may be on it."""
    return partial(opened, "papers")


def test_the_page_opens_on_keel_with_its_claims(look: Look) -> None:
    page = look()
    assert kept(page) == {} and heading(page) == "0 of 6 claims hold here."
    assert "154 of 154 cells measured" in html(page) and "20 replicates" in html(page)
    drawn_marks = marks(page)
    assert drawn_marks.count('class="claim"') == 6 and drawn_marks.count('scope="row"') == 23
    assert "Explicit gradient above plain" in drawn_marks and not page.info, "no box on top"
    assert not re.search(r"\[[+\u2212.\d]", words(page))


@pytest.mark.parametrize(("paper", "table"), [(p, t) for p in published.TABLES for t in published.TABLES[p]])
def test_every_table_is_shown(look: Look, paper: str, table: str) -> None:
    page = look(paper=paper, table=table)
    assert {"paper": paper, "table": table}.items() - kept(page).items() <= {("paper", "keel"), ("table", "3")}
    there = (paper, table) in {(p, t) for p, t, _ in measured.list_tables()}
    prints = bool(published.read_cells(paper, table))
    assert (texts.PRINTED_ONLY in html(page)) == (not there and prints)
    assert (texts.NO_TABLE in html(page)) == (not there and not prints)
    assert ("hold" in heading(page)) == there and (heading(page) == texts.NO_CLAIM) == (not there)
    if not there and not published.read_cells(paper, table):
        assert (texts.NO_TABLE_YET if paper in papers.STUDIES else texts.NOTHING_PRINTED) in words(page)
        return
    drawn_marks = marks(page)
    assert 'class="strips"' in drawn_marks and ('class="claim"' in drawn_marks) == there
    frame = look(paper=paper, table=table, tab="numbers").dataframe[0].value
    assert len(frame) and {"printed", "here", texts.HEADS["verdict"]} <= set(frame.columns)


def test_the_protocol_is_a_chip(look: Look) -> None:
    assert texts.REDUCED in html(look(paper="eos", table="II")) and texts.REDUCED not in html(look())
    page = look(paper="eos", table="II", tab="made")
    assert escape_free(page) and measured.read_table("eos", "II")["provenance"]["command"] in [c.value for c in page.code]  # type: ignore[index]
    assert published.TITLES["eos"] in words(page).replace("\\", "")


def escape_free(page: AppTest) -> bool:
    return not page.exception


@pytest.mark.parametrize("paper", ["eos", "dos", "adult", "sine"])
def test_the_heading_counts_the_claims_that_hold(look: Look, paper: str) -> None:
    for table in published.list_tables(paper):
        document = next((d for r in (False, True) if (d := measured.read_table(paper, table, r)) is not None), None)
        if document is None or not document["claims"]:
            continue
        hold = sum(c["verdict"] == "holds" for c in document["claims"])
        asked = sum(not c["verdict"].startswith("not measured") for c in document["claims"])
        assert heading(look(paper=paper, table=table)).startswith(f"{hold} of {asked} claim")


def test_claims_stand_with_their_verdicts_and_numbers(look: Look) -> None:
    page = look(paper="eos", table="II", tab="claims")
    frame = page.dataframe[0].value
    document = measured.read_table("eos", "II")
    assert document is not None and len(frame) == len(document["claims"])
    own = frame[
        (frame[texts.CLAIM_COLUMNS["dataset"]] == "MNIST")
        & frame[texts.CLAIM_COLUMNS["claim"]].str.startswith("CE: EOS above SMOTE")
    ]
    assert list(own[texts.CLAIM_COLUMNS["verdict"]]) == ["does not hold"]
    assert list(own[texts.CLAIM_COLUMNS["interval"]]) == ["−.042 to −.016"] and list(own["n"]) == ["20"]


def test_a_card_says_no_more_than_its_interval() -> None:
    low, high = Interval(0.02, 0.01, 0.03, 20, ""), Interval(0.02, -0.01, 0.05, 20, "")
    card = Card("ExplicitGradient above CE, average precision", "d", "holds", low, 0.99, 0.034, 20)
    assert claims.make_claim(card, several=True).title == "d: Explicit gradient above plain"
    made = claims.make_claim(card)
    assert (made.title, made.verdict, made.better) == ("Explicit gradient above plain", "holds", True)
    assert made.tip == "Printed +.034.\nDifference: +.020, 99% interval from +.010 to +.030, 20 replicates."
    over = claims.describe_card(Card("x", "", "undecided", Interval(0.02, -0.01, 0.05, 22, ""), 0.95, None, 22, 22))
    assert over.endswith("22 datasets.") and "Printed" not in over
    drawn_cards = printed.draw_claims(
        [made, Claim("b", "does not hold", False, high, None, "t"), Claim("c", "undecided", None, high, 0.1, "t")],
        "printed",
        "here",
    )
    assert re.findall(r'class="mark ([^"]*)"', drawn_cards) == ["filled", "filled", ""]
    assert re.findall(r'class="chip([^"]*)"', drawn_cards) == [" holds", " fails", ""]
    assert drawn_cards.count('class="printed"') == 2
    said = claims.judge_claims([Card("a", "", "holds", low, 0.95, None, 9), Card("b", "", "undecided", high, 0.95, None, 9)])
    assert said is not None and said.text == "1 of 2 claims holds here." and said.dot.look == "none"
    assert claims.judge_claims([Card("a", "", "not measured here yet", None, 0.95, None, 0)]) is None


@pytest.mark.parametrize(
    ("claim", "title"),
    [
        ("ExplicitGradient above CE, equal steps, average precision", "Explicit gradient above equal steps"),
        ("moving, chosen, above frozen, chosen, average precision", "Moving above frozen"),
        ("K = 50 above K = 10, balanced accuracy", "K = 50 above K = 10, balanced accuracy"),
        ("ExplicitGradient above RS, average precision", "Explicit gradient above balanced batches"),
    ],
)
def test_a_claim_has_a_short_title(claim: str, title: str) -> None:
    assert claims.name_claim(claim) == title


def test_a_link_to_what_is_not_there_shows_what_is(look: Look) -> None:
    page = look(paper="<b>", table="99")
    assert heading(page) == "0 of 6 claims hold here." and kept(page) == {}


def test_another_table_is_another_address(look: Look) -> None:
    page = look(paper="eos", table="II")
    page.segmented_control(key=papers.GROUP).set_value("dos").run()
    assert kept(page) == {"paper": "dos", "table": "1"}
    page.segmented_control(key="papers.table").set_value(("dos", "6")).run()
    assert kept(page) == {"paper": "dos", "table": "6"}
    page.segmented_control(key=papers.GROUP).set_value("eos").run()
    assert kept(page) == {"paper": "eos", "table": "II"}, "each paper keeps its table"


def test_an_address_that_comes_late_changes_nothing_back(look: Look) -> None:
    page = look(paper="eos", table="II")
    page.segmented_control(key=papers.GROUP).set_value("dos").run()
    page.query_params.update({"paper": "eos", "table": "II"})  # the browser had not heard of the new one yet
    page.run()
    assert kept(page) == {"paper": "dos", "table": "1"}
    page.query_params.update({"paper": "eos", "table": "IV"})  # a link
    page.run()
    assert kept(page) == {"paper": "eos", "table": "IV"}


def test_text_of_a_measured_file_stays_text(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document: dict[str, Any] = dict(measured.read_table("eos", "IV") or {})
    document |= {"title": MARKUP, "words": MARKUP}
    document["claims"] = [c | {"text": MARKUP} for c in document["claims"]]
    document["rows"] = [r | {"labels": {"method": MARKUP}, "mark": f"suspicious: {MARKUP}"} for r in document["rows"]]
    monkeypatch.setattr(measured, "HERE", tmp_path)
    measured.table_path("eos", "IV", True).write_bytes(gzip.compress(json.dumps(document).encode()))
    for tab in texts.TABS:
        page = look(paper="eos", table="IV", tab=tab)
        assert "<img" not in words(page).replace("\\<img", "") and "**b**" not in words(page)
        assert "<img" not in marks(page) and "<img" not in html(page)


def test_a_file_that_cannot_be_read_is_a_sentence(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "HERE", tmp_path)
    measured.table_path("eos", "IV", True).write_bytes(b"not a zip")
    page = look(paper="eos", table="IV")
    assert "cannot be read" in page.error[0].value and "printed numbers are shown alone" in page.error[0].value


# ---- strips


def test_a_cell_says_both_numbers_and_opens_its_run_where_it_is_kept() -> None:
    ours = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 20, "interval": "x"}
    row = {"ours": ours, "published": 0.7, "runs": ["a" * 16, "b" * 16], "mark": ""}
    found = cells.make_cell(row, "glass2, SMOTE", {"b" * 16})
    assert (
        found.tip == "glass2, SMOTE\nprinted .700, here .500, interval .400 to .600, 20 replicates" and found.press == "b" * 16
    )
    alone = cells.make_cell(row | {"ours": None}, "glass2", set())
    assert alone.ours is None and alone.press == "" and alone.tip.endswith("printed .700")
    drawn_strips = printed.draw_strips(
        ["glass2"], ["SMOTE", "Focal", "RS"], {("glass2", "SMOTE"): found, ("glass2", "Focal"): alone}, "AP", "printed", "here"
    )
    assert drawn_strips.count('class="printed"') == 2 and drawn_strips.count('class="bar"') == 1
    assert re.findall(r'class="mark ([^"]*)"', drawn_strips) == ["filled small", "alone"]
    assert drawn_strips.count("data-press") == 1 and drawn_strips.count("<td></td>") == 1
    errors = {("s", "m"): Cell(None, Interval(12.0, 10.0, 14.0, 5, ""), "t")}
    assert printed.find_scale(list(errors.values())).high > 14


def test_seconds_of_many_orders_stand_on_logarithms() -> None:
    seconds = {"a": (2634.0, 3.4), "b": (None, 51.5)}
    cells = {
        ("s", name): Cell(shown, Interval(mean, mean - 4, mean + 4, 5, ""), "t") for name, (shown, mean) in seconds.items()
    }
    scale = printed.find_scale(list(cells.values()))
    assert [scale.at(v) for v in (1, 100, 10_000, -0.6, 20_000)] == pytest.approx([0, 50, 100, 0, 100])
    drawn = printed.draw_strips(["s"], ["a", "b"], cells, "Seconds", "printed", "here")
    assert re.findall(r'class="tickname ?\w*"[^>]*>([^<]*)', drawn)[:3] == ["1", "100", "10,000"]


def test_a_press_on_a_cell_opens_its_run(look: Look, store: Store) -> None:
    document = measured.read_table("keel", "3", False)
    assert document is not None
    run = fabricate.done(store, fabricate.spec())
    page = look(paper="eos", table="IV")
    page.session_state["papers.open"] = run.id  # what a press does
    page.run()
    assert not page.exception and kept(page)["run"] == run.id


@pytest.mark.parametrize(
    ("paper", "table", "metric", "columns", "rows"),
    [
        ("keel", "3", "average_precision", 7, 22),
        ("dos", "1", "f1", 2, 10),
        ("dos", "6", "f1", 3, 18),
        ("eos", "II", "balanced_accuracy", 5, None),
        ("adult", "1", "average_precision", 8, 3),
    ],
)
def test_cells_stand_in_rows_and_columns(paper: str, table: str, metric: str, columns: int, rows: int | None) -> None:
    document = next(d for r in (False, True) if (d := measured.read_table(paper, table, r)) is not None)
    own = [r for r in document["rows"] if r["metric"] == metric]
    layout = cells.lay_out(own)
    assert len(layout.columns) == columns and (rows is None or len(layout.rows) == rows)
    assert len(layout.at) == len(own), "no cell hides another"


def test_a_cells_runs_are_opened_where_this_store_has_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fabricate.done(store, fabricate.spec())
    opened: list[str] = []
    monkeypatch.setattr(numbers.links, "draw_link", lambda name, label, icon, **query: opened.append(query["run"]))
    row = {"dataset": "d", "labels": {}, "metric": "f1", "values": [0.5], "runs": ["0" * 16, run.id], "reason": ""}
    ours = {"mean": 0.5, "low": None, "high": None, "n": 1, "interval": "no interval"}
    numbers.draw_runs(row | {"ours": ours}, store)
    assert opened == [run.id]


# ---- many sets, figures, methods, coverage


def test_many_sets_are_judged_together(look: Look) -> None:
    page = look(paper="keel", table="3", tab="ranks")
    assert "Over 22 datasets, Friedman p" in words(page)
    document = measured.read_table("keel", "3", reduced=False)
    assert document is not None
    pairs = page.dataframe[0].value
    ours = document["over_sets"]["ours"]
    assert len(pairs) == len(ours["pairs"]) and (pairs["Wins"] + pairs["Ties"] + pairs["Losses"] == 22).all()
    assert "Mean ranks over 22 sets" in charts(page)[0].alt
    for name in document["over_sets"]:
        page.session_state["papers.over"] = name
        page.run()
        assert not page.exception
        assert ("Claim:" in words(page).replace("\\", "")) == ("claim" in document["over_sets"][name])


def test_methods_within_the_critical_difference_are_joined() -> None:
    found = {"ranks": {"a": 1.2, "b": 2.9, "<b>": 1.9}, "critical_difference": 0.8, "cliques": [["a", "<b>"], ["b"]], "sets": 9}
    figure = ranks.figure(found)
    width, dots, *bars = figure.data
    assert list(width.x) == [1.2, 2.0] and list(dots.x) == [1.2, 1.9, 2.9] and not any("<b>" in n for n in dots.y)
    assert len(bars) == 1 and list(bars[0].y) == list(dots.y[:2]) and figure.layout.showlegend is False
    assert "No difference found between: a and <b>." in ranks.alt(found)


def test_of_many_methods_those_beyond_the_best_are_hollow() -> None:
    names = [f"m{i}" for i in range(30)]
    found = {"ranks": {n: float(i + 1) for i, n in enumerate(names)}, "critical_difference": 9.5, "cliques": [names], "sets": 9}
    figure = ranks.figure(found)
    assert len(figure.data) == 1, "no bars"
    assert list(figure.data[0].marker.symbol) == ["circle"] * 10 + ["circle-open"] * 20 and figure.layout.shapes[0].x0 == 10.5
    assert "the best: m10, m11" in ranks.alt(found) and "m9," not in ranks.alt(found).split("best:")[1]


def test_a_study_says_what_is_above_after_holm() -> None:
    def part(first: str, **p: tuple[float, float | None]) -> dict[str, Any]:
        pairs = [{"right": name, "mean": mean, "p_holm": value} for name, (mean, value) in p.items()]
        return {"first": first, "methods": [first, *p], "sets": 22, "pairs": pairs}

    one = part("A", b=(-0.1, 0.01), c=(0.1, 0.01), d=(-0.1, 0.06), e=(-0.1, None))
    assert (
        over_sets.describe_above({"x": one, "y": part("B", a=(-0.1, 0.2)), "z": part("C", a=(0.1, 0.01))}, "method")
        == "After Holm's correction over 5 methods on 22 datasets, b is above A; nothing is shown to be above B or C."
    )
    assert "b, c and d are above A." in over_sets.describe_above(
        {"x": part("A", **dict.fromkeys("bcd", (-0.1, 0.01)))}, "method"
    )
    assert over_sets.describe_above({}, "method") == ""


@pytest.mark.parametrize(("paper", "of"), papers.OF_METHODS.items())
def test_a_shipped_study_stands_in_one_sentence(look: Look, paper: str, of: str) -> None:
    """On the page and in README, as the shipped table says."""
    shipped = next((d for r in (False, True) if (d := measured.read_table(paper, "keel", r)) is not None), None)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if shipped is None:
        return
    tested = build_table(paper, "keel", shipped["reduced"])
    said = over_sets.describe_above(compute_extras(tested, shipped["rows"], Answers())["over_sets"], of)
    assert said and escape(said, 2000) in words(look(paper=paper, table="keel"))
    assert said in " ".join(readme.split())


def test_the_first_papers_figures_are_drawn_from_our_runs(look: Look) -> None:
    page = look(paper="adult", table="1", tab="figures")
    document = measured.read_table("adult", "1", reduced=False)
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
        spec = json.loads(picture.spec)
        assert len(spec["data"]) == len(names) and all(name in picture.alt for name in names)
        labels = sorted(a["y"] for a in spec["layout"]["annotations"] if a.get("xshift") == 38)
        assert len(labels) == len(names), "each line is labelled at its end"
        assert all((b - a) * drawn.HEIGHT >= 14 for a, b in zip(labels, labels[1:], strict=False))


def test_the_sines_panels_have_the_points_of_the_first_draw(look: Look) -> None:
    page = look(paper="sine", table="2", tab="figures")
    panels = [c for c in charts(page) if "chart-papers-sine" in c.id]
    assert len(panels) == 3 and "20 synthetic points, moved" in panels[2].alt
    document = measured.read_table("sine", "2", reduced=False)
    assert document is not None
    figure = drawn.draw_panel(document["figures"]["2"]["right"])
    assert [t.name for t in figure.data][:2] == ["sin(πx/2)", "the network"] and len(figure.data) == 5


def test_all_methods_of_the_papers_have_a_state_and_can_be_found(look: Look, store: Store) -> None:
    rows = list_methods(fabricate.catalog())
    page = look(paper="methods")
    assert heading(page) == texts.TITLES["methods"] and kept(page) == {"paper": "methods"}
    drawn_rows = marks(page)
    assert drawn_rows.count("<summary ") == len(rows) and f"{len(rows)} of {len(rows)} methods" in words(page)
    assert drawn_rows.count("data-press=") == sum(row.state == RUNS for row in rows)
    page.text_input(key="papers.find").set_value("smote post").run()
    assert re.findall("<b>(.*?)</b>", marks(page)) == ["Post-SMOTE", "Post-BSMOTE / B.SMOTE"]
    page.text_input(key="papers.find").set_value("").run()
    page.button_group(key="papers.states").set_value([NAMED]).run()
    assert set(re.findall('class="chip">(.*?)<', marks(page))) == {NAMED}
    page.text_input(key="papers.find").set_value("no such thing").run()
    assert texts.METHODS_NONE in words(page) and not marks(page)


def test_a_line_opens_on_what_was_decided(look: Look, store: Store) -> None:
    drawn_rows = marks(look(paper="methods"))
    entry = find_entry(fabricate.catalog(), "methods", "explicit-gradient")
    (line,) = re.findall("<li>(?:(?!</li>).)*<b>Explicit gradient</b>.*?</li>", drawn_rows)
    assert html_text(entry["source"]) in line and html_text(entry["summary"]) in line
    assert all(html_text(sentence) in line for of in entry["deviations"].values() for sentence in of)
    (line,) = re.findall("<li>(?:(?!</li>).)*Active bias.*?</li>", drawn_rows)
    assert "gives no algorithm" in line and "data-press" not in line


def test_every_link_of_the_methods_opens_what_it_names() -> None:
    catalog = json.loads((Path(measured.__file__).parents[2] / "catalog.json").read_text())
    kinds = {entry["name"]: entry["kind"] for entry in catalog["datasets"]}
    for row in list_methods(catalog):
        link = make_link(row, catalog)
        assert (link is not None) == (row.state == RUNS), row
        if link is None or row.page is not None:
            continue
        page, query = link
        found = lab_address.read_address(query, catalog, lab_address.first_spec(catalog))
        assert page == "lab" and not found.problems and found.spec.method == row.method
        assert (
            found.spec.dataset == query["dataset"]
            and kinds[found.spec.dataset] in find_entry(catalog, "methods", row.method)["kinds"]
        )
        for name, typed in row.params.items():
            assert str(found.spec.params[name]) == typed
            assert typed != str(
                next(f["default"] for f in find_entry(catalog, "methods", row.method)["fields"] if f["name"] == name)
            )


def test_a_press_opens_a_method_with_data_that_suit_it(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr("streamlit.switch_page", lambda page, query_params: went.append((page, query_params)))
    page = look(paper="methods")
    for link in (("lab", {"dataset": "digits", "method": "ldam"}), ("papers", {"paper": "sine", "table": "2"})):
        page.session_state[methods.GO] = link
        page.run()
    assert [query for _, query in went] == [{"dataset": "digits", "method": "ldam"}, {"paper": "sine", "table": "2"}]


def test_a_method_that_the_catalog_lacks_does_not_run() -> None:
    rows = {row.name: row for row in list_methods({"methods": [], "datasets": []})}
    assert (rows["Focal loss"].state, rows["Focal loss"].reason, rows["Focal loss"].method) == (PRINTED, LACKING, "")
    assert rows["Active bias"].state == NAMED and rows["Active bias"].reason != LACKING
    assert {row.id for row in rows.values() if row.state == RUNS} == {row["id"] for row in read_rows() if row["page"]}
    row = MethodRow("R1", "A", "EOS", "TI", "", "", NAMED)
    assert methods.find_rows([row], "eos a", [NAMED], {}) == [row] and not methods.find_rows([row], "a", [RUNS], {})


def test_coverage_is_drawn_or_says_how_it_is_made(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.papers.coverage.read_coverage", lambda: None)
    page = look(paper="coverage")
    assert texts.COVERAGE_NONE in words(page) and texts.COVERAGE_COMMAND in [c.value for c in page.code]
    rows = [
        {"way": way, "truth": t, "positives": k, "covered": c, "below": 0.0, "above": 0.0, "width": 0.3, "none": 0.0}
        for way, c in (("old", 0.88), ("new", 0.95))
        for t in (0.2, 0.5)
        for k in (3, 10)
    ]
    table = {"ways": {"old": "Percentile", "new": "Bayesian"}, "used": "new", "rows": rows, "provenance": {"n": 500}}
    monkeypatch.setattr("engine.papers.coverage.read_coverage", lambda: table)
    page = look(paper="coverage")
    drawn_rows = marks(page)
    assert heading(page) == texts.TITLES["coverage"] and drawn_rows.count('class="row"') == 2
    assert re.findall(r'class="mark ([^"]*)"', drawn_rows) == ["", "filled"] and "used here" in drawn_rows
    found = coverage.make_rows(table, 3, 500)
    assert found[0].share.high < 0.95 < found[1].share.high and found[0].share.n == 1000
