"""Tables as Markdown, LaTeX and CSV.

No torch: the page uses this file. Every cell and every name comes from data and is escaped for its format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine import text as escape

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
LONGEST = 120
"""Characters of a cell of the short tables; the CSV has all of them."""
_VALUE = rf"[+\-{MINUS}]?(?:(?:\d{{1,3}}(?:,\d{{3}})+|\d+)\.?\d*|\.\d+)(?:e[+\-]?\d+)?%?"
_NUMBER = re.compile(rf"(?:< )?({_VALUE})(?: \[({_VALUE}), ({_VALUE})\])?", re.ASCII)
_SIGNS = {
    MINUS: "$-$", DASH: "--", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{ALMOST EQUAL TO}": r"$\approx$", "\N{HEAVY ASTERISK}": r"$\ast$", "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\uparrow$", "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\downarrow$",
}  # fmt: skip
"""Signs of ours that LaTeX without packages has under another name."""

Record = Mapping[str, Any]


# ---- tables


def list_columns(records: Sequence[Record]) -> list[str]:
    """The columns of records: every key, in the order in which they come."""
    return list(dict.fromkeys(str(key) for record in records for key in record))


def write_markdown(records: Sequence[Record], note: str = "", *, head: Sequence[str] | None = None) -> str:
    """A Markdown table, then the note. head: the columns and their order, `list_columns` where it is not given.

    A mapping with mean, low and high is shown as a mean with its interval, a missing value as a dash.
    """
    columns, rows = _format_table(records, head)
    lines = ["| " + " | ".join(_escape_markdown(cell) for cell in cells) + " |" for cells in (columns, *rows)]
    lines.insert(1, "|" + "|".join(" ---: " if right else " --- " for right in _find_numeric(columns, rows)) + "|")
    return "\n".join([*lines, *(["", escape.markdown(note)] if note else []), ""])


def write_latex(records: Sequence[Record], note: str = "", *, head: Sequence[str] | None = None) -> str:
    """The same as a LaTeX tabular that needs no package; the note is a comment above it."""
    columns, rows = _format_table(records, head)
    lines = [" & ".join(map(_escape_latex, row)) + r" \\" for row in (columns, *rows)]
    lines[1:1] = [r"\hline"]
    how = "".join("r" if right else "l" for right in _find_numeric(columns, rows))
    said = [f"% {escape.one_line(note)}"] if note else []
    return "\n".join([*said, rf"\begin{{tabular}}{{{how}}}", r"\hline", *lines, r"\hline", r"\end{tabular}", ""])


def write_csv(records: Sequence[Record], *, head: Sequence[str] | None = None, text: Collection[str] = ()) -> str:
    """The same as CSV, numbers in full; a mean with its interval takes three columns. Cells that begin like a formula are escaped.

    A column of nothing but numbers, intervals and blanks, as people read them ('1,200', '0.41 [0.37, 0.45]', a dash), holds them as
    numbers; every other column stays as it is, and so do those named in text, whatever they look like: names, values of settings.
    """
    columns = list(head) if head is not None else list_columns(records)
    rows = [{c: _join_list(record.get(c)) for c in columns} for record in records]
    for column in columns:
        if column not in text and all(_may_be_number(row[column]) for row in rows):
            for row in rows:
                row[column] = _parse_cell(row[column])
    spread = {c for c in columns if any(isinstance(row[c], Mapping) for row in rows)}
    out: list[list[Any]] = [[name for c in columns for name in ((c, f"{c} low", f"{c} high") if c in spread else (c,))]]
    for row in rows:
        cells: list[Any] = []
        for column in columns:
            value = row[column]
            if isinstance(value, Mapping):
                cells += [value.get(end) for end in ("mean", "low", "high")]
            else:
                cells += [value, None, None] if column in spread else [value]
        out.append(cells)
    return escape.csv_table(out)


def format_interval(values: Mapping[str, Any], digits: int = 3, *, sign: bool = False) -> str:
    """'0.412 [0.371, 0.453]'; a dash where there is no number, no bracket where there is no interval."""
    mean, low, high = (_to_float(values.get(k)) for k in ("mean", "low", "high"))
    if math.isnan(mean):
        return DASH
    plus = "+" if sign else ""
    bracket = "" if math.isnan(low) or math.isnan(high) else f" [{low:{plus}.{digits}f}, {high:{plus}.{digits}f}]"
    return f"{mean:{plus}.{digits}f}{bracket}".replace("-", MINUS)


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


def _is_interval(value: Any) -> bool:
    return isinstance(value, Mapping) and "mean" in value


def _may_be_number(value: Any) -> bool:
    """True for what a column of numbers may hold."""
    return not isinstance(value, str) or value in ("", DASH) or _NUMBER.fullmatch(value) is not None


def _parse_cell(value: Any) -> Any:
    """A cell of a column of numbers: what a table for people has as text, such as '0.412 [0.371, 0.453]', is a number again."""
    if not isinstance(value, str):
        return value
    if value == DASH:
        return None
    found = _NUMBER.fullmatch(value)
    if found is None or "%" in value or value.startswith("<"):
        return value
    mean, *ends = (None if part is None else part.replace(MINUS, "-").replace(",", "") for part in found.groups())
    return mean if ends[0] is None else dict(zip(("mean", "low", "high"), (mean, *ends), strict=True))


def _join_list(value: Any) -> Any:
    return ", ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else value


def _format_cell(value: Any) -> str:
    """A value as text, not yet escaped."""
    if _is_interval(value):
        return format_interval(value)
    value = _join_list(value)
    if value is None or value != value:  # NaN
        return DASH
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", MINUS) if isinstance(value, float) else str(value)


def _format_table(records: Sequence[Record], head: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    columns = list(head) if head is not None else list_columns(records)
    return columns, [[_format_cell(record.get(column)) for column in columns] for record in records]


def _find_numeric(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns hold mostly numbers: they are aligned to the right."""
    out = []
    for place in range(len(columns)):
        cells = [row[place] for row in rows if row[place] not in ("", DASH)]
        out.append(2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) >= max(1, len(cells)))
    return out


def _escape_markdown(cell: str) -> str:
    """Numbers stay as they are read; everything else is escaped sign by sign."""
    short = escape.one_line(cell, LONGEST)
    return short if _NUMBER.fullmatch(short) and "<" not in short else escape.markdown(short)


def _escape_latex(cell: str) -> str:
    safe = "".join(_SIGNS.get(c, c) for c in escape.latex(cell, LONGEST))
    return f"{{}}{safe}" if safe.startswith("*") else safe  # a row's end takes a star after it for its own
