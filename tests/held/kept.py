"""What tests/held/make.py asked for, and what stands in held.json for a thing that was kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from engine.events import Event, encode, unpack
from engine.spec import Imbalance, RunSpec
from engine.store import Store
from engine.sweep import SweepSpec

OWNER = "held" + "o" * 39
"""A browser's token, as the page's cookie has it."""
NAME, TARGET = "customers.csv", "left"
MOONS = RunSpec(
    "moons",
    "explicit-gradient",
    Imbalance("ratio", 10.0),
    data={"rows": 200, "noise": 0.25},
    params={"epochs": 6, "meta_epochs": 5, "hidden": [8], "learning_rate": 0.1},
    folds=2,
    seed=3,
)
BASELINE = MOONS.with_(method="ce", params={"epochs": 6, "hidden": [8], "learning_rate": 0.1})
SMALL = {"model": "mlp", "hidden": [8], "epochs": 1, "batch": 1024, "head_epochs": 1, "k_neighbors": 5}
DIGITS = RunSpec("digits", "eos", Imbalance("exponential", 10.0), data={"per_class": 60}, params=SMALL)
SWEEP = SweepSpec(("wine",), ("smote",), (3.0,), folds=2, seeds=1, seed=5)
LONG = BASELINE.with_(data={"rows": 20000}, params={"epochs": 2000}, folds=1)
NEW = [
    {"age": 30, "visits": 4.5, "plan": "basic"},
    {"age": 71, "visits": 0.8, "plan": "pro"},
    {"age": 55, "visits": None, "plan": "plus"},
]
"""Rows that the models predict."""
POINTS = [[0.0, 0.0], [1.0, -1.0], [2.0, 0.5], [-3.0, 4.0]]
"""Rows that the estimator predicts."""


# ---- a thing in short


def digest(value: Any) -> str:
    """The beginning of the SHA-256 of bytes, or of JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """name -> type, shape and digest."""
    return {
        name: f"{a.dtype.str} {list(a.shape)} {digest(np.ascontiguousarray(a).tobytes())}" for name, a in sorted(arrays.items())
    }


def of_result(result: Any, names: Collection[str]) -> dict[str, Any]:
    """Its metrics, and digests of those of its fields and of its arrays. names: fields that count: later ones are none of today's."""
    words = {name: value for name, value in result.to_json().items() if name in names}
    return {"metrics": words.pop("metrics"), "words": {name: digest(value) for name, value in words.items()}} | {
        "arrays": of_arrays(result.arrays)
    }


LATER = ("faint", "seen")
"""Arrays of events that came later: those of held ones are empty."""


def of_events(events: Iterable[Event], names: Mapping[str, Collection[str]]) -> list[Any]:
    """How many there are, and one digest. names: fields that count, by kind."""
    said = []
    for event in events:
        kind, words, arrays = encode(event)
        fields = {name: value for name, value in json.loads(words).items() if name in names[kind]}
        there = None if arrays is None else {k: a for k, a in unpack(arrays).items() if a.size or k not in LATER}
        said.append([kind, fields, of_arrays(there) if there is not None else None])
    return [len(said), digest(said)]


def of_job(store: Store, id: str, owner: str | None, names: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """All that is kept of a job. names: fields that count, of a result, a job, and each kind of event."""
    result = store.result(id, owner)
    blobs = {name: store.artifact(id, name, owner=owner) for name in store.artifacts(id, owner=owner)}
    return {
        "job": {name: value for name, value in vars(store.job(id, owner)).items() if name in names["job"]},
        "events": of_events([event for _, event in store.events(id, owner=owner)], names),
        "result": None if result is None else of_result(result, names["result"]),
        "artifacts": {name: digest(data) for name, data in blobs.items() if data is not None},
    }
