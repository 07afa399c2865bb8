"""Detects how numbers are written, and parses them: with signs, groups, bounds, units, currencies. Each distinct text once."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.data.tables.texts import LETTERS, MOSTLY, Encoded, extract_parts, match_texts
from engine.spec.table_reading import NumberFormat

MINUS = "\\-\u2010-\u2013\u2212\ufe63\uff0d"
WIDE = "\u00a0\u202f"
BLANK = f"[ {WIDE}]"
SIGNS = "$\u00a2-\u00a5\u058f\u060b\u09f2\u09f3\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20c0\ufdfc\ufe69\uff04\uffe0\uffe1\uffe5\uffe6"
"""Currency signs (Unicode Sc), for a character class that RE2 and Python take alike."""
SPACES = (" ", "\u00a0", "\u202f")
GROUPS = (",", ".", "'", "’", *SPACES)
"""Separators of thousands, each with its variants: spaces of three kinds, apostrophes of two."""

_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
    "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR "
    "PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL BTC ETH "
)
CURRENCIES = frozenset(_CODES.split())
"""Codes of ISO 4217 and two more. Other three capitals before a whole number are part of a code, such as LOT 123."""

WORDS = ("kr", "kr.", "Kr", "Kr.", "Fr.", "Fr", "Rs", "Rs.", "zł", "Kč", "Ft", "lei", "лв", "TL")
"""Currencies that are neither a sign nor three capitals."""

_BODY = rf"(?:[0-9](?:[0-9.,'’{WIDE} ]*[0-9.,])?|[.,][0-9]+)(?:[eE][+\-]?[0-9]+)?"
PLAIN_BODY = r"^[+\-]?(?:[0-9][0-9.,]*|[.,][0-9]+)(?:[eE][+\-]?[0-9]+)?$"
INFINITE = r"^[+\-]?(?i:inf|infinity)$"

_COIN = rf"[A-Z]{{0,3}}[{SIGNS}]|[A-Z]{{3}}|" + "|".join(re.escape(w) for w in WORDS)
_SYMBOLS = "°\u2103\u2109\u2126µμ%‰′″"
_PART = rf"/?[{LETTERS}{_SYMBOLS}][{LETTERS}23°µμ%‰/²³·^.]*(?:-[{LETTERS}]+)*"
_POWER = rf"(?:[x×*·] ?)?10(?:\^|\*\*?|[eE])?(?:[0-9]{{1,2}}|[⁰¹²³⁴-⁹]{{1,2}}) ?{_PART}"
"""Powers of ten in units of laboratories: 10^9/L, x10^3/uL."""
_AREA = rf"[{LETTERS}µμ]+(?:/[{LETTERS}]+)*/(?:\(?1[.,]73 ?m(?:\^?2|²)\)?)"
"""A rate for the standard surface of a body: mL/min/1.73m2."""
_UNIT = rf"(?:{_AREA}|{_POWER}|{_PART}(?: \(?{_PART}\)?)?)"
AFFIXED = (
    rf"^(?P<bound>(?:<=|>=|=<|=>|<|>|≤|≥){BLANK}?)?"
    rf"(?P<sign1>[+{MINUS}]{BLANK}?)?"
    rf"(?P<before>(?:{_COIN}){BLANK}?)?"
    rf"(?P<open>\({BLANK}?)?"
    rf"(?P<before2>(?:{_COIN}){BLANK}?)?"
    rf"(?P<sign2>[+{MINUS}]{BLANK}?)?"
    rf"(?P<body>{_BODY})"
    rf"(?P<behind>{BLANK}?[{MINUS}])?"
    rf"(?P<after>{BLANK}?(?:[A-Z]{{0,3}}[{SIGNS}](?:/{_PART})?|{_UNIT}))?"
    rf"(?P<behind2>{BLANK}?[{MINUS}])?"
    rf"(?P<close>{BLANK}?\))?"
    rf"(?P<after2>{BLANK}?(?:[{SIGNS}]|[A-Z]{{3}}|%))?$"
)
"""A number with what may stand around it."""

GUESS_ROWS = 2_000
"""Distinct texts that are looked at before all are taken apart."""


@dataclass(frozen=True)
class Style:
    """How numbers are written. thousands: "" where they are not grouped."""

    decimal: str
    thousands: str


PLAIN = Style(".", "")


def _group(thousands: str) -> str:
    """A pattern of the thousands separator and its variants."""
    if thousands in SPACES:
        return BLANK
    return r"['’]" if thousands in ("'", "’") else re.escape(thousands)


def _match_body(style: Style) -> str:
    """A pattern of unsigned numbers in this style. Commas may group as in India: 12,34,567."""
    d = re.escape(style.decimal)
    whole = "[0-9]+"
    if style.thousands:
        t = _group(style.thousands)
        indian = rf"|[0-9]{{1,2}}(?:{t}[0-9]{{2}})+{t}[0-9]{{3}}" if style.thousands == "," else ""
        whole = rf"(?:[0-9]{{1,3}}(?:{t}[0-9]{{3}})+{indian}|[0-9]+)"
    return rf"^(?:{whole}(?:{d}[0-9]*)?|{d}[0-9]+)(?:[eE][+\-]?[0-9]+)?$"


class Numerals:
    """The texts of a column that look like numbers, taken apart.

    index [k]: their numbers among the distinct texts. bodies: pyarrow strings [k] without sign and affixes. negative, bounded,
    bracketed, behind: bool [k]. before, after [k]: affixes without blanks, "" where there are none; raw_before, raw_after with
    them.
    """

    def __init__(self, column: Encoded) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.column = column
        texts = column.texts
        plain = match_texts(texts, PLAIN_BODY)
        others = np.flatnonzero(~plain)
        if len(others) > GUESS_ROWS and not match_texts(texts.take(pa.array(others[:GUESS_ROWS])), AFFIXED).any():
            others = others[:0]
        hits, part = extract_parts(texts.take(pa.array(others, pa.int64())), AFFIXED)
        others = others[hits]
        first = np.flatnonzero(plain)
        self.index = np.concatenate([first, others])
        signed = texts.take(pa.array(first, pa.int64()))
        bare = pc.replace_substring_regex(signed, r"^[+\-]", "")
        self.bodies = pa.concat_arrays([bare.cast(pa.string()), part["body"].cast(pa.string())])

        def filled(*names: str) -> np.ndarray:
            out = np.zeros(len(others), bool)
            for name in names:
                out |= pc.greater(pc.utf8_length(part[name]), 0).to_numpy(zero_copy_only=False)
            return out

        def minus(*names: str) -> np.ndarray:
            out = np.zeros(len(others), bool)
            for name in names:
                out |= match_texts(part[name], f"[{MINUS}]")
            return out

        brackets = filled("open") & filled("close")
        broken = (
            (filled("open") != filled("close")) | (filled("before") & filled("before2")) | (filled("after") & filled("after2"))
        )
        broken |= filled("after2") & ~brackets
        trailing = minus("behind", "behind2")
        # 49,- and 49.– are whole amounts, no negative ones
        trailing &= ~match_texts(part["body"], "[.,]$")
        # what stands behind "12-" is no unit but a currency: 12-Jan is no number
        broken |= minus("behind") & filled("after") & ~match_texts(part["after"], rf"[{SIGNS}]|^{BLANK}?[A-Z]{{3}}$")
        self.negative = np.concatenate([match_texts(signed, "^-"), minus("sign1", "sign2") | brackets | trailing])
        none = np.zeros(len(first), bool)
        self.bounded = np.concatenate([none, filled("bound")])
        self.bracketed = np.concatenate([none, brackets])
        self.trailing = np.concatenate([none, trailing])
        blank = np.full(len(first), "", object)
        before, after = _join(part["before"], part["before2"]), _join(part["after"], part["after2"])
        self.raw_before, self.raw_after = np.concatenate([blank, before]), np.concatenate([blank, after])
        self.before = np.concatenate([blank, _strip(before)])
        self.after = np.concatenate([blank, _strip(after)])
        # capitals that are no currency before a whole number are part of a code: LOT123
        codes = np.array([b.isalpha() and b.isascii() and b.isupper() and b not in CURRENCIES for b in _strip(before)], bool)
        self.broken = np.concatenate([none, broken | (codes & ~match_texts(part["body"], "[.,]"))])

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each."""
        out: np.ndarray = self.column.counts[self.index]
        return out

    def parse_bodies(self, style: Style) -> np.ndarray:
        """float64 [k] with their signs; NaN for those of another style, inf for those that are too large."""
        import pyarrow as pa
        import pyarrow.compute as pc

        out = np.full(len(self.index), np.nan)
        fits = match_texts(self.bodies, _match_body(style)) & ~self.broken
        if fits.any():
            bare = self.bodies.filter(pa.array(fits))
            if style.thousands:
                bare = pc.replace_substring_regex(bare, _group(style.thousands), "")
            if style.decimal != ".":
                bare = pc.replace_substring(bare, style.decimal, ".")
            out[fits] = pc.cast(bare, pa.float64()).to_numpy(zero_copy_only=False)
        signed: np.ndarray = np.where(self.negative, -out, out)
        return signed

    def count_affixes(self, values: np.ndarray) -> tuple[Counter[str], Counter[str]]:
        """Rows of every affix before and behind the numbers among `values` [k]; of spellings of one unit, the commonest."""
        known = ~np.isnan(values)
        out: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for affixes, counter in zip((self.before, self.after), out, strict=True):
            some = known & (affixes != "")
            for affix, n in zip(affixes[some], self.counts[some], strict=True):
                counter[affix] += int(n)
        return _merge_spellings(out[0]), _merge_spellings(out[1])

    def parse(self, form: NumberFormat) -> np.ndarray:
        """float64 [distinct texts]: the numbers of this format; NaN for other texts."""
        values = self.parse_bodies(Style(form.decimal, form.thousands))
        known = _fit_affix(self.before, form.before) & _fit_affix(self.after, form.after)
        out = np.full(len(self.column.texts), np.nan)
        out[self.index] = np.where(known, values, np.nan)
        infinite = np.flatnonzero(np.isnan(out))
        if len(infinite) <= GUESS_ROWS:
            import pyarrow as pa

            out[infinite[match_texts(self.column.texts.take(pa.array(infinite, pa.int64())), INFINITE)]] = np.inf
        return out

    def parse_bare(self, style: Style) -> np.ndarray:
        """float64 [distinct texts]: the numbers without an affix or bound in this style; NaN for other texts."""
        bare = (self.before == "") & (self.after == "") & ~self.bounded
        out = np.full(len(self.column.texts), np.nan)
        out[self.index] = np.where(bare, self.parse_bodies(style), np.nan)
        return out


def take_apart(column: Encoded) -> Numerals:
    """The column's numerals, kept with it."""
    if column.numerals is None:
        column.numerals = Numerals(column)
    out: Numerals = column.numerals
    return out


def bare_format(style: Style) -> NumberFormat:
    """The format of numbers without affixes."""
    return NumberFormat(style.decimal, style.thousands)


def parse_marks(marks: Sequence[str], style: Style) -> set[float]:
    """The marks that are numbers, written in the file's style or plainly."""
    out = set()
    for mark in marks:
        bare = re.sub(f"^[{MINUS}]", "-", mark.strip())
        if style.decimal == "," and "," in bare:
            bare = bare.replace(".", "").replace(",", ".")
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", bare):
            out.add(float(bare))
    return out


def drop_marked_numbers(column: Encoded, marks: Sequence[str], style: Style) -> Encoded:
    """The column with the numbers among the marks counted as missing, however they are written: with the column's unit or currency
    too, where nearly all of its numbers have it.
    """
    numbers = parse_marks(marks, style)
    if not numbers or not len(column.texts):
        return column
    parts = take_apart(column)
    style = PLAIN if column.typed else style
    values = parts.parse_bare(style)
    affixes = parts.count_affixes(parts.parse_bodies(style))
    before, after = (next(iter(counter), "") if len(counter) == 1 else "" for counter in affixes)
    if max(affixes[0][before], affixes[1][after]) >= MOSTLY * max(1, parts.counts.sum()):
        values = parts.parse(NumberFormat(style.decimal, style.thousands, before, after))
        values[parts.index[parts.bounded]] = np.nan
    return column.without(np.isin(values, list(numbers)))


def _join(one: Any, two: Any) -> np.ndarray:
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(one, two, "")
    out: np.ndarray = joined.to_numpy(zero_copy_only=False).astype(object)
    return out


def _strip(affixes: np.ndarray) -> np.ndarray:
    return np.array([a.strip(f" {WIDE}") for a in affixes], object) if len(affixes) else affixes


MEGA = re.compile(r"[mM](?:Wh?|V|VA|Hz|Pa|J|N|A|Bq|Ω|\u2126)(?![A-Za-z])")
"""Units whose first letter says milli or mega."""


def fold_unit(affix: str) -> str:
    """One text for all spellings of a unit or currency in capital and small letters: kg, KG, Kg. mW and MW are two units."""
    return affix[0] + affix[1:].casefold() if MEGA.match(affix) else affix.casefold()


def _merge_spellings(counter: Counter[str]) -> Counter[str]:
    """The affixes with the rows of all their spellings, under the commonest spelling."""
    commonest: dict[str, str] = {}
    out: Counter[str] = Counter()
    for affix, n in counter.most_common():
        out[commonest.setdefault(fold_unit(affix), affix)] += n
    return out


def _fit_affix(affixes: np.ndarray, of: str) -> np.ndarray:
    """bool [k]: which affixes are none, or a spelling of that of a format."""
    wanted = fold_unit(of.strip())
    fits: np.ndarray = affixes == ""
    for affix in set(affixes[~fits].tolist()):
        if fold_unit(affix) == wanted:
            fits |= affixes == affix
    return fits


def find_style(columns: Sequence[Numerals], delimiter: str | None, decimal: str | None, thousands: str | None) -> Style:
    """The style of most columns whose numbers fit only one style; where there are none, of the other columns."""
    columns = [one for one in columns if not one.column.typed]
    heads = [one.bodies[:GUESS_ROWS] for one in columns]
    if decimal is None:
        comma, point = 0, 0
        for one in columns:
            c, p = count_evidence(one)
            comma, point = comma + (c > p), point + (p > c)
        grouped = comma == point and any(match_texts(head, r"^[0-9]{1,3},[0-9]{3}$").any() for head in heads)
        decimal = "," if comma > point or (grouped and delimiter == ";") else "."
        if thousands == decimal:
            decimal = "," if thousands == "." else "."
    if thousands is None:
        seen = {
            t: sum(int(match_texts(head, _match_grouped(t, decimal)).sum()) for head in heads) for t in GROUPS if t != decimal
        }
        thousands = max(seen, key=lambda t: seen[t]) if any(seen.values()) else ""
    return Style(decimal, thousands)


def _match_grouped(thousands: str, decimal: str) -> str:
    """A pattern of numbers with this thousands separator."""
    t = _group(thousands)
    indian = rf"|[0-9]{{1,2}}(?:{t}[0-9]{{2}})+{t}[0-9]{{3}}" if thousands == "," else ""
    return rf"^(?:[0-9]{{1,3}}(?:{t}[0-9]{{3}})+{indian})(?:{re.escape(decimal)}[0-9]*)?$"


def _match_certain(decimal: str, other: str) -> str:
    """A pattern of texts that are numbers with this decimal mark only: 1,5 and 0,125 and 1.234,567 and 1.234.567 but not 1,234."""
    d, g = re.escape(decimal), re.escape(other)
    ways: tuple[str, ...] = (
        rf"[0-9]{{1,3}}(?:[{g}' ’{WIDE}][0-9]{{3}})+{d}[0-9]+",
        rf"[0-9]*{d}(?:[0-9]{{1,2}}|[0-9]{{4,}})",
        rf"(?:0|[0-9]{{4,}}|){d}[0-9]+",
        rf"[0-9]+{d}[0-9]+[eE][+\-]?[0-9]+",
        rf"[1-9][0-9]*(?:{g}[0-9]{{3}}){{2,}}",
    )
    if other == ",":
        ways += (rf"[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}(?:{d}[0-9]*)?",)
    return rf"^(?:{'|'.join(ways)})$"


def count_evidence(one: Numerals) -> tuple[int, int]:
    """How many of the first bodies are numbers only with a decimal comma, and how many only with a decimal point."""
    if one.column.typed:
        return 0, 0
    head = one.bodies[:GUESS_ROWS]
    return int(match_texts(head, _match_certain(",", ".")).sum()), int(match_texts(head, _match_certain(".", ",")).sum())


@dataclass(frozen=True)
class Guess:
    """How the numbers of a column seem to be written, their values [distinct texts], units that differ (then the texts with a unit
    are no numbers), and whether the column's style differs from the file's.
    """

    form: NumberFormat
    values: np.ndarray
    units: tuple[str, ...] = ()
    differs: bool = False


def guess_format(one: Numerals, style: Style) -> Guess:
    """Parses in the file's style, or in the column's own style where that is unambiguous."""
    values, differs = one.parse_bodies(style), False
    if not one.column.typed and np.isnan(values).any():
        comma, point = count_evidence(one)
        fits = (style.decimal == "." and comma <= point) or (style.decimal == "," and point <= comma)
        other = find_style([one], None, style.decimal if fits else None, None)
        others = one.parse_bodies(other)
        if one.counts[~np.isnan(others)].sum() > one.counts[~np.isnan(values)].sum():
            differs = style.decimal != other.decimal or bool(style.thousands)
            style, values = other, others
    before, after, units = _choose_affixes(one, values)
    form = NumberFormat(
        style.decimal,
        style.thousands,
        before=_usual(one.raw_before, one, before),
        after=_usual(one.raw_after, one, after),
        negative="()" if one.bracketed.any() else "- behind" if one.trailing.any() else "-",
        bounds=bool(one.bounded.any()),
        places=_count_places(one, style, ~np.isnan(values)),
    )
    return Guess(form, one.parse(form), units, differs)


def _choose_affixes(one: Numerals, values: np.ndarray) -> tuple[str, str, tuple[str, ...]]:
    """(affix before, affix behind, units that differ). A unit of letters must stand behind nearly all numbers; a currency or a per
    cent may lack.
    """
    befores, afters = one.count_affixes(values)
    both = befores | afters
    if not both:
        return "", "", ()
    numbers = int(one.counts[~np.isnan(values)].sum())
    if len(both) > 1 and not (len(befores) == len(afters) == 1 and not _is_coin(next(iter(afters)))):
        names = tuple(name for name, _ in both.most_common())
        distinct = len(np.unique(values[~np.isnan(values)]))
        mixed = sum(both.values()) >= MOSTLY / 2 * numbers and len(names) <= 5 and distinct > 20
        return "", "", names if mixed else ()
    before, after = next(iter(befores), ""), next(iter(afters), "")
    if after and not _is_coin(after) and after != "%" and afters[after] < MOSTLY * numbers:
        after = ""
    return before, after, ()


def _is_coin(affix: str) -> bool:
    return affix in CURRENCIES or affix in WORDS or any(unicodedata.category(c) == "Sc" for c in affix)


def _usual(raw: np.ndarray, one: Numerals, affix: str) -> str:
    """The affix with its blank, as most rows have it."""
    counter: Counter[str] = Counter()
    if affix:
        some = raw != ""
        for text, n in zip(raw[some][:GUESS_ROWS], one.counts[some][:GUESS_ROWS], strict=True):
            if text.strip(f" {WIDE}") == affix:
                counter[text] += int(n)
    return counter.most_common(1)[0][0] if counter else ""


def _count_places(one: Numerals, style: Style, known: np.ndarray) -> int:
    """Most decimals of a number that is written without exponent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not known.any():
        return 0
    _, parts = extract_parts(one.bodies.filter(pa.array(known)), rf"{re.escape(style.decimal)}(?P<tail>[0-9]*)$")
    most = pc.max(pc.utf8_length(parts["tail"])).as_py()
    return int(most or 0)
