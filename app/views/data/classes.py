"""A table before anything is trained on it: the target column, its classes, and warnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.parts import share
from app.parts.elements import draw_fold
from app.words import data as words
from app.words.naming import format_cell, label_names
from app.words.text import escape, format_count

MOST_CLASSES = 50
"""A column with more different values is offered as a target only where it is a candidate."""
LEVELS = {"refuse": (st.error, ":material/block:"), "warning": (st.warning, ":material/warning:")}


def draw_classes(
    profile: Mapping[str, Any],
    take: Callable[[str | None, str | None], None],
    version: str,
    no_answer: Sequence[str] = (),
    take_marks: Callable[[list[str]], None] | None = None,
) -> None:
    """Draw the target and its classes.

    take(target, positive) is called when the person chooses otherwise. version: another one resets the choices. no_answer: marks of
    the target that the person said are no answer; take_marks is called with all of them when one is added or taken back.
    """
    target = (profile.get("target") or {}).get("name")
    classes = [str(c["name"]) for c in profile["classes"]]
    left, right = st.columns(2)
    with left:
        _choose_target(profile, target, take, f"mine.target.{version}")
    if classes:
        with right:
            _choose_positive(profile, classes, lambda name: take(target, name), f"mine.positive.{version}")
    if take_marks is not None and target is not None:
        _ask_marks(profile, no_answer, take_marks, version)


def _ask_marks(
    profile: Mapping[str, Any], no_answer: Sequence[str], take_marks: Callable[[list[str]], None], version: str
) -> None:
    """Ask of every usual mark of missing values in the target whether it is a class or no answer."""
    marks = {str(mark["text"]): int(mark["rows"]) for mark in profile.get("target_marks") or ()}
    for i, mark in enumerate([*marks, *no_answer]):
        key, is_class = f"mine.mark.{i}.{version}", mark in marks
        asked = words.MARK_ANY.format(mark=escape(mark, 40))
        if is_class:
            say = "says" if marks[mark] == 1 else "say"
            asked = words.MARK_ROWS.format(rows=format_count(marks[mark], "row"), say=say, mark=escape(mark, 40))
        st.session_state[key] = words.CLASS if is_class else words.NO_ANSWER

        def other(mark: str = mark, key: str = key, is_class: bool = is_class) -> None:
            if (st.session_state[key] == words.CLASS) != is_class:
                take_marks([*no_answer, mark] if is_class else [one for one in no_answer if one != mark])

        st.radio(
            asked,
            (words.CLASS, words.NO_ANSWER),
            index=0 if is_class else 1,
            key=key,
            on_change=other,
            horizontal=True,
            help=words.MARK_HELP,
        )


def _choose_target(
    profile: Mapping[str, Any], target: str | None, take: Callable[[str | None, str | None], None], key: str
) -> None:
    first = [str(c["name"]) for c in profile["candidates"]]
    rest = [
        str(c["name"])
        for c in profile["columns"]
        if c["name"] not in first and 2 <= c["distinct"] <= MOST_CLASSES or c["name"] == target
    ]
    names = list(dict.fromkeys([*first, *rest]))
    if not names:
        return
    shown = label_names(names)
    state = st.session_state
    state[key] = target if target in names else None

    def other() -> None:
        if state[key] != target:  # a browser may also send the value that it showed before
            take(state[key], None)

    guessed = (profile.get("target") or {}).get("guessed")
    why = next((str(c.get("why") or "") for c in profile["candidates"] if c["name"] == target), "")
    guess = words.GUESSED_WHY.format(why=escape(why, 120).rstrip(".")) if why else words.GUESSED
    st.selectbox(
        words.TARGET,
        names,
        index=0 if target in names else None,
        format_func=shown.__getitem__,
        key=key,
        on_change=other,
        placeholder=words.CHOOSE_COLUMN,
        help=f"{guess} {words.TARGET_HELP}" if guessed else words.TARGET_HELP,
    )


def _choose_positive(profile: Mapping[str, Any], classes: list[str], take: Callable[[str | None], None], key: str) -> None:
    shown = label_names(classes)
    state = st.session_state
    counts = {str(c["name"]): int(c["rows"]) for c in profile["classes"]}
    smallest, total = min(classes, key=lambda name: counts[name]), max(1, sum(counts.values()))
    chosen = profile.get("positive")
    shows = state[key] = chosen if chosen in classes else smallest

    def other() -> None:
        if state[key] != shows:
            take(state[key])

    st.selectbox(
        words.POSITIVE,
        classes,
        format_func=lambda name: f"{shown[name]} · {format_count(counts[name], 'row')}, {100 * counts[name] / total:.2g}%",
        key=key,
        on_change=other,
        help=words.POSITIVE_HELP if len(classes) == 2 else words.POSITIVE_HELP_MANY,
    )


def draw_warnings(profile: Mapping[str, Any]) -> bool:
    """Draw sentences about the data, worst first; return False where one of them refuses."""
    listed = profile["warnings"]
    for level, (draw, icon) in LEVELS.items():
        texts = [w["text"] for w in listed if w["level"] == level]
        if texts:
            lines = [escape(text, 500) for text in texts]
            head = f"{words.REFUSED} " if level == "refuse" else ""
            draw(head + lines[0] if len(lines) == 1 else (head + "\n") + "\n".join(f"- {text}" for text in lines), icon=icon)
    return not any(w["level"] == "refuse" for w in listed)


def draw_notes(profile: Mapping[str, Any]) -> None:
    """Draw what else is known of the table, folded away."""
    listed = profile["warnings"]
    notes = [w["text"] for w in listed if w["level"] not in LEVELS]
    precision = profile.get("precision")
    if precision and not any(precision["text"].rstrip(".") in w["text"] for w in listed):
        notes.append(precision["text"])
    if notes:
        with draw_fold(words.NOTES, "mine.notes", ":material/info:") as fold:
            if fold.open:
                st.markdown("\n".join(f"- {escape(text, 500)}" for text in notes))
    if any(s["why"] != "id" for s in profile["suspicious"]):
        with draw_fold(words.SUSPICIOUS, "mine.suspicious", ":material/troubleshoot:") as fold:
            if fold.open:
                st.dataframe(list_suspicious(profile), hide_index=True, alt=words.SUSPICIOUS_ALT)
                share.offer_table(list_suspicious(profile), "columns", "mine.columns", words.SUSPICIOUS_ALT, download=False)


def list_suspicious(profile: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns that give the target away, or that number the rows."""
    return pd.DataFrame(
        {
            "column": [format_cell(s["name"]) for s in profile["suspicious"]],
            "why": [format_cell(s["text"]) for s in profile["suspicious"]],
            "alone": [s["score"] for s in profile["suspicious"]],
        }
    )
