"""A preview: one replicate of a spec on a points set, made short enough to be computed while a slider moves.

It reports what happens on validation rows alone; nothing of it is stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis import curves
from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.events import Event, Frame, Running, finish
from engine.methods import method
from engine.models.net import Net
from engine.spec import Imbalance, RunSpec
from engine.training.camera import Camera
from engine.training.loop import evaluate

SECONDS = 1.5
"""Seconds after which the network is taken as it is."""
EPOCHS = 60
"""Epochs of all phases together."""
ROWS = 3000
"""Rows of a set; of one whose rows name their part, of training and validation."""
FRAMES = 24
RECALLS = np.linspace(0, 1, 64)
"""Where the precision-recall curve is read."""
_PHASES = ("epochs", "meta_epochs", "head_epochs", "rounds")
"""Parameters that say how long a method trains."""

Preview = Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]


def run_preview(words: Mapping[str, Any]) -> Preview:
    """A generator of events that returns the preview's facts and no artifact. words: a completed spec as JSON.

    facts: ap, the average precision on validation rows (None where it is not known), and pr, the curve there: recall and precision.
    Raises the errors of engine.errors.
    """
    end = time.monotonic() + SECONDS
    torch.set_num_threads(1)
    spec = shorten(RunSpec.from_json(words))
    task = prepare(load(spec.dataset, spec.data), spec, [0])
    camera = _Camera(task, FRAMES - 1, by_distance=False)
    fitting = Running(method(spec.method)(**spec.params).fit(task, camera=camera))
    frames = 0
    while (event := fitting.pull()) is not None:
        frames += isinstance(event, Frame)
        if not isinstance(event, Frame) or frames < FRAMES or event.phase == "chosen":
            yield event
        if time.monotonic() > end and camera.last is not None:
            fitting.close()
            yield from camera.record_final_frame(*camera.last)
            return _measure(camera.last[0], task), {}
    return _measure(fitting.value.net, task), {}


def shorten(spec: RunSpec) -> RunSpec:
    """The spec of one replicate with at most EPOCHS and ROWS."""
    data, params = dict(spec.data), dict(spec.params)
    if "rows" in data:
        data["rows"] = min(data["rows"], ROWS)
    elif (both := data.get("train", 0) + data.get("valid", 0)) > ROWS:
        data |= {part: max(100, data[part] * ROWS // both) for part in ("train", "valid")}
    phases = [name for name in _PHASES if name in params]
    params |= {name: min(params[name], EPOCHS // len(phases)) for name in phases}
    return spec.with_(data=data, params=params, folds=1, seeds=1)


def warm_up() -> None:
    """Computes small previews, so that the first one that somebody asks for does not load anything."""
    for name, params in (("explicit-gradient", {"epochs": 2, "meta_epochs": 2}), ("smote", {"epochs": 2})):
        finish(run_preview(RunSpec("moons", name, Imbalance("ratio", 10), {"rows": 400}, params).to_json()))


@torch.no_grad()
def _measure(net: Net, task: Task) -> dict[str, Any]:
    score, _ = evaluate(net, task.valid)
    mask = task.valid.mask[0]
    probability = net(task.valid.x)[0][mask].double().softmax(-1).cpu().numpy()
    ap = float(score[0])
    if not np.isfinite(probability).all():
        return {"ap": None, "pr": {"recall": [], "precision": []}}
    precision = curves.precision_recall(probability, task.valid.y[0][mask].cpu().numpy(), grid=RECALLS)
    return {
        "ap": ap if math.isfinite(ap) else None,
        "pr": {"recall": RECALLS.round(4).tolist(), "precision": precision.round(4).tolist()},
    }


class _Camera(Camera):
    """A camera that remembers what it saw last."""

    last: tuple[Net, str, int, int, Tensor] | None = None

    def record_frame(
        self, net: Net, phase: str, epoch: int, step: int, score: Tensor, *, taken: int, planned: int
    ) -> Iterator[Event]:
        """See Camera."""
        self.last = (net, phase, epoch, step, score)
        yield from super().record_frame(net, phase, epoch, step, score, taken=taken, planned=planned)
