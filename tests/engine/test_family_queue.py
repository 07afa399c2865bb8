"""Which worker runs which run of a family: the one that trained the first phase, if it is idle. Nobody else waits longer for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.catalog import build_catalog
from engine.executors.local import PHASES, LocalExecutor, _Slot
from engine.service import Engine
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions, name_first_phase
from engine.store import Job, Store
from engine.store.jobs import PRIORITY_COMPANION, PRIORITY_INTERACTIVE
from engine.training import network_cache

CATALOG = build_catalog(found=True)
SPEC = RunSpec("rings", "explicit-gradient", Imbalance("ratio", 10), folds=4).complete(CATALOG)
SHARED = {"explicit-gradient", "frozen", "CE, equal steps", "ce"}


def list_members(spec: RunSpec = SPEC) -> dict[str, RunSpec]:
    return {member.key: member.spec for member in list_companions(spec, CATALOG)[0]}


class Workers(LocalExecutor):
    """The executor's choice of a worker, without processes."""

    def __init__(self, slots: int) -> None:
        self.trouble, self.previews, self._embeds, self._failures, self.given = "", False, False, 0, []
        self._waiting = []
        process, pipe = SimpleNamespace(is_alive=lambda: True, pid=1), SimpleNamespace(send=self.given.append)
        self._slots = [_Slot(process, pipe, ready=True) for _ in range(slots)]

    def poll(self, timeout: float) -> list[Any]:
        return []

    def stop(self) -> None:
        """Nothing runs."""


class Lab:
    """A store, and an engine whose runs end when the test says so."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.store = Store(f"sqlite:///{folder / 'lab.db'}")
        self.store.publish_catalog(CATALOG)
        self.workers = Workers(slots)
        self.engine = Engine(self.store, self.workers, slots)
        self.keys: dict[str, str] = {}

    def ask(self, spec: RunSpec = SPEC) -> None:
        for n, (key, member) in enumerate(list_members(spec).items()):
            priority = PRIORITY_COMPANION if n else PRIORITY_INTERACTIVE
            self.keys[self.store.submit(member, priority=priority).id] = f"{key}{spec.seed or ''}"

    def claim(self) -> list[str]:
        """What each worker has after the engine took what it can."""
        self.engine._claim()
        return ["" if slot.run is None else self.keys[slot.run.work.key[0]] for slot in self.workers._slots]

    def end(self, slot: int) -> None:
        run = self.workers._slots[slot].run
        assert run is not None
        self.store.finish(run.work.key[0], "failed", "It ended.", attempt=run.work.key[1])
        self.engine._running.pop(run.work.key)
        self.workers._slots[slot].run = None


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, getattr(request, "param", 2))
    yield made
    made.engine.stop()
    made.store.close()


def test_a_family_names_one_first_phase_but_for_the_potential() -> None:
    names = {key: name_first_phase(spec, CATALOG) for key, spec in list_members().items()}
    assert names.keys() == SHARED | {"potential"} and names["potential"] == ""
    assert len({names[key] for key in SHARED}) == 1 and names["ce"]


@pytest.mark.parametrize("change", [{"epochs": 9}, {"learning_rate": 0.1}, {"hidden": [3]}])
def test_another_first_phase_has_another_name(change: dict[str, Any]) -> None:
    other = SPEC.with_(params=dict(SPEC.params) | change)
    assert name_first_phase(other, CATALOG) != name_first_phase(SPEC, CATALOG)
    assert name_first_phase(SPEC.with_(seed=1), CATALOG) != name_first_phase(SPEC, CATALOG)


def test_on_images_the_network_counts() -> None:
    family = list_members(RunSpec("digits", "explicit-gradient", Imbalance("ratio", 10)))
    assert name_first_phase(family["ce"], CATALOG) == name_first_phase(family["explicit-gradient"], CATALOG) != ""
    deep = list_members(RunSpec("digits", "eos", Imbalance("ratio", 10)))
    assert name_first_phase(deep["ce"], CATALOG) != name_first_phase(family["ce"], CATALOG)


def test_the_second_worker_takes_what_shares_nothing_first(lab: Lab) -> None:
    lab.ask()
    assert lab.claim() == ["explicit-gradient", "potential"]
    lab.end(1)
    assert lab.claim() == ["explicit-gradient", "frozen"]  # nothing else is queued, and an idle worker serves nobody
    lab.end(0)
    assert lab.claim() == ["CE, equal steps", "frozen"]
    lab.end(1)
    assert lab.claim() == ["CE, equal steps", "ce"]


@pytest.mark.parametrize("lab", [1], indirect=True)
def test_one_worker_runs_the_potential_last(lab: Lab) -> None:
    lab.ask()
    ran = []
    for _ in range(5):
        ran += lab.claim()
        lab.end(0)
    assert ran[0] == "explicit-gradient" and ran[-1] == "potential" and set(ran) == {*SHARED, "potential"}


def test_a_run_goes_to_the_idle_worker_that_trained_its_first_phase(lab: Lab) -> None:
    family = list_members()
    for key in ("potential", "ce", "frozen"):
        lab.keys[lab.store.submit(family[key]).id] = key
        if key != "frozen":
            lab.claim()
    lab.end(0)
    lab.end(1)
    assert lab.claim() == ["", "frozen"]
    lab.end(1)
    lab.workers._slots[1].phases.clear()
    lab.store.submit(family["frozen"], again=True)
    assert lab.claim() == ["frozen", ""]


def test_a_family_that_came_later_goes_later(lab: Lab) -> None:
    lab.ask()
    lab.ask(SPEC.with_(seed=1))
    assert lab.claim() == ["explicit-gradient", "explicit-gradient1"]  # a person waits for each
    lab.end(1)
    assert lab.claim() == ["explicit-gradient", "potential"]  # not the second family's, whose first phase is here
    lab.end(1)
    assert lab.claim() == ["explicit-gradient", "frozen"]


def test_what_an_engine_may_choose_from_has_one_priority(lab: Lab) -> None:
    lab.ask()
    seen: list[list[Job]] = []

    def last(jobs: Any) -> Job:
        seen.append(list(jobs))
        return jobs[-1]

    first, second = (lab.store.claim("e", choose=last) for _ in range(2))
    assert first is not None and second is not None
    assert [len(jobs) for jobs in seen] == [1, 4] and lab.keys[second.id] == "potential"
    assert lab.store.claim("e", kinds=("embed",), choose=last) is None and len(seen) == 2


def test_workers_and_their_cache_agree_on_how_many_first_phases_are_held() -> None:
    assert PHASES == network_cache.MOST
