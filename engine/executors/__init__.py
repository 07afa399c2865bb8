"""Interface of executors, which train jobs in other processes: what goes in (`Work`) and what comes out (`ExecutorEvent`).

Plain values that can cross processes. The process that drives an executor never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int]
"""A job's id and attempt. The same job queued again has another key."""


@dataclass(frozen=True)
class Work:
    """One job. spec: the job's (`engine.store.Job`). device: auto, cpu or cuda. timeout_s: seconds allowed, None = no limit.

    kind: run, embed, profile, compare, score, refit or preview. features: what the job takes from the store, since a worker does not read
    it: of an embed job the run's artifact to lay out, of a score job the model file, of a refit job its comparison. private: made from a
    private table, so that nothing of it may be written to a log. upload: the table's id. origin: of a score job the id of the upload
    that its model is or came from. table: the table's name and bytes, for all kinds but embed. memory_mb: resident MiB that this job may
    use beyond the idle worker, None = no limit of its own. device_share: percent of a GPU's memory that it may use, None = as the worker
    has. phase: equal for runs that share a first phase
    (`engine.spec.companions.name_first_phase`), '' where none is shared.
    """

    key: Key
    spec: dict[str, Any]
    device: str = "auto"
    timeout_s: float | None = None
    private: bool = False
    kind: str = "run"
    features: bytes = field(default=b"", repr=False)
    upload: str | None = None
    origin: str | None = None
    phase: str = ""
    table: tuple[str, bytes] | None = field(default=None, repr=False)
    memory_mb: int | None = None
    device_share: int | None = None

    @property
    def uploads(self) -> frozenset[str]:
        """Ids of the uploads that it holds data of."""
        return frozenset(id for id in (self.upload, self.origin) if id is not None)


@dataclass(frozen=True)
class CatalogReceived:
    """A worker started. catalog: the live catalog of `engine.catalog.build_catalog(live=True)`."""

    catalog: dict[str, Any]


@dataclass(frozen=True)
class WorkerEvents:
    """Events of a run in order, each encoded by `engine.events.encode`: (kind, JSON, npz or None)."""

    key: Key
    events: list[tuple[str, str, bytes | None]]


@dataclass(frozen=True)
class WorkFinished:
    """A job ended. state: done, failed or cancelled. reason: one sentence for a person unless done.

    result: (JSON, npz) of the Result if done; of a job that is no run (its facts as JSON, b""). artifacts: name -> bytes.
    """

    key: Key
    state: str
    reason: str = ""
    result: tuple[str, bytes] | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkReturned:
    """The worker ended before it started this job. The job can be queued again."""

    key: Key


@dataclass(frozen=True)
class WorkLost:
    """The machine of the job's worker was lost after the job began. It can be queued anew, as another attempt."""

    key: Key


ExecutorEvent = CatalogReceived | WorkerEvents | WorkFinished | WorkReturned | WorkLost


@dataclass(frozen=True)
class Room:
    """Slots of one kind. slots: how many. idle: those that can be given a job now. private: True where they take private jobs alone,
    False where they take none, None where they take any.
    """

    slots: int
    idle: int
    private: bool | None = None

    def takes(self, private: bool) -> bool:
        """Whether jobs go to these slots that are private, or that are not."""
        return self.private in (None, private)
