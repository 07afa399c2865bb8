"""The pretend device itself: it refuses what CUDA refuses and counts what CUDA copies and waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.pretend.device import NAME, Pretend, Tally, pretend

X = torch.arange(6.0).reshape(2, 3)
FEW = torch.tensor([0, 1])
MASK = torch.tensor([True, False])


@pytest.fixture
def tally() -> Iterator[Tally]:
    with pretend() as counted:
        yield counted


def here(x: Tensor) -> Pretend:
    return Pretend(x.clone())


def counted(tally: Tally) -> dict[str, int]:
    return {kind: sum(n for (own, _), n in tally.items() if own == kind) for kind in ("transfer", "wait")}


REFUSED: dict[str, Callable[[Pretend], Any]] = {
    "a sum with the CPU's": lambda x: x + X,
    "a product with the CPU's": lambda x: X.T @ x,
    "a change in place by the CPU's": lambda x: x.add_(X),
    "a change of the CPU's in place": lambda x: torch.zeros(2, 3).add_(x),
    "a change of a CPU number in place": lambda x: torch.tensor(1.0).add_(x.sum()),
    "a choice by the CPU's": lambda x: torch.where(X > 0, x, 0.0),
    "joining with the CPU's": lambda x: torch.cat([x, X]),
    "stacking CPU numbers": lambda x: torch.stack([x.sum(), torch.tensor(1.0)]),
    "gathering by the CPU's index": lambda x: x.gather(0, torch.zeros(1, 3, dtype=torch.int64)),
    "choosing rows by the CPU's index": lambda x: x.index_select(0, FEW),
    "indexing the CPU's": lambda x: X[here(FEW)],
    "putting the CPU's rows": lambda x: x.__setitem__(here(FEW), X),
    "a gradient that meets the CPU's": lambda x: torch.autograd.grad((x.requires_grad_() * X).sum(), x),
    "drawing there": lambda x: torch.rand(2, device=x.device),
    "drawing there by a CPU stream": lambda x: torch.randperm(4, device=NAME, generator=torch.Generator()),
    "a draw in place": lambda x: x.normal_(),
    "numpy": lambda x: x.numpy(),
    "numpy.asarray": lambda x: np.asarray(x),
}


@pytest.mark.parametrize("do", REFUSED.values(), ids=REFUSED)
def test_it_refuses_what_is_elsewhere(do: Callable[[Pretend], Any], tally: Tally) -> None:
    with pytest.raises((RuntimeError, TypeError), match="same device|draws on|numpy"):
        do(here(X))
    assert not tally


COUNTED: dict[str, tuple[Callable[[Pretend], Any], int, int]] = {
    "to the device": (lambda x: X.to(x.device), 1, 0),
    "to the device in another precision": (lambda x: X.to(NAME, torch.float64), 1, 0),
    "like a tensor": (lambda x: X.to(x), 1, 0),
    "a list": (lambda x: torch.tensor([1.0, 2.0], device=NAME), 1, 0),
    "copied into": (lambda x: x.copy_(X), 1, 0),
    "rows assigned": (lambda x: x.__setitem__(slice(0, 1), X[:1]), 1, 0),
    "indexed by the CPU's index": (lambda x: x[FEW], 1, 0),
    "indexed by the CPU's mask": (lambda x: x[MASK], 1, 0),
    "put by the CPU's mask": (lambda x: x.__setitem__(MASK, x[:1].clone()), 1, 0),
    "to the CPU": (lambda x: x.cpu(), 0, 1),
    "copied to the CPU": (lambda x: torch.zeros(2, 3).copy_(x), 0, 1),
    "a number": (lambda x: x.sum().item(), 0, 1),
    "a condition": (lambda x: bool((x > 0).all()), 0, 1),
    "an integer": (lambda x: int(x[0, 0]), 0, 1),
    "a list of it": (lambda x: x.tolist(), 0, 1),
    "places that are not 0": (lambda x: x.nonzero(), 0, 1),
    "rows by a mask": (lambda x: x[here(MASK)], 0, 1),
    "rows put by a mask": (lambda x: x.__setitem__(here(MASK), x[:1].clone()), 0, 1),
    "repeated as often as values say": (lambda x: x[0, :2].repeat_interleave(here(FEW)), 0, 1),
    "whether equal": (lambda x: torch.equal(x, x), 0, 1),
    "counts of values": (lambda x: torch.bincount(here(FEW)), 0, 1),
    "a number put by a mask": (lambda x: x.__setitem__(here(MASK), 0.0), 0, 0),
    "a new one there": (lambda x: torch.zeros(2, device=x.device) + torch.arange(2, device=NAME), 0, 0),
    "another precision": (lambda x: x.double().to(x), 0, 0),
    "where it is": (lambda x: x.to(NAME), 0, 0),
    "with a CPU number": (lambda x: torch.where(x > 0, x * torch.tensor(2.0), 1), 0, 0),
    "a shape from shapes": (lambda x: x[0].repeat_interleave(2).view(2, 3)[:, 1:].sort().values, 0, 0),
    "one hot": (lambda x: torch.nn.functional.one_hot(here(FEW), 3), 0, 0),
    "a gradient": (lambda x: torch.autograd.grad((x.requires_grad_() ** 2).sum(), x), 0, 0),
}


@pytest.mark.parametrize(("do", "transfers", "waits"), COUNTED.values(), ids=COUNTED)
def test_it_counts(do: Callable[[Pretend], Any], transfers: int, waits: int, tally: Tally) -> None:
    do(here(X))
    assert counted(tally) == {"transfer": transfers, "wait": waits}


def test_results_are_the_cpus_and_stay_there(tally: Tally) -> None:
    x = here(X)
    view = x.view(3, 2)[1:]
    view += 1
    out = torch.zeros_like(x)
    assert torch.add(x, 1, out=out) is out and x.mul_(2) is x
    expected = X.clone()
    expected.view(3, 2)[1:] += 1
    assert torch.equal(out.raw, expected + 1) and torch.equal(x.raw, expected * 2)
    assert all(t.device == torch.device(NAME, 0) for t in (x, view, out, *x.sort(), *x.split(1)))
    assert not x.is_cuda and not tally


def test_gradients_are_the_cpus(tally: Tally) -> None:
    layer = torch.nn.Linear(3, 2)
    there = torch.nn.Linear(3, 2).requires_grad_()
    there.weight, there.bias = (torch.nn.Parameter(here(p.detach())) for p in (layer.weight, layer.bias))
    for own, x in ((layer, X), (there, here(X))):
        own(x).tanh().square().sum().backward()
    assert torch.equal(there.weight.grad.raw, layer.weight.grad) and torch.equal(there.bias.grad.raw, layer.bias.grad)
    assert not tally


def test_without_the_context_there_is_no_such_device() -> None:
    with pytest.raises(NotImplementedError):
        torch.zeros(2, device=NAME)
