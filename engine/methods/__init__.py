"""One file per method. The package is scanned, so a new file adds a method; errors in it are raised at once.

Files of a person's plugin folder are scanned after it; what is wrong with one of them leaves it out.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections import Counter
from functools import cache
from typing import Any

from engine import plugins
from engine.errors import UnknownName
from engine.methods.base import Method
from engine.spec.pens import RESERVED, Pen, check_pens, list_free
from engine.text import quote

FAMILIES = ("plain", "loss", "sampling", "meta", "deep", "metric", "model", "ensemble", "oracle")
"""In order of display."""
NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}")
MOST_TITLE = 60
"""Letters of a plugin's title."""


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
    _add_plugins(by_name)
    ordered = dict(sorted(by_name.items(), key=lambda item: (FAMILIES.index(item[1].family), item[0])))
    _check_pens(ordered)
    return ordered


def _add_plugins(by_name: dict[str, type[Method]]) -> None:
    """Adds the methods of the plugin folder. One without a pen, or with one that is taken, gets a free one, as do its controls."""
    for plugin in plugins.load_plugins():
        for thing in list(vars(plugin.module).values()):
            own = isinstance(thing, type) and issubclass(thing, Method) and "name" in vars(thing)
            if not own or thing.__module__ != plugin.module.__name__:
                continue
            try:
                _check_names(thing, by_name)
                if thing.family not in FAMILIES:
                    raise TypeError(f"family {quote(thing.family)} is not one of {', '.join(FAMILIES)}")
                _give_pens(thing, by_name)
                thing.plugin = plugin.digest
                thing(), json.dumps(thing.describe())
            except Exception as error:  # whatever a stranger's file does
                plugins.report(f"{plugin.path.name}, {thing.__name__}", plugins.explain(error))
                continue
            by_name[thing.name] = thing


def _check_names(thing: type[Method], by_name: dict[str, type[Method]]) -> None:
    """Raises TypeError where a method's names cannot stand in addresses and lists, or are those of another."""
    if not (isinstance(thing.name, str) and NAME.fullmatch(thing.name)):
        raise TypeError(f"its name must be of a-z, 0-9 and -, at most 40 of them, not {quote(str(thing.name))}")
    if not (isinstance(thing.title, str) and 0 < len(thing.title.strip()) <= MOST_TITLE):
        raise TypeError(f"its title must have 1 to {MOST_TITLE} letters")
    if thing.name in by_name:
        raise TypeError(f"there is a method called {quote(thing.name)} already")
    if not thing.__name__.isidentifier():
        raise TypeError("its class has a name that is no Python name")
    if any(thing.__name__ == one.__name__ for one in by_name.values()):
        raise TypeError("there is a class of this name already, and its classifier would take the other one's place")


def _give_pens(thing: type[Method], by_name: dict[str, type[Method]]) -> None:
    taken = {*RESERVED.values()} | {pen for one in by_name.values() for pen in (one.pen, *one.control_pens.values())}
    pens: list[Pen] = []
    for asked in (getattr(thing, "pen", None), *(thing.control_pens.get(name) for name in thing.controls)):
        free = asked if asked is not None and asked not in taken else next(list_free(taken))
        taken.add(free)
        pens.append(free)
    thing.pen, thing.control_pens = pens[0], dict(zip(thing.controls, pens[1:], strict=True))


def _check_pens(by_name: dict[str, type[Method]]) -> None:
    for name, thing in by_name.items():
        if not hasattr(thing, "pen") or set(thing.control_pens) != set(thing.controls):
            raise TypeError(f"method {quote(name)} must have a pen, and one for each of its controls")
    pens = [pair for name, thing in by_name.items() for pair in ((name, thing.pen), *thing.control_pens.items())]
    if doubled := [key for key, times in Counter(key for key, _ in pens).items() if times > 1]:
        raise TypeError(f"two methods or controls are called {quote(doubled[0])}")
    check_pens(pens)


def describe_methods(own: bool = True) -> list[dict[str, Any]]:
    """Every method's entry of the catalog. own: with those of the plugin folder."""
    return [cls.describe() for cls in methods().values() if own or not cls.plugin]


def method(name: str) -> type[Method]:
    """The method of this name. Raises UnknownName."""
    try:
        return methods()[name]
    except KeyError:
        raise UnknownName(f"no method is called {quote(name)}; there are: {', '.join(methods())}.") from None
