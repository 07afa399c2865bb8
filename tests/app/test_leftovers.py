"""After *Forget*, and after the time limit, no live object of the page process holds a byte of the table."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.session import uploads, visitor
from engine.events import pack
from engine.spec import RunSpec
from engine.spec.embedding import FEATURES
from engine.store import Store
from engine.store.results import encode_result
from engine.store.schema import OWNERS
from tests.app import fabricate, tables
from tests.app.conftest import opened
from tests.leftovers import Canary, find_live


@pytest.fixture
def canary() -> Canary:
    return f"k4{secrets.token_hex(4)}", f"n4{secrets.token_hex(4)}"


def put_table(store: Store, canary: Canary) -> str:
    """A table whose name, a column, its levels and a class are the canary; returns its id."""
    data = tables.csv(names=("age", "spend", "".join(canary), "left"), classes=("no", "yes")).replace(
        b"Oslo", "".join(canary).encode()
    )
    return store.add_upload(tables.OWNER, f"{''.join(canary)}.csv", data)


def put_run(store: Store, upload: str, canary: Canary) -> str:
    """A finished run on the table, whose spec and result hold the canary."""
    job = store.submit(
        RunSpec(f"upload/{upload}", "ce", data={"target": "left", "positive": "".join(canary)}), owner=tables.OWNER
    )
    claimed = store.claim("e")
    assert claimed is not None and claimed.id == job.id
    kept = {FEATURES: pack(fabricate.features(2, images=False)), "note": "".join(canary).encode()}
    store.save_result(job.id, encode_result(fabricate.result(fabricate.spec("moons", "ce"))), kept, attempt=1)
    return job.id


def look_at_everything(store: Store, canary: Canary) -> AppTest:
    """The page of the table, after all of its pages were looked at."""
    upload = put_table(store, canary)
    tables.profiled(store, upload)
    run = put_run(store, upload, canary)
    tables.compared(store, upload, positive=None)
    for name, query in (("lab", {"run": run}), ("deep", {"run": run}), ("runs", {}), ("data", {})):
        opened(name, **query)
    return opened("data", data=upload)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.OWNER)


def forget_by_button(store: Store, page: AppTest) -> None:
    press = next(button for button in page.button if (button.key or "").startswith("mine.gone."))
    press.click().run()


def forget_by_time(store: Store, page: AppTest) -> None:
    with store.database.writing() as connection:
        connection.execute(OWNERS.update().values(seen=time.time() - 1801))
    assert store.expire().tables == 1
    page.run()


@pytest.mark.parametrize("forget", [forget_by_button, forget_by_time])
def test_nothing_alive_holds_a_byte_of_a_forgotten_table(store, mine, canary, forget: Callable[[Store, AppTest], None]):
    page = look_at_everything(store, canary)
    assert not page.exception and find_live(canary), "the page shows it"
    forget(store, page)
    assert not page.exception and uploads.list_uploads() == []
    live = find_live(canary)
    assert not live, "\n".join(live)
