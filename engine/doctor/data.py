"""Folders of data, and which datasets that have to be fetched are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.doctor import NOTE, OK, WRONG, Finding, Machine, has_engine_packages

ORDER = 40
TITLE = "data"


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    named = os.environ.get("LAB_DATA", "")
    if named and not Path(named).expanduser().is_dir():
        yield Finding(WRONG, f"LAB_DATA names {named}, which is no folder", "make it, or name another one")
    elif named and not os.access(Path(named).expanduser(), os.W_OK):
        yield Finding(NOTE, f"{named} cannot be written: nothing can be fetched into it", "fetch as a user who may write there")
    if not has_engine_packages():
        yield Finding(OK, "only the page is installed here; engines read data")
        return
    from engine.data import sources

    names = [str(one["name"]) for one in sources.datasets(found=True)]
    missing = [name for name in names if not sources.available(name)]
    yield Finding(OK, f"{len(names) - len(missing)} of {len(names)} datasets are here")
    if "glass2" in missing:
        yield Finding(NOTE, "the KEEL datasets are not here", "`python -m engine fetch keel` downloads them (14 MB)")
    elif missing:
        some = ", ".join(missing[:5])
        yield Finding(
            NOTE, f"not here: {some}", f"`python -m engine fetch {missing[0]}`, or see `python -m engine list datasets`"
        )
    for sentence in sources.unreadable():
        yield Finding(NOTE, sentence)
