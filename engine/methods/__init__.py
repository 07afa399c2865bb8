"""One file per method. The package is scanned, so a new file adds a method; errors in it are raised at once."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from functools import cache
from typing import Any

from engine.errors import UnknownName
from engine.methods.base import Method
from engine.spec.pens import check_pens
from engine.text import quote

FAMILIES = ("plain", "loss", "sampling", "meta", "deep", "metric", "model", "ensemble", "oracle")
"""In order of display."""


@cache
def methods() -> dict[str, type[Method]]:
    """Every method by name, plain ones first.

    Raises TypeError where two files use one name, a family is unknown, a control has no pen or a pen no control, two controls
    have one label, or two methods or controls have the same pen.
    """
    by_name: dict[str, type[Method]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name == "base":
            continue
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for thing in vars(loaded).values():
            if isinstance(thing, type) and issubclass(thing, Method) and "name" in vars(thing):
                if by_name.get(thing.name, thing) is not thing:
                    raise TypeError(f"two methods are called {quote(thing.name)}")
                by_name[thing.name] = thing
    for thing in by_name.values():
        if thing.family not in FAMILIES:
            raise TypeError(
                f"method {quote(thing.name)} is of no known family: {quote(thing.family)} is not one of {', '.join(FAMILIES)}"
            )
    ordered = dict(sorted(by_name.items(), key=lambda item: (FAMILIES.index(item[1].family), item[0])))
    _check_pens(ordered)
    return ordered


def _check_pens(by_name: dict[str, type[Method]]) -> None:
    for name, thing in by_name.items():
        if not hasattr(thing, "pen") or set(thing.control_pens) != set(thing.controls):
            raise TypeError(f"method {quote(name)} must have a pen, and one for each of its controls")
    pens = [pair for name, thing in by_name.items() for pair in ((name, thing.pen), *thing.control_pens.items())]
    if doubled := [key for key, times in Counter(key for key, _ in pens).items() if times > 1]:
        raise TypeError(f"two methods or controls are called {quote(doubled[0])}")
    check_pens(pens)


def describe_methods() -> list[dict[str, Any]]:
    """Every method's entry of the catalog."""
    return [cls.describe() for cls in methods().values()]


def method(name: str) -> type[Method]:
    """The method of this name. Raises UnknownName."""
    try:
        return methods()[name]
    except KeyError:
        raise UnknownName(f"no method is called {quote(name)}; there are: {', '.join(methods())}.") from None
