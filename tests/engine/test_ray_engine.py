"""The engine on a real Ray cluster: a stop, kills, and the bits of a result."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.commands.main import main
from engine.executors import Work
from engine.executors.local import LocalExecutor
from engine.executors.ray_cluster import HEAD_LOST, RayExecutor
from engine.papers import keel
from engine.spec import RunSpec
from engine.store import Store
from tests.engine.ray_nodes import Cluster
from tests.engine.test_ray import FAKES, PATIENCE, Lab
from tests.engine.test_service import Process, alive, ended, running, spec, wait

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


def engine_on(cluster: Cluster, store: Store, folder: Path, slots: int = 2) -> Process:
    process = Process(
        store, folder / "engine.log", slots, **(cluster.settings | {"LAB_EXECUTOR": f"ray://{cluster.address}", "CI": "1"})
    )
    process.patience = PATIENCE
    return process


def find_actors(cluster: Cluster) -> list[psutil.Process]:
    """The processes of actors on the cluster's nodes."""
    out = []
    for node in cluster.nodes:
        for process in psutil.Process(node.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                out += [process] if "SlotActor" in " ".join(process.cmdline()) else []
    return out


def test_sigterm_interrupts_what_runs_and_leaves_nothing(store, ray_cluster, tmp_path):
    before = {process.pid for process in find_actors(ray_cluster)}
    process = engine_on(ray_cluster, store, tmp_path, slots=1)
    try:
        process.up()
        id = store.submit(spec("steady")).id
        running(store, id)
        actors = [actor for actor in find_actors(ray_cluster) if actor.pid not in before]
        family = [*actors, *(child for actor in actors for child in actor.children(recursive=True))]
        assert len(family) >= 2
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(30) == 0
        assert store.job(id).state == "interrupted" and store.engines() == []
        wait(lambda: not any(alive(one) for one in family), 30)
    finally:
        process.end()


def test_each_run_ends_once_while_actors_and_the_engine_are_killed(store, ray_cluster, tmp_path):
    trace = tmp_path / "trace"
    process = engine_on(ray_cluster, store, tmp_path, slots=1)
    try:
        process.up()
        ids = [store.submit(spec("counts", seed=n, path=str(trace), pause=1.5)).id for n in range(3)]
        running(store, ids[0])
        victim = find_actors(ray_cluster)
        for actor in victim:
            actor.kill()
        jobs = [ended(store, id, PATIENCE) for id in ids]
        assert [(job.state, job.attempt) for job in jobs] == [("done", 2), ("done", 1), ("done", 1)]
        assert len(trace.read_text().splitlines()) == 3, "the killed attempt ended before it was counted"
        assert [seq for seq, _ in store.events(ids[0])] == list(range(1, len(store.events(ids[0])) + 1))
        actors = find_actors(ray_cluster)
        process.kill()
        wait(lambda: not any(alive(one) for one in actors), 30)
        assert "Traceback" not in (tmp_path / "engine.log").read_text()
    finally:
        process.end()


@pytest.mark.timeout(900)
def test_a_lost_head_ends_the_engine_and_its_runs_are_queued_anew_on_postgresql(postgres, tmp_path):
    store = Store(postgres.make_schema("ray"))
    cluster = Cluster(workers=1)
    engines = [engine_on(cluster, store, tmp_path, slots=2)]
    try:
        engines[0].up()
        first = ended(store, store.submit(spec("quick")).id, PATIENCE)
        assert (first.state, first.attempt) == ("done", 1) and store.result(first.id).run_id == first.id
        ids = [store.submit(spec("steady", seconds=300.0)).id, store.submit(spec("steady", seconds=301.0), owner="me").id]
        owners = [None, "me"]
        running(store, ids[0])
        wait(lambda: store.job(ids[1], "me").state == "running", PATIENCE)
        cluster.kill_head()
        assert engines[0].popen.wait(PATIENCE) == 1
        log = tmp_path / "engine.log"
        said = log.read_text()
        assert f"engine.errors.ClusterLost: {HEAD_LOST}" in said and "Failed to connect to GCS" not in said, (
            "Ray did not end it"
        )
        assert store.engines() == []
        jobs = [store.job(id, owner) for id, owner in zip(ids, owners, strict=True)]
        assert [job.state for job in jobs] == ["queued"] * 2 and all(job.attempt >= 2 for job in jobs)
        engines.append(engine_on(cluster, store, tmp_path, slots=2))
        assert engines[1].popen.wait(PATIENCE) == 1 and "no Ray cluster answers there" in log.read_text(), "it does not wait"
    finally:
        for process in engines:
            process.end()
        cluster.stop()
        store.close()


def test_the_same_spec_gives_the_same_bits_here_and_there(ray_cluster, monkeypatch):
    """Ray gives a worker as many threads as processors; ours says how many, since their number decides how sums are ordered."""
    for name, value in (ray_cluster.settings | {"LAB_THREADS": "2"}).items():
        monkeypatch.setenv(name, value)
    answers = []
    for make in (lambda: LocalExecutor(1, threads=2), lambda: RayExecutor(ray_cluster.address, 1, threads=2)):
        lab = Lab(executor := make())
        try:
            lab.until(lambda executor=executor: executor.ready, 120)
            asked = RunSpec("moons", "ce", params={"epochs": 3}, folds=2).complete(lab.seen[-1].catalog)
            assert executor.start(Work(("same", 1), asked.to_json(), "cpu"))
            end = lab.end(("same", 1), 120)
        finally:
            executor.stop()
        assert end.state == "done", end.reason
        words = json.loads(end.result[0])
        assert words["provenance"]["threads"] == 2
        frames = {name: data for name, data in end.artifacts.items() if name.startswith("frames/")}
        answers.append((words["metrics"], words["per_class"], end.result[1], frames))
        assert frames and len(end.result[1]) > 1000
    assert answers[0] == answers[1]


@pytest.mark.timeout(600)
def test_a_table_has_the_same_values_here_and_there(ray_cluster, monkeypatch, capsys, tmp_path):
    small = {"hidden": [8], "epochs": 2}
    monkeypatch.setattr(keel, "FULL", replace(keel.FULL, datasets=("wine", "breast-cancer"), params=small, seeds=2))
    asked = ("table", "keel", "--methods", "CE", "frozen", "--json", "--folder")
    assert main([*asked, str(tmp_path / "here")]) == 0
    here = json.loads(capsys.readouterr().out)
    for name, value in (ray_cluster.settings | {"LAB_EXECUTOR": f"ray://{ray_cluster.address}"}).items():
        monkeypatch.setenv(name, value)
    ran = []
    monkeypatch.setattr(RayExecutor, "start", _note(RayExecutor.start, ran))
    assert main([*asked, str(tmp_path / "there"), "--jobs", "2"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert len(ran) == len(list((tmp_path / "there").glob("*.json"))) == 4 and set(ran) == {True}
    assert there["rows"] == here["rows"] and there["claims"] == here["claims"]
    for path in (tmp_path / "here").glob("*.json"):
        one, other = (json.loads((tmp_path / where / path.name).read_text()) for where in ("here", "there"))
        assert {name for name in one if one[name] != other[name]} <= {"seconds", "provenance"}


@pytest.mark.timeout(480)
def test_slots_share_the_gpus_that_ray_counts(monkeypatch):
    """No real GPU: Ray is told of one, and the runs are fakes. Cards and their memory are not tried."""
    cluster = Cluster(workers=0, processors=4, gpus=1)
    try:
        for name, value in cluster.settings.items():
            monkeypatch.setenv(name, value)
        lab = Lab(executor := RayExecutor(cluster.address, 3, gpu=0.5, **FAKES))
        try:
            lab.until(lambda: executor.ready == 3, PATIENCE)
            assert [slot.gpus for slot in executor._slots] == [0.5, 0.5, 0.0]
            wait(lambda: executor._ray.available_resources().get("GPU", 0) == 0, PATIENCE)
            for n, device in enumerate(("cuda", "cpu", "cuda")):
                assert executor.start(Work((f"gpu{n}", 1), spec("steady", seconds=60.0).to_json(), device))
            assert [slot.run.work.device for slot in executor._slots] == ["cuda", "cuda", "cpu"]
        finally:
            executor.stop()
    finally:
        cluster.stop()


def _note(call: Callable[..., bool], answers: list[bool]) -> Callable[..., bool]:
    """The method, which also keeps what it answers."""

    def note(*words: Any) -> bool:
        answers.append(call(*words))
        return answers[-1]

    return note
