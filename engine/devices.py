"""The devices of this machine, and the choice of one for a run."""

from __future__ import annotations

import os
import platform

import torch

from engine import system
from engine.errors import BadParameter
from engine.text import quote


def list_devices() -> list[str]:
    """Devices that a run can use: cpu, and cuda where there is one."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def measure_devices() -> dict[str, int]:
    """MiB of memory of each device of `list_devices`."""
    found = {"cpu": system.memory_of_machine()}
    if torch.cuda.is_available():
        found["cuda"] = int(torch.cuda.get_device_properties(0).total_memory)
    return {name: size // system.MIB for name, size in found.items()}


def choose_device(device: str) -> str:
    """The device for auto (cuda where there is one), cpu or cuda. Raises BadParameter for a device this machine lacks."""
    there = list_devices()
    device = there[-1] if device == "auto" else device
    if device not in there:
        raise BadParameter(f"device {quote(device)} is not on this machine; it has: {', '.join(there)}.")
    if device == "cuda":
        keep_share()
    return device


def keep_share() -> None:
    """Keeps this process to its share of the GPU's memory: LAB_DEVICE_SHARE in percent, which the engine sets for its workers. Without,
    a process may use all of it. A run that needs more fails as one does whose GPU is smaller, and the others go on.
    """
    if share := int(os.environ.get("LAB_DEVICE_SHARE") or 0):
        torch.cuda.set_per_process_memory_fraction(min(100, share) / 100)


def release_unused() -> None:
    """Gives memory of the GPU that this process keeps and does not use back to others."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def device_name(device: str) -> str:
    """The device's name for display."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU ({platform.machine()})"
