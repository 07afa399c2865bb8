"""Estimates the seconds of a run from its dataset's and method's entries and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.spec import RunSpec, limits
from engine.spec.companions import ORACLE
from engine.spec.fields import catalog_field

# Measured on one core: glass2, moons and digits, 1 to 20 replicates, every method on glass2. They order cells and weigh them
# against each other. The seconds on this machine are estimated from finished cells.
OVERHEAD_S = 0.45
"""Seconds of a cell with no training: reading, pictures, scores."""
STEP_S = 2e-4
"""Seconds of a step of the MLP, per replicate."""
PIXEL_S = 5e-6
"""Seconds per feature of an image in a convolutional network."""


def estimate_cost(spec: RunSpec, entry: Mapping[str, Any], method: Mapping[str, Any]) -> float:
    """Estimated seconds of a completed run on one slow core."""
    counts = limits.class_counts(entry, spec.data)
    share = 1.0 if entry.get("parts") else 0.8 if entry.get("test_counts") else 0.6
    rows = share * sum(counts if spec.method == ORACLE else limits.target_counts(counts, spec.imbalance))
    epochs = spec.params.get("epochs", 1) + spec.params.get("meta_epochs", 0)
    if entry["kind"] != "images" and spec.params.get("learner", "network") != "network":
        epochs = 1  # members are trees
    if entry["kind"] == "images" and spec.params.get("model", "mlp") != "mlp":
        once = PIXEL_S * rows * entry["features"]
    else:
        once = STEP_S * max(1.0, rows / spec.params.get("batch", 128))
    return float(OVERHEAD_S + spec.replicates * epochs * once * catalog_field(method, "cost"))
