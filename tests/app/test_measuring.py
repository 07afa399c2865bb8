"""Measuring a paper's table from the page: asked for, stopped, asked again, and shown beside what is shipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.session.store import CATALOG
from app.words import papers as texts
from engine.papers import measured, stored
from engine.papers.tables import PAPERS
from engine.stats.significance import find_test_share
from engine.store import Store
from engine.store.jobs import PRIORITY_SWEEP
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_compare import heading, marks
from tests.app.test_lab import words

Look = Callable[..., AppTest]


@pytest.fixture
def look(store: Store) -> Look:
    """look(query...) -> the Papers page over the real catalog, run once."""
    store.publish_catalog(json.loads(CATALOG.read_text()))

    return partial(opened, "papers")


def plan(store: Store, *datasets: str) -> stored.Plan:
    catalog = store.catalog()
    assert catalog is not None
    return stored.plan_runs(PAPERS["keel"].table("3").select((), datasets), catalog)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception, page.exception
    return page


def numbers(page: AppTest):
    """The table of numbers, from its own tab."""
    page.session_state["papers.tab"] = texts.TABS["numbers"]
    again(page)
    found = next(d.value for d in page.dataframe if "printed" in d.value.columns)
    return found[found["dataset"] == "glass2"]


def test_a_tables_runs_are_asked_for_stopped_and_asked_for_again(store: Store, look: Look) -> None:
    page = look(paper="keel", table="3", tab="run")
    said = words(page)
    assert "0 of 154 runs done in this lab" in said and "154 runs, 3,080 replicates in all, about " in said
    assert "python -m engine table keel --table 3" in [c.value for c in page.code]
    page.multiselect(key="papers.sets").set_value(["glass2"])
    again(page)
    assert page.button(key="papers-run").label == "Run 7 runs"
    page.button(key="papers-run").click()
    again(page)
    wanted = plan(store, "glass2")
    jobs = {job.id: job for job in store.jobs()}
    assert set(jobs) == {run.id for run in wanted.each} and {job.priority for job in jobs.values()} == {PRIORITY_SWEEP}
    said = words(again(page))
    assert "0 of 7 runs done in this lab · 7 waiting" in said and texts.NO_ENGINE in said
    fabricate.beat(store)
    assert "About " in words(again(page)) and " left." in words(page)
    assert "A sweep that waits" in page.button(key="papers-stop").help
    page.button(key="papers-stop").click()
    again(page)
    assert ":red[7 cancelled]" in words(again(page)) and {job.state for job in store.jobs()} == {"cancelled"}
    page.button(key="papers-run").click()
    again(page)
    assert {(job.state, job.attempt) for job in store.jobs()} == {("queued", 2)}
    # one fails: its reason is told, and it can be asked for again
    one = store.claim("engine-1")
    assert one is not None
    store.finish(one.id, "failed", "It <b>broke</b>.")
    assert "1 failed" in words(again(page)) and "<b>" not in words(page).replace("\\<b>", "")


def fill(store: Store, runs: list[stored.Run], **values: list[float]) -> None:
    """Results of these runs; values: run's id -> its average precisions instead of made-up ones."""
    for i, run in enumerate(runs):
        made = replace(fabricate.result(run.spec, ap=0.3, seed=i), test_share=find_test_share(run.spec.folds))
        if run.id in values:
            made.metrics["average_precision"]["values"] = values[run.id]
        store.record_run(run.spec, replace(made, run_id=run.id), fingerprint=run.fingerprint)


def test_what_was_measured_stands_beside_what_is_shipped(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    document = measured.read_table("keel", "3", False)
    assert document is not None
    page = look(paper="keel", table="3")
    assert "in this lab" not in numbers(page).columns
    runs = plan(store, "glass2").each
    shipped = [row for row in document["rows"] if row["dataset"] == "glass2"]
    own = {row["runs"][0]: row for row in shipped}
    fill(store, runs, **{runs[0].id: own[runs[0].id]["values"]})
    found = numbers(page).reset_index(drop=True)
    assert len(found) == 7 and list(found["n, this lab"]) == ["20"] * 7 and list(found["n"]) == ["20"] * 7
    assert found["in this lab"][0] == found["here"][0] and found["in this lab"][1] != found["here"][1]
    page.session_state["papers.tab"] = texts.TABS["cells"]
    again(page)
    assert all(f'data-press="{run.id}"' in marks(page) for run in runs), "a cell whose run is kept opens it"
    # claims and ranks can be made of either
    assert "22 datasets." in marks(page) and heading(page).endswith("of 6 claims hold here.")
    page.session_state["papers.whose"] = texts.LAB
    assert "22 datasets." not in marks(again(page)) and heading(page).endswith("of 6 claims hold here.")
    assert {"here", "n"}.isdisjoint(numbers(page).columns) and "in this lab" in numbers(page).columns
    # another protocol's numbers are another table
    page.session_state["papers.whose"] = texts.SHIPPED
    page.session_state["papers.tab"] = texts.TABS["run"]
    again(page).segmented_control(key="papers.protocol").set_value("reduced").run()
    assert "in this lab" not in numbers(page).columns


def test_a_cell_says_how_far_it_is_from_the_shipped_one(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    from app.views.papers import numbers as cell_numbers

    ours = {"mean": 0.5, "low": 0.4, "high": 0.6}
    row = {"runs": ["a"], "values": [0.1, 0.2], "ours": ours}
    assert cell_numbers._compare_values(row, row) == texts.EQUAL
    assert cell_numbers._compare_values(row, row | {"values": [0.1, 0.25]}).endswith("by at most .050.")
    assert "inside the shipped interval" in cell_numbers._compare_values(row, row | {"runs": ["b"]})
    assert "outside" in cell_numbers._compare_values(row, row | {"runs": ["b"], "ours": ours | {"mean": 0.7}})


def test_a_table_that_is_not_shipped_shows_what_this_lab_measured(
    store: Store, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "HERE", tmp_path)
    page = look(paper="keel", table="3", tab="run")
    assert heading(page) == texts.NO_CLAIM and "No such run was timed yet." in words(page)
    page.segmented_control(key="papers.protocol").set_value("full").run()
    fill(store, plan(store, "glass2").each)
    assert set(numbers(page)["n, this lab"]) == {"20"} and "claims hold" in heading(page)


def test_a_demonstration_queues_nothing(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    page = look(paper="keel", table="3", tab="run")
    assert "This is a demonstration" in words(page) and "papers-run" not in [b.key for b in page.button]
    stored.queue_runs(Store(store.url), plan(store, "glass2").each)
    assert "papers-stop" not in [b.key for b in again(page).button]


def test_the_sine_says_that_it_is_no_run(look: Look) -> None:
    page = look(paper="sine", table="2", tab="run")
    assert "it is a regression" in words(page)
    assert "papers-run" not in [b.key for b in page.button]
