"""The clock: heartbeats and sign-ins are compared with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.doctor import OK, WRONG, Finding, Machine

ORDER = 20
TITLE = "clock"
APART = 2.0
"""Seconds by which this machine and the database's may differ."""
AHEAD = 60.0
"""Seconds by which a job may seem to come from the future."""


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    store = machine.store
    mend = "let the machine follow a time server, such as by systemd-timesyncd"
    if store is not None and machine.file is None:
        before = time.time()
        with store.database.reading() as connection:
            there = store.database.read_clock(connection)
        apart = there - (before + time.time()) / 2
        if abs(apart) > APART:
            yield Finding(
                WRONG,
                f"this machine's clock is {abs(apart):.0f} s {'behind' if apart > 0 else 'ahead of'} the database's",
                mend,
            )
            return
        yield Finding(OK, f"{abs(apart):.2f} s from the database's")
        return
    newest = store.jobs(kinds=("run",), limit=1) if store is not None else []
    if newest and newest[0].created > time.time() + AHEAD:
        ahead = newest[0].created - time.time()
        yield Finding(WRONG, f"the newest run was queued {ahead:.0f} s in the future: the clock was set back", mend)
        return
    yield Finding(OK, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
