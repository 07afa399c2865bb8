"""The film of a card as SVG: the surface as small pictures, rows as dots, synthetic points on their way. It plays by itself, again and
again; without `play` it is the last frame with the ways of the points. The page has the style of its classes.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from engine.events import GRID, UNIT, Frame, Scene
from engine.text import html

WIDTH, HEIGHT, ROOM = 421, 190, 5
MOST_POINTS, MOST_MAJORITY, MOST_FAINT = 50, 160, 40
SHOWN = 12
"""Frames of a film."""
SECONDS, STILL = 4.0, 4
"""Length of a film, and how many frames its last one stands."""
LOW, HIGH = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
"""Colours of majority and minority in the surface, over the paper of light and dark pages."""
LEVELS = 32
EVERY = 2
"""The edge is traced on every second row and column of the surface."""


def draw_film(scene: Scene, frames: list[Frame], *, label: str, play: bool = False) -> str:
    """A card's picture of a film. play: whether it moves."""
    last = frames[-1]
    chosen = _spread(len(last.points), MOST_POINTS)
    kept = [frame for frame in frames if len(frame.points) == len(last.points)]
    kept = [kept[i] for i in _spread(len(kept), SHOWN if play else 1)] if play else [last]
    rare = scene.labels != np.bincount(scene.labels).argmax()
    major, minor = scene.points[~rare], scene.points[rare]
    parts = [_draw_surfaces(kept)]
    parts.append(_draw_dots(major[_spread(len(major), MOST_MAJORITY)], "major"))
    parts.append(_draw_dots(scene.faint[_spread(len(scene.faint), MOST_FAINT)], "faint"))
    parts.append(_draw_dots(minor[_spread(len(minor), MOST_MAJORITY)], "minor"))
    if play:
        parts.append(_draw_moving([_place(frame.points[chosen]) for frame in kept]))
    else:
        start, end = _place(scene.parents[chosen]), _place(last.points[chosen])
        ways = "".join(f"M{a:.0f},{b:.0f}L{c:.0f},{d:.0f}" for (a, b), (c, d) in zip(start, end, strict=True))
        parts.append(f'<path class="way" d="{ways}"/>')
        parts += [f'<path class="point" transform="translate({x:.1f} {y:.1f})" d="{_DIAMOND}"/>' for x, y in end]
    said = html(label, 400)
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice" role="img" aria-label="{said}">'
    return f"{head}<title>{said}</title>{''.join(parts)}</svg>"


HIDDEN = ' opacity="0"'
_DIAMOND = "M0,-4.4L4.2,0L0,4.4L-4.2,0z"


def _draw_surfaces(frames: list[Frame]) -> str:
    """The surface and its edge in every frame, one after the other."""
    out = []
    count = len(frames)
    for i, frame in enumerate(frames):
        times = ";".join("1" if k == i else "0" for k in range(count)) + (";1" if i == count - 1 else ";0") * STILL
        moves = f'<animate attributeName="opacity" calcMode="discrete" dur="{SECONDS:g}s" repeatCount="indefinite" values="{times}"/>'
        picture = base64.b64encode(encode_surface(frame.surface)).decode()
        out.append(
            f"<g{HIDDEN if i < count - 1 else ''}>{moves if count > 1 else ''}"
            f'<image width="{WIDTH}" height="{HEIGHT}" preserveAspectRatio="none" href="data:image/png;base64,{picture}"/>'
            f'<path class="edge" d="{trace_edge(frame.surface)}"/></g>'
        )
    return "".join(out)


def _draw_moving(places: list[np.ndarray]) -> str:
    """The points, each from place to place."""
    out = []
    for n in range(len(places[0])):
        at = [f"{place[n, 0]:.0f},{place[n, 1]:.0f}" for place in places]
        values = ";".join([*at, *([at[-1]] * STILL)])
        moves = (
            f'<animateTransform attributeName="transform" type="translate" dur="{SECONDS:g}s" repeatCount="indefinite" '
            f'values="{values}"/>'
        )
        out.append(f'<path class="point" transform="translate({at[-1].replace(",", " ")})" d="{_DIAMOND}">{moves}</path>')
    return "".join(out)


def _draw_dots(points: np.ndarray, style: str) -> str:
    return (
        f'<path class="real {style}" d="{"".join(f"M{x:.0f},{y:.0f}h.1" for x, y in _place(points))}"/>' if len(points) else ""
    )


def _place(points: np.ndarray) -> np.ndarray:
    """Places of the scene in the picture; what lies outside is drawn at the edge."""
    kept = np.clip(np.asarray(points, float) / UNIT, -1, 1)
    return np.stack([ROOM + (kept[:, 0] + 1) / 2 * (WIDTH - 2 * ROOM), ROOM + (1 - kept[:, 1]) / 2 * (HEIGHT - 2 * ROOM)], 1)


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many of `count` numbers, evenly spaced, with the first and the last."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, most)).round().astype(int)) if count else np.zeros(0, int)


def encode_surface(surface: np.ndarray) -> bytes:
    """The surface [GRID, GRID] uint8 as a PNG with a palette: LOW and HIGH, clearer the nearer the network is to even."""
    level = (surface[::-1].astype(int) * LEVELS) // 256
    distance = np.abs((np.arange(LEVELS) + 0.5) / LEVELS * 2 - 1) ** 0.75
    alpha = (distance * 0.45 * 255).round().astype(np.uint8)
    palette = np.array([LOW if k < LEVELS // 2 else HIGH for k in range(LEVELS)], np.uint8)
    raw = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in level)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", GRID, GRID, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()), (b"tRNS", alpha.tobytes()), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""),
    ]  # fmt: skip
    chunks = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def trace_edge(surface: np.ndarray) -> str:
    """The line along which both are even, as the pieces of an SVG path: in each triangle of the grid from side to side."""
    value = surface[::-1].astype(float)[::EVERY, ::EVERY] - 127.5
    y, x = np.mgrid[0 : len(value) - 1, 0 : len(value) - 1]
    pieces = []
    for corners in (((0, 0), (0, 1), (1, 1)), ((0, 0), (1, 0), (1, 1))):
        at = [(y + dy, x + dx) for dy, dx in corners]
        ends = np.full((2, *x.shape, 2), np.nan)
        found = np.zeros(x.shape, int)
        for one, other in ((0, 1), (1, 2), (2, 0)):
            a, b = value[at[one]], value[at[other]]
            crosses = (a > 0) != (b > 0)
            part = np.where(crosses, a / np.where(a == b, 1, a - b), 0)
            spot = np.stack([at[one][k] + part * (at[other][k] - at[one][k]) for k in (1, 0)], -1)
            for k in (0, 1):
                ends[k][crosses & (found == k)] = spot[crosses & (found == k)]
            found += crosses
        pieces.append(ends[:, found == 2])
    line = (EVERY * np.concatenate(pieces, 1) + 0.5) / GRID * (WIDTH, HEIGHT)
    return "".join(f"M{a:.0f},{b:.0f}L{c:.0f},{d:.0f}" for (a, b), (c, d) in zip(line[0].round(), line[1].round(), strict=True))
