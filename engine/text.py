"""Escapes text from data for its target: HTML, CSV, Markdown, LaTeX. Names of columns, classes and files are not trusted."""

from __future__ import annotations

import csv
import html as _html
import io
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

UNSEEN = "\N{REPLACEMENT CHARACTER}"
"""Replaces a character that would break a line, hide letters or change their direction."""

QUOTED = 200
"""Characters of a person's own text that an error's sentence quotes."""

_KEPT = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}  # some scripts, and emoji, need these
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""First characters of a spreadsheet formula, also in full width."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SIGN = "[$\u00a2-\u00a5\u20a0-\u20c0]"
_DIGITS = "([0-9]{1,3}([.,'\u2019\u00a0\u202f ][0-9]{2,3})+|[0-9]+)([.,][0-9]+)?"
_AMOUNT = re.compile(rf"-({_SIGN} ?|[A-Z]{{3}} ?|kr\.? ?|R\$ ?)?{_DIGITS}( ?({_SIGN}|[%A-Za-z\u00b0\u00b5/]{{1,8}}))?")
"""A negative number with marks, a currency or a unit, which is no formula: -1.234,50 EUR, -12.5%, -3 mg/l."""
_INSIDE = re.compile(rf"([;\t\r\n][\s\"']*)(?=[{re.escape(_FORMULA)}])")


def one_line(text: object, limit: int | None = None) -> str:
    """One line of visible text: runs of white space become one blank, control and direction characters UNSEEN; cut to `limit`."""
    words = " ".join(str(text).split())
    words = "".join(c if c in _KEPT or unicodedata.category(c) not in _HIDDEN else UNSEEN for c in words)
    return words if limit is None or len(words) <= limit else words[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def is_storable(text: str) -> bool:
    """Whether a database can hold it as text: without NUL, which PostgreSQL refuses, and half surrogates, which are no characters."""
    return _UNSTORABLE.search(text) is None


def may_be_unstorable(json_text: str) -> bool:
    """Whether JSON that escapes all but ASCII may spell such a character: rarely so where it does not."""
    return _SPELT.search(json_text) is not None


def make_storable(text: str) -> str:
    """Text with U+FFFD for each character that a database cannot hold."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def quote(value: object) -> str:
    """What a person gave, as an error's sentence quotes it: its repr on one line of at most QUOTED characters."""
    if isinstance(value, str) and len(value) > QUOTED:  # repr of a megabyte takes a moment
        value = value[: QUOTED + 1]
    try:
        return one_line(repr(value), QUOTED)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"a {type(value).__name__} with too many digits"


_SPELT = re.compile(r"\\u(0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def html(text: object, limit: int | None = None) -> str:
    """Escapes one line for text and quoted attributes of HTML and SVG."""
    return _html.escape(one_line(text, limit), quote=True)


def escape_block(text: str) -> str:
    """Lines of a program or a file for a <pre> of HTML: line ends and indents stay, invisible characters become UNSEEN."""
    seen = "".join(c if c == "\n" or c in _KEPT or unicodedata.category(c) not in _HIDDEN else UNSEEN for c in text)
    return _html.escape(seen, quote=True)


def markdown(text: object, limit: int | None = None) -> str:
    """Escapes one line for text and table cells of Markdown. Every ASCII sign is escaped, so nothing forms a link, a tag or a
    cell's end.
    """
    special = set(string.punctuation) - set(",;'\"%")
    safe = "".join(f"\\{c}" if c in special else c for c in one_line(text, limit))
    return safe.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;").replace("\\@", "&#64;")


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "-": "-{}", "`": r"\textasciigrave{}", "'": "'{}", "[": "{[}", "]": "{]}",
}  # fmt: skip


def latex(text: object, limit: int | None = None) -> str:
    """Escapes one line for text and table cells of LaTeX."""
    return "".join(_LATEX.get(c, c) for c in one_line(text, limit))


def csv_cell(value: Any) -> str:
    """The text of a CSV cell before quoting, never a formula.

    Numbers stay numbers, also negative ones; None and NaN are empty. Text that a spreadsheet could read as a formula gets an
    apostrophe in front. Such text begins, after blanks, with =, +, -, @, a tab or a line end, or has one of these after a
    semicolon, tab or line end, where some spreadsheets split cells.
    """
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (int, float)):
        return repr(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value).replace("\0", UNSEEN)
    if _NUMBER.fullmatch(text) or _AMOUNT.fullmatch(text):
        return text
    text = _INSIDE.sub(r"\1'", text)
    seen = text.lstrip().lstrip("\N{ZERO WIDTH NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\"'").lstrip()
    return f"'{text}" if text[:1] in ("\t", "\r", "\n") or seen[:1] in tuple(_FORMULA) else text


def csv_table(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    """Rows of cells as CSV (RFC 4180), every cell through `csv_cell`."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
    return out.getvalue()
