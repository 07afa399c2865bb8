"""The tabs of the page: gap and norms, classes, training, images, numbers, and how to run it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import costs, learning, pr_classes, variance
from app.parts import share
from app.parts.elements import draw_chart, draw_fold, draw_heading, draw_numbers
from app.run import answer, gaps, generated, perclass, stage, training, whatif
from app.run.gaps import Entry, read_interval
from app.run.shown import Shown
from app.session import jobs, shared, visitor
from app.session.store import get_store
from app.views.deep import plane, thumbs
from app.views.deep.address import go_to
from app.words import deep as words
from app.words import glossary
from app.words.text import escape, format_count, format_interval
from engine.events import Frame
from engine.spec.result import METRICS, Result
from engine.stats.intervals import Interval


@dataclass(frozen=True)
class Inside:
    """What the tabs show: a finished run, one beside it (None: none), the runs of the pictures, the run itself first."""

    shown: Shown
    other: Shown | None
    entries: Sequence[Entry]
    catalog: Mapping[str, Any]

    @property
    def result(self) -> Result:
        """The run's result."""
        result = self.shown.result
        assert result is not None
        return result


def draw_gap_and_norms(inside: Inside) -> None:
    """Gap and weight norms of each class, beside plain training's."""
    left, right = st.columns(2, gap="large")
    with left:
        if not gaps.draw_gap(inside.entries, "deep", numbers=False):
            st.caption(words.NO_GAP)
        gaps.draw_outcomes(inside.result, inside.entries[0], "deep")
    with right:
        if not gaps.draw_norms(inside.entries, "deep", numbers=False):
            draw_heading(words.NORMS, gaps.NORM_HELP)
            st.caption(words.NO_NORMS)
        gaps.draw_factors(inside.entries[0], "deep")
        gaps.draw_equal_sizes(inside.result, inside.entries[0], "deep")
    if inside.result.gap:
        st.caption(_describe_interval(inside.result))


def _describe_interval(result: Result) -> str:
    return words.INTERVALS.format(kind=escape(result.interval, 120), n=format_count(result.n, "replicate"))


def draw_classes(inside: Inside) -> None:
    """Precision and recall of each class, as curves and as a table; the feature deviation behind a press."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        if not _draw_curves(inside.result):
            st.caption(words.NO_CURVES)
        if gaps.has_deviation(inside.result):
            with draw_fold(words.DEVIATION, "deep-deviation", "") as fold:
                if fold.open:
                    gaps.draw_deviation(inside.entries[0], "deep")
    with right:
        draw_heading(words.SCORES, glossary.explain_terms("precision", "recall", "average precision", first=words.ONE_CLASS))
        perclass.draw_classes(inside.result, "deep")
        st.caption(_describe_interval(inside.result))


def _draw_curves(result: Result) -> bool:
    if "pr_class" not in result.arrays or "pr_recall" not in result.arrays:
        return False
    classes = list(result.per_class)
    scores = [read_interval(result.per_class[name].get("average_precision"), result) for name in classes]
    recall, precision = result.arrays["pr_recall"], result.arrays["pr_class"]
    draw_heading(words.CURVES, glossary.explain_terms("precision-recall curve", first=words.ONE_CLASS))
    figure = partial(pr_classes.figure, recall, precision, classes, scores)
    draw_chart(figure, "chart-pr-classes", pr_classes.alt(classes, scores))
    draw_numbers("pr-classes", lambda: pr_classes.table(recall, precision, classes), words.CURVES)
    return True


# ---- training


def draw_training(inside: Inside) -> None:
    """The film where points move; else the curves of the training."""
    films = [one for one in (inside.shown, inside.other) if one is not None and one.result is not None and moves(one)]
    titles = (words.FILM_THIS, words.FILM_OTHER)
    if films:
        for place, one in zip(st.columns(len(films), gap="medium"), films, strict=True):
            title = titles[one is not inside.shown]
            with place:
                stage.play_film(
                    one, 0, f"deep.player.{one is inside.shown}", group="deep" if len(films) > 1 else "", title=title
                )
    else:
        st.caption(words.STILL)
    history = variance.read_history(inside.result.arrays)
    left, right = st.columns(2, gap="large")
    with left:
        _draw_learning(inside.shown)
    with right:
        if history:
            _draw_variance(history)
        _draw_costs(inside.result)
    training.draw_generator(inside.result, "deep")
    training.draw_policy(inside.result, "deep")


def moves(shown: Shown) -> bool:
    """Whether any synthetic point of the film leaves its place."""
    events = shared.read_film(get_store(), shown.job, 0, visitor.read_owner())
    return any(isinstance(event, Frame) and len(event.moved) and int(event.moved.max()) > 0 for _, event in events)


def _draw_learning(shown: Shown) -> None:
    traces = []
    for member, result in shown.there:
        values, phases = learning.join_phases(result.arrays, "valid_ap")
        if values.size:
            traces.append(learning.Trace(member.key, member.label, values, phases))
    if not traces:
        st.caption(words.NO_HISTORY)
        return
    draw_heading(words.LEARNING, glossary.explain_terms("epoch", "validation rows"))
    draw_chart(partial(learning.figure, traces), "chart-learning-deep", learning.alt(traces))


def _draw_variance(values: Mapping[str, np.ndarray]) -> None:
    draw_heading(words.VARIANCE, glossary.explain_terms("variance within the classes", last=words.VARIANCE_LAST))
    draw_chart(partial(variance.figure, values), "chart-variance", variance.alt(values))
    ends = variance.list_ends(values).items()
    each = [words.VARIANCE_EACH.format(label=escape(label), first=first, last=last) for label, (first, last) in ends]
    st.markdown(words.VARIANCE_SAID.format(each="; ".join(each)))


def _draw_costs(result: Result) -> None:
    """The costs of a method that learns them."""
    found, classes = costs.read_costs(result.arrays), gaps.list_classes(result)[0]
    if found and classes:
        draw_heading(words.COSTS, words.COSTS_HELP)
        draw_chart(partial(costs.figure, found, classes), "chart-costs", costs.alt(found, classes))
        draw_numbers("costs", lambda: costs.table(found, classes), words.COSTS)


def draw_what_if(shown: Shown, other: Shown | None, catalog: Mapping[str, Any]) -> None:
    """One setting and its other value; both runs where the other is there."""
    whatif.draw_what_if(shown, catalog, go_to)
    if other is not None:
        whatif.draw_beside(shown, other)


# ---- images, numbers, code


def draw_images(inside: Inside) -> None:
    """Generated images where there are any; training and test images of each class."""
    generated.draw_generated(inside.shown, "deep")
    arrays = _read_features(inside.shown)
    if arrays is None or "thumbs" not in arrays:
        st.caption(words.NO_IMAGES if arrays is not None else words.NO_FEATURES)
        return
    thumbs.draw_classes(arrays, gaps.list_classes(inside.result)[0])


def _read_features(shown: Shown) -> dict[str, np.ndarray] | None:
    return jobs.read_features(shown.job.id, shown.job.attempt, visitor.read_owner())


def draw_tables(inside: Inside) -> None:
    """Every number behind the pictures."""
    draw_heading(words.ALL_MEASURES, words.ALL_MEASURES_HELP)
    alt = words.ALL_MEASURES
    frame = pd.DataFrame(list_measures(inside.shown, lambda interval: format_interval(interval, 3)))
    st.dataframe(frame, hide_index=True, alt=alt, height=300)
    caption = f"{alt}; {_describe_interval(inside.result)}"
    share.offer_table(lambda: list_measures(inside.shown, _list_ends), f"measures-{inside.shown.job.id}", "measures", caption)
    if inside.result.gap:
        gaps.draw_gap_table(inside.entries, "deep")
    if gaps.read_norms(inside.result, "after") is not None:
        gaps.draw_norm_table(inside.entries, "deep")
    arrays = _read_features(inside.shown)
    if arrays is not None:
        st.caption(plane.describe_sample(arrays))
    for note in inside.result.notes:
        st.caption(escape(note, 300))


def list_measures(shown: Shown, show: Callable[[Interval], Any]) -> list[dict[str, Any]]:
    """Return one record a measure, one column a method. show: makes the content of a cell."""
    rows = []
    for name, (label, _, _) in METRICS.items():
        own = {member.label: show(result.metric(name)) for member, result in shown.there if name in result.metrics}
        rows.append({"measure": label} | own)
    return rows


def _list_ends(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def draw_code(inside: Inside) -> None:
    """How it was made, and what runs it again."""
    answer.draw_provenance(inside.shown)
    share.offer_run(inside.shown.job.id, inside.shown.main.spec, inside.catalog)


TABS: Mapping[str, Callable[[Inside], None]] = {
    "gap": draw_gap_and_norms,
    "classes": draw_classes,
    "training": draw_training,
    "images": draw_images,
    "numbers": draw_tables,
    "code": draw_code,
}
"""What draws each tab of a finished run; *What if* is drawn of others too."""
