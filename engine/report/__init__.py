"""Reports, tables and code that people take away. A report is one file: the package is scanned for modules with a KIND."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from engine.errors import UnknownName

if TYPE_CHECKING:
    from engine.store import Store


@dataclass(frozen=True)
class ReportRequest:
    """What a report is written of: a finished job of a store, or what is given instead.

    catalog: the engine's. job: its id. owner: who asks, None for public jobs alone. given: by names that each kind documents.
    """

    catalog: Mapping[str, Any] = field(default_factory=dict)
    store: Store | None = None
    job: str = ""
    owner: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


class Report(Protocol):
    """A module of this package that writes a report. KIND: the kind of the store's jobs that it is of, or "sweep"."""

    KIND: str

    def write_report(self, request: ReportRequest) -> str:
        """The report as one HTML document. Raises BadInput, BadData, UnknownName."""


@cache
def kinds() -> dict[str, Report]:
    """Every report by its kind. Raises TypeError where two modules have one kind."""
    out: dict[str, Report] = {}
    for name in (module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        if hasattr(module, "KIND"):
            report = cast(Report, module)
            if report.KIND in out:
                raise TypeError(f"two reports are of kind {report.KIND!r}")
            out[report.KIND] = report
    return out


def write_report(kind: str, request: ReportRequest) -> str:
    """The report of that kind, one HTML document. Raises UnknownName where there is none, and what its module raises."""
    if kind not in kinds():
        raise UnknownName(f"there is no report of kind {kind!r}; there are: {', '.join(kinds())}.")
    return kinds()[kind].write_report(request)
