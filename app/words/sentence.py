"""A finished run in sentences that claim no more than the intervals allow. Pure functions; they return markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.words.text import escape, format_bounds, format_count, format_duration, format_interval, format_ratio
from engine.report.judge import hold_differences, judge_run
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import Companion
from engine.spec.result import DEFAULT_METRIC, Result
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change, verdict

HARDLY = 0.05
"""Median movement in sd below which the points count as not having moved."""


@dataclass(frozen=True)
class Story:
    """headline: the verdict; findings: scores and what they mean, one sentence each; fine: numbers, intervals, chance."""

    headline: str
    findings: tuple[str, ...]
    fine: str


def describe_setting(spec: RunSpec, native: float | None = None) -> str:
    """Return 'At 50:1', 'Natural (11.6:1)', 'At 50:1, falling exponentially, in the training rows only'."""
    imbalance: Imbalance = spec.imbalance
    if imbalance.profile == "native":
        return "Natural" + (f" ({format_ratio(native)})" if native else "")
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
    there = [(m, r) for m in members if (r := results.get(m.key)) is not None and (m is members[0] or m.role != "oracle")]
    baseline = next((m for m, _ in there[1:] if m.role == "baseline"), None)
    oracle = next((r for m in members[1:] if m.role == "oracle" and (r := results.get(m.key)) is not None), None)
    plain = main if members[0].role == "baseline" else results[baseline.key] if baseline else None
    gain = oracle.difference(plain, DEFAULT_METRIC) if oracle and plain else None
    scores = [f"{escape(m.label)} {format_interval(r.metric(DEFAULT_METRIC))}" for m, r in there]
    where = describe_setting(members[0].spec, native)
    findings = [f"{where}, average precision: **{scores[0]}**" + "".join(f"; {one}" for one in scores[1:]) + "."]
    findings += _describe_movement(main)
    held = hold_differences(members, results)
    if "frozen" in held:
        findings.append(verdict("Moving", "frozen points", held["frozen"][0], main.n).text)
    if members[0].role == "oracle":
        findings.append("This is an oracle: it trains on the removed rows, and is never ranked with the others.")
    else:
        ahead = held[baseline.key][0] if baseline and baseline.key in held else None
        findings += _describe_potential(main, plain, gain, ahead, why)
    said = judge_run(members, results)
    more = tuple(escape(text, 200) for text in (*said.more, *said.chips))
    return Story(escape(said.text, 400), tuple(findings), " ".join((*more, _describe_interval(main))))


def _describe_movement(main: Result) -> list[str]:
    """Return how far the points moved; nothing for a method without points."""
    if main.moves is None or not math.isfinite(moved := _read_number(main.moves.get("median"))):
        return []
    return ["Points moved " + (f"less than {HARDLY} sd (median)." if moved < HARDLY else f"{moved:.2f} sd (median).")]


def _describe_potential(
    main: Result, plain: Result | None, gain: Interval | None, ahead: Interval | None, why: str
) -> list[str]:
    """Return what the removed rows would add, and the share of it that the run recovers.

    gain: all rows minus plain training; ahead: the run minus plain training, None for plain training itself.
    """
    if why:
        return [why]
    if gain is None or plain is None:
        return []
    if not gain.above_zero or gain.n < 2:
        return ["No gain found from more real rows."]
    out = [f"All rows would add {format_change(gain.mean).lstrip('+')}."]
    if ahead is None or main is plain:
        return out
    if not ahead.above_zero:
        return [*out, "The method recovers no measurable share."]
    return [*out, f"The method recovers {100 * main.difference(plain, DEFAULT_METRIC).mean / gain.mean:.0f}% of it."]


def _describe_interval(main: Result) -> str:
    has = bool(format_bounds(main.metric(DEFAULT_METRIC)))
    over = f"over {format_count(main.n, 'replicate')}"
    text = f"Intervals: {escape(main.interval, 120)}, {over}." if has else f"No interval, {over}."
    quick = " One split: another may differ." if main.n == 1 else ""
    chance = f"Chance is {main.prevalence:.3g}"
    if main.positive == "macro":
        chance += ", averaged over the classes"
    else:
        chance += f": {100 * main.prevalence:.3g}% of the test rows are positive"
    return f"{text}{quick} All on test rows. {chance}. Took {format_duration(main.seconds)}."


def _read_number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
