"""Machine, versions and commit that made a result."""

from __future__ import annotations

import datetime
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine import plugins, system
from engine.devices import device_name
from engine.version import NUMERICS


def collect_provenance(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """The machine, versions and commit of this process, for a result computed on `device` in `dtype`."""
    return {
        "device": device.type,
        "device_name": device_name(device.type),
        "precision": str(dtype).removeprefix("torch."),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "cpu": describe_processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numerics": NUMERICS,
        "commit": read_commit(),
        **({"plugins": own} if (own := plugins.list_digests()) else {}),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@cache
def describe_processor() -> str:
    """The processor model and the instructions torch uses. Two machines with the same text and the same torch give the same
    bits.

    The architecture alone if the system does not name the model.
    """
    facts = system.read_processor_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    if "model" in facts:  # a virtual machine's name leaves them out
        name += f" (family {facts.get('cpu family', '?')}, model {facts['model']})"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def read_commit() -> str | None:
    """The checked-out commit of this engine; None outside a git checkout."""
    git = Path(__file__).resolve().parents[2] / ".git"
    try:
        shared = git
        if git.is_file():  # a linked worktree has its own HEAD; branches are in the main checkout
            git = git.parent / git.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
            shared = git / (git / "commondir").read_text(encoding="utf-8").strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        ref = shared / head.removeprefix("ref: ")
        if ref.exists():
            return ref.read_text(encoding="utf-8").strip()
        packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(head.removeprefix("ref: "))), None)
    except OSError:
        return None
