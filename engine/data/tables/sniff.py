"""Detects how a text file is written: its delimiter, where the table begins. Reads only the beginning."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.data.tables import duck
from engine.errors import BadData

SAMPLE = 1 << 18
"""Characters inspected."""

RECORDS = 1_000
"""Rows inspected."""

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
    """start: character at which the first row of the table (its header, if any) begins. quote: "" where quotes are plain
    characters. escape: the character before a quote within quotes, the quote itself where it is doubled. spaced: whether spaces
    follow delimiters, before quotes. width: cells of most rows. comments: whether lines that begin with # are comments. heading:
    names from a comment line right above the table, or None. skipped: lines before the table.
    """

    delimiter: str
    start: int
    quote: str
    escape: str
    spaced: bool
    width: int
    comments: bool
    heading: tuple[str, ...] | None
    skipped: int

    @property
    def dialect(self) -> duck.Dialect:
        """As DuckDB has it."""
        return duck.Dialect(self.delimiter or LONE, self.quote, self.escape, 0)


LONE = "\x1f"
"""The delimiter of a single column: a character that does not occur in texts."""


def find_layout(text: str, reader: duck.Duck, delimiter: str | None = None, quoting: tuple[str, str] | None = None) -> Layout:
    """Guesses the layout of a table in a text: DuckDB's sniffer proposes; where its cells are no whole ones, other delimiters are
    tried. delimiter: set by a person; "" means a single column. quoting: quote and escape, where they are known. Raises BadData.
    """
    if delimiter is not None and (len(delimiter) > 1 or (delimiter and (delimiter in '"\r\n\x00' or not delimiter.isascii()))):
        raise BadData('A delimiter is one plain character, such as "," or ";", or empty for a single column.')
    start, skipped, comment, told = _find_comments(text)
    if told and delimiter is None:
        delimiter = told
    sample = text[start : start + SAMPLE]
    if start + SAMPLE < len(text) and (end := max(sample.rfind("\n"), sample.rfind("\r"))) > 0:
        sample = sample[: end + 1]
    guess = None if quoting or delimiter in ("", " ") else reader.sniff_dialect(sample.encode("utf-8", "replace"), delimiter)
    quote, escape = quoting or _check_quote(sample, guess)
    if quoting is None and _has_open_quote(text, start, quote, escape):
        quote = ""
    escape = escape if quote else ""
    spaced = quote == '"' and re.search(r'[,;|\t] +"', sample) is not None
    way = Layout(delimiter or "", start, quote, escape, spaced, 0, False, None, 0)
    if delimiter is None:
        delimiter = _choose_delimiter(sample, way, guess.delimiter if guess else "")
    way = replace(way, delimiter=delimiter)
    rows = list(_read_records(sample, way))
    if not rows:
        raise BadData("The file holds no rows: send a table with a header and rows.")
    widths = [len(row) for row, _ in rows]
    width = typical_width(widths)
    first = count_preamble([_count_filled(row, width) for row, _ in rows], width)
    if (
        guess
        and guess.skipped
        and guess.delimiter == delimiter
        and not first
        and _is_title([row for row, _ in rows[:2]], width)
    ):
        first = 1
    heading = None
    if comment is not None and not first:
        cells = [cell.strip() for cell in next(csv.reader([comment], **_build_dialect(way)), [])]
        if len(cells) == width > 1 and all(cells) and not any(NUMBER.fullmatch(cell) for cell in cells):
            heading = tuple(cells)
    if first:
        start += rows[first - 1][1]
    return replace(
        way,
        start=start,
        width=max(width, _header_width(widths, first, width)),
        comments=skipped > 0,
        heading=heading,
        skipped=skipped + first,
    )


def _check_quote(sample: str, guess: duck.Dialect | None) -> tuple[str, str]:
    """(quote, escape): DuckDB's quote where no cell begins with a double one. A backslash escapes where it stands before quotes
    within a cell and none is doubled.
    """
    quote = guess.quote if guess else ""
    if not quote or (quote != '"' and re.search(r'(^|[,;|\t])"', sample, re.MULTILINE)):
        quote = '"'
    escaped = re.search(r'\\"(?![,;|\t\r\n]|$)', sample) and not re.search(r'[^,;|\t\r\n]""[^,;|\t\r\n]', sample)
    return quote, "\\" if escaped and quote == '"' else quote


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


def _count_filled(row: Sequence[str], width: int) -> int:
    """The cells of a row; of a row that has no more than its first one, and that is no number, the filled ones: a title as a
    spreadsheet writes it.
    """
    lone = width > 2 and not any(cell.strip() for cell in row[1:]) and not NUMBER.fullmatch(row[0])
    return bool(row[0].strip()) if lone else len(row)


def _is_title(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first of two rows is a title although it has more than half of a row's cells: it is shorter than the second, and
    that is a header. (R's header is shorter too; what follows it holds values.)
    """
    if len(rows) < 2 or not len(rows[0]) < len(rows[1]) == width:
        return False
    cells = [cell.strip() for cell in rows[1]]
    return (
        len(set(cells)) == len(cells) and all(cells) and not any(NUMBER.fullmatch(cell) or DATE.match(cell) for cell in cells)
    )


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


def _has_open_quote(text: str, start: int, quote: str, escape: str) -> bool:
    """Whether a quote is opened and not closed."""
    if escape in ("", quote) and text.count(quote, start) % 2 == 0:
        return False
    tail = io.StringIO(text[start:], newline="")
    how: dict[str, Any] = {} if escape in ("", quote) else {"doublequote": False, "escapechar": escape}
    before = csv.field_size_limit(len(text) + 1)
    try:
        for _ in csv.reader(tail, strict=True, quotechar=quote, **how):
            pass
    except csv.Error as error:
        # strict mode also fails on text after a closing quote; only an end of file within quotes counts here
        return "unexpected end" in str(error)
    finally:
        csv.field_size_limit(before)
    return False


def _build_dialect(way: Layout) -> dict[str, Any]:
    """Arguments of csv.reader."""
    out: dict[str, Any] = {
        "delimiter": way.delimiter or LONE,
        "quoting": csv.QUOTE_MINIMAL if way.quote else csv.QUOTE_NONE,
        "skipinitialspace": way.spaced or way.delimiter == " ",
    }
    if way.quote:
        out["quotechar"] = way.quote
        if way.escape != way.quote:
            out |= {"doublequote": False, "escapechar": way.escape}
    return out


def read_rows(text: str, way: Layout) -> Iterator[list[str]]:
    """The rows of a text without blank ones. Cells can have any length."""
    before = csv.field_size_limit(len(text) + 1)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), **_build_dialect(way)):
            if way.delimiter == " " and row and not row[-1]:
                row.pop()
            if row and (len(row) > 1 or row[0].strip()):
                yield row
    except csv.Error:
        raise BadData("The file's quotes cannot be followed: write it anew as CSV.") from None
    finally:
        csv.field_size_limit(before)


def _read_records(sample: str, way: Layout) -> Iterator[tuple[list[str], int]]:
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
        for row in csv.reader(lines(), **_build_dialect(way)):
            if way.delimiter == " " and row and not row[-1]:
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


WHOLE = 0.95
"""Share of whole cells above which DuckDB's delimiter is taken without a look at others."""


def _choose_delimiter(sample: str, way: Layout, proposed: str) -> str:
    """The proposed delimiter where it gives rows of equal lengths and whole cells (numbers, or texts without another delimiter);
    else the one that gives most of both.
    """
    scores: dict[str, float] = {}
    for delimiter in dict.fromkeys((*([proposed] if proposed else []), *DELIMITERS)):
        if delimiter not in sample or (delimiter == " " and max(scores.values(), default=0) > 0.5):
            continue
        rows = [row for row, _ in _read_records(sample, replace(way, delimiter=delimiter))]
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
        if delimiter == proposed and scores[delimiter] >= WHOLE:
            return delimiter
    best = max(scores.values(), default=0)
    return next((d for d in DELIMITERS if d in scores and scores[d] >= best - 0.02), "") if best > 0.1 else ""


def _has_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether some column holds numbers. Words between spaces are a text, not a table."""
    columns = zip(*rows, strict=False)
    return any(5 * sum(NUMBER.fullmatch(cell) is not None for cell in column) >= 4 * len(rows) for column in columns)
