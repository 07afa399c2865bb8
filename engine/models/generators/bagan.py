"""BAGAN (Mariani et al. 2018): an auto-encoder gives a generator, a discriminator and a Gaussian of latents per class their start.

The discriminator names the class of a row, or calls it generated. The generator makes rows, from the Gaussian of a class, that it should
take for rows of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
SLOPE, DROPPED = 0.3, 0.3
"""Of the leaky ReLU below 0, as in Keras; share of features that dropout sets to 0."""
SHOWN = 8
"""New rows of each class beside which a training row and its reconstruction are shown, at most."""


class Decoder(nn.Module):
    """Latents [n, latent] -> images in (-1, 1), [n, channels, side, side]; no biases. It becomes the generator.

    latent -> 8 w -> w maps of a quarter of the side; twice doubled, by nearest pixels and a convolution (2 w maps at half the side, w at
    the whole); a 2 x 2 convolution and tanh.
    """

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        channels, side, _ = shape
        self.start = (width, side // 4, side // 4)
        self.dense = nn.Sequential(
            nn.Linear(latent, 8 * width, bias=False),
            nn.ReLU(),
            nn.Linear(8 * width, width * (side // 4) ** 2, bias=False),
            nn.ReLU(),
        )
        self.maps = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, 2 * width, 5, padding=2, bias=False),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 5, padding=2, bias=False),
            nn.ReLU(),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(width, channels, 2, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """z [n, latent]."""
        images: Tensor = self.maps(self.dense(z).view(len(z), *self.start))
        return images


class Trunk(nn.Module):
    """Images [n, channels, side, side] -> features [n, 8 w (side / 4)^2]: four 3 x 3 convolutions of w, 2 w, 4 w, 8 w maps.

    The first and the third have stride 2; as in TensorFlow's "same" they pad below and on the right alone. Leaky ReLU and dropout
    after each.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        channels, side, _ = shape
        sizes = [channels, width, 2 * width, 4 * width, 8 * width]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(a, b, 3, stride=2))
            if k % 2 == 0
            else nn.Conv2d(a, b, 3, padding=1)
            for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False))
        )
        self.width = 8 * width * (side // 4) ** 2

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """noise: what dropout is drawn from, on the CPU; None: without dropout."""
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE)
            if noise is not None:
                x = x * ((torch.rand(x.shape, generator=noise, dtype=torch.float32) >= DROPPED).to(x) / (1 - DROPPED))
        return x.flatten(1)


class Critic(nn.Module):
    """A trunk and one linear layer: the encoder (as many outputs as latents), or the discriminator (a logit per class, the last one of
    generated rows).
    """

    def __init__(self, shape: Shape, width: int, outputs: int) -> None:
        super().__init__()
        self.trunk = Trunk(shape, width)
        self.dense = nn.Linear(self.trunk.width, outputs)

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """See Trunk."""
        out: Tensor = self.dense(self.trunk(x, noise))
        return out


def draw_gaussian(latents: Tensor, normal: Tensor) -> Tensor:
    """Rows of the Gaussian with the mean and the covariance (n - 1 in its denominator) of latents [n, k], from normal numbers [m, n].

    mean + (latents - mean)^T w / sqrt(n - 1) has exactly this covariance, of any rank. Of a single row it is the row.
    """
    mean = latents.mean(0)
    root = (latents - mean) / max(1, len(latents) - 1) ** 0.5
    drawn: Tensor = mean + normal @ root
    return drawn


def count_fakes(rows: int, classes: int) -> int:
    """Generated rows beside so many real ones in a batch of the discriminator: as many as those of one class, rounded up."""
    return -(-rows // classes)


@dataclass(frozen=True)
class Options:
    """latent: length of a code. maps, trunk_maps: w of decoder and trunk. passes: over the rows, of the auto-encoder. steps: of generator
    and discriminator. encoder_rate, rate: step sizes of Adam, of the auto-encoder and of these two. balanced: whether real rows are drawn
    alike from all classes; else passes go over them.
    """

    latent: int = 32
    maps: int = 16
    trunk_maps: int = 8
    batch: int = 64
    passes: int = 14
    steps: int = 150
    encoder_rate: float = 1e-3
    rate: float = 1e-4
    balanced: bool = True


class BAGAN(RowGenerator):
    """BAGAN of images x [n, D] in [-1, 1], of classes y [n]. A class without rows takes no part."""

    def __init__(self, x: Tensor, y: Tensor, classes: int, shape: Shape, options: Options, own: Streams) -> None:
        self._shape, self._classes, self._options, self._own = shape, classes, options, own
        self._x, self._y = x.view(len(x), *shape), y
        labels = y.cpu()
        self._rows = {c: torch.nonzero(labels == c).squeeze(1) for c in torch.unique(labels).tolist()}
        self._latents: dict[int, Tensor] = {}
        self._encoder = self._build_critic(options.latent)
        self._generator = self._build(lambda: Decoder(shape, options.latent, options.maps))
        self._coder = new_adam([*self._encoder.parameters(), *self._generator.parameters()], options.encoder_rate)
        self._batches = Shuffled(len(x), options.batch, own.batch)
        self._discriminator: Critic | None = None
        self._players: list[torch.optim.Optimizer] = []
        self.stages = (
            Stage("auto-encoder", "Training the auto-encoder", options.passes * -(-len(x) // options.batch), self._step_coder),
            Stage("gaussians", "Fitting a Gaussian to the codes of each class", 0, self._step_coder, self._begin),
            Stage("generator", "Training generator and discriminator", options.steps, self._step_players),
        )

    @torch.no_grad()
    def _begin(self) -> None:
        """Fits the Gaussians; the discriminator takes over the encoder's trunk. Its linear layer is new."""
        every = in_blocks(self._encoder, self._x)
        self._latents = {c: every[rows.to(every.device)] for c, rows in self._rows.items()}
        self._discriminator = self._build_critic(self._classes + 1)
        self._discriminator.trunk.load_state_dict(self._encoder.trunk.state_dict())
        self._batches = Shuffled(len(self._x), self._options.batch, self._own.batch)
        self._players = [new_adam(one.parameters(), self._options.rate) for one in (self._discriminator, self._generator)]

    @torch.no_grad()
    def draw(self, wanted: Mapping[int, int], rng: np.random.Generator | np.random.RandomState) -> Made:
        """See RowGenerator. Of a class of one row, what the generator makes of its code. how: code [m, latent]. pictures: training rows
        and their reconstructions.
        """
        x, y = [self._x.new_zeros(0, self._x[0].numel())], [self._y.new_zeros(0)]
        codes = [self._x.new_zeros(0, self._options.latent)]
        pictures = self._x.new_full((self._classes, SHOWN, 2, x[0].shape[1]), torch.nan)
        instead = {}
        for c in sorted(c for c, count in wanted.items() if count > 0):
            latents = self._latents[c]
            normal = torch.from_numpy(rng.standard_normal((wanted[c], len(latents)))).to(latents)
            codes.append(draw_gaussian(latents, normal))
            x.append(in_blocks(self._generator, codes[-1]).flatten(1))
            y.append(self._y.new_full((wanted[c],), c))
            shown = self._rows[c][:SHOWN].to(self._x.device)
            pictures[c, : len(shown), 0] = self._x[shown].flatten(1)
            pictures[c, : len(shown), 1] = self._reconstruct(self._x[shown]).flatten(1)
            if len(latents) == 1:
                instead[c] = "copies"
        return Made(torch.cat(x), torch.cat(y), {"code": torch.cat(codes)}, {"reconstruction": pictures}, instead)

    def tensors(self) -> Iterable[Tensor]:
        """See RowGenerator."""
        return [self._x, *self._encoder.parameters(), *self._generator.parameters(), *self._latents.values()]

    def settle(self) -> None:
        """See RowGenerator."""
        super().settle()
        self._discriminator, self._players = None, []
        del self._coder

    def _reconstruct(self, images: Tensor) -> Tensor:
        made: Tensor = self._generator(self._encoder(images))
        return made

    def _build(self, make: Callable[[], nn.Module]) -> nn.Module:
        return build(make, self._own.init, law="glorot", device=self._x.device, dtype=self._x.dtype)

    def _build_critic(self, outputs: int) -> Critic:
        return cast(Critic, self._build(lambda: Critic(self._shape, self._options.trunk_maps, outputs)))

    def _step_coder(self) -> Mapping[str, Tensor]:
        own = self._x[self._batches.take().to(self._x.device)]
        loss = functional.mse_loss(self._generator(self._encoder(own, self._own.noise)), own)
        descend(loss, [self._coder])
        return {"ae_loss": loss.detach()}

    def _step_players(self) -> Mapping[str, Tensor]:
        """The discriminator on real rows and a C-th as many generated ones, then the generator on as many as both."""
        discriminator, noise = self._discriminator, self._own.noise
        assert discriminator is not None
        rows = self._take_reals().to(self._x.device)
        fakes = count_fakes(len(rows), self._classes)
        with torch.no_grad():
            made = self._generator(self._draw_latents(self._draw_labels(fakes)))
        labels = torch.cat([self._y[rows], self._y.new_full((fakes,), self._classes)])
        d_loss = functional.cross_entropy(discriminator(torch.cat([self._x[rows], made]), noise), labels)
        descend(d_loss, [self._players[0]])
        asked = self._draw_labels(len(rows) + fakes)
        made = self._generator(self._draw_latents(asked))
        g_loss = functional.cross_entropy(discriminator(made, noise), asked.to(made.device))
        descend(g_loss, [self._players[1]], [discriminator])
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}

    def _take_reals(self) -> Tensor:
        """Numbers of real rows of one batch, on the CPU."""
        if not self._options.balanced:
            return self._batches.take()
        return draw_balanced(list(self._rows.values()), self._options.batch, self._own.batch)

    def _draw_labels(self, count: int) -> Tensor:
        """[count] classes on the CPU, all classes that have rows equally likely."""
        own = torch.tensor(list(self._rows))
        return own[torch.randint(len(own), (count,), generator=self._own.noise)]

    def _draw_latents(self, labels: Tensor) -> Tensor:
        """A code of each label's Gaussian, [m, latent]."""
        out = self._x.new_zeros(len(labels), self._options.latent)
        for c, latents in self._latents.items():
            at = torch.nonzero(labels == c).squeeze(1)
            out[at.to(out.device)] = draw_gaussian(latents, draw_normal(len(at), len(latents), self._own.noise, out))
        return out
