"""A device that is not the CPU: its tensors hold CPU data, refuse what CUDA refuses, and count what CUDA copies and waits for.

`with pretend() as tally:` makes torch take "pretend" for a device. A *transfer* copies from the host to the device. A *wait* makes the
host wait for the device: values are read, or the shape of a result depends on them. The rules are those of CUDA in torch 2.13.

Importing this module registers the device. That cannot be undone, and autograd fails afterwards if it ran before in the process:
tests import it in a process of their own (tests/test_pretend.py).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
ROOT = Path(__file__).parents[2]
ENGINE = str(ROOT / "engine")

_ATEN = torch.ops.aten
_GETS = {_ATEN.index.Tensor}
_PUTS = {_ATEN.index_put.default, _ATEN.index_put_.default, _ATEN._index_put_impl_.default}
_WAITS = {_ATEN._local_scalar_dense, _ATEN.nonzero, _ATEN.masked_select, _ATEN.equal, _ATEN.bincount, _ATEN.histc}
_WAITS |= {_ATEN._unique, _ATEN._unique2, _ATEN.unique_dim, _ATEN.unique_consecutive}

Tally = Counter[tuple[str, str]]
"""("transfer" or "wait", file:line of the engine) -> how often."""

_tally: Tally = Counter()
_setup_privateuseone_for_python_backend(NAME)


class Pretend(Tensor):
    """A tensor on the device. raw: its values on the CPU, which views of it share."""

    raw: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> Pretend:
        layout = {"strides": raw.stride(), "storage_offset": raw.storage_offset(), "dtype": raw.dtype}
        made: Pretend = Tensor._make_wrapper_subclass(cls, raw.shape, device=f"{NAME}:0", **layout)
        made.raw = raw
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def numpy(self, **_: Any) -> Any:
        """Refused, as by CUDA. `numpy.asarray` ends here too."""
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy it to the host.")

    def tolist(self) -> Any:
        """One wait. torch's own reads the memory of the tensor, and this one has none."""
        _count("wait")
        return self.raw.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Pretend({self.raw!r})"


class _Mode(TorchDispatchMode):
    """Takes every operation, so also those that make a tensor on the device where no argument is there yet."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: no compiler is called here, and to keep it out takes a tenth of the time."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        ours = Pretend in types or _ours(kwargs.get("device"))
        return _run(func, args, kwargs) if ours else func(*args, **kwargs)


@contextmanager
def pretend() -> Iterator[Tally]:
    """Within, torch has the device; yields what is counted there."""
    tensor = torch.tensor

    def placed(data: Any, *, device: Any = None, **others: Any) -> Tensor:
        """torch.tensor, which copies to a device past the dispatcher."""
        return tensor(data, **others).to(device) if _ours(device) else tensor(data, device=device, **others)

    _tally.clear()
    with mock.patch.object(torch, "tensor", placed), _Mode():
        yield _tally


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation on the CPU data; its results are on the device, but where another one is asked for by name."""
    given = [*_tensors(args), *_tensors(kwargs.values())]
    ours = {id(t.raw): t for t in given if isinstance(t, Pretend)}
    device = kwargs.get("device")
    to_host = device is not None and not _ours(device)
    draws, in_place = _traits(func)
    if draws:
        raise RuntimeError(f"{func} draws on {NAME}; no other device draws the same: draw on the CPU.")
    if func is _ATEN._to_copy.default or func is _ATEN.copy_.default:
        target, source = (args[0], args[1]) if len(args) > 1 else (None, args[0])
        to_host = to_host if target is None else not isinstance(target, Pretend)
        if to_host or not isinstance(source, Pretend):
            _count("wait" if to_host else "transfer")
    elif ours:
        _check(func, args, kwargs, given)
    out = func(*_raw(args), **_raw({k: "cpu" if k == "device" and _ours(v) else v for k, v in kwargs.items()}))
    if in_place and any(t.shape != t.raw.shape for t in ours.values()):
        raise NotImplementedError(f"{func} changes a shape in place.")
    return out if to_host else _placed(out, ours)


@cache
def _traits(func: Any) -> tuple[bool, bool]:
    """Whether an operation draws at random, and whether it changes an argument."""
    return torch.Tag.nondeterministic_seeded in func.tags, func._schema.is_mutable


def _check(func: Any, args: Any, kwargs: dict[str, Any], given: list[Tensor]) -> None:
    """Refuse operands that are on the CPU, and count. A number (0 dimensions) or an index may be there."""
    if func in _GETS | _PUTS:
        given = [args[0], *args[2:3]]
        for index in _tensors(args[1]):
            if not isinstance(index, Pretend):
                _count("transfer", index.dim() if index.dtype == torch.bool else 1)  # its places, found on the host
            elif index.dtype == torch.bool and (func in _GETS or args[2].dim()):  # a number goes by the mask itself
                _count("wait")
    in_lists = {id(t) for a in args if isinstance(a, (list, tuple)) for t in a if isinstance(t, Tensor)}
    for number, t in enumerate(given):
        mutated = number == 0 and _traits(func)[1]
        if not isinstance(t, Pretend) and (t.dim() or mutated or id(t) in in_lists):
            raise RuntimeError(f"Expected all tensors to be on the same device, but found {NAME}:0 and {t.device}: {func}.")
    if func.overloadpacket in _WAITS or (func is _ATEN.repeat_interleave.Tensor and kwargs.get("output_size") is None):
        _count("wait")


def _count(kind: str, times: int = 1) -> None:
    """Under the innermost line of the engine that runs now; backward passes run none."""
    frame, site = sys._getframe(1), "elsewhere"
    while frame is not None and site == "elsewhere":
        if frame.f_code.co_filename.startswith(ENGINE):
            site = f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    _tally[kind, site] += times


def _ours(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _raw(value: Any) -> Any:
    if isinstance(value, Pretend):
        return value.raw
    if isinstance(value, dict):
        return {k: _raw(v) for k, v in value.items()}
    return type(value)(map(_raw, value)) if isinstance(value, (list, tuple)) else value


def _placed(out: Any, ours: dict[int, Pretend]) -> Any:
    """Results on the device; a tensor that was changed in place is itself."""
    if isinstance(out, Tensor):
        return ours.get(id(out)) if id(out) in ours else Pretend(out)
    return type(out)(_placed(o, ours) for o in out) if isinstance(out, (list, tuple)) else out
