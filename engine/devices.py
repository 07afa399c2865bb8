"""The devices of this machine, and the choice of one for a run."""

from __future__ import annotations

import platform

import torch

from engine.errors import BadParameter
from engine.text import quote


def list_devices() -> list[str]:
    """Devices that a run can use: cpu, and cuda where there is one."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def choose_device(device: str) -> str:
    """The device for auto (cuda where there is one), cpu or cuda. Raises BadParameter for a device this machine lacks."""
    there = list_devices()
    if device == "auto":
        return there[-1]
    if device not in there:
        raise BadParameter(f"device {quote(device)} is not on this machine; it has: {', '.join(there)}.")
    return device


def device_name(device: str) -> str:
    """The device's name for display."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU ({platform.machine()})"
