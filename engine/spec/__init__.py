"""What is asked for and what comes back: specs, fields, results, limits. Light: no torch."""

from engine.spec.run import Imbalance, RunSpec

__all__ = ["Imbalance", "RunSpec"]
