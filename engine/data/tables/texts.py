"""Columns of texts, each distinct text stored once: separates missing values and matches patterns, in pyarrow's C++."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from engine.spec.table_reading import DateFormat, NumberFormat

MARKS = (
    *("na", "n/a", "n.a.", "<na>", "nan", "-nan", "null", "(null)", "none", "nil", "nat", "k.a.", "?", "-", "--", "---", "."),
    *("\\n", "#n/a", "#n/a n/a", "#na", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"),
)
"""Texts that usually mean a missing value, in any case, besides the empty cell."""

MOSTLY = 0.95
"""Share of a column's rows that must be numbers (or dates) for the others to count as missing."""


@dataclass
class Encoded:
    """A column of texts, each distinct one stored once: codes int64 [n] into texts (a pyarrow array of strings), -1 where
    missing. counts: rows of each text, most frequent first, ties in file order. typed: from a file format that separates numbers
    from text. levelled: the file says that its values are levels. pointed: its numbers are no whole ones by their type. marks:
    texts that count as missing, in lower case, with their rows. form: of a typed column of which some cells are texts, how those
    were written (a NumberFormat or DateFormat). whole: the column with those marks as texts, None where none
    occur. numerals: what `numerals.take_apart` keeps.
    """

    name: str
    codes: np.ndarray
    texts: Any
    counts: np.ndarray
    typed: bool = False
    levelled: bool = False
    pointed: bool = False
    marks: Counter[str] = field(default_factory=Counter)
    whole: Encoded | None = None
    numerals: Any = field(default=None, repr=False, compare=False)
    form: NumberFormat | DateFormat | None = None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return int(self.counts.sum())

    def list_texts(self) -> list[str]:
        """The distinct texts, most frequent first."""
        out: list[str] = self.texts.to_pylist()
        return out

    def keep_rows(self, keep: np.ndarray) -> None:
        """Keeps only rows where keep [n] is True; all others must be missing."""
        self.codes = self.codes[keep]
        if self.whole is not None:
            self.whole = self.whole.select_rows(keep)

    def select_rows(self, keep: np.ndarray) -> Encoded:
        """The same texts with these rows alone."""
        codes = self.codes[keep]
        counts = np.bincount(codes + 1, minlength=len(self.texts) + 1)[1:]
        return replace(self, codes=codes, counts=counts, numerals=None).without(counts == 0, keep_whole=False)

    def without(self, gone: np.ndarray, keep_whole: bool = True) -> Encoded:
        """The column with some texts [of the distinct ones] counted as missing."""
        import pyarrow as pa

        if not gone.any():
            return self
        stays = np.flatnonzero(~gone)
        stays = stays[np.argsort(-self.counts[stays], kind="stable")]
        new = np.full(len(self.texts) + 1, -1)
        new[stays] = np.arange(len(stays))
        marks = Counter(self.marks)
        if keep_whole:
            for i in np.flatnonzero(gone):
                marks[self.texts[int(i)].as_py().casefold()] += int(self.counts[i])
        whole = (self.whole or self) if keep_whole else self.whole
        return replace(
            self,
            codes=new[self.codes],
            texts=self.texts.take(pa.array(stays)),
            counts=self.counts[stays],
            marks=marks,
            whole=whole,
            numerals=None,
        )


def encode_texts(
    name: str,
    values: Any,
    *,
    typed: bool = False,
    levelled: bool = False,
    pointed: bool = False,
    form: NumberFormat | DateFormat | None = None,
) -> Encoded:
    """values: a pyarrow array of strings (or of codes into strings), null where missing. Empty texts are missing; marks are
    texts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        if isinstance(values, pa.ChunkedArray):
            values = values.unify_dictionaries().combine_chunks()
        pairs = pc.dictionary_encode(pc.utf8_trim_whitespace(pc.cast(values.dictionary, pa.string())))
        of_old = np.append(_to_codes(pc.fill_null(pairs.indices, -1)), -1)
        codes = of_old[_to_codes(pc.fill_null(values.indices, -1))]
    else:
        pairs = pc.dictionary_encode(pc.utf8_trim_whitespace(values))
        if isinstance(pairs, pa.ChunkedArray):
            pairs = pairs.combine_chunks()
        codes = _to_codes(pc.fill_null(pairs.indices, -1))
    texts = pairs.dictionary
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
    gone = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    order = np.argsort(-counts, kind="stable")
    order = order[~gone[order]]
    new = np.full(len(texts) + 1, -1)
    new[order] = np.arange(len(order))
    return Encoded(name, new[codes], texts.take(pa.array(order)), counts[order], typed, levelled, pointed, form=form)


def find_marks(column: Encoded, marks: Collection[str]) -> np.ndarray:
    """Which of the distinct texts are marks of missing values, bool. marks: in lower case. A - beside + alone is a value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lower = pc.utf8_lower(column.texts)
    gone: np.ndarray = pc.is_in(lower, pa.array(list(marks), pa.string())).to_numpy(zero_copy_only=False)
    left = [column.texts[int(i)].as_py() for i in np.flatnonzero(~gone)[:2]]
    if left == ["+"]:  # a - is then its counterpart
        gone = gone & ~pc.equal(column.texts, "-").to_numpy(zero_copy_only=False)
    return gone


def _to_codes(codes: Any) -> np.ndarray:
    """A pyarrow array of integers as int64."""
    out: np.ndarray = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    return out


LETTERS = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u1fff\u3040-\u9fff\uac00-\ud7a3"
"""Letters of most scripts, for a character class that RE2 and Python take alike."""

FEW_TEXTS = 1_000
"""With fewer texts Python's cached expressions are faster than RE2, which compiles anew."""


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def match_texts(texts: Any, pattern: str) -> np.ndarray:
    """Which texts match a regular expression, bool. It must mean the same in RE2 and in Python."""
    if len(texts) < FEW_TEXTS:
        search = _compile(pattern).search
        return np.array([text is not None and search(text) is not None for text in texts.to_pylist()], bool)
    import pyarrow.compute as pc

    out: np.ndarray = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return out


def extract_parts(texts: Any, pattern: str) -> tuple[np.ndarray, dict[str, Any]]:
    """(which texts match, bool; for those the named groups as pyarrow strings, "" where a group is empty)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = list(_compile(pattern).groupindex)
    if len(texts) < FEW_TEXTS:
        found = [_compile(pattern).search(text) for text in texts.to_pylist()]
        groups = [match.groupdict("") for match in found if match]
        hits = np.array([match is not None for match in found], bool)
        return hits, {name: pa.array([group[name] for group in groups], pa.string()) for name in names}
    parts = pc.extract_regex(texts, pattern)
    hits = parts.is_valid().to_numpy(zero_copy_only=False)
    parts = parts.filter(pa.array(hits))
    return hits, {name: parts.field(name) for name in names}


def count_matches(column: Encoded, pattern: str, first: int = 2_000) -> int:
    """How many of the first `first` texts match the pattern."""
    return int(match_texts(column.texts[:first], pattern).sum())
