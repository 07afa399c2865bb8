"""The sine experiment: draws, the meta-gradient against finite differences, controls, and the table from end to end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.papers import sine
from engine.reproduce import regression
from engine.reproduce.regression import Points, Problem, descend, explicit_gradient, fit, mean_squared_error

TOY = replace(sine.SMALL, seeds=4, steps=(30, 20), grid=((3, 5), (5, 20)))


def test_draws_are_nested_and_on_the_curve():
    few, many = regression.draw_problems(3, 5, 5, 10), regression.draw_problems(5, 20, 40, 10)
    assert few.train.x.shape == (3, 5) and many.synthetic.x.shape == (5, 40)
    assert torch.equal(few.train.x, many.train.x[:3, :5]) and torch.equal(few.weights, many.weights[:3])
    assert torch.equal(few.synthetic.y, many.synthetic.y[:3, :5])
    for points in (many.train, many.valid):
        assert torch.equal(points.y, torch.sin(torch.pi / 2 * points.x))
    assert many.train.x.abs().max() <= 5 and 1 < many.synthetic.x.abs().max() <= 5 and many.synthetic.y.abs().max() <= 1
    assert not torch.equal(many.train.x, many.valid.x) and few.weights.shape == (3, 31)


def test_the_network_is_one_hidden_layer_of_tanh():
    problem = regression.draw_problems(2, 4, 4, 10)
    for r in range(2):
        into, shift, out, bias = problem.weights[r].split([10, 10, 10, 1])
        by_hand = torch.tanh(problem.train.x[r][:, None] * into + shift) @ out + bias
        assert torch.allclose(regression.predict(problem.weights, problem.train.x)[r], by_hand, atol=1e-12)


def stepped(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """Validation error after one step of 0.1 on real points and points at x."""
    weights = problem.weights.clone().requires_grad_()
    inner = mean_squared_error(weights, problem.train.and_(Points(x, problem.synthetic.y))).sum()
    (slope,) = torch.autograd.grad(inner, weights)
    return mean_squared_error((weights - 0.1 * slope).detach(), problem.valid)


def test_the_points_move_down_the_stepped_networks_error():
    problem = regression.draw_problems(2, 5, 6, 10)
    _, moved = explicit_gradient(problem.weights, problem, 1, 0.1, 1.0)
    mine = problem.synthetic.x - moved
    for j in range(6):
        up, down = problem.synthetic.x.clone(), problem.synthetic.x.clone()
        up[:, j] += 1e-5
        down[:, j] -= 1e-5
        assert torch.allclose((stepped(problem, up) - stepped(problem, down)) / 2e-5, mine[:, j], rtol=1e-5, atol=1e-10)
    assert not problem.synthetic.x.requires_grad and not problem.weights.requires_grad


def test_frozen_is_plain_descent_on_all_points():
    problem = regression.draw_problems(3, 5, 6, 10)
    weights, x = explicit_gradient(problem.weights, problem, 7, 0.1, 0.0)
    assert torch.equal(x, problem.synthetic.x)
    assert torch.equal(weights, descend(problem.weights, problem.train.and_(problem.synthetic), 7, 0.1))


def test_a_draw_does_not_depend_on_what_runs_beside_it():
    alone, beside = (regression.draw_problems(n, 5, 6, 10) for n in (1, 4))
    for one in (lambda p: explicit_gradient(fit(p.weights, p.train, 5, 0.01), p, 5, 0.1, 1.0)[0],):
        assert torch.allclose(one(alone)[0], one(beside)[0], rtol=1e-12)


def test_fitting_fits_and_what_diverges_is_bounded():
    problem = regression.draw_problems(4, 5, 0, 10)
    assert (
        mean_squared_error(fit(problem.weights, problem.train, 300, 0.01), problem.train)
        < mean_squared_error(problem.weights, problem.train)
    ).all()
    wild = torch.full((2, 31), 1e30, dtype=torch.float64)
    wild[1] = torch.nan
    assert regression.grid_error(wild).tolist() == [regression.WORST] * 2
    nothing = torch.zeros(1, 31, dtype=torch.float64)
    assert float(regression.grid_error(nothing)) == pytest.approx(0.5, abs=0.02)
    on = regression.mean_distance(problem.train.x, problem.train.y + 0.25)
    assert torch.allclose(on, torch.full((4,), 0.25, dtype=torch.float64))


def test_what_an_arm_gives():
    runs = sine.build_arms(TOY)
    assert list(runs) == [sine.BASELINE, sine.ALONE, sine.OWN, sine.FROZEN, sine.EQUAL]
    found = {name: regression.measure_arm(arm, 3) for name, arm in runs.items()}
    assert len({one["run_id"] for one in found.values()}) == 5
    for name, one in found.items():
        values = {metric: of["values"] for metric, of in one["metrics"].items()}
        assert len(values["test_mse"]) == 3 and one["provenance"]["torch"]
        frozen = name not in (sine.OWN,)
        if name in (sine.OWN, sine.FROZEN):
            assert (values["distance_before"] == values["distance_after"]) == frozen
            assert one["lines"]["synthetic"]["y"] == one["lines"]["moved"]["y"]
        else:
            assert "moved" not in one["lines"]
    again = regression.measure_arm(runs[sine.OWN], 3)
    assert again["metrics"] == found[sine.OWN]["metrics"] and again["run_id"] == found[sine.OWN]["run_id"]
    more = regression.measure_arm(runs[sine.OWN], 4)
    assert more["metrics"]["test_mse"]["values"][:3] == pytest.approx(again["metrics"]["test_mse"]["values"])


def test_the_figures_panels():
    found = sine.table("2", settings=TOY)
    lines = {arm.key: regression.measure_arm(arm, 2)["lines"] for arm in found.arms()}
    panels = sine.figures(found, lines)["2"]
    assert list(panels) == ["left", "middle", "right"]
    assert len(panels["left"]["synthetic"]["x"]) == 20 and len(panels["right"]["moved"]["x"]) == 20
    assert len(panels["middle"]["fit"]) == len(panels["middle"]["grid"]) == 200
    assert panels["right"]["fit"] != panels["middle"]["fit"]
    assert sine.figures(found, {}) == {} and sine.figures(sine.table("A", settings=TOY), lines) == {}


def test_the_appendix_covers_its_grid():
    found = sine.table("A", settings=TOY)
    rows = [(row.labels["method"], row.labels["real"], row.labels.get("synthetic")) for row in found.rows]
    assert len(set(rows)) == len(rows) == 2 * (3 + 2 * 2) == len(found.arms())
    assert len(found.claims) == 2 * 2 * 2
    assert {row.labels["method"] for row in sine.table("2").rows} >= {sine.FROZEN, sine.EQUAL}
    assert sine.FULL.seeds >= 50 and sine.SMALL.seeds >= 50
