"""The pieces of a page: files of its package with a `PIECE` and a `draw(context)`. A file more in the package is a tab more."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Piece:
    """What a file declares of its piece. order: its place among the tabs; title, icon: what its tab shows.

    needs: fields of the page's context; the piece is drawn where none of them is None.
    """

    order: int
    title: str
    icon: str = ""
    needs: tuple[str, ...] = ()

    def is_ready(self, context: object) -> bool:
        """Whether the context has all that this piece needs."""
        return all(getattr(context, name) is not None for name in self.needs)


class PieceFile(Protocol):
    """A module that is a piece of a page."""

    PIECE: Any

    def draw(self, context: Any) -> None:
        """Draw the piece. context: what its page gives to all of them."""


def find_pieces(package: str) -> dict[str, PieceFile]:
    """Return the pieces of a page by the names of their files, in the order of their tabs.

    package: the page's, such as `app.views.compare`.
    """
    folder = importlib.import_module(package)
    modules = {each.name: importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(folder.__path__)}
    pieces: dict[str, Any] = {name: module for name, module in modules.items() if hasattr(module, "PIECE")}
    return dict(sorted(pieces.items(), key=lambda pair: (pair[1].PIECE.order, pair[0])))
