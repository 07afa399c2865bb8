"""What the machine of a slot must have in common with the engine and the other slots, and what all of them can do together."""

from __future__ import annotations

import json
from typing import Any

from engine.executors.ray_actor import list_versions

OTHER_VERSIONS = (
    "The machine of slot {slot} on the cluster has {there} where the engine has {here}; install the same there. The engine's log "
    "names it."
)
OTHER_PARTS = (
    "The machine of slot {slot} on the cluster lacks {names} or has them otherwise; it needs the same LAB_DATA and LAB_PLUGINS."
)


def find_other_version(slot: int, text: str) -> str:
    """Why a machine cannot have this slot, a sentence; '' where its versions are ours. text: `list_versions` there, as JSON."""
    here, there = list_versions(), json.loads(text)
    for name in here:
        if there.get(name) != here[name]:
            return OTHER_VERSIONS.format(
                slot=slot, there=_name_version(name, there.get(name)), here=_name_version(name, here[name])
            )
    return ""


def find_other_parts(slot: int, reference: dict[str, Any], catalog: dict[str, Any]) -> str:
    """Why a machine cannot have this slot, a sentence; '' where its catalog has what the reference has."""
    names = _list_others(reference, catalog)
    return OTHER_PARTS.format(slot=slot, names=", ".join(names[:3])) if names else ""


def merge_devices(catalogs: list[dict[str, Any]]) -> dict[str, Any]:
    """The first catalog with the devices of all: those that can be asked for, and the name of the one that auto takes."""
    if not catalogs or any("devices" not in catalog for catalog in catalogs):
        return catalogs[0] if catalogs else {}
    devices = [name for name in ("cpu", "cuda") if any(name in catalog["devices"] for catalog in catalogs)]
    best = next((catalog for catalog in catalogs if devices and devices[-1] in catalog["devices"]), catalogs[0])
    return catalogs[0] | {"devices": devices, "device": best["device"]}


def _list_others(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of the datasets and methods that one catalog has and the other lacks or has otherwise."""

    def read_facts(catalog: dict[str, Any]) -> dict[str, Any]:
        data = {str(entry["name"]): entry["fingerprint"] for entry in catalog["datasets"] if entry.get("available", True)}
        return data | {str(entry["name"]): entry for entry in catalog["methods"]}

    here, there = read_facts(one), read_facts(other)
    return [name for name in here if there.get(name) != here[name]]


def _name_version(name: str, version: object) -> str:
    return f"{name} {version}" if version else f"no {name}"
