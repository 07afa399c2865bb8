"""The plan of a sweep: datasets, methods, ratios and replicates, and how many runs that is.
Its widgets' keys begin with `plan.`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app.form import dataset, imbalance
from app.form.fields import draw_menu, guess_seconds
from app.parts import quota
from app.session import visitor
from app.words import compare as words
from app.words import lab, naming
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
PROTOCOLS = {"4": (4, 1), "12": (4, 3), "20": (4, 5)}
"""Replicates -> folds and seeds."""
USUAL = "12"
LISTED = 6
"""Impossible cells that are listed at most."""


def first_plan(catalog: Mapping[str, Any]) -> SweepSpec:
    """Return the plan of a first visit. All of it is possible, and it gives first results within a minute or two."""
    here = [d for d in catalog["datasets"] if d["kind"] != "images" and dataset.is_available(d)] or list(catalog["datasets"])
    names = [d["name"] for d in here]
    datasets = [n for n in DATASETS if n in names] or names[:1]
    offered = list_methods(catalog)
    places = {m["name"]: catalog_field(m, "suggested") for m in catalog["methods"] if m["name"] in offered}
    methods = sorted((n for n, place in places.items() if place is not None), key=lambda n: (places[n], n)) or [BASELINE]
    folds, seeds = PROTOCOLS[USUAL]
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
    named = next((name for name, shape in PROTOCOLS.items() if shape == (spec.folds, spec.seeds)), words.CUSTOM)
    state["plan.protocol"], state["plan.folds"], state["plan.seeds"] = named, spec.folds, spec.seeds
    state["plan.seed"], state["plan.where"] = spec.seed, spec.where


def draw_plan(catalog: Mapping[str, Any]) -> tuple[SweepSpec | None, str]:
    """Draw the widgets; return the plan, or None and what is wrong with it in a sentence."""
    state = st.session_state
    titles = naming.label_names([d["title"] for d in catalog["datasets"]])
    names = {d["name"]: titles[d["title"]] for d in catalog["datasets"]}
    # without "Select all", which would be the marked entry: Enter would add everything that the typed text fits
    datasets = st.multiselect(
        words.DATASETS, list(names), format_func=names.__getitem__, key="plan.datasets", help=words.PICK, select_all=False
    )
    offered = list_methods(catalog)
    methods = st.multiselect(
        words.METHODS,
        list(offered),
        format_func=offered.__getitem__,
        key="plan.methods",
        help=f"{words.PICK} {words.METHODS_HELP}",
        select_all=False,
    )
    first = next((d for d in catalog["datasets"] if d["name"] in datasets), None)
    with st.popover(lab.ALL_METHODS, key="plan-menu", icon=":material/list:", on_change="rerun") as menu:
        if menu.open and first is not None:
            fitting = [m for m in catalog["methods"] if m["name"] in offered and first["kind"] in m["kinds"]]
            draw_menu(fitting, partial(guess_seconds, entry=first), methods, _switch_method, "plan-menu-list")
    ratios = st.pills(
        words.RATIOS,
        sorted({*OFFERED, *(r for r in state.get("plan.ratios", []) if 1 <= r <= MAX_RATIO)}),
        selection_mode="multi",
        format_func=format_ratio,
        key="plan.ratios",
        help=words.RATIOS_HELP,
    )
    protocol = st.segmented_control(
        words.REPLICATES,
        [*PROTOCOLS, words.CUSTOM],
        key="plan.protocol",
        required=True,
        help=words.REPLICATES_HELP,
        width="stretch",
    )
    folds, seeds = PROTOCOLS.get(protocol or "", (int(state.get("plan.folds", 4)), int(state.get("plan.seeds", 3))))
    if protocol == words.CUSTOM:
        left, right = st.columns(2)
        state.setdefault("plan.folds", folds)
        state.setdefault("plan.seeds", seeds)
        folds = int(left.number_input(words.FOLDS, 1, 10, key="plan.folds", help=words.FOLDS_HELP))
        seeds = int(right.number_input(words.SEEDS, 1, 100, key="plan.seeds"))
    with st.expander(words.MORE_SETTINGS):
        where = st.radio(
            words.WHERE,
            list(imbalance.WHERE_NAMES),
            format_func=imbalance.WHERE_NAMES.__getitem__,
            key="plan.where",
        )
        seed = st.number_input(words.SEED, 0, 2**31 - 1, key="plan.seed", help=words.SEED_HELP)
    for what, chosen in (("dataset", datasets), ("method", methods), ("ratio", ratios)):
        if not chosen:
            return None, words.CHOOSE.format(what=what)
    try:
        return SweepSpec(tuple(datasets), tuple(methods), tuple(sorted(ratios)), where, folds, seeds, int(seed)), ""
    except BadInput as error:
        return None, str(error)


def _switch_method(name: str) -> None:
    """Add a method to the plan, or take it out."""
    chosen = list(st.session_state.get("plan.methods", []))
    st.session_state["plan.methods"] = [one for one in chosen if one != name] if name in chosen else [*chosen, name]


def list_absent(spec: SweepSpec, catalog: Mapping[str, Any]) -> list[str]:
    """Return why datasets of the plan cannot be trained on here, one sentence each."""
    return [
        words.ABSENT.format(title=d["title"], how=d["how_to_get"])
        for d in catalog["datasets"]
        if d["name"] in spec.datasets and not dataset.is_available(d)
    ]


def describe_replicates(each: Sequence[int]) -> str:
    """Return '12 replicates', or '3 to 12 replicates' where datasets with test rows of their own have fewer.
    each: one a run."""
    least, most = min(each), max(each)
    return format_count(most, "replicate") if least == most else f"{least} to {format_count(most, 'replicate')}"


def describe_cost(standing: Standing) -> str:
    """Return what running the plan takes, and what of it is stored."""
    total = len(standing.cells)
    if not total:
        return ""
    if standing.done == total:
        return words.COST_NOTHING.format(runs=format_count(total, "run"))
    if standing.seconds_missing is not None:
        text = words.COST.format(time=format_duration(standing.seconds_missing))
    else:
        rough = sum(c.cell.cost for c in standing.cells if c.state != "done")
        text = words.COST_ROUGH.format(time=format_duration(rough))
    return f"{text} {words.COST_STORED.format(stored=standing.done, total=total)}" if standing.done else text


def describe_change(form: SweepSpec, shown: SweepSpec, catalog: Mapping[str, Any]) -> str:
    """Return what a plan has that the shown one has not: '5 datasets', '20 replicates', 'Iris'; '' where they are equal."""
    for kind, noun in (("datasets", "dataset"), ("methods", "method"), ("ratios", "ratio")):
        mine, theirs = getattr(form, kind), getattr(shown, kind)
        if set(mine) == set(theirs):
            continue
        if len(mine) != len(theirs):
            return format_count(len(mine), noun)
        new = [one for one in mine if one not in theirs]
        titles = {e["name"]: e["title"] for e in catalog[kind]} if kind in catalog else {}
        return ", ".join(titles[one] if titles else format_ratio(one) for one in new)
    if (form.folds, form.seeds) != (shown.folds, shown.seeds):
        return describe_replicates(form.replicates(catalog))
    if form.seed != shown.seed:
        return f"{words.SEED.lower()} {form.seed}"
    return words.OTHER_ROWS if form.where != shown.where else ""


def describe_setting(spec: SweepSpec) -> str:
    """Return '4 datasets, 3 ratios'."""
    return words.SETTING.format(
        datasets=format_count(len(spec.datasets), "dataset"), ratios=format_count(len(spec.ratios), "ratio")
    )


def draw_impossible(spec: SweepSpec, catalog: Mapping[str, Any]) -> None:
    """Draw how much of the plan is not possible; each with its reason when opened."""
    cells = spec.impossible(catalog)
    if not cells:
        return
    lines = []
    for one in cells:
        what = " · ".join(x for x in (one.dataset, one.method, format_ratio(one.ratio) if one.ratio is not None else "") if x)
        lines.append(f"- {escape(what, 90)}: {escape(one.reason, 300)}")
    more = [f"- {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    with st.expander(words.LEFT_OUT.format(count=len(cells)), key="plan-impossible"):
        st.caption("\n".join([*lines[:LISTED], *more]))


def draw_bar(catalog: Mapping[str, Any], spec: SweepSpec | None, wrong: str, standing: Standing | None) -> bool:
    """Draw the button that runs the plan, with its time; return whether it was pressed. standing: of the plan."""
    with st.container(key="run-bar"):
        missing = 0 if standing is None else standing.missing + standing.failed
        lacking = list_absent(spec, catalog) if spec is not None else []
        pressed = st.button(
            words.RUN.format(runs=format_count(missing, "run"))
            if missing or standing is None
            else words.RUN_ACTIVE
            if standing.active
            else words.RUN_NONE,
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
        if spec is not None and standing is not None and not lacking and (missing or not standing.active):
            st.caption(describe_cost(standing))
            quota.draw_asked()
        if spec is not None:
            draw_impossible(spec, catalog)
    return pressed
