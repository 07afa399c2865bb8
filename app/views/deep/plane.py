"""The map of a run's features: asked for, watched while it is computed, and explored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import embedding, palette
from app.charts.embedding import KINDS, Map
from app.form import fields
from app.parts import share
from app.parts.elements import fit_figure
from app.run import panel
from app.session import jobs, visitor
from app.session.store import get_store, read_catalog
from app.views.deep import thumbs
from app.words import glossary
from app.words.text import escape, format_count, format_duration
from engine.errors import BadInput, UnknownName
from engine.spec import RunSpec
from engine.spec.embedding import EmbedSpec
from engine.store import Job, Store

HELP = glossary.explain_terms("embedding", "enemy")
AT_ONCE = 2.0
"""A map that takes fewer seconds is made without a press."""
LISTED = 12
"""Up to so many classes are chosen by buttons, more from a list."""


def draw_map(run: str, classes: Sequence[str]) -> None:
    """Draw everything about the map of a finished run. classes: their names, by number."""
    st.subheader("Where the rows lie in feature space", help=HELP, anchor="map")
    store, owner, catalog = get_store(), visitor.read_owner(), read_catalog()
    job = store.job(run, owner)
    arrays = jobs.read_features(run, job.attempt, owner)
    if arrays is None:
        st.info(
            "This run keeps no features: it was made by an earlier version, or is an example that leaves them out. Run it again to "
            "see them.",
            icon=":material/history:",
        )
        if panel.caption_demo():
            return
        st.button("Run it again", key="deep.remake", icon=":material/replay:", on_click=_submit_run, args=(job,))
        return
    ways = {entry["technique"]: entry for entry in catalog.get("embeddings", [])}
    if not ways:
        st.info("The engine's catalog names no way to lay out features. Start the engine once: it publishes a newer one.")
        return
    spec = _choose_technique(run, ways)
    _describe_sample(arrays)
    if spec is None:
        return
    xy = store.embedding(run, spec.technique, spec.params, spec.seed, owner)
    if xy is None or len(xy) != len(arrays["y"]):
        _draw_waiting(store, spec, arrays, owner, ways[spec.technique]["title"])
        return
    at = Map(xy, *(arrays[name] for name in ("y", "part", "predicted", "row", "enemy")))
    st.fragment(_draw_map)(at, arrays["x"], arrays.get("thumbs"), list(classes), spec, ways[spec.technique]["title"])


def _submit_run(job: Job) -> None:
    get_store().submit(
        RunSpec.from_json(job.spec), fingerprint=job.fingerprint, owner=job.owner, device=job.device, priority=0, again=True
    )


def _choose_technique(run: str, ways: Mapping[str, Mapping[str, Any]]) -> EmbedSpec | None:
    """Draw the choice of a way to lay out the map; return its spec, or None where its settings are not possible."""
    names = list(ways)
    if st.session_state.get("deep.technique") not in names:
        st.session_state["deep.technique"] = names[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.segmented_control(
            "Laid out by", names, format_func=lambda n: escape(ways[n]["title"]), key="deep.technique", required=True
        )
        entry = ways[name]
        with st.popover("Settings", icon=":material/tune:", disabled=not entry["fields"]):
            values, wrong = fields.draw_fields(entry["fields"], f"deep.e.{name}", name)
            seed = st.number_input("Seed", 0, 2**31 - 1, key="deep.e.seed", help="t-SNE and UMAP begin at random places.")
    st.caption(escape(entry["summary"], 300))
    for problem in wrong:
        st.error(escape(problem, 300))
    return None if wrong else EmbedSpec(run, name, values, int(seed) if entry["fields"] else 0)


def _describe_sample(arrays: Mapping[str, np.ndarray]) -> None:
    """Return '1,200 of 12,406 training rows, ...'."""
    parts = []
    for kind, (name, count) in enumerate(zip(KINDS, arrays["size"].tolist(), strict=True)):
        if count:
            parts.append(f"{int((arrays['part'] == kind).sum()):,} of {count:,} {name}")
    every = int(arrays["size"].sum()) == len(arrays["y"])
    drawn = "all that there are" if every else "a sample of the first replicate in which small classes keep more of their rows"
    width = arrays["x"].shape[1]
    st.caption(f"Shown: {', '.join(parts)} ({drawn}), each with {format_count(width, 'feature')} of the final network.")


def _draw_waiting(store: Store, spec: EmbedSpec, arrays: Mapping[str, np.ndarray], owner: str | None, title: str) -> None:
    """Draw a map that is not there yet: how long it takes, or its progress."""
    n, d = arrays["x"].shape
    seconds = store.embed_seconds(spec.technique, n, d, spec.params)
    try:
        job: Job | None = store.job(spec.id, owner)
    except UnknownName:
        job = None
    alive = bool(store.engines())
    if job is None and alive and not visitor.is_demo() and seconds < AT_ONCE:
        job = store.submit_embed(spec.run, spec.technique, spec.params, spec.seed, owner)
    if job is not None and job.active:
        st.fragment(_draw_progress, run_every=panel.TICK)(spec, job.state, title, seconds)
        return
    if job is not None and job.state in ("failed", "cancelled", "interrupted"):
        reason = f" {escape(job.reason, 400)}" if job.state == "failed" else ""
        st.warning(
            f"{escape(title)} was {job.state if job.state != 'failed' else 'not computed'}.{reason}", icon=":material/block:"
        )
    if panel.caption_demo(f"{escape(title)} of this run was not"):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Compute {escape(title)}",
            type="primary",
            key="deep.embed",
            icon=":material/scatter_plot:",
            on_click=_submit_map,
            args=(spec,),
        )
        st.caption(f"About {format_duration(seconds)} on this machine; it is kept with the run.")
    if not alive:
        st.info(panel.NO_ENGINE, icon=":material/power_off:")


def _submit_map(spec: EmbedSpec) -> None:
    try:
        get_store().submit_embed(spec.run, spec.technique, spec.params, spec.seed, visitor.read_owner())
    except BadInput as error:
        st.session_state["deep.trouble"] = str(error)


def _draw_progress(spec: EmbedSpec, state: str, title: str, seconds: float) -> None:
    """Draw the progress of the map. A fragment; it reruns the page when that has ended."""
    store = get_store()
    try:
        job = store.job(spec.id, visitor.read_owner())
    except UnknownName:
        st.rerun()
    if not job.active:
        st.rerun()
    with st.container(key="deep-embedding", horizontal=True, vertical_alignment="center"):
        if job.state == "queued":
            st.progress(
                0.0, text=f"{escape(title)} waits for the engine: {format_count(store.position(job.id), 'job')} before it."
            )
        else:
            spent = max(0.0, time.time() - (job.started or time.time()))
            share = job.done / job.total if job.total > 1 else min(0.95, spent / max(seconds, 0.1))
            st.progress(
                min(1.0, share),
                text=f"Computing {escape(title)}: {format_duration(spent)} of about {format_duration(max(seconds, spent))}",
            )
        if not visitor.is_demo():
            st.button("Cancel", key="deep.embed.cancel", icon=":material/stop:", on_click=panel.cancel_jobs, args=([job.id],))
    if not store.engines():
        st.warning(panel.NO_ENGINE, icon=":material/power_off:")


def _draw_map(sample: Map, x: np.ndarray, images: np.ndarray | None, classes: list[str], spec: EmbedSpec, title: str) -> None:
    """Draw the map with its controls. A fragment: a selection redraws it alone."""
    kinds = [k for k in range(3) if (sample.part == k).any()]
    with st.container(horizontal=True, vertical_alignment="bottom", key="map-controls"):
        layers = st.pills("Rows", kinds, selection_mode="multi", default=kinds, format_func=KINDS.__getitem__, key="deep.kinds")
        chosen = _choose_classes(sample, classes)
    with st.container(horizontal=True, key="map-marks"):
        joined = int(sample.joined.sum())
        lines = joined > 0 and st.toggle(
            "Join synthetic rows to their enemies",
            key="deep.enemies",
            help=f"The enemy is the row of another class towards which a synthetic row was made; {joined:,} of those shown have theirs in "
            "the sample.",
        )
        missed = int(sample.wrong.sum())
        wrong = missed > 0 and st.toggle(f"Cross the {format_count(missed, 'misclassified test row')}", key="deep.wrong")
    axes = ("first component", "second component") if spec.technique == "pca" else ("", "")
    figure = partial(embedding.figure, sample, classes, shown=chosen, kinds=layers, enemies=lines, wrong=wrong, axes=axes)
    event = st.plotly_chart(
        fit_figure(figure),
        key=f"chart-map-{spec.id}",
        alt=embedding.alt(sample, classes, title),
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        config=palette.CONFIG | {"displayModeBar": True, "modeBarButtonsToRemove": ["autoScale2d"], "scrollZoom": False},
    )
    drawn = np.isin(sample.part, layers) & (np.isin(sample.y, chosen) if chosen is not None else True)
    picked = sorted(
        {int(_read_value(p["customdata"])) for p in event["selection"]["points"] if p.get("customdata") is not None}
    )
    picked = [i for i in picked if drawn[i]]
    if not picked:
        st.caption(
            "Draw around points to see which rows they are. Without a mouse: choose rows in the table, with arrow keys and Shift+Space."
        )
        picked = _choose_rows(sample, classes, np.flatnonzero(drawn))
    else:
        chosen_rows = list_rows(sample, classes, picked)
        st.dataframe(chosen_rows, hide_index=True, alt="The selected rows", height=min(300, 38 + 35 * len(picked)))
        share.offer_table(chosen_rows, "selected-rows", "deep-selected", "The selected rows")
    if picked:
        _draw_nearest(sample, x, images, classes, picked)


def _read_value(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) else value


def _choose_classes(sample: Map, classes: list[str]) -> list[int] | None:
    """Draw the choice of classes; return their numbers, None for all."""
    there = [c for c in range(len(classes)) if (sample.y == c).any()]
    help = "Nothing chosen: all classes."

    def name(c: int) -> str:
        return escape(classes[c], 24)

    if len(there) <= LISTED:
        picked = st.pills("Classes", there, selection_mode="multi", format_func=name, key="deep.classes", help=help)
    else:
        picked = st.multiselect(
            "Classes", there, format_func=lambda c: str(classes[c])[:40], key="deep.classes", help=help, placeholder="all"
        )
    return list(picked) or None


def list_rows(sample: Map, classes: Sequence[str], at: Sequence[int]) -> pd.DataFrame:
    """Return these rows of the sample: number in the data, kind, class, predicted class."""
    i = np.asarray(at, dtype=int)
    names = np.array([str(name) for name in classes], dtype=object)
    enemy = np.where(sample.enemy[i] >= 0, sample.row[sample.enemy[i]], -1)
    columns: dict[str, Any] = {
        "row": [str(r) if r >= 0 else "–" for r in sample.row[i]],
        "kind": [KINDS[k].removesuffix(" rows") for k in sample.part[i]],
        "class": names[sample.y[i]],
        "taken for": names[sample.predicted[i]],
    }
    if (enemy >= 0).any():
        columns["enemy is row"] = [str(r) if r >= 0 else "–" for r in enemy]
    return pd.DataFrame(columns)


def _choose_rows(sample: Map, classes: list[str], at: np.ndarray) -> list[int]:
    """Draw a table to choose rows in, for those who cannot draw a lasso; return their places."""
    with st.expander("Choose rows in a table", icon=":material/table:", key="deep.by-table", on_change="rerun") as fold:
        if not fold.open:
            return []
        event = st.dataframe(
            list_rows(sample, classes, at),
            hide_index=True,
            height=260,
            key="deep.rows",
            on_select="rerun",
            selection_mode="multi-row",
            alt="All rows of the map; choose some to see the images nearest to them",
        )
    return [int(at[r]) for r in event["selection"]["rows"] if r < len(at)]


def _draw_nearest(sample: Map, x: np.ndarray, images: np.ndarray | None, classes: list[str], picked: list[int]) -> None:
    counts = ", ".join(f"{n} {KINDS[k]}" for k in range(3) if (n := int((sample.part[picked] == k).sum())))
    if images is None:
        st.caption(f"Selected: {counts}. These data are no images, so there are no pictures of the rows.")
        return
    near = thumbs.find_nearest_real(x, sample.part, picked)
    st.markdown(
        f"**Real images nearest to the selection** ({counts})",
        help=f"At most {thumbs.MOST}, by distance in all {x.shape[1]} features, not in the picture; a real row is nearest to itself. "
        "Synthetic rows have no image: what lies next to them shows what they stand for.",
    )
    thumbs.draw_thumbs(images, near, sample.y, sample.predicted, sample.part, sample.row, classes)
