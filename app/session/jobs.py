"""Jobs on a person's own tables, and the arrays that finished runs keep.
What is private is read anew each time and never cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.session import shared, visitor
from app.session.store import get_store, read_catalog
from app.session.uploads import list_uploads
from engine.errors import BadInput, UnknownName
from engine.events import Board, Note, Phase, unpack
from engine.spec import RunSpec, row_seconds
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import FEATURES
from engine.spec.refit import RefitSpec
from engine.spec.row_seconds import Timing
from engine.spec.run import find_entry
from engine.spec.score import ScoreSpec
from engine.store import Job

BUNDLED = 100
"""Runs that a page's link puts into one file at most."""


def bundle_url(ids: Sequence[str]) -> str:
    """Return the link to finished public runs as one file, BUNDLED of them at most."""
    return f"/api/runs/{'-'.join(ids)}"


def read_features(run: str, attempt: int, owner: str | None) -> dict[str, np.ndarray] | None:
    """A finished run's sample of features (`engine.analysis.sample`), None where it keeps none, or is begun again. Raises BadData."""
    return _read_arrays(run, attempt, FEATURES, owner)


def read_contributions(run: str, attempt: int, replicate: int, owner: str | None) -> dict[str, np.ndarray] | None:
    """What a finished run keeps of a replicate's synthetic points (`engine.runner.contributions`), None where nothing, or where it
    is begun again. Raises BadData."""
    return _read_arrays(run, attempt, f"contributions/{replicate}", owner)


def read_generated(run: str, attempt: int, owner: str | None) -> dict[str, np.ndarray] | None:
    """What a finished run keeps of its generator's images (`engine.runner.generated`), None where nothing, or where it is begun again.
    Raises BadData."""
    return _read_arrays(run, attempt, "generated/0", owner)


def _read_arrays(run: str, attempt: int, artifact: str, owner: str | None) -> dict[str, np.ndarray] | None:
    store = get_store()
    try:
        job = store.job(run, owner)
    except UnknownName:
        return None
    return shared.read_arrays(store, job, artifact, owner) if job.attempt == attempt else None


def _read_private(job: str, artifact: str, owner: str | None) -> dict[str, np.ndarray] | None:
    data = get_store().artifact(job, artifact, owner=owner)
    return None if data is None else unpack(data)


@dataclass(frozen=True)
class JobProgress:
    """A job and its progress. phase: its last phase, '' before the first. board: the last one of a comparison.
    ahead: jobs before it."""

    job: Job
    phase: str
    board: Board | None
    notes: list[str]
    ahead: int


def ask_profile(upload: str, options: Mapping[str, Any] | None = None) -> Job:
    """Ask what is in a table; asking twice is one job. options: `engine.spec.run.table_options`.
    Raises UnknownName and BadParameter."""
    return get_store().submit_profile(visitor.read_owner(), upload, options)


def read_profile(job: str) -> dict[str, Any] | None:
    """What `engine.data.tables.profile.profile_table` found; None while there is none."""
    profile = get_store().read_answer(job, "profile", visitor.read_owner())
    return profile if isinstance(profile, dict) else None


def ask_comparison(spec: CompareSpec, *, again: bool = False) -> Job:
    """Ask for a comparison; asking twice is one job. Raises UnknownName for a table that is gone, or a dataset there is not, and
    BadParameter for a method that is not compared."""
    name, catalog = spec.source.get("dataset"), read_catalog()
    fingerprint = find_entry(catalog, "datasets", name)["fingerprint"] if name is not None else ""
    spec = spec.complete(catalog)
    return get_store().submit_compare(visitor.read_owner(), spec.to_json(), fingerprint=fingerprint, again=again)


def list_comparisons(upload: str | None = None) -> list[Job]:
    """Comparisons of this browser's tables, of one of them where it is named; newest first."""
    mine = visitor.read_owner()
    tables = [one.id for one in list_uploads()] if upload is None else [upload]
    comparisons = [job for id in tables for job in get_store().jobs(owner=mine, kinds=("compare",), dataset=f"upload/{id}")]
    return sorted((job for job in comparisons if job.owner is not None), key=lambda job: -job.created)


def read_timings(count: int) -> list[Timing]:
    """What methods took in the newest finished comparisons that this browser may see, `count` of them at most, and in as many runs."""
    mine, catalog, store = visitor.read_owner(), read_catalog(), get_store()
    found = store.jobs(owner=mine, kinds=("compare",), states=("done",), limit=count)
    results = [result for job in found if (result := read_comparison(job.id)) is not None]
    compared = [timing for result in results for timing in row_seconds.read_timings(result, catalog)]
    runs = [job.id for job in store.jobs(owner=mine, states=("done",), limit=count)]
    read = store.read_results(runs, mine, fields=("spec", "class_counts", "n", "seconds")).values()
    return compared + [one for _, result in read if result and (one := row_seconds.read_run(result, catalog))]


def ask_score(spec: ScoreSpec, *, again: bool = False) -> Job:
    """Ask a model to score a table; asking twice is one job. Raises UnknownName for a table or model that is gone, and BadInput."""
    owner = visitor.read_owner()
    if owner is None:
        raise BadInput(visitor.NO_OWNER)
    return get_store().submit_score(owner, spec.to_json(), again=again)


def ask_refit(spec: RefitSpec, *, again: bool = False) -> Job:
    """Ask for a row of a comparison trained on all rows; asking twice is one job. Raises UnknownName and BadParameter."""
    return get_store().submit_refit(visitor.read_owner(), spec.to_json(), again=again)


def list_refits(comparison: str) -> list[Job]:
    """Rows of a comparison that were asked for on all rows, newest first."""
    found = get_store().jobs(owner=visitor.read_owner(), kinds=("refit",))
    return sorted((job for job in found if job.fingerprint == comparison), key=lambda job: -job.created)


def read_refit(job: str) -> dict[str, Any] | None:
    """The facts of a model on all rows (`engine.spec.refit`), None while there is none."""
    found = get_store().read_answer(job, "refit", visitor.read_owner())
    return found if isinstance(found, dict) else None


def list_scorings() -> list[Job]:
    """Scorings of this browser's tables, newest first."""
    mine = visitor.read_owner()
    if mine is None:
        return []
    found = [job for job in get_store().jobs(owner=mine, kinds=("score",)) if job.owner is not None]
    return sorted(found, key=lambda job: -job.created)


def read_score(job: str) -> dict[str, Any] | None:
    """What a scoring found (`engine.spec.score`), None while there is nothing."""
    found = get_store().read_answer(job, "score", visitor.read_owner())
    return found if isinstance(found, dict) else None


def read_progress(job: str) -> JobProgress:
    """Return a job with its progress. Raises UnknownName where there is none, or it is another browser's."""
    here, mine = get_store(), visitor.read_owner()
    one = here.job(job, mine)
    phase, latest = here.last_event(job, "phase", owner=mine), here.last_event(job, "board", owner=mine)
    notes = [event.text for _, event in here.events(job, kinds=("note",), owner=mine) if isinstance(event, Note)]
    ahead = here.position(job) if one.state == "queued" else 0
    text = phase.text if isinstance(phase, Phase) else ""
    return JobProgress(one, text, latest if isinstance(latest, Board) else None, notes, ahead)


def read_comparison(job: str) -> dict[str, Any] | None:
    """A finished comparison (`engine.compare.comparison.compare`), None while there is none."""
    comparison = get_store().read_answer(job, "comparison", visitor.read_owner())
    return comparison if isinstance(comparison, dict) else None


def read_arrays(job: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a finished comparison."""
    return _read_private(job, "arrays", visitor.read_owner())


def read_thresholds(job: str, method: str) -> dict[str, np.ndarray] | None:
    """A method's table of thresholds (`engine.stats.thresholds`), None where it has none."""
    return _read_private(job, f"thresholds/{method}", visitor.read_owner())


def read_cuts(job: str, row: str) -> dict[str, np.ndarray] | None:
    """The counts of every cut of a row (`engine.stats.decide`), None where an earlier version made the comparison."""
    return _read_private(job, f"decide/{row}", visitor.read_owner())


def list_artifacts(job: str) -> list[str]:
    """Return the names of a job's artifacts, sorted."""
    return get_store().artifacts(job, owner=visitor.read_owner())


def cancel_job(job: str) -> None:
    """Ask a job to stop. Raises UnknownName where there is none, or it is another browser's."""
    get_store().job(job, visitor.read_owner())
    get_store().cancel(job)


def ask_run(spec: RunSpec, device: str = "auto") -> Job:
    """Ask for a run on this browser's own table (dataset `upload/<id>`). Raises UnknownName and BadParameter."""
    return get_store().submit(spec.complete(read_catalog()), owner=visitor.read_owner(), device=device)


def file_url(job: str, file: str) -> str:
    """Return the link to a file of a finished comparison or to the report.html of a run.
    It answers those alone who may see the job.

    file: report.html, comparison.json, leaderboard.csv, .md or .tex, code-<row>.py, and where the comparison keeps them
    model-<row>.zip, onnx-<row>.onnx, onnx-script-<row>.py and augmented-<row>.csv; of a model on all rows the first three; of a
    scoring scored.csv.
    """
    return f"/api/jobs/{job}/{file}"
