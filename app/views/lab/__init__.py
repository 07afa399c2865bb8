"""The page of one run."""

from app.views.lab.view import page

__all__ = ["page"]
