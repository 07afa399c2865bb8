"""The stage alone, with films that never were, at the place where the Lab has it. What it is asked for stands in the address.

films: 1 or 2. same: the second film is the first once more. plane: the second film has another plane. mode: done, live, empty,
failed, cancelled. made: how points were made (see `fake.run`). rail: whatif, differences. worth: contributions and directions. bar:
whether the page has its sidebar.
"""

import time
from dataclasses import replace

import numpy as np
import streamlit as st

from app.player import Feed, mount_stage
from engine.events import Phase
from tests.browser import fake


def pick(name, default):
    return type(default)(st.query_params.get(name, default))


SIDEBAR = pick("bar", 1)
st.set_page_config(page_title="stage", layout="wide", initial_sidebar_state=288)
st.html(
    "<style>header{display:none !important}"
    ".block-container{padding:154px 24px 40px !important; max-width:none !important}"
    "@media (max-height:799px){.block-container{padding-top:128px !important}}"
    "@media (max-width:767px){.block-container{padding:164px 16px 40px !important}}</style>",
)
if SIDEBAR:
    st.sidebar.write("Form")
mode, count = pick("mode", "done"), pick("frames", 60)
scene, frames = fake.run(
    count,
    pick("synthetic", 46),
    pick("move", 0.9),
    hidden=pick("hidden", 0),
    made=pick("made", ""),
    members=bool(pick("members", 0)),
)
_, still = fake.run(count // 2 if pick("short", 1) else count, pick("synthetic", 46), 0.0)
still = frames if pick("same", 0) else [replace(frame, step=3 * frame.step + 7) for frame in still]
other = replace(scene, centre=(9.0, 9.0)) if pick("plane", 0) else scene
LABELS = {"training": "first classifier", "points": "points move"}
WORTH = {}
if pick("worth", 1) and mode == "done" and len(frames[-1].points):
    many = len(frames[-1].points)
    rng = np.random.default_rng(1)
    WORTH["contributions"] = np.linspace(-0.2, 0.1, many).astype(np.float32)
    WORTH["downhill"] = (rng.standard_normal((many, 2)) * rng.lognormal(0, 1, (many, 1))).astype(np.float32)
RECALL = [i / 63 for i in range(64)]


def curve(key, label, colour, dash, power, bold=False):
    precision = [max(0.02, 1 - r**power * (0.72 + 0.01 * power)) for r in RECALL]
    low = [max(0.0, p - 0.1 * r) for p, r in zip(precision, RECALL, strict=True)]
    high = [min(1.0, p + 0.08 * r) for p, r in zip(precision, RECALL, strict=True)]
    return {
        "key": key, "label": label, "colour": colour, "dash": dash, "recall": RECALL, "precision": precision, "low": low, "high": high,
        "bold": bold, "ap": sum(precision) / 64,
    }  # fmt: skip


CURVES = [
    curve("ce", "Plain", ["#8A8A8A", "#868686"], "dashdot", 5.5),
    curve("equal", "Equal steps", ["#A47100", "#FFBA1E"], "dot", 5.9),
    curve("frozen", "Frozen", ["#229DE2", "#57B4E9"], "dash", 5.0),
    curve("oracle", "All rows", ["#8C3D69", "#E2B3CD"], "longdash", 6.5),
    curve("eg", "Explicit gradient", ["#007E5B", "#2FE0AE"], "solid", 5.7, True),
]
CONTROLS = [
    {"name": "ratio", "label": "Ratio", "unit": "", "format": "{:,}:1", "stops": [10, 20, 50, 100, 200], "value": 50},
    {"name": "noise", "label": "Noise", "unit": "sd", "format": "{:.2f}", "min": 0.05, "max": 0.5, "step": 0.01, "value": 0.13},
    {"name": "eta_points", "label": "Step of the points", "unit": "", "format": "{:,}", "stops": [100, 500, 1000, 5000], "value": 1000},
    {"name": "confidence", "label": "Confidence", "unit": "", "format": "{:.2f}", "min": 0.5, "max": 1.0, "step": 0.05, "value": 0.8},
]  # fmt: skip
SPEC = {
    "dataset": "moons",
    "data": {"noise": 0.13},
    "ratio": 50,
    "method": "eg",
    "eta_points": 1000,
    "confidence": 0.8,
    "seed": 0,
}
COMPANIONS = (
    ("Explicit gradient", "58%", 0.58), ("Frozen", "next", 0), ("Equal steps", "waits", 0), ("Plain", "done", 1), ("All rows", "waits", 0),
)  # fmt: skip
two = pick("films", 2) == 2
side = {
    "views": [{"name": "moving", "label": "Moving", "note": "average precision .91"}],
    "view": pick("view", "moving"),
    "pr": {"curves": CURVES, "chance": 0.02, "title": "on test rows"},
    "whatif": {"controls": CONTROLS, "spec": SPEC, "button": "Run this with 20 replicates", "off": ""},
    "differences": [
        {"label": "than plain training", "mean": 0.009, "low": -0.027, "high": 0.045, "better": None, "n": 20},
        {"label": "than the same points frozen", "mean": 0.06, "low": 0.048, "high": 0.072, "better": True, "n": 20},
        {"label": "than plain training, equal steps", "mean": -0.05, "low": -0.07, "high": -0.031, "better": False, "n": 20},
        {"label": "than all rows", "mean": -0.01, "low": -0.034, "high": 0.021, "better": None, "n": 20},
    ],
    "companions": [{"label": name, "state": state, "share": share} for name, state, share in COMPANIONS],
    "edit": None,
    "save": {"verdict": "No difference found between explicit gradient and plain training."},
}  # fmt: skip
if two:
    side["views"] += [
        {"name": "frozen", "label": "Frozen", "note": "average precision .88"},
        {"name": "both", "label": "Both"},
        {"name": "difference", "label": "Difference"},
    ]
if pick("rail", "whatif") != "whatif":
    side["whatif"] = None
if mode == "empty":
    side = {}
if mode == "cancelled":
    side["chip"] = "stopped at 58%"
STATUS = {"done": "done", "failed": "failed", "cancelled": "cancelled"}.get(mode, "running")


def feed(name):
    return st.session_state.setdefault(name, Feed(run=name))


def show(left, right=None):
    def write(name):
        return lambda *given: st.session_state.update({f"got.{name}": given})

    mount_stage(
        [left] if right is None else [left, right], side, key="stage", on_need=lambda film, first: feed("ab"[film]).rewind(first),
        on_take=write("take"), on_edit=write("edit"), on_view=write("view"), on_width=write("width"),
    )  # fmt: skip
    st.write("below", {key: value for key, value in st.session_state.items() if str(key).startswith("got.")})


PHASES = [Phase("training", "Training a plain classifier"), Phase("points", "Moving the synthetic points")]
if mode == "empty":
    show(Feed().make_chunk([], status="waiting", engine_alive=True))
elif mode != "live":
    events = [*PHASES, scene, *(frames if mode == "done" else frames[: len(frames) * 58 // 100])]
    left = feed("a").make_chunk(events[feed("a").after :], status=STATUS, engine_alive=True, labels=LABELS, **WORTH)
    feed("a").after = len(events)
    right = None
    if two:
        theirs = [*PHASES, other, *still]
        right = feed("b").make_chunk(theirs[feed("b").after :], status="done", engine_alive=True, labels=LABELS)
        feed("b").after = len(theirs)
    show(left, right)
else:
    began = st.session_state.setdefault("began", time.monotonic())

    def watch():
        done = min(count, int((time.monotonic() - began) * pick("rate", 12.0)))
        events = [*PHASES, scene, *frames[:done]]
        state = "done" if done == count else "running"
        chunk = feed("a").make_chunk(events[feed("a").after :], status=state, engine_alive=True, labels=LABELS)
        feed("a").after = len(events)
        show(chunk)
        if state == "done" and not st.session_state.get("over"):
            st.session_state.over = True
            st.rerun()

    st.fragment(watch, run_every=None if st.session_state.get("over") else 0.3)()
