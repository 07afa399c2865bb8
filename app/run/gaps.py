"""Generalization gap and weight norms per class, before and after, as pictures with their meaning in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import before_after
from app.charts.before_after import Pair
from app.charts.palette import centre
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.words.glossary import explain_terms
from app.words.text import escape, format_bounds, format_difference, format_interval
from engine.spec.result import Result, read_test_share
from engine.stats import intervals
from engine.stats.intervals import Interval

GAP_HELP = explain_terms(
    "generalization gap",
    last="For one split the brackets reach down only: resampled test rows span no more than the rows.",
)
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


def _make_places(wide: bool) -> tuple[Any, Any]:
    """Return the containers of a picture and its sentences: beside each other, or one below the other."""
    left, right = st.columns([3, 2], gap="large") if wide else (st.container(), st.container())
    return left, right


def draw_gap(entries: Sequence[Entry], key: str, wide: bool = False) -> bool:
    """Draw the gap before and after over-sampling, with its sentences (wide: beside it).
    False where the first entry has none."""
    pairs = _make_pairs(entries, read_gap, ("before", "after"))
    if not pairs:
        return False
    result, (classes, counts) = entries[0].result, list_classes(entries[0].result)
    draw_heading("Generalization gap per class", GAP_HELP)
    measure = "Gap, in units of the features"
    picture, beside = _make_places(wide)
    with picture:
        draw_chart(
            partial(before_after.figure, pairs, classes, counts, measure=measure),
            f"chart-gap-{key}",
            before_after.alt(pairs, classes, measure="Generalization gap"),
        )
    with beside:
        st.markdown(describe_gap(result))
        draw_numbers(f"gap-{key}", lambda: make_table(pairs, entries, classes, counts), "Gap before and after, one row a class")
    return True


def describe_gap(result: Result) -> str:
    """Return what the net gap and its change mean."""
    net = result.gap.get("net", {})
    before, after, change = (read_interval(net.get(name), result) for name in ("before", "after", "difference"))
    text = f"Mean over classes: **{format_interval(before, 3)}** before, **{format_interval(after, 3)}** after; "
    text += f"change {format_difference(change)}"
    text += f" ({escape(change.kind, 80)}, n = {result.n}). " if format_bounds(change) else f" (no interval, n = {result.n}). "
    if change.mean == 0:
        meaning = (
            "Nothing has changed: no synthetic row leaves the range of the real rows. SMOTE cannot, as its rows lie between rows of "
            "one class; without over-sampling there are none."
        )
    elif change.below_zero:
        meaning = (
            "The gap has narrowed: the training range now reaches further towards the test rows. Whether that helps to "
            "classify them is another question: see recall per class."
        )
    elif change.above_zero:
        meaning = "The gap has widened: the network was trained on, and its features have moved apart more than the rows fill."
    elif change.mean < 0:
        why = "there is no interval" if math.isnan(change.low) else "the interval holds 0"
        meaning = f"The gap is smaller here, but {why}: more seeds would tell."
    else:
        meaning = "No change can be told from this: more folds or seeds would tell."
    return text + meaning


def draw_outcomes(result: Result, entry: Entry, key: str) -> bool:
    """Draw the gap of correctly classified test rows and of errors, by true class. False where there is none."""
    states = ("classified correctly", "errors")
    pairs = _make_pairs([entry], read_gap, ("correct", "errors"))
    if not pairs:
        return False
    classes, counts = list_classes(result)
    draw_heading(
        "Gap of correct rows and of errors",
        "The same gap, measured on the test rows that the network gets right and on those it gets wrong, each counted with its true "
        "class. A class without errors has no mark; few errors reach less far by their number alone.",
    )
    draw_chart(
        partial(before_after.figure, pairs, classes, counts, measure="Gap, in units of the features", states=states),
        f"chart-outcome-{key}",
        before_after.alt(pairs, classes, measure="Generalization gap", states=states),
    )
    right, wrong = centre(pairs[0].before), centre(pairs[0].after)
    both = np.isfinite(right) & np.isfinite(wrong)
    further = int((wrong[both] > right[both]).sum())
    if not both.any():
        st.markdown("No class has both correct rows and errors, so there is nothing to compare.")
    else:
        st.markdown(
            f"In {further} of {int(both.sum())} classes with both, errors lie further outside the "
            "training range than correct rows. Where they do, more or wider training rows of that class are worth trying."
        )
    draw_numbers(f"outcome-{key}", lambda: before_after.table(pairs, classes, counts, states), "Gap of correct rows and errors")
    return True


def draw_equal_sizes(result: Result, entry: Entry, key: str) -> bool:
    """Draw the gap with equally many rows of every class, which removes the effect of sample size.
    False where there is none."""
    states = ("all rows", "equally many rows of every class")
    pairs = _make_pairs([entry], read_gap, ("before", "equal_size"))
    if not pairs:
        return False
    classes, counts = list_classes(result)
    draw_heading(
        "How much of it is sample size",
        "A range grows with the number of rows, so a class with few training rows has a larger gap even where nothing else is wrong. "
        "The control draws as many training and test rows of every class and averages over draws.",
    )
    draw_chart(
        partial(before_after.figure, pairs, classes, counts, measure="Gap, in units of the features", states=states),
        f"chart-equal-{key}",
        before_after.alt(pairs, classes, measure="Generalization gap", states=states),
    )
    st.markdown(describe_equal_sizes(pairs[0], classes, counts))
    draw_numbers(f"equal-{key}", lambda: before_after.table(pairs, classes, counts, states), "Gap with all and with equal rows")
    return True


def describe_equal_sizes(pair: Pair, classes: Sequence[str], counts: Sequence[float]) -> str:
    """Return how much the smallest class stands out, on all rows and on equally many."""
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    every, equal = centre(pair.before), centre(pair.after)
    ends = (every[small], every[large], equal[small], equal[large])
    if not np.isfinite(ends).all():
        return "The smallest or largest class has too few rows for this control."
    excess, left = every[small] - every[large], equal[small] - equal[large]
    text = (
        f"The smallest class ({escape(classes[small], 30)}) lies {excess:.3g} above the largest ({escape(classes[large], 30)}) "
        f"on all rows, and {left:.3g} on equally many. "
    )
    if excess <= 0:
        return text + "It does not stand out."
    if left < 0.25 * excess:
        return text + "Nearly all of what looks like an effect of imbalance is the number of rows."
    if left < 0.75 * excess:
        return text + "A part of what looks like an effect of imbalance is the number of rows."
    return text + "The number of rows does not explain the difference."


def draw_norms(entries: Sequence[Entry], key: str, wide: bool = False) -> bool:
    """Draw weight norms before and after, with their sentences (wide: beside them). False where the first entry has none."""
    after = read_norms(entries[0].result, "after")
    if after is None:
        return False
    pairs = _make_pairs(entries, read_norms, ("before", "after"))
    classes, counts = list_classes(entries[0].result)
    draw_heading("Weight norms per class", NORM_HELP)
    picture, beside = _make_places(wide)
    with picture:
        draw_chart(
            partial(before_after.figure, pairs, classes, counts, measure="L2 norm of output weights"),
            f"chart-norm-{key}",
            before_after.alt(pairs, classes, measure="L2 norm of output weights"),
        )
    with beside:
        st.markdown(describe_norms(pairs[0], counts))
        draw_numbers(
            f"norm-{key}", lambda: make_table(pairs, entries, classes, counts), "Weight norms before and after, one row a class"
        )
    return True


def describe_norms(pair: Pair, counts: Sequence[float]) -> str:
    """Return how even the norms are over the classes."""
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    shares = [v[small] / v[large] if v[large] else np.nan for v in (centre(pair.before), centre(pair.after))]
    if not np.isfinite(shares).all():
        return "Before the last layer was trained anew there were no norms to compare with."
    text = (
        f"The smallest class's weights are {shares[0]:.2f} times as long as the largest's before, {shares[1]:.2f} times after. "
    )
    if abs(shares[1] - shares[0]) < 0.02:
        return text + "The last layer treats the classes as before."
    if abs(1 - shares[1]) < abs(1 - shares[0]):
        return text + "They are more even: the last layer favours the large classes less."
    return text + "They are less even than before."


def make_table(
    pairs: Sequence[Pair], entries: Sequence[Entry], classes: Sequence[str], counts: Sequence[float]
) -> pd.DataFrame:
    """Return means with the 95% interval over replicates where there are several, one row a class."""
    share = {entry.key: read_test_share(entry.result.spec, entry.result.test_share) for entry in entries}
    columns: dict[str, Any] = {"class": list(classes), "training rows": [f"{c:,.0f}" for c in counts]}
    for pair in pairs:
        for state, values in (("before", pair.before), ("after", pair.after)):
            cells = [intervals.corrected_t(values[:, c], share[pair.key], EITHER) for c in range(len(classes))]
            columns[f"{pair.label}, {state}"] = [format_interval(one, 3) for one in cells]
    return pd.DataFrame(columns)


def read_interval(values: Mapping[str, Any] | None, result: Result) -> Interval:
    """Return an interval from a result's JSON; NaN where there is none."""
    ends = values or {}
    mean, low, high = (np.nan if ends.get(name) is None else float(ends[name]) for name in ("mean", "low", "high"))
    return Interval(mean, low, high, result.n, result.interval)


def _make_pairs(entries: Sequence[Entry], get: Any, states: tuple[str, str]) -> list[Pair]:
    """Return the entries that have both states and the first one's classes; [] where the first has not."""
    out = []
    classes = list_classes(entries[0].result)[0]
    for entry in entries:
        before, after = (get(entry.result, state) for state in states)
        if after is None or list_classes(entry.result)[0] != classes:
            continue
        out.append(Pair(entry.key, entry.label, np.full_like(after, np.nan) if before is None else before, after))
    return out if out and out[0].key == entries[0].key else []
