"""Paired tests over seeds, tests over data sets, and Holm's correction for several tests. For the page: imports no torch, and
of SciPy only `special` until a test over data sets runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import BadInput, UnknownName
from engine.plain import to_plain
from engine.stats.student_t import stdtr, stdtrit

LEVEL = 0.95
REDRAWN = "95% corrected resampled t (Nadeau and Bengio); every seed redraws the test rows"


@dataclass(frozen=True)
class TTest:
    """A mean over n values with its 95% interval (not clipped) and the two-sided p that the mean is 0. NaN where n < 2."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def t_test(values: Sequence[float] | np.ndarray, test_share: float = 0.0, level: float = LEVEL) -> TTest:
    """Two-sided t test that the mean of `values` is 0; for a paired test, pass the differences. NaN values are left out. level: of the
    interval.

    t = mean / sqrt((1/n + test_share) s^2) with n - 1 degrees of freedom, s^2 the sample variance.

    test_share > 0, where every seed or fold draws its own test rows: n_test / n_train of the split (Nadeau and Bengio, Machine
    Learning 52, 2003). They argue that the values of two replicates are correlated about as much as their test parts overlap,
    rho = n_test / (n_test + n_train), and rho / (1 - rho) = n_test / n_train. The split overlaps, so n_train is the training
    share before an imbalance is cut out of it (`find_test_share`).
    test_share = 0, where every seed draws all rows anew: the replicates are independent. The result holds for all rows drawn so.
    test_share = 0, where the test part is fixed: the plain t test. Given the rows of the data, each seed draws its training
    rows, weights and batches independently of the others, so the values are independent. The result holds for this pool of rows
    and this test part, not for others like them.

    Values that are all equal have no variance: p is 1 where they are 0, else 0.
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    mean = float(kept.mean()) if n else float("nan")
    if n < 2:
        return TTest(mean, float("nan"), float("nan"), float("nan"), n)
    error = float(np.sqrt((1 / n + test_share) * kept.var(ddof=1)))
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * error
    if error == 0:
        return TTest(mean, mean, mean, 1.0 if mean == 0 else 0.0, n)
    return TTest(mean, mean - half, mean + half, float(2 * stdtr(n - 1, -abs(mean) / error)), n)


def split_share(folds: int) -> float:
    """n_test / n_train of a split without an official test part: a fifth is validation, the rest is cut into folds.

    One 60/20/20 split (folds = 1) is the first replicate of a cut into four.
    """
    return 1 / ((4 if folds == 1 else folds) - 1)


def find_test_share(folds: int, *, drawn: bool = False, official: bool = False) -> float:
    """The `test_share` of `t_test` for the replicates of a run.

    drawn: every seed draws rows of its own. official: all replicates are measured on an official test part. Both give 0, all else
    `split_share(folds)`.
    """
    return 0.0 if drawn or official else split_share(folds)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values (1979). Rejecting those <= 0.05 makes any error with probability at most 0.05.

    NaN stays NaN and does not count as a test.
    """
    tested = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    out = [float("nan")] * len(p)
    worst = 0.0
    for rank, (value, i) in enumerate(tested):
        worst = max(worst, min(1.0, (len(tested) - rank) * value))
        out[i] = worst
    return out


def holm_levels(p: Sequence[float]) -> list[float]:
    """The level of each test's interval at which "0 is outside" says the same as Holm's correction of all of them.

    The j-th smallest of m p has 1 - 0.05 / (m - j + 1); from the first that Holm does not reject on, all have that one's level. NaN
    counts as no test and has LEVEL.
    """
    tested = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    out = [LEVEL] * len(p)
    stopped: float | None = None
    for rank, (value, i) in enumerate(tested):
        alpha = (1 - LEVEL) / (len(tested) - rank) if stopped is None else stopped
        if value >= alpha:
            stopped = alpha
        out[i] = 1 - alpha
    return out


# ---- over several data sets (Demsar, JMLR 7, 2006)


def wilcoxon(left: Sequence[float] | np.ndarray, right: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired values, by SciPy. NaN below two pairs, 1 where no pair differs.

    Ties between the two are split evenly between the signs, as in Demsar (2006), so that many ties count as no difference.
    """
    from scipy.stats import wilcoxon as signed_rank  # slow to import, and the page imports this file at its start

    difference = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)
    difference = difference[np.isfinite(difference)]
    if len(difference) < 2:
        return float("nan")
    if not difference.any():
        return 1.0
    # the exact distribution does not allow zeros or equal sizes; the normal one does
    sizes = np.abs(difference)
    exact = sizes.all() and len(np.unique(sizes)) == len(sizes)
    return float(signed_rank(difference, zero_method="zsplit", method="exact" if exact else "asymptotic").pvalue)


def count_wins(left: Sequence[float] | np.ndarray, right: Sequence[float] | np.ndarray, margin: float) -> tuple[int, int, int]:
    """Pairs where left exceeds right by more than `margin`, is within it, and is below by more. Pairs with a NaN do not count."""
    difference = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)
    difference = difference[np.isfinite(difference)]
    # tolerance for numbers printed with few digits: 0.94 - 0.93 does not exceed a margin of 0.01
    wins, losses = int((difference > margin + 1e-12).sum()), int((difference < -margin - 1e-12).sum())
    return wins, len(difference) - wins - losses, losses


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that K methods rank equally on N data sets. ranks [K]: mean rank, 1 the best.

    chi2, p: the statistic and its p. f, p_f: Iman and Davenport's less conservative version, F with K - 1 and (K - 1)(N - 1)
    degrees.
    """

    ranks: tuple[float, ...]
    chi2: float
    p: float
    f: float
    p_f: float


def friedman(scores: np.ndarray) -> Friedman:
    """Friedman's test. scores [N, K], higher is better, finite, N >= 2 and K >= 3; tied methods share their mean rank. Raises
    BadInput.
    """
    from scipy import stats

    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[0] < 2 or scores.shape[1] < 3 or not np.isfinite(scores).all():
        raise BadInput(
            f"Friedman's test needs finite scores of at least 3 methods on at least 2 data sets; got {scores.shape}."
        )
    n, k = scores.shape
    ranks = stats.rankdata(-scores, axis=1).mean(0)
    if (scores == scores[:, :1]).all():  # no differences at all: SciPy divides by zero
        return Friedman(tuple(map(float, ranks)), 0.0, 1.0, 0.0, 1.0)
    found = stats.friedmanchisquare(*scores.T)
    chi2 = float(found.statistic)
    room = n * (k - 1) - chi2
    f = (n - 1) * chi2 / room if room > 1e-9 else float("inf")
    p_f = float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    return Friedman(tuple(map(float, ranks)), chi2, float(found.pvalue), f, p_f)


def critical_difference(methods: int, sets: int, alpha: float = 0.05) -> float:
    """Nemenyi's: two of K methods differ where their mean ranks over N sets differ by more than q sqrt(K (K + 1) / 6 N).

    q is the upper quantile of the studentised range for K groups and infinite degrees of freedom, divided by sqrt(2).
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * sets)))


def find_cliques(ranks: Sequence[float], difference: float) -> list[list[int]]:
    """The bars of a critical-difference diagram: largest groups of two or more methods whose ranks span at most `difference`.

    Methods are given by their number in `ranks`, in order of rank.
    """
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    out: list[list[int]] = []
    last = 0  # end of the previous bar; a bar inside it adds nothing
    for first in range(len(order)):
        end = first
        while end + 1 < len(order) and ranks[order[end + 1]] - ranks[order[first]] <= difference:
            end += 1
        if end > first and end > last:
            out.append(order[first : end + 1])
            last = end
    return out


def compare_over_sets(scores: Mapping[str, Sequence[float | None]], first: str, margin: float) -> dict[str, Any]:
    """All statistics of this file for methods on several data sets, JSON-plain. scores: method -> score per set, sets in one
    order.

    first: the method that is compared with each of the others. margin: smaller differences count as ties. Sets where a method
    has no score (None or NaN) are left out for all. Keys: methods, sets (N), means, ranks, best (sets on which a method is
    within margin of the best), ahead (sets on which it exceeds all others by more), friedman {chi2, p, f, p_f},
    critical_difference, cliques (names), margin, first, pairs [{left, right, mean, wins, ties, losses, p, p_holm}]. ranks,
    friedman, critical_difference and cliques are None for fewer than three methods or two sets. Holm's correction runs over the
    pairs. Raises UnknownName where `first` has no scores.
    """
    if first not in scores:
        raise UnknownName(f"there are no scores of {first!r}; there are: {', '.join(scores)}.")
    names = list(scores)
    table = np.array([[np.nan if v is None else v for v in scores[name]] for name in names], dtype=float).T
    table = table.reshape(-1, len(names))
    table = table[np.isfinite(table).all(1)]
    n = len(table)
    tested = friedman(table) if n >= 2 and len(names) >= 3 else None
    apart = critical_difference(len(names), n) if tested else None
    if n and len(names) > 1:
        others = [np.delete(table, i, axis=1).max(1) for i in range(len(names))]
        ahead = [count_wins(table[:, i], other, margin)[0] for i, other in enumerate(others)]
    else:
        ahead = [0] * len(names)
    best = (table >= table.max(1, keepdims=True) - margin - 1e-12).sum(0) if n else [0] * len(names)
    answer: dict[str, Any] = to_plain(
        {
            "methods": names,
            "sets": n,
            "means": dict(zip(names, table.mean(0), strict=True)) if n else {},
            "ranks": dict(zip(names, tested.ranks, strict=True)) if tested else None,
            "best": dict(zip(names, best, strict=True)),
            "ahead": dict(zip(names, ahead, strict=True)),
            "friedman": {"chi2": tested.chi2, "p": tested.p, "f": tested.f, "p_f": tested.p_f} if tested else None,
            "critical_difference": apart,
            "cliques": [[names[i] for i in bar] for bar in find_cliques(tested.ranks, apart)] if tested and apart else None,
            "margin": margin,
            "first": first,
            "pairs": _compare_pairs(table, names, first, margin),
        }
    )
    return answer


def _compare_pairs(table: np.ndarray, names: Sequence[str], first: str, margin: float) -> list[dict[str, Any]]:
    """The pairs of `compare_over_sets`. table [N, methods]: scores."""
    own = table[:, names.index(first)]
    pairs: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        if name == first:
            continue
        other = table[:, i]
        wins, ties, losses = count_wins(own, other, margin)
        gain = float((own - other).mean()) if len(table) else float("nan")
        pair = {"left": first, "right": name, "mean": gain, "wins": wins, "ties": ties, "losses": losses}
        pairs.append(pair | {"p": wilcoxon(own, other)})
    for pair, p in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = p
    return pairs
