"""Settings of the machine, read from the environment."""

from __future__ import annotations

import os
import re

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
