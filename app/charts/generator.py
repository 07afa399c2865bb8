"""How a generator trained: the losses of its players, and the largest weight where new rows are weighted means."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.ends import End, add_line
from app.charts.learning import HEIGHT, label_ends
from app.charts.palette import COLOURS, Stroke, centre, frame

LINES = {
    "ae_loss": ("reconstruction", COLOURS["sky"][0], "dot"),
    "class_loss": ("reconstruction, by class", COLOURS["blue"][0], "dashdot"),
    "d_loss": ("discriminator", COLOURS["vermilion"][0], "dash"),
    "g_loss": ("generator", COLOURS["green"][0], "solid"),
    "m_loss": ("classifier", COLOURS["pink"][0], "dashdot"),
}
"""history name -> (label, colour, dash) of the losses, in order of display."""
WEIGHTS = {"top_weight": ("largest weight", COLOURS["green"][0], "solid")}
"""The same of the weights."""
EFFECTIVE = "effective_rows"
"""history name of how many rows a new one is made of in effect."""


def read_history(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return name -> [R, E] of LINES, WEIGHTS and EFFECTIVE, the phases in the order they ran; {} for a method without a generator."""
    phases: dict[str, dict[str, np.ndarray]] = {}
    for key, values in arrays.items():
        head, _, rest = key.partition("/")
        phase, _, name = rest.partition("/")
        if head == "history":
            phases.setdefault(phase, {})[name] = np.atleast_2d(np.asarray(values, dtype=float))
    own = [one for one in phases.values() if "train_loss" not in one and "step" in one and {"ae_loss", "d_loss"} & set(one)]
    own.sort(key=lambda one: one["step"][0, 0])
    names = [name for name in (*LINES, *WEIGHTS, EFFECTIVE) if any(name in one for one in own)]
    height = max((len(one[name]) for one in own for name in one if name in names), default=0)
    return {
        name: np.concatenate([one.get(name, np.full((height, one["step"].shape[1]), np.nan)) for one in own], axis=1)
        for name in names
    }


def figure(history: Mapping[str, np.ndarray], *, weights: bool = False) -> go.Figure:
    """Means over replicates, labelled at their ends. weights: the weights, not the losses."""
    lines = WEIGHTS if weights else LINES
    fig = frame("Part of the training", "Share of a new row" if weights else "Loss", height=HEIGHT)
    kept = {name: centre(history[name]) for name in lines if name in history}
    finite = np.concatenate([*(mean[np.isfinite(mean)] for mean in kept.values()), np.zeros(0)])
    top = 1.0 if weights else 1.08 * float(finite.max()) if len(finite) and finite.max() > 0 else 1.0
    ends = []
    for name, mean in kept.items():
        label, colour, dash = lines[name]
        there = np.flatnonzero(np.isfinite(mean))
        if len(there):
            ends.append(End(float(mean[there[-1]]) / top, label, Stroke(colour, dash, "circle")))
        add_line(fig, mean, label, colour, dash)
    label_ends(fig, ends, (0.0, top))
    return fig


def table(history: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Means over replicates, one row for each part of the training."""
    labels = {name: label for name, (label, _, _) in (LINES | WEIGHTS).items()} | {EFFECTIVE: "rows in effect"}
    columns = {label: pd.Series(centre(history[name])) for name, label in labels.items() if name in history}
    return pd.DataFrame(columns).rename_axis("part").rename(index=lambda i: i + 1)


def list_ends(history: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Return label -> (first, last) finite mean, of losses and weights."""
    out = {}
    for name, (label, _, _) in (LINES | WEIGHTS).items():
        mean = centre(history[name]) if name in history else np.zeros(0)
        kept = mean[np.isfinite(mean)]
        if len(kept):
            out[label] = (float(kept[0]), float(kept[-1]))
    return out


def alt(history: Mapping[str, np.ndarray], *, weights: bool = False) -> str:
    """What the picture says, for someone who cannot see it."""
    labels = {label for label, _, _ in (WEIGHTS if weights else LINES).values()}
    each = "; ".join(f"{label} from {a:.3g} to {b:.3g}" for label, (a, b) in list_ends(history).items() if label in labels)
    return f"{'Weights of a new row' if weights else 'Losses'} while the generator trains: {each or 'no values'}."


def read_effective(history: Mapping[str, np.ndarray]) -> float | None:
    """Return how many rows a new one is made of in effect at the end; None where that is not known."""
    mean = centre(history[EFFECTIVE]) if EFFECTIVE in history else np.zeros(0)
    kept = mean[np.isfinite(mean)]
    return float(kept[-1]) if len(kept) else None
