"""Short runs of every method, and what they copy to the pretend device and wait for. `python -m tests.pretend.measure` records it,
`python -m tests.pretend.measure NAME ...` that of new methods alone.

Two places are counted, in each the most of any: inside a step of training, and in an epoch outside its steps (batches, scores, choice).
What is done once a run is not.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from engine import devices
from engine.events import Epoch, Event, Progress, Running, encode, unpack
from engine.methods import methods
from engine.runner import run
from engine.spec import Imbalance, RunSpec
from engine.training import network_cache
from engine.training.loop import Step
from tests.pretend.device import NAME, Tally, pretend

KINDS = ("transfer", "wait")
FILE = Path(__file__).with_name("counts.json")
COMMAND = "python -m tests.pretend.measure"
SETS: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "tabular": ("wine", {}, 21),
    "points": ("moons", {"rows": 169}, 21),
    "images": ("digits", {"per_class": 25}, 16),
}
"""Kind of data -> a small set of it, its options, and rows in a batch: of two replicates, one has a batch more and one pauses."""
SMALL = {"hidden": [6], "epochs": 2, "head_epochs": 2, "meta_epochs": 2, "rounds": 2, "trees": 3, "members": 3, "steps": 2}
CASES = [
    (name, kind)
    for name, method in methods().items()
    for kind in SETS
    if kind in method.kinds
    and kind != ("tabular" if method.most_classes == 2 else "points" if "tabular" in method.kinds else "")
]
"""Points are rows of two columns: only a method that takes no tables, or no third class, runs on them."""

Numbers = dict[str, dict[str, int]]
""""step" or "epoch" -> "transfer" or "wait" -> how many."""


class Ledger:
    """The most that any step and any epoch of a run counted, line by line."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.inside = False
        self.steps: Tally = Counter()
        self.most: dict[tuple[str, str], Counter[str]] = {(p, k): Counter() for p in ("step", "epoch") for k in KINDS}

    def keep(self, place: str, used: Tally) -> None:
        """One step or epoch is over."""
        for kind in KINDS:
            lines = Counter({line: n for (own, line), n in used.items() if own == kind})
            if lines.total() > self.most[place, kind].total():
                self.most[place, kind] = lines

    def numbers(self) -> Numbers:
        """As recorded."""
        return {place: {kind: self.most[place, kind].total() for kind in KINDS} for place in ("step", "epoch")}

    @contextmanager
    def steps_watched(self) -> Iterator[None]:
        """Within, every step is counted; one that calls another is one step."""
        with ExitStack() as patches:
            for cls in _below(Step):
                if "__call__" in vars(cls):
                    patches.enter_context(mock.patch.object(cls, "__call__", self._watched(vars(cls)["__call__"])))
            yield

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(step: Step, *args: Any) -> Any:
            if self.inside:
                return call(step, *args)
            before, self.inside = self.tally.copy(), True
            try:
                return call(step, *args)
            finally:
                self.inside = False
                used = self.tally - before
                self.steps += used
                self.keep("step", used)

        return counted


def request(method: str, dataset: str, data: Mapping[str, Any], batch: int, ratio: float = 4.0) -> RunSpec:
    """A short run of two replicates."""
    known = {field.name for field in dataclasses.fields(methods()[method])}
    params = {name: value for name, value in (SMALL | {"batch": batch}).items() if name in known}
    return RunSpec(dataset, method, Imbalance("ratio", ratio), data=dict(data), params=params, folds=2, seeds=1)


def on_cpu(spec: RunSpec) -> dict[str, Any]:
    """All that a run gives, but time and place, by name."""
    network_cache.clear()
    running = Running(run(spec, device="cpu", frames=1))
    return _given(list(running), *running.value)


def on_device(spec: RunSpec) -> tuple[dict[str, Any], Ledger]:
    """The same of a run on the pretend device, and what it counted."""
    network_cache.clear()
    events: list[Event] = []
    with pretend() as tally, mock.patch.object(devices, "list_devices", lambda: ["cpu", NAME]):
        ledger = Ledger(tally)
        before: tuple[str, Tally] | None = None
        with ledger.steps_watched():
            running = Running(run(spec, device=NAME, frames=1))  # one picture, as a phase begins: in no epoch after its first
            for event in running:
                events.append(event)
                if isinstance(event, Epoch):
                    outside = tally - ledger.steps
                    if before is not None and before[0] == event.phase:
                        ledger.keep("epoch", outside - before[1])
                    before = (event.phase, outside)
    return _given(events, *running.value), ledger


def _given(events: list[Event], result: Any, artifacts: Mapping[str, bytes]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for number, event in enumerate(e for e in events if not isinstance(e, Progress)):
        out[f"event {number}"] = encode(event)[:2]
        out |= {f"event {number}, {name}": _bits(getattr(event, name)) for name in getattr(event, "arrays", ())}
    out |= {f"result, {k}": v for k, v in result.to_json().items() if k not in ("seconds", "provenance")}
    out |= {f"result, array {k}": _bits(v) for k, v in result.arrays.items()}
    return out | {f"{name}, {k}": _bits(v) for name, packed in artifacts.items() for k, v in unpack(packed).items()}


def _bits(x: Any) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(x)
    return array.dtype.str, array.shape, array.tobytes()


def _below(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _below(sub)


def read() -> dict[str, Numbers]:
    """ "method kind" -> its numbers, as recorded."""
    kept: dict[str, Numbers] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return kept


def risen(kept: Numbers, now: Numbers) -> list[tuple[str, str]]:
    """(place, kind) of the numbers that are larger than recorded."""
    return [(place, kind) for place in now for kind in now[place] if now[place][kind] > kept[place][kind]]


def main(names: Sequence[str] = ()) -> int:
    """Record the numbers of every method, or of these alone; refuse, where one has risen, with the lines that count."""
    kept, now, worse = read(), {}, 0
    for name, kind in CASES:
        if names and name not in names:
            if f"{name} {kind}" in kept:
                now[f"{name} {kind}"] = kept[f"{name} {kind}"]
            continue
        ledger = on_device(request(name, *SETS[kind]))[1]
        now[case := f"{name} {kind}"] = ledger.numbers()
        for place, what in risen(kept.get(case, now[case]), now[case]):
            worse += 1
            print(f"{case}: more {what}s in {place}: {dict(ledger.most[place, what])}", file=sys.stderr)
    if worse:
        print(f"Nothing was recorded. If that is meant, take the cases out of {FILE.name} first.", file=sys.stderr)
        return 1
    FILE.write_text("{\n" + ",\n".join(f"{json.dumps(case)}: {json.dumps(numbers)}" for case, numbers in now.items()) + "\n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
