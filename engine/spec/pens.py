"""Pens of methods and their controls in charts: names of a colour, a dash and a marker. The page maps the names to values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product

COLOURS = ("green", "sky", "orange", "grey", "pink", "vermilion", "blue")
DASHES = ("solid", "dot", "dash", "longdash", "dashdot", "longdashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "pentagon", "hexagon")
OPEN = "circle-open"
"""The marker of entries without a pen."""


@dataclass(frozen=True)
class Pen:
    """Names from COLOURS, DASHES and MARKERS. Raises TypeError for any other name."""

    colour: str
    dash: str
    marker: str

    def __post_init__(self) -> None:
        for value, known in ((self.colour, COLOURS), (self.dash, DASHES), (self.marker, (*MARKERS, OPEN))):
            if value not in known:
                raise TypeError(f"no pen has {value!r}; it must be one of {', '.join(known)}")

    def __str__(self) -> str:
        return f'Pen("{self.colour}", "{self.dash}", "{self.marker}")'


UNKNOWN = Pen("grey", "solid", OPEN)
"""The pen of keys that the catalog does not have."""

RESERVED = {
    "an unknown key": UNKNOWN,
    "beside": Pen("vermilion", "longdashdot", "circle"),
    "both": Pen("pink", "dashdot", "hexagon"),
}
"""Pens that no method may have. beside: the run that another run is compared with; both: plain training on both parts
(`engine.spec.companions`)."""

EARLIER = {"trees": Pen("blue", "dot", "triangle-up")}
"""Pens of rows of earlier comparisons under the names they had: those of the methods that they are now."""


def list_free(taken: Collection[Pen]) -> Iterator[Pen]:
    """Pens that are not taken, in one order."""
    return (pen for own in product(COLOURS, DASHES, MARKERS) if (pen := Pen(*own)) not in taken)


def check_pens(pens: Iterable[tuple[str, Pen]]) -> None:
    """Raises TypeError where two of these and of RESERVED are equal. The message lists three free pens of that colour."""
    owners: dict[Pen, str] = {}
    clash = None
    for owner, pen in (*RESERVED.items(), *pens):
        if owners.setdefault(pen, owner) != owner:
            clash = clash or (owners[pen], owner, pen)
    if clash:
        first, second, pen = clash
        free = (p for dash, marker in product(DASHES, MARKERS) if (p := Pen(pen.colour, dash, marker)) not in owners)
        raise TypeError(
            f"{first!r} and {second!r} have the same pen, {pen}; free are for example {', '.join(map(str, islice(free, 3)))}"
        )
