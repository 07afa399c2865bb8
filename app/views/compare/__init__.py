"""The page that compares methods over ratios and datasets."""

from app.frame.pages import MenuEntry
from app.views.compare.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(2, "Compare")
