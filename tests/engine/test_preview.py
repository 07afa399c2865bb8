"""Previews: how short they are, what they say, their rows in the store, and the worker beside the slots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from engine.catalog import build_catalog
from engine.events import Epoch, Frame, Progress, Running, Scene
from engine.executors.local import NICE, LocalExecutor
from engine.runner import preview
from engine.service import Engine
from engine.spec import Imbalance, RunSpec
from engine.store import EngineInfo, Store
from engine.store.jobs import PREVIEW, PRIORITY_SWEEP
from engine.store.previews import KEPT_S, OLDEST_S
from engine.store.schema import EVENTS, JOBS, RESULTS
from tests.engine.test_store_gone import Turns

pytestmark = pytest.mark.both_databases
CATALOG = build_catalog()
ME, YOU, THIRD = "m" * 43, "y" * 43, "t" * 43
MOONS = RunSpec("moons", "explicit-gradient", Imbalance("ratio", 20), {"rows": 600}).complete(CATALOG)


def shown(spec: RunSpec) -> tuple[list[Any], dict[str, Any]]:
    """Events and facts of a preview."""
    running = Running(preview.run_preview(spec.to_json()))
    events = list(running)
    facts, artifacts = running.value
    assert artifacts == {}
    return events, facts


# ---- what is computed


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine changes nothing."""
    monkeypatch.setattr(preview, "SECONDS", 120.0)


@pytest.mark.usefixtures("unhurried")
def test_more_hidden_rows_in_training_lift_plain_training() -> None:
    spec = RunSpec("hidden-cluster", "ce")
    found = {n: shown(spec.with_(data={"hidden": n}).complete(CATALOG))[1]["ap"] for n in (1, 5, 15)}
    assert found[1] + 0.1 < found[15] and found[1] < found[5] + 0.05


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("name", ["explicit-gradient", "ce", "smote", "crt"])
def test_a_preview_is_one_short_replicate(name: str) -> None:
    events, facts = shown(MOONS.with_(method=name, params={}, folds=4, seeds=5).complete(CATALOG))
    frames = [e for e in events if isinstance(e, Frame)]
    assert {f.replicate for f in frames} == {0} and 8 <= len(frames) <= preview.FRAMES
    assert frames[-1].phase == "chosen" and isinstance(next(e for e in events if isinstance(e, Scene | Frame)), Scene)
    assert sum(isinstance(e, Epoch) for e in events) <= preview.EPOCHS
    assert 0 < facts["ap"] <= 1
    assert len(facts["pr"]["recall"]) == len(facts["pr"]["precision"]) == 64
    assert all(0 <= p <= 1 for p in facts["pr"]["precision"]) and facts["pr"]["recall"][::63] == [0, 1]


def test_a_preview_has_at_most_3000_rows_and_60_epochs() -> None:
    short = preview.shorten(RunSpec("moons", "explicit-gradient", data={"rows": 20000}).complete(CATALOG))
    assert short.data["rows"] == 3000 and short.params["epochs"] + short.params["meta_epochs"] <= 60
    own = preview.shorten(RunSpec("hidden-cluster", "ce", data={"train": 4000, "valid": 8000}).complete(CATALOG))
    assert own.data["train"] + own.data["valid"] <= 3000 and own.data["test"] == 8000
    as_it_is = RunSpec("hidden-cluster", "ce").complete(CATALOG)
    assert preview.shorten(as_it_is).data == as_it_is.data, "its rows are those of the run"


def test_out_of_time_the_network_is_measured_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "SECONDS", 0.0)
    events, facts = shown(MOONS)
    frames = [e for e in events if isinstance(e, Frame)]
    assert 1 <= len(frames) <= 3 and 0 < facts["ap"] <= 1 and len(facts["pr"]["recall"]) == 64


# ---- its row


def rows(store: Store) -> list[tuple[str, str]]:
    with store.database.reading() as connection:
        found = connection.execute(sa.select(JOBS.c.id, JOBS.c.state).where(JOBS.c.kind == PREVIEW)).all()
        left = sum(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (EVENTS, RESULTS)
        )
    assert found or not left, "no event or result is left of a row that is gone"
    return [(row.id, row.state) for row in found]


def alive(store: Store) -> None:
    now = time.time()
    store.record_heartbeat(EngineInfo("e", "here", 1, now, now))


def take(store: Store) -> Any:
    return store.claim("e", kinds=(PREVIEW,))


def test_an_owner_has_one_live_preview(store: Store) -> None:
    first = store.submit_preview(ME, "a", 1, MOONS)
    second = store.submit_preview(ME, "a", 2, MOONS)
    assert (
        first is not None and second is not None and rows(store) == [(second, "queued")] and store.preview_news(first) is None
    )
    assert store.submit_preview(ME, "a", 2, MOONS) is None and store.submit_preview(ME, "a", 1, MOONS) is None, "it came late"
    assert take(store).id == second
    third = store.submit_preview(ME, "another tab", 1, MOONS)
    assert dict(rows(store)) == {second: "running", third: "queued"} and store.cancel_requested("e") == [second]
    assert store.preview_news(second) is None
    store.end_preview(second, "cancelled", "", attempt=1)
    assert rows(store) == [(third, "queued")]


def test_who_moves_a_slider_all_the_time_keeps_nobody_waiting(store: Store) -> None:
    store.submit_preview(ME, "a", 1, MOONS)
    running = take(store).id
    yours = store.submit_preview(YOU, "b", 1, MOONS)
    assert yours is not None and store.preview_news(yours).contested  # type: ignore[union-attr]
    mine = [store.submit_preview(ME, "a", seq, MOONS) for seq in (2, 3)]
    yours = store.submit_preview(YOU, "b", 2, MOONS)
    store.end_preview(running, "cancelled", "", attempt=1)
    assert take(store).id == yours, "it keeps the place of the one that it replaces"
    assert dict(rows(store)) == {yours: "running", mine[-1]: "queued"}


def test_a_preview_is_in_no_list_and_no_count(store: Store) -> None:
    id = store.submit_preview(ME, "a", 1, MOONS)
    assert id is not None
    run = store.submit(MOONS, priority=PRIORITY_SWEEP)
    assert store.count_active() == {"queued": 1, "running": 0}
    assert store.position(run.id) == 0 and [job.id for _, job in store.list_queued(None)] == [run.id]
    assert [job.id for job in store.jobs()] == [run.id] and [row.id for row in store.search(None)[0]] == [run.id]
    assert store.claim("e").id == run.id and store.claim("e") is None, "no slot takes it"  # type: ignore[union-attr]
    assert not store.should_yield(run.id, attempt=1), "no cell makes way for it"
    assert len(id) != 16, "so that no address of a run can be its own"
    with store.database.reading() as connection:
        row = connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).one()
    assert row.owner is None and ME not in repr(row)


def test_news_are_events_and_in_the_end_facts(store: Store) -> None:
    id = store.submit_preview(ME, "a", 1, MOONS)
    assert id is not None
    take(store)
    store.append(id, [Progress(1, 2), Progress(2, 2)], attempt=1)
    news = store.preview_news(id, 1)
    assert news is not None and news.events == [(2, Progress(2, 2))] and (news.state, news.facts) == ("running", None)
    store.end_preview(id, "done", "", '{"ap": 0.5}', attempt=1)
    assert store.preview_news(id, 2).facts == {"ap": 0.5}  # type: ignore[union-attr]
    store.leave_preview(id)
    assert rows(store) == []


def test_what_nobody_reads_goes(store: Store) -> None:
    alive(store)
    ended, left, silent = (store.submit_preview(owner, "a", 1, MOONS) for owner in (ME, YOU, THIRD))
    assert ended is not None and left is not None and silent is not None
    for _ in range(2):
        take(store)
    store.append(ended, [Progress(1, 2)], attempt=1)
    store.end_preview(ended, "done", "", "{}", attempt=1)
    store.leave_preview(left)
    store.sweep_previews()
    assert dict(rows(store)) == {ended: "done", left: "running", silent: "queued"}
    with store.database.writing() as connection:  # the reader of one is gone, the engine of another, and the third is old
        connection.execute(JOBS.update().where(JOBS.c.id == ended).values(finished=time.time() - KEPT_S - 1))
        connection.execute(JOBS.update().where(JOBS.c.id == left).values(engine="one that is gone"))
        connection.execute(JOBS.update().where(JOBS.c.id == silent).values(created=time.time() - OLDEST_S - 1))
    assert store.interrupt_orphans() == [left]
    store.leave_preview(left)
    store.sweep_previews()
    assert rows(store) == []


# ---- the worker


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    fakes = "tests.engine.fakes"
    executor = LocalExecutor(1, target=f"{fakes}:run", catalog=f"{fakes}:catalog", prepare=None, previews=True)
    engine = Engine(store, executor, 1)
    yield engine
    engine.stop()


def work_until(engine: Engine, question: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end
        engine.work(Turns(1))


@pytest.mark.sqlite
@pytest.mark.timeout(180)
def test_previews_have_a_worker_of_their_own(engine: Engine, store: Store) -> None:
    executor = engine.executor
    work_until(engine, lambda: executor.ready == 1 and executor.can_preview, 120)
    own, slot = sorted(executor._slots, key=lambda slot: not slot.previews)
    assert psutil.Process(slot.process.pid).nice() - psutil.Process(own.process.pid).nice() == NICE
    assert (engine._info().ready, engine._info().previews) == (1, True)

    first = store.submit_preview(ME, "a", 1, MOONS)
    assert first is not None
    work_until(engine, lambda: (news := store.preview_news(first)) is None or news.facts is not None)
    news = store.preview_news(first)
    assert news is not None and news.state == "done" and news.facts is not None and 0 < news.facts["ap"] <= 1
    assert [type(event) for _, event in news.events].count(Frame) >= 2
    store.leave_preview(first)

    last = None
    for seq in range(2, 22):
        last = store.submit_preview(ME, "a", seq, MOONS)
        engine.work(Turns(1))
        live = [id for id, _ in rows(store) if store.preview_news(id) is not None]
        assert live == [last], "the others are gone or about to go"
    assert last is not None and engine._info().busy == 0
    work_until(engine, lambda: (news := store.preview_news(last)) is not None and news.facts is not None)
    store.leave_preview(last)
    work_until(engine, lambda: rows(store) == [], 10)
    assert executor.can_preview and own in executor._slots, "nobody was killed for it"

    killed = store.submit_preview(ME, "a", 22, MOONS)
    assert killed is not None
    work_until(engine, lambda: store.preview_news(killed).state == "running")  # type: ignore[union-attr]
    own.process.kill()
    work_until(engine, lambda: store.preview_news(killed).state == "failed")  # type: ignore[union-attr]
    work_until(engine, lambda: rows(store) == [], 30)
