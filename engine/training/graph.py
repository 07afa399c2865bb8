"""Records what a step does on its device, once for every shape of a batch, and replays it: the step's Python runs once, not once a batch.

On CUDA a recording is a graph (`torch.cuda.CUDAGraph`); on another accelerator it is the list of operations. A recording reads and
writes the same tensors each time. So all that a step reads lies in tensors that stay where they are: the rows of an epoch's batches and
its other tables [K, ...], of which a counter on the device chooses row k, and the state, which a step changes in place.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from engine.training.batches import Drawn

if TYPE_CHECKING:
    from engine.training.loop import Step


_ATEN = torch.ops.aten
INDEXING = (_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default, _ATEN._index_put_impl_.default)
"""Operations that look up places by an index, or by a mask, whose places must first be found."""


class Recording(Protocol):
    """Operations of one step, recorded once."""

    warm_ups: int
    """Steps of a shape that are taken before it is recorded, since a library prepares itself as it is first called."""
    executes: bool
    """Whether the operations also take effect as they are recorded."""

    def warm_up(self, take: Callable[[], None]) -> None:
        """Takes a step that is not recorded."""

    def record(self, take: Callable[[], None]) -> None:
        """Records the operations of a step."""

    def replay(self) -> None:
        """Does them again, on the same tensors."""


class Replay:
    """Takes the steps of `step`, each by its recording where there is one of its shape.

    A shape is the stack's height, the batch's width, whether all replicates take the step, and what the step adds (`Step.shape`).
    Where tensors that the step keeps are no longer the same ones, all is recorded anew and the old recordings are dropped.
    """

    def __init__(self, step: Step, device: torch.device, start: Callable[[], Recording]) -> None:
        self.step, self.start = step, start
        self.counter = torch.zeros(1, dtype=torch.int64, device=device)
        self.losses: Tensor
        self.recordings: dict[Hashable, Recording] = {}
        self.seen: Counter[Hashable] = Counter()
        self.fixed: list[Tensor] = []
        self.tables: dict[str, Tensor] = {}
        self.broken = False
        for part in walk(step):
            part.held = {}

    def begin(self, drawn: Drawn, losses: Tensor) -> Drawn:
        """Called once the step has begun its epoch. The rows of its batches, where recordings read them. losses [R]: of their kind."""
        kept = drawn.move(lambda name, tensor: hold(self.tables, name, tensor))
        fixed = [*self.tables.values(), *lasting(self.step)]
        if len(fixed) != len(self.fixed) or any(a is not b for a, b in zip(fixed, self.fixed, strict=True)):
            self.recordings.clear()
            self.losses = torch.zeros_like(losses)
            self.fixed = fixed
        self.counter.zero_()
        return kept

    def __call__(self, k: int, shape: Hashable, take: Callable[[Tensor], Tensor]) -> Tensor:
        """Step k of the epoch; its losses [R], until the next. take(counter): the step by its own Python."""
        shape = (shape, self.step.shape(k))

        def act() -> None:
            self.losses.copy_(take(self.counter))
            self.counter.add_(1)

        recording = self.recordings.get(shape)
        if recording is None:
            recording = self.start()
            if self.broken or self.seen[shape] < recording.warm_ups:
                self.seen[shape] += 1
                recording.warm_up(act)
                return self.losses
            if not self._record(recording, act):
                return self.losses
            self.recordings[shape] = recording
            if recording.executes:
                return self.losses
        recording.replay()
        return self.losses

    def _record(self, recording: Recording, act: Callable[[], None]) -> bool:
        """Whether it could be recorded; where not, the step is taken by its Python, as all that follow."""
        try:
            recording.record(act)
        except RuntimeError as error:
            if recording.executes:
                raise
            warnings.warn(f"The step of training was not recorded as a graph and runs without: {error}", stacklevel=2)
            self.broken = True
            recording.warm_up(act)
            return False
        return True


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A list of operations with their arguments and results. Replayed, each result is put where the recorded one lies.

    On a device that is not the CPU only what touches its tensors is recorded, and what reads one on the host is refused, as a CUDA
    graph does.
    """

    warm_ups = 0
    executes = True

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.calls: list[tuple[Any, Any, dict[str, Any], list[tuple[int, Tensor]]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        given, made = list(tensors([args, kwargs])), list(tensors([out]))
        if any(t.device.type == self.device.type for t in [*given, *made]):
            if self.device.type != "cpu":
                self._refuse(func, args, given, made)
            returns = func._schema.returns
            fresh = [] if any(r.alias_info is not None for r in returns) else list(enumerate(made))
            self.calls.append((func, args, kwargs, fresh))
        return out

    def _refuse(self, func: Any, args: Any, given: Sequence[Tensor], made: Sequence[Tensor]) -> None:
        reads = not made or torch.Tag.data_dependent_output in func.tags
        elsewhere = any(t.device.type == "cpu" and t.dim() for t in [*given, *made])
        by_values = torch.Tag.dynamic_output_shape in func.tags  # the shape of the result hangs on values
        if func in INDEXING:
            by_values = any(t.dtype == torch.bool for t in tensors([args[1]]))
        if reads or elsewhere or by_values:
            raise RuntimeError(f"{func} needs the host, so the step cannot be recorded")

    def warm_up(self, take: Callable[[], None]) -> None:
        """See Recording."""
        take()

    def record(self, take: Callable[[], None]) -> None:
        """See Recording."""
        with self:
            take()

    @torch.no_grad()
    def replay(self) -> None:
        """See Recording."""
        for func, args, kwargs, fresh in self.calls:
            again = list(tensors([func(*args, **kwargs)]))
            for number, place in fresh:
                place.copy_(again[number])


class Graph:
    """A CUDA graph. All graphs of a step share one pool of memory: what they hold there is not read once a step is over."""

    warm_ups = 1
    executes = False

    def __init__(self, stream: torch.cuda.Stream, pool: Any) -> None:
        self.stream, self.pool = stream, pool
        self.graph: torch.cuda.CUDAGraph | None = None

    def warm_up(self, take: Callable[[], None]) -> None:
        """See Recording. On the stream of the recordings, as torch asks for."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            take()
        torch.cuda.current_stream().wait_stream(self.stream)

    def record(self, take: Callable[[], None]) -> None:
        """See Recording."""
        graph = torch.cuda.CUDAGraph()
        # other threads of the process may call CUDA meanwhile: they are not of this recording
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
            take()
        self.graph = graph

    def replay(self) -> None:
        """See Recording."""
        assert self.graph is not None
        self.graph.replay()


def start_replay(step: Step, device: torch.device) -> Replay | None:
    """What records and replays this step; None where its Python takes every one.

    That is so on the CPU, where the environment says LAB_GRAPH=0, and for a step with an `obstacle`.
    """
    start = None if os.environ.get("LAB_GRAPH", "") == "0" or obstacle(step) else choose_recording(device)
    return None if start is None else Replay(step, device, start)


def choose_recording(device: torch.device) -> Callable[[], Recording] | None:
    """What makes an empty recording on this device; None where nothing is recorded."""
    if device.type == "cpu":
        return None
    if device.type == "cuda":
        stream, pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()  # type: ignore[no-untyped-call]
        return lambda: Graph(stream, pool)
    return lambda: Operations(device)


def obstacle(step: Step) -> str:
    """The first obstacle of the step and its parts; empty where it can be recorded."""
    return next((part.obstacle for part in walk(step) if part.obstacle), "")


def walk(step: Step) -> Iterator[Step]:
    """The step and all steps that are parts of it."""
    yield step
    for part in step.parts():
        yield from walk(part)


def lasting(step: Step) -> list[Tensor]:
    """Tensors that the step and its parts keep from epoch to epoch, and those of the epoch that a recording reads."""
    return [tensor for part in walk(step) for tensor in (*part.lasting(), *(part.held or {}).values())]


def hold(held: dict[str, Tensor] | None, name: str, tensor: Tensor) -> Tensor:
    """`tensor`, in the place of the last one of this name and shape where there is one; itself where nothing is held."""
    if held is None:
        return tensor
    old = held.get(name)
    if old is not None and (old.shape, old.dtype) == (tensor.shape, tensor.dtype):
        return old.copy_(tensor)
    held[name] = tensor
    return tensor


def tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple, dict)):
            yield from tensors(value)
