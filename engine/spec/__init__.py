"""Specs, fields, results and limits: the engine's input and output. Imports no torch."""

from engine.spec.run import Imbalance, RunSpec

__all__ = ["Imbalance", "RunSpec"]
