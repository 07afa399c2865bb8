"""Samplers: they give the rows back with new ones after them.

`neighbours`, `lines` and `remix` need torch alone, `svm` scikit-learn too; `EOS` is imbalanced-learn's interface to the first two and
loads it when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.samplers.eos import EOS

__all__ = ["EOS"]


def __getattr__(name: str) -> Any:
    if name == "EOS":  # an accelerator machine may lack imbalanced-learn and still trains with the rest of this package
        from engine.samplers.eos import EOS

        return EOS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
