"""What each synthetic point of a finished run did to the validation loss: the most helpful and the most harmful, ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.parts import share
from app.parts.elements import draw_heading
from app.run.shown import Shown
from app.session import jobs, visitor
from app.words import lab as words
from app.words.text import escape, format_count
from engine.errors import BadData

LISTED = 10
"""Points listed at each end of the ranking."""


def draw_contributions(shown: Shown, replicate: int) -> None:
    """Draw the ranking of a replicate's points; nothing where a method makes no synthetic rows.

    A run of an earlier version, which kept no contributions, is said to be one.
    """
    result = shown.result
    if result is None or (not result.contributions and result.moves is None):
        return
    try:
        arrays = jobs.read_contributions(shown.job.id, shown.job.attempt, replicate, visitor.read_owner())
    except BadData as error:
        st.error(escape(error, 300), icon=":material/error:")
        return
    if not result.contributions:
        st.caption(words.NO_CONTRIBUTIONS)
        return
    draw_heading(words.CONTRIBUTIONS, words.CONTRIBUTIONS_HELP)
    st.markdown(_describe_all(result.contributions, result.n))
    if arrays is None:
        st.caption(words.POINTS_NOT_KEPT)
        return
    classes = list(result.class_counts.get("train", {}))
    rows, kept = rank_points(arrays, classes), int(np.isfinite(arrays["value"]).sum())
    st.caption(
        words.RANKED_ALL.format(points=format_count(kept, "point"))
        if kept <= 2 * LISTED
        else words.RANKED.format(listed=LISTED, points=format_count(kept, "point"))
    )
    if kept:
        st.dataframe(rows, hide_index=True, alt=words.RANKED_ALT)
        share.offer_table(rows, f"contributions-{shown.job.id}", "contributions", words.RANKED_ALT)
    st.caption(words.COLUMNS)


def rank_points(arrays: Mapping[str, np.ndarray], classes: Sequence[str]) -> pd.DataFrame:
    """Return the LISTED best and worst points of `engine.runner.contributions.measure_run`, the most helpful first; all where
    there are few.

    Points whose contribution is not a number are left out.
    """
    value = arrays["value"]
    order = np.argsort(value, kind="stable")
    order = order[np.isfinite(value[order])]
    at = order if len(order) <= 2 * LISTED else np.concatenate([order[:LISTED], order[-LISTED:]])
    ranks = {int(i): rank + 1 for rank, i in enumerate(order)}
    names = [str(name) for name in classes]
    return pd.DataFrame(
        {
            "rank": [ranks[int(i)] for i in at],
            "effect": [words.LOWERS if value[i] < 0 else words.RAISES if value[i] > 0 else words.NO_EFFECT for i in at],
            "contribution": [_format_value(value[i]) for i in at],
            "classes alike": [_format_value(arrays["alike"][i]) for i in at],
            "moved (sd)": [f"{arrays['moved'][i]:.3f}" for i in at],
            "class": [names[c] if 0 <= (c := int(arrays["label"][i])) < len(names) else "–" for i in at],
            "copied from": [str(arrays["row"][i]) if arrays["row"][i] >= 0 else "–" for i in at],
            "point": [int(arrays["number"][i]) + 1 for i in at],
        }
    )


def _format_value(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def _describe_all(summary: Mapping[str, Any], n: int) -> str:
    """Return the share of points that lower the loss, plain and weighted equally by class, in a sentence with its intervals."""
    count = format_count(round(float(summary["points"])), "synthetic point")
    plainly, alike = _format_share(summary["helpful"]), _format_share(summary["helpful_alike"])
    said = [words.LOWER.format(points=count, share=plainly), words.LOWER_ALIKE.format(share=alike)]
    return " ".join([*said, words.MEANS_OVER.format(replicates=n) if n > 1 else words.MEANS_ONE])


def _format_share(share: Mapping[str, float | None]) -> str:
    mean, low, high = (float("nan") if (v := share[key]) is None else 100 * v for key in ("mean", "low", "high"))
    return f"**{mean:.0f}%**" + (f" ({low:.0f} to {high:.0f}%)" if np.isfinite(low) and np.isfinite(high) else "")
