"""Validation average precision, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.ends import End, find_margin, make_labels
from app.charts.palette import NEUTRAL, SOFT_INK, band, centre, frame, safe, spread, stroke


@dataclass(frozen=True)
class Trace:
    """One method's value per epoch, its phases in a row: values [R, E]; phases: (name, epochs before it) in order."""

    key: str
    label: str
    values: np.ndarray
    phases: tuple[tuple[str, int], ...] = ()


def join_phases(arrays: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, tuple[tuple[str, int], ...]]:
    """`history/<phase>/<name>` of all phases in the order they ran: (values [R, E], phases as in Trace).

    A phase that lacks the name leaves a gap of NaN as long as it ran. A replicate that stopped early keeps its last value:
    means over those still training would jump whenever a good one ends. The phases of a generator or a policy, in which no classifier
    trains, are left out.
    """
    steps = {key.split("/")[1]: value for key, value in arrays.items() if key.startswith("history/") and key.endswith("/step")}
    own = ("ae_loss", "d_loss", "reward")
    steps = {phase: at for phase, at in steps.items() if not any(f"history/{phase}/{loss}" in arrays for loss in own)}
    order = sorted(steps, key=lambda phase: steps[phase][0] if len(steps[phase]) else np.inf)
    parts, phases, before = [], [], 0
    replicates = max((len(arrays[f"history/{p}/{name}"]) for p in order if f"history/{p}/{name}" in arrays), default=0)
    for phase in order:
        values = arrays.get(f"history/{phase}/{name}")
        parts.append(
            np.full((replicates, len(steps[phase])), np.nan) if values is None else _held(np.asarray(values, dtype=float))
        )
        phases.append((phase, before))
        before += len(steps[phase])
    return (np.concatenate(parts, axis=1) if parts else np.empty((0, 0))), tuple(phases)


def _held(values: np.ndarray) -> np.ndarray:
    """Return values [R, E] with every NaN replaced by the last value before it in its row."""
    return pd.DataFrame(values).ffill(axis=1).to_numpy()


HEIGHT = 260
"""Pixels of the plot."""


def figure(traces: Sequence[Trace]) -> go.Figure:
    """Means over the replicates, labelled at their ends; the first trace's phases are marked and it alone has a band."""
    fig = frame("Epoch, all phases in a row", "Average precision on validation rows", height=HEIGHT)
    ends, bounds = [], [0.0]
    for rank, trace in enumerate(traces):
        mean, low, high = spread(trace.values)
        epochs = np.arange(1, len(mean) + 1)
        ink = stroke(trace.key)
        if rank == 0 and len(trace.values) > 1:
            band(fig, epochs, low, high, ink.colour, trace.key)
            bounds.append(_highest(high))
        fig.add_trace(
            go.Scatter(
                x=epochs.astype(np.float32),
                y=mean.astype(np.float32),
                mode="lines",
                name=safe(trace.label),
                line={"color": ink.colour, "dash": ink.dash, "width": 3 if rank == 0 else 2},
                hovertemplate=f"%{{y:.3f}}<extra>{safe(trace.label)}</extra>",
                zorder=10 if rank == 0 else 1,
            )
        )
        bounds.append(_highest(mean))
        there = mean[np.isfinite(mean)]
        if len(there):
            ends.append((float(there[-1]), trace.label, ink))
    top = min(1.05, 1.08 * max(bounds)) or 1.0
    label_ends(fig, [End(last / top, label, ink) for last, label, ink in ends], (0.0, top))
    for name, before in traces[0].phases if traces else ():
        if before:
            fig.add_vline(x=before + 0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
        if len(traces[0].phases) > 1:
            fig.add_annotation(
                x=before + 0.5, y=0.0, yref="paper", text=safe(name), showarrow=False, xanchor="left", yanchor="bottom",
                font={"size": 12, "color": SOFT_INK[0]},
            )  # fmt: skip
    return fig


def label_ends(fig: go.Figure, ends: Sequence[End], bounds: tuple[float, float]) -> None:
    """Label the lines of a figure of HEIGHT at their ends. bounds: of its vertical axis, in plotly's units."""
    made = make_labels(ends, HEIGHT)
    fig.layout.yaxis.range = list(bounds)
    fig.layout.margin.r = find_margin(ends)
    fig.layout.annotations = [*fig.layout.annotations, *made["annotations"]]
    fig.layout.shapes = [*fig.layout.shapes, *made["shapes"]]


def _highest(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.max()) if len(there) else 0.0


def table(traces: Sequence[Trace]) -> pd.DataFrame:
    """Mean over replicates per epoch, one column a method."""
    return pd.DataFrame({trace.label: pd.Series(centre(trace.values)) for trace in traces}).rename_axis("epoch").rename(
        index=lambda i: i + 1
    )  # fmt: skip


def alt(traces: Sequence[Trace]) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for trace in traces:
        mean = centre(trace.values)
        if np.isfinite(mean).any():
            parts.append(f"{trace.label} peaks at {np.nanmax(mean):.2f} after {int(np.nanargmax(mean)) + 1} epochs")
    return "Average precision on the validation rows per epoch. " + ("; ".join(parts) + "." if parts else "No values.")
