"""What an engine can run, as a condition of queries and as a sentence on one job."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine.store.schema import JOBS
from engine.text import quote
from engine.version import NUMERICS

_LISTS = ("devices", "methods", "datasets")
ON_DATA = ("run", "compare")
"""Kinds of job whose fingerprint is that of a public dataset, where they are on one."""


@dataclass(frozen=True)
class Abilities:
    """What an engine can run. numerics: `engine.version.NUMERICS`. devices: those that can be asked for beside auto. methods: their names.
    datasets: fingerprints of the public ones that are on its machine. None: it does not say, and takes any.
    """

    numerics: int
    devices: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None

    @classmethod
    def from_catalog(cls, catalog: Mapping[str, Any] | None) -> Abilities:
        """Those of an engine of this program with this live catalog. A list without entries says nothing."""
        if catalog is None:
            return cls(NUMERICS)
        here = [entry for entry in catalog.get("datasets", ()) if entry.get("available", True)]
        return cls(
            NUMERICS,
            tuple(catalog.get("devices", ())) or None,
            tuple(entry["name"] for entry in catalog.get("methods", ())) or None,
            tuple(sorted({entry["fingerprint"] for entry in here})) or None,
        )

    @classmethod
    def from_json(cls, text: str) -> Abilities | None:
        """Those that `to_json` wrote, None for ''."""
        if not text:
            return None
        words = json.loads(text)
        return cls(words["numerics"], *(None if words[n] is None else tuple(words[n]) for n in _LISTS))

    def to_json(self) -> str:
        """JSON text of all fields."""
        return json.dumps(dataclasses.asdict(self))

    def without_lists(self) -> Abilities:
        """Those of an engine that nobody stands beside: it takes what it cannot run too, and the run says why it fails."""
        return Abilities(self.numerics)

    @property
    def can_run(self) -> sa.ColumnElement[bool]:
        """The jobs among JOBS that it can run; `name_lack` says the same of one job."""
        conditions = [sa.or_(JOBS.c.numerics.is_(None), JOBS.c.numerics == self.numerics)]
        if self.devices is not None:
            conditions.append(JOBS.c.device.in_(("auto", *self.devices)))
        if self.methods is not None:
            conditions.append(sa.or_(JOBS.c.kind != "run", JOBS.c.method.is_(None), JOBS.c.method.in_(self.methods)))
        if self.datasets is not None:
            elsewhere = sa.or_(JOBS.c.upload.is_not(None), JOBS.c.kind.not_in(ON_DATA))
            conditions.append(sa.or_(elsewhere, JOBS.c.fingerprint.in_(("", *self.datasets))))
        return sa.and_(*conditions)

    def name_lack(self, job: Any) -> str:
        """What it lacks to run a job, the end of a sentence; '' where it can. job: with JOBS' columns as attributes."""
        if job.numerics is not None and job.numerics != self.numerics:
            return f"computes by version {self.numerics} of the numbers, and this was asked for by version {job.numerics}"
        if self.devices is not None and job.device not in ("auto", *self.devices):
            return f"has no device {quote(job.device)}"
        if self.methods is not None and job.kind == "run" and job.method is not None and job.method not in self.methods:
            return f"has no method {quote(job.method)}"
        on_data = job.kind in ON_DATA and job.upload is None and job.fingerprint
        if self.datasets is not None and on_data and job.fingerprint not in self.datasets:
            return f"lacks the data of {quote(job.dataset or 'this')}, or has another version of it"
        return ""


@dataclass(frozen=True)
class Taker:
    """An engine that takes jobs: its slots, and what it can run."""

    id: str
    slots: int
    able: Abilities
