"""Queues the cells of a sweep and reads their state."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store import Job, Store
from engine.store.jobs import PRIORITY_SWEEP
from engine.sweep.spec import Cell, SweepSpec

STATES = ("done", "running", "queued", "failed", "missing")
"""What `Standing` counts. Cancelled and interrupted cells count as missing, because no engine runs them and they can be queued
again.
"""


@dataclass(frozen=True)
class CellState:
    """A cell and its state.

    state: a job's (`engine.store.STATES`), or missing if it was never queued. reason: '' or why it ended without a result.
    done, total: its latest progress. seconds: estimated seconds until it is done, None before the first cell of the sweep is
    done, 0 if it is done.
    """

    cell: Cell
    state: str
    reason: str
    done: int
    total: int
    seconds: float | None = None


@dataclass(frozen=True)
class Standing:
    """State of a sweep. done, running, queued, failed, missing: numbers of cells (see STATES).

    seconds_left: estimated seconds until queued and running cells are done, on the engines now alive; None before the first
    cell is done, 0 if no cell is queued or running. seconds_missing: the same for failed and missing cells, if they were
    queued.
    """

    done: int
    running: int
    queued: int
    failed: int
    missing: int
    seconds_left: float | None
    seconds_missing: float | None
    cells: list[CellState]

    @property
    def active(self) -> bool:
        """Whether any cell is queued or running."""
        return bool(self.running or self.queued)


# ---- queue and cancel


def submit_sweep(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], device: str = "auto", *, asker: str | None = None
) -> int:
    """Queues every cell that is missing or ended without a result, cheapest first. Returns how many. Finished cells are kept.

    asker: who asks. Raises QuotaReached where the cells are too many for them; then none is queued.
    """
    prints = {entry["name"]: entry["fingerprint"] for entry in catalog["datasets"]}
    asked = [(cell.spec, prints[cell.dataset]) for cell in spec.cells(catalog)]
    return len(store.submit_missing(asked, priority=PRIORITY_SWEEP, device=device, asker=asker))


def cancel_sweep(store: Store, spec: SweepSpec, catalog: Mapping[str, Any]) -> int:
    """Cancels its queued and running cells, except those also queued in the Lab. Returns how many."""
    return store.cancel_all([cell.id for cell in spec.cells(catalog)])


# ---- state


def read_standing(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], owner: str | None = None, *, lanes: int | None = None
) -> Standing:
    """The state of a sweep, from one short query. lanes: cells at a time, by default as many as the engines alive give to
    sweeps.
    """
    cells = spec.cells(catalog)
    jobs = {id: job for id, (job, _) in store.read_results([cell.id for cell in cells], owner, fields=False).items()}
    states = []
    counts = dict.fromkeys(STATES, 0)
    for cell in cells:
        job = jobs.get(cell.id)
        if job is None:
            states.append(CellState(cell, "missing", "", 0, 0))
        else:
            states.append(CellState(cell, job.state, job.reason, job.done, job.total))
        counts[states[-1].state if states[-1].state in STATES else "missing"] += 1
    foreseen = _foresee(states, jobs)
    states = [dataclasses.replace(one, seconds=seconds) for one, seconds in zip(states, foreseen, strict=True)]
    if lanes is None:
        lanes = max(1, sum(max(1, engine.slots - 1) for engine in store.engines()))
    left = _together([one.seconds for one in states if one.state in ("queued", "running")], lanes)
    missing = _together([one.seconds for one in states if one.state not in ("queued", "running", "done")], lanes)
    known = counts["done"] > 0
    return Standing(**counts, seconds_left=left if known else None, seconds_missing=missing if known else None, cells=states)


def _foresee(states: Sequence[CellState], jobs: Mapping[str, Job]) -> list[float | None]:
    """Estimated seconds left of each cell: its cost times the rate of its method's finished cells if there are two, else of all
    cells.
    """
    taken: dict[str, list[tuple[float, float]]] = {}
    for one in states:
        job = jobs.get(one.cell.id)
        if job is not None and one.state == "done" and job.started is not None and job.finished is not None:
            taken.setdefault(one.cell.method, []).append((job.finished - job.started, one.cell.cost))
    if not taken:
        return [None] * len(states)
    everything = _rate([pair for pairs in taken.values() for pair in pairs])
    rates = {method: _rate(pairs) for method, pairs in taken.items() if len(pairs) > 1}
    now = time.time()
    out: list[float | None] = []
    for one in states:
        left = 0.0 if one.state == "done" else one.cell.cost * rates.get(one.cell.method, everything)
        spent = now - (jobs[one.cell.id].started or now) if one.state == "running" else 0.0
        out.append(max(0.0, left - max(0.0, spent)))
    return out


def _rate(pairs: Sequence[tuple[float, float]]) -> float:
    """Measured seconds per estimated second: the median over finished cells, weighted by cost.

    A median, because single cells take far longer than usual, such as the first that imports a library.
    """
    order = sorted((seconds / cost, cost) for seconds, cost in pairs)
    half, passed = sum(cost for _, cost in order) / 2, 0.0
    for rate, cost in order:
        passed += cost
        if passed >= half:
            return rate
    return order[-1][0]


def _together(seconds: Sequence[float | None], lanes: int) -> float:
    known = [s for s in seconds if s is not None]
    return max(sum(known) / lanes, max(known)) if known else 0.0
