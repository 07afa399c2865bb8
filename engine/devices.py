"""Which devices this machine has, and which one a run gets."""

from __future__ import annotations

import platform

import torch

from engine.errors import BadParameter


def list_devices() -> list[str]:
    """Devices a run can ask for: cpu, and cuda where there is one."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def choose_device(device: str) -> str:
    """The device meant by auto (cuda where there is one), cpu or cuda. Raises BadParameter for one that is not here."""
    there = list_devices()
    if device == "auto":
        return there[-1]
    if device not in there:
        raise BadParameter(f"device {device!r} is not on this machine; it has: {', '.join(there)}.")
    return device


def device_name(device: str) -> str:
    """The device in words."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU ({platform.machine()})"
