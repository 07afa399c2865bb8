"""The titles of the gallery's cards and the differences that decide them, from the numbers of their bundles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.catalog import build_catalog
from engine.errors import BadData
from engine.examples.bundle import Bundle, Judged
from engine.report.judge import hold_differences, judge_run
from engine.spec import RunSpec
from engine.spec.companions import BASELINE
from engine.spec.result import DEFAULT_METRIC, Result
from engine.spec.run import find_entry
from engine.stats.intervals import Interval
from engine.stats.verdict import Dot

FROZEN = "frozen"
HELPS = "Points move and help."
NO_GAIN = "Points move. No gain in ranking found."
HARMS = "Points move too far. Ranking gets worse."


def choose_middle(results: Sequence[Result]) -> int:
    """The replicate in the middle of the sorted differences of the first run minus the second: the 10th of 20."""
    values = [np.array(result.metrics[DEFAULT_METRIC]["values"], float) for result in results[:2]]
    return int(np.argsort(values[0] - values[1], kind="stable")[(len(values[0]) - 1) // 2])


def judge_moving(bundle: Bundle, spec: RunSpec, setting: str = "") -> Judged:
    """Whether moving helps: both differences, to plain training and to frozen points, must be above 0, tested together."""
    members, results = bundle.family(spec)
    held = hold_differences(members, results)
    plain, frozen = held[BASELINE][0], held[FROZEN][0]
    helps, harms = plain.above_zero and frozen.above_zero, plain.below_zero and frozen.below_zero
    title = HELPS if helps else HARMS if harms else NO_GAIN
    rival = judge_run(members, results).text.partition(". ")[2] if helps else ""
    return Judged(" ".join(filter(None, (title, rival))), make_dot(plain), "plain", setting or describe_run(bundle, spec))


def judge_method(bundle: Bundle, spec: RunSpec) -> Judged:
    """The verdict on a run against plain training, or against its control of as many steps."""
    said = judge_run(*bundle.family(spec))
    if said.dot.interval is None:
        raise BadData(f"there is nothing to compare {spec.method} with.")
    zero = "equal steps" if "equal steps" in said.text else "plain"
    return Judged(said.text, said.dot, zero, describe_run(bundle, spec))


def judge_change(
    interval: Interval, *, above: str, below: str, holds: str, zero: str, setting: str, lower_better: bool = False
) -> Judged:
    """A title for each place of an interval: above 0, below 0, around 0. lower_better: which side of 0 is better."""
    dot = make_dot(interval, lower_better=lower_better)
    return Judged(above if interval.above_zero else below if interval.below_zero else holds, dot, zero, setting)


def make_dot(interval: Interval, *, lower_better: bool = False) -> Dot:
    """A difference as it is drawn."""
    if not (interval.above_zero or interval.below_zero):
        return Dot("hollow", interval, None, interval.n)
    return Dot("filled", interval, interval.below_zero if lower_better else interval.above_zero, interval.n)


def describe_run(bundle: Bundle, spec: RunSpec) -> str:
    """'Rings, 20:1, 12 replicates'."""
    dataset = find_entry(build_catalog(), "datasets", spec.dataset)
    ratio = f"{spec.imbalance.ratio:g}:1" if spec.imbalance.ratio else "natural"
    return f"{dataset['title'].partition(' (')[0]}, {ratio}, {bundle.result(0).n} replicates"
