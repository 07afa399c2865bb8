"""Nothing of a forgotten table is left: a real engine with a real worker on a real file, and a word that is nowhere else.

The word is in the file's name, a column's name, a class and values, and so in the profile, the comparison, the run, its events,
and the reason of a job that failed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.catalog import build_catalog
from engine.errors import UnknownName
from engine.events import Board
from engine.export import load_model
from engine.spec import RunSpec
from engine.store import Job, Store
from engine.store.forgetting import FORGET_AFTER
from engine.store.schema import OWNERS
from tests.engine.test_service import Process, alive, wait

CANARY = "kanar13nv0gel"
CODE = """
import sys
from engine.service import serve
serve(sys.argv[1], slots=1, prepare=None)
"""


class Engine(Process):
    """The engine as it is shipped, but that it compiles nothing in idle time."""

    def command(self, catalog: str) -> list[str]:
        return [sys.executable, "-c", CODE, self.store.url]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Engine, Path]]:
    """(store, engine, folder of all that they can write: store, log, home, temporary files)."""
    folder = tmp_path_factory.mktemp("lab")
    homes = {name: str(folder / name) for name in ("home", "tmp")}
    for path in homes.values():
        Path(path).mkdir()
    store = Store(f"sqlite:///{folder / 'lab.db'}")
    env = {"HOME": homes["home"], "XDG_CACHE_HOME": homes["home"]} | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), homes["tmp"])
    engine = Engine(store, folder / "engine.log", slots=1, **env)
    try:
        wait(lambda: engine.info() and engine.info().ready, 90)
        yield store, engine, folder
        assert engine.popen.poll() is None
    finally:
        engine.end()
        store.close()


def table() -> bytes:
    """60 rows, 15 of the smaller class, as a CSV with the word in it 100 times."""
    rng = np.random.default_rng(0)
    lines = [f"age,{CANARY} column,colour,answer"]
    for row in range(60):
        rare = row < 15
        colour = f"{CANARY}-{row % 3}" if row % 2 else "plain"
        lines.append(f"{30 + 20 * rare + rng.normal():.2f},{rng.normal():.3f},{colour},{'yes ' + CANARY if rare else 'no'}")
    return "\n".join(lines).encode()


def holds(folder: Path) -> set[str]:
    """Files with the word in them, in any case and as UTF-16 as well."""
    words = {spelt.encode(code) for spelt in (CANARY, CANARY.upper()) for code in ("utf-8", "utf-16-le")}
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)) for path in files if any(word in path.read_bytes() for word in words)}


def bytes_of(folder: Path) -> bytes:
    """Every byte of every file."""
    return b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def samples(store: Store, upload: str, jobs: list[str]) -> list[bytes]:
    """A few bytes from everywhere in the table and in what was made of it, as it is kept: compressed, where it is."""
    kept = [store.artifact(id, name, owner="me") for id in jobs for name in store.artifacts(id, owner="me")]
    blobs = [blob for blob in [*kept, table()] if blob]
    found = [blob[at : at + 24] for blob in blobs for at in range(0, len(blob) - 24, max(24, len(blob) // 40))]
    return [one for one in found if len(set(one)) > 12]


def over(store: Store, id: str) -> Job:
    return wait(lambda: not (job := store.job(id, "me")).active and job, 90)


def everything(store: Store, engine: Engine, folder: Path) -> tuple[str, list[str]]:
    """(upload, ids of the jobs made from it): all there can be, of which one still runs and one waits."""
    upload = store.add_upload("me", f"{CANARY}.csv", table())
    profile = store.submit_profile("me", upload, {"target": "answer"})
    refused = store.submit_profile("me", upload, {"target": f"no {CANARY}"})
    asked = {"source": {"upload": upload}, "target": "answer", "budget": 5, "methods": ["ce", "boosting"]}
    compare = store.submit_compare("me", asked)
    data = {"target": "answer", "positive": f"yes {CANARY}", "reading": {"types": {f"{CANARY} column": "numeric"}}}
    spec = RunSpec(f"upload/{upload}", "ce", data=data, params={"epochs": 2, "hidden": [4]})
    run = store.submit(spec.complete(build_catalog()), owner="me")

    assert over(store, profile.id).state == "done", store.job(profile.id, "me").reason
    assert CANARY in str(store.read_answer(profile.id, "profile", "me"))
    assert over(store, refused.id).state == "failed" and CANARY in store.job(refused.id, "me").reason
    assert over(store, compare.id).state == "done", store.job(compare.id, "me").reason
    found = store.read_answer(compare.id, "comparison", "me")
    assert isinstance(found, dict) and {row["name"] for row in found["methods"]} == {"ce", "boosting"}
    assert CANARY in str(found["data"]) and isinstance(store.last_event(compare.id, "board", owner="me"), Board)
    assert over(store, run.id).state == "done", store.job(run.id, "me").reason
    result = store.result(run.id, "me")
    assert result is not None and result.run_id == run.id and CANARY in str(result.per_class)
    assert CANARY not in str(result.provenance)

    long = spec.with_(params={"epochs": 2000}, folds=5, seeds=100)
    busy = store.submit(long.complete(build_catalog()), owner="me")
    waits = store.submit(long.with_(seed=1).complete(build_catalog()), owner="me")
    wait(lambda: store.events(busy.id, owner="me", kinds=("epoch",)), 30)
    assert store.job(waits.id, "me").state == "queued"
    assert holds(folder) <= {"lab.db", "lab.db-wal"} and holds(folder), "in the store, and in no other file"
    return upload, [profile.id, refused.id, compare.id, run.id, busy.id, waits.id]


def forgets(store: Store, upload: str) -> None:
    assert store.forget("me", upload).tables == 1


def falls_silent(store: Store, upload: str) -> None:
    with store.database.writing() as db:  # half an hour and a second pass
        db.execute(OWNERS.update().values(seen=time.time() - FORGET_AFTER - 1))


@pytest.mark.parametrize("goes", [forgets, falls_silent])
def test_no_byte_is_left_in_store_log_or_temporary_files(
    lab: tuple[Store, Engine, Path], goes: Callable[[Store, str], Any]
) -> None:
    store, engine, folder = lab
    before = bytes_of(folder)  # the catalog's, which are nobody's and may look like a result's
    upload, jobs = everything(store, engine, folder)
    (worker,) = engine.workers()
    assert not others_see(store, upload, jobs)
    pieces = [one for one in samples(store, upload, jobs) if one not in before]
    assert len(pieces) > 100 and (folder / "lab.db").exists()
    began = time.monotonic()
    goes(store, upload)
    wait(lambda: not store.uploads("me") and not alive(worker), 5)
    wait(store.purge, 5)
    assert time.monotonic() - began < 5
    assert holds(folder) == set()
    assert store.jobs(owner="me", kinds=("run", "profile", "compare")) == [] and store.count_active() == {
        "queued": 0,
        "running": 0,
    }
    assert engine.popen.poll() is None
    wait(lambda: engine.info().ready == 1 and engine.info().busy == 0, 60)
    assert holds(folder) == set(), "and nothing comes after"
    left = bytes_of(folder)
    assert [one for one in pieces if one in left] == []


def test_models_scored_files_and_new_uploads_are_forgotten(lab: tuple[Store, Engine, Path]) -> None:
    """A scoring goes with the scored file, with the upload its model is or came from, and with the comparison that made the model."""
    store, engine, folder = lab
    wait(lambda: engine.info().ready == 1, 60)
    before = bytes_of(folder)
    upload = store.add_upload("me", f"{CANARY}.csv", table())
    asked = {"source": {"upload": upload}, "target": "answer", "budget": 5, "methods": ["ce"]}
    compare = store.submit_compare("me", asked)
    assert over(store, compare.id).state == "done"
    data = store.artifact(compare.id, "model/ce", owner="me")
    assert data is not None
    model, next_month = store.add_upload("me", "model.zip", data), store.add_upload("me", f"next {CANARY}.csv", table())
    by_row = {"file": next_month, "model": {"job": compare.id, "artifact": "model/ce"}, "target": "answer"}
    by_file = {"file": next_month, "model": {"upload": model}}
    jobs = [store.submit_score("me", spec).id for spec in (by_row, by_file)]
    for id in jobs:
        assert over(store, id).state == "done", store.job(id, "me").reason
        found = store.read_answer(id, "score", "me")
        assert isinstance(found, dict) and found["rows"] == 60 and CANARY in str(found["drift"])
        rows = store.artifact(id, "scored.csv", owner="me")
        assert rows is not None and CANARY.encode() in rows and rows.startswith(b"age,")
    assert store.submit_score("me", by_row).id == jobs[0], "asking twice is one job"
    with pytest.raises(UnknownName):
        store.submit_score("you", by_row)
    with pytest.raises(UnknownName):
        store.submit_score("you", {**by_row, "file": store.add_upload("you", "a.csv", b"a,b\n1,2\n")})
    store.forget("you")
    assert not others_see(store, model, jobs)
    pieces = [one for one in [*samples(store, upload, [compare.id, *jobs]), data[200:240]] if one not in before]
    assert len(pieces) > 50
    assert store.forget("me", model).jobs == 1 and ids(store) == {compare.id, jobs[0]}
    assert store.forget("me", upload).jobs == 2 and ids(store) == set(), "the model's own table goes with what it scored"
    wait(lambda: engine.info().ready == 1 and engine.info().busy == 0, 60)
    assert store.forget("me", next_month).tables == 1
    wait(store.purge, 5)
    assert holds(folder) == set()
    left = bytes_of(folder)
    assert [one for one in pieces if one in left] == []


def test_a_scoring_goes_with_its_file_its_comparison_and_a_second_comparison(lab: tuple[Store, Engine, Path]) -> None:
    store, _, _ = lab
    upload, next_month = (store.add_upload("me", name, table()) for name in ("a.csv", "b.csv"))
    asked = {"source": {"upload": upload}, "target": "answer", "budget": 5, "methods": ["ce"]}

    def begin() -> tuple[str, str]:
        compare = store.submit_compare("me", asked)
        assert over(store, compare.id).state == "done"
        spec = {"file": next_month, "model": {"job": compare.id, "artifact": "model/ce"}}
        return compare.id, store.submit_score("me", spec).id

    compare, scored = begin()
    over(store, scored)
    store.delete(compare)
    assert ids(store) == set()
    compare, scored = begin()
    store.forget("me", next_month)
    assert ids(store) == {compare}
    store.forget("me")
    assert ids(store) == set() and store.uploads("me") == []


def test_a_model_on_all_rows_goes_with_its_table_its_comparison_and_takes_what_it_scored(
    lab: tuple[Store, Engine, Path],
) -> None:
    store, engine, folder = lab
    wait(lambda: engine.info().ready == 1, 60)
    before = bytes_of(folder)
    upload = store.add_upload("me", f"{CANARY}.csv", table())
    asked = {"source": {"upload": upload}, "target": "answer", "budget": 5, "methods": ["ce"]}

    def begin() -> list[str]:
        compare = store.submit_compare("me", asked).id
        assert over(store, compare).state == "done"
        spec = {"comparison": compare, "row": "ce"}
        refit = store.submit_refit("me", spec).id
        assert over(store, refit).state == "done", store.job(refit, "me").reason
        assert store.submit_refit("me", spec).id == refit, "asking twice is one job"
        for owner in (None, "you"):
            with pytest.raises(UnknownName):
                store.submit_refit(owner, spec)
        scored = store.submit_score("me", {"file": upload, "model": {"job": refit, "artifact": "model/ce"}}).id
        assert over(store, scored).state == "done", store.job(scored, "me").reason
        return [compare, refit, scored]

    compare, refit, scored = jobs = begin()
    facts, content = store.read_answer(refit, "refit", "me"), store.artifact(refit, "model/ce", owner="me")
    assert isinstance(facts, dict) and facts["rows"] == 60 and CANARY in facts["positive"] and content is not None
    model = load_model(content)
    assert model.facts is not None and model.facts.rows == 60 and any(CANARY in c.name for c in model.pipeline.columns)
    assert not others_see(store, upload, jobs)
    pieces = [one for one in [*samples(store, upload, jobs), content[200:240]] if one not in before]
    assert len(pieces) > 50
    failed = store.submit_refit("me", {"comparison": compare, "row": f"no {CANARY}"})
    assert over(store, failed.id).state == "failed"
    store.delete(compare)
    assert ids(store) == set(), "the comparison takes its models with it, and what they scored"
    begin()
    assert store.forget("me", upload).jobs == 3 and ids(store) == set()
    wait(lambda: engine.info().ready == 1 and engine.info().busy == 0, 60)
    wait(store.purge, 5)
    assert holds(folder) == set()
    left = bytes_of(folder)
    assert [one for one in pieces if one in left] == []


def ids(store: Store) -> set[str]:
    return {job.id for job in store.jobs(owner="me", kinds=("run", "profile", "compare", "score", "refit"))}


def others_see(store: Store, upload: str, jobs: list[str]) -> list[str]:
    """What another browser finds with all the links."""
    seen = []
    for owner in (None, "you"):
        seen += [one.id for one in store.jobs(owner=owner, kinds=("run", "embed", "profile", "compare", "score", "refit"))]
        seen += [one.id for one in store.uploads(owner)]
        for id in jobs:
            seen += [str(event) for event in store.events(id, owner=owner)] + store.artifacts(id, owner=owner)
            seen += [
                name
                for name in ("profile", "comparison", "arrays", "frames/0", "score", "scored.csv")
                if store.artifact(id, name, owner=owner)
            ]
            seen += [id] if store.result(id, owner) is not None else []
    return seen
