"""The choice of what is compared: models, remedies, ensembles, tuning, and the ratio of the classes. All of it has a usual answer, which
follows from the time. Beside it is the list of all methods (`all_methods`): what is pressed there and is no usual remedy is a row
besides, `methods` of the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app.session.store import read_catalog
from app.views.data import all_methods
from app.words import data as words
from app.words.text import escape, format_count, format_ratio
from engine.errors import BadParameter
from engine.spec import limits
from engine.spec.companions import BASELINE
from engine.spec.comparison import ENSEMBLES, MODELS, REMEDIES, CompareSpec
from engine.spec.contest import (
    INSTALLED,
    NETWORK,
    NONE,
    ContestRow,
    find_installed,
    list_contenders,
    list_ensembles,
    list_models,
    list_rows,
    list_usual_remedies,
)

_KEYS = {"models": "data.models", "remedies": "data.remedies", "ensembles": "data.ensembles", "methods": "data.besides"}
_SAID = "data.said"
"""Session key: field of a comparison -> names that a person chose; a field that is not there is as usual."""


def list_offered() -> dict[str, tuple[str, ...]]:
    """Return what can be chosen: a field of a comparison -> names. Models that a person installs or has a file of are there."""
    catalog, there = read_catalog(), find_installed()
    models = [name for name in MODELS if name not in INSTALLED or name in there]
    remedies = [name for name in (*REMEDIES, *list_usual_remedies(catalog)) if name != NONE]
    return {
        "models": tuple(dict.fromkeys([*models, *list_models(catalog, there)])),
        "remedies": tuple(dict.fromkeys(remedies)),
        "ensembles": tuple(dict.fromkeys([*ENSEMBLES, *list_ensembles(catalog)])),
    }


def make_fields(budget: float, said: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the fields of a comparison with these choices. Rows besides need its models named: alone they would be all of it."""
    fields = {field: tuple(names) for field, names in said.items()}
    if not fields.get("methods"):
        fields.pop("methods", None)
    elif "models" not in fields:
        fields["models"] = tuple(list_usual(budget)["models"])
    return fields


def count_rows(budget: float, said: Mapping[str, Sequence[str]]) -> list[ContestRow]:
    """Return the rows of a comparison with these choices, none where nothing is left or the engine does not know them."""
    chosen: dict[str, Any] = make_fields(budget, said)
    try:
        return list_rows(CompareSpec({"file": "a"}, budget=budget, **chosen), read_catalog(), installed=find_installed())
    except BadParameter:
        return []


def list_usual(budget: float) -> dict[str, list[str]]:
    """Return what is compared within a budget where nothing is said: a field of a comparison -> names, in the order offered."""
    rows, offered = count_rows(budget, {}), list_offered()
    if not rows:  # an engine of before
        return {field: list(names) for field, names in offered.items()}
    there = {
        "models": {row.model for row in rows},
        "remedies": {row.remedy for row in rows},
        "ensembles": {row.model for row in rows},
    }
    return {field: [name for name in names if name in there[field]] for field, names in offered.items()}


def take_choice(spec: Mapping[str, Any]) -> None:
    """Take over what a comparison compared."""
    state = st.session_state
    named = {field: list(spec[field]) for field in _KEYS if spec.get(field) is not None}
    if named.keys() == {"methods"}:  # its rows are those alone
        named |= {"models": [], "remedies": [], "ensembles": []}
    state[_SAID] = named
    state["data.tune"] = bool(spec.get("tune"))
    state["data.ratio.kind"] = "native" if spec.get("ratio") is None else "other"
    if spec.get("ratio") is not None:
        state["data.ratio"] = float(spec["ratio"])


def draw_chooser(
    profile: Mapping[str, Any], counts: Sequence[int], budget: float, left_out: Sequence[str | None] = ()
) -> tuple[dict[str, Any], bool]:
    """Draw the choices behind a press that counts them, and behind another one all methods.

    left_out: columns that answers make no features. Returns the fields of a comparison, and whether there is anything to compare.
    """
    state = st.session_state
    said: dict[str, list[str]] = state.setdefault(_SAID, {})
    state.setdefault("data.ratio.kind", "native")
    offered = list_offered()
    chosen = {field: said.get(field, names) for field, names in list_usual(budget).items()}
    label, some = _count(budget, chosen, said)
    contenders = list_contenders(read_catalog(), find_installed())
    with st.popover(label, key="data-chooser"):
        for field, title, titles in (
            ("models", words.MODELS_PICK, words.MODELS),
            ("remedies", words.REMEDIES_PICK, words.REMEDIES),
            ("ensembles", words.ENSEMBLES_PICK, words.MODELS),
        ):
            _choose(field, title, offered[field], {**contenders, **titles}, chosen[field])
        if besides := said.get("methods"):
            _choose("methods", words.METHODS_PICK, [name for name in besides if name != BASELINE], contenders, besides)
        tune = st.toggle(words.TUNE, key="data.tune", persist_state="session", help=words.TUNE_HELP)
        ratio = _choose_ratio(profile, list(counts)) if counts else None
    all_methods.draw_all(
        all_methods.Table.of(profile, left_out), budget, partial(_list_chosen, budget), partial(_switch, budget)
    )
    fields: dict[str, Any] = {**make_fields(budget, said)}
    return fields | {"tune": bool(tune), "ratio": ratio}, some


def _list_chosen(budget: float) -> list[ContestRow]:
    """Return the rows that are compared as it stands."""
    return count_rows(budget, st.session_state.get(_SAID, {}))


def _switch(budget: float, name: str) -> None:
    """Add a method to what is compared, or take it out."""
    state = st.session_state
    said, offered = dict(state[_SAID]), list_offered()
    now = {field: list(said.get(field, names)) for field, names in list_usual(budget).items()}
    besides = [one for one in said.get("methods", ()) if one != BASELINE]
    rows = {row.name for row in count_rows(budget, said)}
    network = now["models"] if NETWORK in now["models"] else [NETWORK, *now["models"]]
    if name == BASELINE:  # the network without a remedy; without it there is no remedy of the network
        said["models"] = [one for one in now["models"] if one != NETWORK] if name in rows else network
        besides = [] if name in rows else besides
    elif field := next((field for field in ("models", "ensembles") if name in offered[field]), None):
        said[field] = [one for one in now[field] if one != name] if name in rows else [*now[field], name]
        besides = [one for one in besides if one != name]
    elif name in offered["remedies"]:
        said["remedies"] = (
            [one for one in now["remedies"] if one != name] if name in rows else list(dict.fromkeys([*now["remedies"], name]))
        )
        besides = [one for one in besides if one != name]
        if name not in rows:
            said["models"] = network
    elif name in rows:
        besides = [one for one in besides if one != name]
        if "remedies" in said:  # a comparison made elsewhere names any method among them
            said["remedies"] = [one for one in said["remedies"] if one != name]
    else:
        besides = [*besides, name]
    state[_SAID] = {field: names for field, names in (said | {"methods": besides}).items() if field != "methods" or names}


def _count(budget: float, chosen: Mapping[str, Sequence[str]], said: Mapping[str, Sequence[str]]) -> tuple[str, bool]:
    """Return '7 models, 9 remedies' of the rows that are compared, and whether there are any. said: those of chosen that a person chose."""
    if not chosen["models"] and not chosen["ensembles"] and not said.get("methods"):
        return words.NOTHING_CHOSEN, False
    rows = count_rows(budget, said)
    models = {row.model for row in rows} or {*chosen["models"], *chosen["ensembles"]}
    remedies = {row.remedy for row in rows} - {NONE} if rows else chosen["remedies"]
    counted = format_count(len(remedies), "remedy").replace("remedys", "remedies")
    return words.CHOSEN.format(models=format_count(len(models), "model"), remedies=counted), True


def _choose(field: str, label: str, names: Sequence[str], titles: Mapping[str, str], now: Sequence[str]) -> None:
    key = _KEYS[field]
    st.session_state[key] = [name for name in names if name in now]

    def take() -> None:
        picked = st.session_state[key] or ()
        st.session_state[_SAID] = st.session_state[_SAID] | {field: [name for name in names if name in picked]}

    st.pills(label, names, selection_mode="multi", key=key, format_func=lambda name: titles.get(name, name), on_change=take)


def _choose_ratio(profile: Mapping[str, Any], counts: list[int]) -> float | None:
    native = format_ratio(profile["ratio"])
    kind = st.segmented_control(
        words.RATIO_LABEL,
        ["native", "other"],
        format_func={"native": words.RATIO_NATIVE.format(ratio=native), "other": words.RATIO_OTHER}.__getitem__,
        key="data.ratio.kind",
        persist_state="session",
        required=True,
        help=words.RATIO_HELP,
    )
    if kind != "other":
        return None
    highest, why = limits.highest_ratio(counts, profile["folds"] or 1)
    state = st.session_state
    if not isinstance(state.get("data.ratio"), float) or not 1 <= state["data.ratio"] <= highest:
        state["data.ratio"] = float(min(highest, max(1.0, round(2 * profile["ratio"]))))
    value = st.number_input(
        words.TO_ONE, 1.0, highest, step=1.0, key="data.ratio", persist_state="session", help=escape(why, 300), width=140
    )
    return float(value)
