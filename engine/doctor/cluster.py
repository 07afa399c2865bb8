"""A Ray cluster, where LAB_EXECUTOR asks for one: ray is installed, and who reaches the cluster needs its token."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from engine.doctor import OK, WRONG, Finding, Machine

ORDER = 90
TITLE = "cluster"


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    chosen = os.environ.get("LAB_EXECUTOR", "") or "local"
    if chosen == "local":
        yield Finding(OK, "none: runs are trained on this machine")
        return
    if importlib.util.find_spec("ray") is None:
        yield Finding(
            WRONG, f"LAB_EXECUTOR={chosen}, and ray is not installed", "`python -m pip install -r requirements-ray.txt`"
        )
    mode = os.environ.get("RAY_AUTH_MODE", "") or "token"
    if mode != "token":
        yield Finding(
            WRONG,
            f"RAY_AUTH_MODE={mode}: who reaches the cluster's ports runs code on it",
            "set RAY_AUTH_MODE=token and the same RAY_AUTH_TOKEN_PATH on head, nodes and engine",
        )
        return
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    if named and not os.access(Path(named).expanduser(), os.R_OK):
        yield Finding(WRONG, f"RAY_AUTH_TOKEN_PATH={named} cannot be read", "write the cluster's token there")
    else:
        yield Finding(OK, f"{chosen}, with a token")
