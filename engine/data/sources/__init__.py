"""Every dataset: its facts, whether it is on this machine, its rows. One file per source; a new file adds a source.

The package is scanned for `Source` modules: ORDER, `facts`, `available`, `load`. A module without `facts` is a helper.
Optional: `live` (`Live`), FETCHES and `fetch` (`Fetched`), `facts_of`, `find_sets` and `unreadable` (`Local`). Files of a person's plugin
folder are scanned after it; what is wrong with one of them leaves it out.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from engine import plugins
from engine.data import places
from engine.data.facts import Facts
from engine.data.table import Dataset
from engine.errors import BadData, BadParameter, DataMissing, UnknownName
from engine.spec import fields
from engine.text import quote


class Source(Protocol):
    """Interface of a module of datasets. ORDER: its place among the sources."""

    ORDER: int

    def facts(self) -> list[Facts]:
        """Its datasets, without reading them."""

    def available(self, name: str) -> bool:
        """Whether its rows are on this machine; cheap."""

    def load(self, name: str, options: Mapping[str, Any]) -> Dataset:
        """Its rows, downloaded first where possible. options: checked, complete."""


class Live(Source, Protocol):
    """A source whose rows depend on the local copy."""

    def live(self, name: str) -> dict[str, Any]:
        """Changes of the catalog's entry for the copy on this machine, mainly its fingerprint. Raises BadData."""


class Fetched(Source, Protocol):
    """A source that can be downloaded. FETCHES: the names `fetch` takes for it; messages use the first one."""

    FETCHES: tuple[str, ...]

    def fetch(self, say: Callable[[str], None]) -> None:
        """Downloads it. say: called with a sentence for each step. Raises BadData, DataMissing."""


class Local(Source, Protocol):
    """A source of sets that exist on this machine alone. Its `facts` read the disk."""

    def find_sets(self) -> Mapping[str, Path]:
        """Names of its sets with their paths, unreadable ones included."""

    def facts_of(self, name: str) -> Facts:
        """Facts of one set. Raises UnknownName, BadData."""

    def unreadable(self) -> list[str]:
        """For each set that cannot be read, a sentence with the reason."""


@dataclass(frozen=True)
class PluginSource:
    """A source from a file of the plugin folder, whose digest its fingerprints hold."""

    plugin: plugins.Plugin
    ORDER: int

    def facts(self) -> list[Facts]:
        """See Source."""
        given: list[Facts] = self.plugin.module.facts()
        return [replace(facts, fingerprint=f"{facts.fingerprint} plugin {self.plugin.digest}") for facts in given]

    def available(self, name: str) -> bool:
        """See Source."""
        with plugins.tell_faults(name):
            return bool(self.plugin.module.available(name))

    def load(self, name: str, options: Mapping[str, Any]) -> Dataset:
        """See Source."""
        with plugins.tell_faults(name):
            return cast(Dataset, self.plugin.module.load(name, options))


def _find_plugins(taken: set[str]) -> list[Source]:
    """Sources of the plugin folder. taken: names of datasets that there are; theirs are added."""
    out: list[Source] = []
    for plugin in plugins.load_plugins():
        if not hasattr(plugin.module, "facts"):
            continue
        try:
            source = PluginSource(plugin, int(plugin.module.ORDER))
            names = [facts.entry()["name"] for facts in source.facts()]
            if doubled := next((name for i, name in enumerate(names) if name in taken or name in names[:i]), None):
                raise TypeError(f"there is a dataset called {quote(doubled)} already")
            if lacking := [name for name in ("available", "load") if not hasattr(plugin.module, name)]:
                raise TypeError(f"a source needs {lacking[0]}(name)")
        except Exception as error:  # whatever a stranger's file does
            plugins.report(plugin.path.name, plugins.explain(error))
            continue
        taken.update(names)
        out.append(cast(Source, source))
    return out


@cache
def sources() -> tuple[Source, ...]:
    """The sources of this package and of the plugin folder, by ORDER and name."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [cast(Source, module) for module in modules if hasattr(module, "facts")]
    common = {facts.name for source in found if not hasattr(source, "unreadable") for facts in source.facts()}
    found += _find_plugins(common)
    return tuple(sorted(found, key=lambda source: source.ORDER))  # the scan is by name, and the sort is stable


def _common() -> list[Source]:
    """The sources in the catalog of every machine."""
    return [source for source in sources() if not hasattr(source, "unreadable")]


def _local(here: bool = True) -> list[Local]:
    """Sources of sets that exist on this machine alone. here: those that need a data folder too."""
    return [
        cast(Local, source) for source in sources() if hasattr(source, "unreadable") and (here or hasattr(source, "OWN_FOLDER"))
    ]


def datasets(found: bool = False) -> list[dict[str, Any]]:
    """One JSON-plain entry per dataset, in order of display.

    Keys: name, title, kind (points | tabular | images), source, rows, features, classes, counts (rows per class, without an
    official test part), test_counts (those of the official test part, None without), parts (part -> rows per class, where the rows name
    their part and every seed draws them anew; `counts` are then those of training; else None), shape (channels, height, width of images,
    else None), ratio (largest / smallest class), licence ("not stated" where it is not), citation, url, fields (its options, as
    engine.spec.fields describes them), fingerprint (changes when the rows change), how_to_get, summary; plugin, True,
    for sets of a person's plugin folder alone. Counts are those of the
    default options.

    found: entries as they are on this machine, with local sets, those of the plugin folder, and the fingerprints of local copies.
    """
    here = found and _has_folder()
    common = [source for source in _common() if found or not isinstance(source, PluginSource)]
    own: dict[str, Any] = {"plugin": True}
    entries = [
        facts.entry() | (_live(source, facts.name) if here else {}) | (own if isinstance(source, PluginSource) else {})
        for source in common
        for facts in source.facts()
    ]
    if found:
        entries += [
            facts.entry() | (own if hasattr(source, "OWN_FOLDER") else {})
            for source in _local(here)
            for facts in source.facts()
        ]
    return entries


def _has_folder() -> bool:
    """Whether there is a data folder. Generated points need none."""
    with suppress(DataMissing):
        return bool(places.data_folders())
    return False


def _live(source: Source, name: str) -> dict[str, Any]:
    try:
        return cast(Live, source).live(name) if hasattr(source, "live") else {}
    except BadData:  # loading raises it again; here it would hide all other datasets
        return {}


def unreadable() -> list[str]:
    """Why local sets cannot be read: one sentence for each."""
    return [sentence for source in _local(_has_folder()) for sentence in source.unreadable()]


def available(name: str) -> bool:
    """Whether the rows are on this machine. Looks at the disk, but reads and downloads nothing. Raises UnknownName."""
    return find_source(name).available(name)


def load(name: str, options: Mapping[str, Any] | None = None) -> Dataset:
    """The rows of a dataset under its options, downloaded first where they are not on this machine.

    Raises UnknownName, BadParameter, BadData (a file with unexpected content), DataMissing (not here, and not downloadable).
    """
    source = find_source(name)
    if hasattr(source, "facts_of"):
        facts = cast(Local, source).facts_of(name)
    else:
        facts = next(facts for facts in source.facts() if facts.name == name)
    return source.load(name, fields.check(facts.entry()["fields"], options or {}, name))


def fetch(name: str, say: Callable[[str], None] = print) -> None:
    """Downloads a source or one of its datasets. Raises UnknownName, BadParameter, BadData, DataMissing.

    name: one of a source's FETCHES. say: called with a sentence for each step.
    """
    fetched = [cast(Fetched, source) for source in _common() if hasattr(source, "FETCHES")]
    source = next((source for source in fetched if name in source.FETCHES), None)
    if source is None:
        find_source(name)  # raises where there is no such dataset
        names = ", ".join(source.FETCHES[0] for source in fetched)
        raise BadParameter(f"{name} is not fetched; fetch takes {names} or one of their datasets.")
    source.fetch(say)


@cache
def _index() -> dict[str, Source]:
    """Every dataset of the common catalog with its source. Raises TypeError where two have one name."""
    out: dict[str, Source] = {}
    for source in _common():
        for facts in source.facts():
            if facts.name in out:
                raise TypeError(f"two datasets are called {quote(facts.name)}")
            out[facts.name] = source
    return out


def find_source(name: str) -> Source:
    """The source of a dataset. Raises UnknownName."""
    if name in _index():
        return _index()[name]
    local: dict[str, Source] = {own: source for source in _local(False) for own in source.find_sets()}
    if name in local:
        return local[name]
    local |= {own: source for source in _local() for own in source.find_sets()}
    if name in local:
        return local[name]
    raise UnknownName(f"no dataset is called {quote(name)}; there are: {', '.join([*_index(), *local])}.")
