"""Prepared rows that rows of a comparison share: models and remedies at the same level, and the fits before and after joining.

A comparison is one process, so the features of a fold lie once in its memory and need no file. What was used last is kept, as far as it
has at most MOST_BYTES together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from engine.data.dataset import Task

MOST_BYTES = 768 << 20
"""Bytes of features that are kept; the task in use is kept however large it is."""


@dataclass
class TasksInUse:
    """Tasks by what they are made of, the one used last at the end. joined: the same rows with training and validation rows joined, by
    the task and whether rows are kept apart.
    """

    tasks: OrderedDict[Hashable, Task] = field(default_factory=OrderedDict)
    joined: dict[tuple[int, bool], Task] = field(default_factory=dict)

    def get(self, key: Hashable, make: Callable[[], Task]) -> Task:
        """The task of a key, made where it is not kept."""
        if key not in self.tasks:
            self._drop_until(MOST_BYTES // 2)
            self.tasks[key] = make()
        self.tasks.move_to_end(key)
        self._drop_until(MOST_BYTES)
        return self.tasks[key]

    def join(self, task: Task, hold: bool, make: Callable[[], Task]) -> Task:
        """The joined task of one that is kept."""
        key = (id(task), hold)
        if key not in self.joined:
            self.joined[key] = make()
            self._drop_until(MOST_BYTES)
        return self.joined[key]

    @property
    def bytes(self) -> int:
        """Bytes of the features that are kept; parts that tasks share are counted once."""
        parts = [
            part.x for task in (*self.tasks.values(), *self.joined.values()) for part in (task.train, task.valid, task.test)
        ]
        return sum({part.data_ptr(): part.nbytes for part in parts}.values())

    def _drop_until(self, most: int) -> None:
        while len(self.tasks) > 1 and self.bytes > most:
            _, task = self.tasks.popitem(last=False)
            for hold in (False, True):
                self.joined.pop((id(task), hold), None)
