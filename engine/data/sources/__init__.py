"""Every dataset: its facts, whether it is on this machine, its rows. A source is one module with facts, available and load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Protocol, cast

from engine.data import folders, places
from engine.data.facts import Facts
from engine.data.sources import adult, bundled, celeba, cifar, keel, mnist, mnist_back_rotation, points, stl10, svhn
from engine.data.table import Dataset
from engine.errors import BadData, BadParameter, DataMissing, UnknownName
from engine.spec import fields
from engine.spec.run import find_entry


class Source(Protocol):
    """What a module of datasets offers."""

    def facts(self) -> list[Facts]:
        """Its datasets, without reading them."""

    def available(self, name: str) -> bool:
        """Whether its rows are on this machine; cheap."""

    def load(self, name: str, options: Mapping[str, Any]) -> Dataset:
        """Its rows, fetched first where they can be. options: checked, complete."""


class Live(Source, Protocol):
    """A source whose rows depend on the copy that a person has."""

    def live(self, name: str) -> dict[str, Any]:
        """What the copy on this machine changes in the entry, its fingerprint above all. Raises BadData."""


LIVE: tuple[Live, ...] = tuple(cast(Live, module) for module in (cifar, svhn, stl10, celeba))
SOURCES: tuple[Source, ...] = (
    *(cast(Source, module) for module in (points, bundled, keel, adult, mnist, mnist_back_rotation)),
    *LIVE,
)
"""The sets that everyone's catalog lists. `folders` adds those that lie on this machine."""


def datasets(found: bool = False) -> list[dict[str, Any]]:
    """One JSON-plain entry per dataset, in order of display.

    Keys: name, title, kind (points | tabular | images), source, rows, features, classes, counts (rows per class, without an
    official test part), test_counts (those of the official test part, None without), shape (channels, height, width of images,
    else None), ratio (largest / smallest class), licence ("not stated" where it is not), citation, url, fields (its options, as
    engine.spec.fields describes them), fingerprint (changes when the rows would), how_to_get, summary. Counts are those of the
    default options.

    found: as it is on this machine, with the sets in the folders `images`, and with the copies that are here in fingerprints.
    """
    found = found and _searchable()
    entries = [facts.entry() | (_live(source, facts.name) if found else {}) for source in SOURCES for facts in source.facts()]
    return [*entries, *(facts.entry() for facts in folders.facts())] if found else entries


def _searchable() -> bool:
    """Whether there is a data folder: made points need none."""
    with suppress(DataMissing):
        return bool(places.folders())
    return False


def _live(source: Source, name: str) -> dict[str, Any]:
    try:
        return source.live(name) if source in LIVE else {}
    except BadData:  # said when it is loaded; here it would hide every other dataset
        return {}


def unreadable() -> list[str]:
    """Why zips and folders in the folders `images` are no datasets: a sentence for each."""
    return folders.unreadable() if _searchable() else []


def available(name: str) -> bool:
    """Whether the rows are on this machine: a look at the disk, nothing is read or fetched. Raises UnknownName."""
    return _source(name).available(name)


def load(name: str, options: Mapping[str, Any] | None = None) -> Dataset:
    """The rows of a dataset under its options; what is not on this machine is fetched first.

    Raises UnknownName, BadParameter, BadData (a file that is not what it should be), DataMissing (not here, cannot be had).
    """
    source = _source(name)
    if source is folders:
        described = folders.facts_of(name, folders.found()[name]).entry()["fields"]
    else:
        described = find_entry({"datasets": datasets()}, "datasets", name)["fields"]
    return source.load(name, fields.check(described, options or {}, name))


def fetch(name: str, say: Callable[[str], None] = print) -> None:
    """Bring a source (keel, adult, mnist, cifar10) or one of its datasets onto this machine. Raises UnknownName, BadData, DataMissing.

    say: told each step in a sentence.
    """
    fetchers = {"keel": keel.fetch, "adult": adult.fetch, "mnist": mnist.fetch, "cifar10": cifar.fetch}
    aliases = {f.name: "keel" for f in keel.facts()} | {mnist_back_rotation.NAME: "mnist"}
    source = aliases.get(name, name)
    if source not in fetchers:
        _source(name)  # raises where there is no such dataset
        raise BadParameter(f"{name} is not fetched; fetch takes {', '.join(fetchers)} or one of their datasets.")
    fetchers[source](say)


@cache
def _index() -> dict[str, Source]:
    return {facts.name: source for source in SOURCES for facts in source.facts()}


def _source(name: str) -> Source:
    index = _index()
    if name in index:
        return index[name]
    if name in (found := folders.found()):
        return cast(Source, folders)
    raise UnknownName(f"no dataset is called {name!r}; there are: {', '.join([*index, *found])}.")
