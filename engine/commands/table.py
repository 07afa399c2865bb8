"""`python -m engine table`: runs a paper's protocol, goes on where it stopped, and prints what became of every number and claim."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import BadParameter
from engine.papers import measured
from engine.papers.protocol import Table
from engine.papers.shelf import InFolder, InStore, Shelf
from engine.papers.tables import beside, chosen, judged
from engine.plain import to_plain
from engine.reproduce.check import check_cell, describe_check
from engine.reproduce.document import build_document, summarise_tables
from engine.reproduce.table_runner import TableRunner

# ---- the command


def command(asked: Any) -> int:
    """Carry out `python -m engine table`. Raises the errors of engine.errors; KeyboardInterrupt after saying what is kept."""
    from engine.catalog import build_catalog

    tables = chosen(asked.paper, asked.table, asked.reduced, asked.methods, asked.datasets)
    for name, value, low, high in (("--seeds", asked.seeds, 1, 1000), ("--folds", asked.folds, 1, 10)):
        if value is not None and not low <= value <= high:
            raise BadParameter(f"{name} {value}: must be a whole number in [{low}, {high}].")
    if not 1 <= asked.jobs <= 64:
        raise BadParameter(f"--jobs {asked.jobs}: must be a whole number in [1, 64].")
    if asked.folder is not None and asked.store is not None:
        raise BadParameter("--store and --folder: give one of them.")
    if asked.cell is not None and not asked.check:
        raise BadParameter("--cell names a cell to be checked: it goes with --check.")
    if asked.check:
        return _check_tables(tables, asked)
    if asked.ship and (asked.methods or asked.datasets):
        raise BadParameter("--ship writes whole tables: leave --methods and --datasets out.")
    told: list[dict[str, Any]] = []
    if asked.tune is not None:
        tables, told = _tune_tables(tables, asked)
    shelf: Shelf = InFolder(asked.folder) if asked.folder is not None else InStore(asked.store)
    runner = TableRunner(build_catalog(found=True), shelf, _say, asked.device, asked.jobs)
    _say(tables[0].words)
    try:
        answers = runner.run(tables, asked.seeds, asked.folds)
    except KeyboardInterrupt:
        _say("every finished run is kept: the same command goes on from here")
        raise
    rows, claims = judged(tables, answers, asked.folds)
    seconds = sum({r["run_id"]: r["seconds"] for of in answers.results.values() for r in of.values()}.values())
    if asked.ship or asked.out is not None:
        for table in tables:
            mine, said = ([part for part in several if part["table"] == table.name] for several in (rows, claims))
            where = measured.path(table.paper, table.name, table.reduced) if asked.out is None else _file_in(asked.out, table)
            document = build_document(table, mine, said, answers, asked) | beside(table, mine, answers)
            measured.write(where, document | ({"tuning": told} if told else {}))
            _say(f"written: {where}")
    more = {table.name: found for table in tables if (found := beside(table, rows, answers))}
    if asked.json:
        answer = {"paper": asked.paper, "reduced": asked.reduced, "rows": rows, "claims": claims, "seconds": seconds}
        answer |= {"tuning": told} if told else {}
        print(json.dumps(to_plain(answer | ({"beside": more} if more else {}))))
    else:
        print(summarise_tables(tables, rows, claims, seconds, more))
    return 0


def _tune_tables(tables: Sequence[Table], asked: Any) -> tuple[list[Table], list[dict[str, Any]]]:
    """The tables after --tune, and what was chosen."""
    if asked.folder is None:
        raise BadParameter("--tune keeps its trials in a folder, to go on from: name one with --folder.")
    if asked.ship:
        raise BadParameter("--ship writes the tables that are compared with; one that was tuned goes where --out says.")
    from engine.catalog import build_catalog
    from engine.reproduce import tuning

    out, told = [], []
    for table in tables:
        tuning.check(table, asked.tune)
        table = replace(table, seeds=asked.seeds or table.seeds, folds=asked.folds or table.folds)
        one, chosen_ = tuning.tuned(table, asked.tune, asked.folder, build_catalog(found=True), asked.device, _say)
        out.append(one)
        told += chosen_
    return out, told


def _file_in(folder: Path, table: Table) -> Path:
    return folder / measured.path(table.paper, table.name, table.reduced).name


# ---- whether a shipped number comes out again


def _check_tables(tables: Sequence[Table], asked: Any) -> int:
    """Carry out --check: 0 where every cell came out again, else 1."""
    for name, given in (
        ("--seeds", asked.seeds),
        ("--folds", asked.folds),
        ("--out", asked.out),
        ("--store", asked.store),
        ("--tune", asked.tune),
    ):
        if given is not None:
            raise BadParameter(f"--check runs a shipped cell anew, as it was: leave {name} out.")
    if asked.ship or asked.folder is not None:
        raise BadParameter("--check runs a shipped cell anew and keeps nothing: leave --ship and --folder out.")
    cells = [
        check_cell(table, asked.cell, bool(asked.methods or asked.datasets), _say, asked.device, asked.jobs) for table in tables
    ]
    found = [cell for several in cells for cell in several]
    if asked.json:
        print(json.dumps(to_plain({"paper": asked.paper, "reduced": asked.reduced, "cells": found})))
    else:
        print("\n".join(map(describe_check, found)))
    return 0 if all(cell["ok"] for cell in found) else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
