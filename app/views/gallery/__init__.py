"""The page of recorded examples."""

from app.frame.pages import MenuEntry
from app.views.gallery.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(6, "Gallery")
