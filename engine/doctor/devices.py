"""Devices that runs can use, and the memory that each slot gets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from engine import system
from engine.doctor import NOTE, OK, Finding, Machine, has_engine_packages
from engine.memory import LEAST, default_limit
from engine.settings import read_setting

ORDER = 50
TITLE = "devices"


def look(machine: Machine) -> Iterator[Finding]:
    """See `engine.doctor.Check`."""
    if not has_engine_packages():
        yield Finding(OK, "only the page is installed here; engines train")
        return
    import torch

    from engine.devices import device_name, list_devices

    for device in list_devices():
        if device == "cuda":
            free, total = torch.cuda.mem_get_info()
            yield Finding(OK, f"cuda: {device_name(device)}, {free >> 20} of {total >> 20} MiB free")
        else:
            yield Finding(OK, f"cpu: {device_name(device)}")
    if "cuda" not in list_devices() and shutil.which("nvidia-smi"):
        yield Finding(
            NOTE,
            f"this machine has NVIDIA's driver, but torch {torch.__version__} sees no GPU",
            "install torch's CUDA build, for a CUDA version that the driver knows (`nvidia-smi` prints it)",
        )
    slots = read_setting("LAB_SLOTS", 2)
    each, machine_mb = read_setting("LAB_WORKER_MEMORY", default_limit(slots)), system.memory_of_machine() // system.MIB
    if each * slots > machine_mb:
        yield Finding(
            NOTE,
            f"{slots} slots of {each} MiB are more than the {machine_mb} MiB of this machine",
            f"set LAB_SLOTS to {max(1, machine_mb // max(each, LEAST))}, or LAB_WORKER_MEMORY lower",
        )
