"""Finds the kind of a column of texts: numeric, date, boolean, categorical, text. Each distinct text is processed once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.data.tables.dates import parse_dates
from engine.data.tables.numerals import PLAIN, Style, count_evidence, find_style, parse_numbers
from engine.data.tables.sheet import Column, count_of, list_names, shorten
from engine.data.tables.texts import MOSTLY, Encoded, count_matches
from engine.errors import BadData

TYPES = ("numeric", "categorical", "boolean", "date", "ignore")
"""Types that a person can set for a column."""

PAIRS = (
    *(("0", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), ("-", "+")),
    *(("nein", "ja"), ("n", "j"), ("falsch", "wahr"), ("non", "oui"), ("faux", "vrai"), ("no", "sí"), ("no", "si")),
    *(("no", "sì"), ("falso", "verdadero"), ("falso", "vero"), ("não", "sim"), ("nao", "sim"), ("nie", "tak")),
    *(("nej", "ja"), ("нет", "да")),
)
"""Pairs of texts that mean false and true, in any case."""

MANY_LEVELS = 100
"""Most levels kept of a categorical column; further ones, the rarest, are merged into one."""

OTHER = "(other)"

FEW = 20
"""With fewer rows, values that all differ are no evidence of an ID."""

EXACT = 2.0**53
"""Whole numbers up to here are exact in double precision."""

ID_NAME = re.compile(
    r"(?i:(^|[\s_.\-])(id|ids|uuid|guid|index|row|rowid|row ?names?|record ?(no|id)?|kennung)$|^unnamed: 0$)|[a-z]I[dD]$"
)
"""Usual names of columns that number the rows."""


@dataclass
class Notes:
    """Notes for display, grouped by kind, so that a hundred columns give one sentence."""

    stray: dict[str, int] = field(default_factory=dict)
    styles: list[str] = field(default_factory=list)
    pooled: dict[str, int] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    large: dict[str, int] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """One sentence for each kind of note."""
        out = []
        if self.stray:
            n = sum(self.stray.values())
            what = "is no number or date there and counts" if n == 1 else "are no numbers or dates there and count"
            out.append(f"{count_of(n, 'value')} in {list_names(list(self.stray))} {what} as missing.")
        if self.large:
            n = sum(self.large.values())
            what = "is too large to compute with and counts" if n == 1 else "are too large to compute with and count"
            out.append(f"{count_of(n, 'number')} in {list_names(list(self.large))} {what} as missing.")
        if self.styles:
            out.append(f"{list_names(self.styles)}: numbers are written in another way than in the other columns.")
        if self.pooled:
            name, n = max(self.pooled.items(), key=lambda item: item[1])
            out.append(
                f"{list_names(list(self.pooled))}: more than {MANY_LEVELS} levels (up to {n:,}); the {MANY_LEVELS - 1} most frequent "
                f"are kept, the rest is {OTHER}."
            )
        for form in sorted({f for f in self.dates.values() if f[:2] in ("%d", "%m")}):
            names = [name for name, f in self.dates.items() if f == form]
            order = "day before month" if form.startswith("%d") else "month before day"
            out.append(f"{list_names(names)}: dates are read with the {order}.")
        return out


def build_column(encoded: Encoded, style: Style, forced: str | None, notes: Notes) -> Column:
    """The column, of its detected kind or of the type `forced`. Raises BadData where it cannot have that type."""
    e, n = encoded, len(encoded.codes)
    style = PLAIN if e.typed else style
    present = int(e.counts.sum())
    examples = tuple(t.as_py()[:60] for t in e.texts[:3])

    def made(kind: str, values: np.ndarray, levels: Sequence[str] = ()) -> Column:
        missing = int(np.isnan(values).sum()) if values.dtype == np.float64 else int((values < 0).sum())
        return Column(e.name, kind, values, tuple(levels), missing, forced is None, examples, len(e.texts))

    def spread(values: np.ndarray) -> np.ndarray:
        """Value per text -> value per row."""
        of_rows: np.ndarray = np.append(values, np.nan)[e.codes]
        return of_rows

    if forced == "ignore":
        return made("ignored", e.codes)
    if not present:
        return made("empty", e.codes)
    if forced == "categorical":
        return made("categorical", *_build_levels(e, notes))
    pair = _find_pair(e)
    if forced == "boolean":
        if pair is None:
            raise BadData(f"Column {shorten(e.name)!r} cannot be read as yes and no: it does not hold two such values.")
        return made("boolean", spread(pair[0]), pair[1])
    if forced == "date":
        when = parse_dates(e, style, forced=True)
        if when is None:
            raise BadData(f"Column {shorten(e.name)!r} cannot be read as dates: fewer than half of its values are dates.")
        notes.dates[e.name] = when[1]
        return made("date", _drop_stray(e, spread(when[0]), notes))
    if forced == "numeric":
        values, own = _parse_numbers(e, style)
        if not (np.abs(values) <= LARGEST).any():
            raise BadData(f"Column {shorten(e.name)!r} cannot be read as numbers: none of its values can be computed with.")
        return made("numeric", _drop_infinite(e, spread(values), own, style, notes))
    if len(e.texts) == 1:
        # a mark in some rows and empty cells in the others are two values
        return made("constant", e.codes, _list_texts(e)) if present == n else made("categorical", e.codes, _list_texts(e))
    if pair is not None:
        return made("boolean", spread(pair[0]), pair[1])
    values, own = _parse_numbers(e, style)
    if e.counts[~np.isnan(values)].sum() >= MOSTLY * present and not _are_codes(e):
        return _build_numeric(e, values, own, style, notes, made, spread)
    when = parse_dates(e, style, forced=False)
    if when is not None:
        notes.dates[e.name] = when[1]
        return made("date", _drop_stray(e, spread(when[0]), notes))
    distinct = len(e.texts)
    if present >= FEW and distinct == present:
        return made("id" if not _is_free_text(e) else "text", e.codes)
    if present >= FEW and (2 * distinct > present or (distinct > MANY_LEVELS and distinct * 5 > present)):
        return made("text", e.codes)
    return made("categorical", *_build_levels(e, notes))


def _build_numeric(
    e: Encoded,
    values: np.ndarray,
    style_of_column: Style,
    style: Style,
    notes: Notes,
    made: Callable[..., Column],
    spread: Callable[[np.ndarray], np.ndarray],
) -> Column:
    """A column of numbers. It is an ID where they only count rows, constant where all are equal, and has levels where some are
    words.
    """
    present = int(e.counts.sum())
    known = values[np.abs(values) <= LARGEST]
    stray = int(np.isnan(values).sum())
    if stray and len(known) <= FEW:
        return made("categorical", *_build_levels(e, notes))
    whole = bool(len(known)) and bool((known == np.floor(known)).all())
    if whole and not stray and present >= FEW:
        different = len(np.unique(known))
        counts_rows = different == present == len(e.codes) and np.ptp(known) == present - 1
        called = ID_NAME.search(e.name) is not None and different >= MOSTLY * present
        beyond = bool((np.abs(known) > EXACT).any())
        if counts_rows or called or (beyond and 2 * len(e.texts) > present):
            return made("id", e.codes)
        if beyond:
            return made("categorical", *_build_levels(e, notes))
    if len(np.unique(known)) == 1 and present == len(e.codes) and len(known) == len(values):
        return made("constant", np.zeros_like(e.codes), _list_texts(e)[:1])  # equal numbers may be written differently
    if not len(known):
        return made("categorical", *_build_levels(e, notes))
    return made("numeric", _drop_infinite(e, spread(values), style_of_column, style, notes))


def _parse_numbers(e: Encoded, style: Style) -> tuple[np.ndarray, Style]:
    """Parses in the file's style, or in the column's own style where that is unambiguous."""
    comma, point = count_evidence(e)
    if not e.typed and ((style.decimal == "." and comma > point) or (style.decimal == "," and point > comma)):
        other = find_style([e], None, None, None)
        values, others = parse_numbers(e.texts, style), parse_numbers(e.texts, other)
        if e.counts[~np.isnan(others)].sum() > e.counts[~np.isnan(values)].sum():
            return others, other
        return values, style
    return parse_numbers(e.texts, style), style


def _drop_infinite(e: Encoded, rows: np.ndarray, own: Style, style: Style, notes: Notes) -> np.ndarray:
    """Numbers that are too large become missing; a note lists texts that are no numbers."""
    if own != style:
        notes.styles.append(e.name)
    large = np.isinf(rows) | (np.abs(rows) > LARGEST)
    if large.any():
        notes.large[e.name] = int(large.sum())
    rows = np.where(large, 0.0, rows)
    return np.where(large, np.nan, _drop_stray(e, rows, notes))


LARGEST = 1e100
"""Larger numbers cannot be squared and summed."""


def _drop_stray(e: Encoded, rows: np.ndarray, notes: Notes) -> np.ndarray:
    lost = int((np.isnan(rows) & (e.codes >= 0)).sum())
    if lost:
        notes.stray[e.name] = lost
    return rows


def _list_texts(e: Encoded) -> list[str]:
    out: list[str] = e.texts.to_pylist()
    return out


def _build_levels(e: Encoded, notes: Notes) -> tuple[np.ndarray, list[str]]:
    """Codes and levels; the rarest levels are merged where there are too many."""
    if len(e.texts) <= MANY_LEVELS:
        return e.codes, _list_texts(e)
    notes.pooled[e.name] = len(e.texts)
    kept: list[str] = e.texts[: MANY_LEVELS - 1].to_pylist()
    other = OTHER
    while other in kept:
        other = f"({other})"
    return np.minimum(e.codes, MANY_LEVELS - 1), [*kept, other]


def _find_pair(e: Encoded) -> tuple[np.ndarray, tuple[str, str]] | None:
    """(0 or 1 of each text, the most frequent texts of 0 and 1) where the texts are one of PAIRS."""
    if not 2 <= len(e.texts) <= 8:
        return None
    texts = _list_texts(e)
    folded = [t.casefold() for t in texts]
    for no, yes in PAIRS:
        if set(folded) == {no, yes}:
            return np.array([float(t == yes) for t in folded]), (texts[folded.index(no)], texts[folded.index(yes)])
    return None


def _are_codes(e: Encoded) -> bool:
    """Whether the texts are digits with leading zeros, all of one length: codes such as 01067, not numbers."""
    if not count_matches(e, r"^0[0-9]+$"):
        return False
    lengths = {len(t) for t in e.texts[:2_000].to_pylist()}
    return len(lengths) == 1 and count_matches(e, r"^[0-9]+$") == min(len(e.texts), 2_000)


def _is_free_text(e: Encoded) -> bool:
    """Whether most of the first texts have several words, or are long."""
    first = e.texts[:100].to_pylist()
    return 2 * sum(" " in t or len(t) > 64 for t in first) > len(first)
