"""A grid of runs: methods x ratios x datasets."""

from engine.sweep.spec import SweepSpec

__all__ = ["SweepSpec"]
