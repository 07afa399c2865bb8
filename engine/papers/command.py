"""`python -m engine table`: run a paper's protocol, go on where it stopped, and say what became of every number and claim."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, BadParameter, DataMissing, OutOfMemory
from engine.papers import adult, dos, eos, keel, measured, moving, published, sine
from engine.papers.protocol import SINE, Arm, Reading, Row, Table
from engine.papers.readings import read
from engine.papers.shelf import InFolder, InStore, Shelf, words
from engine.papers.verdicts import NOT_COMPARABLE, TOO_FEW, judge
from engine.result import Result, plain
from engine.spec import RunSpec, canonical, find

PAPERS: dict[str, Any] = {"eos": eos, "dos": dos, "adult": adult, "keel": keel, "sine": sine, "moving": moving}
DIGITS = 6
"""Decimals kept of a replicate's value: verdicts are made from what is kept, so they can be made again."""


def chosen(
    paper: str, names: Sequence[str], reduced: bool, methods: Sequence[str] = (), datasets: Sequence[str] = ()
) -> list[Table]:
    """The tables asked for, cut down to methods (as the paper names them) and datasets (as the catalog does).

    Raises UnknownName, BadParameter where a method or dataset is in none of them.
    """
    out = [PAPERS[paper].table(name, reduced) for name in names or published.tables(paper)]
    known = {row.labels["method"] for table in out for row in table.rows}
    if strange := {m.lower() for m in methods} - {m.lower() for m in known}:
        raise BadParameter(f"no row is of method {min(strange)!r}; there are: {', '.join(sorted(known))}.")
    places = {name for table in out for row in table.rows if (name := row.dataset_name)}
    if unknown := set(datasets) - places:
        raise BadParameter(f"no row is of dataset {min(unknown)!r}; there are: {', '.join(sorted(places))}.")
    return [table.only(methods, datasets) for table in out]


@dataclass
class Answers:
    """What the runs of some tables gave. values: arm -> replicate number -> its result; absent: arm -> why it was not run."""

    results: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    absent: dict[str, str] = field(default_factory=dict)

    def of(self, reading: Reading, numbers: Iterable[int]) -> list[float]:
        """Values of a reading, replicate by replicate."""
        return [round(value, DIGITS) for n in numbers for value in self._read(reading, n)]

    def _read(self, reading: Reading, number: int) -> list[float]:
        results = [self.results[arm.key][number] for arm in reading.arms]
        values = [read(result, reading.what) for result in results]
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


class Runner:
    """Runs what tables need and nobody has run yet, one replicate after the other, and keeps each at once.

    catalog: of this engine. shelf: where results are kept. say: told each line of progress.
    """

    def __init__(self, catalog: Mapping[str, Any], shelf: Shelf, say: Any, device: str = "auto") -> None:
        self.catalog, self.shelf, self.say, self.device = catalog, shelf, say, device
        self.times: dict[str, list[float]] = defaultdict(list)
        self.read: dict[str, Any] = {}

    def run(self, tables: Sequence[Table], seeds: int | None = None, folds: int | None = None) -> Answers:
        """All runs of these tables. A run that fails leaves its arm's rows unmeasured, with its reason, and nothing else.

        seeds, folds: of every table instead of its own.

        By replicate first: stopped early, every row has nearly as many as every other. Within one, arms keep their order,
        which puts those next to each other that start from the same network.
        """
        answers = Answers()
        arms = {
            arm.key: (arm, seeds or table.seeds, folds or table.folds)
            for table in tables
            for arm in table.arms()
            if arm.dataset != SINE
        }
        self._sine(tables, seeds, answers)
        for arm, count, cuts in arms.values():
            if why := self.why_not(arm, cuts, count):
                answers.absent[arm.key] = why
        plan = [
            (n, arm, arm.spec(n, cuts, count))
            for n in range(max((count for _, count, _ in arms.values()), default=0))
            for arm, count, cuts in arms.values()
            if n < min(count, arm.most) and arm.key not in answers.absent
        ]
        waiting: list[tuple[int, Arm, RunSpec]] = []
        for n, arm, asked in plan:
            spec = asked.complete(self.catalog)
            if (kept := self.shelf.get(spec.run_id(self.fingerprint(spec)))) is not None:
                answers.results[arm.key][n] = kept
            else:
                waiting.append((n, arm, spec))
        if plan:
            self.say(f"{len(plan)} runs, {len(plan) - len(waiting)} of them kept from before")
        for i, (n, arm, spec) in enumerate(waiting):
            if arm.key in answers.absent:
                continue
            id = spec.run_id(self.fingerprint(spec))
            if (twin := self.shelf.get(id)) is not None:  # another arm of another table is the same run
                answers.results[arm.key][n] = twin
                continue
            which = f"{spec.replicates} replicates" if arm.stacked else f"replicate {n + 1}"
            self.say(f"{len(plan) - len(waiting) + i + 1} of {len(plan)}: {_name(arm)}, {which}{self.left(waiting[i:])}")
            try:
                result = self.one(spec, arm)
            except (BadInput, DataMissing, OutOfMemory) as error:
                answers.absent[arm.key] = str(error)
                self.say(str(error))
                continue
            self.shelf.put(spec, result, self.fingerprint(spec))
            answers.results[arm.key][n] = words(result)
        return answers

    def _sine(self, tables: Sequence[Table], seeds: int | None, answers: Answers) -> None:
        """The regression problem's arms: no RunSpec can state them, and they take seconds, so nothing is kept."""
        arms = {arm.key: (arm, seeds or table.seeds) for table in tables for arm in table.arms() if arm.dataset == SINE}
        for i, (arm, count) in enumerate(arms.values()):
            self.say(f"{i + 1} of {len(arms)}: {_name(arm)}, {count} draws")
            answers.results[arm.key][0] = sine.measure(arm, count)

    def one(self, spec: RunSpec, arm: Arm) -> Result:
        """One run, in this process and without pictures."""
        from engine.data.catalog import load
        from engine.runner import drive, run

        began = time.monotonic()
        what = canonical([spec.dataset, dict(spec.data)])
        if what not in self.read:
            self.read = {what: load(spec.dataset, spec.data)}  # one at a time: whole image sets are large
        _, result, _ = drive(run(spec, device=self.device, frames=0, dataset=self.read[what]))
        self.times[arm.key].append(time.monotonic() - began)
        return result

    def fingerprint(self, spec: RunSpec) -> str:
        """Of the data a spec is about."""
        value: str = find(self.catalog, "datasets", spec.dataset)["fingerprint"]
        return value

    def why_not(self, arm: Arm, folds: int, seeds: int = 1) -> str:
        """Why an arm cannot be run here, '' where it can: no such method or dataset, or the data are not on this machine."""
        from engine.data.catalog import available

        try:
            arm.spec(0, folds, seeds).complete(self.catalog)
            if not available(arm.dataset):
                return f"the data are not on this machine: {find(self.catalog, 'datasets', arm.dataset)['how_to_get']}"
        except BadInput as error:
            return str(error)
        return ""

    def left(self, waiting: Sequence[tuple[int, Arm, RunSpec]]) -> str:
        """Time left, from what each arm's runs took so far (arms not yet met: the mean of the others)."""
        seen = [t for times in self.times.values() for t in times]
        if not seen:
            return ""
        mean = sum(seen) / len(seen)
        total = 0.0
        for _, arm, _ in waiting:
            times = self.times.get(arm.key)
            total += sum(times) / len(times) if times else mean
        return f", about {_duration(total)} left"


def judged(
    tables: Sequence[Table], answers: Answers, folds: int | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and claims of these tables with what was measured and its verdicts, JSON-plain. folds: as `Runner.run` was given them."""
    rows = [_row(table, row, answers, folds or table.folds) for table in tables for row in table.rows]
    claims = [_claim(table, claim, answers, folds or table.folds) for table in tables for claim in table.claims]
    return judge(rows, claims)


def _row(table: Table, row: Row, answers: Answers, folds: int) -> dict[str, Any]:
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
            "values": answers.of(reading, numbers),
            "absent": "" if numbers else answers.why_absent(reading),
            "test_share": _share(reading.arm, folds),
            "runs": [answers.results[arm.key][n]["run_id"] for n in numbers for arm in reading.arms],
        }
    return out


def _claim(table: Table, claim: Any, answers: Answers, folds: int) -> dict[str, Any]:
    numbers = answers.numbers(claim.left, claim.right)
    return {
        "table": table.name,
        "dataset": claim.dataset,
        "text": claim.text,
        "kind": claim.kind,
        "factor": claim.factor,
        "left": answers.of(claim.left, numbers),
        "right": answers.of(claim.right, numbers),
        "absent": "" if numbers else answers.why_absent(claim.left, claim.right),
        "test_share": _share(claim.left.arm, folds),
    }


def _share(arm: Arm, folds: int) -> float:
    from engine.analysis.significance import split_share

    return 0.0 if arm.fixed_test else split_share(folds)


# ---- the command


def command(asked: Any) -> int:
    """Carry out `python -m engine table`. Raises the errors of engine.errors; KeyboardInterrupt after saying what is kept."""
    from engine.catalog import build_catalog

    tables = chosen(asked.paper, asked.table, asked.reduced, asked.methods, asked.datasets)
    for name, value, low, high in (("--seeds", asked.seeds, 1, 1000), ("--folds", asked.folds, 1, 10)):
        if value is not None and not low <= value <= high:
            raise BadParameter(f"{name} {value}: must be a whole number in [{low}, {high}].")
    if asked.folder is not None and asked.store is not None:
        raise BadParameter("--store and --folder: give one of them.")
    if asked.ship and (asked.methods or asked.datasets):
        raise BadParameter("--ship writes whole tables: leave --methods and --datasets out.")
    shelf: Shelf = InFolder(asked.folder) if asked.folder is not None else InStore(asked.store)
    runner = Runner(build_catalog(found=True), shelf, _say, asked.device)
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
            where = measured.path(table.paper, table.name, table.reduced) if asked.out is None else _inside(asked.out, table)
            measured.write(where, _document(table, mine, said, answers, asked) | beside(table, mine, answers))
            _say(f"written: {where}")
    more = {table.name: found for table in tables if (found := beside(table, rows, answers))}
    if asked.json:
        answer = {"paper": asked.paper, "reduced": asked.reduced, "rows": rows, "claims": claims, "seconds": seconds}
        print(json.dumps(plain(answer | ({"beside": more} if more else {}))))
    else:
        print(text(tables, rows, claims, seconds, more))
    return 0


def beside(table: Table, rows: Sequence[Mapping[str, Any]], answers: Answers) -> dict[str, Any]:
    """What a table has beside rows and claims, JSON-plain; empty where it has nothing.

    over_sets: `engine.analysis.significance.over_sets` of ours, and of the published numbers. figures: the paper's figures as lines.
    """
    paper = PAPERS[table.paper]
    out: dict[str, Any] = {}
    if hasattr(paper, "compared"):
        out["over_sets"] = paper.compared([row for row in rows if row["table"] == table.name])
    if hasattr(paper, "figures"):
        found = {arm.key: answers.results[arm.key].get(0) for arm in table.arms()}
        out["figures"] = paper.figures(table, {key: result["lines"] for key, result in found.items() if result})
    kept: dict[str, Any] = plain({name: value for name, value in out.items() if value})
    return kept


def _inside(folder: Path, table: Table) -> Path:
    return folder / measured.path(table.paper, table.name, table.reduced).name


def _document(table: Table, rows: list[Any], claims: list[Any], answers: Answers, asked: Any) -> dict[str, Any]:
    """A table as it is shipped, with where its numbers come from."""
    results = [r for arm in table.arms() for r in answers.results[arm.key].values()]
    runs = {r["run_id"]: r for r in results}
    facts = [r["provenance"] for r in runs.values()]

    def all_of(name: str) -> list[Any]:
        return sorted({str(f[name]) for f in facts if f.get(name) is not None})

    return {
        "paper": table.paper,
        "table": table.name,
        "title": table.title,
        "reduced": table.reduced,
        "words": table.words,
        "rows": rows,
        "claims": claims,
        "provenance": {
            "command": " ".join(
                ["python -m engine table", table.paper, "--table", table.name, *(["--reduced"] if table.reduced else [])]
            )
            + (f" --seeds {asked.seeds}" if asked.seeds else "")
            + (f" --folds {asked.folds}" if asked.folds else ""),
            "commits": all_of("commit"),
            "machines": all_of("machine"),
            "devices": all_of("device_name"),
            "torch": all_of("torch"),
            "numerics": all_of("numerics"),
            "first": min((f["date"] for f in facts), default=None),
            "last": max((f["date"] for f in facts), default=None),
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "runs": len(runs),
            "seconds": round(sum(r["seconds"] for r in runs.values()), 1),
            "n": max((row["ours"]["n"] for row in rows if row["ours"]), default=0),
        },
    }


def text(
    tables: Sequence[Table],
    rows: Sequence[Mapping[str, Any]],
    claims: Sequence[Mapping[str, Any]],
    seconds: float,
    more: Mapping[str, Mapping[str, Any]],
) -> str:
    """The answer for a person. more: what `beside` gave, by table."""
    lines: list[str] = []
    for table in tables:
        shown_as = published.NAMES.get(table.paper, table.paper.upper())
        lines.append(f"{shown_as} table {table.name}: {table.title}")
        block = [row for row in rows if row["table"] == table.name]
        unmeasured: dict[str, int] = defaultdict(int)
        for row in block:
            if row["ours"] is None:
                unmeasured[f"{row['dataset']}: {row['reason']}"] += 1
        shown = [row for row in block if row["ours"] is not None or row["published"] is not None]
        names = [_label(row) for row in shown]
        width = max(map(len, names), default=0)
        lines.append(f"  {'':<{width}}  published  ours  [95% interval of the mean]   n  the published number is")
        for name, row in zip(names, shown, strict=True):
            value = "        -" if row["published"] is None else f"{row['published']:9.4f}"
            ours = row["ours"]
            mine = (
                "     -                     -"
                if ours is None
                else f"{_number(ours['mean'])} [{_number(ours['low'])}, {_number(ours['high'])}] {ours['n']:>4}"
            )
            lines.append(f"  {name:<{width}} {value}{'*' if row['mark'] else ' '} {mine}  {_verdict(row)}")
        if any(row["mark"] for row in shown):
            lines.append("  * suspicious as printed; --json says why")
        lines += [f"  not measured here yet, {count} numbers of {why}" for why, count in unmeasured.items()]
        for claim in (c for c in claims if c["table"] == table.name):
            lines.append("  " + _claim_line(claim))
        for whose, found in more.get(table.name, {}).get("over_sets", {}).items():
            lines += ["", *_over_sets(whose, found)]
        lines.append("")
    lines.append(f"{_duration(seconds)} of computing")
    return "\n".join(lines)


def _over_sets(whose: str, found: Mapping[str, Any]) -> list[str]:
    """What tests over data sets say, in lines."""
    margin = f"{found['margin']:g}"
    lines = [f"  Over {found['sets']} data sets, {whose}:"]
    if found["friedman"]:
        f = found["friedman"]
        lines.append(
            f"    Friedman chi2 {f['chi2']:.2f}, p = {f['p']:.2g}; Iman and Davenport p = {_or_dash(f['p_f'])}; Nemenyi's critical "
            f"difference of mean ranks {found['critical_difference']:.2f} (0.05)"
        )
    for name in sorted(found["methods"], key=lambda n: (found["ranks"] or {}).get(n, 0.0)):
        rank = f"mean rank {found['ranks'][name]:.2f}, " if found["ranks"] else ""
        mean, best, ahead = _number(found["means"].get(name)).strip(), found["best"][name], found["ahead"][name]
        lines.append(f"    {name}: {rank}mean {mean}, within {margin} of the best on {best} sets, alone ahead on {ahead}")
    for bar in found["cliques"] or []:
        lines.append("    no difference by Nemenyi among: " + ", ".join(bar))
    for pair in found["pairs"]:
        p = "" if pair["p"] is None else f"; Wilcoxon p = {pair['p']:.2g}, {pair['p_holm']:.2g} after Holm"
        lines.append(
            f"    {pair['left']} against {pair['right']}: {_number(pair['mean'], '+').strip()}; {pair['wins']} wins, {pair['ties']} "
            f"ties, {pair['losses']} losses by more than {margin}{p}"
        )
    if claim := found.get("claim"):
        lines.append(f"    {claim['text']}: {claim['verdict']}")
    return lines


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _label(row: Mapping[str, Any]) -> str:
    return ", ".join([row["dataset"], *row["labels"].values(), row["metric"].replace("_", " ")])


def _verdict(row: Mapping[str, Any]) -> str:
    verdict: str = row["verdict"]
    return verdict + (f": {row['reason']}" if verdict in (NOT_COMPARABLE, TOO_FEW) else "")


def _claim_line(claim: Mapping[str, Any]) -> str:
    said = f"{claim['dataset']}, {claim['text']}: {claim['verdict']}"
    if claim["reason"]:
        said += f" ({claim['reason']})"
    elif claim["difference"]:
        d = claim["difference"]
        p = "" if claim["p_holm"] is None else f", p = {claim['p_holm']:.2g} after Holm"
        said += f" ({_number(d['mean'], '+')} [{_number(d['low'], '+')}, {_number(d['high'], '+')}], n = {claim['n']}{p})"
    return said


def _number(value: float | None, sign: str = "") -> str:
    return "     -" if value is None else f"{value:{sign}.4f}"


def _name(arm: Arm) -> str:
    """An arm in a few words."""
    told = [
        str(value)
        for name, value in arm.params.items()
        if name in ("sampler", "loss", "space", "k", "k_neighbors", "classifier")
    ]
    return " ".join([arm.method, *told, "on", arm.dataset])


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
