"""The cells of papers' tables on a Ray cluster, with the arguments and answers of `engine.reproduce.parallel.run_groups`."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine.errors import BadInput, ClusterLost
from engine.events import unpack
from engine.executors import CatalogReceived, Work, WorkFinished, WorkLost, WorkReturned
from engine.executors.ray_cluster import RayExecutor, connect_cluster
from engine.spec import RunSpec
from engine.spec.companions import name_first_phase
from engine.spec.result import Result
from engine.store.jobs import LOST_MOST

Item = TypeVar("Item")
TARGET = "engine.reproduce.parallel:run_bare"
TURN = 0.05
"""Seconds that one turn waits for news of the cluster."""
PATIENCE = 120.0
"""Seconds without a slot that is ready after which the cells are given up."""
LOST = f"its machine of the cluster was lost, and so were those of the {LOST_MOST} attempts after it."
NO_SLOT = "No slot of the cluster has become ready."


@dataclass
class _Run:
    """One item that runs or is to run again. group: what stays with it, in order. lost: attempts whose machine was lost."""

    item: Any
    spec: Mapping[str, Any]
    group: deque[Any] = field(repr=False)
    number: int
    lost: int = 0


class ClusterRuns:
    """`run_groups` on the cluster that LAB_EXECUTOR=`where` names. say: called with what is wrong with the cluster, once each."""

    def __init__(self, where: str, say: Callable[[str], None]) -> None:
        self.where, self.say = where, say

    def __call__(
        self,
        groups: Sequence[Sequence[tuple[Item, Mapping[str, Any]]]],
        jobs: int,
        device: str,
        start: Callable[[Item], bool],
    ) -> Iterator[tuple[Item, Result | str]]:
        """See `run_groups`. What a group shares is trained once where its next item finds a slot that has it, as it does unless others
        wait. Raises BadInput where there is no cluster, or no slot of it for PATIENCE seconds, and ClusterLost.
        """
        if not groups:
            return
        executor = connect_cluster(self.where, min(jobs, len(groups)), target=TARGET)
        try:
            yield from self._drive(executor, groups, device, start)
        finally:
            executor.stop()

    def _drive(
        self,
        executor: RayExecutor,
        groups: Sequence[Sequence[tuple[Any, Mapping[str, Any]]]],
        device: str,
        start: Callable[[Any], bool],
    ) -> Iterator[tuple[Any, Result | str]]:
        todo: deque[deque[Any]] = deque(deque(group) for group in groups)  # one that has begun stands first
        again: deque[_Run] = deque()
        running: dict[int, _Run] = {}
        catalog: Mapping[str, Any] = {}
        begun, told, ready_at = 0, "", time.monotonic()
        while todo or again or running:
            while catalog and executor.idle and (todo or again):
                run = again.popleft() if again else _take(todo, start, begun)
                if run is None:
                    break
                begun = max(begun, run.number + 1)
                running[run.number] = run
                spec = dict(run.spec)
                executor.start(Work((str(run.number), run.lost), spec, device, phase=_name_phase(spec, catalog)))
            for event in executor.poll(TURN):
                if isinstance(event, CatalogReceived):
                    catalog = event.catalog
                if not isinstance(event, WorkFinished | WorkReturned | WorkLost):
                    continue
                run = running.pop(int(event.key[0]))
                run.lost += isinstance(event, WorkLost)
                if isinstance(event, WorkFinished) or run.lost > LOST_MOST:
                    todo.appendleft(run.group)
                    yield run.item, _read_answer(event)
                else:
                    again.append(run)
            if executor.lost:
                raise ClusterLost(executor.lost)
            if executor.trouble and executor.trouble != told:
                self.say(told := executor.trouble)
            if executor.ready:
                ready_at = time.monotonic()
            elif time.monotonic() - ready_at > PATIENCE:
                raise BadInput(executor.trouble or NO_SLOT)


def _take(todo: deque[deque[Any]], start: Callable[[Any], bool], number: int) -> _Run | None:
    """The next item that is to run, out of `todo`; None where none is left."""
    while todo:
        group = todo.popleft()
        while group:
            item, spec = group.popleft()
            if start(item):
                return _Run(item, spec, group, number)
    return None


def _name_phase(spec: dict[str, Any], catalog: Mapping[str, Any]) -> str:
    """`Work.phase`; '' for a spec that the cluster cannot run: the run itself says why."""
    try:
        return name_first_phase(RunSpec.from_json(spec), catalog)
    except BadInput:
        return ""


def _read_answer(event: WorkFinished | WorkReturned | WorkLost) -> Result | str:
    if not isinstance(event, WorkFinished):
        return LOST
    if event.result is None:
        return event.reason
    words, arrays = event.result
    return Result.from_json(json.loads(words), unpack(arrays))
