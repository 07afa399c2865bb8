"""A finished run in sentences that claim no more than the intervals allow. Pure functions; they return markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.words.text import (
    escape,
    format_bounds,
    format_count,
    format_difference,
    format_duration,
    format_interval,
    format_ratio,
)
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import Companion
from engine.spec.result import DEFAULT_METRIC, Result
from engine.stats.intervals import Interval

HARDLY = 0.05
"""Median movement in sd below which the points count as not having moved."""


@dataclass(frozen=True)
class Story:
    """headline: the score that was reached; findings: what it means, one sentence each; fine: intervals, n, prevalence."""

    headline: str
    findings: tuple[str, ...]
    fine: str


def describe_setting(spec: RunSpec, native: float | None = None) -> str:
    """Return 'At 50:1', 'As the data come (11.6:1)', 'At 50:1, falling exponentially, in the training rows only'."""
    imbalance: Imbalance = spec.imbalance
    if imbalance.profile == "native":
        return "As the data come" + (f" ({format_ratio(native)})" if native else "")
    only = ", in the training rows only" if imbalance.where == "train" else ""
    if imbalance.profile == "remove":
        return f"With {100 * (imbalance.rate or 0):.3g}% of the rows of some classes removed{only}"
    how = {"exponential": ", falling exponentially", "step": ", in one step", "gaussian": ", falling as a Gaussian"}
    return f"At {format_ratio(imbalance.ratio or 1)}{how.get(imbalance.profile, '')}{only}"


def write_story(
    members: Sequence[Companion], results: Mapping[str, Result | None], *, native: float | None = None, why: str = ""
) -> Story:
    """Return the sentences of a finished run. members: its family, the run itself first; results: by the member's key, None
    while missing.

    why: why there is no potential. Raises KeyError where the first member has no result.
    """
    main = results[members[0].key]
    if main is None:
        raise KeyError(members[0].key)
    there = {m.key: (m, r) for m in members[1:] if (r := results.get(m.key)) is not None}
    controls = {key: pair for key, pair in there.items() if pair[0].role == "control"}
    baseline = next((pair for pair in there.values() if pair[0].role == "baseline"), None)
    oracle = next((pair for pair in there.values() if pair[0].role == "oracle"), None)
    gain = oracle[1].difference(baseline[1], DEFAULT_METRIC) if oracle and baseline else None
    if members[0].role == "baseline" and oracle:
        gain = oracle[1].difference(main, DEFAULT_METRIC)
    where = describe_setting(members[0].spec, native)
    comma = "," if "," in where else ""
    headline = f"{where}{comma} {escape(members[0].label)} reaches average precision **{format_interval(main.metric(DEFAULT_METRIC))}**"
    parts = []
    if "frozen" in controls:
        parts.append(f"the same points frozen {format_interval(controls['frozen'][1].metric(DEFAULT_METRIC))}")
    parts += [
        f"{escape(m.label)} {format_interval(r.metric(DEFAULT_METRIC))}" for key, (m, r) in controls.items() if key != "frozen"
    ]
    if baseline:
        parts.append(f"{escape(baseline[0].label)} {format_interval(baseline[1].metric(DEFAULT_METRIC))}")
    headline += ("; " + ", ".join(parts) if parts else "") + "."
    if gain is not None and oracle and gain.above_zero:
        headline = headline[:-1] + f"; the withheld real rows would give {oracle[1].metric(DEFAULT_METRIC).mean:.2f}."
    findings = _describe_movement(main, controls.get("frozen"))
    if baseline and members[0].role == "method":
        findings.append(_describe_difference(members[0].label, main.difference(baseline[1], DEFAULT_METRIC), baseline[0].label))
    if members[0].role != "oracle":
        findings += _describe_potential(main, baseline[1] if baseline else None, gain, members[0].role, why)
    else:
        findings.append("This is an oracle: it trains with the withheld rows given back, and is never ranked with the others.")
    return Story(headline, tuple(findings), _describe_interval(main))


def _describe_movement(main: Result, frozen: tuple[Companion, Result] | None) -> list[str]:
    """Return what the movement of the points did; nothing for a method without points."""
    out = []
    if main.moves is not None and math.isfinite(moved := _read_number(main.moves.get("median"))):
        largest = _read_number(main.moves.get("largest"))
        if moved < HARDLY:
            out.append(f"The points hardly moved: {moved:.2g} sd in the median, {largest:.2g} at most.")
        else:
            out.append(f"The points moved {moved:.2f} sd in the median, {largest:.2f} at most.")
    if frozen is not None:
        gap = main.difference(frozen[1], DEFAULT_METRIC)
        if gap.above_zero:
            out.append(f"**Moving helps** here: {format_difference(gap)} over frozen points.")
        elif gap.below_zero:
            out.append(f"**Moving hurts** here: {format_difference(gap)} against frozen points.")
        elif math.isfinite(gap.low):
            out.append(f"Whether moving helps cannot be told from this: {format_difference(gap)} against frozen points.")
        else:
            out.append(
                f"Whether moving helps cannot be told: {format_difference(gap)} against frozen points, without an interval."
            )
    return out


def _describe_difference(label: str, gap: Interval, other: str) -> str:
    if gap.above_zero:
        return f"{escape(label)} is ahead of {escape(other)} by {format_difference(gap)}."
    if gap.below_zero:
        return f"{escape(label)} is behind {escape(other)}: {format_difference(gap)}."
    return f"It cannot be told apart from {escape(other)}: {format_difference(gap)}."


def _describe_potential(main: Result, baseline: Result | None, gain: Interval | None, role: str, why: str) -> list[str]:
    if why:
        return [why]
    if gain is None:
        return []
    if not gain.above_zero:
        return [
            f"Giving the withheld rows back does not clearly beat cross-entropy ({format_difference(gain)}), so there is no share to "
            "recover."
        ]
    if role == "baseline" or baseline is None:
        return [f"The withheld rows are worth {format_difference(gain)} of average precision."]
    share = 100 * main.difference(baseline, DEFAULT_METRIC).mean / gain.mean
    part = f"{share:.0f}%" if share > 0 else "none"
    return [f"Of the {format_difference(gain)} that the withheld rows are worth, {part} is recovered."]


def _describe_interval(main: Result) -> str:
    interval = main.metric(DEFAULT_METRIC)
    has = bool(format_bounds(interval))
    what = escape(main.interval, 120) if has else "no interval"
    text = (
        f"Brackets: {what}, n = {format_count(main.n, 'replicate')}."
        if has
        else f"No interval, n = {format_count(main.n, 'replicate')}."
    )
    quick = " One split is a quick look: another split may turn these differences." if main.n == 1 else ""
    chance = f"{main.prevalence:.3g} is what a random ranking would reach"
    if main.positive == "macro":
        chance += ", averaged over the classes"
    else:
        chance += f", as {100 * main.prevalence:.3g}% of the test rows are positive"
    return f"{text}{quick} All on test rows; {chance}. Took {format_duration(main.seconds)}."


def _read_number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
