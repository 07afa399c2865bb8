"""Names out of people's own tables, where a list shows them: Streamlit's lists show text as it is, but must tell options apart by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.text import line


def listed(names: Sequence[str], limit: int = 60) -> dict[str, str]:
    """Each name as one visible line of a list; those that would look alike have their number in front."""
    shown = [line(name, limit) or "(blank)" for name in names]
    seen = Counter(shown)
    return {
        name: text if seen[text] == 1 else f"{number}: {text}"
        for number, (name, text) in enumerate(zip(names, shown, strict=True), 1)
    }
