"""Student's t distribution. SciPy is imported at the first use, since it takes a fifth of a second of a start."""

from __future__ import annotations

from typing import Any


def stdtr(df: Any, t: Any) -> Any:
    """Probability of at most t. df: degrees of freedom. Numbers or arrays."""
    from scipy import special

    return special.stdtr(df, t)


def stdtrit(df: Any, p: Any) -> Any:
    """The t that has probability p of not being exceeded. df: degrees of freedom. Numbers or arrays."""
    from scipy import special

    return special.stdtrit(df, p)
