"""The losses while the synthetic points move, as figure 5 of Yasinnik et al."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.ends import End, add_line
from app.charts.learning import HEIGHT, label_ends
from app.charts.palette import COLOURS, Stroke, centre, frame

LINES = {
    "adapted_loss": ("validation rows, after the step", COLOURS["green"][0], "solid"),
    "synthetic_loss": ("synthetic points", COLOURS["vermilion"][0], "dash"),
    "train_loss": ("training rows", COLOURS["sky"][0], "dot"),
    "valid_loss": ("validation rows", COLOURS["pink"][0], "dashdot"),
}
"""history name -> (label, colour, dash), in order of display."""


def read_history(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The losses of the phase that moves the points, or of the last phase that has any: name of LINES -> [R, E]."""
    phases: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        head, _, rest = key.partition("/")
        phase, _, name = rest.partition("/")
        if head == "history" and name in LINES:
            phases.setdefault(phase, {})[name] = np.asarray(value, dtype=float)
    if not phases:
        return {}
    moving = [phase for phase, history in phases.items() if "adapted_loss" in history]
    last = max(phases, key=lambda phase: arrays[f"history/{phase}/step"][-1] if f"history/{phase}/step" in arrays else 0)
    history = phases[moving[0] if moving else last]
    return {name: history[name] for name in LINES if name in history}


def figure(losses: Mapping[str, np.ndarray]) -> go.Figure:
    """Mean loss over replicates per epoch, labelled at the ends; the axis is logarithmic where the values span a factor of 30."""
    fig = frame("Epoch", "Cross-entropy, nats", height=HEIGHT)
    finite, ends = [np.empty(0)], []
    for name, values in losses.items():
        label, colour, dash = LINES[name]
        mean = centre(values)
        finite.append(mean[np.isfinite(mean) & (mean > 0)])
        if len(finite[-1]):
            ends.append((float(finite[-1][-1]), label, Stroke(colour, dash, "circle")))
        add_line(fig, mean, label, colour, dash)
    positive = np.concatenate(finite)
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (0.0, 1.0)
    if len(positive) and high > 30 * low:
        fig.update_yaxes(type="log", dtick=1)
        bottom, top = np.log10(low / 1.3), np.log10(high * 1.3)
        places = [(float((np.log10(last) - bottom) / (top - bottom)), label, ink) for last, label, ink in ends]
    else:
        bottom, top = 0.0, 1.08 * high
        places = [(last / top, label, ink) for last, label, ink in ends]
    label_ends(fig, [End(*place) for place in places], (float(bottom), float(top)))
    return fig


def table(losses: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean over replicates per epoch."""
    return pd.DataFrame({LINES[name][0]: pd.Series(centre(values)) for name, values in losses.items()}).rename_axis(
        "epoch"
    ).rename(index=lambda i: i + 1)  # fmt: skip


def alt(losses: Mapping[str, np.ndarray]) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for name, values in losses.items():
        mean = centre(values)
        kept = mean[np.isfinite(mean)]
        if len(kept):
            parts.append(f"{LINES[name][0]} from {kept[0]:.3g} to {kept[-1]:.3g}")
    return "Losses per epoch while the synthetic points move. " + ("; ".join(parts) + "." if parts else "No values.")
