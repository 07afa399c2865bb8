"""The form's folds, seeds, seed and device.

`protocol.by_hand` of the session says that a person or a link chose the protocol. Before that one split is not the default where its
few positive test rows cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.words import lab as words
from app.words.text import format_count
from engine.stats.verdict import FEW_POSITIVES

QUICK, CAREFUL, CUSTOM = words.QUICK, words.CAREFUL, words.CUSTOM
PROTOCOLS = {QUICK: (1, 1), CAREFUL: (4, 5)}
GIVEN_TEST = {QUICK: (1, 1), CAREFUL: (1, 5)}
"""Of data whose test rows are given: there is nothing to fold."""
OWN_PARTS = {QUICK: (1, 1), CAREFUL: (1, 20)}
"""Of sets whose rows name their part. Every seed draws all rows anew."""
BY_HAND, RAISED = "protocol.by_hand", "protocol.raised"
"""Session keys: the protocol was chosen; it is careful because one split cannot tell."""


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


def is_few(positives: int | None) -> bool:
    """Whether so few positive test rows cannot tell on one split. None: several classes count."""
    return positives is not None and positives < FEW_POSITIVES


def _choose_default(positives: int | None) -> None:
    """Make careful the default where one split cannot tell, and quick again where it can; a choice made by hand stays."""
    state = st.session_state
    if state.get(BY_HAND):
        return
    if is_few(positives) and state["protocol"] == QUICK:
        state["protocol"], state[RAISED] = CAREFUL, True
    elif not is_few(positives) and state.pop(RAISED, False) and state["protocol"] == CAREFUL:
        state["protocol"] = QUICK


def choose_protocol(entry: Mapping[str, Any], positives: int | None) -> tuple[int, int]:
    """Draw the choice of folds and seeds; return them. positives: positive test rows of one split."""
    given, drawn = _has_parts(entry), bool(entry.get("parts"))
    _choose_default(positives)

    def take() -> None:
        st.session_state[BY_HAND] = True

    named = st.segmented_control(
        words.REPLICATES,
        [QUICK, CAREFUL, CUSTOM],
        key="protocol",
        required=True,
        width="stretch",
        on_change=take,
        help=words.QUICK_DRAWN if drawn else words.QUICK_GIVEN if given else words.QUICK_SPLIT,
    )
    folds, seeds = list_protocols(entry).get(named or "", (0, 0))
    if named == CUSTOM:
        st.session_state.setdefault("folds", 4)
        st.session_state.setdefault("seeds", 5)
        left, right = st.columns(2)
        if given:
            folds = 1
            left.number_input(words.FOLDS, 1, 1, value=1, disabled=True, help=words.OWN_PARTS_HELP)
        else:
            folds = left.number_input(words.FOLDS, 1, 10, key="folds", help=words.FOLDS_HELP)
        seeds = right.number_input(words.SEEDS, 1, 100, key="seeds")
    if positives is not None and is_few(positives):
        st.caption(words.CANNOT_TELL.format(rows=format_count(positives, words.POSITIVES)))
    return int(folds), int(seeds)


def choose_seed() -> int:
    """Draw the choice of the seed; return it."""
    st.session_state.setdefault("seed", 0)
    return int(st.number_input(words.SEED, 0, 2**31 - 1, key="seed", help=words.SEED_HELP))


def choose_device(catalog: Mapping[str, Any]) -> str:
    """Draw the choice of the device where there are several; return it."""
    devices = [d for d in catalog.get("devices", []) if d != "auto"]
    if len(devices) < 2:
        return "auto"
    options = ["auto", *devices]
    if st.session_state.get("device") not in options:
        st.session_state["device"] = "auto"
    return str(st.selectbox(words.DEVICE, options, format_func=lambda d: words.DEVICES.get(d, d), key="device"))
