"""The page of the papers' tables."""

from app.frame.pages import MenuEntry
from app.views.papers.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(5, "Papers")
