"""`python -m engine table`: runs a paper's protocol, goes on where it stopped, and prints what became of every number and claim."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.commands.arguments import add_store
from engine.commands.progress import say
from engine.errors import BadParameter
from engine.plain import to_plain

if TYPE_CHECKING:
    from engine.papers.protocol import Table
    from engine.papers.tables import Answers
    from engine.reproduce.table_runner import RunGroups

NAME = "table"
HELP = "run a paper's tables, and say what became of their numbers and claims"
ORDER = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("paper", choices=("eos", "dos", "adult", "keel", "sine", "moving", "all-methods", "beyond"))
    parser.add_argument("--table", nargs="+", default=[], metavar="NAME", help="such as II, or 6; default: all of the paper's")
    parser.add_argument(
        "--reduced", action="store_true", help="the small protocol for two cores; never held against the paper's numbers"
    )
    parser.add_argument(
        "--methods", nargs="+", default=[], metavar="METHOD", help="only these rows, named as in the paper or by their method"
    )
    parser.add_argument(
        "--datasets", nargs="+", default=[], metavar="DATASET", help="only these, named as `list datasets` does"
    )
    parser.add_argument("--seeds", type=int, help="replicates (default: the protocol's)")
    parser.add_argument(
        "--folds", type=int, help="test folds of data without a test part of their own (default: the protocol's)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add_store(parser)
    parser.add_argument("--folder", type=Path, help="keep the runs as files in this folder instead, which needs no database")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--out", type=Path, help="also write each table with where it comes from into this folder")
    parser.add_argument("--ship", action="store_true", help="also write each table where the product keeps its measurements")
    parser.add_argument(
        "--tune", type=int, nargs="?", const=20, metavar="TRIALS",
        help="keel: first choose layers, width and rate per set and method by so many trials on validation (default: 20)",
    )  # fmt: skip
    parser.add_argument("--kept", action="store_true", help="run nothing: print and write what earlier commands kept")
    parser.add_argument(
        "--jobs", type=int, default=1,
        help="runs at once, each in a process of its own; with LAB_EXECUTOR=ray each in a slot of the cluster (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--check",
        action="store_true",
        help="run a shipped cell anew: equal to 1e-9 on this machine and torch, else in its interval?",
    )
    parser.add_argument(
        "--cell", metavar="NAME", help="with --check: which, such as 'glass2, CE' (default: each table's first)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the tables, and writes them where asked. KeyboardInterrupt after printing what is kept. Raises BadInput, StoreError."""
    from engine.catalog import build_catalog
    from engine.papers.result_cache import FolderCache, ResultCache, StoreCache
    from engine.papers.tables import compute_extras, judge_tables, select_tables
    from engine.plugins import SETTING, find_folder
    from engine.reproduce.document import summarise_tables
    from engine.reproduce.table_runner import TableRunner

    catalog = build_catalog(found=True)
    tables = select_tables(arguments.paper, arguments.table, arguments.reduced, arguments.methods, arguments.datasets, catalog)
    _check_arguments(arguments)
    if arguments.check:
        return _check_tables(tables, arguments)
    if arguments.ship and (arguments.methods or arguments.datasets):
        raise BadParameter("--ship writes whole tables: leave --methods and --datasets out.")
    if arguments.ship and find_folder() is not None:
        raise BadParameter(f"--ship writes what every copy of this engine can run: leave {SETTING} out.")
    tuning: list[dict[str, Any]] = []
    if arguments.tune is not None:
        tables, tuning = _tune_tables(tables, arguments)
    cache: ResultCache = FolderCache(arguments.folder) if arguments.folder is not None else StoreCache(arguments.store)
    runner = TableRunner(catalog, cache, say, arguments.device, arguments.jobs, _choose_run_groups())
    say(tables[0].description)
    try:
        answers = runner.run(tables, arguments.seeds, arguments.folds, arguments.kept)
    except KeyboardInterrupt:
        say("every finished run is kept: the same command goes on from here")
        raise
    rows, claims = judge_tables(tables, answers, arguments.folds)
    more = {table.name: found for table in tables if (found := compute_extras(table, rows, answers))}
    if arguments.ship or arguments.out is not None:
        for table in tables:
            _write(table, rows, claims, answers, more.get(table.name, {}), tuning, arguments)
    seconds = sum({r["run_id"]: r["seconds"] for of in answers.results.values() for r in of.values()}.values())
    if arguments.json:
        answer = {"paper": arguments.paper, "reduced": arguments.reduced, "rows": rows, "claims": claims, "seconds": seconds}
        answer |= {"tuning": tuning} if tuning else {}
        print(json.dumps(to_plain(answer | ({"beside": more} if more else {}))))
    else:
        print(summarise_tables(tables, rows, claims, seconds, more))
    return 0


def _choose_run_groups() -> RunGroups | None:
    """What runs the cells: a cluster where LAB_EXECUTOR names one, else None for processes of this machine. Raises BadInput."""
    where = os.environ.get("LAB_EXECUTOR", "") or "local"
    if where == "local":
        return None
    from engine.executors.ray_groups import ClusterRuns

    return ClusterRuns(where, say)


def _check_arguments(arguments: argparse.Namespace) -> None:
    """Raises BadParameter for values out of range and for arguments that exclude each other."""
    for name, value, low, high in (("--seeds", arguments.seeds, 1, 1000), ("--folds", arguments.folds, 1, 10)):
        if value is not None and not low <= value <= high:
            raise BadParameter(f"{name} {value}: must be a whole number in [{low}, {high}].")
    if not 1 <= arguments.jobs <= 64:
        raise BadParameter(f"--jobs {arguments.jobs}: must be a whole number in [1, 64].")
    if arguments.folder is not None and arguments.store is not None:
        raise BadParameter("--store and --folder: give one of them.")
    if arguments.cell is not None and not arguments.check:
        raise BadParameter("--cell names a cell to be checked: it goes with --check.")


def _write(
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    claims: Sequence[Mapping[str, Any]],
    answers: Answers,
    more: Mapping[str, Any],
    tuning: Sequence[Mapping[str, Any]],
    arguments: argparse.Namespace,
) -> None:
    """Writes one table into the folder asked for, or where the product keeps its measurements."""
    from engine.papers import measured
    from engine.reproduce.document import build_document

    own, own_claims = ([part for part in several if part["table"] == table.name] for several in (rows, claims))
    path = measured.table_path(table.paper, table.name, table.reduced)
    path = path if arguments.out is None else arguments.out / path.name
    given = {name: getattr(arguments, name) for name in ("seeds", "folds", "tune") if getattr(arguments, name)}
    document = build_document(table, own, own_claims, answers, given) | dict(more)
    measured.write_table(path, document | ({"tuning": tuning} if tuning else {}))
    say(f"written: {path}")


def _tune_tables(tables: Sequence[Table], arguments: argparse.Namespace) -> tuple[list[Table], list[dict[str, Any]]]:
    """The tables after --tune, and what was chosen."""
    from engine.catalog import build_catalog

    if arguments.folder is None:
        raise BadParameter("--tune keeps its trials in a folder, to go on from: name one with --folder.")
    if arguments.ship:
        raise BadParameter("--ship writes the tables that are compared with; one that was tuned goes where --out says.")
    from engine.reproduce import tuning

    tuned, chosen = [], []
    for table in tables:
        tuning.check_table(table, arguments.tune)
        table = replace(table, seeds=arguments.seeds or table.seeds, folds=arguments.folds or table.folds)
        catalog = build_catalog(found=True)
        one, found = tuning.tune_table(table, arguments.tune, arguments.folder, catalog, arguments.device, say)
        tuned.append(one)
        chosen += found
    return tuned, chosen


def _check_tables(tables: Sequence[Table], arguments: argparse.Namespace) -> int:
    """Carries out --check: 0 where every cell came out again, else 1."""
    from engine.reproduce.check import check_cell, describe_check

    for name in ("seeds", "folds", "out", "store", "tune"):
        if getattr(arguments, name) is not None:
            raise BadParameter(f"--check runs a shipped cell anew, as it was: leave --{name} out.")
    if arguments.ship or arguments.kept or arguments.folder is not None:
        raise BadParameter("--check runs a shipped cell anew and keeps nothing: leave --ship, --kept and --folder out.")
    every = bool(arguments.methods or arguments.datasets)
    cells = [
        cell for table in tables for cell in check_cell(table, arguments.cell, every, say, arguments.device, arguments.jobs)
    ]
    if arguments.json:
        print(json.dumps(to_plain({"paper": arguments.paper, "reduced": arguments.reduced, "cells": cells})))
    else:
        print("\n".join(map(describe_check, cells)))
    return 0 if all(cell["ok"] for cell in cells) else 1
