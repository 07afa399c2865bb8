"""Room on the disks that store, data and temporary files are on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.data.places import data_folders
from engine.doctor import NOTE, OK, WRONG, Finding, Machine
from engine.errors import LabError

ORDER = 70
TITLE = "disk"
FEW, LITTLE = 100 << 20, 1 << 30
"""Free bytes below which a run's result may not fit, and below which room should be made."""


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    places = {"temporary files": Path(tempfile.gettempdir())}
    with suppress(LabError):
        places["data"] = data_folders()[0]
    with suppress(LabError):
        if machine.file is not None:
            places["the store"] = machine.file.parent
    for what, place in places.items():
        there = next((path for path in (place, *place.parents) if path.is_dir()), None)
        if there is None:
            continue
        free = shutil.disk_usage(there).free
        says = f"{free / (1 << 30):.1f} GiB free for {what} ({place})"
        if free < LITTLE:
            yield Finding(WRONG if free < FEW else NOTE, says, "make room there, or delete runs on the page *Runs*")
        else:
            yield Finding(OK, says)
