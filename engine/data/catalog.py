"""Every dataset: its facts, whether it is on this machine, its rows. A source is one module with facts, available and load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, cast

from engine import fields
from engine.data import adult, bundled, keel, points
from engine.data.facts import Facts
from engine.data.table import Dataset
from engine.errors import BadParameter, UnknownName
from engine.spec import find


class Source(Protocol):
    """What a module of datasets offers."""

    def facts(self) -> list[Facts]:
        """Its datasets, without reading them."""

    def available(self, name: str) -> bool:
        """Whether its rows are on this machine; cheap."""

    def load(self, name: str, options: Mapping[str, Any]) -> Dataset:
        """Its rows, fetched first where they can be. options: checked, complete."""


SOURCES: tuple[Source, ...] = tuple(cast(Source, module) for module in (points, bundled, keel, adult))


def datasets() -> list[dict[str, Any]]:
    """One JSON-plain entry per dataset, in order of display.

    Keys: name, title, kind (points | tabular), source, rows, features, classes, counts, ratio (largest / smallest class),
    licence ("not stated" where it is not), citation, url, fields (its options, as engine.fields describes them), fingerprint
    (changes when the rows would), how_to_get, summary. Counts are those of the default options.
    """
    return [facts.entry() for source in SOURCES for facts in source.facts()]


def available(name: str) -> bool:
    """Whether the rows are on this machine: a look at the disk, nothing is read or fetched. Raises UnknownName."""
    return _source(name).available(name)


def load(name: str, options: Mapping[str, Any] | None = None) -> Dataset:
    """The rows of a dataset under its options; what is not on this machine is fetched first.

    Raises UnknownName, BadParameter, BadData (a file that is not what it should be), DataMissing (not here, cannot be had).
    """
    source = _source(name)
    entry = find({"datasets": datasets()}, "datasets", name)
    return source.load(name, fields.check(entry["fields"], options or {}, name))


def fetch(name: str, say: Callable[[str], None] = print) -> None:
    """Bring a source ("keel", "adult") or one of its datasets onto this machine. Raises UnknownName, BadData, DataMissing.

    say: told each step in a sentence.
    """
    fetchers = {"keel": keel.fetch, "adult": adult.fetch}
    source = name if name in fetchers else next((s for s in fetchers if name in _names(s)), None)
    if source is None:
        _source(name)  # raises where there is no such dataset
        raise BadParameter(f"{name} needs no fetching; fetch takes {', '.join(fetchers)} or one of their datasets.")
    fetchers[source](say)


def _names(source: str) -> list[str]:
    return [f.name for f in {"keel": keel, "adult": adult}[source].facts()]


@cache
def _index() -> dict[str, Source]:
    return {facts.name: source for source in SOURCES for facts in source.facts()}


def _source(name: str) -> Source:
    index = _index()
    if name not in index:
        raise UnknownName(f"no dataset is called {name!r}; there are: {', '.join(index)}.")
    return index[name]
