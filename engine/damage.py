"""Files that are damaged: one sentence for whatever a library raises on one, and sizes looked at before memory is taken."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import BadData, LabError
from engine.text import one_line

REASON = 160
"""Characters of a library's own words that a sentence quotes."""


@contextmanager
def refuse_damage(what: str, then: str = "", but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Raise BadData, `what (reason)then.`, for anything that the block raises but LabError.

    A parser that meets other bytes than it expects may raise any error, for want of memory or depth too. but: errors that are left
    as they are, since somebody else explains them.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (LabError, *but)):
            raise
        raise BadData(f"{what} ({describe(error)}){then}.") from error


def describe(error: BaseException) -> str:
    """What an error says, on one short line; its type where it says nothing."""
    return one_line(error, REASON).rstrip(".") or type(error).__name__


def check_members(archive: zipfile.ZipFile, most: int, what: str) -> None:
    """Raises BadData where a zip unpacks to more than `most` bytes. zipfile never unpacks more of a member than it declares."""
    total = sum(entry.file_size for entry in archive.infolist())
    if total > most:
        raise BadData(f"{what} unpacks to {total >> 20:,} MiB; at most {most >> 20:,} are read.")


def read_inflated(path: Path, most: int) -> bytes:
    """What a gzipped file holds. Raises BadData where that is more than `most` bytes, and what gzip raises."""
    with gzip.open(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BadData(f"{path} unpacks to more than {most >> 20:,} MiB, and no more are read.")
    return data


@contextmanager
def open_tar(path: Path, most: int) -> Iterator[tarfile.TarFile]:
    """A gzipped tar, to be read from its front. No member, and no header of one, of more than `most` bytes is read."""
    with gzip.open(path) as inflated:
        front = _Limited(inflated, most, str(path))
        with tarfile.open(fileobj=front, mode="r:") as tar:  # type: ignore[call-overload]
            yield tar


class _Limited(io.RawIOBase):
    """A file that refuses to read more than `most` bytes at once."""

    def __init__(self, file: Any, most: int, name: str) -> None:
        self._file, self._most, self._name = file, most, name

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._most:
            raise BadData(f"{self._name}: a part of it has more than {self._most >> 20:,} MiB, and no more are read.")
        return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
