"""Maps of runs: jobs of kind `embed`, which lay out the features of a finished run in two dimensions.

What such a job leaves is kept with the *run*, as the artifact that `EmbedSpec.artifact` names, so that it is exported, deleted and seen
with it; the job itself is the run's owner's.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, UnknownName
from engine.spec import embedding
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.run import canonical_json
from engine.store import jobs
from engine.store.database import ARTIFACT, ARTIFACTS, JOBS, PRIORITY_INTERACTIVE, RESULTS, upsert, visible
from engine.store.jobs import Job
from engine.store.library import Marks

LEARN = 9
"""Embed jobs of a technique that tell how fast this machine is."""


class Embeddings(Marks):
    """The part of the store that asks for maps and knows how long they take."""

    def submit_embed(
        self,
        run_id: str,
        technique: str,
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        owner: str | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Job:
        """Ask for a finished run's features in two dimensions; asking twice gives the same job, done where the run has the answer.

        owner: who asks, and must be able to see the run; the job is the run's owner's. Raises UnknownName, BadParameter,
        and BadInput for a run that is not done or keeps no features.
        """
        spec = EmbedSpec(run_id, technique, params or {}, seed)
        with self.writing() as db:
            whose, upload = self._embeddable(db, run_id, owner)
            key = {"id": spec.id, "kind": "embed", "fingerprint": run_id, "owner": whose, "upload": upload}
            key |= {"spec": self.seal(canonical_json(spec.to_json()), whose)}
            if jobs.has(db, run_id, spec.artifact):  # also where it came with a bundle
                return jobs.answered(db, key)
            one = db.execute(sa.select(JOBS.c.state).where(JOBS.c.id == spec.id)).first()
            asked = {"priority": PRIORITY_INTERACTIVE, "device": "cpu", "timeout_s": timeout_s}
            return jobs.queue(db, key, asked, again=one is not None and one.state == "done")

    def features(self, run_id: str, owner: str | None = None) -> bytes:
        """The artifact FEATURES of a finished run (`engine.analysis.sample.make_features_artifact`, packed). Raises as `submit_embed`."""
        with self.reading() as db:
            self._embeddable(db, run_id, owner)
            query = sa.select(ARTIFACT).where(ARTIFACTS.c.job == run_id, ARTIFACTS.c.name == FEATURES)
            return bytes(db.execute(query).scalar_one())

    def record_embedding(self, spec: EmbedSpec, facts: Mapping[str, Any], artifacts: Mapping[str, bytes]) -> Job:
        """Keep what was computed outside the queue (at a terminal). Raises as `submit_embed` of a public run."""
        with self.writing() as db:
            self._embeddable(db, spec.run, None)
            for name, data in artifacts.items():
                upsert(db, ARTIFACTS, self.artifact_row(spec.run, name, data, None))
            words = canonical_json(spec.to_json())
            job = jobs.answered(db, {"id": spec.id, "kind": "embed", "fingerprint": spec.run, "owner": None, "spec": words})
            upsert(db, RESULTS, {"job": spec.id, "words": json.dumps(facts), "arrays": b""})
            return job

    def embed_seconds(self, technique: str, n: int, d: int, params: Mapping[str, Any] | None = None) -> float:
        """About how many seconds n rows of d features will take: `Technique.seconds`, times what this store's jobs say of its machine.

        That factor is the median over the latest LEARN embed jobs of the technique of seconds taken / seconds foreseen; 1 without any.
        """
        how = embedding.make_technique(technique, params or {})
        query = sa.select(RESULTS.c.words).join(JOBS, JOBS.c.id == RESULTS.c.job).order_by(JOBS.c.finished.desc())
        query = query.where(JOBS.c.kind == "embed", sa.func.json_extract(JOBS.c.spec, "$.technique") == technique)
        with self.reading() as db:
            known = [json.loads(words) for words in db.execute(query.limit(LEARN)).scalars()]
        factors = [facts["seconds"] / facts["foreseen"] for facts in known]
        return how.seconds(n, d) * (statistics.median(factors) if factors else 1.0)

    def _embeddable(self, db: Connection, run_id: str, owner: str | None) -> tuple[str | None, str | None]:
        """(owner, upload) of a finished run that `owner` may see and that keeps features."""
        query = sa.select(JOBS.c.state, JOBS.c.owner, JOBS.c.upload).where(
            JOBS.c.id == run_id, JOBS.c.kind == "run", visible(owner)
        )
        run = db.execute(query).first()
        if run is None:
            raise UnknownName(f"no run is called {run_id!r} here; it may have been deleted, or belong to another browser.")
        if run.state != "done":
            raise BadInput(f"run {run_id} is {run.state}; the features of a finished one can be embedded.")
        if not jobs.has(db, run_id, FEATURES):
            raise BadInput(f"run {run_id} keeps no features, as runs of earlier versions; run it again to embed them.")
        return run.owner, run.upload
