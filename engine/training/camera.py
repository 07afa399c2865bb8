"""Records a run's scenes and frames: one fixed plane per replicate, the real rows in it, synthetic points and the surface.

The plane is fitted once, on the replicate's real training rows. For two features it has the raw axes, else the first two
principal components through the training mean. With more than two features the surface is the model on that plane: a slice, not
the decision boundary. Where the rows are images, or a method works on a network's features, the plane is that of the training
rows' features (`Camera.show_features`), and the surface is the network's last layer on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis.moves import move_lengths
from engine.analysis.unsafe import find_unsafe
from engine.data.dataset import Rows, Task
from engine.events import GRID, UNIT, Event, Frame, Scene
from engine.models.net import Net
from engine.seeds import numpy_stream
from engine.training.plane import View, fit_view, rows_of, to_numpy

if TYPE_CHECKING:
    from engine.training.oversampling import Sampled

MOST_REAL = 1500
MOST_MINORITY = 1000
"""Most real minority rows drawn where the majority needs the rest of MOST_REAL; otherwise all of them are drawn."""
MOST_SYNTHETIC = 300
MOST_FAINT = 300
"""Most validation rows that are shown faintly."""
MOST_MADE = 300
"""Most spheres, and most moved rows, of a scene."""
MOST_HIDDEN = 5000
"""Most test rows of the largest class that synthetic rows are compared with."""
EVERY_OTHER = 4
"""Replicates after the first are recorded at every fourth frame, since they are viewed less."""


DELTA = 0.02
"""Path in sd that the median point walks between two frames, at first."""
CHECKS = 400
"""Times that the path is looked at in a phase, at most."""


@dataclass(frozen=True)
class Snapshot:
    """A network in training, as a frame shows it: parameters and state of its first replicates, before the step after `taken` steps of the
    phase. score [R]: its validation score then.
    """

    taken: int
    epoch: int
    score: Tensor
    flat: Tensor
    state: list[Tensor]

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(tensor.nbytes for tensor in (self.score, self.flat, *self.state))


class Camera:
    """Records a run: frame i of a phase's n at (i/n)^2 of its steps, so that no two lie more than 2% of the run's steps apart with 100,
    and a frame when the first replicate's median point has walked `delta` since the last one.

    The other replicates of the stack are recorded at every fourth of these frames. frames: of a run's film. Above that number every
    second one is dropped from it and delta doubles, or becomes the distance at which the others then lie (`thin`); who watches live has
    seen them. The first frame of a phase and the one of the chosen epoch stay. by_distance: False for the frames by steps alone.
    """

    def __init__(self, task: Task, frames: int = 100, *, by_distance: bool = True) -> None:
        self.task = task
        self.frames = frames
        self.delta = DELTA
        self.path = _Path() if by_distance and task.replicates[0].number == 0 else None
        self.walked: list[float] = []
        self.in_phase = 0
        self.lasting: set[int] = set()
        self.dropped: set[int] = set()
        self.rows, self.features = task.train, False
        self.tested = task.test.x
        self.largest = task.largest if frames else 0
        self.marked: dict[int, tuple[Tensor, np.ndarray]] = {}
        self.views: list[View] = []
        self.scenes: list[Scene] = []
        self.real: list[np.ndarray] = []
        if frames and task.shape is None:
            self._fit_views()
        self.share = 1.0
        self.phase = ""
        self.taken = 0
        self.opened = False
        self.start: Rows | None = None
        self.current: Callable[[], Tensor] | None = None
        self.drawn: list[np.ndarray] = []
        self.made: Sampled | None = None
        self.watched: Mapping[int, int] = {}
        self.snapshots: list[Snapshot] = []

    def _fit_views(self) -> None:
        self.views = [fit_view(self.task, self.rows, r) for r in range(len(self.task.replicates))]
        self.real = [_choose_rows(self.task, self.rows, r) for r in range(len(self.views))]
        self.scenes = [_scene(self.task, self.rows, r, view, self.features, self.real[r]) for r, view in enumerate(self.views)]

    def hide_rows(self) -> None:
        """Records no frames until `show_features`."""
        self.views, self.scenes = [], []

    @torch.no_grad()
    def show_features(self, net: Net) -> None:
        """Shows the plane of the training rows' features under `net` as it is now, from the next frame on.

        Synthetic rows tracked before lie in another space, so they are no longer shown.
        """
        if not self.frames:
            return
        self.features = True
        self.start = self.current = self.made = None
        self.drawn = []
        self.rows = replace(self.task.train, x=net.embed(self.task.train.x, self.task.train.mask))
        self.tested = net.embed(self.task.test.x, self.task.test.mask)
        self.marked = {}
        self.opened = False
        self._fit_views()

    def describe_points(self, sampled: Sampled) -> None:
        """Shows how the synthetic rows that are tracked next were made: seeds, spheres, walks, and rows that were moved."""
        self.made = sampled

    def track_points(self, rows: Rows, current: Callable[[], Tensor]) -> None:
        """Shows synthetic rows from the next frame on: `rows` are their start, `current()` [R, n, D] their current places."""
        self.start, self.current = replace(rows, x=rows.x.clone()), current
        self.marked = {}
        if self.path is not None and self.views:
            self.path = _Path(int(rows.mask[0].sum()))
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
            x, y = to_numpy(rows.x[r])[which], rows.y[r].cpu().numpy()[which]
            scene = replace(self.scenes[r], parents=view.to_int16(x), parent_labels=y.astype(np.uint8))
            self.scenes[r] = scene if self.made is None else _describe_made(scene, self.made, self.rows, r, view, which)

    def record_frame(
        self, net: Net, phase: str, epoch: int, step: int, score: Tensor, *, taken: int, planned: int
    ) -> Iterator[Event]:
        """Yields the scene and the frames due once `taken` of this phase's `planned` steps are done. step: number of the run's
        step.
        """
        if not self.views:
            return
        if count := self.watched.get(taken):
            first = net.first(count)
            self.snapshots.append(
                Snapshot(taken, epoch, score.clone(), first.flat.clone(), [state.clone() for state in first.state()])
            )
        if phase != self.phase:
            self.phase, self.taken, self.in_phase = phase, 0, 0
        count = max(1, round(self.frames * self.share))
        due = taken >= planned * (self.taken / count) ** 2 and self.taken <= count
        while self.taken <= count and taken >= planned * (self.taken / count) ** 2:
            self.taken += 1
        walked = 0.0 if due else self._measure_path(taken, planned)
        if not due and not walked >= self.delta:
            return
        if self.path is not None:
            self.path.begin(self.current)
        self.in_phase += 1
        number = len(self.walked)
        yield from self.record_final_frame(
            net, phase, epoch, step, score, everyone=(self.in_phase - 1) % EVERY_OTHER == 0, lasting=self.in_phase == 1
        )
        if len(self.walked) > number:
            self.walked[-1] = walked
            self._drop_some()

    def list_due(self, planned: int, share: float | None = None) -> dict[int, int]:
        """Steps of a phase of `planned` steps before which a frame is due, by steps alone -> how many replicates it shows.

        share: of the frames; by default the camera's own.
        """
        count = max(1, round(self.frames * (self.share if share is None else share)))
        steps = sorted({math.ceil(planned * (i / count) ** 2) for i in range(count + 1)})
        replicates = len(self.task.replicates)
        return {step: 1 if k % EVERY_OTHER else replicates for k, step in enumerate(steps) if step < planned}

    def watch(self, steps: Mapping[int, int]) -> None:
        """Takes a snapshot of the network before each of these steps of the next phase, of so many replicates, until `end_watch`."""
        self.watched, self.snapshots = steps, []

    def end_watch(self) -> list[Snapshot]:
        """The snapshots since `watch`."""
        snapshots, self.watched, self.snapshots = self.snapshots, {}, []
        return snapshots

    def _measure_path(self, taken: int, planned: int) -> float:
        """How far the median point has walked since the last frame, 0 where this step does not look."""
        if self.path is None or self.current is None or taken % max(1, planned // CHECKS):
            return 0.0
        return self.path.measure(self.current)

    def _drop_some(self) -> None:
        """Drops every second frame from the film, and doubles delta, where it has more than `frames`."""
        kept = [i for i in range(len(self.walked)) if i not in self.dropped]
        if len(kept) <= self.frames:
            return
        self.dropped.update(i for i in kept[1::2] if i not in self.lasting)
        usual = [self.walked[i] for i in kept if self.walked[i] > 0]
        self.delta = 2 * max(self.delta, float(np.median(usual)) if usual else 0.0)

    def thin(self, sent: Sequence[Frame]) -> list[Frame]:
        """The frames of the film, of all that were sent of the run's first replicate, in order."""
        return [frame for i, frame in enumerate(sent) if i not in self.dropped]

    @torch.no_grad()
    def record_final_frame(
        self,
        net: Net,
        phase: str,
        epoch: int | Tensor,
        step: int,
        score: Tensor,
        *,
        everyone: bool = True,
        lasting: bool = True,
        seen: Sequence[np.ndarray] = (),
    ) -> Iterator[Event]:
        """Yields a frame of every replicate now, or of the run's first one alone. epoch: one number, or one per replicate [R]. lasting:
        whether the film keeps it. seen: `Frame.seen` for all training rows of each replicate that it shows.
        """
        if not self.frames:
            return
        if not self.views:
            self.show_features(net)
        if not self.opened:
            self.opened = True
            yield from self.scenes
        task = self.task
        count = len(self.views) if everyone else 1 if task.replicates[0].number == 0 else 0
        if not count:
            return
        if task.replicates[0].number == 0:
            self.lasting |= {len(self.walked)} if lasting else set()
            self.walked.append(0.0)
        grid = torch.from_numpy(np.stack([v.grid for v in self.views[:count]])).to(task.device, task.dtype)
        some = net.first(count)
        minority = 1 - (some.head(grid) if self.features else some(grid)).softmax(-1)[..., self.largest]
        surface = (255 * minority.nan_to_num(0.0)).round().to(torch.uint8).cpu().numpy().reshape(count, GRID, GRID)
        now = None if self.current is None else self.current()
        length = None if now is None or self.start is None else move_lengths(self.start.x, now, self.start.mask)
        scores = score.tolist()
        for r in range(count):
            points, moved, unsafe = np.zeros((0, 2), np.int16), np.zeros(0, np.uint16), np.zeros(0, bool)
            if now is not None and length is not None:
                unsafe = self._find_unsafe(r, now[r])
                points = self.views[r].to_int16(to_numpy(now[r])[self.drawn[r]])
                far = np.nan_to_num(1000 * to_numpy(length[r])[self.drawn[r]], nan=np.inf)
                moved = np.rint(np.clip(far, 0, 65535)).astype(np.uint16)
            at = int(epoch[r]) if isinstance(epoch, Tensor) else epoch
            lit = seen[r][self.real[r]] if seen else np.zeros(0, np.uint8)
            yield Frame(task.replicates[r].number, phase, at, step, scores[r], points, moved, surface[r], unsafe, lit)

    def _find_unsafe(self, r: int, x: Tensor) -> np.ndarray:
        """Which of the points drawn of replicate r are unsafe, [n] bool; empty where there is no row to compare with. x [n, D]: all
        synthetic rows. For the picture alone: nothing that is trained or chosen reads test rows.
        """
        assert self.start is not None
        task, at = self.task, torch.from_numpy(self.drawn[r]).to(x.device)
        own = x[at]
        before = self.marked.get(r)
        if before is not None and torch.equal(before[0], own):
            return before[1]
        hidden = self.tested[r][task.test.mask[r] & (task.test.y[r] == self.largest)]
        hidden = hidden[:: max(1, -(-len(hidden) // MOST_HIDDEN))]
        out = np.zeros(0, bool)
        if len(hidden):
            mask = self.rows.mask[r]
            found = find_unsafe(own, self.start.y[r][at], self.rows.x[r][mask], self.rows.y[r][mask], hidden)
            out = found.cpu().numpy()
        self.marked[r] = (own.clone(), out)
        return out


class _Path:
    """How far each of `count` points of the first replicate walks, looked at now and then. Costs nothing while they stand."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.source: Tensor | None = None
        self.seen: Tensor | None = None
        self.walked: Tensor | None = None

    def begin(self, current: Callable[[], Tensor] | None) -> None:
        """Begins again at the points' places now."""
        self.source, self.walked = None if current is None else current(), None
        self.seen = None if self.source is None else self.source[0, : self.count].clone()

    def measure(self, current: Callable[[], Tensor]) -> float:
        """The median path since `begin`, in sd; NaN where points have diverged, or there are none."""
        source = current()
        if source is self.source or not self.count:
            return 0.0
        now = source[0, : self.count].clone()
        step = (now - (now if self.seen is None else self.seen)).norm(dim=1)
        self.source, self.seen, self.walked = source, now, step if self.walked is None else self.walked + step
        return float(self.walked.median())


def _choose_rows(task: Task, rows: Rows, r: int) -> np.ndarray:
    """Which of a replicate's training rows a scene shows, by number, ascending."""
    _, y = rows_of(rows, r)
    replicate = task.replicates[r]
    rare, common = np.flatnonzero(y != task.largest), np.flatnonzero(y == task.largest)
    stream = numpy_stream(task.seed, "scene", replicate.seed, replicate.fold)
    common = stream.permutation(common)
    room = max(MOST_MINORITY, MOST_REAL - len(common))
    if len(rare) > room:
        rare = stream.permutation(rare)[:room]
    return np.sort(np.concatenate([rare, common])[:MOST_REAL])


def _scene(task: Task, rows: Rows, r: int, view: View, features: bool, kept: np.ndarray) -> Scene:
    x, y = rows_of(rows, r)
    replicate, plane = task.replicates[r], view.plane
    own = ("feature 1", "feature 2") if features else task.features
    kind = "feature PC" if features else "PC"
    data_centre = data_half = None
    if task.kind == "points" and task.units and plane.exact and not features:
        mean, sd = task.units[r]
        data_centre, data_half = _pair(mean + sd * view.centre), _pair(sd * view.half)
    names = (*own, "")[:2] if plane.exact else [f"{kind} {i + 1} ({share:.0%})" for i, share in enumerate(plane.share)]
    return Scene(
        replicate=replicate.number,
        points=view.to_int16(x[kept]),
        labels=y[kept].astype(np.uint8),
        centre=_pair(view.centre),
        half=_pair(view.half),
        share=1.0 if plane.exact else sum(plane.share),
        exact=plane.exact,
        axes=(names[0], names[1]),
        classes=task.classes,
        parents=np.zeros((0, 2), np.int16),
        parent_labels=np.zeros(0, np.uint8),
        data_centre=data_centre,
        data_half=data_half,
        faint=view.to_int16(task.faint[r][:MOST_FAINT]) if task.faint and not features else np.zeros((0, 2), np.int16),
    )


def _describe_made(scene: Scene, made: Sampled, rows: Rows, r: int, view: View, which: np.ndarray) -> Scene:
    """The scene with how its synthetic points were made. rows: the real ones, in the space of the picture. which [n]: points drawn."""
    x = rows_of(rows, r)[0]
    changed: dict[str, Any] = {}
    if made.lines is not None and len(which):
        changed["seeds"] = view.to_int16(x[to_numpy(made.lines[r])[which, 0].astype(int)])
    if made.sources is not None and len(which):
        number, weight = (to_numpy(part[r])[which] for part in made.sources)
        places = view.to_int16(x[number.astype(int).ravel()])
        changed["sources"] = places.reshape(*number.shape, 2)
        changed["weights"] = np.clip(np.rint(255 * weight), 0, 255).astype(np.uint8)
    if made.path is not None and len(which):
        path = to_numpy(made.path[r])[which]
        last = np.maximum(1, (~np.isnan(path[:, :, 0])).sum(1))
        at = np.minimum(np.arange(max(last)), last[:, None] - 1)
        walks = path[np.arange(len(path))[:, None], at]
        changed["walks"] = view.to_int16(walks.reshape(-1, walks.shape[2])).reshape(*at.shape, 2)
    if made.spheres is not None and (made.norm == 2 or view.plane.exact):  # a slice of another ball is no shape of its own
        number, radius = (to_numpy(part[r]) for part in made.spheres)
        some = _choose_some(number >= 0)
        reach = np.clip(np.rint(radius[some, None] / view.half * UNIT), 0, 4 * UNIT).astype(np.int16)
        changed["spheres"] = np.concatenate([view.to_int16(x[number[some].astype(int)]), reach], 1)
    if made.moved is not None:
        number, to = to_numpy(made.moved.rows[r]).astype(int), to_numpy(made.moved.to[r])
        some = _choose_some(number >= 0)
        changed["moves"] = np.concatenate([view.to_int16(x[number[some]]), view.to_int16(to[some])], 1)
    return replace(scene, kind=made.kind, norm=made.norm, **changed)


def _choose_some(there: np.ndarray) -> np.ndarray:
    """Numbers of the entries that are there, evenly thinned to MOST_MADE."""
    at = np.flatnonzero(there)
    return at if len(at) <= MOST_MADE else at[np.linspace(0, len(at) - 1, MOST_MADE).round().astype(int)]


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
