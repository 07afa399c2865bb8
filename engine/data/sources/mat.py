"""Reads arrays of numbers from MATLAB files of version 5. SciPy's compiled reader can end the process on a damaged one.

Format: MathWorks, "MAT-File Format", Level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from engine.errors import BadData

HEADER = 128
"""Bytes before the first element."""
MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Type of an element of numbers -> NumPy's, without the order of bytes."""
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Class of an array of numbers -> NumPy's type. Numbers can be stored in a smaller type than the array's."""
COMPLEX = 0x08
"""Flag of an array with an imaginary part."""


def read_mat(path: Path, names: Collection[str], most: int) -> dict[str, np.ndarray]:
    """The arrays of these names. Raises BadData where a variable has more than `most` bytes; ValueError where the file is cut off, or
    has no real array of numbers of a name; and what zlib raises.
    """
    out = {}
    with path.open("rb") as file:
        order = ">" if file.read(HEADER)[126:] == b"MI" else "<"
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(order + "II", tag)
            if size > most:
                raise BadData(f"{path}: a variable has {size >> 20:,} MiB; at most {most >> 20:,} are read.")
            if len(body := file.read(size)) < size:
                raise ValueError("it is cut off")
            if kind == COMPRESSED:
                inflater = zlib.decompressobj()
                inflated = inflater.decompress(body, most + 8)
                if inflater.unconsumed_tail:
                    raise BadData(f"{path}: a variable unpacks to more than {most >> 20:,} MiB, and no more are read.")
                if not inflater.eof:
                    raise ValueError("it is cut off")
                kind, body = next(_list_elements(inflated, order), (0, b""))
            name, array = _read_matrix(body, order, names) if kind == MATRIX else ("", None)
            if array is not None:
                out[name] = array
    if absent := sorted(set(names) - out.keys()):
        raise ValueError(f"it has no array of numbers called {absent[0]}")
    return out


def _list_elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, bytes) of the elements one after the other. Up to 4 bytes of data stand in the tag itself."""
    start = 0
    while start + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, start)
        if kind >> 16:
            kind, size, at, end = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        else:
            at = start + 8
            end = at + size + -size % 8
        if at + size > len(data):
            return  # cut off
        yield kind, data[at : at + size]
        start = end


def _read_matrix(body: bytes, order: str, names: Collection[str]) -> tuple[str, np.ndarray | None]:
    """(name, array) of a variable; None for another name, or where it is no real array of numbers."""
    parts = [part for _, part in zip(range(4), _list_elements(body, order), strict=False)]
    if len(parts) < 4 or len(parts[0][1]) != 8:
        return "", None
    (_, flags), (_, sizes), (_, label), (kind, numbers) = parts
    (word,) = struct.unpack_from(order + "I", flags)
    name = label.decode("latin-1")
    if name not in names or word & 0xFF not in CLASSES or (word >> 8) & COMPLEX or kind not in NUMBERS or len(sizes) % 4:
        return name, None
    shape = np.frombuffer(sizes, order + "i4").tolist()
    stored = np.dtype(order + NUMBERS[kind])
    if not shape or min(shape) < 0 or math.prod(shape) * stored.itemsize != len(numbers):
        return name, None
    values = np.frombuffer(numbers, stored)
    return name, values.reshape(shape, order="F").astype(CLASSES[word & 0xFF], copy=False)
