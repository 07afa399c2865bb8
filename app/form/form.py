"""The form of a run, made from the catalog: dataset, imbalance, method with its fields, and protocol. It returns a RunSpec.

Widgets keep their values under these keys, so that a link or a reopened run can fill the form before it is drawn:
`dataset`, `method`, `cut`, `profile`, `where.PROFILE`, `ratio`, `rate`, `protocol`, `folds`, `seeds`, `seed`, `device`,
`d.DATASET.FIELD`, `p.METHOD.KIND OF DATA.FIELD` (a method may have other defaults on another kind).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.form.dataset import choose_dataset
from app.form.fields import choose_method, draw_method_fields, widget_value
from app.form.imbalance import AS_IT_COMES, CUT, choose_imbalance
from app.form.protocol import CUSTOM, choose_protocol, count_folds, list_protocols
from app.words.text import escape
from engine.errors import BadInput
from engine.spec import RunSpec
from engine.spec.run import find_entry


def fill_form(spec: RunSpec, device: str, catalog: Mapping[str, Any]) -> None:
    """Make the form show a completed spec. Call it before the form is drawn."""
    imbalance, state = spec.imbalance, st.session_state
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
    state["protocol"], state["folds"], state["seeds"], state["seed"] = named, spec.folds, spec.seeds, spec.seed
    for prefix, described_by, values in (
        (f"d.{spec.dataset}", entry, spec.data),
        (f"p.{spec.method}.{entry['kind']}", method, spec.params),
    ):
        for described in described_by["fields"]:
            state[f"{prefix}.{described['name']}"] = widget_value(described, values[described["name"]])


def draw_form(catalog: Mapping[str, Any]) -> tuple[RunSpec | None, str]:
    """Draw the form; return the completed spec and the device. The spec is None where it cannot be run; the form says why."""
    entry, data, wrong = choose_dataset(catalog)
    method = choose_method(catalog, entry)
    folds = count_folds(entry)
    imbalance, trouble = choose_imbalance(entry, data, folds)
    params, more = draw_method_fields(method, entry["kind"])
    folds, seeds, seed, device = choose_protocol(catalog, entry)
    problems = wrong + ([trouble] if trouble else []) + more
    for problem in problems:
        st.error(escape(problem, 400))
    if problems:
        return None, device
    try:
        return RunSpec(entry["name"], method["name"], imbalance, data, params, folds, seeds, seed).complete(catalog), device
    except BadInput as error:
        st.error(escape(error, 400))
        return None, device
