"""The engine computes: data, methods, training, analysis, the store and the processes that run them.

It never imports `app`, streamlit or plotly. Importing this package imports neither torch nor scikit-learn: `load_model`, which reads what
`engine.export.write` writes, is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.export import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """`engine.load_model`."""
    if name == "load_model":
        from engine.export import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
