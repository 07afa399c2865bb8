"""DeepSMOTE: an auto-encoder for images, SMOTE among its codes within a class, and what the decoder makes of that.

Dablain, Krawczyk and Chawla 2022, by the formulas; sizes as released. The released second loss term shifts codes and targets alike, so
it is plain reconstruction of one class: class-balanced reconstruction that trains the decoder alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.models.generators.adversarial import (
    BETAS,
    Made,
    RowGenerator,
    Shuffled,
    Stage,
    Streams,
    build,
    descend,
    in_blocks,
    new_adam,
)
from engine.samplers.lines import SMOTE_NEIGHBORS, Drawn, smote

PENALTIES = ("released", "literal", "none")
SLOPE = 0.2
STRIP = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the way from base to partner that the picture shows decoded."""
SHOWN = 4
"""New rows of each class with such a strip, at most."""

Coder = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Options:
    """width: channels after the first convolution (h). latent: length of a code. rate, betas: of Adam. batch: images in a step, and at
    most as many of one class in the second term. penalty: the second term, see `penalise`.
    """

    width: int = 8
    latent: int = 32
    rate: float = 2e-3
    betas: tuple[float, float] = BETAS
    batch: int = 64
    steps: int = 450
    penalty: str = "released"
    k_neighbors: int = SMOTE_NEIGHBORS


def make_encoder(shape: tuple[int, int, int], width: int, latent: int) -> nn.Module:
    """Convolutions 4x4 of stride 2, four of them (three for a side of 8), batch norm on all but the first, then a dense layer."""
    channels, side, _ = shape
    layers: list[nn.Module] = []
    depth = 3 if side < 16 else 4
    for k in range(depth):
        layers.append(nn.Conv2d(channels, width << k, 4, 2, 1, bias=False))
        if k:
            layers.append(nn.BatchNorm2d(width << k))
        layers.append(nn.LeakyReLU(SLOPE))
        channels, side = width << k, side // 2
    return nn.Sequential(nn.Unflatten(1, shape), *layers, nn.Flatten(), nn.Linear(channels * side * side, latent))


def make_decoder(shape: tuple[int, int, int], width: int, latent: int) -> nn.Module:
    """Dense to 8h maps, transposed convolutions to the side, tanh. A side of 28 has the released layers (7, 10, 13, 28)."""
    channels, side, _ = shape
    wide = 8 * width
    first = 7 if side == 28 else side // 4
    body: list[nn.Module] = [nn.Linear(latent, wide * first * first), nn.ReLU(), nn.Unflatten(1, (wide, first, first))]
    if side == 28:
        body += [nn.ConvTranspose2d(wide, wide // 2, 4), nn.BatchNorm2d(wide // 2), nn.ReLU()]
        body += [nn.ConvTranspose2d(wide // 2, wide // 4, 4), nn.BatchNorm2d(wide // 4), nn.ReLU()]
        body += [nn.ConvTranspose2d(wide // 4, channels, 4, 2)]
    else:
        body += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1), nn.BatchNorm2d(wide // 2), nn.ReLU()]
        body += [nn.ConvTranspose2d(wide // 2, wide // 4, 4, 2, 1), nn.BatchNorm2d(wide // 4), nn.ReLU()]
        body += [nn.Conv2d(wide // 4, channels, 3, 1, 1)]
    return nn.Sequential(*body, nn.Tanh(), nn.Flatten())


def penalise(decode: Coder, codes: Tensor, x: Tensor, penalty: str) -> Tensor:
    """The second term for rows x [n, d] of one class and their codes, without a gradient in the codes.

    released: codes and targets are shifted by one row alike, so row j is decoded from its own code. literal: the codes alone are shifted,
    as the paper's algorithm reads, so row j is decoded from its neighbour's.
    """
    codes = codes.detach()
    shifted = torch.roll(codes, -1, 0)
    target = torch.roll(x, -1, 0) if penalty == "released" else x
    return (decode(shifted) - target).square().mean()


def sample_codes(
    encode: Coder,
    decode: Coder,
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    k: int,
) -> tuple[Drawn, Tensor, Tensor]:
    """(the new codes, the decoded new rows [m, d], the codes of all rows). x [n, d], y [n]; wanted, rng, k as in `lines.smote`."""
    codes = in_blocks(encode, x)
    drawn = smote(codes, y, wanted, rng, k_neighbors=k)
    return drawn, in_blocks(decode, drawn.x) if len(drawn.x) else x[:0], codes


class DeepSMOTE(RowGenerator):
    """DeepSMOTE on images x [n, d] in [-1, 1], classes y [n]."""

    def __init__(self, x: Tensor, y: Tensor, classes: int, shape: tuple[int, int, int], options: Options, own: Streams) -> None:
        self.x, self.y, self.classes, self.options, self.own = x, y, classes, options, own
        size = {"law": "uniform", "device": x.device, "dtype": x.dtype}
        self.encoder = build(lambda: make_encoder(shape, options.width, options.latent), own.init, **size)  # type: ignore[arg-type]
        self.decoder = build(lambda: make_decoder(shape, options.width, options.latent), own.init, **size)  # type: ignore[arg-type]
        labels = y.cpu()
        counts = torch.bincount(labels).tolist()
        self.members = [torch.nonzero(labels == c).squeeze(1) for c, n in enumerate(counts) if n > 1]
        self.batches = Shuffled(len(x), options.batch, own.batch, least=2)
        self.players = [new_adam(net.parameters(), options.rate, options.betas) for net in (self.encoder, self.decoder)]
        self.stages = [
            Stage("generator", "Training the auto-encoder", options.steps if len(x) > 1 else 0, self._step, self._end)
        ]

    def _step(self) -> dict[str, Tensor]:
        self.encoder.train()
        self.decoder.train()
        x = self.x[self.batches.take().to(self.x.device)]
        ae = (self.decoder(self.encoder(x)) - x).square().mean()
        second = self._second_term()
        descend(ae if second is None else ae + second, self.players)
        values = {"ae_loss": ae.detach()}
        return values if second is None else values | {"class_loss": second.detach()}

    def _second_term(self) -> Tensor | None:
        """The second term on rows of one class, drawn uniformly among those of more than one row."""
        if self.options.penalty == "none" or not self.members:
            return None
        own = self.members[int(torch.randint(len(self.members), (1,), generator=self.own.noise))]
        picked = own[torch.randperm(len(own), generator=self.own.noise)[: self.options.batch]]
        x = self.x[picked.to(self.x.device)]
        with torch.no_grad():
            codes = self.encoder(x)
        return penalise(self.decoder, codes, x, self.options.penalty)

    def _end(self) -> None:
        self.encoder.eval()
        self.decoder.eval()

    def settle(self) -> None:
        """See RowGenerator."""
        super().settle()
        self.players = []

    def tensors(self) -> Iterable[Tensor]:
        """See RowGenerator."""
        return [self.x, *self.encoder.state_dict().values(), *self.decoder.state_dict().values()]

    @torch.no_grad()
    def draw(self, wanted: Mapping[int, int], rng: np.random.Generator | np.random.RandomState) -> Made:
        """See RowGenerator. pictures: the decoded steps from base to partner."""
        drawn, x, codes = sample_codes(self.encoder, self.decoder, self.x, self.y, wanted, rng, self.options.k_neighbors)
        how = {"base": drawn.base, "other": drawn.other, "step": drawn.step}
        return Made(x, drawn.y, how, {"strip": self._draw_strips(drawn, codes)}, drawn.instead)

    def measure_classes(self) -> dict[int, float]:
        """Mean squared error of the decoded training rows of each class."""
        with torch.no_grad():
            error = (in_blocks(self.decoder, in_blocks(self.encoder, self.x)) - self.x).square().mean(1)
        return {c: float(error[self.y == c].mean()) for c in range(self.classes) if bool((self.y == c).any())}

    def _draw_strips(self, drawn: Drawn, codes: Tensor) -> Tensor:
        """[C, SHOWN, len(STRIP), d] decoded steps of the first new rows of each class."""
        strips = self.x.new_full((self.classes, SHOWN, len(STRIP), self.x.shape[1]), torch.nan)
        steps = torch.tensor(STRIP, device=codes.device, dtype=codes.dtype).view(1, -1, 1)
        for c in range(self.classes):
            at = torch.nonzero(drawn.y == c).squeeze(1)[:SHOWN]
            if not len(at):
                continue
            base, other = (codes[rows[at]].unsqueeze(1) for rows in (drawn.base, drawn.other))
            along = (base + steps * (other - base)).flatten(0, 1)
            strips[c, : len(at)] = in_blocks(self.decoder, along).view(len(at), len(STRIP), -1)
        return strips
