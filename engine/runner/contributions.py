"""First-order effect of each synthetic point on the validation loss.

theta: the network of the chosen epoch. l: the cross-entropy of one row. L: its mean over the replicate's validation rows. The
*contribution* of a synthetic point (z, y) is

    c(z) = -<grad_theta l(z, y; theta), grad_theta L(theta)>    (nats per unit of step).

It is the derivative at s = 0 of L(theta - s grad_theta l(z, y; theta)): **if it is negative, the point lowers the validation
loss.** A step of gradient descent of size eta over N rows has the point's term with weight 1 / N. To first order in eta, the
point therefore changes the validation loss of that step by c(z) eta / N.

The large classes dominate L, and a minority point usually raises it, whatever it does for its own class. Every number is
therefore also given for the mean over classes of each class's mean loss ("alike").

Explicit gradient learning moves its points down this quantity: the meta-gradient of a point is c's gradient in z times eta / N,
at the step's own network and held-out batch. `compute_descent` gives -grad_z c(z), the direction in which it would move each
point here.

A contribution is not the effect of training again without the point. Near a minimum of the training loss with Hessian H, that
effect is c with the inverse of H between its two gradients. The two agree if H is near a multiple of the identity; otherwise
sign and order are only a guide. A contribution describes the chosen network, not earlier ones, and the loss, not average
precision. The validation rows have chosen that network, so it is no estimate for new rows either.

Everything is computed in float64, in chunks, for all replicates at once: one gradient over the validation rows and, for the
points, one forward pass with forward-mode derivatives instead of one gradient per point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis.moves import move_lengths
from engine.data.dataset import Rows, Task
from engine.losses import cross_entropy, mean_weights
from engine.models.mlp import MLP
from engine.models.net import Net
from engine.training.fitted import Fitted

MAX_VALUES = 4_000_000
"""Largest number of values (replicates x rows x widest layer) in a chunk: 32 MB per tensor."""

MAX_POINTS = 5000
"""Points of a replicate that are kept. Of more, those in the picture and the MAX_ARROWS best and worst are kept."""
MAX_ARROWS = 200


def is_supported(net: Net) -> bool:
    """Whether contributions can be computed for this network: an MLP with a plain last layer."""
    return isinstance(net, MLP) and not net.cosine


@torch.no_grad()
def validation_gradient(net: MLP, valid: Rows, *, alike: bool = False) -> Tensor:
    """grad_theta L [R, P] in float64; 0 for a replicate without validation rows. alike: the classes that have rows have equal
    weight.
    """
    net = _to_double(net)
    weights = mean_weights(valid.mask, torch.float64)
    if alike:
        counts = valid.counts(net.classes)
        weights = valid.mask.double() / counts.gather(1, valid.y).clamp(min=1) / (counts > 0).sum(1, keepdim=True).clamp(min=1)
    total = torch.zeros_like(net.flat)
    for own in _chunks(net, valid.x.shape[1]):
        total += net.gradient(valid.x[:, own].double(), valid.y[:, own], weights[:, own], cross_entropy)[1]
    return total


@torch.no_grad()
def compute_contributions(net: MLP, points: Rows, gradient: Tensor) -> Tensor:
    """c of every point [R, n], float64; NaN where points.mask is False. gradient [R, P]: from `validation_gradient`."""
    net = _to_double(net)
    parts = [
        net.along(points.x[:, own].double(), points.y[:, own], cross_entropy, gradient)
        for own in _chunks(net, points.x.shape[1])
    ]
    return torch.where(points.mask, -torch.cat(parts, 1), torch.nan)


@torch.no_grad()
def compute_descent(net: MLP, points: Rows, gradient: Tensor) -> Tensor:
    """-grad_z c(z) of every point [R, n, D], float64, in loss per unit of step and sd; 0 where points.mask is False."""
    net = _to_double(net)
    weights = points.mask.double()
    parts = [
        net.mixed(points.x[:, own].double(), points.y[:, own], weights[:, own], cross_entropy, net.flat, gradient)[0]
        for own in _chunks(net, points.x.shape[1])
    ]
    return torch.cat(parts, 1)


def measure_run(
    task: Task, fitted: Fitted, drawn: Sequence[np.ndarray], axes: Sequence[np.ndarray]
) -> list[dict[str, np.ndarray]] | None:
    """The artifact `contributions/<replicate>` of each replicate, float32 unless stated.

    None if contributions cannot be computed: no synthetic points among the input rows, no rows held out for validation, or a
    network that is not `is_supported`.

    k points are kept, see MAX_POINTS, m of them in the picture:
        number [k] int32    number of the point in its replicate, ascending        value [k]    its contribution c
        alike [k]           c with equal weights of the classes
        moved [k]           distance from where it started, in sd                  label [k]    its class, int16
        row [k] int32       the dataset's row that it was copied from, -1 if it is no copy
        drawn [m] int32     index among the k of each point of a frame, in the frame's order
        arrow [m, 2]        `compute_descent` in the picture's plane; m = 0 if the plane is not one of input rows
        every [2, n]        both contributions of all n points: for the summary, not stored

    drawn: numbers of the points of each replicate's frames (`Camera.drawn`), or nothing. axes: [2, D] of each replicate's
    plane, or nothing.
    """
    net, s = fitted.net, fitted.synthetic
    if s is None or not task.held_out or not is_supported(net):
        return None
    assert isinstance(net, MLP)
    points = Rows(s.x, s.y, s.mask)
    gradient = validation_gradient(net, task.valid)
    value, moved = _numpy(compute_contributions(net, points, gradient)), _numpy(move_lengths(s.start, s.x))
    alike = _numpy(compute_contributions(net, points, validation_gradient(net, task.valid, alike=True)))
    arrows = _sample_arrows(net, points, gradient, drawn, axes) if drawn and axes else None
    out = []
    for r, size in enumerate(s.mask.sum(1).tolist()):
        shown = np.asarray(drawn[r], np.int64) if drawn else np.zeros(0, np.int64)
        kept = np.arange(size)
        if size > MAX_POINTS:
            order = np.argsort(value[r, :size], kind="stable")
            kept = np.unique(np.concatenate([order[:MAX_ARROWS], order[-MAX_ARROWS:], shown]))
        rows = np.full(len(kept), -1, np.int32)
        if s.parent is not None:
            parent = s.parent[r].cpu().numpy()[kept]
            rows[parent >= 0] = task.source[r][parent[parent >= 0]]
        out.append(
            {
                "number": kept.astype(np.int32),
                "value": value[r, kept].astype(np.float32),
                "alike": alike[r, kept].astype(np.float32),
                "moved": moved[r, kept].astype(np.float32),
                "label": s.y[r].cpu().numpy()[kept].astype(np.int16),
                "row": rows,
                "drawn": np.searchsorted(kept, shown).astype(np.int32),
                "arrow": np.zeros((0, 2), np.float32) if arrows is None else arrows[r],
                "every": np.stack([value[r, :size], alike[r, :size]]),
            }
        )
    return out


def summarise_contributions(
    every: Sequence[np.ndarray], interval: Callable[[np.ndarray, tuple[float, float]], dict[str, Any]]
) -> dict[str, Any]:
    """`engine.spec.result.Result.contributions` from each replicate's contributions, plain and alike, [2, n] each; empty if no
    replicate has a point.

    interval(values [R], bounds) -> {mean, low, high, values}.
    """
    if not any(c.size for c in every):
        return {}
    helpful = np.array([(c < 0).mean(1) if c.size else (np.nan, np.nan) for c in every])
    mean = np.array([c.mean(1) if c.size else (np.nan, np.nan) for c in every])
    out: dict[str, Any] = {"points": float(np.mean([c.shape[1] for c in every]))}
    for column, suffix in enumerate(("", "_alike")):
        out["helpful" + suffix] = interval(helpful[:, column], (0.0, 1.0))
        out["mean" + suffix] = interval(mean[:, column], (-np.inf, np.inf))
    return out


def _sample_arrows(
    net: MLP, points: Rows, gradient: Tensor, drawn: Sequence[np.ndarray], axes: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """`compute_descent` of the drawn points, in each replicate's plane: [m, 2]."""
    width = max(1, *map(len, drawn))
    index = torch.zeros(len(drawn), width, dtype=torch.int64)
    for r, which in enumerate(drawn):
        index[r, : len(which)] = torch.from_numpy(np.asarray(which, np.int64))
    index = index.to(points.x.device)
    mask = torch.arange(width, device=index.device) < torch.tensor([[len(w)] for w in drawn], device=index.device)
    x = points.x.gather(1, index.unsqueeze(2).expand(-1, -1, points.x.shape[2]))
    down = _numpy(compute_descent(net, Rows(x, points.y.gather(1, index), mask), gradient))
    return [(down[r, : len(which)] @ axes[r].T).astype(np.float32) for r, which in enumerate(drawn)]


def _to_double(net: MLP) -> MLP:
    return MLP(net.sizes, net.activation, net.flat.detach().double(), net.cosine)


def _chunks(net: MLP, rows: int) -> Iterator[slice]:
    size = max(1, MAX_VALUES // (len(net.flat) * max(net.sizes)))
    for first in range(0, rows, size):
        yield slice(first, first + size)


def _numpy(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
