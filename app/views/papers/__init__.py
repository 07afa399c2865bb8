"""The page of the papers' tables."""

from app.views.papers.view import page

__all__ = ["page"]
