"""Small pictures and archives for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(pixels: np.ndarray, kind: str = "PNG", **how: object) -> bytes:
    """An image file of uint8 [h, w] or [h, w, 3]."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **how)
    return out.getvalue()


def grey(value: int, height: int = 6, width: int = 4) -> np.ndarray:
    """An even grey image with a mark in its upper left corner."""
    pixels = np.full((height, width), value, np.uint8)
    pixels[0, 0] = 255 - value
    return pixels


def colour(*values: int, height: int = 6, width: int = 4) -> np.ndarray:
    """An image of one colour."""
    return np.broadcast_to(np.array(values, np.uint8), (height, width, 3)).copy()


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return path


def in_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """A folder of these files."""
    for name, raw in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    return path
