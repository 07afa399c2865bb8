"""The page of recorded examples."""

from app.views.gallery.view import page

__all__ = ["page"]
