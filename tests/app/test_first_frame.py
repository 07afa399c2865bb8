"""The stage waits a moment for the first picture of a run that was just asked for."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np

from app.run.stage import FIRST, await_first_frame
from engine.events import GRID, Frame, encode
from engine.spec import RunSpec
from engine.store import Store

PICTURE = Frame(0, "training", 1, 1, 0.5, np.zeros((0, 2), np.int16), np.zeros(0, np.uint16), np.zeros((GRID, GRID), np.uint8))


def wait(store: Store, job, **changes) -> float:
    began = time.monotonic()
    await_first_frame(store, replace(job, **changes), None)
    return time.monotonic() - began


def test_it_goes_on_at_the_first_picture(store: Store) -> None:
    job = store.submit(RunSpec("moons", "ce"))
    assert store.claim("engine").id == job.id
    timer = threading.Timer(0.1, lambda: store.append(job.id, [encode(PICTURE)], attempt=1))
    timer.start()
    assert 0.05 < wait(store, job, created=time.time()) < FIRST
    timer.join()
    assert wait(store, job, created=time.time()) < FIRST / 2, "it is there now"


def test_it_waits_no_longer_than_it_may(store: Store) -> None:
    job = store.submit(RunSpec("moons", "ce"))
    assert FIRST - 0.1 < wait(store, job, created=time.time()) < FIRST + 1
    assert wait(store, job, created=time.time() + 1000) < FIRST + 1, "asked for on a machine whose clock is ahead"
    assert wait(store, job, created=time.time() - FIRST) < FIRST / 2, "asked for a while ago"
    assert wait(store, job, created=time.time(), state="done") < FIRST / 2
