"""Whose script runs next where many ask at once: Python runs one thread at a time, and threads that take turns at every step make
everybody wait for the last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SLOTS = 2
"""Whole scripts that run at a time; timed fragments are short and do not wait."""
PATIENCE = 3.0
"""Seconds after which a script runs in spite of the others, so that none waits for a page that hangs."""
_slots = threading.BoundedSemaphore(SLOTS)


@contextmanager
def take_turn() -> Iterator[None]:
    """Run the block when fewer than SLOTS others do, after PATIENCE seconds in any case."""
    taken = _slots.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if taken:
            _slots.release()
