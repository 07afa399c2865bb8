"""When Python's cycle collector runs in the page's process.

Streamlit collects after every script and every timed fragment, over a heap that grows with each session: with thirty viewers that is
most of what they wait for. `runner.postScriptGC = false` (app/.streamlit/config.toml) ends it; this is the schedule in its place.
"""

from __future__ import annotations

import gc
import threading
import time

from streamlit import runtime
from streamlit.runtime.app_session import AppSessionState

from engine import system

EVERY = 60.0
"""Seconds between two collections, where the page has a moment without a running script."""
LATEST = 180.0
"""Seconds after which it is done though scripts run."""
YOUNG = (10_000, 20, 1_000)
"""Python's own thresholds: new objects are looked at rarely and briefly, old ones by this schedule alone."""


def is_any_script_running() -> bool:
    """Whether some visitor's script runs at this moment. It may begin in the next."""
    if not runtime.exists():
        return False
    sessions = runtime.get_instance()._session_mgr.list_active_sessions()
    return any(each.session._state == AppSessionState.APP_IS_RUNNING for each in sessions)


class Collector(threading.Thread):
    """Collects all generations about once a minute, in a moment without a running script where there is one."""

    def __init__(self) -> None:
        super().__init__(name="collector", daemon=True)
        self.collections = 0
        self._ending = threading.Event()
        self._thresholds = gc.get_threshold()

    def run(self) -> None:
        """Collect until `stop`. The thread is none of the server's: its event loop goes on between two steps of the collector."""
        gc.set_threshold(*YOUNG)
        last = time.monotonic()
        while not self._ending.wait(0.25):
            since = time.monotonic() - last
            if since >= LATEST or (since >= EVERY and not is_any_script_running()):
                gc.collect()
                system.return_memory()
                self.collections += 1
                last = time.monotonic()

    def stop(self) -> None:
        """End the schedule and leave collecting to Python."""
        self._ending.set()
        if self.is_alive():
            self.join()
        gc.set_threshold(*self._thresholds)
