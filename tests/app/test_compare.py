"""The Compare page over made-up results: every view, every state, hostile names, and addresses that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import unescape
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.charts.cost import Point
from app.frame.pieces import find_pieces
from app.views.compare import differences, numbers, pair, plan, ratio, sweep_words
from app.views.compare import view as compare
from app.words import compare as texts
from engine.report import sweep_code
from engine.spec.result import METRICS
from engine.spec.run import find_entry
from engine.store import Store
from engine.store.schema import JOBS
from engine.sweep import SweepSpec, table
from engine.sweep import spec as sweep
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_lab import charts, words

VIEWS = find_pieces(compare.PACKAGE)
Look = Callable[..., AppTest]
SPEC = SweepSpec(("moons", "glass2"), ("smote", "explicit-gradient"), (20.0, 25.0), folds=2, seeds=3)
LEVEL = {"ce": 0.4, "smote": 0.5, "explicit-gradient": 0.42, "potential": 0.7}


@pytest.fixture
def look(store: Store) -> Look:
    """look(query...) -> the Compare page, run once; no exception may be on it."""
    return partial(opened, "compare")


def filled(
    store: Store, spec: SweepSpec = SPEC, leave: Sequence[str] = (), level: dict[str, float] = LEVEL
) -> list[sweep.Cell]:
    """Results of every cell but those of the methods that are left out."""
    cells = spec.cells(fabricate.catalog())
    for number, cell in enumerate(cells):
        if cell.method not in leave:
            ap = level[cell.method] - (0.1 if cell.ratio > 20 and cell.method == "smote" else 0.0)
            answer = fabricate.result(cell.spec, ap=ap, sd=0.01, seed=number)
            store.record_run(
                cell.spec, answer, fingerprint=find_entry(fabricate.catalog(), "datasets", cell.dataset)["fingerprint"]
            )
    return cells


def query(spec: SweepSpec = SPEC, **more: str) -> dict[str, str]:
    return spec.to_query() | more


def html(page: AppTest) -> str:
    return "".join(h.proto.body for h in page.get("html"))


def heading(page: AppTest) -> str:
    """The page's only h1."""
    found = re.findall(r"<h1[^>]*>(.*?)</h1>", html(page))
    assert len(found) == 1
    return unescape(found[0])


def marks(page: AppTest) -> str:
    """The HTML of the pictures whose marks can be pressed."""
    return "".join(p.proto.json for p in page.get("bidi_component") if '"html"' in p.proto.json).replace('\\"', '"')


def kept(page: AppTest) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in page.query_params.items()}


# ---- before anything is there


def test_a_first_visit_has_a_plan_that_can_be_started(look: Look, store: Store) -> None:
    page = look()
    assert heading(page) == texts.TITLE and texts.EMPTY in words(page)
    spec = plan.first_plan(fabricate.catalog())
    assert kept(page) == {}, "a bare address stays bare, so that one step back leaves the page"
    assert not spec.impossible(fabricate.catalog()) and {"moons"} <= set(spec.datasets)
    runs = len(spec.cells(fabricate.catalog()))
    assert page.button(key="run").label == f"Run {runs} runs"
    page.button(key="run").click().run()
    assert not page.exception
    jobs = store.jobs(limit=100)
    assert {job.id for job in jobs} == {cell.id for cell in spec.cells(fabricate.catalog())}
    assert {job.state for job in jobs} == {"queued"} and {job.priority for job in jobs} == {10}
    assert heading(page) == f"Running {runs} runs. 0 of {runs}." and page.button(key="run").disabled
    assert "waits" in marks(page), "dots have their places before they are there"
    page.button(key="compare.cancel").click().run()
    assert {job.state for job in store.jobs(limit=100)} == {"cancelled"}


def test_an_empty_page_shows_the_recorded_sweep_by_that_name(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)
    card = {"page": "compare", "name": "sweep", "words": SPEC.to_query(), "jobs": []}
    monkeypatch.setattr("app.session.recorded.read_cards", lambda: [card])
    page = look()
    assert texts.EXAMPLE in html(page) and "SMOTE" in heading(page) and kept(page) == {}
    assert page.multiselect(key="plan.datasets").value == list(plan.first_plan(fabricate.catalog()).datasets)


def test_the_plan_is_the_form_and_the_form_is_the_address(look: Look) -> None:
    page = look(**query(tab="ratio", metric="f1"))
    assert page.multiselect(key="plan.datasets").value == ["moons", "glass2"]
    assert page.session_state["plan.protocol"] == texts.CUSTOM
    page.multiselect(key="plan.datasets").set_value(["moons"]).run()
    assert kept(page)["datasets"] == "moons" and kept(page)["tab"] == "ratio" and kept(page)["metric"] == "f1"
    page.multiselect(key="plan.methods").set_value([]).run()
    assert "Choose at least one method" in words(page) and page.button(key="run").disabled


def test_a_changed_plan_leaves_what_is_shown_and_offers_to_run(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query())
    said = heading(page)
    page.pills(key="plan.ratios").set_value([10.0, 20.0, 25.0]).run()
    more = replace(SPEC, ratios=(10.0, 20.0, 25.0))
    lacking = len(more.cells(fabricate.catalog())) - len(SPEC.cells(fabricate.catalog()))
    assert "shown: 2 datasets, 2 ratios" in html(page) and page.button(key="run-stale").label == f"Run {lacking} runs"
    assert heading(page) == said and kept(page) == query(), "heading and address are of what is drawn"
    page.button(key="run-stale").click().run()
    assert not page.exception and kept(page) == query(more) and "shown:" not in html(page)
    assert heading(page).startswith("Running")
    page.pills(key="plan.ratios").set_value([20.0]).run()
    assert kept(page)["ratios"] == "20" and "shown:" not in html(page), "all of it is done: it is shown at once"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datasets": ("moons",)}, "1 dataset"),
        ({"datasets": ("moons", "wine")}, "Wine"),
        ({"methods": ("smote", "focal", "explicit-gradient")}, "3 methods"),
        ({"ratios": (20.0, 30.0)}, "30:1"),
        ({"seeds": 5}, "10 replicates"),
        ({"seed": 3}, "seed 3"),
        ({"where": "train"}, texts.OTHER_ROWS),
        ({}, ""),
    ],
)
def test_the_form_says_what_it_has_that_the_shown_plan_has_not(change: dict[str, Any], said: str) -> None:
    assert plan.describe_change(replace(SPEC, **change), SPEC, fabricate.catalog()) == said


def test_enter_in_a_picker_adds_one_entry(look: Look) -> None:
    page = look()
    for key in ("plan.datasets", "plan.methods"):
        assert page.multiselect(key=key).proto.select_all == 0, "'Select all' would be the marked entry"


def test_what_cannot_be_is_said_and_left_out(look: Look) -> None:
    page = look(**query(SweepSpec(("glass2", "digits"), ("smote",), (20.0, 400.0), folds=4, seeds=1)))
    said = words(page)
    assert any(e.label.startswith("Left out: ") for e in page.expander) and "400:1" in said.replace("\\", "")
    assert "smote takes tabular or points data" in said.replace("\\", "")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"tab": "<b>x</b>"}, "unknown tab"),
        ({"view": "<b>x</b>"}, "unknown tab"),
        ({"metric": "accuracy"}, "unknown measure"),
        ({"datasets": "nowhere"}, "nowhere"),
        ({"ratios": "5,x"}, "not a number"),
        ({"ratios": "0.1"}, "0.1"),
        ({"folds": "99"}, "folds"),
        ({"methods": ",".join(["smote"] * 3), "run": "<img>"}, "no name of a run"),
        ({"colour": "red"}, "unknown word"),
        ({"at": "moons@<img>"}, "no cell of its plan"),
        ({"curves": "0123456789abcdef,<b>"}, "no cell of its plan"),
    ],
)
def test_a_bad_address_is_said_and_something_is_shown(look: Look, bad: dict[str, str], says: str) -> None:
    page = look(**bad)
    assert says in page.warning[0].value.replace("\\", "")
    assert "<img>" not in page.warning[0].value and "<b>" not in page.warning[0].value
    assert kept(page) == bad  # as it came, until something is touched
    page.radio(key="plan.where").set_value("train").run()
    assert not page.warning and kept(page)["where"] == "train"


def test_older_links_open_the_tab_of_today(look: Look, store: Store) -> None:
    filled(store)
    assert kept(look(**query(view="heat", cell="0" * 16))) == query()
    assert kept(look(**query(view="share"))) == query(tab="numbers")
    assert kept(look(**query(view="cost"))) == query(tab="cost")
    assert kept(look(view="pair")) == {"tab": "pair"}


# ---- with results


@pytest.mark.parametrize("tab", [v for v in VIEWS if v not in ("pair", "ranks")])
def test_every_tab_has_one_heading_and_comes_back_by_its_address(look: Look, store: Store, tab: str) -> None:
    filled(store)
    address = query(**({} if tab == "differences" else {"tab": tab}))
    page = look(**address)
    assert heading(page) == "SMOTE beats plain training on 2 of 2 datasets."
    shown = charts(page)
    assert len(shown) == {"ratio": 2, "curves": 1}.get(tab, 0) and all(c.alt for c in shown)
    assert sum(len(c.spec) for c in shown) < 300_000
    assert kept(page) == address
    again = look(**kept(page))
    assert words(again) == words(page) and marks(again) == marks(page)
    assert not re.search(r"\[[+\u2212.\d]", words(page)), "no bracket in running text"


def test_a_dot_is_filled_where_holm_leaves_zero_out(store: Store) -> None:
    filled(store)
    records = table.build_table(store, SPEC, fabricate.catalog())
    held = sweep_words.hold_intervals(records)
    tested = sweep_words.list_tested(records)
    assert len(held) == len(tested) == 8 and any(r["difference"]["better"] for r in tested)
    for r in tested:
        interval, level = held[r["run"]]
        assert (interval.low > 0) == r["difference"]["better"] and (interval.high < 0) == r["difference"]["worse"]
        assert level >= 0.95
        said = differences.make_spot(r, held, {(r["dataset"], r["ratio"]): "x"}, "Average precision")
        assert said.better is (True if r["difference"]["better"] else None) and said.press == r["run"]
        assert (texts.BETTER in said.tip) == r["difference"]["better"] and "6 replicates" in said.tip


def test_a_press_on_a_dot_opens_both_runs(look: Look, store: Store) -> None:
    cells = filled(store)
    page = look(**query(metric="f1"))
    own, plain = (next(c for c in cells if (c.method, c.dataset, c.ratio) == (m, "moons", 20.0)) for m in ("smote", "ce"))
    assert f'data-press="{own.id}"' in marks(page) and f'data-press="{plain.id}"' not in marks(page)
    page.session_state["compare.open"] = "pair"  # what a press does: `context.open_view`
    page.session_state["compare.chosen"] |= {"run": plain.id, "beside": own.id}
    page.run()
    assert kept(page) == query(metric="f1", tab="pair", run=plain.id, beside=own.id)
    assert heading(page) == "SMOTE beats plain training."
    page.session_state["compare.tab"] = VIEWS["differences"].PIECE.title
    page.run()
    assert SweepSpec.from_query(kept(page), fabricate.catalog()) == SPEC and kept(page) == query(metric="f1")


def test_all_rows_are_drawn_and_never_ranked(look: Look, store: Store) -> None:
    filled(store)
    assert any("All rows, not ranked" in c.alt for c in charts(look(**query(tab="ratio"))))
    assert "potential" not in marks(look(**query()))


def test_ranks_offer_what_they_lack(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)
    monkeypatch.setattr("app.views.compare.offers.find_datasets", lambda *_: ["wine", "odd"])
    page = look(**query(tab="ranks"))
    assert "Ranks need 4 datasets. Add 2" in words(page)
    button = page.button(key="compare.add.dataset")
    assert button.label == texts.RANKS_ADD_DATASETS and not button.disabled
    button.click().run()
    page.run()
    assert kept(page)["datasets"] == "moons,glass2,wine,odd" and store.jobs(states=("queued",), limit=99)
    assert page.multiselect(key="plan.datasets").value == ["moons", "glass2", "wine", "odd"]
    alone = look(**query(replace(SPEC, methods=("smote",)), tab="ranks"))
    assert "Ranks need 3 methods. Add 1" in words(alone)


def test_ranks_are_drawn_over_four_datasets(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.views.compare.offers.RANKED_SETS", 2)
    filled(store)
    page = look(**query(tab="ranks"))
    assert "Potential" not in charts(page)[0].alt and "All rows" not in charts(page)[0].alt and "SMOTE" in charts(page)[0].alt


def test_one_ratio_offers_another(look: Look, store: Store) -> None:
    one = replace(SPEC, ratios=(20.0,))
    filled(store, one)
    page = look(**query(one, tab="ratio"))
    assert "Lines need 2 ratios. Add one" in words(page) and not charts(page)
    assert page.button(key="compare.add.ratio").label == texts.RATIO_ADD


def test_partly_done_and_failed(look: Look, store: Store) -> None:
    cells = filled(store, leave=("explicit-gradient",))
    missing = [cell for cell in cells if cell.method == "explicit-gradient"]
    fabricate.ended(store, missing[0].spec, "failed", f"Out of luck {fabricate.HOSTILE[0]} {fabricate.HOSTILE[1]}")
    page = look(**query())
    drawn = marks(page)
    assert "1 failed" in html(page) and "Failed: Out of luck" in drawn and "<img" not in drawn
    assert drawn.count('class="mark failed"') == 1 and drawn.count('class="mark waits"') == 3
    assert page.button(key="run").label == "Run 4 runs"
    frame = look(**query(tab="numbers")).dataframe[0].value
    assert frame[texts.COLUMNS["state"]].str.startswith("Failed: Out of luck").sum() == 1
    page.button(key="run").click().run()
    assert {job.id for job in store.jobs(states=("queued",), limit=50)} == {cell.id for cell in missing}


def test_where_all_failed_the_heading_says_why(look: Look, store: Store) -> None:
    for cell in SPEC.cells(fabricate.catalog()):
        fabricate.ended(store, cell.spec, "failed", "No memory is left.")
    assert heading(look(**query())) == "This run failed: No memory is left."


def test_a_selection_is_in_the_address(look: Look, store: Store) -> None:
    cells = filled(store)
    page = look(**query(tab="cost"))
    page.selectbox(key="compare.at").set_value("glass2@20").run()
    assert kept(page)["at"] == "glass2@20"
    page = look(**query(tab="curves"))
    picked = [c.id for c in cells if c.method == "smote"]
    page.multiselect(key="compare.curves").set_value(picked).run()
    assert kept(page)["curves"] == ",".join(picked)
    assert charts(page)[0].alt.count("SMOTE on") == len(picked)
    page.multiselect(key="plan.methods").set_value(["explicit-gradient"]).run()  # what the plan has no more is selected no more
    assert "curves" not in kept(page) and not page.warning


def test_another_measure(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(metric="g_mean"))
    assert "in g-mean" in marks(page).lower() and page.segmented_control(key="compare.metric.pick").value == "g_mean"
    page.segmented_control(key="compare.metric.pick").set_value("f1").run()
    assert kept(page)["metric"] == "f1" and "in F1" in marks(page)


def test_hostile_names_are_shown_letter_by_letter(look: Look, store: Store) -> None:
    catalog = fabricate.catalog()
    for i, entry in enumerate(d for d in catalog["datasets"] if d["name"] in ("moons", "glass2")):
        entry["title"] = fabricate.HOSTILE[i]
    for entry in catalog["methods"]:
        if entry["name"] == "smote":
            entry["title"] = fabricate.HOSTILE[1]
    store.publish_catalog(catalog)
    filled(store)
    for tab in VIEWS:
        page = look(**query(tab=tab))
        said = words(page)
        for block in page.get("html"):  # HTML has no markdown in it
            assert "<img" not in block.proto.body
            said = said.replace(block.proto.body, "")
        assert "<img" not in said.replace("\\<img", "") and "](https" not in said
        assert not re.search(r"(?<!\\)\*\*bold(?<!\\)\*\*", said)
        assert "<img" not in marks(page)
        for c in page.get("plotly_chart"):
            assert "<img" not in c.proto.spec


def test_the_view_is_back_when_the_page_is_opened_from_the_menu(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(tab="ratio", metric="f1"))
    page._page_hash = calc_hash("papers")
    page.query_params.clear()
    page.run()
    page._page_hash = calc_hash("compare")
    page.query_params.clear()
    page.run()
    assert not page.exception and kept(page) == query(tab="ratio", metric="f1")
    assert page.multiselect(key="plan.datasets").value == list(SPEC.datasets) and len(charts(page)) == 2


def test_sweeps_that_were_started_are_offered_again(look: Look, store: Store) -> None:
    page = look(**query(tab="ratio"))
    page.button(key="run").click().run()
    assert store.sweeps()[0].spec == SPEC.to_json()
    store.keep_sweep(SPEC.to_json() | {"datasets": ["nowhere"]})  # of a catalog that is gone
    again = look()
    links = [e.proto for e in again.get("page_link")]
    found = [p for p in links if "Glass 2" in p.label]
    assert len(found) == 1 and "datasets=moons%2Cglass2" in found[0].query_string
    assert not any("nowhere" in p.label for p in links)


def test_a_demonstration_starts_nothing(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store, leave=("smote",))
    monkeypatch.setenv("LAB_DEMO", "1")
    page = look(**query(tab="ratio"))
    assert page.button(key="run").disabled
    assert not [b for b in page.button if b.key in ("run-stale", "compare.cancel")]
    assert charts(page) and "emonstration" in words(page)
    offered = look(**query(tab="ranks")).button(key="compare.add.dataset")
    assert offered.disabled


@pytest.mark.parametrize("where", ["all", "train"])
def test_curves_are_of_the_same_test_rows_where_only_training_rows_are_withheld(look: Look, store: Store, where: str) -> None:
    spec = replace(SPEC, where=where)
    cells = filled(store, spec)
    moons = [c.id for c in cells if (c.dataset, c.method) == ("moons", "smote")]
    said = words(look(**query(spec, tab="curves", curves=",".join(moons))))
    assert len(moons) == 2 and (texts.CURVES_SAME in said) == (where == "train")
    glass = [c.id for c in cells if (c.dataset, c.method) == ("glass2", "smote")]
    said = words(look(**query(spec, tab="curves", curves=f"{moons[0]},{glass[0]}")))
    assert f"within one dataset{' and ratio' if where == 'all' else ''} only" in said


def test_replicates_are_those_of_the_runs(look: Look, store: Store) -> None:
    spec = SweepSpec(("moons", "mnist"), ("ce",), (2.0,), folds=4, seeds=3)
    page = look(**query(spec))
    page.button(key="run").click().run()
    offered = [e.proto.label for e in look().get("page_link")]
    assert any("MNIST" in label and "3 to 12 replicates" in label for label in offered)


def test_stopping_says_whose_it_also_stops(look: Look, store: Store) -> None:
    page = look(**query())
    page.button(key="run").click().run()
    assert "a paper's table" in page.button(key="compare.cancel").help


# ---- two runs


def test_two_runs_in_step(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="smote", ratio=20.0, folds=2, seeds=3), ap=0.4)
    other = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0, folds=2, seeds=3), ap=0.5)
    page = look(tab="pair", run=one.id, beside=other.id)
    assert kept(page) == {"tab": "pair", "run": one.id, "beside": other.id}
    assert heading(page) == "Plain training beats SMOTE."
    said = words(page)
    assert (texts.PAIR_PLANE in said) != (texts.PAIR_PLANES in said)
    changed = next(f.value for f in page.dataframe if texts.SETTING_NAME in f.value.columns)
    assert list(changed[texts.FIRST_RUN])[0] == "SMOTE"
    players = [p for p in page.get("bidi_component") if '"group":"compare"' in p.proto.bytes.decode(errors="ignore")]
    assert len(players) == 2
    assert marks(page).count('class="row"') == len(METRICS), "every measure, on one scale"


def test_two_runs_on_other_rows_are_not_subtracted(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    other = fabricate.done(store, fabricate.spec(method="ce", ratio=5.0))
    page = look(tab="pair", run=one.id, beside=other.id)
    assert texts.PAIR_OTHER_ROWS in words(page) and 'class="row"' not in marks(page)
    assert heading(page) == texts.PAIR_TITLE


def test_two_runs_one_absent_the_same_or_unfinished(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    assert "There is no such run here" in look(tab="pair", run=one.id, beside="0" * 16).error[0].value
    assert texts.PAIR_SAME in look(tab="pair", run=one.id, beside=one.id).info[0].value
    waits = fabricate.queued(store, fabricate.spec(method="smote", ratio=20.0))
    page = look(tab="pair", run=one.id, beside=waits.id)
    assert "Waiting" in " ".join(i.value for i in page.info)
    assert texts.PAIR_CHOOSE in words(look(tab="pair"))


def test_settings_have_the_names_of_the_forms() -> None:
    catalog = fabricate.catalog()
    one, other = fabricate.spec(method="smote", ratio=20.0), fabricate.spec(method="ce", ratio=20.0)
    assert ("method", "SMOTE", "Plain training") in pair.list_changes(one, other, catalog)
    slow = one.with_(params={"learning_rate": 0.01})
    assert [row[0] for row in pair.list_changes(one.complete(catalog), slow.complete(catalog), catalog)] == ["learning rate"]


def test_somebody_elses_run_reads_as_one_that_is_not_there(look: Look, store: Store) -> None:
    spec = fabricate.spec(method="smote", ratio=20.0)
    job = store.submit(spec, fingerprint="fp-moons", owner="x" * 43)
    assert "There is no such run here" in look(tab="pair", run=job.id, beside=job.id).error[0].value


@pytest.mark.parametrize("words_of", ["[]", '{"dataset": "moons"}'])
def test_a_run_whose_words_cannot_be_read_is_left_out_and_told(look: Look, store: Store, words_of: str) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    other = fabricate.done(store, fabricate.spec(method="smote", ratio=20.0))
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == other.id).values(spec=words_of))
    page = look(tab="pair", run=one.id, beside=other.id)
    assert len(page.error) == 1 and "spec" in page.error[0].value
    assert len(page.selectbox(key="compare.run").options) == 1


def test_a_run_that_cannot_be_loaded_is_told_once(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (fabricate.done(store, fabricate.spec(method=m, ratio=20.0)) for m in ("ce", "smote"))
    monkeypatch.setattr("app.run.panel.load_run", lambda *_, **__: (None, "It cannot be read."))
    page = look(tab="pair", run=one.id, beside=other.id)
    assert [e.value for e in page.error] == ["It cannot be read\\."]


# ---- the sentences


def of_ranks(cells: Sequence[tuple[str, float]], p: float = 0.01) -> str:
    records = [
        {"dataset": d, "ratio": at, "method": m, "title": m.upper(), "mean": 0.5} for d, at in cells for m in ("a", "b", "ce")
    ]
    records += [{"dataset": "x", "ratio": at, "method": "a", "title": "A", "mean": None} for at in (5.0, 20.0)]  # not ranked
    found = {"friedman": {"p": p}, "sets": len(cells), "ranks": {"a": 1.0, "b": 2.0, "ce": 3.0}, "cliques": []}
    return " ".join(sweep_words.describe_ranks(found, records))


def test_ranks_over_ratios_of_one_dataset_are_taken_with_care() -> None:
    shared, apart = of_ranks([("d", 5.0), ("d", 20.0), ("e", 5.0)]), of_ranks([("d", 5.0), ("e", 20.0)])
    assert texts.RANKS_SHARED in shared and "A ranks first, alone." in apart and "too small" not in apart
    assert texts.RANKS_ONE_SET in of_ranks([("d", 5.0), ("d", 20.0)])
    assert "show no difference" in of_ranks([("d", 5.0), ("e", 5.0)], p=0.5)
    assert "ranks first" not in of_ranks([("d", 5.0), ("e", 5.0)], p=0.5)


def test_one_method_alone_is_no_bargain() -> None:
    plain_ce, best = Point("ce", "Plain", 2.0, 0.4, 0.3, 0.5), Point("smote", "SMOTE", 1.0, 0.5, 0.4, 0.6)
    oracle = Point("potential", "All rows", 9.0, 0.9, 0.8, 1.0, oracle=True)
    assert sweep_words.describe_cost([plain_ce, oracle]) == "Plain is the only one done here."
    assert sweep_words.describe_cost([plain_ce, best]) == "SMOTE is the fastest and has the highest mean."
    slower = sweep_words.describe_cost([replace(plain_ce, seconds=0.5), best])
    assert slower.startswith("SMOTE has the highest mean and takes 2.0 times") and slower.endswith(texts.COST_OVERLAP)
    assert sweep_words.describe_cost([oracle]) == ""


def test_a_p_is_short() -> None:
    assert [sweep_words.format_p(p) for p in (0.00001, 0.0123, 0.5, 1.0)] == ["p < .0001", "p = .012", "p = .5", "p = 1"]
    assert sweep_words.shorten("1e-05") == "1e\N{MINUS SIGN}05" and sweep_words.shorten("10.5") == "10.5"


def record(title: str, at: float, better: bool = False, worse: bool = False, mean: float = 0.1) -> dict[str, Any]:
    gap = {"mean": mean, "low": 0.0, "high": 0.2, "p_holm": 0.01, "better": better, "worse": worse}
    return {"dataset": "d", "dataset_title": "D", "title": title, "ratio": at, "role": "method", "difference": gap}


@pytest.mark.parametrize(
    ("marked", "says"),
    [
        ("++", "Better: M at 5:1 and 20:1."),
        ("+0", "Better: M at 5:1."),
        ("00", "No difference found."),
        ("0-", "Worse: M at 20:1."),
        ("+-", "Better: M at 5:1. Worse: M at 20:1."),
    ],
)
def test_where_a_method_is_better_and_worse(marked: str, says: str) -> None:
    own = [record("M", at, better=m == "+", worse=m == "-") for m, at in zip(marked, (5.0, 20.0, 50.0), strict=False)]
    assert sweep_words.describe_stops(own) == says
    assert sweep_words.describe_stops([]) == ""


def test_lines_are_drawn_over_ascending_ratios(store: Store) -> None:
    filled(store)
    records = table.build_table(store, SPEC, fabricate.catalog())
    own = [r for r in records if r["dataset"] == "moons"]
    lines = ratio.make_lines(own[::-1])
    assert {line.key for line in lines} == set(LEVEL)
    assert all(list(line.ratios) == [20.0, 25.0] for line in lines)


def test_the_whole_sweep_can_be_taken_along_as_code(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(tab="numbers", metric="f1"))
    assert not page.code
    page.session_state["code-sweep"] = True
    page.run()
    assert not page.exception
    shell, python = (block.value for block in page.code)
    assert (
        shell == " ".join([*sweep_code.list_arguments(SPEC), "--metric", "f1"])
        and python == sweep_code.write_python(SPEC, "f1").strip()
    )


def test_the_flat_table_has_every_cell(store: Store) -> None:
    cells = filled(store, leave=("potential",))
    records = table.build_table(store, SPEC, fabricate.catalog())
    rows = numbers.flatten_records(records, "average_precision")
    assert len(rows) == len(cells) and {r["state"] for r in rows} == {"done", "missing"}
    assert len({tuple(r) for r in rows}) == 1 and "difference_p_holm" in rows[0]
    frame = numbers.make_frame(records)
    assert len(frame) == len(cells) and not frame.map(lambda v: "[" in v).to_numpy().any()
