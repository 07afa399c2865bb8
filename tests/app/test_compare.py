"""The Compare page over made-up results: every view, every state, hostile names, and addresses that cannot be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.charts.cost import Point
from app.charts.recovered import Share
from app.frame.pieces import find_pieces
from app.views.compare import plan, ratio, sweep_words
from app.views.compare import view as compare
from app.words.text import escape
from engine.report import sweep_code
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


def kept(page: AppTest) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in page.query_params.items()}


# ---- before anything is there


def test_a_first_visit_has_a_plan_that_can_be_started(look: Look, store: Store) -> None:
    page = look()
    said = words(page)
    assert "The plan" in said and "What should I use, when?" in said
    assert escape("No engine is alive")[:9] in said
    spec = plan.first_plan(fabricate.catalog())
    assert kept(page) == query(spec, view="ratio")
    assert not spec.impossible(fabricate.catalog()) and {"moons"} <= set(spec.datasets)
    page.button(key="compare.missing").click().run()
    assert not page.exception
    jobs = store.jobs(limit=100)
    assert {job.id for job in jobs} == {cell.id for cell in spec.cells(fabricate.catalog())}
    assert {job.state for job in jobs} == {"queued"} and {job.priority for job in jobs} == {10}
    assert "time left is known after the first cell" in page.get("progress")[0].proto.text
    page.button(key="compare.cancel").click().run()
    assert {job.state for job in store.jobs(limit=100)} == {"cancelled"}


def test_the_plan_is_the_form_and_the_form_is_the_address(look: Look) -> None:
    page = look(**query(view="heat", metric="f1"))
    assert page.multiselect(key="plan.datasets").value == ["moons", "glass2"]
    assert page.session_state["plan.protocol"] == plan.CUSTOM
    page.multiselect(key="plan.datasets").set_value(["moons"]).run()
    assert kept(page)["datasets"] == "moons" and kept(page)["view"] == "heat" and kept(page)["metric"] == "f1"
    page.multiselect(key="plan.methods").set_value([]).run()
    assert "Choose at least one method" in words(page) and page.button(key="run").disabled


def test_what_cannot_be_is_said_and_left_out(look: Look) -> None:
    page = look(**query(SweepSpec(("glass2", "digits"), ("smote",), (20.0, 400.0), folds=4, seeds=1)))
    said = words(page)
    assert "Left out, since it cannot be" in said and "400:1" in said.replace("\\", "")
    assert "smote takes tabular or points data" in said.replace("\\", "")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"view": "<b>x</b>"}, "asks for the view"),
        ({"metric": "accuracy"}, "asks for the measure"),
        ({"datasets": "nowhere"}, "nowhere"),
        ({"ratios": "5,x"}, "not a number"),
        ({"ratios": "0.1"}, "0.1"),
        ({"folds": "99"}, "folds"),
        ({"methods": ",".join(["smote"] * 3), "run": "<img>"}, "16 of the letters"),
        ({"colour": "red"}, "means nothing here"),
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


# ---- with results


@pytest.mark.parametrize("view", [v for v in VIEWS if v != "pair"])
def test_every_view_has_words_numbers_and_a_reading(look: Look, store: Store, view: str) -> None:
    filled(store)
    page = look(**query(view=view))
    said = words(page)
    assert "What to use, when" in said
    assert "**SMOTE** is better than plain training" in said
    shown = charts(page)
    assert len(shown) == (2 if view == "ratio" else 1) and all(c.alt for c in shown)
    size = sum(len(c.figure.spec) if hasattr(c, "figure") else len(c.spec) for c in shown)
    assert size < 300_000
    assert kept(page) == query(view=view)
    again = look(**kept(page))
    assert words(again) == said
    assert [c.alt for c in charts(again)] == [c.alt for c in shown]


def test_it_says_where_a_method_stops_helping(look: Look, store: Store) -> None:
    filled(store)
    said = words(look(**query(view="ratio")))
    assert "helps up to 20:1, no gain found at 25:1" in said.replace("\\", "")
    assert "cannot be told from plain training" in said or "helps" in said


def test_the_potential_is_drawn_and_never_ranked(look: Look, store: Store) -> None:
    filled(store)
    assert any("not ranked" in c.alt for c in charts(look(**query(view="ratio"))))
    ranked = charts(look(**query(view="ranks")))[0].alt
    assert "Potential" not in ranked and "SMOTE" in ranked


def test_a_share_is_shown_only_where_there_is_one_to_recover(look: Look, store: Store) -> None:
    filled(store)
    said = words(look(**query(view="share"))).replace("\\", "")
    assert "The most is recovered by" in said
    filled(store, SweepSpec(("moons",), ("smote",), (5.0,), folds=2, seeds=3), level=LEVEL | {"potential": 0.4})
    none = look(**query(SweepSpec(("moons",), ("smote",), (5.0,), folds=2, seeds=3), view="share"))
    assert "does not clearly beat plain training" in words(none) and not charts(none)


def test_partly_done_and_failed(look: Look, store: Store) -> None:
    cells = filled(store, leave=("explicit-gradient",))
    missing = [cell for cell in cells if cell.method == "explicit-gradient"]
    fabricate.ended(store, missing[0].spec, "failed", f"Out of luck {fabricate.HOSTILE[0]} {fabricate.HOSTILE[1]}")
    page = look(**query(view="heat"))
    said = words(page)
    assert "1 cell failed" in said and "Out of luck" in said
    assert "<img" not in said.replace("\\<img", "") and "](https" not in said
    text = page.get("plotly_chart")[0].proto.spec
    assert "not run" in text and "failed" in text
    assert "11 of 14 cells done" in page.get("progress")[0].proto.text or "done, 1 failed" in page.get("progress")[0].proto.text
    page.button(key="compare.missing").click().run()
    assert {job.id for job in store.jobs(states=("queued",), limit=50)} == {cell.id for cell in missing}


def test_a_selection_is_in_the_address(look: Look, store: Store) -> None:
    cells = filled(store)
    page = look(**query(view="cost"))
    page.selectbox(key="compare.at").set_value("glass2@20").run()
    assert kept(page)["at"] == "glass2@20" and "Glass 2" in charts(page)[0].alt + words(page)
    page = look(**query(view="curves"))
    picked = [c.id for c in cells if c.method == "smote"]
    page.multiselect(key="compare.curves").set_value(picked).run()
    assert kept(page)["curves"] == ",".join(picked)
    assert charts(page)[0].alt.count("SMOTE on") == len(picked)
    page = look(**query(view="ratio", cell=picked[1]))
    assert page.selectbox(key="compare.cell").value == picked[1]
    page.multiselect(key="plan.methods").set_value(["explicit-gradient"]).run()  # what the plan has no more is selected no more
    assert "cell" not in kept(page) and not page.warning


def test_another_measure(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(view="heat"))
    page.selectbox(key="compare.metric.pick").set_value("g_mean").run()
    assert kept(page)["metric"] == "g_mean" and "G-mean" in charts(page)[0].alt


def test_hostile_names_are_shown_letter_by_letter(look: Look, store: Store) -> None:
    catalog = fabricate.catalog()
    for i, entry in enumerate(d for d in catalog["datasets"] if d["name"] in ("moons", "glass2")):
        entry["title"] = fabricate.HOSTILE[i]
    for entry in catalog["methods"]:
        if entry["name"] == "smote":
            entry["title"] = fabricate.HOSTILE[1]
    store.publish_catalog(catalog)
    filled(store)
    for view in VIEWS:
        page = look(**query(view=view))
        said = words(page)
        assert "<img" not in said.replace("\\<img", "") and "](https" not in said
        assert not re.search(r"(?<!\\)\*\*bold(?<!\\)\*\*", said)
        for c in page.get("plotly_chart"):
            assert "<img" not in c.proto.spec


def test_the_view_is_back_when_the_page_is_opened_from_the_menu(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(view="heat", metric="f1"))
    page._page_hash = calc_hash("papers")
    page.query_params.clear()
    page.run()
    page._page_hash = calc_hash("compare")
    page.query_params.clear()
    page.run()
    assert not page.exception and kept(page) == query(view="heat", metric="f1")
    assert page.multiselect(key="plan.datasets").value == list(SPEC.datasets) and len(charts(page)) == 1


def test_sweeps_that_were_started_are_offered_again(look: Look, store: Store) -> None:
    page = look(**query(view="ratio"))
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
    page = look(**query(view="ratio"))
    assert page.button(key="run").disabled
    assert not [b for b in page.button if b.key in ("compare.missing", "compare.cancel")]
    assert charts(page) and "emonstration" in words(page)


def leads(page: AppTest, label: str) -> str:
    """The words of the address that the link of that label leads to."""
    return next(e.proto.query_string for e in page.get("page_link") if e.proto.label == label)


def test_the_link_to_two_runs_takes_the_sweep_along(look: Look, store: Store) -> None:
    cells = filled(store)
    own = next(c for c in cells if c.method == "smote")
    page = look(**query(view="heat", metric="f1", cell=own.id))
    words = {name: value[0] for name, value in parse_qs(leads(page, "Beside plain training")).items()}
    pair = look(**words)
    assert kept(pair)["view"] == "pair" and kept(pair)["beside"] == own.id
    pair.segmented_control(key="compare.view").set_value("heat").run()
    assert SweepSpec.from_query(kept(pair), fabricate.catalog()) == SPEC and kept(pair)["metric"] == "f1"


@pytest.mark.parametrize("where", ["all", "train"])
def test_curves_are_of_the_same_test_rows_where_only_training_rows_are_withheld(look: Look, store: Store, where: str) -> None:
    spec = replace(SPEC, where=where)
    cells = filled(store, spec)
    moons = [c.id for c in cells if (c.dataset, c.method) == ("moons", "smote")]
    said = words(look(**query(spec, view="curves", curves=",".join(moons))))
    assert len(moons) == 2 and ("All curves are on the same test rows" in said) == (where == "train")
    glass = [c.id for c in cells if (c.dataset, c.method) == ("glass2", "smote")]
    said = words(look(**query(spec, view="curves", curves=f"{moons[0]},{glass[0]}")))
    assert f"heights compare within a dataset{' and ratio' if where == 'all' else ''} alone" in said


def test_replicates_are_those_of_the_runs(look: Look, store: Store) -> None:
    spec = SweepSpec(("moons", "mnist"), ("ce",), (2.0,), folds=4, seeds=3)
    page = look(**query(spec))
    assert "4 runs of 3 to 12 replicates" in words(page)
    page.button(key="run").click().run()
    offered = [e.proto.label for e in look().get("page_link")]
    assert any("MNIST" in label and "3 to 12 replicates" in label for label in offered)
    assert "2 runs of 3 replicates" in words(look(**query(replace(spec, datasets=("mnist",)))))


def test_stopping_says_whose_it_also_stops(look: Look, store: Store) -> None:
    page = look(**query())
    page.button(key="run").click().run()
    assert "another sweep or a paper's table" in page.button(key="compare.cancel").help


# ---- two runs


def test_two_runs_in_step(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="smote", ratio=20.0, folds=2, seeds=3), ap=0.4)
    other = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0, folds=2, seeds=3), ap=0.5)
    page = look(view="pair", run=one.id, beside=other.id)
    assert kept(page) == {"view": "pair", "run": one.id, "beside": other.id}
    said = words(page)
    assert "What differs" in said and "One scrubber" in said
    frame = next(f.value for f in page.dataframe if "measure" in f.value.columns)
    assert "difference" in frame.columns and len(frame) >= 10
    players = page.get("bidi_component")
    assert len(players) == 2
    assert all(b'"group":"compare"' in p.proto.bytes for p in players)


def test_two_runs_on_other_rows_are_not_subtracted(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    other = fabricate.done(store, fabricate.spec(method="ce", ratio=5.0))
    page = look(view="pair", run=one.id, beside=other.id)
    frame = next(f.value for f in page.dataframe if "measure" in f.value.columns)
    assert "difference" not in frame.columns
    assert "not tested on the same rows" in words(page)


def test_two_runs_one_absent_the_same_or_unfinished(look: Look, store: Store) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    assert "There is no such run here" in look(view="pair", run=one.id, beside="0" * 16).error[0].value
    assert "Both are the same run" in look(view="pair", run=one.id, beside=one.id).info[0].value
    waits = fabricate.queued(store, fabricate.spec(method="smote", ratio=20.0))
    page = look(view="pair", run=one.id, beside=waits.id)
    assert "waiting" in " ".join(i.value for i in page.info)
    assert "Choose two runs" in words(look(view="pair"))


def test_somebody_elses_run_reads_as_one_that_is_not_there(look: Look, store: Store) -> None:
    spec = fabricate.spec(method="smote", ratio=20.0)
    job = store.submit(spec, fingerprint="fp-moons", owner="x" * 43)
    assert "There is no such run here" in look(view="pair", run=job.id, beside=job.id).error[0].value


@pytest.mark.parametrize("words_of", ["[]", '{"dataset": "moons"}'])
def test_a_run_whose_words_cannot_be_read_is_left_out_and_told(look: Look, store: Store, words_of: str) -> None:
    one = fabricate.done(store, fabricate.spec(method="ce", ratio=20.0))
    other = fabricate.done(store, fabricate.spec(method="smote", ratio=20.0))
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == other.id).values(spec=words_of))
    page = look(view="pair", run=one.id, beside=other.id)
    assert len(page.error) == 1 and "spec" in page.error[0].value
    assert len(page.selectbox(key="compare.run").options) == 1


def test_a_run_that_cannot_be_loaded_is_told_once(look: Look, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (fabricate.done(store, fabricate.spec(method=m, ratio=20.0)) for m in ("ce", "smote"))
    monkeypatch.setattr("app.run.panel.load_run", lambda *_, **__: (None, "It cannot be read."))
    page = look(view="pair", run=one.id, beside=other.id)
    assert [e.value for e in page.error] == ["It cannot be read."]


# ---- the sentences


def of_ranks(cells: Sequence[tuple[str, float]], p: float = 0.01) -> str:
    records = [
        {"dataset": d, "ratio": at, "method": m, "title": m.upper(), "mean": 0.5} for d, at in cells for m in ("a", "b", "ce")
    ]
    records += [{"dataset": "x", "ratio": at, "method": "a", "title": "A", "mean": None} for at in (5.0, 20.0)]  # not ranked
    found = {"friedman": {"p": p}, "sets": len(cells), "ranks": {"a": 1.0, "b": 2.0, "ce": 3.0}, "cliques": []}
    return sweep_words.describe_ranks(found, records)


def test_ranks_over_ratios_of_one_dataset_are_taken_with_care() -> None:
    shared, apart = of_ranks([("d", 5.0), ("d", 20.0), ("e", 5.0)]), of_ranks([("d", 5.0), ("e", 20.0)])
    assert "p may be too small" in shared and "not independent" in shared and "on data like these" not in shared
    assert "Begin with it on data like these" in apart and "too small" not in apart
    alone = of_ranks([("d", 5.0), ("d", 20.0)])
    assert "about that dataset alone" in alone and "p may be too small" in alone and "on data like these" not in alone
    assert "too small" in of_ranks([("d", 5.0), ("d", 20.0), ("e", 5.0)], p=0.5)


def test_one_method_alone_is_no_bargain() -> None:
    plain_ce, best = Point("ce", "Plain", 2.0, 0.4, 0.3, 0.5), Point("smote", "SMOTE", 1.0, 0.5, 0.4, 0.6)
    oracle = Point("potential", "Potential", 9.0, 0.9, 0.8, 1.0, oracle=True)
    assert (
        sweep_words.describe_cost([plain_ce, oracle], 3)
        == "Plain is alone here so far: there is nothing to hold its seconds against."
    )
    assert "so far" not in sweep_words.describe_cost([plain_ce], 0)
    assert "highest mean so far: nothing else that is done is worth" in sweep_words.describe_cost([plain_ce, best], 1)
    assert sweep_words.describe_cost([plain_ce, best], 0).endswith("nothing else is worth its seconds here.")
    assert "highest mean so far, for" in sweep_words.describe_cost([replace(plain_ce, seconds=0.5), best], 1)
    assert sweep_words.describe_cost([oracle], 1) == "No method is done here yet."


def test_no_share_is_called_the_most_that_may_be_nothing() -> None:
    worse = Share("smote", "SMOTE", "D, 5:1", -0.12, -0.5, 0.2)
    assert "SMOTE" not in sweep_words.describe_shares([worse], 0) and "told from nothing" in sweep_words.describe_shares(
        [worse], 0
    )
    wide, sure = replace(worse, label="Wide", mean=0.9, low=-0.1, high=2.0), replace(worse, label="Sure", mean=0.3, low=0.1)
    assert sweep_words.describe_shares([worse, sure], 0).startswith("The most is recovered by Sure")
    assert sweep_words.describe_shares([wide, sure], 0).startswith(
        "The most that can be told from nothing is recovered by Sure"
    )
    assert sweep_words.describe_shares([replace(wide, low=math.nan)], 0).startswith("No method recovers a share")


def test_holm_is_over_what_is_tested(store: Store) -> None:
    filled(store, leave=("explicit-gradient",))
    said = sweep_words.describe_correction(table.build_table(store, SPEC, fabricate.catalog()))
    assert said.endswith("over the 4 differences tested so far.")
    filled(store)
    said = sweep_words.describe_correction(table.build_table(store, SPEC, fabricate.catalog()))
    assert said.endswith("over the 8 differences of this sweep.")


def record(title: str, at: float, better: bool = False, worse: bool = False, mean: float = 0.1) -> dict[str, Any]:
    gap = {"mean": mean, "low": 0.0, "high": 0.2, "p_holm": 0.01, "better": better, "worse": worse}
    return {"dataset": "d", "dataset_title": "D", "title": title, "ratio": at, "role": "method", "difference": gap}


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        ("++", "helps at every ratio tested"),
        ("+0", "helps up to 5:1, no gain found at 20:1"),
        ("0+", "helps from 20:1 on"),
        ("00", "cannot be told from plain training at 5:1 and 20:1"),
        ("0-", "helps nowhere, and is worse at 20:1"),
        ("+0+", "helps at 5:1 and 50:1"),
        ("+-", "helps up to 5:1, no gain found at 20:1, and is worse at 20:1"),
    ],
)
def test_where_a_method_stops(marks: str, says: str) -> None:
    own = [record("M", at, better=m == "+", worse=m == "-") for m, at in zip(marks, (5.0, 20.0, 50.0), strict=False)]
    assert sweep_words.describe_stops(own) == [f"**M** {says}."]


def test_the_answer_names_the_best_first_and_says_where_nothing_helps() -> None:
    rows = [record("A", 5.0, True, mean=0.1), record("B", 5.0, True, mean=0.2), record("A", 20.0), record("B", 20.0)]
    assert sweep_words.describe_answer(rows) == [
        "D: at 5:1 **B or A** is better than plain training; at 20:1 nothing is clearly better than plain training."
    ]
    assert sweep_words.describe_answer([]) == []
    harmful = [record("A", 5.0), record("B", 5.0, worse=True), record("B", 20.0, worse=True)]
    assert sweep_words.describe_answer(harmful)[0].endswith("at 5:1 and 20:1 B is worse.")


def test_what_is_clear_alone_and_not_among_many_is_said() -> None:
    rows = [record("A", 5.0), record("B", 5.0)]
    for row, low in zip(rows, (-0.5, -0.1), strict=True):
        row["difference"] |= {"low": low, "high": low + 0.2}
    said = sweep_words.describe_heat(rows)
    assert "none can be told apart" in said and "Looked at alone, 1 more has an interval that leaves out 0" in said


def test_lines_are_drawn_over_ascending_ratios(store: Store) -> None:
    filled(store)
    records = table.build_table(store, SPEC, fabricate.catalog())
    own = [r for r in records if r["dataset"] == "moons"]
    lines = ratio.make_lines(own[::-1])
    assert {line.key for line in lines} == set(LEVEL)
    assert all(list(line.ratios) == [20.0, 25.0] for line in lines)


def test_the_whole_sweep_can_be_taken_along_as_code(look: Look, store: Store) -> None:
    filled(store)
    page = look(**query(view="heat", metric="f1"))
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
    rows = compare.flatten_records(table.build_table(store, SPEC, fabricate.catalog()), "average_precision")
    assert len(rows) == len(cells) and {r["state"] for r in rows} == {"done", "missing"}
    assert len({tuple(r) for r in rows}) == 1 and "difference_p_holm" in rows[0]
