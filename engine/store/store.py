"""The store: where page and engine meet. It gathers the verbs of its parts.

Writes carry the attempt number. A write for an attempt that no longer runs changes nothing.
"""

from __future__ import annotations

from engine.store.administration import Administration
from engine.store.artifacts import Artifacts
from engine.store.bookmarks import Bookmarks
from engine.store.bundles import Bundles
from engine.store.claims import Claims
from engine.store.database import OF_A_PAGE, open_database
from engine.store.engines import Engines
from engine.store.events import Events
from engine.store.fleet import Fleet
from engine.store.forgetting import Forgetting
from engine.store.handover import Handover
from engine.store.library import Library
from engine.store.maps import Maps
from engine.store.people import People
from engine.store.previews import Previews
from engine.store.queue import Queue
from engine.store.quotas import Quotas
from engine.store.requests import Requests
from engine.store.results import Results
from engine.store.sweeps import Sweeps
from engine.store.uploads import Uploads


class Store(
    Queue,
    Claims,
    Previews,
    Events,
    Results,
    Artifacts,
    Requests,
    Engines,
    Fleet,
    Uploads,
    Forgetting,
    Bookmarks,
    Library,
    Sweeps,
    Maps,
    Bundles,
    People,
    Quotas,
    Administration,
    Handover,
):
    """A handle on the database; cheap to keep, safe to share between threads, to be opened anew in a child process.

    Every method raises StoreError where the database cannot be used. Reads take `owner`: a run owned by somebody else
    reads exactly as one that is not there.
    """

    def __init__(self, url: str | None = None, connections: tuple[int, int] = OF_A_PAGE) -> None:
        super().__init__(open_database(url, connections))

    @property
    def url(self) -> str:
        """What the database was opened with."""
        return self.database.url

    @property
    def generation(self) -> int:
        """How often its file was deleted or replaced while it was open."""
        return self.database.generation

    @property
    def replaced(self) -> float | None:
        """When that was noticed last, unix seconds; None where it never was."""
        return self.database.replaced

    def close(self) -> None:
        """Close all connections. The store can be used again afterwards."""
        self.database.close()
