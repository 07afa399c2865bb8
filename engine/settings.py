"""Settings of the machine, read from the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.errors import BadInput
from engine.text import quote


def read_setting(name: str, default: int) -> int:
    """An integer of at least 1 from the environment; `default` where the variable is not set. Raises BadInput for other values."""
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise BadInput(f"{name}={quote(text)}: must be a whole number of at least 1.")
    return int(text)


def read_list(name: str) -> list[str]:
    """The words of a variable, separated by commas or white space; none where it is not set."""
    return [word for word in re.split(r"[,\s]+", os.environ.get(name, "")) if word]


def read_text(name: str, default: str = "") -> str:
    """A text from the environment, or from the file that `NAME_FILE` names, without its last line end: for secrets.

    `default` where neither is set. Raises BadInput where both are, or the file cannot be read.
    """
    text, place = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    if not place:
        return text or default
    if text:
        raise BadInput(f"{name} and {name}_FILE are both set: keep one of them.")
    try:
        return Path(place).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r") or default
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise BadInput(f"{name}_FILE={quote(place)}: cannot be read ({why}).") from None
