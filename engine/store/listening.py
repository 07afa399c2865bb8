"""Notifications of PostgreSQL (LISTEN): a process is told when another has changed the store, and need not ask again and again.

A channel is told of by the transactions that write (`Database.announce`). A notification carries an id or nothing, since the server keeps
it in a file. It may be lost: who listens still looks by themselves, and looks as often as without while `is_alive` is false.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

log = logging.getLogger(__name__)
Hear = Callable[[str], object]
WAIT = 0.25
"""Seconds after which the thread looks whether it is to end."""
PING = 5.0
"""Seconds without a notification after which it sends one to itself."""
SILENT = 10.0
"""Seconds without a notification after which the connection counts as lost: a pooler or a network may drop them without a word."""
PAUSES = (0.1, 0.5, 2.0, 10.0)
"""Seconds between attempts to connect; the last one stays."""
END_S = 5.0
"""Seconds that closing waits for the thread, which may be connecting."""


class Listener:
    """Listens to channels on a connection of its own, in a thread that runs from the first `subscribe` to `close`.

    connect: makes a connection that commits each statement. place: the store's, for the log. Safe to share between threads.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], place: str) -> None:
        self._connect, self._place = connect, place
        self._subscribers: dict[int, tuple[str, Hear]] = {}
        self._numbers = itertools.count()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._end = threading.Event()
        self._heard = float("-inf")

    @property
    def is_alive(self) -> bool:
        """Whether notifications arrive."""
        return time.monotonic() - self._heard < SILENT

    def subscribe(self, channel: str, hear: Hear) -> Callable[[], None]:
        """Call `hear` with what each notification of a channel carries, on the thread; with '' where some may have been lost.

        channel: letters, digits and _. Returns what ends it.
        """
        with self._changing:
            number = next(self._numbers)
            self._subscribers[number] = (channel, hear)
            if self._thread is None:
                self._end = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._end,), daemon=True, name="notifications")
                self._thread.start()

        def unsubscribe() -> None:
            with self._changing:
                self._subscribers.pop(number, None)

        return unsubscribe

    def close(self) -> None:
        """End the thread, and all subscriptions."""
        with self._changing:
            thread, self._thread = self._thread, None
            self._subscribers.clear()
            self._end.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(END_S)

    def _run(self, end: threading.Event) -> None:
        failures = 0
        while not end.is_set():
            began = time.monotonic()
            try:
                self._listen(end)
            except (psycopg.Error, OSError) as error:
                if not failures:
                    log.warning(
                        "the store %s sends no notifications (%s): it is looked at more often", self._place, _name(error)
                    )
            self._heard = float("-inf")
            failures = 0 if time.monotonic() - began > SILENT else failures
            end.wait(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    def _listen(self, end: threading.Event) -> None:
        """Pass notifications on until `end`. Raises psycopg.Error where the connection is lost."""
        own = f"lab_own_{secrets.token_hex(8)}"
        channels: set[str] = set()
        with self._connect() as connection:
            connection.execute(f"LISTEN {own}")
            connection.execute(f"NOTIFY {own}")
            heard = asked = time.monotonic()
            while not end.is_set():
                if new := self._list_channels() - channels:
                    for channel in sorted(new):
                        connection.execute(f"LISTEN {channel}")
                    channels |= new
                    self._pass_on(new, "")  # what happened before this was heard by nobody
                for notification in connection.notifies(timeout=WAIT, stop_after=1):
                    self._heard = heard = time.monotonic()
                    self._pass_on({notification.channel}, notification.payload)
                now = time.monotonic()
                if now - heard > SILENT:
                    raise psycopg.OperationalError("no notification arrives")
                if now - max(heard, asked) > PING:
                    asked = now
                    connection.execute(f"NOTIFY {own}")

    def _list_channels(self) -> set[str]:
        with self._changing:
            return {channel for channel, _ in self._subscribers.values()}

    def _pass_on(self, channels: set[str], payload: str) -> None:
        with self._changing:
            hear_all = [hear for channel, hear in self._subscribers.values() if channel in channels]
        for hear in hear_all:
            try:
                hear(payload)
            except Exception as error:  # of one, such as an event loop that has ended, and no reason to hear nothing more
                log.warning("a notification of the store %s was lost: %s", self._place, type(error).__name__)


def _name(error: Exception) -> str:
    state = getattr(error, "sqlstate", None)
    return f"SQLSTATE {state}" if state else type(error).__name__
