"""Memory: what a run needs is told before it starts, and a machine says what it has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import devices, memory, system
from engine.catalog import build_catalog
from engine.data.sources import load
from engine.errors import BadInput
from engine.models.cnn import CNN, TRUNKS
from engine.runner.execute import run
from engine.runner.memory import count_activations, estimate_memory
from engine.spec import RunSpec
from engine.spec.run import Imbalance

ROOT = Path(__file__).resolve().parents[2]
WIDE = RunSpec("moons", "ce", params={"epochs": 1, "hidden": [1024] * 4}, seeds=2)
CODE = """
import json, sys
from engine import system
from engine.runner.execute import drive, run
from engine.spec import RunSpec
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
drive(run(RunSpec("moons", "ce", params={"epochs": 1})))
before = system.memory_in_use() / system.MIB
drive(run(RunSpec.from_json(json.loads(sys.argv[1]))))
print(peak() - before)
"""


def estimate(spec: RunSpec) -> float:
    spec = spec.complete(build_catalog(found=True))
    return estimate_memory(spec, load(spec.dataset, spec.data))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_an_estimate_is_near_what_a_run_takes_and_not_above_it():
    command = [sys.executable, "-c", CODE, json.dumps(WIDE.to_json())]
    taken = float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert 0.4 * taken < estimate(WIDE) < 1.1 * taken


def test_an_estimate_grows_with_everything_that_takes_memory():
    small = RunSpec("moons", "ce")
    more = [
        small.with_(seeds=3),
        small.with_(folds=4),
        small.with_(params={"hidden": [512, 512]}),
        small.with_(data={"rows": 20000}),
        RunSpec("digits", "ce"),
    ]
    assert all(estimate(spec) > 1.3 * estimate(small) for spec in more)
    assert estimate(small.with_(imbalance=Imbalance("ratio", 50.0))) < 0.8 * estimate(small), "rows that are cut take none"
    batches = [estimate(RunSpec("digits", "ce", params={"model": "resnet32", "batch": n})) for n in (64, 640)]
    assert batches[1] > 3 * batches[0]


def test_what_is_kept_of_an_image_is_what_the_layers_put_out():
    for model in TRUNKS:
        shape, kept = (3, 32, 32), []
        stream = [torch.Generator().manual_seed(1)]
        net = CNN.create(model, shape, 2, stream, device=torch.device("cpu"), dtype=torch.float32)
        for module in net._trunks[0].modules():
            if type(module).__name__ in ("Conv2d", "BatchNorm2d", "Linear"):
                module.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out.numel()))
        net.embed(torch.zeros(1, 1, int(np.prod(shape))))
        assert sum(kept) == count_activations(model, shape) > 1000


def test_a_run_above_the_limit_is_refused_before_it_trains(monkeypatch):
    need = estimate(WIDE)
    monkeypatch.setenv("LAB_WORKER_MEMORY", str(int(need) - 10))
    events = []
    with pytest.raises(
        BadInput, match=r"needs about [\d,]+ MiB of memory, and a run may use [\d,]+ MiB here: ask for a smaller"
    ):
        for event in run(WIDE, device="cpu", frames=0):
            events.append(event)
    assert [event.name for event in events] == ["data"]
    monkeypatch.setenv("LAB_WORKER_MEMORY", str(int(need) + 10))
    running = run(WIDE, device="cpu", frames=0)
    assert [next(running).name for _ in range(2)] == ["data", "training"]
    running.close()


def test_a_worker_has_its_share_of_the_machine():
    whole = system.memory_of_machine() / system.MIB
    limits = [memory.default_limit(workers) for workers in (1, 2, 4, 10**6)]
    assert limits == sorted(limits, reverse=True) and limits[-1] == memory.LEAST
    assert limits[0] == max(memory.LEAST, int(0.8 * whole))


@pytest.mark.parametrize(("share", "expected"), [("", []), ("45", [0.45]), ("400", [1.0])])
def test_a_worker_keeps_to_its_share_of_the_gpu(monkeypatch, share, expected):
    kept = []
    monkeypatch.setenv("LAB_DEVICE_SHARE", share)
    monkeypatch.setattr(devices, "list_devices", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", kept.append)
    assert devices.choose_device("cpu") == "cpu" and not kept
    assert devices.choose_device("auto") == "cuda" and kept == expected
    shares = [memory.device_share(workers) for workers in (1, 2, 8, 10**6)]
    assert shares == [90, 45, 11, 1]


def test_a_container_has_less_than_its_machine(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(system, "_CONTAINER", (str(limit), str(tmp_path / "absent")))
    whole = system.memory_of_machine()
    limit.write_text("max\n")
    assert system.memory_of_machine() == whole
    limit.write_text(f"{512 << 20}\n")
    assert system.memory_of_machine() == 512 << 20
