"""The pages: files or packages of `app.views` with a `MENU` and a `page()`. One more there is a page more."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol


@dataclass(frozen=True)
class MenuEntry:
    """What a page declares of its place in the menu. order: its place, the first is the start page.

    is_open: whether it can be reached; is_listed: whether the menu lists it. Both are asked in each script run.
    """

    order: int
    title: str
    is_open: Callable[[], bool] = lambda: True
    is_listed: Callable[[], bool] = lambda: True


class PageFile(Protocol):
    """A module that is a page."""

    MENU: Any

    def page(self) -> None:
        """Draw the page."""


@cache
def find_pages(package: str) -> dict[str, PageFile]:
    """Return the pages by the names of their modules, which are their addresses, in the order of the menu.

    package: theirs, `app.views`. Imports all of them.
    """
    folder = importlib.import_module(package)
    modules = {each.name: importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(folder.__path__)}
    pages: dict[str, Any] = {name: module for name, module in modules.items() if hasattr(module, "MENU")}
    return dict(sorted(pages.items(), key=lambda pair: (pair[1].MENU.order, pair[0])))
