"""The page that compares methods over ratios and datasets."""

from app.views.compare.view import page

__all__ = ["page"]
