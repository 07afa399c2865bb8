"""What a page keeps of a person's own tables: nothing beyond what its session shows, and nothing once they are forgotten."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import logging
import sys
import time
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.testing.v1 import AppTest

from app.session import jobs, uploads, visitor
from engine.errors import UnknownName
from engine.events import Board, Note, Phase, pack
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import FEATURES
from engine.store import Store
from engine.store.results import encode_result
from engine.store.schema import OWNERS
from engine.store.sealing import KEY_GONE
from tests.app import fabricate
from tests.app.conftest import opened

ME, YOU = "m" * 43, "y" * 43
CANARY = "k4n4ri3"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """looks(token): who is looking from now on."""

    def looks(token: str | None) -> None:
        monkeypatch.setattr(visitor, "read_owner", lambda: token)

    looks(ME)
    return looks


def compared(store: Store) -> tuple[str, str]:
    """(upload, comparison) of ME: one that is done."""
    upload = store.add_upload(ME, f"{CANARY}.csv", b"a,b")
    job = jobs.ask_comparison(CompareSpec({"upload": upload}, target=CANARY, budget=15))
    claimed = store.claim("e")
    assert claimed is not None and claimed.id == job.id
    told = [
        Phase("fit", "Class weights"),
        Board(({"name": "ce"},), 1, 4, 9.0),
        Note(CANARY),
        Board(({"name": "x"},), 2, 4, 5.0),
    ]
    assert store.append(job.id, told, attempt=1)
    artifacts = {
        "comparison": json.dumps({"methods": [], "verdict": CANARY}).encode(),
        "arrays": pack({"pr/ce": np.arange(3.0)}),
        "thresholds/ce": pack({"grid": np.arange(2.0)}),
    }
    assert store.save_result(job.id, ("{}", b""), artifacts, attempt=1)
    return upload, job.id


def run_on(store: Store, upload: str) -> str:
    """A finished run on a table, with features."""
    spec = RunSpec(f"upload/{upload}", "ce", data={"target": CANARY})
    job = jobs.ask_run(spec)
    claimed = store.claim("e")
    assert claimed is not None and claimed.id == job.id
    answer = fabricate.result(fabricate.spec("moons", "ce"))
    kept = {FEATURES: pack(fabricate.features(2, images=False))}
    assert store.save_result(job.id, encode_result(answer), kept, attempt=1)
    return job.id


def test_the_owner_gets_all_of_it_and_nobody_else_anything(store: Store, looks: Callable[[str | None], None]) -> None:
    upload, job = compared(store)
    assert [one.id for one in uploads.list_uploads()] == [upload] and uploads.find_upload(upload).name == f"{CANARY}.csv"
    live = jobs.read_progress(job)
    assert (live.job.id, live.phase, live.notes, live.ahead) == (job, "Class weights", [CANARY], 0)
    assert live.board is not None and live.board.round == 2
    found = jobs.read_comparison(job)
    assert found is not None and found["verdict"] == CANARY
    curve, table = jobs.read_arrays(job), jobs.read_thresholds(job, "ce")
    assert curve is not None and curve["pr/ce"].tolist() == [0, 1, 2] and table is not None and list(table) == ["grid"]
    assert jobs.list_artifacts(job) == ["arrays", "comparison", "thresholds/ce"]
    assert [one.id for one in jobs.list_comparisons()] == [job] == [one.id for one in jobs.list_comparisons(upload)]
    assert jobs.list_comparisons("another") == [] and jobs.read_thresholds(job, "no") is None
    profile = jobs.ask_profile(upload)
    assert jobs.ask_profile(upload, {"reading": {}}) == profile and jobs.read_profile(profile.id) is None

    for other in (YOU, None):
        looks(other)
        assert uploads.list_uploads() == [] and jobs.list_comparisons() == [] and jobs.list_artifacts(job) == []
        assert jobs.read_comparison(job) is None and jobs.read_arrays(job) is None and jobs.read_thresholds(job, "ce") is None
        for ask in (
            lambda: uploads.find_upload(upload),
            lambda: jobs.read_progress(job),
            lambda: jobs.cancel_job(profile.id),
            lambda: jobs.ask_profile(upload),
            lambda: jobs.ask_comparison(CompareSpec({"upload": upload}, target=CANARY, budget=15)),
            lambda: jobs.ask_run(RunSpec(f"upload/{upload}", "ce", data={"target": CANARY})),
        ):
            with pytest.raises(UnknownName, match="belong to another browser"):
                ask()
    assert uploads.explain_refusal() == visitor.NO_OWNER
    looks(ME)
    assert uploads.explain_refusal() == "" and store.job(profile.id, ME).state == "queued", "a stranger cannot cancel it"
    jobs.cancel_job(profile.id)
    assert store.job(profile.id, ME).state == "cancelled"


def test_a_comparison_on_a_public_dataset_is_everybody_s(store: Store, looks: Callable[[str | None], None]) -> None:
    asked = CompareSpec({"dataset": "glass2"}, budget=15)
    job = jobs.ask_comparison(asked)
    looks(YOU)
    assert jobs.ask_comparison(asked) == job and jobs.read_progress(job.id).job == job and jobs.list_comparisons() == []
    with pytest.raises(UnknownName, match="no dataset is called"):
        jobs.ask_comparison(CompareSpec({"dataset": "nothing"}, budget=15))


def held(at: AppTest) -> dict[str, Any]:
    """The session's state, widgets with keys among it."""
    return {key: at.session_state[key] for key in at.session_state}


def page() -> None:
    """A page that keeps something of a table as long as there is one."""
    import streamlit as st

    from app.session import uploads

    uploads.keep_alive()
    for one in uploads.list_uploads():
        st.session_state[f"mine.{one.id}"] = one.name
        st.selectbox("Column", [one.name], key=f"mine.column.{one.id}")
    st.session_state["other"] = "stays"


def test_an_open_page_keeps_a_table_and_drops_all_of_it_when_it_is_gone(
    store: Store, looks: Callable[[str | None], None]
) -> None:
    upload = store.add_upload(ME, f"{CANARY}.csv", b"a,b")
    at = AppTest.from_function(page, default_timeout=30).run()
    with store.database.writing() as db:
        db.execute(OWNERS.update().values(seen=time.time() - 1700))
    at.run()
    with store.database.reading() as db:
        assert time.time() - db.execute(OWNERS.select()).one().seen < 60, "a page that is open is a sign of life"
    kept = [key for key in held(at) if key.startswith(visitor.MINE)]
    assert len(kept) == 3 and CANARY in str(held(at))
    store.forget(ME, upload)  # in another tab
    at.run()
    assert not at.exception and CANARY not in str(held(at)) and not at.selectbox
    assert at.session_state["other"] == "stays"


def test_forgetting_empties_the_session(store: Store, looks: Callable[[str | None], None]) -> None:
    def script() -> None:
        import streamlit as st

        from app.session import uploads

        uploads.keep_alive()
        for one in uploads.list_uploads():
            st.session_state["mine.name"] = one.name
            st.button("Forget", on_click=uploads.forget_uploads, args=(one.id,))

    store.add_upload(ME, f"{CANARY}.csv", b"a,b")
    at = AppTest.from_function(script, default_timeout=30).run()
    assert at.session_state["mine.name"] == f"{CANARY}.csv"
    at.button[0].click().run()
    assert not at.exception and not at.button and CANARY not in str(held(at))
    assert store.uploads(ME) == []


def test_what_is_private_is_in_no_cache_of_the_page(store: Store, looks: Callable[[str | None], None]) -> None:
    def script() -> None:
        import streamlit as st

        from app.session import jobs, visitor

        run = st.query_params["run"]
        found = jobs.read_features(run, 1, visitor.read_owner())
        st.text("none" if found is None else str(len(found["x"])))

    def shown(run: str) -> str:
        at.query_params["run"] = run
        return str(at.run().text[0].value)

    upload = store.add_upload(ME, f"{CANARY}.csv", b"a,b")
    mine, public = run_on(store, upload), fabricate.deep(store, fabricate.spec("moons", "ce")).id
    at = AppTest.from_function(script, default_timeout=30)
    assert int(shown(mine)) > 0 and int(shown(public)) > 0
    looks(YOU)
    assert shown(mine) == "none" and int(shown(public)) > 0
    looks(ME)
    uploads.forget_uploads()
    assert shown(mine) == "none", "and not from what an earlier look left"


@pytest.mark.parametrize("lost", [True, False])
def test_a_link_to_a_table_that_is_gone_has_one_reason(
    store: Store, looks: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    looks(ME)
    monkeypatch.setattr(uploads, "has_lost_key", lambda: lost)
    (said,) = [one.value for one in opened("data", data="a" * 32).warning]
    assert said == KEY_GONE if lost else "belongs to another browser" in said


def test_a_private_run_is_on_the_page_of_its_owner_alone(
    store: Store, look: Callable[..., AppTest], looks: Callable[[str | None], None]
) -> None:
    run = run_on(store, store.add_upload(ME, f"{CANARY}.csv", b"a,b"))
    mine = look(run=run)
    assert not [text for text in mine.warning if "no such run" in text.value.lower()]
    looks(YOU)
    theirs = look(run=run)
    assert "belongs to another browser" in " ".join(
        element.value for kind in ("warning", "info", "error", "markdown") for element in getattr(theirs, kind)
    )
    assert CANARY not in str(theirs)
    st.cache_resource.clear()
    del mine, theirs
    gc.collect()


def test_the_server_forgets_who_fell_silent_where_no_engine_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import api, server

    store.add_upload(ME, f"{CANARY}.csv", b"a,b")
    kept = store.add_upload(YOU, "kept.csv", b"a,b")
    with store.database.writing() as db:
        db.execute(OWNERS.update().where(OWNERS.c.owner == ME).values(seen=time.time() - 1801))
    monkeypatch.setattr(api, "get_store", lambda: store)

    async def a_while() -> None:
        task = asyncio.create_task(server.forget_expired())
        while store.uploads(ME):
            await asyncio.sleep(0.02)
        task.cancel()

    asyncio.run(asyncio.wait_for(a_while(), 5))
    assert [one.id for one in store.uploads(YOU)] == [kept]


def test_the_session_of_a_tab_closed_long_ago_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        id = "closed"

    storage = MemorySessionStorage(ttl_seconds=0.1)  # type: ignore[arg-type]
    manager = WebsocketSessionManager(storage, *[None] * 3)  # type: ignore[arg-type]
    monkeypatch.setattr(visitor.runtime, "exists", lambda: True)
    monkeypatch.setattr(visitor.runtime, "get_instance", lambda: SimpleNamespace(_session_mgr=manager))
    closed = Session()
    storage.save(SessionInfo(client=None, session=closed, script_run_count=1))  # type: ignore[arg-type]
    left = weakref.ref(closed)
    del closed
    visitor.drop_closed_sessions()
    assert left() is not None, "its tab may come back"
    time.sleep(0.15)
    visitor.drop_closed_sessions()
    gc.collect()
    assert left() is None
    assert "self._session_mgr" in inspect.getsource(Runtime), "the way to it is Streamlit's own"


def test_what_an_error_says_is_not_logged() -> None:
    from app.server import keep_quiet

    make = keep_quiet(logging.LogRecord)
    try:
        {}[CANARY]
    except KeyError:
        record = make("a", logging.ERROR, __file__, 1, "Uncaught app execution", (), sys.exc_info())
    text = logging.Formatter("%(message)s").format(record)
    assert CANARY not in text and "KeyError (what it says is not logged)" in text and "test_private.py" in text
    plain = make("a", logging.INFO, __file__, 1, "run %s", ("x",), None)
    assert logging.Formatter("%(message)s").format(plain) == "run x"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"lab_owner={ME}", ME),
        (f"a=1; lab_owner={ME}; b=2", ME),
        ("lab_owner=short", None),
        (f"lab_owner={ME}x", None),
        ("", None),
        ("lab_owner", None),
        ("\x00=;;;lab_owner=../../etc", None),
    ],
)
def test_only_a_token_of_this_server_s_making_is_an_owner(header: str, token: Any) -> None:
    assert visitor.parse_owner(header) == token
