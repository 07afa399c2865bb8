"""The player alone, fed with a run that never was. What it is asked for stands in the address; see `pick`.

hidden: majority rows that are not shown, so that some points are unsafe.
mode: replay (all at once), live (chunks, by a fragment that runs every `tick` s), empty, still (a scene without a frame),
pair (two players, one scrubber). worth: the finished run has contributions and directions of its points.
"""

import time

import numpy as np
import streamlit as st

from app.player import Feed, mount_player
from engine.events import Phase
from tests.browser import fake


def pick(name, default):
    return type(default)(st.query_params.get(name, default))


st.set_page_config(page_title="player", layout="wide")
st.markdown("<style>header{display:none !important} .block-container{padding:1rem !important}</style>", unsafe_allow_html=True)
mode = pick("mode", "replay")
count = pick("frames", 100)
scene, frames = fake.run(
    count,
    pick("synthetic", 48),
    pick("move", 0.7),
    exact=bool(pick("exact", 1)),
    classes=pick("classes", 2),
    seed=pick("seed", 0),
    hidden=pick("hidden", 0),
)
phases = [Phase("training", "Training a plain classifier"), Phase("points", "Moving the synthetic points")]
status, alive = pick("status", "done"), bool(pick("alive", 1))
WORTH = {}
if pick("worth", 0):
    many = len(frames[-1].points)
    WORTH["contributions"] = np.linspace(-0.2, 0.1, many).astype(np.float32)
    WORTH["downhill"] = np.random.default_rng(1).standard_normal((many, 2)).astype(np.float32)
LABELS = {"training": "training", "points": "points move"}


def feed(name="feed"):
    return st.session_state.setdefault(name, Feed(run="a run <b>of</b> none"))


def show(chunk, of=None, key="player"):
    of = of or feed()
    mount_player(chunk, key=key, on_need=of.rewind)


if mode == "empty":
    show(feed().make_chunk([], status=status, engine_alive=alive))
elif mode == "still":
    show(feed().make_chunk([scene], status=status, engine_alive=alive))
elif mode == "replay":
    st.button("rerun")
    events = [*phases, scene, *frames][feed().after :]
    chunk = feed().make_chunk(events, status=status, engine_alive=alive, labels=LABELS, **WORTH)
    feed().after = len(phases) + 1 + len(frames)
    if not st.checkbox("leave"):
        show(chunk)
elif mode == "pair":
    left, right = st.columns(2)
    _, other = fake.run(count // 2, 48, 0.0)
    for column, name, title, film in ((left, "a", "explicit gradient", frames), (right, "b", "the same points, frozen", other)):
        with column:
            mine = st.session_state.setdefault(name, Feed(run=name))
            film = film if name == "a" else [type(f)(**{**vars(f), "step": f.step * 2}) for f in film]
            chunk = mine.make_chunk(
                [scene, *film][mine.after :], status="done", engine_alive=True, title=title, group="run", labels=LABELS
            )
            mine.after = 1 + len(film)
            show(chunk, mine, name)
else:
    # frames a second; the number of the chunk that never arrives, and how many; how long ago the run began
    rate, lose = pick("rate", 12.0), pick("lose", -1)
    began = st.session_state.setdefault("began", time.monotonic() - pick("ago", 0.0))

    def watch():
        done = min(count, int((time.monotonic() - began) * rate))
        before = 20 if count > 20 else 0  # the scene comes again with its parents, as the engine sends it
        bare = type(scene)(**{**vars(scene), "parents": scene.parents[:0], "parent_labels": scene.parent_labels[:0]})
        events = [phases[0], bare, *frames[: min(done, before)]]
        if done > before:
            events += [phases[1], scene, *frames[before:done]]
        now = feed()
        chunk = now.make_chunk(
            events[now.after :], status="done" if done == count else "running", engine_alive=alive, labels=LABELS
        )
        now.after = len(events)
        st.session_state.chunks = st.session_state.get("chunks", 0) + 1
        if lose <= st.session_state.chunks < lose + pick("lost", 1):
            chunk = st.session_state.before  # what was there already, instead
        st.session_state.before = chunk
        show(chunk)
        if done == count and not st.session_state.get("over"):
            st.session_state.over = True
            st.rerun()

    st.fragment(watch, run_every=None if st.session_state.get("over") else pick("tick", 0.2))()
