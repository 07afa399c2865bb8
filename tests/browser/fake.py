"""A run that never was: two moons, minority copies that move to where the minority is thin, a surface that follows them.

Plain numpy, the same numbers every time. The surface is a real one: the share of the minority in a kernel density of both
classes, where synthetic points count for more as training goes on.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from engine.events import GRID, SEEN, UNIT, Frame, Scene


def run(
    frames: int = 100,
    synthetic: int = 48,
    move: float = 0.7,
    exact: bool = True,
    classes: int = 2,
    seed: int = 0,
    replicate: int = 0,
    hidden: int = 0,
    made: str = "",
    members: bool = False,
) -> tuple[Scene, list[Frame]]:
    """A scene and its frames: 20 of plain training (no synthetic points), then `synthetic` points moving about `move` sd.

    hidden: majority rows that are not shown; where there are any, frames say which points are unsafe. made: how the points were made:
    "sphere" with rows that were moved, "walk", or "line"; '' for points that move. members: whether each frame but the last one is a
    member that saw all 14 minority rows and as many others.
    """
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, math.pi, 240)
    majority = np.c_[np.cos(angle), np.sin(angle)] + rng.normal(0, 0.16, (240, 2))
    angle = rng.uniform(0, math.pi, 14)
    minority = np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)] + rng.normal(0, 0.16, (14, 2))
    rows = np.r_[majority, minority]
    rows = (rows - rows.mean(0)) / rows.std(0)
    labels = np.r_[np.zeros(240, np.uint8), 1 + np.arange(14, dtype=np.uint8) % (classes - 1)]
    low, high = rows.min(0) - 0.35, rows.max(0) + 0.35
    centre, half = (low + high) / 2, (high - low) / 2

    def units(places: np.ndarray) -> np.ndarray:
        return np.clip(np.rint((places - centre) / half * UNIT), -4 * UNIT, 4 * UNIT).astype(np.int16)

    chosen = rng.integers(0, 14, synthetic)
    parents = rows[240:][chosen] if synthetic else np.zeros((0, 2))
    angle = np.linspace(0, math.pi, 60)
    arc = (np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)] - np.r_[majority, minority].mean(0)) / np.r_[majority, minority].std(0)
    goals = arc[rng.integers(0, 60, synthetic)] + rng.normal(0, 0.08, (synthetic, 2))
    way = goals - parents
    length = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    way *= move * rng.uniform(0.4, 1.6, (synthetic, 1)) / length
    bend = np.c_[-way[:, 1], way[:, 0]] * rng.normal(0, 0.35, (synthetic, 1))
    start = parents + rng.normal(0, min(0.02, move / 10), (synthetic, 2))

    ticks = np.linspace(-1, 1, GRID)
    grid = centre + np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2) * half

    def density(places: np.ndarray, width: float) -> np.ndarray:
        return ((1 + ((grid[:, None] - places) ** 2).sum(-1) / width**2) ** -2.0).sum(1)

    angle = np.random.default_rng(seed + 1).uniform(0, math.pi, hidden)
    apart = (np.c_[np.cos(angle), np.sin(angle)] - np.r_[majority, minority].mean(0)) / np.r_[majority, minority].std(0)

    def unsafe(places: np.ndarray) -> np.ndarray:
        if not hidden:
            return np.zeros(0, bool)
        near = [((places[:, None] - others) ** 2).sum(-1).min(1) for others in (apart, rows[240:])]
        return near[0] < near[1]

    many = density(rows[:240], 0.3)
    real = density(rows[240:], 0.34)
    plain = max(1, min(20, frames // 5)) if synthetic else frames
    out = []
    for number in range(frames):
        moving = synthetic > 0 and number >= plain
        t = (number - plain) / max(1, frames - plain - 1) if moving else 0.0
        ease = 1 - (1 - t) ** 1.8
        places = start + way * ease + bend * math.sin(math.pi * t) * ease if moving else np.zeros((0, 2))
        warm = min(1.0, (number + 1) / plain)
        few = real * (1 + 2 * warm) + (density(places, 0.3) * (0.6 + 1.6 * ease) if moving else 0)
        p = 1 / (1 + np.exp(-2.2 * warm * (np.log(few + 1e-4) - np.log(many * 0.25 + 1e-4))))
        score = 0.36 + 0.12 * warm + (0.17 * ease if moving else 0) + 0.006 * math.sin(number * 1.3)
        out.append(
            Frame(
                replicate,
                "points" if moving else "training",
                number // 2 + 1,
                number * 12,
                math.nan if number == 0 else score,
                units(places),
                np.minimum(np.rint(1000 * np.linalg.norm(places - start[: len(places)], axis=1)), 65535).astype(np.uint16),
                np.rint(255 * p).astype(np.uint8).reshape(GRID, GRID),
                unsafe(places),
            )
        )
    if members:
        for number, frame in enumerate(out[:-1]):
            lit = np.rint(127 * rng.random(254) ** 3).astype(np.uint8)
            lit[[*rng.choice(240, 14, replace=False), *range(240, 254)]] += SEEN
            out[number] = dataclasses.replace(frame, seen=lit)
    names = ("majority", "minority") if classes == 2 else ("cyt", *(f"class {n}" for n in range(1, classes)))
    scene = Scene(
        replicate,
        units(rows),
        labels,
        (float(centre[0]), float(centre[1])),
        (float(half[0]), float(half[1])),
        1.0 if exact else 0.43,
        exact,
        ("x", "y") if exact else ("component 1 (27%)", "component 2 (16%)"),
        names,
        units(parents),
        labels[240:][chosen] if synthetic else np.zeros(0, np.uint8),
    )
    return _add_making(scene, made) if made else scene, out


def _add_making(scene: Scene, kind: str) -> Scene:
    """The scene with how its points were made, of this kind."""
    rare, common = scene.points[scene.labels > 0], scene.points[scene.labels == 0]
    if kind == "walk":
        way = np.linspace(0, 1, 9)[None, :, None]
        walks = scene.parents[:, None] + way * (rare[:1] - scene.parents)[:, None] / 4
        return dataclasses.replace(scene, kind=kind, seeds=scene.parents, walks=walks.astype(np.int16))
    if kind in ("generated", "codes"):
        sources = np.stack([scene.parents, np.broadcast_to(rare[0], scene.parents.shape)], 1)
        weights = np.tile(np.array([[200, 50]], np.uint8), (len(sources), 1))
        return dataclasses.replace(scene, kind=kind, seeds=scene.parents, sources=sources, weights=weights)
    if kind != "sphere":
        return dataclasses.replace(scene, kind=kind, seeds=scene.parents)
    spheres = np.concatenate([rare, np.full_like(rare, UNIT // 4)], 1)
    moves = np.concatenate([common[:20], common[:20] + UNIT // 8], 1).astype(np.int16)
    return dataclasses.replace(scene, kind=kind, seeds=scene.parents, spheres=spheres, moves=moves)
