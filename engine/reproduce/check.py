"""Runs cells of a shipped table again and compares the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.errors import BadParameter
from engine.papers import measured
from engine.papers.protocol import SINE, Row, Table
from engine.papers.result_cache import NoCache
from engine.plain import to_plain
from engine.reproduce.document import cell_name, format_number, list_values
from engine.reproduce.table_runner import TableRunner

EXACT = 1e-9
"""The same run on the same kind of processor, with the same torch, gives values that differ by no more than this."""
SAME = {"cpus": "cpu", "torch": "torch", "devices": "device_name", "threads": "threads", "numerics": "numerics"}
"""What two machines must agree in for a run to come out again: a shipped table's name of it, and a run's."""


def check_cell(
    table: Table, cell: str | None, every: bool, say: Callable[[str], None], device: str = "auto", jobs: int = 1
) -> list[dict[str, Any]]:
    """Runs cells of a shipped table again and compares them with what is shipped; nothing is kept. One JSON-plain dict per cell:

    table, cell (its name), n, largest (difference of a value; None where their numbers differ), equal (it is at most EXACT), mean, shipped
    {mean, low, high}, inside (our mean is in the shipped interval), alike (machine and torch are those of the shipped runs), differs
    (in what they are not: name, shipped, here), ok: equal where alike, else equal or inside.
    cell: its name, or parts of it between commas, in any order; None: the first, or (every) all there are. Raises BadParameter.
    """
    from engine.catalog import build_catalog

    document = measured.read_table(table.paper, table.name, table.reduced)
    protocol = "reduced" if table.reduced else "full"
    if document is None:
        other = measured.read_table(table.paper, table.name, not table.reduced)
        more = f"; there is the {'full' if table.reduced else 'reduced'} one" if other else ""
        raise BadParameter(f"no {protocol} table {table.name} of {table.paper} is shipped{more}.")
    shipped = {cell_name(row): row for row in document["rows"] if row["values"]}
    there = [(cell_name(_as_shown(row)), row) for row in table.rows if cell_name(_as_shown(row)) in shipped]
    if cell is not None:
        wanted = _split_name(cell)
        there = [(name, row) for name, row in there if wanted <= _split_name(name)]
        least = min((len(_split_name(name) - wanted) for name, _ in there), default=0)  # 'CE' is not 'CE, equal steps'
        there = [(name, row) for name, row in there if len(_split_name(name) - wanted) == least]
    if not there:
        asked = f"called {cell!r}" if cell is not None else "of these methods and datasets"
        raise BadParameter(f"table {table.name} of {table.paper} has no measured cell {asked}; one is {next(iter(shipped))!r}.")
    if cell is None and not every:
        there = there[:1]
    rows = tuple(row for _, row in there)
    runner = TableRunner(build_catalog(found=True), NoCache(), say, device, jobs)
    seeds = max(_count_seeds(row, shipped[name]) for name, row in there) or None
    answers = runner.run([replace(table, rows=rows, claims=())], seeds)
    out = []
    for name, row in there:
        assert row.reading is not None
        numbers = answers.numbers(row.reading)
        if not numbers:
            raise BadParameter(f"{name} cannot be run here: {answers.why_absent(row.reading)}")
        facts = [answers.results[arm.key][n]["provenance"] for arm in row.reading.arms for n in numbers]
        out.append(
            {"table": table.name, "cell": name}
            | _compare_values(shipped[name], answers.list_values(row.reading, numbers), document, facts)
        )
    return out


def _count_seeds(row: Row, shipped: Mapping[str, Any]) -> int:
    """Seeds of a shipped cell whose every seed is a run, which can be fewer than the protocol's; 0 where one run has all of them."""
    assert row.reading is not None
    return 0 if row.reading.arm.stacked or row.reading.arm.dataset == SINE else len(shipped["runs"]) // len(row.reading.arms)


def _compare_values(
    shipped: Mapping[str, Any], values: Sequence[float], document: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The part of `check_cell`'s dict that compares values."""
    pairs = list(zip(shipped["values"], to_plain(list(values)), strict=False))
    known = len(values) == len(shipped["values"]) and all((a is None) == (b is None) for a, b in pairs)
    largest = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0) if known else None
    numbers = [v for v in values if v == v]
    mean = sum(numbers) / len(numbers) if numbers else float("nan")
    ours = shipped["ours"]
    inside = ours["low"] is not None and ours["low"] <= mean <= ours["high"]
    equal = largest is not None and largest <= EXACT
    here = {name: list_values(facts, mine) for name, mine in SAME.items()}
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


def _split_name(name: str) -> set[str]:
    return {part.strip().casefold() for part in name.split(",")}


def _as_shown(row: Any) -> dict[str, Any]:
    return {"dataset": row.dataset, "labels": dict(row.labels), "metric": row.metric}


def describe_check(cell: Mapping[str, Any]) -> str:
    """The outcome of `check_cell` for one cell, as a sentence."""
    said = f"{cell['cell']}, {cell['n']} values: "
    if cell["equal"]:
        return said + f"equal to 1e-9 (largest difference {cell['largest']:.2g})"
    shipped = cell["shipped"]
    said += "another number of values" if cell["largest"] is None else f"largest difference {cell['largest']:.2g}"
    said += (
        f"; the mean {format_number(cell['mean']).strip()} is {'inside' if cell['inside'] else 'outside'} the shipped interval "
    )
    said += f"[{format_number(shipped['low']).strip()}, {format_number(shipped['high']).strip()}]"
    if cell["alike"]:
        return said + ". NOT as shipped: the same machine and torch must give the same values"
    why = "; ".join(
        f"{name} {' and '.join(d['shipped']) or 'not kept'} there, {' and '.join(d['here'])} here"
        for name, d in cell["differs"].items()
    )
    return said + f" ({why})"
