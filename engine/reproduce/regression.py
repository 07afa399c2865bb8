"""Explicit gradient on a regression problem (card A2): many small networks on draws of their own, trained side by side.

Draw r has n training points, n validation points and k synthetic ones; a network 1-H-1 with tanh learns sin(pi/2 x). All draws of a
number r are alike for every n, k and method: the first n points of one list, and the same first weights.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.papers.protocol import Arm
from engine.papers.sine import AFTER, BEFORE, ERROR
from engine.runner.provenance import collect_provenance
from engine.seeds import numpy_stream
from engine.spec.run import canonical_json
from engine.version import NUMERICS

SPAN = 5.0
"""x lies in [-5, 5]: two and a half periods."""
GRID = 200
WORST = 10.0
"""An error above this, twenty times that of always answering 0, counts as this: a step of 0.1 makes some small fits diverge, and
one such draw would be all that a mean tells."""
MAX_POINTS = 64
"""Points of each kind that a draw has at most."""


@dataclass(frozen=True)
class Points:
    """x, y [R, n], float64."""

    x: Tensor
    y: Tensor

    def and_(self, other: Points) -> Points:
        """These points followed by the others."""
        return Points(torch.cat([self.x, other.x], 1), torch.cat([self.y, other.y], 1))


@dataclass(frozen=True)
class Problem:
    """R draws: real points to train on and to judge by, synthetic ones where they begin, and first weights [R, 3 H + 1]."""

    train: Points
    valid: Points
    synthetic: Points
    weights: Tensor


def compute_curve(x: Tensor) -> Tensor:
    """The target sin(pi/2 x)."""
    return torch.sin(pi / 2 * x)


def draw_problems(count: int, real: int, synthetic: int, hidden: int) -> Problem:
    """`count` draws. Real points lie on the curve at x ~ U[-5, 5]; synthetic ones at x ~ U[-5, 5] with a fixed y ~ U[-1, 1]."""
    parts = []
    for r in range(count):
        rng = numpy_stream(0, "sine", r)
        spots = rng.uniform(-SPAN, SPAN, (3, MAX_POINTS))
        heights = rng.uniform(-1, 1, MAX_POINTS)
        # as torch begins a Linear layer: uniform within 1 / sqrt(inputs)
        first = np.concatenate([rng.uniform(-1, 1, 2 * hidden), rng.uniform(-1, 1, hidden + 1) / sqrt(hidden)])
        parts.append((spots[0, :real], spots[1, :real], spots[2, :synthetic], heights[:synthetic], first))
    x1, x2, x3, y3, weights = (torch.from_numpy(np.stack(several)) for several in zip(*parts, strict=True))
    return Problem(Points(x1, compute_curve(x1)), Points(x2, compute_curve(x2)), Points(x3, y3), weights)


def predict(weights: Tensor, x: Tensor) -> Tensor:
    """weights [R, 3 H + 1], x [R, n] -> [R, n]; no activation on the output."""
    hidden = (weights.shape[1] - 1) // 3
    into, shift = weights[:, :hidden], weights[:, hidden : 2 * hidden]
    out, bias = weights[:, 2 * hidden : -1], weights[:, -1:]
    return (torch.tanh(x.unsqueeze(2) * into.unsqueeze(1) + shift.unsqueeze(1)) * out.unsqueeze(1)).sum(2) + bias


def mean_squared_error(weights: Tensor, points: Points) -> Tensor:
    """Mean squared error of each network [R]."""
    return (predict(weights, points.x) - points.y).square().mean(1)


def fit(weights: Tensor, points: Points, steps: int, rate: float) -> Tensor:
    """Full-batch Adam for `steps` steps; returns weights [R, 3 H + 1]."""
    weights = weights.clone().requires_grad_()
    adam = torch.optim.Adam([weights], lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        mean_squared_error(weights, points).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return weights.detach()


def descend(weights: Tensor, points: Points, steps: int, eta_model: float) -> Tensor:
    """Full-batch gradient descent for `steps` steps; returns weights [R, 3 H + 1]."""
    weights = weights.clone()
    for _ in range(steps):
        weights = weights.requires_grad_()
        (slope,) = torch.autograd.grad(mean_squared_error(weights, points).sum(), weights)
        weights = (weights - eta_model * slope).detach()
    return weights.detach()


def explicit_gradient(
    weights: Tensor, problem: Problem, steps: int, eta_model: float, eta_points: float
) -> tuple[Tensor, Tensor]:
    """Algorithm 1 with mean squared error and all points in every step; only x of the synthetic points moves. (weights, x [R, k])."""
    x = problem.synthetic.x.clone()
    weights = weights.clone()
    for _ in range(steps):
        weights, x = weights.requires_grad_(), x.requires_grad_()
        inner = mean_squared_error(weights, problem.train.and_(Points(x, problem.synthetic.y))).sum()
        (slope,) = torch.autograd.grad(inner, weights, create_graph=eta_points > 0)
        stepped = weights - eta_model * slope
        if eta_points > 0:
            (uphill,) = torch.autograd.grad(mean_squared_error(stepped, problem.valid).sum(), x)
            x = (x - eta_points * uphill).detach()
        weights, x = stepped.detach(), x.detach()
    return weights.detach(), x.detach()


def grid_error(weights: Tensor) -> Tensor:
    """Mean squared error on 200 points of [-5, 5], evenly spaced [R]; WORST where it is larger or not a number."""
    x = torch.linspace(-SPAN, SPAN, GRID, dtype=weights.dtype).expand(len(weights), -1)
    return mean_squared_error(weights, Points(x, compute_curve(x))).nan_to_num(nan=WORST).clamp(max=WORST)


def mean_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean height of points above or below the curve [R]."""
    return (y - compute_curve(x)).abs().mean(1)


def measure_arm(arm: Arm, count: int) -> dict[str, Any]:
    """Runs an arm on `count` draws. Returns what tables need of a result: run_id, metrics -> values per draw, seconds, provenance, lines.

    Metrics: test_mse; distance_before, distance_after of the synthetic points, NaN where there are none. lines: the first draw:
    grid, curve, fit [200]; train, valid, synthetic (before), moved (after): {x, y}; no synthetic points: without the last two.
    """
    began = time.monotonic()
    torch.set_num_threads(1)  # tiny matrices: a second thread only waits
    p = dict(arm.params)
    problem = draw_problems(count, p["real"], p.get("synthetic", 0), p["hidden"])
    points = problem.train.and_(problem.valid) if p["on"] == "both" else problem.train
    weights = fit(problem.weights, points, p["first_steps"], p["rate"])
    start = problem.synthetic
    x = start.x
    if "eta_points" in p:
        weights, x = explicit_gradient(weights, problem, p["steps"], p["eta_model"], p["eta_points"])
    else:
        weights = descend(weights, points, p["steps"], p["eta_model"])
    values = {
        ERROR: grid_error(weights),
        BEFORE: mean_distance(start.x, start.y),
        AFTER: mean_distance(x, start.y),
    }
    grid = torch.linspace(-SPAN, SPAN, GRID, dtype=torch.float64)

    def short(row: torch.Tensor) -> list[float]:
        return [round(float(v), 5) for v in row]

    lines: dict[str, Any] = {
        "grid": short(grid),
        "curve": short(compute_curve(grid)),
        "fit": short(predict(weights[:1], grid[None])[0]),
    }
    shown = {"train": problem.train, "valid": problem.valid}
    if start.x.shape[1]:
        shown |= {"synthetic": start, "moved": Points(x, start.y)}
    lines |= {name: {"x": short(one.x[0]), "y": short(one.y[0])} for name, one in shown.items()}
    facts = {"arm": arm.key, "draws": count, "numerics": NUMERICS}
    return {
        "run_id": hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16],
        "metrics": {name: {"values": found.tolist()} for name, found in values.items()},
        "seconds": time.monotonic() - began,
        "provenance": collect_provenance(torch.device("cpu"), torch.float64),
        "lines": lines,
    }
