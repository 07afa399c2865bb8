"""The options of `compare` that say what the rows are, how they are split, what is compared and how many cases can be checked."""

from __future__ import annotations

import argparse
import re
from typing import Any

from engine.errors import BadParameter
from engine.spec.comparison import ENSEMBLES, MODELS, PER, REMEDIES, SPLITS
from engine.spec.contest import INSTALLED, list_contenders, list_ensembles, list_models, list_remedies
from engine.text import one_line

UNITS = {"": 1.0, "h": 1 / 24, "d": 1.0, "w": 7.0}
"""Unit of a delay -> days."""


def add_questions(parser: argparse.ArgumentParser) -> None:
    """--time, --delay, --group, --alerts, --per, --cost-column, --score-column, --keep, --split, --models, --remedies, --ensembles,
    --methods, --list-methods, --tune, --no-refit
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
    group.add_argument("--models", nargs="+", metavar="NAME", help=f"of {', '.join(MODELS)}, or your own; after FILE")
    group.add_argument("--remedies", nargs="+", metavar="NAME", help=f"of {', '.join(REMEDIES)}; after FILE")
    group.add_argument(
        "--ensembles", nargs="+", metavar="NAME", help=f"none, all, or of {', '.join(ENSEMBLES)}, or your own; after FILE"
    )  # fmt: skip
    group.add_argument(
        "--methods", nargs="+", metavar="NAME",
        help="all, or methods by name: those alone, or besides --models, --remedies and --ensembles; after FILE",
    )  # fmt: skip
    group.add_argument(
        "--list-methods", action="store_true", help="list all methods with a guess of their seconds on FILE; compare nothing"
    )
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
        **_parse_rows(arguments),
        "tune": arguments.tune,
        "refit": not arguments.no_refit,
    }


def parse_delay(text: str) -> float:
    """Days of '30d', '12h', '2w' or '30'. Raises BadParameter."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([hdw]?)", text.strip().lower())
    if found is None:
        raise BadParameter(f"--delay {one_line(text, 40)!r}: write a number of days, such as 30d; 12h and 2w are taken too.")
    return float(found[1]) * UNITS[found[2]]


def _parse_rows(arguments: argparse.Namespace) -> dict[str, tuple[str, ...] | None]:
    """The names of rows. The catalog, which imports torch, is read only for names that are not known without it. Raises BadParameter."""
    ensembles = arguments.ensembles
    if ensembles is not None and "none" in ensembles and len(ensembles) > 1:
        raise BadParameter("--ensembles none: stands alone.")
    if ensembles == ["none"]:
        ensembles = []
    given = {"models": arguments.models, "remedies": arguments.remedies, "ensembles": ensembles, "methods": arguments.methods}
    known: dict[str, list[str]] = {
        "models": [*MODELS],
        "remedies": [*REMEDIES],
        "ensembles": ["all", *ENSEMBLES],
        "methods": [],
    }
    if any(name not in known[word] for word, names in given.items() for name in names or ()) or "all" in (ensembles or ()):
        from engine.methods import describe_methods

        catalog = {"methods": describe_methods()}
        known["models"] += [name for name in list_models(catalog) if name not in known["models"]]
        known["remedies"] += [name for name in list_remedies(catalog) if name not in known["remedies"]]
        known["ensembles"] = ["all", *list_ensembles(catalog)]
        known["methods"] = ["all", *list_contenders(catalog, INSTALLED)]
        for word, names in given.items():
            if unknown := [name for name in names or () if name not in known[word]]:
                there = ", ".join(name for name in known[word] if "+" not in name)
                raise BadParameter(f"--{word} {one_line(unknown[0], 40)!r}: is not known here; there are: {there}.")
        if "all" in (ensembles or ()):
            given["ensembles"] = list_ensembles(catalog)
        if "all" in (arguments.methods or ()):
            given["methods"] = [name for name in list_contenders(catalog) if "+" not in name]
    return {word: None if names is None else tuple(names) for word, names in given.items()}
