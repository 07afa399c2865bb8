"""The plane of a replicate's frames: its two axes, its view box, and the projection onto them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.events import GRID, UNIT

FAR = 1e6
"""Largest coordinate, in sd. Points beyond it are outside the view box, so their distance does not matter."""


@dataclass(frozen=True)
class Plane:
    """origin [D], axes [2, D] orthonormal rows, share of the training variance in the plane. exact: the plane holds all
    features.
    """

    origin: np.ndarray
    axes: np.ndarray
    share: tuple[float, float]
    exact: bool

    def project(self, x: np.ndarray) -> np.ndarray:
        """x [n, D] -> [n, 2]."""
        placed: np.ndarray = (x - self.origin) @ self.axes.T
        return placed

    def lift(self, u: np.ndarray) -> np.ndarray:
        """u [n, 2] in the plane -> [n, D]."""
        lifted: np.ndarray = self.origin + u @ self.axes
        return lifted


def fit_plane(x: np.ndarray) -> Plane:
    """The plane of rows x [n, D], float64. Each axis has its sign set so that its largest loading is positive."""
    if x.shape[1] == 2:
        return Plane(np.zeros(2), np.eye(2), (0.5, 0.5), True)
    if x.shape[1] == 1:
        return Plane(np.zeros(1), np.array([[1.0], [0.0]]), (1.0, 0.0), True)
    origin = x.mean(0)
    _, singular, axes = np.linalg.svd(x - origin, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(1)])[:, None]
    variance = singular**2 / max(float((singular**2).sum()), 1e-300)
    return Plane(origin, axes, (float(variance[0]), float(variance[1])), False)


@dataclass(frozen=True)
class View:
    """One replicate's plane and view box. grid [GRID * GRID, D]: the points at which the surface is evaluated."""

    plane: Plane
    centre: np.ndarray
    half: np.ndarray
    grid: np.ndarray

    def to_int16(self, x: np.ndarray) -> np.ndarray:
        """Rows [n, D] -> int16 positions [n, 2], limited to 4 boxes from the centre."""
        x = np.nan_to_num(x, nan=FAR).clip(-FAR, FAR)  # a point may diverge, up to NaN
        u = (self.plane.project(x) - self.centre) / self.half
        fixed: np.ndarray = np.rint(np.clip(u, -4, 4) * UNIT).astype(np.int16)
        return fixed


def fit_view(task: Task, rows: Rows, r: int) -> View:
    """The view of replicate r's rows. The box holds 99.6% of them, and every row of a class below the largest."""
    x, y = rows_of(rows, r)
    plane = fit_plane(x)
    u = plane.project(x)
    minority = u[y != task.largest]
    low, high = np.quantile(u, [0.002, 0.998], axis=0)
    low, high = np.minimum(low, minority.min(0)), np.maximum(high, minority.max(0))
    centre, half = (low + high) / 2, np.maximum((high - low) / 2 * 1.12, 1e-3)
    across, up = np.meshgrid(np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID))
    return View(plane, centre, half, plane.lift(centre + half * np.stack([across.ravel(), up.ravel()], 1)))


def to_numpy(x: Tensor) -> np.ndarray:
    """The tensor as a float64 array on the CPU."""
    return x.detach().to("cpu", torch.float64).numpy()


def rows_of(rows: Rows, r: int) -> tuple[np.ndarray, np.ndarray]:
    """(x [n, D] in float64, y [n]) of replicate r."""
    count = int(rows.mask[r].sum())
    return to_numpy(rows.x[r, :count]), rows.y[r, :count].cpu().numpy()
