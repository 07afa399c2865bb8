"""Names from people's own tables, made safe for each place where the page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.words.text import escape
from engine.text import one_line

BLANK = "(blank)"
"""Shown for a name without visible letters."""


def label_names(names: Sequence[str], limit: int = 60) -> dict[str, str]:
    """Return each name as one visible line of a list. Lines that would look alike have their number in front."""
    shown = [one_line(name, limit) or BLANK for name in names]
    counts = Counter(shown)
    return {
        name: text if counts[text] == 1 else f"{number}: {text}"
        for number, (name, text) in enumerate(zip(names, shown, strict=True), 1)
    }


def shorten_name(name: object, limit: int = 40) -> str:
    """Return a name as markdown that shows it letter by letter."""
    return escape(one_line(name, limit), limit) or escape(BLANK)


def format_cell(name: object) -> str:
    """Return a name for a cell of a data frame: all text is safe there but half a surrogate pair."""
    return str(name).encode("utf-8", "replace").decode()
