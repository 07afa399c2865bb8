"""Compare's view of two runs side by side: both films in step, their measures on one scale, and what differs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import palette, pr, recalls, side_by_side
from app.charts.side_by_side import Gap
from app.frame import links
from app.marks import draw_marks
from app.parts import share
from app.parts.elements import draw_chart
from app.run import panel, stage, whatif
from app.run.shown import Shown
from app.session import lab_address, shared, visitor
from app.session.store import get_store
from app.views.compare.context import Context, View
from app.words import compare as words
from app.words import naming
from app.words.sentence import describe_setting
from app.words.text import escape, format_count
from engine.errors import BadInput, UnknownName
from engine.events import Scene
from engine.spec import RunSpec
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.stats.verdict import Verdict, describe_numbers, format_change, verdict
from engine.store import Job

PIECE = View(6, "Two runs", selections=("run", "beside"), measured=False)

LISTED = 100
"""Runs in a list at most, the newest."""


@dataclass(frozen=True)
class Pair:
    """What was chosen. lines: run -> its line in the lists; one, other: the runs; why: why one cannot be shown, '' otherwise."""

    lines: Mapping[str, str]
    run: str | None
    beside: str | None
    one: Shown | None = None
    other: Shown | None = None
    why: str = ""


def list_titles(jobs: Mapping[str, Job], names: Mapping[str, str]) -> dict[str, str]:
    """Return a line for each run: method on dataset, imbalance, replicates, seed; no two alike. names: of methods and datasets.

    A run whose spec cannot be read, such as one of another version, is left out.
    """
    lines = {}
    for id, job in jobs.items():
        try:
            spec = RunSpec.from_json(job.spec)
        except BadInput:
            continue
        how = describe_setting(spec)
        line = f"{names.get(spec.method, spec.method)} on {names.get(spec.dataset, spec.dataset)}, {how[:1].lower()}{how[1:]}"
        lines[id] = f"{line}, {format_count(spec.replicates, 'replicate')}, seed {spec.seed}"
    shown = naming.label_names(list(dict.fromkeys(lines.values())), 140)
    counts = Counter(lines.values())
    return {id: shown[line] if counts[line] == 1 else f"{shown[line]}, run {id[:6]}" for id, line in lines.items()}


def read_pair(context: Context) -> Pair:
    """Return the two chosen runs and the lists they are chosen from."""
    store, owner, catalog = get_store(), visitor.read_owner(), context.catalog
    run, beside = context.chosen.get("run"), context.chosen.get("beside")
    known = {job.id: job for job in store.jobs(owner=owner, states=("done",), limit=LISTED)}
    for id in (run, beside):
        if id is not None and id not in known:
            try:
                known[id] = store.job(id, owner)
            except UnknownName:
                continue
    names = {e["name"]: e["title"] for kind in ("methods", "datasets") for e in catalog[kind]}
    lines = list_titles({id: job for id, job in known.items() if job.kind == "run"}, names)
    for id in (run, beside):
        if id is not None and id not in lines:
            return Pair(lines, run, beside, why=panel.load_run(store, catalog, id, owner)[1] or words.PAIR_ABSENT)
    if run is None or beside is None or run == beside:
        return Pair(lines, run, beside)
    one, why = panel.load_run(store, catalog, run, owner)
    other, why_not = panel.load_run(store, catalog, beside, owner)
    missing = one is None or other is None  # deleted meanwhile
    return Pair(lines, run, beside, one, other, (why or why_not or words.PAIR_ABSENT) if missing else "")


def judge(context: Context) -> Verdict | None:
    """Return the verdict on the second run against the first, None where their difference is not a paired one."""
    pair = read_pair(context)
    if pair.one is None or pair.other is None or pair.one.result is None or pair.other.result is None:
        return None
    if not whatif.has_same_test_rows(pair.one.main.spec, pair.other.main.spec) or pair.one.result.n != pair.other.result.n:
        return None
    gap = pair.other.result.difference(pair.one.result, DEFAULT_METRIC)
    first, second = name_runs(pair.one, pair.other, context.catalog)
    return verdict(second, first, gap, pair.one.result.n, metric=METRICS[DEFAULT_METRIC][0])


def name_runs(one: Shown, other: Shown, catalog: Mapping[str, Any]) -> tuple[str, str]:
    """Return what both are called in a sentence: by their methods, else as first and second run."""
    titles = {m["name"]: m["title"] for m in catalog["methods"]}
    first, second = (titles.get(shown.main.spec.method, shown.main.spec.method) for shown in (one, other))
    return (first, second) if first != second else (words.FIRST_RUN, words.SECOND_RUN)


def draw(context: Context) -> None:
    """Draw the choice of two runs, and both."""
    pair = read_pair(context)
    if not pair.lines and pair.run is None and pair.beside is None:
        st.info(words.PAIR_NONE, icon=":material/hourglass_empty:")
        return
    left, right = st.columns(2, gap="medium")
    for column, which, label, id in (
        (left, "run", words.FIRST_RUN, pair.run), (right, "beside", words.SECOND_RUN, pair.beside)
    ):  # fmt: skip
        with column:
            _draw_list(which, label, id if id in pair.lines else None, pair.lines)
    if pair.why:
        st.error(escape(pair.why, 300), icon=":material/search_off:")
    elif pair.one is not None and pair.other is not None:
        _draw_both(pair.one, pair.other, context.catalog)
    elif pair.run is not None and pair.run == pair.beside:
        st.info(words.PAIR_SAME, icon=":material/info:")
    else:
        st.caption(words.PAIR_CHOOSE)


def _draw_list(which: str, label: str, id: str | None, lines: Mapping[str, str]) -> None:
    key, state = f"compare.{which}", st.session_state
    state[key] = id

    def taken() -> None:
        if state[key] is None or lab_address.is_run_id(state[key]):
            state["compare.chosen"][which] = state[key]

    st.selectbox(
        label,
        list(lines),
        index=None,
        format_func=lines.__getitem__,
        key=key,
        on_change=taken,
        placeholder=words.RUN_PICK,
        help=words.RUN_PICK_HELP,
    )


def _draw_both(one: Shown, other: Shown, catalog: Mapping[str, Any]) -> None:
    scenes = [_read_scene(shown) for shown in (one, other)]
    films = all(scene is not None for scene in scenes)
    with st.container(key=f"compare-pair-{one.job.state}"):
        left, right = st.columns(2, gap="medium")
        for column, shown, title, which in (
            (left, one, words.FIRST_RUN, "run"), (right, other, words.SECOND_RUN, "beside")
        ):  # fmt: skip
            with column:
                if shown.job.state == "done" and films:
                    stage.play_film(shown, 0, f"compare.player.{which}", group="compare", title=title)
                elif shown.job.state != "done":
                    state = words.STATES[shown.job.state].format(reason=shown.job.reason)
                    st.info(escape(words.PAIR_STATE.format(which=title, state=state), 300), icon=":material/hourglass_empty:")
                    panel.draw_ending(shown, shown.job.device, key=f"compare.again.{which}")
                with st.container(horizontal=True, vertical_alignment="center"):
                    links.draw_link("lab", words.OPEN_LAB, ":material/science:", run=shown.job.id)
                    if shown.entry is not None:
                        share.offer_code(shown.main.spec, catalog, f"pair-{which}")
        if one.result is None or other.result is None:
            return
        if films:
            st.caption(words.PAIR_PLANE if has_one_plane(*scenes) else words.PAIR_PLANES)
        _draw_measures(one, other, one.result, other.result, catalog)


def has_one_plane(one: Scene | None, other: Scene | None) -> bool:
    """Whether both films are drawn in the same plane with the same ends."""
    if one is None or other is None:
        return False
    return all(list(getattr(one, name)) == list(getattr(other, name)) for name in ("centre", "half", "axes"))


def _read_scene(shown: Shown) -> Scene | None:
    events = shared.read_film(get_store(), shown.job, 0, visitor.read_owner())
    return next((event for _, event in events if isinstance(event, Scene)), None)


def _draw_measures(one: Shown, other: Shown, mine: Result, theirs: Result, catalog: Mapping[str, Any]) -> None:
    """Draw the differences of all measures on one scale, both curves, and the settings that differ."""
    paired = whatif.has_same_test_rows(one.main.spec, other.main.spec) and mine.n == theirs.n
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="compare-beside-done"):
        if paired:
            draw_marks(side_by_side.draw(list_gaps(mine, theirs)), key="compare-gaps")
            st.caption(words.PAIR_SCALE.format(n=format_count(mine.n, "replicate")))
        else:
            st.caption(words.PAIR_OTHER_ROWS)
        changed = pd.DataFrame(
            list_changes(one.main.spec, other.main.spec, catalog),
            columns=[words.SETTING_NAME, words.FIRST_RUN, words.SECOND_RUN],
        )
        st.dataframe(changed, hide_index=True, alt=words.SETTINGS_DIFFER, key="compare.differing")
        measures = whatif.compare_runs(mine, theirs, paired)
        with st.container(horizontal=True, key="compare-pair-export"):
            share.offer_table(changed, "settings", "compare-differing", words.SETTINGS_DIFFER, text=list(changed))
            share.offer_table(measures, "two-runs", "compare-measures", words.MEASURES_BOTH)
    with right:
        _draw_curves(one, other, catalog)


def list_changes(one: RunSpec, other: RunSpec, catalog: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (setting, the first run's, the second's) where they differ, under the names that the forms show.

    Settings that one of two methods has not are left out: their methods differ.
    """
    fields = [f for m in catalog["methods"] if m["name"] in (one.method, other.method) for f in m["fields"]]
    labels = {f["name"]: f["label"] for f in fields}
    titles = {e["name"]: e["title"] for kind in ("methods", "datasets") for e in catalog[kind]}
    return [
        (labels.get(name, name), *(naming.format_cell(titles.get(value, value)) for value in values))
        for name, *values in whatif.find_differences(one, other)
        if one.method == other.method or "\N{EN DASH}" not in values
    ]


def list_gaps(mine: Result, theirs: Result) -> list[Gap]:
    """Return the paired differences of the measures that both have, second run minus first."""
    out = []
    for name, (label, _, _) in METRICS.items():
        if name in mine.metrics and name in theirs.metrics:
            gap = theirs.difference(mine, name)
            if math.isfinite(gap.mean):
                both = [format_change(r.metric(name).mean).removeprefix("+") for r in (mine, theirs)]
                tip = f"{words.FIRST_RUN} {both[0]}, {words.SECOND_RUN.lower()} {both[1]}.\n{describe_numbers(gap, label)}"
                out.append(Gap(label, gap, tip))
    return out


def _draw_curves(one: Shown, other: Shown, catalog: Mapping[str, Any]) -> None:
    curves, shares = [], []
    same = one.main.spec.method == other.main.spec.method
    for number, (label, shown) in enumerate(zip(name_runs(one, other, catalog), (one, other), strict=True)):
        result = shown.result
        if result is not None and "pr_recall" in result.arrays:
            ap = result.metric(DEFAULT_METRIC)
            arrays = (result.arrays["pr_recall"], np.atleast_2d(result.arrays["pr_precision"]))
            pen = palette.distinct(2)[number] if same else palette.stroke(shown.main.spec.method)
            curves.append(pr.Curve(str(number), label, *arrays, ap.mean, ap.low, ap.high, drawn=pen))
            shares.append(round(result.prevalence, 6))
    if len(curves) == 2:
        base = shares[0] if shares[0] == shares[1] else math.nan
        chance = words.CHANCE.format(value=format_change(base).removeprefix("+")) if math.isfinite(base) else ""
        draw_chart(recalls.figure(curves, base, chance), "chart-pr-beside", pr.alt(curves, base))
