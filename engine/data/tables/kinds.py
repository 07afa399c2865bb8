"""Finds the kind of a column of texts: numeric, date, boolean, categorical, text. Each distinct text is processed once.

`read_column` guesses a ColumnReading; `apply_column` gives the column of a reading, guessed or given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from engine.data.tables import dates
from engine.data.tables.numerals import PLAIN, Guess, Numerals, Style, guess_format, take_apart
from engine.data.tables.sheet import FEATURES, Column, count_of, list_names, shorten
from engine.data.tables.texts import MOSTLY, Encoded, count_matches, match_texts
from engine.errors import BadData
from engine.spec.table_reading import ColumnReading, DateFormat, NumberFormat

TYPES = ("numeric", "categorical", "boolean", "date", "ignore")
"""Types that a person can set for a column."""

PAIRS = (
    *(("0", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), ("-", "+")),
    *(("nein", "ja"), ("n", "j"), ("falsch", "wahr"), ("non", "oui"), ("faux", "vrai"), ("no", "sí"), ("no", "si")),
    *(("no", "sì"), ("falso", "verdadero"), ("falso", "vero"), ("não", "sim"), ("nao", "sim"), ("nie", "tak")),
    *(
        ("nej", "ja"),
        ("nei", "ja"),
        ("нет", "да"),
        ("ні", "так"),
        ("ne", "ano"),
        ("nie", "áno"),
        ("nem", "igen"),
        ("ei", "kyllä"),
    ),
    *(("ne", "da"), ("nu", "da"), ("ne", "taip"), ("nē", "jā"), ("ei", "jah"), ("hayır", "evet"), ("όχι", "ναι"), ("לא", "כן")),
    *(("لا", "نعم"), ("いいえ", "はい"), ("否", "是"), ("아니오", "예"), ("아니요", "예"), ("không", "có"), ("tidak", "ya")),
)
"""Pairs of texts that mean false and true, in any case."""

MANY_LEVELS = 100
"""Most levels kept of a categorical column; further ones, the rarest, are merged into one."""

OTHER = "(other)"

UNKNOWN = -2
"""Code of a level that the reading does not have."""

FEW, MOST_WORDS = dates.FEW, dates.MOST_WORDS
"""With fewer rows, values that all differ are no evidence of an ID. Among more different numbers, so many words are missing ones."""

EXACT = 2.0**53
"""Whole numbers up to here are exact in double precision."""

LONG_ID = 12
"""Whole numbers of so many digits, all different and equally long, are an ID."""

LARGEST = 1e100
"""Larger numbers cannot be squared and summed."""

ID_NAME = re.compile(r"(?i:(^|[\s_.\-])(id|ids|uuid|guid|index|row|rowid|row ?names?|record ?(no|id)?|kennung)$)|[a-z]I[dD]$")
"""Usual names of columns that number the rows."""

INDEX_NAME = re.compile(r"Unnamed: \d+(\.\d+)*|__index_level_\d+__")
"""Names of an index that pandas saved."""


@dataclass
class Notes:
    """Notes for display, grouped by kind, so that a hundred columns give one sentence."""

    stray: dict[str, int] = field(default_factory=dict)
    words: dict[str, dict[str, int]] = field(default_factory=dict)
    styles: list[str] = field(default_factory=list)
    pooled: dict[str, int] = field(default_factory=dict)
    dates: dict[str, tuple[bool | None, bool]] = field(default_factory=dict)
    large: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    mixed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """One sentence for each kind of note."""
        out = []
        if self.stray:
            n = sum(self.stray.values())
            what = "is no number or date there and counts" if n == 1 else "are no numbers or dates there and count"
            out.append(f"{count_of(n, 'value')} in {list_names(list(self.stray))} {what} as missing.")
        for name, words in self.words.items():
            shown = ", ".join(f"{shorten(word)!r} ({count_of(n, 'row')})" for word, n in words.items())
            out.append(f"{shorten(name)!r} holds words besides its values; they count as missing: {shown}.")
        if self.bounds:
            n = sum(self.bounds.values())
            what = "is a bound such as <5 and counts" if n == 1 else "are bounds such as <5 and count"
            out.append(f"{count_of(n, 'value')} in {list_names(list(self.bounds))} {what} as the number behind the sign.")
        for affix in dict.fromkeys(self.units.values()):
            names = [name for name, other in self.units.items() if other == affix]
            out.append(f"{list_names(names)}: numbers are written with {shorten(affix)!r} and read without it.")
        for name, units in self.mixed.items():
            out.append(
                f"{shorten(name)!r} is not read as numbers, since their units differ: {list_names(list(units), MOST_WORDS)}."
            )
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
        for day_first in (True, False):
            order = "day before month" if day_first else "month before day"
            if names := [name for name, (first, decided) in self.dates.items() if first is day_first and decided]:
                out.append(f"{list_names(names)}: dates are read with the {order}.")
            if names := [name for name, (first, decided) in self.dates.items() if first is day_first and not decided]:
                out.append(
                    f"{list_names(names)}: no date decides whether the day or the month comes first; they are read with the {order}."
                )
        return out


def read_column(column: Encoded, place: int, style: Style, forced: str | None, notes: Notes) -> tuple[ColumnReading, Column]:
    """The column as guessed, or of the type `forced`. Raises BadData where it cannot have that type."""
    reading = _guess_column(column, place, PLAIN if column.typed else style, forced, style, notes)
    marks = tuple(sorted(mark for mark in column.marks if mark))
    dropped = "" if reading.kind in FEATURES else reading.kind
    reading = replace(
        reading,
        guessed=forced is None,
        typed=column.typed,
        missing=marks,
        dropped=dropped,
        text_number=column.form if isinstance(column.form, NumberFormat) else None,
        text_date=column.form if isinstance(column.form, DateFormat) else None,
    )
    return reading, apply_column(column, reading, notes)


def apply_column(column: Encoded, reading: ColumnReading, notes: Notes | None = None) -> Column:
    """The column as a reading says. Texts that are no numbers or dates of its format count as missing; so do unknown levels, but
    where the reading has the level `other`, they are that one.
    """
    kind = reading.kind
    if kind == "numeric" and reading.number is not None:
        numerals = take_apart(column)
        return _make(column, reading, _spread(column, _bound_numbers(column, numerals, reading, notes)))
    if kind == "date" and reading.date is not None:
        days = dates.apply_dates(column, reading.date)
        if notes is not None:
            form = reading.text_date or reading.date
            if form.day_first is not None:
                notes.dates[reading.name] = (form.day_first, form.decided)
            _note_lost(column, days, reading.name, notes)
        return _make(column, reading, _spread(column, days))
    if kind == "boolean":
        folded = [fold_pair(reading.levels)] if len(reading.levels) == 2 else []
        values = np.array([_read_truth(text, reading.levels, folded) for text in column.list_texts()], np.float64)
        return _make(column, reading, _spread(column, values))
    if kind in ("categorical", "constant"):
        return _make(column, reading, _code_levels(column, reading))
    return _make(column, reading, column.codes)


def _make(column: Encoded, reading: ColumnReading, values: np.ndarray) -> Column:
    missing = int(np.isnan(values).sum()) if values.dtype == np.float64 else int((values < 0).sum())
    examples = tuple(text.as_py()[:60] for text in column.texts[:3])
    return Column(
        reading.name, reading.kind, values, tuple(reading.levels), missing, reading.guessed, examples, len(column.texts)
    )


def _spread(column: Encoded, values: np.ndarray) -> np.ndarray:
    """Value per text -> value per row."""
    rows: np.ndarray = np.append(values, np.nan)[column.codes]
    return rows


# ---- guessing


def _guess_column(
    column: Encoded, place: int, style: Style, forced: str | None, file_style: Style, notes: Notes
) -> ColumnReading:
    """Kind, formats and levels of a column."""

    def describe(kind: str, **more: object) -> ColumnReading:
        return ColumnReading(column.name, place, kind, **more)  # type: ignore[arg-type]

    present, texts = column.present, len(column.texts)
    if forced == "ignore":
        return describe("ignored")
    if not present:
        return describe("empty")
    if forced == "categorical":
        return _as_levels(column, place, notes)
    pair = find_pair(column)
    if forced == "boolean":
        if pair is None:
            raise BadData(f"Column {shorten(column.name)!r} cannot be read as yes and no: it does not hold two such values.")
        return describe("boolean", levels=pair)
    if forced == "date":
        forced_dates = dates.parse_dates(column, style.decimal, forced=True)
        if forced_dates is None:
            raise BadData(f"Column {shorten(column.name)!r} cannot be read as dates: fewer than half of its values are dates.")
        return describe("date", date=forced_dates.form)
    if forced == "numeric":
        guess = guess_format(take_apart(column), style)
        if not (np.abs(guess.values) <= LARGEST).any():
            raise BadData(
                f"Column {shorten(column.name)!r} cannot be read as numbers: none of its values can be computed with."
            )
        _note_style(column, guess, file_style, notes)
        return describe("numeric", number=guess.form)
    if texts == 1:
        # a mark in some rows and empty cells in the others are two values
        return describe("constant" if present == len(column.codes) else "categorical", levels=tuple(column.list_texts()))
    if column.levelled:
        return _as_levels(column, place, notes) if texts < present or present < FEW else describe("id")
    if pair is not None:
        return describe("boolean", levels=pair)
    when = dates.parse_dates(column, file_style.decimal, forced=False)
    if when is not None:
        return describe("date", date=when.form, words=tuple(_list_words(column, when.days)))
    numerals = take_apart(column)
    if len(numerals.index):
        guess = guess_format(numerals, style)
        if _are_numbers(column, numerals, guess) and not are_codes(column):
            return _as_numbers(column, place, numerals, guess, file_style, notes)
        if guess.units:
            notes.mixed[column.name] = guess.units
    if present >= FEW and texts == present:
        return describe("id" if not _is_free_text(column) else "text")
    if present >= FEW and (2 * texts > present or (texts > MANY_LEVELS and texts * 5 > present)):
        return describe("text")
    return _as_levels(column, place, notes)


def _are_numbers(column: Encoded, numerals: Numerals, guess: Guess) -> bool:
    """Whether nearly all values are numbers; or half of them, many different ones among a few words."""
    known = ~np.isnan(guess.values)
    rows = int(column.counts[known].sum())
    if not rows:
        return False
    bounded = np.zeros(len(known), bool)
    bounded[numerals.index] = numerals.bounded
    # <18 and >=18 are levels
    if (bounded & known).sum() > max(2, len(np.unique(guess.values[known & ~bounded]))):
        return False
    if (known & ~bounded).sum() == 0:
        return False
    if rows >= MOSTLY * column.present:
        return True
    return 2 * rows >= column.present and len(np.unique(guess.values[known])) > FEW and int((~known).sum()) <= MOST_WORDS


def _as_numbers(
    column: Encoded, place: int, numerals: Numerals, guess: Guess, file_style: Style, notes: Notes
) -> ColumnReading:
    """A column of numbers. It is an ID where they only count rows, constant where all are equal, and has levels where some are
    words.
    """
    present, values = column.present, guess.values
    known = values[np.abs(values) <= LARGEST]
    stray = int(np.isnan(values).sum())
    if not len(known):
        return ColumnReading(column.name, place, "text")  # all are too large to compute with
    if stray and len(known) <= FEW:
        return _as_levels(column, place, notes)
    bare = not (guess.form.before or guess.form.after or column.pointed) and not match_texts(numerals.bodies, "[eE]").any()
    whole = bare and guess.form.places == 0 and not _has_point(numerals, guess) and bool((known == np.floor(known)).all())
    if whole and not stray:
        different = len(np.unique(known))
        if different == present and INDEX_NAME.fullmatch(column.name):
            return ColumnReading(column.name, place, "id")
        lengths = {len(text) for text in column.list_texts()} if different == present else set()
        if len(lengths) == 1 and min(lengths) >= LONG_ID:
            return ColumnReading(column.name, place, "id")
        if present >= FEW:
            counts_rows = different == present >= MOSTLY * len(column.codes) and np.ptp(known) == present - 1
            called = ID_NAME.search(column.name) is not None and different >= MOSTLY * present
            beyond = bool((np.abs(known) > EXACT).any())
            if counts_rows or called or (beyond and 2 * len(column.texts) > present):
                return ColumnReading(column.name, place, "id")
            if beyond:
                return _as_levels(column, place, notes)
    if len(np.unique(known)) == 1 and present == len(column.codes) and len(known) == len(values):
        return ColumnReading(column.name, place, "constant", levels=tuple(column.list_texts()[:1]))
    words = _list_words(column, values)
    _note_style(column, guess, file_style, notes)
    return ColumnReading(column.name, place, "numeric", number=guess.form, words=tuple(words))


def _has_point(numerals: Numerals, guess: Guess) -> bool:
    """Whether a number is written with a decimal mark, as in 1.0."""
    return bool(match_texts(numerals.bodies, re.escape(guess.form.decimal)).any())


def _list_words(column: Encoded, values: np.ndarray) -> dict[str, int]:
    """Texts among numbers with their rows, where they are few."""
    at = np.flatnonzero(np.isnan(values))
    if len(at) > MOST_WORDS:
        return {}
    return {column.texts[int(i)].as_py(): int(column.counts[i]) for i in at}


def _note_lost(column: Encoded, values: np.ndarray, name: str, notes: Notes) -> None:
    """Names the words among numbers or dates, or counts what is none."""
    if words := _list_words(column, values):
        notes.words[name] = words
    elif n := int(column.counts[np.isnan(values)].sum()):
        notes.stray[name] = n


def _note_style(column: Encoded, guess: Guess, file_style: Style, notes: Notes) -> None:
    if guess.differs:
        notes.styles.append(column.name)
    if affix := (guess.form.before or guess.form.after).strip():
        notes.units[column.name] = affix


def _as_levels(column: Encoded, place: int, notes: Notes) -> ColumnReading:
    """A column of levels; the rarest are merged where there are too many."""
    pad = 0
    if are_codes(column):
        lengths = {len(text) for text in column.list_texts()}
        pad = lengths.pop() if len(lengths) == 1 else 0
    if len(column.texts) <= MANY_LEVELS:
        return ColumnReading(column.name, place, "categorical", levels=tuple(column.list_texts()), pad=pad)
    notes.pooled[column.name] = len(column.texts)
    kept: list[str] = column.texts[: MANY_LEVELS - 1].to_pylist()
    other = OTHER
    while other in kept:
        other = f"({other})"
    return ColumnReading(column.name, place, "categorical", levels=(*kept, other), other=other, pad=pad)


def find_pair(column: Encoded) -> tuple[str, str] | None:
    """The most frequent texts of 0 and 1, where the texts are one of PAIRS."""
    if not 2 <= len(column.texts) <= 8:
        return None
    texts = column.list_texts()
    folded = [text.casefold() for text in texts]
    for no, yes in PAIRS:
        if set(folded) == {no, yes}:
            return texts[folded.index(no)], texts[folded.index(yes)]
    return None


def are_codes(column: Encoded) -> bool:
    """Whether the texts are digits, some with leading zeros: codes such as 01067, not numbers."""
    if not count_matches(column, r"^0[0-9]+$"):
        return False
    return bool(match_texts(column.texts, r"^[0-9]+$").all())


def _is_free_text(column: Encoded) -> bool:
    """Whether most of the first texts have several words, or are long."""
    first = column.texts[:100].to_pylist()
    return 2 * sum(" " in text or len(text) > 64 for text in first) > len(first)


# ---- applying


def _bound_numbers(column: Encoded, numerals: Numerals, reading: ColumnReading, notes: Notes | None) -> np.ndarray:
    """The numbers [distinct texts]; those that are too large become missing. Notes say so, and name bounds and words."""
    assert reading.number is not None
    values = numerals.parse(reading.number)
    large = np.isinf(values) | (np.abs(np.where(np.isnan(values), 0, values)) > LARGEST)
    if notes is not None:
        name = reading.name
        if n := int(column.counts[large].sum()):
            notes.large[name] = n
        bounded = np.zeros(len(values), bool)
        bounded[numerals.index] = numerals.bounded
        if n := int(column.counts[bounded & ~np.isnan(values)].sum()):
            notes.bounds[name] = n
        _note_lost(column, values, name, notes)
    return np.where(large, np.nan, values)


def fold_pair(levels: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """All words of false and of true that go with these two levels, folded."""
    no, yes = (level.casefold() for level in levels)
    falses, trues = {no}, {yes}
    if any((no, yes) == pair for pair in PAIRS):
        falses |= {"0", "no", "false"}
        trues |= {"1", "yes", "true"}
    return frozenset(falses), frozenset(trues)


def _read_truth(text: str, levels: tuple[str, ...], folded: list[tuple[frozenset[str], frozenset[str]]]) -> float:
    """1, 0 or NaN. Spellings of other pairs count too, as pandas may have written them."""
    word = text.casefold()
    if re.fullmatch(r"[01]\.0+", word):
        word = word[0]
    for no, yes in folded:
        if word in no or word in yes:
            return float(word in yes)
    return np.nan


def _code_levels(column: Encoded, reading: ColumnReading) -> np.ndarray:
    """int64 [n]: codes into the levels."""
    codes = {level: i for i, level in enumerate(reading.levels)}
    numbers = _number_levels(reading.levels)
    unknown = codes[reading.other] if reading.other else UNKNOWN
    of_text = []
    for text in column.list_texts():
        if reading.pad and text.isdigit():
            text = text.zfill(reading.pad)
        code = codes.get(text, -1) if text != reading.other or not reading.other else unknown
        if code < 0 and numbers and (value := as_number(text)) is not None:
            code = numbers.get(value, -1)
        of_text.append(unknown if code < 0 else code)
    if reading.kind == "constant" and len(column.texts) > 1:
        of_text = [0] * len(of_text)  # equal numbers may be written differently
    out: np.ndarray = np.array([*of_text, -1], np.int64)[column.codes]
    return out


def _number_levels(levels: tuple[str, ...]) -> dict[float, int]:
    """Number -> code where all levels are numbers and differ: 1.0 is the level 1. Empty otherwise."""
    values = [as_number(level) for level in levels]
    out = {value: i for i, value in enumerate(values) if value is not None}
    return out if len(out) == len(levels) else {}


def as_number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) and text.isascii() else None
