"""The catalog of this engine: methods with their fields, datasets, devices. Committed as `catalog.json`; engines publish it
live.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine import plugins
from engine.data.sources import available, datasets, unreadable
from engine.devices import device_name, list_devices, measure_devices
from engine.methods import describe_methods
from engine.spec import embedding
from engine.version import NUMERICS

FILE = Path(__file__).with_name("catalog.json")


def build_catalog(live: bool = False, found: bool = False) -> dict[str, Any]:
    """The catalog, JSON-plain: numerics, methods, datasets, embeddings (`engine.spec.embedding.describe_techniques`).

    found: datasets as they are on this machine, including local image sets, and what the plugin folder adds (`engine.plugins`).
    live: found, and also devices, MiB of each, the device `auto` stands for, the datasets present here, and the reasons why other entries
    of the image and plugin folders cannot be read (`unreadable`, sentences).
    """
    catalog: dict[str, Any] = {
        "numerics": NUMERICS,
        "methods": describe_methods(own=found or live),
        "datasets": datasets(found=found or live),
        "embeddings": embedding.describe_techniques(),
    }
    if live:
        catalog["devices"] = list_devices()
        catalog["device_memory"] = measure_devices()
        catalog["device"] = device_name(list_devices()[-1])
        catalog["unreadable"] = [*unreadable(), *plugins.list_problems()]
        catalog["datasets"] = [entry | {"available": available(entry["name"])} for entry in catalog["datasets"]]
    return catalog


def text(catalog: dict[str, Any]) -> str:
    """The catalog as text of the committed file."""
    return json.dumps(catalog, indent=1, ensure_ascii=False) + "\n"
