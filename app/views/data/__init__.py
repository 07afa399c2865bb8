"""The page of a person's own table."""

from app.frame.pages import MenuEntry
from app.views.data.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(4, "Your data")
