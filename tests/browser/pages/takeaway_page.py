"""A stage with two films, Save and Edit points. What it is asked for stands in the address.

known: whether the recorded scene has the units of its set. points: the added points at first. pair: whether there are two films.
lazy: the second one is sent when it is asked for. made: how points were made (see `fake.run`).
"""

from dataclasses import replace

import numpy as np
import streamlit as st

from app.player import Feed, mount_stage
from engine.events import Phase
from tests.browser.pages.takeaway_run import LABELS, make_film

VERDICT = "</script><b>No difference</b> found between 'moving' & \"frozen\" {points}."


def pick(name, default):
    return type(default)(st.query_params.get(name, default))


st.set_page_config(page_title="take away", layout="wide")
st.markdown(
    "<style>header{display:none !important} .block-container{padding:24px !important; max-width:none !important}</style>",
    unsafe_allow_html=True,
)
scene, frames = make_film(40, 30, made=pick("made", ""))
_, still = make_film(40, 30, 0.0)
if not pick("known", 1):
    scene = replace(scene, data_centre=None, data_half=None)
phases = [Phase("training", "Training a plain classifier"), Phase("points", "Moving the synthetic points")]
many = len(frames[-1].points)
worth = {"contributions": np.linspace(-0.2, 0.1, many).astype(np.float32)}
worth["downhill"] = np.random.default_rng(1).standard_normal((many, 2)).astype(np.float32)
differences = [
    {"label": "than plain training", "mean": 0.009, "low": -0.027, "high": 0.045, "better": None, "n": 20},
    {"label": "than <i>frozen</i> points", "mean": 0.06, "low": 0.048, "high": 0.072, "better": True, "n": 20},
]
control = {"name": "ratio", "label": "Ratio", "unit": "", "format": "{:,}:1", "stops": [10, 20, 50, 100], "value": 50}
spec = {
    "dataset": "moons",
    "data": {},
    "ratio": 50,
    "method": "explicit-gradient",
    "eta_points": 1000,
    "confidence": 0.8,
    "seed": 0,
}
two = pick("pair", 1)
side = {
    "views": [{"name": "moving", "label": "Moving", "note": ""}],
    "view": "moving",
    "whatif": {"controls": [control], "spec": spec, "button": "Run this with 20 replicates", "off": ""},
    "differences": differences,
    "edit": {"points": st.session_state.get("points", pick("points", "")), "most": 50},
    "save": {"name": "two moons <50:1>", "verdict": VERDICT, "address": "http://lab.example/?dataset=moons&ratio=50"},
}
side["save"]["differences"] = differences
if two:
    names = ("frozen", "Frozen"), ("both", "Both"), ("difference", "Difference")
    side["views"] += [{"name": name, "label": label, "note": ""} for name, label in names]


def feed(name):
    return st.session_state.setdefault(name, Feed(run=name))


def make_chunk(name, film, **more):
    events = [*phases, scene, *film]
    chunk = feed(name).make_chunk(events[feed(name).after :], status="done", engine_alive=True, labels=LABELS, **more)
    feed(name).after = len(events)
    return chunk


is_sent = two and (not pick("lazy", 0) or "wanted" in st.session_state)


def rewind(film, first):
    if film and not is_sent:
        st.session_state.wanted = True
    else:
        feed("ab"[film]).rewind(first)


mount_stage(
    [make_chunk("a", frames, **worth), *([make_chunk("b", still)] if is_sent else [])],
    side,
    key="stage",
    on_need=rewind,
    on_edit=lambda points: st.session_state.update(points=points),
)
st.markdown(f"<code id=emitted>{st.session_state.get('points', 'nothing')}</code>", unsafe_allow_html=True)
