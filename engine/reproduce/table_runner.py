"""`python -m engine table`: run a paper's protocol, go on where it stopped, and say what became of every number and claim."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import BadInput, BadParameter, DataMissing, OutOfMemory
from engine.papers import measured, published
from engine.papers.protocol import SINE, Arm, Table
from engine.papers.shelf import InFolder, InStore, Nowhere, Shelf, words
from engine.papers.tables import Answers, beside, chosen, judged
from engine.papers.verdicts import NOT_COMPARABLE, TOO_FEW
from engine.plain import to_plain
from engine.reproduce import parallel
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json, find_entry

EXACT = 1e-9
"""The same run on the same kind of processor, with the same torch, gives values that differ by no more than this."""
SAME = {"cpus": "cpu", "torch": "torch", "devices": "device_name", "threads": "threads", "numerics": "numerics"}
"""What two machines must agree in for a run to come out again: a shipped table's name of it, and a run's."""

Waiting = tuple[int, Arm, RunSpec]


class Runner:
    """Runs what tables need and nobody has run yet, one replicate after the other, and keeps each at once.

    catalog: of this engine. shelf: where results are kept. say: told each line of progress. jobs: processes; with more than one, runs
    on the same rows stay in one process, which keeps the network they start from.
    """

    def __init__(
        self, catalog: Mapping[str, Any], shelf: Shelf, say: Callable[[str], None], device: str = "auto", jobs: int = 1
    ) -> None:
        self.catalog, self.shelf, self.say, self.device, self.jobs = catalog, shelf, say, device, jobs
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
        waiting: list[Waiting] = []
        for n, arm, asked in plan:
            spec = asked.complete(self.catalog)
            if (kept := self.shelf.get(spec.run_id(self.fingerprint(spec)))) is not None:
                answers.results[arm.key][n] = kept
            else:
                waiting.append((n, arm, spec))
        if plan:
            self.say(f"{len(plan)} runs, {len(plan) - len(waiting)} of them kept from before")
        if self.jobs > 1:
            self._together(waiting, len(plan), answers)
        else:
            self._alone(waiting, len(plan), answers)
        return answers

    def _alone(self, waiting: Sequence[Waiting], of: int, answers: Answers) -> None:
        """One run after the other, in this process."""
        for i, (n, arm, spec) in enumerate(waiting):
            if arm.key in answers.absent:
                continue
            id = spec.run_id(self.fingerprint(spec))
            if (twin := self.shelf.get(id)) is not None:  # another arm of another table is the same run
                answers.results[arm.key][n] = twin
                continue
            self._announce(waiting[i], of - len(waiting) + i + 1, of, self.left(waiting[i:]))
            try:
                result = self.one(spec, arm)
            except (BadInput, DataMissing, OutOfMemory) as error:
                self._refused(arm, str(error), answers)
                continue
            self._keep(waiting[i], result, answers)

    def _together(self, waiting: Sequence[Waiting], of: int, answers: Answers) -> None:
        """Several at once, in processes of their own; what is there is kept as it comes."""
        unique = {spec.run_id(self.fingerprint(spec)): (n, arm, spec) for n, arm, spec in reversed(waiting)}
        groups: dict[str, list[Waiting]] = defaultdict(list)
        for n, arm, spec in reversed(unique.values()):
            groups[canonical_json([n, spec.dataset, dict(spec.data), spec.to_json()["imbalance"]])].append((n, arm, spec))
        # earlier replicates first; of one, what has most rows: a long run that comes last is waited for alone
        order = sorted(
            groups.values(), key=lambda group: (group[0][0], -find_entry(self.catalog, "datasets", group[0][2].dataset)["rows"])
        )
        todo = [[(one, one[2].to_json()) for one in group] for group in order]
        first, begun = of - len(unique), 0

        def start(one: Waiting) -> bool:
            nonlocal begun
            begun += 1
            if one[1].key in answers.absent:
                return False
            rest = [waits for group in order for waits in group][begun - 1 :]
            self._announce(one, first + begun, of, self.left(rest, self.jobs))
            return True

        for one, result in parallel.run(todo, self.jobs, self.device, start):
            if isinstance(result, str):
                self._refused(one[1], result, answers)
            else:
                self.times[one[1].key].append(result.seconds)
                self._keep(one, result, answers)
        for n, arm, spec in waiting:  # twins
            if n not in answers.results[arm.key] and (kept := self.shelf.get(spec.run_id(self.fingerprint(spec)))) is not None:
                answers.results[arm.key][n] = kept

    def _announce(self, one: Waiting, number: int, of: int, left: str) -> None:
        _, arm, spec = one
        which = f"{spec.replicates} replicates" if arm.stacked else f"replicate {one[0] + 1}"
        self.say(f"{number} of {of}: {_name(arm)}, {which}{left}")

    def _refused(self, arm: Arm, why: str, answers: Answers) -> None:
        if arm.key not in answers.absent:
            answers.absent[arm.key] = why
            self.say(why)

    def _keep(self, one: Waiting, result: Result, answers: Answers) -> None:
        n, arm, spec = one
        self.shelf.put(spec, result, self.fingerprint(spec))
        answers.results[arm.key][n] = words(result)

    def _sine(self, tables: Sequence[Table], seeds: int | None, answers: Answers) -> None:
        """The regression problem's arms: no RunSpec can state them, and they take seconds, so nothing is kept."""
        from engine.reproduce.regression import measure  # needs torch

        arms = {arm.key: (arm, seeds or table.seeds) for table in tables for arm in table.arms() if arm.dataset == SINE}
        for i, (arm, count) in enumerate(arms.values()):
            self.say(f"{i + 1} of {len(arms)}: {_name(arm)}, {count} draws")
            answers.results[arm.key][0] = measure(arm, count)

    def one(self, spec: RunSpec, arm: Arm) -> Result:
        """One run, in this process and without pictures."""
        began = time.monotonic()
        result = parallel.one(spec, self.device, self.read)
        self.times[arm.key].append(time.monotonic() - began)
        return result

    def fingerprint(self, spec: RunSpec) -> str:
        """Of the data a spec is about."""
        value: str = find_entry(self.catalog, "datasets", spec.dataset)["fingerprint"]
        return value

    def why_not(self, arm: Arm, folds: int, seeds: int = 1) -> str:
        """Why an arm cannot be run here, '' where it can: no such method or dataset, or the data are not on this machine."""
        from engine.data.sources import available

        try:
            arm.spec(0, folds, seeds).complete(self.catalog)
            if not available(arm.dataset):
                return f"the data are not on this machine: {find_entry(self.catalog, 'datasets', arm.dataset)['how_to_get']}"
        except BadInput as error:
            return str(error)
        return ""

    def left(self, waiting: Sequence[Waiting], jobs: int = 1) -> str:
        """Time left with so many processes, from what each arm's runs took so far (arms not yet met: the mean of the others)."""
        seen = [t for times in self.times.values() for t in times]
        if not seen:
            return ""
        mean = sum(seen) / len(seen)
        total = 0.0
        for _, arm, _ in waiting:
            times = self.times.get(arm.key)
            total += sum(times) / len(times) if times else mean
        return f", about {_duration(total / jobs)} left"


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
        return _check(tables, asked)
    if asked.ship and (asked.methods or asked.datasets):
        raise BadParameter("--ship writes whole tables: leave --methods and --datasets out.")
    told: list[dict[str, Any]] = []
    if asked.tune is not None:
        tables, told = _tuned(tables, asked)
    shelf: Shelf = InFolder(asked.folder) if asked.folder is not None else InStore(asked.store)
    runner = Runner(build_catalog(found=True), shelf, _say, asked.device, asked.jobs)
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
            document = _document(table, mine, said, answers, asked) | beside(table, mine, answers)
            measured.write(where, document | ({"tuning": told} if told else {}))
            _say(f"written: {where}")
    more = {table.name: found for table in tables if (found := beside(table, rows, answers))}
    if asked.json:
        answer = {"paper": asked.paper, "reduced": asked.reduced, "rows": rows, "claims": claims, "seconds": seconds}
        answer |= {"tuning": told} if told else {}
        print(json.dumps(to_plain(answer | ({"beside": more} if more else {}))))
    else:
        print(text(tables, rows, claims, seconds, more))
    return 0


def _tuned(tables: Sequence[Table], asked: Any) -> tuple[list[Table], list[dict[str, Any]]]:
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


def _inside(folder: Path, table: Table) -> Path:
    return folder / measured.path(table.paper, table.name, table.reduced).name


def _document(table: Table, rows: list[Any], claims: list[Any], answers: Answers, asked: Any) -> dict[str, Any]:
    """A table as it is shipped, with where its numbers come from."""
    results = [r for arm in table.arms() for r in answers.results[arm.key].values()]
    runs = {r["run_id"]: r for r in results}
    facts = [r["provenance"] for r in runs.values()]

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
            + (f" --folds {asked.folds}" if asked.folds else "")
            + (f" --tune {asked.tune}" if asked.tune else ""),
            "commits": _all_of(facts, "commit"),
            "machines": _all_of(facts, "machine"),
            "cpus": _all_of(facts, "cpu") if all("cpu" in f for f in facts) else [],
            "threads": _all_of(facts, "threads"),
            "devices": _all_of(facts, "device_name"),
            "torch": _all_of(facts, "torch"),
            "numerics": _all_of(facts, "numerics"),
            "first": min((f["date"] for f in facts), default=None),
            "last": max((f["date"] for f in facts), default=None),
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "runs": len(runs),
            "seconds": round(sum(r["seconds"] for r in runs.values()), 1),
            "n": max((row["ours"]["n"] for row in rows if row["ours"]), default=0),
        },
        "took": {id: round(r["seconds"], 2) for id, r in runs.items()},
    }


def _all_of(facts: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The values of one fact of several runs' provenance, each once."""
    return sorted({str(f[name]) for f in facts if f.get(name) is not None})


# ---- whether a shipped number comes out again


def _check(tables: Sequence[Table], asked: Any) -> int:
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
        again(table, asked.cell, bool(asked.methods or asked.datasets), _say, asked.device, asked.jobs) for table in tables
    ]
    found = [cell for several in cells for cell in several]
    if asked.json:
        print(json.dumps(to_plain({"paper": asked.paper, "reduced": asked.reduced, "cells": found})))
    else:
        print("\n".join(map(_check_line, found)))
    return 0 if all(cell["ok"] for cell in found) else 1


def again(
    table: Table, cell: str | None, every: bool, say: Callable[[str], None], device: str = "auto", jobs: int = 1
) -> list[dict[str, Any]]:
    """Run cells of a shipped table anew and hold them against what is shipped; nothing is kept. JSON-plain, a cell each:

    table, cell (its name), n, largest (difference of a value; None where their numbers differ), equal (it is at most EXACT), mean, shipped
    {mean, low, high}, inside (our mean is in the shipped interval), alike (machine and torch are those of the shipped runs), differs
    (in what they are not: name, shipped, here), ok: equal where alike, else equal or inside.
    cell: its name, or parts of it between commas, in any order; None: the first, or (every) all there are. Raises BadParameter.
    """
    from engine.catalog import build_catalog

    document = measured.measured(table.paper, table.name, table.reduced)
    protocol = "reduced" if table.reduced else "full"
    if document is None:
        other = measured.measured(table.paper, table.name, not table.reduced)
        more = f"; there is the {'full' if table.reduced else 'reduced'} one" if other else ""
        raise BadParameter(f"no {protocol} table {table.name} of {table.paper} is shipped{more}.")
    shipped = {_label(row): row for row in document["rows"] if row["values"]}
    there = [(_label(_as_shown(row)), row) for row in table.rows if _label(_as_shown(row)) in shipped]
    if cell is not None:
        wanted = _parts(cell)
        there = [(name, row) for name, row in there if wanted <= _parts(name)]
        least = min((len(_parts(name) - wanted) for name, _ in there), default=0)  # 'CE' is not 'CE, equal steps'
        there = [(name, row) for name, row in there if len(_parts(name) - wanted) == least]
    if not there:
        asked = f"called {cell!r}" if cell is not None else "of these methods and datasets"
        raise BadParameter(f"table {table.name} of {table.paper} has no measured cell {asked}; one is {next(iter(shipped))!r}.")
    if cell is None and not every:
        there = there[:1]
    rows = tuple(row for _, row in there)
    runner = Runner(build_catalog(found=True), Nowhere(), say, device, jobs)
    answers = runner.run([replace(table, rows=rows, claims=())])
    out = []
    for name, row in there:
        assert row.reading is not None
        numbers = answers.numbers(row.reading)
        if not numbers:
            raise BadParameter(f"{name} cannot be run here: {answers.why_absent(row.reading)}")
        facts = [answers.results[arm.key][n]["provenance"] for arm in row.reading.arms for n in numbers]
        out.append(
            {"table": table.name, "cell": name} | _compared(shipped[name], answers.of(row.reading, numbers), document, facts)
        )
    return out


def _compared(
    shipped: Mapping[str, Any], values: Sequence[float], document: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """See `again`."""
    pairs = list(zip(shipped["values"], to_plain(list(values)), strict=False))
    known = len(values) == len(shipped["values"]) and all((a is None) == (b is None) for a, b in pairs)
    largest = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0) if known else None
    numbers = [v for v in values if v == v]
    mean = sum(numbers) / len(numbers) if numbers else float("nan")
    ours = shipped["ours"]
    inside = ours["low"] is not None and ours["low"] <= mean <= ours["high"]
    equal = largest is not None and largest <= EXACT
    here = {name: _all_of(facts, mine) for name, mine in SAME.items()}
    differs = {
        name: {"shipped": document["provenance"].get(name, []), "here": here[name]}
        for name in SAME
        if document["provenance"].get(name, []) != here[name]
    }
    return {
        "n": len(values),
        "largest": largest,
        "equal": equal,
        "mean": mean,
        "shipped": {name: ours[name] for name in ("mean", "low", "high")},
        "inside": inside,
        "alike": not differs,
        "differs": differs,
        "ok": equal or (inside and bool(differs)),
    }


def _parts(name: str) -> set[str]:
    return {part.strip().casefold() for part in name.split(",")}


def _as_shown(row: Any) -> dict[str, Any]:
    return {"dataset": row.dataset, "labels": dict(row.labels), "metric": row.metric}


def _check_line(cell: Mapping[str, Any]) -> str:
    """What became of one cell, in words."""
    said = f"{cell['cell']}, {cell['n']} values: "
    if cell["equal"]:
        return said + f"equal to 1e-9 (largest difference {cell['largest']:.2g})"
    shipped = cell["shipped"]
    said += "another number of values" if cell["largest"] is None else f"largest difference {cell['largest']:.2g}"
    said += f"; the mean {_number(cell['mean']).strip()} is {'inside' if cell['inside'] else 'outside'} the shipped interval "
    said += f"[{_number(shipped['low']).strip()}, {_number(shipped['high']).strip()}]"
    if cell["alike"]:
        return said + ". NOT as shipped: the same machine and torch must give the same values"
    why = "; ".join(
        f"{name} {' and '.join(d['shipped']) or 'not kept'} there, {' and '.join(d['here'])} here"
        for name, d in cell["differs"].items()
    )
    return said + f" ({why})"


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
