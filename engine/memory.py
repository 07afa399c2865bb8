"""What a worker may use of this machine's memory."""

from __future__ import annotations

from engine import system

SHARE = 0.8
"""Share of the machine's memory that all workers together may use by default."""
LEAST = 2048
"""MiB that a worker may use by default, also on a small machine."""


def default_limit(workers: int) -> int:
    """MiB that each of so many workers may use beyond what it needs while idle: an equal part of SHARE, and LEAST at least."""
    return max(LEAST, int(SHARE * system.memory_of_machine() / system.MIB / workers))
