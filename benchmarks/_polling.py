"""Waiting for another process by asking again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 180.0
"""Seconds that anything may take before it counts as lost."""


def wait(question: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first truthy answer, None after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.05)
    return None
