"""The finished runs of a family for pictures per class, and how a run was made."""

from __future__ import annotations

import streamlit as st

from app.parts.elements import draw_fold
from app.run import gaps
from app.run.shown import Shown
from app.words.text import escape, format_duration


def list_entries(shown: Shown) -> list[gaps.Entry]:
    """Return the finished runs of a family for the pictures per class, the run itself first."""
    return [gaps.Entry(m.key, m.label, r) for m, r in shown.there]


def draw_provenance(shown: Shown) -> None:
    """Draw where and how the numbers were made, in one line and in full."""
    result = shown.result
    if result is None:
        return
    origin = result.provenance
    parts = [f"Run {escape(shown.job.id)}", f"trained on {escape(origin.get('device', 'an unknown device'))}"]
    parts[-1] += f" in {format_duration(result.seconds)}"
    parts += [escape(origin[name], 60) for name in ("machine", "cpu", "date") if origin.get(name)]
    st.caption(" · ".join(parts))
    with draw_fold("How it was made", "provenance", ":material/receipt_long:") as fold:
        if fold.open:
            st.json({"spec": result.spec, "provenance": origin}, expanded=1)
