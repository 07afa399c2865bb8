"""The papers' methods as HTML for `app.marks`: a line a method, which opens on what was decided, with a button to where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.charts.marks import text

SCROLLED = "max-height: 660px; overflow-y: auto"
"""Stands in the list itself: its style sheet arrives later, and the page must not be long until then."""


@dataclass(frozen=True)
class Line:
    """One method. key: unlike all others. state: in words; here: whether it runs. facts: where the papers have it.

    runs_as: its method and setting here, '' for none. told: sentences that it opens on. open: name of its button, '' for none.
    """

    key: str
    name: str
    state: str
    here: bool
    facts: str
    runs_as: str
    told: Sequence[str]
    open: str = ""


def draw_lines(lines: Sequence[Line], title: str, button: str) -> str:
    """Return the list. title: its name. button: what every button says; a screen reader reads `Line.open`."""
    return f'<ul class="methods" style="{SCROLLED}" aria-label="{text(title)}">{"".join(_draw_line(line, button) for line in lines)}</ul>'


def _draw_line(line: Line, button: str) -> str:
    more = "".join(f"<p>{text(sentence)}</p>" for sentence in line.told)
    runs_as = f'<span class="as">{text(line.runs_as)}</span>' if line.runs_as else ""
    beside = f' data-beside="{text(line.key)}.open"' if line.open else ""
    head = (
        f'<summary data-mark="{text(line.key)}"{beside}><b>{text(line.name)}</b><span class="quiet">{text(line.facts)}</span>{runs_as}'
        f'<span class="chip{" holds" if line.here else ""}">{text(line.state)}</span></summary>'
    )
    key = text(line.key)
    known = f'data-mark="{key}.open" data-beside="{key}" data-press="{key}" aria-label="{text(line.open)}"'
    press = f'<button type="button" {known}>{text(button)}</button>' if line.open else ""
    return f'<li><details>{head}<div class="more">{more}</div></details>{press}</li>'
