"""Columns of texts, each distinct text stored once: separates missing values and matches patterns, in pyarrow's C++."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MARKS = (
    *(
        "",
        "na",
        "n/a",
        "n.a.",
        "<na>",
        "nan",
        "-nan",
        "null",
        "(null)",
        "none",
        "nil",
        "nat",
        "k.a.",
        "?",
        "-",
        "--",
        "---",
        ".",
        "\\n",
    ),
    *("#n/a", "#n/a n/a", "#na", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"),
)
"""Texts that mean a missing value, in any case."""

MOSTLY = 0.95
"""Share of a column's rows that must be numbers (or dates) for the others to count as missing."""


@dataclass
class Encoded:
    """A column of texts, each distinct one stored once: codes int64 [n] into texts (a pyarrow array of strings), -1 where
    missing. counts: rows of each text. marks: the texts that mean missing, with their rows. typed: from a file format that
    separates numbers from text.
    """

    name: str
    codes: np.ndarray
    texts: Any
    counts: np.ndarray
    marks: Counter[str]
    typed: bool

    def drop(self, keep: np.ndarray) -> None:
        """Keeps only rows where keep [n] is True; all others must be missing."""
        self.codes = self.codes[keep]


def encode_texts(name: str, values: Any, marks: Sequence[str], typed: bool = False) -> Encoded:
    """values: a pyarrow array of strings (or of codes into strings), null where missing. marks: in lower case."""
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
    gone = pc.is_in(pc.utf8_lower(texts), pa.array(marks, pa.string())).to_numpy(zero_copy_only=False)
    left = [texts[int(i)].as_py() for i in np.flatnonzero(~gone)[:2]]
    if left == ["+"]:  # a - is then its counterpart
        gone &= ~pc.equal(texts, "-").to_numpy(zero_copy_only=False)
    found = Counter({texts[int(i)].as_py().casefold(): int(counts[i]) for i in np.flatnonzero(gone)})
    # most frequent first, ties in file order
    order = np.argsort(-counts, kind="stable")
    order = order[~gone[order]]
    new = np.full(len(texts) + 1, -1)
    new[order] = np.arange(len(order))
    return Encoded(name, new[codes], texts.take(pa.array(order)), counts[order], found, typed)


def _to_codes(codes: Any) -> np.ndarray:
    """A pyarrow array of integers as int64."""
    out: np.ndarray = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    return out


def count_matches(column: Encoded, pattern: str, first: int = 2_000) -> int:
    """How many of the first `first` texts match the pattern."""
    import pyarrow.compute as pc

    return pc.sum(pc.match_substring_regex(column.texts[:first], pattern)).as_py() or 0
