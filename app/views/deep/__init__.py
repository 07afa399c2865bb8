"""The page about what a network makes of rare classes."""

from app.frame.pages import MenuEntry
from app.views.deep.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(3, "Deep")
