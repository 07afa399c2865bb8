"""Stacks whose members differ in numbers of their method: a task is repeated, once for each of several settings.

    stacked = method.stack(task, [{"learning_rate": 1e-3}, {"learning_rate": 1e-2}])
    fitted = yield from method.fit(stacked, camera=Camera(stacked, 0))

Member s R + r of the stack is replicate r under setting s, with the rows and random streams of replicate r, so each setting is trained
as it is alone: equal to 1e-9 in float64. A method reads a number of the members with `Method.number`, or a member's whole parameters with
`Method.list_members`. Which parameters can differ is said where they are declared (`param(stacks=...)`). Stacks are for screening: tuning,
studies, previews. What is stored under a spec's id is trained without settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.data.rows import select_task


def repeat_task(task: Task, settings: Sequence[Mapping[str, float]]) -> Task:
    """The stack of len(settings) times R members: the task's R replicates under the first setting, then under the next.

    settings: name of a parameter -> number, the same names in each; see `Method.stack`, which checks them. Rows of a task with one
    replicate are shared, not copied.
    """
    names = list(settings[0])
    if any(setting.keys() != settings[0].keys() for setting in settings):
        raise ValueError("every setting needs the same parameters")
    count = len(task.replicates)
    repeated = select_task(task, torch.arange(count).repeat(len(settings)))
    columns = {name: np.array([one[name] for one in settings]).repeat(count) for name in names}
    return replace(repeated, settings={name: torch.from_numpy(column) for name, column in columns.items()})


def find_first_phases(task: Task, first: Sequence[str]) -> tuple[Task, Tensor]:
    """(the task of the first phases that differ, which of them each member [R] begins with).

    first: the settings that a first phase depends on; the others are left out of the task's. Members with the same replicate and the same
    values of these, and the same chosen epoch where there is one, share a first phase.
    """
    kept = {name: task.settings[name].tolist() for name in task.settings if name in first}
    ends = [task.chosen["training"].tolist()] if "training" in task.chosen else []
    keys = list(zip(task.replicates, *kept.values(), *ends, strict=True))
    places = {key: r for r, key in reversed(list(enumerate(keys)))}  # of the first member of each
    order = sorted(places.values())
    number = {r: n for n, r in enumerate(order)}
    base = select_task(task, torch.tensor(order))
    base = replace(base, settings={name: value for name, value in base.settings.items() if name in kept})
    return base, torch.tensor([number[places[key]] for key in keys])
