"""What this engine can do: methods with their fields, datasets, devices. Generated, committed as `catalog.json`, published live."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch

from engine import techniques
from engine.data.catalog import available, datasets, unreadable
from engine.errors import BadParameter
from engine.methods import methods
from engine.version import NUMERICS

FILE = Path(__file__).with_name("catalog.json")


def devices() -> list[str]:
    """Devices a run can ask for: cpu, and cuda where there is one."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def choose_device(asked: str) -> str:
    """The device meant by auto (cuda where there is one), cpu or cuda. Raises BadParameter for one that is not here."""
    there = devices()
    if asked == "auto":
        return there[-1]
    if asked not in there:
        raise BadParameter(f"device {asked!r} is not on this machine; it has: {', '.join(there)}.")
    return asked


def device_name(device: str) -> str:
    """The device in words."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU ({platform.machine()})"


def build_catalog(live: bool = False, found: bool = False) -> dict[str, Any]:
    """JSON-plain: numerics, methods, datasets, embeddings (`engine.techniques.describe`).

    found: datasets as they are on this machine, with a person's own images. live: found, and devices, the device `auto` means,
    which datasets are here, and why others in the folder for images cannot be read (`unreadable`, sentences).
    """
    catalog: dict[str, Any] = {
        "numerics": NUMERICS,
        "methods": [method.describe() for method in methods().values()],
        "datasets": datasets(found=found or live),
        "embeddings": techniques.describe(),
    }
    if live:
        catalog["devices"] = devices()
        catalog["device"] = device_name(devices()[-1])
        catalog["unreadable"] = unreadable()
        catalog["datasets"] = [entry | {"available": available(entry["name"])} for entry in catalog["datasets"]]
    return catalog


def text(catalog: dict[str, Any]) -> str:
    """The catalog as the committed file holds it."""
    return json.dumps(catalog, indent=1, ensure_ascii=False) + "\n"
