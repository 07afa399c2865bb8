"""R multilayer perceptrons trained at once. Replicates never mix: every product is batched over the first axis.

All parameters of a replicate lie in one row of one tensor, `flat` [R, P], so an optimiser is a few whole-tensor
operations and a step of gradient descent is a subtraction. Layers are views into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

ACTIVATIONS = ("relu", "tanh")


class MLP:
    """Fully connected layers sizes[0] -> ... -> sizes[-1], one activation between them, logits at the end.

    flat [R, P]: weights and biases of layer after layer. Every method takes `flat` to evaluate the net elsewhere than at
    its own parameters (`net.flat`, the default).
    """

    def __init__(self, sizes: Sequence[int], activation: str, flat: Tensor) -> None:
        self.sizes = tuple(sizes)
        self.activation = activation
        self.flat = flat
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        self.shapes = [shape for i, o in pairs for shape in ((i, o), (1, o))]
        self.lengths = [prod(shape) for shape in self.shapes]

    @classmethod
    def create(
        cls,
        sizes: Sequence[int],
        activation: str,
        streams: Sequence[torch.Generator],
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> MLP:
        """Freshly initialised, one stream per replicate: U(-1/sqrt(in), 1/sqrt(in)) for weights and biases, as torch's Linear."""
        rows = []
        for stream in streams:
            parts = []
            for i, o in zip(sizes, sizes[1:], strict=False):
                draw = torch.rand((i + 1) * o, generator=stream, dtype=torch.float64)  # one draw in every precision
                parts.append((2 * draw - 1) / i**0.5)
            rows.append(torch.cat(parts))
        return cls(sizes, activation, torch.stack(rows).to(device=device, dtype=dtype))

    def copy(self) -> MLP:
        """The same net with parameters of its own."""
        return MLP(self.sizes, self.activation, self.flat.detach().clone())

    def views(self, flat: Tensor) -> list[Tensor]:
        """[W1 [R, in, out], b1 [R, 1, out], W2, b2, ...] as views of `flat`."""
        parts = torch.split(flat, self.lengths, dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def embed(self, x: Tensor, layers: Sequence[Tensor] | None = None) -> Tensor:
        """x [R, N, D] -> activations of the last hidden layer [R, N, H] (x itself where there is none)."""
        layers = self.views(self.flat) if layers is None else layers
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            x = self._activate(torch.baddbmm(bias, x, weight))
        return x

    def head(self, z: Tensor, layers: Sequence[Tensor] | None = None) -> Tensor:
        """z [R, N, H] -> logits [R, N, C]."""
        layers = self.views(self.flat) if layers is None else layers
        return torch.baddbmm(layers[-1], z, layers[-2])

    def __call__(self, x: Tensor, layers: Sequence[Tensor] | None = None) -> Tensor:
        """x [R, N, D] -> logits [R, N, C]."""
        layers = self.views(self.flat) if layers is None else layers
        return self.head(self.embed(x, layers), layers)

    def derivative(self, x: Tensor, layers: Sequence[Tensor], direction: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits at `layers`, and their derivative when the parameters move along `direction` (forward mode).

        x [R, N, D]; layers and direction as `views` gives them. Returns two [R, N, C], differentiable in x.
        """
        dx: Tensor | None = None
        last = len(layers) // 2 - 1
        for k in range(last + 1):
            weight, bias, d_weight, d_bias = layers[2 * k], layers[2 * k + 1], direction[2 * k], direction[2 * k + 1]
            a = torch.baddbmm(bias, x, weight)
            da = torch.baddbmm(d_bias, x, d_weight)
            if dx is not None:
                da = torch.baddbmm(da, dx, weight)
            if k == last:
                break
            x = self._activate(a)
            dx = da * (a > 0) if self.activation == "relu" else da * (1 - x * x)
        return a, da

    def head_weights(self) -> Tensor:
        """The output layer's weights [R, H, C]."""
        return self.views(self.flat)[-2]

    def _activate(self, a: Tensor) -> Tensor:
        return torch.relu(a) if self.activation == "relu" else torch.tanh(a)
