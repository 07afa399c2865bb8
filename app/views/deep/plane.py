"""The map of a run's features: every way to lay it out is asked for as the page opens, and drawn in one component when it is there."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.charts import embedding
from app.form import fields
from app.map import TEST, Layout, encode_map, mount_map
from app.run import panel
from app.run.gaps import list_classes
from app.run.shown import Shown
from app.session import jobs, refusals, shared, visitor
from app.session.store import get_store, read_catalog
from app.views.deep.address import WAY, find_way, write_address
from app.words import deep as words
from app.words.text import escape, format_count, format_duration
from engine.errors import UnknownName
from engine.spec import RunSpec
from engine.spec.embedding import EmbedSpec
from engine.store import Job, Store

KEY = "deep.map"
TICK = 2.0
"""Seconds between two looks at maps that are being computed."""


@dataclass(frozen=True)
class Sample:
    """What a run's map is drawn from. arrays: `engine.analysis.sample`; verdict: of the run, in one sentence."""

    job: Job
    classes: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    verdict: str


def draw_map(shown: Shown, specs: Mapping[str, EmbedSpec], verdict: str) -> None:
    """Draw the map of a finished run with what is beside it, or why there is none. specs: the wanted map of each way."""
    owner = visitor.read_owner()
    arrays = jobs.read_features(shown.job.id, shown.job.attempt, owner)
    assert shown.result is not None
    if arrays is None:
        with draw_place():
            st.markdown(words.NO_FEATURES)
            if not panel.caption_demo():
                st.button(words.AGAIN, key="deep.remake", icon=":material/replay:", on_click=_submit_run, args=(shown.job,))
        return
    if not read_catalog().get("embeddings"):
        with draw_place():
            st.markdown(words.NO_WAYS)
        return
    sample = Sample(shown.job, tuple(list_classes(shown.result)[0]), arrays, verdict)
    layouts = list_layouts(sample, specs, ask=True)
    waits = any(one.state == "waiting" for one in layouts)
    st.fragment(_draw_map, run_every=TICK if waits else None)(sample, specs, waits)


def draw_place() -> Any:
    """Return the place of the map where there is none, as large as the map."""
    return st.container(border=True, height=574, key="deep-place", vertical_alignment="center", horizontal_alignment="center")


def _submit_run(job: Job) -> None:
    spec = RunSpec.from_json(job.spec)
    asked: dict[str, Any] = {"fingerprint": job.fingerprint, "owner": job.owner, "asker": visitor.read_owner()}
    with refusals.Reported():
        get_store().submit(spec, device=job.device, priority=0, again=True, **asked)


def draw_settings(run: str) -> dict[str, EmbedSpec]:
    """Draw the settings of the maps in a popover; return the map of a run that is wanted of each way."""
    out = {}
    with st.popover(words.SETTINGS, icon=":material/tune:", help=words.SETTINGS_HELP):
        seed = st.number_input(words.SEED, 0, 2**31 - 1, key="deep.e.seed")
        for entry in read_catalog().get("embeddings", ()):
            name, values = entry["technique"], {}
            if entry["fields"]:
                st.markdown(f"**{escape(entry['title'])}**")
                values, wrong = fields.draw_fields(entry["fields"], f"deep.e.{name}", name)
                for problem in wrong:
                    st.error(escape(problem, 300))
                values = {} if wrong else values
            out[name] = EmbedSpec(run, name, values, int(seed) if entry["fields"] else 0)
    return out


# ---- the ways to lay it out


def list_layouts(sample: Sample, specs: Mapping[str, EmbedSpec], *, ask: bool = False) -> list[Layout]:
    """Return every way to lay the map out, with its places where they are there. ask: ask for those that nobody has asked for."""
    store, owner = get_store(), visitor.read_owner()
    alive = bool(shared.read_engines(store))
    out = []
    for entry in read_catalog()["embeddings"]:
        name, title = entry["technique"], entry["title"]
        spec = specs[name]
        xy = store.embedding(spec.run, name, spec.params, spec.seed, owner)
        if xy is None and name == "pca":
            xy = _find_plane(store, sample, owner)
        if xy is not None and len(xy) == len(sample.arrays["y"]):
            out.append(Layout(name, title, xy, _describe(name, sample, xy), _describe_picture(title, sample)))
            continue
        job = _find_job(store, spec, owner)
        if job is None and ask and alive and not visitor.is_demo():
            with refusals.Reported():
                job = store.submit_embed(spec.run, name, spec.params, spec.seed, owner)
        out.append(_describe_wait(store, spec, title, job, alive, sample.arrays["x"].shape))
    return out


def _find_job(store: Store, spec: EmbedSpec, owner: str | None) -> Job | None:
    try:
        return store.job(spec.id, owner)
    except UnknownName:
        return None


def _describe_wait(store: Store, spec: EmbedSpec, title: str, job: Job | None, alive: bool, shape: tuple[int, ...]) -> Layout:
    """Return a way whose map is not there: when it will be, or what brings it."""
    name = spec.technique
    if visitor.is_demo():
        return Layout(name, title, state="off", note=words.NOTES["none"], why=words.WHY["demo"])
    if not alive:
        return Layout(name, title, state="off", note=words.NOTES["none"], why=words.WHY["silent"])
    seconds = store.embed_seconds(name, shape[0], shape[1], spec.params)
    if job is not None and job.active:
        return Layout(name, title, state="waiting", note=_describe_time(store, job, seconds), why=words.WHY["running"])
    if job is not None and job.state == "failed":
        return Layout(
            name, title, state="none", note=words.NOTES["failed"], why=words.WHY["failed"].format(reason=job.reason[:200])
        )
    return Layout(
        name, title, state="none", note=words.NOTES["none"], why=words.WHY["none"].format(seconds=format_duration(seconds))
    )


def _describe_time(store: Store, job: Job, seconds: float) -> str:
    if job.state == "queued":
        ahead = store.position(job.id)
        return words.NOTES["queued"].format(jobs=format_count(ahead, "job")) if ahead else words.NOTES["next"]
    left = math.ceil(seconds - (time.time() - (job.started or time.time())))
    if left <= 0:
        return words.NOTES["late"]
    return words.NOTES["running"].format(seconds=f"{left} s" if left < 10 else format_duration(left))


def _find_plane(store: Store, sample: Sample, owner: str | None) -> np.ndarray | None:
    """Return the two directions of largest variance, computed here: that takes less time than asking the engine."""
    x = sample.arrays["x"]
    if len(x) < 3 or not np.isfinite(x).all():
        return None
    if sample.job.owner is not None:
        return project(x)

    def make() -> tuple[np.ndarray, int]:
        xy = project(x)
        return xy, xy.nbytes

    return shared.get_shared().get(("plane", *shared.job_version(store, sample.job)), make)


def project(x: np.ndarray) -> np.ndarray:
    """Return rows [n, H] in the plane of their two directions of largest variance, float32 [n, 2]; signs as scikit-learn has them."""
    centred = x.astype(np.float64) - x.mean(0)
    if centred.shape[1] < 2:
        centred = np.hstack([centred, np.zeros((len(x), 2 - centred.shape[1]))])
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.where(axes[np.abs(axes).argmax(0), [0, 1]] < 0, -1.0, 1.0)
    return (centred @ axes).astype(np.float32)


# ---- words


def _describe(name: str, sample: Sample, xy: np.ndarray) -> str:
    """Return what the marks of a map are, and what its places mean."""
    whole = float(sample.arrays["x"].var(0, dtype=np.float64).sum())
    share = 100 * float(xy.var(0, dtype=np.float64).sum()) / whole if whole > 0 else 100.0
    marks = [text for kind, text in enumerate(words.MARKS) if kind != TEST and (sample.arrays["part"] == kind).any()]
    return " ".join([*marks, words.SAID.get(name, "").format(share=share)]).strip()


def _describe_picture(title: str, sample: Sample) -> str:
    part = sample.arrays["part"]
    counts = [text.format(n=f"{n:,}") for kind, text in enumerate(words.COUNTS) if (n := int((part == kind).sum()))]
    return words.ALT.format(verdict=sample.verdict, way=title, counts=", ".join(counts))


# ---- the component


def _draw_map(sample: Sample, specs: Mapping[str, EmbedSpec], waited: bool) -> None:
    """Draw the map with what is new. A fragment; it reruns the page when the last map is there, and when one is asked for."""
    layouts = list_layouts(sample, specs)
    if waited != any(one.state == "waiting" for one in layouts):
        st.rerun()
    take = f"{sample.job.id}/{sample.job.attempt}"
    sent = st.session_state.get(f"{KEY}.sent") == take
    payload = encode_map(
        take,
        layouts,
        classes=sample.classes,
        colours=embedding.list_colours(len(sample.classes)),
        words=words.MAP,
        scene=None if sent else _read_scene(sample),
        first=find_way(),
        empty=words.EMPTY,
    )
    st.session_state[f"{KEY}.sent"] = take
    mount_map(payload, key=KEY, on_need=_forget_sent, on_ask=lambda name: _ask(specs, name), on_show=_show)
    write_address()


def _show(name: str) -> None:
    """Keep the way that a person chose."""
    st.session_state[WAY] = name


def _forget_sent() -> None:
    """Send the scene with the next message: the browser lacks it."""
    st.session_state.pop(f"{KEY}.sent", None)


def _ask(specs: Mapping[str, EmbedSpec], name: str) -> None:
    spec = specs.get(name)
    if spec is None or visitor.is_demo():
        return
    with refusals.Reported():
        get_store().submit_embed(spec.run, name, spec.params, spec.seed, visitor.read_owner())


def _read_scene(sample: Sample) -> dict[str, np.ndarray]:
    """Return the arrays that the map needs, with the nearest rows of each point; of a public run they are found once for all."""
    scene = {name: array for name, array in sample.arrays.items() if name not in ("x", "size")}
    store, job, x, part = get_store(), sample.job, sample.arrays["x"], sample.arrays["part"]

    def make() -> tuple[np.ndarray, int]:
        near = embedding.find_near(x, part)
        return near, near.nbytes

    if job.owner is not None:
        return scene | {"near": make()[0]}
    return scene | {"near": shared.get_shared().get(("near", *shared.job_version(store, job)), make)}


def describe_sample(arrays: Mapping[str, np.ndarray]) -> str:
    """Return '1,200 of 12,406 training rows, ...' of the rows that a map shows."""
    kinds = ("training rows", "test rows", "synthetic points")
    parts = [
        words.SAMPLE_PART.format(shown=f"{int((arrays['part'] == kind).sum()):,}", all=f"{count:,}", kind=kinds[kind])
        for kind, count in enumerate(arrays["size"].tolist())
        if count
    ]
    width = format_count(arrays["x"].shape[1], "feature")
    return f"{words.SAMPLE.format(parts=', '.join(parts))} {words.SAMPLE_WIDTH.format(features=width)}"
