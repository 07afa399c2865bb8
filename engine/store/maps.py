"""Maps of runs: jobs of kind `embed`, which lay out the features of a finished run in two dimensions.

What such a job leaves is stored with the *run*, as the artifact that `EmbedSpec.artifact` names, so that it is exported, deleted and
seen with it; the job itself is the run's owner's.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, UnknownName
from engine.events import unpack
from engine.spec import embedding
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.run import canonical_json
from engine.store.artifacts import read_artifact
from engine.store.database import Part, private_key, repeat_on_conflict
from engine.store.jobs import PRIORITY_INTERACTIVE, Job, complete_job, enqueue_job, has_artifact, seal_spec, visible_to
from engine.store.results import clean_json
from engine.store.schema import ARTIFACTS, JOBS, RESULTS
from engine.text import quote

LEARN = 9
"""Latest embed jobs of a technique that tell how fast this machine is."""


class Maps(Part):
    """Maps of finished runs, and how long they take."""

    @repeat_on_conflict
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
        and BadInput for a run that is not done or has no features.
        """
        spec = EmbedSpec(run_id, technique, params or {}, seed)
        with self.database.writing() as connection:
            whose, upload = _require_features(connection, run_id, owner)
            key = {"id": spec.id, "kind": "embed", "fingerprint": run_id, "owner": whose, "upload": upload}
            key |= {"spec": seal_spec(self.database, connection, key, canonical_json(spec.to_json()))}
            if has_artifact(connection, run_id, spec.artifact):  # also where it came with a bundle
                return complete_job(self.database, connection, key)
            state = connection.execute(sa.select(JOBS.c.state).where(JOBS.c.id == spec.id)).scalar()
            values = {"priority": PRIORITY_INTERACTIVE, "device": "cpu", "timeout_s": timeout_s}
            return enqueue_job(self.database, connection, key, values, again=state == "done", asker=owner)

    def features(self, run_id: str, owner: str | None = None) -> bytes:
        """The artifact FEATURES of a finished run (`engine.analysis.sample.make_features_artifact`, packed). Raises as `submit_embed`."""
        with self.database.reading() as connection:
            whose, upload = _require_features(connection, run_id, owner)
            query = sa.select(self.database.artifact_bytes).where(ARTIFACTS.c.job == run_id, ARTIFACTS.c.name == FEATURES)
            data = bytes(connection.execute(query).scalar_one())
            place = ("artifacts", "data", run_id, FEATURES)
            return self.database.open_data(connection, data, private_key(whose, upload, run_id), place)

    @repeat_on_conflict
    def record_embedding(self, spec: EmbedSpec, facts: Mapping[str, Any], artifacts: Mapping[str, bytes]) -> Job:
        """Store what was computed outside the queue (at a terminal). Raises as `submit_embed` of a public run."""
        with self.database.writing() as connection:
            _require_features(connection, spec.run, None)
            for name, data in artifacts.items():
                self.database.upsert(connection, ARTIFACTS, self.database.artifact_row(connection, spec.run, name, data, None))
            key = {"id": spec.id, "kind": "embed", "fingerprint": spec.run, "owner": None}
            key |= {"spec": canonical_json(spec.to_json())}
            job = complete_job(self.database, connection, key)
            self.database.upsert(
                connection, RESULTS, {"job": spec.id, "words": clean_json(json.dumps(facts, allow_nan=False)), "arrays": b""}
            )
            return job

    def embedding(
        self,
        run_id: str,
        technique: str,
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        owner: str | None = None,
    ) -> np.ndarray | None:
        """xy float32 [n, 2] in the order of the rows of the run's features, None while there is none (`submit_embed`).

        Raises UnknownName and BadParameter; BadData where what is stored cannot be read.
        """
        data = read_artifact(self.database, run_id, EmbedSpec(run_id, technique, params or {}, seed).artifact, owner)
        return None if data is None else unpack(data)["xy"]

    def embed_seconds(self, technique: str, n: int, d: int, params: Mapping[str, Any] | None = None) -> float:
        """About how many seconds n rows of d features will take: `Technique.seconds`, times a factor for this store's machine.

        The factor is the median over the latest LEARN embed jobs of the technique of seconds taken / seconds foreseen; 1 without any.
        """
        how = embedding.make_technique(technique, params or {})
        query = sa.select(RESULTS.c.words).join(JOBS, JOBS.c.id == RESULTS.c.job).order_by(JOBS.c.finished.desc())
        query = query.where(JOBS.c.kind == "embed", self.database.field(JOBS.c.spec, "technique") == technique)
        with self.database.reading() as connection:
            latest = [json.loads(text) for text in connection.execute(query.limit(LEARN)).scalars()]
        factors = [facts["seconds"] / facts["foreseen"] for facts in latest]
        return how.seconds(n, d) * (statistics.median(factors) if factors else 1.0)


def _require_features(connection: Connection, run_id: str, owner: str | None) -> tuple[str | None, str | None]:
    """(owner, upload) of a finished run with features that `owner` may see. Raises UnknownName and BadInput."""
    query = sa.select(JOBS.c.state, JOBS.c.owner, JOBS.c.upload)
    run = connection.execute(query.where(JOBS.c.id == run_id, JOBS.c.kind == "run", visible_to(owner))).first()
    if run is None:
        raise UnknownName(f"no run is called {quote(run_id)} here; it may have been deleted, or belong to another browser.")
    if run.state != "done":
        raise BadInput(f"run {run_id} is {run.state}; the features of a finished one can be embedded.")
    if not has_artifact(connection, run_id, FEATURES):
        raise BadInput(f"run {run_id} keeps no features, as runs of earlier versions; run it again to embed them.")
    return run.owner, run.upload
