"""The pictures of a cut: curves over every cut of a row of a comparison, with intervals, from the arrays of `engine.stats.decide`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import BadParameter
from engine.stats.decide import (
    LOWEST_SHARE,
    Cases,
    Rule,
    calibrate,
    check_share,
    cost_per_case,
    draw_rates,
    find_places,
    read_about,
    read_cases,
)
from engine.stats.student_t import stdtrit

RECALLS = np.linspace(0, 1, 101)
ALARMS = np.unique(np.concatenate([[0.0], np.geomspace(1e-3, 1, 80), np.linspace(0, 1, 51)]))
BUDGETS = np.unique(np.concatenate([[0.0], np.geomspace(0.1, 1000, 121), np.arange(1, 101)]))
"""Alerts per 1,000 cases."""
CUTS = np.unique(np.concatenate([np.geomspace(1e-4, 0.01, 21), np.arange(100) / 100]))
"""Probabilities, below 1: the odds of 1 are infinite."""
BINS = 10
"""Bins of equal width for reliability, closed above, the first also below (scikit-learn's calibration_curve)."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _View:
    """Rates of test cases [n + 1], of replicate r or of one of its bootstrap draws. p [n]: calibrated probability at each knot."""

    tpr: np.ndarray
    fpr: np.ndarray
    missed: np.ndarray | None
    share: float
    p: np.ndarray

    def place(self, cut: np.ndarray) -> np.ndarray:
        """Knots that each cut flags."""
        found: np.ndarray = np.searchsorted(-self.p, -cut, side="right")
        return found


def read_curves(
    arrays: Arrays,
    *,
    rule: Rule | None = None,
    share: float | None = None,
    calibration: str | None = None,
    unit: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Curves on test cases, each with x [G] and, over the replicates, mean, low and high [G] (NaN where there is none).

    Arguments: as in `read_decide`. pr: precision over recall. roc: recall over the share of false alarms. gains: share of the class
    looked for that is found, over alerts per 1,000 cases; random [G]: what random alerts find. lift: precision over the share, over
    alerts per 1,000. net_benefit: per 1,000 cases over the probability at which one would check; all [G]: where every case is flagged
    (flag none is 0). cost: per 1,000 cases over the cut, as the rule's prices have it; lowest {x, y}; there only with prices.
    reliability: x [b] mean probability and mean [b] observed share in its bins, count [b] (share of the cases). shares: precision at the
    rule's cut over shares in use from 1 in 10,000 to the table's, with alerts {mean, low, high} per 1,000.
    """
    about = read_about(arrays)
    rule = rule or Rule(**about["rule"])
    calibration, unit = calibration or about["calibration"], unit or about["units"][0]
    check_share(share)
    cases = read_cases(arrays, unit)
    p = [calibrate(arrays, calibration, r, case.cut, share) for r, case in enumerate(cases)]
    views = [_View(c.test_tpr, c.test_fpr, c.test_missed, c.test_share, own) for c, own in zip(cases, p, strict=True)]
    draws = _draw_views(arrays, unit, views[0]) if len(views) == 1 else []

    def band(x: np.ndarray, curve: Callable[[_View], np.ndarray], most: float = math.inf) -> dict[str, Any]:
        """most: 1 for curves of shares, whose intervals end at 0 and 1."""
        found = _band(np.stack([curve(v) for v in views]), about["test_share"], [curve(v) for v in draws])
        if most == 1:
            found |= {end: np.clip(found[end], 0.0, 1.0) for end in ("low", "high")}
        return {"x": x} | found

    def pi(view: _View) -> float:
        return view.share if share is None else share

    def precision(view: _View, place: np.ndarray) -> np.ndarray:
        hit, alarm = pi(view) * view.tpr[place], (1 - pi(view)) * view.fpr[place]
        with np.errstate(invalid="ignore", divide="ignore"):
            out: np.ndarray = np.where(hit + alarm > 0, hit / (hit + alarm), np.nan)
        return out

    def flagged(view: _View) -> np.ndarray:
        total: np.ndarray = 1000 * (pi(view) * view.tpr + (1 - pi(view)) * view.fpr)
        return total

    odds = CUTS / (1 - CUTS)

    def benefit(view: _View) -> np.ndarray:
        at = view.place(CUTS)
        out: np.ndarray = 1000 * (pi(view) * view.tpr[at] - (1 - pi(view)) * view.fpr[at] * odds)
        return out

    mean_share = float(np.mean([pi(view) for view in views]))
    out = {
        "pr": band(RECALLS, lambda v: precision(v, np.maximum(np.searchsorted(v.tpr, RECALLS - 1e-12), 1)), 1),
        "roc": band(ALARMS, lambda v: np.interp(ALARMS, v.fpr, v.tpr), 1),
        "gains": band(BUDGETS, lambda v: np.interp(BUDGETS, flagged(v), v.tpr), 1) | {"random": BUDGETS / 1000},
        "lift": band(BUDGETS[1:], lambda v: np.interp(BUDGETS[1:], flagged(v), v.tpr) / (BUDGETS[1:] / 1000)),
        "net_benefit": band(CUTS, benefit) | {"all": 1000 * (mean_share - (1 - mean_share) * odds)},
        "reliability": _reliability(views, draws, share, about["test_share"]),
        "shares": _shares(arrays, cases, rule, calibration, unit, about),
    }
    if rule.miss is not None or about["has_cost"]:

        def cost(view: _View) -> np.ndarray:
            at = view.place(CUTS)
            missed = None if view.missed is None else view.missed[at]
            return 1000 * cost_per_case(view.tpr[at], view.fpr[at], missed, pi(view), rule)

        out["cost"] = band(CUTS, cost)
        best = int(out["cost"]["mean"].argmin())
        out["cost"]["lowest"] = {"x": float(CUTS[best]), "y": float(out["cost"]["mean"][best])}
    return out


def step_cut(
    arrays: Arrays,
    cut: float,
    step: int,
    *,
    share: float | None = None,
    calibration: str | None = None,
    unit: str | None = None,
) -> float:
    """The next cut by hand that flags more (step 1) or fewer (step -1) test cases of some replicate than this one, or the cut itself."""
    about = read_about(arrays)
    calibration, unit = calibration or about["calibration"], unit or about["units"][0]
    cases = read_cases(arrays, unit)
    held = [
        calibrate(arrays, calibration, r, case.cut, share)[np.diff(case.test_tpr + case.test_fpr) > 0]
        for r, case in enumerate(cases)
    ]
    every = np.unique(np.concatenate([*held, [1.0]]))
    place = int(np.searchsorted(every, cut, side="left"))  # the lowest score that is still flagged
    if step > 0:
        return float(every[place - 1]) if place > 0 else cut
    return float(every[place + 1]) if place + 1 < len(every) else cut


def choose_classes(arrays: Arrays, cost: np.ndarray) -> dict[str, Any]:
    """The class of lowest expected cost for every test row, by a cost matrix [C, C]: cost[true, chosen].

    Probabilities are prior-corrected; nothing is chosen from rows. Returns cost and cost_likeliest (with the likeliest class instead), per
    1,000 rows, {mean, low, high}, and table [C, C]: rows of each true class (first) given each class, per 1,000. Raises BadParameter for a
    matrix that does not fit.
    """
    about = read_about(arrays)
    names = about["classes"]
    matrix = np.asarray(cost, np.float64)
    if "class_p" not in arrays:
        raise BadParameter("a cost matrix needs more than two classes: give the cost of a miss and of a false alarm.")
    if matrix.shape != (len(names), len(names)) or not np.isfinite(matrix).all():
        raise BadParameter(f"the cost matrix must have {len(names)} rows of {len(names)} numbers.")
    ends, y = arrays["class_ends"], arrays["class_y"].astype(int)
    p = arrays["class_p"].astype(np.float64)
    chosen, likeliest = (p @ matrix).argmin(1), p.argmax(1)
    values = [
        [1000 * float(matrix[y[a:b], given[a:b]].mean()) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        for given in (chosen, likeliest)
    ]
    table = np.zeros_like(matrix)
    np.add.at(table, (y, chosen), 1000 / len(y))
    found = []
    for value in values:
        one = _band(np.array(value)[:, None], about["test_share"], [])
        found.append({name: float(v[0]) for name, v in one.items()})
    return {"cost": found[0], "cost_likeliest": found[1], "table": table}


def _draw_views(arrays: Arrays, unit: str, view: _View) -> list[_View]:
    """The bootstrap draws of one replicate."""
    if f"{unit}/draws" not in arrays:
        return []
    tpr, fpr, missed, share = draw_rates(arrays, unit, np.arange(len(view.p) + 1))
    return [_View(tpr[b], fpr[b], None if missed is None else missed[b], float(share[b]), view.p) for b in range(len(tpr))]


def _band(values: np.ndarray, test_share: float, draws: list[np.ndarray]) -> dict[str, np.ndarray]:
    """mean, low and high [G] of values [R, G]: corrected t over replicates (`engine.stats.intervals`), or quantiles of draws."""
    known = np.isfinite(values)
    n = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(0) / n
        variance = np.where(known, (values - mean) ** 2, 0.0).sum(0) / (n - 1)
        half = stdtrit(np.maximum(n - 1, 1), 0.975) * np.sqrt((1 / n + test_share) * variance)
    half = np.where(n > 1, half, math.nan)
    low, high = mean - half, mean + half
    if draws:
        drawn = np.stack(draws)
        some = np.isfinite(drawn).sum(0) > 1
        low, high = np.full_like(mean, math.nan), np.full_like(mean, math.nan)
        low[some], high[some] = np.nanquantile(drawn[:, some], [0.025, 0.975], axis=0)
        low, high = np.fmin(low, mean), np.fmax(high, mean)
        low, high = np.where(some, low, math.nan), np.where(some, high, math.nan)
    return {"mean": mean, "low": low, "high": high}


def _reliability(views: list[_View], draws: list[_View], share: float | None, test_share: float) -> dict[str, Any]:
    """Mean probability and observed share in bins, weighted to the share in use."""
    edges = np.linspace(0, 1, BINS + 1)[1:-1]

    def bins(view: _View) -> np.ndarray:
        """[3, BINS]: mean probability, observed share, share of the cases."""
        pi = view.share if share is None else share
        hit, other = pi * np.diff(view.tpr), (1 - pi) * np.diff(view.fpr)
        place = np.searchsorted(edges, view.p)
        n = np.bincount(place, hit + other, BINS)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([np.bincount(place, (hit + other) * view.p, BINS) / n, np.bincount(place, hit, BINS) / n, n])

    found = np.stack([bins(view) for view in views])
    held = found[:, 2].sum(0) > 0
    band = _band(found[:, 1], test_share, [bins(view)[1] for view in draws])
    x = _band(found[:, 0], test_share, [])["mean"]
    kept = {name: values[held] for name, values in band.items()}
    kept |= {end: np.clip(kept[end], 0.0, 1.0) for end in ("low", "high")}
    return {"x": x[held], "count": found[:, 2].mean(0)[held]} | kept


def _shares(
    arrays: Arrays, cases: list[Cases], rule: Rule, calibration: str, unit: str, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Precision and alerts over shares in use, at the cut the rule chooses at the table's share."""
    at = find_places(arrays, cases, rule, share=None, calibration=calibration, unit=unit)
    top = max(about["share"], 2 * LOWEST_SHARE)
    x = np.geomspace(LOWEST_SHARE, top, 61)
    pairs = [(at.tpr[:, None], at.fpr[:, None])]
    if len(cases) == 1 and f"{unit}/draws" in arrays:
        tpr, fpr = draw_rates(arrays, unit, at.place[:1], daily=at.daily)[:2]
        pairs.append((tpr, fpr))
    sets = []
    for tpr, fpr in pairs:
        hit, alarm = x * tpr, (1 - x) * fpr
        with np.errstate(invalid="ignore", divide="ignore"):
            sets.append((np.where(hit + alarm > 0, hit / (hit + alarm), np.nan), 1000 * (hit + alarm)))
    drawn = [list(values) for values in sets[1]] if len(sets) > 1 else [[], []]
    precision = _band(sets[0][0], about["test_share"], drawn[0])
    precision |= {end: np.clip(precision[end], 0.0, 1.0) for end in ("low", "high")}
    return {"x": x} | precision | {"alerts": _band(sets[0][1], about["test_share"], drawn[1])}
