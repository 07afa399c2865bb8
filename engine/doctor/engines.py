"""Engines that live, as the store knows them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.doctor import NOTE, OK, WRONG, Finding, Machine
from engine.version import NUMERICS

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
        elif one.draining:
            yield Finding(NOTE, f"{one.id} takes nothing new; {one.busy} of its runs have to end", "start another engine")
        else:
            yield Finding(OK, f"{one.id}: {one.busy} of {one.slots} slots in use, {one.device}, {one.memory_mb:.0f} MiB")
    for one in engines:
        if one.numerics not in (0, NUMERICS):
            said = f"{one.id} computes by version {one.numerics} of the numbers, and this program asks for version {NUMERICS}"
            yield Finding(
                WRONG, said, "install the same version of the program everywhere: its jobs wait for an engine of theirs"
            )
    if len({one.version for one in engines}) > 1 or len({one.catalog for one in engines if one.catalog}) > 1:
        several = ", ".join(
            f"{one.id} {one.version or 'from a folder'}, catalog {one.catalog or 'not told yet'}" for one in engines
        )
        yield Finding(NOTE, f"engines differ: {several}", "a job goes to those alone that can run it; see docs/operate.md")
