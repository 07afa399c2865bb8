"""A finished run from inside: gap and norms class by class, its film, its rounds, and results per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from app.charts import pr_classes, variance
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.run import gaps, perclass, stage
from app.run.gaps import Entry, read_interval
from app.run.shown import Shown
from app.words import glossary
from app.words.text import escape
from engine.spec.result import Result

DRAWN = 5
"""Runs in one picture at most."""


def draw_per_class(shown: Shown, entries: Sequence[Entry]) -> None:
    """Gap and weight norms, before and after, method against method."""
    result = shown.result
    if result is None:
        return
    st.subheader("Gap and weight norms, class by class", anchor="per-class")
    if not result.gap:
        st.info(
            "This run was made by an earlier version, which did not measure the gap. Run it again to have it.",
            icon=":material/history:",
        )
    kept = [*entries[: DRAWN - 1], *entries[-1:]] if len(entries) > DRAWN else list(entries)
    gaps.draw_gap(kept, "deep", wide=True)
    if not gaps.draw_norms(kept, "deep", wide=True):
        draw_heading("Weight norms per class", gaps.NORM_HELP)
        st.caption("What classifies in this run has no weights per class to measure.")
    left, right = st.columns(2, gap="large")
    with left:
        gaps.draw_outcomes(result, entries[0], "deep")
    with right:
        gaps.draw_equal_sizes(result, entries[0], "deep")


def draw_film(shown: Shown, other: Shown | None) -> None:
    """The player, beside it the other run's where there is one, and the variance over the rounds."""
    result = shown.result
    if result is None:
        return
    st.subheader(
        "How it came about",
        anchor="film",
        help="The plane of the network's features, fitted once on real training rows, with the rows that a method makes or moves.",
    )
    history = variance.read_history(result.arrays)
    if other is not None and other.result is not None:
        left, right = st.columns(2, gap="medium")
        with left:
            stage.play_film(shown, 0, "deep.player", group="deep", title="this run")
        with right:
            stage.play_film(other, 0, "deep.player.beside", group="deep", title="the run beside it")
        if history:
            _draw_variance(history)
    elif history:
        left, right = st.columns([3, 2], gap="medium")
        with left:
            stage.play_film(shown, 0, "deep.player")
        with right:
            _draw_variance(history)
    else:
        stage.play_film(shown, 0, "deep.player")


def _draw_variance(values: Mapping[str, np.ndarray]) -> None:
    draw_heading(
        "Variance within the classes",
        glossary.explain_terms(
            "variance within the classes",
            last="It is measured after every round; the targets of a row are rows of its own class, so a class is drawn together.",
        ),
    )
    draw_chart(partial(variance.figure, values), "chart-variance", variance.alt(values))
    parts = []
    for label, (first, last) in variance.list_ends(values).items():
        word = "fell" if last < first else "rose" if last > first else "stayed"
        parts.append(f"{escape(label)} {word} from {first:.3g} to {last:.3g}")
    st.markdown(f"Variance over the rounds, in squared units of the features: {'; '.join(parts)}.")
    draw_numbers("variance", lambda: variance.table(values), "Variance within the classes, one row a round")


def draw_results(shown: Shown) -> None:
    """Precision and recall of each class, as curves and as a table."""
    result = shown.result
    if result is None:
        return
    st.subheader("Results per class on the test rows", anchor="results")
    left, right = st.columns([2, 3], gap="large")
    with left:
        if not _draw_curves(result):
            st.caption("This run was made by an earlier version, which kept no curves per class.")
    with right:
        draw_heading(
            "Scores",
            glossary.explain_terms(
                "precision", "recall", "average precision", "interval", first="Each class is held against all others."
            ),
        )
        perclass.draw_classes(result, "deep")
        st.caption(f"Brackets: {escape(result.interval, 120)}, n = {result.n}.")


def _draw_curves(result: Result) -> bool:
    if "pr_class" not in result.arrays or "pr_recall" not in result.arrays:
        return False
    classes = list(result.per_class)
    scores = [read_interval(result.per_class[name].get("average_precision"), result) for name in classes]
    recall, precision = result.arrays["pr_recall"], result.arrays["pr_class"]
    draw_heading(
        "Precision and recall of each class",
        glossary.explain_terms("precision-recall curve", first="Each class is held against all others."),
    )
    draw_chart(
        partial(pr_classes.figure, recall, precision, classes, scores), "chart-pr-classes", pr_classes.alt(classes, scores)
    )
    draw_numbers(
        "pr-classes", lambda: pr_classes.table(recall, precision, classes), "Precision at a few recalls, one row a class"
    )
    return True
