"""The choice of what is compared: models, remedies, ensembles, tuning, and the ratio of the classes. All of it has a usual answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.session.store import read_catalog
from app.words import data as words
from app.words.text import escape, format_count, format_ratio
from engine.spec import limits
from engine.spec.comparison import ENSEMBLES, MODELS, REMEDIES

USUAL_ENSEMBLES = ("balanced-forest", "self-paced")
"""Compared where nothing is said and the budget allows."""
_BUILT_IN = ("logistic", "network", "forest", "extra-trees", "boosting")
"""Models that are always there; others are where a person has installed them, as the engine's catalog says."""
_KEYS = {"models": "data.models", "remedies": "data.remedies", "ensembles": "data.ensembles"}


def list_models() -> tuple[str, ...]:
    """Return the models that this engine has."""
    there = {entry["name"] for entry in read_catalog()["methods"]}
    return tuple(name for name in MODELS if name in _BUILT_IN or name in there)


def list_usual() -> dict[str, tuple[str, ...]]:
    """Return what is compared where nothing is said: a field of a comparison -> names."""
    return {"models": list_models(), "remedies": tuple(r for r in REMEDIES if r != "none"), "ensembles": USUAL_ENSEMBLES}


def take_choice(spec: Mapping[str, Any]) -> None:
    """Take over what a comparison compared."""
    state, usual = st.session_state, list_usual()
    for field, key in _KEYS.items():
        named = spec.get(field)
        offered = ENSEMBLES if field == "ensembles" else usual[field]
        state[key] = list(usual[field]) if named is None else [name for name in offered if name in named]
    state["data.tune"] = bool(spec.get("tune"))
    state["data.ratio.kind"] = "native" if spec.get("ratio") is None else "other"
    if spec.get("ratio") is not None:
        state["data.ratio"] = float(spec["ratio"])


def draw_chooser(profile: Mapping[str, Any], counts: Sequence[int]) -> dict[str, Any]:
    """Draw the choices behind a press that counts them; return the fields of a comparison that they give."""
    state, usual = st.session_state, list_usual()
    for field, key in _KEYS.items():
        state.setdefault(key, list(usual[field]))
    state.setdefault("data.ratio.kind", "native")
    models = len(state[_KEYS["models"]]) + len(state[_KEYS["ensembles"]])
    label = words.CHOSEN.format(
        models=format_count(models, "model"),
        remedies=format_count(len(state[_KEYS["remedies"]]), "remedy").replace("remedys", "remedies"),
    )
    with st.popover(label, key="data-chooser"):
        chosen = {
            "models": _choose("models", words.MODELS_PICK, usual["models"], words.MODELS),
            "remedies": _choose("remedies", words.REMEDIES_PICK, usual["remedies"], words.REMEDIES),
            "ensembles": _choose("ensembles", words.ENSEMBLES_PICK, ENSEMBLES, words.MODELS),
        }
        tune = st.toggle(words.TUNE, key="data.tune", persist_state="session", help=words.TUNE_HELP)
        ratio = _choose_ratio(profile, list(counts)) if counts else None
    fields: dict[str, Any] = {
        field: None if set(names) == set(usual[field]) else tuple(names) for field, names in chosen.items()
    }
    return fields | {"tune": bool(tune), "ratio": ratio}


def _choose(field: str, label: str, names: Sequence[str], titles: Mapping[str, str]) -> list[str]:
    picked = st.pills(
        label,
        names,
        selection_mode="multi",
        key=_KEYS[field],
        persist_state="session",
        format_func=lambda name: titles.get(name, name),
    )
    return [name for name in names if name in (picked or ())]


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
