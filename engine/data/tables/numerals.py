"""Detects how numbers are written in a file, and parses them. (`engine.data.tables.sniff.NUMBER` matches all notations.)"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.tables.texts import Encoded, count_matches

SIGN, MONEY = r"[+\-\x{2212}]?", r"[$€£¥]"
EXPONENT = r"(?:[eE][+\-]?[0-9]+)?"
SPACES = (" ", "\u00a0", "\u202f")
GROUPS = (",", ".", "'", "’", *SPACES)


@dataclass(frozen=True)
class Style:
    """How numbers are written. thousands: "" where they are not grouped."""

    decimal: str
    thousands: str

    @property
    def pattern(self) -> str:
        """A regular expression (RE2) of a number in this style."""
        d, t = re.escape(self.decimal), _group(self.thousands)
        whole = f"(?:[0-9]{{1,3}}(?:{t}[0-9]{{3}})+|[0-9]+)" if self.thousands else "[0-9]+"
        return rf"^{SIGN}(?:{MONEY}?\s?(?:{whole}(?:{d}[0-9]*)?|{d}[0-9]+){EXPONENT}\s?(?:%|{MONEY})?|(?i:inf|infinity))$"


PLAIN = Style(".", "")


def find_style(columns: Sequence[Encoded], delimiter: str | None, decimal: str | None, thousands: str | None) -> Style:
    """The style of most columns whose numbers fit only one style; where there are none, of the other columns."""
    if decimal is None:
        comma, point = 0, 0
        for column in columns:
            c, p = count_evidence(column)
            comma, point = comma + (c > p), point + (p > c)
        grouped = comma == point and any(
            count_matches(column, r"^[+\-]?[0-9]{1,3},[0-9]{3}$") for column in columns if not column.typed
        )
        decimal = "," if comma > point or (grouped and delimiter == ";") else "."
        if thousands == decimal:
            decimal = "," if thousands == "." else "."
    if thousands is None:
        seen = {
            t: sum(count_matches(c, _match_grouped(t, decimal)) for c in columns if not c.typed) for t in GROUPS if t != decimal
        }
        thousands = max(seen, key=lambda t: seen[t]) if any(seen.values()) else ""
    return Style(decimal, thousands)


def _group(thousands: str) -> str:
    """A pattern of the thousands separator and its variants."""
    if thousands in SPACES:
        return r"[ \x{a0}\x{202f}]"
    return r"['’]" if thousands in ("'", "’") else re.escape(thousands)


def _match_grouped(thousands: str, decimal: str) -> str:
    """A pattern of numbers with this thousands separator."""
    return rf"^{SIGN}{MONEY}?\s?[0-9]{{1,3}}(?:{_group(thousands)}[0-9]{{3}})+(?:{re.escape(decimal)}[0-9]*)?\s?{MONEY}?$"


def _match_certain(decimal: str, other: str) -> str:
    """A pattern of texts that are numbers with this decimal mark only: 1,5 and 0,125 and 1.234,567 and 1.234.567 but not 1,234."""
    d, g = re.escape(decimal), re.escape(other)
    ways = (
        rf"[0-9]{{1,3}}(?:[{g}' ’\x{{a0}}\x{{202f}}][0-9]{{3}})+{d}[0-9]+",
        rf"[0-9]*{d}(?:[0-9]{{1,2}}|[0-9]{{4,}})",
        rf"(?:0|[0-9]{{4,}}|){d}[0-9]+",
        rf"[0-9]+{d}[0-9]+[eE][+\-]?[0-9]+",
        rf"[1-9][0-9]*(?:{g}[0-9]{{3}}){{2,}}",
    )
    return rf"^{SIGN}{MONEY}?\s?(?:{'|'.join(ways)})\s?(?:%|{MONEY})?$"


def count_evidence(column: Encoded) -> tuple[int, int]:
    """How many of the first texts are numbers only with a decimal comma, and how many only with a decimal point."""
    if column.typed:
        return 0, 0
    return count_matches(column, _match_certain(",", ".")), count_matches(column, _match_certain(".", ","))


def parse_numbers(texts: Any, style: Style) -> np.ndarray:
    """float64; NaN for texts that are no numbers of this style, inf for numbers that are too large."""
    import pyarrow as pa
    import pyarrow.compute as pc

    out = np.full(len(texts), np.nan)
    fits = pc.match_substring_regex(texts, style.pattern).to_numpy(zero_copy_only=False)
    if fits.any():
        bare = texts.filter(pa.array(fits))
        if style.thousands:
            bare = pc.replace_substring_regex(bare, _group(style.thousands), "")
        bare = pc.replace_substring_regex(bare, r"[$€£¥%\s]", "")
        bare = pc.replace_substring(bare, "\u2212", "-")
        if style.decimal != ".":
            bare = pc.replace_substring(bare, style.decimal, ".")
        out[fits] = pc.cast(bare, pa.float64()).to_numpy(zero_copy_only=False)
    return out
