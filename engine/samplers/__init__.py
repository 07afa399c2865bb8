"""Samplers: functions that return the given rows followed by new ones.

They need torch alone, `svm` also scikit-learn. The classes named here are imbalanced-learn's interface to them (see `resampler`);
imbalanced-learn is imported on the first use of one. `GAMO` is in `engine.models.generators`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.samplers.ccr_resamplers import CCR, MCCCR, RBCCR
    from engine.samplers.eos import EOS
    from engine.samplers.rbo_resamplers import MCRBO, RBO
    from engine.samplers.seed_resamplers import SUGAR, SWIM, Manifold

__all__ = ["CCR", "EOS", "GAMO", "MCCCR", "MCRBO", "RBCCR", "RBO", "SUGAR", "SWIM", "Manifold"]

_MODULES = {
    "CCR": "ccr_resamplers",
    "EOS": "eos",
    "MCCCR": "ccr_resamplers",
    "MCRBO": "rbo_resamplers",
    "Manifold": "seed_resamplers",
    "RBCCR": "ccr_resamplers",
    "RBO": "rbo_resamplers",
    "SUGAR": "seed_resamplers",
    "SWIM": "seed_resamplers",
}
"""Class -> its module in this room."""


def __getattr__(name: str) -> Any:
    if name == "GAMO":  # it trains networks, which are in a room above this one
        return getattr(import_module("engine.models.generators.resampler"), name)
    if name in _MODULES:  # the rest of this package works on an accelerator machine without imbalanced-learn
        return getattr(import_module(f"engine.samplers.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
