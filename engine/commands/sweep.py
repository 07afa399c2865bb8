"""`python -m engine sweep`: methods over ratios and datasets, in this process, cheapest first; every finished run is kept in the store."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.commands.arguments import add_report, add_store
from engine.commands.progress import ProgressLine, say
from engine.errors import LabError
from engine.report import ReportRequest, page, write_report
from engine.report.formats import format_interval
from engine.report.judge import judge_sweep
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.spec.run import WHERE
from engine.text import one_line

if TYPE_CHECKING:
    from engine.store import Store
    from engine.sweep import SweepSpec
    from engine.sweep.spec import Cell

NAME = "sweep"
HELP = "run methods over ratios and datasets, cheapest first, and hold them side by side"
ORDER = 40
STANDINGS = {"better": "better", "worse": "worse", "same": "no difference found"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("--datasets", required=True, metavar="A,B", help="names, as `list datasets` has them")
    parser.add_argument(
        "--methods", required=True, metavar="X,Y", help="names; plain training and the potential come by themselves"
    )
    parser.add_argument("--ratios", required=True, metavar="5,20", help="largest / smallest class, 1 to 500")
    parser.add_argument(
        "--where", choices=WHERE, default="all", help="all: before the split; train: test rows keep their classes"
    )
    parser.add_argument("--folds", type=int, default=4, help="test folds (default 4); data with parts of their own have one")
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="repetitions of all that is drawn (default 5); sets that every seed draws anew have folds x seeds of them, 1 stays 1",
    )
    parser.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    parser.add_argument("--metric", choices=tuple(METRICS), default=DEFAULT_METRIC, help=f"default: {DEFAULT_METRIC}")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_store(parser)
    add_report(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs what is missing, prints the answer, writes the report. 1 where a cell failed, 130 after Ctrl-C. Raises BadInput."""
    from engine.catalog import build_catalog
    from engine.store import Store
    from engine.sweep import SweepSpec
    from engine.sweep.table import build_table

    page.check_path(arguments.report)
    catalog = build_catalog(found=True)
    words = {
        name: str(getattr(arguments, name)) for name in ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")
    }
    spec = SweepSpec.from_query(words, catalog)
    store = Store(arguments.store)
    store.keep_sweep(spec.to_json())
    progress = _Progress(catalog)
    failed, stopped = _run_missing(store, spec, catalog, arguments.device, progress)
    records = [
        record | {"state": "failed", "reason": failed[record["run"]]} if record["run"] in failed else record
        for record in build_table(store, spec, catalog, arguments.metric)
    ]
    if arguments.json:
        print(json.dumps(_build_answer(spec, records, catalog, arguments.metric), allow_nan=False))
    else:
        print(summarise_sweep(spec, records, catalog, arguments.metric))
    if arguments.report is not None:
        given = {"spec": spec, "records": records, "metric": arguments.metric}
        page.write_file(arguments.report, write_report("sweep", ReportRequest(catalog, given=given)))
        say(f"report: {one_line(arguments.report, 200)}")
    if stopped:
        done = sum(record["state"] == "done" for record in records)
        say(f"stopped: {done} of {len(records)} runs are kept; the same command goes on from there")
        return 130
    return 1 if failed else 0


def _run_missing(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], device: str, progress: _Progress
) -> tuple[dict[str, str], bool]:
    """Run every cell that is missing; (run -> why it failed, whether Ctrl-C ended it)."""
    from engine.runner import drive
    from engine.runner import run as run_spec
    from engine.sweep.standing import read_standing

    failed: dict[str, str] = {}
    prints = {entry["name"]: entry["fingerprint"] for entry in catalog["datasets"]}
    try:
        while True:
            states = read_standing(store, spec, catalog, lanes=1).cells
            todo = [one for one in states if one.state != "done" and one.cell.id not in failed]
            if not todo:
                return failed, False
            left = [one.seconds for one in todo if one.seconds is not None]
            progress.begin(
                todo[0].cell, len(states) - len(todo) + 1, len(states), sum(left) if len(left) == len(todo) else None
            )
            cell = todo[0].cell
            try:
                events, result, artifacts = drive(run_spec(cell.spec, device=device))
            except LabError as error:
                failed[cell.id] = str(error)
            except Exception as error:  # one cell's error must not stop the others
                failed[cell.id] = (
                    f"The run failed with an error in the engine ({type(error).__name__}: {one_line(error, 200)})."
                )
            else:
                store.record_run(cell.spec, result, events, artifacts, fingerprint=prints[cell.dataset])
            progress.end(cell, failed.get(cell.id))
    except KeyboardInterrupt:
        return failed, True
    finally:
        progress.clear()


class _Progress(ProgressLine):
    """Progress of a sweep: a line per cell; what fails stays."""

    def __init__(self, catalog: Mapping[str, Any]) -> None:
        super().__init__()
        self.titles = {entry["name"]: entry["title"] for entry in catalog["methods"]}

    def begin(self, cell: Cell, number: int, of: int, left: float | None) -> None:
        """A cell begins. left: seconds, None while nothing is known."""
        rest = "" if left is None else f"; about {_format_duration(left)} left"
        self.announce(f"{number} of {of}: {self._describe(cell)}{rest}")

    def end(self, cell: Cell, why: str | None) -> None:
        """It is done, or failed for that reason."""
        if why is not None:
            self.keep(f"{self._describe(cell)} failed: {one_line(why, 400)}")

    def _describe(self, cell: Cell) -> str:
        return f"{one_line(self.titles[cell.method], 60)} on {one_line(cell.dataset, 60)} at {cell.ratio:g}:1"


def _build_answer(
    spec: SweepSpec, records: Sequence[Mapping[str, Any]], catalog: Mapping[str, Any], metric: str
) -> dict[str, Any]:
    """The answer for a program."""
    from engine.sweep.table import compare_over_cells

    return {
        "sweep": spec.to_json(),
        "metric": metric,
        "cells": list(records),
        "impossible": [vars(one) for one in spec.impossible(catalog)],
        "over_cells": compare_over_cells(records, metric),
        "verdict": judge_sweep(records, metric).text,
    }


def summarise_sweep(
    spec: SweepSpec, records: Sequence[Mapping[str, Any]], catalog: Mapping[str, Any], metric: str = DEFAULT_METRIC
) -> str:
    """The answer for a person: each dataset and ratio with a row a method, ranks over them, and what there is none of."""
    from engine.sweep.table import compare_over_cells

    label = METRICS[metric][0]
    out: list[str] = []
    blocks: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for record in records:
        blocks.setdefault((record["dataset"], record["ratio"]), []).append(record)
    head = ("", label, "against plain training", "p (Holm)", "", "of the potential", "n", "seconds")
    rows = {place: [_build_row(record) for record in block] for place, block in blocks.items()}
    widths = [max(len(row[i]) for row in [head, *(row for some in rows.values() for row in some)]) for i in range(len(head))]
    for (dataset, ratio), block in rows.items():
        out += [*([""] if out else []), f"{one_line(dataset, 60)} {ratio:g}:1"]
        for texts in (head, *block):
            cells = (t.rjust(w) if i in (3, 6, 7) else t.ljust(w) for i, (t, w) in enumerate(zip(texts, widths, strict=True)))
            out.append(("  " + "  ".join(cells)).rstrip())
    said = judge_sweep(records, metric)
    out += ["", one_line(said.text, 400), *(one_line(text, 200) for text in said.more)]
    kinds = list(dict.fromkeys(record["interval"] for record in records if record["interval"]))
    if kinds:
        tests = sum((record["difference"] or {}).get("p_holm") is not None for record in records)
        out += ["", f"{label}: mean over n replicates; {' / '.join(kinds)}. Differences are paired."]
        if tests:
            out.append(f"p is corrected by Holm over the {tests} differences shown; the potential is no method and has none.")
    if found := compare_over_cells(records, metric):
        titles = {record["method"]: one_line(record["title"], 60) for record in records}
        ranks = ", ".join(f"{titles[name]} {rank:.2f}" for name, rank in sorted(found["ranks"].items(), key=lambda one: one[1]))
        many = "cells of one dataset" if len(spec.datasets) == 1 else "cells"
        out.append(f"Mean rank over {found['sets']} {many}: {ranks}; critical difference {found['critical_difference']:.2f}.")
    out += list(dict.fromkeys(one_line(record["note"]) for record in records if record["note"]))
    out += [
        f"{one_line(record['title'], 60)} on {one_line(record['dataset'], 60)} at {record['ratio']:g}:1 failed: "
        f"{one_line(record['reason'])}"
        for record in records
        if record["state"] == "failed"
    ]
    for one in spec.impossible(catalog):
        where = (
            f"{one_line(one.dataset, 60)} at {one.ratio:g}:1"
            if one.ratio is not None
            else f"{one.method} on {one_line(one.dataset, 60)}"
        )
        out.append(f"Not possible: {where}. {one_line(one.reason)}")
    return "\n".join(out).lstrip("\n")


def _build_row(record: Mapping[str, Any]) -> tuple[str, ...]:
    difference, share = record["difference"], record["share"]
    tested = difference is not None and difference["p_holm"] is not None
    stands = "better" if tested and difference["better"] else "worse" if tested and difference["worse"] else "same"
    state = record["state"] if record["mean"] is None else format_interval(record)
    return (
        one_line(record["title"], 60),
        state,
        format_interval(difference, sign=True) if difference is not None else "",
        f"{difference['p_holm']:.3f}" if tested else "",
        STANDINGS[stands] if tested else "",
        "" if share is None else f"{share['mean']:.0%} [{share['low']:.0%}, {share['high']:.0%}]",
        str(record["n"] or ""),
        "" if record["seconds"] is None else f"{record['seconds']:.1f}",
    )


def _format_duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"
