"""Several engines on one store: who may run what, what becomes of runs of silent engines, draining, and the slot kept for people."""

from __future__ import annotations

import itertools
import json

import pytest
import sqlalchemy as sa

from engine.store.abilities import Abilities
from engine.store.schema import ENGINES, JOBS
from engine.version import NUMERICS
from tests.engine.test_store import SPEC, info

pytestmark = pytest.mark.both_databases
CATALOG = {
    "devices": ["cpu"],
    "methods": [{"name": "ce"}],
    "datasets": [{"fingerprint": "here", "available": True}, {"fingerprint": "absent", "available": False}],
}
SMALL = Abilities.from_catalog(CATALOG)
LARGE = Abilities(NUMERICS, ("cpu", "cuda"), ("ce", "smote"), ("here", "absent"))


def add_engine(store, id: str, able: Abilities | None = None, **more) -> str:
    """An engine that lives, with what it can run."""
    store.record_heartbeat(info(id, host=id, numerics=NUMERICS, **more))
    if able is not None:
        store.publish_abilities(id, able)
    return id


def set_job(store, id: str, **values) -> None:
    with store.database.writing() as connection:
        connection.execute(JOBS.update().where(JOBS.c.id == id).values(**values))


def test_abilities_are_those_of_the_live_catalog():
    assert Abilities(NUMERICS, ("cpu",), ("ce",), ("here",)) == SMALL
    assert Abilities.from_json(LARGE.to_json()) == LARGE and Abilities.from_json("") is None
    assert Abilities.from_catalog(None) == Abilities(NUMERICS) == Abilities.from_catalog({"devices": [], "datasets": []})


@pytest.mark.parametrize(
    ("asked", "lack"),
    [
        ({"device": "cuda"}, "has no device 'cuda'"),
        ({"method": "smote"}, "has no method 'smote'"),
        ({"fingerprint": "absent"}, "lacks the data of 'moons', or has another version of it"),
        ({"fingerprint": "of another version"}, "lacks the data"),
    ],
)
def test_a_job_goes_to_an_engine_that_can_run_it(store, asked, lack):
    method = asked.get("method", "ce")
    spec = SPEC.with_(method=method)
    id = store.submit(spec, fingerprint=asked.get("fingerprint", "here"), device=asked.get("device", "auto")).id
    add_engine(store, "small", SMALL)
    add_engine(store, "other", SMALL)
    able = Abilities(NUMERICS, ("cpu", "cuda"), None, ("absent", "here", "of another version"))
    assert store.claim("small", able=SMALL) is None and store.job(id).state == "queued"
    assert lack in store.explain_waiting(id)
    add_engine(store, "large", able)
    assert store.explain_waiting(id) == ""
    assert store.claim("large", able=able).id == id
    assert store.explain_waiting(id) == "", "it is not queued"


def test_a_job_that_goes_before_holds_up_no_other(store):
    first = store.submit(SPEC, fingerprint="here", device="cuda").id
    second = store.submit(SPEC.with_(seed=1), fingerprint="here").id
    assert store.claim("small", able=SMALL).id == second
    assert store.claim("small", able=SMALL) is None
    assert store.claim("large", able=LARGE, choose=lambda jobs: jobs[-1]).id == first


def test_a_job_of_another_version_of_the_numbers_waits_for_its_engine(store):
    id = store.submit(SPEC).id
    set_job(store, id, numerics=NUMERICS + 1)
    add_engine(store, "old", SMALL)
    assert store.claim("old", able=SMALL.without_lists()) is None
    assert f"old computes by version {NUMERICS} of the numbers" in store.explain_waiting(id)
    assert store.claim("new", able=Abilities(NUMERICS + 1)).id == id
    before = store.submit(SPEC.with_(seed=2)).id
    set_job(store, before, numerics=None)
    assert store.claim("old", able=SMALL).id == before, "of a store of before, which has no version"


def test_what_no_engine_can_run_says_so_and_only_then(store):
    id = store.submit(SPEC, fingerprint="here", device="cuda", owner="me").id
    assert store.explain_waiting(id, "me") == "", "no engine lives"
    add_engine(store, "one", SMALL)
    alone = "" if store.database.on_this_machine else "No engine that lives can run this: one has no device 'cuda'."
    assert store.explain_waiting(id, "me") == alone, "alone on its machine it takes it, and the run says why it fails"
    add_engine(store, "two", SMALL)
    words = "No engine that lives can run this: one has no device 'cuda'; two has no device 'cuda'."
    assert store.explain_waiting(id, "me") == words
    assert store.explain_waiting(id) == store.explain_waiting(id, "you") == "", "it is somebody's own"
    add_engine(store, "three", None)
    assert store.explain_waiting(id, "me") == "", "one that has not said what it can is asked"
    assert store.explain_waiting("unknown") == ""


def test_the_condition_and_the_sentence_agree(store):
    with store.database.writing() as connection:
        connection.execute(JOBS.delete())
    every = itertools.product(
        ("run", "embed", "compare"), ("auto", "cuda"), ("", "here", "absent"), ("ce", "smote"), (None, 1, NUMERICS)
    )
    spec = {"dataset": "moons", "params": {}}
    for n, (kind, device, print_, method, numerics) in enumerate(every):
        id = store.submit(SPEC.with_(seed=n), fingerprint="here").id
        words = json.dumps(spec | {"method": method})
        set_job(store, id, kind=kind, device=device, fingerprint=print_, numerics=numerics, spec=words)
    for able in (SMALL, LARGE, SMALL.without_lists(), Abilities(1, ("cpu",))):
        with store.database.reading() as connection:
            can = set(connection.execute(sa.select(JOBS.c.id).where(able.can_run)).scalars())
            jobs = connection.execute(sa.select(JOBS)).all()
        assert can == {job.id for job in jobs if not able.name_lack(job)} and 0 < len(can) < len(jobs)


def test_words_of_a_later_program_are_left_out(store):
    add_engine(store, "later", catalog="0123", device_memory={"cuda": 1000}, mps="/tmp/nvidia-mps")
    with store.database.writing() as connection:
        words = json.loads(connection.execute(sa.select(ENGINES.c.words)).scalar_one()) | {"more": 1}
        connection.execute(ENGINES.update().values(words=json.dumps(words)))
    (one,) = store.engines()
    assert (one.id, one.catalog, one.device_memory, one.mps) == ("later", "0123", {"cuda": 1000}, "/tmp/nvidia-mps")
