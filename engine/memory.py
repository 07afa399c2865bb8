"""What a worker may use of the memory of this machine and its GPU."""

from __future__ import annotations

from engine import system

SHARE = 0.8
"""Share of the machine's memory that all workers together may use by default."""
LEAST = 2048
"""MiB that a worker may use by default, also on a small machine."""


DEVICE_SHARE = 90
"""Percent of a GPU's memory that all workers together may use; what each needs before its first tensor comes on top."""


def device_share(workers: int) -> int:
    """Percent of a GPU's memory that each of so many workers may use."""
    return max(1, DEVICE_SHARE // workers)


def default_limit(workers: int) -> int:
    """MiB that each of so many workers may use beyond what it needs while idle: an equal part of SHARE, and LEAST at least."""
    return max(LEAST, int(SHARE * system.memory_of_machine() / system.MIB / workers))
