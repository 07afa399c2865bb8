"""Runs a spec and returns its result. The worker, the terminal and the tests all use this function."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

import torch

from engine import plugins
from engine.catalog import build_catalog
from engine.data.added import append_points
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.data.table import Dataset
from engine.devices import choose_device, device_name
from engine.errors import BadInput, OutOfMemory
from engine.events import Event, Frame, Note, Phase, Progress, Running, Scene, finish
from engine.methods import method
from engine.runner.chunks import chunk_size, split_replicates
from engine.runner.judge import train_judge
from engine.runner.memory import require_memory
from engine.runner.provenance import collect_provenance
from engine.runner.record import RunRecord
from engine.settings import read_setting
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.spec.run import find_entry, upload_id
from engine.text import quote
from engine.training.camera import Camera

Run = Generator[Event, None, tuple[Result, dict[str, bytes]]]


def run(
    spec: RunSpec,
    *,
    device: str = "auto",
    dtype: torch.dtype = torch.float32,
    frames: int = 100,
    dataset: Dataset | None = None,
    artifacts: bool = True,
) -> Run:
    """Runs a spec. A generator of events; it returns the result and its artifacts (`frames/<replicate>`: a film, `features/0`,
    `contributions/<replicate>`, `generated/0`: see engine.analysis.sample, .contributions and .generated).

    device: auto (cuda if there is one), cpu or cuda. frames: pictures of the first replicate, 0 for none. The environment's
    LAB_THREADS: CPU threads, default 1; LAB_WORKER_MEMORY: see `engine.runner.memory`; LAB_GRAPH=0: see `engine.training.graph`. dataset:
    the spec's dataset if the caller has already read it. artifacts: False returns none, which saves their making where numbers alone are
    wanted. Raises the errors of engine.errors. Close it at any event to stop.
    """
    began = time.monotonic()
    # One thread: the matrices are small. A second thread gains little on an idle machine and, if a browser uses the other core,
    # loses most of its time at barriers. One thread also makes a result independent of the number of cores.
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    catalog = build_catalog(found=True)
    asked, spec = spec.plugin, spec.complete(catalog)
    if asked not in ("", spec.plugin):
        raise BadInput(f"The plugin file of method {quote(spec.method)} has changed: start the engine anew, then ask again.")
    fingerprint = "" if upload_id(spec.dataset) else find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
    where = torch.device(choose_device(device))
    yield Phase("data", "Reading the data")
    dataset = load(spec.dataset, spec.data) if dataset is None else dataset
    if where.type == "cpu":
        require_memory(spec, dataset)
    record = RunRecord(spec.replicates, artifacts)
    for numbers in split_replicates(spec.replicates, chunk_size(dataset)):
        yield from _fit_chunk(spec, dataset, numbers, where, dtype, frames, record)
    yield Phase("measuring", "Measuring on the test rows")
    result = record.result(spec, dataset)
    result = replace(
        result,
        run_id=spec.run_id(fingerprint),
        seconds=time.monotonic() - began,
        provenance=collect_provenance(where, dtype),
    )
    return result, record.artifacts(result.test_share)


def _fit_chunk(
    spec: RunSpec,
    dataset: Dataset,
    numbers: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
    frames: int,
    record: RunRecord,
) -> Generator[Event, None, None]:
    """Trains a chunk. If the device's memory is not enough, trains it again in two halves."""
    kept = record.snapshot()
    try:
        yield from _fit(spec, dataset, numbers, device, dtype, frames, record)
        return
    except torch.cuda.OutOfMemoryError:
        if len(numbers) == 1:
            raise OutOfMemory(
                f"the memory of {device_name(device.type)} is not enough for one replicate; use the CPU."
            ) from None
    torch.cuda.empty_cache()
    record.restore(kept, numbers)
    note = Note(
        f"The GPU's memory is not enough for {len(numbers)} replicates at once: trying half of them at a time.", "warning"
    )
    record.add_event(note)
    yield note
    middle = len(numbers) // 2
    for half in (numbers[:middle], numbers[middle:]):
        try:
            yield from _fit(spec, dataset, half, device, dtype, frames, record)
        except torch.cuda.OutOfMemoryError:
            raise OutOfMemory(
                f"the memory of {device_name(device.type)} is not enough for {len(half)} replicates at once; "
                "use the CPU, a smaller network or a smaller batch."
            ) from None


def _fit(
    spec: RunSpec,
    dataset: Dataset,
    numbers: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
    frames: int,
    record: RunRecord,
) -> Generator[Event, None, None]:
    task = prepare(dataset, spec, numbers, device=device, dtype=dtype)
    camera = Camera(task, frames)
    cls = method(spec.method)
    told = Progress(0, 1)
    with plugins.tell_faults(spec.method if cls.plugin else ""):
        fitting = Running(cls(**spec.params).fit(task, camera=camera))
        for event in fitting:
            record.add_event(event)
            if isinstance(event, Progress):
                event = told = record.run_progress(event, numbers)
            if not isinstance(event, (Frame, Scene)) or event.replicate == 0:
                yield event
    record.add_chunk(task, fitting.value, append_points(dataset, spec.points), camera)
    if not record.generated:
        return
    if "x" not in record.generated:
        record.add_mixture_checks(task, fitting.value)
        return
    yield Phase("judging", "Asking another classifier about the generated images")
    for r in range(len(numbers)):
        judging = Running(train_judge(task, r, dataset, spec))
        for _ in judging:
            yield told
        record.add_checks(task, fitting.value, r, judging.value)


def drive(running: Run) -> tuple[list[Event], Result, dict[str, bytes]]:
    """Runs to the end: (events, result, artifacts)."""
    events: list[Event] = []
    result, artifacts = finish(running, events.append)
    return events, result, artifacts
