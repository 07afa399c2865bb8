"""A sweep as a terminal command and as Python. No torch: the page uses this file."""

from __future__ import annotations

import shlex

from engine.spec.result import DEFAULT_METRIC
from engine.sweep import SweepSpec

# ---- words


def list_arguments(spec: SweepSpec) -> list[str]:
    """The words of `python -m engine sweep ...` that give this sweep at a terminal."""
    words = spec.to_query()
    return ["python", "-m", "engine", "sweep", *(part for name, text in words.items() for part in (f"--{name}", text))]


def write_command(spec: SweepSpec, metric: str = DEFAULT_METRIC) -> str:
    """The same as a line for a shell. metric: what its answer is in."""
    return shlex.join([*list_arguments(spec), *(["--metric", metric] if metric != DEFAULT_METRIC else [])])


def write_python(spec: SweepSpec, metric: str = DEFAULT_METRIC) -> str:
    """Python that trains every cell, cheapest first, and prints its score, from the folder that the product lies in."""
    return "\n".join(
        [
            "# every cell of the sweep, cheapest first: the same numbers on the same kind of machine",
            "from engine.catalog import build_catalog",
            "from engine.runner import drive, run",
            "from engine.sweep import SweepSpec",
            "",
            "spec = SweepSpec(",
            *(f"    {name}={value!r}," for name, value in vars(spec).items()),
            ")",
            "results = {}",
            "for cell in spec.cells(build_catalog(found=True)):",
            "    _, result, _ = drive(run(cell.spec))",
            "    results[cell.dataset, cell.ratio, cell.method] = result",
            f"    score = result.metric({metric!r})",
            "    print(f'{cell.dataset} {cell.ratio:g}:1 {cell.method} '",
            f"          f'{metric} {{score.mean:.3f}} [{{score.low:.3f}}, {{score.high:.3f}}], n = {{result.n}}')",
            "",
        ]
    )
