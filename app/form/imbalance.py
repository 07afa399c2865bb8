"""The form's choice of an imbalance: natural, or rows removed up to a ratio or share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.words import lab as words
from app.words.text import escape, format_ratio
from engine.spec import Imbalance, limits
from engine.spec.run import MAX_RATIO, PROFILES, explain_own_share

AS_IT_COMES, CUT = words.NATURAL, words.SET_RATIO
PROFILE_NAMES, WHERE_NAMES = words.PROFILES, words.PLACES
STEPS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)
"""Ratios the slider stops at, about equally far apart on a logarithmic scale."""


def choose_imbalance(entry: Mapping[str, Any], data: Mapping[str, Any], folds: int, rows: Any) -> tuple[Imbalance, str]:
    """Draw the choice of an imbalance; return it and what is wrong with it ('': nothing). rows: place for the rows to remove."""
    counts = limits.class_counts(entry, data)
    state = st.session_state
    state.setdefault("cut", AS_IT_COMES)
    why = explain_own_share(entry, data)
    if why:
        state["cut"] = AS_IT_COMES
    st.segmented_control(
        words.IMBALANCE,
        [AS_IT_COMES, CUT],
        key="cut",
        required=True,
        disabled=bool(why),
        width="stretch",
        help=words.NATURAL_HELP.format(ratio=format_ratio(max(counts) / max(1, min(counts)))),
    )
    if why:
        st.caption(why)
    if state["cut"] == AS_IT_COMES:
        rows.caption(words.NO_ROWS_REMOVED)
        return Imbalance(), ""
    with rows:
        profile, where = _choose_rows()
    if profile == "remove":
        state.setdefault("rate", 0.9)
        rate = st.slider(words.SHARE_REMOVED, 0.05, 0.95, key="rate", step=0.05, help=words.SHARE_REMOVED_HELP)
        return Imbalance("remove", None, float(rate), where), ""
    return _choose_ratio(counts, folds, profile, where)


def _choose_rows() -> tuple[str, str]:
    """Draw the choice of the rows to remove; return how the classes shrink (of PROFILES) and where (of WHERE_NAMES)."""
    st.session_state.setdefault("profile", "ratio")
    profile = st.selectbox(
        words.HOW,
        [p for p in PROFILES if p != "native"],
        format_func=PROFILE_NAMES.__getitem__,
        key="profile",
        help=words.HOW_HELP,
    )
    default = Imbalance(profile, *((None, 0.5) if profile == "remove" else (2.0,))).where
    st.session_state.setdefault(f"where.{profile}", default)
    where = st.radio(
        words.WHERE,
        list(WHERE_NAMES),
        format_func=WHERE_NAMES.__getitem__,
        key=f"where.{profile}",
        help=words.WHERE_HELP,
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
    pair = len(kept) == 2 and where == "all"
    left = words.ROWS_LEFT.format(many=f"{kept[0]:,}", few=f"{kept[1]:,}") + " " if pair else ""
    if value >= highest:
        st.caption(left + escape(why, 300))
    else:
        st.caption(left + words.AT_MOST.format(ratio=format_ratio(highest)), help=escape(why, 300))
    return imbalance, ""


def choose_ratio(highest: float) -> float:
    """Draw the logarithmic slider from 1:1 to the highest ratio that the data can give; return the ratio."""
    chosen = min(max(float(st.session_state.get("ratio", 20.0)), 1.0), highest, MAX_RATIO)
    stops = sorted({float(step) for step in STEPS if step <= highest} | {float(highest), chosen})
    st.session_state["ratio"] = chosen
    value: float = st.select_slider(
        words.RATIO,
        stops,
        key="ratio",
        format_func=format_ratio,
        help=words.RATIO_HELP,
    )
    return value
