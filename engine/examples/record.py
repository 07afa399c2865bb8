"""Computes an example and writes it as a bundle."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from engine.spec.result import Result
from engine.spec.run import find_entry
from engine.store import Store
from engine.sweep import SweepSpec
from engine.training.camera import EVERY_OTHER

LAB_FRAMES, DEEP_FRAMES, CELL_FRAMES = 60, 30, 8
"""Frames of the replicate that a link shows, of Deep's companions, and of other replicates and cells."""
TAKEN = LAB_FRAMES * 2 * EVERY_OTHER
"""Frames that are asked for where another replicate than the first is shown: LAB_FRAMES of them are chosen by distance."""
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
            choose = EXAMPLES[name].choose
            done = []
            for number, (spec, keep) in enumerate(specs):
                say(f"{number + 1} of {len(specs)}: {spec.method} on {spec.dataset}")
                done.append(_run(spec, 0 if keep == NOTHING else TAKEN if choose else 100))
            shown = choose([result for _, result, _ in done]) if choose else 0
            ids = [_record_run(store, spec, catalog, keep, one, shown) for (spec, keep), one in zip(specs, done, strict=True)]
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
    """What a bundle keeps of a run besides its result. frames: most frames of the replicate that is shown. others: whether it keeps some of
    each other one. features: whether it keeps the features of a sample of rows, with their map.
    """

    frames: int = 0
    others: bool = False
    features: bool = False


NOTHING, CELL = Keep(), Keep(CELL_FRAMES)
LAB, DEEP, BESIDE = Keep(LAB_FRAMES, others=True), Keep(DEEP_FRAMES, features=True), Keep(DEEP_FRAMES)
FROZEN = Keep(LAB_FRAMES)
"""Of the frozen control of the Lab's example, which plays beside it."""


def _specs(example: Example, catalog: Mapping[str, Any]) -> list[tuple[RunSpec, Keep]]:
    """(completed spec, what is kept of it), none twice."""
    if isinstance(example.wanted, SweepSpec):
        cells = example.wanted.cells(catalog)
        return [(cell.spec, CELL if cell.method in example.wanted.methods else NOTHING) for cell in cells]
    assert not isinstance(example.wanted, CompareSpec)
    out: dict[str, tuple[RunSpec, Keep]] = {}
    for spec in example.wanted:
        for number, member in enumerate(list_companions(spec, catalog)[0]):
            if number:
                keep = FROZEN if example.page == "lab" and member.key == "frozen" else NOTHING
            else:
                keep = LAB if example.page == "lab" else BESIDE if out else DEEP
            out.setdefault(member.spec.run_id(""), (member.spec, keep))
    return list(out.values())


Done = tuple[list[Event], Result, dict[str, bytes]]


def _run(spec: RunSpec, frames: int) -> Done:
    """Runs a spec. Its seconds are those of the processor, which other work on this machine does not lengthen."""
    began = time.process_time()
    events, result, artifacts = drive(run(spec, frames=frames))
    return events, replace(result, seconds=time.process_time() - began), artifacts


def _record_run(store: Store, spec: RunSpec, catalog: Mapping[str, Any], keep: Keep, done: Done, shown: int) -> str:
    """Stores what the pages show of a run. shown: the replicate that a link shows. Returns the run's id."""
    events, result, artifacts = done
    frames = [event for event in events if isinstance(event, Frame)]
    drawn = set(map(id, _by_distance(frames, keep.frames) if not shown else _evenly(frames, min(keep.frames, CELL_FRAMES))))
    unseen = (Progress, Epoch) if drawn else (Progress, Epoch, Scene)  # a result holds its history
    seen: list[Event] = [e for e in events if not isinstance(e, unseen) and (not isinstance(e, Frame) or id(e) in drawn)]
    kept = {name: data for name, data in artifacts.items() if name == "contributions/0" and drawn}
    if keep.others:
        kept |= {name: data for name, data in artifacts.items() if name.startswith("contributions/")}
    for name in artifacts:
        if name.startswith("frames/") and name != "frames/0":  # the first replicate's are kept as events
            scene, film = unpack_film(artifacts[name])
            if keep.frames and scene.replicate == shown:
                kept[name] = pack_film(scene, _by_distance(film, keep.frames))
            elif keep.others:
                kept[name] = pack_film(scene, _evenly(film, CELL_FRAMES))
    if keep.features:
        kept[FEATURES] = pack(sample_features(unpack(artifacts[FEATURES]), FEATURE_ROWS))
    job = store.record_run(spec, result, seen, kept, fingerprint=find_entry(catalog, "datasets", spec.dataset)["fingerprint"])
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


def _by_distance(frames: list[Frame], most: int) -> list[Frame]:
    """At most `most` frames with the first and the last: half of them evenly in time, half evenly in the way of the median point."""
    if not frames or not most:
        return []
    way = [0.0]
    for before, after in zip(frames, frames[1:], strict=False):
        same = len(before.points) == len(after.points) > 0
        step = np.linalg.norm(after.points.astype(float) - before.points, axis=1) if same else np.zeros(1)
        way.append(way[-1] + float(np.median(step)))
    along = np.arange(len(frames)) / max(1, len(frames) - 1) + np.array(way) / (way[-1] or 1.0)
    wanted = np.linspace(0, along[-1], min(most, len(frames)))
    return [frames[i] for i in np.unique(np.abs(along - wanted[:, None]).argmin(1))]


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
    if "attention" in features:
        out["attention"] = features["attention"][order]
    if "made" in features:
        out["made"] = features["made"][order[len(real) :] - int((features["part"] < 2).sum())]
    return out | {name: features[name] for name in ("columns", "levels") if name in features}
