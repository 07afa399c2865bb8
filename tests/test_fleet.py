"""The simulation of a fleet: its stations against formulas of queueing, and what must hold of its model whatever the costs."""

from __future__ import annotations

import json

import pytest
import simpy

from benchmarks import fleet

COSTS = json.loads(fleet.COSTS.read_text(encoding="utf-8"))


def test_each_station_alone_waits_as_the_formula_says():
    rows = list(fleet.check_stations(COSTS, 60_000))
    assert len(rows) == 4
    for row in rows:
        assert row["wait_ms"] == pytest.approx(row["formula_ms"], rel=0.03), row


def test_what_is_alone_takes_the_sum_of_its_costs():
    env = simpy.Environment()
    database = fleet.Database(env, fleet.Site(trip_s=0.001), COSTS)
    env.run(env.process(database.call("save_result")))
    cost = COSTS["verbs"]["postgres"]["save_result"]
    milliseconds = cost["client_ms"] + cost["server_ms"] + cost["statements"] + 3 + COSTS["flush_ms"]
    assert env.now == pytest.approx(milliseconds / 1e3)


def test_commits_that_wait_share_a_flush():
    env = simpy.Environment()
    disk = fleet.Disk(env, 1.0)
    env.run(simpy.AllOf(env, [disk.serve() for _ in range(10)]))
    assert env.now == 2.0


def test_a_fleet_takes_as_many_cells_as_it_has_slots_and_no_more_than_the_lock_lets_through():
    found = fleet.simulate_fleet(COSTS, fleet.Site(), 2, slots=3, cell_s=0.5, visits=1_000)
    assert 0.8 < found["share"] <= 1.05
    slow = json.loads(json.dumps(COSTS))
    slow["verbs"]["postgres"]["save_result"] |= {"server_ms": 500.0, "lock_ms": 500.0}
    held = fleet.simulate_fleet(slow, fleet.Site(), 4, slots=3, cell_s=0.5, visits=1_000)
    assert held["cells_a_second"] <= 2.5 and held["busiest"] == "lock" and held["busy"]["lock"] > 0.9


def test_the_same_seed_gives_the_same_numbers():
    one, two = (fleet.simulate_viewers(COSTS, 5, seconds=10.0) for _ in range(2))
    assert one == two
