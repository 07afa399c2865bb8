"""The first paper's toy regression (Yasinnik et al., section 4): figure 2 and, over numbers of points, appendix A.

The paper shows pictures of one draw and no numbers; its appendix A is an empty heading. Here every number is a mean over draws of all
points and first weights. The appendix's grid is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import UnknownName
from engine.papers.protocol import REDUCED, SINE, Arm, Claim, Reading, Row, Table
from engine.spec import Imbalance

PAPER = "sine"
METHOD = "explicit-gradient"
"""The paper's own method: what its presets leave open stands beside the tables."""
OWN, BASELINE, ALONE = "ExplicitGradient", "train + valid", "train only"
FROZEN, EQUAL = "frozen", "train only, equal steps"
ERROR = "test_mse"
BEFORE, AFTER = "distance_before", "distance_after"


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. steps: (of the first fit, of what comes after). seeds: draws. grid: (real, synthetic points)."""

    reduced: bool
    description: str
    seeds: int
    steps: tuple[int, int]
    grid: tuple[tuple[int, ...], tuple[int, ...]]


_SAME = (
    "sin(pi/2 x) on [-5, 5]; 5 training points, 5 validation points and 20 synthetic ones, x uniform in [-5, 5] and of the synthetic ones "
    "also a fixed y, uniform in [-1, 1]: only x moves. A network 1-10-1 with tanh and a linear output, mean squared error, all points in "
    "every step; steps 0.1 and 1; {0} steps of Adam 0.01 on the training points, then {1} of explicit gradient, the last of which counts. "
    "train + valid has as many steps in all, of Adam. Error is measured on 200 points of [-5, 5], above 10 it counts as 10 (diverged); "
    "distance is the synthetic points' from the curve. The paper gives no numbers of steps; its span [-1, 1] is read as that of y."
)

FULL = Settings(
    reduced=False,
    description="Full protocol: " + _SAME.format("2,000", "5,000") + " 100 draws.",
    seeds=100,
    steps=(2000, 5000),
    grid=((3, 5, 10, 20), (5, 10, 20, 40)),
)

SMALL = Settings(
    reduced=True,
    description="Reduced protocol: "
    + _SAME.format("500", "500")
    + " 50 draws. It tests the paper's claims after less training; its numbers are not the paper's.",
    seeds=50,
    steps=(500, 500),
    grid=((3, 5, 10), (5, 20, 40)),
)


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """One table as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"sine has no table {name!r}; it has: {', '.join(_TABLES)}.")
    title, make = _TABLES[name]
    rows, claims = make(settings)
    return Table(PAPER, name, title, settings.reduced, settings.description, settings.seeds, tuple(rows), tuple(claims))


def build_arms(settings: Settings, real: int = 5, synthetic: int = 20) -> dict[str, Arm]:
    """Method as shown -> its draws. real: training points, and validation points."""
    first, after = settings.steps
    common = {"real": real, "hidden": 10, "rate": 0.01, "first_steps": first, "steps": after, "eta_model": 0.1}
    points = {"synthetic": synthetic}
    params: dict[str, dict[str, Any]] = {
        BASELINE: {**common, "on": "both", "first_steps": first + after, "steps": 0},
        ALONE: {**common, "on": "train", "steps": 0},
        OWN: {**common, **points, "on": "train", "eta_points": 1.0},
        FROZEN: {**common, **points, "on": "train", "eta_points": 0.0},
        EQUAL: {**common, "on": "train"},
    }
    return {
        method: Arm(SINE, "explicit-gradient" if "eta_points" in p else "regression", Imbalance(), p, stacked=True)
        for method, p in params.items()
    }


def _row(settings: Settings, labels: Mapping[str, str], arm: Arm, metric: str) -> Row:
    return Row(None, SINE, labels, metric, Reading(arm, metric), incomparable=REDUCED if settings.reduced else "")


def _below(left: str, right: str, runs: Mapping[str, Arm], text: str = "") -> Claim:
    """The error of `left` is below that of `right`."""
    return Claim(f"{text}{left} below {right}, test error", SINE, Reading(runs[right], ERROR), Reading(runs[left], ERROR))


Made = tuple[list[Row], list[Claim]]


def _figure_2(settings: Settings) -> Made:
    runs = build_arms(settings)
    rows = [_row(settings, {"method": method}, arm, ERROR) for method, arm in runs.items()]
    rows += [_row(settings, {"method": method}, runs[method], metric) for method in (OWN, FROZEN) for metric in (BEFORE, AFTER)]
    claims = [_below(OWN, other, runs) for other in runs if other != OWN]
    nearer = Claim("the synthetic points end nearer to the curve", SINE, Reading(runs[OWN], BEFORE), Reading(runs[OWN], AFTER))
    return rows, [*claims, nearer]


def _appendix(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    for real in settings.grid[0]:
        for i, synthetic in enumerate(settings.grid[1]):
            runs = build_arms(settings, real, synthetic)
            for method, arm in runs.items():
                labels = {"method": method, "real": str(real)}
                if method in (OWN, FROZEN):
                    rows.append(_row(settings, {**labels, "synthetic": str(synthetic)}, arm, ERROR))
                elif not i:  # no synthetic points: one row for all their numbers
                    rows.append(_row(settings, labels, arm, ERROR))
            where = f"{real} + {real} real points, {synthetic} synthetic: "
            claims += [_below(OWN, other, runs, where) for other in (BASELINE, FROZEN)]
    return rows, claims


def figures(table: Table, lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Figure 2 on the first draw, of that table alone: {"2": {"left", "middle", "right"}}; a panel that was not run is left out.

    left: grid, curve, train, valid, synthetic. middle: grid, curve, fit of the baseline, train, valid. right: the same of explicit
    gradient, with its moved points. See `engine.reproduce.regression.measure_arm`.
    """
    if table.name != "2":
        return {}
    found = {
        row.labels["method"]: lines[row.reading.arm.key] for row in table.rows if row.reading and row.reading.arm.key in lines
    }
    wanted = {
        "left": (OWN, ("grid", "curve", "train", "valid", "synthetic")),
        "middle": (BASELINE, ("grid", "curve", "fit", "train", "valid")),
        "right": (OWN, ("grid", "curve", "fit", "train", "valid", "moved")),
    }
    panels = {
        panel: {name: found[method][name] for name in names} for panel, (method, names) in wanted.items() if method in found
    }
    return {"2": panels} if panels else {}


_TABLES = {
    "2": ("Regression of a sine from ten points (figure 2)", _figure_2),
    "A": ("Numbers of real and synthetic points (appendix A)", _appendix),
}
