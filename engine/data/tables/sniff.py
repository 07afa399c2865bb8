"""Detects how a text file is written: its encoding, its delimiter, where the table begins. Reads only the beginning."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engine.errors import BadData

SAMPLE = 1 << 18
"""Characters inspected."""

RECORDS = 1_000
"""Rows inspected."""

ENCODINGS = (
    *(
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "latin-1",
        "iso8859-15",
        "cp1250",
        "iso8859-2",
        "cp1251",
    ),
    *(
        "koi8-r",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp437",
        "cp850",
        "mac-roman",
        "cp932",
        "gb18030",
        "big5",
        "cp949",
    ),
)
"""Encodings a person can choose. (Python has others that do not encode text, or are slow.)"""

DELIMITERS = ("\t", ";", "|", ",", " ")
"""In order of preference where several fit equally well. A space means any run of spaces, and is tried last."""

NUMBER = re.compile(
    r"\s*[+\-\u2212]?[$€£¥]?\s?"
    r"(\d{1,3}([.\u00a0\u202f ’']\d{3})+(,\d+)?|\d{1,3}(,\d{3})+(\.\d+)?|\d+([.,]\d*)?|[.,]\d+)"
    r"([eE][+-]?\d+)?\s?[%€$£¥]?\s*"
)
"""A number in any usual notation. (`engine.data.tables.kinds` then parses one notation.)"""

DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-]\d{2,4}|\d{4}/\d\d?/\d\d?|\d\d?:\d\d")
"""The beginning of a date or a time."""

ATTRIBUTE = re.compile(r"@attribute\s+(?:'((?:[^'\\]|\\.)*)'|\"([^\"]*)\"|([^\s{]+))", re.IGNORECASE)
"""A line of an ARFF or KEEL file that declares a column."""

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(data: bytes, encoding: str | None = None) -> tuple[str, str, list[str]]:
    """(text without a byte order mark, encoding, notes). Raises BadData."""
    if encoding is not None:
        encoding = _check_encoding(encoding)
        if (read := _try_decode(data, encoding)) is None:
            raise BadData(f"The file cannot be read as {encoding}: leave the encoding open, or choose another.")
        return read[0], encoding, read[1]
    for mark, name in BOMS:
        if data.startswith(mark):
            if (read := _try_decode(data, name)) is None:
                raise BadData(f"The file is marked as {name} and cannot be read so: write it anew, or choose an encoding.")
            return read[0], name, read[1]
    for name in filter(None, (_guess_utf16(data), "utf-8", _guess_eight_bit(data))):
        if (read := _try_decode(data, name)) is not None:
            return read[0], name, read[1]
    return data.decode("latin-1"), "latin-1", []


BROKEN = 0.05
"""Largest share of non-ASCII characters that may be invalid in a file of an encoding."""


def _try_decode(data: bytes, encoding: str) -> tuple[str, list[str]] | None:
    """(text without a byte order mark, notes); None where more than a few characters are invalid in this encoding."""
    try:
        return data.decode(encoding).removeprefix("\ufeff"), []
    except UnicodeError as error:
        cut = isinstance(error, UnicodeDecodeError) and error.end == len(data) and error.start >= len(data) - 4
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    whole = sum(not c.isascii() for c in text)
    lost = text.count("\N{REPLACEMENT CHARACTER}")
    if lost > BROKEN * whole and not (cut and lost < whole):
        return None
    note = f"{lost:,} broken characters were replaced by \N{REPLACEMENT CHARACTER}: if there are many, choose another encoding."
    return text, [note if lost > 1 else "One broken character was replaced by \N{REPLACEMENT CHARACTER}."]


def _check_encoding(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError, TypeError):
        name = ""
    for known in ENCODINGS:
        if codecs.lookup(known).name == name:
            return known
    if name == "utf-8-sig":
        return "utf-8"
    raise BadData(f"There is no encoding of that name here; choose one of {', '.join(ENCODINGS)}.")


def _guess_utf16(data: bytes) -> str:
    """The byte order of UTF-16 without a mark: every second byte of ASCII letters is zero."""
    head = data[:4096]
    even, odd = head[::2], head[1::2]
    if len(odd) >= 4:
        if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
            return "utf-16-le"
        if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
            return "utf-16-be"
    return ""


def _guess_eight_bit(data: bytes) -> str:
    """A western code page where most letters are ASCII, else the finding of charset-normalizer."""
    high = [i for i, b in enumerate(data[: 1 << 20]) if b > 127]
    if not high:
        return "cp1252"
    start = max(0, high[0] - 2048)
    part = data[start : start + (1 << 14)]
    letters = sum(bytes([b]).isalpha() for b in part)
    above = sum(b > 127 for b in part)
    beside = sum(a > 127 and b > 127 for a, b in pairwise(part))
    # western non-ASCII letters are usually isolated, others form words
    if above > 0.3 * (above + letters) and beside > 0.4 * above:
        from charset_normalizer import from_bytes

        codes = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949", "cp1252"]
        for match in from_bytes(part, cp_isolation=codes):
            half = sum("\uff61" <= c <= "\uff9f" for c in str(match))  # cp932 single bytes, rare in text
            if 2 * half < above:
                return _check_encoding(match.encoding)
    return "latin-1" if any(data[i] in (0x81, 0x8D, 0x8F, 0x90, 0x9D) for i in high) else "cp1252"


def parse_arff(text: str) -> tuple[list[str], str] | None:
    """(names of the columns, rows as CSV) of an ARFF or KEEL file; None for any other text. Raises BadData."""
    names: list[str] = []
    at = 0
    for line in io.StringIO(text, newline=""):
        at += len(line)
        bare = line.strip()
        if found := ATTRIBUTE.match(bare):
            names.append(found[1].replace("\\'", "'") if found[1] else found[2] or found[3] or "")
        elif bare[:5].lower() == "@data":
            break
        elif bare and not bare.startswith(("%", "@")):
            return None
    if not names:
        return None
    rows = text[at:]
    if rows.lstrip().startswith("{"):
        raise BadData("The ARFF file is a sparse one: write it with all its values, or as CSV.")
    if "'" in rows:  # the quote of ARFF
        out = io.StringIO()
        before = csv.field_size_limit(len(rows) + 1)
        try:
            csv.writer(out).writerows(
                csv.reader(io.StringIO(rows, newline=""), quotechar="'", escapechar="\\", skipinitialspace=True)
            )
        except csv.Error:
            raise BadData("The ARFF file's quotes cannot be followed: write it anew as CSV.") from None
        finally:
            csv.field_size_limit(before)
        rows = out.getvalue()
    return names, rows


@dataclass(frozen=True)
class Layout:
    """start: character at which the first row of the table (its header, if any) begins. quoted: whether " quotes. spaced:
    whether spaces follow delimiters, before quotes. width: cells of most rows. comments: whether lines that begin with # are
    comments. heading: names from a comment line right above the table, or None. skipped: lines before the table.
    """

    delimiter: str
    start: int
    quoted: bool
    spaced: bool
    width: int
    comments: bool
    heading: tuple[str, ...] | None
    skipped: int


def find_layout(text: str, delimiter: str | None = None) -> Layout:
    """Guesses the layout of a table in a text. delimiter: set by a person; "" means a single column. Raises BadData."""
    if delimiter is not None and (len(delimiter) > 1 or (delimiter and (delimiter in '"\r\n\x00' or not delimiter.isascii()))):
        raise BadData('A delimiter is one plain character, such as "," or ";", or empty for a single column.')
    start, skipped, comment, told = _find_comments(text)
    if told and delimiter is None:
        delimiter = told
    sample = text[start : start + SAMPLE]
    if start + SAMPLE < len(text) and (end := max(sample.rfind("\n"), sample.rfind("\r"))) > 0:
        sample = sample[: end + 1]
    quoted = not _has_open_quote(text, start)
    spaced = quoted and re.search(r'[,;|\t] +"', sample) is not None
    if delimiter is None:
        delimiter = _delimiter(sample, quoted, spaced)
    rows = list(_read_records(sample, delimiter, quoted, spaced))
    if not rows:
        raise BadData("The file holds no rows: send a table with a header and rows.")
    widths = [len(row) for row, _ in rows]
    width = typical_width(widths)
    first = count_preamble(widths, width)
    heading = None
    if comment is not None and not first:
        cells = [cell.strip() for cell in next(csv.reader([comment], **_build_dialect(delimiter, quoted, spaced)), [])]
        if len(cells) == width > 1 and all(cells) and not any(NUMBER.fullmatch(cell) for cell in cells):
            heading = tuple(cells)
    if first:
        start += rows[first - 1][1]
    return Layout(
        delimiter, start, quoted, spaced, max(width, _header_width(widths, first, width)), skipped > 0, heading, skipped + first
    )


def typical_width(widths: Sequence[int]) -> int:
    """The usual number of cells of a row, the larger among equals. Rows of one cell count only where there are no others."""
    counts = Counter(w for w in widths if w > 1) or Counter(widths)
    best = max(counts.values(), default=0)
    return max((w for w, n in counts.items() if n == best), default=0)


def count_preamble(widths: Sequence[int], width: int) -> int:
    """The number of rows above the table (titles and remarks): those with at most half of its cells."""
    for i, w in enumerate(widths):
        if 2 * w > width:
            return i
    return 0


def _header_width(widths: Sequence[int], first: int, width: int) -> int:
    """The width of a header, which may be slightly wider than rows whose last cells are missing."""
    head = widths[first]
    return head if width < head <= 2 * width + 2 else width


def _find_comments(text: str) -> tuple[int, int, str | None, str | None]:
    """(end, number of lines, the last one without its mark, the delimiter they name) of comment lines at the top."""
    at = lines = 0
    last: str | None = None
    told: str | None = None
    for line in io.StringIO(text[: 1 << 20], newline=""):
        bare = line.strip()
        if at == 0 and (found := re.fullmatch(r'"?sep=(.)"?', bare, re.IGNORECASE)):
            told = found[1] if found[1].isascii() and found[1] not in "\"'" else None
        elif bare.startswith(("#", "%", "//")):
            last = bare.lstrip("#%/").strip()
            lines += 1
        elif bare:
            break
        at += len(line)
    else:
        if at >= 1 << 20:
            raise BadData("The file begins with a megabyte of comments: send the table alone.")
        raise BadData("The file holds no rows: send a table with a header and rows.")
    return at, lines, last, told


def _has_open_quote(text: str, start: int) -> bool:
    """Whether a quote is opened and not closed."""
    if text.count('"', start) % 2 == 0:
        return False
    tail = io.StringIO(text[start:], newline="")
    deepest = 0
    try:
        for row in csv.reader(tail, strict=True):
            deepest = max(deepest, len(row))
    except csv.Error as error:
        # strict mode also fails on text after a closing quote; only an end of file within quotes counts here
        return "unexpected end" in str(error) or "field larger" in str(error)
    return False


def _build_dialect(delimiter: str, quoted: bool, spaced: bool) -> dict[str, Any]:
    """Arguments of csv.reader. A single column gets a delimiter that does not occur in texts."""
    return {
        "delimiter": delimiter or "\x1f",
        "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        "skipinitialspace": spaced or delimiter == " ",
    }


def read_rows(text: str, delimiter: str, quoted: bool, spaced: bool) -> Iterator[list[str]]:
    """The rows of a text without blank ones. Cells can have any length."""
    before = csv.field_size_limit(len(text) + 1)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), **_build_dialect(delimiter, quoted, spaced)):
            if delimiter == " " and row and not row[-1]:
                row.pop()
            if row and (len(row) > 1 or row[0].strip()):
                yield row
    except csv.Error:
        raise BadData("The file's quotes cannot be followed: write it anew as CSV.") from None
    finally:
        csv.field_size_limit(before)


def _read_records(sample: str, delimiter: str, quoted: bool, spaced: bool) -> Iterator[tuple[list[str], int]]:
    """The first rows, each with the character position at which the next one begins."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at
        for line in io.StringIO(sample, newline=""):
            at += len(line)
            yield line

    before = csv.field_size_limit(len(sample) + 1)
    try:
        found = 0
        for row in csv.reader(lines(), **_build_dialect(delimiter, quoted, spaced)):
            if delimiter == " " and row and not row[-1]:
                row.pop()
            if row and (len(row) > 1 or row[0].strip()):
                yield row, at
                found += 1
                if found == RECORDS:
                    return
    except csv.Error:
        return
    finally:
        csv.field_size_limit(before)


def _delimiter(sample: str, quoted: bool, spaced: bool) -> str:
    """The delimiter whose rows have the most equal lengths and whose cells are whole: numbers, or texts without another
    delimiter.
    """
    scores: dict[str, float] = {}
    for delimiter in DELIMITERS:
        if delimiter not in sample or (delimiter == " " and max(scores.values(), default=0) > 0.5):
            continue
        rows = [row for row, _ in _read_records(sample, delimiter, quoted, spaced)]
        width = typical_width([len(row) for row in rows])
        if width < 2:
            continue
        body = rows[count_preamble([len(row) for row in rows], width) :]
        # a header can lack the name of the row names; the last cell can be empty where a delimiter ends each row
        alike = sum(abs(len(row) - width) <= (i == 0 or not row[-1].strip()) for i, row in enumerate(body)) / len(rows)
        cells = [cell for row in body[:200] for cell in row[:100]]
        numbers = sum(NUMBER.fullmatch(cell) is not None for cell in cells)
        whole = numbers + sum(not any(d in cell for d in DELIMITERS[:4]) for cell in cells if not NUMBER.fullmatch(cell))
        if delimiter == " " and (alike < 0.9 or not _has_numbers(body[1:200])):
            continue
        scores[delimiter] = alike * whole / len(cells)
    best = max(scores.values(), default=0)
    return next((d for d in DELIMITERS if d in scores and scores[d] >= best - 0.02), "") if best > 0.1 else ""


def _has_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether some column holds numbers. Words between spaces are a text, not a table."""
    columns = zip(*rows, strict=False)
    return any(5 * sum(NUMBER.fullmatch(cell) is not None for cell in column) >= 4 * len(rows) for column in columns)
