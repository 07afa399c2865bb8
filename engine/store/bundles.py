"""Finished runs and public comparisons as one file: a zip of JSON and npz, with their events, artifacts and so their embeddings."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.damage import check_members, refuse_damage
from engine.errors import BadData, BadInput, UnknownName
from engine.events import decode
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.run import canonical_json
from engine.store.database import Database, Part
from engine.store.events import Encoded
from engine.store.results import clean_json, decode_result, insert_finished
from engine.store.schema import ARTIFACTS, EVENTS, JOBS, RESULTS
from engine.text import quote

BUNDLE_FORMAT = 1
BUNDLE_LIMIT = 1 << 30
"""A bundle that unpacks to more bytes than this is refused."""
_ID = re.compile("[0-9a-f]{16}")
_Run = tuple[str, dict[str, Any], tuple[str, bytes], list[Encoded], dict[str, bytes]]
"""A job of a bundle: its id, and what `_read_run` finds of it."""
KINDS = ("run", "compare")
"""Jobs that a bundle can hold."""


class Bundles(Part):
    """Finished jobs written to a file and read from one."""

    def export(self, ids: Sequence[str], path: str | os.PathLike[str]) -> None:
        """Finished runs, or comparisons on public datasets, with their events and artifacts as one zip of JSON and npz.

        Raises UnknownName for an id that is not there, BadInput for one that is not done or is private.
        """
        partial = Path(path).with_name(Path(path).name + ".part")
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
                _put(bundle, "bundle.json", canonical_json({"format": BUNDLE_FORMAT, "runs": list(ids)}).encode())
                for id in ids:
                    _export_one(self.database, bundle, id)
            partial.replace(path)  # a half-written bundle never has its name
        finally:
            partial.unlink(missing_ok=True)

    def load(self, path: str | os.PathLike[str]) -> list[str]:
        """Add the runs of a bundle; returns the ids of all its runs. Those already done here stay as they are.

        Raises BadData for a file that is no bundle; then nothing of it is stored.
        """
        with refuse_damage(f"{path} is no bundle of runs"), _refuse_specs(path), zipfile.ZipFile(path) as bundle:
            check_members(bundle, BUNDLE_LIMIT, str(path))
            head = json.loads(bundle.read("bundle.json"))
            if head["format"] != BUNDLE_FORMAT:
                raise BadData(
                    f"{path} is a bundle of format {quote(head['format'])}; this version reads format {BUNDLE_FORMAT}."
                )
            if not all(isinstance(id, str) and _ID.fullmatch(id) for id in head["runs"]):
                raise BadData(f"{path} is no bundle of runs: the id of a run is 16 of 0-9a-f.")
            runs = [(id, *_read_run(bundle, id)) for id in dict.fromkeys(head["runs"])]
        for run in runs:
            self.database.write(partial(self._insert, run=run))
        return [run[0] for run in runs]

    def _insert(self, connection: Connection, run: _Run) -> None:
        insert_finished(self.database, connection, *run)


@contextmanager
def _refuse_specs(path: str | os.PathLike[str]) -> Iterator[None]:
    """What is wrong with a spec inside a bundle is wrong with the file."""
    try:
        yield
    except BadData:
        raise
    except BadInput as error:
        raise BadData(f"{path} is no bundle of runs: {error}") from error


def _export_one(database: Database, bundle: zipfile.ZipFile, id: str) -> None:
    with database.reading() as connection:
        job = connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).first()
        if job is None:
            raise UnknownName(f"no run is called {quote(id)} here.")
        if job.kind not in KINDS:
            raise BadInput(f"job {id} is no run; export the run it was made from, which carries it.")
        if job.owner is not None:
            raise BadInput(f"run {id} was made from a private table, which is in no file; it cannot be exported.")
        if job.state != "done":
            raise BadInput(f"run {id} is {job.state}; only a finished one can be exported.")
        result = connection.execute(sa.select(RESULTS).where(RESULTS.c.job == id)).one()
        events = connection.execute(sa.select(EVENTS).where(EVENTS.c.job == id).order_by(EVENTS.c.seq)).all()
        artifacts = connection.execute(sa.select(ARTIFACTS).where(ARTIFACTS.c.job == id).order_by(ARTIFACTS.c.name)).all()
    facts = {"spec": json.loads(job.spec), "fingerprint": job.fingerprint, "created": job.created, "finished": job.finished}
    facts |= {"artifacts": [a.name for a in artifacts]} | ({"kind": job.kind} if job.kind != "run" else {})
    _put(bundle, f"{id}/job.json", canonical_json(facts).encode())
    _put(bundle, f"{id}/result.json", result.words.encode())
    _put(bundle, f"{id}/result.npz", result.arrays)
    lines = [json.dumps([e.kind, e.words, e.arrays is not None]) for e in events]
    _put(bundle, f"{id}/events.jsonl", "\n".join(lines).encode())
    for number, event in enumerate(events, 1):
        if event.arrays is not None:
            _put(bundle, f"{id}/events/{number}.npz", event.arrays)
    for number, artifact in enumerate(artifacts):
        _put(bundle, f"{id}/artifacts/{number}", artifact.data)


def _put(bundle: zipfile.ZipFile, name: str, data: bytes) -> None:
    # A fixed date: the same runs give the same file, so a committed bundle changes only when its runs do.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    bundle.writestr(entry, data, zipfile.ZIP_STORED if name.endswith(".npz") else zipfile.ZIP_DEFLATED)


def _read_run(bundle: zipfile.ZipFile, id: str) -> tuple[dict[str, Any], tuple[str, bytes], list[Encoded], dict[str, bytes]]:
    """One job of a bundle, each part decoded once to check it. Raises BadData and what zipfile raises."""
    facts = _check_facts(json.loads(bundle.read(f"{id}/job.json")))
    result, arrays = clean_json(bundle.read(f"{id}/result.json").decode()), bundle.read(f"{id}/result.npz")
    if facts.get("kind", "run") not in KINDS:
        raise BadData(f"the bundle holds a job of kind {quote(facts['kind'])}; this version reads {' and '.join(KINDS)}.")
    if facts.get("kind") == "compare":
        json.loads(result)
        id_inside = CompareSpec.from_json(facts["spec"]).id(facts["fingerprint"])
    else:
        RunSpec.from_json(facts["spec"])
        id_inside = decode_result(result, arrays).run_id
    if id_inside != id:
        raise BadData(f"the bundle's run {id} holds the result of another run.")
    events: list[Encoded] = []
    for number, line in enumerate(bundle.read(f"{id}/events.jsonl").decode().splitlines(), 1):
        kind, text, has_arrays = json.loads(line)
        event = (kind, text, bundle.read(f"{id}/events/{number}.npz") if has_arrays else None)
        decode(*event)
        events.append(event)
    artifacts = {str(name): bundle.read(f"{id}/artifacts/{n}") for n, name in enumerate(facts["artifacts"])}
    last = [json.loads(text) for kind, text, _ in events if kind == "progress"][-1:]
    if any(type(words[name]) is not int for words in last for name in ("done", "total")):
        raise BadData(f"the bundle's run {id} counts its steps in something else than whole numbers.")
    for text in (*artifacts, *(part for kind, words, _ in events for part in (kind, words))):
        text.encode()  # half a character, which JSON can spell, is none that the store can hold
    return facts, (result, arrays), events, artifacts


def _check_facts(value: Any) -> dict[str, Any]:
    """A job's facts in the kinds that the store holds. Raises BadData, and what wrong kinds raise."""
    facts = dict(value)
    for name in ("created", "finished"):
        facts[name] = float(facts[name])
        if not 0 <= facts[name] < 1e12:
            raise BadData(f"the bundle holds a job whose time {quote(facts[name])} is none.")
    if not isinstance(facts["fingerprint"], str) or not isinstance(facts["artifacts"], list):
        raise BadData("the bundle holds a job whose fingerprint is no text, or whose artifacts are no list.")
    facts["fingerprint"].encode()
    canonical_json(facts["spec"])  # refuses numbers that are none
    return facts
