"""Parameters of methods and datasets: dataclass fields with a range and a help text.

The catalog, the page's form, the command line and all checks use the same description. Values are plain JSON: int, float, bool,
str, a list of ints, or a matrix as a list of rows.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

from engine.errors import BadParameter, UnknownName
from engine.spec.pens import UNKNOWN
from engine.text import quote

KINDS = {int: "int", float: "float", bool: "bool", str: "choice", tuple: "ints"}

MATRIX = "matrix"
"""The kind of a square matrix of costs: rows are the true classes, columns the chosen ones. Without rows it is the default."""

FIRST, LATER = "first", "later"
"""Whether the first training phase of a method depends on a parameter in which members of a stack differ, or only what follows."""

CATALOG_DEFAULTS: dict[str, Any] = {
    "pen": dataclasses.asdict(UNKNOWN),
    "named": [],
    "control_titles": {},
    "control_pens": {},
    "needs": [],
    "cost": 1.0,
    "comparison": None,
    "quick": {},
    "adds_rows": False,
    "reuses_plain": False,
    "reads_validation": False,
    "most_classes": None,
    "least_valid": None,
    "suggested": None,
    "paper_rows": [],
}
"""Values for fields of a method that the catalog of an older engine lacks."""


def catalog_field(entry: Mapping[str, Any], name: str) -> Any:
    """A field of a method's entry in a catalog. Raises KeyError where neither the entry nor CATALOG_DEFAULTS has it."""
    return entry[name] if name in entry else CATALOG_DEFAULTS[name]


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is an int or a float; a bool is neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def param(
    default: Any,
    *,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    log: bool = False,
    label: str | None = None,
    unit: str = "",
    advanced: bool = False,
    longest: int | None = None,
    product: int | None = None,
    what_if: bool = False,
    stacks: str | None = None,
    matrix: bool = False,
) -> Any:
    """A dataclass field with a range and a help text.

    `low` and `high` are inclusive; for a tuple of ints they bound every entry, `longest` the number of entries, which every list
    names, and `product` the sum of the products of neighbours: of widths of layers, the weights between them. `log`: the form
    shows a logarithmic slider. `advanced`: the form shows the field among the advanced ones. `what_if`: the stage shows a slider that
    retrains while it moves. `stacks`: members of one stack may differ in it (engine.training.settings): FIRST, where the first training
    phase depends on it, or LATER, where only what follows does. `matrix`: a square matrix of costs of at most `longest` rows, in place of a
    tuple of ints (see MATRIX); its default is (). A str default needs `choices`.
    """
    if isinstance(default, str) and choices is None:
        raise TypeError("a text parameter needs its choices")
    if isinstance(default, tuple) != (longest is not None):
        raise TypeError("a list needs its greatest length, and nothing else has one")
    meta = {"low": low, "high": high, "choices": choices, "log": log, "help": help, "unit": unit}
    meta |= {"label": label, "advanced": advanced} | ({} if longest is None else {"longest": longest, "product": product})
    meta |= {"matrix": True} if matrix else {}
    meta |= ({"what_if": True} if what_if else {}) | ({} if stacks is None else {"stacks": stacks})
    return dataclasses.field(default=default, metadata=meta)


def describe(cls: type) -> list[dict[str, Any]]:
    """The parameters of a dataclass as JSON-plain dicts, in order of definition.

    Keys: name, label, kind (int, float, bool, choice, ints, matrix), default, low, high, choices, log, help, unit, advanced; of ints also
    longest and product, which a catalog of an older engine lacks. Fields of the stage's sliders alone have what_if, True;
    only those in which members of a stack may differ have stacks, FIRST or LATER.
    """
    out = []
    for f in dataclasses.fields(cls):
        if "help" not in f.metadata:
            continue
        meta = dict(f.metadata)
        meta["label"] = meta["label"] or f.name.replace("_", " ")
        meta["choices"] = list(meta["choices"]) if meta["choices"] else None
        default = list(f.default) if isinstance(f.default, tuple) else f.default
        kind = MATRIX if meta.pop("matrix", False) else KINDS[type(f.default)]
        out.append({"name": f.name, "kind": kind, "default": default} | meta)
    return out


def check(described: list[dict[str, Any]], values: Mapping[str, Any], who: str) -> dict[str, Any]:
    """`values` checked against `describe(...)`, with defaults filled in, in order of definition.

    Raises UnknownName for an unknown parameter, BadParameter for a value of another type or outside its range. Ints are
    accepted for floats, and whole floats for ints; nothing else is converted.
    """
    known = {d["name"] for d in described}
    for name in values:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise UnknownName(f"{who} has no parameter {quote(name)}; it has: {listed}.")
    return {d["name"]: check_value(d, values.get(d["name"], d["default"]), who) for d in described}


def check_value(d: Mapping[str, Any], value: Any, who: str) -> Any:
    """Checks one value against its field's description and returns it in the field's type: a list for `ints`, lists for `matrix`."""
    name, kind = d["name"], d["kind"]
    wrong = BadParameter(f"{who}({name}={quote(value)}): must be {_describe_range(d)}.")
    if kind == "bool":
        if not isinstance(value, bool):
            raise wrong
        return value
    if kind == "choice":
        if value not in d["choices"]:
            raise wrong
        return value
    if kind == "ints":
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            raise wrong
        if not all(_is_inside(d, v) for v in value):
            raise wrong
        _check_size(d, value, who)
        return list(value)
    if kind == MATRIX:
        return _check_matrix(d, value, who)
    if not is_number(value):
        raise wrong
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer above every float
        finite = False
    if not finite or (kind == "int" and value != int(value)):
        raise wrong
    value = int(value) if kind == "int" else float(value) + 0.0  # -0.0 becomes 0.0, since equal values must have one id
    if not _is_inside(d, value):
        raise wrong
    return value


def _check_matrix(d: Mapping[str, Any], value: Any, who: str) -> list[list[float]]:
    """A square matrix of costs as a list of rows; [] stays. The diagonal is 0, and every row has a cost above 0."""
    name = f"{who}({d['name']})"
    if not isinstance(value, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in value):
        raise BadParameter(f"{name}={quote(value)}: must be {_describe_range(d)}.")
    if (n := len(value)) == 1 or n > d["longest"] or any(len(row) != n for row in value):
        raise BadParameter(
            f"{name}: must be {_describe_range(d)}; got rows of {', '.join(str(len(row)) for row in value[:9])}."
        )
    out = []
    for i, row in enumerate(value):
        for j, cell in enumerate(row):
            if not is_number(cell) or not d["low"] <= cell <= d["high"] or (i == j and cell):
                wanted = "0, as calling a row right costs nothing" if i == j else f"a number in [{d['low']:g}, {d['high']:g}]"
                raise BadParameter(f"{name}: row {i + 1}, column {j + 1} must be {wanted}; got {quote(cell)}.")
        if not any(row):
            raise BadParameter(f"{name}: row {i + 1} needs a cost above 0, or its class costs nothing to miss.")
        out.append([float(cell) + 0.0 for cell in row])
    return out


def _check_size(d: Mapping[str, Any], value: Sequence[int], who: str) -> None:
    longest, product = d.get("longest"), d.get("product")
    if longest is not None and len(value) > longest:
        raise BadParameter(f"{who}({d['name']}): has {len(value)} numbers; at most {longest} are taken.")
    if product is not None and (size := sum(a * b for a, b in pairwise(value))) > product:
        raise BadParameter(
            f"{who}({d['name']}={list(value)}): neighbours make {size:,} when multiplied and added up; at most {product:,} are taken."
        )


def parse(d: Mapping[str, Any], text: str, who: str) -> Any:
    """Parses and checks a value typed by a person (`--set name=text`). Lists of ints: 128,16 or 128-16. Matrices: "0 1; 5 0"."""
    kind = d["kind"]
    try:
        if kind == "bool":
            value: Any = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        elif kind == "choice":
            value = text
        elif kind == "ints":
            value = [int(part) for part in re.split(r",|(?<=\d)-", text)] if text.strip() else []
        elif kind == MATRIX:
            value = (
                [[float(cell) for cell in re.split(r"[\s,]+", row.strip())] for row in text.split(";")] if text.strip() else []
            )
        else:
            value = float(text)
            value = int(value) if kind == "int" and value.is_integer() else value
    except (KeyError, ValueError):
        raise BadParameter(f"{who}({d['name']}={quote(text)}): must be {_describe_range(d)}.") from None
    return check_value(d, value, who)


def format_value(value: Any) -> str:
    """A value as text that `parse` reads back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple)):
        return "; ".join(" ".join(format_value(cell) for cell in row) for row in value)
    if isinstance(value, (list, tuple)):
        return ",".join(str(v) for v in value)
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


def _is_inside(d: Mapping[str, Any], value: float) -> bool:
    return (d["low"] is None or value >= d["low"]) and (d["high"] is None or value <= d["high"])


def _describe_range(d: Mapping[str, Any]) -> str:
    if d["kind"] == "bool":
        return "true or false"
    if d["kind"] == "choice":
        return "one of " + ", ".join(d["choices"])
    if d["kind"] == MATRIX:
        return f"a square of 2 to {d['longest']} rows of numbers in [{d['low']:g}, {d['high']:g}], such as 0 1; 5 0"
    noun = {"int": "a whole number", "float": "a number", "ints": "whole numbers with commas between, each"}[d["kind"]]
    if d["low"] is not None and d["high"] is not None:
        return f"{noun} in [{d['low']:g}, {d['high']:g}]"
    if d["low"] is not None:
        return f"{noun} of at least {d['low']:g}"
    return f"{noun} of at most {d['high']:g}" if d["high"] is not None else noun
