"""The page that lists what is in the store."""

from app.views.runs.view import page

__all__ = ["page"]
