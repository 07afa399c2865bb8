"""The page of one run."""

from app.frame.pages import MenuEntry
from app.views.lab.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(1, "Lab")
