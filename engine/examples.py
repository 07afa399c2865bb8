"""Finished runs that come with the product, so that the first page has something to show: `python -m engine example`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.catalog import build_catalog
from engine.errors import UnknownName
from engine.events import Epoch, Frame, Progress, Scene
from engine.family import family
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec, find
from engine.store import Store

EXAMPLES = {
    "moons": RunSpec("moons", "explicit-gradient", Imbalance("ratio", 50.0), data={"rows": 6000}, folds=4, seeds=5),
}
"""name -> what is run, with everything that belongs beside it. `moons` is what a first visit shows."""


def make(name: str, path: Path, say: Callable[[str], None]) -> None:
    """Compute an example and write it as a bundle. Only the first run keeps its pictures. Raises UnknownName."""
    if name not in EXAMPLES:
        raise UnknownName(f"no example is called {name!r}; there are: {', '.join(EXAMPLES)}.")
    catalog = build_catalog()
    members, _ = family(EXAMPLES[name], catalog)
    fingerprint = find(catalog, "datasets", EXAMPLES[name].dataset)["fingerprint"]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/example.db")
        ids = []
        for number, member in enumerate(members):
            say(f"{number + 1} of {len(members)}: {member.label}")
            events, result, films = drive(run(member.spec))
            unseen = Progress if number == 0 else (Progress, Epoch, Scene, Frame)  # a result holds its history
            kept = [event for event in events if not isinstance(event, unseen)]
            job = store.record(member.spec, result, kept, films if number == 0 else {}, fingerprint=fingerprint)
            ids.append(job.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        store.export(ids, path)
        store.close()
