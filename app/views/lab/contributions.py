"""What each synthetic point of a finished run did to the validation loss: the most helpful and the most harmful, ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.parts import share
from app.parts.elements import draw_fold
from app.run.shown import Shown
from app.session import jobs, visitor
from app.words.text import escape, format_count
from engine.errors import BadData

LISTED = 10
"""Points listed at each end of the ranking."""
MEANS = (
    "A point's **contribution** is the first-order change of the mean validation loss that its presence in a step makes, at the chosen "
    "epoch: its own gradient against that of the validation rows. Below zero, its presence lowers that loss; above, it raises it. The "
    "unit is nats per unit of step: times the step size, divided by the rows of the step."
)
MEANS_NOT = (
    "It is **not** what training without the point would give: that is a whole other training, and sign and rank only tend to agree "
    "with it. It looks at one epoch, and at the loss of all validation rows, most of which are of the large classes: a point can raise "
    "that loss and still help its own class; **classes alike** is the same with every class weighed the same. And the validation rows "
    "chose this epoch, so it promises nothing for new rows."
)


def draw_contributions(shown: Shown, replicate: int) -> None:
    """Draw the ranking of a replicate's points in an expander; nothing where a method makes no synthetic rows.

    A run of an earlier version, which kept no contributions, is said to be one.
    """
    result = shown.result
    if result is None or (not result.contributions and result.moves is None):
        return
    with draw_fold("What each synthetic point does to the validation loss", "contributions", ":material/scatter_plot:") as fold:
        if not fold.open:
            return
        try:
            arrays = jobs.read_contributions(shown.job.id, shown.job.attempt, replicate, visitor.read_owner())
        except BadData as error:
            st.error(escape(error, 300), icon=":material/error:")
            return
        if not result.contributions:
            st.caption(
                "This run kept no contributions: it was made by an earlier version, its network is none that they are computed for, or "
                "no rows were held out for validation."
            )
            return
        st.markdown(MEANS)
        st.markdown(MEANS_NOT)
        st.markdown(_describe_all(result.contributions, result.n))
        if arrays is None:
            which = f"replicate {replicate + 1}" if result.n > 1 else "this run"
            st.caption(f"The points of {which} are not kept: it made none, or only its numbers are in the store.")
            return
        classes = list(result.class_counts.get("train", {}))
        rows, kept = rank_points(arrays, classes), int(np.isfinite(arrays["value"]).sum())
        of = f"replicate {replicate + 1} of {result.n}" if result.n > 1 else "this run"
        ends = "all" if kept <= 2 * LISTED else f"the {LISTED} most helpful and the {LISTED} most harmful"
        st.caption(f"The table shows {ends} of {format_count(kept, 'point')} of {of} that are kept.")
        if kept:
            alt = "Synthetic points ranked by contribution, the most helpful first"
            st.dataframe(rows, hide_index=True, alt=alt)
            share.offer_table(rows, f"contributions-{shown.job.id}", "contributions", alt)
        st.caption(
            "moved: distance in standard deviations of the features from where the point began. copied from: number of the row in the "
            "data, counted from 0; a dash where a point is no copy of one row. point: its number in the replicate, from 1."
        )


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
            "effect": ["lowers the loss" if value[i] < 0 else "raises the loss" if value[i] > 0 else "none" for i in at],
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
    over = f"Means of {n} replicates with their 95% intervals." if n > 1 else "One replicate: no interval."
    count = format_count(round(float(summary["points"])), "synthetic point")
    plainly, alike = _format_share(summary["helpful"]), _format_share(summary["helpful_alike"])
    return f"Of about {count}, {plainly} lower the mean validation loss, and {alike} lower it with the classes alike. {over}"


def _format_share(share: Mapping[str, float | None]) -> str:
    mean, low, high = (float("nan") if (v := share[key]) is None else 100 * v for key in ("mean", "low", "high"))
    return f"**{mean:.0f}%**" + (" " + escape(f"[{low:.0f}, {high:.0f}]") if np.isfinite(low) and np.isfinite(high) else "")
