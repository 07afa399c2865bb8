"""RBO and MC-RBO against their card: potentials, the walk, the change of one column, paths, and what always holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks

from engine.samplers import MCRBO, RBO
from engine.samplers.lines import Drawn
from engine.samplers.rbo import POINTS, Felt, _feel, mc_rbo, rbo, read_path
from tests.engine.cards import assert_close, read_cases
from tests.engine.samplers.test_ccr import lacking, rows

suite = parametrize_with_checks([cls(random_state=0, steps=20) for cls in (RBO, MCRBO)])
BOTH = pytest.mark.parametrize("function", [rbo, mc_rbo])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


def field(minority: list[list[float]], majority: list[list[float]], p: int = 2) -> Felt:
    at = torch.tensor([*minority, *majority], dtype=torch.float64)
    sign = torch.tensor([-1.0] * len(minority) + [1.0] * len(majority), dtype=torch.float64)
    return Felt(at.T.contiguous(), None, sign, p)


def measure(felt: Felt, at: torch.Tensor, gamma: float) -> torch.Tensor:
    return felt.sum_potential(felt.measure(at), gamma)


def slowly(at: np.ndarray, x: np.ndarray, y: np.ndarray, c: int, gamma: float, p: int) -> float:
    """The potential of class c at one place, one row at a time."""
    return sum(
        (-1 if k == c else 1) * np.exp(-((np.linalg.norm(at - row, ord=p) / gamma) ** 2)) for row, k in zip(x, y, strict=True)
    )


# ---- the card's cases


@pytest.mark.parametrize("case", read_cases("rbo", "potential"))
def test_potentials(case: dict[str, Any]) -> None:
    given = case["input"]
    felt = field(given["minority"], given["majority"])
    assert_close(measure(felt, torch.tensor([given["at"]], dtype=torch.float64), given["gamma"])[0], case["value"])


@pytest.mark.parametrize("case", read_cases("rbo", "alone"))
@pytest.mark.parametrize("p", [1, 2])
def test_a_far_row_sees_itself_alone(case: dict[str, Any], p: int) -> None:
    felt = field([[0.0]], [[1e3]], p)
    at = torch.tensor(case["input"]["at"], dtype=torch.float64).unsqueeze(1)
    assert_close(measure(felt, at, case["input"]["gamma"]), case["value"])


@pytest.mark.parametrize("case", read_cases("rbo", "walk"))
@BOTH
@pytest.mark.parametrize("p", [1, 2])
def test_the_walk(case: dict[str, Any], function: Any, p: int) -> None:
    given = case["input"]
    x = torch.tensor([*given["minority"], *given["majority"]], dtype=torch.float64)
    options: dict[str, Any] = {"stop": 0.0} if function is rbo else {}
    drawn = function(
        x,
        torch.tensor([1, 0]),
        {0: 0, 1: 3},
        np.random.default_rng(0),
        gamma=given["gamma"],
        step_size=given["step"],
        p=p,
        **options,
    )
    assert drawn.path is not None and drawn.path.shape == (3, 6, 1)
    for path in drawn.path:
        assert_close(path[:, 0], case["value"], 1e-7)  # paths are float32
    assert_close(drawn.x[:, 0], case["value"][-1:] * 3)


# ---- the change of one column


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("k", [0, 7])
def test_a_step_changes_distances_as_anew(p: int, k: int) -> None:
    x, y = rows((60, 20), features=5)
    seeds = torch.nonzero(y == 1).squeeze(1)
    felt = _feel(x, torch.where(y == 1, -1.0, 1.0).double(), torch.arange(80), seeds, k, p)
    here = x[seeds].clone()
    distances = felt.measure(here)
    for column, by in ((0, 0.05), (4, -0.05), (2, 1.5)):
        at, far = torch.full((20,), column), torch.full((20,), by, dtype=torch.float64)
        distances = felt.change(distances, here, at, far)
        here[:, column] += by
        assert_close(distances, felt.measure(here), 1e-12)


@pytest.mark.parametrize("p", [1, 2])
def test_the_nearest_rows_are_the_seeds_own_and_its_neighbours(p: int) -> None:
    x, y = rows((60, 20), features=2)
    x[70] = x[3]  # a row of the other class in the seed's place
    seeds = torch.tensor([70, 65, 70])
    felt = _feel(x, torch.where(y == 1, -1.0, 1.0).double(), torch.arange(80), seeds, 5, p)
    assert felt.places is not None and felt.places.shape == (3, 6, 2)
    for own, places, sign in zip(seeds.tolist(), felt.places, felt.sign, strict=True):
        far = np.linalg.norm(x.numpy() - x[own].numpy(), ord=p, axis=1)
        far[own] = -1
        order = np.argsort(far, kind="stable")[:6]
        assert np.array_equal(places.numpy(), x[order].numpy()) and sign.tolist() == [-1.0 if y[i] == 1 else 1.0 for i in order]
        assert order[0] == own


def test_many_pairs_make_walks_feel_the_nearest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows((60, 20))
    near = rbo(x, y, {0: 0, 1: 40}, np.random.default_rng(0), k_neighbors=25)
    assert not torch.equal(rbo(x, y, {0: 0, 1: 40}, np.random.default_rng(0)).x, near.x)
    monkeypatch.setattr("engine.samplers.rbo.MOST_PAIRS", 40 * 80 - 1)
    assert torch.equal(rbo(x, y, {0: 0, 1: 40}, np.random.default_rng(0)).x, near.x)


def test_distances_computed_anew_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows((60, 20))
    one = rbo(x, y, {0: 0, 1: 40}, np.random.default_rng(0), steps=120)
    monkeypatch.setattr("engine.samplers.rbo.RENEW", 1)
    assert_close(rbo(x, y, {0: 0, 1: 40}, np.random.default_rng(0), steps=120).x, one.x, 1e-12)


# ---- what always holds


def steps_of(path: torch.Tensor) -> torch.Tensor:
    """Places of one walk that has at most POINTS of them."""
    return path[~path[:, 0].isnan()].double()


@BOTH
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("goal", ["balance", "minimize", "maximize"])
def test_the_goal_comes_nearer_along_every_path(monkeypatch: pytest.MonkeyPatch, function: Any, p: int, goal: str) -> None:
    x, y = rows((40, 12), features=2)
    met = {}

    def watch(x: torch.Tensor, sign: torch.Tensor, at: torch.Tensor, *rest: Any) -> Felt:
        met["rows"] = at.numpy()  # MC-RBO draws some rows of the larger class more than once
        return _feel(x, sign, at, *rest)

    monkeypatch.setattr("engine.samplers.rbo._feel", watch)
    drawn: Drawn = function(x, y, lacking(y), np.random.default_rng(0), steps=POINTS - 1, p=p, goal=goal, k_neighbors=100)
    assert drawn.path is not None and drawn.path.shape[1] > 5 and drawn.y.tolist() == [1] * 28
    for path, base, end in zip(drawn.path, drawn.base.tolist(), drawn.x, strict=True):
        places = steps_of(path)
        assert y[base] == 1 and torch.equal(places[0].float(), x[base].float())
        assert torch.allclose(places[-1], end, atol=1e-5)
        found = np.array([slowly(at, x.numpy()[met["rows"]], y.numpy()[met["rows"]], 1, 1.0, p) for at in places.numpy()])
        rise = np.diff(np.abs(found) if goal == "balance" else found if goal == "minimize" else -found)
        assert (rise < 1e-5).all()
        moves = places.diff(dim=0)
        assert bool(((moves.abs() > 1e-3).sum(1) == 1).all())
        assert torch.allclose(moves.abs().sum(1), torch.full((len(moves),), 0.05, dtype=torch.float64), atol=1e-5)


@BOTH
def test_the_sum_of_steps_bounds_the_way(function: Any) -> None:
    x, y = rows()
    drawn = function(x, y, lacking(y), np.random.default_rng(0), steps=40, step_size=0.1)
    far = (drawn.x - x[drawn.base]).abs().sum(1)
    assert bool((far <= 4 + 1e-9).all()) and float(far.max()) > 1
    assert drawn.kind == "walk" and drawn.moved is None and drawn.y.tolist() == [1] * 40 + [2] * 51


def test_a_walk_that_always_stops_is_a_copy() -> None:
    x, y = rows()
    drawn = rbo(x, y, lacking(y), np.random.default_rng(0), stop=1.0)
    assert torch.equal(drawn.x, x[drawn.base]) and len(drawn.base.unique()) > 20
    none = rbo(x, y, lacking(y), np.random.default_rng(0), steps=0)
    assert torch.equal(none.x, x[none.base])


def test_long_paths_are_thinned_and_large_ones_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows((40, 12), features=2)
    options: dict[str, Any] = {"steps": 400, "step_size": 0.005, "stop": 0.0}
    drawn = rbo(x, y, lacking(y), np.random.default_rng(0), **options)
    assert drawn.path is not None and drawn.path.shape[1] == POINTS
    whole = drawn.path[~drawn.path[:, -1, 0].isnan()]
    assert torch.allclose(whole[:, -1].double(), drawn.x[~drawn.path[:, -1, 0].isnan()], atol=1e-5) and len(whole) > 5
    monkeypatch.setattr("engine.samplers.rbo.MOST_PATH", 28 * POINTS * 2 - 1)
    without = rbo(x, y, lacking(y), np.random.default_rng(0), **options)
    assert without.path is None and torch.equal(without.x, drawn.x)


def test_thinned_places_are_evenly_spaced() -> None:
    from engine.samplers.rbo import Walked

    by = torch.full((93, 1), 1.0, dtype=torch.float64)
    by[5] = 0.0
    path = read_path(
        torch.zeros(1, 1, dtype=torch.float64), Walked(torch.full((1, 1), 92.0), torch.zeros(93, 1, dtype=torch.int64), by)
    )
    assert path.shape == (1, POINTS, 1) and path[0, 0] == 0 and path[0, -1] == 92
    assert set(path[0, :, 0].diff().tolist()) <= {2.0, 3.0}


# ---- many classes


def test_mc_rbo_meets_shares_of_the_larger_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    met = []

    def watch(x: torch.Tensor, sign: torch.Tensor, at: torch.Tensor, *rest: Any) -> Felt:
        met.append((int((sign[at] < 0).sum()), int((sign[at] > 0).sum()), int((at >= 89).sum())))
        return _feel(x, sign, at, *rest)

    monkeypatch.setattr("engine.samplers.rbo._feel", watch)
    x, y = rows((60, 20, 9))
    given = x.clone()
    mc_rbo(x, y, lacking(y), np.random.default_rng(0), steps=3)
    assert [one[:2] for one in met] == [(20, 60), (9, 60)] and met[0][2] == 0 and met[1][2] > 5  # new rows of class 1 are met
    assert torch.equal(x, given)
    met.clear()
    rbo(x, y, lacking(y), np.random.default_rng(0), steps=3)
    assert [one[:2] for one in met] == [(20, 69), (9, 80)]


def test_a_walk_without_better_ways_ends() -> None:
    """At the balance no way is better: each is tried once, and the walk stays."""
    x, y = torch.tensor([[0.0, 0.0], [0.0, 0.0]], dtype=torch.float64), torch.tensor([1, 0])
    drawn = mc_rbo(x, y, {0: 0, 1: 5}, np.random.default_rng(0), steps=50)
    assert torch.equal(drawn.x, torch.zeros(5, 2, dtype=torch.float64))


@pytest.mark.parametrize("bad", [{"gamma": 0}, {"p": 3}, {"goal": "up"}, {"step_size": 0}, {"steps": -1}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        RBO(**bad).fit_resample(*(part.numpy() for part in rows()))
