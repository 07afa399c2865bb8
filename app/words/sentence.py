"""The setting of a run in words. A pure function; it returns markdown."""

from __future__ import annotations

from app.words.text import format_ratio
from engine.spec import Imbalance, RunSpec


def describe_setting(spec: RunSpec, native: float | None = None) -> str:
    """Return 'At 50:1', 'Natural (11.6:1)', 'At 50:1, falling exponentially, in the training rows only'."""
    imbalance: Imbalance = spec.imbalance
    if imbalance.profile == "native":
        return "Natural" + (f" ({format_ratio(native)})" if native else "")
    only = ", in the training rows only" if imbalance.where == "train" else ""
    if imbalance.profile == "remove":
        return f"With {100 * (imbalance.rate or 0):.3g}% of the rows of some classes removed{only}"
    how = {"exponential": ", falling exponentially", "step": ", in one step", "gaussian": ", falling as a Gaussian"}
    return f"At {format_ratio(imbalance.ratio or 1)}{how.get(imbalance.profile, '')}{only}"
