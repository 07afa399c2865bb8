"""The database: jobs, events, results, artifacts, uploads, bookmarks."""

from engine.store.database import PRIORITY_INTERACTIVE, default_url
from engine.store.jobs import ACTIVE, KINDS, STATES, Job
from engine.store.store import EngineInfo, Store

__all__ = ["ACTIVE", "EngineInfo", "Job", "KINDS", "PRIORITY_INTERACTIVE", "STATES", "Store", "default_url"]
