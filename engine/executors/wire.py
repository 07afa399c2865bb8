"""Jobs and what comes of them as plain values: what crosses the network to another machine's worker.

Text, bytes, numbers, tuples and lists alone, so that no class of ours travels. What arrives is checked, value by value: a message of
another form raises ValueError.
"""

from __future__ import annotations

import json
from typing import Any

from engine.executors import ExecutorEvent, Work, WorkerEvents, WorkFinished, WorkReturned

PackedWork = tuple[str, bytes]
"""JSON of a job's facts, and its features."""
STATES = ("done", "failed", "cancelled")


def is_public(work: Work) -> bool:
    """Whether a job may leave this machine: it is nobody's own, holds nothing of a table, and is no preview."""
    return not (work.private or work.uploads or work.table is not None or work.kind == "preview")


def pack_work(work: Work) -> PackedWork:
    """A public job. Raises ValueError for any other."""
    if not is_public(work):
        raise ValueError("private work stays on the engine's machine")
    facts = {
        "key": list(work.key),
        "spec": work.spec,
        "device": work.device,
        "timeout_s": work.timeout_s,
        "kind": work.kind,
        "phase": work.phase,
        "memory_mb": work.memory_mb,
        "device_share": work.device_share,
    }
    return json.dumps(facts, allow_nan=False), work.features


def unpack_work(value: object) -> Work:
    """The job of `pack_work`. Raises ValueError."""
    text, features = _fields(value, str, bytes)
    facts = json.loads(text)
    _need(isinstance(facts, dict))
    key, spec = facts.get("key"), facts.get("spec")
    _need(isinstance(key, list) and isinstance(spec, dict))
    id, attempt = _fields(tuple(key), str, int)
    device, kind, phase = _fields(tuple(facts.get(name) for name in ("device", "kind", "phase")), str, str, str)
    timeout_s, memory_mb = facts.get("timeout_s"), facts.get("memory_mb")
    _need(timeout_s is None or isinstance(timeout_s, int | float))
    _need(memory_mb is None or isinstance(memory_mb, int))
    share = facts.get("device_share")
    _need(share is None or isinstance(share, int))
    more = {"phase": phase, "memory_mb": memory_mb, "device_share": share}
    return Work((id, attempt), spec, device, timeout_s, kind=kind, features=features, **more)


def pack_event(event: ExecutorEvent) -> tuple[Any, ...]:
    """What a worker said of a job: events, its end, or that it did not begin. Raises ValueError for a catalog."""
    if isinstance(event, WorkerEvents):
        return ("events", *event.key, [tuple(one) for one in event.events])
    if isinstance(event, WorkFinished):
        return ("finished", *event.key, event.state, event.reason, event.result, dict(event.artifacts))
    if isinstance(event, WorkReturned):
        return ("returned", *event.key)
    raise ValueError("nothing of a job")


def pack_alive(pids: list[int]) -> tuple[str, list[int]]:
    """That a worker lives. pids: of its processes."""
    return ("alive", pids)


def unpack_item(value: object) -> WorkerEvents | WorkFinished | WorkReturned | list[int]:
    """What `pack_event` or `pack_alive` packed. Raises ValueError for anything else."""
    _need(isinstance(value, tuple) and bool(value) and isinstance(value[0], str))
    assert isinstance(value, tuple)
    if value[0] == "alive":
        (pids,) = _fields(value[1:], list)
        return [_fields((pid,), int)[0] for pid in pids]
    if value[0] == "events":
        id, attempt, events = _fields(value[1:], str, int, list)
        return WorkerEvents((id, attempt), [_read_event(event) for event in events])
    if value[0] == "returned":
        id, attempt = _fields(value[1:], str, int)
        return WorkReturned((id, attempt))
    _need(value[0] == "finished" and len(value) == 7)
    id, attempt, state, reason, artifacts = _fields((*value[1:5], value[6]), str, int, str, str, dict)
    _need(state in STATES and all(isinstance(name, str) and isinstance(data, bytes) for name, data in artifacts.items()))
    result = None if value[5] is None else _fields(value[5], str, bytes)
    _need((result is not None) == (state == "done"))
    return WorkFinished((id, attempt), state, reason, result, artifacts)


def _read_event(value: object) -> tuple[str, str, bytes | None]:
    _need(isinstance(value, tuple) and len(value) == 3)
    assert isinstance(value, tuple)
    kind, words = _fields(value[:2], str, str)
    _need(value[2] is None or isinstance(value[2], bytes))
    return kind, words, value[2]


def _fields(value: object, *types: type) -> Any:
    """A tuple whose fields have exactly these types."""
    _need(isinstance(value, tuple) and len(value) == len(types))
    assert isinstance(value, tuple)
    _need(all(type(field) is wanted for field, wanted in zip(value, types, strict=True)))
    return value


def _need(is_right: bool) -> None:
    if not is_right:
        raise ValueError("a message of another form")
