"""Asks why the row that decides a comparison decides as it does, and for whom (`engine.why`), in what is left of the time.

What is cheap is always answered. Importance and partial dependence are measured on the fits of the first seed, one replicate a fold,
until the time ends: on fewer test rows where a prediction takes long, with fewer repeats, and of fewer columns at last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.analysis import metrics, threshold_tables
from engine.compare.bench import Evaluator, ReplicateScore
from engine.compare.decide import number_days, number_owners
from engine.compare.halving import Resource, SuccessiveHalving
from engine.compare.onnx_files import find_seconds
from engine.data.dataset import Dataset, Task
from engine.data.tables.suspects import count_duplicates
from engine.decide.build import rank_within
from engine.events import Event, Phase, Progress, unpack
from engine.plain import to_plain
from engine.seeds import numpy_stream
from engine.stats.decide import calibrate, read_about
from engine.stats.intervals import CORRECTED_T, Interval, corrected_t, draw_interval
from engine.training.fitted import Fitted
from engine.training.refit import join_rows
from engine.why.columns import Column, group_columns, list_columns
from engine.why.dependence import choose_values, measure_dependence
from engine.why.fits import Fits
from engine.why.groups import Tested, build_group_table, describe_interval, list_groups
from engine.why.importance import draw_orders, measure_shuffled, score_fits
from engine.why.suspects import bound_shares, find_suspects, pool_scores
from engine.why.unsafe import Unsafe, measure_unsafe

SHARE, MOST_SECONDS, LEAST_SHARE = 0.05, 5.0, 0.03
"""Share of the budget that is kept for these questions, the most seconds that are kept, and the share there is where all time is gone."""

REPEATS = 5
"""How often a group of columns is shuffled, at most."""

TEST_ROWS = (4000, 2000, 1000, 500)
"""Most test rows of a replicate that importance and dependence are measured on, by how long a prediction of the fewest takes."""

DEPENDENCE = 4
"""Columns whose partial dependence is measured, at most: the first ones of the most important groups."""

UNSAFE_SHARE, IMPORTANCE_SHARE = 0.4, 0.75
"""Shares of the time left that unsafe points, then importance may take; the rest is for partial dependence."""

DRAWS = 100
"""Draws of the test rows where seeds do not redraw them."""
BY_DRAWS = "95% Bayesian bootstrap of the test rows, whole days or owners drawn"

TICK = 0.1
"""Seconds between two Progress events."""


def keep_seconds(budget: float, dataset: Dataset) -> float:
    """Seconds of the budget to keep for `explain`."""
    cells: int = len(dataset.y) * (dataset.numeric.shape[1] + dataset.categorical.shape[1])
    return min(MOST_SECONDS, SHARE * budget) + min(0.02 * budget, 4e-8 * cells)


@dataclass
class _Clock:
    """Time until `deadline`, and Progress events now and then."""

    now: Callable[[], float]
    began: float
    deadline: float
    told: float = field(default=float("-inf"))

    @property
    def left(self) -> float:
        return self.deadline - self.now()

    def tick(self) -> Generator[Event, None, None]:
        """A Progress event where the last one is TICK seconds ago, in tenths of seconds of the budget."""
        now = self.now()
        if now - self.told >= TICK:
            self.told = now
            whole = max(1, round(10 * (self.deadline - self.began)))
            yield Progress(min(whole, round(10 * (now - self.began))), whole)


class _Spread:
    """Intervals of a comparison. By time every seed tests the same rows: days, or owners, of them are drawn. Else over replicates."""

    def __init__(self, bench: Evaluator, result: Mapping[str, Any]) -> None:
        parts = str((result.get("split") or {}).get("kind") or "").split("-")
        self.share, self.seed = float(result["protocol"]["test_share"]), bench.spec.seed
        self.blocks: np.ndarray | None = None
        if "time" in parts:
            found = number_owners(bench.dataset) if "group" in parts else number_days(bench.dataset)
            self.blocks = None if found is None else np.unique(found, return_inverse=True)[1]

    @property
    def name(self) -> str:
        """The kind of interval."""
        return CORRECTED_T if self.blocks is None else BY_DRAWS

    def draw(self, rows: np.ndarray, fold: int) -> np.ndarray | None:
        """Weights [B, t] of test rows (numbers in the table), those of their blocks; None where seeds redraw the test rows."""
        if self.blocks is None:
            return None
        there, own = np.unique(self.blocks[rows], return_inverse=True)
        return numpy_stream(self.seed, "why blocks", fold).standard_exponential((DRAWS, len(there)))[:, own]

    def measure(self, values: np.ndarray, bounds: tuple[float, float] | None) -> Interval:
        """The interval of the mean over replicates. values [R, 1 + B]: of the replicates, and on draws of their test rows."""
        if values.shape[1] == 1:
            return corrected_t(values[:, 0], self.share, bounds)
        known = np.isfinite(values[:, 0])
        if not known.any():
            return corrected_t(values[:, 0], self.share, bounds)
        return draw_interval(
            float(values[known, 0].mean()), values[known, 1:].mean(0), bounds or (-np.inf, np.inf), kind=BY_DRAWS
        )


def explain(
    halving: SuccessiveHalving, bench: Evaluator, result: Mapping[str, Any], metric: str, artifacts: Mapping[str, bytes]
) -> Generator[Event, None, dict[str, Any]]:
    """The result's keys on reasons, JSON-plain. artifacts: `decide/<name>` of the rows. Intervals are over replicates, corrected t; by
    time over draws of days, or of owners, of the test rows (`why.interval` says which).

    why {row, replicates, test_rows (of a replicate), columns (measured), of (columns in all), repeats}: what the rest is about; row is
    None where no row has a fit. importance [{columns, mean, low, high}]: fall of the deciding metric on test rows, the largest first.
    dependence [{column, kind (number or level), at, mean, low, high}]: lists over the values `at`. groups: see
    `engine.why.groups.build_group_table`. suspects [{row (number of the data row, from 1), label, p}], suspects_found,
    suspects_tested (rows), suspects_by_chance (share of the rows tested that is expected). duplicates, conflicts (rows). unsafe {name:
    {share, low, high, n (synthetic rows of a replicate), replicates}}.
    """
    budget = halving.deadline - halving.began
    ends = max(halving.deadline - find_seconds(budget), halving.clock() + LEAST_SHARE * budget)
    clock = _Clock(halving.clock, halving.began, ends)
    yield Phase("explaining", "Asking why and for whom")
    spread = _Spread(bench, result)
    data, out = bench.dataset, dict[str, Any](importance=[], dependence=[])
    same, mixed = count_duplicates([*data.numeric.T, *data.categorical.T], data.y)
    out |= {"duplicates": same, "conflicts": mixed}
    yield from clock.tick()
    fitted = _list_fitted(halving, bench)
    row = _choose_row(result, fitted, metric)
    outcomes = [o for o in halving.outcomes(row).values() if len(o.test_rows) and len(o.valid_rows)] if row else []
    if spread.blocks is not None:  # other seeds test the same rows
        outcomes = [o for o in outcomes if o.replicate.seed == 0]
    tested = [
        replace(one, draws=spread.draw(one.rows, one.fold))
        for one in _read_tested(bench, outcomes, row, result.get("decide") or {})
    ]
    out["groups"] = build_group_table(list_groups(data), tested, lambda values: spread.measure(values, (0.0, 1.0)))
    yield from clock.tick()
    decided = result.get("decide") or {}
    known = decided.get("numbers") if decided.get("row") == row else None
    out |= _describe_suspects(bench, outcomes, artifacts.get(f"decide/{row}"), known or [])
    about: dict[str, Any] = {"row": row, "interval": spread.name, "replicates": 0, "test_rows": 0, "columns": 0, "repeats": 0}
    out["why"] = about | {"of": len(data.numeric_names) + len(data.categorical_names)}
    out["unsafe"] = {}
    tasks = _Tasks(bench)
    if clock.left > 0:
        until = clock.now() + UNSAFE_SHARE * clock.left
        for name, fit in fitted.items():
            if fit.fitted.embedded is None and fit.fitted.synthetic is None:
                continue
            found = measure_unsafe(tasks.read(fit), fit.fitted)
            if found is not None and found.looked.any():
                out["unsafe"][name] = _describe_unsafe(found, spread.share)
            yield from clock.tick()
            if clock.now() > until:
                break
    if row is not None and clock.left > 0:
        yield from _ask(tasks.read(fitted[row]), fitted[row].fitted, bench, metric, spread, clock, out)
    plain: dict[str, Any] = to_plain(out)
    return plain


@dataclass(frozen=True)
class _Fit:
    """The first seed's fit that test rows were scored with. hold: how it was trained again (`join_rows`); None: it was not."""

    level: Resource
    fitted: Fitted
    hold: bool | None


@dataclass
class _Tasks:
    """The tasks of fits, the last one kept."""

    bench: Evaluator
    key: tuple[Resource, bool | None] | None = None
    task: Task | None = None

    def read(self, fit: _Fit) -> Task:
        """The task that a fit was trained on."""
        key = (fit.level, fit.hold)
        if self.task is None or self.key != key:
            task = self.bench.prepare(fit.level, (0,))
            self.key, self.task = key, task if fit.hold is None else join_rows(self.bench.dataset, task, hold=fit.hold)
        return self.task


def _list_fitted(halving: SuccessiveHalving, bench: Evaluator) -> dict[str, _Fit]:
    """name -> fit of the rows that have one."""
    out = {}
    for name in halving.names:
        level = halving.level_of(name)
        fit, again = bench.kept.get((name, level), (None,))[0], bench.refitted.get((name, level))
        if again is not None:
            out[name] = _Fit(level, again.fitted, len(again.rows) > len(again.train))
        elif isinstance(fit, Fitted):
            out[name] = _Fit(level, fit, None)
    return out


def _choose_row(result: Mapping[str, Any], fitted: Mapping[str, Any], metric: str) -> str | None:
    """The row to explain: the one decided with, else the first in rank that has a fit."""
    rows = [row for row in result["methods"] if row["metrics"][metric]["mean"] is not None]
    most = max((row["replicates"] for row in rows), default=0)
    best = sorted(rows, key=lambda row: (row["replicates"] < most, -row["metrics"][metric]["mean"]))
    names = [(result.get("decide") or {}).get("row"), *(result.get("ranked") or ()), *(row["name"] for row in best)]
    return next((name for name in names if name in fitted), None)


def _read_tested(bench: Evaluator, outcomes: list[ReplicateScore], row: str | None, decide: Mapping[str, Any]) -> list[Tested]:
    """The replicates' test rows, flagged at the cut that `decide` chose on validation rows: those that it read.

    With a budget of rows: the highest ones, of all or of each day; where owners are the cases, the rows above the cut. Where another row
    was decided with: where the class looked for is the most probable one.
    """
    positive, rule, out = bench.positive, decide.get("rule") or {}, []
    cuts = {} if decide.get("row") != row else dict(zip(decide.get("numbers") or (), decide.get("cuts") or (), strict=False))
    has_budget = rule.get("kind") == "alerts" and decide.get("unit") == "row"
    days = number_days(bench.dataset) if has_budget and rule.get("per") == "day" else None
    for outcome in outcomes:
        score, number = np.asarray(outcome.test_p[:, positive], np.float64), outcome.replicate.number
        if not cuts:
            flagged = outcome.test_p.argmax(1) == positive
        elif number not in cuts:
            continue
        elif days is not None:
            flagged = rank_within(score, days[outcome.test_rows]) <= int(rule["value"] + 1e-9)
        elif has_budget:
            flagged = rank_within(score, np.zeros(len(score), int)) <= int(rule["value"] * len(score) / 1000 + 1e-9)
        else:
            cut = cuts[number]
            flagged = np.zeros(len(score), bool) if cut is None else score >= cut
        out.append(
            Tested(
                outcome.replicate.seed, outcome.replicate.fold, outcome.test_rows, outcome.test_y == positive, score, flagged
            )
        )
    return out


def _describe_suspects(
    bench: Evaluator, outcomes: list[ReplicateScore], decide: bytes | None, known: Sequence[int]
) -> dict[str, Any]:
    """The result's keys on suspects. decide: the artifact of the row, about replicates `known`. With two classes their scores are
    calibrated as it chose on validation rows, else all are corrected for the classes' shares.
    """
    data, classes = bench.dataset, bench.dataset.classes
    parts, trained = [], []
    arrays = unpack(decide) if decide is not None and known and len(classes) == 2 else None
    for o in outcomes:
        if arrays is None:
            p = threshold_tables.correct_prior(o.test_p, o.given, o.natural)
        elif o.replicate.number in known:
            r, score = known.index(o.replicate.number), np.asarray(o.test_p[:, 1], np.float64)
            own = calibrate(arrays, read_about(arrays)["calibration"], r, score)
            p = np.stack([1 - own, own], 1)
        else:
            continue
        parts.append((o.test_rows, bound_shares(p, len(o.valid_y))))
        trained.append((o.test_rows, np.asarray(o.test_p, np.float64)))
    number = np.arange(len(data.y)) if data.number is None else data.number
    rows, p = pool_scores(parts, len(data.y), len(classes))
    found = find_suspects(rows, p, data.y[rows], pool_scores(trained, len(data.y), len(classes))[1])
    return {
        "suspects": [
            {"row": int(number[r]) + 1, "label": classes[c], "p": float(v)}
            for r, c, v in zip(found.rows, found.label, found.p, strict=True)
        ],
        "suspects_found": found.found,
        "suspects_tested": found.tested,
        "suspects_by_chance": found.expected / found.tested if found.tested else None,
    }


def _describe_unsafe(found: Unsafe, share: float) -> dict[str, Any]:
    one = corrected_t(found.share, share)
    return {"share": one.mean, "low": one.low, "high": one.high, "n": int(round(found.made.mean())), "replicates": one.n}


def _ask(
    task: Task, fitted: Fitted, bench: Evaluator, metric: str, spread: _Spread, clock: _Clock, out: dict[str, Any]
) -> Generator[Event, None, None]:
    """Measures importance and partial dependence into `out`."""
    data, seed = bench.dataset, bench.spec.seed
    whole = Fits.of(task, fitted.net, lambda r: spread.draw(task.test_source[r], task.replicates[r].fold))
    columns = list_columns(data)
    groups = group_columns(data, numpy_stream(seed, "why columns"))

    def stream(kind: str, *numbers: int) -> Callable[[int], np.random.Generator]:
        return lambda r: numpy_stream(seed, kind, task.replicates[r].seed, task.replicates[r].fold, *numbers)

    def score(p: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return metrics.scores(p, y, weights=weight)[metric]

    deadline = clock.now() + IMPORTANCE_SHARE * clock.left
    fits = whole.take(TEST_ROWS[-1], stream("why rows"))
    began = clock.now()
    base = score_fits(fits, fits.predict(), score)
    seconds = clock.now() - began
    yield from clock.tick()
    for most in TEST_ROWS[:-1]:
        if seconds * most / TEST_ROWS[-1] * len(groups) <= deadline - clock.now():
            fits = whole.take(most, stream("why rows"))
            began = clock.now()
            base = score_fits(fits, fits.predict(), score)
            seconds = clock.now() - began
            break
    falls: list[list[np.ndarray]] = [[] for _ in groups]
    for repeat in range(REPEATS):
        orders = draw_orders(fits, stream("why order", repeat))
        if repeat and clock.now() + len(groups) * seconds > deadline:
            break  # a repeat that would end early is not begun: every group has the same orders
        for g, group in enumerate(groups):
            if clock.now() + seconds > deadline:
                break
            began = clock.now()
            features = [f for i in group for f in columns[i].features]
            falls[g].append(base - measure_shuffled(fits, features, orders, score))
            seconds = max(0.8 * seconds, clock.now() - began)
            yield from clock.tick()
    measured = [(g, one) for g, one in enumerate(falls) if one]
    ranked = []
    for g, one in measured:
        found = spread.measure(np.mean(one, 0), None)
        ranked.append((groups[g], found))
    ranked.sort(key=lambda pair: -pair[1].mean)
    out["importance"] = [{"columns": [columns[i].name for i in group], **describe_interval(one)} for group, one in ranked]
    out["why"] |= {
        "replicates": len(task.replicates),
        "test_rows": int(round(np.mean(fits.rows.sizes.tolist()))),
        "columns": sum(len(groups[g]) for g, _ in measured),
        "repeats": min((len(one) for _, one in measured), default=0),
    }
    for group, _ in ranked[:DEPENDENCE]:
        column = columns[group[0]]
        values = choose_values(data, column)
        if clock.now() + len(values) * seconds > clock.deadline:
            return
        if len(values) > 1:
            own = measure_dependence(fits, column, values, bench.positive)
            out["dependence"].append(
                _describe_dependence(column, values, [spread.measure(own[:, v], (0.0, 1.0)) for v in range(len(values))])
            )
        yield from clock.tick()


def _describe_dependence(column: Column, values: np.ndarray, each: list[Interval]) -> dict[str, Any]:
    at: list[Any] = [column.levels[int(v)] for v in values] if column.levels else [float(v) for v in values]
    kind = "level" if column.levels else "number"
    return {"column": column.name, "kind": kind, "at": at} | {
        name: [getattr(one, name) for one in each] for name in ("mean", "low", "high")
    }
