"""A paper's table as it is shipped (JSON) and as it is printed at a terminal."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from engine.papers import published
from engine.papers.protocol import Table
from engine.papers.tables import Answers
from engine.papers.verdicts import NOT_COMPARABLE, TOO_FEW


def build_document(
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    claims: Sequence[Mapping[str, Any]],
    answers: Answers,
    options: Mapping[str, int],
) -> dict[str, Any]:
    """A table as it is shipped, with where its numbers come from. options: of the command, beside its default: seeds, folds, tune."""
    results = [r for arm in table.arms() for r in answers.results[arm.key].values()]
    runs = {r["run_id"]: r for r in results}
    facts = [r["provenance"] for r in runs.values()]
    return {
        "paper": table.paper,
        "table": table.name,
        "title": table.title,
        "reduced": table.reduced,
        "words": table.description,
        "rows": rows,
        "claims": claims,
        "provenance": {
            "command": " ".join(
                ["python -m engine table", table.paper, "--table", table.name, *(["--reduced"] if table.reduced else [])]
            )
            + "".join(f" --{name} {value}" for name, value in options.items()),
            "commits": list_values(facts, "commit"),
            "machines": list_values(facts, "machine"),
            "cpus": list_values(facts, "cpu") if all("cpu" in f for f in facts) else [],
            "threads": list_values(facts, "threads"),
            "devices": list_values(facts, "device_name"),
            "torch": list_values(facts, "torch"),
            "numerics": list_values(facts, "numerics"),
            "first": min((f["date"] for f in facts), default=None),
            "last": max((f["date"] for f in facts), default=None),
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "runs": len(runs),
            "seconds": round(sum(r["seconds"] for r in runs.values()), 1),
            "n": max((row["ours"]["n"] for row in rows if row["ours"]), default=0),
        },
        "took": {id: round(r["seconds"], 2) for id, r in runs.items()},
    }


def list_values(facts: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The values of one fact of several runs' provenance, each once."""
    return sorted({str(f[name]) for f in facts if f.get(name) is not None})


def summarise_tables(
    tables: Sequence[Table],
    rows: Sequence[Mapping[str, Any]],
    claims: Sequence[Mapping[str, Any]],
    seconds: float,
    more: Mapping[str, Mapping[str, Any]],
) -> str:
    """The tables as text for the terminal. more: `engine.papers.tables.compute_extras` by table."""
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
        names = [cell_name(row) for row in shown]
        width = max(map(len, names), default=0)
        lines.append(f"  {'':<{width}}  published  ours  [95% interval of the mean]   n  the published number is")
        for name, row in zip(names, shown, strict=True):
            value = "        -" if row["published"] is None else f"{row['published']:9.4f}"
            ours = row["ours"]
            mine = (
                "     -                     -"
                if ours is None
                else f"{format_number(ours['mean'])} [{format_number(ours['low'])}, {format_number(ours['high'])}] {ours['n']:>4}"
            )
            lines.append(f"  {name:<{width}} {value}{'*' if row['mark'] else ' '} {mine}  {_describe_verdict(row)}")
        if any(row["mark"] for row in shown):
            lines.append("  * suspicious as printed; --json says why")
        lines += [f"  not measured here yet, {count} numbers of {why}" for why, count in unmeasured.items()]
        for claim in (c for c in claims if c["table"] == table.name):
            lines.append("  " + _describe_claim(claim))
        for whose, found in more.get(table.name, {}).get("over_sets", {}).items():
            lines += ["", *_summarise_over_sets(whose, found)]
        lines.append("")
    lines.append(f"{format_duration(seconds)} of computing")
    return "\n".join(lines)


def _summarise_over_sets(title: str, tests: Mapping[str, Any]) -> list[str]:
    """Lines about the tests over data sets (`engine.stats.significance.compare_over_sets`)."""
    margin = f"{tests['margin']:g}"
    lines = [f"  Over {tests['sets']} data sets, {title}:"]
    if tests["friedman"]:
        f = tests["friedman"]
        lines.append(
            f"    Friedman chi2 {f['chi2']:.2f}, p = {f['p']:.2g}; Iman and Davenport p = {_format_p(f['p_f'])}; Nemenyi's critical "
            f"difference of mean ranks {tests['critical_difference']:.2f} (0.05)"
        )
    for name in sorted(tests["methods"], key=lambda n: (tests["ranks"] or {}).get(n, 0.0)):
        rank = f"mean rank {tests['ranks'][name]:.2f}, " if tests["ranks"] else ""
        mean, best, ahead = format_number(tests["means"].get(name)).strip(), tests["best"][name], tests["ahead"][name]
        lines.append(f"    {name}: {rank}mean {mean}, within {margin} of the best on {best} sets, alone ahead on {ahead}")
    for bar in tests["cliques"] or []:
        lines.append("    no difference by Nemenyi among: " + ", ".join(bar))
    for pair in tests["pairs"]:
        p = "" if pair["p"] is None else f"; Wilcoxon p = {pair['p']:.2g}, {pair['p_holm']:.2g} after Holm"
        lines.append(
            f"    {pair['left']} against {pair['right']}: {format_number(pair['mean'], '+').strip()}; {pair['wins']} wins, {pair['ties']} "
            f"ties, {pair['losses']} losses by more than {margin}{p}"
        )
    if claim := tests.get("claim"):
        lines.append(f"    {claim['text']}: {claim['verdict']}")
    return lines


def _format_p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def cell_name(row: Mapping[str, Any]) -> str:
    return ", ".join([row["dataset"], *row["labels"].values(), row["metric"].replace("_", " ")])


def _describe_verdict(row: Mapping[str, Any]) -> str:
    verdict: str = row["verdict"]
    return verdict + (f": {row['reason']}" if verdict in (NOT_COMPARABLE, TOO_FEW) else "")


def _describe_claim(claim: Mapping[str, Any]) -> str:
    said = f"{claim['dataset']}, {claim['text']}: {claim['verdict']}"
    if claim["reason"]:
        said += f" ({claim['reason']})"
    elif claim["difference"]:
        d = claim["difference"]
        p = "" if claim["p_holm"] is None else f", p = {claim['p_holm']:.2g} after Holm"
        said += f" ({format_number(d['mean'], '+')} [{format_number(d['low'], '+')}, {format_number(d['high'], '+')}], n = {claim['n']}{p})"
    return said


def format_number(value: float | None, sign: str = "") -> str:
    return "     -" if value is None else f"{value:{sign}.4f}"


def format_duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
