"""Where runs are trained: start, events, cancel behind the same verbs. What goes in (Work) and what comes out.

Plain values that cross a process; whoever drives an executor never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int]
"""A job's id and attempt: the same job queued again is other work."""


@dataclass(frozen=True)
class Work:
    """One job to do. spec: the job's (`engine.store.Job`). device: auto, cpu or cuda. timeout_s: seconds allowed, None = no limit.

    kind: the job's, run, embed, profile or compare. features: for an embed job what is laid out, the run's artifact: a worker reads
    no store. private: made from a private table, so that nothing of it may be written to a log. upload: the table's id; table: its
    name and bytes, for all kinds but embed. memory_mb: MiB this job may take beyond the idle worker, None = no limit of its own.
    """

    key: Key
    spec: dict[str, Any]
    device: str = "auto"
    timeout_s: float | None = None
    private: bool = False
    kind: str = "run"
    features: bytes = field(default=b"", repr=False)
    upload: str | None = None
    table: tuple[str, bytes] | None = field(default=None, repr=False)
    memory_mb: int | None = None


@dataclass(frozen=True)
class CatalogReceived:
    """A worker is up: the live catalog, as `engine.catalog.build_catalog(live=True)` gives it."""

    catalog: dict[str, Any]


@dataclass(frozen=True)
class WorkerEvents:
    """Events of a run in order, each as `engine.events.encode` gives it: (kind, JSON, npz or None)."""

    key: Key
    events: list[tuple[str, str, bytes | None]]


@dataclass(frozen=True)
class WorkFinished:
    """The last word on a run. state: done, failed or cancelled; reason: one sentence for a person unless done.

    result: (JSON, npz) of the Result, where done; of an embed job (its facts as JSON, b""). artifacts: name -> bytes.
    """

    key: Key
    state: str
    reason: str = ""
    result: tuple[str, bytes] | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkReturned:
    """The worker was gone before it took the run up: nobody has begun it, and it can be started again."""

    key: Key


ExecutorEvent = CatalogReceived | WorkerEvents | WorkFinished | WorkReturned
