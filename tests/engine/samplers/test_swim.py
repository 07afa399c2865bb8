"""SWIM (card C13): cases by hand, distances kept, few rows, more columns than rows, and imbalanced-learn's own suite."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks
from scipy.linalg import sqrtm

from engine.samplers import SWIM
from engine.samplers.lines import Drawn
from engine.samplers.swim import density, kernel_width, step_at_distance, step_thinner, swim, whiten
from tests.engine.cards import assert_close, read_cases

suite = parametrize_with_checks([SWIM(random_state=0), SWIM(measure="rbf", random_state=0)])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The rows of the other classes vary|For .* new rows")
        check(estimator)


def doubles(rows: Any) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def measure(x: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mahalanobis distances from the others, by the pseudo-inverse of their covariance."""
    away = x - others.mean(0)
    return np.sqrt(np.einsum("ij,jk,ik->i", away, np.linalg.pinv(np.cov(others.T), rcond=1e-9), away))


def table(counts: tuple[int, ...] = (80, 12), columns: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns; each class around a place of its own."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    mix = rng.normal(size=(columns, columns))
    return rng.normal(size=(len(y), columns)) @ mix + rng.normal(size=(len(counts), columns))[y] * 2, y


def draw(x: np.ndarray, y: np.ndarray, asked: dict[int, int], seed: int = 0, **options: Any) -> Drawn:
    return swim(torch.from_numpy(x), torch.from_numpy(y), asked, np.random.default_rng(seed), **options)


def differ_from_release(count: int) -> float:
    """How far rows lie from those of the release's formula, whose root of the covariance is a matrix function, for the same uniforms."""
    x, y = table()
    others, own, rng = x[y == 0], x[y == 1], np.random.default_rng(3)
    step, at = rng.uniform(-1, 1, size=(count, x.shape[1])), rng.integers(len(own), size=count)
    root = np.real(sqrtm(np.cov(others.T)))
    white = (own - others.mean(0)) @ np.linalg.inv(root)
    made = white[at] + 0.25 * white.std(0) * step
    made *= np.linalg.norm(white[at], axis=1, keepdims=True) / np.linalg.norm(made, axis=1, keepdims=True)
    ours = step_at_distance(doubles(own[at]), doubles(own), doubles(others), 0.25 * doubles(step))[0]
    assert np.abs(ours.numpy() - own[at]).max() > 0.1
    return float(np.abs(ours.numpy() - (made @ root + others.mean(0))).max())


@pytest.mark.parametrize("case", read_cases("swim"))
def test_cases_by_hand(case: dict[str, Any]) -> None:
    given = case["input"]
    if case["what"] == "released":
        assert_close(differ_from_release(given["made"]), case["value"])
        return
    others = doubles(given["others"])
    mean, directions, scale = whiten(others)
    rows = doubles(given.get("rows", [[0.0, 0.0]]))
    whitened = ((rows - mean) @ directions / scale) @ directions.T
    if case["what"] == "covariance":
        covariance = (directions * scale.square()) @ directions.T
        assert_close(covariance, np.diag(case["value"][1]))
        found: Any = [mean.tolist(), covariance.diagonal().tolist()]
    elif case["what"] == "distance":
        found = step_at_distance(rows, rows, others, torch.zeros_like(rows))[1]
    elif case["what"] == "whitened":
        found = whitened
    elif case["what"] == "sd":
        found = whitened.std(0, correction=0)
    elif case["what"] == "step":
        seed, step = rows[given["seed"]].unsqueeze(0), doubles([given["step"]])
        found = step_at_distance(seed, rows, others, 0.25 * step)[0][0]
    elif case["what"] == "density":
        found = density(doubles([given["at"]]), others, given["width"])[0]
    else:
        made, refused = step_thinner(doubles([given["seed"]]), others, doubles(given["steps"]).unsqueeze(1), given["width"])
        assert_close(made[0], case["value"][0])
        assert refused == case["value"][1][0]
        return
    assert_close(found, case["value"])


def test_columns_in_other_units_scale_the_kernel_with_them() -> None:
    """The release multiplies distances by half of their standard deviation times their mean, which grows as the square."""
    others = doubles(table()[0])
    widths, released = [], []
    for rows in (others, 10 * others):
        widths.append(kernel_width(rows, np.random.default_rng(0)))
        apart = torch.pdist(rows)
        released.append(float(0.5 * apart.std() * apart.mean()))
    assert_close(widths[1] / widths[0], 10)
    assert_close(released[1] / released[0], 100)


def test_distances_are_kept() -> None:
    x, y = table()
    made = draw(x, y, {1: 500})
    others = x[y == 0]
    assert_close(measure(made.x.numpy(), others), measure(x[made.base.numpy()], others))
    assert made.radius is not None and made.kind == "shell" and made.said == ()
    assert_close(made.radius, measure(made.x.numpy(), others))
    assert len(np.unique(made.x.numpy(), axis=0)) == 500 and set(made.base.tolist()) == set(np.flatnonzero(y == 1).tolist())


def test_each_class_keeps_its_distance_from_all_others_together() -> None:
    x, y = table((60, 20, 8))
    made = draw(x, y, {1: 40, 2: 52})
    for c in (1, 2):
        own, others = (made.y == c).numpy(), x[y != c]
        assert_close(measure(made.x.numpy()[own], others), measure(x[made.base.numpy()[own]], others))


def test_steps_do_not_depend_on_the_signs_of_eigenvectors(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = table()
    before = draw(x, y, {1: 50}).x
    eigh = torch.linalg.eigh

    def turned(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, vectors = eigh(matrix)
        return values.flip(0), -vectors.flip(1)

    monkeypatch.setattr(torch.linalg, "eigh", turned)
    assert torch.allclose(draw(x, y, {1: 50}).x, before, rtol=0, atol=1e-9)


def test_a_single_row_takes_the_others_spread() -> None:
    x, y = table((80, 1))
    made = draw(x, y, {1: 79})
    assert_close(measure(made.x.numpy(), x[:80]), np.full(79, measure(x[80:], x[:80])))
    assert len(np.unique(made.x.numpy(), axis=0)) == 79 and not made.instead
    assert made.said == ("A class has a single training row: SWIM took the spread of the other classes for it.",)
    with pytest.warns(UserWarning, match="A class has a single training row"):
        SWIM(random_state=0).fit_resample(x, y)


def test_a_dependent_column_stays_dependent() -> None:
    x, y = table()
    x = np.concatenate([x, x[:, :1] + x[:, 1:2]], 1)
    made = draw(x, y, {1: 200})
    new, others = made.x.numpy(), x[y == 0]
    assert_close(new[:, 9], new[:, 0] + new[:, 1])
    assert_close(measure(new, others), measure(x[made.base.numpy()], others))
    assert made.said == (
        "The rows of the other classes vary in 9 of 10 directions; in the others a new row keeps its seed's place.",
    )


def test_more_columns_than_other_rows_move_in_their_span_alone() -> None:
    x, y = table((6, 3))
    made = draw(x, y, {1: 40})
    moved = made.x.numpy() - x[made.base.numpy()]
    assert np.linalg.matrix_rank(moved, tol=1e-9) == 5 and "vary in 5 of 9 directions" in made.said[0]
    assert_close(measure(made.x.numpy(), x[:6]), measure(x[made.base.numpy()], x[:6]))


def test_one_other_row_leaves_copies() -> None:
    x, y = table((1, 3))
    made = draw(x, y, {1: 10})
    assert_close(made.x, x[made.base.numpy()])
    assert "vary in 0 of 9 directions" in made.said[0]


def test_rbf_takes_the_first_step_that_leads_nowhere_denser() -> None:
    x, y = table(columns=3)
    made = draw(x, y, {1: 300}, measure="rbf")
    others = torch.from_numpy(x[y == 0])
    width = kernel_width(others, np.random.default_rng(0))
    there, here = (density(torch.from_numpy(rows), others, width).numpy() for rows in (made.x.numpy(), x[made.base.numpy()]))
    worse = int((there > here).sum())
    assert made.kind == "noise" and worse < 30
    assert (f"For {worse} of 300 new rows all 5 steps" in made.said[0]) if worse else not made.said


def test_rbf_takes_the_least_dense_of_five_refused_steps() -> None:
    others = doubles([[0.0, 0.0]])
    steps = doubles([[[-0.5, 0.0]], [[-0.1, 0.0]], [[-0.3, 0.0]], [[-0.4, 0.0]], [[-0.2, 0.0]]])
    made, refused = step_thinner(doubles([[1.0, 0.0]]), others, steps, 1.0)
    assert refused == 1
    assert_close(made, [[0.9, 0.0]])


def test_density_has_the_unit_of_distances() -> None:
    """Columns times ten leave densities as they are, as the kernel's width grows with them."""
    x, y = table(columns=4)
    for factor in (1.0, 10.0):
        made = draw(x * factor, y, {1: 30}, measure="rbf").x / factor
        assert_close(made, draw(x, y, {1: 30}, measure="rbf").x)


def test_the_width_compares_2000_rows_at_most() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(5000, 2)))
    rng = np.random.default_rng(1)
    assert kernel_width(x, rng) == pytest.approx(1.665, abs=0.05)  # sqrt(4 log 2), the median of a Gaussian's distances
    assert rng.random() != np.random.default_rng(1).random()  # which are drawn


@pytest.mark.parametrize("options", [{}, {"measure": "rbf"}])
def test_rows_do_not_depend_on_precision_alone(options: dict[str, Any]) -> None:
    x, y = table()
    assert torch.allclose(
        draw(x.astype(np.float32), y, {1: 40}, **options).x.double(), draw(x, y, {1: 40}, **options).x, atol=1e-4
    )


@pytest.mark.parametrize("bad", [{"measure": "euclid"}, {"spread": -1.0}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SWIM(**bad).fit_resample(*table())
