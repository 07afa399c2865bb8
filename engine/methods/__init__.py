"""One file per method. Adding a method is adding a file: the package is scanned, loudly."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from engine.errors import UnknownName
from engine.methods.base import Method

FAMILIES = ("plain", "loss", "sampling", "meta", "deep", "oracle")
"""In order of display."""


@cache
def methods() -> dict[str, type[Method]]:
    """Every method by name, plain ones first. Raises TypeError where two files use one name, or a family is not known."""
    found: dict[str, type[Method]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name == "base":
            continue
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for thing in vars(loaded).values():
            if isinstance(thing, type) and issubclass(thing, Method) and "name" in vars(thing):
                if found.get(thing.name, thing) is not thing:
                    raise TypeError(f"two methods are called {thing.name!r}")
                found[thing.name] = thing
    for thing in found.values():
        if thing.family not in FAMILIES:
            raise TypeError(
                f"method {thing.name!r} is of no known family: {thing.family!r} is not one of {', '.join(FAMILIES)}"
            )
    return dict(sorted(found.items(), key=lambda item: (FAMILIES.index(item[1].family), item[0])))


def method(name: str) -> type[Method]:
    """The method of that name. Raises UnknownName."""
    try:
        return methods()[name]
    except KeyError:
        raise UnknownName(f"no method is called {name!r}; there are: {', '.join(methods())}.") from None
