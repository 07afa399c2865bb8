"""The form's choice of an imbalance: as the data come, or rows withheld up to a ratio or share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.words.text import escape, format_ratio
from engine.spec import Imbalance, limits
from engine.spec.run import MAX_RATIO, PROFILES, explain_own_share

AS_IT_COMES, CUT = "As the data come", "Make it skewed"
PROFILE_NAMES = {
    "ratio": "all smaller classes cut alike",
    "exponential": "sizes fall exponentially",
    "step": "half the classes cut alike",
    "gaussian": "sizes fall as a Gaussian",
    "remove": "a share of the rows removed",
}
WHERE_NAMES = {"all": "everywhere (train, validation, test)", "train": "training rows only"}
STEPS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)
"""Ratios the slider stops at, about equally far apart on a logarithmic scale."""


def choose_imbalance(entry: Mapping[str, Any], data: Mapping[str, Any], folds: int) -> tuple[Imbalance, str]:
    """Draw the choice of an imbalance; return it and what is wrong with it ('': nothing)."""
    counts = limits.class_counts(entry, data)
    state = st.session_state
    state.setdefault("cut", AS_IT_COMES)
    why = explain_own_share(entry, data)
    if why:
        state["cut"] = AS_IT_COMES
    st.segmented_control(
        "Class imbalance",
        [AS_IT_COMES, CUT],
        key="cut",
        required=True,
        disabled=bool(why),
        width="stretch",
        help=f"As the data come, the largest class is {format_ratio(max(counts) / max(1, min(counts)))} to the smallest. "
        "Rows can be withheld to make it more skewed.",
    )
    if why:
        st.caption(why)
    if state["cut"] == AS_IT_COMES:
        return Imbalance(), ""
    slot = st.container()
    with st.expander("Which rows are withheld"):
        profile, where = _choose_rows()
    with slot:
        if profile == "remove":
            state.setdefault("rate", 0.9)
            rate = st.slider(
                "Share of rows removed",
                0.05,
                0.95,
                key="rate",
                step=0.05,
                help="From 4 in 10 classes; from the smaller of two.",
            )
            return Imbalance("remove", None, float(rate), where), ""
        return _choose_ratio(counts, folds, profile, where)


def _choose_rows() -> tuple[str, str]:
    """Draw the choice of the rows to withhold; return how the classes are cut (of PROFILES) and where (of WHERE_NAMES)."""
    st.session_state.setdefault("profile", "ratio")
    profile = st.selectbox(
        "How the classes are cut",
        [p for p in PROFILES if p != "native"],
        format_func=PROFILE_NAMES.__getitem__,
        key="profile",
        help="With two classes all but the last come to the same.",
    )
    default = Imbalance(profile, *((None, 0.5) if profile == "remove" else (2.0,))).where
    st.session_state.setdefault(f"where.{profile}", default)
    where = st.radio(
        "Where",
        list(WHERE_NAMES),
        format_func=WHERE_NAMES.__getitem__,
        key=f"where.{profile}",
        help="Everywhere: the test rows are as skewed as the training rows, as Yasinnik et al. do. Training rows only: the "
        "test rows keep their natural classes, as Dablain et al. and Ando and Huang do.",
    )
    return profile, where


def _choose_ratio(counts: Sequence[int], folds: int, profile: str, where: str) -> tuple[Imbalance, str]:
    """Draw the slider of ratios with its limit; return the imbalance and what is wrong with it ('': nothing)."""
    highest, why = limits.highest_ratio(counts, folds, where, profile)
    if highest <= 1:
        return Imbalance(), why
    value = choose_ratio(highest)
    imbalance = Imbalance(profile, value, None, where)
    kept = limits.target_counts(counts, imbalance)
    left = f"{kept[0]:,} and {kept[1]:,} rows are left. " if len(kept) == 2 and where == "all" else ""
    if value >= highest:
        st.caption(left + escape(why, 300))
    else:
        st.caption(f"{left}At most {format_ratio(highest)}.", help=escape(why, 300))
    return imbalance, ""


def choose_ratio(highest: float) -> float:
    """Draw the logarithmic slider from 1:1 to the highest ratio that the data can give; return the ratio."""
    chosen = min(max(float(st.session_state.get("ratio", 20.0)), 1.0), highest, MAX_RATIO)
    stops = sorted({float(step) for step in STEPS if step <= highest} | {float(highest), chosen})
    st.session_state["ratio"] = chosen
    value: float = st.select_slider(
        "Largest to smallest class",
        stops,
        key="ratio",
        format_func=format_ratio,
        help="Rows of the largest class for one of the smallest.",
    )
    return value
