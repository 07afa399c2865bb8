"""What MESA's policy did: the reward of each episode while it learnt, and how hard the rows of each member of the ensemble are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.ends import add_line
from app.charts.learning import HEIGHT
from app.charts.palette import COLOURS, centre, frame

EPISODES, MEMBERS = "policy", "members"
"""Phases of a run's history."""
_LABELS = {"mu": "action", "reward": "reward"}
_PARTS = {"train": "training rows", "valid": "validation rows"}


def read_history(arrays: Mapping[str, np.ndarray], phase: str) -> dict[str, np.ndarray]:
    """Return name -> [R, E] of a phase: mu, reward and the buckets of the state; {} for a run without a policy."""
    begin = f"history/{phase}/"
    found = {
        key.removeprefix(begin): np.atleast_2d(np.asarray(of, float)) for key, of in arrays.items() if key.startswith(begin)
    }
    return {name: of for name, of in found.items() if name != "step"} if {"mu", "reward"} <= found.keys() else {}


def figure(history: Mapping[str, np.ndarray], name: str, across: str, up: str) -> go.Figure:
    """Means over replicates of `mu` or `reward`, from 1. across, up: names of the axes."""
    fig = frame(across, up, height=HEIGHT)
    add_line(fig, centre(history[name]), _LABELS[name], COLOURS["green"][0], "solid")
    if name == "mu":
        fig.update_yaxes(range=[0, 1])
    return fig


def draw_states(history: Mapping[str, np.ndarray]) -> go.Figure:
    """The first and the last state: two histograms of errors, of training and of validation rows. Means over replicates."""
    fig = frame("Error of a majority row", "Share of the rows", height=HEIGHT)
    states = read_states(history)
    for part, pattern in zip(_PARTS, ("", "/"), strict=True):
        for when, colour in (("first", COLOURS["sky"][0]), ("last", COLOURS["green"][0])):
            values = states[part][0 if when == "first" else -1]
            bounds = np.linspace(0, 1, len(values) + 1)
            names = [f"{a:.1f} to {b:.1f}" for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
            fig.add_trace(
                go.Bar(
                    x=names, y=values, name=f"{_PARTS[part]}, {when}", marker={"color": colour, "pattern": {"shape": pattern}}
                )
            )
    fig.update_layout(barmode="group", showlegend=True, legend={"orientation": "h", "y": 1.15})
    return fig


def read_states(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return part -> [E, bins] shares of the rows: means over replicates."""
    out = {}
    for part in _PARTS:
        columns = [centre(of) for name, of in history.items() if name.startswith(f"state_{part}_")]
        counts = np.stack(columns, 1)
        out[part] = counts / counts.sum(1, keepdims=True)
    return out


def table(history: Mapping[str, np.ndarray], what: str) -> pd.DataFrame:
    """Means over replicates, one row for each episode or member. what: the name of a row."""
    columns = {_LABELS.get(name, name.replace("_", " ")): pd.Series(centre(of)) for name, of in history.items()}
    return pd.DataFrame(columns).rename_axis(what).rename(index=lambda i: i + 1)


def alt(history: Mapping[str, np.ndarray], name: str, what: str) -> str:
    """What a picture of `mu` or `reward` says, for someone who cannot see it. what: what its values are of."""
    mean = centre(history[name])
    kept = mean[np.isfinite(mean)]
    ends = f"from {kept[0]:.2f} to {kept[-1]:.2f}" if len(kept) else "no values"
    return f"The {_LABELS[name]} of each {what}: {ends}."


def describe_states(history: Mapping[str, np.ndarray]) -> str:
    """What the picture of the states says."""
    each = []
    for part, values in read_states(history).items():
        first, last = (", ".join(f"{share:.0%}" for share in values[at]) for at in (0, -1))
        each.append(f"{_PARTS[part]}: {first} first, {last} last")
    return f"Shares of the majority rows by their error, from 0 to 1, before a member is grown. {'; '.join(each)}."
