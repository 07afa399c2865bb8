"""Sweeps: what is asked, in which order, how far it is, and what comes of it. Results are made up; nothing is trained."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import numpy as np
import pytest

from engine.catalog import build_catalog
from engine.errors import BadInput, BadParameter, UnknownName
from engine.spec import Imbalance
from engine.spec.result import Result
from engine.spec.run import find_entry
from engine.stats.intervals import corrected_t
from engine.stats.recovered import recovered_share
from engine.stats.significance import holm, t_test
from engine.store import PRIORITY_INTERACTIVE, EngineInfo, Store
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.schema import JOBS
from engine.sweep import SweepSpec
from engine.sweep.spec import Cell
from engine.sweep.standing import cancel_sweep, read_standing, submit_sweep
from engine.sweep.table import build_table, compare_over_cells
from tests.app import fabricate

pytestmark = pytest.mark.both_databases
CATALOG = fabricate.catalog()
REAL = build_catalog()
TWO = SweepSpec(("moons", "glass2"), ("smote", "explicit-gradient"), (5, 20), folds=2, seeds=2)


def keep(store: Store, cell: Cell, ap: float = 0.4, answer: Result | None = None, **more: Any) -> None:
    """A finished cell."""
    fingerprint = find_entry(CATALOG, "datasets", cell.dataset)["fingerprint"]
    store.record_run(cell.spec, answer or fabricate.result(cell.spec, ap=ap, **more), fingerprint=fingerprint)


def fill(store: Store, spec: SweepSpec, **levels: float) -> None:
    """Every cell done; levels: method -> mean score."""
    at = {"ce": 0.3, "potential": 0.6, "smote": 0.42, "explicit_gradient": 0.3} | levels
    for number, cell in enumerate(spec.cells(CATALOG)):
        keep(store, cell, at[cell.method.replace("-", "_")], seed=number)


def by_name(records: list[dict[str, Any]], method: str, dataset: str = "moons", ratio: float = 20.0) -> dict[str, Any]:
    return next(r for r in records if (r["method"], r["dataset"], r["ratio"]) == (method, dataset, ratio))


# ---- what is asked


def test_words_and_json_mean_the_same_sweep():
    spec = SweepSpec(("glass2", "moons"), ("smote",), (5, 12.25), where="train", folds=1, seeds=3, seed=7)
    assert spec.to_query() == {
        "datasets": "glass2,moons", "methods": "smote", "ratios": "5,12.25", "where": "train", "folds": "1", "seeds": "3", "seed": "7",
    }  # fmt: skip
    assert SweepSpec.from_query(spec.to_query() | {"view": "table", "metric": "f1"}, CATALOG) == spec
    assert SweepSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert SweepSpec.from_query({"datasets": " moons , wine", "methods": "ce", "ratios": "2"}, CATALOG).seeds == 5


def test_a_name_with_a_comma_survives_the_address():
    spec = SweepSpec(("a,b", "50% c"), ("smote",), (5,))
    odd = {"datasets": [{"name": n} for n in spec.datasets], "methods": [{"name": "smote"}]}
    assert SweepSpec.from_query(spec.to_query(), odd) == spec


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ({"datasets": ""}, BadParameter, "at least one of its datasets"),
        ({"methods": ","}, BadParameter, "at least one of its methods"),
        ({"ratios": "5,many"}, BadParameter, "'many' is not a number"),
        ({"ratios": "0.5"}, BadParameter, r"numbers in \[1, 500\]"),
        ({"ratios": "nan"}, BadParameter, r"numbers in \[1, 500\]"),
        ({"ratios": "inf"}, BadParameter, r"numbers in \[1, 500\]"),
        ({"datasets": "mars"}, UnknownName, "no dataset is called 'mars'"),
        ({"datasets": "upload/abc"}, UnknownName, "no dataset is called"),
        ({"methods": "smoke"}, UnknownName, "no method is called 'smoke'"),
        ({"where": "test"}, BadParameter, "'all' or 'train'"),
        ({"folds": "two"}, BadParameter, "must be a whole number"),
        ({"folds": "11"}, BadParameter, r"\[1, 10\]"),
        ({"seeds": "0"}, BadParameter, r"\[1, 100\]"),
        ({"seed": "-1"}, BadParameter, "seed=-1"),
        ({"ratios": ",".join(map(str, range(1, 501))), "datasets": "moons,wine"}, BadParameter, "at most 2,000"),
    ],
)
def test_words_that_cannot_be_are_told_in_one_sentence(words, error, said):
    good = {"datasets": "moons", "methods": "smote", "ratios": "5"}
    with pytest.raises(error, match=said) as raised:
        SweepSpec.from_query(good | words, CATALOG)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "value", [None, [], {"datasets": ["moons"]}, {"colour": 1}, TWO.to_json() | {"ratios": "5"}, TWO.to_json() | {"datasets": "moons"},
              TWO.to_json() | {"methods": [1]}, TWO.to_json() | {"ratios": [True]}, TWO.to_json() | {"folds": 2.5}]
)  # fmt: skip
def test_json_that_is_no_sweep_is_refused(value):
    with pytest.raises(BadInput):
        SweepSpec.from_json(value)


def test_nothing_is_asked_twice():
    assert SweepSpec(("moons", "moons"), ("smote", "smote", "ce"), (5, 5.0)).cells(CATALOG) == SweepSpec(
        ("moons",), ("smote",), (5,)
    ).cells(CATALOG)


def test_cells_are_the_lab_s_own_runs_with_baseline_and_ceiling():
    cells = TWO.cells(CATALOG)
    assert {(c.dataset, c.method, c.ratio) for c in cells} == {
        (d, m, r)
        for d in ("moons", "glass2")
        for m in ("ce", "smote", "explicit-gradient", "potential")
        for r in (5.0, 20.0)
        if (d, m, r) != ("glass2", "potential", 5.0)  # it has 11.6:1 as it comes: nothing is withheld
    }
    for cell in cells:
        entry = find_entry(CATALOG, "datasets", cell.dataset)
        asked = fabricate.spec(cell.dataset, cell.method, cell.ratio, folds=2, seeds=2)
        assert cell.spec == asked and cell.id == asked.run_id(entry["fingerprint"])


def test_cells_are_worked_out_once_and_anew_where_the_catalog_changes():
    mine = copy.deepcopy(CATALOG)
    cells = TWO.cells(mine)
    again = TWO.cells(copy.deepcopy(mine))
    assert all(one is other for one, other in zip(cells, again, strict=True))
    again.clear()
    assert TWO.cells(mine) == cells
    moons, smote = find_entry(mine, "datasets", "moons"), find_entry(mine, "methods", "smote")
    moons["fingerprint"] = "other rows"
    changed = {(c.dataset, c.method, c.ratio): c.id for c in TWO.cells(mine)}
    assert {key[0] for key, id in changed.items() if id not in {c.id for c in cells}} == {"moons"}
    next(f for f in smote["fields"] if f["name"] == "epochs")["default"] = 7
    assert {c.spec.params["epochs"] for c in TWO.cells(mine) if c.method == "smote"} == {7}
    find_entry(mine, "datasets", "glass2")["counts"] = [20, 2]
    assert {c.dataset for c in TWO.cells(mine)} == {"moons"}
    mine["methods"].remove(smote)
    with pytest.raises(UnknownName, match="there are: ce, "):
        TWO.cells(mine)
    assert TWO.cells(CATALOG) == cells


def test_the_preset_suited_to_the_data_is_taken():
    (cell,) = [c for c in SweepSpec(("moons",), ("explicit-gradient",), (20,)).cells(REAL) if c.method == "explicit-gradient"]
    visible = find_entry(REAL, "methods", "explicit-gradient")["presets"]["visible"]
    assert {name: cell.spec.params[name] for name in visible} == visible


def test_what_cannot_be_is_listed_with_its_reason():
    spec = SweepSpec(("glass2", "digits", "wine"), ("smote", "eos"), (5, 25, 400), folds=4)
    found = {(i.dataset, i.method, i.ratio): i.reason for i in spec.impossible(CATALOG)}
    gone = {(name, "", 400.0) for name in ("glass2", "digits", "wine")}
    assert set(found) == gone | {("digits", "smote", None), ("wine", "", 25.0)}
    assert found["digits", "smote", None] == "smote takes tabular or points data; digits is of kind images."
    assert found["glass2", "", 400.0].startswith("At most 39.4:1")
    there = {(c.dataset, c.ratio) for c in spec.cells(CATALOG)}
    assert there == {("glass2", 5.0), ("glass2", 25.0), ("digits", 5.0), ("digits", 25.0), ("wine", 5.0)}
    assert not [c for c in spec.cells(CATALOG) if (c.dataset, c.method) == ("digits", "smote")]


def test_data_with_a_test_part_of_their_own_have_one_fold():
    cells = SweepSpec(("mnist", "wine"), ("eos",), (5,), folds=4, seeds=2).cells(CATALOG)
    assert {(c.dataset, c.spec.folds, c.spec.seeds) for c in cells} == {("mnist", 1, 2), ("wine", 4, 2)}
    too_skewed = SweepSpec(("mnist",), ("eos",), (110,)).impossible(CATALOG)
    assert [i.reason for i in too_skewed] == ["No row of the smallest class would remain in the test part of mnist at 110:1."]
    assert SweepSpec(("mnist",), ("eos",), (110,), where="train").impossible(CATALOG) == []


def test_a_set_with_a_share_of_its_own_is_taken_as_it_comes():
    catalog = build_catalog()
    spec = SweepSpec(("moons", "hidden-cluster"), ("smote",), (5.0, 20.0))
    own = [cell for cell in spec.cells(catalog) if cell.dataset == "hidden-cluster"]
    assert {cell.method for cell in own} == {"ce", "smote"} and len(own) == 2, "one cell a method, and no potential"
    for cell in own:
        assert (cell.spec.imbalance, cell.spec.folds, cell.spec.seeds, cell.ratio) == (Imbalance(), 1, 20, 32.33)
    assert spec.replicates(catalog) == [20, 20] and not spec.impossible(catalog)
    quick = SweepSpec(("hidden-cluster",), ("smote",), (5.0,), seeds=1)
    assert quick.replicates(catalog) == [1]


def test_cheap_cells_come_first():
    spec = SweepSpec(("adult", "moons", "glass2"), ("smote", "explicit-gradient", "meta-weight-net", "rus"), (10, 100, 20))
    cells = spec.cells(REAL)
    assert [c.cost for c in cells] == sorted(c.cost for c in cells) and min(c.cost for c in cells) > 0
    cost = {(c.dataset, c.method, c.ratio): c.cost for c in cells}
    assert cost["adult", "smote", 20.0] > 10 * cost["moons", "smote", 20.0] > 10 * cost["glass2", "smote", 20.0] / 5
    assert cost["moons", "rus", 10.0] < cost["moons", "ce", 10.0] < cost["moons", "meta-weight-net", 10.0]
    assert cost["moons", "potential", 100.0] > cost["moons", "ce", 100.0], "it trains on the withheld rows too"
    more = SweepSpec(("moons",), ("smote",), (10,), seeds=10).cells(REAL)
    assert more[0].cost > cost["moons", "ce", 10.0]


# ---- asking


def test_cells_are_queued_cheapest_first_and_claimed_in_that_order(store):
    cells = TWO.cells(CATALOG)
    assert submit_sweep(store, TWO, CATALOG) == len(cells) == 15
    jobs = [store.job(cell.id) for cell in cells]
    assert {job.priority for job in jobs} == {PRIORITY_SWEEP}
    assert all(a.created < b.created for a, b in zip(jobs, jobs[1:], strict=False))
    urgent = store.submit(fabricate.spec("wine", "ce", 2.0))
    assert [store.claim("engine-1").id for _ in range(16)] == [urgent.id, *(cell.id for cell in cells)]


def test_what_is_there_is_free_and_what_ended_badly_is_asked_for_again(store):
    cells = TWO.cells(CATALOG)
    keep(store, cells[3])
    lab = store.submit(cells[5].spec, fingerprint=store_print(cells[5]))
    assert submit_sweep(store, TWO, CATALOG, device="cpu") == 13
    assert submit_sweep(store, TWO, CATALOG) == 0, "asking twice asks once"
    assert store.job(lab.id) == lab, "what a person asked for stays his"
    assert store.job(cells[0].id).device == "cpu"
    for _ in range(3):
        store.claim("engine-1")
    assert store.finish(cells[0].id, "failed", "Out of memory.") and store.finish(cells[1].id, "interrupted", "Gone.")
    assert submit_sweep(store, TWO, CATALOG) == 2
    assert [store.job(c.id).attempt for c in cells[:3]] == [2, 2, 1]


def store_print(cell: Cell) -> str:
    return str(find_entry(CATALOG, "datasets", cell.dataset)["fingerprint"])


def test_cancel_stops_the_sweep_and_not_what_a_person_waits_for(store):
    cells = TWO.cells(CATALOG)
    submit_sweep(store, TWO, CATALOG)
    store.submit(cells[2].spec, fingerprint=store_print(cells[2]), priority=PRIORITY_INTERACTIVE)
    waiting = store.submit(fabricate.spec("wine", "ce", 2.0))
    assert [store.claim("engine-1").id for _ in range(3)] == [cells[2].id, waiting.id, cells[0].id]
    assert cancel_sweep(store, TWO, CATALOG) == 14
    assert store.cancel_requested("engine-1") == [cells[0].id]
    assert store.job(cells[2].id).active and store.job(waiting.id).active
    assert {store.job(c.id).state for c in cells[3:]} == {"cancelled"}
    assert cancel_sweep(store, TWO, CATALOG) == 0
    assert submit_sweep(store, TWO, CATALOG) == 14, "and it goes on from there"


# ---- how far it is


def test_standing_counts_every_cell_once(store):
    cells = TWO.cells(CATALOG)
    found = read_standing(store, TWO, CATALOG)
    assert (found.missing, found.active, found.seconds_left, found.seconds_missing) == (15, False, None, None)
    submit_sweep(store, TWO, CATALOG)
    for _ in range(4):
        store.claim("engine-1")
    store.finish(cells[0].id, "failed", "Out of memory.")
    store.finish(cells[1].id, "interrupted", "Gone.")
    assert store.append(cells[2].id, [fabricate.Progress(3, 10)])
    keep(store, cells[-1])
    found = read_standing(store, TWO, CATALOG)
    assert (found.done, found.running, found.queued, found.failed, found.missing) == (1, 2, 10, 1, 1) and found.active
    states = {s.cell.id: s for s in found.cells}
    assert states[cells[0].id].reason == "Out of memory." and states[cells[1].id].state == "interrupted"
    assert (states[cells[2].id].done, states[cells[2].id].total) == (3, 10)
    assert [s.cell for s in found.cells] == cells


def took(store: Store, cell: Cell, rate: float) -> None:
    """The cell is done, in that many seconds for each that it costs."""
    keep(store, cell)
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == cell.id).values(started=1000.0, finished=1000.0 + rate * cell.cost))


def timed(store: Store, spec: SweepSpec, rates: dict[str, float]) -> None:
    """All cells of these methods are done. rates: method -> seconds for each second that a cell costs."""
    for cell in spec.cells(CATALOG):
        if cell.method in rates:
            took(store, cell, rates[cell.method])


def test_time_left_is_what_finished_cells_took_scaled_by_cost(store):
    cells = TWO.cells(CATALOG)
    cost = {m: sum(c.cost for c in cells if c.method == m) for m in ("explicit-gradient", "potential")}
    timed(store, TWO, {"ce": 2.0, "smote": 2.0})
    found = read_standing(store, TWO, CATALOG)
    overall = 2.0
    rest = overall * (cost["explicit-gradient"] + cost["potential"])
    assert found.seconds_left == 0 and found.seconds_missing == pytest.approx(rest)
    submit_sweep(store, TWO, CATALOG)
    found = read_standing(store, TWO, CATALOG)
    assert found.seconds_left == pytest.approx(rest) and found.seconds_missing == 0
    assert read_standing(store, TWO, CATALOG, lanes=2).seconds_left == pytest.approx(rest / 2)
    now = time.time()
    for id in ("a", "b"):
        store.record_heartbeat(EngineInfo(id, "here", 1, now, now, slots=3))
    assert read_standing(store, TWO, CATALOG).seconds_left == pytest.approx(rest / 4), "a slot of each is for people"
    first = store.claim("a")
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == first.id).values(started=now - 1e6))
    left = rest - overall * next(c.cost for c in cells if c.id == first.id)
    assert read_standing(store, TWO, CATALOG, lanes=1).seconds_left == pytest.approx(left), "what runs too long is nearly done"


def test_a_method_s_own_seconds_count_more_than_the_others_and_one_slow_cell_for_little(store):
    three = SweepSpec(("moons",), ("smote",), (5, 10, 15, 20), folds=1, seeds=1)
    own = [c for c in three.cells(CATALOG) if c.method == "smote"]
    timed(store, three, {"ce": 1.0})
    for cell, rate in zip(own[:3], (10.0, 10.0, 500.0), strict=True):
        took(store, cell, rate)
    found = read_standing(store, three, CATALOG)
    potential = sum(c.cost for c in three.cells(CATALOG) if c.method == "potential")
    assert found.seconds_missing == pytest.approx(10 * own[3].cost + 1.0 * potential)
    assert {s.cell.id: s.seconds for s in found.cells}[own[3].id] == pytest.approx(10 * own[3].cost)


# ---- what came of it


def test_the_table_before_anything_is_done(store):
    records = build_table(store, TWO, CATALOG)
    assert len(records) == 15 and json.loads(json.dumps(records, allow_nan=False)) == records
    assert [(r["dataset"], r["ratio"], r["method"]) for r in records][:5] == [
        ("moons", 5.0, "ce"), ("moons", 5.0, "smote"), ("moons", 5.0, "explicit-gradient"), ("moons", 5.0, "potential"),
        ("moons", 20.0, "ce"),
    ]  # fmt: skip
    one = by_name(records, "smote")
    assert (one["state"], one["n"], one["mean"], one["values"], one["difference"]) == ("missing", 0, None, [], None)
    assert one["share"] is None and "to be done" in one["share_why"]
    assert compare_over_cells(records) is None


def test_differences_are_paired_corrected_and_held_against_everything_shown(store):
    fill(store, TWO)
    records = build_table(store, TWO, CATALOG)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    tests = []
    for record in records:
        base = by_name(records, "ce", record["dataset"], record["ratio"])
        if record["role"] == "baseline":
            assert record["difference"] is None and record["share"] is None and record["share_why"] == ""
            continue
        test = t_test(np.array(record["values"]) - np.array(base["values"]), 0.33)
        found = record["difference"]
        assert [found[k] for k in ("mean", "low", "high", "p", "n")] == pytest.approx(
            [test.mean, test.low, test.high, test.p, 4]
        )
        if record["role"] == "oracle":
            assert found["p_holm"] is None and not found["better"]
        else:
            tests.append((found, test.p))
    assert len(tests) == 8
    assert [found["p_holm"] for found, _ in tests] == pytest.approx(holm([p for _, p in tests]))
    better = [found for found, _ in tests if found["better"]]
    assert all(found["p_holm"] < 0.05 and found["mean"] > 0 for found in better)
    assert by_name(records, "smote")["difference"]["mean"] > 0.08 and by_name(records, "smote")["seconds"] == 12.3


def test_another_metric_is_another_table(store):
    fill(store, TWO)
    score, f1 = (by_name(build_table(store, TWO, CATALOG, metric), "smote")["mean"] for metric in ("average_precision", "f1"))
    assert f1 == pytest.approx(score + 0.2)
    with pytest.raises(BadParameter, match="no metric is called 'luck'"):
        build_table(store, TWO, CATALOG, "luck")


def test_a_failed_cell_is_told_and_the_others_are_compared(store):
    cells = TWO.cells(CATALOG)
    submit_sweep(store, TWO, CATALOG)
    failed = store.claim("engine-1")
    store.finish(failed.id, "failed", "Out of memory.")
    for number, cell in enumerate(cells):
        if cell.id != failed.id:
            keep(store, cell, 0.3 if cell.method == "ce" else 0.4, seed=number)
    records = build_table(store, TWO, CATALOG)
    bad = next(r for r in records if r["run"] == failed.id)
    assert (bad["state"], bad["reason"], bad["mean"]) == ("failed", "Out of memory.", None)
    there = [r for r in records if r["role"] == "method" and (r["dataset"], r["ratio"]) != (bad["dataset"], bad["ratio"])]
    assert all(r["difference"] for r in there)


def test_replicates_without_a_value_are_left_out_of_both(store):
    one = SweepSpec(("moons",), ("smote",), (20,), folds=2, seeds=2)
    for number, cell in enumerate(one.cells(CATALOG)):
        answer = fabricate.result(cell.spec, ap=0.3 + 0.05 * number, seed=number)
        if cell.method == "smote":
            answer.metrics["average_precision"]["values"][1] = None
        keep(store, cell, answer=answer)
    found = by_name(build_table(store, one, CATALOG), "smote")
    assert found["difference"]["n"] == 3 and found["values"][1] is None


def test_one_replicate_gives_a_mean_and_no_test(store):
    one = SweepSpec(("moons",), ("smote",), (20,), folds=1, seeds=1)
    fill(store, one)
    found = by_name(build_table(store, one, CATALOG), "smote")
    assert found["n"] == 1 and found["low"] < found["mean"] < found["high"]
    assert found["difference"]["mean"] == pytest.approx(0.12) and found["difference"]["low"] is None
    assert found["difference"]["p_holm"] is None and not found["difference"]["better"]
    assert found["share"] is None and "One replicate" in found["share_why"]


def test_the_share_of_the_potential_and_why_there_is_none(store):
    more = SweepSpec(("moons", "glass2"), ("smote",), (5, 20), folds=2, seeds=5)
    for number, cell in enumerate(more.cells(CATALOG)):
        level = {"ce": 0.3, "potential": 0.6, "smote": 0.42}[cell.method]
        if (cell.dataset, cell.ratio) == ("moons", 5.0):
            level = 0.3
        keep(store, cell, level, seed=number)
    records = build_table(store, more, CATALOG)
    found = by_name(records, "smote")["share"]
    assert found["low"] < found["mean"] < found["high"] and found["mean"] == pytest.approx(0.4, abs=0.08)
    assert by_name(records, "smote")["share_why"] == ""
    flat = by_name(records, "smote", "moons", 5.0)
    assert flat["share"] is None and "No gain found from more real rows" in flat["share_why"]
    natural = by_name(records, "smote", "glass2", 5.0)
    assert natural["share"] is None and "no rows are removed" in natural["share_why"]


def test_a_method_with_another_network_than_its_baseline_is_told(store):
    catalog = copy.deepcopy(CATALOG)
    find_entry(catalog, "methods", "explicit-gradient")["kinds"] = fabricate.EVERY
    spec = SweepSpec(("digits",), ("eos", "explicit-gradient"), (5,))
    notes = {r["method"]: r["note"] for r in build_table(store, spec, catalog)}
    assert "a convolutional network" in notes.pop("explicit-gradient") and set(notes.values()) == {""}


@pytest.mark.sqlite
def test_ranks_over_the_cells_never_count_the_potential(store):
    fill(store, TWO)
    records = build_table(store, TWO, CATALOG)
    found = compare_over_cells(records)
    assert found["methods"] == ["ce", "smote", "explicit-gradient"] and found["sets"] == 4
    assert min(found["ranks"], key=found["ranks"].get) == "smote" and found["critical_difference"] > 0
    assert compare_over_cells([r for r in records if r["method"] != "explicit-gradient"]) is None, "two methods have no ranks"
    assert compare_over_cells([r for r in records if (r["dataset"], r["ratio"]) == ("moons", 5.0)]) is None, "nor has one cell"
    with pytest.raises(BadParameter):
        compare_over_cells(records, "luck")


def test_hundreds_of_cells_are_read_quickly(store):
    wide = SweepSpec(
        ("moons", "wine"), ("smote", "explicit-gradient", "eos"), tuple(2 + k / 10 for k in range(20)), folds=2, seeds=2
    )
    cells = wide.cells(CATALOG)
    assert submit_sweep(store, wide, CATALOG) == len(cells) == 200
    began = time.perf_counter()
    assert read_standing(store, wide, CATALOG).queued == 200
    assert time.perf_counter() - began < 2.0, "a bound that holds on a busy machine; alone it takes a tenth"


# ---- the share's interval


def test_a_share_by_hand():
    """Where the potential's gain is the same on every replicate, it is the interval of the gain, divided."""
    gain = np.array([0.10, 0.14, 0.12, 0.20])
    found, plain = recovered_share(gain, np.full(4, 0.4), 1 / 3), corrected_t(gain, 1 / 3, bounds=None)
    assert [found.mean, found.low, found.high] == pytest.approx([plain.mean / 0.4, plain.low / 0.4, plain.high / 0.4])
    always = recovered_share(0.25 * gain, gain, 1 / 3)
    assert [always.mean, always.low, always.high] == pytest.approx([0.25] * 3), "a constant share has no spread"


def test_its_ends_are_the_shares_that_the_paired_test_just_rejects():
    rng = np.random.default_rng(3)
    room = 0.3 + 0.05 * rng.standard_normal(20)
    gain = 0.4 * room + 0.05 * rng.standard_normal(20)
    found = recovered_share(gain, room, 1 / 3)
    for end in (found.low, found.high):
        assert t_test(gain - end * room, 1 / 3).p == pytest.approx(0.05)
    assert found.high - found.mean > found.mean - found.low, "wider to the side of large shares"


def test_there_is_none_where_the_potential_is_not_above_plain_training():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(20)
    assert recovered_share(noise, noise - noise.mean(), 1 / 3) is None
    assert recovered_share(np.ones(20), -np.ones(20) + 0.01 * noise, 1 / 3) is None, "below it"
    assert recovered_share(np.ones(1), np.ones(1), 1 / 3) is None and recovered_share(np.array([]), np.array([]), 0.3) is None
    few = recovered_share(np.array([1.0, np.nan, 2.0, 1.5]), np.array([2.0, 2.0, np.nan, 2.1]), 0.0)
    assert few is not None and few.n == 2
    for spread in (0.1, 0.5, 1.0):  # exactly where its own interval leaves out 0
        room = 0.3 + spread * rng.standard_normal(20)
        assert (recovered_share(noise, room, 1 / 3) is not None) == corrected_t(room, 1 / 3, bounds=None).above_zero


@pytest.mark.parametrize("test_share", [0.0, 1 / 3])
def test_it_holds_the_true_share_95_times_in_100(test_share):
    """Replicates as the corrected t has them: correlated by rho where rho / (1 - rho) = n_test / n_train."""
    rng = np.random.default_rng(1)
    rho, n, times, truth = test_share / (1 + test_share), 20, 4000, 0.3
    held, given = 0, 0
    for _ in range(times):
        common = np.sqrt(rho) * rng.standard_normal(3) + np.sqrt(1 - rho) * rng.standard_normal((n, 3))
        plain, method, ceiling = (0.3 * common).T
        method, ceiling = 0.3 + 0.5 * plain + 0.5 * method, 1.0 + 0.5 * plain + 0.5 * ceiling
        found = recovered_share(method - plain, ceiling - plain, test_share)
        if found is not None:
            given += 1
            held += found.low <= truth <= found.high
    assert given > 0.95 * times and 0.94 < held / given < 0.96
