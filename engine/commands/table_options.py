"""The options of `compare` that say how a file is to be read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engine.errors import BadParameter
from engine.text import one_line

TYPES = ("numeric", "categorical", "boolean", "date", "ignore")
"""Types that a column can be given."""

NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": " ", "none": ""}
"""Names for characters that are awkward to type in a shell."""


def add_reading(parser: argparse.ArgumentParser) -> None:
    """--encoding, --delimiter, --decimal, --thousands, --header, --sheet, --types, --missing, --target-missing"""
    group = parser.add_argument_group("how the file is read", "What is not said is guessed, and the guesses are said.")
    group.add_argument("--encoding", help="of a text, such as utf-8 or cp1252")
    group.add_argument(
        "--delimiter", metavar="CHAR", help="between two cells, such as ';', tab or space; none: a single column"
    )
    group.add_argument("--decimal", metavar="CHAR", help="the decimal mark: . or ,")
    group.add_argument("--thousands", metavar="CHAR", help="what groups digits, such as , or space; none: nothing")
    group.add_argument("--header", choices=("yes", "no"), help="whether the first row names the columns")
    group.add_argument("--sheet", metavar="NAME", help="of a workbook")
    group.add_argument(
        "--types", nargs="+", action="extend", metavar="NAME=KIND", default=[],
        help=f"types of columns: {', '.join(TYPES)} (ignore leaves a column out); after FILE",
    )  # fmt: skip
    group.add_argument(
        "--missing", action="append", metavar="MARK",
        help="a text or number that stands for a missing value, besides the usual ones; again for each: --missing=-999 --missing=?",
    )  # fmt: skip
    group.add_argument(
        "--target-missing", action="append", metavar="MARK",
        help="a mark in the target that is no answer, such as NA; without it only the empty cell is none; again for each",
    )  # fmt: skip


def parse_reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, as `engine.data.tables.reading.read_sheet` takes them. Raises BadParameter."""
    given: dict[str, Any] = {
        "encoding": arguments.encoding,
        "delimiter": _read_character(arguments.delimiter),
        "decimal": arguments.decimal,
        "thousands": _read_character(arguments.thousands),
        "header": None if arguments.header is None else arguments.header == "yes",
        "sheet": arguments.sheet,
        "types": _parse_types(arguments.types) or None,
        "missing": arguments.missing,
        "target_missing": arguments.target_missing,
    }
    return {name: value for name, value in given.items() if value is not None}


def _read_character(text: str | None) -> str | None:
    return text if text is None else NAMED.get(text.lower(), text)


def _parse_types(texts: Sequence[str]) -> dict[str, str]:
    """NAME=KIND texts; a name may hold the sign itself."""
    out = {}
    for text in texts:
        name, sign, kind = text.rpartition("=")
        if not sign or kind not in TYPES:
            raise BadParameter(
                f"--types {one_line(text, 80)!r}: write NAME=KIND with one of {', '.join(TYPES)}, such as amount=numeric; FILE stands "
                "before --types."
            )
        out[name] = kind
    return out
