"""A table's runs in the store: what the page asks for and reads is what the terminal runs and says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.catalog import build_catalog
from engine.papers import keel, measured, stored
from engine.papers.protocol import Arm, Reading, Row, Table
from engine.papers.result_cache import StoreCache
from engine.papers.tables import PAPERS, judge_tables
from engine.reproduce.table_runner import TableRunner
from engine.spec import Imbalance
from engine.store.jobs import PRIORITY_SWEEP
from tests.app import fabricate


def table(paper="keel", name="3", reduced=False, datasets=("glass2",)):
    return PAPERS[paper].table(name, reduced).select((), datasets)


def fill(store, runs):
    """Made-up results of these runs."""
    for i, run in enumerate(runs):
        made = fabricate.result(run.spec, ap=0.3 + 0.01 * i, seed=i)
        store.record_run(run.spec, replace(made, run_id=run.id), fingerprint=run.fingerprint)


@pytest.mark.parametrize(("paper", "name", "count"), [("keel", "3", 7), ("moving", "steps", 24)])
def test_the_page_reads_what_the_terminal_does(store, paper, name, count):
    catalog = build_catalog()
    wanted = stored.plan_runs(table(paper, name), catalog)
    assert len(wanted.each) == len(wanted.runs) == count and not wanted.absent
    assert stored.build_stored_document(store, wanted, {}) is None
    fill(store, wanted.each[:-1])  # one is missing
    kept: dict = {}
    found = stored.build_stored_document(store, wanted, kept)
    cache = StoreCache(store.url)
    runner = TableRunner(catalog, cache, lambda line: None)
    runner.run_one = lambda spec, arm: pytest.fail("the terminal does not know a run that the page found")
    answers = runner.run([table(paper, name).select([r.labels["method"] for r in wanted.table.rows[:-1]])])
    rows, claims = judge_tables([wanted.table], answers)
    assert [row for row in found["rows"] if row["ours"]] == [row for row in rows if row["ours"]]
    assert [c for c in found["claims"] if c["difference"]] == [c for c in claims if c["difference"]]
    assert sum(row["ours"] is None for row in found["rows"]) == 1
    assert len(kept) == (0 if paper == "keel" else 20)  # arrays are read where a choice on validation needs them
    cache.store.close()


def test_a_run_that_two_arms_share_is_queued_once_and_read_by_both(store):
    arms = [Arm("glass2", "ce", Imbalance(), params) for params in ({}, {"epochs": 200})]  # which is the default
    rows = [Row(None, "glass2", {"method": f"m{i}"}, "f1", Reading(arm, "f1")) for i, arm in enumerate(arms)]
    wanted = stored.plan_runs(Table("keel", "3", "", False, "", 2, tuple(rows)), build_catalog())
    assert [run.number for run in wanted.runs] == [0, 0, 1, 1] and [run.number for run in wanted.each] == [0, 1]
    fill(store, wanted.each)
    one, two = stored.build_stored_document(store, wanted, {})["rows"]
    assert one["values"] == two["values"] and one["ours"]["n"] == 2


def test_queued_behind_people_stopped_and_asked_again(store):
    wanted = stored.plan_runs(table(), build_catalog())
    mine = wanted.runs[0]
    store.submit(mine.spec, fingerprint=mine.fingerprint)  # somebody asked for it alone
    stored.queue_runs(store, wanted.missing(stored.read_states(store, [run.id for run in wanted.each])))
    states = stored.read_states(store, [run.id for run in wanted.each])
    assert {s.state for s in states.values()} == {"queued"}
    assert sorted(s.priority for s in states.values()) == [0] + 6 * [PRIORITY_SWEEP]
    stored.cancel_runs(store, wanted.each)
    states = stored.read_states(store, [run.id for run in wanted.each])
    assert states[mine.id].state == "queued" and stored.count_states(wanted, states)["cancelled"] == 6
    stored.queue_runs(store, wanted.missing(states))
    states = stored.read_states(store, [run.id for run in wanted.each])
    assert {s.state for s in states.values()} == {"queued"} and {s.attempt for s in states.values()} == {1, 2}


def test_time_is_foreseen_by_what_was_shipped_and_by_this_machine(store, monkeypatch):
    wanted = stored.plan_runs(table(), build_catalog())
    document = {"took": {run.id: 10.0 for run in wanted.each}, "rows": []}
    monkeypatch.setattr(measured, "read_table", lambda paper, name, reduced: None if reduced else document)
    assert stored.foresee_seconds(wanted, {}, wanted.each) == 70.0
    monkeypatch.setattr(stored, "CREDIT", 10.0)
    done = {wanted.each[0].id: stored.State("done", "", 10, 1, 0.0, 5.0)}  # twice as fast here, which counts half
    half = {wanted.each[1].id: stored.State("running", "", 10, 1, 0.5, None)}
    assert stored.foresee_seconds(wanted, done | half, wanted.each[1:]) == pytest.approx(0.75 * 55)
    # the other protocol: a fifth as many epochs, of the same steps
    rows = [
        {"dataset": row.dataset, "labels": dict(row.labels), "metric": row.metric, "runs": [run.id] if row.reading else []}
        for row, run in zip(wanted.table.rows, wanted.each, strict=True)
    ]
    document["rows"] = rows
    small = stored.plan_runs(table(reduced=True), build_catalog())
    whole = keel.table
    monkeypatch.setattr(keel, "table", lambda name, reduced: whole(name, reduced).select((), ("glass2",)))
    assert stored.foresee_seconds(small, {}, small.each) == pytest.approx(14.0)
    document["rows"] = rows[:-1]  # a row that came since has no time of its own
    assert stored.foresee_seconds(small, {}, small.each) is None
    monkeypatch.setattr(measured, "read_table", lambda *asked: None)
    assert stored.foresee_seconds(wanted, {}, wanted.each) is None
    assert stored.foresee_seconds(wanted, done, wanted.each[1:]) == 30.0  # as those that were done


def test_what_cannot_be_run_says_why():
    wanted = stored.plan_runs(PAPERS["sine"].table("2"), build_catalog())
    assert not wanted.runs and "regression" in next(iter(wanted.absent.values()))
    catalog = build_catalog()
    for entry in catalog["datasets"]:
        entry["available"] = False
    wanted = stored.plan_runs(table(), catalog)
    assert not wanted.runs and all(why.startswith("the data are not on this machine: ") for why in wanted.absent.values())
