"""Trains a first phase, or takes it from the cache with its events and frames."""

from __future__ import annotations

from collections.abc import Generator

from engine.data.dataset import Rows, Task
from engine.events import Epoch, Event, Running
from engine.models.net import Net
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.loop import Batches, Chosen, Meter, Step, train
from engine.training.network_cache import CachedNetwork

SHARES = (1.0, 0.25)
"""Shares of the frames that plain training and explicit gradient record of it, so that either can be repeated after the other."""


def train_once(
    key: str,
    net: Net,
    task: Task,
    step: Step,
    batches: Batches,
    *,
    rows: Rows,
    epochs: int,
    phase: str,
    meter: Meter,
    camera: Camera,
) -> Generator[Event, None, tuple[Net, Chosen]]:
    """As `loop.train`, of a new network, which it returns at the chosen epochs with the chosen epochs.

    key: text of all that the training depends on; '' where it shall not be cached. A cached network is taken where it has a snapshot for
    every frame that the camera would record.
    """
    planned = epochs * max(batches.per_pass())
    key = key if camera.current is None else ""  # frames would show points too
    due = camera.list_due(planned) if camera.views else {}
    kept = network_cache.get(key) if key else None
    if kept is not None and _shows(kept, due):
        yield from _repeat(kept, net, phase, planned, meter, camera)
        return net, kept.chosen
    if key and camera.views:
        plans = [due, *(camera.list_due(planned, share) for share in SHARES)]
        steps = {at: max(plan.get(at, 0) for plan in plans) for at in set().union(*plans)}
        size = net.flat[0].nbytes + sum(state[0].nbytes for state in net.state())
        if size * sum(steps.values()) <= network_cache.MOST_BYTES:
            camera.watch(steps)
    began, seen = meter.step, []
    training = Running(train(net, task, step, batches, rows=rows, epochs=epochs, phase=phase, meter=meter, camera=camera))
    for event in training:
        if isinstance(event, Epoch):
            seen.append(event)
        yield event
    snapshots = camera.end_watch()
    if key:
        network_cache.put(key, net, training.value, seen, meter.step - began, snapshots)
    return net, training.value


def _shows(kept: CachedNetwork, due: dict[int, int]) -> bool:
    """Whether there is a snapshot for every frame that is due before training ended."""
    at = kept.snapshots
    return all(step in at and len(at[step].flat) >= count for step, count in due.items() if step < kept.steps)


def _repeat(
    kept: CachedNetwork, net: Net, phase: str, planned: int, meter: Meter, camera: Camera
) -> Generator[Event, None, None]:
    """The events and frames of a cached network's training. Leaves `net` as trained."""
    shown = {len(one.flat): net.copy().first(len(one.flat)) for one in kept.snapshots.values()}
    snapshots = sorted(kept.snapshots.values(), key=lambda one: one.taken)
    began, at = meter.step, 0
    for epoch in kept.epochs:
        while at < len(snapshots) and snapshots[at].epoch <= epoch.epoch:
            one = snapshots[at]
            then = shown[len(one.flat)]
            then.flat = one.flat
            then.restore(one.state)
            yield from camera.record_frame(
                then, phase, one.epoch, began + one.taken, one.score, taken=one.taken, planned=planned
            )
            at += 1
        yield epoch
    net.flat = kept.flat.clone()
    net.restore(kept.state)
    meter.step += kept.steps
    meter.done += planned
