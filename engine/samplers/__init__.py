"""Samplers: functions that return the given rows followed by new ones.

`neighbours`, `lines` and `remix` need torch alone, `svm` also scikit-learn. `EOS` is imbalanced-learn's interface to the first
two; imbalanced-learn is imported on its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.samplers.eos import EOS

__all__ = ["EOS"]


def __getattr__(name: str) -> Any:
    if name == "EOS":  # the rest of this package works on an accelerator machine without imbalanced-learn
        from engine.samplers.eos import EOS

        return EOS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
