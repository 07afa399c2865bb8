"""What an engine counts while it works. Imports nothing that takes time; `engine.operate.metrics` reports it where that is asked for."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TypeVar

K = TypeVar("K")

BUCKETS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of histograms, seconds."""


def add_seconds(times: dict[K, list[float]], key: K, seconds: float) -> None:
    """Add a duration to `times`: key -> counts per bucket of BUCKETS, one above the last, and the sum of all seconds."""
    counts = times.setdefault(key, [0.0] * (len(BUCKETS) + 2))
    counts[bisect_left(BUCKETS, seconds)] += 1
    counts[-1] += seconds


class Tally:
    """Numbers that only grow. Safe to read while another thread counts."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, list[float]] = {}
        self.events = 0
        self.refusals = 0

    def count_end(self, kind: str, state: str, seconds: float) -> None:
        """Note that a job of that kind ended so, after so many seconds."""
        with self._changing:
            self.ended[kind, state] += 1
            add_seconds(self.seconds, kind, seconds)

    def count_events(self, n: int) -> None:
        """Note that so many events were stored."""
        with self._changing:
            self.events += n

    def count_refusal(self) -> None:
        """Note that the store refused a turn."""
        with self._changing:
            self.refusals += 1

    def copy(self) -> Tally:
        """The numbers of one moment."""
        out = Tally()
        with self._changing:
            out.ended, out.events, out.refusals = Counter(self.ended), self.events, self.refusals
            out.seconds = {kind: list(counts) for kind, counts in self.seconds.items()}
        return out
