"""The page that lists what is in the store."""

from app.frame.pages import MenuEntry
from app.views.runs.view import page

__all__ = ["MENU", "page"]

MENU = MenuEntry(7, "Runs")
