"""Tests on a pretend accelerator (tests/pretend), each in a fresh process: to register a device cannot be undone (see device.py there)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = ("-p", "tests.pretend.suite_plugin")
ON_CPU = "pixels_are_normalised or a_chunk_holds"
"""Tests of the suite that look at numpy arrays alone."""


def passes(*args: str) -> None:
    """Run pytest with these arguments, in one process; its failures are this one's."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=-q --strict-markers", "-p", "no:cacheprovider", *args]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=Path(__file__).parents[1], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_device_refuses_and_counts_as_cuda_does() -> None:
    passes("tests/pretend/check_device.py")


@pytest.mark.timeout(1200)
def test_every_method_gives_the_bits_of_the_cpu_and_waits_no_more_than_before() -> None:
    passes("tests/pretend/check_methods.py")


def test_a_recorded_step_is_replayed_to_the_bit() -> None:
    passes("tests/pretend/check_graph.py")


@pytest.mark.timeout(300)
def test_stacks_of_settings_give_the_bits_of_the_cpu() -> None:
    passes("tests/pretend/check_settings.py")


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("rows", ["methods", "images"])
def test_the_conformance_suite_passes_there(rows: str) -> None:
    passes(*SUITE, f"tests/engine/test_{rows}.py", "-k", f"not ({ON_CPU})")
