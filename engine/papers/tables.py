"""The papers' tables: which there are, what their runs gave, and the verdicts that follow. No torch here: the page judges stored runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.errors import BadParameter
from engine.papers import adult, all_methods, beyond, dos, eos, keel, moving, published, sine
from engine.papers.protocol import Arm, Claim, Reading, Row, Table
from engine.papers.readings import read_values
from engine.papers.verdicts import judge
from engine.plain import to_plain
from engine.stats.significance import find_test_share

PAPERS: dict[str, Any] = {"eos": eos, "dos": dos, "adult": adult, "keel": keel, "sine": sine, "moving": moving}
PAPERS |= {"all-methods": all_methods, "beyond": beyond}


def build_table(paper: str, name: str, reduced: bool = False, catalog: Mapping[str, Any] | None = None) -> Table:
    """One table as a protocol. catalog: of this engine, for those whose rows are its methods."""
    module = PAPERS[paper]
    table: Table = (
        module.table(name, reduced, catalog=catalog) if hasattr(module, "OF_CATALOG") else module.table(name, reduced)
    )
    return table


def select_tables(
    paper: str,
    names: Sequence[str],
    reduced: bool,
    methods: Sequence[str] = (),
    datasets: Sequence[str] = (),
    catalog: Mapping[str, Any] | None = None,
) -> list[Table]:
    """The tables of these names, cut down to methods (as the paper or the catalog names them) and datasets (as the catalog does).

    Raises UnknownName, BadParameter where a method or dataset is in none of them.
    """
    out = [build_table(paper, name, reduced, catalog) for name in names or published.list_tables(paper)]
    rows = [row for table in out for row in table.rows]
    wanted = {word: _find_rows(word, rows) for word in methods}
    if unknown := sorted(word.lower() for word, found in wanted.items() if not found):
        known = ", ".join(sorted({row.labels["method"] for row in rows}))
        raise BadParameter(f"no row is of method {unknown[0]!r}; there are: {known}.")
    places = {name for row in rows if (name := row.dataset_name)}
    if strange := set(datasets) - places:
        raise BadParameter(f"no row is of dataset {min(strange)!r}; there are: {', '.join(sorted(places))}.")
    return [table.select(set[str]().union(*wanted.values()), datasets) for table in out]


def _find_rows(word: str, rows: Sequence[Row]) -> set[str]:
    """Names of the rows that a word means, upper and lower case alike: the row called so, else all that run the method called so.

    A row's name comes first: in the table of EOS, EOS is one row, and most others run the method eos with another sampler.
    """
    named = {row.labels["method"] for row in rows if row.labels["method"].lower() == word.lower()}
    run = {row.labels["method"] for row in rows if row.reading and word.lower() in {arm.method for arm in row.reading.arms}}
    return named or run


@dataclass
class Answers:
    """What the runs of some tables gave. values: arm -> replicate number -> its result; absent: arm -> why it was not run."""

    results: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    absent: dict[str, str] = field(default_factory=dict)

    def list_values(self, reading: Reading, numbers: Iterable[int]) -> list[float]:
        """Values of a reading, replicate by replicate."""
        return [value for n in numbers for value in self._read(reading, n)]

    def _read(self, reading: Reading, number: int) -> list[float]:
        if reading.less is not None:
            mine, theirs = (self._read(replace(reading, arm=arm, less=None), number) for arm in (reading.arm, reading.less))
            return [a - b for a, b in zip(mine, theirs, strict=True)]
        results = [self.results[arm.key][number] for arm in reading.arms]
        values = [read_values(result, reading.what) for result in results]
        if not reading.among:
            return values[0]
        best = np.argmax([result["validation"] for result in results], axis=0)
        return [values[which][r] for r, which in enumerate(best)]

    def numbers(self, *readings: Reading) -> list[int]:
        """The replicates that all these readings have."""
        return sorted(set.intersection(*(set(self.results[arm.key]) for r in readings for arm in r.arms)))

    def why_absent(self, *readings: Reading) -> str:
        """Why these readings have no replicate in common."""
        return next((self.absent[arm.key] for r in readings for arm in r.arms if arm.key in self.absent), "nothing was run")


def judge_tables(
    tables: Sequence[Table], answers: Answers, folds: int | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and claims of these tables with what was measured and its verdicts, JSON-plain. folds: as `TableRunner.run` was given them."""
    rows = [_measure_row(table, row, answers, folds or table.folds) for table in tables for row in table.rows]
    claims = [_measure_claim(table, claim, answers, folds or table.folds) for table in tables for claim in table.claims]
    return judge(rows, claims)


def _measure_row(table: Table, row: Row, answers: Answers, folds: int) -> dict[str, Any]:
    cell, reading = row.cell, row.reading
    out: dict[str, Any] = {
        "table": table.name,
        "dataset": row.dataset,
        "labels": dict(row.labels),
        "metric": row.metric,
        "published": cell.value if cell else None,
        "printed_as": cell.metric if cell else "",
        "mark": cell.mark if cell else "",
        "values": [],
        "absent": row.absent,
        "incomparable": row.incomparable,
        "test_share": 0.0,
        "runs": [],
    }
    if reading is not None:
        numbers = answers.numbers(reading)
        out |= {
            "values": answers.list_values(reading, numbers),
            "absent": "" if numbers else answers.why_absent(reading),
            "test_share": _test_share(reading.arm, answers, folds),
            "runs": [answers.results[arm.key][n]["run_id"] for n in numbers for arm in reading.arms],
        }
    return out


def _measure_claim(table: Table, claim: Claim, answers: Answers, folds: int) -> dict[str, Any]:
    numbers = answers.numbers(claim.left, claim.right)
    return {
        "table": table.name,
        "dataset": claim.dataset,
        "text": claim.text,
        "kind": claim.kind,
        "factor": claim.factor,
        **({"margin": claim.margin} if claim.kind == "near" else {}),
        "left": answers.list_values(claim.left, numbers),
        "right": answers.list_values(claim.right, numbers),
        "absent": "" if numbers else answers.why_absent(claim.left, claim.right),
        "test_share": _test_share(claim.left.arm, answers, folds),
    }


def _test_share(arm: Arm, answers: Answers, folds: int) -> float:
    """Of an arm's replicates: what a stacked run's result has; where every replicate is a run of its own, as the protocol draws them."""
    shares = [float(result["test_share"]) for result in answers.results[arm.key].values() if "test_share" in result]
    if arm.stacked and shares:
        return shares[0]
    return find_test_share(folds, drawn=bool(shares) and not any(shares), official=arm.fixed_test)


def compute_extras(table: Table, rows: Sequence[Mapping[str, Any]], answers: Answers) -> dict[str, Any]:
    """What a table has beside rows and claims, JSON-plain; empty where it has nothing.

    over_sets: `engine.stats.significance.compare_over_sets` of ours, and of the published numbers. figures: the paper's figures as lines.
    """
    paper = PAPERS[table.paper]
    out: dict[str, Any] = {}
    if hasattr(paper, "compare_methods"):
        out["over_sets"] = paper.compare_methods([row for row in rows if row["table"] == table.name])
    if hasattr(paper, "figures"):
        found = {arm.key: answers.results[arm.key].get(0) for arm in table.arms()}
        out["figures"] = paper.figures(table, {key: result["lines"] for key, result in found.items() if result})
    kept: dict[str, Any] = to_plain({name: value for name, value in out.items() if value})
    return kept
