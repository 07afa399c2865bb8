"""The answers to the questions about a table: words of the address, which hold places of columns and never their names, and the fields
of a comparison that follow from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.views.data.guesses import Guesses, When
from engine.spec.comparison import MAX_DELAY, PER

WORDS = ("time", "delay", "group", "alerts", "per", "cost", "score", "keep")
"""Words of the address."""
NONE = "none"
"""A column that was asked for and does not exist: no order, nobody."""
_COLUMNS = {"time": "time", "group": "group", "cost": "cost_column", "score": "score_column"}
"""Word -> field of a comparison that names a column."""
FIELDS = ("time", "delay", "group", "alerts", "per", "cost_column", "score_column", "keep")
"""Fields of a comparison that are answers."""


@dataclass(frozen=True)
class Answers:
    """The answers as they stand, guesses filled in. guessed: words whose answer is a guess. delay: days, None while it is asked."""

    time: str | None = None
    delay: float | None = None
    group: str | None = None
    alerts: float | None = None
    per: str = PER[0]
    cost: str | None = None
    score: str | None = None
    keep: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()
    when: When | None = None

    @property
    def ready(self) -> bool:
        """Whether nothing is left to say: a time needs a delay, which is never guessed."""
        return self.time is None or self.delay is not None

    @property
    def kind(self) -> str:
        """The kind of split that follows."""
        return "-".join([*(["time"] if self.time else []), *(["group"] if self.group else [])]) or "random"

    @property
    def left_out(self) -> dict[str, str]:
        """Columns that are no features because of an answer -> the word of the answer."""
        named = {self.score: "score", self.group: "group", self.time: "time"}
        return {name: word for name, word in named.items() if name is not None and (word == "score" or name not in self.keep)}

    def make_fields(self) -> dict[str, Any]:
        """Return the fields of `engine.spec.comparison.CompareSpec`."""
        return {
            "time": self.time, "delay": self.delay or 0.0 if self.time else 0.0, "group": self.group, "alerts": self.alerts,
            "per": self.per, "cost_column": self.cost, "score_column": self.score, "keep": self.keep,
        }  # fmt: skip


def read_answers(said: Mapping[str, str], profile: Mapping[str, Any], guesses: Guesses) -> Answers:
    """Return the answers. said: words of the address; what is no answer there, or not there, is guessed."""
    names = [str(c["name"]) for c in profile["columns"]]
    target = (profile.get("target") or {}).get("name")
    guessed, found = set(), {}
    for word, guess in (("time", guesses.time), ("group", guesses.group), ("cost", None), ("score", None)):
        value = said.get(word, "")
        place = _read_place(value, len(names))
        if value == NONE or (place is not None and names[place] != target):
            found[word] = None if place is None else names[place]
        else:
            found[word] = guess if guess != target else None
            guessed.add(word)
    when = guesses.find_time(found["time"])
    per = "day" if said.get("per") == "day" and when is not None and when.is_date else PER[0]
    keep = tuple(
        names[place] for text in said.get("keep", "").split("-") if (place := _read_place(text, len(names))) is not None
    )
    return Answers(
        found["time"],
        _read_number(said.get("delay"), MAX_DELAY) if found["time"] else None,
        found["group"],
        _read_number(said.get("alerts"), 1000.0 if per == PER[0] else 1e9) or None,
        per,
        found["cost"],
        found["score"],
        tuple(name for name in keep if name in (found["time"], found["group"])),
        frozenset(guessed),
        when,
    )


def write_answers(spec: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, str]:
    """Return the words of the address that give the answers of a comparison's spec."""
    places = {str(c["name"]): str(place) for place, c in enumerate(profile["columns"])}
    out = {
        word: places.get(str(spec.get(field)), NONE) if spec.get(field) is not None else NONE
        for word, field in _COLUMNS.items()
    }
    if spec.get("time") is not None:
        out["delay"] = f"{float(spec.get('delay') or 0.0):g}"
    if spec.get("alerts") is not None:
        out |= {"alerts": f"{float(spec['alerts']):g}", "per": str(spec.get("per") or PER[0])}
    if keep := [places[name] for name in spec.get("keep") or () if name in places]:
        out["keep"] = "-".join(keep)
    return out


def list_words(query: Mapping[str, str]) -> dict[str, str]:
    """Return the words of an address that are answers."""
    return {word: query[word] for word in WORDS if word in query}


def _read_place(text: str, most: int) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 and int(text) < most else None


def _read_number(text: str | None, most: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= most else None


def find_places(names: Sequence[str], profile: Mapping[str, Any]) -> list[int]:
    """Return the places of columns in the profile; a widget that holds them keeps no name of a person's table."""
    places = {str(c["name"]): place for place, c in enumerate(profile["columns"])}
    return [places[name] for name in names if name in places]
