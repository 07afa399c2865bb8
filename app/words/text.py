"""Text for people: data made harmless for Streamlit's markdown, and numbers with their intervals."""

from __future__ import annotations

import math
import re

from engine.stats.intervals import Interval

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&=^\"'/@])")
_LINK = re.compile(r"(?i)(http|www|ftp|mailto|xmpp)")
_JOINER = "\u2060"  # invisible; keeps Streamlit's markdown from turning a bare address into a link


def escape(text: object, limit: int = 60) -> str:
    """Return any text as markdown that shows it letter by letter, on one line, cut to `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    line = _SPECIAL.sub(r"\\\1", line)
    return _LINK.sub(lambda m: m[0][0] + _JOINER + m[0][1:], line).replace(r"\@", "\\@" + _JOINER)


def format_ratio(value: float) -> str:
    """'50:1', '11.6:1'."""
    return f"{value:.0f}:1" if value >= 100 or abs(value - round(value)) < 0.05 else f"{value:.1f}:1"


def format_interval(interval: Interval, digits: int = 2) -> str:
    """'0.41 [0.36, 0.46]', or '0.41' where there is no interval."""
    if not math.isfinite(interval.mean):
        return "not defined"
    return f"{interval.mean:.{digits}f}{format_bounds(interval, digits)}"


def format_bounds(interval: Interval, digits: int = 2, sign: bool = False) -> str:
    """' [0.36, 0.46]', or '' where there is no interval."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    low, high = (
        format_signed(v, digits) if sign else f"{v:.{digits}f}".replace("-", "−") for v in (interval.low, interval.high)
    )
    return f" [{low}, {high}]"


def format_signed(value: float, digits: int = 3) -> str:
    """'+0.041', '−0.002', '0.000'."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def format_difference(interval: Interval, digits: int = 3) -> str:
    """'+0.041 [+0.012, +0.070]'."""
    return format_signed(interval.mean, digits) + format_bounds(interval, digits, sign=True)


def format_score(value: float, digits: int = 3) -> str:
    """'.905', '−.012', '1.000': a score without the zero before its point."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        return f"{0:.{digits}f}".replace("0.", ".", 1)
    return text.replace("0.", ".", 1).replace("-", "−") if abs(value) < 1 else text.replace("-", "−")


def format_count(count: float, noun: str) -> str:
    """'1 row', '1,200 rows'."""
    return f"{count:,.0f} {noun}" + ("" if count == 1 else "s")


def format_duration(seconds: float) -> str:
    """'0.4 s', '12 s', '3 min 20 s', '1 h 5 min'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
