"""The form's folds, seeds, seed and device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

QUICK, CAREFUL, CUSTOM = "Quick look", "Careful", "Custom"
PROTOCOLS = {QUICK: (1, 1), CAREFUL: (4, 5)}
GIVEN_TEST = {QUICK: (1, 1), CAREFUL: (1, 5)}
"""Of data whose test rows are given: there is nothing to fold."""
OWN_PARTS = {QUICK: (1, 1), CAREFUL: (1, 20)}
"""Of sets whose rows name their part. Every seed draws all rows anew."""


def list_protocols(entry: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the named protocols for a dataset: name -> (folds, seeds)."""
    return OWN_PARTS if entry.get("parts") else GIVEN_TEST if entry.get("test_counts") else PROTOCOLS


def _has_parts(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("parts") or entry.get("test_counts"))


def count_folds(entry: Mapping[str, Any]) -> int:
    """Return the folds that the form last held. The limit of the ratio, which is drawn before them, depends on them."""
    named = st.session_state.setdefault("protocol", QUICK)
    if named == CUSTOM:
        return 1 if _has_parts(entry) else int(st.session_state.get("folds", 4))
    return list_protocols(entry)[named][0]


def choose_protocol(catalog: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[int, int, int, str]:
    """Draw the choice of folds, seeds, seed and device; return them."""
    given, drawn = _has_parts(entry), bool(entry.get("parts"))
    split = (
        "one draw of all rows. Careful: 20 seeds, 20 replicates; each draws rows and first weights anew."
        if drawn
        else "one split of the training rows, a fifth of them for validation; test rows are the data's own. Careful: 5 seeds, 5 "
        "replicates; each seed draws anew which rows are withheld, the validation rows and the first weights."
        if given
        else "one split into 60% training, 20% validation, 20% test. Careful: 4 folds × 5 seeds, 20 replicates; "
        "each seed draws anew which rows are withheld, the split and the first weights."
    )
    named = st.segmented_control(
        "How careful",
        [QUICK, CAREFUL, CUSTOM],
        key="protocol",
        required=True,
        width="stretch",
        help=f"Quick look: {split}",
    )
    folds, seeds = list_protocols(entry).get(named, (0, 0))
    if named == CUSTOM:
        st.session_state.setdefault("folds", 4)
        st.session_state.setdefault("seeds", 5)
        left, right = st.columns(2)
        if given:
            folds = 1
            left.number_input("Folds", 1, 1, value=1, disabled=True, help="These data have parts of their own: one split.")
        else:
            folds = left.number_input("Folds", 1, 10, key="folds", help="1: one 60/20/20 split.")
        seeds = right.number_input("Seeds", 1, 100, key="seeds")
    st.session_state.setdefault("seed", 0)
    devices = [d for d in catalog.get("devices", []) if d != "auto"]
    choose = len(devices) > 1
    left, right = st.columns(2) if choose else (st.container(), None)
    seed = left.number_input(
        "Seed", 0, 2**31 - 1, key="seed", help="All random draws come from it: the same seed gives the same numbers."
    )
    device = "auto"
    if choose and right is not None:
        options = ["auto", *devices]
        if st.session_state.get("device") not in options:
            st.session_state["device"] = "auto"
        device = right.selectbox("Device", options, format_func=_device_name, key="device")
    return int(folds), int(seeds), int(seed), device


def _device_name(device: str) -> str:
    return {"auto": "fastest there is", "cpu": "CPU", "cuda": "GPU"}.get(device, device)
