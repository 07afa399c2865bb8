"""CCR, MC-CCR and RB-CCR against their cards: radii, pushes, counts, regions, and what always holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.utils.estimator_checks import parametrize_with_checks

from engine.samplers import CCR, MCCCR, RBCCR
from engine.samplers.ccr import ccr, find_regions, grow_radii, measure_distances, potential, rb_ccr
from engine.samplers.lines import Drawn
from tests.engine.cards import assert_close, read_cases

suite = parametrize_with_checks([cls(random_state=0) for cls in (CCR, MCCCR, RBCCR)])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


def rows(counts: tuple[int, ...] = (60, 20, 9), features: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = 2 * rng.normal(size=(len(counts), features))[y] + rng.normal(size=(len(y), features))
    return torch.from_numpy(x), torch.from_numpy(y)


def lacking(y: torch.Tensor) -> dict[int, int]:
    counts = torch.bincount(y)
    return dict(enumerate((counts.max() - counts).tolist()))


def of_case(given: dict[str, Any], count: int = 100) -> tuple[torch.Tensor, torch.Tensor, dict[int, int]]:
    minority, majority = given["minority"], given["majority"]
    x = torch.tensor([*minority, *majority], dtype=torch.float64)
    return x, torch.tensor([1] * len(minority) + [0] * len(majority)), {0: 0, 1: count}


def places(x: torch.Tensor, drawn: Drawn) -> torch.Tensor:
    """The old rows where they lie after drawing."""
    out = x.clone()
    assert drawn.moved is not None
    out[drawn.moved.rows] = drawn.moved.to
    return out


# ---- the card's cases


@pytest.mark.parametrize("case", read_cases("ccr", "places"))
def test_radii_and_pushes(case: dict[str, Any]) -> None:
    given = case["input"]
    x, y, wanted = of_case(given)
    options: dict[str, Any] = {"energy": given["energy"]}
    ways = [(ccr, options | {"p": given["p"]}), (ccr, options | {"p": given["p"], "classes": "sampling"})]
    ways += [(rb_ccr, options)] if given["p"] == 2 else []
    for function, own in ways:
        drawn = function(x, y, wanted, np.random.default_rng(0), **own)
        assert drawn.spheres is not None and drawn.radius is not None and len(drawn.x) == 100
        assert_close(drawn.spheres[1], case["value"][0])
        assert_close(places(x, drawn)[len(given["minority"]) :].flatten(), case["value"][1])


@pytest.mark.parametrize("case", read_cases("ccr", "counts"))
def test_new_rows_of_each_seed(case: dict[str, Any]) -> None:
    x, y, wanted = of_case(case["input"])
    options = {"energy": case["input"]["energy"]}
    for drawn in (
        ccr(x, y, wanted, np.random.default_rng(0), **options),
        ccr(x, y, wanted, np.random.default_rng(0), classes="sampling", **options),
        rb_ccr(x, y, wanted, np.random.default_rng(0), **options),
    ):
        assert torch.bincount(drawn.base, minlength=2)[:2].tolist() == case["value"]
        assert int((y == 1).sum()) + int((drawn.y == 1).sum()) == 102


@pytest.mark.parametrize("case", read_cases("ccr", "radius"))
def test_radius_of_one_sphere(case: dict[str, Any]) -> None:
    given = case["input"]
    x, y, wanted = of_case(given, 3)
    drawn = ccr(x, y, wanted, np.random.default_rng(0), energy=given["energy"], variant=given["variant"])
    assert drawn.spheres is not None and drawn.moved is not None
    assert_close(drawn.spheres[1], [case["value"]])
    assert_close(drawn.moved.to[0].abs(), [case["value"]])  # the row inside lies on the surface


@pytest.mark.parametrize("case", read_cases("ccr", "rounded", "by the mean radius", "left twice"))
def test_what_other_releases_come_to(case: dict[str, Any]) -> None:
    """By the card's reading of them, from the radii here, none of it is what this sampler gives."""
    given = case["input"]
    x, y, wanted = of_case(given)
    drawn = ccr(x, y, wanted, np.random.default_rng(0), energy=given["energy"])
    assert drawn.spheres is not None
    radii = drawn.spheres[1]
    if case["what"] == "left twice":
        nearest = (x[y == 0] - x[y == 1]).abs().min()
        assert_close(radii[0] + given["energy"] - nearest, case["value"])
        assert_close(radii, [0.7])
        return
    shares = 1 / radii / (1 / radii).sum() if case["what"] == "rounded" else radii.mean() / radii / len(radii)
    assert (100 * shares).round().int().tolist() == case["value"]
    assert len(drawn.x) == 100 != sum(case["value"])


def regions_of(given: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    minority, at = (torch.tensor(given[name], dtype=torch.float64) for name in ("minority", "at"))
    return potential(at, minority, given["gamma"]), minority


@pytest.mark.parametrize("case", read_cases("rb-ccr", "potential"))
def test_potentials(case: dict[str, Any]) -> None:
    assert_close(regions_of(case["input"])[0], case["value"])


@pytest.mark.parametrize("case", read_cases("rb-ccr", "limits"))
def test_limits_of_the_regions(case: dict[str, Any]) -> None:
    found = regions_of(case["input"])[0]
    low, high = case["value"]
    for limit, below, above in ((low, 0, 1), (high, 1, 2)):
        tried = torch.cat([found[1:], torch.tensor([limit - 1e-9, limit + 1e-9], dtype=torch.float64)]).unsqueeze(0)
        assert find_regions(tried, found[:1], case["input"]["threshold"])[0, -2:].tolist() == [below, above]


@pytest.mark.parametrize("case", read_cases("rb-ccr", "regions"))
def test_regions_of_four_candidates(case: dict[str, Any]) -> None:
    found = regions_of(case["input"])[0]
    assert find_regions(found[None, 1:], found[:1], case["input"]["threshold"])[0].tolist() == case["value"]


# ---- what always holds


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=12), st.floats(0.01, 50), st.floats(0.01, 50))
def test_the_radius_spends_the_energy(distances: list[float], energy: float, more: float) -> None:
    d = torch.tensor([distances], dtype=torch.float64)
    r, wider = float(grow_radii(d, energy)), float(grow_radii(d, energy + more))
    cost = r + float((r - d).clamp(min=0).sum())
    assert abs(cost - energy) <= 1e-12 * max(1.0, energy) * len(distances)
    assert energy / (len(distances) + 1) - 1e-12 <= r <= energy + 1e-12 and r < wider


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("volume", [False, True])
def test_new_rows_lie_in_their_spheres(p: int, volume: bool) -> None:
    x, y = rows()
    drawn = ccr(x, y, lacking(y), np.random.default_rng(0), p=p, volume=volume, cleaning="ignore")
    assert drawn.radius is not None and drawn.spheres is not None and drawn.y.tolist() == [1] * 40 + [2] * 51
    turned = {int(row): float(r) for row, r in zip(*drawn.spheres, strict=True)}
    assert set(turned) == set(torch.nonzero(y > 0).squeeze(1).tolist())
    assert all(turned[b] == r for b, r in zip(drawn.base.tolist(), drawn.radius.tolist(), strict=True))
    far = torch.linalg.vector_norm(drawn.x - x[drawn.base], ord=p, dim=1)
    assert bool((far <= drawn.radius * (1 + 1e-12)).all()) and bool((y[drawn.base] == drawn.y).all())


def test_even_filling_reaches_further_out() -> None:
    x, y = rows((80, 10))
    near, far = (
        (torch.linalg.vector_norm(d.x - x[d.base], dim=1) / d.radius).mean()
        for d in (ccr(x, y, {0: 0, 1: 4000}, np.random.default_rng(0), volume=volume) for volume in (False, True))
    )
    assert abs(float(near) - 0.5) < 0.02 and abs(float(far) - 0.75) < 0.02  # d / (d + 1) for d = 3


@pytest.mark.parametrize("function", [ccr, rb_ccr])
@pytest.mark.parametrize("classes", ["one-by-one", "sampling"])
def test_cleaning(function: Any, classes: str) -> None:
    x, y = rows()
    given = x.clone()
    pushed, removed, ignored = (
        function(x, y, lacking(y), np.random.default_rng(0), cleaning=how, classes=classes)
        for how in ("push", "remove", "ignore")
    )
    assert torch.equal(x, given) and len(pushed.moved.rows) and pushed.kept is None
    assert torch.equal(places(x, ignored), x) and ignored.kept is None and not len(ignored.moved.rows)
    assert removed.kept is not None and not bool(removed.kept.all()) and not len(removed.moved.rows)
    assert len(pushed.moved.rows.unique()) == len(pushed.moved.rows) and bool((y[pushed.moved.by] > 0).all())


def test_what_is_pushed_out_of_one_class_leaves_its_spheres_alone() -> None:
    x, y = rows((70, 1))
    drawn = ccr(x, y, {0: 0, 1: 69}, np.random.default_rng(0), energy=30.0)
    assert drawn.spheres is not None and drawn.moved is not None and len(drawn.moved.rows) > 5
    far = measure_distances(x[-1:], drawn.moved.to, 2)[0]
    assert_close(far, np.full(len(far), float(drawn.spheres[1][0])))


def test_translation_and_rotation() -> None:
    x, y = rows((60, 20), features=2)
    turn = torch.linalg.qr(torch.from_numpy(np.random.default_rng(3).normal(size=(2, 2)))).Q
    one = ccr(x, y, lacking(y), np.random.default_rng(0))
    other = ccr(x @ turn + 5.0, y, lacking(y), np.random.default_rng(0))
    assert torch.equal(one.moved.rows, other.moved.rows) and torch.equal(one.base, other.base)
    assert_close(places(x @ turn + 5.0, other), places(x, one) @ turn + 5.0)
    shifted = ccr(x + 5.0, y, lacking(y), np.random.default_rng(0))
    assert_close(shifted.x, one.x + 5.0)
    assert_close(((other.x - 5.0) @ turn.T - x[one.base]).norm(dim=1), (one.x - x[one.base]).norm(dim=1))


def test_columns_of_categories_are_not_pushed() -> None:
    x, y = rows()
    drawn = ccr(x, y, lacking(y), np.random.default_rng(0), fixed=2)
    assert torch.equal(places(x, drawn)[:, 1:], x[:, 1:]) and not torch.equal(places(x, drawn), x)
    assert drawn.said == ("Rows that are pushed keep their categories: they move in the columns of numbers alone.",)


def test_one_row_of_a_class_is_the_seed_of_all() -> None:
    x, y = rows((30, 1))
    drawn = ccr(x, y, {0: 0, 1: 29}, np.random.default_rng(0))
    assert drawn.base.tolist() == [30] * 29 and not drawn.instead


# ---- many classes


def test_sampling_meets_shares_of_the_larger_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    met = []

    def watch(own: torch.Tensor, others: torch.Tensor, p: int) -> torch.Tensor:
        met.append((len(own), len(others)))
        return measure_distances(own, others, p)

    monkeypatch.setattr("engine.samplers.ccr.measure_distances", watch)
    x, y = rows((60, 20, 9))
    drawn = ccr(x, y, lacking(y), np.random.default_rng(0), classes="sampling")
    assert met == [(20, 60), (9, 60)] and torch.bincount(drawn.y).tolist() == [0, 40, 51]
    met.clear()
    ccr(x, y, lacking(y), np.random.default_rng(0))
    assert met == [(20, 69), (9, 120)]


def test_sampling_moves_new_rows_and_leaves_small_classes() -> None:
    x, y = rows((60, 20, 9))
    drawn = ccr(x, y, lacking(y), np.random.default_rng(0), classes="sampling", energy=20.0)
    assert not bool((y[drawn.moved.rows] == 2).any())
    assert drawn.radius is not None
    far = (drawn.x - x[drawn.base]).norm(dim=1)
    assert bool((far[drawn.y == 1] > drawn.radius[drawn.y == 1]).any())  # a new row of class 1 was pushed by class 2


def test_two_classes_make_both_alike() -> None:
    x, y = rows((60, 20))
    one, other, none = (RBCCR(region="LEH", random_state=0), CCR(random_state=0), RBCCR(gamma=0, random_state=0))
    for same in (one, none):
        assert np.array_equal(same.fit_resample(x.numpy(), y.numpy())[0], other.fit_resample(x.numpy(), y.numpy())[0])
    third = MCCCR(random_state=0).fit_resample(x.numpy(), y.numpy())[0]
    assert np.array_equal(third, other.fit_resample(x.numpy(), y.numpy())[0])
    assert len(other.moved_) and np.array_equal(other.spheres_[0], np.arange(60, 80))


# ---- regions


def test_seeds_are_no_candidates_and_rows_are_drawn_once() -> None:
    x, y = rows((90, 12))
    drawn = rb_ccr(x, y, {0: 0, 1: 78}, np.random.default_rng(0), candidates=80, region="LE")
    everything = torch.cat([x, drawn.x])
    assert len(everything.unique(dim=0)) == len(everything)


@pytest.mark.parametrize("region", ["L", "E", "H"])
def test_rows_lie_in_their_regions(region: str) -> None:
    x, y = rows((90, 12))
    drawn = rb_ccr(x, y, {0: 0, 1: 78}, np.random.default_rng(0), region=region)
    own = x[y == 1]
    at_seed, there = potential(x[drawn.base], own, 2.5), potential(drawn.x, own, 2.5)
    if region in ("L", "H"):
        assert bool(((there < at_seed) == (region == "L"))[~((there - at_seed).abs() < 1e-12)].all())
    elif region == "E":
        plain = rb_ccr(x, y, {0: 0, 1: 78}, np.random.default_rng(0), region="LEH")
        usual = (potential(plain.x, own, 2.5) - potential(x[plain.base], own, 2.5)).abs()
        assert float((there - at_seed).abs().mean()) < float(usual.mean())


def test_a_peak_has_nothing_higher() -> None:
    """An isolated row is its own kernel's peak: rows come from E, with a word, and none is a copy."""
    x = torch.tensor([[0.0, 0.0], *[[3.0 + i, 1.0] for i in range(9)]], dtype=torch.float64)
    y = torch.tensor([1] + [0] * 9)
    drawn = rb_ccr(x, y, {0: 0, 1: 8}, np.random.default_rng(0), region="H", gamma=1.0, candidates=20)
    assert len(drawn.said) == 1 and "1 spheres have no candidate in region H" in drawn.said[0]
    assert bool((drawn.x != x[0]).any(1).all())


def test_equal_potentials_are_all_of_the_middle() -> None:
    assert find_regions(torch.ones(1, 3), torch.ones(1), 0.33).tolist() == [[1, 1, 1]]
    assert find_regions(torch.tensor([[1.0, 1.0]]), torch.tensor([2.0]), 0.33).tolist() == [[0, 0]]


@pytest.mark.parametrize("bad", [{"energy": -1}, {"p": 3}, {"cleaning": "burn"}, {"classes": "all"}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CCR(**bad).fit_resample(*(part.numpy() for part in rows()))


def test_no_class_is_removed_whole() -> None:
    x = np.concatenate([np.linspace(-1, 1, 6), [0.1, 0.15, 0.0]])[:, None]
    y = np.repeat([0, 1, 2], [6, 2, 1])
    with pytest.warns(UserWarning, match="none of them was removed"):
        new_x, new_y = CCR(energy=100.0, cleaning="remove", random_state=0).fit_resample(x, y)
    assert set(new_y) == {0, 1, 2} and np.isfinite(new_x).all()
    wide, _ = CCR(energy=1e-3, cleaning="remove", random_state=0).fit_resample(x * 100, y)
    assert len(wide) == 18, "nothing lies inside, so nothing is removed"


def test_values_whose_squares_overflow_are_refused() -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.repeat([0, 1], [4, 2])
    with pytest.raises(ValueError, match="divide them by a constant"):
        CCR(random_state=0).fit_resample(x * 1e200, y)
