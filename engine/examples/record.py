"""Computes an example and writes it as a bundle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.catalog import build_catalog
from engine.embed import job as embed
from engine.errors import UnknownName
from engine.events import Epoch, Event, Frame, Progress, Scene, finish, pack, pack_film, unpack, unpack_film
from engine.examples.cards import EXAMPLES, Example
from engine.examples.index import write_index
from engine.executors.private import steps
from engine.runner import drive, run
from engine.spec import RunSpec
from engine.spec.companions import list_companions
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.run import find_entry
from engine.store import Store
from engine.sweep import SweepSpec

LAB_FRAMES, DEEP_FRAMES, CELL_FRAMES = 60, 30, 8
"""Frames of the run that a link opens, of its companions, and of other replicates and cells."""
FEATURE_ROWS = (220, 140, 200)
"""Largest number of training, test and synthetic rows whose features are kept."""


def record_example(name: str, path: Path, say: Callable[[str], None]) -> None:
    """Computes an example, writes it as a bundle, and writes the index of all bundles beside it. Raises UnknownName."""
    if name not in EXAMPLES:
        raise UnknownName(f"no example is called {name!r}; there are: {', '.join(EXAMPLES)}.")
    catalog = build_catalog()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/example.db")
        wanted = EXAMPLES[name].wanted
        if isinstance(wanted, CompareSpec):
            ids = [_record_comparison(store, wanted, catalog, say)]
        else:
            specs = _specs(EXAMPLES[name], catalog)
            ids = []
            for number, (spec, keeps) in enumerate(specs):
                say(f"{number + 1} of {len(specs)}: {spec.method} on {spec.dataset}")
                ids.append(_record_run(store, spec, catalog, keeps))
        path.parent.mkdir(parents=True, exist_ok=True)
        store.export(ids, path)
        store.close()
    write_index(path.parent)


def list_jobs(name: str, catalog: Mapping[str, Any]) -> list[str]:
    """The jobs that an example's bundle holds, in order."""
    wanted = EXAMPLES[name].wanted
    if isinstance(wanted, CompareSpec):
        return [wanted.id(find_entry(catalog, "datasets", wanted.source["dataset"])["fingerprint"])]
    return [
        spec.run_id(find_entry(catalog, "datasets", spec.dataset)["fingerprint"]) for spec, _ in _specs(EXAMPLES[name], catalog)
    ]


@dataclass(frozen=True)
class Keep:
    """What a bundle keeps of a run besides its result. frames: most frames of the first replicate. others: of each other one.
    features: whether it keeps the features of a sample of rows, with their map.
    """

    frames: int = 0
    others: bool = False
    features: bool = False


NOTHING, CELL = Keep(), Keep(CELL_FRAMES)
LAB, DEEP, BESIDE = Keep(LAB_FRAMES, others=True), Keep(DEEP_FRAMES, features=True), Keep(DEEP_FRAMES)


def _specs(example: Example, catalog: Mapping[str, Any]) -> list[tuple[RunSpec, Keep]]:
    """(completed spec, what is kept of it), none twice."""
    if isinstance(example.wanted, SweepSpec):
        cells = example.wanted.cells(catalog)
        return [(cell.spec, CELL if cell.method in example.wanted.methods else NOTHING) for cell in cells]
    assert not isinstance(example.wanted, CompareSpec)
    out: dict[str, tuple[RunSpec, Keep]] = {}
    for spec in example.wanted:
        for number, member in enumerate(list_companions(spec, catalog)[0]):
            keep = NOTHING if number else LAB if example.page == "lab" else BESIDE if out else DEEP
            out.setdefault(member.spec.run_id(""), (member.spec, keep))
    return list(out.values())


def _record_run(store: Store, spec: RunSpec, catalog: Mapping[str, Any], keep: Keep) -> str:
    """Runs a spec and keeps what the pages show of it. Returns its id."""
    events, result, artifacts = drive(run(spec))
    frames = [event for event in events if isinstance(event, Frame)]
    drawn = set(map(id, _evenly(frames, keep.frames)))
    unseen = (Progress, Epoch) if drawn else (Progress, Epoch, Scene)  # a result holds its history
    shown: list[Event] = [e for e in events if not isinstance(e, unseen) and (not isinstance(e, Frame) or id(e) in drawn)]
    kept = {name: data for name, data in artifacts.items() if name.startswith("contributions/0") and drawn}
    if keep.others:
        kept |= {name: data for name, data in artifacts.items() if name.startswith("contributions/")}
        for name in artifacts:
            if name.startswith("frames/") and name != "frames/0":  # the first replicate's are kept as events
                scene, film = unpack_film(artifacts[name])
                kept[name] = pack_film(scene, _evenly(film, CELL_FRAMES))
    if keep.features:
        kept[FEATURES] = pack(sample_features(unpack(artifacts[FEATURES]), FEATURE_ROWS))
    job = store.record_run(spec, result, shown, kept, fingerprint=find_entry(catalog, "datasets", spec.dataset)["fingerprint"])
    if FEATURES in kept:
        embed_spec = EmbedSpec(job.id, "pca")
        store.record_embedding(embed_spec, *finish(embed.run_job(embed_spec, kept[FEATURES])))
    return job.id


def _record_comparison(store: Store, spec: CompareSpec, catalog: Mapping[str, Any], say: Callable[[str], None]) -> str:
    """Compares methods and keeps what the page shows. Returns the job's id. Models and rows are left out, since they take
    megabytes.
    """
    say(f"comparing on {spec.source['dataset']} for {spec.budget:g} s")
    fingerprint = find_entry(catalog, "datasets", spec.source["dataset"])["fingerprint"]
    job = store.submit_compare(None, spec.to_json(), fingerprint=fingerprint)
    store.claim("example")
    facts, artifacts = finish(steps("compare", spec.to_json(), None, run=run, id=job.id))
    kept = {name: data for name, data in artifacts.items() if not name.startswith(("model/", "augmented/"))}
    store.save_result(job.id, (json.dumps(facts), b""), kept)
    return job.id


def _evenly(frames: list[Frame], most: int) -> list[Frame]:
    """At most `most` frames, evenly spaced, with the first and the last."""
    some = np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)
    return [frames[i] for i in np.unique(some)]


def sample_features(features: Mapping[str, np.ndarray], most: Sequence[int]) -> dict[str, np.ndarray]:
    """A sample of features (`engine.analysis.sample`) of at most `most` training, test and synthetic rows, evenly by class.

    Enemies and ends of lines that are left out become -1; `size` still counts all rows.
    """
    kept = []
    for part, limit in enumerate(most):
        at = np.flatnonzero(features["part"] == part)
        at = at[np.argsort(features["y"][at], kind="stable")]
        kept.append(at[np.unique(np.linspace(0, len(at) - 1, min(limit, len(at))).round().astype(int))] if len(at) else at)
    order = np.sort(np.concatenate(kept))
    place = np.full(len(features["y"]) + 1, -1, features["enemy"].dtype)  # index -1 (no enemy) reads the last entry, -1
    place[order] = np.arange(len(order))
    real = order[features["part"][order] < 2]
    out = {name: features[name][order] for name in ("x", "y", "part", "row", "predicted", "step")}
    out |= {name: place[features[name][order]] for name in ("enemy", "base", "partner")} | {"size": features["size"]}
    out |= {name: features[name][real] for name in ("thumbs", "cells") if name in features}
    if "made" in features:
        out["made"] = features["made"][order[len(real) :] - int((features["part"] < 2).sum())]
    return out | {name: features[name] for name in ("columns", "levels") if name in features}
