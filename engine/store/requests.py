"""Profiles of tables and comparisons of methods: jobs that answer with artifacts alone.

What is made from an uploaded table is its owner's and goes with it; a comparison on a public dataset is everybody's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from engine.errors import BadParameter
from engine.spec.comparison import CompareSpec
from engine.spec.run import canonical_json, table_options
from engine.store.artifacts import read_artifact
from engine.store.database import Part
from engine.store.jobs import PRIORITY_INTERACTIVE, Job, enqueue_job
from engine.store.uploads import require_upload
from engine.version import NUMERICS

PROFILE_S = 120.0
"""Seconds a profile may take."""


class Requests(Part):
    """Profiles of tables and comparisons of methods."""

    def submit_profile(self, owner: str | None, upload: str, options: Mapping[str, Any] | None = None) -> Job:
        """Ask what is in a table; asking twice gives the same job. Its answer is `read_answer(id, "profile", owner)`.

        options: see `engine.spec.run.table_options`; all may be left out. Raises UnknownName where the table is not the owner's, and
        BadParameter.
        """
        spec = {"upload": upload, **table_options(options or {}, target=False)}
        with self.database.writing() as connection:
            data = require_upload(connection, upload, owner)
            facts = {"profile": spec, "data": data, "numerics": NUMERICS, "owner": owner}
            id = hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]
            key = {"id": id, "kind": "profile", "fingerprint": data, "owner": owner, "upload": upload}
            return self._enqueue(connection, key, spec, PROFILE_S)

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
                data, whose = require_upload(connection, upload, owner), owner
            id = compare.id(data, whose)
            key = {"id": id, "kind": "compare", "fingerprint": data, "owner": whose, "upload": upload}
            return self._enqueue(connection, key, compare.to_json(), limit, again=again)

    def read_answer(self, id: str, name: str, owner: str | None = None) -> dict[str, Any] | bytes | None:
        """An artifact of a profile or comparison: `profile` and `comparison` read from JSON, all others as bytes; None without it."""
        data = read_artifact(self.database, id, name, owner)
        if data is None or name not in ("profile", "comparison"):
            return data
        return dict(json.loads(data))

    def _enqueue(
        self, connection: Connection, key: dict[str, Any], spec: Mapping[str, Any], timeout_s: float, *, again: bool = False
    ) -> Job:
        key |= {"spec": self.database.pad_private(canonical_json(spec), key["owner"])}
        values = {"priority": PRIORITY_INTERACTIVE, "device": "auto", "timeout_s": timeout_s}
        return enqueue_job(self.database, connection, key, values, again=again)
