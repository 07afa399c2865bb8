"""Every method on a CUDA device: the same bits each time, and the CPU's numbers up to rounding."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from engine.events import finish
from engine.methods import methods
from engine.runner import run
from engine.spec import Imbalance, RunSpec
from engine.spec.result import Result
from engine.training import network_cache

pytestmark = pytest.mark.gpu

SMALL = {"hidden": [6], "epochs": 2, "head_epochs": 2, "meta_epochs": 2, "rounds": 2, "steps": 2}
SETS: dict[str, tuple[str, dict[str, Any]]] = {"tabular": ("wine", {}), "images": ("digits", {"per_class": 25})}
CASES = [(name, kind) for name, method in methods().items() for kind in SETS if kind in method.kinds]


def request(name: str, kind: str, **more: int) -> RunSpec:
    """A short run of two replicates; more: parameters, for methods that have them."""
    dataset, data = SETS[kind]
    given = SMALL | more
    params = {field.name: given[field.name] for field in dataclasses.fields(methods()[name]) if field.name in given}
    return RunSpec(dataset, name, Imbalance("ratio", 4.0), data, params, seeds=2)


def train(spec: RunSpec, device: str, dtype: torch.dtype = torch.float32) -> tuple[Result, dict[str, bytes]]:
    """The result and its artifacts, of networks trained from the beginning."""
    network_cache.clear()
    return finish(run(spec, device=device, dtype=dtype, frames=3))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_run_gives_the_same_bits_again(name: str, kind: str) -> None:
    spec = request(name, kind)
    first, artifacts = train(spec, "cuda")
    again, artifacts_again = train(spec, "cuda")
    assert first.metrics == again.metrics and artifacts == artifacts_again
    assert all(np.array_equal(first.arrays[name], again.arrays[name], equal_nan=True) for name in first.arrays)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_replayed_graphs_give_the_bits_of_the_steps_python(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More epochs than steps are taken before a shape is recorded; a graph that could not be recorded warns, which fails here."""
    spec = request(name, kind, epochs=6, head_epochs=6, meta_epochs=6, rounds=6, batch=16)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*was not recorded as a graph")
        replayed = train(spec, "cuda")
    monkeypatch.setenv("LAB_GRAPH", "0")
    result, artifacts = train(spec, "cuda")
    assert replayed[0].metrics == result.metrics and replayed[1] == artifacts
    assert all(np.array_equal(replayed[0].arrays[name], result.arrays[name], equal_nan=True) for name in result.arrays)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] != "cnn-cl"])
def test_in_double_precision_a_run_gives_the_cpu_s_numbers(name: str, kind: str) -> None:
    """In single precision convolutions compute in bfloat16 there, which can change the chosen epoch.

    Not `cnn-cl`: of neighbours that are equally far, rounding decides which one counts.
    """
    spec = request(name, kind)
    there, here = (train(spec, device, torch.float64)[0] for device in ("cuda", "cpu"))
    far = {metric: (one["values"], here.metrics[metric]["values"]) for metric, one in there.metrics.items()}
    far = {metric: pair for metric, pair in far.items() if not np.allclose(*pair, rtol=0, atol=1e-6)}
    assert not far, far
