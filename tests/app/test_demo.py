"""A demonstration (LAB_DEMO=1): what is stored can be looked at, on every page, and nothing can be asked of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.session import uploads, visitor
from app.session.store import ReadOnlyStore, get_store
from engine.errors import BadInput
from engine.spec import RunSpec
from engine.store import PRIORITY_INTERACTIVE, Store
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.fabricate import spec
from tests.app.test_lab import keys, words
from tests.app.test_origin import assert_uploader_is_closed
from tests.app.test_server import ask, server

LINE = "This is a demonstration"


@pytest.fixture
def demo(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of the tests, looked at as a demonstration; whoever asks it for anything fails the test."""
    monkeypatch.setenv("LAB_DEMO", "1")

    def asked(*_: Any, **__: Any) -> None:
        pytest.fail("a page of a demonstration asked the store to queue, stop, take in, name or delete something")

    monkeypatch.setattr("app.session.store._refuse", asked)
    return store


def settled(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def pressed(name: str, **query: str) -> AppTest:
    """The page, after each button that can be pressed was, on a page of its own."""
    page = opened(name, **query)
    for key in [b.key for b in page.button if not b.disabled]:
        again = opened(name, **query)
        found = [b for b in again.button if b.key == key and not b.disabled]
        assert found, key
        settled(found[0].click().run())
    return page


def pages() -> list[str]:
    return list(opened("lab").session_state["pages"])


def test_every_page_opens_and_no_button_on_it_asks_for_anything(demo: Store) -> None:
    for name in pages():
        page = pressed(name)
        assert "Demonstration" in words(page), name
        assert "No engine is alive" not in words(page), name


def test_the_lab_shows_what_is_stored_and_says_why_nothing_runs(demo: Store) -> None:
    run = fabricate.family_done(demo, spec(folds=4, seeds=5))
    page = pressed("lab", run=run.id)
    assert "than plain training" in words(page) and LINE in words(page)
    assert page.button(key="run").disabled


@pytest.mark.parametrize("state", ["failed", "cancelled", "interrupted", "running", "queued", "alone"])
def test_a_run_in_any_state_offers_nothing(demo: Store, state: str) -> None:
    job = {
        "running": lambda: fabricate.running(demo, spec()),
        "queued": lambda: fabricate.queued(demo, spec()),
        "alone": lambda: fabricate.done(demo, spec()),  # what it is compared with was never run
    }.get(state, lambda: fabricate.ended(demo, spec(), state, "Too little memory."))()
    other = fabricate.queued(demo, spec(seed=7), priority=PRIORITY_INTERACTIVE)
    for name, query in (("lab", {"run": job.id}), ("lab", {}), ("deep", {"run": job.id})):
        page = pressed(name, **query)
        assert LINE in words(page)
        assert not {"again", "cancel", "missing", f"cancel-{other.id}"} & set(keys(page))


def test_deep_draws_what_is_kept_and_asks_for_no_map_and_no_what_if(demo: Store) -> None:
    fabricate.beat(demo)  # even where an engine is alive: a quick map is made without asking elsewhere
    run = fabricate.deep(demo, maps=())
    page = pressed("deep", run=run.id, tab="what-if")
    assert page.button(key="deep.whatif").disabled and demo.jobs(kinds=("embed",)) == []
    bare = fabricate.deep(demo, fabricate.DIGITS.with_(seed=3), keeps=False)
    assert "deep.remake" not in keys(pressed("deep", run=bare.id, beside=run.id))


def test_your_data_takes_no_table_and_reads_none(demo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    owner = "o" * 43
    plain = Store(demo.url)
    plain.add_upload(owner, "mine.csv", b"a,b\n1,2\n")  # sent before the server became a demonstration
    monkeypatch.setattr(visitor, "read_owner", lambda: owner)
    page = opened("data")
    assert "no table is taken" in words(page) and not page.get("bidi_component")
    assert [button.key for button in page.button] == ["glossary"]
    assert plain.jobs(owner=owner, kinds=("profile",)) == [] and uploads.list_uploads() == []


OPEN = {
    *("job", "jobs", "result", "read_results", "events", "last_event", "artifact", "artifacts", "features", "embedding"),
    *("read_answer", "catalog", "engines", "search", "list_names", "bookmarks", "sweeps", "count_contents", "export"),
    *(
        "count_active",
        "count_states",
        "position",
        "list_queued",
        "median_seconds",
        "embed_seconds",
        "upload",
        "uploads",
        "read_upload",
    ),
    *("list_existing", "list_running", "cancel_requested", "should_yield"),
    *("load", "record_run", "record_embedding", "put_artifact"),  # examples come with the program
    *("touch", "expire", "purge"),  # what is private is forgotten all the same
    *(
        "publish_catalog",
        "publish_abilities",
        "record_heartbeat",
        "retire",
        "interrupt_orphans",
    ),  # an engine of before may still run
    *("claim", "release", "requeue", "append", "append_all", "finish", "save_result"),
    *("preview_news", "end_preview", "sweep_previews", "is_drained", "list_takers", "explain_waiting"),
    *("is_signed_out", "read_asker", "record_spent", "read_used", "has_lost_key"),
    *("read_sizes", "list_active", "count_people", "list_acts"),  # which refuse who is no admin
    *("url", "generation", "replaced", "close"),
}
"""What the store of a demonstration does for whoever asks."""


def test_the_store_of_a_demonstration_refuses_with_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    run = fabricate.done(store, spec())
    closed = get_store()
    verbs = {name for name in dir(Store) if not name.startswith("_")}
    assert verbs - OPEN == set(ReadOnlyStore.CLOSED) and verbs >= OPEN, "a new verb is refused or named above"
    for name in ReadOnlyStore.CLOSED:
        with pytest.raises(BadInput, match=LINE):
            getattr(closed, name)(run.id)
    assert closed.job(run.id).state == "done" and closed.result(run.id) is not None
    monkeypatch.delenv("LAB_DEMO")
    assert get_store().submit(RunSpec.from_json(run.spec).with_(seed=9)).state == "queued"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Store]]:
    folder = tmp_path_factory.mktemp("demo")
    store = fabricate.fresh(folder)
    with server(folder, engine="on", LAB_DEMO="1") as (_, port):
        yield port, store
    store.close()


def test_the_server_takes_no_table_starts_no_engine_and_calls_itself_healthy(served: tuple[int, Store]) -> None:
    port, store = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Cookie": f"lab_owner={'m' * 43}", "Origin": f"http://127.0.0.1:{port}", "X-File-Name": "a.csv"}
    connection.request("POST", "/api/uploads", b"a,b\n1,2\n", headers | {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    assert answer.status == 403 and json.loads(answer.read())["error"].startswith(LINE)
    connection.close()
    assert store.uploads("m" * 43) == []
    assert_uploader_is_closed(port)
    status, _, body = ask(port, "/api/health")
    assert status == 200 and json.loads(body)["status"] == "demonstration"
    assert store.engines(alive_within=3600) == [] and not list(store.database.lock_path.parent.glob("*.engine-lock"))
