"""Python and packages, against the lists of requirements."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import engine
from engine.doctor import NOTE, OK, WRONG, Finding, Machine, has_engine_packages
from engine.version import NUMERICS

ORDER = 60
TITLE = "versions"
OLDEST = (3, 11)
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;#]+)")


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        yield Finding(WRONG, f"this is Python {version}", "use Python 3.11 or newer")
    list_name = "requirements-engine.txt" if has_engine_packages() else "requirements-page.txt"
    pins = read_pins(Path(engine.__file__).resolve().parents[1], list_name)
    missing, other = [], []
    for name, wanted in pins.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
        else:
            other += [f"{name} {found} (pinned: {wanted})"] if found.partition("+")[0] != wanted else []
    command = f"`python -m pip install -r {list_name}`"
    if missing:
        yield Finding(WRONG, f"not installed: {', '.join(missing)}", command)
    if other:
        yield Finding(NOTE, f"other versions than those tested: {', '.join(other)}", command)
    yield Finding(
        OK, f"Python {version}, numerics {NUMERICS}, {len(pins) - len(missing) - len(other)} of {len(pins)} packages as pinned"
    )


def read_pins(root: Path, list_name: str) -> dict[str, str]:
    """Name -> version of a list of requirements in that folder, else of the installed package's own."""
    listed = root / list_name
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8").splitlines()
    else:
        try:
            lines = importlib.metadata.requires("imbalance-lab") or []
        except importlib.metadata.PackageNotFoundError:
            lines = []
    return {found[1]: found[2] for line in lines if "extra ==" not in line and (found := _PIN.match(line))}
