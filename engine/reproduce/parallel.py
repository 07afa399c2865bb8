"""Runs in several processes at once. A process that dies loses the one run it was at, and is replaced."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, TypeVar

from engine import system
from engine.errors import BadInput, DataMissing, OutOfMemory
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json

if TYPE_CHECKING:
    from engine.runner.execute import Run

Item = TypeVar("Item")
DIED = "its process ended before it did: most likely the memory was not enough."


@dataclass
class _Lane:
    """A process with its group of items. now: the item that it runs."""

    process: BaseProcess
    pipe: Connection
    group: deque[Any] = field(default_factory=deque)
    now: Any = None


def run_groups(
    groups: Sequence[Sequence[tuple[Item, Mapping[str, Any]]]], jobs: int, device: str, start: Callable[[Item], bool]
) -> Iterator[tuple[Item, Result | str]]:
    """Each item with its result, or with the reason why it has none, in the order in which they end.

    groups: of (item, RunSpec as JSON); a group stays in one process, in its order. start: called with each item before
    it begins; where it returns False the item is left out. When the generator is closed, the processes are terminated.
    """
    todo = deque(groups)
    lanes = [_open_lane(device) for _ in range(min(jobs, len(groups)))]
    try:
        while True:
            for lane in lanes:
                while lane.now is None and (lane.group or todo):
                    if not lane.group:
                        lane.group = deque(todo.popleft())
                        continue
                    item, spec = lane.group.popleft()
                    if start(item):
                        lane.now = (item,)
                        with suppress(OSError):  # it died meanwhile: its end of the pipe says so below
                            lane.pipe.send(spec)
            busy = {lane.pipe: i for i, lane in enumerate(lanes) if lane.now is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                i = busy[pipe]  # type: ignore[index]
                lane = lanes[i]
                ((item,), lane.now) = lane.now, None
                try:
                    result: Result | str = lane.pipe.recv()
                except (EOFError, OSError):
                    result = DIED
                    lanes[i] = _open_lane(device)
                    lanes[i].group = lane.group
                yield item, result
    finally:
        for lane in lanes:
            lane.process.terminate()
            lane.process.join()


def _open_lane(device: str) -> _Lane:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve_specs, args=(theirs, device), daemon=True)
    process.start()
    theirs.close()
    return _Lane(process, mine)


def _serve_specs(pipe: Connection, device: str) -> None:
    """The body of a process: receives specs and sends results until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process
    system.keep_freed_memory()
    read: dict[str, Any] = {}
    while True:
        try:
            spec = RunSpec.from_json(pipe.recv())
        except EOFError:
            return
        answer: Result | str
        try:
            answer = run_spec(spec, device, read)
        except (BadInput, DataMissing, OutOfMemory) as error:
            answer = str(error)
        try:
            pipe.send(answer)
        except OSError:
            return


def run_spec(spec: RunSpec, device: str, read: dict[str, Any]) -> Result:
    """One run, in this process and without pictures. read: the dataset that was read last, for the next run on it."""
    from engine.runner import drive

    _, result, _ = drive(run_bare(spec, device=device, read=read))
    return result


_READ: dict[str, Any] = {}


def run_bare(spec: RunSpec, *, device: str = "auto", read: dict[str, Any] = _READ) -> Run:
    """The steps of `run_spec`: what a worker of a cluster runs. read: by default the dataset that was read last in this process."""
    from engine.data.sources import load
    from engine.runner import run as steps

    what = canonical_json([spec.dataset, dict(spec.data)])
    if what not in read:
        read.clear()  # one at a time: whole image sets are large
        read[what] = load(spec.dataset, spec.data)
    return (yield from steps(spec, device=device, frames=0, dataset=read[what], artifacts=False))
