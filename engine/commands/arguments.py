"""What several commands share in their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import BadParameter
from engine.spec import fields
from engine.text import quote


def add_store(parser: argparse.ArgumentParser) -> None:
    """--store"""
    parser.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")


def add_report(parser: argparse.ArgumentParser) -> None:
    """--report and --json"""
    parser.add_argument("--report", type=Path, metavar="out.html", help="also write one HTML file with everything")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def parse_pairs(texts: Sequence[str], described: list[dict[str, Any]], who: str) -> dict[str, Any]:
    """NAME=VALUE texts as values of these fields (`engine.spec.fields.describe`). who: named in errors. Raises BadParameter."""
    out = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise BadParameter(f"{quote(text)}: write NAME=VALUE, such as {described[0]['name'] if described else 'name'}=1.")
        known = {d["name"]: d for d in described}
        if name not in known:
            fields.check(described, {name: value}, who)  # raises, listing what there is
        out[name] = fields.parse(known[name], value, who)
    return out
