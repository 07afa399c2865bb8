"""What pages say where several engines work on one store: how many, which of them drain, that all are silent, that none can take a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.frame import status
from app.session.store import read_catalog
from engine.store import EngineInfo, Store
from engine.store.abilities import Abilities
from engine.store.catalogs import name_catalog
from engine.version import NUMERICS
from tests.app import fabricate
from tests.app.fabricate import HOSTILE, spec
from tests.app.test_lab import heading, words

Look = Callable[..., AppTest]
ONE = EngineInfo("one", "here", 1, 0.0, 0.0, "A processor", ["cpu"], 2, 2, 1, 300.0)
CPU = Abilities(NUMERICS, devices=("cpu",))


@pytest.fixture(autouse=True)
def patient(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes long to be drawn finds the engines alive."""
    monkeypatch.setattr(type(store.database), "silence", 60.0)


def beat(store: Store, id: str, able: Abilities | None = None, *, ago: float = 0.0, **more: object) -> None:
    """A heartbeat of an engine, so many seconds old, with what it can run."""
    now = time.time() - ago
    store.record_heartbeat(replace(ONE, id=id, started=now - 100, heartbeat=now, **more))
    if able is not None:
        store.publish_abilities(id, able)


def read_status(page: AppTest) -> tuple[str, str]:
    """The status line, and what it says to who points at it."""
    lines = [(one.value, one.proto.help) for one in page.markdown if "ngine" in one.value and one.proto.help]
    assert len(lines) == 1, lines
    return lines[0]


def test_several_engines_are_counted_and_named_by_their_devices(store: Store, look: Look) -> None:
    beat(store, "one")
    beat(store, "two", device="A card", devices=["cpu", "cuda"], slots=4, busy=3)
    said, more = read_status(look())
    assert "Engine ready" in said
    assert "2 engines. Device: A processor; A card. 4 of 6 slots busy. 600 MiB in use." in more and "nothing new" not in more


def test_one_of_two_that_drains_is_named(store: Store, look: Look) -> None:
    beat(store, "one")
    beat(store, "two", draining=True)
    said, more = read_status(look())
    assert "Engine ready" in said and "2 engines. 1 of them takes nothing new. " in more


def test_that_all_drain_stands_in_the_line_itself(store: Store, look: Look) -> None:
    beat(store, "one", draining=True)
    beat(store, "two", draining=True)
    said, more = read_status(look())
    assert "No engine takes new runs" in said and "2 engines. 2 of them take nothing new. " in more


def test_silence_is_that_of_the_engine_heard_last(store: Store, look: Look) -> None:
    beat(store, "one", ago=7200)
    beat(store, "two", ago=300)
    said, more = read_status(look())
    assert "**No engine** · silent for 5 min" in said and more.startswith(status.HELP)


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({}, "one has no device 'cuda'; two has no device 'cuda'."),
        ({"draining": True}, "one has no device 'cuda'; two takes nothing new."),
    ],
)
def test_a_run_that_no_engine_can_take_says_so(store: Store, look: Look, second: dict[str, bool], why: str) -> None:
    id = store.submit(spec(), device="cuda").id
    beat(store, "one", CPU, host="one")
    beat(store, "two", CPU, host="two", **second)
    assert heading(look(run=id)) == f"No engine that lives can run this: {why}"


def test_a_run_that_one_engine_can_take_only_waits(store: Store, look: Look) -> None:
    id = store.submit(spec(), device="cuda").id
    beat(store, "one", CPU)
    beat(store, "two", Abilities(NUMERICS, devices=("cpu", "cuda")))
    assert heading(look(run=id)) == "Waiting: 0 runs before it."


def test_the_name_of_a_host_is_text(store: Store, look: Look) -> None:
    id = store.submit(spec(), device="cuda").id
    for n, host in enumerate(HOSTILE):
        beat(store, str(n), CPU, host=host)
    page = look(run=id)
    assert all(f"{host} has no device 'cuda'" in heading(page) for host in HOSTILE)
    assert not any("<img src=x" in one.proto.body for one in page.get("html"))


def test_a_silent_engine_and_a_run_of_it(store: Store, look: Look) -> None:
    running = fabricate.running(store, spec())
    beat(store, "engine-1", ago=100)
    page = look(run=running.id)
    assert "**No engine**" in words(page) and store.job(running.id).state == "interrupted"


def test_the_page_offers_what_all_engines_that_live_have(store: Store) -> None:
    """Each of two engines has a method and a set that the other lacks; when one ends, what it alone has goes."""
    whole = fabricate.catalog()
    for id, left_out in (("one", ("ce", "moons")), ("two", ("smote", "wine"))):
        less = {field: [e for e in whole[field] if e["name"] not in left_out] for field in ("methods", "datasets")}
        store.publish_catalog(whole | less)
        beat(store, id, catalog=name_catalog(whole | less))

    def names(field: str) -> set[str]:
        return {entry["name"] for entry in read_catalog()[field]}

    assert {"ce", "smote"} <= names("methods") and {"moons", "wine"} <= names("datasets")
    assert names("methods") == {entry["name"] for entry in whole["methods"]}
    store.retire("two")
    assert "smote" in names("methods") and "ce" not in names("methods") and "moons" not in names("datasets")
