"""The options of `compare` that say what the rows are, how they are split, what is compared and how many cases can be checked."""

from __future__ import annotations

import argparse
import re
from typing import Any

from engine.errors import BadParameter
from engine.spec.comparison import ENSEMBLES, MODELS, PER, REMEDIES, SPLITS
from engine.text import one_line

UNITS = {"": 1.0, "h": 1 / 24, "d": 1.0, "w": 7.0}
"""Unit of a delay -> days."""


def add_questions(parser: argparse.ArgumentParser) -> None:
    """--time, --delay, --group, --alerts, --per, --cost-column, --score-column, --keep, --split, --models, --remedies, --ensembles,
    --tune
    """
    group = parser.add_argument_group("what the rows are", "Without these, rows are split at random.")
    group.add_argument("--time", metavar="COL", help="when a row happens: a column of dates, or of numbers that order the rows")
    group.add_argument("--delay", metavar="DAYS", help="how long a row's answer takes, such as 30d, 12h or 2w (default 0d)")
    group.add_argument("--group", metavar="COL", help="whom a row belongs to: a card, a patient, a machine")
    group.add_argument(
        "--keep", nargs="+", action="extend", metavar="COL", default=[],
        help="columns of --time and --group to learn from all the same; after FILE",
    )  # fmt: skip
    group.add_argument("--split", choices=SPLITS, help="how rows are parted (default: what --time and --group imply)")
    group.add_argument("--alerts", type=float, metavar="N", help="how many cases can be checked")
    group.add_argument(
        "--per", choices=PER, default=PER[0], help="what --alerts counts: per 1,000 rows, or per day (with --time)"
    )
    group.add_argument("--cost-column", metavar="COL", help="what a missed case costs, such as the amount lost")
    group.add_argument("--score-column", metavar="COL", help="the score or rule in use: compared, never learnt from")
    group = parser.add_argument_group("what is compared", "Without these, the budget decides.")
    group.add_argument("--models", nargs="+", choices=MODELS, metavar="NAME", help=f"of {', '.join(MODELS)}; after FILE")
    group.add_argument("--remedies", nargs="+", metavar="NAME", help=f"of {', '.join(REMEDIES)}; after FILE")
    group.add_argument(
        "--ensembles", nargs="+", choices=("none", "all", *ENSEMBLES), metavar="NAME",
        help=f"none, all, or of {', '.join(ENSEMBLES)}; after FILE",
    )  # fmt: skip
    group.add_argument("--tune", action="store_true", help="tune settings within the budget")
    group.add_argument(
        "--no-refit",
        action="store_true",
        help="score test rows by the models as validation chose them, not trained again (not by time)",
    )


def parse_questions(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options as fields of `engine.spec.comparison.CompareSpec`. Raises BadParameter."""
    if arguments.per == "day" and arguments.time is None:
        raise BadParameter("--per day needs --time: name the column that says when a row happens.")
    if arguments.delay is not None and arguments.time is None:
        raise BadParameter("--delay needs --time: name the column that says when a row happens.")
    for part, column in (("time", arguments.time), ("group", arguments.group)):
        if part in (arguments.split or "").split("-") and column is None:
            raise BadParameter(f"--split {arguments.split} needs --{part}: name its column.")
    return {
        "time": arguments.time,
        "delay": 0.0 if arguments.delay is None else parse_delay(arguments.delay),
        "group": arguments.group,
        "alerts": arguments.alerts,
        "per": arguments.per,
        "cost_column": arguments.cost_column,
        "score_column": arguments.score_column,
        "keep": tuple(arguments.keep),
        "split": arguments.split,
        "models": None if arguments.models is None else tuple(arguments.models),
        "remedies": None if arguments.remedies is None else _check_remedies(arguments.remedies),
        "ensembles": _parse_ensembles(arguments.ensembles),
        "tune": arguments.tune,
        "refit": not arguments.no_refit,
    }


def parse_delay(text: str) -> float:
    """Days of '30d', '12h', '2w' or '30'. Raises BadParameter."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([hdw]?)", text.strip().lower())
    if found is None:
        raise BadParameter(f"--delay {one_line(text, 40)!r}: write a number of days, such as 30d; 12h and 2w are taken too.")
    return float(found[1]) * UNITS[found[2]]


def _check_remedies(names: list[str]) -> tuple[str, ...]:
    """Names of remedies, or of methods of the catalog. Raises BadParameter."""
    known = dict.fromkeys(REMEDIES)
    if any(name not in known for name in names):
        from engine.methods import describe_methods
        from engine.spec.contest import list_remedies

        known |= dict.fromkeys(list_remedies({"methods": describe_methods()}))
    if unknown := [name for name in names if name not in known]:
        raise BadParameter(f"--remedies {one_line(unknown[0], 40)!r}: is not known here; there are: {', '.join(known)}.")
    return tuple(names)


def _parse_ensembles(names: list[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if "none" in names and len(names) > 1:
        raise BadParameter("--ensembles none: stands alone.")
    return () if names == ["none"] else ENSEMBLES if "all" in names else tuple(names)
