"""Added points: minority training rows that a person puts into a points set, as text of a spec and of an address.

The text is base64url without padding of one record per point: op (u8), x and y (i16, little endian) in 1/1,000 of the set's units.
The one op is ADD. Each list of points has one text.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable

from engine.errors import BadParameter
from engine.text import quote

ADD = 0
"""The op of a record: adds a minority row to training."""
UNIT = 1000
"""Steps of a coordinate per unit of the set."""
FAR = 32767
"""Largest coordinate, in steps."""
MOST = 50
"""Points of a run."""
TOO_MANY = f"At most {MOST} points."

_RECORD = struct.Struct("<Bhh")
_LONGEST = -(-MOST * _RECORD.size * 4 // 3)
"""Characters of the text of MOST points."""


def encode_points(points: Iterable[tuple[float, float]]) -> str:
    """The text of points (x, y) in the set's units, rounded to 1/UNIT. Raises BadParameter."""
    records = []
    for x, y in points:
        steps = [_round(value) for value in (x, y)]
        records.append(_RECORD.pack(ADD, *steps))
    if len(records) > MOST:
        raise BadParameter(TOO_MANY)
    return base64.urlsafe_b64encode(b"".join(records)).decode().rstrip("=")


def decode_points(text: str) -> list[tuple[float, float]]:
    """The points (x, y) of a text, in the set's units. Raises BadParameter where `encode_points` does not write this text."""
    if not isinstance(text, str):
        raise BadParameter(f"points must be text; got {type(text).__name__}.")
    if len(text) > _LONGEST:
        raise BadParameter(TOO_MANY)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        records = list(_RECORD.iter_unpack(data))
    except (ValueError, struct.error):
        raise BadParameter(f"points={quote(text)}: is not the text of added points.") from None
    if any(op != ADD for op, _, _ in records):
        raise BadParameter(f"points={quote(text)}: can only add points.")
    points = [(x / UNIT, y / UNIT) for _, x, y in records]
    if any(abs(value) > FAR for _, *place in records for value in place) or encode_points(points) != text:
        raise BadParameter(f"points={quote(text)}: is not the text of added points.")
    return points


def _round(value: float) -> int:
    """A coordinate in steps. Raises BadParameter where it is no number or lies too far out."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= FAR / UNIT:
        raise BadParameter(
            f"a point lies at {quote(value)}: each coordinate must be a number in [-{FAR / UNIT}, {FAR / UNIT}]."
        )
    return round(value * UNIT)
