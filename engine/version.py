"""The version of the numbers this engine computes, and of the program."""

from __future__ import annotations

import importlib.metadata
from functools import cache

NUMERICS = 2
"""Raise by hand when the same spec would give other numbers; it is part of a run's id, so stored answers then go stale."""


@cache
def read_version() -> str:
    """The version of the installed package, '' where it runs from a folder."""
    try:
        return importlib.metadata.version("imbalance-lab")
    except importlib.metadata.PackageNotFoundError:
        return ""
