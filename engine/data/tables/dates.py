"""Parses dates in their usual notations, as days since 1970-01-01 UTC. Each distinct text once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.tables.texts import LETTERS, MOSTLY, Encoded, extract_parts, match_texts
from engine.spec.table_reading import DateFormat

_MONTHS = (
    *(
        "jan january januar janvier janv enero ene gennaio gen janeiro januari",
        "feb february februar février févr fev febrero febbraio",
    ),
    *("mar march märz mär mrz mars marzo março maart", "apr april avril avr abril abr aprile"),
    *("may mai mayo maggio mag maio mei", "jun june juni juin junio giugno giu junho"),
    *("jul july juli juillet juil julio luglio lug julho", "aug august août aout agosto ago augustus"),
    *(
        "sep sept september septembre septiembre settembre set setembro",
        "oct october okt oktober octobre octubre ottobre ott outubro",
    ),
    *("nov november novembre noviembre novembro", "dec december dez dezember décembre déc diciembre dic dicembre dezembro dez"),
)
MONTHS = {word: i for i, words in enumerate(_MONTHS, 1) for word in words.split()}
"""Names of months in English, German, French, Spanish, Italian, Portuguese and Dutch, with their short forms."""

ZONES = {
    **{
        "Z": 0,
        "UT": 0,
        "UTC": 0,
        "GMT": 0,
        "WET": 0,
        "WEST": 1,
        "BST": 1,
        "CET": 1,
        "MEZ": 1,
        "CEST": 2,
        "MESZ": 2,
        "EET": 2,
        "EEST": 3,
    },
    **{"IST": 5.5, "PKT": 5, "NPT": 5.75, "WIB": 7, "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "NZST": 12, "NZDT": 13},
    **{"SAST": 2, "WAT": 1, "EAT": 3, "CAT": 2, "TRT": 3, "BRT": -3, "ART": -3, "AKST": -9, "AKDT": -8, "HST": -10},
    **{"MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "KST": 9},
    **{"AEST": 10, "AEDT": 11, "HKT": 8, "SGT": 8},
}
"""Hours ahead of UTC of zone words."""

_WORD = rf"(?P<b>[{LETTERS}]{{3,10}})\.?"
_DAY, _MONTH, _YEAR, _SHORT = "(?P<d>[0-9]{1,2})", "(?P<m>[0-9]{1,2})", "(?P<Y>[0-9]{4})", "(?P<y>[0-9]{2})"
_WEEKDAY = r"^(?:(?i:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?i:day|nesday|sday|rsday|urday)?[.,]? +)?"
_CLOCK = (
    r"(?:(?:T|,? +|:)(?:(?P<H>[0-9]{1,2})[:.]?(?P<M>[0-9]{2})(?:[:.]?(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?|(?P<h>[0-9]{1,2}))"
    r"(?: ?(?:Uhr|h))?(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?"
    r"(?: ?(?P<z>(?:UTC|GMT)?[+\-][0-9]{1,2}(?::?[0-9]{2})?|[A-Z]{1,4})(?: (?:\(?[A-Z]{3,4}\)?))?)?)?$"
)


@dataclass(frozen=True)
class Family:
    """One notation of a day. forms: its possible formats, the first the one with a decimal comma. whole: the pattern matches the
    clock too.
    """

    forms: tuple[str, ...]
    pattern: str
    whole: bool = False


def _swapped(separator: str, year: str) -> Family:
    s = re.escape(separator)
    y = "%Y" if year == _YEAR else "%y"
    forms = tuple(separator.join(order) for order in (("%d", "%m", y), ("%m", "%d", y)))
    return Family(forms, f"{_DAY}{s}{_MONTH}{s}{year}")


FAMILIES = (
    Family(("%Y-%m-%d",), f"{_YEAR}-{_MONTH}-{_DAY}"),
    Family(("%Y/%m/%d",), f"{_YEAR}/{_MONTH}/{_DAY}"),
    Family(("%Y.%m.%d",), rf"{_YEAR}\.{_MONTH}\.{_DAY}\.?"),
    *(_swapped(s, year) for year in (_YEAR, _SHORT) for s in (".", "/", "-")),
    *(
        Family((f"%d{s}%b{s}{y}",), rf"{_DAY}(?:st|nd|rd|th|\.)?{p}{_WORD}{q}{year}")
        for y, year in (("%Y", _YEAR), ("%y", _SHORT))
        for s, p, q in (
            ("-", "-", "-"),
            (" ", r" (?:de )?", r",? (?:de )?"),
            ("/", "/", "/"),
            ("", "", ""),
            (".", r"\.", r"\."),
        )
    ),
    Family(("%b %d, %Y",), rf"{_WORD} {_DAY}(?:st|nd|rd|th)?, {_YEAR}"),
    Family(("%b %d %Y",), rf"{_WORD} {_DAY}(?:st|nd|rd|th)? {_YEAR}"),
    Family(("%b-%d-%Y",), rf"{_WORD}-{_DAY}-{_YEAR}"),
    Family(("%Y-%b-%d",), rf"{_YEAR}-{_WORD}-{_DAY}"),
    Family(("%Y %b %d",), rf"{_YEAR} {_WORD} {_DAY}"),
    Family(
        ("%a %b %d %H:%M:%S %Y",),
        rf"{_WORD} {{1,2}}{_DAY} (?P<H>[0-9]{{2}}):(?P<M>[0-9]{{2}}):(?P<S>[0-9]{{2}})(?P<f>)(?P<h>)(?P<p>)"
        rf"(?: (?P<z>[+\-][0-9]{{2}}:?[0-9]{{2}}|[A-Z]{{1,4}}))? {_YEAR}$",
        whole=True,
    ),
    Family(("%Y%m%d",), r"(?P<Y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"),
)
"""All notations. The last one is a whole number too and is tried only where a person says that there are dates, or with a clock."""

COMPACT = FAMILIES[-1]


FEW, MOST_WORDS = 20, 5
"""Among more than FEW different dates, up to MOST_WORDS different words count as missing."""


@dataclass(frozen=True)
class Dates:
    """days [distinct texts] since 1970-01-01, NaN where a text is no date of this format."""

    days: np.ndarray
    form: DateFormat


def parse_dates(column: Encoded, decimal: str, forced: bool) -> Dates | None:
    """The dates of a column, or None where few are dates. decimal: the file's decimal mark; where nothing tells the order of day
    and month, the month is first with a point and the day with a comma. forced: a person says that there are dates.
    """
    total = column.present
    head = column.texts[:200]
    best: tuple[int, Family] | None = None
    for family in FAMILIES:
        if not match_texts(head, _whole(family)).any():
            continue
        fits = match_texts(column.texts, _whole(family))
        if family is COMPACT and not forced:
            fits &= match_texts(column.texts, "[T ]")
        n = int(column.counts[fits].sum())
        if n and (best is None or n > best[0]):
            best = n, family
    if best is None or best[0] < 0.5 * total:
        return None
    family = best[1]
    parts = _Parts(column, family)
    form = _choose_form(parts, family, decimal)
    days = parts.days(form)
    known = np.isfinite(days)
    rows = column.counts[known].sum()
    if rows >= MOSTLY * total or (rows >= 0.5 * total and (forced or (known.sum() > FEW and (~known).sum() <= MOST_WORDS))):
        return Dates(days, form)
    return None


def apply_dates(column: Encoded, form: DateFormat) -> np.ndarray:
    """days [distinct texts] of this format, NaN for other texts."""
    bare = form.format.replace("%-", "%").replace("%B", "%b")
    for family in FAMILIES:
        if any(_starts(bare, known) for known in family.forms):
            return _Parts(column, family).days(form)
    return np.full(len(column.texts), np.nan)


def _starts(form: str, known: str) -> bool:
    return form == known or (form.startswith(known) and form[len(known)] in "T ,:")


def _whole(family: Family) -> str:
    return _WEEKDAY + family.pattern + ("" if family.whole else _CLOCK)


class _Parts:
    """The texts of a family, taken apart. index [k] into the distinct texts."""

    def __init__(self, column: Encoded, family: Family) -> None:
        import pyarrow as pa

        self.size = len(column.texts)
        fits = match_texts(column.texts, _whole(family))
        self.index = np.flatnonzero(fits)
        self.counts = column.counts[self.index]
        self.texts = column.texts.filter(pa.array(fits))
        self.part: Mapping[str, Any] = extract_parts(self.texts, _whole(family))[1]

    def whole(self, name: str, absent: int = 0) -> np.ndarray:
        """int64 [k]: a part as a number, `absent` where it is empty."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self.part:
            return np.full(len(self.index), absent)
        texts = self.part[name]
        texts = pc.if_else(pc.equal(texts, ""), str(absent), texts)
        out: np.ndarray = pc.cast(texts, pa.int64()).to_numpy(zero_copy_only=False)
        return out

    def filled(self, name: str) -> np.ndarray:
        """bool [k]: where a part is there."""
        import pyarrow.compute as pc

        out: np.ndarray = pc.not_equal(self.part[name], "").to_numpy(zero_copy_only=False)
        return out

    def order(self, form: str) -> tuple[np.ndarray, np.ndarray]:
        """(months, days) [k] in the order of a format."""
        first, second = self.whole("d"), self.whole("m")
        bare = form.replace("%-", "%")
        return (first, second) if 0 <= bare.find("%m") < bare.find("%d") and "%Y-%m" not in bare[:5] else (second, first)

    def date_parts(self, form: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(year, month, day) [k]; month 0 where a word is none."""
        if "y" in self.part:
            year = self.whole("y")
            year = np.where(year >= 69, 1900 + year, 2000 + year)
        else:
            year = self.whole("Y")
        if "b" in self.part:
            words = [MONTHS.get(word.casefold(), 0) for word in self.part["b"].to_pylist()]
            return year, np.array(words, np.int64), self.whole("d")
        bare = form.replace("%-", "%")
        if bare.find("%Y") == 0:
            return year, self.whole("m"), self.whole("d")
        return (year, *self.order(form))

    def days(self, form: DateFormat) -> np.ndarray:
        """float64 [distinct texts]."""
        out = np.full(self.size, np.nan)
        if not len(self.index):
            return out
        year, month, day = self.date_parts(form.format)
        right = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
        month_start = (np.where(right, year, 1970) - 1970) * 12 + np.where(right, month, 1) - 1
        starts = month_start.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        ends = (month_start + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        right &= day <= ends - starts
        seconds, fits = self.seconds()
        days = starts + day - 1 + seconds / 86400
        out[self.index] = np.where(right & fits, days, np.nan)
        return out

    def seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """(seconds after midnight UTC [k], whether the clock is one)."""
        lone = self.filled("h")
        hour = np.where(lone, self.whole("h"), self.whole("H"))
        half = [word.lower() for word in self.part["p"].to_pylist()]
        am, pm = np.array([w == "a" for w in half], bool), np.array([w == "p" for w in half], bool)
        fits = ~lone | am | pm
        fits &= np.where(am | pm, (hour >= 1) & (hour <= 12), hour < 24)
        hour = np.where(am | pm, hour % 12 + 12 * pm, hour)
        minute, second = self.whole("M"), self.whole("S")
        fits &= (minute < 60) & (second < 60)
        parts = self.part["f"].to_pylist()
        fraction = np.array([float(f"0.{f}") if f else 0.0 for f in parts]) if any(parts) else 0.0
        offsets: dict[str, float | None] = {}
        zones = self.part["z"].to_pylist()
        for zone in set(zones):
            offsets[zone] = _parse_zone(zone)
        known = np.array([offsets[zone] is not None for zone in zones], bool)
        shift = np.array([offsets[zone] or 0.0 for zone in zones])
        clock = self.filled("H") | lone
        fits &= known & (clock | np.array([not zone for zone in zones], bool))
        return hour * 3600 + minute * 60 + second + fraction - shift, fits


def _parse_zone(zone: str) -> float | None:
    """Seconds ahead of UTC; None for an unknown word."""
    if not zone:
        return 0.0
    if found := re.fullmatch(r"(?:UTC|GMT)?([+\-])([0-9]{1,2})(?::?([0-9]{2}))?", zone):
        seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
        return float(-seconds if found[1] == "-" else seconds)
    return None if zone not in ZONES else 3600.0 * ZONES[zone]


def _choose_form(parts: _Parts, family: Family, decimal: str) -> DateFormat:
    """The format of most texts, with the order of day and month that the values decide."""
    day_first: bool | None = None
    decided = True
    form = family.forms[0]
    if len(family.forms) > 1:
        first, second = parts.whole("d"), parts.whole("m")
        days = int(parts.counts[(first > 12) & (second <= 12)].sum())
        months = int(parts.counts[(second > 12) & (first <= 12)].sum())
        if days != months:
            day_first = days > months
        else:  # a date with points has the day first everywhere
            day_first, decided = decimal == "," or "." in form, "." in form
        form = family.forms[0 if day_first else 1]
    if family.whole:
        return DateFormat(form, None, True, "offset" if parts.filled("z").any() else "")
    unpadded = parts.part["d"].to_pylist()
    if any(len(text) == 1 for text in unpadded):
        form = form.replace("%d", "%-d")
    if "m" in parts.part and any(len(text) == 1 for text in parts.part["m"].to_pylist()):
        form = form.replace("%m", "%-m")
    if "b" in parts.part and any(len(word) > 4 for word in parts.part["b"].to_pylist()):
        form = form.replace("%b", "%B")
    form += _describe_clock(parts)
    zone = "offset" if parts.filled("z").any() else ""
    return DateFormat(form, day_first, decided, zone)


CLOCKS = 2_000
"""Distinct texts whose clocks are looked at."""


def _describe_clock(parts: _Parts) -> str:
    """The clock of most of the first texts, as for strptime, with what stands before it."""
    counter: Counter[str] = Counter()
    columns = [parts.part[name][:CLOCKS].to_pylist() for name in ("H", "M", "S", "f", "h", "p", "z")]
    for text, n, hour, _, second, fraction, lone, half, zone in zip(
        parts.texts[:CLOCKS].to_pylist(), parts.counts[:CLOCKS], *columns, strict=True
    ):
        if not hour and not lone:
            counter[""] += int(n)
            continue
        before = re.search(rf"(T|,? +|:){hour or lone}([:.]?)", text)
        clock = "%I" if half else "%H"
        if len(hour or lone) == 1:
            clock = clock.replace("%", "%-")
        colon = ":" if before is None or before[2] else ""
        clock += ("" if lone else f"{colon}%M") + (f"{colon}%S" if second else "") + (".%f" if fraction else "")
        if half:
            after = re.search(r"( ?)[AaPp]\.?[Mm]", text)
            clock += (after[1] if after else " ") + "%p"
        if zone:
            clock += (" " if f" {zone}" in text else "") + ("%Z" if zone.isalpha() else "%z")
        counter[(before[1] if before else " ") + clock] += int(n)
    return counter.most_common(1)[0][0] if counter else ""
