"""Engines that live, as the store knows them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.doctor import NOTE, OK, WRONG, Finding, Machine

ORDER = 30
TITLE = "engines"
NONE = "no engine lives"
START = "`python -m engine serve` starts one; the page starts one by itself unless LAB_ENGINE=off"


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    engines = [] if machine.store is None else machine.store.engines()
    if not engines:
        yield Finding(NOTE, NONE, START)
    for one in engines:
        if one.trouble:
            yield Finding(WRONG, f"{one.id}: {one.trouble}", "read that engine's log")
        elif one.ready < one.slots:
            yield Finding(NOTE, f"{one.id}: {one.ready} of {one.slots} workers are up", "ask again in a minute")
        else:
            yield Finding(OK, f"{one.id}: {one.busy} of {one.slots} slots in use, {one.device}, {one.memory_mb:.0f} MiB")
