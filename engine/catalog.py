"""What this engine can do: methods with their fields, datasets, devices. Generated, committed as `catalog.json`, published live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.data.sources import available, datasets, unreadable
from engine.devices import device_name, list_devices
from engine.methods import describe_methods
from engine.spec import embedding
from engine.version import NUMERICS

FILE = Path(__file__).with_name("catalog.json")


def build_catalog(live: bool = False, found: bool = False) -> dict[str, Any]:
    """JSON-plain: numerics, methods, datasets, embeddings (`engine.spec.embedding.describe_techniques`).

    found: datasets as they are on this machine, with a person's own images. live: found, and devices, the device `auto` means,
    which datasets are here, and why others in the folder for images cannot be read (`unreadable`, sentences).
    """
    catalog: dict[str, Any] = {
        "numerics": NUMERICS,
        "methods": describe_methods(),
        "datasets": datasets(found=found or live),
        "embeddings": embedding.describe_techniques(),
    }
    if live:
        catalog["devices"] = list_devices()
        catalog["device"] = device_name(list_devices()[-1])
        catalog["unreadable"] = unreadable()
        catalog["datasets"] = [entry | {"available": available(entry["name"])} for entry in catalog["datasets"]]
    return catalog


def text(catalog: dict[str, Any]) -> str:
    """The catalog as the committed file holds it."""
    return json.dumps(catalog, indent=1, ensure_ascii=False) + "\n"
