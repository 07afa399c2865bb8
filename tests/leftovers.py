"""What live objects of this process hold of a table: walks the garbage collector's objects and what they refer to.

A canary is two halves that no code joins but the one that writes the table, so that the search does not find itself.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

Canary = tuple[str, str]


def find_live(canary: Canary, number: float | None = None) -> list[str]:
    """A line for each live object that holds the canary or, in an array, the number."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some modules warn when an object of theirs is looked at
        return _search(canary, number)


def _search(canary: Canary, number: float | None) -> list[str]:
    found, seen = [], set()
    for holder in gc.get_objects():
        for value in (holder, *gc.get_referents(holder)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            for text in _texts_of(value):
                if _holds(text, canary):
                    found.append(f"{type(value).__name__} in {type(holder).__name__}: {_shorten(holder)}")
            if number is not None and _has_number(value, number):
                found.append(f"{type(value).__name__} with the number in {type(holder).__name__}: {_shorten(holder)}")
    return found


def _texts_of(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, (str, bytes)):
        yield value
    elif isinstance(value, (bytearray, memoryview)):
        yield bytes(value)
    elif isinstance(value, np.ndarray):
        if value.dtype == object:
            yield from (item for item in value.ravel().tolist() if isinstance(item, (str, bytes)))
        elif value.dtype.kind in "SUVbBui":
            yield value.tobytes()
            if value.dtype.kind == "U":
                yield from value.ravel().tolist()
    elif str(type(value).__module__).startswith("pyarrow") and hasattr(value, "to_pylist"):
        yield from (item for item in value.to_pylist() if isinstance(item, (str, bytes)))
    elif hasattr(type(value), "SerializeToString") and hasattr(type(value), "DESCRIPTOR"):
        yield value.SerializeToString()


def _holds(text: str | bytes, canary: Canary) -> bool:
    first, second = canary if isinstance(text, str) else (half.encode() for half in canary)
    at = text.find(first)  # type: ignore[arg-type]
    while at >= 0:
        if text.startswith(second, at + len(first)):  # type: ignore[arg-type]
            return True
        at = text.find(first, at + 1)  # type: ignore[arg-type]
    return False


def _has_number(value: Any, number: float) -> bool:
    torch = sys.modules.get("torch")
    if torch is not None and type(value) is torch.Tensor and value.is_floating_point():
        value = value.detach().cpu().numpy()
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and bool((value == value.dtype.type(number)).any())


def _shorten(holder: Any) -> str:
    try:
        keys = list(holder)[:6] if isinstance(holder, dict) else None
        return f"keys {keys}" if keys is not None else repr(holder)[:200]
    except Exception as error:
        return f"({type(error).__name__})"
