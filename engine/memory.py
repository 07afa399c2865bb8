"""Memory of this machine and of its processes, in MiB, read from Linux's /proc, elsewhere by psutil where that is installed."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

SHARE = 0.8
"""Share of the machine's memory that all workers together may use by default."""
LEAST = 2048
"""MiB that a worker may use by default, also on a small machine."""
UNKNOWN = 8192
"""MiB of a machine that does not tell its memory."""
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def measure_resident(pid: int) -> float | None:
    """MiB of a process that are in memory, shared ones included. None where it has ended or cannot be measured."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return _ask_psutil(pid)
    resident = re.search(r"^VmRSS:\s*(\d+) kB", lines, re.M)  # absent of a process that has ended and is not yet reaped
    return int(resident[1]) / 1024 if resident else None


def can_measure() -> bool:
    """Whether `measure_resident` works here."""
    return Path("/proc/self/status").exists() or importlib.util.find_spec("psutil") is not None


def measure_machine() -> float:
    """MiB of memory of this machine, or of its container where that has less. UNKNOWN where neither is told."""
    sizes = []
    try:
        total = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
        sizes += [int(total[1]) / 1024] if total else []
    except OSError:
        if importlib.util.find_spec("psutil") is not None:
            sizes.append(importlib.import_module("psutil").virtual_memory().total / 2**20)
    for path in _CGROUPS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # "max" is no limit
            sizes.append(int(text) / 2**20)
    return min(sizes, default=float(UNKNOWN))


def default_limit(workers: int) -> int:
    """MiB that each of so many workers may use beyond what it needs while idle: an equal part of SHARE, and LEAST at least."""
    return max(LEAST, int(SHARE * measure_machine() / workers))


def _ask_psutil(pid: int) -> float | None:
    if importlib.util.find_spec("psutil") is None:
        return None
    psutil = importlib.import_module("psutil")
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return None
