"""What-if: change exactly one setting of a run, and read both runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import pr
from app.form import fields, imbalance
from app.parts import share
from app.parts.elements import draw_chart, draw_heading
from app.run import panel
from app.run.gaps import read_interval
from app.run.shown import Shown
from app.session import refusals, shared, visitor
from app.session.store import get_store
from app.words import deep as words
from app.words.text import escape, format_difference, format_interval, format_ratio
from engine.errors import BadInput
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.fields import format_value
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.spec.run import find_entry
from engine.stats import intervals
from engine.stats.intervals import Interval
from engine.store import PRIORITY_INTERACTIVE, Job

KNOBS = ("sampler", "k_neighbors", "k", "r", "loss")
"""Parameters that are offered where the method has them; the ratio is offered for every method."""
RATIO = "imbalance ratio"


def draw_what_if(shown: Shown, catalog: Mapping[str, Any], go: Callable[[str, str], object]) -> None:
    """Draw the choice of one setting and its other value, with the button that runs it beside this run.

    go(run, beside): shows both runs.
    """
    spec = shown.main.spec
    try:
        spec = spec.complete(catalog)
        method, entry = find_entry(catalog, "methods", spec.method), find_entry(catalog, "datasets", spec.dataset)
    except BadInput as error:
        st.caption(words.CANNOT_VARY.format(why=escape(error, 300)))
        return
    offered = {d["name"]: d for name in KNOBS for d in method["fields"] if d["name"] == name}
    highest, why = limits.highest_ratio(
        limits.class_counts(entry, spec.data), spec.folds, str(spec.imbalance.where), spec.imbalance.profile
    )
    knobs = [*offered, *([RATIO] if spec.imbalance.ratio is not None and highest > 1 else [])]
    if not knobs:
        st.caption(words.NO_KNOBS)
        return

    def label(name: str) -> str:
        return name if name == RATIO else str(offered[name]["label"])

    if st.session_state.get("deep.knob") not in knobs:
        st.session_state["deep.knob"] = knobs[0]
    left, right = st.columns(2)
    with left:
        knob = st.selectbox(words.CHANGE_ONE, knobs, format_func=label, key="deep.knob")
        now = format_ratio(spec.imbalance.ratio or 1) if knob == RATIO else format_value(spec.params[knob])
        st.caption(words.THIS_RUN.format(value=escape(now)))
    with right:
        other, wrong = _choose_value(spec, knob, offered.get(knob), highest, shown.job.id)
    if knob == RATIO:
        st.caption(escape(why, 300))
    for problem in wrong:
        st.error(escape(problem, 300))
    same = other is None or other == spec
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            words.RUN_BESIDE,
            type="primary",
            icon=":material/call_split:",
            key="deep.whatif",
            disabled=same or visitor.is_demo(),
            on_click=_submit,
            args=(other, shown.job, go),
        )
        if panel.caption_demo():
            return
        st.caption(words.OTHER_VALUE if same and not wrong else words.ALL_ELSE)


def _choose_value(
    spec: RunSpec, knob: str, described: Mapping[str, Any] | None, highest: float, run: str
) -> tuple[RunSpec | None, list[str]]:
    """Draw the choice of the other value; return the spec with it, and what is wrong with it."""
    if described is None:
        now = float(spec.imbalance.ratio or 1)
        stops = sorted({float(s) for s in imbalance.STEPS if s <= highest} | {now, float(highest)})
        value = st.select_slider(words.RATIO_LABEL, stops, value=now, key=f"deep.w.{run}.ratio", format_func=format_ratio)
        skew = spec.imbalance
        return spec.with_(imbalance=Imbalance(skew.profile, float(value), None, skew.where)), []
    values, wrong = fields.draw_fields([dict(described) | {"default": spec.params[knob]}], f"deep.w.{run}", spec.method)
    if wrong:
        return None, wrong
    return spec.with_(params=dict(spec.params) | values), []


def _submit(spec: RunSpec, job: Job, go: Callable[[str, str], object]) -> None:
    asked: dict[str, Any] = {"fingerprint": job.fingerprint, "owner": job.owner, "asker": visitor.read_owner()}
    with refusals.Reported():
        submitted = get_store().submit(spec, device=job.device, priority=PRIORITY_INTERACTIVE, **asked)
        go(job.id, submitted.id)


def list_settings(spec: RunSpec) -> dict[str, str]:
    """Return everything a run was asked, by name."""
    skew = spec.imbalance
    settings = {"dataset": spec.dataset, "method": spec.method, "imbalance": skew.profile}
    settings |= {RATIO: format_ratio(skew.ratio)} if skew.ratio is not None else {}
    settings |= {"share removed": format_value(skew.rate)} if skew.rate is not None else {}
    settings |= {
        "where it is made": str(skew.where),
        "folds": str(spec.folds),
        "seeds": str(spec.seeds),
        "seed": str(spec.seed),
    }
    settings |= {f"data: {name}": format_value(value) for name, value in spec.data.items()}
    return settings | {name: format_value(value) for name, value in spec.params.items()}


def find_differences(one: RunSpec, other: RunSpec) -> list[tuple[str, str, str]]:
    """Return (setting, this run's, the other's) where they differ; '–': the run has no such setting."""
    mine, theirs = list_settings(one), list_settings(other)
    names = list(dict.fromkeys([*mine, *theirs]))
    return [(n, mine.get(n, "–"), theirs.get(n, "–")) for n in names if mine.get(n) != theirs.get(n)]


def has_same_test_rows(one: RunSpec, other: RunSpec) -> bool:
    """Whether both runs were tested on the same rows in every replicate; only then is a difference a paired one."""
    if any(getattr(one, name) != getattr(other, name) for name in ("dataset", "folds", "seeds", "seed")):
        return False
    # `given` moves validation rows to training and leaves the test rows as they are
    if dict(one.data) | {"given": 0} != dict(other.data) | {"given": 0}:
        return False
    return one.imbalance == other.imbalance or one.imbalance.where == other.imbalance.where == "train"


def compare_runs(one: Result, other: Result, paired: bool) -> pd.DataFrame:
    """Return the measures of both runs, one row a measure; the difference (other minus this) only where it is paired."""
    rows = []

    def add(label: str, mine: Interval, theirs: Interval, gap: Interval | None) -> None:
        row = {"measure": label, "this run": format_interval(mine, 3), "the other": format_interval(theirs, 3)}
        rows.append(row | ({"difference": format_difference(gap)} if gap is not None else {}))

    for name, (label, _, _) in METRICS.items():
        if name in one.metrics and name in other.metrics:
            add(label, one.metric(name), other.metric(name), other.difference(one, name) if paired else None)
    pairs = [(r.averages.get("minority", {}), "Minority classes: ") for r in (one, other)]
    if pairs[0][0].get("classes") == pairs[1][0].get("classes"):
        for name, word in (("recall", "recall"), ("precision", "precision"), ("f1", "F1")):
            _add_measure(
                add, one, other, paired, f"Minority classes, mean {word}", *(averages.get(name) for averages, _ in pairs)
            )
    for state in ("before", "after"):
        label = f"Net gap {state} (features' units)"
        _add_measure(add, one, other, paired, label, *(r.gap.get("net", {}).get(state) for r in (one, other)))
    return pd.DataFrame(rows)


def _add_measure(add: Any, one: Result, other: Result, paired: bool, label: str, mine: Any, theirs: Any) -> None:
    """Add a measure that is kept as {mean, low, high, values}."""
    if not mine or not theirs:
        return
    gap = None
    if paired:
        values = [np.array([np.nan if v is None else v for v in measure["values"]], dtype=float) for measure in (theirs, mine)]
        gap = intervals.difference_interval(*values, one.test_share)
    add(label, read_interval(mine, one), read_interval(theirs, other), gap)


def draw_beside(shown: Shown, other: Shown, key: str = "deep") -> None:
    """Draw both runs: settings and measures that differ. key: begins the keys of the widgets."""
    draw_heading(words.DIFFERS, words.DIFFERS_HELP)
    changed = find_differences(shown.main.spec, other.main.spec)
    table = pd.DataFrame(changed, columns=["setting", "this run", "the other"])
    st.dataframe(table, hide_index=True, alt="Settings that differ between the two runs", key=f"{key}.differing")
    if any("–" in row[1:] for row in changed):
        st.caption(words.LACKS)
    share.offer_table(table, "settings", f"{key}-differing", "Settings that differ between the two runs", text=list(table))
    if other.result is None:
        with st.container(key=f"{key}-beside-{other.job.state}"):
            panel.draw_ending(other, other.job.device, key=f"{key}.beside.again")
            if other.job.active:
                st.fragment(_draw_progress, run_every=2 * panel.TICK)(other.job.id, other.job.state, key)
        return
    if shown.result is None:
        return
    paired = has_same_test_rows(shown.main.spec, other.main.spec)
    with st.container(key=f"{key}-beside-done"):
        draw_heading(words.MEASURES, words.MEASURES_HELP)
        n = shown.result.n
        measures, alt = compare_runs(shown.result, other.result, paired), "Measures of both runs with their difference"
        st.dataframe(measures, hide_index=True, alt=alt, key=f"{key}.compare")
        note = f"n = {n}" if n == other.result.n else f"n = {n} and {other.result.n}"
        st.caption((words.PAIRED if paired else words.NOT_PAIRED).format(n=note))
        share.offer_table(measures, "two-runs", f"{key}-compare", f"{alt}; {note}; {shown.result.interval}")
        _draw_curves(shown, other)


def _draw_curves(shown: Shown, other: Shown) -> None:
    results = [(key, s.result) for key, s in ((shown.main.key, shown), ("beside", other)) if s.result is not None]
    names = ["this run", "the other"]
    curves = []
    for (key, result), label in zip(results, names, strict=True):
        if "pr_recall" in result.arrays:
            ap = result.metric(DEFAULT_METRIC)
            arrays = (result.arrays["pr_recall"], np.atleast_2d(result.arrays["pr_precision"]))
            curves.append(pr.Curve(key, label, *arrays, ap.mean, ap.low, ap.high))
    if len(curves) == 2:
        draw_chart(
            partial(pr.figure, curves, results[0][1].prevalence), "chart-pr-beside", pr.alt(curves, results[0][1].prevalence)
        )


def _draw_progress(run: str, state: str, key: str) -> None:
    """Draw the progress of the other run. A fragment."""
    store, owner = get_store(), visitor.read_owner()
    job = store.job(run, owner)
    if job.state != state and not job.active:
        st.rerun()
    panel.draw_progress(store, job, bool(shared.read_engines(store)), owner)
    if not visitor.is_demo():
        st.button("Cancel", key=f"{key}.beside.cancel", icon=":material/stop:", on_click=panel.cancel_jobs, args=([run],))


def describe_change(one: RunSpec, other: RunSpec, most: int = 3) -> str:
    """Return 'k_neighbors 5, loss focal': how the other run differs, `most` settings of it."""
    changed: Sequence[tuple[str, str, str]] = find_differences(one, other)
    text = ", ".join(f"{name} {theirs}" for name, _, theirs in changed[:most] if theirs != "–")
    more = len(changed) - most
    return (text or "the same settings") + (f" and {more} more" if more > 0 else "")
