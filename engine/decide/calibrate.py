"""Calibrations of the probability of the class looked for, fitted on validation rows, and the choice among them.

They are scikit-learn's `CalibratedClassifierCV`: isotonic (from 1,000 validation rows on), sigmoid and temperature. The last two are solved
here, since a comparison fits thousands of them and scikit-learn's class cross-validates a model each time; tests hold them equal. With
several classes the class looked for is set against the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.stats.decide import AS_TRAINED, CALIBRATIONS, ISOTONIC, PRIOR, TEMPERATURE, expit, logit

if TYPE_CHECKING:
    from engine.decide.build import Rows, Scored

ISOTONIC_ROWS = 1000
"""Validation rows from which on isotonic regression is a candidate."""
FOLDS = 3
"""Of the cross-fitted log loss."""
MOST_ROWS = 10_000
"""Validation rows that a calibration is fitted on, about: all of the class looked for, up to half, and a sample of the others."""
CHOOSING = 5
"""Replicates whose log loss is cross-fitted: their mean chooses the calibration."""


@dataclass(frozen=True)
class Fitted:
    """names: of the candidates. chosen: the one with the lowest mean log loss on validation rows. arrays: those of the artifact."""

    names: list[str]
    chosen: str
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class Curve:
    """One calibration: sigmoid(slope logit(p) + shift), or its corners x, y."""

    slope: float = 1.0
    shift: float = 0.0
    x: np.ndarray | None = None
    y: np.ndarray | None = None

    def __call__(self, score: np.ndarray) -> np.ndarray:
        if self.x is not None and self.y is not None:
            out: np.ndarray = np.interp(score, self.x, self.y)
            return out
        return expit(self.slope * logit(score) + self.shift)


def fit_curve(name: str, rows: Rows, given: float = 0.5, natural: float = 0.5) -> Curve:
    """A calibration by its name, from validation rows (the first two read none). given, natural: as in `build.Scored`.

    A sigmoid that would turn the order of the scores round is flat: such scores say nothing.
    """
    if name == AS_TRAINED:
        return Curve()
    if name == PRIOR:
        return Curve(shift=float(logit(np.array(natural)) - logit(np.array(given))))
    y, weight = rows.y, rows.weight
    share = float(np.average(y, weights=weight))
    if not 0 < share < 1:
        return Curve(0.0, float(logit(np.array(share))))
    if name == ISOTONIC:
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(rows.score, y, sample_weight=weight)
        return Curve(x=fitted.X_thresholds_, y=fitted.y_thresholds_)
    z = logit(rows.score)
    if name == TEMPERATURE:
        return _fit_temperature(z, y, weight)
    curve = _fit_sigmoid(z, y, weight)
    return curve if curve.slope > 0 else Curve(0.0, float(logit(np.array(share))))


def _fit_sigmoid(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Curve:
    """Platt's sigmoid (1999) of log-odds z [n], with his smoothed targets: Newton steps, halved until the loss falls."""
    positive, negative = float(weight[y].sum()), float(weight[~y].sum())
    target = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))
    x = np.stack([z, np.ones_like(z)], 1)

    def loss(b: np.ndarray) -> float:
        at = x @ b
        return float(weight @ (np.logaddexp(0, at) - target * at))

    b = np.array([0.0, np.log((positive + 1) / (negative + 1))])
    now = loss(b)
    for _ in range(100):
        q = expit(x @ b)
        slope = x.T @ (weight * (q - target))
        curvature = (x * (weight * q * (1 - q))[:, None]).T @ x + 1e-10 * np.eye(2)
        step, size = np.linalg.solve(curvature, slope), 1.0
        while (then := loss(b - size * step)) > now and size > 1e-9:
            size /= 2
        gained, b, now = now - then, b - size * step, min(now, then)
        if gained <= 1e-12 * max(1.0, now):
            break
    return Curve(float(b[0]), float(b[1]))


def _fit_temperature(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Curve:
    """One slope for log-odds z [n], with the lowest log loss; its range is that of scikit-learn's temperature."""
    from scipy.optimize import minimize_scalar

    signed = np.where(y, -z, z)

    def loss(log_slope: float) -> float:
        return float(weight @ np.logaddexp(0, np.exp(log_slope) * signed))

    found = minimize_scalar(loss, bounds=(np.log(2) - 10, np.log(2) + 10), method="bounded", options={"xatol": 1e-7})
    return Curve(float(np.exp(found.x)))


def fit_calibrations(scored: Sequence[Scored], rng: np.random.Generator) -> Fitted:
    """Every candidate on each replicate's validation rows, and the one with the lowest cross-fitted log loss.

    rng: for the folds. Test rows are read alone: what was fitted and chosen does not depend on them.
    """
    names = [n for n in CALIBRATIONS if n != ISOTONIC or min(len(s.valid.y) for s in scored) >= ISOTONIC_ROWS]
    scored = [replace(s, valid=sample_rows(s.valid, rng)) for s in scored]
    folds = [_draw_folds(s.valid.y, rng) for s in scored[:CHOOSING]]
    slope, shift, losses, test_losses, brier = (np.full((len(names), len(scored)), np.nan) for _ in range(5))
    corners: list[Curve] = []
    for r, one in enumerate(scored):
        for v, name in enumerate(names):
            curve = fit_curve(name, one.valid, one.given, one.natural)
            if name == ISOTONIC:
                corners.append(curve)
            else:
                slope[v, r], shift[v, r] = curve.slope, curve.shift
            p = curve(one.test.score)
            test_losses[v, r] = log_loss(p, one.test)
            brier[v, r] = float(np.average((p - one.test.y) ** 2, weights=one.test.weight))
            if r < CHOOSING:
                losses[v, r] = log_loss(_cross_fit(name, one, folds[r]), one.valid)
    mean = losses[:, : len(folds)].mean(1)
    arrays = {"slope": slope, "shift": shift, "log_loss": losses, "test_log_loss": test_losses, "test_brier": brier}
    if corners:
        xs, ys = [np.asarray(c.x, np.float64) for c in corners], [np.asarray(c.y, np.float64) for c in corners]
        arrays |= {
            "isotonic_x": np.concatenate(xs),
            "isotonic_y": np.concatenate(ys),
            "isotonic_ends": np.cumsum([0, *(len(x) for x in xs)]),
        }
    return Fitted(names, names[int(mean.argmin())], arrays)


def sample_rows(rows: Rows, rng: np.random.Generator, most: int = MOST_ROWS) -> Rows:
    """At most `most` rows; weights keep the classes' shares."""
    if len(rows.y) <= most:
        return rows
    kept, weight = [], rows.weight.copy()
    rare = min(int(rows.y.sum()), max(most // 2, most - int((~rows.y).sum())))
    for own, n in ((rows.y, rare), (~rows.y, most - rare)):
        every = np.flatnonzero(own)
        drawn = np.sort(rng.choice(every, min(n, len(every)), replace=False))
        if len(drawn):
            weight[drawn] *= weight[every].sum() / weight[drawn].sum()
        kept.append(drawn)
    return replace(rows, weight=weight).take(np.concatenate(kept))


def log_loss(p: np.ndarray, rows: Rows) -> float:
    """Weighted mean log loss of probabilities [n]. They are kept 1e-6 from 0 and 1, so that one row cannot decide."""
    kept = np.clip(p, 1e-6, 1 - 1e-6)
    return float(np.average(-np.log(np.where(rows.y, kept, 1 - kept)), weights=rows.weight))


def _draw_folds(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each row [n], stratified."""
    order = np.lexsort((rng.permutation(len(y)), y))
    fold = np.empty(len(y), int)
    fold[order] = np.arange(len(y)) % FOLDS
    return fold


def _cross_fit(name: str, one: Scored, fold: np.ndarray) -> np.ndarray:
    """Probabilities of validation rows, each by a calibration fitted on the other folds."""
    rows = one.valid
    if name in (AS_TRAINED, PRIOR):
        return fit_curve(name, rows, one.given, one.natural)(rows.score)
    out = np.empty(len(rows.y))
    for k in range(FOLDS):
        here = fold == k
        out[here] = fit_curve(name, rows.take(~here), one.given, one.natural)(rows.score[here])
    return out
