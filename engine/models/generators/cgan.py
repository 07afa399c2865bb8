"""A conditional GAN of DCGAN's size (Radford et al. 2016) with a projection discriminator (Miyato and Koyama 2018).

The paper that the second paper cites for its row CGAN is not available, so this is an interpretation, not that method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.generators.adversarial import (
    Made,
    RowGenerator,
    Shuffled,
    Stage,
    Streams,
    build,
    descend,
    draw_balanced,
    draw_normal,
    in_blocks,
    new_adam,
)

Shape = tuple[int, int, int]
STABILISE = ("spectral+spread", "spectral", "none")
LOSSES = ("logistic", "hinge")
SLOPE = 0.2
"""Of the discriminator's leaky ReLU below 0."""
SPREAD_SCALE = 10.0
"""Factor of the batch spread, which brings it to the size of the other inputs."""
LEAST_VARIANCE = 1e-12
"""Variance below which a batch spread counts as 0, where the root has no slope."""
MOST_CLASSES = 20
"""Classes with a GAN each, at most."""


class Attention(nn.Module):
    """Self-attention over the places of maps (Zhang et al. 2019): x + gamma attention(x). gamma starts at 0, so that it changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(width, max(1, width // 8), 1) for _ in range(2))
        self.value = nn.Conv2d(width, width, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x [n, w, h, h]."""
        query, key, value = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(2)
        seen: Tensor = self.gamma * (value @ weights.transpose(1, 2)).view_as(x)
        return x + seen


def count_doublings(side: int) -> int:
    """Doublings from the generator's first maps to the side: 3 for images of 64 pixels and more, else 2."""
    return 3 if side >= 64 and side % 8 == 0 else 2


class Generator(nn.Module):
    """Noise [n, noise] and classes [n] -> images in (-1, 1), [n, channels, side, side].

    Noise and the class's embedding -> 2 w maps of a quarter of the side; transposed 4 x 4 convolutions of stride 2, batch norm and ReLU
    between them; tanh. attention: one block at half the side.
    """

    def __init__(self, shape: Shape, classes: int, noise: int, embedding: int, maps: int, attention: bool) -> None:
        super().__init__()
        channels, side, _ = shape
        doublings = count_doublings(side)
        sizes = [maps * 2**k for k in range(doublings - 1, -1, -1)]
        self.start = (sizes[0], side >> doublings, side >> doublings)
        self.classes = nn.Embedding(classes, embedding)
        flat = sizes[0] * (side >> doublings) ** 2
        self.dense = nn.Sequential(nn.Linear(noise + embedding, flat), nn.BatchNorm1d(flat), nn.ReLU())
        layers: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        if attention:
            layers.append(Attention(sizes[-1]))
        self.maps = nn.Sequential(*layers, nn.ConvTranspose2d(sizes[-1], channels, 4, stride=2, padding=1), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z [n, noise], y [n] int64."""
        images: Tensor = self.maps(self.dense(torch.cat([z, self.classes(y)], 1)).view(len(z), *self.start))
        return images


class SpectralNorm(nn.Module):
    """A convolution or linear layer whose weight is divided by its largest singular value, which one power iteration a batch follows
    (Miyato et al. 2018).
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("left", torch.ones(layer.weight.shape[0]))
        self.left: Tensor

    def begin(self, stream: torch.Generator) -> None:
        """Draws the first singular vector."""
        drawn = torch.randn(self.left.shape, generator=stream, dtype=torch.float64)
        self.left.copy_(drawn / drawn.norm())

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output. The singular vectors move on in training alone; no gradient goes through them."""
        layer = self.layer
        matrix = layer.weight.flatten(1)
        with torch.no_grad():
            right = functional.normalize(torch.mv(matrix.T, self.left), dim=0)
            left = functional.normalize(torch.mv(matrix, right), dim=0)
            if self.training:
                self.left.copy_(left)
        weight = layer.weight / (left * torch.mv(matrix, right)).sum()
        if isinstance(layer, nn.Conv2d):
            return functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)
        return functional.linear(x, weight, layer.bias)


class Discriminator(nn.Module):
    """Images [n, channels, side, side] and classes [n] -> logits [n]: v . h + b + e_y . h, h the flat maps of two convolutions (three
    for images of 64 pixels). e starts at 0, so that it begins without the class.

    spectral: spectral norm of convolutions and v. spread: one more input beside h, the mean over its features of their standard deviation
    within the batch's rows of the same class, times SPREAD_SCALE; then e_y . h is divided by the root of h's length. attention: one block
    at half the side.
    """

    def __init__(self, shape: Shape, classes: int, width: int, *, spectral: bool, spread: bool, attention: bool) -> None:
        super().__init__()
        channels, side, _ = shape
        doublings = count_doublings(side)
        sizes = [channels, *(width * 2**k for k in range(doublings))]
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
            convolution = nn.Conv2d(a, b, 4, stride=2, padding=1)
            layers += [SpectralNorm(convolution) if spectral else convolution, nn.LeakyReLU(SLOPE)]
            layers += [Attention(b)] if attention and k == 0 else []
        self.maps = nn.Sequential(*layers)
        length = sizes[-1] * (side >> doublings) ** 2
        self.spread = spread
        linear = nn.Linear(length + spread, 1)
        self.linear = SpectralNorm(linear) if spectral else linear
        self.projection = nn.Parameter(torch.zeros(classes, length))

    def begin(self, stream: torch.Generator) -> None:
        """Draws what spectral norm begins with."""
        for module in self.modules():
            if isinstance(module, SpectralNorm):
                module.begin(stream)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x: images, y [n] int64."""
        h = self.maps(x).flatten(1)
        named = (self.projection[y] * h).sum(1)
        if not self.spread:
            return cast(Tensor, self.linear(h).squeeze(1) + named)
        beside = SPREAD_SCALE * measure_spread(h, y, len(self.projection))
        together = torch.cat([h, beside.unsqueeze(1)], 1)
        return cast(Tensor, self.linear(together).squeeze(1) + named / h.shape[1] ** 0.5)


def measure_spread(h: Tensor, y: Tensor, classes: int) -> Tensor:
    """Of each row the mean, over the features h [n, k], of their standard deviation in the rows of its class, [n]; 0 for a single row."""
    own = functional.one_hot(y, classes).to(h.dtype)
    counts = own.sum(0).clamp(min=1).unsqueeze(1)
    centred = h - ((own.T @ h) / counts)[y]
    variance = (own.T @ centred.square()) / counts
    apart = variance > LEAST_VARIANCE
    roots = torch.where(apart, torch.where(apart, variance, 1.0).sqrt(), 0.0)
    return roots.mean(1)[y]


def discriminator_loss(real: Tensor, made: Tensor, loss: str) -> Tensor:
    """Of logits of real and of generated rows."""
    if loss == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def generator_loss(made: Tensor, loss: str) -> Tensor:
    """Of logits of generated rows: -log of the discriminator's probability that they are real, which does not vanish where it is sure."""
    return -made.mean() if loss == "hinge" else functional.softplus(-made).mean()


@dataclass(frozen=True)
class Options:
    """noise, embedding, maps: sizes; maps is w. batch: real rows in a step, and generated ones. rate: step size of Adam. stabilise: one of
    STABILISE. loss: one of LOSSES. balanced: whether real rows are drawn alike from all classes; else passes go over them. per_class: a
    GAN for each class that is smaller than the largest, instead of one. attention: one block of it in each player.
    """

    noise: int = 32
    embedding: int = 16
    maps: int = 16
    batch: int = 64
    steps: int = 800
    rate: float = 1e-3
    stabilise: str = STABILISE[0]
    balanced: bool = True
    per_class: bool = False
    attention: bool = False
    loss: str = LOSSES[0]


class CGAN(RowGenerator):
    """The GAN, or the GANs, of images x [n, D] in [-1, 1], of classes y [n]. A class without rows takes no part."""

    def __init__(self, x: Tensor, y: Tensor, classes: int, shape: Shape, options: Options, own: Streams) -> None:
        self._options, self._like = options, (x.new_zeros(0, x.shape[1]), y.new_zeros(0))
        images = x.view(len(x), *shape)
        counts = torch.bincount(y, minlength=classes).tolist()
        self._single = [c for c, n in enumerate(counts) if n == 1]
        if options.per_class:
            small = [c for c, n in enumerate(counts) if 0 < n < max(counts)]
            self._pairs = {c: Pair(images[y == c], y[y == c] * 0, 1, shape, options, own) for c in small}
        else:
            self._pairs = {-1: Pair(images, y, classes, shape, options, own)}
        steps = options.steps if self._pairs else 0
        self.stages = (Stage("generator", "Training generator and discriminator", steps, self._step),)

    @torch.no_grad()
    def draw(self, wanted: Mapping[int, int], rng: np.random.Generator | np.random.RandomState) -> Made:
        """See RowGenerator. how: code [m, noise], which a row is made of besides its class."""
        x, y, codes = [self._like[0]], [self._like[1]], [self._like[0].new_zeros(0, self._options.noise)]
        for c in sorted(c for c, count in wanted.items() if count > 0):
            noise = torch.from_numpy(rng.standard_normal((wanted[c], self._options.noise))).to(self._like[0])
            pair, label = (self._pairs[c], 0) if self._options.per_class else (self._pairs[-1], c)
            x.append(pair.make(noise, label).flatten(1))
            y.append(self._like[1].new_full((wanted[c],), c))
            codes.append(noise)
        instead = {c: "copies" for c in self._single if wanted.get(c, 0) > 0}
        return Made(torch.cat(x), torch.cat(y), {"code": torch.cat(codes)}, instead=instead)

    def tensors(self) -> Iterable[Tensor]:
        """See RowGenerator."""
        return [tensor for pair in self._pairs.values() for tensor in pair.generator.state_dict().values()]

    def settle(self) -> None:
        """See RowGenerator."""
        super().settle()
        for pair in self._pairs.values():
            pair.settle()

    def _step(self) -> Mapping[str, Tensor]:
        values = [pair.step() for pair in self._pairs.values()]
        return {name: torch.stack([one[name] for one in values]).mean() for name in ("d_loss", "g_loss")} if values else {}


class Pair:
    """Generator and discriminator with their images and labels."""

    def __init__(self, x: Tensor, y: Tensor, classes: int, shape: Shape, options: Options, own: Streams) -> None:
        self._options, self._own = options, own
        self._x, self._y = x, y
        self._rows = [torch.nonzero(y == c).squeeze(1).cpu() for c in torch.unique(y).tolist()]
        self._present = torch.unique(y).cpu()
        self._batches = Shuffled(len(x), options.batch, own.batch, least=2)
        spectral, spread = options.stabilise != "none", options.stabilise == "spectral+spread"

        def make_generator() -> nn.Module:
            return Generator(shape, classes, options.noise, options.embedding, options.maps, options.attention)

        def make_discriminator() -> nn.Module:
            return Discriminator(shape, classes, options.maps, spectral=spectral, spread=spread, attention=options.attention)

        self.generator, self._discriminator = (
            build(make, own.init, law="uniform", device=x.device, dtype=x.dtype)
            for make in (make_generator, make_discriminator)
        )
        cast(Discriminator, self._discriminator).begin(own.init)
        self._first, self._second = (new_adam(one.parameters(), options.rate) for one in (self._discriminator, self.generator))

    def step(self) -> dict[str, Tensor]:
        """One step of each player, on the same generated rows."""
        rows = self._take_reals().to(self._x.device)
        labels = self._present[torch.randint(len(self._present), (max(2, len(rows)),), generator=self._own.noise)]
        labels = labels.to(self._x.device)
        made = self.generator(draw_normal(len(labels), self._options.noise, self._own.noise, self._x), labels)
        judge, loss = self._discriminator, self._options.loss
        d_loss = discriminator_loss(judge(self._x[rows], self._y[rows]), judge(made.detach(), labels), loss)
        descend(d_loss, [self._first])
        g_loss = generator_loss(judge(made, labels), loss)
        descend(g_loss, [self._second], [judge])
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}

    def make(self, noise: Tensor, label: int) -> Tensor:
        """Images of a class, by the running statistics of batch norm."""
        self.generator.eval()

        def through(z: Tensor) -> Tensor:
            images: Tensor = self.generator(z, torch.full((len(z),), label, device=z.device))
            return images

        return in_blocks(through, noise)

    def settle(self) -> None:
        """Drops what training alone needs."""
        del self._discriminator, self._first, self._second, self._batches, self._rows
        self._x, self._y = self._x[:0].clone(), self._y[:0].clone()

    def _take_reals(self) -> Tensor:
        """Numbers of real rows of one batch, on the CPU."""
        if not self._options.balanced:
            return self._batches.take()
        return draw_balanced(self._rows, self._options.batch, self._own.batch)
