"""The methods as HTML for `app.marks`: families with a line a method, and a field that leaves those that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.charts.marks import text


@dataclass(frozen=True)
class Entry:
    """One method. name: in the catalog. does: one sentence. whose: its source, short. seconds: expected, in words. why: why it cannot be
    chosen, one sentence; '' where it can.
    """

    name: str
    title: str
    does: str
    whose: str
    seconds: str
    chosen: bool = False
    why: str = ""


def draw_menu(groups: Mapping[str, Sequence[Entry]], find: str, none: str, *, tall: bool = False) -> str:
    """Return the menu. groups: title of a family -> its methods. find: name of the field; none: said where nothing fits.
    tall: as high as the window allows.
    """
    field = f'<input type="search" data-find placeholder="{text(find)}" aria-label="{text(find)}">'
    body = "".join(
        f"<section><h3>{text(title)}</h3>{''.join(map(_draw_entry, entries))}</section>"
        for title, entries in groups.items()
        if entries
    )
    size = " tall" if tall else ""
    return (
        f'<div class="menu{size}">{field}<div class="list">{body}<p class="quiet" data-none hidden>{text(none)}</p></div></div>'
    )


def _draw_entry(entry: Entry) -> str:
    facts = (". " if entry.why else ", ").join(part for part in (entry.whose, entry.why or entry.seconds) if part)
    words = " ".join((entry.name, entry.title, entry.does, entry.whose)).lower()
    does = (
        'aria-disabled="true"' if entry.why else f'data-press="{text(entry.name)}" aria-pressed="{str(entry.chosen).lower()}"'
    )
    return (
        f'<button type="button" data-mark="{text(entry.name)}" data-words="{text(words)}" '
        f"{does}><b>{text(entry.title)}</b> <span>{text(entry.does)}</span> "
        f'<span class="quiet">{text(facts)}</span></button>'
    )
