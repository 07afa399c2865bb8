"""The data of a card: a bundle of finished jobs, and numbers with the side of 0 on which their interval must lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadData
from engine.events import Frame, Scene
from engine.plain import to_plain
from engine.spec.result import Result
from engine.stats.intervals import Interval
from engine.store import Store

ABOVE, BELOW, HOLDS = "above 0", "below 0", "holds 0"
"""Where the interval of a number must lie; '' for a number without a claim."""


@dataclass(frozen=True)
class Fact:
    """A number of a card. said: what it is. sense: ABOVE, BELOW, HOLDS or ''."""

    said: str
    found: Interval
    sense: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-plain, rounded to five digits. Raises BadData if the interval does not lie where `sense` claims."""
        low, high = self.found.low, self.found.high
        true = {ABOVE: low > 0, BELOW: high < 0, HOLDS: low <= 0 <= high, "": True}[self.sense]
        if not true:
            raise BadData(f"{self.said}: [{low:.4g}, {high:.4g}] is not {self.sense}, which the card says.")
        numbers = {name: float(f"{getattr(self.found, name):.5g}") for name in ("mean", "low", "high")}
        words: dict[str, Any] = to_plain({"said": self.said, **numbers, "n": self.found.n, "kind": self.found.kind})
        return words | {"sense": self.sense}


@dataclass(frozen=True)
class Bundle:
    """A bundle loaded into a store of its own, for a card. ids: its jobs, in order."""

    store: Store
    ids: Sequence[str]

    def result(self, number: int) -> Result:
        """The result of the run with that number."""
        found = self.store.result(self.ids[number])
        if found is None:
            raise BadData(f"run {self.ids[number]} of this bundle has no result.")
        return found

    def film(self) -> tuple[Scene, Frame]:
        """The scene and the last frame of the first replicate of the first run."""
        events = [event for _, event in self.store.events(self.ids[0], kinds=("scene", "frame"))]
        scenes, frames = [e for e in events if isinstance(e, Scene)], [e for e in events if isinstance(e, Frame)]
        if not scenes or not frames:
            raise BadData(f"run {self.ids[0]} of this bundle keeps no pictures.")
        return scenes[-1], frames[-1]

    def artifact(self, number: int, name: str) -> bytes:
        """An artifact of the job with that number. Raises BadData if it has none of that name."""
        data = self.store.artifact(self.ids[number], name)
        if data is None:
            raise BadData(f"job {self.ids[number]} of this bundle keeps no {name}.")
        return data


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/card.db")
        try:
            yield Bundle(store, store.load(path))
        finally:
            store.close()
