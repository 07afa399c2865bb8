"""Runs a spec and returns its result."""

from engine.runner.execute import drive, run

__all__ = ["drive", "run"]
