"""Files of a person's own folder, LAB_PLUGINS: methods, sources of datasets and tables, without a fork. None in a demonstration.

A Python file of the folder is run once in each process of the engine; its digest, taken then, stands in run ids and provenance. What is
wrong with a file is one sentence of `list_problems`, and nothing else stops.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from engine.errors import BadInput, LabError
from engine.text import one_line

SETTING = "LAB_PLUGINS"
PACKAGE = "lab_plugins"
"""Python names of the modules begin with it."""
MOST_BYTES = 4 << 20
"""Of a Python file; a larger one is left out unread."""
_problems: dict[str, str] = {}


@dataclass(frozen=True)
class Plugin:
    """A Python file that was run. digest: sha256 of the file as it was run."""

    path: Path
    module: ModuleType
    digest: str


def find_folder() -> Path | None:
    """The folder that LAB_PLUGINS names; None where it names none, or in a demonstration."""
    text = os.environ.get(SETTING, "")
    return Path(text).expanduser() if text and os.environ.get("LAB_DEMO", "") != "1" else None


@cache
def load_plugins() -> tuple[Plugin, ...]:
    """The Python files of the folder, run in the order of their names. Those that begin with _ or . are left out."""
    folder = find_folder()
    if folder is None:
        return ()
    if not folder.is_dir():
        report(str(folder), f"{SETTING} names no folder")
        return ()
    found = []
    for path in sorted(folder.glob("*.py")):
        if path.name[0] in "_.":
            continue
        name = f"{PACKAGE}.{path.stem}"
        try:
            source = _read_source(path)
            module = ModuleType(name)
            module.__file__ = str(path)
            sys.modules[name] = module  # dataclasses look their module up
            exec(compile(source, str(path), "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            sys.modules.pop(name, None)
            report(path.name, explain(error))
            continue
        found.append(Plugin(path, module, hashlib.sha256(source).hexdigest()))
    return tuple(found)


def _read_source(path: Path) -> bytes:
    """The file's bytes. Raises BadInput for what is no file, and for a file of more than MOST_BYTES."""
    if not path.is_file():  # reading a pipe would wait for ever
        raise BadInput("it is no file that can be read")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"it has {path.stat().st_size >> 20} MiB, and {MOST_BYTES >> 20} are the most")
    return path.read_bytes()


def explain(error: BaseException) -> str:
    """What is wrong, on one line, with the kind of error where its text may not say it."""
    try:
        text = one_line(str(error), 300)
    except Exception:  # an error of a person's own file may fail to say itself
        text = ""
    return text if type(error).__module__.startswith("engine.") and text else f"{type(error).__name__}: {text}".rstrip(": ")


@contextmanager
def tell_faults(what: str) -> Iterator[None]:
    """Raises BadInput, one sentence, in the place of whatever a person's own code raises. what: method or dataset; '' lets all through."""
    try:
        yield
    except Exception as error:
        if not what or isinstance(error, (LabError, MemoryError)) or type(error).__name__ == "OutOfMemoryError":
            raise
        raise BadInput(f"Plugin {one_line(what, 100)} failed: {explain(error).rstrip('.')}.") from error


def report(where: str, why: str) -> None:
    """Keep what is wrong with a file, the first of each."""
    _problems.setdefault(where, f"Plugin {one_line(where, 200)} is left out: {why.rstrip('.')}.")


def list_problems() -> list[str]:
    """A sentence for each file that is left out."""
    return list(_problems.values())


def list_digests() -> dict[str, str]:
    """Name of each Python file that runs here -> its digest."""
    return {plugin.path.name: plugin.digest for plugin in load_plugins()}
