"""Catalogs of engines: how one is named, and what several offer together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from engine.spec.run import canonical_json
from engine.version import NUMERICS

_LISTS = {"methods": "name", "datasets": "name", "embeddings": "technique"}
"""Lists of entries in a catalog -> the field that names an entry."""


def name_catalog(catalog: Mapping[str, Any]) -> str:
    """The first 16 digits of a digest, `EngineInfo.catalog`: engines with the same catalog share a row."""
    return hashlib.sha256(canonical_json(catalog).encode()).hexdigest()[:16]


def merge_catalogs(catalogs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The union of catalogs, one or more (`engine.catalog.build_catalog`, live). Those of another version of the numbers count where there
    is no other.

    An entry that several have is the first's; a dataset is the first's that is on its engine's machine. `device` is of who has most.
    """
    same = [one for one in catalogs if one.get("numerics") == NUMERICS] or list(catalogs)
    merged = dict(same[0])
    if len(same) == 1:
        return merged
    for field, name in _LISTS.items():
        entries: dict[str, Any] = {}
        for entry in (entry for one in same for entry in one.get(field, ())):
            known = entries.get(entry[name])
            if known is None or (entry.get("available", True) and not known.get("available", True)):
                entries[entry[name]] = entry
        merged[field] = list(entries.values())
    for field in ("devices", "unreadable"):
        merged[field] = list(dict.fromkeys(entry for one in same for entry in one.get(field, ())))
    merged["device"] = max(same, key=lambda one: len(one.get("devices", ()))).get("device", "")
    return merged
