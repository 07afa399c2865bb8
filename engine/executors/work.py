"""What a worker needs for a claimed job, read from the store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.events import pack
from engine.executors import Work
from engine.spec.embedding import FEATURES
from engine.store import Job, Store

GONE = "The features of run {run} are no longer here; run it again to embed them."
NO_COMPARISON = "The table or its comparison was forgotten before this could start."
NO_MODEL = "The table or the model was forgotten before this could start."
FORGOTTEN = "The table was forgotten before this could start."


def make_work(store: Store, job: Job, *, phase: str, private_mb: int) -> Work | None:
    """The work of a job. None if the table, or the features of an embed job's run, no longer exist. phase: as in `Work`. private_mb: MiB
    that work on an uploaded table may use.
    """
    work = Work(
        (job.id, job.attempt), job.spec, job.device, job.timeout_s, private=job.owner is not None, kind=job.kind, phase=phase
    )
    if job.upload is not None:
        work = replace(work, upload=job.upload, memory_mb=private_mb)
    if job.kind == "refit":
        compared = _read_comparison(store, job)
        if compared is None:
            return None
        work = replace(work, features=compared)
    if job.kind != "embed":
        if job.upload is None:
            return work
        table = store.read_upload(job.upload, job.owner)
        if table is None or job.kind != "score":
            return None if table is None else replace(work, table=table)
        model = _read_model(store, job)
        return None if model is None else replace(work, table=table, features=model, origin=job.spec["origin"])
    features = store.artifact(job.spec["run"], FEATURES, owner=job.owner)
    return None if features is None else replace(work, features=features)


def explain_lack(job: Job) -> str:
    """Why a job without work has failed, a sentence."""
    why = {"embed": GONE, "score": NO_MODEL, "refit": NO_COMPARISON}.get(job.kind, FORGOTTEN)
    return why.format(run=job.spec.get("run"))


def _read_comparison(store: Store, job: Job) -> bytes | None:
    """The comparison of a refit job, with its row's cuts; None where it no longer exists."""
    id, row = job.spec["comparison"], job.spec["row"]
    found = store.artifact(id, "comparison", owner=job.owner)
    if found is None:
        return None
    decide = store.artifact(id, f"decide/{row}", owner=job.owner)
    return pack({"comparison": np.frombuffer(found, np.uint8), "decide": np.frombuffer(decide or b"", np.uint8)})


def _read_model(store: Store, job: Job) -> bytes | None:
    """The model file of a score job; None where it no longer exists."""
    model = job.spec["model"]
    if "job" in model:
        return store.artifact(model["job"], model["artifact"], owner=job.owner)
    found = store.read_upload(model["upload"], job.owner)
    return None if found is None else found[1]
