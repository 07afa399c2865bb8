"""What may be wrong with this machine, and what to do about it. One file per check, found by scanning.

A check is a module of this package with ORDER, TITLE and `look(machine)`, which yields what it finds. It imports what is heavy inside
`look`, and works where only the page is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import sqlalchemy as sa

from engine.errors import LabError
from engine.store import Store, default_url

OK, NOTE, WRONG = "ok", "note", "wrong"
"""As it should be; worth knowing; to be mended before this machine works as it should."""


@dataclass(frozen=True)
class Finding:
    """One sentence about this machine. level: OK, NOTE or WRONG. todo: what to do, '' where nothing is to be done."""

    level: str
    says: str
    todo: str = ""


class Machine:
    """What the checks look at. url: of the store, `default_url()` where none is given."""

    def __init__(self, url: str | None = None) -> None:
        self._url = url

    @cached_property
    def url(self) -> str:
        """The store's URL. Raises LabError."""
        return default_url() if self._url is None else self._url

    @cached_property
    def file(self) -> Path | None:
        """The file of an SQLite store, None for another database. Raises LabError."""
        parsed = sa.make_url(self.url) if "://" in self.url else None
        return Path(parsed.database or "") if parsed is not None and parsed.drivername.startswith("sqlite") else None

    @cached_property
    def store(self) -> Store | None:
        """The store, None where its file does not exist yet: looking makes none. Raises LabError."""
        return None if self.file is not None and not self.file.exists() else Store(self.url)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if (store := self.__dict__.get("store")) is not None:
            store.close()


class Check(Protocol):
    """Interface of a module of checks. TITLE: a word for the reader."""

    ORDER: int
    TITLE: str

    def look(self, machine: Machine) -> Iterator[Finding]:
        """What it finds. Raises LabError where something is wrong, with the sentence."""


def list_checks() -> list[Check]:
    """The checks, by ORDER and TITLE."""
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    found = [cast(Check, module) for name in names if hasattr(module := importlib.import_module(name), "look")]
    return sorted(found, key=lambda check: (check.ORDER, check.TITLE))


def examine(machine: Machine) -> Iterator[tuple[str, Finding]]:
    """(title, finding) of every check."""
    for check in list_checks():
        try:
            for finding in check.look(machine):
                yield check.TITLE, finding
        except LabError as error:
            yield check.TITLE, Finding(WRONG, str(error))


def has_engine_packages() -> bool:
    """Whether what trains is installed here. Without it this is a machine, or a container, for the page alone."""
    return importlib.util.find_spec("torch") is not None
