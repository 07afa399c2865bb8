"""What the viewers of one process share: made once, never another version's, and nothing of a person's own table."""

from __future__ import annotations

import gc
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.io
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import garbage
from app.charts import palette, pr
from app.frame import turns
from app.parts import share, size
from app.player import Feed, decode_chunk
from app.session import figures, shared, visitor
from app.session.shared import Shared, Ticks, fingerprint
from app.words import lab as texts
from engine.errors import StoreError, UnknownName
from engine.events import Event, Frame, Phase, Progress, encode
from engine.spec.embedding import FEATURES
from engine.store import Store
from tests.app import fabricate
from tests.app.reads import reads
from tests.app.test_compare import heading
from tests.app.test_lab import words
from tests.app.test_private import CANARY, ME, YOU, run_on

Look = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def clear() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """session(name): whose script runs from now on."""

    def change(name: str) -> None:
        monkeypatch.setattr(shared, "get_script_run_ctx", lambda **_: SimpleNamespace(session_id=name))

    change("first")
    return change


def list_kept() -> list[Any]:
    return [value for value, _ in shared.get_shared()._values.values()]


def encode_rows(rows: list[tuple[int, Event]]) -> list[tuple[int, Any]]:
    """Events by their numbers, as they can be compared."""
    return [(number, encode(event)) for number, event in rows]


# ---- the cache itself


def test_a_value_is_made_once_however_many_ask_at_once():
    cache, made, start = Shared(), [], threading.Barrier(8)
    answers: list[object] = []

    def make() -> tuple[object, int]:
        time.sleep(0.05)
        made.append(1)
        return object(), 10

    def ask() -> None:
        start.wait()
        answers.append(cache.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(answers) == 8 and len(set(map(id, answers))) == 1 and not cache._making


def test_an_error_is_nobody_else_s():
    cache = Shared()

    def fails() -> tuple[int, int]:
        raise StoreError("the disk is full.")

    with pytest.raises(StoreError):
        cache.get("key", fails)
    assert "key" not in cache and cache.get("key", lambda: (1, 1)) == 1 and not cache._making


def test_what_was_used_longest_ago_makes_room():
    cache = Shared(limit=100)
    for name in "abc":
        cache.get(name, lambda: (0, 30))
    cache.get("a", lambda: pytest.fail("it is there"))
    cache.get("d", lambda: (0, 30))
    assert [name for name in "abcd" if name in cache] == ["a", "c", "d"] and cache.size == 90
    cache.grow("c", 50)
    assert [name for name in "abcd" if name in cache] == ["c"] and cache.size == 80
    cache.grow("gone", 50)
    cache.get("large", lambda: (0, 101))
    assert cache.size == 0 and "large" not in cache, "what is larger than all is given and not kept"


def test_an_answer_is_given_to_other_sessions_and_read_anew_for_the_same(session, monkeypatch):
    ticks, asked = Ticks(), iter(range(100))
    read = partial(next, asked)
    assert ticks.get("a", read) == 0
    session("second")
    assert ticks.get("a", read) == 0 and ticks.get("b", read) == 1
    session("first")
    assert ticks.get("a", read) == 2
    session("second")
    assert ticks.get("a", read) == 2
    monkeypatch.setattr(shared, "WINDOW", 0.0)
    session("third")
    assert ticks.get("a", read) == 3
    monkeypatch.setattr(Ticks, "KEPT", 5)
    for n in range(20):
        ticks.get(n, read)
    assert len(ticks._answers) == 5


def test_no_two_contents_have_one_digest():
    values = [
        None, True, 1, 1.0, "1", b"1", [1], [[1]], [1, 1], "", [], {}, [""], ["", ""], "a,b", ["a", "b"], ["ab"], [["a"], "b"],
        {"a": 1}, {"b": 1}, {1: "a"}, np.float64(1), np.zeros(2), np.zeros(2, np.float32), np.zeros((1, 2)), np.zeros((2, 1)),
        np.array([0.0, 1.0]), np.array([0, 1]), ["a", np.zeros(2)], float("nan"), "nan", palette.Stroke("#000000", "solid", "x"),
        palette.Stroke("#000000", "x", "solid"), "é", "\ud800",
    ]  # fmt: skip
    digests = [fingerprint(value) for value in values]
    assert None not in digests and len(set(digests)) == len(values)
    assert digests == [fingerprint(value) for value in values]
    assert fingerprint(np.zeros((4, 4))[:, ::2]) == fingerprint(np.zeros((4, 2)))
    assert fingerprint(len) is fingerprint([object()]) is fingerprint(np.array([object()])) is None


# ---- results and arrays


def test_a_public_result_is_read_once_for_everybody(store: Store) -> None:
    job = fabricate.done(store, fabricate.spec("moons"))
    first = shared.read_result(store, job, ME)
    with reads(store) as found:
        assert shared.read_result(store, job, YOU) is first and shared.read_result(store, job, None) is first
    assert found.statements == 0 and first is not None
    with pytest.raises(ValueError, match="read-only"):
        first.arrays["pr_precision"][0] = 1.0
    assert first.to_json() == store.result(job.id).to_json()


def test_a_run_that_is_made_again_is_read_again(store: Store) -> None:
    spec = fabricate.spec("moons")
    job = fabricate.done(store, spec, ap=0.3)
    assert shared.read_result(store, job, None).metric("average_precision").mean == pytest.approx(0.3)
    store.delete(job.id)
    again = fabricate.done(store, spec, ap=0.6)
    assert (again.id, again.attempt) == (job.id, job.attempt), "a deleted run's name and number come again"
    assert shared.read_result(store, again, None).metric("average_precision").mean == pytest.approx(0.6)
    third = store.submit(spec, fingerprint=again.fingerprint, again=True)
    assert third.attempt == 2 and shared.read_result(store, third, None) is None


def test_what_belongs_to_a_person_is_never_kept(store: Store, session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "read_owner", lambda: ME)
    run = run_on(store, store.add_upload(ME, f"{CANARY}.csv", b"a,b"))
    job = store.job(run, ME)
    assert job.owner == ME
    with pytest.raises(ValueError, match="not shared"):
        shared.job_version(store, job)
    result, arrays = shared.read_result(store, job, ME), shared.read_arrays(store, job, FEATURES, ME)
    assert result is not None and arrays is not None
    assert encode_rows(shared.read_film(store, job, 0, ME)) == encode_rows(store.events(run, 0, shared.FILM, owner=ME))
    shared.read_phase(store, job, ME)
    assert shared.read_job(store, run, ME) == job and shared.remember_chunks(store, job, 0) is None
    assert shared.read_result(store, job, ME) is not result
    for other in (YOU, None):  # with another browser's job in hand
        assert shared.read_result(store, job, other) is None and shared.read_arrays(store, job, FEATURES, other) is None
        assert shared.read_film(store, job, 0, other) == [] and shared.read_replicate(store, job, 1, other) == []
        with pytest.raises(UnknownName):
            shared.read_job(store, run, other)
    assert list_kept() == [] and shared.get_shared().size == 0
    kept = [answer.value for answer in shared._get_ticks()._answers.values()]
    assert not any(kept), kept


# ---- films


def test_the_tail_of_a_film_is_read_once_for_all(store: Store, session) -> None:
    fabricate.beat(store)
    job = fabricate.running(store, fabricate.spec("moons"), frames=5)
    everything = encode_rows(shared.read_film(store, job, 0, None))
    assert everything == encode_rows(store.events(job.id, 0, shared.FILM)) and len(everything) == 7
    session("second")
    with reads(store) as found:
        assert encode_rows(shared.read_film(store, job, everything[2][0], None)) == everything[3:]
    assert found.statements == 0
    _, frames = fabricate.film(frames=6)
    store.append(job.id, [frames[5], Progress(6, 10)])
    newest = shared.read_film(store, job, everything[-1][0], None)
    assert [type(event) for _, event in newest] == [Frame]
    session("third")
    with reads(store) as found:
        assert encode_rows(shared.read_film(store, job, everything[-1][0], None)) == encode_rows(newest)
    assert found.statements == 0


def test_a_finished_film_is_read_no_more(store: Store, session) -> None:
    job = fabricate.done(store, fabricate.spec("moons", folds=3))
    whole = encode_rows(shared.read_film(store, job, 0, None))
    with reads(store) as found:
        for _ in range(3):
            assert encode_rows(shared.read_film(store, job, 0, None)) == whole
        assert found.statements == 0
        assert shared.read_replicate(store, job, 1, None) is not shared.read_replicate(store, job, 2, None)
        before = found.statements
        shared.read_replicate(store, job, 1, None)
        assert found.statements == before
    assert whole == encode_rows(store.events(job.id, 0, shared.FILM))


def test_frames_of_two_attempts_are_never_mixed(store: Store, session) -> None:
    fabricate.beat(store)
    job = fabricate.running(store, fabricate.spec("moons"), frames=5)
    before = encode_rows(shared.read_film(store, job, 0, None))
    store.cancel(job.id)
    store.finish(job.id, "cancelled", "", attempt=1)
    store.submit(fabricate.spec("moons"), fingerprint=job.fingerprint, again=True)
    claimed = store.claim("engine-1")
    assert claimed is not None and claimed.attempt == 2
    store.append(job.id, [Phase("training", "Anew")] * 20)
    assert encode_rows(shared.read_film(store, job, 0, None)) == before, (
        "who still shows the first attempt gets nothing of the second"
    )
    assert [event for _, event in shared.read_film(store, claimed, 0, None)] == [Phase("training", "Anew")] * 20


def test_shared_chunks_are_what_each_would_have_packed(store: Store) -> None:
    job = fabricate.done(store, fabricate.spec("moons"))
    rows = store.events(job.id, 0, shared.FILM)
    remember = shared.remember_chunks(store, job, 0)
    feeds = [(Feed(job.id), remember), (Feed(job.id), remember), (Feed(job.id), None)]
    for part in (rows[:10], rows[10:], []):
        chunks = [
            feed.make_chunk([event for _, event in part], status="done", engine_alive=True, remember=keeps)
            for feed, keeps in feeds
        ]
        assert len(set(chunks)) == 1 and decode_chunk(chunks[0]).head["run"] == job.id
    assert sum(isinstance(value, bytes) for value in list_kept()) == 3


# ---- figures


def draw(mean: float = 0.5, label: str = "method") -> partial:
    grid = np.linspace(0, 1, 5)
    return partial(pr.figure, [pr.Curve("smote", label, grid, np.array([grid[::-1]]), mean, 0.4, 0.6)], prevalence=0.1)


def test_a_figure_is_drawn_once_for_what_is_drawn(monkeypatch):
    first = figures.share_figure(draw(), size.fit_figure, 1.0)
    assert figures.share_figure(draw(), size.fit_figure, 1.0) is first
    plain = plotly.io.to_json(draw()().to_dict(), validate=False)
    assert plotly.io.to_json(first.to_dict(), validate=False) == plain
    others = [
        figures.share_figure(draw(0.7), size.fit_figure, 1.0),
        figures.share_figure(draw(label="m"), size.fit_figure, 1.0),
    ]
    others.append(figures.share_figure(draw(), lambda figure: size.enlarge_figure(figure, 2.0), 2.0))
    assert len({plotly.io.to_json(each.to_dict(), validate=False) for each in (first, *others)}) == 4
    strokes = dict(palette._strokes or palette._committed())
    strokes["smote"] = palette.Stroke("#123456", "dot", "x")
    monkeypatch.setattr(palette, "_strokes", palette._strokes)
    monkeypatch.setattr(palette, "_changes", palette._changes)
    monkeypatch.setattr(palette, "read_strokes", lambda catalog: strokes)
    palette.use_catalog({})
    assert "#123456" in plotly.io.to_json(figures.share_figure(draw(), size.fit_figure, 1.0).to_dict(), validate=False)
    palette.use_catalog({})
    kept = len(list_kept())
    figures.share_figure(draw(), size.fit_figure, 1.0)
    assert len(list_kept()) == kept, "the same catalog once more changes nothing"


def test_a_figure_of_anything_else_is_not_kept():
    strange = partial(lambda what: draw()(), object())
    assert figures.share_figure(strange, size.fit_figure, 1.0) is not figures.share_figure(strange, size.fit_figure, 1.0)
    assert list_kept() == []


def list_specs(look: Look, run: str) -> list[str]:
    """The pictures of a run in the tabs of the Lab that have any."""
    pages = [look(run=run, tab=tab) for tab in ("learning", "classes")]
    found = [[chart.proto.spec for chart in page.get("plotly_chart")] for page in pages]
    assert all(found), "each of these tabs has a picture"
    return [spec for specs in found for spec in specs]


def test_a_page_shares_its_pictures_and_one_with_a_private_run_does_not(
    store: Store, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "read_owner", lambda: ME)
    run = run_on(store, store.add_upload(ME, f"{CANARY}.csv", b"a,b"))
    private = [look(run=run, tab=tab) for tab in texts.TABS]
    assert any(page.get("plotly_chart") for page in private) and all(page.session_state[share._PRIVATE] for page in private)
    assert list_kept() == [], "nothing of a private run is kept"
    public = fabricate.family_done(store, fabricate.spec("moons"))
    first, second = list_specs(look, public.id), list_specs(look, public.id)
    kept = list_kept()
    drawn = [value for value in kept if isinstance(value, figures.Drawn)]
    assert len(first) == len(drawn) > 3 and first == second
    with monkeypatch.context() as patch:
        patch.setattr(share, "is_private", lambda: True)
        assert list_specs(look, public.id) == first
    assert CANARY not in repr([value for value in kept if not isinstance(value, np.ndarray)])


def test_a_deleted_run_is_shown_to_nobody(store: Store, look: Look) -> None:
    run = fabricate.family_done(store, fabricate.spec("moons"))
    (stage,) = look(run=run.id).get("bidi_component")
    assert list_specs(look, run.id) and run.id.encode() in stage.proto.bytes
    store.delete(run.id)
    for page in (look(run=run.id), *(look(run=run.id, tab=tab) for tab in texts.TABS)):
        assert not page.get("plotly_chart") and not page.dataframe
        assert all(run.id.encode() not in stage.proto.bytes for stage in page.get("bidi_component"))
        assert heading(page) == texts.UNKNOWN and "no such run" in words(page)


# ---- turns


def test_few_scripts_run_at_a_time():
    running, most, ran = 0, 0, set()
    lock = threading.Lock()

    def script(n: int) -> None:
        nonlocal running, most
        with turns.take_turn():
            with lock:
                running, most = running + 1, max(most, running + 1)
                ran.add(n)
            time.sleep(0.05)
            with lock:
                running -= 1

    threads = [threading.Thread(target=script, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == turns.SLOTS and ran == set(range(8))


def test_a_script_that_hangs_or_fails_keeps_nobody(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.1)
    with pytest.raises(ZeroDivisionError), turns.take_turn():
        raise ZeroDivisionError
    hanging = [turns.take_turn() for _ in range(turns.SLOTS)]
    for each in hanging:
        each.__enter__()
    began = time.monotonic()
    for _ in range(2):  # one that has no slot gives none back
        with turns.take_turn():
            pass
    assert 0.2 <= time.monotonic() - began < 2
    for each in hanging:
        each.__exit__(None, None, None)
    began = time.monotonic()
    with turns.take_turn():
        assert time.monotonic() - began < 0.1


# ---- the collector


class Cycle:
    """Refers to itself, so that counting references never frees it."""

    def __init__(self) -> None:
        self.own = self


def test_cycles_are_collected_between_scripts_and_at_the_latest_in_spite_of_them(monkeypatch):
    running = True
    monkeypatch.setattr(garbage, "EVERY", 0.2)
    monkeypatch.setattr(garbage, "is_any_script_running", lambda: running)
    before = gc.get_threshold()
    collector = garbage.Collector()
    collector.start()
    try:
        cycle = weakref.ref(Cycle())
        time.sleep(1.0)
        assert cycle() is not None and gc.get_threshold() == garbage.YOUNG, "a script runs"
        running = False
        wait_for(lambda: cycle() is None)
        running, cycle = True, weakref.ref(Cycle())
        monkeypatch.setattr(garbage, "LATEST", 0.5)
        wait_for(lambda: cycle() is None)
    finally:
        collector.stop()
    assert gc.get_threshold() == before and not collector.is_alive()


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_running_script_is_seen(monkeypatch):
    from streamlit.runtime import app_session

    assert "self._state = AppSessionState.APP_IS_RUNNING" in inspect.getsource(app_session.AppSession)
    assert not garbage.is_any_script_running(), "no server runs here"
    states = list(app_session.AppSessionState)
    sessions = [SimpleNamespace(session=SimpleNamespace(_state=state)) for state in states]
    manager = SimpleNamespace(list_active_sessions=lambda: sessions)
    monkeypatch.setattr(garbage.runtime, "exists", lambda: True)
    monkeypatch.setattr(garbage.runtime, "get_instance", lambda: SimpleNamespace(_session_mgr=manager))
    assert garbage.is_any_script_running()
    sessions = [each for each in sessions if each.session._state != app_session.AppSessionState.APP_IS_RUNNING]
    assert len(sessions) == len(states) - 1 and not garbage.is_any_script_running()
