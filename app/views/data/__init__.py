"""The page of a person's own table."""

from app.views.data.view import page

__all__ = ["page"]
