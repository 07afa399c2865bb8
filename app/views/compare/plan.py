"""The plan of a sweep: datasets, methods, ratios and protocol, and how many runs that is.
Its widgets' keys begin with `plan.`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.form import dataset, imbalance
from app.session import visitor
from app.words import naming
from app.words.text import escape, format_count, format_duration, format_ratio
from engine.errors import BadInput
from engine.spec import limits
from engine.spec.companions import BASELINE, ORACLE
from engine.spec.fields import catalog_field
from engine.spec.run import MAX_RATIO
from engine.sweep import SweepSpec
from engine.sweep.standing import Standing

DATASETS = ("clusters", "breast-cancer")
RATIOS = (5.0, 20.0, 50.0)
"""What a first visitor finds, as far as the catalog has it: small data on which there is something to gain. Methods: `suggested`."""
OFFERED = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
PROTOCOLS = {"Quick": (4, 1), "Usual": (4, 3), "Careful": (4, 5)}
CUSTOM = "Custom"
LISTED = 6
"""Impossible cells that are listed before an expander takes the rest."""


def first_plan(catalog: Mapping[str, Any]) -> SweepSpec:
    """Return the plan of a first visit. All of it is possible, and it gives first results within a minute or two."""
    here = [d for d in catalog["datasets"] if d["kind"] != "images" and dataset.is_available(d)] or list(catalog["datasets"])
    names = [d["name"] for d in here]
    datasets = [n for n in DATASETS if n in names] or names[:1]
    offered = list_methods(catalog)
    places = {m["name"]: catalog_field(m, "suggested") for m in catalog["methods"] if m["name"] in offered}
    methods = sorted((n for n, place in places.items() if place is not None), key=lambda n: (places[n], n)) or [BASELINE]
    folds, seeds = PROTOCOLS["Usual"]
    lowest = min(
        limits.highest_ratio(limits.class_counts(d, {}), folds, "all")[0] for d in catalog["datasets"] if d["name"] in datasets
    )
    ratios = [r for r in RATIOS if r <= lowest] or [max(1.0, lowest)]
    return SweepSpec(tuple(datasets), tuple(methods), tuple(ratios), folds=folds, seeds=seeds)


def list_methods(catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> title of the methods that can be chosen: all but the oracle, which is part of every cell."""
    return {m["name"]: m["title"] for m in catalog["methods"] if m["name"] != ORACLE}


def fill_plan(spec: SweepSpec) -> None:
    """Make the widgets show a plan. To be called before they are drawn."""
    state = st.session_state
    state["plan.datasets"], state["plan.ratios"] = list(spec.datasets), sorted(spec.ratios)
    state["plan.methods"] = [name for name in spec.methods if name != ORACLE]
    named = next((name for name, shape in PROTOCOLS.items() if shape == (spec.folds, spec.seeds)), CUSTOM)
    state["plan.protocol"], state["plan.folds"], state["plan.seeds"] = named, spec.folds, spec.seeds
    state["plan.seed"], state["plan.where"] = spec.seed, spec.where


def draw_plan(catalog: Mapping[str, Any]) -> tuple[SweepSpec | None, str]:
    """Draw the widgets; return the plan, or None and what is wrong with it in a sentence."""
    state = st.session_state
    titles = naming.label_names([d["title"] for d in catalog["datasets"]])
    names = {d["name"]: titles[d["title"]] for d in catalog["datasets"]}
    datasets = st.multiselect(
        "Datasets", list(names), format_func=names.__getitem__, key="plan.datasets", help="Type to search."
    )
    offered = list_methods(catalog)
    methods = st.multiselect(
        "Methods",
        list(offered),
        format_func=offered.__getitem__,
        key="plan.methods",
        help="Plain training is below every method, and the potential (an oracle that has the withheld rows back) above, by themselves.",
    )
    ratios = st.pills(
        "Ratios, largest to smallest class",
        sorted({*OFFERED, *(r for r in state.get("plan.ratios", []) if 1 <= r <= MAX_RATIO)}),
        selection_mode="multi",
        format_func=format_ratio,
        key="plan.ratios",
    )
    protocol = st.pills(
        "How careful",
        [*PROTOCOLS, CUSTOM],
        key="plan.protocol",
        required=True,
        help="Folds times seeds are the replicates of every cell. Quick: "
        + ", ".join(
            f"{name if name != 'Quick' else ''} {f} folds × {format_count(s, 'seed')}".strip()
            for name, (f, s) in PROTOCOLS.items()
        )
        + ". Sets that every seed draws anew have one fold: Quick 1 seed, Careful 20. More replicates: narrower intervals, longer waiting.",
    )
    folds, seeds = PROTOCOLS.get(protocol or "", (int(state.get("plan.folds", 4)), int(state.get("plan.seeds", 3))))
    if protocol == CUSTOM:
        left, right = st.columns(2)
        state.setdefault("plan.folds", folds)
        state.setdefault("plan.seeds", seeds)
        folds = int(left.number_input("Folds", 1, 10, key="plan.folds", help="1: one 60/20/20 split."))
        seeds = int(right.number_input("Seeds", 1, 100, key="plan.seeds"))
    with st.expander("Finer points"):
        where = st.radio(
            "Where rows are withheld",
            list(imbalance.WHERE_NAMES),
            format_func=imbalance.WHERE_NAMES.__getitem__,
            key="plan.where",
        )
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, key="plan.seed", help="All random draws come from it: the same seed gives the same numbers."
        )
    for what, chosen in (("dataset", datasets), ("method", methods), ("ratio", ratios)):
        if not chosen:
            return None, f"Choose at least one {what}."
    try:
        return SweepSpec(tuple(datasets), tuple(methods), tuple(sorted(ratios)), where, folds, seeds, int(seed)), ""
    except BadInput as error:
        return None, str(error)


def list_absent(spec: SweepSpec, catalog: Mapping[str, Any]) -> list[str]:
    """Return why datasets of the plan cannot be trained on here, one sentence each."""
    return [
        f"{d['title']} is not on the engine's machine. {d['how_to_get']}"
        for d in catalog["datasets"]
        if d["name"] in spec.datasets and not dataset.is_available(d)
    ]


def describe_replicates(each: Sequence[int]) -> str:
    """Return '12 replicates', or '3 to 12 replicates' where datasets with test rows of their own have fewer.
    each: one a run."""
    least, most = min(each), max(each)
    return format_count(most, "replicate") if least == most else f"{least} to {format_count(most, 'replicate')}"


def describe_total(spec: SweepSpec, standing: Standing) -> str:
    """Return '30 runs of 12 replicates, plain training and the potential among them.
    12 are in the store already, which costs nothing.'"""
    total = len(standing.cells)
    each = describe_replicates([c.cell.spec.replicates for c in standing.cells] or [spec.folds * spec.seeds])
    text = f"{format_count(total, 'run')} of {each}, plain training and the potential among them."
    if total and standing.done == total:
        return text + " All are in the store: this costs nothing."
    if standing.done:
        text += f" {standing.done} {'is' if standing.done == 1 else 'are'} in the store already, which costs nothing."
    if standing.seconds_missing:
        text += f" What is missing takes about {format_duration(standing.seconds_missing)}."
    elif standing.seconds_missing is None and total:
        rough = sum(c.cell.cost for c in standing.cells if c.state != "done")
        text += f" Roughly {format_duration(rough)} on one slow core; better foreseen once the first run has ended."
    return text


def draw_impossible(spec: SweepSpec, catalog: Mapping[str, Any]) -> None:
    """Draw what of the plan is not possible, and why."""
    cells = spec.impossible(catalog)
    if not cells:
        return
    lines = []
    for one in cells:
        what = " · ".join(x for x in (one.dataset, one.method, format_ratio(one.ratio) if one.ratio is not None else "") if x)
        lines.append(f"- {escape(what, 90)}: {escape(one.reason, 300)}")
    with st.container(key="plan-impossible"):
        st.caption(f"Left out, since it cannot be ({len(cells)}):\n" + "\n".join(lines[:LISTED]))
        if len(lines) > LISTED:
            with st.expander(f"{len(lines) - LISTED} more"):
                st.caption("\n".join(lines[LISTED:]))


def draw_bar(catalog: Mapping[str, Any], spec: SweepSpec | None, wrong: str, standing: Standing | None) -> bool:
    """Draw the button with one line on what it does; return whether it was pressed."""
    with st.container(key="run-bar"):
        missing = 0 if standing is None else standing.missing + standing.failed
        label = "Start" if standing is None or not standing.done else "Run what is missing"
        lacking = list_absent(spec, catalog) if spec is not None else []
        pressed = st.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            key="run",
            disabled=not missing or bool(lacking) or visitor.is_demo(),
        )
        if wrong:
            st.caption(f":material/error: {escape(wrong, 300)}")
        for text in lacking:
            st.caption(f":material/download: {escape(text, 300)}")
        if spec is not None and standing is not None:
            st.caption(describe_total(spec, standing))
            draw_impossible(spec, catalog)
    return pressed
