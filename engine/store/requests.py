"""Profiles of tables, comparisons of methods and tables scored by a model: jobs that answer with artifacts alone.

What is made from an uploaded table is its owner's and goes with it; a comparison on a public dataset is everybody's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadParameter, UnknownName
from engine.spec.comparison import CompareSpec
from engine.spec.refit import RefitSpec
from engine.spec.run import canonical_json, table_options
from engine.spec.score import ScoreSpec
from engine.store.artifacts import read_artifact
from engine.store.database import Part, repeat_on_conflict
from engine.store.jobs import PRIORITY_INTERACTIVE, Job, enqueue_job, has_artifact, seal_spec, visible_to
from engine.store.schema import JOBS
from engine.store.uploads import require_upload
from engine.version import NUMERICS

PROFILE_S = 120.0
"""Seconds a profile may take."""


SCORE_S = 1800.0
"""Seconds the scoring of a table may take."""
REFIT_S = 3600.0
"""Seconds that training a row on all rows may take."""
ANSWERS = ("profile", "comparison", "score", "refit")
"""Artifacts that are JSON."""


class Requests(Part):
    """Profiles of tables, comparisons of methods, models trained on all rows, tables scored by a model."""

    @repeat_on_conflict
    def submit_profile(self, owner: str | None, upload: str, options: Mapping[str, Any] | None = None) -> Job:
        """Ask what is in a table; asking twice gives the same job. Its answer is `read_answer(id, "profile", owner)`.

        options: see `engine.spec.run.table_options`; all may be left out. Raises UnknownName where the table is not the owner's, and
        BadParameter.
        """
        spec = {"upload": upload, **table_options(options or {}, target=False)}
        with self.database.writing() as connection:
            data = require_upload(self.database, connection, upload, owner)
            facts = {"profile": spec, "data": data, "numerics": NUMERICS, "owner": owner}
            id = hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]
            key = {"id": id, "kind": "profile", "fingerprint": data, "owner": owner, "upload": upload}
            return self._enqueue(connection, key, spec, PROFILE_S)

    @repeat_on_conflict
    def submit_compare(self, owner: str | None, spec: Mapping[str, Any], *, fingerprint: str = "", again: bool = False) -> Job:
        """Ask for a comparison of methods; asking twice gives the same job. Its answer is `read_answer(id, "comparison", owner)`.

        spec: `engine.spec.comparison.CompareSpec` as JSON; its source names the owner's table {"upload": id} or a public dataset
        {"dataset": name}, whose `fingerprint` is the catalog's: that comparison is everybody's, whoever asks. Raises UnknownName
        where the table is not the owner's, and BadParameter.
        """
        compare = CompareSpec.from_json(spec)
        upload = compare.source.get("upload")
        if upload is not None and compare.target is None:
            raise BadParameter("a comparison on a table must name its target, the column to predict.")
        limit = 2 * compare.budget + 60  # the comparison keeps its own budget; this is for one that hangs
        with self.database.writing() as connection:
            if upload is None:
                data, whose = fingerprint, None
            else:
                data, whose = require_upload(self.database, connection, upload, owner), owner
            id = compare.id(data, whose)
            key = {"id": id, "kind": "compare", "fingerprint": data, "owner": whose, "upload": upload}
            return self._enqueue(connection, key, compare.to_json(), limit, again=again, asker=owner)

    @repeat_on_conflict
    def submit_refit(self, owner: str | None, spec: Mapping[str, Any], *, again: bool = False) -> Job:
        """Ask for a row of a comparison trained on all rows; asking twice gives the same job. Its answer is `read_answer(id, "refit",
        owner)`, its model file the artifact `model/<row>`.

        spec: `engine.spec.refit.RefitSpec` as JSON. The job goes with the comparison, and is whose that is. Raises UnknownName where the
        comparison is not there, or is somebody else's, and BadParameter.
        """
        refit = RefitSpec.from_json(spec)
        with self.database.writing() as connection:
            query = sa.select(JOBS.c.upload, JOBS.c.owner, JOBS.c.attempt)
            row = connection.execute(
                query.where(JOBS.c.id == refit.comparison, JOBS.c.kind == "compare", visible_to(owner))
            ).first()
            if row is None or not has_artifact(connection, refit.comparison, "comparison"):
                raise UnknownName("The comparison is no longer here: compare again.")
            if row.upload is not None:
                require_upload(self.database, connection, row.upload, owner)
            id = refit.id(row.attempt, row.owner)
            key = {"id": id, "kind": "refit", "fingerprint": refit.comparison, "owner": row.owner, "upload": row.upload}
            return self._enqueue(connection, key, refit.to_json(), REFIT_S, again=again, asker=owner)

    @repeat_on_conflict
    def submit_score(self, owner: str, spec: Mapping[str, Any], *, again: bool = False) -> Job:
        """Ask a model to score a table; asking twice gives the same job. Its answer is `read_answer(id, "score", owner)`, and the
        scored rows are its artifact `scored.csv`.

        spec: `engine.spec.score.ScoreSpec` as JSON. The job is the owner's, and goes with the scored table, with the upload that the
        model is or came from, and with the job that made the model. Raises UnknownName where table or model is not there, or is
        somebody else's, and BadParameter.
        """
        score = ScoreSpec.from_json(spec)
        with self.database.writing() as connection:
            data = require_upload(self.database, connection, score.file, owner)
            if "upload" in score.model:
                origin: str | None = score.model["upload"]
                made_by = require_upload(self.database, connection, score.model["upload"], owner)
                version = made_by
            else:
                made_by, artifact = score.model["job"], score.model["artifact"]
                query = sa.select(JOBS.c.upload, JOBS.c.attempt).where(JOBS.c.id == made_by, visible_to(owner))
                row = connection.execute(query).first()
                if row is None or not has_artifact(connection, made_by, artifact):
                    raise UnknownName("The model is no longer here: compare again, or upload its file.")
                origin, version = row.upload, f"{made_by} {artifact} {row.attempt}"
            score = dataclasses.replace(score, origin=origin)
            id = score.id(data, version, owner)
            key = {"id": id, "kind": "score", "fingerprint": made_by, "owner": owner, "upload": score.file}
            return self._enqueue(connection, key, score.to_json(), SCORE_S, again=again)

    def read_answer(self, id: str, name: str, owner: str | None = None) -> dict[str, Any] | bytes | None:
        """An artifact of one of these jobs: those of ANSWERS read from JSON, all others as bytes; None without it."""
        data = read_artifact(self.database, id, name, owner)
        if data is None or name not in ANSWERS:
            return data
        return dict(json.loads(data))

    def _enqueue(
        self,
        connection: Connection,
        key: dict[str, Any],
        spec: Mapping[str, Any],
        timeout_s: float,
        *,
        again: bool = False,
        asker: str | None = None,
    ) -> Job:
        key |= {"spec": seal_spec(self.database, connection, key, canonical_json(spec))}
        values = {"priority": PRIORITY_INTERACTIVE, "device": "auto", "timeout_s": timeout_s}
        return enqueue_job(self.database, connection, key, values, again=again, asker=asker)
