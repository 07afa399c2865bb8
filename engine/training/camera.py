"""The picture of a run: one fixed plane per replicate, the real rows in it, and frames of synthetic points and surface.

The plane is fitted once, on the replicate's own real training rows: the raw axes for two features, else the first two principal
components through the training mean. Above two dimensions the surface is the model on that plane: a slice, not the
boundary. Where the rows are images, or a method works among a network's features, the plane is that of the training rows' features
(`Camera.enter`), and the surface is the network's last layer on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.analysis.moves import move_lengths
from engine.data.dataset import Rows, Task
from engine.events import GRID, UNIT, Event, Frame, Scene
from engine.models.net import Net
from engine.seeds import numpy_stream

MOST_REAL = 1500
MOST_MINORITY = 1000
"""Real minority rows drawn at most where the majority needs the rest of MOST_REAL; below that all are kept."""
MOST_SYNTHETIC = 300
FAR = 1e6
"""Coordinates in sd beyond which nothing is told apart: all of that is off the picture."""
EVERY_OTHER = 4
"""Replicates after the first are pictured at every fourth moment: they are looked at later, if at all."""


@dataclass(frozen=True)
class Plane:
    """origin [D], axes [2, D] orthonormal rows, share of training variance in the plane, exact: the plane is all there is."""

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
    """The plane of rows x [n, D], float64. Each axis points so that its largest loading is positive."""
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
class _View:
    """One replicate's plane and view box; grid [GRID * GRID, D] are the places where the surface is read."""

    plane: Plane
    centre: np.ndarray
    half: np.ndarray
    grid: np.ndarray

    def fix(self, x: np.ndarray) -> np.ndarray:
        """Rows [n, D] -> int16 positions [n, 2], kept up to 4 boxes away."""
        x = np.nan_to_num(x, nan=FAR).clip(-FAR, FAR)  # a point may run off, in the end to no number
        u = (self.plane.project(x) - self.centre) / self.half
        fixed: np.ndarray = np.rint(np.clip(u, -4, 4) * UNIT).astype(np.int16)
        return fixed


class Camera:
    """Takes about `frames` pictures of a run, more of them where a phase begins (frame i of n at (i/n)^2 of its steps)."""

    def __init__(self, task: Task, frames: int = 100) -> None:
        self.task = task
        self.frames = frames
        self.rows, self.features = task.train, False
        self.views: list[_View] = []
        self.scenes: list[Scene] = []
        if frames and task.shape is None:
            self._set_up()
        self.share = 1.0
        self.phase = ""
        self.taken = 0
        self.opened = False
        self.start: Rows | None = None
        self.current: Callable[[], Tensor] | None = None
        self.drawn: list[np.ndarray] = []

    def _set_up(self) -> None:
        self.views = [_view(self.task, self.rows, r) for r in range(len(self.task.replicates))]
        self.scenes = [_scene(self.task, self.rows, r, view, self.features) for r, view in enumerate(self.views)]

    def quiet(self) -> None:
        """No pictures until `enter`."""
        self.views, self.scenes = [], []

    @torch.no_grad()
    def enter(self, net: Net) -> None:
        """From now on the picture is the plane of the training rows' features under `net` as it is now.

        Synthetic rows that were watched before lie elsewhere, so they leave the picture.
        """
        if not self.frames:
            return
        self.features = True
        self.start = self.current = None
        self.drawn = []
        self.rows = replace(self.task.train, x=net.embed(self.task.train.x, self.task.train.mask))
        self.opened = False
        self._set_up()

    def watch(self, rows: Rows, current: Callable[[], Tensor]) -> None:
        """Synthetic rows exist from now on: `rows` are where they start, `current()` [R, n, D] where they are."""
        self.start, self.current = replace(rows, x=rows.x.clone()), current
        self.drawn = []
        self.opened = False
        for r, view in enumerate(self.views):
            count = int(rows.mask[r].sum())
            which = np.arange(count)
            if count > MOST_SYNTHETIC:
                replicate = self.task.replicates[r]
                stream = numpy_stream(self.task.seed, "scene-synthetic", replicate.seed, replicate.fold)
                which = np.sort(stream.permutation(count)[:MOST_SYNTHETIC])
            self.drawn.append(which)
            x, y = _numpy(rows.x[r])[which], rows.y[r].cpu().numpy()[which]
            self.scenes[r] = replace(self.scenes[r], parents=view.fix(x), parent_labels=y.astype(np.uint8))

    def shoot(self, net: Net, phase: str, epoch: int, step: int, score: Tensor, *, taken: int, planned: int) -> Iterator[Event]:
        """The scene and frames that are due when `taken` of this phase's `planned` steps are done (`step` of the run's)."""
        if not self.views:
            return
        if phase != self.phase:
            self.phase, self.taken = phase, 0
        count = max(1, round(self.frames * self.share))
        if taken >= planned * (self.taken / count) ** 2 and self.taken <= count:
            while self.taken <= count and taken >= planned * (self.taken / count) ** 2:
                self.taken += 1
            yield from self.picture(net, phase, epoch, step, score, everyone=(self.taken - 1) % EVERY_OTHER == 0)

    @torch.no_grad()
    def picture(
        self, net: Net, phase: str, epoch: int | Tensor, step: int, score: Tensor, *, everyone: bool = True
    ) -> Iterator[Event]:
        """A frame of every replicate (or of the run's first alone) now. epoch: one number, or one per replicate [R]."""
        if not self.frames:
            return
        if not self.views:
            self.enter(net)
        if not self.opened:
            self.opened = True
            yield from self.scenes
        task = self.task
        count = len(self.views) if everyone else 1 if task.replicates[0].number == 0 else 0
        if not count:
            return
        grid = torch.from_numpy(np.stack([v.grid for v in self.views[:count]])).to(task.device, task.dtype)
        some = net.first(count)
        minority = 1 - (some.head(grid) if self.features else some(grid)).softmax(-1)[..., task.largest]
        surface = (255 * minority.nan_to_num(0.0)).round().to(torch.uint8).cpu().numpy().reshape(count, GRID, GRID)
        now = None if self.current is None else self.current()
        length = None if now is None or self.start is None else move_lengths(self.start.x, now, self.start.mask)
        scores = score.tolist()
        for r in range(count):
            points, moved = np.zeros((0, 2), np.int16), np.zeros(0, np.uint16)
            if now is not None and length is not None:
                points = self.views[r].fix(_numpy(now[r])[self.drawn[r]])
                far = np.nan_to_num(1000 * _numpy(length[r])[self.drawn[r]], nan=np.inf)
                moved = np.rint(np.clip(far, 0, 65535)).astype(np.uint16)
            at = int(epoch[r]) if isinstance(epoch, Tensor) else epoch
            yield Frame(task.replicates[r].number, phase, at, step, scores[r], points, moved, surface[r])


def _rows(rows: Rows, r: int) -> tuple[np.ndarray, np.ndarray]:
    count = int(rows.mask[r].sum())
    return _numpy(rows.x[r, :count]), rows.y[r, :count].cpu().numpy()


def _view(task: Task, rows: Rows, r: int) -> _View:
    x, y = _rows(rows, r)
    plane = fit_plane(x)
    u = plane.project(x)
    minority = u[y != task.largest]
    # fitted to the data, not to its outliers; every minority row is inside
    low, high = np.quantile(u, [0.002, 0.998], axis=0)
    low, high = np.minimum(low, minority.min(0)), np.maximum(high, minority.max(0))
    centre, half = (low + high) / 2, np.maximum((high - low) / 2 * 1.12, 1e-3)
    across, up = np.meshgrid(np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID))
    return _View(plane, centre, half, plane.lift(centre + half * np.stack([across.ravel(), up.ravel()], 1)))


def _scene(task: Task, rows: Rows, r: int, view: _View, features: bool) -> Scene:
    x, y = _rows(rows, r)
    replicate, plane = task.replicates[r], view.plane
    rare, common = np.flatnonzero(y != task.largest), np.flatnonzero(y == task.largest)
    stream = numpy_stream(task.seed, "scene", replicate.seed, replicate.fold)
    common = stream.permutation(common)
    room = max(MOST_MINORITY, MOST_REAL - len(common))
    if len(rare) > room:
        rare = stream.permutation(rare)[:room]
    kept = np.sort(np.concatenate([rare, common])[:MOST_REAL])
    own = ("feature 1", "feature 2") if features else task.features
    kind = "feature PC" if features else "PC"
    names = (*own, "")[:2] if plane.exact else [f"{kind} {i + 1} ({share:.0%})" for i, share in enumerate(plane.share)]
    return Scene(
        replicate=replicate.number,
        points=view.fix(x[kept]),
        labels=y[kept].astype(np.uint8),
        centre=(float(view.centre[0]), float(view.centre[1])),
        half=(float(view.half[0]), float(view.half[1])),
        share=1.0 if plane.exact else sum(plane.share),
        exact=plane.exact,
        axes=(names[0], names[1]),
        classes=task.classes,
        parents=np.zeros((0, 2), np.int16),
        parent_labels=np.zeros(0, np.uint8),
    )


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().to("cpu", torch.float64).numpy()
