"""Parses dates in their usual notations, as days."""

from __future__ import annotations

import numpy as np

from engine.data.tables.numerals import Style
from engine.data.tables.texts import MOSTLY, Encoded

ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?\s?(?:Z|[+\-][0-9]{2}:?[0-9]{2})?$"
_DAY, _TIME = "[0-9]{1,2}", r"(?: [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$", ("%Y-%m-%d",)),
    (ISO, ("ISO8601",)),
    (rf"^[0-9]{{4}}/{_DAY}/{_DAY}{_TIME}$", ("%Y/%m/%d",)),
    (rf"^{_DAY}\.{_DAY}\.[0-9]{{4}}{_TIME}$", ("%d.%m.%Y",)),
    (rf"^{_DAY}/{_DAY}/[0-9]{{4}}{_TIME}$", ("%d/%m/%Y", "%m/%d/%Y")),
    (rf"^{_DAY}-{_DAY}-[0-9]{{4}}{_TIME}$", ("%d-%m-%Y", "%m-%d-%Y")),
    (rf"^{_DAY}\.{_DAY}\.[0-9]{{2}}$", ("%d.%m.%y",)),
    (rf"^{_DAY}/{_DAY}/[0-9]{{2}}$", ("%d/%m/%y", "%m/%d/%y")),
    (rf"^{_DAY}[ \-][A-Za-z]{{3}}[ \-][0-9]{{4}}$", ("%d-%b-%Y",)),
    (r"^[A-Za-z]{3} [0-9]{1,2},? [0-9]{4}$", ("%b %d %Y",)),
    (r"^[0-9]{8}$", ("%Y%m%d",)),
)
"""Pattern of a date, and its possible formats. Where two formats fit equally, the first is used with a decimal comma, else the
second.
"""


def parse_dates(column: Encoded, style: Style, forced: bool) -> tuple[np.ndarray, str] | None:
    """(days since 1970-01-01 of each text, NaN where it is no date; the format), or None where few are dates."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    total = column.counts.sum()
    for pattern, formats in DATES if forced else DATES[:-1]:
        fits = pc.match_substring_regex(column.texts, pattern).to_numpy(zero_copy_only=False)
        if column.counts[fits].sum() < (0.5 if forced else MOSTLY) * total or not fits.any():
            continue
        written = column.texts.filter(pa.array(fits)).to_pylist()
        clock = np.zeros(len(written))
        if _TIME in pattern:
            clock = np.array([_parse_time(text) for text in written])
            written = [text.split(" ")[0] for text in written]
        elif "-%b-" in formats[0]:
            written = [text.replace(" ", "-") for text in written]
        elif "%b" in formats[0]:
            written = [text.replace(",", "") for text in written]
        bare = pd.Series(np.array(written, object))
        read = []
        for form in formats:
            when = pd.to_datetime(bare, format=form, errors="coerce", utc=True)
            days = ((when - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(np.float64, na_value=np.nan)
            read.append(days)
        if len(read) > 1 and style.decimal != "," and np.isfinite(read[0]).sum() == np.isfinite(read[1]).sum():
            read.reverse()
            formats = formats[::-1]
        best = max(range(len(read)), key=lambda i: (np.isfinite(read[i]).sum(), -i))
        out = np.full(len(column.texts), np.nan)
        out[fits] = read[best] + clock
        if column.counts[np.isfinite(out)].sum() >= (0.5 if forced else MOSTLY) * total:
            return out, formats[best]
    return None


def _parse_time(text: str) -> float:
    """The part of a day after the first space: h:m or h:m:s, or nothing. NaN for anything else."""
    hour, minute, second = [*map(int, text.partition(" ")[2].replace(":", " ").split()), 0, 0, 0][:3]
    return hour / 24 + minute / 1440 + second / 86400 if hour < 24 and minute < 60 and second < 60 else np.nan
