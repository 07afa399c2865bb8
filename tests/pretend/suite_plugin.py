"""A pytest plugin that runs the conformance suite on the pretend device.

`python -m pytest -p tests.pretend.suite_plugin tests/engine/test_methods.py` runs all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from engine.data.prepare import prepare
from tests.engine import tasks
from tests.pretend.device import NAME, pretend

SHORT = {"epochs": 2, "meta_epochs": 2, "head_epochs": 2, "rounds": 2}


@pytest.fixture(autouse=True)
def on_the_device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks are there, and training is short: an operation takes five times as long as on the CPU."""
    monkeypatch.setattr(tasks, "prepare", partial(prepare, device=NAME))
    small = request.module.SMALL
    monkeypatch.setattr(request.module, "SMALL", small | {name: n for name, n in SHORT.items() if name in small})
    with pretend():
        yield
