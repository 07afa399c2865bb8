"""The cluster as a whole: which one LAB_EXECUTOR names, connecting this process to it, and whether its head answers.

Ray is imported by `connect_ray`, and nowhere else.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import system
from engine.errors import BadInput
from engine.text import one_line, quote

SILENCE = 15.0
"""Seconds without a word of an actor or of the cluster's head after which it is lost."""
PING = 5.0
"""Seconds between two questions to an idle actor, and to the head."""
PROBE = 3.0
"""Seconds that one answer of the head may take."""
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of the head's port begins (HTTP/2's preface and empty settings), to which a server answers at once."""
STORE_BYTES = 100_000_000
"""Bytes of memory for objects, on a cluster that this process starts. Ray's default is a third of the machine's."""
FOLDER = "lab-ray-"
"""What the names of the folders of such clusters begin with, before the engine's process id."""
NOT_THERE = "LAB_EXECUTOR=ray: Ray is not installed; python -m pip install -r requirements-ray.txt installs it."
NO_ANSWER = (
    "LAB_EXECUTOR={name}: no Ray cluster answers there. A node of it must run on this machine, with the same RAY_AUTH_TOKEN or "
    "RAY_AUTH_TOKEN_PATH."
)
OPEN = "RAY_AUTH_MODE=disabled: everybody who reaches a port of the cluster could run programs on it. Keep the token on."

log = logging.getLogger(__name__)


def read_address(text: str) -> str:
    """Which cluster LAB_EXECUTOR names: 'local' for `ray` (RAY_ADDRESS where that is set), else 'auto' or host:port.

    `ray://HOST:PORT` is the address of the cluster's head, as `ray start` prints it. Raises BadInput for anything else.
    """
    if text == "ray":
        return os.environ.get("RAY_ADDRESS") or "local"
    if text == "ray:auto":
        return "auto"
    if re.fullmatch(r"ray://[^\s/]+:[0-9]+", text):
        return text.removeprefix("ray://")
    raise BadInput(f"LAB_EXECUTOR={quote(text)}: must be local, ray, ray:auto or ray://HOST:PORT.")


def connect_ray(address: str, processors: int) -> tuple[Any, str | None]:
    """(the module `ray`, connected; the folder of a cluster that it started, None of another). processors: those of such a cluster.

    Raises BadInput where there is no Ray or no cluster.
    """
    folder: str | None = None
    if os.environ.get("RAY_AUTH_MODE", "") == "disabled":
        raise BadInput(OPEN)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read at import
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # else a thread that still reads at the end would start a cluster
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.WARNING}
    if address == "local":
        os.environ["RAY_AUTH_MODE"] = "token"  # Ray asks for none by itself where one process starts the cluster
        if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: anything else on the machine would go first
        clear_folders()
        folder = tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-")  # short, since sockets lie in it
        options |= {"include_dashboard": False, "_temp_dir": folder, "object_store_memory": STORE_BYTES}
        options |= {"num_cpus": processors}
    try:
        import ray
    except ImportError as error:
        raise BadInput(NOT_THERE) from error
    no_answer = BadInput(NO_ANSWER.format(name="ray" if address == "local" else f"ray://{address}"))
    if ":" in address and not does_head_answer(address):
        raise no_answer  # Ray itself would wait for minutes
    try:
        ray.init(**options)
    except Exception as error:
        log.error("no Ray cluster: %s", one_line(error, 300))
        raise no_answer from None
    return ray, folder


def watch_head(address: str, stopped: threading.Event, lose: Callable[[], object]) -> None:
    """Call `lose` once when the head at host:port is lost, from a thread of its own, since an answer may take long."""

    def watch() -> None:
        heard = time.monotonic()
        while not stopped.wait(PING):
            if does_head_answer(address):
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE:
                lose()
                return

    threading.Thread(target=watch, daemon=True, name="head").start()


def does_head_answer(address: str) -> bool:
    """Whether the head of a cluster answers at host:port within PROBE seconds. A frozen one accepts connections and says nothing."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PROBE) as connection:
            if os.environ.get("RAY_USE_TLS", "") == "1":
                return True
            connection.sendall(HELLO)
            return bool(connection.recv(1))
    except (OSError, ValueError):
        return False


def clear_folders() -> None:
    """Deletes the folders of clusters whose engine was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*"):
        pid = path.name.removeprefix(FOLDER).partition("-")[0]
        if pid.isdecimal() and not system.memory_in_use(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
