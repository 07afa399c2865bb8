"""SUGAR (card C6): cases by hand, where rows come to lie, what it refuses, and imbalanced-learn's own suite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks

from engine.samplers import SUGAR
from engine.samplers.around import distances
from engine.samplers.lines import Drawn
from engine.samplers.shares import shares
from engine.samplers.sugar import degrees, diffuse, kernel_width, nearest_others, nearest_widths, sugar, weigh
from tests.engine.cards import assert_close, read_cases

suite = parametrize_with_checks([SUGAR(random_state=0), SUGAR(passes=0, bandwidth="std", equalize=False, random_state=0)])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


def write_out(
    rows: torch.Tensor, sparsity: torch.Tensor, new: torch.Tensor, old_width: torch.Tensor, new_width: torch.Tensor
) -> torch.Tensor:
    """The symmetric matrix by which `diffuse` averages, before its rows are divided by their sums."""
    apart = distances(new, rows)
    there, back = torch.exp(-((apart / old_width) ** 2)), torch.exp(-((apart / new_width.unsqueeze(1)) ** 2)).T
    whole = there @ torch.diag(sparsity) @ back
    return (whole + whole.T) / 2


def column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def alike(rows: torch.Tensor, width: float) -> torch.Tensor:
    """Shares of rows whose neighbours all have the same spread."""
    return weigh(rows, torch.zeros(len(rows), 2, dtype=torch.int64), degrees(rows, width), width, equalize=False)


@pytest.mark.parametrize("case", read_cases("sugar"))
def test_cases_by_hand(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    tolerance = 1e-9
    if what == "circle":
        turn = 2 * np.pi * np.arange(given["count"]) / given["count"]
        rows = torch.from_numpy(np.stack([np.sin(turn), np.cos(turn)], 1))
        width = kernel_width(rows, given["bandwidth"])
        assert width < 1e-12
        found: Any = shares(alike(rows, width), given["wanted"])
        assert_close(found, case["value"])
        return
    rows = column(given["rows"])
    if what == "kernel":
        kernel = torch.exp(-(distances(rows, rows) / given["width"]).square())
        found = [kernel[0, 1], kernel[0, 2], kernel[1, 2]]
        sums = torch.where(kernel < 1e-3, 0.0, kernel).sum(0)
        assert_close(degrees(rows, given["width"]), sums / sums.mean())
    elif what == "width":
        found = kernel_width(rows, given["bandwidth"])
    elif what == "degrees":
        found = degrees(rows, given["width"])
        tolerance = 1e-9 if len(str(case["value"][0])) > 12 else 1e-10  # printed with ten digits
    elif what in ("shares", "shares_rounded"):
        weights = alike(rows, given["width"])
        found, tolerance = weights / weights.sum() * given["wanted"], 1e-9 if what == "shares" else 5e-4
    elif what == "counts":
        found = shares(alike(rows, given["width"]), given["wanted"])
    else:
        one = torch.ones(len(rows), dtype=torch.float64)
        new = column(given["new"])
        if what == "weights of new rows":
            whole = write_out(rows, 1 / degrees(rows, given["width"]), new, one, one[: len(new)])
            assert_close([whole[0, 0], whole[0, 1], whole[1, 1]], case["value"])
            assert_close(whole[0, 1], whole[1, 0])
            return
        found = diffuse(rows, 1 / degrees(rows, given["width"]), new, one, one[: len(new)], passes=given["passes"])[:, 0]
    assert_close(found, case["value"], tolerance)


def table(counts: tuple[int, ...] = (90, 30), columns: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return rng.normal(size=(len(y), columns)) + 2 * rng.normal(size=(len(counts), columns))[y], y


def draw(x: np.ndarray, y: np.ndarray, asked: dict[int, int], seed: int = 0, **options: Any) -> Drawn:
    return sugar(torch.from_numpy(x), torch.from_numpy(y), asked, np.random.default_rng(seed), **options)


def test_numbers_are_exact_and_dense_rows_get_fewer() -> None:
    x, y = table()
    made = draw(x, y, {1: 600})
    own = np.flatnonzero(y == 1)
    counts = torch.bincount(made.base, minlength=len(x)).numpy()
    degree = degrees(torch.from_numpy(x[own]), kernel_width(torch.from_numpy(x[own]), "median")).numpy()
    assert counts.sum() == 600 and not counts[y == 0].any() and counts[own[degree.argmax()]] == 0
    assert np.corrcoef(counts[own], degree)[0, 1] < -0.5


def test_weights_are_those_of_the_large_determinant() -> None:
    x, y = table()
    rows = torch.from_numpy(x[y == 1])
    sigma = kernel_width(rows, "median")
    degree = degrees(rows, sigma)
    around = torch.cat([torch.arange(30).unsqueeze(1), nearest_others(rows, 5)], 1)
    found = weigh(rows, around, degree, sigma, equalize=True)
    large = [np.sqrt(np.linalg.det(np.eye(4) + np.cov(rows[near].numpy().T) / (2 * sigma**2))) for near in around]
    expected = (degree.max() - degree).numpy() * np.array(large)
    assert_close(found / found.sum(), expected / expected.sum())


def test_noise_has_the_covariance_of_the_neighbours() -> None:
    x, y = table((400, 5))
    made = draw(x, y, {1: 20000}, passes=0)
    for seed in np.unique(made.base.numpy()):
        new = made.x[made.base == seed].numpy()
        assert np.allclose(new.mean(0), x[seed], atol=5 * new.std(0).max() / len(new) ** 0.5)
        if len(new) > 3000:  # of five rows, all are neighbours
            assert np.allclose(np.cov(new.T), np.cov(x[y == 1].T), atol=0.1 * np.cov(x[y == 1].T).max())


def test_without_passes_rows_lie_in_the_span_of_their_neighbours() -> None:
    x, y = table((40, 12), columns=20)
    made = draw(x, y, {1: 28}, passes=0)
    own = torch.from_numpy(x[y == 1])
    for row, base in zip(made.x.numpy(), made.base.numpy(), strict=True):
        at = int(base) - 40
        near = own[[at, *nearest_others(own, 5)[at].tolist()]].numpy()
        span = (near - near.mean(0)).T
        assert np.abs(span @ np.linalg.lstsq(span, row - x[base], rcond=None)[0] - (row - x[base])).max() < 1e-9


def test_diffusion_takes_weighted_means() -> None:
    """Of the new rows, written out: the matrix is symmetrised, its rows sum to 1, several passes use it again."""
    rng = np.random.default_rng(0)
    rows, new = torch.from_numpy(rng.normal(size=(12, 3))), torch.from_numpy(rng.normal(size=(7, 3)))
    sparsity = torch.from_numpy(rng.random(12) + 0.5)
    old_width, new_width = nearest_widths(rows, new, 5)
    whole = write_out(rows, sparsity, new, old_width, new_width)
    whole /= whole.sum(1, keepdim=True)
    assert_close(whole.sum(1), np.ones(7))
    for passes in (1, 3):
        found = diffuse(rows, sparsity, new, old_width, new_width, passes=passes)
        assert_close(found, torch.linalg.matrix_power(whole, passes) @ new)


def test_a_row_without_weight_stays() -> None:
    found = diffuse(
        column([0.0, 1.0]), torch.ones(2).double(), column([0.5, 1e6]), torch.ones(2).double(), torch.ones(2).double()
    )
    assert float(found[1]) == 1e6 and 0.4 < float(found[0]) < 0.6


def test_paths_begin_at_the_seed_and_end_at_the_row() -> None:
    x, y = table()
    made = draw(x, y, {1: 60})
    assert made.path is not None and made.path.shape == (60, 3, 4) and made.kind == "noise"
    assert torch.equal(made.path[:, 0], torch.from_numpy(x).float()[made.base])
    assert torch.equal(made.path[:, 2], made.x.float()) and torch.equal(
        made.path[:, 1], draw(x, y, {1: 60}, passes=0).x.float()
    )


def test_few_rows() -> None:
    x, y = table((30, 3, 2, 1))
    made = draw(x, y, {1: 27, 2: 28, 3: 29})
    assert (
        made.instead == {3: "copies"} and bool(torch.isfinite(made.x).all()) and made.y.bincount().tolist() == [0, 27, 28, 29]
    )
    assert_close(made.x[made.y == 3], np.repeat(x[y == 3], 29, 0))
    with pytest.warns(UserWarning, match="class 3 has a single row: copies"):
        SUGAR(random_state=0).fit_resample(x, y)


def test_rows_all_alike_stay() -> None:
    x, y = table((30, 6))
    x[y == 1] = 2.0
    for bandwidth in ("median", "std"):
        made = draw(x, y, {1: 24}, bandwidth=bandwidth)
        assert bool((made.x == 2.0).all()) and torch.bincount(made.base)[30:].tolist() == [4] * 6


def test_more_columns_than_rows_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = table((30, 8), columns=50)
    whole = draw(x, y, {1: 22})
    monkeypatch.setattr("engine.samplers.around.BLOCK", 600)
    monkeypatch.setattr("engine.samplers.sugar.BLOCK", 600)
    part = draw(x, y, {1: 22})
    assert torch.allclose(part.x, whole.x, rtol=0, atol=1e-12) and part.path is None and whole.path is not None


@pytest.mark.parametrize("bad", [{"k_neighbors": 1}, {"passes": -1}, {"bandwidth": "knn"}, {"equalize": 3}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SUGAR(**bad).fit_resample(*table())
