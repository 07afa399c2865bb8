"""The data of a card: a bundle of finished jobs, and numbers with the side of 0 on which their interval must lie."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.catalog import build_catalog
from engine.errors import BadData
from engine.events import Frame, Scene, unpack_film
from engine.plain import to_plain
from engine.spec import RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.result import Result
from engine.spec.run import find_entry
from engine.stats.intervals import Interval
from engine.stats.verdict import Dot
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
class Judged:
    """What a card says above its numbers. title: the verdict; dot: the difference that decides, drawn from `zero`; setting: its data."""

    title: str
    dot: Dot
    zero: str
    setting: str

    def to_json(self) -> dict[str, Any]:
        """JSON-plain: title, setting, zero, dot {look, better, mean, low, high, n}."""
        found = self.dot.interval
        assert found is not None, "a card shows a difference"
        ends = {name: float(f"{getattr(found, name):.5g}") for name in ("mean", "low", "high")}
        dot = {"look": self.dot.look, "better": self.dot.better, **ends, "n": found.n}
        plain: dict[str, Any] = to_plain({"title": self.title, "setting": self.setting, "zero": self.zero, "dot": dot})
        return plain


@dataclass(frozen=True)
class Bundle:
    """A bundle loaded into a store of its own, for a card. ids: its jobs, in order. shown: the replicate that its link shows."""

    store: Store
    ids: Sequence[str]
    shown: int = 0

    def result(self, number: int) -> Result:
        """The result of the run with that number."""
        found = self.store.result(self.ids[number])
        if found is None:
            raise BadData(f"run {self.ids[number]} of this bundle has no result.")
        return found

    def family(self, spec: RunSpec) -> tuple[list[Companion], dict[str, Result | None]]:
        """A run with its companions, and their results by key."""
        catalog = build_catalog()
        members = list_companions(spec, catalog)[0]
        fingerprint = find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
        return members, {m.key: self.store.result(m.spec.run_id(fingerprint)) for m in members}

    def film(self) -> tuple[Scene, list[Frame]]:
        """The scene and the frames of the replicate that the first run shows."""
        if self.shown:
            return unpack_film(self.artifact(0, f"frames/{self.shown}"))
        events = [event for _, event in self.store.events(self.ids[0], kinds=("scene", "frame"))]
        scenes, frames = [e for e in events if isinstance(e, Scene)], [e for e in events if isinstance(e, Frame)]
        if not scenes or not frames:
            raise BadData(f"run {self.ids[0]} of this bundle keeps no pictures.")
        return scenes[-1], frames

    def artifact(self, number: int, name: str) -> bytes:
        """An artifact of the job with that number. Raises BadData if it has none of that name."""
        data = self.store.artifact(self.ids[number], name)
        if data is None:
            raise BadData(f"job {self.ids[number]} of this bundle keeps no {name}.")
        return data


@contextmanager
def open_bundle(path: Path, choose: Callable[[Sequence[Result]], int] | None = None) -> Iterator[Bundle]:
    """The bundle of a file. choose: the replicate that it shows, from the results of its runs."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/card.db")
        try:
            bundle = Bundle(store, store.load(path))
            if choose is not None:
                bundle = replace(bundle, shown=choose([bundle.result(number) for number in range(len(bundle.ids))]))
            yield bundle
        finally:
            store.close()
