"""The database: jobs, events, results, artifacts, uploads, bookmarks."""

from engine.store.database import default_url
from engine.store.engines import EngineInfo
from engine.store.jobs import ACTIVE, KINDS, PRIORITY_INTERACTIVE, STATES, Job
from engine.store.store import Store

__all__ = ["ACTIVE", "EngineInfo", "Job", "KINDS", "PRIORITY_INTERACTIVE", "STATES", "Store", "default_url"]
