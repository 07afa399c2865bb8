"""Logs of page and engine on stderr: lines for a person, or with LAB_LOG=json one JSON object a line.

An object has time (UTC), level, logger and message; engine, once this process has one; job and attempt where the line is about a
run; error, its place and type without what it says, where one was caught: it may quote a person's table.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from engine.errors import BadInput
from engine.text import quote

PLAIN = "%(asctime)s %(name)s: %(message)s"
"""A line for a person."""
FIELDS = ("engine", "job", "attempt")
"""What a record may carry besides (`extra=`)."""
_always: dict[str, Any] = {}


def is_json() -> bool:
    """Whether LAB_LOG asks for JSON. Raises BadInput for another word than json and text."""
    kind = os.environ.get("LAB_LOG", "") or "text"
    if kind not in ("json", "text"):
        raise BadInput(f"LAB_LOG={quote(kind)}: must be json or text.")
    return kind == "json"


def make_formatter() -> logging.Formatter:
    """What writes a record as LAB_LOG asks. Raises BadInput."""
    return JsonFormatter() if is_json() else logging.Formatter(PLAIN)


def configure_logs(*, force: bool = False) -> None:
    """Write what this process logs on stderr: from INFO on, and of an engine in JSON also when a run begins and ends. Raises BadInput.

    force: in place of what the process was started with.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=force)
    logging.getLogger("engine").setLevel(logging.DEBUG if is_json() else logging.NOTSET)


def configure_worker() -> None:
    """In JSON, write what this process logs so, and each line that anything else prints on stderr; else leave both. Raises BadInput.

    What libraries in C print reaches stderr as it is.
    """
    if is_json():
        configure_logs(force=True)
        sys.stderr = _Lines(logging.getLogger("engine.executors.worker"))


def name_engine(id: str) -> None:
    """Name the engine of this process in every line from now on."""
    _always["engine"] = id


class _Lines(io.TextIOBase):
    """A stream whose lines are logged, empty ones left out."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._rest = log, ""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Of stderr, which child processes are given."""
        return 2

    def write(self, text: str) -> int:
        """Log the lines that have come to their end."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            self._log.warning("%s", line)
        return len(text)

    def flush(self) -> None:
        """Log what was written of a line whose end has not come."""
        if self._rest.strip():
            self._log.warning("%s", self._rest)
        self._rest = ""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        out: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_always,
        }
        out |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_text:  # the page leaves out what an error says (app.server)
            out["error"] = record.exc_text
        elif isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            error = record.exc_info[1]
            out["error"] = f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}"
        return json.dumps(out, ensure_ascii=False, default=str)
