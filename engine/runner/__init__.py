"""From a spec to a result: the one path."""

from engine.runner.execute import drive, run

__all__ = ["drive", "run"]
