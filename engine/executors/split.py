"""Two executors as one: public jobs go to a cluster, private ones and previews to slots of the engine's own machine."""

from __future__ import annotations

from typing import Any

from engine.executors import CatalogReceived, ExecutorEvent, Key, Room, Work
from engine.executors.local import LocalExecutor
from engine.executors.ray_checks import merge_devices
from engine.executors.ray_cluster import RayExecutor
from engine.executors.wire import is_public


class SplitExecutor:
    """The verbs of `LocalExecutor` over both. public: its slots. private: those for jobs on somebody's table, and the worker of previews.

    The catalog is that of the cluster, as soon as one of its workers has started, with the devices of both.
    """

    def __init__(self, public: RayExecutor, private: LocalExecutor) -> None:
        self.public, self.private = public, private
        self.previews = private.previews
        self._catalogs: dict[str, dict[str, Any]] = {}

    @property
    def trouble(self) -> str:
        """As of either."""
        return self.private.trouble or self.public.trouble

    @property
    def troubles(self) -> list[str]:
        """Of both."""
        return self.private.troubles + self.public.troubles

    @property
    def lost(self) -> str:
        """As of `RayExecutor`."""
        return self.public.lost

    @property
    def idle(self) -> int:
        """Number of the workers of both that can be given a job now."""
        return self.public.idle + self.private.idle

    @property
    def rooms(self) -> tuple[Room, ...]:
        """The private slots and the public ones."""
        return (*(Room(room.slots, room.idle, private=True) for room in self.private.rooms), *self.public.rooms)

    @property
    def can_preview(self) -> bool:
        """Whether a preview can start now."""
        return self.private.can_preview

    @property
    def ready(self) -> int:
        """Number of the slots' workers that have started, busy or idle."""
        return self.public.ready + self.private.ready

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers on this machine."""
        return self.private.pids + self.public.pids

    @property
    def touched(self) -> set[str]:
        """Ids of the uploads that the workers received."""
        return self.private.touched

    def forget(self, upload: str) -> None:
        """As of `LocalExecutor`."""
        self.private.forget(upload)

    def list_phases(self, *, idle: bool) -> set[str]:
        """As of `LocalExecutor`, of the cluster's workers."""
        return self.public.list_phases(idle=idle)

    def start(self, work: Work) -> bool:
        """Gives a job to an idle worker of its kind. False if there is none."""
        return (self.public if is_public(work) else self.private).start(work)

    def cancel(self, key: Key) -> None:
        """As of `LocalExecutor`."""
        self.public.cancel(key)
        self.private.cancel(key)

    def drop(self, key: Key) -> None:
        """As of `LocalExecutor`."""
        self.public.drop(key)
        self.private.drop(key)

    def poll(self, timeout: float) -> list[ExecutorEvent]:
        """What happened in both. Waits at most `timeout` seconds for the first event."""
        happened = self._merge("private", self.private.poll(0))
        happened += self._merge("public", self.public.poll(0 if happened else timeout / 2))
        return happened + self._merge("private", self.private.poll(0 if happened else timeout / 2))

    def wake(self) -> None:
        """Lets `poll` return now. Any thread may call this."""
        self.public.wake()
        self.private.wake()

    def stop(self) -> None:
        """Ends all workers now. Nothing can be started afterwards."""
        self.private.stop()
        self.public.stop()

    def _merge(self, where: str, happened: list[ExecutorEvent]) -> list[ExecutorEvent]:
        merged: list[ExecutorEvent] = []
        for event in happened:
            if isinstance(event, CatalogReceived):
                self._catalogs[where] = event.catalog
                both = [self._catalogs[name] for name in ("public", "private") if name in self._catalogs]
                event = CatalogReceived(merge_devices(both))
            merged.append(event)
        return merged
