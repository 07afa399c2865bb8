"""The page about what a network makes of rare classes."""

from app.views.deep.view import page

__all__ = ["page"]
