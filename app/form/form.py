"""The form of a run, made from the catalog: dataset, imbalance, method with its fields, and protocol. It returns a RunSpec.

Widgets keep their values under these keys, so that a link or a reopened run can fill the form before it is drawn:
`dataset`, `method`, `cut`, `profile`, `where.PROFILE`, `ratio`, `rate`, `protocol`, `folds`, `seeds`, `seed`, `device`,
`d.DATASET.FIELD`, `p.METHOD.KIND OF DATA.FIELD` (a method may have other defaults on another kind), `points.DATASET` (added points).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.form.dataset import choose_dataset, draw_options
from app.form.fields import choose_method, draw_menu, draw_method_fields, guess_seconds, widget_value
from app.form.imbalance import AS_IT_COMES, CUT, choose_imbalance
from app.form.protocol import BY_HAND, CUSTOM, RAISED, choose_device, choose_protocol, choose_seed, count_folds, list_protocols
from app.words import lab as words
from app.words.text import escape, format_count
from engine.errors import BadInput
from engine.spec import RunSpec, limits
from engine.spec.points import decode_points
from engine.spec.run import find_entry
from engine.sweep.cost import estimate_cost

LEFT_OUT = 5
"""Files that could not be read and are said at most."""


def fill_form(spec: RunSpec, device: str, catalog: Mapping[str, Any], *, by_hand: bool = True) -> None:
    """Make the form show a completed spec. Call it before the form is drawn.

    by_hand: somebody chose the replicates; else they are careful where one split cannot tell.
    """
    imbalance, state = spec.imbalance, st.session_state
    state[BY_HAND], state[RAISED] = by_hand, False
    state["dataset"], state["method"], state["device"] = spec.dataset, spec.method, device
    state["cut"] = AS_IT_COMES if imbalance.profile == "native" else CUT
    state["profile"] = "ratio" if imbalance.profile == "native" else imbalance.profile
    if imbalance.ratio is not None:
        state["ratio"] = imbalance.ratio
    if imbalance.rate is not None:
        state["rate"] = imbalance.rate
    state[f"where.{state['profile']}"] = imbalance.where if imbalance.profile != "native" else "all"
    entry, method = find_entry(catalog, "datasets", spec.dataset), find_entry(catalog, "methods", spec.method)
    named = next((name for name, shape in list_protocols(entry).items() if shape == (spec.folds, spec.seeds)), CUSTOM)
    state[f"points.{spec.dataset}"] = spec.points
    state["protocol"], state["folds"], state["seeds"], state["seed"] = named, spec.folds, spec.seeds, spec.seed
    for prefix, described_by, values in (
        (f"d.{spec.dataset}", entry, spec.data),
        (f"p.{spec.method}.{entry['kind']}", method, spec.params),
    ):
        for described in described_by["fields"]:
            state[f"{prefix}.{described['name']}"] = widget_value(described, values[described["name"]])


def draw_form(catalog: Mapping[str, Any], known: tuple[RunSpec, float] | None = None) -> tuple[RunSpec | None, str]:
    """Draw the form; return the completed spec and the device. The spec is None where it cannot be run; the form says why.

    known: a run and its seconds; those of a run of the same method are estimated by them.
    """
    entry = choose_dataset(catalog)
    method = choose_method(catalog, entry)
    usual, cost = st.container(), st.container()
    with st.container(key="form-folds", gap=None):
        rows, settings = st.expander(words.ROWS_FOLD), st.expander(words.METHOD_FOLD)
        with st.expander(words.DATA_FOLD):
            seed = choose_seed()
            data, wrong = draw_options(entry)
            points = show_points(entry["name"]) if entry["kind"] == "points" else ""
            for sentence in list(catalog.get("unreadable", ()))[:LEFT_OUT]:
                st.caption(escape(sentence, 300))
        with settings:
            with st.popover(words.ALL_METHODS, key="method-menu", icon=":material/list:", on_change="rerun") as menu:
                if menu.open:
                    fitting = [m for m in catalog["methods"] if entry["kind"] in m["kinds"]]
                    draw_menu(
                        fitting, lambda one: guess_seconds(one, entry), (method["name"],),
                        lambda name: st.session_state.update({"method": name}),
                    )  # fmt: skip
            params, more = draw_method_fields(method, entry["kind"], entry["classes"])
            device = choose_device(catalog)
    with usual:
        imbalance, trouble = choose_imbalance(entry, data, count_folds(entry), rows)
        folds, seeds = choose_protocol(entry, limits.count_test_positives(entry, data, imbalance))
    problems = wrong + ([trouble] if trouble else []) + more
    spec = None
    if not problems:
        try:
            spec = RunSpec(entry["name"], method["name"], imbalance, data, params, folds, seeds, seed, points).complete(catalog)
        except BadInput as error:
            problems = [str(error)]
    with cost:
        for problem in problems:
            st.error(escape(problem, 400))
        if spec is not None:
            time = describe_cost(estimate_cost(spec, entry, method) * find_factor(known, catalog, method["name"]))
            st.caption(words.COST.format(replicates=format_count(spec.replicates, "replicate"), time=time))
    return spec, device


def show_points(dataset: str) -> str:
    """Draw how many points were added to a set by hand, with a button that removes them; return them."""
    key = f"points.{dataset}"
    points = str(st.session_state.get(key, ""))
    if not points:
        return ""

    def remove() -> None:
        st.session_state[key] = ""

    st.caption(words.ADDED.format(points=format_count(len(decode_points(points)), "point")))
    st.button(words.REMOVE_ADDED, key="remove-points", icon=":material/delete:", on_click=remove)
    return points


def find_factor(known: tuple[RunSpec, float] | None, catalog: Mapping[str, Any], method: str) -> float:
    """Return by how much a known run of a method took longer than estimated; 1 where none is known."""
    if known is None or known[0].method != method or known[1] <= 0:
        return 1.0
    try:
        spec = known[0].complete(catalog)
        entry = find_entry(catalog, "datasets", spec.dataset)
    except BadInput:
        return 1.0
    return known[1] / estimate_cost(spec, entry, find_entry(catalog, "methods", method))


def describe_cost(seconds: float) -> str:
    """Return estimated seconds with one digit that counts: '1 s', '40 s', '3 min'."""
    if seconds < 55:
        return f"{max(1.0, float(f'{seconds:.1g}')):.0f} s"
    return f"{float(f'{max(seconds / 60, 1):.1g}'):,.0f} min"
