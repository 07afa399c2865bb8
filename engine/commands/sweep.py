"""`python -m engine sweep`: methods over ratios and datasets, in this process, cheapest first; every finished run is kept in the store."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import LabError
from engine.report import page
from engine.report.formats import interval
from engine.spec.result import METRICS
from engine.sweep import SweepSpec
from engine.sweep import spec as sweep
from engine.sweep.spec import Cell
from engine.text import line

STANDINGS = {"better": "better", "worse": "worse", "same": "not told apart"}


def command(asked: argparse.Namespace) -> int:
    """Run what is missing, print the answer, write the report. Returns 1 where a cell failed, 130 after Ctrl-C, else 0. Raises BadInput."""
    from engine.catalog import build_catalog
    from engine.store import Store

    page.can_write(asked.report)
    catalog = build_catalog(found=True)
    words = {name: str(getattr(asked, name)) for name in ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")}
    spec = SweepSpec.from_query(words, catalog)
    store = Store(asked.store)
    store.keep_sweep(spec.to_json())
    teller = _Teller(catalog)
    failed, stopped = _fill(store, spec, catalog, asked.device, teller)
    records = [
        record | {"state": "failed", "reason": failed[record["run"]]} if record["run"] in failed else record
        for record in sweep.table(store, spec, catalog, asked.metric)
    ]
    if asked.json:
        print(json.dumps(_answer(spec, records, catalog, asked.metric), allow_nan=False))
    else:
        print(summary(spec, records, catalog, asked.metric))
    if asked.report is not None:
        from engine.report.sweep import html_sweep

        page.write(asked.report, html_sweep(spec, records, catalog, asked.metric))
        _say(f"report: {line(asked.report, 200)}")
    if stopped:
        done = sum(record["state"] == "done" for record in records)
        _say(f"stopped: {done} of {len(records)} runs are kept; the same command goes on from there")
        return 130
    return 1 if failed else 0


def _fill(store: Any, spec: SweepSpec, catalog: Mapping[str, Any], device: str, teller: _Teller) -> tuple[dict[str, str], bool]:
    """Run every cell that is missing; (run -> why it failed, whether Ctrl-C ended it)."""
    from engine.runner import drive, run

    failed: dict[str, str] = {}
    prints = {entry["name"]: entry["fingerprint"] for entry in catalog["datasets"]}
    try:
        while True:
            states = sweep.standing(store, spec, catalog, lanes=1).cells
            todo = [one for one in states if one.state != "done" and one.cell.id not in failed]
            if not todo:
                return failed, False
            left = [one.seconds for one in todo if one.seconds is not None]
            teller.begins(todo[0].cell, len(states) - len(todo) + 1, len(states), sum(left) if len(left) == len(todo) else None)
            cell = todo[0].cell
            try:
                events, result, artifacts = drive(run(cell.spec, device=device))
            except LabError as error:
                failed[cell.id] = str(error)
            except Exception as error:  # one cell's error must not stop the others
                failed[cell.id] = f"The run failed with an error in the engine ({type(error).__name__}: {line(error, 200)})."
            else:
                store.record_run(cell.spec, result, events, artifacts, fingerprint=prints[cell.dataset])
            teller.ends(cell, failed.get(cell.id))
    except KeyboardInterrupt:
        return failed, True
    finally:
        teller.clear()


class _Teller:
    """How far it is, on stderr: on a terminal one line that is written over, else a line per cell; what fails stays."""

    def __init__(self, catalog: Mapping[str, Any]) -> None:
        self.live = sys.stderr.isatty()
        self.titles = {entry["name"]: entry["title"] for entry in catalog["methods"]}

    def begins(self, cell: Cell, number: int, of: int, left: float | None) -> None:
        """A cell is taken up. left: seconds, None while nothing is known."""
        rest = "" if left is None else f"; about {_duration(left)} left"
        self._line(f"{number} of {of}: {self._name(cell)}{rest}", stay=not self.live)

    def ends(self, cell: Cell, why: str | None) -> None:
        """It is done, or failed for that reason."""
        if why is not None:
            self._line(f"{self._name(cell)} failed: {line(why, 400)}", stay=True)

    def clear(self) -> None:
        """Take the line away."""
        if self.live:
            self._line("", stay=False)

    def _name(self, cell: Cell) -> str:
        return f"{line(self.titles[cell.method], 60)} on {line(cell.dataset, 60)} at {cell.ratio:g}:1"

    def _line(self, text: str, *, stay: bool) -> None:
        start = "\r\x1b[K" if self.live else ""
        print(start + text, end="\n" if stay else "", file=sys.stderr, flush=True)


def _answer(spec: SweepSpec, records: Sequence[Mapping[str, Any]], catalog: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """The answer for a program."""
    return {
        "sweep": spec.to_json(),
        "metric": metric,
        "cells": list(records),
        "impossible": [vars(one) for one in spec.impossible(catalog)],
        "over_cells": sweep.over_cells(records, metric),
    }


def summary(
    spec: SweepSpec, records: Sequence[Mapping[str, Any]], catalog: Mapping[str, Any], metric: str = sweep.METRIC
) -> str:
    """The answer for a person: each dataset and ratio with a row a method, ranks over them, and what there is none of."""
    label = METRICS[metric][0]
    out: list[str] = []
    blocks: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for record in records:
        blocks.setdefault((record["dataset"], record["ratio"]), []).append(record)
    head = ("", label, "against plain training", "p (Holm)", "", "of the potential", "n", "seconds")
    rows = {place: [_row(record) for record in block] for place, block in blocks.items()}
    widths = [max(len(row[i]) for row in [head, *(row for some in rows.values() for row in some)]) for i in range(len(head))]
    for (dataset, ratio), block in rows.items():
        out += [*([""] if out else []), f"{line(dataset, 60)} {ratio:g}:1"]
        for texts in (head, *block):
            cells = (t.rjust(w) if i in (3, 6, 7) else t.ljust(w) for i, (t, w) in enumerate(zip(texts, widths, strict=True)))
            out.append(("  " + "  ".join(cells)).rstrip())
    kinds = list(dict.fromkeys(record["interval"] for record in records if record["interval"]))
    if kinds:
        tests = sum((record["difference"] or {}).get("p_holm") is not None for record in records)
        out += ["", f"{label}: mean over n replicates; {' / '.join(kinds)}. Differences are paired."]
        if tests:
            out.append(f"p is corrected by Holm over the {tests} differences shown; the potential is no method and has none.")
    if found := sweep.over_cells(records, metric):
        titles = {record["method"]: line(record["title"], 60) for record in records}
        ranks = ", ".join(f"{titles[name]} {rank:.2f}" for name, rank in sorted(found["ranks"].items(), key=lambda one: one[1]))
        many = "cells of one dataset" if len(spec.datasets) == 1 else "cells"
        out.append(f"Mean rank over {found['sets']} {many}: {ranks}; critical difference {found['critical_difference']:.2f}.")
    out += list(dict.fromkeys(line(record["note"]) for record in records if record["note"]))
    out += [
        f"{line(record['title'], 60)} on {line(record['dataset'], 60)} at {record['ratio']:g}:1 failed: {line(record['reason'])}"
        for record in records
        if record["state"] == "failed"
    ]
    for one in spec.impossible(catalog):
        where = (
            f"{line(one.dataset, 60)} at {one.ratio:g}:1"
            if one.ratio is not None
            else f"{one.method} on {line(one.dataset, 60)}"
        )
        out.append(f"Not possible: {where}. {line(one.reason)}")
    return "\n".join(out).lstrip("\n")


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    difference, share = record["difference"], record["share"]
    tested = difference is not None and difference["p_holm"] is not None
    stands = "better" if tested and difference["better"] else "worse" if tested and difference["worse"] else "same"
    state = record["state"] if record["mean"] is None else interval(record)
    return (
        line(record["title"], 60),
        state,
        interval(difference, sign=True) if difference is not None else "",
        f"{difference['p_holm']:.3f}" if tested else "",
        STANDINGS[stands] if tested else "",
        "" if share is None else f"{share['mean']:.0%} [{share['low']:.0%}, {share['high']:.0%}]",
        str(record["n"] or ""),
        "" if record["seconds"] is None else f"{record['seconds']:.1f}",
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
