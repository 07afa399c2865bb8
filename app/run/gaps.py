"""Generalization gap and weight norms per class, before and after, as pictures with their meaning in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import before_after, deviations
from app.charts.before_after import Dots
from app.charts.deviations import Deviations
from app.charts.palette import centre
from app.parts import share
from app.parts.elements import draw_chart, draw_fold, draw_heading, draw_numbers
from app.words import deep as words
from app.words.glossary import explain_terms
from app.words.text import escape, format_interval, format_signed
from engine.spec.result import Result
from engine.stats import intervals
from engine.stats.intervals import Interval

Read: TypeAlias = Callable[[Result, str], np.ndarray | None]
BASELINE = "ce"
"""The key of plain training."""
GAP_HELP = explain_terms("generalization gap", last=words.GAP_HELP)
SHOWN = 0.0005
"""A change below it is shown as 0.000, so no sentence claims one."""
DEVIATION_HELP = explain_terms("feature deviation", last=words.DEVIATION_HELP)
NORM_HELP = explain_terms("weight norm")
EITHER = (0.0, np.inf)


@dataclass(frozen=True)
class Entry:
    """One finished run in a picture: key names its pen, label is text from anywhere."""

    key: str
    label: str
    result: Result


def list_classes(result: Result) -> tuple[list[str], list[float]]:
    """Return class names and training rows of each."""
    return list(result.class_counts.get("train", {})), [float(n) for n in result.class_counts.get("train", {}).values()]


def read_gap(result: Result, state: str) -> np.ndarray | None:
    """Return one of the gap's arrays [R, C]; None where the run has none (one of an earlier version)."""
    return _read_array(result.gap.get(state))


def read_norms(result: Result, state: str) -> np.ndarray | None:
    """Return weight norms [R, C] before or after; None where the head has none."""
    norms = _read_array(result.weight_norms.get(state))
    if norms is None and state == "after" and "weight_norms" in result.arrays:
        norms = np.atleast_2d(np.asarray(result.arrays["weight_norms"], dtype=float))
    return norms if norms is not None and np.isfinite(norms).any() else None


def _read_array(rows: Any) -> np.ndarray | None:
    return None if not rows else np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)


def list_series(entries: Sequence[Entry], read: Read) -> list[Dots]:
    """Return the dots of a picture: plain training hollow, the run itself filled, a run beside it too; [] where the first has none.

    Without plain training the run's own state before it made new rows is hollow. read: `read_gap` or `read_norms`.
    """
    first = entries[0]
    own, classes = read(first.result, "after"), list_classes(first.result)[0]
    if own is None:
        return []
    out = [Dots(first.key, words.FILM_THIS, own)]
    plain = next((e for e in entries[1:] if e.key == BASELINE), None)
    values = read(first.result, "before") if plain is None else read(plain.result, "after")
    fits = values is not None and values.shape[1] == len(classes) and first.key != BASELINE
    if fits and values is not None:
        out.insert(0, Dots(BASELINE, words.PLAIN if plain is not None else words.STATES[0], values, hollow=True))
    beside = next((e for e in entries[1:] if e.key == "beside"), None)
    other = None if beside is None else read(beside.result, "after")
    if other is not None and beside is not None and list_classes(beside.result)[0] == classes:
        out.append(Dots(beside.key, words.FILM_OTHER, other))
    return out


def draw_gap(entries: Sequence[Entry], key: str, wide: bool = False, *, numbers: bool = True) -> bool:
    """Draw the gap of the run and of plain training per class, with what its change means (wide: beside it).
    False where the first entry has none."""
    series = list_series(entries, read_gap)
    if not series:
        return False
    _draw_dots(series, entries, f"gap-{key}", words.GAP, words.GAP_AXIS, GAP_HELP)
    st.markdown(describe_gap(entries[0].result))
    if numbers:
        draw_gap_table(entries, key)
    return True


def has_deviation(result: Result) -> bool:
    """Whether the run has the feature deviation of a class."""
    values = read_gap(result, "deviation")
    return values is not None and bool(np.isfinite(values).any())


def draw_deviation(entry: Entry, key: str) -> bool:
    """Draw the feature deviation of each class beside what sampling alone gives. False where the run has none."""
    values, equal, expected = (
        read_gap(entry.result, name) for name in ("deviation", "deviation_equal_size", "deviation_expected")
    )
    if values is None or equal is None or expected is None or not has_deviation(entry.result):
        return False
    one = Deviations(entry.key, entry.label, values, equal, expected)
    classes, counts = list_classes(entry.result)
    draw_heading(words.DEVIATION, DEVIATION_HELP)
    figure = partial(deviations.figure, one, classes, counts, measure=words.DEVIATION_AXIS)
    draw_chart(figure, f"chart-deviation-{key}", deviations.alt(one, classes, measure=words.DEVIATION))
    st.markdown(describe_deviation(values, expected, counts))
    draw_numbers(f"deviation-{key}", lambda: deviations.table(one, classes, counts), words.DEVIATION)
    return True


def describe_deviation(values: np.ndarray, expected: np.ndarray, counts: Sequence[float]) -> str:
    """Return how far the smallest class's means lie apart, beside what sampling alone gives; both [R, C]."""
    small = int(np.argmin(counts))
    own, chance = float(centre(values)[small]), float(centre(expected)[small])
    if not (math.isfinite(own) and math.isfinite(chance)):
        return words.DEVIATION_FEW
    return words.DEVIATION_SAID.format(own=escape(f"{own:.3g}"), expected=escape(f"{chance:.3g}"))


def _draw_dots(series: Sequence[Dots], entries: Sequence[Entry], key: str, title: str, measure: str, help: str) -> None:
    classes, counts = list_classes(entries[0].result)
    draw_heading(title, help)
    figure = partial(before_after.figure, series, classes, counts, measure=measure)
    draw_chart(figure, f"chart-{key}", before_after.alt(series, classes, measure=title))


def describe_gap(result: Result) -> str:
    """Return what the net gap and its change mean."""
    net = result.gap.get("net", {})
    before, after, change = (read_interval(net.get(name), result) for name in ("before", "after", "difference"))
    text = words.GAP_CHANGE.format(
        before=f"{before.mean:.3f}", after=f"{after.mean:.3f}", change=escape(format_signed(change.mean, 3))
    )
    return f"{text} {_judge_change(change)}"


def _judge_change(change: Interval) -> str:
    """Return what a change of the gap is, as far as its interval says."""
    said = words.GAP_SAID
    if change.mean == 0:
        return said["same"]
    if math.isnan(change.low):
        return said["one"]
    if not (change.below_zero or change.above_zero):
        return said["none"]
    if abs(change.mean) < SHOWN:
        return said["tiny"]
    return said["smaller"] if change.below_zero else said["larger"]


def draw_gap_table(entries: Sequence[Entry], key: str) -> None:
    """Draw the numbers of the gap in an expander."""
    _draw_table(entries, read_gap, f"gap-{key}", words.GAP)


def draw_norm_table(entries: Sequence[Entry], key: str) -> None:
    """Draw the numbers of the weight norms in an expander."""
    _draw_table(entries, read_norms, f"norm-{key}", words.NORMS)


def _draw_table(entries: Sequence[Entry], read: Read, key: str, title: str) -> None:
    with draw_fold(title, f"numbers-{key}", ":material/table:") as fold:
        if fold.open:
            table = make_table(entries, read)
            st.dataframe(table, hide_index=True, alt=title)
            share.offer_table(table, key, key, title)


def draw_outcomes(result: Result, entry: Entry, key: str) -> bool:
    """Draw the gap of correctly classified test rows and of errors, by true class. False where there is none."""
    right, wrong = read_gap(result, "correct"), read_gap(result, "errors")
    if right is None or wrong is None:
        return False
    series = [Dots(entry.key, words.OUTCOMES_STATES[0], right, hollow=True), Dots(entry.key, words.OUTCOMES_STATES[1], wrong)]
    _draw_dots(series, [entry], f"outcome-{key}", words.OUTCOMES, words.GAP_AXIS, words.OUTCOMES_HELP)
    both = np.isfinite(centre(right)) & np.isfinite(centre(wrong))
    further = int((centre(wrong)[both] > centre(right)[both]).sum())
    st.markdown(words.OUTCOMES_SAID.format(further=further, both=int(both.sum())) if both.any() else words.NO_OUTCOMES)
    return True


def draw_equal_sizes(result: Result, entry: Entry, key: str) -> bool:
    """Draw the gap with equally many rows of every class, which removes the effect of sample size.
    False where there is none."""
    every, equal = read_gap(result, "before"), read_gap(result, "equal_size")
    if every is None or equal is None:
        return False
    series = [Dots(entry.key, words.EQUAL_STATES[0], every, hollow=True), Dots(entry.key, words.EQUAL_STATES[1], equal)]
    _draw_dots(series, [entry], f"equal-{key}", words.EQUAL, words.GAP_AXIS, words.EQUAL_HELP)
    st.markdown(describe_equal_sizes(every, equal, *list_classes(result)))
    return True


def describe_equal_sizes(every: np.ndarray, equal: np.ndarray, classes: Sequence[str], counts: Sequence[float]) -> str:
    """Return how far the smallest class lies above the largest, on all rows [R, C] and on equally many."""
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    excess, left = (float(centre(v)[small] - centre(v)[large]) for v in (every, equal))
    if not (math.isfinite(excess) and math.isfinite(left)):
        return words.EQUAL_FEW
    names = {"small": escape(classes[small], 30), "large": escape(classes[large], 30)}
    return words.EQUAL_SAID.format(excess=escape(f"{excess:.3g}"), left=escape(f"{left:.3g}"), **names)


def draw_norms(entries: Sequence[Entry], key: str, wide: bool = False, *, numbers: bool = True) -> bool:
    """Draw the weight norms of the run and of plain training per class. False where the first entry has none."""
    series = list_series(entries, read_norms)
    if not series:
        return False
    _draw_dots(series, entries, f"norm-{key}", words.NORMS, words.NORMS_AXIS, NORM_HELP)
    result = entries[0].result
    st.markdown(describe_norms(result, list_classes(result)[1]))
    if numbers:
        draw_norm_table(entries, key)
    return True


def draw_factors(entry: Entry, key: str) -> bool:
    """Draw what each class's output weights were multiplied by. False where they changed otherwise, or not at all."""
    values, (classes, counts) = entry.result.arrays.get("factors"), list_classes(entry.result)
    if values is None or np.asarray(values).shape[1:] != (len(classes),):
        return False
    _draw_dots(
        [Dots(entry.key, words.FILM_THIS, values)], [entry], f"factors-{key}", words.FACTORS, words.FACTORS_AXIS, NORM_HELP
    )
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    names = {"small": escape(classes[small], 30), "large": escape(classes[large], 30)}
    of_small, of_large = (f"{float(centre(values)[c]):.2f}".replace("-", "−") for c in (small, large))
    st.markdown(words.FACTORS_SAID.format(of_small=of_small, of_large=of_large, **names))
    return True


def describe_norms(result: Result, counts: Sequence[float]) -> str:
    """Return how long the smallest class's weights are beside the largest's, before and after, and whether that has changed."""
    before, after = read_norms(result, "before"), read_norms(result, "after")
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    if before is None or after is None:
        return words.NORMS_MEANS["none"]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [values[:, small] / values[:, large] for values in (before, after)]
    if not all(np.isfinite(share).any() for share in shares):
        return words.NORMS_MEANS["none"]
    text = words.NORMS_SAID.format(before=float(centre(shares[0][:, None])[0]), after=float(centre(shares[1][:, None])[0]))
    if before.shape == after.shape and np.allclose(before, after, equal_nan=True):
        return f"{text} {words.NORMS_MEANS['same']}"
    nearer = np.abs(1 - shares[1]) - np.abs(1 - shares[0])
    change = intervals.corrected_t(nearer, result.test_share, (-np.inf, np.inf))
    if change.n < 2 or not (change.above_zero or change.below_zero):
        return f"{text} {words.NORMS_MEANS['unclear']}"
    return f"{text} {words.NORMS_MEANS['more' if change.below_zero else 'less']}"


def make_table(entries: Sequence[Entry], read: Read) -> pd.DataFrame:
    """Return means with the 95% interval over replicates where there are several, one row a class, two columns a run.

    Norms that a last layer has changed have a third one, how many times longer they are: of learnable weight scaling, the factors."""
    classes, counts = list_classes(entries[0].result)
    columns: dict[str, Any] = {"class": list(classes), "training rows": [f"{c:,.0f}" for c in counts]}
    for entry in entries:
        for state, title in zip(("before", "after"), words.STATES, strict=True):
            values = read(entry.result, state)
            if values is None or values.shape[1] != len(classes) or not np.isfinite(values).any():
                continue
            cells = [intervals.corrected_t(values[:, c], entry.result.test_share, EITHER) for c in range(len(classes))]
            columns[f"{entry.label}, {title}"] = [format_interval(one, 3) for one in cells]
        times = _relate_norms(entry.result, len(classes)) if read is read_norms else None
        if times is not None:
            cells = [intervals.corrected_t(times[:, c], entry.result.test_share, EITHER) for c in range(len(classes))]
            columns[words.NORM_TIMES.format(label=entry.label)] = [format_interval(one, 3) for one in cells]
    return pd.DataFrame(columns)


def _relate_norms(result: Result, classes: int) -> np.ndarray | None:
    """Return weight norms after over before [R, C]; None where the last layer has not changed."""
    before, after = read_norms(result, "before"), read_norms(result, "after")
    if before is None or after is None or before.shape != after.shape or after.shape[1] != classes:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        times: np.ndarray = after / before
    return None if np.allclose(before, after, equal_nan=True) else times


def read_interval(values: Mapping[str, Any] | None, result: Result) -> Interval:
    """Return an interval from a result's JSON; NaN where there is none."""
    ends = values or {}
    mean, low, high = (np.nan if ends.get(name) is None else float(ends[name]) for name in ("mean", "low", "high"))
    return Interval(mean, low, high, result.n, result.interval)
