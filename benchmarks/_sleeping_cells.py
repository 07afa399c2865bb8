"""Cells of a sweep that sleep, shared by the benchmarks that time them: asked for, and what they took."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from engine.spec import RunSpec
from engine.store import Job, Store
from engine.store.jobs import PRIORITY_SWEEP


def queue_cells(store: Store, cells: int, seconds: float) -> list[str]:
    """Queue so many cells that sleep so many seconds each. Returns their ids."""
    runs = [(RunSpec("fake", "blocks", params={"seconds": seconds}, seed=n), "") for n in range(cells)]
    return [job.id for job in store.submit_missing(runs, priority=PRIORITY_SWEEP)]


def time_cells(jobs: Sequence[Job], seconds: float, at_once: int) -> dict[str, Any]:
    """The seconds from the first cell's begin to the last one's end, beside the ideal of so many at once. All must be done."""
    assert {job.state for job in jobs} == {"done"}, [job.reason for job in jobs if job.reason]
    took = max(job.finished or 0.0 for job in jobs) - min(job.started or 0.0 for job in jobs)
    ideal = len(jobs) * seconds / at_once
    return {
        "cells": len(jobs),
        "seconds": round(took, 2),
        "ideal": round(ideal, 2),
        "lost_ms": round(1000 * (took - ideal) * at_once / len(jobs), 1),
        "load": round(os.getloadavg()[0], 1),
    }
