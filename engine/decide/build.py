"""Builds the arrays of `engine.stats.decide` from the scores of a row's replicates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from engine.decide.calibrate import fit_calibrations
from engine.stats.decide import UNITS, Rule

MOST_KNOTS = 60_000
"""Knots of all replicates together. Each replicate has its share, from LEAST_KNOTS to MOST_OF_ONE."""
LEAST_KNOTS, MOST_OF_ONE = 200, 4000
MOST_DAILY = 1000
"""Largest budget a day."""
MOST_BLOCKS = 400
"""Blocks of the bootstrap. More are joined, in their order."""
DRAWS = 200
MOST_CLASS_ROWS = 20_000
"""Test rows kept for a cost matrix."""


@dataclass(frozen=True)
class Rows:
    """Cases of one part. All [n]. y: whether a case is of the class looked for. score: its probability as trained. weight: above 0.

    day, owner: whole numbers, equal for the same day or owner. cost: of missing the case. block: for the bootstrap. None: there is none.
    """

    y: np.ndarray
    score: np.ndarray
    weight: np.ndarray
    day: np.ndarray | None = None
    owner: np.ndarray | None = None
    cost: np.ndarray | None = None
    block: np.ndarray | None = None

    def take(self, kept: np.ndarray) -> Rows:
        """These cases."""
        return Rows(*(None if v is None else v[kept] for v in (getattr(self, f.name) for f in fields(self))))  # type: ignore[arg-type]

    def count_owners(self) -> Rows:
        """Owners as cases (an owner and a day, where there are days): the highest score, positive where one row is, costs added.

        The weight is the mean of its rows'.
        """
        assert self.owner is not None
        days = self.day if self.day is not None else np.zeros(len(self.y), int)
        key = np.unique(self.owner, return_inverse=True)[1] * (int(days.max()) - int(days.min()) + 1) + (days - days.min())
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        n = len(first)
        score = np.full(n, -np.inf)
        np.maximum.at(score, which, self.score)
        y = np.bincount(which, self.y, n) > 0
        weight = np.bincount(which, self.weight, n) / np.bincount(which, minlength=n)
        cost = None if self.cost is None else np.bincount(which, self.cost * self.y, n)
        day, owner, block = (None if v is None else v[first] for v in (self.day, self.owner, self.block))
        return Rows(y, score, weight, day, owner, cost, block)


@dataclass(frozen=True)
class Scored:
    """A replicate's validation and test rows. given, natural: share of the class looked for trained with, and before a remedy.

    test_p [t, C], test_y [t]: of all classes, prior-corrected, for a cost matrix.
    """

    valid: Rows
    test: Rows
    given: float
    natural: float
    test_p: np.ndarray | None = None
    test_y: np.ndarray | None = None


def build_arrays(
    scored: Sequence[Scored],
    *,
    name: str,
    positive: str,
    classes: Sequence[str],
    share: float,
    test_share: float,
    interval: str,
    rule: Rule,
    rng: np.random.Generator,
    owners_first: bool = False,
) -> dict[str, np.ndarray]:
    """The arrays of `decide/<name>`. rng: for the bootstrap of one replicate and for the folds of the calibrations' log loss.

    owners_first: whether an owner is the usual case.
    """
    has_days, has_cost = (getattr(scored[0].test, key) is not None for key in ("day", "cost"))
    units = UNITS if scored[0].test.owner is not None else UNITS[:1]
    fitted = fit_calibrations(scored, rng)
    out: dict[str, np.ndarray] = {
        "about": np.array(
            json.dumps(
                {
                    "name": name,
                    "positive": positive,
                    "classes": list(classes),
                    "share": share,
                    "test_share": test_share,
                    "interval": interval,
                    "units": list(units[::-1] if owners_first else units),
                    "has_days": has_days,
                    "has_cost": has_cost,
                    "calibrations": fitted.names,
                    "calibration": fitted.chosen,
                    "rule": rule.to_json(),
                }
            )
        ),
        "valid_share": np.array([np.average(s.valid.y, weights=s.valid.weight) for s in scored]),
        "natural_share": np.array([s.natural for s in scored]),
        **fitted.arrays,
    }
    for unit in units:
        pairs = [(s.valid, s.test) if unit == "row" else (s.valid.count_owners(), s.test.count_owners()) for s in scored]
        own = _count_unit(pairs, min(MOST_OF_ONE, max(LEAST_KNOTS, MOST_KNOTS // len(scored))))
        if has_days:
            own |= _count_days(pairs)
        if len(pairs) == 1:
            own |= _count_blocks(pairs[0][1], own, rng)
        out |= {f"{unit}/{key}": value for key, value in own.items()}
    if len(classes) > 2:
        out |= _keep_classes(scored)
    return out


def choose_knots(valid: np.ndarray, valid_y: np.ndarray, test: np.ndarray, most: int) -> np.ndarray:
    """Cuts in falling order, at most about `most`: every score; where those are too many, validation scores come first.

    Of too many validation scores: the highest quarter of `most`, those of positive rows, then every so many. The last is the lowest of
    all scores.
    """
    lowest = min(valid.min(initial=np.inf), test.min(initial=np.inf))
    own = np.unique(valid)[::-1]
    if len(own) > most:
        rare = np.unique(valid[valid_y])[::-1]
        picks = [own[: most // 4], _spread(rare, most // 4), _spread(own, most // 2)]
        own = np.unique(np.concatenate(picks))[::-1]
    rest = np.setdiff1d(test, own)[::-1]
    room = most - len(own)
    extra = rest if len(rest) <= room else np.concatenate([rest[: room // 4], _spread(rest, room - room // 4)])
    found: np.ndarray = np.unique(np.concatenate([own, extra, [lowest]]))[::-1]
    return found


def _spread(values: np.ndarray, n: int) -> np.ndarray:
    """At most n of the values, evenly by place."""
    if n <= 0:
        return values[:0]
    return values if len(values) <= n else values[np.unique(np.linspace(0, len(values) - 1, n).astype(int))]


def _place(cut: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The first knot that flags each score. cut: falling."""
    found: np.ndarray = np.searchsorted(-cut, -score, side="left")
    return found


def _count_unit(pairs: Sequence[tuple[Rows, Rows]], most: int) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    for valid, test in pairs:
        cut = choose_knots(valid.score, valid.y, test.score, most)
        n = len(cut)
        places = {"valid": _place(cut, valid.score), "test": _place(cut, test.score)}
        exact = cut[places["valid"]] == valid.score
        found = {"cut": cut, "valid_tied": np.bincount(places["valid"][exact], minlength=n).astype(np.int32)}
        for part, rows in (("valid", valid), ("test", test)):
            at = places[part]
            weight = rows.weight if part == "valid" else np.ones(len(rows.y))
            kind = np.float64 if part == "valid" else np.int32
            found[f"{part}_tp"] = np.bincount(at[rows.y], weight[rows.y], n).astype(kind)
            found[f"{part}_fp"] = np.bincount(at[~rows.y], weight[~rows.y], n).astype(kind)
            if rows.cost is not None:
                found[f"{part}_cost"] = np.bincount(at[rows.y], (weight * rows.cost)[rows.y], n)
        for key, value in found.items():
            parts.setdefault(key, []).append(value)
    ends = np.cumsum([0, *(len(cut) for cut in parts["cut"])])
    return {"ends": ends} | {key: np.concatenate(values) for key, values in parts.items()}


def rank_within(score: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The budget a day that flags each case [n]: the cases of its day with at least its score. Cases that tie come together."""
    order = np.lexsort((-score, day))
    rank = np.empty(len(score), int)
    place = np.arange(len(score))
    days, scores = day[order], score[order]
    start = np.r_[True, days[1:] != days[:-1]]
    begin = np.maximum.accumulate(np.where(start, place, 0))
    last = np.r_[(days[1:] != days[:-1]) | (scores[1:] != scores[:-1]), True]  # of its tie
    end = np.minimum.accumulate(np.where(last, place, len(score))[::-1])[::-1]
    rank[order] = end - begin + 1
    return rank


def _count_days(pairs: Sequence[tuple[Rows, Rows]]) -> dict[str, np.ndarray]:
    out: dict[str, list[np.ndarray]] = {}
    for valid, test in pairs:
        assert test.day is not None and valid.day is not None
        place = rank_within(test.score, test.day) - 1
        kept = place < MOST_DAILY
        found = {
            "day_tp": np.bincount(place[kept & test.y], minlength=MOST_DAILY).astype(np.int32),
            "day_fp": np.bincount(place[kept & ~test.y], minlength=MOST_DAILY).astype(np.int32),
            "days": np.array(len(np.unique(test.day))),
            "valid_day_cut": _mean_cuts(valid),
        }
        if test.cost is not None:
            found["day_cost"] = np.bincount(place[kept & test.y], test.cost[kept & test.y], MOST_DAILY)
        for key, value in found.items():
            out.setdefault(key, []).append(value)
    most = max(
        1,
        max(
            int(np.flatnonzero((a + b) > 0)[-1]) + 1 if (a + b).any() else 1
            for a, b in zip(out["day_tp"], out["day_fp"], strict=True)
        ),
    )
    return {key: np.stack(values)[:, :most] if np.ndim(values[0]) else np.stack(values) for key, values in out.items()}


def _mean_cuts(valid: Rows) -> np.ndarray:
    """[MOST_DAILY]: mean over days of the lowest score that a budget of k a day flags, over the days where it flags a case; NaN: none."""
    assert valid.day is not None
    place = rank_within(valid.score, valid.day) - 1
    total, count = np.zeros(MOST_DAILY), np.zeros(MOST_DAILY)
    for day in np.unique(valid.day):
        here = (valid.day == day) & (place < MOST_DAILY)
        if not here.any():
            continue
        lowest = np.full(MOST_DAILY, np.inf)
        np.minimum.at(lowest, place[here], valid.score[here])
        lowest = np.minimum.accumulate(lowest)
        total += np.where(np.isfinite(lowest), lowest, 0.0)
        count += np.isfinite(lowest)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = total / count
    return out


def _count_blocks(test: Rows, own: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Test cases by place and block, and bootstrap draws of the blocks."""
    n = len(test.y)
    block = np.arange(n) if test.block is None else test.block
    block = np.unique(block, return_inverse=True)[1]
    if test.block is None or block.max() >= MOST_BLOCKS:  # cases alone: joined so that each has both classes alike
        if test.block is None:
            order = np.lexsort((rng.permutation(n), test.y))
            block = np.empty(n, int)
            block[order] = np.arange(n) % min(n, MOST_BLOCKS)
        else:
            block = block * MOST_BLOCKS // (block.max() + 1)
    blocks = int(block.max()) + 1
    draws = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS)
    out: dict[str, np.ndarray] = {"draws": draws.astype(np.uint8)}
    tables = {"block": _place(own["cut"], test.score)}
    if test.day is not None:
        tables["dayblock"] = np.minimum(rank_within(test.score, test.day) - 1, own["day_tp"].shape[1])
    for name, place in tables.items():
        pairs, which = np.unique(np.stack([place, block]), axis=1, return_inverse=True)
        m = pairs.shape[1]
        out |= {f"{name}_place": pairs[0].astype(np.int32), name: pairs[1].astype(np.int32)}
        out[f"{name}_tp"] = np.bincount(which[test.y], minlength=m).astype(np.int32)
        out[f"{name}_fp"] = np.bincount(which[~test.y], minlength=m).astype(np.int32)
        if test.cost is not None:
            out[f"{name}_cost"] = np.bincount(which[test.y], test.cost[test.y], m)
    return out


def _keep_classes(scored: Sequence[Scored]) -> dict[str, np.ndarray]:
    most = max(1, MOST_CLASS_ROWS // len(scored))
    ps, ys = [], []
    for one in scored:
        assert one.test_p is not None and one.test_y is not None
        kept = _spread(np.arange(len(one.test_y)), most)
        ps.append(one.test_p[kept].astype(np.float16))
        ys.append(one.test_y[kept].astype(np.int16))
    return {
        "class_p": np.concatenate(ps),
        "class_y": np.concatenate(ys),
        "class_ends": np.cumsum([0, *(len(y) for y in ys)]),
    }


def weigh_classes(y: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Weights [n] of rows with classes y that give each class its count in `natural` [C], with mean 1."""
    counts = np.bincount(y, minlength=len(natural))
    weight = (natural / np.maximum(counts, 1))[y]
    scaled: np.ndarray = weight * len(y) / max(float(weight.sum()), 1e-300)
    return scaled
