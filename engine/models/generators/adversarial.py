"""What generators share: their interface, batches, new layers from a stream, one Adam per player, pixels in [-1, 1].

A generator is fitted on the training rows of one replicate alone. Its layers are plain torch modules: nothing else needs their parameters
as one tensor. All it draws comes from the replicate's streams, on the CPU.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import BadInput
from engine.text import quote

LAWS = ("uniform", "glorot", "normal")
"""How new layers are drawn; see `initialise`."""
BETAS = (0.5, 0.999)
"""Of Adam, for every player."""
EVENTS = 100
"""Epoch events of a stage, at most; each tells the means over its share of the steps."""
DRAWN_AT_ONCE = 512
"""New rows that go through a network at once."""


@dataclass(frozen=True)
class Made:
    """New rows x [m, d] of classes y [m], class after class, ascending.

    how: name -> [m, ...], what a picture of each row needs. pictures: name -> [C, k, p, d], p rows to be shown beside the first k new rows
    of each class, NaN where there are none. instead: class -> "copies", where its only row was repeated.
    """

    x: Tensor
    y: Tensor
    how: Mapping[str, Tensor] = field(default_factory=dict)
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    instead: Mapping[int, str] = field(default_factory=dict)


def do_nothing() -> None:
    """The end of a stage that has none."""


@dataclass(frozen=True)
class Stage:
    """A part of a generator's training: the name and the text of its Phase, and what it does.

    step: one step; returns the values of an Epoch event, each a tensor without dimensions on the generator's device. end: called after
    the last step.
    """

    name: str
    text: str
    steps: int
    step: Callable[[], Mapping[str, Tensor]]
    end: Callable[[], None] = do_nothing


class RowGenerator(abc.ABC):
    """A generator of one replicate. stages: what its training does, in this order; of the same names in every replicate."""

    stages: Sequence[Stage]

    @abc.abstractmethod
    def draw(self, wanted: Mapping[int, int], rng: np.random.Generator | np.random.RandomState) -> Made:
        """wanted[c] new rows of each class c. Changes nothing: the same numbers from the same `rng`."""

    @abc.abstractmethod
    def tensors(self) -> Iterable[Tensor]:
        """What it keeps once it is trained, for the bytes of a cache."""

    def settle(self) -> None:
        """Drops what training alone needs."""
        self.stages = ()


@dataclass(frozen=True)
class Streams:
    """Random streams of one replicate, on the CPU: of new layers, of batches, of all noise that training draws."""

    init: torch.Generator
    batch: torch.Generator
    noise: torch.Generator


class Scale(Protocol):
    """Rows [n, d] -> rows, and back. `line`: slope and shift [d] of the way in, for rows like `x` [n, d]."""

    def enter(self, x: Tensor) -> Tensor: ...
    def leave(self, x: Tensor) -> Tensor: ...
    def line(self, x: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Pixels:
    """Standardised pixels [n, d] -> pixels in [-1, 1], and back. mean, sd: of each channel's grey values in [0, 1]."""

    mean: Tensor
    sd: Tensor

    def enter(self, x: Tensor) -> Tensor:
        """Pixels from -1 (black) to 1."""
        by_channel = x.view(len(x), len(self.mean), x.shape[1] // len(self.mean))  # -1 fails where there is no row
        return (2 * (by_channel * self.sd.view(1, -1, 1) + self.mean.view(1, -1, 1)) - 1).clamp(-1, 1).flatten(1)

    def leave(self, x: Tensor) -> Tensor:
        """Standardised pixels of pixels that are clipped to [-1, 1]; they are not rounded to whole grey values."""
        by_channel = (x.clamp(-1, 1).reshape(len(x), len(self.mean), x.shape[1] // len(self.mean)) + 1) / 2
        return ((by_channel - self.mean.view(1, -1, 1)) / self.sd.view(1, -1, 1)).flatten(1)

    def line(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See Scale; without the clipping."""
        per = x.shape[1] // len(self.mean)
        return 2 * self.sd.repeat_interleave(per), 2 * self.mean.repeat_interleave(per) - 1


@dataclass(frozen=True)
class Unscaled:
    """Rows as they are."""

    def enter(self, x: Tensor) -> Tensor:
        """The same rows."""
        return x

    def leave(self, x: Tensor) -> Tensor:
        """The same rows."""
        return x

    def line(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See Scale."""
        return torch.ones_like(x[0]), torch.zeros_like(x[0])


@dataclass(frozen=True)
class Standardised:
    """Rows [n, d] with mean 0 and sd 1 in every column, and back. mean, sd [d]."""

    mean: Tensor
    sd: Tensor

    @classmethod
    def fit(cls, x: Tensor) -> Standardised:
        """By the rows x [n, d]; a column without any spread is only centred."""
        sd = x.std(0, correction=0)
        return cls(x.mean(0), torch.where(sd > 0, sd, 1.0))

    def enter(self, x: Tensor) -> Tensor:
        """The standardised rows."""
        return (x - self.mean) / self.sd

    def leave(self, x: Tensor) -> Tensor:
        """The rows in their own units."""
        return x * self.sd + self.mean

    def line(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See Scale."""
        return 1 / self.sd, -self.mean / self.sd


class Shuffled:
    """Numbers of n rows in batches of `size`, shuffled anew in each pass. The last batch of a pass is shorter; one of fewer than `least`
    rows is left out, unless the pass has no other.
    """

    def __init__(self, n: int, size: int, stream: torch.Generator, *, least: int = 1) -> None:
        self.n, self.size, self.stream, self.least = n, size, stream, least
        self.left: list[Tensor] = []

    def take(self) -> Tensor:
        """The next batch [at most size] int64, on the CPU."""
        if not self.left:
            parts = list(torch.split(torch.randperm(self.n, generator=self.stream), self.size))
            self.left = parts[:-1] if len(parts) > 1 and len(parts[-1]) < self.least else parts
        return self.left.pop(0)


def build(
    make: Callable[[], nn.Module], stream: torch.Generator, *, law: str, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """A module with new parameters from the stream, without a draw of torch's own generator."""
    with torch.device("meta"):
        module = make()
    return initialise(module.to_empty(device="cpu").double(), stream, law=law).to(device=device, dtype=dtype)


@torch.no_grad()
def initialise(module: nn.Module, stream: torch.Generator, *, law: str) -> nn.Module:
    """Draws all parameters of a module on the CPU, in their order, in float64; fresh statistics of batch norm.

    law: uniform, as in torch's layers, U(-1/sqrt(fan in), 1/sqrt(fan in)), biases too; glorot, U(+-sqrt(6 / (fan in + fan out))), biases 0;
    normal, N(0, .02), biases 0. Scales of batch norm are 1, embeddings N(0, 1).
    """
    for layer in module.modules():
        weight = getattr(layer, "weight", None)
        norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
        for name, parameter in layer.named_parameters(recurse=False):
            if norm or weight is None:
                parameter.fill_(float(norm and name == "weight"))
                continue
            inside, outside = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
            if isinstance(layer, nn.Embedding):
                parameter.normal_(generator=stream)
            elif law == "uniform":
                parameter.uniform_(-(inside**-0.5), inside**-0.5, generator=stream)
            elif name == "bias":
                parameter.zero_()
            elif law == "glorot":
                bound = (6 / (inside + outside)) ** 0.5
                parameter.uniform_(-bound, bound, generator=stream)
            else:
                parameter.normal_(0.0, 0.02, generator=stream)
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_running_stats()
    return module


def new_adam(parameters: Iterable[nn.Parameter], rate: float, betas: tuple[float, float] = BETAS) -> torch.optim.Optimizer:
    """Adam of one player, with moments and a count of steps of its own."""
    return torch.optim.Adam(list(parameters), lr=rate, betas=betas, foreach=True)


def descend(loss: Tensor, players: Sequence[torch.optim.Optimizer], modules: Sequence[nn.Module] = ()) -> None:
    """One step of the players on a loss. modules: whose gradients are dropped afterwards, as they do not step."""
    for player in players:
        player.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for player in players:
        player.step()
    for module in modules:
        module.zero_grad(set_to_none=True)


def draw_normal(count: int, width: int, stream: torch.Generator, like: Tensor) -> Tensor:
    """[count, width] standard normal numbers of the stream, drawn in float64 on the CPU."""
    return torch.randn(count, width, generator=stream, dtype=torch.float64).to(like)


def draw_uniform(count: int, low: float, high: float, stream: torch.Generator, like: Tensor) -> Tensor:
    """[count] uniform numbers of the stream, drawn in float64 on the CPU."""
    return (low + (high - low) * torch.rand(count, generator=stream, dtype=torch.float64)).to(like)


def draw_classes(law: Tensor, count: int, stream: torch.Generator) -> Tensor:
    """[count] int64 classes on the CPU, drawn by the law [C], with sum 1."""
    ends = law.double().cumsum(0)
    u = torch.rand(count, generator=stream, dtype=torch.float64) * ends[-1]
    return torch.searchsorted(ends, u, right=True).clamp(max=int(torch.nonzero(law).max()))


def in_blocks(through: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """through(x), DRAWN_AT_ONCE rows at a time, which limits memory."""
    return torch.cat([through(part) for part in torch.split(x, DRAWN_AT_ONCE)])


def check_side(shape: tuple[int, int, int] | None, name: str, kind: str = "") -> int:
    """The side of square images. Raises BadInput for rows that are no images, and for sides that cannot be halved twice."""
    if shape is None:
        raise BadInput(f"{name} needs images; these data are {kind or 'a table'}.")
    _, height, width = shape
    if height != width or height % 4 or height < 8:
        raise BadInput(
            f"{name} needs square images with a side divisible by 4, at least 8; these are {quote(f'{height} x {width}')}."
        )
    return height


def draw_balanced(rows: Sequence[Tensor], count: int, stream: torch.Generator) -> Tensor:
    """[count] row numbers on the CPU: a class drawn from all alike, then one of its rows. rows: the numbers of each class's rows."""
    u = torch.rand(2, count, generator=stream, dtype=torch.float64)
    sizes = torch.tensor([len(own) for own in rows])
    begins = sizes.cumsum(0) - sizes
    which = (u[0] * len(rows)).long()
    return torch.cat(list(rows))[begins[which] + (u[1] * sizes[which]).long()]
