"""Settings from the environment: values that can be used, and secrets in files that others cannot read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from engine.doctor import NOTE, OK, WRONG, Finding, Machine
from engine.errors import BadInput
from engine.operate import logs
from engine.operate.metrics import parse_place
from engine.settings import read_setting, read_text

ORDER = 80
TITLE = "settings"
NUMBERS = (
    "LAB_SLOTS",
    "LAB_THREADS",
    "LAB_WORKER_MEMORY",
    "LAB_PRIVATE_MEMORY",
    "LAB_DEVICE_SHARE",
    "LAB_DRAIN_SECONDS",
    "LAB_FORGET_AFTER",
    "LAB_PRIVATE_SLOTS",
    "LAB_RAY_GPU",
)


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    files = sorted(name for name, value in os.environ.items() if name.startswith("LAB_") and name.endswith("_FILE") and value)
    checks: list[Callable[[], object]] = [partial(read_setting, name, 1) for name in NUMBERS]
    checks += [partial(read_text, name.removesuffix("_FILE")) for name in files]
    checks += [logs.is_json]
    if place := os.environ.get("LAB_METRICS", ""):
        checks += [partial(parse_place, place)]
    good = True
    for check in checks:
        try:
            check()
        except BadInput as error:
            good = False
            yield Finding(WRONG, str(error))
    for name in files:
        path = Path(os.environ[name])
        if path.is_file() and path.stat().st_mode & stat.S_IROTH:
            good = False
            yield Finding(NOTE, f"everybody on this machine can read {path}, which {name} names", f"`chmod o-r {path}`")
    if good:
        count = sum(name.startswith("LAB_") and bool(value) for name, value in os.environ.items())
        yield Finding(OK, f"{count} variables of LAB_ are set")
