"""Where data files are (the folder LAB_DATA, read first, then the user's cache folder), and how new ones are written
atomically.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine import system
from engine.errors import DataMissing, LabError

APP = "imbalance-lab"
INCOMING = ".incoming-"
_LOCK = ".in-use"
"""The file in a download's folder that its process locks."""
GRACE = 60.0
"""Seconds after the creation of a download's folder within which it may not be locked yet."""


def data_folders() -> list[Path]:
    """Folders that are searched, in order. Raises DataMissing where there is none.

    An accelerator machine may lack platformdirs; LAB_DATA is then the only folder.
    """
    out = [Path(os.environ["LAB_DATA"]).expanduser()] if os.environ.get("LAB_DATA") else []
    try:
        from platformdirs import user_cache_path
    except ImportError:
        if not out:
            raise DataMissing("There is no data folder: set LAB_DATA to one, or install platformdirs.") from None
        return out
    return [*out, user_cache_path(APP, appauthor=False)]


def find_files(filename: str) -> list[Path]:
    """Files of that name in the data folders, in the order in which they are tried."""
    return [path for folder in data_folders() if (path := folder / filename).is_file()]


def digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def receive_file(filename: str) -> Iterator[Path]:
    """An empty folder inside the data folder. A file of that name written to it moves to its place when the block succeeds.

    The move is atomic: other processes see the old state or the whole file. When the block raises, the folder is deleted.
    `remove_unfinished` deletes folders of killed processes. Raises DataMissing where the folder cannot be written, as on a full
    disk.
    """
    folder = _find_writable()
    try:
        with tempfile.TemporaryDirectory(prefix=INCOMING, dir=folder) as scratch, _mark_in_use(Path(scratch)):
            yield Path(scratch)
            os.replace(Path(scratch) / filename, folder / filename)
    except LabError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataMissing(
            f"{filename} could not be written to {folder} ({reason}): make room there, or set LAB_DATA to another folder."
        ) from error


def remove_unfinished() -> None:
    """Deletes the folders of killed downloads from the data folders: those that no process locks and that are a minute old."""
    for folder in data_folders():
        with suppress(OSError):  # missing, unreadable, or another user's
            for left in folder.glob(f"{INCOMING}*"):
                if time.time() - left.stat().st_mtime > GRACE and not _is_in_use(left):
                    shutil.rmtree(left)


@contextmanager
def _mark_in_use(folder: Path) -> Iterator[None]:
    """Locks a folder while in use; the system releases the lock when this process ends in any way."""
    lock = system.lock_file(folder / _LOCK)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _is_in_use(folder: Path) -> bool:
    lock = system.lock_file(folder / _LOCK)
    if lock is not None:
        lock.release()
    return lock is None


def _find_writable() -> Path:
    """The first data folder that can be written to. A folder marked read-only is skipped, by root too."""
    tried = []
    for folder in data_folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK) and folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
                return folder
        tried.append(str(folder))
    raise DataMissing(f"No data folder can be written to ({', '.join(tried)}): set LAB_DATA to one that can.")
